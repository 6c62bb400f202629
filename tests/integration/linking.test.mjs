// From a code to a link, and what can go wrong on the way (part "Linking" of the fault table: L1, L2, L5 to L9)
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PLAIN, QR_FAILED, assertError, assertQr, eventually, sleep, startWorld } from './harness.mjs';
import { killRound, makeRandom, measurePairing } from './killpoints.mjs';
import { openEvents } from './sse.mjs';

const PAIRING_CODE = /^[1-9A-HJ-NP-TV-Z]{4}-[1-9A-HJ-NP-TV-Z]{4}$/;

const byNumber = (phone) => ({ query: `?number=${phone.number}` });

async function withWorld(options, body) {
	const world = await startWorld(options);
	try {
		await body(world);
	} finally {
		await world.stop();
	}
}

async function pairByCode(world, instance, phone) {
	const answer = await world.connect(instance, byNumber(phone));
	assert.equal(answer.status, 200, answer.text);
	return { answer, typed: () => world.control('POST', `/phones/${phone.number}/code`, { code: answer.json.pairingCode }) };
}

function assertNoSession(world, instance) {
	assert.deepEqual(world.files(instance).filter((f) => f.startsWith('session.db')), []);
}

const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');

function publicOf(secret) {
	const key = createPrivateKey({ key: Buffer.concat([PKCS8_X25519, secret]), format: 'der', type: 'pkcs8' });
	return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
}

/*
 * The files of a link are the gateway's alone, and no 32 bytes in them are the private key to one of the
 * QR code's public ones, or its ADV secret.
 */
function assertPrivate(dir, qr) {
	const [noise, identity, advSecret] = qr.split(',').slice(-4, -1).map((field) => Buffer.from(field, 'base64'));
	const tried = new Set();
	for (const name of readdirSync(dir)) {
		assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
		const bytes = readFileSync(join(dir, name));
		assert.ok(!bytes.includes(advSecret), `${name} holds the ADV secret`);
		for (let at = 0; at + 32 <= bytes.length; at++) {
			const window = bytes.subarray(at, at + 32);
			const text = window.toString('latin1');
			if (new Set(window).size < 16 || tried.has(text))
				continue; // no key, or seen
			tried.add(text);
			const key = publicOf(window);
			assert.ok(!key.equals(noise) && !key.equals(identity), `${name} holds a private key at ${at}`);
		}
	}
	assert.ok(tried.size > 100, `${tried.size} places`);
}

describe('a QR code that is scanned', () => {
	let world;
	before(async () => (world = await startWorld({ sim: { tls: true } })));
	after(() => world.stop());

	test('links: connected, with the account shown in list and at the phone', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ name: 'Ana', business: true });
		const { listed, device, jid } = await world.link(instance, { phone });
		assert.equal(listed.numberJid, `${phone.number}@s.whatsapp.net`);
		assert.equal(listed.connection.numberJid, listed.numberJid);
		assert.equal(listed.connection.displayStatus, 'Connected');
		assert.equal(listed.connection.lastError, null);
		assert.equal(listed.connection.nextRetryAt, null);
		assert.equal(listed.profile.name, 'Ana');
		assert.equal(listed.profile.isBusiness, true);
		assert.equal(listed.history, null);
		assert.ok(Math.abs(Date.parse(listed.connection.since) - Date.now()) < 60_000);
		const [shown] = await world.device(phone);
		assert.equal(shown.id, device);
		assert.equal(shown.jid, jid);
		assert.equal(shown.online, true);
		assert.match(jid, new RegExp(`^${phone.number}:${device}@s\\.whatsapp\\.net$`));
	});

	test('is answered `Instance already connected` afterwards, and nothing is torn down', async () => {
		const instance = await world.newInstance();
		const { phone } = await world.link(instance);
		const [worker] = world.workers(instance);
		const answer = await world.connect(instance);
		assert.equal(answer.status, 200, answer.text);
		assert.deepEqual(answer.json, { success: true, message: 'Instance already connected', status: 'connected',
			numberJid: `${phone.number}@s.whatsapp.net` });
		assert.deepEqual(world.workers(instance), [worker]);
		assert.equal((await world.device(phone)).length, 1);
	});

	test('is told to a stream as connecting, then connected, its last event', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const stream = await openEvents(world, instance);
		const { data } = await stream.next((e) => e.event === 'qr');
		assert.equal((await world.scan(phone, data.qrCode)).status, 200);
		const events = [];
		for (;;) {
			const e = await stream.next(() => true);
			events.push(e.event);
			if (e.event === 'connected') {
				assert.equal(e.data.status, 'connected');
				assert.equal(e.data.numberJid, `${phone.number}@s.whatsapp.net`);
				break;
			}
		}
		assert.ok(events.every((e) => ['qr', 'connecting', 'connected'].includes(e)), events.join());
		await eventually(() => stream.ended, { what: 'the end of the stream' });
	});

	test('keeps days of history that were asked for', async () => {
		const instance = await world.newInstance();
		const { listed } = await world.link(instance, { query: '?history=7' });
		assert.equal(listed.history.requestedDays, 7);
	});

	test('leaves one private session file, without a key in the clear', async () => {
		const instance = await world.newInstance();
		await world.fault('login', { kind: 'stall' }); // committed, but without the many keys that a login uploads
		try {
			const { json } = await world.connect(instance);
			assert.equal((await world.scan(await world.newPhone(), json.qrCode)).status, 200);
			assert.ok(world.files(instance).includes('session.db'));
			assertPrivate(join(world.dataDir, 'instances', instance.id), json.qrCode);
		} finally {
			await world.clearFaults();
		}
	});

	test('that is scanned twice links once', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const other = await world.newPhone();
		const { json } = await world.connect(instance);
		assert.equal((await world.scan(phone, json.qrCode)).status, 200);
		const late = await world.scan(other, json.qrCode);
		assert.equal(late.status, 409, late.text);
		const listed = await world.until(instance, 'connected');
		assert.equal(listed.numberJid, `${phone.number}@s.whatsapp.net`);
	});

	test('can be rotated by the phone: the copied code is worthless, the new one links', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ rotate: true });
		const { json } = await world.connect(instance);
		const first = await world.scan(phone, json.qrCode);
		assert.equal(first.status, 202, first.text);
		assert.equal(first.json.status, 'rotate');
		const fresh = await eventually(async () => {
			const r = await world.connect(instance);
			return r.json.qrCode !== json.qrCode && r.json.qrCode;
		}, { what: 'a rotated code' });
		assert.equal(json.qrCode.split(',')[0], fresh.split(',')[0], 'the same ref');
		const linked = await world.scan(phone, fresh);
		assert.equal(linked.status, 200, linked.text);
		await world.until(instance, 'connected');
	});

	test('of a hosted account links, too', async () => {
		const instance = await world.newInstance();
		await world.link(instance, { phone: await world.newPhone({ hosted: true }) });
	});
});

describe('a pairing code (L7, L8)', () => {
	let world;
	before(async () => (world = await startWorld({ sim: { tls: true } })));
	after(() => world.stop());

	test('is answered, typed, and links', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const { answer, typed } = await pairByCode(world, instance, phone);
		assert.deepEqual(Object.keys(answer.json).sort(),
		    ['expiresAt', 'expiresIn', 'message', 'pairingCode', 'status', 'success']);
		assert.equal(answer.json.message, 'Pairing code generated');
		assert.equal(answer.json.status, 'pairing');
		assert.match(answer.json.pairingCode, PAIRING_CODE);
		assert.ok(answer.json.expiresIn > 100 && answer.json.expiresIn <= 180, `${answer.json.expiresIn}`);
		const r = await typed();
		assert.equal(r.status, 200, r.text);
		const listed = await world.until(instance, 'connected');
		assert.equal(listed.numberJid, `${phone.number}@s.whatsapp.net`);
	});

	test('is the same for another caller with the same number, however it is written', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const { answer } = await pairByCode(world, instance, phone);
		const again = await world.connect(instance, { query: `?number=${encodeURIComponent(`+${phone.number.slice(0, 2)} (${phone.number.slice(2, 4)}) ${phone.number.slice(4)}`)}` });
		assert.equal(again.json.pairingCode, answer.json.pairingCode);
		assert.equal(world.workers(instance).length, 1);
	});

	test('typed wrong is refused by the phone, and right afterwards it links', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const { answer, typed } = await pairByCode(world, instance, phone);
		const wrong = answer.json.pairingCode.startsWith('1') ? '2' : '1';
		const r = await world.control('POST', `/phones/${phone.number}/code`, { code: wrong + answer.json.pairingCode.slice(1) });
		assert.ok(r.status >= 400 && r.status < 500, r.text);
		assert.equal((await typed()).status, 200);
		await world.until(instance, 'connected');
	});

	test('of a number that WhatsApp does not know is refused: pairing_refused', async () => {
		const instance = await world.newInstance();
		const answer = await world.connect(instance, { query: '?number=5599999999999' });
		assertError(answer, 500, QR_FAILED, 'pairing_refused');
		assert.match(answer.json.error.detail, /number/);
		assert.equal((await world.listed(instance)).status, 'disconnected');
		await eventually(() => world.workers(instance).length === 0);
		assertNoSession(world, instance);
	});

	test('that WhatsApp throttles is whatsapp_throttled with Retry-After, and nothing is tried again', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		await world.fault('pairing', { kind: 'failure', code: 429 });
		try {
			const answer = await world.connect(instance, byNumber(phone));
			assertError(answer, 429, 'Rate limit exceeded. Try again later.', 'whatsapp_throttled');
			assert.match(answer.headers.get('retry-after'), /^\d+$/);
			await eventually(() => world.workers(instance).length === 0);
			const seen = (await world.clients()).length;
			await sleep(1500);
			assert.ok((await world.clients()).length <= seen);
		} finally {
			await world.clearFaults();
		}
	});

	test('is given once per number and minute: rate_limited, with Retry-After, whoever asks', async () => {
		const [a, b] = [await world.newInstance(), await world.newInstance()];
		const phone = await world.newPhone();
		await pairByCode(world, a, phone);
		const answer = await world.connect(b, byNumber(phone));
		assertError(answer, 429, 'Rate limit exceeded. Try again later.', 'rate_limited');
		const wait = Number(answer.headers.get('retry-after'));
		assert.ok(wait >= 50 && wait <= 60, `${wait}`);
		assert.equal(world.workers(b).length, 0);
	});

	test('replaces a QR code that is live, and the other way round: superseded, never the wrong code', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const stream = await openEvents(world, instance);
		await stream.next((e) => e.event === 'qr');
		const { answer } = await pairByCode(world, instance, phone);
		assert.match(answer.json.pairingCode, PAIRING_CODE);
		const failed = await stream.next((e) => e.event === 'failed');
		assert.equal(failed.data.error.code, 'superseded');
		const second = await openEvents(world, instance, byNumber(phone));
		const live = await second.next((e) => e.event === 'pairing');
		assert.equal(live.data.pairingCode, answer.json.pairingCode);
		assertQr(await world.connect(instance));
		assert.equal((await second.next((e) => e.event === 'failed')).data.error.code, 'superseded');
		await eventually(() => world.workers(instance).length === 1);
	});

	test('of another number replaces the first', async () => {
		const instance = await world.newInstance();
		const [one, two] = [await world.newPhone(), await world.newPhone()];
		const first = await openEvents(world, instance, byNumber(one));
		await first.next((e) => e.event === 'pairing');
		const { typed } = await pairByCode(world, instance, two);
		assert.equal((await first.next((e) => e.event === 'failed')).data.error.code, 'superseded');
		assert.equal((await typed()).status, 200);
		assert.equal((await world.until(instance, 'connected')).numberJid, `${two.number}@s.whatsapp.net`);
	});

	test('has no picture: 406; as text it is the code', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		for (const accept of ['image/png', 'image/svg+xml'])
			assertError(await world.connect(instance, { ...byNumber(phone), headers: { accept } }),
			    406, 'Not acceptable', 'not_acceptable');
		const text = await world.connect(instance, { ...byNumber(phone), headers: { accept: 'text/plain' } });
		assert.match(text.text.trim(), PAIRING_CODE);
		world.noteCode(text.text.trim());
	});
});

describe('a link that is not to be trusted (L5)', () => {
	for (const kind of ['bad_hmac', 'bad_signature'])
		test(`${kind}: refused, answered with the protocol's error, nothing kept`, () => withWorld({ sim: { tls: true } }, async (world) => {
			await world.fault('pairing', { kind });
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const stream = await openEvents(world, instance);
			const { data } = await stream.next((e) => e.event === 'qr');
			const r = await world.scan(phone, data.qrCode);
			assert.ok(r.status >= 400 && r.status < 500, r.text);
			const failed = await stream.next((e) => e.event === 'failed');
			assert.equal(failed.data.error.code, 'pairing_refused');
			await eventually(() => world.workers(instance).length === 0);
			assertNoSession(world, instance);
			assert.deepEqual(await world.device(phone), []);
			const { entries } = (await world.control('GET', '/log')).json;
			const answer = entries.find((e) => e.dir === 'in' && e.node?.tag === 'iq' && e.node.attrs.type === 'error');
			assert.ok(answer, 'no error answer');
			assert.equal((await world.listed(instance)).status, 'disconnected');
			await world.clearFaults();
			await world.link(instance);
		}));
});

describe('stream error 515 (L1, L2)', () => {
	test('after pair-success is no failure: no second QR, one login, connected', () => withWorld({ sim: { tls: true } }, async (world) => {
		for (let i = 0; i < 20; i++) {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const stream = await openEvents(world, instance);
			const { data } = await stream.next((e) => e.event === 'qr');
			assert.equal((await world.scan(phone, data.qrCode)).status, 200);
			for (let e = await stream.next(() => true); e.event !== 'connected'; e = await stream.next(() => true))
				assert.equal(e.event, 'connecting');
			assert.equal((await world.listed(instance)).connection.lastError, null);
		}
	}));

	for (const kind of ['close', 'reset', 'stall'])
		test(`that does not come (${kind}): connected all the same`, () => withWorld({ sim: { tls: true } }, async (world) => {
			await world.fault('pairing', { kind, child: '515' });
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const { json } = await world.connect(instance);
			await world.scan(phone, json.qrCode);
			await world.until(instance, 'connected', { timeoutMs: 20_000 });
		}));

	test('again and again: at most one dial a second from the fourth on, and never a failure', () => withWorld({ sim: { tls: true } }, async (world) => {
		const instance = await world.newInstance();
		await world.link(instance);
		await world.fault('online', { kind: 'stream_error', code: 515 });
		const [client] = await world.online();
		await world.control('POST', `/clients/${client.id}/fault`, { kind: 'stream_error', code: 515 });
		await sleep(6000);
		const { seen } = (await world.control('GET', '/faults')).json[0];
		assert.ok(seen >= 2 && seen <= 10, `${seen} logins in 6 s`);
		const listed = await world.listed(instance);
		assert.ok(['connecting', 'connected'].includes(listed.status), listed.status);
		await world.clearFaults();
		await world.until(instance, 'connected', { timeoutMs: 30_000 });
	}));
});

describe('a kill in the middle of linking (L6)', () => {
	test('leaves a link that works, or none at all', () => withWorld({ sim: { tls: true } }, async (world) => {
		const random = makeRandom(20261122);
		const spanMs = await measurePairing(world, 3);
		const outcomes = { online: 0, unlinked: 0 };
		for (let i = 0; i < (PLAIN ? 60 : 15); i++)
			outcomes[await killRound(world, random() * spanMs * 1.3)]++;
		assert.ok(outcomes.online > 0, JSON.stringify(outcomes));
	}));
});

describe('a passkey (L9)', () => {
	let world;
	before(async () => (world = await startWorld({ sim: { tls: true } })));
	after(() => world.stop());

	const passkey = (instance) => world.request('GET', `/api/instance/passkey/${instance.name}`, { token: instance.account });
	const post = (instance, rest, json) =>
		world.request('POST', `/api/instance/passkey/${instance.name}${rest}`, { token: instance.account, json });
	const b64url = (text) => Buffer.from(text).toString('base64url');

	function credential(publicKey) {
		const clientDataJSON = b64url(JSON.stringify({ type: 'webauthn.get', challenge: publicKey.challenge, origin: 'https://web.whatsapp.com' }));
		return { id: b64url('credential-1'), rawId: b64url('credential-1'), type: 'public-key',
			response: { clientDataJSON, authenticatorData: b64url('authenticator'), signature: b64url('signature'), userHandle: b64url('user') },
			clientExtensionResults: {} };
	}

	test('is asked for: connecting, the options in connect and in its route; answered, it links', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ passkey: true });
		assertError(await post(instance, '', credential({ challenge: 'x' })), 409, 'No passkey step is pending', 'no_passkey');
		const { json } = await world.connect(instance);
		const scanned = await world.scan(phone, json.qrCode);
		assert.equal(scanned.status, 202, scanned.text);
		const asked = await eventually(async () => {
			const r = await passkey(instance);
			return r.json.status === 'required' && r.json;
		}, { what: 'the passkey step' });
		assert.equal((await world.listed(instance)).status, 'connecting');
		const again = await world.connect(instance);
		assert.equal(again.status, 200, again.text);
		assert.equal(again.json.status, 'passkey');
		assert.equal(again.json.message, 'Passkey required');
		assert.deepEqual(again.json.passkey.publicKey, asked.publicKey);
		const accepted = await post(instance, '', credential(asked.publicKey));
		assert.equal(accepted.status, 200, accepted.text);
		assert.deepEqual(accepted.json, { success: true, message: 'Passkey accepted', status: 'confirm' });
		await world.until(instance, 'connected');
		assert.equal((await passkey(instance)).json.status, 'done');
	});

	test('with a wrong challenge is refused with a clear error', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ passkey: true });
		const stream = await openEvents(world, instance);
		const { data } = await stream.next((e) => e.event === 'qr');
		await world.scan(phone, data.qrCode);
		await stream.next((e) => e.event === 'passkey');
		assert.equal((await post(instance, '', credential({ challenge: b64url('another') }))).status, 200);
		const failed = await stream.next((e) => e.event === 'failed');
		assert.equal(failed.data.error.code, 'pairing_refused');
		assertNoSession(world, instance);
	});
});

