// new, list and delete (contract section 3), and what survives a restart
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { assertError, assertQr, eventually, folder, startWorld } from './harness.mjs';

let world;
let account;

before(async () => {
	world = await startWorld();
});
beforeEach(async () => {
	account = await world.newAccount();
});
after(() => world?.stop());

const create = (json, token = account.token) => world.request('POST', '/api/instance/new', { token, json });
const list = (query = '', token = account.token) => world.request('GET', `/api/instance/list${query}`, { token });
const remove = (name, token = account.token) => world.request('DELETE', `/api/instance/delete/${name}`, { token });

const LISTED_KEYS = ['connection', 'createdAt', 'history', 'id', 'name', 'numberJid', 'profile', 'proxy',
	'settings', 'status', 'updatedAt', 'webhook', 'websocket'];

function assertInstance(instance, name) {
	assert.deepEqual(Object.keys(instance).filter((k) => k !== 'token').sort(), LISTED_KEYS);
	assert.equal(instance.name, name);
	assert.match(instance.id, /^[a-z2-7]{16}$/);
	assert.equal(instance.status, instance.connection.state);
	for (const at of [instance.createdAt, instance.updatedAt])
		assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at);
	assert.deepEqual(Object.keys(instance.connection).sort(), ['attempt', 'displayStatus', 'lastError',
		'nextRetryAt', 'numberJid', 'presenceStatus', 'since', 'state']);
	assert.deepEqual(instance.settings, { autoRejectCalls: false, callRejectMessage: '',
		ignoreGroupMessages: false, keepOnlineStatus: false, autoReadMessages: false,
		disableHistorySync: true, ignoreStatus: false });
	assert.equal(instance.webhook.enabled, false);
	assert.equal(instance.proxy.enabled, false);
	assert.deepEqual(instance.websocket, { enabled: false, events: [], mediaBase64: false });
}

describe('new', () => {
	test('answers 201 with the instance and its token, once', async () => {
		const r = await create({ name: 'sales' });
		assert.equal(r.status, 201, r.text);
		assert.equal(r.json.success, true);
		assert.equal(r.json.message, 'Instance created');
		assertInstance(r.json.instance, 'sales');
		assert.equal(r.json.instance.status, 'disconnected');
		assert.match(r.json.instance.token, /^[A-Za-z0-9._~-]{16,128}$/);
		const listed = (await list('?instanceName=sales')).json.instances[0];
		assertInstance(listed, 'sales');
		assert.equal(listed.token, undefined);
	});

	test('takes a token of the caller', async () => {
		const token = 'a-token.of_my~own-1234';
		const r = await create({ name: 'own', token });
		assert.equal(r.status, 201, r.text);
		assert.equal(r.json.instance.token, token);
		assert.equal((await list('', token)).status, 200);
		world.secrets.add(token);
	});

	test('refuses a token that is too short, too long or has other characters', async () => {
		for (const token of ['short', 'x'.repeat(15), 'x'.repeat(129), 'with spaces in the token', 'ümlaut-ümlaut-ümlaut'])
			assertError(await create({ name: 'bad', token }), 400, 'Invalid request body', 'invalid_body');
		assert.equal((await list()).json.meta.total, 0);
	});

	test('refuses a token that is in use', async () => {
		const token = 'used-by-another-instance';
		assert.equal((await create({ name: 'first', token })).status, 201);
		const r = await create({ name: 'second', token });
		assert.ok(r.status >= 400 && r.status < 500, r.text);
		assert.equal((await list()).json.meta.total, 1);
	});

	test('refuses a second instance of the name', async () => {
		assert.equal((await create({ name: 'one' })).status, 201);
		assertError(await create({ name: 'one' }), 409, 'Instance already exists', 'instance_exists');
	});

	test('takes only one of fifty at once', async () => {
		const answers = await Promise.all(Array.from({ length: 50 }, () => create({ name: 'race' })));
		const statuses = answers.map((r) => r.status).sort();
		assert.deepEqual(statuses, [201, ...Array(49).fill(409)]);
	});

	test('needs a name', async () => {
		for (const json of [{}, { name: '' }, undefined])
			assertError(await create(json), 400, 'Instance name is required', 'instance_name_required');
	});

	test('refuses a bad name', async () => {
		for (const name of ['a b', '../x', 'a/b', 'ü', 'x'.repeat(101), '.'])
			assertError(await create({ name }), 400, 'Invalid instance name', 'invalid_name');
		assert.equal((await create({ name: 'x'.repeat(100) })).status, 201);
	});

	test('refuses a body that is no JSON object, or a key of the wrong type', async () => {
		const send = (body) => world.request('POST', '/api/instance/new', { token: account.token, body,
			headers: { 'content-type': 'application/json' } });
		for (const body of ['{', '[]', '"name"', 'null', '{"name":1}', '{"name":"x","autoRejectCalls":"yes"}',
			'{"name":"x","token":5}', '{"name":"x"} trailing', '{"name":"\\ud800"}', '{"name":"a\\u0000b"}',
			'['.repeat(10_000)]) {
			const r = await send(body);
			assert.equal(r.status, 400, `${body.slice(0, 40)}: ${r.text}`);
			assert.ok(['invalid_body', 'invalid_name'].includes(r.json.error.code), r.text);
		}
		assert.equal((await list()).json.meta.total, 0);
	});

	test('ignores unknown keys', async () => {
		assert.equal((await create({ name: 'lenient', colour: 'green' })).status, 201);
	});

	test('keeps the settings it was given', async () => {
		const r = await create({ name: 'set', autoRejectCalls: true, callRejectMessage: 'later', ignoreStatus: true });
		assert.equal(r.status, 201, r.text);
		assert.equal(r.json.instance.settings.autoRejectCalls, true);
		assert.equal(r.json.instance.settings.callRejectMessage, 'later');
		assert.equal(r.json.instance.settings.ignoreStatus, true);
		assert.equal(r.json.instance.settings.autoReadMessages, false);
	});

	test('stops at the quota of the account, and goes on after a delete', async () => {
		const small = await world.newAccount({ quota: 2 });
		assert.equal((await create({ name: 'a' }, small.token)).status, 201);
		assert.equal((await create({ name: 'b' }, small.token)).status, 201);
		assertError(await create({ name: 'c' }, small.token), 403, 'Account instance quota exceeded', 'quota_exceeded');
		assert.equal((await remove('a', small.token)).status, 200);
		assert.equal((await create({ name: 'c' }, small.token)).status, 201);
	});
});

describe('list', () => {
	test('answers none, one and several with their messages', async () => {
		const none = await list();
		assert.equal(none.status, 200);
		assert.deepEqual(none.json, { success: true, message: '0 Instances found', instances: [], meta: { total: 0 } });
		await create({ name: 'a' });
		const one = await list();
		assert.equal(one.json.message, '1 Instance found');
		assert.equal(one.json.meta.total, 1);
		await create({ name: 'b' });
		const two = await list();
		assert.equal(two.json.message, '2 Instances found');
		assert.deepEqual(two.json.instances.map((i) => i.name), ['a', 'b']);
	});

	test('filters by one name or several', async () => {
		for (const name of ['a', 'b', 'c'])
			await create({ name });
		assert.deepEqual((await list('?instanceName=b')).json.instances.map((i) => i.name), ['b']);
		const some = (await list('?instanceName=c,a,nobody')).json;
		assert.deepEqual(some.instances.map((i) => i.name).sort(), ['a', 'c']);
		assert.equal(some.meta.total, 2);
	});

	test('answers 404 for a single unknown name only', async () => {
		assertError(await list('?instanceName=nobody'), 404, 'Instance not found', 'instance_not_found');
		const several = await list('?instanceName=nobody,neither');
		assert.equal(several.status, 200, several.text);
		assert.equal(several.json.meta.total, 0);
	});

	test('refuses an empty filter: never all', async () => {
		await create({ name: 'a' });
		assertError(await list('?instanceName='), 400, 'Instance name is required', 'instance_name_required');
	});

	test('with a TokenInstance shows its own, whatever the filter', async () => {
		const { token } = (await create({ name: 'a' })).json.instance;
		await create({ name: 'b' });
		for (const query of ['', '?instanceName=b', '?instanceName=', '?instanceName=a,b'])
			assert.deepEqual((await list(query, token)).json.instances.map((i) => i.name), ['a'], query);
	});

	test("never shows another account's instances", async () => {
		await create({ name: 'secret' });
		const stranger = await world.newAccount();
		assert.equal((await list('', stranger.token)).json.meta.total, 0);
		assertError(await list('?instanceName=secret', stranger.token), 404, 'Instance not found', 'instance_not_found');
	});

	test('says connecting while a code is live, disconnected with the reason afterwards', async () => {
		const instance = await world.newInstance({ token: account.token });
		assertQr(await world.connect(instance));
		const live = await world.listed(instance);
		assert.equal(live.status, 'connecting');
		assert.equal(live.connection.state, 'connecting');
		assert.equal(live.connection.lastError, null);
		process.kill(world.workers(instance)[0].pid, 'SIGKILL');
		const ended = await eventually(async () => {
			const i = await world.listed(instance);
			return i.status === 'disconnected' && i;
		}, { what: 'state disconnected' });
		assert.equal(ended.connection.lastError.code, 'worker_crashed');
		assert.ok(Math.abs(Date.parse(ended.connection.lastError.at) - Date.now()) < 60_000);
	});
});

describe('delete', () => {
	test('removes the instance, its token and its directory', async () => {
		const instance = await world.newInstance({ token: account.token });
		assertQr(await world.connect(instance));
		const dir = join(world.dataDir, 'instances', instance.id);
		assert.ok(existsSync(dir));
		const r = await remove(instance.name);
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(r.json, { success: true, message: 'Instance deleted', instance: { status: 'deleted' } });
		assert.equal(world.workers(instance).length, 0);
		assert.equal(existsSync(dir), false);
		assertError(await list('', instance.token), 401, 'Invalid token', 'invalid_token');
		assertError(await remove(instance.name), 404, 'Instance not found', 'instance_not_found');
	});

	test('tells a waiting caller: 500 deleted', async () => {
		const instance = await world.newInstance({ token: account.token });
		await world.fault('registration', { kind: 'no_refs' });
		try {
			const waiting = world.connect(instance);
			await eventually(() => world.workers(instance).length === 1, { what: 'a worker' });
			assert.equal((await remove(instance.name)).status, 200);
			assertError(await waiting, 500, 'Failed to generate QR code', 'deleted');
		} finally {
			await world.clearFaults();
		}
	});

	test('lets the name be used again, as another instance', async () => {
		const first = await world.newInstance({ token: account.token });
		assert.equal((await remove(first.name)).status, 200);
		const second = await world.newInstance({ name: first.name, token: account.token });
		assert.notEqual(second.id, first.id);
	});

	test("of somebody else's instance is 404 and changes nothing", async () => {
		const instance = await world.newInstance({ token: account.token });
		const stranger = await world.newAccount();
		assertError(await remove(instance.name, stranger.token), 404, 'Instance not found', 'instance_not_found');
		assert.equal((await world.listed(instance)).name, instance.name);
	});

	test('create, connect and delete at once leave nothing half', async () => {
		const names = ['r1', 'r2', 'r3'];
		const step = async (i) => {
			const name = names[i % names.length];
			const r = await [
				() => create({ name }),
				() => world.request('GET', `/api/instance/connect/${name}`, { token: account.token }),
				() => remove(name),
				() => list(),
			][(i * 7) % 4]();
			assert.ok([200, 201, 404, 409, 500].includes(r.status), r.text);
			if (r.status === 500)
				assert.equal(r.json.error.code, 'deleted', r.text);
		};
		for (let round = 0; round < 5; round++)
			await Promise.all(Array.from({ length: 24 }, (_, i) => step(round * 24 + i)));
		for (const name of names)
			await remove(name);
		assert.equal((await list()).json.meta.total, 0);
		await world.healthy();
	});
});

test('accounts, instances and tokens survive a restart and a SIGKILL of the gateway', async () => {
	const instance = await world.newInstance({ token: account.token });
	const before_ = await world.listed(instance);
	const restarted = async () => {
		await world.startGateway();
		const again = await world.listed(instance);
		assert.equal(again.id, before_.id);
		assert.equal(again.createdAt, before_.createdAt);
		assert.equal((await list('', instance.token)).status, 200);
		assertQr(await world.connect(instance));
	};
	world.gateway.kill('SIGTERM');
	assert.equal((await world.gateway.waitExit()).code, 0);
	await eventually(() => world.workers().length === 0, { what: 'end of the workers' });
	await restarted();
	await world.killGateway();
	await restarted();
	assert.ok(folder(join(world.dataDir, 'instances')).includes(instance.id));
});
