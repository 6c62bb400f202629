// Settings, proxy and token of an instance, and what their routes refuse (contract 3, 3.1, 3.2)
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertError, startWorld } from './harness.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world.stop());

const DEFAULTS = { autoRejectCalls: false, callRejectMessage: '', ignoreGroupMessages: false,
	keepOnlineStatus: false, autoReadMessages: false, disableHistorySync: true, ignoreStatus: false };
const NO_PROXY = { enabled: false, host: '', port: 0, protocol: 'http', username: '' };

// A route with the instance's name at the end of its path.
const call = (instance, method, route, options = {}) =>
	world.request(method, `/api/instance/${route}/${instance.name}`, { token: instance.account, ...options });

async function restartGateway() {
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await world.startGateway();
}

function assertLimitHeaders(answer) {
	for (const name of ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'])
		assert.match(answer.headers.get(name), /^\d+$/, name);
	assert.equal(answer.headers.get('cache-control'), 'no-store');
	assert.ok(answer.headers.get('x-request-id'));
}

// Every route of one instance that this part of the contract has.
const ROUTES = [
	['POST', 'reconnect', 'either'], ['DELETE', 'logout', 'either'], ['DELETE', 'delete', 'account'],
	['POST', 'token', 'account'], ['GET', 'getSettings', 'either'], ['POST', 'settings', 'either'],
	['GET', 'getProxy', 'either'], ['POST', 'proxy', 'either'], ['GET', 'passkey', 'either'],
	['POST', 'passkey', 'either'],
];

describe('the order of checks', () => {
	let mine, other;
	before(async () => {
		mine = await world.newInstance();
		other = await world.newInstance();
	});

	for (const [method, route, kind] of ROUTES)
		test(`${method} ${route}`, async () => {
			const at = (name, options) => world.request(method, `/api/instance/${route}${name}`, options);
			const token = mine.account, body = { headers: { 'content-type': 'application/json' } };
			if (method === 'POST')
				body.body = '{"broken"';
			assertError(await at('', { token, ...body }), 400, 'Instance name is required', 'instance_name_required');
			assertError(await at('/', { ...body }), 400, 'Instance name is required', 'instance_name_required');
			for (const bad of [undefined, 'wrong-token-wrong-token'])
				assertError(await at('/a.b', { token: bad, ...body }), 401, 'Invalid token', 'invalid_token');
			assertError(await at(`/${mine.name}?token=${token}`, body), 401, 'Invalid token', 'invalid_token');
			assertError(await at('/a.b', { token, ...body }), 400, 'Invalid instance name', 'invalid_name');
			const missing = await at('/nobody', { token, ...body });
			assertError(missing, 404, 'Instance not found', 'instance_not_found');
			assertLimitHeaders(missing);
			const foreign = await world.newAccount();
			assertError(await at(`/${mine.name}`, { token: foreign.token, ...body }),
			    404, 'Instance not found', 'instance_not_found');
			for (const name of [other.name, 'nobody'])
				if (kind === 'either')
					assertError(await at(`/${name}`, { token: mine.token, ...body }),
					    403, 'Instance token does not match the instance', 'wrong_instance');
				else
					assertError(await at(`/${name}`, { token: mine.token, ...body }), 401, 'Invalid token', 'invalid_token');
			const wrong = await world.request('PATCH', `/api/instance/${route}/x`, {});
			assertError(wrong, 405, 'Method not allowed', 'method_not_allowed');
			assert.ok(wrong.headers.get('allow').split(', ').includes(method));
			assert.equal(wrong.headers.get('x-ratelimit-limit'), null);
		});

	test('a token may come as Bearer, and every answer has the headers', async () => {
		const answer = await world.request('GET', `/api/instance/getSettings/${mine.name}`, {
			headers: { authorization: `Bearer ${mine.token}`, 'x-request-id': 'my.request-1' } });
		assert.equal(answer.status, 200, answer.text);
		assertLimitHeaders(answer);
		assert.equal(answer.headers.get('x-request-id'), 'my.request-1');
	});
});

describe('settings', () => {
	test('are the defaults at first, and change one by one', async () => {
		const instance = await world.newInstance();
		const first = await call(instance, 'GET', 'getSettings');
		assert.deepEqual(first.json, { success: true, message: 'Settings retrieved successfully', settings: DEFAULTS });
		const changed = await call(instance, 'POST', 'settings', { token: instance.token, json: { ignoreStatus: true, unknown: 1 } });
		assert.equal(changed.status, 200, changed.text);
		assert.equal(changed.json.message, 'Settings updated successfully');
		await call(instance, 'POST', 'settings', { json: { callRejectMessage: 'später' } });
		const now = { ...DEFAULTS, ignoreStatus: true, callRejectMessage: 'später' };
		assert.deepEqual((await call(instance, 'GET', 'getSettings')).json.settings, now);
		assert.deepEqual((await world.listed(instance)).settings, now);
	});

	test('of `new` are those that were given', async () => {
		const instance = await world.newInstance({ body: { disableHistorySync: false, autoReadMessages: true } });
		assert.deepEqual((await call(instance, 'GET', 'getSettings')).json.settings,
		    { ...DEFAULTS, disableHistorySync: false, autoReadMessages: true });
	});

	test('nothing to set is 400', async () => {
		const instance = await world.newInstance();
		for (const options of [{ json: {} }, {}, { json: { Unknown: true } }])
			assertError(await call(instance, 'POST', 'settings', options),
			    400, 'At least one setting must be provided', 'at_least_one_setting');
	});

	test('a wrong type, or no JSON object, is 400 and changes nothing', async () => {
		const instance = await world.newInstance();
		const bodies = ['{"ignoreStatus":1}', '{"ignoreStatus":"true"}', '{"ignoreStatus":null}', '{"callRejectMessage":true}',
			'{"autoReadMessages":true,"ignoreStatus":[]}', '[]', '"x"', '{', 'null',
			JSON.stringify({ callRejectMessage: 'x'.repeat(1025) })];
		for (const body of bodies)
			assertError(await call(instance, 'POST', 'settings', { body }), 400, 'Invalid request body', 'invalid_body');
		assert.deepEqual((await call(instance, 'GET', 'getSettings')).json.settings, DEFAULTS);
		assert.equal((await call(instance, 'POST', 'settings', { json: { callRejectMessage: '€'.repeat(1024) } })).status, 200);
	});

	test('what stands under an unknown key is no concern of ours', async () => {
		const instance = await world.newInstance();
		for (const value of ['1e999', '99999999999999999999999', `${'['.repeat(25)}${']'.repeat(25)}`])
			assert.equal((await call(instance, 'POST', 'settings', { body: `{"ignoreStatus":true,"x":${value}}` })).status, 200, value);
	});
});

describe('proxy', () => {
	const PROXY = { enabled: true, host: 'proxy.example', port: '3128', protocol: 'socks5', username: 'me', password: 'hush-hush-hush' };
	before(() => world.secrets.add(PROXY.password));

	test('is none at first, is kept part by part, and never shows its password', async () => {
		const instance = await world.newInstance();
		const first = await call(instance, 'GET', 'getProxy');
		assert.deepEqual(first.json, { success: true, message: 'Proxy configuration retrieved successfully', proxy: NO_PROXY });
		const set = await call(instance, 'POST', 'proxy', { json: PROXY });
		assert.equal(set.status, 200, set.text);
		assert.equal(set.json.message, 'Proxy configuration updated');
		const shown = { enabled: true, host: 'proxy.example', port: 3128, protocol: 'socks5', username: 'me' };
		const read = await call(instance, 'GET', 'getProxy', { token: instance.token });
		assert.deepEqual(read.json.proxy, shown);
		for (const answer of [set, read])
			assert.doesNotMatch(answer.text, /hush|password/);
		assert.equal((await world.listed(instance)).proxy.enabled, true);
		await call(instance, 'POST', 'proxy', { json: { enabled: false, port: 8080 } });
		assert.deepEqual((await call(instance, 'GET', 'getProxy')).json.proxy, { ...shown, enabled: false, port: 8080 });
		assert.equal((await world.listed(instance)).proxy.enabled, false);
		assert.equal((await call(instance, 'POST', 'proxy', { json: {} })).status, 200);
	});

	test('of `new` is kept, even when it is off', async () => {
		const instance = await world.newInstance({ body: { proxyEnabled: false, proxyHost: '10.0.0.5', proxyPort: 1080,
			proxyProtocol: 'https', proxyUsername: 'u', proxyPassword: PROXY.password } });
		assert.deepEqual((await call(instance, 'GET', 'getProxy')).json.proxy,
		    { enabled: false, host: '10.0.0.5', port: 1080, protocol: 'https', username: 'u' });
		const refused = await world.request('POST', '/api/instance/new', { token: instance.account,
			json: { name: 'halfway', proxyEnabled: true, proxyHost: 'h' } });
		assertError(refused, 400, 'Invalid request body', 'invalid_body');
		assert.match(refused.json.error.detail, /proxyPort/);
	});

	test('what can be none is 400, says which key, and changes nothing', async () => {
		const instance = await world.newInstance();
		const cases = [[{ enabled: true }, /host and port/], [{ enabled: true, host: 'h' }, /port/], [{ enabled: 'yes' }, /enabled/],
			[{ host: 'a b' }, /host/], [{ host: 'http://h' }, /host/], [{ host: 1 }, /host/], [{ port: 0 }, /port/],
			[{ port: 65536 }, /port/], [{ port: '80x' }, /port/], [{ port: true }, /port/], [{ protocol: 'socks4' }, /protocol/],
			[{ username: 'a\u0001' }, /username/], [{ username: 'x'.repeat(256) }, /username/], [{ password: 7 }, /password/],
			[{ username: 'a:b' }, /colon/]];
		for (const [json, detail] of cases) {
			const answer = await call(instance, 'POST', 'proxy', { json });
			assertError(answer, 400, 'Invalid request body', 'invalid_body');
			assert.match(answer.json.error.detail, detail, JSON.stringify(json));
		}
		assert.deepEqual((await call(instance, 'GET', 'getProxy')).json.proxy, NO_PROXY);
	});

	test('set on a linked instance is gone through from the next connect on: never around it', async () => {
		const instance = await world.newInstance();
		await world.link(instance);
		const [client] = await world.online();
		const dead = { enabled: true, host: '127.0.0.1', port: 1, protocol: 'http' };
		assert.equal((await call(instance, 'POST', 'proxy', { json: dead })).status, 200);
		assert.equal((await world.listed(instance)).status, 'connected');
		await world.control('POST', `/clients/${client.id}/fault`, { kind: 'close' });
		await world.until(instance, 'connecting');
		assertError(await world.connect(instance), 500, 'Failed to generate QR code', 'proxy_unreachable');
		assert.deepEqual(await world.online(), []);
		await call(instance, 'POST', 'proxy', { json: { enabled: false } });
		const back = await world.connect(instance);
		assert.equal(back.json.status, 'connected', back.text);
	});

	test('its password is in no file in the clear', async () => {
		for (const name of readdirSync(world.dataDir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())) {
			const bytes = readFileSync(join(name.parentPath ?? name.path, name.name));
			assert.ok(!bytes.includes(PROXY.password), name.name);
		}
	});
});

describe('token', () => {
	test('is new, is shown once, and the old one stops at once', async () => {
		const instance = await world.newInstance();
		const rotated = await call(instance, 'POST', 'token');
		assert.equal(rotated.status, 200, rotated.text);
		assert.equal(rotated.json.message, 'Token rotated');
		assert.equal(rotated.json.instance.name, instance.name);
		const { token } = rotated.json.instance;
		world.secrets.add(token);
		assert.match(token, /^[A-Za-z0-9_-]{43}$/);
		assert.notEqual(token, instance.token);
		assert.equal((await call(instance, 'GET', 'getSettings', { token })).status, 200);
		assertError(await call(instance, 'GET', 'getSettings', { token: instance.token }), 401, 'Invalid token', 'invalid_token');
		assert.ok(!(await call(instance, 'GET', 'getSettings')).text.includes(token));
	});

	test('may be one\'s own, by the rules of `new`', async () => {
		const instance = await world.newInstance(), other = await world.newInstance();
		const own = `${instance.name}.own_token~0123`;
		world.secrets.add(own);
		const rotated = await call(instance, 'POST', 'token', { json: { token: own } });
		assert.equal(rotated.json.instance.token, own, rotated.text);
		assert.equal((await call(instance, 'GET', 'getSettings', { token: own })).status, 200);
		for (const token of ['short', 'x'.repeat(129), 'has a space in it', 5, null, own, other.token])
			assertError(await call(other, 'POST', 'token', { json: { token } }), 400, 'Invalid request body', 'invalid_body');
		assert.equal((await call(other, 'GET', 'getSettings', { token: other.token })).status, 200);
		assertError(await call(other, 'POST', 'token', { token: other.token }), 401, 'Invalid token', 'invalid_token');
	});
});

test('settings, proxy and token are there after a restart', async () => {
	const instance = await world.newInstance();
	const proxy = { enabled: true, host: 'h', port: 1, protocol: 'http', username: 'u' };
	await call(instance, 'POST', 'settings', { json: { ignoreStatus: true } });
	await call(instance, 'POST', 'proxy', { json: { ...proxy, password: 'hush-hush-hush' } });
	const { token } = (await call(instance, 'POST', 'token')).json.instance;
	world.secrets.add(token);
	const part = await world.newInstance();
	await call(part, 'POST', 'proxy', { json: { port: 8080, username: 'u' } });
	await restartGateway();
	assert.deepEqual((await call(part, 'GET', 'getProxy')).json.proxy, { ...NO_PROXY, port: 8080, username: 'u' });
	assert.equal((await call(instance, 'GET', 'getSettings', { token })).json.settings.ignoreStatus, true);
	assert.deepEqual((await call(instance, 'GET', 'getProxy')).json.proxy, proxy);
	assertError(await call(instance, 'GET', 'getProxy', { token: instance.token }), 401, 'Invalid token', 'invalid_token');
});
