// A sample of faults.mjs, by hand (node --test): system calls and SQL calls fail in the gateway, the zygote and workers, one at a time
//
// In the sanitizer build, whose heap is not ours to fail, but which sees what is leaked or used too late.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FLAVOR } from '../integration/harness.mjs';
import { pointsOf, recorded, runPoints } from '../integration/faultrun.mjs';
import { makeRandom } from '../integration/killpoints.mjs';

const hooksTest = FLAVOR === 'plain' ? () => {} : test; // the library comes with test hooks
const SAMPLE = { create: 5, link: 3, adopt: 2 };

// In an order that follows from the seed.
function sample(points, n, seed) {
	const random = makeRandom(seed);
	return points.map((p) => [random(), p]).sort((a, b) => a[0] - b[0]).slice(0, n).map(([, p]) => p);
}

describe('each call may fail once', () => {
	for (const [scene, n] of Object.entries(SAMPLE))
		hooksTest(`${scene}: nothing crashes, hangs or leaks, and the next try works`, async () => {
			const recording = await recorded(scene);
			assert.equal(recording.lost, 0);
			const points = pointsOf(recording).filter((p) => p.cls !== 'alloc');
			assert.ok(points.length > 50, `${points.length} points`);
			const failures = [];
			let reached = 0;
			await runPoints(scene, sample(points, n, 1), { onResult: (point, result) => {
				reached += result.fired !== undefined;
				if (result.failure !== undefined)
					failures.push(`${point.key} (${result.fired?.fn} ${result.fired?.how}): ${result.failure}`, ...result.stack ?? []);
			} });
			assert.deepEqual(failures, []);
			assert.ok(reached > 0, 'nothing failed');
		});
});
