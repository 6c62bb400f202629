// A linked instance, and trouble that it survives (part "Online" of the fault table: O7 to O12)
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PLAIN, assertError, assertQr, eventually, startWorld } from './harness.mjs';
import { ended, linked, linkedAndFast, logins, sleep, strike, withWorld } from './online.mjs';

// A test clock needs --enable-test-hooks, which the plain build does not have.
const hooksTest = PLAIN ? () => {} : test;

describe('trouble that passes (O7, O11, O12)', () => {
	let world;
	before(async () => (world = await startWorld({ sim: { tls: true } })));
	after(() => world.stop());

	for (const fault of [{ kind: 'close' }, { kind: 'reset' }, { kind: 'stream_error', code: 503 },
		{ kind: 'stream_error', code: 500 }, { kind: 'stream_error', child: 'ack' }, { kind: 'stream_error', child: 'xml-not-well-formed' }])
		test(`${JSON.stringify(fault)}: connecting, and back by itself`, async () => {
			const { instance, phone } = await linked(world);
			await strike(world, phone, fault);
			await eventually(async () => (await logins(world, phone)) >= 2, { timeoutMs: 15_000, what: 'another login' });
			await world.until(instance, 'connected');
			assert.equal((await world.device(phone)).length, 1);
		});

	for (const code of [500, 503])
		test(`failure ${code}: tried again and again, at most 12 times a minute, never loggedout`, async () => {
			const { instance, phone } = await linked(world);
			const id = await world.fault('login', { kind: 'failure', code }, { number: phone.number });
			await strike(world, phone, { kind: 'close' });
			await ended(world, instance, 'connecting');
			const until = Date.now() + 8000;
			while (Date.now() < until) {
				assert.equal((await world.listed(instance)).status, 'connecting');
				await sleep(100);
			}
			const { hit } = (await world.control('GET', '/faults')).json.find((f) => f.id === id);
			assert.ok(hit >= 2 && hit <= 12, `${hit} tries in 8 s`);
			const listed = await world.listed(instance);
			assert.ok(listed.connection.attempt >= 2, `${listed.connection.attempt}`);
			await world.clearFaults();
			await world.until(instance, 'connected', { timeoutMs: 30_000 });
		});

	for (const [stage, kind, code] of [['tls', 'bad_cert', 'tls'], ['tls', 'expired_cert', 'tls'], ['handshake', 'bad_cert', 'handshake'], ['handshake', 'expired_cert', 'handshake']])
		test(`${kind} at ${stage}: ${code}, and no login leaves`, async () => {
			const { instance, phone } = await linked(world);
			// no server key is remembered: a Noise IK login is sealed for the server that was verified before
			assert.equal((await world.control('POST', '/noise', { rotate: true })).status, 200);
			const id = await world.fault(stage, { kind });
			try {
				await strike(world, phone, { kind: 'close' });
				await ended(world, instance, 'connecting', code);
				await eventually(async () => (await world.control('GET', '/faults')).json.find((f) => f.id === id).hit >= 2,
				    { timeoutMs: 15_000, what: 'another try' });
				assert.equal(await logins(world, phone), 1);
			} finally {
				await world.clearFaults();
			}
			await world.until(instance, 'connected', { timeoutMs: 30_000 });
		});

	for (const kind of ['garbage', 'oversize', 'corrupt'])
		test(`${kind} while online: protocol_error, and back`, async () => {
			const { instance, phone } = await linked(world);
			const { id } = await strike(world, phone, { kind });
			if (kind === 'corrupt') // it needs something to spoil
				await world.control('POST', `/clients/${id}/ping`, {});
			await eventually(async () => (await logins(world, phone)) >= 2, { timeoutMs: 40_000, what: 'another login' });
			await world.until(instance, 'connected');
		});

	test('unknown, doubled and reordered stanzas change nothing', async () => {
		const { instance, phone } = await linked(world);
		for (const kind of ['unknown', 'duplicate', 'reorder'])
			await world.fault('online', { kind }, { number: phone.number });
		await strike(world, phone, { kind: 'close' });
		await eventually(async () => (await logins(world, phone)) >= 2, { timeoutMs: 15_000 });
		await world.until(instance, 'connected');
		await world.clearFaults();
	});

	test('does not disturb another instance', async () => {
		const [a, b] = [await linked(world), await linked(world)];
		const [worker] = world.workers(b.instance);
		const before_ = await logins(world, b.phone);
		await strike(world, a.phone, { kind: 'reset' });
		await eventually(async () => (await logins(world, a.phone)) >= 2, { timeoutMs: 15_000 });
		assert.deepEqual(world.workers(b.instance), [worker]);
		assert.equal(await logins(world, b.phone), before_);
		assert.equal((await world.listed(b.instance)).status, 'connected');
	});
});

describe('a peer that is silently gone (O8)', () => {
	hooksTest('is noticed by pings, and the session comes back', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 20);
		const before_ = await logins(world, phone);
		await strike(world, phone, { kind: 'no_pong' });
		await eventually(async () => (await logins(world, phone)) > before_, { timeoutMs: 10_000, what: 'another login' });
		await world.until(instance, 'connected');
		const { entries } = (await world.control('GET', '/log')).json;
		assert.ok(entries.some((e) => e.dir === 'in' && e.node?.attrs.xmlns === 'w:p'), 'no ping');
	}));

	hooksTest('also when not a byte comes any more', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 20);
		const before_ = await logins(world, phone);
		await strike(world, phone, { kind: 'stall' });
		await eventually(async () => (await logins(world, phone)) > before_, { timeoutMs: 10_000, what: 'another login' });
		await world.until(instance, 'connected');
	}));
});

describe('tries that are bounded (O11, O12)', () => {
	hooksTest('a wrong certificate is tried 10 times, then no more', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 100);
		await world.fault('handshake', { kind: 'bad_cert' });
		await strike(world, phone, { kind: 'close' });
		const listed = await ended(world, instance, 'disconnected', 'handshake');
		assert.equal(listed.connection.nextRetryAt, null);
		const { hit } = (await world.control('GET', '/faults')).json[0];
		assert.ok(hit >= 10 && hit <= 11, `${hit} tries`);
	}));

	hooksTest('what is not the protocol ends it after five an hour', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 100);
		await world.fault('online', { kind: 'garbage' });
		await strike(world, phone, { kind: 'garbage' });
		const listed = await ended(world, instance, 'disconnected', 'protocol_error');
		assert.equal(listed.connection.nextRetryAt, null);
	}));
});

describe('names and hosts (O9, L4)', () => {
	test('a name that is not found any more: connecting, dns, and nobody else is held up', () => withWorld({}, async (world) => {
		const { instance } = await linked(world);
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		const url = new URL(world.simInfo.url);
		url.hostname = 'nobody.invalid';
		await world.startGateway({ settings: { wa_url: url.href } });
		const listed = await ended(world, instance, 'connecting', 'dns');
		assert.notEqual(listed.connection.nextRetryAt, null);
		await world.healthy();
		const answer = await world.connect(instance);
		assertError(answer, 500, 'Failed to generate QR code', 'dns');
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		await world.startGateway();
		await world.until(instance, 'connected');
	}));
});

describe('a proxy that is set while the instance is online (O10)', () => {
	const proxy = (world, instance, json) =>
		world.request('POST', `/api/instance/proxy/${instance.name}`, { token: instance.account, json });

	test('is what the next dial takes: nothing goes around it, and without it the session is back', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		const dead = await proxy(world, instance, { enabled: true, host: '127.0.0.1', port: 1, protocol: 'http' });
		assert.equal(dead.status, 200, dead.text);
		assert.equal((await world.listed(instance)).status, 'connected'); // what is connected stays
		await strike(world, phone, { kind: 'close' });
		await ended(world, instance, 'connecting', 'proxy_unreachable');
		const answer = await world.connect(instance);
		assertError(answer, 500, 'Failed to generate QR code', 'proxy_unreachable');
		assert.equal(await logins(world, phone), 1);
		assert.deepEqual((await world.clients()).filter((c) => c.number === phone.number), []);
		const off = await proxy(world, instance, { enabled: false });
		assert.equal(off.status, 200, off.text);
		const back = await world.connect(instance);
		assert.equal(back.json.status, 'connected', back.text);
	}));
});

describe('a linked instance on this host', () => {
	test('comes back when its worker is killed', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		for (let i = 0; i < 3; i++) {
			const [worker] = world.workers(instance);
			const before_ = await logins(world, phone);
			process.kill(worker.pid, 'SIGKILL');
			await eventually(async () => (await logins(world, phone)) > before_, { what: 'another login' });
			await world.until(instance, 'connected');
			assert.notEqual(world.workers(instance)[0].pid, worker.pid);
		}
		assert.equal((await world.device(phone)).length, 1);
	}));

	test('is started with the gateway, and logs in by Noise IK; with another server key it falls back', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		const handshakes = async () => (await world.clients()).filter((c) => c.number === phone.number).map((c) => c.handshake);
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		await eventually(async () => (await world.online()).length === 0);
		await world.startGateway();
		await world.until(instance, 'connected');
		assert.deepEqual(await handshakes(), ['IK']);
		assert.equal((await world.control('POST', '/noise', { rotate: true })).status, 200);
		await strike(world, phone, { kind: 'close' });
		await eventually(async () => (await handshakes()).includes('XXfallback'), { timeoutMs: 15_000 });
		await world.until(instance, 'connected');
	}));

	test('is not touched by a damaged session file: store_corrupt, never a new identity', () => withWorld({}, async (world) => {
		const { instance } = await linked(world);
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		const path = join(world.dataDir, 'instances', instance.id, 'session.db');
		writeFileSync(path, Buffer.alloc(8192, 0x5a));
		await world.startGateway();
		await ended(world, instance, 'disconnected', 'store_corrupt');
		assertError(await world.connect(instance), 500, 'Failed to generate QR code', 'store_corrupt');
		assert.deepEqual(readFileSync(path), Buffer.alloc(8192, 0x5a));
	}));

	test('is logged out by DELETE logout: gone at the phone and on disk, the instance stays', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		const r = await world.request('DELETE', `/api/instance/logout/${instance.name}`, { token: instance.account });
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(r.json, { success: true, message: 'Instance logged out', instance: { status: 'loggedout' } });
		assert.deepEqual(await world.device(phone), []);
		assert.deepEqual(world.files(instance).filter((f) => f.startsWith('session.db')), []);
		assert.equal((await world.listed(instance)).status, 'loggedout');
		assertQr(await world.connect(instance));
	}));

	test('can be logged out while it is offline; when WhatsApp can not be told: 500, and the session is kept', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		await world.fault('tcp', { kind: 'refuse' });
		await strike(world, phone, { kind: 'close' });
		await ended(world, instance, 'connecting');
		const logout = () => world.request('DELETE', `/api/instance/logout/${instance.name}`, { token: instance.account });
		const refused = await logout();
		assert.equal(refused.status, 500, refused.text);
		assert.equal(refused.json.error.message, 'Failed to logout instance');
		assert.ok(world.files(instance).includes('session.db'));
		await world.clearFaults();
		const done = await logout();
		assert.equal(done.status, 200, done.text);
		assert.deepEqual(await world.device(phone), []);
	}));

	test('is unlinked when it is deleted', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		const r = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(await world.device(phone), []);
		assert.deepEqual(world.files(instance), []);
	}));
});
