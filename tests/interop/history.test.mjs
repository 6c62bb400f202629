// The history that a phone tells, as Baileys reads it: equal to what the phone holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../integration/harness.mjs';
import { withSim } from './baileys.mjs';
import { Reader, inOrder, listed, mediaFrom, summary } from './history.mjs';

const number = '5511977770002';

const withReader = (phone, options, body) => withSim({}, async (world, info) => {
	const made = await world.control('POST', '/phones', { number, name: 'Anna', ...phone });
	assert.equal(made.status, 201, made.text);
	const restore = mediaFrom(info);
	const reader = new Reader(info, options);
	try {
		await reader.link(world.control.bind(world), number);
		await body({
			world, reader,
			get: async (path) => (await world.control('GET', `/phones/${number}${path}`)).json,
			post: (path, body_) => world.control('POST', `/phones/${number}${path}`, body_),
			done: () => eventually(async () => (await world.control('GET', `/phones/${number}/sync`)).json.devices[0].done,
			    { what: 'history to be acknowledged', timeoutMs: 20_000 }),
		});
	} finally {
		await reader.stop();
		restore();
	}
});

test('Baileys reads the whole history as it is listed', () => withReader({ chats: 17, messages: 700, daysOfHistory: 60, history: { chunkMessages: 150 } }, {},
    async ({ reader, get, done }) => {
		await done();
		const { messages, chats } = await get('/history?messages=1');
		assert.equal(messages.length, 700);
		await eventually(() => reader.history.size >= 700, { what: 'all messages', timeoutMs: 10_000 });
		assert.deepEqual(reader.summaries(), inOrder(messages.map(listed)));
		assert.deepEqual([...reader.chats.keys()].sort(), chats.map((c) => c.jid).sort());
		const { devices: [device] } = await get('/sync');
		assert.deepEqual(device.notes.map((n) => n.type), ['initial_bootstrap', 'initial_status', 'push_name', 'non_blocking_data',
			'recent', 'recent', 'recent', 'recent', 'recent']);
		assert.equal(device.notes[0].inline, true);
		assert.equal(device.notes.at(-1).progress, 100);
		for (const chat of chats.filter((c) => c.form === 'mapped'))
			assert.equal(await reader.socket.signalRepository.lidMapping.getPNForLID(chat.lid).then((jid) => jid.replace(':0', '')), chat.pn);
		const media = messages.filter((m) => m.hasMedia).slice(0, 12);
		const files = new Map((await get('/history?messages=1&files=1')).messages.map((m) => [m.id, m.media]));
		for (const m of media)
			assert.equal(await reader.fileHash(reader.history.get(`${m.chat} ${m.id}`)), files.get(m.id).fileSha256, m.type);
	}));

test('a full history is RECENT and FULL', () => withReader({ chats: 3, messages: 300, daysOfHistory: 400 }, { syncFullHistory: true },
    async ({ reader, get, done }) => {
		await done();
		const { messages } = await get('/history?messages=1');
		await eventually(() => reader.history.size >= 300, { what: 'all messages', timeoutMs: 10_000 });
		assert.deepEqual(reader.summaries(), inOrder(messages.map(listed)));
		const { devices: [device] } = await get('/sync');
		const types = device.notes.map((n) => n.type);
		assert.ok(types.includes('recent') && types.includes('full'), types.join());
		assert.equal(device.asked.full, true);
	}));

test('without it RECENT is all, and older messages come on demand', () => withReader({ chats: 3, messages: 300, daysOfHistory: 400 }, {},
    async ({ reader, get, done }) => {
		await done();
		const { until, messages } = await get('/history?chat=1&messages=1');
		const recent = messages.filter((m) => m.timestamp >= until - 90 * 86400);
		const ofChat = () => reader.summaries().filter((m) => m.chat === messages[0].chat);
		await eventually(() => ofChat().length >= recent.length, { what: 'recent messages', timeoutMs: 10_000 });
		assert.deepEqual(ofChat(), inOrder(recent.map(listed)));
		const anchor = recent[0];
		await reader.socket.fetchMessageHistory(30, { remoteJid: anchor.chat, id: anchor.id, fromMe: anchor.fromMe }, anchor.timestamp);
		await eventually(() => ofChat().length >= recent.length + 30, { what: 'the answer', timeoutMs: 10_000 });
		assert.deepEqual(ofChat(), inOrder(messages.slice(messages.length - recent.length - 30).map(listed)));
	}));

test('what could not be opened is asked of the phone', () => withReader({ chats: 3, messages: 60, daysOfHistory: 5 }, {}, async ({ reader, get, done }) => {
	await done();
	const { messages } = await get('/history?messages=1');
	const wanted = messages.filter((m) => m.type === 'text' && !m.fromMe).slice(0, 1);
	for (const m of wanted) {
		const key = { remoteJid: m.chat, id: m.id, fromMe: false, ...(m.sender ? { participant: m.sender } : {}) };
		await reader.socket.requestPlaceholderResend(key);
		await eventually(() => reader.messages.some((got) => got.key.id === m.id && summary(got).text === m.text), { what: m.id, timeoutMs: 15_000 });
	}
}));
