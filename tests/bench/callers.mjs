// tests/bench/callers.mjs - N times two hundred callers connect the same instance at once: one worker, one code
import { callersRound } from '../integration/callers.mjs';
import { makeRandom } from '../integration/killpoints.mjs';
import { withWorld } from '../integration/linked.mjs';
import { describeMachine } from './machine.mjs';

const N = Number(process.argv[2] ?? 200);
const SEED = Number(process.env.SEED ?? 1);
const SPREAD_MS = 150; // about what a code takes

await withWorld({ gateway: { settings: { log_level: 'notice' } } }, async (world) => {
	const random = makeRandom(SEED);
	const began = performance.now();
	for (let run = 0; run < N; run++) {
		await callersRound(world, random, run % 2 === 0 ? 0 : random() * SPREAD_MS);
		if ((run + 1) % 100 === 0)
			console.error(`${run + 1} of ${N}`);
	}
	console.log(`callers: ${N} times 200 callers at once (seed ${SEED}): each time one dial, one worker, one code for all`);
	console.log(describeMachine());
	console.log(`${((performance.now() - began) / 1000).toFixed(0)} s in all`);
});
