// A gateway that is away for long: what is read from WhatsApp waits in the worker's outbox, up to a bound; then nothing more is read, so that
// WhatsApp keeps it. Nothing is lost, and all goes on when there is a gateway again.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PLAIN, eventually } from './harness.mjs';
import { linked, sleep, withWorld } from './linked.mjs';
import { StreamFollower, assertWhole } from './eventstream.mjs';

// A bound that messages of a test reach needs --enable-test-hooks, which the plain build does not have.
const hooksTest = PLAIN ? () => {} : test;
const BOUND = 60, MESSAGES = 700;

describe('the outbox of a worker without a gateway', () => {
	hooksTest('stops the reading at its bound, loses nothing, and goes on', () => withWorld({ gateway: { env: { WARDEN_TEST_OUTBOX: String(BOUND) } } }, async (world) => {
		const { instance, phone } = await linked(world);
		const bob = await world.newPhone();
		const [worker] = world.workers(instance);
		const send = async (body) => (await world.control('POST', `/phones/${bob.number}/send`, { to: phone.number, ...body })).json;
		const first = (await send({ text: 'with a gateway' })).id;
		const received = async () => new Set((await world.control('GET', `/phones/${bob.number}/receipts`)).json.receipts
		    .filter((r) => /:\d+@/.test(r.from)).map((r) => r.id)).size;
		await eventually(async () => await received() === 1, { what: 'the first one', timeoutMs: 15_000 });
		world.gateway.kill('SIGKILL');
		await world.gateway.waitExit();
		await send({ text: 'message {n} '.padEnd(4000, 'x'), count: MESSAGES, idPrefix: '3EB0AAAA' });
		await eventually(async () => await received() > BOUND, { what: 'the outbox to fill', timeoutMs: 20_000 });
		// It has come to a stand when two looks agree.
		let before = -1;
		await eventually(async () => {
			const now = await received(), still = now === before;
			before = now;
			await sleep(300);
			return still;
		}, { what: 'the reading to stop', timeoutMs: 20_000 });
		assert.ok(before < MESSAGES, `${before} were read: no bound`);
		assert.equal(world.workers(instance)[0]?.pid, worker.pid);
		await world.startGateway({ env: { WARDEN_TEST_OUTBOX: String(BOUND) } });
		const events = await new StreamFollower(world, instance, { from: 0 }).open();
		const got = (all) => all.filter((e) => e.event === 'message.exchange').map((e) => e.data.id);
		await events.until((all) => got(all).length >= MESSAGES + 1, { what: 'all of it', timeoutMs: 30_000 });
		const wanted = [first, ...Array.from({ length: MESSAGES }, (_, i) => `3EB0AAAA${i.toString(16).toUpperCase().padStart(8, '0')}`)];
		assert.deepEqual(got(events.events).map((id) => id.toUpperCase()), wanted);
		assertWhole(events.events);
		assert.equal(world.workers(instance)[0]?.pid, worker.pid, 'the session stayed');
		await events.close();
	}));
});
