// tests/bench/storm.mjs - N linked instances whose server is away for a while: all come back as the fault table says
//
// Argument: N. AWAY_S (120): how long it is away. Results go to RESULTS (tests/bench/plots). Exit status 0: all are back in time, none was linked
// anew, dials kept to their limits, and what was sent meanwhile arrived once.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fleet, inLanes, sleep } from './fleet/fleet.mjs';
import { Actors, pick } from './fleet/actors.mjs';
import { Messages } from './fleet/messages.mjs';
import { plot, problemList, writeSummary, writeTsv } from './fleet/report.mjs';
import { startSampler } from './fleet/sampler.mjs';
import { describeMachine, quantile } from './machine.mjs';

const N = Number(process.argv[2]);
const AWAY_S = Number(process.env.AWAY_S ?? 120);
const FOLDER = process.env.RESULTS ?? fileURLToPath(new URL('plots', import.meta.url));

const CALM_S = 65;          // online for so long, their backoff starts anew
const DIALS_PER_S = 50;     // of a host
// The gateway counts exactly; what is seen comes late and in a bunch where the machine is busy. So: spans in s, dials they may have.
const SPANS = [[1, 2 * DIALS_PER_S], [10, 11 * DIALS_PER_S], [60, 61 * DIALS_PER_S]];
const TRIES_PER_MIN = 12;   // of one session
const LONGEST_S = 300;      // the longest wait of class B
const BACK_S = LONGEST_S + Math.ceil(N / DIALS_PER_S) + 20;
const POLL_MS = 200;
const HTTP_P99_MS = 100;

const say = (text) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

// The most in any span of so many seconds; times in seconds, in order.
function most(times, span) {
	let best = 0;
	for (let from = 0, to = 0; to < times.length; to++) {
		while (times[to] - times[from] >= span)
			from++;
		best = Math.max(best, to - from + 1);
	}
	return best;
}

// What the storm is made of: what sessions log, and what the simulator counts.
class Watch {
	constructor(fleet) {
		this.fleet = fleet;
		this.began = Date.now();
		this.downs = []; // { at, instance }
		this.points = []; // { at, online, accepted }
		this.relinked = 0;
		fleet.log.onEvent = ({ event, time, instance, program }) => {
			if (event === 'down' && program === 'warden-worker') // the gateway says so, too
				this.downs.push({ at: (Date.parse(time) - this.began) / 1000, instance });
			if (event === 'linked' && program === 'wardend')
				this.relinked++;
		};
	}

	now() {
		return (Date.now() - this.began) / 1000;
	}

	async poll() {
		const s = await this.fleet.control('/server', undefined, 200, 'GET');
		if (s !== undefined)
			this.points.push({ at: this.now(), online: s.online, accepted: s.accepted });
		return s?.online ?? 0;
	}

	// When each connection was seen, as far as the polls tell.
	accepts() {
		return this.points.slice(1).flatMap((p, i) => Array(p.accepted - this.points[i].accepted).fill(p.at));
	}

	// When that share was online, after a moment.
	shareAt(share, after) {
		return this.points.find((p) => p.at >= after && p.online >= share * N)?.at;
	}
}

// A series by whole seconds.
function bySecond(watch, seconds, samples) {
	return Array.from({ length: seconds }, (_, at) => {
		const within = watch.points.filter((p) => p.at >= at && p.at < at + 1);
		const before = watch.points.findLast((p) => p.at < at);
		const sample = samples.findLast((s) => s.at <= at + 1);
		return { at, online: within.at(-1)?.online ?? before?.online, accepted: Math.max(0, (within.at(-1)?.accepted ?? NaN) - (before?.accepted ?? NaN)),
			failed: watch.downs.filter((d) => d.at >= at && d.at < at + 1).length, 'http p50': sample?.['http p50'], 'http p99': sample?.['http p99'],
			'machine busy': sample?.['machine busy'], 'busy with this': sample?.['busy with this'], 'gateway CPU': sample?.['gateway CPU'] };
	});
}

async function sampleOn(fleet, watch, sampler, samples, going) {
	while (going.on) {
		await sleep(2000);
		const { series } = await sampler.sample({ gatewayPid: fleet.world.gateway.pid });
		const { http } = fleet.latencies.take();
		samples.push({ at: watch.now(), ...series, 'http p50': http?.p50, 'http p99': http?.p99, 'http max': http?.max });
	}
}

async function pollOn(watch, going) {
	while (going.on) {
		await watch.poll();
		await sleep(POLL_MS);
	}
}

// Callers who ask all the while, and friends who write to whoever is not there.
function traffic(fleet, messages, spans) {
	const actors = new Actors(fleet);
	actors.add('list', 20, async () => {
		const { instance } = pick(fleet.members);
		const began = performance.now();
		await fleet.api.ask('GET', `/api/instance/list?instanceName=${instance.name}`, { token: instance.token });
		spans.push(performance.now() - began);
	});
	actors.add('textIn', Math.min(30, N / 20), () => messages.textIn());
	actors.start();
	return actors;
}

async function devices(fleet) {
	const found = new Map();
	await inLanes(fleet.members, 16, async ({ number }) => {
		const r = await fleet.control(`/phones/${number}`, undefined, 200, 'GET');
		found.set(number, r.devices.map((d) => d.jid).join(' '));
	});
	return found;
}

async function storm(fleet, messages, sampler) {
	const watch = new Watch(fleet), samples = [], spans = [], going = { on: true };
	const before = await devices(fleet);
	await watch.poll();
	fleet.latencies.take();
	const sampling = Promise.all([sampleOn(fleet, watch, sampler, samples, going), pollOn(watch, going)]);
	await sleep(3000);

	await fleet.control('/server', { open: false });
	const away = watch.now();
	say(`the server is away; ${watch.points.at(-1).online} were online`);
	const actors = traffic(fleet, messages, spans);
	await sleep(AWAY_S * 1000);
	await fleet.control('/server', { open: true });
	const back = watch.now();
	say(`it is back; ${watch.downs.length} dials have failed`);
	while ((watch.points.at(-1).at < back || watch.points.at(-1).online < N) && watch.now() < back + BACK_S)
		await sleep(POLL_MS);
	const whole = watch.now();
	say(`${watch.points.at(-1).online} are online after ${(whole - back).toFixed(1)} s`);
	await actors.stop();
	await sleep(3000);
	for (let i = 0; i < 600 && fleet.ledger.waiting > 0; i++)
		await sleep(50);
	going.on = false;
	await sampling;
	await check(fleet, watch, before, spans, { away, back });
	return { watch, samples, spans, away, back, whole };
}

async function check(fleet, watch, before, spans, { away, back }) {
	const { problems } = fleet;
	for (const key of fleet.ledger.overdue(0))
		problems.add('never arrived', key);
	if (watch.points.at(-1).online < N)
		problems.add('not back in time', `${N - watch.points.at(-1).online} of ${N} after ${BACK_S} s`);
	const after = await devices(fleet);
	for (const [number, jids] of before)
		if (after.get(number) !== jids)
			problems.add('other devices', `${number}: ${jids} became ${after.get(number)}`);
	if (watch.relinked > 0)
		problems.add('linked anew', String(watch.relinked));
	for (const { instance } of fleet.members)
		await fleet.until(instance, 'connected', { timeoutMs: 5000 });

	const failed = watch.downs.filter((d) => d.at > away + 1 && d.at < back).map((d) => d.at).sort((a, b) => a - b);
	for (const [what, times] of [['while it is away', failed], ['when it is back', watch.accepts()]])
		for (const [span, allowed] of SPANS)
			if (most(times, span) > allowed)
				problems.add(`too many dials ${what}`, `${most(times, span)} within ${span} s`);
	const of = Map.groupBy(watch.downs, (d) => d.instance);
	const busiest = Math.max(0, ...[...of.values()].map((list) => most(list.map((d) => d.at), 60)));
	watch.busiest = busiest;
	if (busiest > TRIES_PER_MIN + 1) // the first line is of the connection that was lost, not of a try
		problems.add('too many tries of one session', `${busiest - 1} within a minute`);
	spans.sort((a, b) => a - b);
	if (quantile(spans, 0.99) > HTTP_P99_MS)
		problems.add('slow answers', `p99 ${quantile(spans, 0.99).toFixed(0)} ms`);
}

const PANELS = [
	['Online', '', ['online']],
	['Dials a second', '', ['failed', 'accepted']],
	['HTTP', 'ms', ['http p50', 'http p99']],
	['CPU', '%', ['machine busy', 'busy with this', 'gateway CPU']],
];

function report(fleet, { watch, samples, spans, away, back, whole }) {
	const good = fleet.problems.total === 0;
	const times = Object.fromEntries([50, 90, 99, 100].map((share) => [`${share} %`, watch.shareAt(share / 100, back + 0.01) - back]));
	const failed = watch.downs.filter((d) => d.at > away + 1 && d.at < back).map((d) => d.at).sort((a, b) => a - b);
	const accepts = watch.accepts();
	const busy = (name, from, to) => {
		const list = samples.filter((s) => s.at > from && s.at <= to && Number.isFinite(s[name])).map((s) => s[name]);
		return list.length === 0 ? 0 : list.reduce((a, b) => a + b, 0) / list.length;
	};
	const text = [
		`### Storm: ${N} sessions, the server away for ${AWAY_S} s`, '', describeMachine(), '',
		`Verdict: **${good ? 'PASSED' : 'FAILED'}**${good ? '' : ` - ${fleet.problems.total} problems`}.`, '',
		'| | |', '|---|---|',
		...Object.entries(times).map(([share, s]) => `| ${share} back after | ${s.toFixed(1)} s |`),
		`| the last may take (${LONGEST_S} s of backoff, ${N} at ${DIALS_PER_S} a second) | ${BACK_S} s |`,
		`| dials while it was away: all, a second, most in 1 and in 10 s | ${failed.length}, ${(failed.length / AWAY_S).toFixed(1)}, ${most(failed, 1)}, ${most(failed, 10)} |`,
		`| dials when it was back: all, most in 1 and in 10 s | ${accepts.length}, ${most(accepts, 1)}, ${most(accepts, 10)} |`,
		`| most tries of one session in a minute | ${Math.max(0, (watch.busiest ?? 1) - 1)} |`,
		`| texts sent meanwhile, arrived once | ${fleet.counts.of.arrived} |`,
		`| linked anew | ${watch.relinked} |`,
		`| list meanwhile: median, p99, max | ${quantile(spans, 0.5).toFixed(1)}, ${quantile(spans, 0.99).toFixed(1)}, ${spans.at(-1).toFixed(0)} ms |`,
		`| CPU with this, of the machine: away, then | ${busy('busy with this', away, back).toFixed(0)} %, ${busy('busy with this', back, whole).toFixed(0)} % |`,
		'', `Log lines: ${[...fleet.log.events].sort().map(([k, n]) => `${k} ${n}`).join(', ')}.`, '',
		...(good ? [] : [problemList(fleet.problems), '']),
	].join('\n');
	mkdirSync(FOLDER, { recursive: true });
	const tsv = join(FOLDER, 'storm.tsv');
	const names = writeTsv(tsv, bySecond(watch, Math.ceil(watch.now()), samples));
	plot(join(FOLDER, 'storm.svg'), tsv, names, PANELS, 'minutes');
	writeSummary(FOLDER, 'storm', text, [{ bench: 'storm', n: N, awaySeconds: AWAY_S, verdict: good, backAfter: times, failed: failed.length, accepted: accepts.length,
		relinked: watch.relinked, problems: fleet.problems.total, machine: describeMachine() }]);
	console.log(text);
	return good;
}

async function run() {
	const fleet = new Fleet(N);
	const messages = new Messages(fleet);
	let seen, sampler;
	try {
		await fleet.start();
		await fleet.linkAll();
		say(`linked ${fleet.members.length} in ${(fleet.linkedMs / 1000).toFixed(0)} s; ${CALM_S} s of calm`);
		await sleep(CALM_S * 1000);
		sampler = startSampler({ dataDir: fleet.world.dataDir, runDir: fleet.world.runDir, kernelFile: fleet.group.file,
			simPid: fleet.world.sim.pid, driverPid: process.pid });
		seen = await storm(fleet, messages, sampler);
	} finally {
		await sampler?.stop();
		await fleet.stop();
	}
	return report(fleet, seen);
}

process.exit(await run() ? 0 : 1);
