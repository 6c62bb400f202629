// A linked instance, and what WhatsApp ends or refuses while it is online (part "Online" of the fault table: O1 to O6)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PLAIN, assertError, assertQr, eventually, startWorld } from './harness.mjs';
import { asideFiles, assertQuiet, ended, linked, linkedAndFast, logins, strike, withWorld } from './online.mjs';

// A test clock needs --enable-test-hooks, which the plain build does not have.
const hooksTest = PLAIN ? () => {} : test;

describe('a link that WhatsApp ends (O1, O2)', () => {
	let world;
	before(async () => (world = await startWorld({ sim: { tls: true } })));
	after(() => world.stop());

	async function assertOver(instance, state, code) {
		const listed = await ended(world, instance, state, code);
		await eventually(() => world.workers(instance).length === 0, { what: 'no worker' });
		assert.equal(asideFiles(world, instance).length, 1, world.files(instance).join());
		assert.ok(!world.files(instance).includes('session.db'));
		assert.equal(listed.connection.nextRetryAt, null);
		await assertQuiet(world, 1500);
		const again = await world.request('POST', `/api/instance/reconnect/${instance.name}`, { token: instance.account });
		assertError(again, 400, 'Instance has no saved session — call /connect first', 'no_session');
		assertQr(await world.connect(instance)); // a fresh pairing, with other keys
	}

	test('unlinked on the phone while online: loggedout, keys set aside', async () => {
		const { instance, phone, device } = await linked(world);
		const r = await world.unlink(phone, device);
		assert.ok(r.status >= 200 && r.status < 300, r.text);
		await assertOver(instance, 'loggedout', 'logged_out');
	});

	test('stream error 516: loggedout', async () => {
		const { instance, phone } = await linked(world);
		await strike(world, phone, { kind: 'stream_error', code: 516 });
		await assertOver(instance, 'loggedout', 'logged_out');
	});

	for (const [code, state, word] of [[401, 'loggedout', 'logged_out'], [403, 'banned', 'banned'], [406, 'banned', 'banned']])
		test(`failure ${code} at the login: ${state}, keys set aside`, async () => {
			const { instance, phone } = await linked(world);
			await world.fault('login', { kind: 'failure', code }, { number: phone.number });
			await strike(world, phone, { kind: 'close' });
			await assertOver(instance, state, word);
			await world.clearFaults();
		});

	test('stream error 401 alone: the next login decides, and here it is let in', async () => {
		const { instance, phone } = await linked(world);
		await strike(world, phone, { kind: 'stream_error', code: 401 });
		await eventually(async () => (await logins(world, phone)) >= 2, { what: 'another login' });
		await world.until(instance, 'connected');
	});
});

describe('a temporary ban (O3)', () => {
	test('disconnected with its end; no dial before, not even by another gateway', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		await world.fault('login', { kind: 'failure', code: 402, expire: 3600 });
		await strike(world, phone, { kind: 'close' });
		const listed = await ended(world, instance, 'disconnected', 'temp_banned');
		const left = Date.parse(listed.connection.nextRetryAt) - Date.now();
		assert.ok(left > 3_500_000 && left <= 3_600_000, `${left} ms`);
		await assertQuiet(world);
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		await world.startGateway();
		await ended(world, instance, 'disconnected', 'temp_banned');
		await assertQuiet(world);
	}));

	test('that is over: it comes back by itself', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		await world.fault('login', { kind: 'failure', code: 402, expire: 4 }, { nth: 1 });
		await strike(world, phone, { kind: 'close' });
		const at = Date.now();
		await ended(world, instance, 'disconnected', 'temp_banned');
		await world.until(instance, 'connected', { timeoutMs: 15_000 });
		assert.ok(Date.now() - at >= 3000, `${Date.now() - at} ms`);
	}));
});

describe('the same device elsewhere (O4)', () => {
	test('disconnected, stream_replaced, one try after five minutes', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		await strike(world, phone, { kind: 'stream_error', child: 'replaced' });
		const listed = await ended(world, instance, 'disconnected', 'stream_replaced');
		const left = Date.parse(listed.connection.nextRetryAt) - Date.now();
		assert.ok(left > 290_000 && left <= 300_000, `${left} ms`);
		await assertQuiet(world);
		const r = await world.connect(instance); // a person may ask for it at once
		assert.equal(r.json.status, 'connected', r.text);
	}));

	hooksTest('three tries a day, then none', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 100);
		await world.fault('online', { kind: 'stream_error', child: 'replaced' });
		await strike(world, phone, { kind: 'stream_error', child: 'replaced' });
		await eventually(async () => {
			const { connection } = await world.listed(instance);
			return connection.state === 'disconnected' && connection.nextRetryAt === null;
		}, { timeoutMs: 20_000, what: 'the end of tries' });
		assert.equal((await world.control('GET', '/faults')).json[0].hit, 3);
	}));
});

describe('client outdated while online (O5, L12)', () => {
	test('one look-up for the host, all come back, no QR', () => withWorld({ gateway: { settings: { wa_version: 'auto' } } }, async (world) => {
		const all = [];
		for (let i = 0; i < (PLAIN ? 30 : 8); i++)
			all.push(await linked(world));
		const before_ = (await world.control('GET', '/version')).json;
		const next = before_.revision + 1000;
		await world.control('POST', '/version', { revision: next, minimum: next });
		for (const { phone } of all)
			await strike(world, phone, { kind: 'close' });
		for (const { instance, phone } of all) {
			await eventually(async () => (await logins(world, phone)) >= 2, { timeoutMs: 60_000, what: 'another login' });
			await world.until(instance, 'connected');
		}
		const { lookups } = (await world.control('GET', '/version')).json;
		assert.equal(lookups - before_.lookups, 1);
	}));

	test('that no look-up can better: disconnected, client_outdated naming the version used', () => withWorld({ gateway: { settings: { wa_version: 'auto' } } }, async (world) => {
		const { instance, phone } = await linked(world);
		const { revision } = (await world.control('GET', '/version')).json;
		await world.control('POST', '/version', { minimum: revision + 1 });
		await strike(world, phone, { kind: 'close' });
		const listed = await ended(world, instance, 'disconnected', 'client_outdated');
		assert.match(listed.connection.lastError.detail, new RegExp(`2\\.3000\\.${revision}`));
		await world.control('POST', '/version', { minimum: 0 });
		const r = await world.connect(instance);
		assert.equal(r.json.status, 'connected', r.text);
	}));

	test('the look-up is cached for the next gateway, and its absence stops nothing', () => withWorld({ gateway: { settings: { wa_version: 'auto' } } }, async (world) => {
		const { instance } = await linked(world);
		const { lookups } = (await world.control('GET', '/version')).json;
		assert.equal(lookups, 1);
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		await world.startGateway({ settings: { wa_version: 'auto' } });
		await world.until(instance, 'connected');
		assert.equal((await world.control('GET', '/version')).json.lookups, 1);
	}));
});

describe('a login that is refused for good (O6)', () => {
	let world;
	before(async () => (world = await startWorld({ sim: { tls: true } })));
	after(() => world.stop());

	for (const code of [400, 409, 415, 418, 501])
		test(`failure ${code}: disconnected, connect_failure_${code}, the session is kept`, async () => {
			const { instance, phone } = await linked(world);
			await world.fault('login', { kind: 'failure', code }, { number: phone.number });
			await strike(world, phone, { kind: 'close' });
			const listed = await ended(world, instance, 'disconnected', `connect_failure_${code}`);
			assert.equal(listed.connection.nextRetryAt, null);
			await assertQuiet(world, 1500);
			assert.ok(world.files(instance).includes('session.db'));
			await world.clearFaults();
			const r = await world.request('POST', `/api/instance/reconnect/${instance.name}`, { token: instance.account });
			assert.equal(r.status, 200, r.text);
			assert.deepEqual(r.json, { success: true, message: 'Reconnect initiated', status: 'connecting' });
			await world.until(instance, 'connected');
		});

	test('an unknown code is tried again: connecting, and back when it is over', async () => {
		const { instance, phone } = await linked(world);
		await world.fault('login', { kind: 'failure', code: 499 }, { number: phone.number });
		await strike(world, phone, { kind: 'close' });
		const listed = await ended(world, instance, 'connecting', 'connect_failure_499');
		assert.notEqual(listed.connection.nextRetryAt, null);
		await world.clearFaults();
		await world.until(instance, 'connected', { timeoutMs: 30_000 });
	});
});
