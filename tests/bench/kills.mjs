// tests/bench/kills.mjs - kill -9 of a worker at random points under mixed traffic, and what was lost: nothing
import { startWorld } from '../integration/harness.mjs';
import { killUnderTraffic } from '../integration/kills.mjs';
import { describeMachine } from './machine.mjs';

const N = Number(process.argv[2] ?? 200);
const SEED = Number(process.env.SEED ?? 1);
const WORLD = 100; // kills of one session: its event stream is compared as a whole

console.log(`kills: kill -9 of the worker at ${N} random points under traffic (seed ${SEED})`);
console.log(describeMachine());
const world = await startWorld();
const began = performance.now();
const all = { kills: 0, messages: 0 };
try {
	for (let i = 0; all.kills < N; i++) {
		const done = await killUnderTraffic(world, Math.min(WORLD, N - all.kills), SEED * 1000 + i, {
			onKill: (kills, sent) => kills % 25 === 0 && console.error(`${all.kills + kills} of ${N}, ${sent} messages`),
		});
		all.kills += done.kills;
		all.messages += done.messages;
	}
	console.log(`${all.kills} kills, ${all.messages} messages, ${((performance.now() - began) / 1000).toFixed(0)} s`);
	console.log('messages lost 0, events doubled 0, keys used twice 0 (each was compared)');
} finally {
	await world.stop();
}
