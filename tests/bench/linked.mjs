// tests/bench/linked.mjs - N linked idle workers held for a while, beside Baileys holding as many sessions
//
// Arguments: N, minutes. Both link every session by QR against one warden-sim over TLS, are measured idle, and
// then resume every saved session. Baileys keeps all sessions in one Node process, which is kind to it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startWorld, eventually, proc } from '../integration/harness.mjs';
import { describeMachine, row } from './machine.mjs';

const N = Number(process.argv[2]);
const MINUTES = Number(process.env.MINUTES ?? 10);
const TICKS_PER_S = 100; // USER_HZ, the same on every Linux we build for
const LANES = 8;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function inLanes(items, action) {
	const left = [...items];
	await Promise.all(Array.from({ length: LANES }, async () => {
		for (let i = left.shift(); i !== undefined; i = left.shift())
			await action(i);
	}));
}

// ---- Warden ----------------------------------------------------------------------------------------------

async function linkAll(world) {
	const instances = [];
	for (let i = 0; i < N; i++)
		instances.push(await world.newInstance());
	const spans = [];
	await inLanes(instances, async (instance) => {
		const phone = await world.newPhone();
		const { json } = await world.connect(instance);
		const began = performance.now();
		const scanned = await world.scan(phone, json.qrCode);
		if (scanned.status !== 200)
			throw new Error(scanned.text);
		await world.until(instance, 'connected', { timeoutMs: 60_000 });
		spans.push(performance.now() - began);
	});
	return { instances, spans };
}

// Each worker is killed and comes back with its saved session: from the new process to online, by the gateway's log.
async function resumeAll(world, instances) {
	const spans = [];
	for (const instance of instances) {
		const [worker] = world.workers(instance);
		const from = world.gateway.lines.length;
		process.kill(worker.pid, 'SIGKILL');
		const online = await world.gateway.event('online', { program: 'wardend', instance: instance.id }, { from, timeoutMs: 60_000 });
		spans.push(online.ms);
	}
	return spans;
}

async function benchWarden(world) {
	const { instances, spans } = await linkAll(world);
	const workers = await eventually(() => {
		const list = world.workers();
		return list.length === N && list;
	}, { what: `${N} workers` });
	const pids = workers.map(({ pid }) => pid);
	const linkTicks = pids.map((pid) => proc.stat(pid).cpuTicks);
	await sleep(2000); // what the login took goes back to the kernel
	const clients = await world.clients();
	const before = pids.map((pid) => proc.stat(pid).cpuTicks);
	const gatewayBefore = proc.stat(world.gateway.pid).cpuTicks;
	await sleep(MINUTES * 60_000);
	const idleTicks = pids.map((pid, i) => proc.stat(pid).cpuTicks - before[i]);
	const gatewayTicks = proc.stat(world.gateway.pid).cpuTicks - gatewayBefore;
	const after = await world.clients();
	const same = after.filter((c) => clients.some((b) => b.id === c.id)).length;
	const memory = pids.map((pid) => proc.memory(pid));
	const resumed = await resumeAll(world, instances.slice(0, Math.min(N, 50)));
	return { spans, linkTicks, idleTicks, gatewayTicks, memory, resumed, reconnects: N - same };
}

// ---- Baileys ---------------------------------------------------------------------------------------------

async function benchBaileys(world) {
	const script = fileURLToPath(new URL('baileys-sessions.mjs', import.meta.url));
	const child = spawn(process.execPath, [script, world.simInfo.url, world.simInfo.rootKey, String(N)], {
		env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: world.simInfo.ca },
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const opened = [];
	let closed = 0;
	let all;
	const rounds = [new Promise((resolve) => (all = resolve))];
	createInterface({ input: child.stdout }).on('line', async (line) => {
		const e = JSON.parse(line);
		if (e.event === 'qr') {
			const phone = await world.newPhone();
			const r = await world.scan(phone, e.qr);
			if (r.status !== 200)
				console.error(`scan for Baileys: ${r.text}`);
		} else if (e.event === 'open') {
			opened.push(e);
		} else if (e.event === 'close') {
			closed++;
		} else if (e.event === 'all') {
			all();
		}
	});
	try {
		await rounds[0];
		await sleep(2000);
		const before = proc.stat(child.pid).cpuTicks;
		await sleep(MINUTES * 60_000);
		const idleTicks = proc.stat(child.pid).cpuTicks - before;
		const memory = proc.memory(child.pid);
		const from = opened.length;
		const again = new Promise((resolve) => (all = resolve));
		child.stdin.write('again\n');
		await again;
		return { idleTicks, memory, closed, linkTicks: before, resumed: opened.slice(from).map((e) => e.ms) };
	} finally {
		child.kill('SIGTERM');
	}
}

// ---- the report ------------------------------------------------------------------------------------------

const perHour = (ticks) => (ticks / TICKS_PER_S) * (60 / MINUTES);

const world = await startWorld({ sim: { tls: true }, gateway: { settings: { log_level: 'info' } } });
try {
	const warden = await benchWarden(world);
	console.log(`linked: ${N} linked idle sessions for ${MINUTES} min, wss:// to warden-sim`);
	console.log(describeMachine());
	console.log(`reconnects while held: ${warden.reconnects} (aim 0)`);
	console.log(`${'Warden, a worker'.padEnd(24)}${'median'.padStart(9)}${'p95'.padStart(9)}${'max'.padStart(9)}`);
	for (const kind of ['pss', 'uss', 'rss'])
		console.log(row(`  ${kind.toUpperCase()}`, warden.memory.map((m) => m[kind]), 'KiB', 0));
	console.log(row('  CPU, pairing and login', warden.linkTicks.map((t) => (t * 1000) / TICKS_PER_S), 'ms', 0));
	console.log(row('  CPU per idle hour', warden.idleTicks.map(perHour), 's', 2));
	console.log(row('  scan to connected', warden.spans));
	console.log(row('  resume', warden.resumed));
	const mean = warden.idleTicks.reduce((a, b) => a + b, 0) / N;
	console.log(`all workers: ${perHour(mean * N).toFixed(1)} CPU s per hour; gateway ${perHour(warden.gatewayTicks).toFixed(1)}`);
} finally {
	await world.stop();
}

const beside = await startWorld({ sim: { tls: true } });
try {
	const baileys = await benchBaileys(beside);
	console.log(`Baileys, ${N} sessions in one process: PSS ${(baileys.memory.pss / 1024).toFixed(1)} MiB, ` +
	    `${(baileys.memory.pss / N).toFixed(0)} KiB a session; closed while held: ${baileys.closed}`);
	console.log(`  CPU: ${((baileys.linkTicks * 1000) / TICKS_PER_S / N).toFixed(1)} ms a session to link, ` +
	    `${perHour(baileys.idleTicks).toFixed(1)} s per hour for all, ${(perHour(baileys.idleTicks) / N).toFixed(3)} s a session`);
	console.log(row('  resume', baileys.resumed));
} finally {
	await beside.stop();
}
