// What happens in a session, as the events that docs/events.md promises: messages of every kind, states, calls, groups; and the
// settings that silence or answer it, from the moment they are changed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';
import { linked } from './linked.mjs';
import { StreamFollower } from './eventstream.mjs';

const user = (number) => `${number}@s.whatsapp.net`;

describe('events of every kind', () => {
	let world, instance, phone, ana, events;

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
		({ instance, phone } = await linked(world));
		ana = await world.newPhone({ name: 'Ana' });
		events = await new StreamFollower(world, instance, { from: 0 }).open();
	});
	after(async () => {
		await events?.close();
		await world?.stop();
	});

	const control = async (method, path, body) => {
		const r = await world.control(method, path, body);
		assert.ok(r.status < 300, r.text);
		return r.json;
	};
	const send = async (body, { from = ana, to = phone.number } = {}) =>
		(await control('POST', `/phones/${from.number}/send`, { to, ...body })).id;
	const settings = async (json) => {
		const r = await world.request('POST', `/api/instance/settings/${instance.name}`, { token: instance.account, json });
		assert.equal(r.status, 200, r.text);
	};
	// The data of the first event of a kind that fits.
	const next = (kind, fits, what) => events.until((all) => all.find((e) => e.event === kind && fits(e.data))?.data, { what });
	const message = (id) => next('message.exchange', (d) => d.id === id, `message ${id}`);
	const receiptsOf = async (from, id) =>
		(await control('GET', `/phones/${from.number}/receipts`)).receipts.filter((x) => x.id === id);
	// Receipts of the linked device, not of the phone itself.
	const answered = (from, id, type) => eventually(async () => (await receiptsOf(from, id)).some((x) => x.type === type &&
		/:\d+@/.test(x.from)), { what: `${type} of ${id}`, timeoutMs: 15_000 });

	test('a text, its people and its chat', async () => {
		const data = await message(await send({ text: 'hello' }));
		assert.equal(data.direction, 'incoming');
		assert.equal(data.fromHistory, false);
		assert.ok(Math.abs(Date.parse(data.timestamp) - Date.now()) < 120_000);
		assert.equal(data.message.type, 'text');
		assert.equal(data.message.content, 'hello');
		assert.equal(data.chat.type, 'private');
		assert.equal(data.chat.jid, user(ana.number));
		assert.match(data.chat.lid, /@lid$/);
		assert.deepEqual(data.sender, { jid: data.chat.jid, lid: data.chat.lid, name: 'Ana' });
		assert.equal(data.chat.name, 'Ana');
	});

	test('messages of every kind', async () => {
		const text = await send({ text: 'first' });
		const first = (await message(text)).message;
		const kinds = [
			[{ text: 'answer', quote: { id: text, from: ana.number, text: 'first' }, forwarded: true }, (m) => {
				assert.equal(m.type, 'text');
				assert.equal(m.quoted.messageId, text);
				assert.equal(m.quoted.content, 'first');
				assert.equal(m.quoted.fromMe, false);
				assert.equal(m.forwarded, true);
			}],
			[{ text: `hi @${phone.number}`, mentions: [phone.number] }, (m) => {
				assert.equal(m.mentions.length, 1);
			}],
			[{ media: { kind: 'image', size: 3000, mimetype: 'image/jpeg', caption: 'look', width: 64, height: 48 } }, (m) => {
				assert.equal(m.type, 'image');
				assert.equal(m.content, 'look');
				assert.deepEqual({ mimeType: m.media.mimeType, size: m.media.size, width: m.media.width, height: m.media.height },
					{ mimeType: 'image/jpeg', size: 3000, width: 64, height: 48 });
				assert.match(m.media.sha256, /^[0-9a-f]{64}$/);
				assert.equal(JSON.stringify(m).includes('mediaKey'), false);
			}],
			[{ media: { kind: 'audio', size: 900, ptt: true, seconds: 3 } }, (m) => {
				assert.equal(m.type, 'audio');
				assert.equal(m.media.voiceNote, true);
				assert.equal(m.media.seconds, 3);
			}],
			[{ media: { kind: 'document', size: 500, fileName: 'a.pdf', mimetype: 'application/pdf', caption: 'read' } }, (m) => {
				assert.equal(m.type, 'document');
				assert.equal(m.media.fileName, 'a.pdf');
				assert.equal(m.content, 'read');
			}],
			[{ location: { latitude: 52.5, longitude: 13.25, name: 'Here' } }, (m) => {
				assert.equal(m.type, 'location');
				assert.equal(m.location.latitude, 52.5);
				assert.equal(m.content, 'Here');
			}],
			[{ contact: { name: 'Bo', number: '4912345678' } }, (m) => {
				assert.equal(m.type, 'contact');
				assert.equal(m.contact.name, 'Bo');
				assert.equal(m.contact.phones[0].waId, '4912345678');
			}],
			[{ reaction: { id: text, text: '👍', fromMe: true } }, (m) => {
				assert.equal(m.type, 'reaction');
				assert.equal(m.reaction.emoji, '👍');
				assert.equal(m.reaction.messageId, text);
				assert.equal(m.reaction.fromMe, false);
				assert.equal(m.reaction.sender.jid, user(ana.number));
			}],
			[{ edit: { id: text, text: 'second' } }, (m) => {
				assert.equal(m.content, 'second');
				assert.equal(m.edit.messageId, text);
			}],
			[{ text: 'once', viewOnce: true }, (m) => assert.equal(m.viewOnce, true)],
			[{ timer: 86400 }, (m) => assert.deepEqual(m.disappearing, { seconds: 86400 })],
			[{ invite: { group: '120363000000000001@g.us', code: 'CODE', name: 'G' } }, (m) => {
				assert.equal(m.type, 'group_invite');
				assert.equal(m.invite.code, 'CODE');
			}],
			[{ revoke: { id: text } }, (m) => {
				assert.equal(m.type, 'revoke');
				assert.equal(m.revoke.messageId, text);
				assert.equal(m.revoke.fromMe, false);
			}],
		];
		assert.equal(first.content, 'first');
		for (const [body, check] of kinds)
			check((await message(await send(body))).message);
	});

	test('votes are opened with the poll that is stored', async () => {
		const poll = await send({ poll: { name: 'Lunch?', options: ['yes', 'no'], selectable: 2 } });
		assert.deepEqual((await message(poll)).message.poll, { question: 'Lunch?', options: ['yes', 'no'], selectableCount: 2 });
		const vote = await send({ vote: { id: poll, from: ana.number, options: ['no'] } });
		const data = (await message(vote)).message;
		assert.equal(data.type, 'poll_vote');
		assert.deepEqual(data.poll.selected, ['no']);
		assert.equal(data.poll.question, 'Lunch?');
		assert.equal(data.poll.sealed, undefined);
	});

	test('what the phone sends is outgoing, and what it has read is told', async () => {
		const id = await send({ text: 'from the phone' }, { from: phone, to: ana.number });
		const sent = await message(id);
		assert.equal(sent.direction, 'outgoing');
		assert.equal(sent.chat.jid, user(ana.number));
		assert.equal(sent.sender.jid, user(phone.number));
		const got = await send({ text: 'read me' });
		await message(got);
		await control('POST', `/phones/${phone.number}/read`, { chat: ana.number, ids: [got] });
		const status = await next('message.status', (d) => d.messageIds.includes(got), 'its state');
		assert.equal(status.status, 'read');
		assert.equal(status.fromMe, true);
		assert.equal(status.chat.jid, user(ana.number));
		assert.equal(status.messageSender.jid, user(ana.number));
	});

	test('groups: what is said and what is changed', async () => {
		const group = await control('POST', '/groups', { subject: 'Crew', participants: [ana.number, phone.number] });
		const made = await next('group.flow', (d) => d.jid === group.jid && d.type === 'create', 'create');
		assert.equal(made.name, 'Crew');
		assert.equal(made.participants.length, 2);
		assert.equal(made.by.jid, user(ana.number));
		const data = await message(await send({ text: 'to all' }, { to: group.jid }));
		assert.deepEqual(data.chat, { jid: group.jid, name: 'Crew', type: 'group' });
		assert.equal(data.sender.jid, user(ana.number));
		const other = await world.newPhone();
		await control('POST', `/groups/${group.jid}/add`, { by: ana.number, participants: [other.number] });
		const added = await next('group.flow', (d) => d.jid === group.jid && d.type === 'add', 'add');
		assert.equal(added.participants[0].jid, user(other.number));
		await control('POST', `/groups/${group.jid}/subject`, { by: ana.number, text: 'New name' });
		assert.equal((await next('group.flow', (d) => d.jid === group.jid && d.type === 'subject', 'subject')).name, 'New name');
		const later = await message(await send({ text: 'again' }, { to: group.jid }));
		assert.equal(later.chat.name, 'New name');

		// left out from now on: no event, but WhatsApp is told that it came
		await settings({ ignoreGroupMessages: true });
		const silent = await send({ text: 'unheard' }, { to: group.jid });
		const heard = await send({ text: 'heard' });
		await message(heard);
		await eventually(async () => (await receiptsOf(ana, silent)).some((x) => /:\d+@/.test(x.from)),
			{ what: 'a receipt all the same', timeoutMs: 15_000 });
		await settings({ ignoreGroupMessages: false });
		await message(await send({ text: 'back' }, { to: group.jid }));
		assert.equal(events.events.some((e) => e.data.id === silent), false);
	});

	test('status posts, and a setting that leaves them out', async () => {
		const post = await message(await send({ text: 'my status' }, { to: 'status@broadcast' }));
		assert.equal(post.chat.type, 'status');
		assert.equal(post.sender.jid, user(ana.number));
		await settings({ ignoreStatus: true });
		const silent = await send({ text: 'unseen' }, { to: 'status@broadcast' });
		await message(await send({ text: 'behind it' }));
		await settings({ ignoreStatus: false });
		await message(await send({ text: 'seen again' }, { to: 'status@broadcast' }));
		assert.equal(events.events.some((e) => e.data.id === silent), false);
	});

	test('messages are marked read when that is set', async () => {
		const before = await send({ text: 'unread' });
		await message(before);
		await settings({ autoReadMessages: true });
		const id = await send({ text: 'read at once' });
		await answered(ana, id, 'read');
		await settings({ autoReadMessages: false });
		assert.equal((await receiptsOf(ana, before)).some((x) => x.type === 'read'), false);
	});

	test('calls, and a setting that declines them', async () => {
		const { id } = await control('POST', `/phones/${ana.number}/call`, { to: phone.number, video: true });
		const offer = await next('call.update', (d) => d.id === id, 'offer');
		assert.equal(offer.type, 'offer');
		assert.equal(offer.video, true);
		assert.equal(offer.from.jid, user(ana.number));
		await control('POST', `/phones/${ana.number}/call`, { to: phone.number, id, action: 'terminate', reason: 'timeout' });
		await next('call.update', (d) => d.id === id && d.type === 'timeout', 'timeout');
		await settings({ autoRejectCalls: true });
		const second = await control('POST', `/phones/${ana.number}/call`, { to: phone.number });
		const declined = await next('call.update', (d) => d.id === second.id && d.type === 'reject', 'reject');
		assert.equal(declined.automatic, true);
		await eventually(async () => (await control('GET', `/phones/${ana.number}/receipts`)).receipts
			.some((x) => x.type === 'call:reject'), { what: 'the caller is told', timeoutMs: 15_000 });
		await settings({ autoRejectCalls: false });
	});

	test('history comes as events to those who ask for it', async () => {
		const old = await world.newPhone({ chats: 8, messages: 240, daysOfHistory: 20 });
		const other = await world.newInstance();
		const all = await new StreamFollower(world, other, { from: 0, query: '?history=true' }).open();
		const live = await new StreamFollower(world, other, { from: 0 }).open();
		await world.link(other, { phone: old, query: '?history=30' });
		const of = (list, kind) => list.filter((e) => e.event === kind);
		await all.until((list) => of(list, 'history.sync').some((e) => e.data.phase === 'done'), { what: 'the end of history' });
		const { history } = await world.until(other, (i) => i.history?.progress === 100);
		const told = of(all.events, 'message.exchange');
		assert.ok(history.messages > 50, `${history.messages} messages`);
		assert.equal(told.length, history.messages);
		assert.ok(told.every((e) => e.data.fromHistory));
		assert.equal(new Set(told.map((e) => `${e.data.chat.jid} ${e.data.sender?.jid} ${e.data.id}`)).size, told.length);
		assert.ok(new Set(told.map((e) => e.data.message.type)).size > 5, 'of many kinds');
		await live.until((list) => of(list, 'history.sync').some((e) => e.data.phase === 'done'), { what: 'the same, live' });
		assert.equal(of(live.events, 'message.exchange').length, 0);
		await Promise.all([all.close(), live.close()]);
	});
});
