// What can be done to a link by its routes: reconnect, logout, delete, connect again (contract 2, 2.1, 2.2, 3)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { QR_FAILED, assertError, assertQr, eventually, startWorld } from './harness.mjs';
import { openEvents } from './sse.mjs';

let world;
before(async () => (world = await startWorld({ sim: { tls: true } })));
after(() => world.stop());

const NO_SESSION = 'Instance has no saved session — call /connect first';
const call = (instance, method, route, options = {}) =>
	world.request(method, `/api/instance/${route}/${instance.name}`, { token: instance.account, ...options });
const reconnect = (instance, options) => call(instance, 'POST', 'reconnect', options);
const logout = (instance, options) => call(instance, 'DELETE', 'logout', options);

async function linked() {
	const instance = await world.newInstance();
	return { instance, ...await world.link(instance) };
}

// Nothing of a session is on disk any more under the name that would be used again.
function assertNoSession(instance) {
	assert.ok(!world.files(instance).includes('session.db'), world.files(instance).join(' '));
}

// The simulator lets nobody in while body runs.
async function unreachable(body) {
	await world.fault('tcp', { kind: 'refuse' });
	try {
		return await body();
	} finally {
		await world.clearFaults();
	}
}

describe('reconnect', () => {
	test('of an instance that was never linked is 400', async () => {
		const instance = await world.newInstance();
		assertError(await reconnect(instance), 400, NO_SESSION, 'no_session');
		assert.equal(world.workers(instance).length, 0);
	});

	test('of one that is online says so and disturbs nothing', async () => {
		const { instance } = await linked();
		const [worker] = world.workers(instance);
		const answer = await reconnect(instance, { token: instance.token });
		assert.equal(answer.status, 200, answer.text);
		assert.deepEqual(answer.json, { success: true, message: 'Reconnect initiated', status: 'connected' });
		assert.deepEqual(world.workers(instance), [worker]);
	});

	test('of one that is offline tries at once, without a code', async () => {
		const { instance, phone, device } = await linked();
		await unreachable(async () => {
			process.kill(world.workers(instance)[0].pid, 'SIGKILL');
			await world.until(instance, (i) => i.connection.lastError?.code === 'network', { timeoutMs: 20_000 });
		});
		const answer = await reconnect(instance);
		assert.equal(answer.status, 200, answer.text);
		assert.ok(['connecting', 'connected'].includes(answer.json.status), answer.text);
		await world.until(instance, 'connected', { timeoutMs: 5000 });
		assert.deepEqual((await world.device(phone)).map((d) => d.id), [device]);
	});
});

describe('connect of a linked instance', () => {
	test('that is offline resumes the session: connected, no code', async () => {
		const { instance, phone, device } = await linked();
		await unreachable(async () => {
			process.kill(world.workers(instance)[0].pid, 'SIGKILL');
			await world.until(instance, (i) => i.connection.lastError?.code === 'network', { timeoutMs: 20_000 });
			// one try at once, and its failure is the answer; the backoff goes on
			const failed = await world.connect(instance);
			assertError(failed, 500, QR_FAILED, 'network');
			assert.notEqual((await world.listed(instance)).connection.nextRetryAt, null);
		});
		const answer = await world.connect(instance, { query: '?number=5511999990000&history=7' });
		assert.equal(answer.status, 200, answer.text);
		assert.deepEqual(answer.json, { success: true, message: 'Instance already connected', status: 'connected',
			numberJid: `${phone.number}@s.whatsapp.net` });
		assert.deepEqual((await world.device(phone)).map((d) => d.id), [device]);
		const stream = await openEvents(world, instance);
		assert.equal((await stream.next()).event, 'connected');
		await stream.end();
	});

	test('that was unlinked while offline is a fresh pairing in the same call', async () => {
		const { instance, phone, device } = await linked();
		await unreachable(async () => {
			process.kill(world.workers(instance)[0].pid, 'SIGKILL');
			await world.until(instance, (i) => i.connection.state !== 'connected', { timeoutMs: 20_000 });
			const r = await world.unlink(phone, device);
			assert.ok(r.status >= 200 && r.status < 300, r.text);
		});
		// the backoff's own try may have been first: then it is logged out already
		const { qrCode } = assertQr(await world.connect(instance));
		const scanned = await world.scan(phone, qrCode);
		assert.equal(scanned.status, 200, scanned.text);
		await world.until(instance, 'connected');
	});
});

describe('logout', () => {
	test('unlinks at WhatsApp, wipes the session, keeps the instance', async () => {
		const { instance, phone } = await linked();
		const answer = await logout(instance, { token: instance.token });
		assert.equal(answer.status, 200, answer.text);
		assert.deepEqual(answer.json, { success: true, message: 'Instance logged out', instance: { status: 'loggedout' } });
		assert.deepEqual(await world.device(phone), []);
		const listed = await world.listed(instance);
		assert.equal(listed.status, 'loggedout');
		assert.equal(listed.connection.displayStatus, 'Logged out');
		assertNoSession(instance);
		await eventually(() => world.workers(instance).length === 0);
		assertError(await reconnect(instance), 400, NO_SESSION, 'no_session');
		// and can be linked again, by another phone too
		const again = await world.link(instance);
		assert.equal((await world.listed(instance)).numberJid, `${again.phone.number}@s.whatsapp.net`);
	});

	test('of an instance without a session is done already', async () => {
		const answer = await logout(await world.newInstance());
		assert.equal(answer.status, 200, answer.text);
		assert.equal(answer.json.instance.status, 'loggedout');
	});

	test('ends a pairing that runs: logged_out', async () => {
		const instance = await world.newInstance();
		const stream = await openEvents(world, instance);
		await stream.next((e) => e.event === 'qr');
		assert.equal((await logout(instance)).status, 200);
		assert.equal((await stream.next((e) => e.event === 'failed')).data.error.code, 'logged_out');
		await eventually(() => world.workers(instance).length === 0);
	});

	test('that WhatsApp could not be told of is 500 and keeps the session', async () => {
		const { instance, phone, device } = await linked();
		await unreachable(async () => {
			process.kill(world.workers(instance)[0].pid, 'SIGKILL');
			await world.until(instance, (i) => i.connection.lastError?.code === 'network', { timeoutMs: 20_000 });
			const answer = await logout(instance);
			assert.equal(answer.status, 500, answer.text);
			assert.equal(answer.json.error.message, 'Failed to logout instance');
			assert.match(answer.json.error.code, /^(network|timeout)$/);
		});
		await reconnect(instance);
		await world.until(instance, 'connected');
		assert.deepEqual((await world.device(phone)).map((d) => d.id), [device]);
	});

	test('by several at once is one', async () => {
		const { instance, phone } = await linked();
		for (const answer of await Promise.all([1, 2, 3].map(() => logout(instance))))
			assert.equal(answer.status, 200, answer.text);
		assert.deepEqual(await world.device(phone), []);
	});
});

describe('delete', () => {
	test('of a linked instance unlinks it and leaves nothing', async () => {
		const { instance, phone } = await linked();
		const answer = await call(instance, 'DELETE', 'delete');
		assert.equal(answer.status, 200, answer.text);
		assert.deepEqual(answer.json, { success: true, message: 'Instance deleted', instance: { status: 'deleted' } });
		assert.deepEqual(await world.device(phone), []);
		assert.deepEqual(world.files(instance), []);
		assert.equal(world.workers(instance).length, 0);
		assertError(await call(instance, 'GET', 'getSettings'), 404, 'Instance not found', 'instance_not_found');
	});

	test('of one that WhatsApp can\'t be told of deletes it all the same', async () => {
		const { instance } = await linked();
		await unreachable(async () => {
			process.kill(world.workers(instance)[0].pid, 'SIGKILL');
			await world.until(instance, (i) => i.connection.state !== 'connected', { timeoutMs: 20_000 });
			assert.equal((await call(instance, 'DELETE', 'delete')).status, 200);
		});
		assert.deepEqual(world.files(instance), []);
	});

	test('by several at once: each is answered, deleted or gone', async () => {
		const { instance } = await linked();
		const answers = await Promise.all([1, 2, 3].map(() => call(instance, 'DELETE', 'delete')));
		for (const answer of answers)
			assert.ok([200, 404].includes(answer.status), answer.text);
		assert.ok(answers.some((a) => a.status === 200));
	});
});

describe('the passkey step out of turn', () => {
	test('is 409, and none in its route', async () => {
		const instance = await world.newInstance();
		assert.deepEqual((await call(instance, 'GET', 'passkey')).json,
		    { success: true, status: 'none', publicKey: null, confirmationCode: null });
		const credential = { id: 'AQ', rawId: 'AQ', type: 'public-key',
			response: { clientDataJSON: 'e30', authenticatorData: 'AQ', signature: 'AQ' } };
		assertError(await call(instance, 'POST', 'passkey', { json: credential }), 409, 'No passkey step is pending', 'no_passkey');
		assertError(await world.request('POST', `/api/instance/passkey/${instance.name}/confirm`, { token: instance.token }),
		    409, 'No passkey step is pending', 'no_passkey');
	});

	test('an answer that is no credential is 400, and the step waits on', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ passkey: true });
		const stream = await openEvents(world, instance);
		const { data } = await stream.next((e) => e.event === 'qr');
		assert.equal((await world.scan(phone, data.qrCode)).status, 202);
		const asked = await stream.next((e) => e.event === 'passkey');
		assert.equal(asked.data.status, 'passkey');
		assert.equal(asked.data.message, 'Passkey required');
		assert.equal(typeof asked.data.passkey.publicKey.challenge, 'string');
		for (const json of [{}, { id: 'AQ' }, { id: 'AQ', rawId: 'AQ', type: 'public-key', response: {} }])
			assertError(await call(instance, 'POST', 'passkey', { json }), 400, 'Invalid request body', 'invalid_body');
		assertError(await call(instance, 'POST', 'passkey', { body: 'x' }), 400, 'Invalid request body', 'invalid_body');
		assert.equal((await call(instance, 'GET', 'passkey')).json.status, 'required');
		stream.close();
	});
});
