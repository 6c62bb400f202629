// What reaches the HTTP server at all (design: the gate; faults H16, H17), by raw sockets
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SLOWNESS, startWorld } from './harness.mjs';
import * as raw from './rawhttp.mjs';

let world;
let token;

before(async () => {
	world = await startWorld({ gateway: { settings: { max_connections_per_address: 5000 } } });
	({ token } = await world.newInstance({ name: 'gate' }));
});
after(() => world?.stop());

const CRLF = '\r\n';
const head = (...lines) => lines.join(CRLF) + CRLF + CRLF;

// Send bytes, then see one answer and the end of the connection.
async function exchange(bytes, { timeoutMs = 5000 * SLOWNESS } = {}) {
	const c = await raw.connect(world.address);
	try {
		c.send(bytes);
		const first = await c.response({ timeoutMs });
		await c.closed(timeoutMs);
		return { first, rest: c.received.toString('latin1') };
	} finally {
		c.close();
	}
}

// 400 in the contract's form, without limit headers, and closed; nothing after it was answered.
async function assertRefused(bytes) {
	const { first, rest } = await exchange(bytes);
	assert.equal(first.status, 400, JSON.stringify(first));
	assert.equal(first.headers['content-type'].split(';')[0], 'application/json');
	const body = JSON.parse(first.body);
	assert.equal(body.success, false);
	assert.equal(body.error.message, 'Bad request');
	assert.equal(body.error.code, 'bad_request');
	assert.equal(first.headers['x-ratelimit-limit'], undefined);
	assert.match(first.headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/);
	assert.equal(rest, '', 'a second answer: the bytes behind were taken for a request');
}

const post = (...headers) => head('POST /api/instance/new HTTP/1.1', 'Host: x', `token: ${token}`, ...headers);
const get = (...headers) => head('GET /health HTTP/1.1', 'Host: x', ...headers);
const SMUGGLED = head('GET /health HTTP/1.1', 'Host: smuggled');

describe('the 23 known cases are 400 and close', () => {
	const chunked = (framing) => post('Transfer-Encoding: chunked') + framing + SMUGGLED;
	const cases = {
		'Content-Length and Transfer-Encoding':
			post('Content-Length: 4', 'Transfer-Encoding: chunked') + '0\r\n\r\n' + SMUGGLED,
		'Transfer-Encoding: gzip, chunked': post('Transfer-Encoding: gzip, chunked') + '0\r\n\r\n' + SMUGGLED,
		'Transfer-Encoding: xchunked': post('Transfer-Encoding: xchunked') + '0\r\n\r\n' + SMUGGLED,
		'two Content-Length': post('Content-Length: 0', 'Content-Length: 5') + 'abcde' + SMUGGLED,
		'chunk size 0x3': chunked('0x3\r\nabc\r\n0\r\n\r\n'),
		'chunk size +3': chunked('+3\r\nabc\r\n0\r\n\r\n'),
		'chunk size -0': chunked('-0\r\n\r\n'),
		'chunk size with a leading space': chunked(' 3\r\nabc\r\n0\r\n\r\n'),
		'bare LF in chunk framing': chunked('3\nabc\n0\n\n'),
		'chunk without CRLF': chunked('3\r\nabc0\r\n\r\n'),
		'Content-Length 0x5': post('Content-Length: 0x5') + 'abcde' + SMUGGLED,
		'Content-Length -1': post('Content-Length: -1') + SMUGGLED,
		'Content-Length +5': post('Content-Length: +5') + 'abcde' + SMUGGLED,
		'bare CR in a value': get('X: a\rb') + SMUGGLED,
		'no Host': head('GET /health HTTP/1.1', 'X: y') + SMUGGLED,
		'two Hosts': get('Host: y') + SMUGGLED,
		'space before the colon': get('X : y') + SMUGGLED,
		'empty name': get(': y') + SMUGGLED,
		'name X(A)': get('X(A): y') + SMUGGLED,
		'obs-fold': get('X: a', ' folded') + SMUGGLED,
		'NUL in a value': get('X: a\0b') + SMUGGLED,
		'a header of 60 KB': get(`X: ${'a'.repeat(60_000)}`) + SMUGGLED,
		'2 MB of headers': get(...Array.from({ length: 2000 }, (_, i) => `X-${i}: ${'a'.repeat(1000)}`)),
	};
	assert.equal(Object.keys(cases).length, 23);
	for (const [name, bytes] of Object.entries(cases))
		test(name, () => assertRefused(bytes));
});

describe('other malformed heads are 400 and close', () => {
	const cases = {
		'bare LF line ends': 'GET /health HTTP/1.1\nHost: x\n\n',
		'HTTP/0.9': 'GET /health\r\n\r\n',
		'HTTP/2.0': head('GET /health HTTP/2.0', 'Host: x'),
		'HTTP/1.2': head('GET /health HTTP/1.2', 'Host: x'),
		'a lower-case version': head('GET /health http/1.1', 'Host: x'),
		'two spaces in the request line': head('GET  /health HTTP/1.1', 'Host: x'),
		'a tab in the request line': head('GET\t/health HTTP/1.1', 'Host: x'),
		'no method': head(' /health HTTP/1.1', 'Host: x'),
		'an absolute target': head('GET http://x/health HTTP/1.1', 'Host: x'),
		'an authority target': head('CONNECT x:80 HTTP/1.1', 'Host: x'),
		'a target over 8 KiB': head(`GET /${'a'.repeat(8300)} HTTP/1.1`, 'Host: x'),
		'%00 in the target': head('GET /health%00 HTTP/1.1', 'Host: x'),
		'%2F in the path': head('GET /api/instance/connect/a%2Fb HTTP/1.1', 'Host: x'),
		'a bad percent code': head('GET /health%zz HTTP/1.1', 'Host: x'),
		'a raw quote in the path': head('GET /heal"th HTTP/1.1', 'Host: x'),
		'a fragment': head('GET /health#x HTTP/1.1', 'Host: x'),
		'65 fields': get(...Array.from({ length: 65 }, (_, i) => `X-${i}: y`)),
		'a control character in a value': get('X: a\x01b'),
		'DEL in a value': get('X: a\x7fb'),
		'a line without a colon': get('nonsense'),
		'two Transfer-Encoding': post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
		'Transfer-Encoding: identity': post('Transfer-Encoding: identity'),
		'Transfer-Encoding with HTTP/1.0':
			head('POST /api/instance/new HTTP/1.0', 'Host: x', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
		'an enormous Content-Length': post('Content-Length: 99999999999999999999'),
		'a list in Content-Length': post('Content-Length: 5, 5') + 'abcde',
		'an empty Content-Length': post('Content-Length: '),
		'an enormous chunk size': post('Transfer-Encoding: chunked') + 'fffffffffffffffff\r\n',
		'a TLS ClientHello': Buffer.from('1603010200010001fc0303', 'hex'),
		'an HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
	};
	for (const [name, bytes] of Object.entries(cases))
		test(name, () => assertRefused(bytes));
});

describe('well-formed requests pass', () => {
	const cases = {
		'HTTP/1.0 without Host': head('GET /health HTTP/1.0'),
		'64 fields': head('GET /health HTTP/1.1', 'Host: x', 'Connection: close',
		    ...Array.from({ length: 62 }, (_, i) => `X-${i}: y`)),
		'empty values and inner tabs': get('X:', 'Y: a\tb ', 'Connection: close'),
		'a query with every allowed character':
			head("GET /health?a=b&c=%20;-._~!$'()*+,:@/? HTTP/1.1", 'Host: x', 'Connection: close'),
	};
	for (const [name, bytes] of Object.entries(cases))
		test(name, async () => {
			const { first } = await exchange(bytes);
			assert.equal(first.status, 200, JSON.stringify(first));
		});

	test('a chunked body, byte by byte', async () => {
		const c = await raw.connect(world.address, { noDelay: true });
		const account = (await world.account()).token;
		const bytes = head('POST /api/instance/new HTTP/1.1', 'Host: x', `token: ${account}`,
		    'Content-Type: application/json', 'Transfer-Encoding: chunked') +
		    '5\r\n{"nam\r\n9;ext=1\r\ne":"bytes\r\n2\r\n"}\r\n0\r\n\r\n';
		for (const byte of bytes) {
			c.send(byte);
			await new Promise(setImmediate);
		}
		const r = await c.response({ timeoutMs: 10_000 * SLOWNESS });
		c.close();
		// chunk extensions are within RFC 9112; refusing them is as safe as taking them
		assert.ok(r.status === 201 || r.status === 400, JSON.stringify(r));
	});

	test('pipelined requests are answered in order', async () => {
		const c = await raw.connect(world.address);
		c.send(get('X-Request-Id: one') + get('X-Request-Id: two') + get('X-Request-Id: three'));
		for (const id of ['one', 'two', 'three'])
			assert.equal((await c.response()).headers['x-request-id'], id);
		c.close();
	});

	test('Expect: 100-continue does not hang', async () => {
		const c = await raw.connect(world.address);
		const account = (await world.account()).token;
		const body = '{"name":"expect"}';
		c.send(head('POST /api/instance/new HTTP/1.1', 'Host: x', `token: ${account}`, 'Expect: 100-continue',
		    'Content-Type: application/json', `Content-Length: ${body.length}`) );
		c.send(body);
		let r = await c.response();
		if (r.status === 100)
			r = await c.response();
		assert.ok([201, 417].includes(r.status), JSON.stringify(r));
		c.close();
	});
});

describe('connections', () => {
	test('are kept alive for 1,000 requests, then closed after the answer', async () => {
		const c = await raw.connect(world.address);
		let n = 0;
		while (n < 1000) {
			c.send(get());
			const r = await c.response({ timeoutMs: 5000 * SLOWNESS });
			assert.equal(r.status, 200, `request ${n + 1}`);
			n++;
			if (r.headers.connection?.toLowerCase() === 'close')
				break;
		}
		assert.equal(n, 1000);
		await c.closed();
	});

	test('are closed after the answer when asked to', async () => {
		const { first } = await exchange(get('Connection: close'));
		assert.equal(first.status, 200);
	});

	test('over the limit per address are refused, and a place is free after one closes', async () => {
		const w = await startWorld({ gateway: { settings: { max_connections_per_address: 4 } } });
		const open = [];
		try {
			for (let i = 0; i < 4; i++) {
				const c = await raw.connect(w.address);
				c.send(get());
				assert.equal((await c.response()).status, 200);
				open.push(c);
			}
			const extra = await raw.connect(w.address);
			extra.send(get());
			// either the newcomer is turned away, or the oldest idle stranger had to leave for it
			const r = await extra.response().catch(() => ({ status: 0 }));
			const shed = open.filter((c) => c.ended).length;
			assert.ok(r.status !== 200 || shed >= 1, `answered ${r.status}, ${shed} closed`);
			extra.close();
			open.pop().close();
			let status = 0;
			for (let i = 0; i < 50 && status !== 200; i++) {
				const c = await raw.connect(w.address);
				c.send(get());
				({ status } = await c.response().catch(() => ({ status: 0 })));
				c.close();
			}
			assert.equal(status, 200);
		} finally {
			open.forEach((c) => c.close());
			await w.stop();
		}
	});
});

describe('sizes', () => {
	const account = async () => (await world.account()).token;

	test('a body over 1 MiB is 413 by its length, before it is sent', async () => {
		const c = await raw.connect(world.address);
		c.send(head('POST /api/instance/new HTTP/1.1', 'Host: x', `token: ${await account()}`,
		    'Content-Type: application/json', `Content-Length: ${(1 << 20) + 1}`));
		const r = await c.response();
		assert.equal(r.status, 413, JSON.stringify(r));
		const { error } = JSON.parse(r.body);
		assert.deepEqual([error.message, error.code], ['Request body too large', 'body_too_large']);
		c.close();
	});

	test('a chunked body over 1 MiB is 413', async () => {
		const c = await raw.connect(world.address);
		c.send(head('POST /api/instance/new HTTP/1.1', 'Host: x', `token: ${await account()}`,
		    'Content-Type: application/json', 'Transfer-Encoding: chunked'));
		const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
		for (let i = 0; i < 20 && !c.ended; i++)
			c.send(chunk);
		const r = await c.response({ timeoutMs: 10_000 * SLOWNESS });
		assert.equal(r.status, 413, JSON.stringify(r).slice(0, 300));
		c.close();
	});

	test('a body of exactly 1 MiB is read', async () => {
		const body = `{"name":"big","padding":"${'x'.repeat((1 << 20) - 27)}"}`;
		assert.equal(body.length, 1 << 20);
		const r = await world.request('POST', '/api/instance/new',
		    { token: await account(), body, headers: { 'content-type': 'application/json' } });
		assert.equal(r.status, 201, r.text);
	});
});

describe('slow clients', { concurrency: true }, () => {
	test('a head that is not complete in 10 s is 408', async () => {
		const c = await raw.connect(world.address);
		const began = Date.now();
		c.send('GET /health HTTP/1.1\r\nHost: x\r\n');
		const drip = setInterval(() => c.send('X: y\r\n'), 500); // bytes alone do not buy time
		const r = await c.response({ timeoutMs: 20_000 });
		clearInterval(drip);
		const took = Date.now() - began;
		assert.equal(r.status, 408, JSON.stringify(r));
		const { error } = JSON.parse(r.body);
		assert.deepEqual([error.message, error.code], ['Request timeout', 'request_timeout']);
		assert.ok(took >= 9000 && took < 14_000, `${took} ms`);
		await c.closed();
	});

	test('a body under 1 KB/s after 10 s is 408', async () => {
		const c = await raw.connect(world.address);
		const began = Date.now();
		c.send(head('POST /api/instance/new HTTP/1.1', 'Host: x', `token: ${(await world.account()).token}`,
		    'Content-Type: application/json', 'Content-Length: 100000'));
		const drip = setInterval(() => c.send('x'), 200);
		const r = await c.response({ timeoutMs: 25_000 });
		clearInterval(drip);
		const took = Date.now() - began;
		assert.equal(r.status, 408, JSON.stringify(r));
		assert.ok(took >= 9000 && took < 20_000, `${took} ms`);
		await c.closed();
	});

	test('a kept connection without a request is closed after 60 s', async () => {
		const c = await raw.connect(world.address);
		c.send(get());
		assert.equal((await c.response()).status, 200);
		const began = Date.now();
		await c.closed(70_000);
		const took = Date.now() - began;
		assert.ok(took > 55_000 && took < 66_000, `${took} ms`);
		assert.equal(c.received.length, 0, 'closed without a word');
	});

	test('hundreds of slow heads leave a healthy client undisturbed', async () => {
		const slow = await Promise.all(Array.from({ length: 400 }, () => raw.connect(world.address)));
		slow.forEach((c) => c.send('GET /health HTTP/1.1\r\nHo'));
		const times = [];
		for (let i = 0; i < 100; i++) {
			const began = performance.now();
			const r = await world.request('GET', '/health');
			assert.equal(r.status, 200);
			times.push(performance.now() - began);
		}
		times.sort((a, b) => a - b);
		assert.ok(times[98] < 50 * SLOWNESS * 2, `p99 ${times[98].toFixed(1)} ms`);
		for (const c of slow) {
			const r = await c.response({ timeoutMs: 20_000 });
			assert.equal(r.status, 408);
			await c.closed();
		}
	});

	test('a reader who takes nothing does not block others', async () => {
		const instance = await world.newInstance();
		const c = await raw.connect(world.address);
		c.socket.pause();
		const request = head(`GET /api/instance/connect/${instance.name} HTTP/1.1`, 'Host: x', `token: ${instance.account}`);
		for (let i = 0; i < 500; i++)
			c.send(request);
		for (let i = 0; i < 20; i++)
			assert.equal((await world.request('GET', '/health')).status, 200);
		c.close();
	});
});

test('after all of this the gateway is healthy', async () => {
	await world.healthy();
});
