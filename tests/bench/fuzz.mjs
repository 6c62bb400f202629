// tests/bench/fuzz.mjs - turns of libFuzzer and AFL++ over all targets, their time shared; see tests/bench/fuzz
//
// A turn ends when it has used its CPU time (that of its processes, not the clock's), so that whoever stops it for a
// while takes nothing from it. What AFL++ finds goes into the working corpus that libFuzzer has, and back.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync,
	statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine } from './machine.mjs';

const TOP = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIR = process.env.FUZZ_DIR;
const JOBS = Number(process.env.JOBS);
const CORPUS = join(TOP, 'tests/fuzz/corpus');
const LEDGER = process.env.FUZZ_LEDGER ?? join(TOP, 'tests/fuzz/hours.tsv');
const README = join(TOP, 'tests/fuzz/README.md');
const HEAVY = ['frame', 'node', 'pb_guard', 'http_gate', 'ipc']; // what a stranger reaches first
const HEAVY_WEIGHT = 6;
const TURN_S = { heavy: 600, other: 150 };
const AFL_SHARE = 1 / 3;
const CRASHES_MAX = 3; // of a target in one run; more of the same are no news
const INPUT_MAX = 65536;
const TICKS = 100; // of a second, as /proc counts (USER_HZ)

const weight = (target) => HEAVY.includes(target) ? HEAVY_WEIGHT : 1;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const list = (dir) => existsSync(dir) ? readdirSync(dir) : [];
const program = (engine, target) => join(DIR, engine, 'tests/fuzz', `fuzz_${target}`);
const allTargets = () => readdirSync(join(TOP, 'tests/fuzz')).map((name) => name.match(/^fuzz_(\w+)\.c$/)?.[1])
	.filter(Boolean).sort();

// CPU seconds of a process and all below it, with those that they have waited for (AFL++'s are sessions of their own).
function cpuOf(pid) {
	try {
		const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
		const f = text.slice(text.lastIndexOf(')') + 2).split(' ').slice(11, 15).map(Number);
		const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((each) => each !== '');
		return f.reduce((sum, n) => sum + n, 0) / TICKS + children.reduce((sum, child) => sum + cpuOf(child), 0);
	} catch {
		return 0; // it has just ended
	}
}

// ---- one turn -----------------------------------------------------------------------------------------

function libfuzzerCommand(target, paths) {
	return { command: program('libfuzzer', target), args: ['-timeout=7200', '-report_slow_units=3600',
		'-print_final_stats=1', `-artifact_prefix=${paths.found}/`, ...(Math.random() < 0.3 ? ['-use_value_profile=1'] : []),
		paths.corpus], env: {} };
}

function aflCommand(target, paths) {
	const mutator = join(DIR, 'afl/tests/fuzz', `mutate_${target}.so`);
	rmSync(paths.afl, { recursive: true, force: true });
	return { command: 'afl-fuzz', args: ['-i', paths.corpus, '-o', paths.afl, '-m', 'none', '-t', '60000',
		'-G', String(INPUT_MAX), '--', program('afl', target)], env: {
		AFL_NO_UI: '1', AFL_SKIP_CPUFREQ: '1', AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES: '1', AFL_NO_AFFINITY: '1',
		AFL_FAST_CAL: '1', AFL_NO_STARTUP_CALIBRATION: '1', AFL_SKIP_CRASHES: '1', AFL_IGNORE_PROBLEMS: '1',
		AFL_FORKSRV_INIT_TMOUT: '600000', ...(existsSync(mutator) ? { AFL_CUSTOM_MUTATOR_LIBRARY: mutator } : {}) } };
}

function libfuzzerResult(log) {
	const last = (re) => Number([...log.matchAll(re)].at(-1)?.[1] ?? 0);
	return { execs: last(/stat::number_of_executed_units:\s*(\d+)/g) || last(/^#(\d+)\t/gm), edges: last(/ cov: (\d+)/g) };
}

// What AFL++ has found goes to where the other engine finds it.
function aflResult(paths) {
	const out = join(paths.afl, 'default');
	const keep = (name, dir) => {
		const data = readFileSync(name);
		const to = join(dir, createHash('sha1').update(data).digest('hex'));
		if (!existsSync(to))
			writeFileSync(to, data);
	};
	for (const name of list(join(out, 'queue')))
		if (name.startsWith('id:') && !name.includes('orig:'))
			keep(join(out, 'queue', name), paths.corpus);
	for (const name of list(join(out, 'crashes')))
		if (name.startsWith('id:'))
			keep(join(out, 'crashes', name), paths.found);
	const stats = existsSync(join(out, 'fuzzer_stats')) ? readFileSync(join(out, 'fuzzer_stats'), 'utf8') : '';
	rmSync(paths.afl, { recursive: true, force: true });
	return { execs: Number(stats.match(/^execs_done\s*:\s*(\d+)/m)?.[1] ?? 0), edges: 0 };
}

async function turn(run, target, engine, budget) {
	const paths = { corpus: join(DIR, 'corpus', target), found: join(DIR, 'found', target),
		afl: join(DIR, 'afl-out', target), scratch: join(DIR, 'scratch', target), log: join(DIR, 'logs', `${target}.${engine}.log`) };
	for (const dir of [paths.corpus, paths.found, paths.scratch, dirname(paths.log), dirname(paths.afl)])
		mkdirSync(dir, { recursive: true });
	for (const name of list(join(CORPUS, target)))
		copyFileSync(join(CORPUS, target, name), join(paths.corpus, name));
	const before = list(paths.corpus).length, foundBefore = list(paths.found).length;
	const { command, args, env } = engine === 'afl' ? aflCommand(target, paths) : libfuzzerCommand(target, paths);
	const log = openSync(paths.log, 'w');
	const child = spawn(command, args, { detached: true, cwd: paths.scratch, stdio: ['ignore', log, log],
		env: { ...process.env, TMPDIR: paths.scratch, ...env } });
	const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
	let over = false, cpu = 0;
	void ended.then(() => over = true);
	while (!over) {
		await Promise.race([ended, sleep(500)]);
		cpu = over ? cpu : Math.max(cpu, cpuOf(child.pid));
		if (cpu >= budget || run.stopped) {
			process.kill(child.pid, 'SIGINT');
			await Promise.race([ended, sleep(120000)]);
			if (!over)
				process.kill(-child.pid, 'SIGKILL');
			await ended;
		}
	}
	const text = readFileSync(paths.log, 'latin1');
	const result = engine === 'afl' ? aflResult(paths) : libfuzzerResult(text);
	rmSync(paths.scratch, { recursive: true, force: true });
	return { target, engine, cpu, before, after: list(paths.corpus).length, ...result,
		crashes: list(paths.found).length - foundBefore, log: paths.log };
}

// ---- all turns ----------------------------------------------------------------------------------------

// Who has had least, for its weight.
function next(run) {
	const free = [...run.targets.values()].filter((t) => !t.busy && t.crashes < CRASHES_MAX);
	return free.sort((a, b) => a.cpu / weight(a.name) - b.cpu / weight(b.name))[0];
}

async function lane(run) {
	while (!run.stopped && run.cpu < run.budget) {
		const t = next(run);
		if (t === undefined)
			return;
		const engine = t.engines.afl.cpu < AFL_SHARE * t.cpu ? 'afl' : 'libfuzzer';
		const most = HEAVY.includes(t.name) ? TURN_S.heavy : TURN_S.other;
		t.busy = true;
		const r = await turn(run, t.name, engine, Math.min(most, run.budget * weight(t.name) / run.weights));
		t.busy = false;
		run.cpu += r.cpu;
		t.cpu += r.cpu;
		t.crashes += r.crashes;
		t.edges = Math.max(t.edges, r.edges);
		t.before ??= r.before;
		t.after = r.after;
		t.engines[engine].cpu += r.cpu;
		t.engines[engine].execs += r.execs;
		t.engines[engine].crashes += r.crashes;
		appendFileSync(join(DIR, 'turns.tsv'), `${[new Date().toISOString(), r.target, engine, r.cpu.toFixed(1), r.execs,
			r.edges, r.before, r.after, r.crashes].join('\t')}\n`);
		console.log(`${(run.cpu / 3600).toFixed(2)} h: ${r.target}, ${engine}: ${r.cpu.toFixed(0)} s, ${r.execs} executions, ` +
		    `${r.after - r.before} new inputs${r.crashes > 0 ? `, ${r.crashes} CRASHES in ${join(DIR, 'found', r.target)}` : ''}`);
		if (r.cpu < 1) {
			console.log(`  it ended at once: see ${r.log}`);
			t.crashes = CRASHES_MAX;
		}
	}
}

function report(run) {
	const columns = ['target', 'CPU s', 'libFuzzer', 'AFL++', 'edges', 'inputs', 'now', 'crashes'];
	const line = (cells) => cells.map((cell, i) => i === 0 ? String(cell).padEnd(16) : String(cell).padStart(12)).join('');
	console.log(`\n${describeMachine()}\n${line(columns)}`);
	for (const t of [...run.targets.values()].filter((each) => each.cpu > 0)) {
		console.log(line([t.name, t.cpu.toFixed(0), t.engines.libfuzzer.execs, t.engines.afl.execs, t.edges, t.before, t.after,
			t.crashes]));
		for (const name of list(join(DIR, 'found', t.name)))
			console.log(`  again: ${program('libfuzzer', t.name)} ${join(DIR, 'found', t.name, name)}`);
	}
}

function enter(run) {
	const date = new Date().toISOString().slice(0, 10);
	if (!existsSync(LEDGER))
		writeFileSync(LEDGER, 'date\ttarget\tengine\tcpu_s\texecutions\tcrashes\n');
	for (const t of run.targets.values())
		for (const [engine, e] of Object.entries(t.engines))
			if (e.cpu > 0)
				appendFileSync(LEDGER, `${[date, t.name, engine, e.cpu.toFixed(0), e.execs, e.crashes].join('\t')}\n`);
}

// ---- corpora and the table ----------------------------------------------------------------------------

// As few inputs as reach what all of them do; those that somebody has given a name stay.
function merge(target) {
	const tree = join(CORPUS, target), work = join(DIR, 'corpus', target), fresh = join(DIR, 'merged', target);
	rmSync(fresh, { recursive: true, force: true });
	mkdirSync(fresh, { recursive: true });
	for (const name of list(tree).filter((each) => !/^[0-9a-f]{40}$/.test(each)))
		copyFileSync(join(tree, name), join(fresh, name));
	const named = list(fresh).length, before = list(tree).length;
	const dirs = [tree, work].filter((dir) => list(dir).length > 0);
	const done = spawnSync(program('libfuzzer', target), ['-merge=1', `-max_len=${INPUT_MAX}`, '-timeout=600', fresh, ...dirs],
	    { cwd: join(DIR, 'merged'), stdio: ['ignore', 'ignore', openSync(join(DIR, 'logs', `${target}.merge.log`), 'w')] });
	if (done.status !== 0) {
		console.log(`${target}: merging failed, its corpus stays as it was; see ${join(DIR, 'logs', `${target}.merge.log`)}`);
		return;
	}
	rmSync(tree, { recursive: true, force: true });
	mkdirSync(tree, { recursive: true });
	for (const name of list(fresh))
		copyFileSync(join(fresh, name), join(tree, name));
	const bytes = list(tree).reduce((sum, name) => sum + statSync(join(tree, name)).size, 0);
	console.log(`${target}: ${before} -> ${list(tree).length} inputs (${named} of them named), ${(bytes / 1024).toFixed(0)} KiB`);
}

function writeTable() {
	const sums = new Map();
	for (const text of readFileSync(LEDGER, 'utf8').trim().split('\n').slice(1)) {
		const [, target, engine, cpu, execs] = text.split('\t');
		const sum = sums.get(target) ?? { libfuzzer: 0, afl: 0, execs: 0 };
		sum[engine] += Number(cpu);
		sum.execs += Number(execs);
		sums.set(target, sum);
	}
	const text = readFileSync(README, 'utf8').split('\n').map((row) => {
		const cells = row.split('|').map((cell) => cell.trim());
		const sum = sums.get(cells[1]?.replaceAll('`', ''));
		if (cells.length !== 9 || sum === undefined)
			return row;
		cells[4] = `${Math.round(sum.libfuzzer / 60)} + ${Math.round(sum.afl / 60)}`;
		cells[5] = sum.execs >= 1e6 ? `${(sum.execs / 1e6).toFixed(1)} M` : `${Math.round(sum.execs / 1000)} k`;
		return cells.join(' | ').trim();
	}).join('\n');
	writeFileSync(`${README}.new`, text);
	renameSync(`${README}.new`, README);
}

// ---- main ---------------------------------------------------------------------------------------------

const [what, ...wanted] = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : allTargets();
for (const name of names.filter((each) => !allTargets().includes(each))) {
	console.error(`fuzz: no target ${name}`);
	process.exit(2);
}
mkdirSync(join(DIR, 'logs'), { recursive: true });
if (what === '--table') {
	writeTable();
} else if (what === '--merge') {
	names.forEach(merge);
} else {
	const run = { cpu: 0, budget: Number(what) * 3600 * JOBS, stopped: false, weights: names.reduce((sum, name) => sum + weight(name), 0),
		targets: new Map(names.map((name) => [name, { name, cpu: 0, crashes: 0, edges: 0, busy: false, before: undefined, after: 0,
			engines: { libfuzzer: { cpu: 0, execs: 0, crashes: 0 }, afl: { cpu: 0, execs: 0, crashes: 0 } } }])) };
	process.on('SIGINT', () => run.stopped = true).on('SIGTERM', () => run.stopped = true);
	await Promise.all(Array.from({ length: JOBS }, () => lane(run)));
	report(run);
	enter(run);
	if (process.env.FUZZ_MERGE !== 'no')
		names.forEach(merge);
	process.exitCode = [...run.targets.values()].some((t) => t.crashes > 0) ? 1 : 0;
}
