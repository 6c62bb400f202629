// A linked instance, and what happens to it while it is online (part "Online" of the fault table: O1 to O12)
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PLAIN, assertError, assertQr, eventually, startWorld } from './harness.mjs';

// A test clock needs --enable-test-hooks, which the plain build does not have.
const hooksTest = PLAIN ? () => {} : test;

// Links an instance by the real clock, then goes on with waits that are so many times shorter.
async function linkedAndFast(world, speed) {
	const made = await linked(world);
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await world.startGateway({ env: { WARDEN_TEST_SPEED: String(speed) } });
	await world.until(made.instance, 'connected');
	return made;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function withWorld(options, body) {
	const world = await startWorld({ sim: { tls: true }, ...options });
	try {
		await body(world);
	} finally {
		await world.stop();
	}
}

// Something happens now to the one connection of this phone.
async function strike(world, phone, fault) {
	const client = await eventually(async () => (await world.clients()).findLast((c) => c.number === phone.number),
	    { what: `a connection of ${phone.number}` });
	const r = await world.control('POST', `/clients/${client.id}/fault`, fault);
	assert.ok(r.status >= 200 && r.status < 300, r.text);
	return client;
}

async function linked(world) {
	const instance = await world.newInstance();
	const { phone, device } = await world.link(instance);
	return { instance, phone, device };
}

// How many connections this phone's device has begun so far.
async function logins(world, phone) {
	const { entries } = (await world.control('GET', '/log')).json;
	return entries.filter((e) => e.dir === 'out' && e.node?.tag === 'success' && e.node.attrs.lid?.startsWith(phone.lid.split('@')[0])).length;
}

// Nobody dials for so long.
async function assertQuiet(world, ms = 2500) {
	const newest = () => world.clients().then((list) => Math.max(0, ...list.map((c) => c.id)));
	const before_ = await newest();
	await sleep(ms);
	assert.equal(await newest(), before_, 'something dialled');
}

const ended = (world, instance, state, code) => world.until(instance, (i) =>
	i.connection.state === state && (code === undefined || i.connection.lastError?.code === code));

function asideFiles(world, instance) {
	return world.files(instance).filter((f) => /^session\.db\.[a-z_]+-\d+$/.test(f));
}

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
			const hits = async () => (await world.control('GET', '/faults')).json.find((f) => f.id === id).hit;
			const hit = await hits();
			assert.ok(hit <= 12, `${hit} tries in 8 s`);
			await eventually(async () => await hits() >= 2, { what: 'a second try' });
			await world.until(instance, (i) => i.connection.attempt >= 2);
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
		// one may miss a deadline that is a hundred times shorter here, and then it is none with a wrong certificate
		assert.ok(hit >= 10 && hit <= 20, `${hit} tries`);
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
