// What ./bench writes of its records: medians, spreads, ratios, and where a peer does better
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advantage, median, readPart, render, spread } from '../bench/report.mjs';

const figure = (who, values, rest = {}) => ({ figure: 'time', who, unit: 'ms', values, more: false, ...rest });
const begin = { title: 'A part', text: 'What it is.', quick: false, machine: 'one', commit: 'c0ffee', date: '2026-01-02T03:04:05Z', load: 0.1 };

test('the median is the middle one, or the mean of the middle two', () => {
	assert.equal(median([9, 1, 2]), 2);
	assert.equal(median([10, 1, 2, 4]), 3);
	assert.equal(median([7]), 7);
});

test('the spread is all of few values, the quartiles of many', () => {
	assert.deepEqual(spread([5, 1, 100]), [1, 100]);
	assert.deepEqual(spread([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]), [25, 75]);
});

test('better is less or more, by the figure', () => {
	assert.equal(advantage(figure('a', [2]), figure('b', [10]), false), 5);
	assert.equal(advantage(figure('a', [2]), figure('b', [10]), true), 0.2);
});

test('rows of one name and number stand together; who is better than the first is named', () => {
	const part = readPart([begin, figure('Warden', [4], { at: 1, of: 'instance' }), figure('Warden', [8], { at: 50, of: 'instances' }),
		figure('Baileys', [2, 3, 2], { at: 1, of: 'instance' }), figure('Baileys', [16], { at: 50, of: 'instances' }),
		{ plot: 'a.svg', label: 'A', lines: [] }]);
	assert.deepEqual(part.rows.map((row) => row.map((line) => line.who)), [['Warden', 'Baileys'], ['Warden', 'Baileys']]);
	const text = render([part], [['Node', 'v22']]);
	assert.match(text, /^\| time, 1 instance \| Warden \| 4 ms \|  \| 1 \|  \|\n\|  \| Baileys \| 2 ms \| 2 to 3 \| 3 \| \*\*0\.5\*\* \|$/m);
	assert.match(text, /^\|  \| Baileys \| 16 ms \|  \| 1 \| 2 \|$/m);
	assert.match(text, /## Where a peer does better\n\n- time, 1 instance: Baileys 2 ms, Warden 4\n\n/);
	assert.match(text, /^- machine: one\n- Node: v22$/m);
	assert.doesNotMatch(text, /quick/);
	assert.match(render([{ ...part, quick: true }], []), /Made by `\.\/bench --quick`/);
});
