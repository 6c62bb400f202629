// warden-sim by its control API (contract "programs", section 5)
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { World, assertQr, eventually, readText, startWorld } from './harness.mjs';

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const control = (...args) => world.control(...args);

function assertRefused(r, code) {
	assert.ok(r.status >= 400 && r.status < 500, r.text);
	assert.equal(typeof r.json.error.code, 'string');
	assert.equal(typeof r.json.error.message, 'string');
	if (code !== undefined)
		assert.equal(r.json.error.code, code);
}

test('says where it is and which root key it signs with, in one JSON line', () => {
	assert.match(world.simInfo.url, /^ws:\/\/127\.0\.0\.1:\d+\/ws\/chat$/);
	assert.match(world.simInfo.control, /^http:\/\/127\.0\.0\.1:\d+$/);
	assert.match(world.simInfo.rootKey, /^[0-9a-f]{64}$/);
	assert.equal(world.simInfo.ca, null);
});

describe('phones', () => {
	test('are made, and read back', async () => {
		const made = await control('POST', '/phones', { number: '5511988880001', name: 'A', chats: 3, messages: 30 });
		assert.equal(made.status, 201, made.text);
		assert.equal(made.json.number, '5511988880001');
		assert.equal(made.json.jid, '5511988880001@s.whatsapp.net');
		assert.match(made.json.lid, /^\d+@lid$/);
		const read = await control('GET', '/phones/5511988880001');
		assert.equal(read.status, 200);
		assert.deepEqual(read.json.devices, []);
		assert.equal(read.json.jid, made.json.jid);
	});

	test('with a bad or used number, or a bad body, are refused', async () => {
		await control('POST', '/phones', { number: '5511988880002' });
		for (const body of [{ number: '5511988880002' }, { number: '12' }, { number: '0123456789' }, { number: 5511 }, {}, [], 'x'])
			assertRefused(await control('POST', '/phones', body));
		assert.equal((await control('GET', '/phones/5511900000000')).status, 404);
	});

	test('refuse an unknown ref with 409', async () => {
		await control('POST', '/phones', { number: '5511988880003' });
		const key = Buffer.alloc(32, 7).toString('base64');
		const qr = `https://wa.me/settings/linked_devices#2@${'A'.repeat(80)},${key},${key},${key},1`;
		const r = await control('POST', '/phones/5511988880003/scan', { qr });
		assert.equal(r.status, 409, r.text);
	});
});

describe('faults', () => {
	test('are numbered, and refused when they mean nothing', async () => {
		const a = await control('POST', '/faults', { match: { stage: 'online' }, fault: { kind: 'no_pong' } });
		assert.equal(a.status, 201, a.text);
		const b = await control('POST', '/faults', { match: { stage: 'online' }, fault: { kind: 'no_pong' } });
		assert.notEqual(a.json.id, b.json.id);
		for (const body of [{ fault: { kind: 'nonsense' } }, { match: { stage: 'nonsense' }, fault: { kind: 'close' } },
			{ match: { stage: 'tcp' }, fault: { kind: 'failure' } }, {}, { fault: 'close' }])
			assertRefused(await control('POST', '/faults', body));
		await world.clearFaults();
	});

	test('match the nth connection alone', async () => {
		await world.fault('registration', { kind: 'failure', code: 401 }, { nth: 2 });
		const statuses = [];
		for (let i = 0; i < 3; i++)
			statuses.push((await world.connect(await world.newInstance())).status);
		assert.deepEqual(statuses, [200, 500, 200]);
		await world.clearFaults();
	});
});

describe('clients and log', () => {
	test('show a client that waits for a scan, and its stanzas in both directions', async () => {
		const before_ = new Set((await world.clients()).map((c) => c.id));
		assertQr(await world.connect(await world.newInstance()));
		const client = await eventually(async () =>
			(await world.clients()).find((c) => !before_.has(c.id) && c.stage === 'pairing'), { what: 'the client at pairing' });
		assert.equal(client.number, null);
		assert.ok(Number.isFinite(Date.parse(client.connectedAt)) || typeof client.connectedAt === 'number');
		assert.deepEqual(await world.clients(), await world.clients());
		const holds = (entries, dir, text) => entries.some((e) => e.dir === dir && JSON.stringify(e.node).includes(text));
		const entries = await eventually(async () => {
			const list = (await control('GET', `/log?client=${client.id}`)).json.entries;
			assert.ok(list.every((e) => e.client === client.id));
			return holds(list, 'out', 'pair-device') && holds(list, 'in', 'result') && list;
		}, { what: 'pair-device out and its answer in' });
		const last = entries.at(-1).seq;
		assert.deepEqual((await control('GET', `/log?client=${client.id}&since=${last}`)).json.entries, []);
	});
});

test('unknown paths and methods are refused', async () => {
	assertRefused(await control('GET', '/nothing'));
	assertRefused(await control('PUT', '/phones', {}));
});

test('the version look-up is answered on the WhatsApp side', async () => {
	const r = await fetch(world.simInfo.url.replace(/^ws/, 'http').replace('/ws/chat', '/sw.js'));
	assert.equal(r.status, 200);
	assert.match(await r.text(), /\\?"client_revision\\?":\s*\d+/);
});

test('the same state directory keeps the same root key', async () => {
	const w = new World();
	try {
		const first = await w.startSim({ tls: true });
		assert.match(first.url, /^wss:/);
		assert.match(readText(first.ca), /BEGIN CERTIFICATE/);
		w.sim.kill('SIGTERM');
		assert.equal((await w.sim.waitExit()).code, 0);
		const second = await w.startSim({ tls: true, seed: 2 });
		assert.equal(second.rootKey, first.rootKey);
	} finally {
		await w.stop();
	}
});

test('the same seed makes the same choices', async () => {
	const keys = [];
	for (let i = 0; i < 2; i++) {
		const w = new World();
		try {
			const info = await w.startSim({ seed: 42 });
			const { json } = await w.control('POST', '/phones', { number: '5511988880009' });
			keys.push([info.rootKey, json.lid]);
		} finally {
			await w.stop();
			rmSync(w.dir, { recursive: true, force: true });
		}
	}
	assert.deepEqual(keys[0], keys[1]);
});
