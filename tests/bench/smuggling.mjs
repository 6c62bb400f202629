// tests/bench/smuggling.mjs - the gate beside nginx, many requests
import { compare } from '../integration/gatediff.mjs';
import { describeMachine } from './machine.mjs';

const N = Number(process.argv[2]);
const SEED = Number(process.env.WARDEN_GATEDIFF_SEED);
const BATCH = 10_000; // what is held in memory

console.log(`smuggling: ${N} generated connections from seed ${SEED}; what the gate takes, nginx has to frame the same`);
console.log(describeMachine());
const total = { taken: 0, refused: 0, requests: 0, differences: [] };
for (let at = 0; at < N; at += BATCH) {
	const r = await compare({ n: Math.min(BATCH, N - at), seed: SEED + at });
	for (const key of ['taken', 'refused', 'requests'])
		total[key] += r[key];
	total.differences.push(...r.differences);
}
for (const { seed, what, bytes } of total.differences)
	console.log(`seed ${seed}: ${what}\n    ${JSON.stringify(bytes)}`);
console.log(`${total.taken} taken with ${total.requests} requests in them, ${total.refused} refused at once; ` +
    `${total.differences.length} differences (must: 0)`);
process.exitCode = total.differences.length === 0 ? 0 : 1;
