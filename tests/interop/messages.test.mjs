// Baileys, linked to a simulated phone, gets what other phones send, and they get what it sends
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { World, eventually } from '../integration/harness.mjs';
import { Chat } from './chat.mjs';

const ANN = '491700000001', BOB = '491700000002', CAT = '491700000003';
const world = new World();
let chat, phones;

before(async () => {
	const info = await world.startSim({});
	phones = {};
	for (const [number, name] of [[ANN, 'Ann'], [BOB, 'Bob'], [CAT, 'Cat']])
		phones[number] = (await world.control('POST', '/phones', { number, name })).json;
	chat = new Chat(info);
	await chat.link((...a) => world.control(...a), ANN);
});
after(async () => {
	await chat?.stop();
	await world.stop();
});

async function post(path, body) {
	const r = await world.control('POST', path, body);
	assert.ok(r.status < 300, JSON.stringify(r.json));
	return r.json;
}
const send = async (from, body) => (await post(`/phones/${from}/send`, body)).id;
const inbox = async (number) => (await world.control('GET', `/phones/${number}/inbox`)).json.messages;
// Baileys tells of a receipt by an event, or in the message where it has not told of that yet.
const hasRead = (id) => chat.updates.some((u) => u.key.id === id && u.update.status === 4) || chat.receipts.some((r) => r.key.id === id && r.receipt.readTimestamp) ||
	chat.messages.some((m) => m.key.id === id && (m.status === 4 || m.userReceipt?.some((r) => r.readTimestamp)));
const counts = async (number) => (await world.control('GET', `/phones/${number}/receipts`)).json.counts;
const got = (number, id) => eventually(async () => (await inbox(number)).find((m) => m.id === id), { what: `${id} at ${number}` });

describe('one person to another', () => {
	test('a text from another, and one from the own phone', async () => {
		const m = await chat.message(await send(BOB, { to: ANN, text: 'hello' }));
		assert.equal(m.message.conversation, 'hello');
		assert.equal(m.key.fromMe, false);
		assert.equal(m.pushName, 'Bob');
		const own = await chat.message(await send(ANN, { to: BOB, text: 'mine' }));
		assert.equal(own.message.conversation, 'mine');
		assert.equal(own.key.fromMe, true);
		assert.equal(own.key.remoteJidAlt, phones[BOB].jid);
	});

	test('a text that Baileys sends is in the inboxes, and the answer is a msg', async () => {
		const id = await chat.send(phones[BOB].jid, { text: 'from Baileys' });
		assert.equal((await got(BOB, id)).text, 'from Baileys');
		assert.equal((await got(ANN, id)).to, phones[BOB].jid);
		const m = await chat.message(await send(BOB, { to: ANN, text: 'answer' }));
		assert.equal(m.message.conversation, 'answer');
		const { entries } = (await world.control('GET', '/log')).json;
		const last = entries.findLast((e) => e.dir === 'out' && e.node?.tag === 'message');
		assert.equal(last.node.content[0].attrs.type, 'msg');
	});

	test('addressed by phone number, too', async () => {
		const m = await chat.message(await send(CAT, { to: ANN, text: 'by number', pn: true }));
		assert.equal(m.key.remoteJid, phones[CAT].jid);
		assert.equal(m.key.remoteJidAlt, phones[CAT].lid);
	});

	const kinds = {
		reply: [{ text: 'yes', quote: { id: 'X', from: ANN, text: 'really?' }, mentions: [CAT] }, (m) => [m.extendedTextMessage.contextInfo.stanzaId, m.extendedTextMessage.contextInfo.quotedMessage.conversation], ['X', 'really?']],
		link: [{ text: 'see https://a.example', link: { url: 'https://a.example', title: 'A' } }, (m) => m.extendedTextMessage.title, 'A'],
		image: [{ media: { kind: 'image', size: 5000, caption: 'look', width: 8, height: 9 } }, (m) => [m.imageMessage.caption, Number(m.imageMessage.fileLength)], ['look', 5000]],
		video: [{ media: { kind: 'video', size: 9000, gif: true } }, (m) => m.videoMessage.gifPlayback, true],
		voice: [{ media: { kind: 'audio', size: 700, ptt: true, seconds: 3 } }, (m) => [m.audioMessage.ptt, m.audioMessage.seconds], [true, 3]],
		document: [{ media: { kind: 'document', size: 100, fileName: 'a.pdf', caption: 'paper' } }, (m) => m.documentWithCaptionMessage.message.documentMessage.fileName, 'a.pdf'],
		sticker: [{ media: { kind: 'sticker', size: 100 } }, (m) => m.stickerMessage.mimetype, 'image/webp'],
		location: [{ location: { latitude: 48.5, longitude: -9.25, name: 'there' } }, (m) => [m.locationMessage.degreesLatitude, m.locationMessage.degreesLongitude, m.locationMessage.name], [48.5, -9.25, 'there']],
		contact: [{ contact: { name: 'Dan', number: '491700000009' } }, (m) => m.contactMessage.vcard.includes('waid=491700000009'), true],
		contacts: [{ contacts: [{ name: 'A' }, { name: 'B' }] }, (m) => m.contactsArrayMessage.contacts.map((c) => c.displayName), ['A', 'B']],
		poll: [{ poll: { name: 'Tea?', options: ['yes', 'no'] } }, (m) => m.pollCreationMessageV3.options.map((o) => o.optionName), ['yes', 'no']],
		viewOnce: [{ media: { kind: 'image', size: 10 }, viewOnce: true }, (m) => m.viewOnceMessageV2.message.imageMessage.mimetype, 'image/jpeg'],
	};
	for (const [kind, [body, part, want]] of Object.entries(kinds))
		test(`a message of kind ${kind}`, async () => {
			const m = await chat.message(await send(BOB, { to: ANN, ...body }));
			assert.deepEqual(part(m.message), want);
		});

	test('a reaction, an edit and a deletion', async () => {
		const first = await send(BOB, { to: ANN, text: 'frist' });
		await chat.message(first);
		await send(BOB, { to: ANN, edit: { id: first, text: 'first' } });
		await eventually(() => chat.updates.some((u) => u.key.id === first && u.update.message?.editedMessage?.message?.conversation === 'first'), { what: 'the edit' });
		const reaction = await chat.message(await send(BOB, { to: ANN, reaction: { id: first, fromMe: true, text: '👍' } }));
		assert.equal(reaction.message.reactionMessage.key.id, first);
		await send(BOB, { to: ANN, revoke: { id: first } });
		await eventually(() => chat.updates.some((u) => u.key.id === first && u.update.message === null), { what: 'the deletion' });
	});

	test('what comes in a row is all there, in order', async () => {
		const r = await post(`/phones/${CAT}/send`, { to: ANN, text: 'row {n}', count: 300 });
		assert.equal(r.count, 300);
		await chat.message(`${r.idPrefix}${(299).toString(16).toUpperCase().padStart(8, '0')}`);
		const texts = chat.messages.filter((m) => m.key.id.startsWith(r.idPrefix)).map((m) => m.message.conversation);
		assert.deepEqual(texts, Array.from({ length: 300 }, (_, i) => `row ${i}`));
	});

	test('receipts come back to the sender', async () => {
		const id = await send(CAT, { to: ANN, text: 'seen?' });
		const m = await chat.message(id);
		await chat.socket.readMessages([m.key]);
		await eventually(async () => (await world.control('GET', `/phones/${CAT}/receipts`)).json.receipts.some((r) => r.id === id && r.type === 'read'), { what: 'a read receipt' });
	});
});

describe('what cannot be opened', () => {
	for (const [spoil, more] of [['mac', {}], ['prekey', {}], ['signed', {}], ['cipher', {}], ['skip', { skip: 1990 }]])
		test(`${spoil}: is asked for again, and comes`, async () => {
			const before = (await counts(BOB)).retry ?? 0;
			const m = await chat.message(await send(BOB, { to: ANN, text: `again ${spoil}`, spoil, ...more }));
			assert.equal(m.message.conversation, `again ${spoil}`);
			if (spoil !== 'skip' && spoil !== 'signed') // both are taken at once by Baileys
				assert.ok(((await counts(BOB)).retry ?? 0) > before);
		});

	test('a message twice is there once', async () => {
		const id = await send(BOB, { to: ANN, text: 'twice', spoil: 'duplicate' });
		await chat.message(await send(BOB, { to: ANN, text: 'after it' }));
		assert.equal(chat.messages.filter((m) => m.key.id === id && m.message).length, 1);
	});
});

describe('a phone', () => {
	test('reads what Baileys has sent', async () => {
		const id = await chat.send(phones[BOB].jid, { text: 'read me' });
		await post(`/phones/${BOB}/read`, { chat: ANN, ids: [id] });
		await eventually(() => hasRead(id), { what: 'the status' });
	});

	test('calls, and hears that it is declined', async () => {
		const { id } = await post(`/phones/${BOB}/call`, { to: ANN, video: true });
		const offer = await eventually(() => chat.calls.find((c) => c.id === id), { what: 'the offer' });
		assert.equal(offer.isVideo, true);
		await chat.socket.rejectCall(id, offer.from);
		await eventually(async () => (await world.control('GET', `/phones/${BOB}/receipts`)).json.receipts.some((r) => r.id === id && r.type === 'call:reject'), { what: 'the answer' });
		await post(`/phones/${BOB}/call`, { to: ANN, id, action: 'terminate', reason: 'timeout' });
		await eventually(() => chat.calls.some((c) => c.id === id && c.status !== 'offer'), { what: 'the end' });
	});

	test('is installed anew, and both ways work again', async () => {
		await post(`/phones/${BOB}/reinstall`, {});
		const m = await chat.message(await send(BOB, { to: ANN, text: 'new phone' }));
		assert.equal(m.message.conversation, 'new phone');
		const id = await chat.send(phones[BOB].jid, { text: 'welcome back' });
		assert.equal((await got(BOB, id)).text, 'welcome back');
	});

	test('that cannot open a message asks for it again', async () => {
		await got(CAT, await chat.send(phones[CAT].jid, { text: 'hello' }));
		await chat.message(await send(CAT, { to: ANN, text: 'hello yourself' }));
		await post(`/phones/${CAT}/reinstall`, { quiet: true });
		const id = await chat.send(phones[CAT].jid, { text: 'who are you?' });
		assert.equal((await got(CAT, id)).text, 'who are you?');
		await eventually(async () => {
			const { entries } = (await world.control('GET', '/log')).json;
			const about = entries.filter((e) => e.node?.attrs.id === id).map((e) => `${e.dir} ${e.node.tag} ${e.node.attrs.type ?? e.node.attrs.class ?? ''}`);
			return about.includes('out receipt retry') && about.includes('out receipt ');
		}, { what: 'a retry receipt and one of delivery' });
	});

	test('sees every chain key that its companion uses, and none twice', async () => {
		const { json } = await world.control('GET', `/phones/${ANN}/chains`);
		assert.ok(json.messages > 3, JSON.stringify(json));
		assert.equal(json.reused, 0);
		assert.equal(json.repeated, 0);
	});
});

describe('a group', () => {
	let group;
	test('is told of, and can be asked for', async () => {
		group = await post('/groups', { subject: 'Three', participants: [BOB, ANN, CAT] });
		await eventually(() => chat.messages.some((m) => m.key.remoteJid === group.jid && m.messageStubType), { what: 'the creation' });
		const metadata = await chat.socket.groupMetadata(group.jid);
		assert.equal(metadata.subject, 'Three');
		assert.equal(metadata.participants.length, 3);
		assert.deepEqual(Object.keys(await chat.socket.groupFetchAllParticipating()), [group.jid]);
	});

	test('messages come from each member', async () => {
		for (const from of [BOB, CAT, ANN, BOB]) {
			const m = await chat.message(await send(from, { to: group.jid, text: `by ${from}` }));
			assert.equal(m.message.conversation, `by ${from}`);
			assert.equal(m.key.participantAlt ?? m.key.participant, phones[from].jid);
		}
	});

	test('Baileys sends to it', async () => {
		for (const text of ['to all', 'and again']) {
			const id = await chat.send(group.jid, { text });
			for (const number of [BOB, CAT])
				assert.equal((await got(number, id)).text, text);
		}
	});

	test('members have read it', async () => {
		const id = await chat.send(group.jid, { text: 'read me' });
		await post(`/phones/${BOB}/read`, { chat: group.jid, from: ANN, ids: [id] });
		await eventually(() => hasRead(id), { what: 'a read receipt' });
		// Baileys does not look into the form without participant; it is acked all the same.
		await post(`/phones/${CAT}/read`, { chat: group.jid, from: ANN, ids: [id], grouped: true });
		await eventually(async () => (await world.control('GET', '/log')).json.entries.some((e) => e.dir === 'in' && e.node?.attrs.id === id && e.node.attrs.class === 'receipt' && !e.node.attrs.participant), { what: 'its ack' });
	});

	test('a sender key that is missing is asked for', async () => {
		const m = await chat.message(await send(CAT, { to: group.jid, text: 'no key', spoil: 'no_skdm' }));
		assert.equal(m.message.conversation, 'no key');
	});

	test('changes are told', async () => {
		const { jid } = group;
		await post(`/groups/${jid}/subject`, { by: BOB, text: 'Four' });
		await post(`/groups/${jid}/promote`, { by: BOB, participants: [CAT] });
		await post(`/groups/${jid}/remove`, { by: BOB, participants: [CAT] });
		await eventually(() => chat.messages.some((m) => m.messageStubParameters?.[0] === 'Four'), { what: 'the subject' });
		await eventually(async () => (await chat.socket.groupMetadata(jid)).participants.length === 2);
		const m = await chat.message(await send(BOB, { to: jid, text: 'two left' }));
		assert.equal(m.message.conversation, 'two left');
		await chat.socket.groupUpdateSubject(jid, 'Five');
		assert.equal((await world.control('GET', `/groups/${jid}`)).json.subject, 'Five');
	});

	test('that Baileys makes', async () => {
		const { id } = await chat.socket.groupCreate('Made', [phones[BOB].jid]);
		assert.equal((await world.control('GET', `/groups/${id}`)).json.participants.length, 2);
		const m = await chat.message(await send(BOB, { to: id, text: 'in there' }));
		assert.equal(m.message.conversation, 'in there');
	});
});

test('a status comes', async () => {
	const m = await chat.message(await send(BOB, { to: 'status@broadcast', text: 'busy', background: 4278190080, audience: [ANN] }));
	assert.equal(m.key.remoteJid, 'status@broadcast');
	assert.equal(m.message.extendedTextMessage.text, 'busy');
});
