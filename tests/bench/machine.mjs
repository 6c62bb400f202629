// tests/bench/machine.mjs - what the figures were measured on, and how they are summed up
import { readFileSync } from 'node:fs';
import os from 'node:os';

export function describeMachine() {
	const model = os.cpus()[0]?.model.trim() || 'unknown CPU';
	let system = `${os.type()} ${os.release()}`;
	try {
		system = `${readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="?([^"\n]*)/m)[1]}, ${system}`;
	} catch {
		// no os-release: the kernel's name has to do
	}
	return `${os.availableParallelism()} x ${model}, ${(os.totalmem() / 2 ** 30).toFixed(1)} GiB, ${system}`;
}

export function quantile(sorted, q) {
	return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

export function summary(values) {
	const sorted = [...values].sort((a, b) => a - b);
	return { median: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), max: sorted.at(-1) };
}

// A table row: name, then median, p95 and maximum of values.
export function row(name, values, unit = 'ms', digits = 2) {
	const { median, p95, max } = summary(values);
	const cell = (v) => v.toFixed(digits).padStart(9);
	return `${name.padEnd(24)}${cell(median)}${cell(p95)}${cell(max)}  ${unit}`;
}
