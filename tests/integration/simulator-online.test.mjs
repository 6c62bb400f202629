// warden-sim as the server of linked devices: logins, the offline queue, prekeys, devices that come and go
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world?.stop());

const control = (...args) => world.control(...args);

// Two or more instances linked to one phone.
async function linkAll(n) {
	const phone = await world.newPhone();
	const all = [];
	for (let i = 0; i < n; i++) {
		const instance = await world.newInstance();
		all.push({ instance, ...(await world.link(instance, { phone })) });
	}
	return { phone, all };
}

const clientOf = async (jid) => (await world.online()).findLast((c) => c.jid === jid);

// Stanzas of one connection, newest last.
async function stanzas(client, dir, tag) {
	const { entries } = (await control('GET', `/log?client=${client.id}`)).json;
	return entries.filter((e) => e.dir === dir && e.node?.tag === tag).map((e) => e.node);
}

const child = (node, tag) => Array.isArray(node.content) ? node.content.find((c) => c.tag === tag) : undefined;
const deviceLists = async (client) => (await stanzas(client, 'out', 'notification')).filter((n) => n.attrs.type === 'account_sync');
const jids = (notification) => child(notification, 'devices').content.filter((d) => d.tag === 'device').map((d) => d.attrs.jid);

// Drop the connection, and hold its device off with a fault until the caller lets it in again.
async function offline(phone, jid) {
	await world.fault('handshake', { kind: 'close' });
	await control('POST', `/clients/${(await clientOf(jid)).id}/fault`, { kind: 'close' });
	await eventually(async () => (await world.device(phone)).some((d) => d.jid === jid && !d.online));
}

describe('a login', () => {
	test('is answered with the LID of the device, routing info and dirty bits until they are cleaned', async () => {
		const { phone, all: [a] } = await linkAll(1);
		const first = await clientOf(a.jid);
		const [success] = await stanzas(first, 'out', 'success');
		assert.equal(success.attrs.lid, `${phone.lid.split('@')[0]}:${a.device}@lid`);
		const bulletins = await stanzas(first, 'out', 'ib');
		assert.ok(bulletins.some((b) => child(b, 'edge_routing')));
		assert.deepEqual(bulletins.filter((b) => child(b, 'dirty')).map((b) => child(b, 'dirty').attrs.type), ['account_sync', 'groups']);
		assert.deepEqual(bulletins.filter((b) => child(b, 'offline')).map((b) => child(b, 'offline').attrs.count), ['0']);
		await eventually(async () => JSON.stringify(await stanzas(first, 'in', 'iq')).includes('"groups"'), { what: 'clean' });
		await control('POST', `/clients/${first.id}/fault`, { kind: 'close' });
		const second = await eventually(async () => {
			const c = await clientOf(a.jid);
			return c && c.id !== first.id && c;
		});
		assert.equal(second.routing, 'ok');
		assert.equal(second.handshake, 'IK');
		assert.ok(!(await stanzas(second, 'out', 'ib')).some((b) => child(b, 'dirty')));
	});

	test('of a device that was unlinked is refused with 401', async () => {
		const { phone, all: [a] } = await linkAll(1);
		await offline(phone, a.jid);
		assert.equal((await world.unlink(phone, a.device)).status, 200);
		await world.clearFaults();
		await world.until(a.instance, 'loggedout', { timeoutMs: 20_000 });
	});

	test('shows in the phone: online, and when it was last', async () => {
		const { phone, all: [a] } = await linkAll(1);
		assert.deepEqual((await world.device(phone)).map((d) => [d.id, d.online]), [[a.device, true]]);
		await offline(phone, a.jid);
		const [device] = await world.device(phone);
		assert.ok(Math.abs(Date.parse(device.lastSeen) - Date.now()) < 10_000, device.lastSeen);
		await world.clearFaults();
	});
});

describe('devices of one account', () => {
	test('are told of each other, and each list is acked', async () => {
		const { all: [a, b] } = await linkAll(2);
		const lists = await eventually(async () => {
			const l = await deviceLists(await clientOf(a.jid));
			return l.length === 2 && l;
		}, { what: 'the list in both forms' });
		assert.deepEqual(jids(lists[0]).slice(1), [a.jid, b.jid]);
		assert.ok(lists.every((l) => child(child(l, 'devices'), 'key-index-list')));
		await eventually(async () => (await stanzas(await clientOf(a.jid), 'in', 'ack')).length >= 2, { what: 'acks' });
		assert.equal((await deviceLists(await clientOf(b.jid))).length, 0);
	});

	test('get what they missed, with a preview and its end, and once', async () => {
		const { phone, all: [a, b] } = await linkAll(2);
		await offline(phone, a.jid);
		await world.unlink(phone, b.device);
		await world.clearFaults();
		const client = await eventually(() => clientOf(a.jid), { timeoutMs: 20_000, what: 'a new login' });
		const lists = await eventually(async () => {
			const l = await deviceLists(client);
			return l.length === 2 && l;
		});
		assert.deepEqual(lists.map((l) => l.attrs.offline), ['0', '0']);
		assert.deepEqual(jids(lists[0]).slice(1), [a.jid]);
		const bulletins = await stanzas(client, 'out', 'ib');
		assert.equal(child(bulletins.find((n) => child(n, 'offline_preview')), 'offline_preview').attrs.notification, '2');
		assert.equal(child(bulletins.find((n) => child(n, 'offline')), 'offline').attrs.count, '2');
		await eventually(async () => (await stanzas(client, 'in', 'ack')).length >= 2);
		await control('POST', `/clients/${client.id}/fault`, { kind: 'close' });
		const next = await eventually(async () => {
			const c = await clientOf(a.jid);
			return c && c.id !== client.id && c;
		});
		await eventually(async () => (await stanzas(next, 'out', 'ib')).some((n) => child(n, 'offline')));
		assert.equal((await deviceLists(next)).length, 0);
	});
});

describe('prekeys', () => {
	test('that run low are asked for, and refilled', async () => {
		const { all: [a] } = await linkAll(1);
		const client = await clientOf(a.jid);
		const r = await control('POST', `/clients/${client.id}/prekeys`, { left: 2 });
		assert.equal(r.json.left, 2);
		await eventually(async () => (await stanzas(client, 'out', 'notification')).some((n) => n.attrs.type === 'encrypt'));
		await eventually(async () => {
			const uploads = (await stanzas(client, 'in', 'iq')).filter((n) => child(n, 'skey'));
			return uploads.length === 2 && child(uploads[1], 'list').content.length > 2;
		}, { what: 'a second upload' });
	});
});

describe('a connection that is online', () => {
	test('answers a ping, and is thrown out when it does not', async () => {
		const { all: [a] } = await linkAll(1);
		const client = await clientOf(a.jid);
		const { json } = await control('POST', `/clients/${client.id}/ping`, { timeoutMs: 5000 });
		await eventually(async () => (await stanzas(client, 'in', 'iq')).some((n) => n.attrs.id === json.id && n.attrs.type === 'result'));
		const [worker] = world.workers(a.instance);
		process.kill(worker.pid, 'SIGSTOP');
		try {
			await control('POST', `/clients/${client.id}/ping`, { timeoutMs: 200 });
			const error = await eventually(async () => (await stanzas(client, 'out', 'stream:error')).at(-1));
			assert.ok(child(error, 'ping'), JSON.stringify(error));
		} finally {
			process.kill(worker.pid, 'SIGCONT');
		}
	});

	test('can be struck by a fault now; elsewhere there is nothing to strike', async () => {
		const { phone, all: [a] } = await linkAll(1);
		const client = await clientOf(a.jid);
		const strike = (number) => control('POST', '/faults', { match: { stage: 'online', number }, fault: { kind: 'reset' }, now: true });
		assert.equal((await strike('5511900009999')).status, 409);
		const r = await strike(phone.number);
		assert.equal(r.status, 201, r.text);
		assert.equal(r.json.hit, 1);
		await eventually(async () => !(await world.clients()).some((c) => c.id === client.id));
		assert.deepEqual((await control('GET', '/faults')).json, []);
	});
});

describe('the server', () => {
	const server = async (body) => {
		const r = await (body === undefined ? control('GET', '/server') : control('POST', '/server', body));
		assert.equal(r.status, 200, r.text);
		return r.json;
	};

	test('goes away and comes back at the same port, with what waited meanwhile', async () => {
		const { phone, all: [a] } = await linkAll(1);
		const friend = await world.newPhone();
		const before = await server();
		assert.equal(before.open, true);
		assert.equal(before.online, (await world.online()).length);
		assert.ok(before.accepted > before.clients && before.clients >= before.online);
		const away = await server({ open: false });
		assert.deepEqual([away.open, away.clients, away.online], [false, 0, 0]);
		await assert.rejects(fetch(world.simInfo.url.replace(/^ws/, 'http').replace('/ws/chat', '/sw.js')));
		await world.until(a.instance, (i) => i.connection.state === 'connecting' && i.connection.attempt > 1);
		assert.equal((await server()).accepted, before.accepted);
		await control('POST', `/phones/${friend.number}/send`, { to: phone.number, text: 'meanwhile' });
		const queued = async () => (await world.device(phone, a.device)).queued;
		assert.ok(await queued() > 0);
		assert.deepEqual(await server({ open: false }), await server());
		assert.equal((await server({ open: true })).open, true);
		await world.request('POST', `/api/instance/reconnect/${a.instance.name}`, { token: a.instance.account });
		await world.until(a.instance, 'connected', { timeoutMs: 20_000 });
		await eventually(async () => await queued() === 0, { what: 'what waited to be taken' });
		assert.equal((await server({ open: true })).accepted, (await server()).accepted);
		assert.equal((await control('POST', '/server', { open: 1 })).status, 400);
	});
});
