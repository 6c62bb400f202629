// What WhatsApp's side can do wrong while an attempt runs, and the code each caller gets for it.
// Every case ends with a gateway as healthy as before: the next instance gets its code.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { QR_FAILED, SLOWNESS, World, assertError, assertQr, eventually, startWorld } from './harness.mjs';

let world;

before(async () => {
	world = await startWorld({ sim: { tls: true } });
});
after(() => world?.stop());

// Connect a fresh instance while a fault holds for every connection.
async function connectWithFault(stage, fault, match) {
	const instance = await world.newInstance();
	await world.fault(stage, fault, match);
	try {
		return { instance, answer: await world.connect(instance) };
	} finally {
		await world.clearFaults();
	}
}

async function assertFails(stage, fault, ...codes) {
	const { instance, answer } = await connectWithFault(stage, fault);
	assert.equal(answer.status, 500, answer.text);
	assert.ok(codes.includes(answer.json.error.code), `${answer.json.error.code} is not ${codes}: ${answer.text}`);
	assertError(answer, 500, QR_FAILED, answer.json.error.code);
	assert.ok(answer.json.error.detail?.length > 0, 'the detail says what failed');
	await assertOver(instance, answer.json.error.code);
	return answer;
}

// State and reason are kept, the worker is gone, and the same instance can be linked at the next call.
async function assertOver(instance, code) {
	const listed = await world.listed(instance);
	assert.equal(listed.status, 'disconnected');
	assert.equal(listed.connection.lastError.code, code);
	assert.equal(listed.connection.nextRetryAt, null);
	await eventually(() => world.workers(instance).length === 0, { what: 'the worker gone' });
	assertQr(await world.connect(instance));
	await world.healthy();
	await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
}

describe('connection', () => {
	test('nobody listens: network', async () => {
		const w = await startWorld({ gateway: { settings: { wa_url: 'ws://127.0.0.1:1/ws/chat' } } });
		try {
			assertError(await w.connect(await w.newInstance()), 500, QR_FAILED, 'network');
			await w.healthy();
		} finally {
			await w.stop();
		}
	});

	test('a name that does not exist: dns', async () => {
		const w = await startWorld({ gateway: { settings: { wa_url: 'ws://no-such-host.invalid/ws/chat' } } });
		try {
			const began = Date.now();
			assertError(await w.connect(await w.newInstance()), 500, QR_FAILED, 'dns');
			assert.ok(Date.now() - began < 8000 * SLOWNESS);
		} finally {
			await w.stop();
		}
	});

	test('refused', () => assertFails('tcp', { kind: 'refuse' }, 'network'));
	for (const stage of ['tcp', 'tls', 'upgrade', 'handshake', 'registration'])
		for (const kind of ['close', 'reset'])
			test(`${kind} at ${stage}: network`, () => assertFails(stage, { kind }, 'network'));
	for (const stage of ['upgrade', 'handshake', 'registration'])
		test(`truncated at ${stage}: network`, () => assertFails(stage, { kind: 'truncate' }, 'network'));
});

describe('TLS', () => {
	test("a certificate of another name or issuer: tls", () => assertFails('tls', { kind: 'bad_cert' }, 'tls'));
	test('an expired certificate: tls', () => assertFails('tls', { kind: 'expired_cert' }, 'tls'));
	test('no TLS at all on the port: tls', () => assertFails('tcp', { kind: 'garbage' }, 'tls'));
	test('garbage within the TLS handshake: tls', () => assertFails('tls', { kind: 'garbage' }, 'tls'));
	test('a flipped byte in the TLS handshake: tls', () => assertFails('tls', { kind: 'corrupt' }, 'tls', 'network'));

	test('an authority nobody told us of: tls', async () => {
		const w = await startWorld({ sim: { tls: true }, gateway: { settings: { wa_ca_file: null } } });
		try {
			assertError(await w.connect(await w.newInstance()), 500, QR_FAILED, 'tls');
			const [client] = (await w.clients()) ?? [];
			assert.ok(client === undefined || ['tcp', 'tls'].includes(client.stage), JSON.stringify(client));
		} finally {
			await w.stop();
		}
	});
});

describe('WebSocket upgrade', () => {
	for (const code of [400, 403, 404, 503])
		test(`answered ${code} instead of 101: handshake`, () =>
			assertFails('upgrade', { kind: 'failure', code }, 'handshake'));
	test('garbage instead of an answer: handshake', () => assertFails('upgrade', { kind: 'garbage' }, 'handshake'));
	test('an endless head: handshake', () => assertFails('upgrade', { kind: 'oversize' }, 'handshake'));
});

describe('Noise', () => {
	const flaws = ['leaf_signature', 'intermediate_signature', 'leaf_issuer', 'intermediate_issuer', 'leaf_key',
		'leaf_not_before', 'leaf_not_after', 'intermediate_not_before', 'intermediate_not_after', 'other_root',
		'no_leaf', 'no_intermediate'];
	for (const child of flaws)
		test(`certificate chain with ${child}: handshake, and no key is sent`, async () => {
			const seen = new Set((await world.clients()).map((c) => c.id));
			const instance = await world.newInstance();
			await world.fault('handshake', { kind: 'bad_cert', child });
			try {
				const answer = await world.connect(instance);
				assertError(answer, 500, QR_FAILED, 'handshake');
				await assertNothingAfterServerHello(seen);
			} finally {
				await world.clearFaults();
			}
			await assertOver(instance, 'handshake');
		});

	// A client that had sent its ClientFinish would have come to registration.
	async function assertNothingAfterServerHello(seen) {
		const entries = (await world.control('GET', '/log')).json.entries.filter((e) => !seen.has(e.client));
		for (const e of entries)
			assert.ok(!seen.has(e.client));
		const clients = (await world.clients()).filter((c) => !seen.has(c.id));
		for (const c of clients)
			assert.equal(c.stage, 'handshake');
	}

	test('an expired chain: handshake', () => assertFails('handshake', { kind: 'expired_cert' }, 'handshake'));
	test('garbage: handshake', () => assertFails('handshake', { kind: 'garbage' }, 'handshake'));
	test('an oversize frame: handshake', () => assertFails('handshake', { kind: 'oversize' }, 'handshake'));
	test('a flipped byte: handshake', () => assertFails('handshake', { kind: 'corrupt' }, 'handshake'));
	for (const offset of [0, 2, 3, 10, 40, 60, 100, 200])
		test(`a flipped byte at ${offset}: an end with a code, no crash`, () =>
			assertFails('handshake', { kind: 'corrupt', offset }, 'handshake', 'network', 'timeout'));

	test('a root key that is not ours: handshake', async () => {
		const w = await startWorld({ gateway: { settings: { wa_root_key: '42'.repeat(32) } } });
		try {
			assertError(await w.connect(await w.newInstance()), 500, QR_FAILED, 'handshake');
		} finally {
			await w.stop();
		}
	});
});

// A world whose server names this version as today's: a relay before the simulator answers /sw.js itself.
async function withVersion(revision) {
	const w = new World();
	const info = await w.startSim();
	const port = Number(new URL(info.url).port);
	let lookUps = 0;
	const relay = net.createServer((socket) => {
		socket.on('error', () => {});
		socket.once('data', (first) => {
			if (first.toString('latin1').startsWith('GET /sw.js ')) {
				lookUps++;
				const body = `self.x = {\\"client_revision\\":${revision},}`;
				socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
				return;
			}
			const onward = net.connect(port, '127.0.0.1').on('error', () => socket.destroy());
			onward.write(first);
			socket.pipe(onward).pipe(socket);
		});
	});
	await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
	await w.startGateway({ settings: { wa_version: 'auto', wa_url: `ws://127.0.0.1:${relay.address().port}/ws/chat` } });
	const stop = w.stop.bind(w);
	w.stop = () => stop().finally(() => relay.close());
	w.lookUps = () => lookUps;
	return w;
}

describe('registration', () => {
	for (const [code, expected] of [[400, 'pairing_refused'], [401, 'pairing_refused'], [403, 'banned'],
		[405, 'client_outdated'], [406, 'banned'], [500, 'pairing_refused'], [503, 'pairing_refused']])
		test(`failure ${code}: ${expected}`, () =>
			assertFails('registration', { kind: 'failure', code }, expected));

	test('failure 405 once: the version is looked up, one more try with it, and a code', async () => {
		const w = await withVersion(1_099_999_999);
		try {
			await w.fault('registration', { kind: 'failure', code: 405 }, { nth: 1 });
			assertQr(await w.connect(await w.newInstance()));
			assert.equal(w.lookUps(), 2); // before the first dial, since none is known yet, and after the refusal
		} finally {
			await w.stop();
		}
	});

	test('failure 405 again and again: one try more, then client_outdated with the version used', async () => {
		const w = await withVersion(1_099_999_998);
		try {
			await w.fault('registration', { kind: 'failure', code: 405 });
			const answer = await w.connect(await w.newInstance());
			assertError(answer, 500, QR_FAILED, 'client_outdated');
			assert.match(answer.json.error.detail, /2\.3000\.1099999998/);
			assert.ok(w.lookUps() <= 2);
		} finally {
			await w.stop();
		}
	});

	test('failure 405 says which version was used', async () => {
		const { answer } = await connectWithFault('registration', { kind: 'failure', code: 405 });
		assertError(answer, 500, QR_FAILED, 'client_outdated');
		assert.match(answer.json.error.detail, /2\.3000\.\d+/);
	});

	test('garbage: an end with a code', () =>
		assertFails('registration', { kind: 'garbage' }, 'handshake', 'protocol_error'));
	test('an oversize frame: an end with a code', () =>
		assertFails('registration', { kind: 'oversize' }, 'handshake', 'protocol_error'));
	test('a flipped byte: an end with a code', () =>
		assertFails('registration', { kind: 'corrupt' }, 'handshake', 'protocol_error'));
	for (const code of [503, 515, 516])
		test(`stream error ${code}: an end with a code`, () =>
			assertFails('registration', { kind: 'stream_error', code },
			    'network', 'pairing_refused', 'protocol_error', 'logged_out'));
});

describe('harmless oddities still end in a code', () => {
	const stages = ['upgrade', 'handshake', 'registration'];
	for (const stage of stages)
		test(`one byte a segment at ${stage}`, async () => {
			assertQr((await connectWithFault(stage, { kind: 'split' })).answer);
		});
	for (const stage of stages)
		test(`slow bytes at ${stage}`, async () => {
			assertQr((await connectWithFault(stage, { kind: 'slow', bytesPerSecond: 500 })).answer);
		});
	for (const kind of ['unknown', 'duplicate'])
		test(`${kind} stanza at registration`, async () => {
			assertQr((await connectWithFault('registration', { kind })).answer);
		});
});

test('a connection that drops while its code is live: state and stream say network', async () => {
	const instance = await world.newInstance();
	await world.fault('pairing', { kind: 'close' });
	try {
		const answer = await world.connect(instance);
		// the close may come before or after the code has been handed out
		if (answer.status !== 200)
			assertError(answer, 500, QR_FAILED, 'network');
		await eventually(async () => {
			const { status, connection } = await world.listed(instance);
			return status === 'disconnected' && connection.lastError?.code === 'network';
		}, { timeoutMs: 20_000, what: 'disconnected, network' });
	} finally {
		await world.clearFaults();
	}
	assertQr(await world.connect(instance));
});

describe('a server that speaks no WebSocket', () => {
	// Servers of the test's own: what the simulator would never say.
	const answers = {
		'an HTTP page': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
		'a redirect': 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
		'101 without Sec-WebSocket-Accept': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
		'101 with a wrong Sec-WebSocket-Accept': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
		    'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n',
		'binary noise': Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 0xff)),
		'SSH': 'SSH-2.0-OpenSSH_9.2\r\n',
	};
	for (const [what, bytes] of Object.entries(answers))
		test(`${what}: handshake`, async () => {
			const server = net.createServer((socket) => {
				socket.on('error', () => {});
				socket.once('data', () => socket.write(bytes));
			});
			await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
			const w = await startWorld({ gateway: { settings: { wa_url: `ws://127.0.0.1:${server.address().port}/ws/chat` } } });
			try {
				assertError(await w.connect(await w.newInstance()), 500, QR_FAILED, 'handshake');
			} finally {
				await w.stop();
				server.close();
			}
		});
});
