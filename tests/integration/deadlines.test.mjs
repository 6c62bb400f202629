// A server that falls silent: each step of an attempt has a deadline of its own (fault L4).
// The waits are real, so every case has its own world and they run side by side.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QR_FAILED, SLOWNESS, assertError, startWorld } from './harness.mjs';
import { startDeafServer } from './relay.mjs';

// Connect and check code, step in the detail, and the time it took.
async function assertTimesOut(w, { afterMs, step }) {
	const instance = await w.newInstance();
	const began = Date.now();
	const answer = await w.connect(instance);
	const took = Date.now() - began;
	assertError(answer, 500, QR_FAILED, 'timeout');
	assert.match(answer.json.error.detail, step);
	assert.ok(took >= afterMs - 200 && took < afterMs + 3000 * SLOWNESS, `${took} ms instead of ${afterMs}`);
	const listed = await w.listed(instance);
	assert.equal(listed.status, 'disconnected');
	assert.equal(listed.connection.lastError.code, 'timeout');
	await w.healthy();
}

const silent = (stage, expected) => async () => {
	const w = await startWorld({ sim: { tls: true } });
	try {
		await w.fault(stage, { kind: 'stall', offset: 0 });
		await assertTimesOut(w, expected);
		await w.clearFaults();
		assert.equal((await w.connect(await w.newInstance())).status, 200);
	} finally {
		await w.stop();
	}
};

describe('a server that is silent', { concurrency: true }, () => {
	test('before TCP is connected: timeout after 10 s', async () => {
		const server = await startDeafServer();
		const w = await startWorld({ gateway: { settings: { wa_url: `ws://127.0.0.1:${server.port}/ws/chat` } } });
		try {
			await assertTimesOut(w, { afterMs: 10_000, step: /tcp|connect/i });
		} finally {
			await w.stop();
			server.stop();
		}
	});

	test('after TCP: timeout after 10 s', silent('tcp', { afterMs: 10_000, step: /tls/i }));
	test('in TLS: timeout after 10 s', silent('tls', { afterMs: 10_000, step: /tls/i }));
	test('in the upgrade: timeout after 10 s', silent('upgrade', { afterMs: 10_000, step: /upgrade|websocket/i }));
	test('in the Noise handshake: timeout after 10 s', silent('handshake', { afterMs: 10_000, step: /handshake|noise/i }));
	test('after registration: timeout after 20 s',
	    silent('registration', { afterMs: 20_000, step: /registration|pair-device/i }));

	test('with refs that never come: timeout after 20 s, though pings are answered', async () => {
		const w = await startWorld({ sim: { tls: true } });
		try {
			await w.fault('registration', { kind: 'no_refs' });
			await assertTimesOut(w, { afterMs: 20_000, step: /registration|pair-device/i });
		} finally {
			await w.stop();
		}
	});
});
