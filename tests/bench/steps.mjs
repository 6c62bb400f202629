// tests/bench/steps.mjs - N random steps on a few instances at once: no call that is answered as it may not be, one story in the end
import { SLOWNESS } from '../integration/harness.mjs';
import { withWorld } from '../integration/linked.mjs';
import { randomSteps } from '../integration/steps.mjs';
import { describeMachine } from './machine.mjs';

const N = Number(process.argv[2] ?? 200);
const SEED = Number(process.env.SEED ?? 15);

await withWorld({ gateway: { settings: { log_level: 'notice' } } }, async (world) => {
	const began = performance.now();
	let said = N;
	const counts = await randomSteps(world, { steps: N, seed: SEED }, (left) => {
		if (said - left >= 5000) {
			said = left;
			console.error(`${N - left} of ${N}`);
		}
	});
	console.log(`steps: ${N} random steps by 12 hands on 5 instances (seed ${SEED}): all answered as they may be; ` +
	    'list, registry, folders and workers agree at every rest');
	console.log(describeMachine());
	for (const [what, n] of Object.entries(counts).sort(([, a], [, b]) => b - a))
		console.log(`${String(n).padStart(8)}  ${what}`);
	console.log(`${((performance.now() - began) / 1000 / SLOWNESS).toFixed(0)} s in all`);
});
