// The rules for every route (contract section 1): tokens, scope, errors, their order, request ids.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertError, startWorld, World } from './harness.mjs';
import * as raw from './rawhttp.mjs';

let world;
let account;
let other;
let mine;
let sibling;
let foreign;

before(async () => {
	world = await startWorld();
	account = await world.newAccount();
	other = await world.newAccount();
	mine = await world.newInstance({ name: 'mine', token: account.token });
	sibling = await world.newInstance({ name: 'sibling', token: account.token });
	foreign = await world.newInstance({ name: 'foreign', token: other.token });
});
after(() => world?.stop());

const get = (path, options) => world.request('GET', path, options);
const connect = (name, options) => get(`/api/instance/connect/${name}`, options);

describe('tokens', () => {
	test('a missing token is 401', async () => {
		assertError(await connect('mine'), 401, 'Invalid token', 'invalid_token');
	});

	test('a wrong token is 401', async () => {
		assertError(await connect('mine', { token: 'A'.repeat(43) }), 401, 'Invalid token', 'invalid_token');
	});

	test('an absurdly long token is 401', async () => {
		assertError(await connect('mine', { token: 'A'.repeat(8000) }), 401, 'Invalid token', 'invalid_token');
	});

	test('a token is taken from the header token', async () => {
		assert.equal((await get('/api/instance/list', { token: account.token })).status, 200);
	});

	test('a token is taken from Authorization: Bearer', async () => {
		const r = await get('/api/instance/list', { headers: { authorization: `Bearer ${account.token}` } });
		assert.equal(r.status, 200, r.text);
	});

	test('the header token wins over Authorization', async () => {
		const right = { authorization: `Bearer ${account.token}` };
		const wrong = { authorization: 'Bearer nonsense' };
		assert.equal((await get('/api/instance/list', { token: 'nonsense', headers: right })).status, 401);
		assert.equal((await get('/api/instance/list', { token: account.token, headers: wrong })).status, 200);
	});

	test('another Authorization scheme is no token', async () => {
		const r = await get('/api/instance/list', { headers: { authorization: `Basic ${account.token}` } });
		assertError(r, 401, 'Invalid token', 'invalid_token');
	});

	test('a token in the query is not accepted on a JSON answer', async () => {
		assertError(await get(`/api/instance/list?token=${account.token}`), 401, 'Invalid token', 'invalid_token');
		assertError(await connect(`mine?token=${account.token}`), 401, 'Invalid token', 'invalid_token');
	});

	test('a token in the query is accepted on a text/event-stream answer', async () => {
		const stop = new AbortController();
		const r = await fetch(`${world.base}/api/instance/connect/mine?token=${account.token}`,
		    { headers: { accept: 'text/event-stream' }, signal: stop.signal });
		assert.equal(r.status, 200);
		assert.match(r.headers.get('content-type'), /^text\/event-stream/);
		stop.abort();
	});

	test('a wrong token in the query of an event stream is 401', async () => {
		const r = await connect('mine?token=nonsense', { headers: { accept: 'text/event-stream' } });
		assertError(r, 401, 'Invalid token', 'invalid_token');
	});

	test('a TokenInstance reads its own instance', async () => {
		const r = await get('/api/instance/list', { token: mine.token });
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(r.json.instances.map((i) => i.name), ['mine']);
	});

	test('tokens are stored hashed: no file holds one', async () => {
		const { execFileSync } = await import('node:child_process');
		for (const token of [account.token, mine.token]) {
			let found = '';
			try {
				found = execFileSync('grep', ['-rlaF', token, world.dir], { encoding: 'utf8' });
			} catch (error) {
				found = error.stdout;
				// grep: nothing found; or a file was gone again before it was read
				assert.ok(error.status === 1 || /^(grep: .*: No such file or directory\n)+$/.test(error.stderr),
				    error.stderr);
			}
			assert.equal(found, '');
		}
	});
});

describe('scope', () => {
	test('an unknown instance is 404', async () => {
		assertError(await connect('nobody', { token: account.token }),
		    404, 'Instance not found', 'instance_not_found');
	});

	test("somebody else's instance is the same 404", async () => {
		const strange = await connect(foreign.name, { token: account.token });
		const unknown = await connect('nobody', { token: account.token });
		assertError(strange, 404, 'Instance not found', 'instance_not_found');
		assert.deepEqual(strange.json, unknown.json);
	});

	test("a TokenInstance on another instance's path is 403", async () => {
		for (const name of [sibling.name, foreign.name, 'nobody'])
			assertError(await connect(name, { token: mine.token }),
			    403, 'Instance token does not match the instance', 'wrong_instance');
	});

	test('a TokenInstance on an account-only route is 401', async () => {
		assertError(await world.request('POST', '/api/instance/new', { token: mine.token, json: { name: 'x' } }),
		    401, 'Invalid token', 'invalid_token');
		assertError(await world.request('DELETE', '/api/instance/delete/mine', { token: mine.token }),
		    401, 'Invalid token', 'invalid_token');
	});

	test('the same name may exist in two accounts', async () => {
		const a = await world.newInstance({ name: 'twin', token: account.token });
		const b = await world.newInstance({ name: 'twin', token: other.token });
		assert.notEqual(a.id, b.id);
	});
});

describe('paths and methods', () => {
	test('an unknown path is 404', async () => {
		for (const path of ['/nothing', '/api', '/api/instance', '/api/instance/connect/mine/more', '/API/instance/list'])
			assertError(await get(path, { token: account.token }), 404, 'Not found', 'not_found');
	});

	test('a known path with another method is 405 with Allow', async () => {
		const cases = [
			['POST', '/api/instance/connect/mine', 'GET'],
			['PUT', '/api/instance/new', 'POST'],
			['DELETE', '/api/instance/list', 'GET'],
			['GET', '/api/instance/delete/mine', 'DELETE'],
			['POST', '/health', 'GET'],
		];
		for (const [method, path, allow] of cases) {
			const r = await world.request(method, path, { token: account.token });
			assertError(r, 405, 'Method not allowed', 'method_not_allowed');
			assert.ok(r.headers.get('allow').split(/, */).includes(allow), `${path}: ${r.headers.get('allow')}`);
		}
	});

	test('routes of later versions are 501', async () => {
		const cases = [
			['POST', '/api/message/text/mine'],
			['POST', '/api/chat/markRead/mine'],
		];
		for (const [method, path] of cases)
			assertError(await world.request(method, path, { token: account.token, json: {} }),
			    501, 'Not implemented', 'not_implemented');
	});

	test('an empty instance name is 400, with and without the slash', async () => {
		for (const path of ['/api/instance/connect', '/api/instance/connect/'])
			assertError(await get(path, { token: account.token }),
			    400, 'Instance name is required', 'instance_name_required');
		for (const path of ['/api/instance/delete', '/api/instance/delete/'])
			assertError(await world.request('DELETE', path, { token: account.token }),
			    400, 'Instance name is required', 'instance_name_required');
	});

	test('a name outside the alphabet or over 100 characters is 400', async () => {
		for (const name of ['a.b', 'a%20b', 'caf%C3%A9', 'a'.repeat(101), 'a%2e'])
			assertError(await connect(name, { token: account.token }),
			    400, 'Invalid instance name', 'invalid_name');
	});

	test('a path of dots is a name like any other, not a way up', async () => {
		for (const name of ['..', '.', '%2e%2e']) {
			const c = await raw.connect(world.address);
			c.send(`GET /api/instance/connect/${name} HTTP/1.1\r\nHost: x\r\ntoken: ${account.token}\r\n\r\n`);
			const r = await c.response();
			c.close();
			assert.equal(r.status, 400, r.body);
		}
	});

	test('OPTIONS names no origin when none is configured', async () => {
		const r = await world.request('OPTIONS', '/api/instance/list',
		    { headers: { origin: 'https://example.org', 'access-control-request-method': 'GET' } });
		assert.equal(r.headers.get('access-control-allow-origin'), null);
	});

	test('OPTIONS answers the preflight of a configured origin, and of no other', async () => {
		const w = await startWorld({ gateway: { settings: { cors_origins: 'https://panel.example,https://b.example' } } });
		try {
			const preflight = (origin) => w.request('OPTIONS', '/api/instance/connect/x', { headers: { origin,
				'access-control-request-method': 'GET', 'access-control-request-headers': 'token' } });
			const r = await preflight('https://panel.example');
			assert.ok([200, 204].includes(r.status), r.text);
			assert.equal(r.headers.get('access-control-allow-origin'), 'https://panel.example');
			assert.match(r.headers.get('access-control-allow-methods'), /GET/);
			assert.match(r.headers.get('access-control-allow-headers').toLowerCase(), /token/);
			assert.match(r.headers.get('vary') ?? '', /origin/i);
			const other = await preflight('https://evil.example');
			assert.equal(other.headers.get('access-control-allow-origin'), null);
			const simple = await w.request('GET', '/api/instance/list', { headers: { origin: 'https://b.example' } });
			assert.equal(simple.headers.get('access-control-allow-origin'), 'https://b.example');
		} finally {
			await w.stop();
		}
	});

	test('HEAD on a GET route carries no body', async () => {
		const c = await raw.connect(world.address);
		c.send('HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
		const r = await c.response({ bodyless: true });
		assert.ok([200, 405].includes(r.status), String(r.status));
		await c.closed();
		assert.equal(c.received.length, 0);
	});
});

describe('order of checks', () => {
	// Each request is wrong in two neighbouring ways; the earlier check answers.
	test('the route comes before the token', async () => {
		assertError(await get('/nothing'), 404, 'Not found', 'not_found');
	});

	test('the method comes before the empty name and the token', async () => {
		assertError(await world.request('POST', '/api/instance/connect/'), 405, 'Method not allowed', 'method_not_allowed');
		assertError(await world.request('POST', '/api/instance/connect/mine'), 405, 'Method not allowed', 'method_not_allowed');
	});

	test('the empty name comes before the token', async () => {
		assertError(await get('/api/instance/connect/'), 400, 'Instance name is required', 'instance_name_required');
	});

	test('the token comes before the form of the name', async () => {
		assertError(await connect('a.b'), 401, 'Invalid token', 'invalid_token');
	});

	test('the form of the name comes before the scope', async () => {
		assertError(await connect('a.b', { token: mine.token }), 400, 'Invalid instance name', 'invalid_name');
	});

	test('the scope comes before the parameters', async () => {
		assertError(await connect('nobody?history=0', { token: account.token }),
		    404, 'Instance not found', 'instance_not_found');
		assertError(await connect('sibling?history=0', { token: mine.token }),
		    403, 'Instance token does not match the instance', 'wrong_instance');
	});

	test('the token comes before the body', async () => {
		const r = await world.request('POST', '/api/instance/new',
		    { body: 'not JSON', headers: { 'content-type': 'application/json' } });
		assertError(r, 401, 'Invalid token', 'invalid_token');
	});
});

describe('every answer', () => {
	const answers = () => Promise.all([
		get('/health'),
		get('/nothing'),
		get('/api/instance/list', { token: account.token }),
		connect('mine'),
		connect('nobody', { token: account.token }),
	]);

	test('carries a request id of its own', async () => {
		const ids = (await answers()).map((r) => r.headers.get('x-request-id'));
		for (const id of ids)
			assert.match(id, /^[A-Za-z0-9._-]{1,64}$/);
		assert.equal(new Set(ids).size, ids.length);
	});

	test("carries the client's request id when it is well formed, and so does the log", async () => {
		const id = 'my.request_id-0001';
		const r = await connect('nobody', { token: account.token, headers: { 'x-request-id': id } });
		assert.equal(r.headers.get('x-request-id'), id);
		await world.gateway.line(({ json }) => json?.request === id, { what: `a log line with request ${id}` });
	});

	test('replaces a request id that is not well formed', async () => {
		for (const id of ['a b', 'a/b', 'x'.repeat(65), '{}']) {
			const r = await get('/health', { headers: { 'x-request-id': id } });
			assert.match(r.headers.get('x-request-id'), /^[A-Za-z0-9._-]{1,64}$/);
			assert.notEqual(r.headers.get('x-request-id'), id);
		}
	});

	test('under /api is not to be stored', async () => {
		for (const r of [await get('/api/instance/list', { token: account.token }), await connect('mine')])
			assert.equal(r.headers.get('cache-control'), 'no-store');
	});

	test('with an error has exactly success and error', async () => {
		const r = await connect('nobody', { token: account.token });
		assertError(r, 404, 'Instance not found', 'instance_not_found');
	});
});

describe('health', () => {
	test('says ok, with its checks, without a token', async () => {
		const r = await get('/health');
		assert.equal(r.status, 200);
		assert.equal(r.json.status, 'ok');
		assert.equal(r.json.service, 'warden');
		assert.match(r.json.version, /^\d+\.\d+\.\d+/);
		assert.equal(typeof r.json.uptime, 'string');
		assert.ok(Math.abs(Date.parse(r.json.timestamp) - Date.now()) < 5000);
		assert.deepEqual(r.json.checks, { registry: 'ok', limiter: 'ok', workers: 'ok' });
	});

	test('carries no limit headers', async () => {
		const r = await get('/health');
		assert.equal(r.headers.get('x-ratelimit-limit'), null);
	});
});

test('the public port knows nothing of the admin socket', async () => {
	for (const path of ['/admin', '/admin/accounts', '/accounts', '/account'])
		assertError(await get(path, { token: account.token }), 404, 'Not found', 'not_found');
});

test('a gateway can listen on a Unix socket', async () => {
	const w = new World();
	try {
		const path = `${w.dir}/http.sock`;
		const gateway = await w.startGateway({ settings: { listen: `unix:${path}` }, expectExit: true });
		w.gateway = gateway;
		await gateway.event('ready');
		const c = await raw.connect({ path });
		c.send('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
		const r = await c.response();
		assert.equal(r.status, 200);
		assert.equal(JSON.parse(r.body).status, 'ok');
	} finally {
		await w.stop();
	}
});
