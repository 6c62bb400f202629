// History by days: what the phone has of them arrives, nothing older does, and it is read back with its files
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';

const DAY_S = 86_400;
const EDGE_S = 120; // a message may grow too old while the test runs

let world;
before(async () => (world = await startWorld()));
after(() => world?.stop());

const get = async (path) => {
	const r = await world.control('GET', path);
	assert.equal(r.status, 200, r.text);
	return r.json;
};
const phoneOf = (options) => world.newPhone({ chats: 8, messages: 400, daysOfHistory: 20,
	history: { chunkMessages: 90, inlineMax: 4096 }, ...options });
const told = (phone, query = '') => get(`/phones/${phone.number}/history?messages=1${query}`);
const settled = (phone) => eventually(async () => {
	const [device] = (await get(`/phones/${phone.number}/sync`)).devices;
	return device?.done && device;
}, { what: 'history to be acknowledged', timeoutMs: 15_000 });
const historyDone = (instance) => world.until(instance, (i) => i.history?.progress === 100, { timeoutMs: 15_000 });

const readBack = (instance, body) => world.request('POST', `/api/chat/history/${instance.name}`,
	{ token: instance.account, json: body });
const file = (instance, id) => world.request('GET', `/api/chat/base64/${instance.name}?messageId=${id}`,
	{ token: instance.account });

// What stands by itself in a chat, of the kinds that clients show.
const shown = (messages) => messages.filter((m) => !SILENT.has(m.type));
const SILENT = new Set(['stub', 'reaction', 'poll_vote', 'revoke', 'edit', 'pin', 'keep', 'protocol', 'encrypted_edit']);

// Every chat's messages from then on, as the gateway gives them.
async function allFrom(instance, history, from) {
	const all = new Map();
	for (const chat of history.chats) {
		const r = await readBack(instance, { number: chat.jid, count: 500, from });
		assert.equal(r.status, 200, r.text);
		assert.equal(r.json.count, r.json.messages.length);
		for (const m of r.json.messages)
			all.set(`${chat.jid} ${m.id}`, m);
	}
	return all;
}

function compare(history, all, from) {
	const wanted = shown(history.messages).filter((m) => m.timestamp >= from + EDGE_S);
	const known = new Map(history.messages.map((m) => [`${m.chat} ${m.id}`, m]));
	for (const m of wanted) {
		const got = all.get(`${m.chat} ${m.id}`);
		assert.ok(got, `missing: ${JSON.stringify(m)}`);
		assert.equal(got.fromHistory, true);
		assert.equal(got.direction, m.fromMe ? 'outgoing' : 'incoming');
		assert.equal(Date.parse(got.timestamp), m.timestamp * 1000);
	}
	for (const key of all.keys()) {
		assert.ok(known.has(key), `not of this phone: ${key}`);
		assert.ok(known.get(key).timestamp >= from - EDGE_S, `too old: ${key}`);
	}
	assert.ok(wanted.length > 20, `only ${wanted.length} messages to compare`);
	return wanted;
}

const cutoff = (days) => Math.floor(Date.now() / 1000) - days * DAY_S;

describe('seven days', () => {
	let phone, instance, history;
	before(async () => {
		phone = await phoneOf({ messages: 1600, history: { chunkMessages: 400 } });
		instance = await world.newInstance();
		await world.link(instance, { phone, query: '?history=7' });
		await settled(phone);
		history = await told(phone);
	});

	test('arrive, and nothing that is older', async () => {
		const listed = await historyDone(instance);
		assert.equal(listed.history.requestedDays, 7);
		const young = history.messages.filter((m) => m.timestamp > cutoff(7) + EDGE_S).length;
		assert.ok(listed.history.messages > 0 && listed.history.messages <= young + 5, JSON.stringify(listed.history));
		compare(history, await allFrom(instance, history, cutoff(7)), cutoff(7));
	});

	test('are read back by number and by time', async () => {
		const chat = history.chats.find((c) => c.form === 'pn_lid');
		const mine = shown(history.messages).filter((m) => m.chat === chat.jid && m.timestamp > cutoff(7) + EDGE_S);
		assert.ok(mine.length > 6);
		const number = `+${chat.pn.split('@')[0]}`;
		const last = mine.slice(-3);
		const r = await readBack(instance, { number, count: 3 });
		assert.equal(r.status, 200, r.text);
		assert.deepEqual(r.json.messages.map((m) => m.id), last.map((m) => m.id));
		assert.equal(r.json.hasMore, true);
		assert.equal(r.json.chat_jid, chat.pn);
		const to = new Date(last[0].timestamp * 1000 - 1000).toISOString();
		const before = await readBack(instance, { number, count: 2, to });
		assert.deepEqual(before.json.messages.map((m) => m.id), mine.slice(-5, -3).map((m) => m.id));
	});

	test('files are fetched, opened and verified', async () => {
		const listed = await told(phone, '&files=1');
		const withFile = listed.messages.filter((m) => m.hasMedia && m.timestamp > cutoff(7) + EDGE_S).slice(0, 4);
		assert.ok(withFile.length > 1);
		for (const m of withFile) {
			const r = await file(instance, m.id);
			assert.equal(r.status, 200, r.text);
			const bytes = Buffer.from(r.json.base64, 'base64');
			assert.equal(createHash('sha256').update(bytes).digest('base64'), m.media.fileSha256);
			assert.ok(r.json.mimeType.includes('/'), r.json.mimeType);
		}
		// what WhatsApp no longer has, the phone uploads again, under another path
		const missing = async (path) => {
			const r = await world.control('POST', '/media-faults',
				{ match: { part: path, times: 1 }, fault: { kind: 'status', code: 404 } });
			assert.ok(r.status < 300, r.text);
		};
		const again = withFile.at(-1);
		await missing(again.media.directPath.split('?')[0]);
		const late = await file(instance, again.id);
		assert.equal(late.status, 200, late.text);
		assert.equal(createHash('sha256').update(Buffer.from(late.json.base64, 'base64')).digest('base64'), again.media.fileSha256);
		// once: it is gone then
		await world.control('POST', '/media-faults', { match: { part: '/v/', times: 2 }, fault: { kind: 'status', code: 410 } });
		const gone = await file(instance, again.id);
		assert.equal(gone.status, 410, gone.text);
		assert.equal(gone.json.error.code, 'media_gone');
		await world.control('DELETE', '/media-faults');
		const none = await file(instance, 'NOSUCHMESSAGE');
		assert.equal(none.status, 404, none.text);
		assert.equal(none.json.error.message, 'Message not found');
	});

	test('older ones come from the phone when they are asked for', async () => {
		const chat = history.chats.find((c) => c.form === 'lid' && c.messages > 20);
		const mine = shown(history.messages).filter((m) => m.chat === chat.jid);
		const before = (await world.listed(instance)).history.messages;
		const r = await readBack(instance, { number: chat.pn, count: 180 });
		assert.equal(r.status, 200, r.text);
		const later = (await world.listed(instance)).history.messages;
		assert.ok(later > before, `the phone has sent none: ${before}, ${later}; ${r.json.count} of ${mine.length}`);
		assert.ok(r.json.messages[0].timestamp < new Date(cutoff(7) * 1000).toISOString());
		assert.deepEqual(r.json.messages.map((m) => m.id), mine.slice(-r.json.count).map((m) => m.id));
	});

	test('are still there in a worker that was killed', async () => {
		const before = (await world.listed(instance)).history;
		const [{ pid }] = world.workers(instance);
		process.kill(pid, 'SIGKILL');
		await eventually(() => world.workers(instance).some((w) => w.pid !== pid));
		await world.until(instance, (i) => i.connection.state === 'connected' && i.history.progress === 100);
		assert.deepEqual((await world.listed(instance)).history, before);
		// and in a gateway that has taken it over
		await world.killGateway();
		await world.startGateway();
		await world.until(instance, (i) => i.connection.state === 'connected' && i.history.progress === 100);
		assert.deepEqual((await world.listed(instance)).history, before);
	});
});

test('without history nothing is fetched, and everything is acknowledged', async () => {
	const phone = await phoneOf();
	const instance = await world.newInstance();
	await world.link(instance, { phone });
	const device = await settled(phone);
	assert.ok(device.notices?.length !== 0);
	assert.equal((await world.listed(instance)).history, null);
	const files = await get('/media');
	assert.deepEqual((files.files ?? files).filter((f) => f.kind === 'history' && f.gets > 0 &&
	    JSON.stringify(device).includes(f.fileEncSha256)), []);
	const chat = (await told(phone)).chats[0];
	const r = await readBack(instance, { number: chat.jid, count: 5, from: 0 });
	assert.equal(r.status, 200, r.text);
	assert.deepEqual(r.json.messages, []);
});

test('a blob that comes broken is asked for again, and a server that fails tried again', async () => {
	const fault = (kind, extra) => world.control('POST', '/media-faults',
		{ match: { part: 'mms-type=md-msg-hist', times: 1 }, fault: { kind, ...extra } });
	const phone = await phoneOf({ messages: 300 });
	const instance = await world.newInstance();
	assert.ok((await fault('corrupt')).status < 300);
	assert.ok((await fault('status', { code: 503 })).status < 300);
	assert.ok((await fault('truncate')).status < 300);
	await world.link(instance, { phone, query: '?history=15' });
	await settled(phone);
	await historyDone(instance);
	await world.control('DELETE', '/media-faults');
	const history = await told(phone);
	compare(history, await allFrom(instance, history, cutoff(15)), cutoff(15));
});

test('a worker that is killed in the middle begins its blob anew', async () => {
	const phone = await phoneOf({ chats: 20, messages: 6000, history: { chunkMessages: 1500 } });
	const instance = await world.newInstance();
	await world.link(instance, { phone, query: '?history=12' });
	for (let i = 0; i < 3; i++) {
		const { pid } = await eventually(() => world.workers(instance)[0]);
		await new Promise((resolve) => setTimeout(resolve, 30 * i));
		process.kill(pid, 'SIGKILL');
		await eventually(() => world.workers(instance).some((w) => w.pid !== pid));
		await world.until(instance, 'connected', { timeoutMs: 15_000 });
	}
	await settled(phone);
	await historyDone(instance);
	const history = await told(phone);
	compare(history, await allFrom(instance, history, cutoff(12)), cutoff(12));
});

test('a large file of a live message is handed on at the client\'s pace, one that is too large is not', async () => {
	const instance = await world.newInstance();
	const { phone } = await world.link(instance);
	const friend = await world.newPhone();
	const size = 7_000_003;
	const send = async (media) => {
		const r = await world.control('POST', `/phones/${friend.number}/send`, { to: phone.number, media });
		assert.equal(r.status, 200, r.text);
		return r.json.id;
	};
	const id = await send({ kind: 'document', size, seed: 5, fileName: 'a "large" file.bin', mimetype: 'application/x-large' });
	const r = await eventually(async () => {
		const answer = await file(instance, id);
		return answer.status !== 404 && answer;
	});
	assert.equal(r.status, 200, r.text.slice(0, 200));
	assert.equal(r.json.fileName, 'a "large" file.bin');
	assert.equal(r.json.mimeType, 'application/x-large');
	const bytes = Buffer.from(r.json.base64, 'base64');
	assert.equal(bytes.length, size);
	const same = (await world.control('POST', '/media', { kind: 'document', size, seed: 5 })).json;
	assert.equal(createHash('sha256').update(bytes).digest('base64'), same.fileSha256);
	const huge = await send({ kind: 'document', size: 17 * 1024 * 1024, seed: 6 });
	const refused = await eventually(async () => {
		const answer = await file(instance, huge);
		return answer.status !== 404 && answer;
	});
	assert.deepEqual([refused.status, refused.json.error.code], [413, 'media_too_large']);
	for (const flaw of ['mac', 'truncated']) {
		const broken = await send({ kind: 'image', size: 5000, flaw });
		const answer = await eventually(async () => {
			const a = await file(instance, broken);
			return a.status !== 404 && a;
		});
		assert.deepEqual([answer.status, answer.json.error.code], [502, 'media_invalid'], flaw);
	}
	for (const number of ['x@y', '5511999999999@example.com', '@s.whatsapp.net'])
		assert.equal((await readBack(instance, { number })).json.error?.code, 'invalid_number', number);
	for (const number of ['5511999999999@c.us', '5511999999999:3@s.whatsapp.net'])
		assert.equal((await readBack(instance, { number })).json.chat_jid, '5511999999999@s.whatsapp.net');
});

test('questions that make no sense are refused', async () => {
	const instance = await world.newInstance();
	const post = async (body) => {
		const r = await readBack(instance, body);
		return [r.status, r.json.error.code];
	};
	assert.deepEqual(await post({}), [400, 'invalid_number']);
	assert.deepEqual(await post({ number: 5511999999999 }), [400, 'invalid_body']);
	assert.deepEqual(await post({ number: '12' }), [400, 'invalid_number']);
	assert.deepEqual(await post({ number: '5511999999999', count: 0 }), [400, 'invalid_body']);
	assert.deepEqual(await post({ number: '5511999999999', count: 501 }), [400, 'invalid_body']);
	assert.deepEqual(await post({ number: '5511999999999', from: 'yesterday' }), [400, 'invalid_body']);
	assert.deepEqual(await post({ number: '5511999999999' }), [400, 'no_session']);
	const none = await world.request('GET', `/api/chat/base64/${instance.name}`, { token: instance.account });
	assert.deepEqual([none.status, none.json.error.code], [400, 'message_id_required']);
	const unlinked = await world.request('GET', `/api/chat/base64/${instance.name}?messageId=ABC`, { token: instance.account });
	assert.deepEqual([unlinked.status, unlinked.json.error.message], [404, 'Message not found']);
});
