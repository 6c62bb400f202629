// tests/bench/torture.mjs - kill -9 of the worker at random instants of a pairing: never half-linked
//
// Each round links one instance by QR and kills its worker at an instant drawn (seeded) from the time
// that a whole pairing takes, from the scan to `connected`. Afterwards the instance must be either linked
// and online, and so must the simulator see it; or unlinked, with no session on disk, and linkable again.
import { startWorld, eventually } from '../integration/harness.mjs';
import { describeMachine } from './machine.mjs';
import { killRound, makeRandom, measurePairing } from '../integration/killpoints.mjs';

const N = Number(process.argv[2] ?? 200);
const SEED = Number(process.env.SEED ?? 1);
const LANES = 4; // rounds at once

const world = await startWorld({ gateway: { settings: { log_level: 'notice' } } });
try {
	const random = makeRandom(SEED);
	const spanMs = await measurePairing(world, 10);
	const outcomes = { online: 0, unlinked: 0 };
	let done = 0;
	const lane = async () => {
		while (done < N) {
			const round = done++;
			const outcome = await killRound(world, random() * spanMs * 1.3);
			outcomes[outcome]++;
			if ((round + 1) % 100 === 0)
				console.error(`${round + 1} of ${N}: ${outcomes.online} online, ${outcomes.unlinked} unlinked`);
		}
	};
	const began = performance.now();
	await Promise.all(Array.from({ length: LANES }, lane));
	console.log(`torture: kill -9 of the worker at ${N} random instants of a pairing (seed ${SEED})`);
	console.log(describeMachine());
	console.log(`a pairing from scan to connected takes ${spanMs.toFixed(1)} ms here; ` +
	    `${((performance.now() - began) / 1000).toFixed(0)} s in all`);
	console.log(`afterwards online: ${outcomes.online}, unlinked and clean: ${outcomes.unlinked}, anything else: 0`);
	await eventually(() => world.healthy().then(() => true), { what: 'health' });
} finally {
	await world.stop();
}
