// tests/integration/promtool.mjs - Prometheus' own checker, and what the files of contrib/ ask of it
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CONTRIB = new URL('../../contrib/', import.meta.url);

// ./check unpacks it from Debian's package prometheus; by hand it may be installed, or named.
const PROMTOOL = [process.env.WARDEN_PROMTOOL, new URL('../../build-check/tools/promtool', import.meta.url).pathname]
    .find((path) => path !== undefined && existsSync(path)) ?? 'promtool';

export function promtool(args, { input, cwd } = {}) {
	const r = spawnSync(PROMTOOL, args, { input, cwd, encoding: 'utf8' });
	assert.equal(r.error, undefined, 'promtool is not here: it is in Debian\'s package prometheus, or name it in WARDEN_PROMTOOL');
	return { code: r.status, text: r.stdout + r.stderr };
}

export function filesOf(folder, ending) {
	const url = new URL(`${folder}/`, CONTRIB);
	return readdirSync(url).filter((name) => name.endsWith(ending)).map((name) => ({ name, url: new URL(name, url),
		text: readFileSync(new URL(name, url), 'utf8') }));
}

// Files that promtool reads, gone afterwards.
export function withFiles(files, work) {
	const dir = mkdtempSync(join(tmpdir(), 'warden-promtool-'));
	try {
		for (const [name, text] of Object.entries(files))
			writeFileSync(join(dir, name), text);
		return work(dir);
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
}

// Every query of a dashboard as Prometheus gets it: { where, expr }. $__rate_interval and what a viewer chooses are filled in.
export function queriesOf(dashboard) {
	const fill = (text) => text.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replaceAll('$instance', '.*');
	const found = [];
	const panels = (list) => list.flatMap((p) => [p, ...panels(p.panels ?? [])]);
	for (const panel of panels(dashboard.panels))
		for (const { expr } of panel.targets ?? [])
			found.push({ where: panel.title, expr: fill(expr) });
	return found;
}

// Names of metrics in a query: what stands neither in quotes nor in brackets, and is ours or Prometheus' own of a scrape.
export const namesIn = (expr) => [...new Set(expr.replace(/"[^"]*"/g, '""').match(/\b(?:warden_\w+|process_\w+|up)\b/g) ?? [])];

// A rule per query, so that promtool reads each.
export const asRules = (queries) => JSON.stringify({ groups: [{ name: 'queries', rules: queries.map(({ expr }, i) =>
	({ record: `query:${i}`, expr })) }] });

const value = (s) => (/^\d+$/.test(s) ? `${s}+${s}x60` : `${s}x60`);

/*
 * A test for promtool in which everything that was scraped is there, a sample a minute for an hour, and each query has to find something.
 * Counters grow by themselves each minute, so that their rates are not 0 only where they are none.
 */
export function asTest(scraped, queries) {
	const series = scraped.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
		const [, name, labels, v] = line.match(/^([^{ ]+)(?:\{(.*)\})? (\S+)$/);
		const all = ['job="warden"', 'instance="warden:8080"', ...(labels ? [labels] : [])];
		return { series: `${name}{${all.join(',')}}`, values: value(v) };
	});
	series.push({ series: 'up{job="warden",instance="warden:8080"}', values: '1x60' });
	return JSON.stringify({ evaluation_interval: '1m', tests: [{ interval: '1m', input_series: series,
		promql_expr_test: queries.map(({ expr }) => ({ expr: `count(${expr}) > bool 0`, eval_time: '30m',
			exp_samples: [{ labels: '{}', value: 1 }] })) }] });
}
