// A message that kills the worker each time it comes (fault table, H3): set aside after three deaths, the session goes on,
// what was sent before and after it arrives. A build with test hooks dies of every stanza whose id begins with TESTDEATH.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PLAIN, eventually, startWorld } from './harness.mjs';
import { linked } from './linked.mjs';

describe('a message that kills the worker', () => {
	let world;
	before(async () => {
		world = PLAIN ? null : await startWorld();
	});
	after(() => world?.stop());

	const hooked = PLAIN ? () => {} : test;

	hooked('is set aside after three deaths, and the session goes on', async () => {
		const made = await linked(world);
		const others = await linked(world);
		const from = await world.newPhone();
		const send = async (body) => {
			const r = await world.control('POST', `/phones/${from.number}/send`, { to: made.phone.number, ...body });
			assert.equal(r.status, 200, r.text);
			return r.json.id;
		};
		const answers = async (id) => {
			const r = await world.control('GET', `/phones/${from.number}/receipts`);
			return r.json.receipts.filter((x) => x.id === id && !x.from.includes(`${made.phone.number}@`));
		};
		const otherPid = world.workers(others.instance)[0].pid;

		const first = await send({ text: 'before' });
		await eventually(async () => (await answers(first)).length > 0, { what: 'the first is answered', timeoutMs: 20_000 });
		const began = Date.now();
		const poison = await send({ text: 'poison', id: 'TESTDEATH1' });
		assert.equal(poison, 'TESTDEATH1');
		const second = await send({ text: 'after' });
		await eventually(async () => (await answers(second)).some((x) => x.type !== 'retry'),
			{ what: 'the one after it is answered', timeoutMs: 60_000 });
		const took = Date.now() - began;
		await world.until(made.instance, 'connected', { timeoutMs: 20_000 });
		assert.ok((await answers(poison)).some((x) => x.type === 'nack' && x.code === 500), 'it was acknowledged as unhandled');
		const log = world.gateway.stderr;
		assert.equal([...log.matchAll(/"?set_aside"?/g)].length > 0, true, 'the gateway says so');
		assert.equal(world.workers(others.instance)[0].pid, otherPid, 'no other instance noticed');
		console.log(`# session went on after ${took} ms`);
	});
});
