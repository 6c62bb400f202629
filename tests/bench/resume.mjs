// tests/bench/resume.mjs - from a saved session to connected: a worker that was killed, a host's start; Baileys beside it
import { join } from 'node:path';
import { World } from '../integration/harness.mjs';
import { fromNothing, startBaileys } from './baileys.mjs';
import { QUICK, begin, record, sized } from './machine.mjs';
import { atRest, cpuMs } from './meter.mjs';

const N = sized(10, 100);
const STARTS = QUICK ? 3 : 15;

// Its worker is killed: ms from that to online, and from the next worker's start.
async function killed(world, instance) {
	const [worker] = world.workers(instance);
	const from = world.gateway.lines.length;
	const began = performance.now();
	process.kill(worker.pid, 'SIGKILL');
	const online = await world.gateway.event('online', { program: 'wardend', instance: instance.id }, { from, timeoutMs: 60_000 });
	const all = performance.now() - began;
	await atRest(() => cpuMs(world.workers(instance)[0].pid)); // the queries of the login
	return { all, worker: online.ms };
}

// Each is killed once: a worker that dies over and over is made to wait.
async function warm(world, baileys) {
	const crash = [], worker = [], theirs = [];
	for (let i = 0; i < N; i++) {
		const instance = await world.newInstance();
		await world.link(instance);
		const { all, worker: ms } = await killed(world, instance);
		crash.push(all);
		worker.push(ms);
		theirs.push(...(await baileys.ask('again')).ms);
		await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
	}
	record('saved session to online, warm', 'Warden', 'ms', worker);
	record('saved session to online, warm', 'Baileys', 'ms', theirs);
	record('worker killed to online', 'Warden', 'ms', crash);
}

async function fresh(world, baileys) {
	const file = join(world.dir, 'baileys-session');
	await baileys.ask('save', file);
	await baileys.ask('close');
	await world.link(await world.newInstance());
	const ours = [], theirs = [];
	for (let i = 0; i < STARTS; i++) {
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		const began = performance.now();
		await world.startGateway({ settings: { log_level: 'info' } });
		await world.gateway.event('online', { program: 'wardend' }, { timeoutMs: 60_000 });
		ours.push(performance.now() - began);
		theirs.push(await fromNothing(world, 'online', ['resume', file]));
	}
	record('new process, saved session to online', 'Warden', 'ms', ours);
	record('new process, saved session to online', 'Baileys', 'ms', theirs);
}

begin('From a saved session to connected', `Over TLS to one warden-sim, in turn. *Warm*: Warden from the start of a new worker, which opens and checks its
session.db, to the gateway's knowing that it is online (whole milliseconds, from its log); Baileys from \`makeWASocket\` with its keys in memory to
\`connection: open\` in a running process. *Worker killed*: from \`kill -9\` on, Warden's alone. *New process*: from the start of \`wardend\`, or of
\`node\` with its one script and its keys in one JSON file.`);
const world = new World();
let baileys;
try {
	await world.startSim({ tls: true });
	await world.startGateway({ settings: { log_level: 'info' } });
	baileys = await startBaileys(world);
	await baileys.ask('link', 1);
	await warm(world, baileys);
	await fresh(world, baileys);
} finally {
	await baileys?.stop();
	await world.stop();
}
