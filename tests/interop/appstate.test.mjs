// App state: Baileys, checking every MAC, takes what the phone has and changes, and the phone takes what Baileys changes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World, eventually } from '../integration/harness.mjs';
import { Reader, mediaFrom } from './history.mjs';

const number = '5511977770003';
const world = new World();
let reader, restore, chats;
const complaints = [];

const get = async (path) => (await world.control('GET', `/phones/${number}${path}`)).json;
const change = async (body) => {
	const r = await world.control('POST', `/phones/${number}/appstate`, body);
	assert.equal(r.status, 200, r.text);
	return r.json;
};
const chat = (jid, what, test_) => eventually(() => test_(reader.chats.get(jid) ?? {}), { what: `${what} of ${jid}`, timeoutMs: 10_000 });

// What Baileys logs of app state that does not verify.
const logger = { level: 'warn', child: () => logger };
for (const level of ['trace', 'debug', 'info', 'warn', 'error'])
	logger[level] = (...args) => {
		const text = args.map((a) => (a instanceof Error ? a.message : a?.error?.message ?? a?.err?.message ?? (typeof a === 'string' ? a : ''))).join(' ');
		if (/mac|hash|sync state|app state|patch/i.test(text) && ['warn', 'error'].includes(level))
			complaints.push(text);
	};

before(async () => {
	const info = await world.startSim({});
	await world.control('POST', '/phones', { number, name: 'Anna', chats: 40, messages: 80, daysOfHistory: 5 });
	restore = mediaFrom(info);
	reader = new Reader(info, { logger, appStateMacVerification: { patch: true, snapshot: true } });
	await reader.link((...a) => world.control(...a), number);
	({ chats } = await get('/history'));
	await eventually(async () => (await get('/sync')).devices[0].done, { what: 'history' });
});
after(async () => {
	await reader?.stop();
	restore?.();
	await world.stop();
});

test('contacts, mutes, pins and archived chats arrive with the first sync', async () => {
	for (const c of chats.filter((one) => !one.group && one.form !== 'self'))
		await eventually(() => reader.contacts.get(c.jid)?.name === c.name, { what: `contact ${c.jid}`, timeoutMs: 10_000 });
	const muted = chats.filter((c) => c.muted), pinned = chats.filter((c) => c.pinned), archived = chats.filter((c) => c.archived);
	assert.ok(muted.length > 0 && pinned.length > 0 && archived.length > 0);
	for (const c of archived)
		await chat(c.jid, 'archived', (seen) => seen.archived === true);
	for (const c of pinned)
		await chat(c.jid, 'pin', (seen) => seen.pinned);
	for (const c of muted)
		await chat(c.jid, 'mute', (seen) => seen.muteEndTime !== undefined);
	assert.deepEqual(complaints, []);
});

test('what the person changes arrives, in patches inside and outside the answer', async () => {
	const [one, two] = chats.filter((c) => !c.group && !c.muted && !c.archived && c.form !== 'self');
	await change({ changes: [{ action: 'mute', jid: one.jid, until: 1_900_000_000_000 }] });
	await chat(one.jid, 'mute', (seen) => Number(seen.muteEndTime) === 1_900_000_000_000);
	await change({ changes: [{ action: 'archive', jid: two.jid }, { action: 'contact', jid: two.jid, name: 'Zoë Other' }], external: true });
	await chat(two.jid, 'archived', (seen) => seen.archived === true);
	await eventually(() => reader.contacts.get(two.jid)?.name === 'Zoë Other', { what: 'the new name' });
	for (let i = 0; i < 25; i++) // more than one answer has
		await change({ changes: [{ action: 'mute', jid: one.jid, until: 1_900_000_000_001 + i }], quiet: i < 24 });
	await chat(one.jid, 'last mute', (seen) => Number(seen.muteEndTime) === 1_900_000_000_025);
	await change({ rotateKey: true, changes: [{ action: 'pin', jid: one.jid }] });
	await chat(one.jid, 'pin under a new key', (seen) => seen.pinned);
	assert.deepEqual(complaints, []);
});

test('what Baileys changes is verified and kept', async () => {
	const { jid } = chats.find((c) => !c.group && c.form === 'lid');
	await reader.socket.chatModify({ mute: 1_950_000_000_000 }, jid);
	await reader.socket.chatModify({ pin: true }, jid);
	await reader.socket.addOrEditContact(jid, { fullName: 'By Baileys', firstName: 'By' });
	const state = await get('/appstate');
	assert.deepEqual([state.uploads, state.refused, state.why], [3, 0, null]);
	// The last: under a new key the same index is another record.
	const record = (collection, name) => state.collections[collection].records.findLast((r) => r.index[0] === name && r.index[1] === jid);
	assert.ok(record('regular_high', 'mute') && record('regular_low', 'pin_v1'));
	assert.ok(Buffer.from(record('critical_unblock_low', 'contact').value, 'hex').includes('By Baileys'));
});
