// tests/bench/queued.mjs - private texts queued at login (fault O16): how fast they become events, what it costs, Baileys beside it
//
// Argument: how many texts in all. Five phones write to each instance while gateway and workers are away; then they come
// back, and each instance has a reader of its stream of events: simulator, TLS, worker, session.db, gateway, events.db,
// HTTP. What is delivered has been committed twice. Then Baileys comes back to a queue of as many sessions, which it only
// keeps in memory. All of it on the same cores, the simulator and the readers too. RESTED=1 also waits for the worker to
// come to rest, before and after, for its memory.
import http from 'node:http';
import { proc, startWorld } from '../integration/harness.mjs';
import { startBaileys } from './baileys.mjs';
import { QUICK, begin, plot, record, sized } from './machine.mjs';
import { cpuMs, cpuOfAll, inLanes, peakKib, sleep } from './meter.mjs';

const N = sized(5_000, 50_000);
const BAILEYS_N = Math.min(N, QUICK ? 1_000 : 5_000);
const INSTANCES = QUICK ? [1, 4] : [1, 4, 16, 64];
const ROUNDS = QUICK ? 1 : 3;
const RESTED = process.env.RESTED === '1';
const SENDERS = 5;
const MARK = Buffer.from('\nevent: message.exchange\n');
const REST_MS = 13_000; // a worker gives memory back after 10 s

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

// So many to each of the phones, from five others each.
const queueTexts = (world, phones, each) => inLanes(phones, 4, async (phone) => {
	for (let s = 0; s < SENDERS; s++) {
		const sender = await world.newPhone();
		const r = await world.control('POST', `/phones/${sender.number}/send`, { to: phone.number, count: each / SENDERS, text: `${sender.number} {n}` });
		if (r.status !== 200)
			throw new Error(r.text);
	}
});

// So many of each that all of them are about n.
const share = (n, instances) => Math.ceil(n / instances / SENDERS) * SENDERS;

function insist(who, all, different, n) {
	if (all !== n || different !== n)
		throw new Error(`${who}: ${n} sent, ${all} came, ${different} different ones`);
}

async function tellMemory(when, { pid }) {
	await sleep(REST_MS);
	const { pss, uss } = proc.memory(pid);
	console.log(`worker at rest ${when}: PSS ${pss} KiB, USS ${uss} KiB`);
}

async function warden(world, count) {
	const each = share(N, count), n = each * count;
	const instances = [], phones = [];
	for (let i = 0; i < count; i++) {
		instances.push(await world.newInstance());
		phones.push((await world.link(instances[i])).phone);
	}
	if (RESTED)
		await tellMemory('before', world.workers()[0]);
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await queueTexts(world, phones, each);
	const before = { simulator: cpuMs(world.sim.pid), readers: ownCpuMs() };
	const began = performance.now();
	await world.startGateway({ settings: { log_level: 'notice' } });
	const readers = instances.map((instance) => new Reader(world, instance));
	await Promise.all(readers.map((r) => r.until(each)));
	const workers = world.workers().map(({ pid }) => pid);
	const cpu = {
		workers: cpuOfAll(workers), gateway: cpuMs(world.gateway.pid),
		simulator: cpuMs(world.sim.pid) - before.simulator, readers: ownCpuMs() - before.readers,
	};
	const ms = Math.max(...readers.map((r) => r.last)) - began;
	const texts = readers.flatMap((r) => r.texts());
	readers.forEach((r) => r.request.destroy());
	insist('Warden', texts.length, new Set(texts).size, n);
	const result = { perS: n / ms * 1000, cpu: Object.fromEntries(Object.entries(cpu).map(([who, ms]) => [who, ms * 1000 / n])),
		peak: Math.max(...workers.map(peakKib)) };
	if (RESTED)
		await tellMemory('after', world.workers()[0]);
	for (const { name, account } of instances)
		await world.request('DELETE', `/api/instance/delete/${name}`, { token: account });
	return result;
}

async function baileys(world, count) {
	const each = share(BAILEYS_N, count), n = each * count;
	const process_ = await startBaileys(world);
	try {
		const numbers = new Set((await phonesOf(world)).map((p) => p.number));
		await process_.ask('link', count);
		const phones = (await phonesOf(world)).filter((p) => !numbers.has(p.number));
		await sleep(1000); // its pre-keys
		await process_.ask('close');
		await queueTexts(world, phones, each);
		const { ms, cpu } = await process_.ask('open', n);
		const { all, different } = await process_.ask('texts');
		insist('Baileys', all, different, n);
		return { perS: n / ms * 1000, cpu: cpu * 1000 / n, peak: peakKib(process_.pid) };
	} finally {
		await process_.stop();
	}
}

const phonesOf = async (world) => (await world.control('GET', '/phones')).json;

begin('Messages in', `Private texts that wait in the simulator's queue when everything comes back (${N.toLocaleString('en-US')} in all for Warden, ${BAILEYS_N.toLocaleString('en-US')} for Baileys, which would take minutes),
from the start of Warden's gateway, or the making of Baileys' sockets in a running process, to the last of them; simulator, servers and readers on
the same cores. Warden: each opened, committed to the instance's session.db, acknowledged,
committed to events.db and read over HTTP by a client; a process per instance. Baileys: each opened and handed to a callback in its one process;
nothing is stored. Every text is counted, none may be missing or come twice.`);
const world = await startWorld({ sim: { tls: true }, gateway: { settings: { log_level: 'notice' } } });
try {
	for (const count of INSTANCES) {
		const ours = [], theirs = [];
		for (let i = 0; i < ROUNDS; i++) {
			ours.push(await warden(world, count));
			theirs.push(await baileys(world, count));
		}
		const at = { at: count, of: count === 1 ? 'instance' : 'instances' };
		record('texts a second', 'Warden', '/s', ours.map((r) => r.perS), { ...at, more: true });
		record('texts a second', 'Baileys, one process', '/s', theirs.map((r) => r.perS), { ...at, more: true });
		if (count > 1)
			continue;
		record('CPU a text', 'Warden, worker and gateway', 'us', ours.map((r) => r.cpu.workers + r.cpu.gateway));
		record('CPU a text', 'Baileys', 'us', theirs.map((r) => r.cpu));
		for (const [name, key] of [['of it the worker', 'workers'], ['of it the gateway', 'gateway'], ['besides, the simulator', 'simulator'], ['besides, the reader', 'readers']])
			record(name, 'Warden', 'us', ours.map((r) => r.cpu[key]));
		record('peak RSS', 'Warden, worker', 'MiB', ours.map((r) => r.peak / 1024));
		record('peak RSS', 'Baileys', 'MiB', theirs.map((r) => r.peak / 1024));
	}
	plot('queued.svg', {
		title: 'Texts a second, all instances together', x: 'instances', y: 'texts a second', logX: true,
		lines: [{ figure: 'texts a second', who: 'Warden' }, { figure: 'texts a second', who: 'Baileys, one process' }],
	});
} finally {
	await world.stop();
}
