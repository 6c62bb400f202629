// tests/bench/queued.mjs - N private texts queued at login (fault O16): how fast they become events, what it costs, Baileys beside it
//
// Argument: N (50000). Five phones write to an instance whose gateway and worker are away; then they come back, and one
// reader has its stream of events: simulator, TLS, worker, session.db, gateway, events.db, HTTP. What is delivered has been
// committed twice. Then Baileys, linked to another phone of the same simulator, comes back to a queue of BAILEYS_N (5000) such
// texts, which it only keeps in memory. All of it on the same cores, the simulator and the reader too. RESTED=1 also waits for
// the worker to come to rest, before and after, for its memory.
import { Agent } from 'node:https';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { eventually, startWorld } from '../integration/harness.mjs';
import { Chat } from '../interop/chat.mjs';
import { describeMachine } from './machine.mjs';

const N = Number(process.argv[2] ?? 50_000);
const BAILEYS_N = Number(process.env.BAILEYS_N ?? 5_000);
const RESTED = process.env.RESTED === '1';
const SENDERS = 5;
const MARK = Buffer.from('\nevent: message.exchange\n');
const REST_MS = 13_000; // a worker gives memory back after 10 s

const row = (what, value) => console.log(`${what.padEnd(54)} ${value}`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const kiB = (pid, file, field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1]);

// CPU so far, ms.
const cpuMs = (pid) => {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return 10 * (Number(fields[11]) + Number(fields[12]));
};
const ownCpuMs = () => {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
};

// A client that does no more than it must: bytes are kept as they come, and looked into when all are there.
class Reader {
	constructor(world, instance) {
		this.chunks = [];
		this.n = 0;
		this.rest = Buffer.alloc(0);
		const { hostname, port } = new URL(world.base);
		this.done = new Promise((resolve) => (this.finish = resolve));
		this.request = http.get({ host: hostname, port,
			path: `/api/events/stream/${instance.name}`, headers: { token: instance.account, 'last-event-id': '0' } }, (response) => {
			response.on('data', (chunk) => this.#take(chunk));
		});
		this.request.on('error', () => {});
	}

	#take(chunk) {
		this.chunks.push(chunk);
		const seen = Buffer.concat([this.rest, chunk]); // the mark may be in two pieces
		let end = 0;
		for (let at; (at = seen.indexOf(MARK, end)) >= 0; end = at + MARK.length)
			this.n++;
		this.rest = seen.subarray(Math.max(end, seen.length - MARK.length + 1));
		this.last = performance.now();
		if (this.n > 0)
			this.first ??= this.last;
		if (this.n >= this.wanted)
			this.finish();
	}

	// Until so many messages were there.
	until(n) {
		this.wanted = n;
		return this.done;
	}

	texts() {
		const blocks = Buffer.concat(this.chunks).toString().split('\n\n');
		const events = blocks.map((b) => /^data: (.*)$/m.exec(b)?.[1]).filter((d) => d !== undefined).map((d) => JSON.parse(d));
		return events.filter((e) => e.event === 'message.exchange').map((e) => e.data.message.content);
	}
}

async function queueTexts(world, phone, count) {
	for (let s = 0; s < SENDERS; s++) {
		const sender = await world.newPhone();
		const r = await world.control('POST', `/phones/${sender.number}/send`, { to: phone.number, count: count / SENDERS, text: `${s} {n}` });
		if (r.status !== 200)
			throw new Error(r.text);
	}
}

function tell(texts, n) {
	row('  lost', n - new Set(texts).size);
	row('  doubled', texts.length - new Set(texts).size);
}

async function warden(world) {
	const instance = await world.newInstance();
	const { phone } = await world.link(instance);
	if (RESTED) {
		await sleep(REST_MS);
		const { pid } = world.workers(instance)[0];
		row('worker at rest, KiB: PSS, private', `${kiB(pid, 'smaps_rollup', 'Pss')}, ${kiB(pid, 'smaps_rollup', 'Private_Dirty')}`);
	}
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await queueTexts(world, phone, N);
	const before = { simulator: cpuMs(world.sim.pid), reader: ownCpuMs() };
	const began = performance.now();
	await world.startGateway({ settings: { log_level: 'info' } });
	const reader = new Reader(world, instance);
	let peak = 0;
	const sample = setInterval(() => {
		for (const { pid } of world.workers(instance))
			peak = Math.max(peak, kiB(pid, 'status', 'VmHWM') || 0);
	}, 1000);
	await reader.until(N);
	clearInterval(sample);
	const [worker] = world.workers(instance);
	const cpu = {
		worker: cpuMs(worker.pid), gateway: cpuMs(world.gateway.pid),
		simulator: cpuMs(world.sim.pid) - before.simulator, reader: ownCpuMs() - before.reader,
	};
	row(`${N} texts in the queue, from the gateway's start, s`, ((reader.last - began) / 1000).toFixed(2));
	row('  from the first event to the last, texts a second', Math.round((N - 1) / (reader.last - reader.first) * 1000));
	for (const [who, used] of Object.entries(cpu))
		row(`  CPU of the ${who}, us a text`, (used * 1000 / N).toFixed(1));
	row('  CPU of all, us a text (200 is 10,000/s on 2 cores)', (Object.values(cpu).reduce((a, b) => a + b) * 1000 / N).toFixed(1));
	row("  worker's peak, KiB", Math.max(peak, kiB(worker.pid, 'status', 'VmHWM')));
	reader.request.destroy();
	tell(reader.texts(), N);
	if (RESTED) {
		await sleep(REST_MS);
		row('worker at rest again, KiB: PSS, private', `${kiB(worker.pid, 'smaps_rollup', 'Pss')}, ${kiB(worker.pid, 'smaps_rollup', 'Private_Dirty')}`);
	}
}

async function baileys(world) {
	const phone = await world.newPhone();
	const chat = new Chat(world.simInfo, { agent: new Agent({ ca: readFileSync(world.simInfo.ca) }) });
	const control = (...args) => world.control(...args);
	await chat.link(control, phone.number);
	await sleep(500); // its pre-keys
	await chat.stop();
	await queueTexts(world, phone, BAILEYS_N);
	const before = { simulator: cpuMs(world.sim.pid), baileys: ownCpuMs() };
	const began = performance.now();
	chat.stopped = false;
	chat.connect();
	await eventually(() => chat.messages.length >= BAILEYS_N, { timeoutMs: 120_000, what: 'all of them' });
	const ms = performance.now() - began;
	row(`Baileys, ${BAILEYS_N} texts into memory, from its connect, s`, (ms / 1000).toFixed(2));
	row('  texts a second', Math.round(BAILEYS_N / ms * 1000));
	row('  CPU of Baileys, us a text', ((ownCpuMs() - before.baileys) * 1000 / BAILEYS_N).toFixed(1));
	row('  CPU of the simulator, us a text', ((cpuMs(world.sim.pid) - before.simulator) * 1000 / BAILEYS_N).toFixed(1));
	tell(chat.messages.map((m) => m.message?.conversation ?? m.message?.extendedTextMessage?.text), BAILEYS_N);
	await chat.stop();
}

console.log(describeMachine());
const world = await startWorld({ sim: { tls: true } });
try {
	await warden(world);
	if (BAILEYS_N > 0)
		await baileys(world);
} finally {
	await world.stop();
}
process.exit(0); // Baileys leaves timers behind
