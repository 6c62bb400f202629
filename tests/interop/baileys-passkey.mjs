// tests/interop/baileys-passkey.mjs - the passkey step for Baileys, which does not have it: written from the notes alone
//
// Nothing here comes from the client or the simulator; node:crypto does the cryptography. tamper is one of challenge,
// credential, ref, type, proof, nonce, noise, identity, sealed: that thing is then wrong.
import { Curve } from '@whiskeysockets/baileys';
import { createCipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const SERVER = 's.whatsapp.net';
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTVWXYZ';
const CHROME = 1;

const hkdf = (ikm, salt, info) => Buffer.from(hkdfSync('sha256', ikm, salt, info, 32));
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const bytes = (field, data) => Buffer.concat([Buffer.from([field << 3 | 2]), varint(data.length), data]);
const number = (field, value) => Buffer.concat([Buffer.from([field << 3]), varint(value)]);

function varint(value) {
	const out = [];
	for (; value > 0x7f; value >>= 7)
		out.push(value & 0x7f | 0x80);
	return Buffer.from([...out, value]);
}

// Two 32-byte fields.
function primaryIdentity(data) {
	if (data.length !== 68 || data[0] !== 0x0a || data[34] !== 0x12)
		throw new Error('this is no PrimaryEphemeralIdentity');
	return { key: data.subarray(2, 34), nonce: data.subarray(36, 68) };
}

function codeText(raw) {
	let bits = 0n;
	for (const byte of raw)
		bits = bits << 8n | BigInt(byte);
	const text = Array.from({ length: 8 }, (_, i) => ALPHABET[Number(bits >> BigInt(35 - 5 * i) & 31n)]).join('');
	return `${text.slice(0, 4)}-${text.slice(4)}`;
}

function assertion(challenge) {
	const rawId = randomBytes(20).toString('base64url');
	const clientData = JSON.stringify({ type: 'webauthn.get', challenge, origin: 'https://whatsapp.com' });
	return {
		credential: Buffer.from(rawId, 'base64url'),
		json: JSON.stringify({
			id: rawId, rawId, type: 'public-key',
			response: {
				clientDataJSON: Buffer.from(clientData).toString('base64url'),
				authenticatorData: randomBytes(37).toString('base64url'),
				signature: randomBytes(70).toString('base64url'),
				userHandle: randomBytes(8).toString('base64url'),
			},
		}),
	};
}

export function answerPasskey(socket, creds, { passkey, tamper }, report) {
	const step = { nonce: randomBytes(32), key: Curve.generateKeyPair() };
	const child = (node, tag) => node.content?.find?.((n) => n.tag === tag)?.content;
	const ask = (type, ...content) => socket.query({
		tag: 'iq', attrs: { to: SERVER, type, xmlns: 'md', id: socket.generateMessageTag() }, content,
	});
	const node = (tag, content) => ({ tag, attrs: {}, content });
	const wrong = (what, data) => (tamper === what ? Buffer.concat([data.subarray(0, -1), Buffer.from([data.at(-1) ^ 1])]) : data);
	const guarded = (run) => (notification) => run(notification).catch((e) =>
	    report({ event: 'passkey_refused', code: e.output?.statusCode ?? e.data, error: e.message }));

	socket.ws.on('CB:notification,type:passkey_prologue_request', guarded(async (notification) => {
		const handoff = hkdf(Buffer.from(creds.advSecretKey, 'base64'), '', 'shortcake-passkey-handoff-v1');
		creds.advSecretKey = randomBytes(32).toString('base64');
		const json = child(notification, 'passkey_request_options') ??
		    child(await ask('get', node('passkey_request_options')), 'passkey_request_options');
		const { challenge, rpId } = JSON.parse(Buffer.from(json).toString());
		report({ event: 'passkey_asked', rpId, inNotification: child(notification, 'passkey_request_options') !== undefined });
		const { credential, json: signed } = assertion(tamper === 'challenge' ? 'AAAA' : challenge);
		step.ref = Buffer.from(child(await ask('get', node('ref')), 'ref')).toString();
		const identity = Buffer.concat([bytes(1, step.key.public), number(2, tamper === 'type' ? 7 : CHROME),
			bytes(3, wrong('ref', Buffer.from(step.ref)))]);
		const payload = Buffer.concat([bytes(1, identity), bytes(2, bytes(1, sha256(identity, step.nonce)))]);
		const proof = createHmac('sha256', handoff).update(payload).digest();
		await ask('set', node('passkey_prologue', [
			node('credential_id', wrong('credential', credential)),
			node('webauthn_assertion', Buffer.from(signed)),
			node('prologue_payload', payload),
			...(passkey === 'proof' ? [node('pairing_handoff_proof', wrong('proof', proof))] : []),
		]));
	}));

	socket.ws.on('CB:notification,type:crsc_continuation', guarded(async (notification) => {
		const primary = primaryIdentity(Buffer.from(child(notification, 'primary_ephemeral_identity')));
		await ask('set', node('companion_nonce', wrong('nonce', step.nonce)));
		const code = sha256(step.nonce, primary.key).subarray(0, 5).map((b, i) => b ^ primary.nonce[i]);
		if (passkey === 'compare')
			report({ event: 'passkey_code', code: codeText(code) });
		const key = hkdf(Curve.sharedKey(step.key.private, primary.key), `Companion Pairing ${CHROME} with ref ${step.ref}`,
		    'Pairing Information Encryption Key');
		const iv = randomBytes(12);
		const cipher = createCipheriv('aes-256-gcm', key, iv);
		const sealed = Buffer.concat([cipher.update(Buffer.concat([
			bytes(1, wrong('noise', Buffer.from(creds.noiseKey.public))),
			bytes(2, wrong('identity', Buffer.from(creds.signedIdentityKey.public))),
			bytes(3, Buffer.from(creds.advSecretKey, 'base64')),
		])), cipher.final(), cipher.getAuthTag()]);
		await ask('set', node('encrypted_pairing_request', Buffer.concat([bytes(1, wrong('sealed', sealed)), bytes(2, iv)])));
	}));
}
