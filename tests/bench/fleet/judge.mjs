// tests/bench/fleet/judge.mjs - does a series grow? Rules for each, and the verdict on a run
import { quantile } from '../machine.mjs';

const KIB = 1, MIB = 1024;
const flat = (by, share, unit = 'KiB') => ({ rule: 'flat', by, share, unit });
const bound = (max, unit = 'KiB') => ({ rule: 'bound', max, unit });
const shown = (unit) => ({ rule: 'shown', unit });
const per = (of, max, unit = 'KiB') => ({ rule: 'per', of, max, unit });

// Pages of events.db are kept up to so many KiB of it: until then the gateway grows with the file, and a little for each page.
const EVENTS_CACHE = { of: 'events.db', max: 8 * MIB, share: 1.25 };

/*
 * flat: between the first and the last quarter its median may rise by so much and by that share of it. bound: never more.
 * per: it grows with another (a counter), by at most so much for each. shown: reported, not judged.
 */
export const RULES = new Map([
	...['gateway USS', 'gateway PSS', 'gateway RSS'].map((name) => [name, { ...flat(1.5 * MIB, 0.03), cache: EVENTS_CACHE }]),
	['zygote USS', flat(64 * KIB, 0.02)], ['zygote PSS', shown('KiB')], ['zygote RSS', flat(64 * KIB, 0.02)],
	['workers', flat(4, 0.01, '')],
	['workers RSS sum', flat(4 * MIB, 0.05)], ['workers PSS sum', flat(4 * MIB, 0.08)],
	['worker USS p50', flat(48 * KIB, 0.06)], ['worker USS p95', flat(96 * KIB, 0.08)], ['worker USS max', flat(512 * KIB, 0.3)],
	['worker PSS p50', flat(48 * KIB, 0.06)], ['worker PSS p95', flat(96 * KIB, 0.08)], ['worker PSS max', flat(512 * KIB, 0.3)],
	['worker fds p50', flat(0, 0, '')], ['worker fds p95', flat(1, 0, '')], ['worker fds max', flat(4, 0, '')],
	['gateway fds', flat(48, 0.01, '')], ['gateway threads', flat(0, 0, '')],
	['kernel memory', flat(16 * MIB, 0.06)],
	['registry.db', flat(256 * KIB, 0.05)], ['registry.db-wal', bound(8 * MIB)], ['events.db-wal', bound(48 * MIB)],
	['events.db', per('events', 2.5)],
	['session.db max', shown('KiB')], ['session.db sum', per('messages arrived', 8)],
	['session.db-wal max', bound(6 * MIB)], ['session.db-wal sum', shown('KiB')],
	['instance folders', flat(4, 0, '')], ['files in instance folders', flat(16, 0.005, '')], ['files in run_dir', flat(6, 0, '')],
	['simulator RSS', shown('KiB')], ['driver RSS', shown('KiB')],
	['machine busy', shown('%')], ['busy with this', shown('%')], ['workers CPU', shown('%')], ['gateway CPU', flat(3, 0.25, '%')], ['simulator CPU', shown('%')], ['driver CPU', shown('%')],
	['http p50', flat(1, 0.5, 'ms')], ['http p99', flat(10, 0.5, 'ms')], ['http max', shown('ms')],
	['event p50', flat(3, 0.5, 'ms')], ['event p99', flat(20, 0.5, 'ms')], ['event max', shown('ms')],
	['qr p50', flat(10, 0.5, 'ms')], ['qr p99', shown('ms')], ['qr max', shown('ms')],
	['code p50', flat(10, 0.5, 'ms')],
	['list of 100 p50', flat(3, 0.5, 'ms')], ['file p50', flat(10, 0.5, 'ms')], ['stored messages p50', flat(5, 0.5, 'ms')],
	['connect, online p50', flat(3, 0.5, 'ms')], ['metrics p50', flat(300, 1, 'ms')], ['worker list p50', flat(300, 1, 'ms')],
	['back after a kill p50', flat(500, 0.5, 'ms')], ['back after a reset p50', flat(500, 0.5, 'ms')],
]);

const WARM_UP = 0.1; // of the run is left out: caches fill, heaps get their shape
const FEWEST_MADE = 5000; // of what a series grows with: less says nothing of each
const FEWEST = 8;    // samples; of fewer nothing can be said

const median = (values) => quantile([...values].sort((a, b) => a - b), 0.5);

// Least squares: how much it rises from the first to the last point.
function rise(points) {
	const mean = (k) => points.reduce((s, p) => s + p[k], 0) / points.length;
	const [mx, my] = [mean(0), mean(1)];
	let xy = 0, xx = 0;
	for (const [x, y] of points) {
		xy += (x - mx) * (y - my);
		xx += (x - mx) ** 2;
	}
	return xx === 0 ? 0 : (xy / xx) * (points.at(-1)[0] - points[0][0]);
}

// What a cache may have taken between the first and the last quarter.
function cached({ of, max, share }, samples) {
	const sizes = samples.map((s) => Math.min(max, s[of] ?? 0));
	const quarter = Math.max(2, Math.floor(sizes.length / 4));
	return share * Math.max(0, median(sizes.slice(-quarter)) - median(sizes.slice(0, quarter)));
}

function judgeFlat({ by, share }, points, more = 0) {
	const quarter = Math.max(2, Math.floor(points.length / 4));
	const first = median(points.slice(0, quarter).map(([, y]) => y));
	const last = median(points.slice(-quarter).map(([, y]) => y));
	const allowed = by + share * Math.abs(first) + more;
	// a step within the last quarter is in the medians, a slow rise in the line as well: both have to say so
	const grows = last - first > allowed && rise(points) > 0.75 * allowed;
	return { first, last, allowed, grows };
}

function judgePer({ of, max }, points, samples) {
	const [a, b] = [points[0], points.at(-1)];
	const made = samples.find((s) => s.at === b[0])[of] - samples.find((s) => s.at === a[0])[of];
	const each = made > 0 ? (b[1] - a[1]) / made : 0;
	return { first: a[1], last: b[1], each, allowed: max, grows: made > FEWEST_MADE && each > max };
}

// samples: [{ at (s), name: value, ... }] -> [{ name, unit, rule, first, last, allowed, grows, points }]
export function judge(samples, rules = RULES) {
	const from = samples.length > 0 ? samples[0].at + WARM_UP * (samples.at(-1).at - samples[0].at) : 0;
	const kept = samples.filter((s) => s.at >= from);
	const results = [];
	for (const [name, rule] of rules) {
		const points = kept.filter((s) => Number.isFinite(s[name])).map((s) => [s.at, s[name]]);
		if (points.length < FEWEST) {
			results.push({ name, ...rule, points, grows: false, tooFew: true });
			continue;
		}
		const max = Math.max(...points.map(([, y]) => y));
		const quarters = judgeFlat({ by: 0, share: 0 }, points);
		const result = rule.rule === 'flat' ? judgeFlat(rule, points, rule.cache === undefined ? 0 : cached(rule.cache, kept)) :
			rule.rule === 'per' ? judgePer(rule, points, kept) :
			{ first: quarters.first, last: quarters.last, allowed: rule.max, grows: rule.rule === 'bound' && max > rule.max };
		results.push({ name, ...rule, ...result, most: max, points });
	}
	return results;
}
