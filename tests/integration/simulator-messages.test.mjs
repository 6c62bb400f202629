// warden-sim as the people that a linked instance hears from: messages, receipts, groups, calls, and what is wrong with some
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';

let world, ann, bob, instance, jid;
before(async () => {
	world = await startWorld();
	ann = await world.newPhone();
	bob = await world.newPhone();
	instance = await world.newInstance();
	({ jid } = await world.link(instance, { phone: ann }));
});
after(() => world?.stop());

const control = (...args) => world.control(...args);
async function post(path, body) {
	const r = await control('POST', path, body);
	assert.ok(r.status < 300, `${path}: ${JSON.stringify(r.json)}`);
	return r.json;
}
const send = async (from, body) => (await post(`/phones/${from.number}/send`, { to: ann.number, ...body })).id;
const receipts = async (phone) => (await control('GET', `/phones/${phone.number}/receipts`)).json.receipts;
const device = async () => (await world.device(ann)).find((d) => d.jid === jid);
const idle = () => eventually(async () => (await device()).queued === 0, { what: 'nothing waits' });
// What the instance has said of a message: types of receipts, "ack", "nack".
const said = async (phone, id) => (await receipts(phone)).filter((r) => r.id === id);
const hears = (phone, id, ...types) => eventually(async () => (await said(phone, id)).find((r) => types.includes(r.type)), { what: `${types} of ${id}` });
const clientOf = async () => (await world.online()).findLast((c) => c.jid === jid);
async function stanzas(client, dir, tag) {
	const { entries } = (await control('GET', `/log?client=${client.id}`)).json;
	return entries.filter((e) => e.dir === dir && e.node?.tag === tag).map((e) => e.node);
}
const child = (node, tag) => Array.isArray(node.content) ? node.content.find((c) => c.tag === tag) : undefined;

describe('a message', () => {
	test('is taken with a receipt, and with one that says so when the own phone sent it', async () => {
		await hears(bob, await send(bob, { text: 'hello' }), 'delivered', 'inactive');
		await hears(ann, await send(ann, { to: bob.number, text: 'mine' }), 'sender');
		await idle();
	});

	test('waits while the device is away, and comes again until it is acked', async () => {
		await world.fault('handshake', { kind: 'close' });
		await post(`/clients/${(await clientOf()).id}/fault`, { kind: 'close' });
		await eventually(async () => !(await device()).online);
		const ids = [];
		for (const text of ['one', 'two', 'three'])
			ids.push(await send(bob, { text }));
		assert.equal((await device()).queued, 3);
		await world.clearFaults();
		for (const id of ids)
			await hears(bob, id, 'delivered', 'inactive');
		await idle();
		const client = await clientOf();
		const came = (await stanzas(client, 'out', 'message')).filter((n) => ids.includes(n.attrs.id));
		assert.deepEqual(came.map((n) => n.attrs.id), ids);
		assert.ok(came.every((n) => n.attrs.offline === '0'));
		const preview = (await stanzas(client, 'out', 'ib')).find((n) => child(n, 'offline_preview'));
		assert.equal(child(preview, 'offline_preview').attrs.message, '3');
	});

	test('in very many pieces all arrives', async () => {
		const r = await post(`/phones/${bob.number}/send`, { to: ann.number, text: 'row {n}', count: 1000 });
		await idle();
		const got = (await receipts(bob)).filter((e) => e.id.startsWith(r.idPrefix) && e.type !== 'retry');
		assert.equal(new Set(got.map((e) => e.id)).size, 1000);
	});

	for (const spoil of ['mac', 'cipher', 'padding', 'prekey', 'signed'])
		test(`that cannot be opened (${spoil}) is asked for again, and comes`, async () => {
			const id = await send(bob, { text: spoil, spoil });
			await hears(bob, id, 'retry');
			await hears(bob, id, 'delivered', 'inactive');
		});

	test('with a counter far ahead is opened, one too far is asked for', async () => {
		const near = await send(bob, { text: 'near', skip: 1990 });
		await hears(bob, near, 'delivered', 'inactive');
		assert.ok(!(await said(bob, near)).some((r) => r.type === 'retry'));
		const far = await send(bob, { text: 'far', skip: 2100 });
		await hears(bob, far, 'retry');
		await hears(bob, far, 'delivered', 'inactive');
	});

	test('that is never sent again is asked for a few times only', async () => {
		const id = await send(bob, { text: 'never', spoil: 'mac', noRetry: true });
		await hears(bob, id, 'retry');
		await idle();
		assert.ok((await said(bob, id)).filter((r) => r.type === 'retry').length <= 5);
	});
});

describe('what is no message to show', () => {
	const bad = {
		'an unknown type of seal': { text: 'x', spoil: 'type' },
		'no seal at all': { text: 'x', spoil: 'empty' },
		'one that other devices may not see': { text: 'x', spoil: 'unavailable' },
		'no protobuf': { garbage: 500 },
		'a bomb of wrappers': { nest: 20000 },
		'a huge text': { giant: 2_000_000 },
		'the same stanza twice': { text: 'x', spoil: 'duplicate' },
	};
	for (const [what, body] of Object.entries(bad))
		test(`${what} is answered, and the session stays`, async () => {
			const before = await clientOf();
			const id = await send(bob, body);
			await eventually(async () => (await said(bob, id)).length > 0, { what: 'an answer' });
			await idle();
			assert.equal((await clientOf()).id, before.id);
			await hears(bob, await send(bob, { text: 'after it' }), 'delivered', 'inactive');
		});
});

describe('a group', () => {
	test('is told of, and its messages are opened', async () => {
		const group = await post('/groups', { subject: 'Two', participants: [bob.number, ann.number] });
		const told = await eventually(async () => (await stanzas(await clientOf(), 'out', 'notification')).find((n) => n.attrs.type === 'w:gp2' && n.attrs.from === group.jid));
		await eventually(async () => (await stanzas(await clientOf(), 'in', 'ack')).some((n) => n.attrs.id === told.attrs.id));
		for (const text of ['first', 'second'])
			await hears(bob, await send(bob, { to: group.jid, text }), 'delivered', 'inactive');
		const id = await send(bob, { to: group.jid, text: 'no key', spoil: 'no_skdm' });
		await hears(bob, id, 'retry');
		await hears(bob, id, 'delivered', 'inactive');
	});
});

test('a call is acked', async () => {
	const { id } = await post(`/phones/${bob.number}/call`, { to: ann.number });
	await eventually(async () => (await stanzas(await clientOf(), 'out', 'call')).some((n) => child(n, 'offer')?.attrs['call-id'] === id));
	await idle();
});

test('a phone that is installed anew begins another session', async () => {
	await post(`/phones/${bob.number}/reinstall`, {});
	await hears(bob, await send(bob, { text: 'new phone' }), 'delivered', 'inactive');
});

test('no chain key is used twice', async () => {
	const { json } = await control('GET', `/phones/${ann.number}/chains`);
	assert.equal(json.reused, 0);
});

test('what makes no sense is refused', async () => {
	const cases = [
		[`/phones/1000000/send`, { to: ann.number, text: 'x' }, 404],
		[`/phones/${bob.number}/send`, { to: '1000000', text: 'x' }, 404],
		[`/phones/${bob.number}/send`, { text: 'x' }, 400],
		[`/phones/${bob.number}/send`, { to: ann.number }, 400],
		[`/phones/${bob.number}/send`, { to: ann.number, text: 'x', spoil: 'nothing' }, 400],
		[`/phones/${bob.number}/send`, { to: ann.number, raw: 'abc' }, 400],
		[`/groups`, { subject: 'x', participants: [] }, 400],
		[`/groups/none/subject`, { text: 'x' }, 404],
		[`/phones/${bob.number}/read`, { chat: ann.number, ids: [] }, 400],
		[`/phones/${bob.number}/call`, { to: '1000000' }, 404],
	];
	for (const [path, body, status] of cases) {
		const r = await control('POST', path, body);
		assert.equal(r.status, status, `${path} ${JSON.stringify(body)}: ${JSON.stringify(r.json)}`);
	}
});
