// tests/bench/report.mjs - what the benchmarks recorded, as results.md and as plots
//
// Arguments: folder of the records (a .jsonl of each part), folder to write results.md and plots/ into. Each line is
// what machine.mjs noted: the beginning of a part, a figure, or a plot.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { figureText } from './machine.mjs';

const ORDER = ['connect', 'resume', 'link', 'memory', 'queued', 'history', 'http', 'nodes'];
const MANY = 10; // values from which on quartiles say more than the extremes

// Linear between the two values next to it, so the median of an even number is the mean of the middle two.
export function quantileOf(values, q) {
	const sorted = [...values].sort((a, b) => a - b);
	const at = q * (sorted.length - 1);
	const low = Math.floor(at);
	return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

export const median = (values) => quantileOf(values, 0.5);

export function spread(values) {
	const [low, high] = values.length >= MANY ? [0.25, 0.75] : [0, 1];
	return [quantileOf(values, low), quantileOf(values, high)];
}

// How many times better the first is.
export function advantage(first, other, more) {
	const [a, b] = [median(first.values), median(other.values)];
	return more ? a / b : b / a;
}

// Parts of a run: { title, text, ..., rows: [[figure, ...] of one name and one `at`], plots }.
export function readPart(lines) {
	const part = { ...lines[0], rows: [], plots: [] };
	const rows = new Map();
	for (const line of lines.slice(1)) {
		if (line.plot !== undefined) {
			part.plots.push(line);
			continue;
		}
		const key = `${line.figure}\0${line.at}`;
		if (!rows.has(key))
			rows.set(key, []);
		rows.get(key).push(line);
	}
	part.rows = [...rows.values()];
	return part;
}

// ---- text ------------------------------------------------------------------------------------------------

const nameOf = ({ figure, at, of }) => at === undefined ? figure : `${figure}, ${at.toLocaleString('en-US')} ${of}`;

function cells(line, first) {
	const [low, high] = spread(line.values);
	let ratio = '';
	if (line !== first) {
		const times = advantage(first, line, first.more);
		ratio = times < 1 ? `**${figureText(times)}**` : figureText(times);
	}
	return [line === first ? nameOf(line) : '', line.who, `${figureText(median(line.values))} ${line.unit}`,
		line.values.length === 1 ? '' : `${figureText(low)} to ${figureText(high)}`, line.values.length, ratio];
}

function table(rows) {
	const lines = ['| figure | who | median | spread | runs | times better |', '|---|---|--:|--:|--:|--:|'];
	for (const row of rows)
		for (const line of row)
			lines.push(`| ${cells(line, row[0]).join(' | ')} |`);
	return lines.join('\n');
}

function behind(parts) {
	const found = parts.flatMap(({ rows }) => rows.flatMap((row) => row.slice(1)
		.filter((line) => advantage(row[0], line, row[0].more) < 1)
		.map((line) => `- ${nameOf(row[0])}: ${line.who} ${figureText(median(line.values))} ${line.unit}, ` +
		    `${row[0].who} ${figureText(median(row[0].values))}`)));
	return found.length === 0 ? '' : `\n## Where a peer does better\n\n${found.join('\n')}\n`;
}

function section(part) {
	const plots = part.plots.map(({ plot, label }) => `\n![${label}](plots/${plot})\n`).join('');
	return `## ${part.title}\n\n${part.text}\n\n` +
	    `Commit ${part.commit}, ${part.date.slice(0, 16).replace('T', ' ')} UTC; load when it began ${part.load.toFixed(1)}.` +
	    `${part.quick ? ' **A quick run: too few values to quote.**' : ''}\n\n${table(part.rows)}\n${plots}`;
}

export function render(parts, machine) {
	const machines = [...new Set(parts.map((p) => p.machine))];
	return `# Measured beside its peers

Written by \`./bench\`; every figure is from a run on the machine below, with the peer on the same machine in the same run, in turn with it
where both are short. *Spread*: from the least to the greatest value, from ${MANY} values on the quartiles. *Times better*: how many times better
the first line of a figure is than the one beside it (less time, less memory, more a second); below 1, in bold, it is worse.
${parts.some((p) => p.quick) ? '\n**Made by `./bench --quick`: it shows that the benchmarks work, and no more.**\n' : ''}
${[...machines.map((m) => ['machine', m]), ...machine].map(([what, value]) => `- ${what}: ${value}`).join('\n')}
${behind(parts)}
${parts.map(section).join('\n')}`;
}

// ---- what it ran on ----------------------------------------------------------------------------------------

function tell(command, args, pattern) {
	try {
		const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
		return text.match(pattern)?.[1] ?? 'unknown';
	} catch {
		return 'not there';
	}
}

// Debian's package of a library: what is linked, not what the header says.
const packaged = (name) => tell('dpkg-query', ['-W', '-f', '${Version}', name], /^(.+)$/);

function versions() {
	const makefile = existsSync(join(process.env.WARDEN_BUILD, 'Makefile')) ? readFileSync(join(process.env.WARDEN_BUILD, 'Makefile'), 'utf8') : '';
	const variable = (name) => makefile.match(new RegExp(`^${name} = (.*)$`, 'm'))?.[1] ?? 'unknown';
	const compiler = variable('CC').split(' ').findLast((word) => !word.startsWith('-'));
	const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
	return [
		['compiler', `${tell(compiler, ['--version'], /^(.*)/)}, ${variable('CFLAGS')}`],
		['SQLite', packaged('libsqlite3-0')], ['OpenSSL', packaged('libssl3')], ['libevent', packaged('libevent-2.1-7')],
		['Baileys', lock.packages['node_modules/@whiskeysockets/baileys'].version], ['Node', process.version],
		['nginx', packaged('nginx-light')], ['wrk', packaged('wrk')],
	];
}

// ---- plots -------------------------------------------------------------------------------------------------

const COLOURS = ['#1b6ca8', '#d1495b', '#e09f3e', '#5b8e7d', '#6d597a'];

function draw(file, part, { label, x, y, logX, logY, lines }) {
	const blocks = [], curves = [];
	for (const { figure, who, title } of lines) {
		const points = part.rows.flat().filter((l) => l.figure === figure && l.who === who && l.at !== undefined)
			.sort((a, b) => a.at - b.at);
		if (points.length === 0)
			continue;
		const colour = COLOURS[curves.length % COLOURS.length];
		blocks.push(`$d${blocks.length} << EOD\n${points.map((l) => [l.at, median(l.values), ...spread(l.values)].join(' ')).join('\n')}\nEOD`);
		curves.push(`$d${blocks.length - 1} using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.6 lc rgb '${colour}' title '${title ?? who}'`);
	}
	if (curves.length === 0)
		return false;
	execFileSync('gnuplot', { input: `${blocks.join('\n')}
set terminal svg size 860,500 font 'DejaVu Sans,13' background rgb 'white'
set output '${file}'
set title '${label}'
set xlabel '${x}' offset 0,0.4
set ylabel '${y}'
set grid lc rgb '#dddddd'
set key outside bottom center horizontal spacing 1.2
set border 3
set tics nomirror
${logX ? 'set logscale x\nset xrange [0.8:]' : 'set xrange [0:]'}
${logY ? 'set logscale y' : 'set yrange [0:]'}
set format x '%.0f'
set format y '%.0f'
plot ${curves.join(', \\\n     ')}
` });
	return true;
}

function main([records, out]) {
	const parts = ORDER.map((name) => join(records, `${name}.jsonl`)).filter(existsSync)
		.map((file) => readPart(readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line))));
	mkdirSync(join(out, 'plots'), { recursive: true });
	for (const part of parts)
		part.plots = part.plots.filter((p) => draw(join(out, 'plots', p.plot), part, p));
	const file = join(out, 'results.md');
	writeFileSync(file, render(parts, versions()));
	console.log(`\nwritten: ${file}, ${readdirSync(join(out, 'plots')).length} plots beside it`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
	main(process.argv.slice(2));
