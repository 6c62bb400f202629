// tests/integration/steps.test.mjs - create, connect, logout, delete of a few instances at random, at once (fault H15)
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SLOWNESS } from './harness.mjs';
import { withWorld } from './linked.mjs';
import { randomSteps } from './steps.mjs';

const STEPS = SLOWNESS === 1 ? 2000 : 250; // tests/bench/steps makes a hundred thousand

describe('many hands on few instances', () => {
	test(`${STEPS} random steps: every call is answered as it may be, and all agree in the end (H15)`,
	    { timeout: 120_000 * SLOWNESS }, () => withWorld({ gateway: { settings: { log_level: 'notice' } } }, async (world) => {
		const counts = await randomSteps(world, { steps: STEPS, seed: Number(process.env.SEED ?? 15) });
		for (const what of SLOWNESS > 1 ? [] : ['new 201', 'connect 200', 'logout 200', 'delete 200', 'reconnect 200', 'connect 500 superseded',
			'connect 500 deleted'])
			assert.ok(counts[what] > 0, `${what} never came: ${JSON.stringify(counts)}`);
	}));
});
