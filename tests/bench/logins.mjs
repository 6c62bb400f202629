// tests/bench/logins.mjs - what a login costs its worker, with the first upload of pre-keys and without
//
// The CPU time is the kernel's, in nanoseconds, from /proc/PID/schedstat. It is read when the worker has come to
// rest, so the queries that follow `connected` are in it.
import { readFileSync } from 'node:fs';
import { eventually, startWorld } from '../integration/harness.mjs';
import { describeMachine, row } from './machine.mjs';

const N = Number(process.argv[2]);
const WARM_UP = 3;
const AIM_MS = 30;
const REST_MS = 150;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const cpuMs = (worker) => Number(readFileSync(`/proc/${worker.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

// CPU so far of a worker that does nothing any more.
async function atRest(worker) {
	let last = -1;
	for (let now = cpuMs(worker); now !== last; now = cpuMs(worker)) {
		last = now;
		await sleep(REST_MS);
	}
	return last;
}

// From the scanned code to a session at rest: pair-success, the second connection, login, 812 pre-keys, queries.
async function first(world, instance) {
	const phone = await world.newPhone();
	const { json } = await world.connect(instance);
	const [worker] = world.workers(instance);
	const before = await atRest(worker);
	const scanned = await world.scan(phone, json.qrCode);
	if (scanned.status !== 200)
		throw new Error(scanned.text);
	await world.until(instance, 'connected', { timeoutMs: 60_000 });
	return await atRest(worker) - before;
}

// A new worker with the saved session, from its fork on.
async function later(world, instance) {
	const [old] = world.workers(instance);
	process.kill(old.pid, 'SIGKILL');
	const worker = await eventually(() => world.workers(instance).find((w) => w.pid !== old.pid),
	    { timeoutMs: 10_000, what: 'another worker' });
	await world.until(instance, 'connected', { timeoutMs: 60_000 });
	return atRest(worker);
}

const world = await startWorld({ sim: { tls: true }, gateway: { settings: { log_level: 'notice' } } });
try {
	const figures = { first: [], later: [] };
	for (let i = 0; i < WARM_UP + N; i++) {
		const instance = await world.newInstance();
		const a = await first(world, instance);
		const b = await later(world, instance);
		if (i >= WARM_UP) {
			figures.first.push(a);
			figures.later.push(b);
		}
	}
	console.log(describeMachine());
	console.log(`${N} logins over TLS, CPU of the worker`.padEnd(24), '  median      p95      max');
	console.log(row('link, login, 812 keys', figures.first));
	console.log(row('login, keys are there', figures.later));
	console.log(`aim: at most ${AIM_MS} ms for a login with its pre-key upload`);
} finally {
	await world.stop();
}
