// The text that a declined call is answered with: as real Signal messages to every device, once, and whatever happens on the way.
// And the signed pre-key, which is another one after a while.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';
import { makeRandom } from './kills.mjs';
import { linked, reconnect, sleep } from './linked.mjs';
import { StreamFollower, assertWhole } from './eventstream.mjs';

const TEXT = 'Not now, thanks ✋';
const user = (number) => `${number}@s.whatsapp.net`;

describe('a declined call is answered with a text', () => {
	let world, instance, phone, ana, events;

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
		({ instance, phone } = await linked(world));
		ana = await world.newPhone({ name: 'Ana' });
		events = await new StreamFollower(world, instance, { from: 0 }).open();
		const r = await world.request('POST', `/api/instance/settings/${instance.name}`,
		    { token: instance.account, json: { autoRejectCalls: true, callRejectMessage: TEXT } });
		assert.equal(r.status, 200, r.text);
	});
	after(async () => {
		await events?.close();
		await world?.stop();
	});

	const control = async (method, path, body) => {
		const r = await world.control(method, path, body);
		assert.ok(r.status < 300, r.text);
		return r.json;
	};
	const call = (from, more) => control('POST', `/phones/${from.number}/call`, { to: phone.number, ...more });
	const inbox = async (p) => (await control('GET', `/phones/${p.number}/inbox`)).messages;
	const texts = async (p) => (await inbox(p)).filter((m) => m.text === TEXT);
	const arrived = (p) => eventually(async () => (await texts(p))[0], { what: `the text at ${p.number}`, timeoutMs: 20_000 });
	const declined = (id) => events.until((all) => all.find((e) => e.event === 'call.update' && e.data.id === id && e.data.automatic)?.data,
	    { what: `call ${id} to be declined` });
	const outgoing = (id) => events.until((all) => all.find((e) => e.event === 'message.exchange' && e.data.id === id)?.data, { what: `the event of ${id}` });
	const chains = () => control('GET', `/phones/${phone.number}/chains`);

	test('the caller gets it, our own phone sees it, and it is an event and a stored message', async () => {
		const { id } = await call(ana);
		await declined(id);
		const text = await arrived(ana);
		assert.match(text.id, /^3EB0[0-9A-F]{18}$/);
		assert.match(text.from, new RegExp(`^${phone.number}:\\d+@s.whatsapp.net$`));
		const own = await eventually(async () => (await inbox(phone)).find((m) => m.id === text.id), { what: 'the own phone to have it' });
		assert.equal(own.to, user(ana.number));
		assert.equal(own.text, TEXT);
		const told = await outgoing(text.id);
		assert.equal(told.direction, 'outgoing');
		assert.equal(told.chat.jid, user(ana.number));
		assert.equal(told.chat.type, 'private');
		assert.deepEqual([told.message.type, told.message.content, told.message.source], ['text', TEXT, 'web']);
		await events.until((all) => all.some((e) => e.event === 'message.status' && e.data.status === 'delivered' &&
			e.data.messageIds.includes(text.id)), { what: 'it to be delivered' });
		const history = await world.request('POST', `/api/chat/history/${instance.name}`,
		    { token: instance.account, json: { number: ana.number, count: 1 } });
		assert.ok(history.text.includes(text.id), history.text);
	});

	test('once an hour, and never to a group', async () => {
		await declined((await call(ana)).id);
		const group = await control('POST', '/groups', { subject: 'Calls', participants: [phone.number, ana.number] });
		await declined((await call(ana, { to: undefined, group: group.jid })).id);
		const bea = await world.newPhone({ name: 'Bea' });
		await declined((await call(bea, { to: undefined, group: group.jid })).id).catch(() => {});
		const cem = await world.newPhone({ name: 'Cem' });
		await call(cem); // what was to come of the others has come when his is here
		await arrived(cem);
		assert.equal((await texts(ana)).length, 1);
		assert.equal((await texts(bea)).length, 0);
	});

	test('a phone that cannot open it asks again, and gets it', async () => {
		const dan = await world.newPhone({ name: 'Dan' });
		const { id } = await control('POST', `/phones/${dan.number}/send`, { to: phone.number, text: 'hello' });
		await outgoing(id);
		await control('POST', `/phones/${dan.number}/reinstall`, { keepDevices: true, quiet: true });
		await call(dan);
		const text = await arrived(dan);
		assert.equal((await texts(dan)).length, 1);
		const again = (await control('GET', '/log')).entries.filter((e) => e.dir === 'in' && e.node?.tag === 'message' &&
			e.node.attrs.id === text.id);
		assert.equal(again.length, 2, 'sent, and sent again');
		assert.equal(again[1].node.attrs.device_fanout, 'false');
		assert.equal((await chains()).reused, 0);
	});

	test('kill -9 at any point: who was declined gets one text, and no key is used twice', async () => {
		const random = makeRandom(11);
		const callers = await Promise.all(Array.from({ length: 5 }, () => world.newPhone()));
		for (const caller of callers) {
			await world.until(instance, 'connected', { timeoutMs: 30_000 });
			await call(caller);
			await sleep(random() * 40);
			const [worker] = world.workers(instance);
			if (worker !== undefined)
				process.kill(worker.pid, 'SIGKILL');
			await eventually(() => world.workers(instance).every((w) => w.pid !== worker?.pid), { what: 'its end' });
			await reconnect(world, instance);
		}
		await world.until(instance, 'connected', { timeoutMs: 30_000 });
		// One that rings before the worker is really back is an old call to it, and not declined.
		const last = await world.newPhone();
		await eventually(async () => {
			const { id } = await call(last);
			const of = () => events.events.filter((e) => e.event === 'call.update' && e.data.id === id);
			await eventually(() => of().length > 0, { what: 'the call to be told of', timeoutMs: 20_000 });
			await sleep(100);
			return of().some((e) => e.data.automatic);
		}, { what: 'the last call to be declined', timeoutMs: 20_000 });
		await arrived(last);
		// One that rang while there was no worker is told of as an old call, not declined.
		const told = new Set(events.events.filter((e) => e.event === 'call.update' && e.data.automatic).map((e) => e.data.from.jid));
		for (const caller of callers) {
			if (told.has(user(caller.number)))
				await arrived(caller);
			const got = await texts(caller);
			assert.equal(got.length, told.has(user(caller.number)) ? 1 : 0, `texts of ${caller.number}`);
			assert.equal(events.events.filter((e) => e.event === 'message.exchange' && e.data.chat.jid === user(caller.number)).length, got.length);
		}
		assert.ok(callers.some((c) => told.has(user(c.number))), 'none was declined in time');
		assertWhole(events.events);
		assert.equal((await chains()).reused, 0);
	});
});

describe('the keys of a companion', () => {
	let world, events;
	before(async () => {
		world = await startWorld({ sim: { tls: true } });
	});
	after(async () => {
		await events?.close();
		await world?.stop();
	});

	test('has another signed pre-key after 27 days, and is written to with it', async () => {
		const { instance, phone } = await linked(world);
		const [{ id }] = world.workers(instance);
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		await eventually(() => world.workers().length === 0, { what: 'no worker', timeoutMs: 20_000 });
		const db = new DatabaseSync(join(world.dataDir, 'instances', id, 'session.db'));
		db.exec(`UPDATE link SET linked_unix_s = linked_unix_s - ${28 * 24 * 3600}`);
		db.close();
		const rotations = async () => (await world.control('GET', '/log')).json.entries.filter((e) => e.dir === 'in' && e.node?.tag === 'iq' &&
			e.node.content?.[0]?.tag === 'rotate');
		const before = (await rotations()).length;
		await world.startGateway();
		await world.until(instance, 'connected', { timeoutMs: 30_000 });
		await eventually(async () => (await rotations()).length === before + 1, { what: 'the rotation', timeoutMs: 20_000 });
		events = await new StreamFollower(world, instance, { from: 0 }).open();
		const fay = await world.newPhone({ name: 'Fay' });
		const r = await world.control('POST', `/phones/${fay.number}/send`, { to: phone.number, text: 'with the new key' });
		const told = await events.until((all) => all.find((e) => e.event === 'message.exchange' && e.data.id === r.json.id)?.data, { what: 'the message' });
		assert.equal(told.message.content, 'with the new key');
	});
});
