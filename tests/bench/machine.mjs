// tests/bench/machine.mjs - what the figures were measured on, how they are summed up, and where they are kept
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
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

// ---- sums ----------------------------------------------------------------------------------------------

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

// ---- for ./bench -----------------------------------------------------------------------------------------

// Less of everything, to see that it works.
export const QUICK = process.env.BENCH_QUICK === '1';

// How much of it: what the command line says, else few or many.
export const sized = (few, many) => Number(process.argv[2] ?? (QUICK ? few : many));

function note(line) {
	if (process.env.BENCH_RECORDS !== undefined)
		appendFileSync(process.env.BENCH_RECORDS, `${JSON.stringify(line)}\n`);
}

function commit() {
	try {
		return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
	} catch {
		return 'no commit'; // an unpacked archive
	}
}

// What report.mjs turns into a section: its title, and below that what can be compared in it and what can't.
export function begin(title, text) {
	note({ title, text, quick: QUICK, machine: describeMachine(), commit: commit(), date: new Date().toISOString(), load: os.loadavg()[0] });
	console.log(`${title}\n${describeMachine()}`);
}

/*
 * A figure: values of all its runs.
 *   figure   its name; rows of one name (and one `at`) are compared with each other, the first with the rest
 *   who      Warden, Baileys, ...
 *   at, of   it depends on a number: how many of what ("instances")
 *   more     more is better
 */
export function record(figure, who, unit, values, { at, of, more = false } = {}) {
	if (values.length === 0 || !values.every(Number.isFinite))
		throw new Error(`${figure}, ${who}: ${values}`);
	note({ figure, who, unit, values, at, of, more });
	const { median } = summary(values);
	const name = `${figure}${at === undefined ? '' : `, ${at} ${of}`}`;
	console.log(`  ${name.padEnd(56)} ${who.padEnd(26)} ${figureText(median).padStart(10)} ${unit} (${values.length})`);
}

// A picture: lines of recorded figures over their `at`. lines: [{ figure, who, title }].
export function plot(file, { title, x, y, logX = false, logY = false, lines }) {
	note({ plot: file, label: title, x, y, logX, logY, lines });
}

// A number as people read it: three digits that count.
export function figureText(value) {
	if (!Number.isFinite(value))
		return '-';
	if (Math.abs(value) >= 1000)
		return Math.round(value).toLocaleString('en-US');
	return value === 0 ? '0' : Number(value.toPrecision(3)).toString();
}
