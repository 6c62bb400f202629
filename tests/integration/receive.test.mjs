// Messages in: each kind that others send arrives as one event, whatever happens on its way
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PLAIN, startWorld } from './harness.mjs';
import { linked, linkedAndFast, sleep } from './linked.mjs';
import { StreamFollower, assertWhole, textsOf } from './eventstream.mjs';

const hooksTest = PLAIN ? () => {} : test; // a test clock needs --enable-test-hooks

const messagesOf = (events) => events.filter((e) => e.event === 'message.exchange').map((e) => e.data);

describe('messages in', () => {
	let world;

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
	});
	after(() => world?.stop());

	const send = async (from, body) => {
		const r = await world.control('POST', `/phones/${from.number}/send`, body);
		assert.equal(r.status, 200, r.text);
		return r.json.id;
	};

	// The one event of a message; it may take until its sender was asked again.
	const told = (follower, id) => follower.until((events) => messagesOf(events).find((m) => m.id === id),
	    { what: `message ${id}` });

	test('every kind', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const live = await new StreamFollower(world, instance, { from: 0 }).open();
		const first = await send(sender, { to: phone.number, text: 'first' });
		const kinds = [
			[{ text: 'plain' }, 'text'],
			[{ text: 'wrapped', ephemeral: true }, 'text'],
			[{ text: 'to the number', pn: true }, 'text'],
			[{ text: 'answer', quote: { id: first, from: sender.number, text: 'first' } }, 'text'],
			[{ text: 'see https://example.org/', link: { url: 'https://example.org/', title: 't', description: 'd' } }, 'text'],
			[{ media: { kind: 'image', size: 1000, caption: 'a picture' } }, 'image'],
			[{ media: { kind: 'video', size: 1000 }, viewOnce: true }, 'video'],
			[{ media: { kind: 'audio', size: 1000, ptt: true } }, 'audio'],
			[{ media: { kind: 'document', size: 1000, fileName: 'a.pdf' } }, 'document'],
			[{ media: { kind: 'sticker', size: 1000 } }, 'sticker'],
			[{ location: { latitude: 1.5, longitude: -2.5, name: 'here' } }, 'location'],
			[{ contact: { name: 'Eve', number: sender.number } }, 'contact'],
			[{ reaction: { id: first, text: '\u{1f44d}' } }, 'reaction'],
			[{ poll: { name: 'which?', options: ['a', 'b'] } }, 'poll'],
			[{ edit: { id: first, text: 'second' } }, 'text'],
			[{ revoke: { id: first } }, 'revoke'],
		];
		const sent = [];
		for (const [body, type] of kinds)
			sent.push({ id: await send(sender, { to: phone.number, ...body }), type, body });
		for (const { id, type, body } of sent) {
			const m = await told(live, id);
			assert.equal(m.message.type, type, JSON.stringify(body));
			assert.equal(m.direction, 'incoming');
			assert.equal(m.chat.type, 'private');
			assert.equal(m.fromHistory, false);
			assert.equal(m.sender.jid, `${sender.number}@s.whatsapp.net`);
			assert.equal(m.sender.lid, sender.lid);
			if (body.text !== undefined)
				assert.equal(m.message.content, body.text);
		}
		assert.equal((await told(live, sent[5].id)).message.content, 'a picture');
		assert.deepEqual(messagesOf(live.events).map((m) => m.id), [first, ...sent.map((s) => s.id)], 'in order, once each');
		// and everyone of them was answered
		await live.close();
		const r = await world.control('GET', `/phones/${sender.number}/receipts`);
		assert.equal(r.json.counts.nack ?? 0, 0, JSON.stringify(r.json.counts));
		assert.equal(r.json.counts.retry ?? 0, 0, JSON.stringify(r.json.counts));
	});

	test('groups, and what the own phone sends', async () => {
		const { instance, phone } = await linked(world);
		const [a, b] = [await world.newPhone(), await world.newPhone()];
		const live = await new StreamFollower(world, instance, { from: 0 }).open();
		const made = await world.control('POST', '/groups', { subject: 'Three', participants: [a.number, b.number, phone.number] });
		assert.equal(made.status, 201, made.text);
		const group = made.json.jid;
		const ids = [
			await send(a, { to: group, text: 'from a' }),
			await send(b, { to: group, text: 'from b' }),
			await send(a, { to: group, text: 'again' }),
			await send(phone, { to: group, text: 'mine' }),
			await send(phone, { to: a.number, text: 'to a' }),
		];
		const got = [];
		for (const id of ids)
			got.push(await told(live, id));
		assert.deepEqual(got.map((m) => [m.message.content, m.direction, m.chat.jid]), [
			['from a', 'incoming', group], ['from b', 'incoming', group], ['again', 'incoming', group],
			['mine', 'outgoing', group], ['to a', 'outgoing', `${a.number}@s.whatsapp.net`]]);
		assert.equal(got[1].sender.jid, `${b.number}@s.whatsapp.net`);
		// one whose key never came is asked for, and comes with it
		const id = await send(b, { to: group, text: 'without its key', spoil: 'no_skdm' });
		assert.equal((await told(live, id)).message.content, 'without its key');
		await live.close();
	});

	test('what does not open is asked for again, and comes once', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const live = await new StreamFollower(world, instance, { from: 0 }).open();
		await told(live, await send(sender, { to: phone.number, text: 'first' }));
		for (const spoil of ['mac', 'duplicate', 'cipher', 'skip']) {
			const id = await send(sender, { to: phone.number, text: `after ${spoil}`, spoil, skip: 3 });
			assert.equal((await told(live, id)).message.content, `after ${spoil}`);
		}
		for (const spoil of ['prekey', 'signed']) { // only where a session begins
			const other = await world.newPhone();
			const id = await send(other, { to: phone.number, text: `after ${spoil}`, spoil });
			assert.equal((await told(live, id)).message.content, `after ${spoil}`);
		}
		await sleep(200); // what is doubled comes behind
		const texts = textsOf(live.events);
		assert.equal(new Set(texts).size, texts.length, `doubled: ${texts}`);
		await live.close();
	});

	test('kill -9 of the worker under traffic: nothing lost, nothing doubled, no key used twice', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const live = await new StreamFollower(world, instance, { from: 0 }).open();
		const n = 400;
		const sending = await world.control('POST', `/phones/${sender.number}/send`,
		    { to: phone.number, count: n, text: 'number {n}', perSecond: 200 });
		assert.ok(sending.status === 200 || sending.status === 202, sending.text);
		for (let kill = 0; kill < 5; kill++) {
			const seen = textsOf(live.events).length;
			await live.until((e) => textsOf(e).length > Math.min(seen + 20, n - 1));
			const [worker] = world.workers(instance);
			if (worker !== undefined)
				process.kill(worker.pid, 'SIGKILL');
			await world.until(instance, 'connected');
		}
		await live.until((e) => textsOf(e).length >= n, { timeoutMs: 30_000 });
		await sleep(300);
		const texts = textsOf(live.events);
		assert.deepEqual([...texts].sort(), Array.from({ length: n }, (_, i) => `number ${i}`).sort());
		assertWhole(live.events);
		const chains = (await world.control('GET', `/phones/${phone.number}/chains`)).json;
		assert.equal(chains.reused, 0, JSON.stringify(chains));
		await live.close();
	});

	// last: the clock of this world is another from here on
	hooksTest('what never opens becomes an event that says so', async () => {
		const { instance, phone } = await linkedAndFast(world, 50);
		const sender = await world.newPhone();
		const live = await new StreamFollower(world, instance, { from: 0 }).open();
		await told(live, await send(sender, { to: phone.number, text: 'first' }));
		const id = await send(sender, { to: phone.number, text: 'lost', spoil: 'mac', noRetry: true });
		const m = await told(live, id);
		assert.equal(m.message.type, 'undecryptable');
		assert.equal(m.message.content, '');
		await live.close();
	});
});
