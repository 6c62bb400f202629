// How many connections, from where, from which page, through which proxy; who waits to be asked for a body
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { SLOWNESS, assertError, eventually, startWorld } from './harness.mjs';
import * as raw from './rawhttp.mjs';

const CRLF = '\r\n';
const head = (...lines) => lines.join(CRLF) + CRLF + CRLF;
const HEALTH = head('GET /health HTTP/1.1', 'Host: x');

// A gateway of its own settings, without a simulator's help, for one test.
async function withGateway(settings, check) {
	const w = await startWorld({ gateway: { settings } });
	try {
		await check(w);
	} finally {
		await w.stop();
	}
}

describe('connections', { concurrency: true }, () => {
	// One that has shown a token, or not, from one of the loopback addresses.
	async function open(w, { token, from = '127.0.0.1' } = {}) {
		const c = await raw.connect(w.address, { localAddress: from });
		c.send(token === undefined ? HEALTH : head('GET /api/instance/list HTTP/1.1', 'Host: x', `token: ${token}`));
		const r = await c.response({ timeoutMs: 5000 * SLOWNESS });
		assert.equal(r.status, 200, JSON.stringify(r));
		return c;
	}

	const isServed = async (c) => {
		c.send(HEALTH);
		return (await c.response({ timeoutMs: 5000 * SLOWNESS })).status === 200;
	};

	// The newcomer is told why, unless its own request was in the way of that.
	async function assertTurnedAway(w, from = '127.0.0.1') {
		const c = await raw.connect(w.address, { localAddress: from });
		const r = await c.response({ timeoutMs: 5000 * SLOWNESS });
		assert.equal(r.status, 503, JSON.stringify(r));
		assert.deepEqual(JSON.parse(r.body), { success: false, error: { message: 'Service is at capacity', code: 'at_capacity' } });
		assert.equal(r.headers.connection, 'close');
		assert.match(r.headers['x-request-id'], /^[0-9a-f]{16}$/);
		await c.closed();
	}

	test('of one address: the oldest without a token makes room, those with one stay', () =>
		withGateway({ max_connections_per_address: 4 }, async (w) => {
			const { token } = await w.newInstance(); // fetch keeps a connection of its own: with a token
			const known = [await open(w, { token })];
			const strangers = [await open(w), await open(w)];
			const newcomer = await open(w);
			await strangers[0].closed();
			assert.ok(await isServed(strangers[1]) && await isServed(known[0]) && await isServed(newcomer));
			// a token shown later counts as well
			strangers[1].send(head('GET /api/instance/list HTTP/1.1', 'Host: x', `token: ${token}`));
			assert.equal((await strangers[1].response()).status, 200);
			const next = await open(w);
			await newcomer.closed();
			assert.ok(await isServed(strangers[1]));
			next.close();
			[...known, strangers[1]].forEach((c) => c.close());
		}));

	test('of one address: where all have tokens, the newcomer is turned away; other addresses are not', () =>
		withGateway({ max_connections_per_address: 3 }, async (w) => {
			const { token } = await w.newInstance();
			const full = await Promise.all([1, 2].map(() => open(w, { token })));
			full.push(await open(w, { token, from: '127.0.0.2' }));
			await assertTurnedAway(w);
			const other = await open(w, { from: '127.0.0.2' });
			assert.ok(await isServed(other));
			full[0].close();
			await eventually(() => open(w, { token }).then((c) => full.push(c), () => false), { what: 'a free place' });
			[...full, other].forEach((c) => c.close());
		}));

	test('in all: a flood of strangers from many addresses pushes out strangers only', () =>
		withGateway({ max_connections: 40, max_connections_per_address: 20 }, async (w) => {
			const { token } = await w.newInstance();
			const known = await Promise.all([2, 3, 4, 5, 6].map((n) => open(w, { token, from: `127.0.0.${n}` })));
			const flood = [];
			for (let i = 0; i < 200; i++)
				flood.push(await open(w, { from: `127.0.1.${i % 50}` }));
			assert.ok((await Promise.all(known.map(isServed))).every(Boolean));
			await eventually(() => flood.filter((c) => !c.ended).length <= 40, { what: 'strangers closed' });
			assert.ok(flood.slice(-20).every((c) => !c.ended), 'the newest strangers stay');
			assert.equal((await w.request('GET', '/health')).status, 200);
			[...known, ...flood].forEach((c) => c.close());
		}));

	test('in all: where all have tokens, the newcomer is turned away', () =>
		withGateway({ max_connections: 4 }, async (w) => {
			const { token } = await w.newInstance();
			const full = await Promise.all([2, 3, 4].map((n) => open(w, { token, from: `127.0.0.${n}` })));
			await assertTurnedAway(w, '127.0.0.9');
			assert.ok((await Promise.all(full.map(isServed))).every(Boolean));
			full.forEach((c) => c.close());
		}));

	test('over IPv6 are counted as well', () =>
		withGateway({ listen: '[::1]:0', max_connections_per_address: 2 }, async (w) => {
			const three = [];
			for (let i = 0; i < 3; i++)
				three.push(await open(w, { from: '::1' }));
			await three[0].closed();
			assert.ok(await isServed(three[1]) && await isServed(three[2]));
			await w.gateway.event('http_request', { client: '::1' });
			three.forEach((c) => c.close());
		}));

	test('of a trusted proxy have no limit per address', () =>
		withGateway({ max_connections_per_address: 2, trusted_proxies: '127.0.0.0/30' }, async (w) => {
			const many = await Promise.all(Array.from({ length: 10 }, () => open(w, { from: '127.0.0.3' })));
			assert.ok((await Promise.all(many.map(isServed))).every(Boolean));
			const others = [];
			for (let i = 0; i < 4; i++)
				others.push(await open(w, { from: '127.0.0.4' }));
			await eventually(() => others.filter((c) => c.ended).length === 2, { what: 'two of four closed' });
			[...many, ...others].forEach((c) => c.close());
		}));
});

describe('pages of other origins', () => {
	let world;
	let token;

	before(async () => {
		world = await startWorld({ gateway: { settings: { cors_origins: 'https://app.example, http://localhost:3000', limit_per_minute: 20 } } });
		({ token } = await world.newInstance());
	});
	after(() => world?.stop());

	const ask = (method, path, headers) => world.request(method, path, { headers });
	const preflight = (origin, method = 'POST', path = '/api/instance/new') =>
		ask('OPTIONS', path, { origin, 'access-control-request-method': method, 'access-control-request-headers': 'token,content-type' });

	test('a preflight of a configured origin is answered, without a token', async () => {
		for (const origin of ['https://app.example', 'http://localhost:3000']) {
			const r = await preflight(origin);
			assert.equal(r.status, 204);
			assert.equal(r.text, '');
			assert.equal(r.headers.get('access-control-allow-origin'), origin);
			assert.match(r.headers.get('access-control-allow-methods'), /\bPOST\b/);
			for (const name of ['token', 'authorization', 'content-type', 'x-request-id', 'last-event-id'])
				assert.match(r.headers.get('access-control-allow-headers'), new RegExp(`\\b${name}\\b`));
			assert.match(r.headers.get('access-control-max-age'), /^\d+$/);
			assert.match(r.headers.get('vary'), /\borigin\b/i);
			assert.equal(r.headers.get('access-control-allow-credentials'), null, 'tokens are no cookies');
		}
	});

	test('a preflight never counts against the limit', async () => {
		for (let i = 0; i < 60; i++) {
			const r = await preflight('https://app.example');
			assert.equal(r.status, 204);
			assert.equal(r.headers.get('x-ratelimit-limit'), null);
		}
	});

	test('another origin is let in nowhere', async () => {
		for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'https://app.example:444',
		    'https://APP.example', 'https://app.example/', 'null', 'https://xapp.example', 'http://localhost']) {
			assert.equal((await preflight(origin)).headers.get('access-control-allow-origin'), null, origin);
			const r = await ask('GET', '/health', { origin });
			assert.equal(r.status, 200);
			assert.equal(r.headers.get('access-control-allow-origin'), null, origin);
			assert.match(r.headers.get('vary'), /\borigin\b/i, 'caches must tell them apart');
		}
	});

	test('every answer to a configured origin can be read, errors too, with their headers', async () => {
		const origin = 'https://app.example';
		const answers = [
			await ask('GET', '/api/instance/list', { origin, token }),
			await ask('GET', '/api/instance/list', { origin }),
			await ask('GET', '/api/instance/connect/nobody', { origin, token }),
			await ask('GET', '/nothing', { origin }),
			await ask('PUT', '/api/instance/list', { origin }),
		];
		assert.deepEqual(answers.map((r) => r.status), [200, 401, 403, 404, 405]);
		for (const r of answers) {
			assert.equal(r.headers.get('access-control-allow-origin'), origin);
			for (const name of ['X-Request-Id', 'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'Retry-After'])
				assert.match(r.headers.get('access-control-expose-headers'), new RegExp(name));
		}
	});

	test('OPTIONS that is no preflight is any other method', async () => {
		const origin = 'https://app.example';
		const r = await ask('OPTIONS', '/api/instance/list', { origin });
		assertError(r, 405, 'Method not allowed', 'method_not_allowed');
		assert.equal(r.headers.get('allow'), 'GET');
		assertError(await preflight(origin, 'GET', '/nothing'), 404, 'Not found', 'not_found');
	});

	test('two origins at once are a malformed head', async () => {
		const c = await raw.connect(world.address);
		c.send(head('GET /health HTTP/1.1', 'Host: x', 'Origin: https://app.example', 'Origin: https://evil.example'));
		assert.equal((await c.response()).status, 400);
		c.close();
	});
});

describe('behind proxies', { concurrency: true }, () => {
	// Each case asks without a token until its client's limit of 2 is used up: who counts as one client shows.
	async function remaining(w, from, forwarded) {
		const c = await raw.connect(w.address, { localAddress: from });
		c.send(head('GET /api/instance/list HTTP/1.1', 'Host: x', ...forwarded.map((value) => `X-Forwarded-For: ${value}`)));
		const r = await c.response({ timeoutMs: 5000 * SLOWNESS });
		c.close();
		assert.ok(r.status === 401 || r.status === 429, JSON.stringify(r));
		return r.status === 429 ? -1 : Number(r.headers['x-ratelimit-remaining']);
	}

	test('the client is the last address that is no proxy of ours', () =>
		withGateway({ limit_per_minute: 9, trusted_proxies: '127.0.0.1, 10.0.0.0/8, 2001:db8:ffff::/48' }, async (w) => {
			// who the case is about, and the fields that lead to it; each request takes one from its 9
			const cases = [
				['192.0.2.1', ['192.0.2.1']],
				['192.0.2.1', ['203.0.113.7, 192.0.2.1']],
				['192.0.2.1', ['192.0.2.1, 10.1.2.3']],
				['192.0.2.1', ['203.0.113.7, 192.0.2.1, 10.1.2.3 , 127.0.0.1']],
				['192.0.2.1', ['203.0.113.7', '192.0.2.1']],
				['192.0.2.1', ['203.0.113.7, 192.0.2.1', '10.1.2.3']],
				['192.0.2.1', ['192.0.2.1', '2001:db8:ffff::1', '10.1.2.3']],
				['192.0.2.1', ['192.0.2.1:4711']],
				['192.0.2.1', ['::ffff:192.0.2.1']],
				['192.0.2.2', ['192.0.2.1, 192.0.2.2']],
				['2001:db8:1:2::/64', ['2001:db8:1:2::3']],
				['2001:db8:1:2::/64', ['2001:db8:1:2:ffff::4', '10.1.2.3']],
				['2001:db8:1:2::/64', ['[2001:db8:1:2::5]:443']],
				['2001:db8:1:3::/64', ['2001:db8:1:3::3']],
				['127.0.0.1', []],
				['127.0.0.1', ['unknown']],
				['127.0.0.1', ['192.0.2.1, not-an-address']],
				['127.0.0.1', ['']],
				['10.1.2.3', ['192.0.2.1, junk, 10.1.2.3']],
			];
			const used = new Map();
			for (const [who, forwarded] of cases) {
				used.set(who, (used.get(who) ?? 0) + 1);
				assert.equal(await remaining(w, '127.0.0.1', forwarded), 9 - used.get(who), `${who} by ${JSON.stringify(forwarded)}`);
			}
			assert.equal(await remaining(w, '127.0.0.1', ['192.0.2.1']), -1, 'its limit is used up');
		}));

	test('who is no proxy of ours can claim nothing', () =>
		withGateway({ limit_per_minute: 3, trusted_proxies: '127.0.0.1, 10.0.0.0/8' }, async (w) => {
			assert.equal(await remaining(w, '127.0.0.7', ['192.0.2.1']), 2);
			assert.equal(await remaining(w, '127.0.0.7', ['192.0.2.2', '10.0.0.1']), 1);
			assert.equal(await remaining(w, '127.0.0.7', ['127.0.0.1']), 0);
			assert.equal(await remaining(w, '127.0.0.7', []), -1);
			assert.equal(await remaining(w, '127.0.0.8', ['127.0.0.7']), 2);
		}));

	test('the log names the client, not the proxy', () =>
		withGateway({ trusted_proxies: '127.0.0.1' }, async (w) => {
			await remaining(w, '127.0.0.1', ['192.0.2.77']);
			await w.gateway.event('http_request', { client: '192.0.2.77' });
		}));
});

describe('a body that is waited for', () => {
	let world;
	let account;

	before(async () => {
		world = await startWorld();
		account = (await world.account()).token;
	});
	after(() => world?.stop());

	// As curl does with a body of a megabyte: send the head, wait for 100, send the body. Answers { asked, status, body }.
	function upload(path, body, { token = account, expect = true } = {}) {
		return new Promise((resolve, reject) => {
			let asked = false;
			const request = http.request({ host: world.address.host, port: world.address.port, method: 'POST', path, agent: false,
				headers: { token, 'content-type': 'application/json', 'content-length': body.length, ...(expect ? { expect: '100-continue' } : {}) } });
			request.on('continue', () => {
				asked = true;
				request.end(body);
			});
			request.on('response', (response) => {
				let text = '';
				response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
				response.on('end', () => resolve({ asked, status: response.statusCode, text, connection: response.headers.connection }));
			});
			request.on('error', reject);
			request.flushHeaders();
			if (!expect)
				request.end(body);
		});
	}

	const padded = (name, bytes) => {
		const start = `{"name":"${name}","padding":"`;
		return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
	};

	test('is asked for and read, up to 1 MiB', async () => {
		const r = await upload('/api/instance/new', padded('one-mb', 1 << 20));
		assert.deepEqual([r.asked, r.status], [true, 201], r.text);
	});

	test('is not asked for when it is too large: 413', async () => {
		const r = await upload('/api/instance/new', padded('too-large', (1 << 20) + 1));
		assert.deepEqual([r.asked, r.status, r.connection], [false, 413, 'close'], r.text);
	});

	test('is not asked for when nobody would look at it: the answer comes at once', async () => {
		for (const [path, options, status] of [['/api/instance/new', { token: 'nobody-has-this' }, 401], ['/nothing', {}, 404],
		    ['/api/instance/list', {}, 405]]) {
			const r = await upload(path, padded('unwanted', 1 << 20), options);
			assert.deepEqual([r.asked, r.status, r.connection], [false, status, 'close'], r.text);
		}
	});

	test('that comes without being asked for is read; one that is too large still gets its answer', async () => {
		assert.equal((await upload('/api/instance/new', padded('unasked', 1 << 20), { expect: false })).status, 201);
		const r = await upload('/api/instance/new', padded('too-large', 3 << 20), { expect: false });
		assert.equal(r.status, 413, r.text);
	});
});
