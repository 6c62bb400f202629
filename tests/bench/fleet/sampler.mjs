// tests/bench/fleet/sampler.mjs - what the programs take of the machine, read in a thread of its own so that nobody waits for it
//
// In the main thread: startSampler(). In the thread: one sample for each message.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import * as proc from '../../integration/proc.mjs';
import { quantile } from '../machine.mjs';
import { kernelKib } from './kernel.mjs';

const ROLLUPS = 200; // workers whose PSS and USS are read; RSS is read of all

// paths: { dataDir, runDir, kernelFile, simPid, driverPid }; sample({ gatewayPid }) -> { series, pids, zombies }
export function startSampler(paths) {
	const thread = new Worker(new URL(import.meta.url), { workerData: paths });
	let waiting;
	thread.on('message', (sample) => waiting.resolve(sample));
	thread.on('error', (error) => waiting?.reject(error));
	return {
		sample: (now) => new Promise((resolve, reject) => {
			waiting = { resolve, reject };
			thread.postMessage(now);
		}),
		stop: () => thread.terminate(),
	};
}

const status = (pid, name) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1]);
const rssKib = (pid) => Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4;
const sum = (values) => values.reduce((a, b) => a + b, 0);

function children(pid) {
	return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
		readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter((word) => word !== '').map(Number));
}

// Busy and all ticks of the machine, and of each process.
function cpu(pids) {
	const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1, 9).map(Number);
	return { all: sum(fields), idle: fields[3] + fields[4], of: new Map(pids.map((pid) => [pid, proc.stat(pid)?.cpuTicks ?? 0])) };
}

function spread(series, name, values) {
	const sorted = values.sort((a, b) => a - b);
	series[`${name} p50`] = quantile(sorted, 0.5);
	series[`${name} p95`] = quantile(sorted, 0.95);
	series[`${name} max`] = sorted.at(-1);
}

let turn = 0;

// A worker may leave while it is looked at.
const tolerant = (list, read) => list.flatMap((item) => {
	try {
		const value = read(item);
		return value === null ? [] : [value];
	} catch {
		return [];
	}
});

function workers(series, pids) {
	series['workers'] = pids.length;
	series['workers RSS sum'] = sum(tolerant(pids, rssKib));
	const step = Math.max(1, Math.floor(pids.length / ROLLUPS));
	const some = pids.filter((pid, i) => i % step === turn % step);
	const memory = tolerant(some, (pid) => proc.memory(pid));
	turn++;
	if (memory.length === 0)
		return;
	spread(series, 'worker USS', memory.map((m) => m.uss));
	spread(series, 'worker PSS', memory.map((m) => m.pss));
	series['workers PSS sum'] = sum(memory.map((m) => m.pss)) / memory.length * pids.length;
	spread(series, 'worker fds', tolerant(some, (pid) => readdirSync(`/proc/${pid}/fd`).length));
}

const size = (path) => {
	try {
		return statSync(path).size / 1024;
	} catch {
		return 0;
	}
};

function files(series, { dataDir, runDir }) {
	for (const name of ['registry.db', 'registry.db-wal', 'events.db', 'events.db-wal'])
		series[name] = size(join(dataDir, name));
	const folders = readdirSync(join(dataDir, 'instances'));
	const of = (name) => folders.map((id) => size(join(dataDir, 'instances', id, name)));
	const db = of('session.db'), wal = of('session.db-wal');
	series['session.db sum'] = sum(db);
	series['session.db max'] = Math.max(...db);
	series['session.db-wal sum'] = sum(wal);
	series['session.db-wal max'] = Math.max(...wal);
	series['instance folders'] = folders.length;
	series['files in instance folders'] = sum(tolerant(folders, (id) => readdirSync(join(dataDir, 'instances', id)).length));
	series['files in run_dir'] = readdirSync(runDir).length;
}

function oneSample({ gatewayPid }, { then }) {
	const { simPid, driverPid, kernelFile } = workerData;
	const series = {};
	const all = children(gatewayPid);
	const args = new Map(all.map((pid) => [pid, proc.cmdline(pid) ?? []]));
	const zygote = all.find((pid) => args.get(pid).includes('--zygote'));
	const mine = all.filter((pid) => args.get(pid).includes('--instance'));
	for (const [name, pid] of [['gateway', gatewayPid], ['zygote', zygote], ['simulator', simPid], ['driver', driverPid]]) {
		const m = proc.memory(pid);
		series[`${name} RSS`] = m.rss;
		series[`${name} PSS`] = m.pss;
		series[`${name} USS`] = m.uss;
	}
	series['gateway fds'] = readdirSync(`/proc/${gatewayPid}/fd`).length;
	series['gateway threads'] = status(gatewayPid, 'Threads');
	series['kernel memory'] = kernelKib(kernelFile);
	workers(series, mine);
	files(series, workerData);
	const now = cpu([gatewayPid, simPid, driverPid, zygote, ...mine]);
	if (then !== undefined) {
		const span = now.all - then.all;
		const cores = readFileSync('/proc/stat', 'utf8').match(/^cpu\d/gm).length;
		series['machine busy'] = 100 * (1 - (now.idle - then.idle) / span);
		const ticks = (pids) => sum(pids.map((pid) => now.of.get(pid) - (then.of.get(pid) ?? 0)));
		series['busy with this'] = 100 * ticks([...now.of.keys()]) / span;
		for (const [name, pids] of [['gateway', [gatewayPid]], ['simulator', [simPid]], ['driver', [driverPid]], ['workers', mine]])
			series[`${name} CPU`] = 100 * cores * ticks(pids) / span;
	}
	const zombies = all.filter((pid) => proc.stat(pid)?.state === 'Z').length;
	const pids = mine.map((pid) => [args.get(pid)[args.get(pid).indexOf('--instance') + 1], pid]);
	return { sample: { series, pids, zombies, folders: readdirSync(join(workerData.dataDir, 'instances')) }, then: now };
}

if (!isMainThread) {
	let state = {};
	parentPort.on('message', (now) => {
		const { sample, then } = oneSample(now, state);
		state = { then };
		parentPort.postMessage(sample);
	});
}
