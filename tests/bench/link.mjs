// tests/bench/link.mjs - CPU of a link and of a login: worker, gateway, Baileys beside them
//
// CPU is read when the worker has come to rest, so the queries that follow `connected` are in it.
import { eventually, startWorld } from '../integration/harness.mjs';
import { startBaileys } from './baileys.mjs';
import { begin, record, sized } from './machine.mjs';
import { atRest, cpuMs } from './meter.mjs';

const N = sized(5, 40);
const WARM_UP = 2;
const AIM_MS = 30;

const workerAtRest = (worker) => atRest(() => cpuMs(worker.pid));

// From the fork to the QR; from the scanned code to a session at rest: pair-success, the second connection, login,
// 812 pre-keys, queries.
async function link(world, instance) {
	const phone = await world.newPhone();
	const { json } = await world.connect(instance);
	const [worker] = world.workers(instance);
	const code = await workerAtRest(worker);
	const began = performance.now();
	const scanned = await world.scan(phone, json.qrCode);
	if (scanned.status !== 200)
		throw new Error(scanned.text);
	await world.until(instance, 'connected', { timeoutMs: 60_000 });
	const ms = performance.now() - began;
	const all = await workerAtRest(worker);
	return { all, scanned: all - code, ms };
}

// A new worker with the saved session, from its fork on.
async function login(world, instance) {
	const [old] = world.workers(instance);
	process.kill(old.pid, 'SIGKILL');
	const worker = await eventually(() => world.workers(instance).find((w) => w.pid !== old.pid),
	    { timeoutMs: 10_000, what: 'another worker' });
	await world.until(instance, 'connected', { timeoutMs: 60_000 });
	return workerAtRest(worker);
}

// What Baileys' process uses for it until it is at rest.
async function baileysCpu(baileys, ...command) {
	const read = async () => (await baileys.ask('cpu')).cpu;
	const before = await atRest(read, { hardlyMs: 2 });
	await baileys.ask(...command);
	return await atRest(read, { hardlyMs: 2 }) - before;
}

begin('CPU of a link and of a login', `One after the other over TLS, in turn with Baileys in one process that has linked before. *Link*: from nothing to a
session at rest: code, pairing, the second connection, login, 812 pre-keys, the first queries. *Login*: the same with a saved session, without
pre-keys. Warden's worker is a new process each time, and its store is on disk; the gateway's share has the bench's own
requests in it (a list every 20 ms until it says connected). Baileys keeps its keys in memory.`);
const world = await startWorld({ sim: { tls: true }, gateway: { settings: { log_level: 'notice' } } });
let baileys;
try {
	baileys = await startBaileys(world);
	const linked = [], scanned = [], again = [], gateway = [], spans = [], theirs = { link: [], login: [] };
	for (let i = -WARM_UP; i < N; i++) {
		const instance = await world.newInstance();
		const before = cpuMs(world.gateway.pid);
		const a = await link(world, instance);
		const ours = cpuMs(world.gateway.pid) - before;
		const b = await login(world, instance);
		const c = await baileysCpu(baileys, 'link', 1);
		const d = await baileysCpu(baileys, 'again', 1);
		if (i < 0)
			continue;
		linked.push(a.all);
		scanned.push(a.scanned);
		spans.push(a.ms);
		gateway.push(ours);
		again.push(b);
		theirs.link.push(c);
		theirs.login.push(d);
	}
	record('CPU of a link', 'Warden, worker and gateway', 'ms', linked.map((ms, i) => ms + gateway[i]));
	record('CPU of a link', 'Baileys', 'ms', theirs.link);
	record('of it the worker', 'Warden', 'ms', linked);
	record('of it the worker, after the scan', 'Warden', 'ms', scanned);
	record('of it the gateway', 'Warden', 'ms', gateway);
	record('CPU of a login, saved session', 'Warden, worker', 'ms', again);
	record('CPU of a login, saved session', 'Baileys', 'ms', theirs.login);
	record('from scan to connected', 'Warden', 'ms', spans);
	console.log(`aim: at most ${AIM_MS} ms for a login with its pre-key upload`);
} finally {
	await baileys?.stop();
	await world.stop();
}
