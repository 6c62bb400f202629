// tests/bench/fleet/report.mjs - the series as TSV and SVG, the verdict as Markdown and JSON lines
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const number = (v) => v === undefined || Number.isNaN(v) ? '' : Math.abs(v) >= 100 ? v.toFixed(0) : v.toFixed(2);

export function writeTsv(path, samples) {
	const names = [...new Set(samples.flatMap((s) => Object.keys(s)))];
	writeFileSync(path, [names.join('\t'), ...samples.map((s) => names.map((n) => number(s[n]) || 'NaN').join('\t'))].join('\n') + '\n');
	return names;
}

// panels: [title, unit, names of series, scale]. Without gnuplot there is no picture, and that is said.
export function plot(svg, tsv, names, panels, xLabel) {
	const lines = panels.map(([title, unit, list, scale = 1]) => {
		const curves = list.filter((n) => names.includes(n)).map((n) =>
			`'${tsv}' using (column(1)/60):(column(${names.indexOf(n) + 1})*${scale}) with lines title '${n}'`);
		return curves.length === 0 ? '' : `set title '${title}'\nset ylabel '${unit}'\nplot ${curves.join(', ')}\n`;
	});
	const rows = Math.ceil(panels.length / 2);
	try {
		execFileSync('gnuplot', { input: `set terminal svg size 1200,${rows * 300} font 'sans,11'\nset output '${svg}'\nset datafile separator '\\t'\n` +
			`set multiplot layout ${rows},2\nset key outside bottom center horizontal\nset yrange [0:*]\nset xlabel '${xLabel}'\nset grid\n${lines.join('')}unset multiplot\n` });
		return true;
	} catch (error) {
		console.log(`no picture: ${error.code === 'ENOENT' ? 'gnuplot is not installed' : error.message}`);
		return false;
	}
}

export function seriesTable(results) {
	const rows = results.filter((r) => !r.tooFew).map((r) => {
		const limit = r.rule === 'flat' ? `+${number(r.allowed)}` : r.rule === 'bound' ? `≤ ${number(r.allowed)}` :
			r.rule === 'per' ? `${number(r.each)} of ${number(r.allowed)} for each of ${r.of}` : '';
		return `| ${r.name} | ${number(r.first)} | ${number(r.last)} | ${number(r.most)} | ${r.unit} | ${limit} | ${r.grows ? '**GROWS**' : r.rule === 'shown' ? '' : 'ok'} |`;
	});
	return ['| series | first quarter | last quarter | most | unit | allowed | |', '|---|---|---|---|---|---|---|', ...rows].join('\n');
}

export function problemList(problems) {
	return [...problems.kinds].map(([kind, { count, samples }]) =>
		`- **${kind}**: ${count}\n${samples.slice(0, 5).map((s) => `  - ${s.slice(0, 400)}`).join('\n')}`).join('\n');
}

// folder/NAME.md, NAME.jsonl: what other reports can include.
export function writeSummary(folder, name, markdown, records) {
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, `${name}.md`), `${markdown.trimEnd()}\n\n![${name}](${name}.svg)\n`);
	writeFileSync(join(folder, `${name}.jsonl`), records.map((r) => JSON.stringify(r)).join('\n') + '\n');
}
