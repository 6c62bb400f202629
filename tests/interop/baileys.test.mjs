// A client that nobody here wrote links with warden-sim, logs in and is unlinked.
// Baileys does not check everything a client should, so it proves the simulator, not the checks.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QR_TEXT, eventually } from '../integration/harness.mjs';
import { Baileys, withSim } from './baileys.mjs';

// A simulator, a phone (with these properties) and a Baileys process (with these options).
const withBaileys = ({ tls = false, phone = {}, byCode = false, ...options }, body) => withSim({ tls }, async (world, info) => {
	const number = '5511977770001';
	const made = await world.control('POST', '/phones', { number, name: 'Anna', ...phone });
	assert.equal(made.status, 201, made.text);
	const baileys = new Baileys(info, { ...options, ...(byCode ? { number } : {}) });
	const does = (what, body_) => world.control('POST', `/phones/${number}/${what}`, body_);
	try {
		await body({
			world, baileys, number, jid: made.json.jid, lid: made.json.lid,
			scan: (qr, more) => does('scan', { qr, ...more }),
			type: (code) => does('code', { code }),
			does,
			phone: async () => (await world.control('GET', `/phones/${number}`)).json,
			fault: (fault, match = {}) => world.control('POST', '/faults', { match: { stage: 'pairing', ...match }, fault }),
		});
	} finally {
		await baileys.stop();
	}
});

// From the answer to scan or code on: 515, login, shown on the phone.
async function assertLinked({ baileys, phone, number, lid }, answer, device = 1) {
	const jid = `${number}:${device}@s.whatsapp.net`;
	assert.equal(answer.status, 200, `${answer.text} ${baileys.report()}`);
	assert.deepEqual(answer.json, { device, jid });
	const paired = await baileys.next('paired');
	assert.equal(paired.jid, jid);
	assert.equal(paired.lid, lid.replace('@', `:${device}@`));
	assert.equal((await baileys.next('close')).status, 515);
	await baileys.next('open');
	const [shown, ...others] = (await phone()).devices;
	assert.deepEqual(others, []);
	assert.deepEqual({ ...shown, lastSeen: null, queued: 0 }, {
		id: device, jid, lid: paired.lid, platform: 'chrome', name: 'Ubuntu', keyIndex: device, online: true, lastSeen: null, queued: 0,
	});
	return paired;
}

for (const tls of [false, true])
	describe(tls ? 'Baileys over TLS' : 'Baileys over plain WebSocket', () => {
		test('pairs by QR, logs in after 515, is unlinked', () => withBaileys({ tls }, async (t) => {
			const { qr } = await t.baileys.next('qr');
			assert.match(qr, QR_TEXT);
			const paired = await assertLinked(t, await t.scan(qr));
			assert.equal(paired.platform, 'android');
			const r = await t.world.control('DELETE', `/phones/${t.number}/devices/1`);
			assert.equal(r.status, 200, r.text);
			assert.equal((await t.baileys.next('close')).status, 401);
			assert.deepEqual((await t.phone()).devices, []);
			assert.equal((await t.scan(qr)).status, 409);
		}));

		test('pairs by code, logs in after 515, is unlinked', () => withBaileys({ tls, byCode: true }, async (t) => {
			const { code } = await t.baileys.next('code');
			await eventually(async () => (await t.phone()).code !== null, { what: 'the code to be wanted' });
			assert.deepEqual((await t.phone()).code, { display: 'Chrome (Ubuntu)', attempts: 0 });
			await assertLinked(t, await t.type(`${code.slice(0, 4)}-${code.slice(4)}`));
			assert.equal((await t.world.control('DELETE', `/phones/${t.number}/devices/1`)).status, 200);
			assert.equal((await t.baileys.next('close')).status, 401);
		}));
	});

describe('the phone', () => {
	test('shows what Baileys sends while it pairs', () => withBaileys({}, async (t) => {
		await t.baileys.next('qr');
		const pairing = await eventually(async () => (await t.world.clients()).find((c) => c.stage === 'pairing'),
		    { what: 'a client at pairing' });
		const { entries } = (await t.world.control('GET', `/log?client=${pairing.id}`)).json;
		assert.ok(entries.some((e) => e.dir === 'in' && e.node), JSON.stringify(entries).slice(0, 500));
	}));

	test('refuses a QR with another key than the connection\'s', () => withBaileys({}, async (t) => {
		const [prefix, list] = (await t.baileys.next('qr')).qr.split('#');
		const key = Buffer.alloc(32, 9).toString('base64');
		for (const [i, code] of [[1, 'qr_noise_key'], [2, 'qr_identity_key']]) {
			const r = await t.scan(`${prefix}#${list.split(',').with(i, key).join(',')}`);
			assert.equal(r.status, 400, r.text);
			assert.equal(r.json.error.code, code);
		}
	}));

	test('links a business account', () => withBaileys({ phone: { business: true } }, async (t) => {
		const paired = await assertLinked(t, await t.scan((await t.baileys.next('qr')).qr));
		assert.equal(paired.platform, 'smba');
		assert.equal(paired.name, 'Anna');
	}));

	test('links a hosted account', () => withBaileys({ phone: { hosted: true } }, async (t) => {
		await assertLinked(t, await t.scan((await t.baileys.next('qr')).qr));
	}));

	test('lets a code be typed again, three times in all', () => withBaileys({ byCode: true }, async (t) => {
		const { code } = await t.baileys.next('code');
		await eventually(async () => (await t.phone()).code !== null, { what: 'the code to be wanted' });
		assert.equal((await t.type('no code')).json.error.code, 'bad_code');
		for (let i = 0; i < 2; i++) {
			const r = await t.type('1111-1111');
			assert.equal(r.status, 400, r.text);
			assert.equal(r.json.error.code, 'wrong_code');
		}
		await assertLinked(t, await t.type(code));
	}));

	test('takes no fourth code', () => withBaileys({ byCode: true }, async (t) => {
		const { code } = await t.baileys.next('code');
		await eventually(async () => (await t.phone()).code !== null, { what: 'the code to be wanted' });
		for (let i = 0; i < 3; i++)
			assert.equal((await t.type('11111111')).json.error.code, 'wrong_code');
		const r = await t.type(code);
		assert.equal(r.status, 409, r.text);
		assert.equal(r.json.error.code, 'too_many_attempts');
	}));

	test('wants no code that nobody has asked for', () => withBaileys({}, async (t) => {
		const r = await t.type('11111111');
		assert.equal(r.status, 409, r.text);
		assert.equal(r.json.error.code, 'no_code_wanted');
	}));

	test('forgets a code that was made void', () => withBaileys({ byCode: true }, async (t) => {
		const { code } = await t.baileys.next('code');
		await eventually(async () => (await t.phone()).code !== null, { what: 'the code to be wanted' });
		assert.equal((await t.does('code', { refresh: 'manual' })).status, 200);
		assert.equal((await t.type(code)).json.error.code, 'no_code_wanted');
		const { entries } = (await t.world.control('GET', '/log')).json;
		const reg = entries.filter((e) => e.dir === 'out').map((e) => e.node?.content?.[0])
		    .find((n) => n?.attrs?.stage === 'refresh_code');
		assert.equal(reg.attrs.force_manual_refresh, 'true');
	}));

	test('asks for another code after the scan and takes only that', () => withBaileys({ rotate: true }, async (t) => {
		const first = (await t.baileys.next('qr')).qr;
		const asked = await t.scan(first, { rotate: true });
		assert.equal(asked.status, 202, asked.text);
		assert.deepEqual(asked.json, { status: 'rotate' });
		const again = await t.scan(first, { rotate: true });
		assert.equal(again.status, 409, again.text);
		assert.equal(again.json.error.code, 'old_secret');
		await assertLinked(t, await t.scan((await t.baileys.next('qr')).qr, { rotate: true }));
	}));
});

describe('the passkey step', () => {
	const phone = { passkey: true };

	test('is answered with a proof: nothing to compare', () => withBaileys({ phone, passkey: 'proof' }, async (t) => {
		const r = await t.scan((await t.baileys.next('qr')).qr);
		assert.equal(r.status, 202, r.text);
		assert.deepEqual(r.json, { status: 'passkey' });
		assert.equal((await t.baileys.next('passkey_asked')).rpId, 'whatsapp.com');
		await assertLinked(t, await t.does('passkey', { approve: true }));
		assert.deepEqual((await t.phone()).passkey, { status: 'linked', code: null, why: null });
	}));

	test('follows a pairing code too', () => withBaileys({ phone, passkey: 'proof', byCode: true }, async (t) => {
		const { code } = await t.baileys.next('code');
		await eventually(async () => (await t.phone()).code !== null, { what: 'the code to be wanted' });
		assert.equal((await t.type(code)).status, 202);
		await assertLinked(t, await t.does('passkey', { approve: true }));
	}));

	test('shows the same code on both sides when there is no proof', () => withBaileys({ phone, passkey: 'compare' }, async (t) => {
		assert.equal((await t.scan((await t.baileys.next('qr')).qr)).status, 202);
		const { code } = await t.baileys.next('passkey_code');
		const { passkey } = await t.phone();
		assert.equal(passkey.status, 'comparing');
		assert.equal(passkey.code, code);
		await assertLinked(t, await t.does('passkey', { approve: true }));
	}));

	test('ends when the person says no', () => withBaileys({ phone, passkey: 'compare' }, async (t) => {
		assert.equal((await t.scan((await t.baileys.next('qr')).qr)).status, 202);
		await t.baileys.next('passkey_code');
		const r = await t.does('passkey', { approve: false });
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(r.json, { status: 'refused' });
		await t.baileys.next('close');
		assert.equal((await t.phone()).passkey.status, 'refused');
		assert.equal((await t.does('passkey', { approve: true })).json.error.code, 'no_passkey_step');
		assert.deepEqual((await t.phone()).devices, []);
	}));

	test('gives its options on request when the notification has none',
	    () => withBaileys({ phone: { ...phone, passkeyOptions: false }, passkey: 'proof' }, async (t) => {
		assert.equal((await t.scan((await t.baileys.next('qr')).qr)).status, 202);
		assert.equal((await t.baileys.next('passkey_asked')).inNotification, false);
		await assertLinked(t, await t.does('passkey', { approve: true }));
	}));

	for (const tamper of ['challenge', 'credential', 'ref', 'type', 'proof', 'nonce', 'noise', 'identity', 'sealed'])
		test(`refuses a wrong ${tamper}`, () => withBaileys({ phone, passkey: 'proof', tamper }, async (t) => {
			assert.equal((await t.scan((await t.baileys.next('qr')).qr)).status, 202);
			await t.baileys.next('passkey_refused');
			const { passkey, devices } = await t.phone();
			assert.ok(passkey.why, JSON.stringify(passkey));
			assert.deepEqual(devices, []);
		}));
});

describe('faults of pairing', () => {
	const link = async (t) => t.scan((await t.baileys.next('qr')).qr);

	// Baileys answers a wrong HMAC by leaving; it would take any signature.
	test('a wrong HMAC is not taken', () => withBaileys({}, async (t) => {
		await t.fault({ kind: 'bad_hmac' });
		const r = await link(t);
		assert.equal(r.status, 409, r.text);
		assert.equal(r.json.error.code, 'companion_closed');
		assert.deepEqual((await t.phone()).devices, []);
	}));

	test('a fault can be meant for one number', () => withBaileys({}, async (t) => {
		await t.fault({ kind: 'bad_hmac' }, { number: '5511977770009' });
		await assertLinked(t, await link(t));
	}));

	test('pair-success twice links once', () => withBaileys({}, async (t) => {
		await t.fault({ kind: 'duplicate' });
		assert.equal((await link(t)).status, 200);
		await t.baileys.next('open');
		assert.equal((await t.phone()).devices.length, 1);
	}));

	for (const kind of ['close', 'reset']) {
		test(`${kind} instead of 515 leaves a device that can log in`, () => withBaileys({}, async (t) => {
			await t.fault({ kind, child: '515' });
			const r = await link(t);
			assert.equal(r.status, 200, r.text);
			assert.equal((await t.phone()).devices.length, 1);
			assert.notEqual((await t.baileys.next('close')).status, 515);
		}));

		test(`${kind} right after pair-success leaves none`, () => withBaileys({}, async (t) => {
			await t.fault({ kind, child: 'pair-success' });
			const r = await link(t);
			assert.equal(r.status, 409, r.text);
			assert.equal(r.json.error.code, 'companion_closed');
			assert.deepEqual((await t.phone()).devices, []);
		}));
	}

	test('a code is refused with the wanted error', () => withBaileys({ byCode: true }, async (t) => {
		await t.fault({ kind: 'failure', code: 429 }, { number: t.number });
		await t.baileys.next('code');
		const error = await eventually(async () => (await t.world.control('GET', '/log')).json.entries
		    .find((e) => e.dir === 'out' && e.node?.attrs?.type === 'error')?.node.content[0], { what: 'the refusal' });
		assert.deepEqual(error.attrs, { code: '429', text: 'rate-overlimit' });
		assert.equal((await t.phone()).code, null);
	}));
});
