// tests/interop/history.mjs - Baileys takes the history of a simulated phone; two lists of messages, compared
import { Chat } from './chat.mjs';
import { downloadMediaMessage, getContentType, normalizeMessageContent } from '@whiskeysockets/baileys';
import { createHash } from 'node:crypto';

// Baileys fetches from mmg.whatsapp.net whatever media_conn says: the simulator answers for it.
export function mediaFrom(info) {
	const real = globalThis.fetch;
	const origin = info.url.replace(/^ws/, 'http').replace('/ws/chat', '');
	globalThis.fetch = (url, options) => real(String(url).replace('https://mmg.whatsapp.net', origin), options);
	return () => (globalThis.fetch = real);
}

const TYPES = {
	conversation: 'text', extendedTextMessage: 'text', imageMessage: 'image', videoMessage: 'video', audioMessage: 'audio',
	documentMessage: 'document', stickerMessage: 'sticker', locationMessage: 'location', liveLocationMessage: 'location',
	contactMessage: 'contact', contactsArrayMessage: 'contact', pollCreationMessage: 'poll', pollCreationMessageV3: 'poll',
	eventMessage: 'event', listMessage: 'list', groupInviteMessage: 'group_invite', reactionMessage: 'reaction',
};

// What is compared of a WebMessageInfo, in the words of GET /phones/:number/history.
export function summary(m) {
	const content = normalizeMessageContent(m.message);
	const kind = content ? getContentType(content) : undefined;
	const part = kind && content[kind];
	const text = kind === 'conversation' ? part : ['extendedTextMessage', 'reactionMessage'].includes(kind) ? part.text : part?.caption;
	return {
		id: m.key.id,
		chat: m.key.remoteJid,
		fromMe: Boolean(m.key.fromMe),
		sender: m.key.participant || null,
		timestamp: Number(m.messageTimestamp),
		type: m.messageStubType ? 'stub' : TYPES[kind] ?? kind,
		text: text && kind !== 'liveLocationMessage' ? text : null,
	};
}

export const listed = ({ id, chat, fromMe, sender, timestamp, type, text }) => ({ id, chat, fromMe, sender, timestamp, type, text });

export const inOrder = (messages) => [...messages].sort((a, b) => (a.chat < b.chat ? -1 : a.chat > b.chat ? 1 : 0) || a.timestamp - b.timestamp ||
    (a.id < b.id ? -1 : 1));

// Baileys that keeps what messaging-history.set brings: one entry per chat and id, and every chunk.
export class Reader extends Chat {
	constructor(info, options = {}) {
		super(info, { shouldSyncHistoryMessage: () => true, syncFullHistory: false, ...options });
	}

	connect() {
		super.connect();
		this.history ??= new Map();
		this.chunks ??= [];
		this.chats ??= new Map();
		this.contacts ??= new Map();
		this.socket.ev.on('messaging-history.set', (set) => {
			this.chunks.push(set);
			for (const c of set.chats)
				this.chats.set(c.id, { ...this.chats.get(c.id), ...c });
			for (const c of set.contacts)
				this.contacts.set(c.id, { ...this.contacts.get(c.id), ...c });
			for (const m of set.messages)
				this.history.set(`${m.key.remoteJid} ${m.key.id}`, m);
		});
		this.socket.ev.on('chats.update', (updates) => {
			for (const c of updates)
				this.chats.set(c.id, { ...this.chats.get(c.id), ...c });
		});
		for (const event of ['contacts.upsert', 'contacts.update'])
			this.socket.ev.on(event, (list) => {
				for (const c of list)
					this.contacts.set(c.id, { ...this.contacts.get(c.id), ...c });
			});
	}

	summaries() {
		return inOrder([...this.history.values()].map(summary));
	}

	async fileHash(m) {
		const data = await downloadMediaMessage(m, 'buffer', {});
		return createHash('sha256').update(data).digest('base64');
	}
}
