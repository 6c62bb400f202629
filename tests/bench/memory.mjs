// tests/bench/memory.mjs - memory and idle CPU of many instances: at their QR, and linked; Baileys as processes and in one
//
// Arguments: the greatest number of instances (2000). Linked instances are measured after a restart of the gateway, as a
// host has them; all of Baileys' sessions connect anew meanwhile. All idle at the same time, beside each other.
import { World, eventually } from '../integration/harness.mjs';
import { startBaileys } from './baileys.mjs';
import { linkMany } from './linkmany.mjs';
import { QUICK, begin, plot, record, sized } from './machine.mjs';
import { availableKib, cpuOfAll, inLanes, memoryOf, sleep } from './meter.mjs';
import { kernelGroup, kernelKib } from './fleet/kernel.mjs';

const MOST = sized(50, 2000);
const LEVELS = [1, 50, 500, 2000].filter((n) => n <= MOST);
const ROUNDS = QUICK ? 1 : 3;
const SETTLE_MS = 15_000; // a worker gives memory back after 10 s
const IDLE_MS = QUICK ? 15_000 : 60_000;
const CODES_AT_ONCE = 100;
const PROCESSES = QUICK ? 10 : 100; // of Baileys, one each
const SESSIONS = QUICK ? 20 : 500; // of Baileys in one process: more take too long to link
const BAILEYS_KIB = 160 * 1024; // what a process may take
const AIM_QR_KIB = 512;

const at = (n) => ({ at: n, of: n === 1 ? 'instance' : 'instances' });

// CPU s in an hour of each, from what they take while nothing happens.
async function idleCpu(groups) {
	const before = groups.map(cpuOfAll);
	await sleep(IDLE_MS);
	return groups.map((pids, i) => (cpuOfAll(pids) - before[i]) / 1000 * (3_600_000 / IDLE_MS));
}

// ---- Warden ------------------------------------------------------------------------------------------------

const group = kernelGroup();
const removeGroup = (g) => eventually(() => g.remove(), { timeoutMs: 2000, what: 'an empty group' }).catch((error) => console.log(error.message));
const startGateway = (world) => world.startGateway({ settings: { log_level: 'info' }, prefix: group.prefix });

async function stopGateway(world) {
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit(120_000);
	await eventually(() => world.workers().length === 0, { timeoutMs: 60_000, what: 'no worker' });
}

const workersOf = (world, n) => eventually(() => {
	const pids = world.workers().map(({ pid }) => pid);
	return pids.length === n && pids;
}, { timeoutMs: 30_000, what: `${n} workers` });

// Everything that runs for them, and what the kernel has behind it, by instance.
function measure(world, workers, kernelBefore) {
	const { meanPss, meanUss, pss } = memoryOf(workers);
	const rest = memoryOf([world.gateway.pid, world.zygote()]).pss;
	return { pss: meanPss, uss: meanUss, all: (pss + rest) / workers.length, kernel: (kernelKib(group.file) - kernelBefore) / workers.length };
}

function recordMemory(what, n, rounds) {
	for (const [name, key] of [['PSS', 'pss'], ['USS', 'uss'], ['PSS of everything', 'all'], ['kernel memory of everything', 'kernel']])
		record(`${what}: ${name}`, 'Warden', 'KiB', rounds.map((r) => r[key]), at(n));
}

// So many at their QR at once, one round each: a fresh gateway and instances that were never linked.
async function atQr(n) {
	const world = new World();
	try {
		await world.startSim({ tls: true });
		const before = kernelKib(group.file);
		await startGateway(world);
		const instances = [];
		for (let i = 0; i < n; i++)
			instances.push(await world.newInstance());
		await inLanes(instances, CODES_AT_ONCE, async (i) => {
			const answer = await world.connect(i);
			if (answer.status !== 200)
				throw new Error(answer.text);
		});
		const workers = await workersOf(world, n);
		await sleep(2000);
		return measure(world, workers, before);
	} finally {
		world.secrets.clear(); // thousands: looking for them in the logs is a test's work
		await world.stop();
	}
}

async function allAtQr() {
	for (const n of LEVELS) {
		const rounds = [];
		for (let i = 0; i < ROUNDS; i++)
			rounds.push(await atQr(n));
		recordMemory('at the QR', n, rounds);
	}
	console.log(`aim: PSS <= ${AIM_QR_KIB} KiB at the QR`);
}

async function restart(world, n) {
	await stopGateway(world);
	const before = kernelKib(group.file);
	await startGateway(world);
	await eventually(() => world.gateway.lines.filter(({ json }) => json?.event === 'online' && json.program === 'wardend').length >= n,
	    { timeoutMs: 180_000, what: `${n} online` });
	return before;
}

// ---- Baileys -----------------------------------------------------------------------------------------------

// So many processes with a session each, in a cgroup of their own.
class Processes {
	group = kernelGroup();
	list = [];

	async grow(world, n) {
		await inLanes([...Array(n - this.list.length).keys()], 2, async () => {
			const one = await startBaileys(world, { prefix: this.group.prefix });
			this.list.push(one);
			await one.ask('link', 1);
		});
	}

	again = () => inLanes(this.list, 4, (one) => one.ask('again'));
	pids = () => this.list.map((one) => one.pid);

	async stop() {
		await Promise.all(this.list.map((one) => one.stop()));
		this.list = [];
	}

	removeGroup = () => removeGroup(this.group);
}

class OneProcess {
	linked = 0;

	async grow(world, n) {
		this.process ??= await startBaileys(world);
		await this.process.ask('link', n - this.linked);
		this.linked = n;
	}

	again = () => this.process.ask('again');

	async stop() {
		await this.process?.stop();
		this.process = undefined;
	}
}

// ---- linked, side by side ------------------------------------------------------------------------------------

async function roundOf(world, n, many, one) {
	const [before] = await Promise.all([restart(world, n), many?.again(), one?.again()]);
	await sleep(SETTLE_MS);
	const workers = await workersOf(world, n);
	const groups = [[...workers, world.gateway.pid], many?.pids() ?? [], one ? [one.process.pid] : []];
	const ours = measure(world, workers, before);
	const theirs = many && { ...memoryOf(many.pids()), kernel: kernelKib(many.group.file) / many.list.length };
	const together = one && memoryOf([one.process.pid]).pss / one.linked;
	const [cpu, cpuMany, cpuOne] = await idleCpu(groups);
	return { ours, theirs, together, cpu: cpu / n, cpuMany: cpuMany / many?.list.length, cpuOne: cpuOne / one?.linked };
}

function recordLinked(n, rounds, processes, sessions) {
	recordMemory('linked, idle', n, rounds.map((r) => r.ours));
	const memory = [['PSS of everything', 'meanPss'], ['PSS', 'meanPss'], ['USS', 'meanUss'], ['kernel memory of everything', 'kernel']];
	if (processes)
		for (const [name, key] of memory)
			record(`linked, idle: ${name}`, 'Baileys, a process each', 'KiB', rounds.map((r) => r.theirs[key]), at(processes));
	if (sessions)
		record('linked, idle: PSS of everything', 'Baileys, one process', 'KiB', rounds.map((r) => r.together), at(sessions));
	record('CPU of an idle hour', 'Warden', 's', rounds.map((r) => r.cpu), at(n));
	if (processes)
		record('CPU of an idle hour', 'Baileys, a process each', 's', rounds.map((r) => r.cpuMany), at(processes));
	if (sessions)
		record('CPU of an idle hour', 'Baileys, one process', 's', rounds.map((r) => r.cpuOne), at(sessions));
}

async function allLinked() {
	const world = new World();
	const many = new Processes(), one = new OneProcess();
	try {
		await world.startSim({ tls: true });
		await startGateway(world);
		const room = Math.floor(availableKib() * 0.6 / BAILEYS_KIB);
		for (const [i, n] of LEVELS.entries()) {
			const beside = n <= SESSIONS || i === 1;
			const processes = Math.min(n, PROCESSES, room), sessions = Math.min(n, SESSIONS);
			const began = performance.now();
			await linkMany(world, n - (LEVELS[i - 1] ?? 0));
			if (beside)
				await Promise.all([many.grow(world, processes), one.grow(world, sessions)]);
			else
				await Promise.all([many.stop(), one.stop()]); // their memory is wanted
			console.log(`${n} linked, ${beside ? processes : 0} processes and ${beside ? sessions : 0} sessions of Baileys: ` +
			    `${((performance.now() - began) / 1000).toFixed(0)} s`);
			const rounds = [];
			for (let round = 0; round < ROUNDS; round++)
				rounds.push(await roundOf(world, n, beside ? many : undefined, beside ? one : undefined));
			recordLinked(n, rounds, beside && processes, beside && sessions);
		}
	} finally {
		await Promise.all([many.stop(), one.stop()]);
		world.secrets.clear();
		await world.stop();
		await many.removeGroup();
	}
}

// ---- the run -------------------------------------------------------------------------------------------------

begin('Memory and idle CPU of many instances', `KiB an instance, over TLS to one warden-sim; the mean over all instances in each of the runs. *PSS* (shared pages in
proportion) and *USS* (its own alone) are of a worker, or of a Baileys process; *everything* is all that has to run, divided by the instances:
Warden's gateway, zygote and workers; kernel memory is what their cgroup was charged (page tables, sockets, stacks, ...${group.prefix.length > 0 ? '' : '; without a cgroup: the machine\'s'}), with the
gateway's in it. *At the QR*: as many as that show a code at the same time. *Linked*: ${SETTLE_MS / 1000} s after the gateway's restart and all
sessions' reconnecting, nothing comes in. Baileys keeps its keys in memory and stores nothing; as many processes as ${PROCESSES} and as the memory has
room for, and at most ${SESSIONS} sessions in one process, since linking more takes too long. No collection of its garbage is forced. *CPU of an idle hour*: scaled
from ${IDLE_MS / 1000} s; Warden's gateway is in it.`);
try {
	await allAtQr();
	await allLinked();
	const lines = (figure) => ['Warden', 'Baileys, one process', 'Baileys, a process each'].map((who) => ({ figure, who }));
	plot('memory.svg', { title: 'Memory of a linked idle instance (PSS of everything)', x: 'instances', y: 'KiB an instance', logX: true, logY: true,
		lines: [...lines('linked, idle: PSS of everything'), { figure: 'linked, idle: PSS', who: 'Warden', title: 'Warden, the worker alone' }] });
	plot('memory-qr.svg', { title: 'Memory of an instance at its QR', x: 'instances', y: 'KiB an instance', logX: true, logY: true,
		lines: [['at the QR: PSS of everything', 'PSS of everything'], ['at the QR: PSS', 'PSS of the worker'], ['at the QR: USS', 'USS of the worker'],
			['at the QR: kernel memory of everything', 'kernel memory']].map(([figure, title]) => ({ figure, who: 'Warden', title })) });
	plot('cpu.svg', { title: 'CPU of a linked idle instance in an hour', x: 'instances', y: 'CPU s', logX: true, logY: true, lines: lines('CPU of an idle hour') });
} finally {
	await removeGroup(group);
}
