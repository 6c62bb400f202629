// tests/integration/exposition.mjs - Prometheus' text format 0.0.4, read as strictly as it is specified
import assert from 'node:assert/strict';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

// `name="value",...` without braces; escapes are \\, \" and \n.
function labels(text, line) {
	const found = {};
	let rest = text;
	while (rest !== '') {
		const m = rest.match(/^([^=]+)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/);
		assert.ok(m, `labels of: ${line}`);
		assert.match(m[1], LABEL, line);
		assert.ok(!(m[1] in found), `label ${m[1]} twice: ${line}`);
		found[m[1]] = m[2].replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
		assert.ok(m[3] === '' || rest.length > m[0].length, `a comma at the end: ${line}`);
		rest = rest.slice(m[0].length);
	}
	return found;
}

function value(text, line) {
	if (['+Inf', '-Inf', 'NaN'].includes(text))
		return Number(text.replace('Inf', 'Infinity'));
	assert.match(text, /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/, line);
	return Number(text);
}

const key = (name, set) => `${name}{${Object.entries(set).sort().map(([k, v]) => `${k}=${JSON.stringify(v)}`)}}`;

// name of family -> { type, help, samples: [{ name, labels, value }] }; anything out of order is an error.
export function parse(text) {
	const families = new Map();
	const seen = new Set();
	let family;
	assert.ok(text.endsWith('\n'), 'the last line is not ended');
	for (const line of text.slice(0, -1).split('\n')) {
		const meta = line.match(/^# (HELP|TYPE) (\S+) (.*)$/);
		if (meta !== null) {
			const [, kind, name, rest] = meta;
			assert.match(name, NAME, line);
			if (kind === 'HELP') {
				assert.ok(!families.has(name), `family ${name} twice`);
				family = { name, help: rest, samples: [] };
				families.set(name, family);
				assert.match(rest, /^[^\\]+\.$/, `a sentence: ${line}`);
			} else {
				assert.equal(name, family?.name, `TYPE without its HELP: ${line}`);
				assert.equal(family.type, undefined, line);
				assert.ok(TYPES.includes(rest), line);
				family.type = rest;
			}
			continue;
		}
		const m = line.match(/^([^{ ]+)(?:\{(.*)\})? (\S+)$/);
		assert.ok(m, `not a sample: ${line}`);
		const [, name, inside, number] = m;
		assert.match(name, NAME, line);
		const sample = { name, labels: labels(inside ?? '', line), value: value(number, line) };
		assert.ok(family?.type !== undefined, `no TYPE before: ${line}`);
		const suffix = name.slice(family.name.length);
		assert.ok(name.startsWith(family.name) && (family.type === 'histogram'
			? ['_bucket', '_sum', '_count'] : ['']).includes(suffix), `in family ${family.name}: ${line}`);
		const id = key(name, sample.labels);
		assert.ok(!seen.has(id), `series twice: ${line}`);
		seen.add(id);
		family.samples.push(sample);
	}
	for (const f of families.values())
		check(f);
	return families;
}

function check(f) {
	assert.ok(f.type !== undefined, `${f.name} has no TYPE`);
	if (f.type === 'counter') {
		assert.match(f.name, /_total$/);
		for (const s of f.samples)
			assert.ok(s.value >= 0 && Number.isInteger(s.value), key(s.name, s.labels));
	}
	if (f.type !== 'histogram')
		return;
	const series = new Map();
	for (const s of f.samples) {
		const { le, ...rest } = s.labels;
		const id = key(f.name, rest);
		const one = series.get(id) ?? { buckets: [] };
		series.set(id, one);
		if (s.name.endsWith('_bucket')) {
			assert.ok(le !== undefined, `${id}: a bucket without le`);
			one.buckets.push([value(le, id), s.value]);
		} else {
			assert.equal(le, undefined, id);
			one[s.name.slice(f.name.length + 1)] = s.value;
		}
	}
	for (const [id, { buckets, sum, count }] of series) {
		assert.ok(buckets.length > 1 && sum >= 0, id);
		assert.equal(buckets.at(-1)[0], Infinity, `${id}: the last bucket`);
		assert.equal(buckets.at(-1)[1], count, `${id}: count`);
		for (let i = 1; i < buckets.length; i++)
			assert.ok(buckets[i][0] > buckets[i - 1][0] && buckets[i][1] >= buckets[i - 1][1],
			    `${id}: buckets rise`);
	}
}

// The one sample of that name with these labels, and possibly more; 0 if there is none.
export function sample(families, name, wanted = {}) {
	const all = [...families.values()].flatMap((f) => f.samples).filter((s) => s.name === name &&
	    Object.entries(wanted).every(([k, v]) => s.labels[k] === v));
	assert.ok(all.length <= 1, `${all.length} samples of ${key(name, wanted)}`);
	return all[0]?.value ?? 0;
}
