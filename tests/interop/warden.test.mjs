// Warden and Baileys, linked to the same account: the same history and the same messages, and the two lists are equal.
//
// Compared of every message: its chat, id, direction, sender (in groups), time in seconds, type and text (of texts, captions and reactions). A chat
// or person counts as the same by LID or by phone number. What is no message to either (key exchanges, marks of a group's history:
// Warden makes them group.flow) is left out on both sides.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { StreamFollower } from '../integration/eventstream.mjs';
import { World, eventually } from '../integration/harness.mjs';
import { Chat } from './chat.mjs';
import { Reader, inOrder, listed, mediaFrom, summary } from './history.mjs';

const world = new World();
const own = '5511977770009';
let info, reader, bobs, restore, follower, phones, history, group, instance;

const control = async (method, path, body) => {
	const r = await world.control(method, path, body);
	assert.ok(r.status < 300, r.text);
	return r.json;
};

const WITH_TEXT = ['text', 'image', 'video', 'document', 'reaction'];

// Any form of a JID of a chat or person that the test knows, as its phone number or, without one, as it is.
const canonical = (() => {
	const known = new Map();
	const bare = (jid) => jid?.replace(/:\d+@/, '@');
	const of = (jid) => (jid ? known.get(bare(jid)) ?? bare(jid) : null);
	of.same = (a, b) => known.set(bare(a), bare(b));
	return of;
})();

function normal(m) {
	return {
		id: m.id, chat: canonical(m.chat), fromMe: m.fromMe, sender: m.chat.endsWith('@g.us') && !m.fromMe ? canonical(m.sender) : null,
		timestamp: m.timestamp, type: m.type, text: WITH_TEXT.includes(m.type) && m.text ? m.text : null,
	};
}

// What an event says, in the same words. A person has both JIDs where they are known: that too makes them one.
function ofEvent({ data }) {
	for (const who of [data.chat, data.sender])
		if (who?.lid && who.jid && who.lid !== who.jid)
			canonical.same(who.lid, who.jid);
	return {
		id: data.id, chat: data.chat.jid ?? data.chat.lid, fromMe: data.direction === 'outgoing', sender: data.sender.jid ?? data.sender.lid,
		timestamp: Date.parse(data.timestamp) / 1000, type: data.message.type, text: data.message.content,
	};
}

const messagesOf = (events, fromHistory) => events.filter((e) => e.event === 'message.exchange' && e.data.fromHistory === fromHistory);

before(async () => {
	info = await world.startSim({});
	await world.startGateway();
	restore = mediaFrom(info);
	phones = {};
	for (const [name, number, more] of [['Own', own, { chats: 24, messages: 900, daysOfHistory: 60, history: { chunkMessages: 200 } }],
		['Bob', '5511977770010'], ['Cat', '5511977770011']])
		phones[name] = await world.newPhone({ number, name, ...more });
	for (const p of Object.values(phones))
		canonical.same(p.lid, p.jid);
	instance = await world.newInstance();
	await world.link(instance, { phone: phones.Own, query: '?history=90' });
	follower = await new StreamFollower(world, instance, { from: 0, query: '?history=true' }).open();
	reader = new Reader(info);
	await reader.link(world.control.bind(world), own);
	group = await control('POST', '/groups', { subject: 'All', participants: [own, phones.Bob.number, phones.Cat.number] });
	history = await control('GET', `/phones/${own}/history?messages=1`);
	for (const c of history.chats.filter((one) => one.lid && one.pn))
		canonical.same(c.lid, c.pn);
});
after(async () => {
	await bobs?.stop();
	await reader?.stop();
	await follower?.close();
	restore?.();
	await world.stop();
});

describe('an account with two companions', () => {
	test('both have read the same history', async () => {
		await eventually(async () => (await control('GET', `/phones/${own}/sync`)).devices.every((d) => d.done),
		    { what: 'history to be acknowledged by both', timeoutMs: 25_000 });
		const known = (m) => m.type !== 'stub';
		const wanted = history.messages.filter(known);
		await eventually(() => reader.history.size >= history.total, { what: 'Baileys', timeoutMs: 10_000 });
		const ids = () => new Set(messagesOf(follower.events, true).map((e) => `${e.data.chat.jid} ${e.data.id}`));
		await follower.until(() => ids().size >= wanted.length, { what: `${wanted.length} messages of history` });
		const theirs = inOrder(reader.summaries().filter(known).map(normal));
		const events = messagesOf(follower.events, true).map(ofEvent).filter((m) => m.chat !== 'status@broadcast');
		const ours = inOrder(events.map(normal).filter(known).filter((m) => m.type !== 'revoked'));
		assert.equal(ours.length, new Set(ours.map((m) => `${m.chat} ${m.id}`)).size, 'one came twice');
		assert.deepEqual(ours, theirs);
		assert.deepEqual(theirs, inOrder(wanted.map(listed).map(normal)));
	});

	test('both get the same messages', async () => {
		const sent = [];
		const send = async (from, body) => sent.push(...[(await control('POST', `/phones/${phones[from].number}/send`, body))].flatMap((r) => r.ids ?? [r.id]));
		for (const to of [own, group.jid])
			for (const [i, from] of ['Bob', 'Cat', 'Bob', 'Own'].entries()) {
				if (from === 'Own' && to === own)
					continue;
				await send(from, { to, text: `text ${i} of ${from}` });
				await send(from, { to, media: { kind: 'image', size: 2000 + i, caption: `image ${i}` } });
				await send(from, { to, media: { kind: 'audio', size: 500 + i } });
				await send(from, { to, location: { latitude: 1 + i, longitude: 2, name: 'There' } });
				await send(from, { to, poll: { name: `poll ${i}`, options: ['a', 'b'] } });
				await send(from, { to, reaction: { id: sent.at(-5), text: '👍', fromMe: true } });
			}
		await send('Own', { to: phones.Bob.number, text: 'from the phone itself' });
		for (let i = 0; i < 30; i++)
			await send(i % 2 ? 'Bob' : 'Cat', { to: i % 3 ? own : group.jid, text: `quick ${i}` });
		const all = new Set(sent);
		await eventually(() => [...all].every((id) => reader.messages.some((m) => m.key.id === id && m.message)), { what: 'Baileys', timeoutMs: 15_000 });
		await follower.until((events) => { const seen = new Set(messagesOf(events, false).map((e) => e.data.id)); return [...all].every((id) => seen.has(id)); },
		    { what: 'all messages' });
		const theirs = inOrder(reader.messages.filter((m) => m.message && !m.message.protocolMessage && m.key.remoteJid !== 'status@broadcast').map(summary).map(normal));
		const ours = inOrder(messagesOf(follower.events, false).map(ofEvent).map(normal));
		assert.deepEqual(ours, theirs);
		assert.deepEqual(new Set(ours.map((m) => m.id)), all);
	});

	test('a file that the media host has lost is put up again by the phone', async () => {
		const image = { kind: 'image', size: 4000, caption: 'lost and found' };
		const { id } = await control('POST', `/phones/${phones.Bob.number}/send`, { to: own, media: image });
		await follower.until((events) => events.some((e) => e.data.id === id), { what: 'the image' });
		await control('POST', '/media-faults', { match: { part: '/v/', times: 1 }, fault: { kind: 'status', code: 404 } });
		const r = await world.request('GET', `/api/chat/base64/${instance.name}?messageId=${id}`, { token: instance.account });
		await world.control('DELETE', '/media-faults');
		assert.equal(r.status, 200, r.text);
		assert.equal(Buffer.from(r.json.base64, 'base64').length, 4000);
	});

	test('a text that answers a call reaches Baileys on both sides', async () => {
		bobs = new Chat(info);
		await bobs.link(world.control.bind(world), phones.Bob.number);
		const text = 'busy, from Warden';
		const r = await world.request('POST', `/api/instance/settings/${instance.name}`,
		    { token: instance.account, json: { autoRejectCalls: true, callRejectMessage: text } });
		assert.equal(r.status, 200, r.text);
		await control('POST', `/phones/${phones.Bob.number}/call`, { to: own });
		const event = await follower.until((events) => messagesOf(events, false).find((e) => e.data.message.content === text), { what: 'the text as an event' });
		const at = async (who) => (await eventually(() => who.messages.find((m) => m.key.id === event.data.id && m.message), { what: 'Baileys', timeoutMs: 15_000 }));
		const theirs = await at(bobs), ours = await at(reader);
		assert.equal(theirs.message.conversation, text);
		assert.equal(theirs.key.fromMe, false);
		assert.equal(canonical(theirs.key.remoteJid), canonical(phones.Own.jid));
		assert.equal(ours.message.conversation, text);
		assert.equal(ours.key.fromMe, true);
		assert.equal(canonical(ours.key.remoteJid), canonical(phones.Bob.jid));
		assert.equal((await control('GET', `/phones/${own}/chains`)).reused, 0);
	});

	test('both open the same files', async () => {
		const live = reader.messages.filter((m) => m.message?.imageMessage || m.message?.audioMessage).slice(0, 4);
		const old = history.messages.filter((m) => m.hasMedia).slice(-8).map((m) => reader.history.get(`${m.chat} ${m.id}`));
		assert.equal(live.length + old.length, 12);
		for (const m of [...live, ...old]) {
			const r = await world.request('GET', `/api/chat/base64/${instance.name}?messageId=${m.key.id}`, { token: instance.account });
			assert.equal(r.status, 200, r.text);
			assert.equal(createHash('sha256').update(Buffer.from(r.json.base64, 'base64')).digest('base64'), await reader.fileHash(m));
		}
	});
});
