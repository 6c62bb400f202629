// A worker is killed again and again while messages of every kind arrive: none is lost, none comes twice (fault table, H6).
// A seeded sample; tests/bench/kills has a thousand.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startWorld } from './harness.mjs';
import { killUnderTraffic } from './kills.mjs';

describe('kill -9 of a worker under traffic', () => {
	let world;
	before(async () => {
		world = await startWorld();
	});
	after(() => world?.stop());

	test('loses no message, doubles no event, uses no key twice', async () => {
		const { messages } = await killUnderTraffic(world, 12, 5);
		assert.ok(messages > 50, `only ${messages}`);
	});
});
