// tests/bench/soak.mjs - N linked instances under mixed traffic for a while: no growth, no error, flat latency
//
// Argument: N. MINUTES (60) of traffic, RATE (1) times as much of it. Results go to RESULTS (tests/bench/plots). Exit status 0: nothing grew,
// nothing was lost or came twice, every answer was as expected.
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Actors } from './fleet/actors.mjs';
import { Chores } from './fleet/chores.mjs';
import { Fleet, sleep } from './fleet/fleet.mjs';
import { Messages } from './fleet/messages.mjs';
import { judge } from './fleet/judge.mjs';
import { plot, problemList, seriesTable, writeSummary, writeTsv } from './fleet/report.mjs';
import { startSampler } from './fleet/sampler.mjs';
import { describeMachine } from './machine.mjs';

const N = Number(process.argv[2]);
const MINUTES = Number(process.env.MINUTES ?? 60);
const RATE = Number(process.env.RATE ?? 1);
const FOLDER = process.env.RESULTS ?? fileURLToPath(new URL('plots', import.meta.url));
const SAMPLE_MS = Math.min(30_000, Math.max(5000, MINUTES * 60_000 / 120));
const WARM_UP_MS = Math.min(240_000, MINUTES * 60_000 / 4); // traffic before the first sample
const OVERDUE_MS = 60_000;
const PROBE_ID = 'wardenprobe22222'; // the folder of the doctor's probe is always there
const SETTLE_MS = 30_000;

const say = (text) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

// How often a second each is done: messages in proportion to N, the rest never too seldom to be seen.
function makeActors(fleet, messages, chores) {
	const actors = new Actors(fleet);
	const share = RATE * N / 2000, seldom = RATE * Math.max(0.3, N / 2000);
	for (const [name, rate] of Object.entries({ textIn: 36, textOut: 8, textBetween: 8, other: 4, media: 6, toGroup: 2, readHere: 3 }))
		actors.add(name, rate * share, () => messages[name]());
	for (const [name, rate] of Object.entries({ subject: 0.2, label: 1, call: 0.3 }))
		actors.add(name, rate * seldom, () => messages[name]());
	for (const [name, rate] of Object.entries({ list: 8, listAccount: 0.5, connectOnline: 2, reconnectOnline: 0.5, history: 1, settings: 0.5,
		wrong: 2, health: 0.2, metrics: 0.1, workers: 0.05, greed: 0.1, reader: 0.5, kill: 0.05, reset: 0.2, churn: 0.2 }))
		actors.add(name, rate * seldom, () => chores[name]());
	return actors;
}

const flatten = (latencies) => Object.fromEntries(Object.entries(latencies).flatMap(([kind, s]) =>
	Object.entries(s).map(([what, value]) => [`${kind} ${what}`, value])));

class Samples {
	constructor(fleet, chores, sampler) {
		Object.assign(this, { fleet, chores, sampler, list: [], began: performance.now() });
	}

	async take() {
		const { fleet } = this;
		const at = (performance.now() - this.began) / 1000;
		const { series, pids, zombies, folders } = await this.sampler.sample({ gatewayPid: fleet.world.gateway.pid });
		this.chores.pids = new Map(pids);
		this.folders = folders;
		if (zombies > 0 && this.zombies > 0)
			fleet.problems.add('zombies', `${zombies}`);
		this.zombies = zombies;
		for (const key of fleet.ledger.overdue(OVERDUE_MS))
			this.overdue(key);
		this.list.push({ at, ...series, ...flatten(fleet.latencies.take()), 'messages arrived': fleet.counts.of.arrived ?? 0,
			'events': fleet.members.reduce((n, m) => n + (m.reader.last ?? 0), 0), 'waiting': fleet.ledger.waiting });
		return this.list.at(-1);
	}

	overdue(key) {
		this.late ??= new Set();
		if (!this.late.has(key))
			this.fleet.problems.add(`not here after ${OVERDUE_MS / 1000} s`, key);
		this.late.add(key);
	}
}

const show = (s) => `${Math.round(s.at)} s: ${s['machine busy']?.toFixed(0)} % busy, ${s['busy with this']?.toFixed(0)} % with this, gateway ${(s['gateway USS'] / 1024).toFixed(1)} MiB ` +
	`${s['gateway CPU']?.toFixed(0)} %, a worker ${s['worker USS p50']} KiB, http p99 ${s['http p99']?.toFixed(1)} ms max ${s['http max']?.toFixed(0)}, ` +
	`event p50 ${s['event p50']?.toFixed(1)} p99 ${s['event p99']?.toFixed(0)} max ${s['event max']?.toFixed(0)} ms`;

async function traffic(fleet, messages, chores, sampler) {
	const samples = new Samples(fleet, chores, sampler);
	const actors = makeActors(fleet, messages, chores);
	await samples.take(); // pids, and where CPU is counted from
	actors.start();
	await sleep(WARM_UP_MS);
	fleet.latencies.take();
	samples.began = performance.now();
	samples.list = [];
	const before = { ...fleet.counts.of };
	while (performance.now() - samples.began < MINUTES * 60_000) {
		await sleep(SAMPLE_MS);
		const s = await samples.take();
		if ((samples.list.length - 1) % Math.ceil(30_000 / SAMPLE_MS) === 0)
			say(show(s) + (fleet.problems.total > 0 ? `; ${fleet.problems.total} problems` : ''));
	}
	const seconds = (performance.now() - samples.began) / 1000;
	const rates = Object.fromEntries(Object.entries(fleet.counts.of).map(([k, v]) => [k, (v - (before[k] ?? 0)) / seconds]));
	await actors.stop();
	return { samples, rates };
}

// All that was sent is here; what is left on disk is what should be.
async function settle(fleet, samples) {
	const until = performance.now() + SETTLE_MS;
	while (fleet.ledger.waiting > 0 && performance.now() < until)
		await sleep(100);
	for (const key of fleet.ledger.overdue(0))
		fleet.problems.add('never arrived', key);
	for (const { instance, called } of fleet.members)
		if (called.size > 0)
			fleet.problems.add('a call was not declined', `${instance.name}: ${called.size}`);
	await sleep(1000);
	for (const { hooked, reader, instance } of fleet.members)
		if (hooked && fleet.hooks.lastOf(instance.name) !== reader.last && performance.now() > until - SETTLE_MS + 20_000)
			fleet.problems.add('webhooks behind', `${instance.name}: ${fleet.hooks.lastOf(instance.name)} of ${reader.last}`);
	await samples.take();
	const known = new Set([PROBE_ID, samples.chores.greedy?.id, ...fleet.members.map((m) => m.instance.id)]);
	const more = samples.folders.filter((id) => !known.has(id));
	if (more.length > 0)
		fleet.problems.add('folders left behind', more.join(' '));
	samples.list.pop();
}

const PANELS = [
	['Memory of the gateway', 'MiB', ['gateway RSS', 'gateway PSS', 'gateway USS'], 1 / 1024],
	['Memory of a worker', 'KiB', ['worker USS p50', 'worker USS p95', 'worker PSS p50', 'worker PSS p95']],
	['All workers, kernel', 'MiB', ['workers PSS sum', 'kernel memory'], 1 / 1024],
	['Descriptors of the gateway', '', ['gateway fds']],
	['HTTP', 'ms', ['http p50', 'http p99', 'list of 100 p50']],
	['A message to its reader', 'ms', ['event p50', 'event p99']],
	['Request to code', 'ms', ['qr p50', 'qr p99', 'code p50']],
	['CPU', '% (of one core; machine: of all)', ['machine busy', 'busy with this', 'gateway CPU', 'workers CPU', 'simulator CPU', 'driver CPU']],
	['Databases', 'MiB', ['events.db', 'session.db sum', 'session.db-wal sum'], 1 / 1024],
	['Logs of databases', 'KiB', ['events.db-wal', 'registry.db-wal', 'session.db-wal max']],
];

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function report(fleet, samples, rates) {
	const results = judge(samples.list);
	const grown = results.filter((r) => r.grows);
	const good = grown.length === 0 && fleet.problems.total === 0;
	const [meanBusy, meanOurs] = ['machine busy', 'busy with this'].map((name) => mean(samples.list.map((s) => s[name])));
	const list = (what) => Object.entries(what).sort().map(([k, v]) => `${k} ${v.toFixed(v < 10 ? 2 : 0)}`).join(', ');
	const text = [
		`### Soak: ${N} live workers, mixed traffic for ${MINUTES} min`, '', describeMachine(), '',
		`Verdict: **${good ? 'PASSED' : 'FAILED'}** - ${grown.length === 0 ? 'no growth, flat latency' : `grows: ${grown.map((r) => r.name).join(', ')}`}; ` +
		`${fleet.problems.total === 0 ? 'no error' : `${fleet.problems.total} problems`}. Linked in ${(fleet.linkedMs / 1000).toFixed(0)} s. ` +
		`The machine was ${meanBusy.toFixed(0)} % busy, ${meanOurs.toFixed(0)} % with this.`, '',
		`A second: ${list(rates)}.`, '',
		seriesTable(results), '',
		`Log lines: ${[...fleet.log.events].sort().map(([k, n]) => `${k} ${n}`).join(', ')}.`, '',
		...(fleet.problems.total > 0 ? [problemList(fleet.problems), ''] : []),
	].join('\n');
	mkdirSync(FOLDER, { recursive: true });
	const tsv = join(FOLDER, 'soak.tsv');
	writeFileSync(join(FOLDER, 'soak.log'), fleet.log.kept.map((line) => line + '\n').join(''));
	const names = writeTsv(tsv, samples.list);
	plot(join(FOLDER, 'soak.svg'), tsv, names, PANELS, 'minutes');
	writeSummary(FOLDER, 'soak', text, [
		{ bench: 'soak', n: N, minutes: MINUTES, verdict: good, grown: grown.map((r) => r.name), problems: fleet.problems.total, busy: meanBusy, ours: meanOurs,
			rates, machine: describeMachine() },
		...results.filter((r) => !r.tooFew).map(({ name, unit, first, last, most, allowed, grows }) => ({ series: name, unit, first, last, most, allowed, grows })),
	]);
	console.log(text);
	return good;
}

async function run() {
	const fleet = new Fleet(N);
	const messages = new Messages(fleet), chores = new Chores(fleet);
	let samples, rates, sampler;
	try {
		say(`soak: ${N} instances, ${MINUTES} min of traffic; load ${loadavg()[0].toFixed(1)}`);
		await fleet.start();
		await fleet.linkAll();
		say(`linked ${fleet.members.length} in ${(fleet.linkedMs / 1000).toFixed(0)} s`);
		await messages.start();
		await chores.start();
		sampler = startSampler({ dataDir: fleet.world.dataDir, runDir: fleet.world.runDir, kernelFile: fleet.group.file,
			simPid: fleet.world.sim.pid, driverPid: process.pid });
		({ samples, rates } = await traffic(fleet, messages, chores, sampler));
		await settle(fleet, samples);
	} finally {
		await sampler?.stop();
		await fleet.stop();
	}
	return report(fleet, samples, rates);
}

process.exit(await run() ? 0 : 1);
