// tests/interop/chat.mjs - Baileys in this process: linked to a simulated phone, it chats
import { Browsers, DisconnectReason, WA_CERT_DETAILS, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys';
import { EventEmitter, once } from 'node:events';
import { eventually } from '../integration/harness.mjs';

// Baileys leaves timers of 8 s and more behind: they shall not hold up the end of a test file.
const { setTimeout: timer } = globalThis;
globalThis.setTimeout = (f, ms, ...rest) => {
	const t = timer(f, ms, ...rest);
	return ms >= 8000 ? t.unref() : t;
};

const silent = new Proxy({}, { get: (_, name) => (name === 'child' ? () => silent : name === 'level' ? 'silent' : () => {}) });

// Keys in memory.
function memoryKeys(stored) {
	return {
		get: (type, ids) => Object.fromEntries(ids.map((id) => [id, stored.get(`${type}/${id}`)])),
		set: (data) => {
			for (const [type, entries] of Object.entries(data))
				for (const [id, value] of Object.entries(entries))
					if (value === null || value === undefined)
						stored.delete(`${type}/${id}`);
					else
						stored.set(`${type}/${id}`, value);
		},
	};
}

export class Chat {
	constructor(info, { logger = silent, ...options } = {}) {
		WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(info.rootKey, 'hex');
		this.info = info;
		this.options = { logger, ...options };
		this.creds = initAuthCreds();
		this.stored = new Map();
		this.messages = []; // what messages.upsert said, in order
		this.updates = [];
		this.calls = [];
		this.receipts = []; // of groups
		this.sent = new Map(); // for retries
		this.bell = new EventEmitter();
		this.connect();
	}

	connect() {
		const socket = makeWASocket({
			waWebSocketUrl: this.info.url,
			auth: { creds: this.creds, keys: memoryKeys(this.stored) },
			browser: Browsers.ubuntu('Chrome'),
			fireInitQueries: false,
			getMessage: async (key) => this.sent.get(key.id),
			...this.options,
		});
		this.socket = socket;
		this.open = false;
		socket.ev.on('creds.update', (update) => Object.assign(this.creds, update));
		socket.ev.on('messages.upsert', ({ messages }) => this.messages.push(...messages));
		socket.ev.on('messages.update', (updates) => this.updates.push(...updates));
		socket.ev.on('message-receipt.update', (updates) => this.receipts.push(...updates));
		socket.ev.on('call', (calls) => this.calls.push(...calls));
		socket.ev.on('connection.update', (update) => {
			if (update.qr !== undefined)
				this.bell.emit('qr', update.qr);
			this.open = update.connection === 'open' || (this.open && update.connection === undefined);
			if (update.connection === 'close' && !this.stopped && update.lastDisconnect?.error?.output?.statusCode === DisconnectReason.restartRequired)
				this.connect();
		});
	}

	// Linked to the phone of that number, and online.
	async link(control, number) {
		const [qr] = await once(this.bell, 'qr');
		const scanned = await control('POST', `/phones/${number}/scan`, { qr });
		if (scanned.status !== 200)
			throw new Error(JSON.stringify(scanned.json));
		await eventually(() => this.open, { what: 'Baileys online', timeoutMs: 20_000 });
		return scanned.json;
	}

	async message(id) {
		return eventually(() => this.messages.find((m) => m.key.id === id && m.message), { what: `message ${id}`, timeoutMs: 10_000 });
	}

	async send(jid, content) {
		const sent = await this.socket.sendMessage(jid, content);
		this.sent.set(sent.key.id, sent.message);
		return sent.key.id;
	}

	async stop() {
		this.stopped = true;
		this.socket.end(undefined);
	}
}
