// tests/integration/callers.mjs - two hundred callers connect one instance at once: one worker, one attempt, one code
import assert from 'node:assert/strict';
import { assertQr } from './harness.mjs';
import { call, sleep } from './linked.mjs';

const CALLERS = 200;

// One instance, its callers within so many ms; world is one of withWorld().
export async function callersRound(world, random, spreadMs) {
	const instance = await world.newInstance();
	const before = world.relay.dials.length;
	const answers = await Promise.all(Array.from({ length: CALLERS }, async () => {
		await sleep(random() * spreadMs);
		return world.connect(instance);
	}));
	assert.equal(new Set(answers.map((r) => assertQr(r).qrCode)).size, 1);
	assert.equal(world.relay.dials.length - before, 1);
	assert.equal(world.workers(instance).length, 1);
	const gone = await call(world, instance, 'DELETE', 'delete');
	assert.equal(gone.status, 200, gone.text);
}
