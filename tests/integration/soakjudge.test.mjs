// The judges of tests/bench/soak: what grows is named, what only wobbles is not; what comes twice or never is seen.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge } from '../bench/fleet/judge.mjs';
import { Ledger } from '../bench/fleet/ledger.mjs';
import { Counts, Latencies, Problems } from '../bench/fleet/stats.mjs';
import { makeRandom } from './kills.mjs';

const rules = new Map([
	['memory', { rule: 'flat', by: 100, share: 0.05, unit: 'KiB' }],
	['log', { rule: 'bound', max: 500, unit: 'KiB' }],
	['file', { rule: 'per', of: 'events', max: 2, unit: 'KiB' }],
	['cached', { rule: 'flat', by: 100, share: 0.05, unit: 'KiB', cache: { of: 'file', max: 8000, share: 1.25 } }],
	['other', { rule: 'shown', unit: '' }],
]);
const random = makeRandom(7);
const run = (value) => Array.from({ length: 120 }, (_, i) => ({ at: i * 30, ...value(i, random()) }));
const grown = (samples) => judge(samples, rules).filter((r) => r.grows).map((r) => r.name);

describe('a series', () => {
	test('that wobbles, or has a spike, does not grow', () => {
		assert.deepEqual(grown(run((i, r) => ({ memory: 5000 + 200 * r }))), []);
		assert.deepEqual(grown(run((i, r) => ({ memory: i === 100 ? 90_000 : 5000 + 50 * r }))), []);
	});

	test('that rises while it warms up, and then stays, does not grow', () => {
		assert.deepEqual(grown(run((i) => ({ memory: 5000 + 100 * Math.min(i, 10) }))), []);
	});

	test('that rises slowly, or steps up, grows', () => {
		assert.deepEqual(grown(run((i, r) => ({ memory: 5000 + 5 * i + 100 * r }))), ['memory']);
		assert.deepEqual(grown(run((i) => ({ memory: i < 70 ? 5000 : 6000 }))), ['memory']);
	});

	test('that falls does not grow', () => {
		assert.deepEqual(grown(run((i) => ({ memory: 9000 - 20 * i }))), []);
	});

	test('with a bound is over it once, and named', () => {
		assert.deepEqual(grown(run((i) => ({ log: 499 }))), []);
		assert.deepEqual(grown(run((i) => ({ log: i === 60 ? 501 : 100 }))), ['log']);
	});

	test('may grow with what it holds, and no more', () => {
		assert.deepEqual(grown(run((i) => ({ events: 1000 * i, file: 1900 * i }))), []);
		assert.deepEqual(grown(run((i) => ({ events: 1000 * i, file: 2100 * i }))), ['file']);
	});

	test('may grow while its cache fills, and no longer', () => {
		const filling = (i) => Math.min(8000, 100 * i);
		assert.deepEqual(grown(run((i) => ({ file: 100 * i, cached: 5000 + filling(i) }))), []);
		assert.deepEqual(grown(run((i) => ({ file: 100 * i, cached: 5000 + filling(i) + 60 * i }))), ['cached']);
		assert.deepEqual(grown(run((i) => ({ file: 9000 + 100 * i, cached: 5000 + 20 * i }))), ['cached']);
	});

	test('that is too short says nothing, one that is only shown never fails', () => {
		const short = judge(run((i) => ({ memory: 1000 * i })).slice(0, 5), rules).find((r) => r.name === 'memory');
		assert.deepEqual([short.grows, short.tooFew], [false, true]);
		assert.deepEqual(grown(run((i) => ({ other: 1000 * i }))), []);
	});
});

describe('the ledger', () => {
	const make = () => {
		const parts = { problems: new Problems(), latencies: new Latencies(), counts: new Counts() };
		return { ...parts, ledger: new Ledger(parts) };
	};

	test('knows what arrived once, twice, never, and what nobody sent', () => {
		const { ledger, problems, latencies } = make();
		for (const key of ['a', 'b', 'c'])
			ledger.expect(key);
		assert.equal(ledger.arrive('a'), true);
		assert.equal(problems.total, 0);
		assert.equal(ledger.arrive('a'), false);
		assert.equal(ledger.arrive('x'), false);
		ledger.forget('c');
		assert.deepEqual([...problems.kinds.keys()], ['arrived twice', 'arrived unexpected']);
		assert.deepEqual(ledger.overdue(-1), ['b']);
		assert.deepEqual(ledger.overdue(60_000), []);
		assert.equal(latencies.take().event.n, 1);
	});

	test('keeps apart what was sent over a disturbed connection', () => {
		const { ledger, latencies } = make();
		ledger.expect('a');
		ledger.arrive('a', Infinity);
		assert.equal(latencies.take()['event (late)'].n, 1);
	});
});
