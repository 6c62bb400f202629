// tests/bench/meter.mjs - CPU and memory of processes, and hands to keep busy
import { readFileSync, readdirSync } from 'node:fs';
import { proc } from '../integration/harness.mjs';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// An action for each item, so many at once.
export async function inLanes(items, lanes, action) {
	const left = [...items];
	await Promise.all(Array.from({ length: lanes }, async () => {
		for (let i = left.shift(); i !== undefined; i = left.shift())
			await action(i);
	}));
}

// CPU so far of all threads of a process that still run, ms; by the scheduler's clock, finer than the ticks of stat.
export const cpuMs = (pid) => readdirSync(`/proc/${pid}/task`).reduce((sum, tid) =>
	sum + Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e6;

export const cpuOfAll = (pids) => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);

// CPU so far, once hardly any is used any more.
export async function atRest(read, { spanMs = 150, hardlyMs = 0.5 } = {}) {
	for (let last = await read(); ;) {
		await sleep(spanMs);
		const now = await read();
		if (now - last < hardlyMs)
			return now;
		last = now;
	}
}

export const peakKib = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+)/m)?.[1] ?? 0);

export function availableKib() {
	return Number(readFileSync('/proc/meminfo', 'utf8').match(/^MemAvailable:\s+(\d+)/m)[1]);
}

// PSS of all of them together, and the mean of PSS and USS; KiB.
export function memoryOf(pids) {
	const all = pids.map((pid) => proc.memory(pid));
	const sum = (kind) => all.reduce((total, m) => total + m[kind], 0);
	return { all, pss: sum('pss'), meanPss: sum('pss') / all.length, meanUss: sum('uss') / all.length };
}
