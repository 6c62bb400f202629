// tests/bench/baileys-sessions.mjs - Baileys sessions in one process, which does as it is told (baileys.mjs)
//
// Arguments: URL, hex of the root key, then either "qr": shows a code at once; "resume FILE": connects at once with the
// session that was saved there; "history N": links at once and says when so many messages of history have come; or nothing: each
// line on stdin is a command as JSON, answered by one of the same id:
//   qr N           so many fresh sockets at once: ms until each shows its code
//   link N         so many more sessions, LANES at once; { event: 'qr', qr } asks for a scan: ms and CPU ms of all
//   again [N]      the first so many (all) connect anew with what they have, LANES at once: ms of each
//   close, open N  all of them go; come back and wait for so many messages: ms from the call, CPU ms
//   texts          what came in: how many, how many different ones
//   save FILE      the first session
// CPU is the whole process's. Keys are kept in memory, which is kind to it.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Browsers, BufferJSON, DisconnectReason, WA_CERT_DETAILS, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys';

const [url, rootKey, mode, file] = process.argv.slice(2);
const LANES = 8;

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex');

const silent = new Proxy({}, { get: (_, name) => (name === 'child' ? () => silent : name === 'level' ? 'silent' : () => {}) });
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const cpuMs = () => {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
};

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

const texts = [];
let onText = () => {};

class Session {
	constructor({ creds = initAuthCreds(), stored = new Map() } = {}) {
		this.creds = creds;
		this.stored = stored;
		this.auth = { creds, keys: memoryKeys(stored) };
		this.options = { shouldSyncHistoryMessage: () => false }; // else it keeps messages back for 20 s of a first login
	}

	// Calls onQr for each code; resolves with the ms to its being online.
	connect(onQr = () => {}) {
		const began = performance.now();
		return new Promise((resolve) => {
			const socket = makeWASocket({ waWebSocketUrl: url, auth: this.auth, logger: silent, ...this.options });
			this.socket = socket;
			this.onSocket?.(socket);
			socket.ev.on('creds.update', (update) => Object.assign(this.creds, update));
			socket.ev.on('messages.upsert', ({ messages }) => {
				for (const { message } of messages)
					if (message)
						texts.push(message.conversation ?? message.extendedTextMessage?.text);
				onText();
			});
			socket.ev.on('connection.update', ({ connection, qr, lastDisconnect }) => {
				if (qr !== undefined)
					onQr(qr, performance.now() - began);
				if (connection === 'open')
					resolve(performance.now() - began);
				if (connection !== 'close' || this.socket !== socket)
					return;
				const code = lastDisconnect?.error?.output?.statusCode;
				if (code === DisconnectReason.restartRequired)
					resolve(this.connect(onQr));
				else
					tell({ event: 'close', code });
			});
		});
	}

	end() {
		const old = this.socket;
		this.socket = undefined;
		old.end(undefined);
	}

	async again() {
		if (this.socket !== undefined)
			this.end();
		return this.connect();
	}
}

const sessions = [];

async function each(list, action) {
	const left = [...list];
	const values = [];
	await Promise.all(Array.from({ length: LANES }, async () => {
		for (let s = left.shift(); s !== undefined; s = left.shift())
			values.push(await action(s));
	}));
	return values;
}

const firstCode = async () => {
	const s = new Session();
	const ms = await new Promise((resolve) => void s.connect((_, took) => resolve(took)));
	s.end();
	return ms;
};

const commands = {
	qr: async (n) => ({ ms: await Promise.all(Array.from({ length: n }, firstCode)) }),
	link: async (n) => {
		const before = cpuMs();
		const ms = await each(Array.from({ length: n }, () => new Session()), (s) => {
			sessions.push(s);
			let asked = false;
			return s.connect((qr) => {
				if (!asked)
					tell({ event: 'qr', qr });
				asked = true;
			});
		});
		return { ms, cpu: cpuMs() - before };
	},
	again: async (n) => ({ ms: await each(sessions.slice(0, n), (s) => s.again()) }),
	close: () => sessions.forEach((s) => s.end()),
	open: async (n) => {
		texts.length = 0;
		const before = cpuMs();
		const began = performance.now();
		const all = new Promise((resolve) => (onText = () => texts.length >= n && resolve(performance.now() - began)));
		await Promise.all(sessions.map((s) => s.connect()));
		return { ms: await all, cpu: cpuMs() - before };
	},
	texts: () => ({ all: texts.length, different: new Set(texts).size }),
	cpu: () => ({ cpu: cpuMs() }),
	save: (path) => writeFileSync(path, JSON.stringify({ creds: sessions[0].creds, stored: [...sessions[0].stored] }, BufferJSON.replacer)),
};

process.once('SIGTERM', () => process.exit(0));
if (mode === 'qr') {
	await new Promise((resolve) => void new Session().connect(resolve));
	tell({ event: 'shown' });
} else if (mode === 'resume') {
	const { creds, stored } = JSON.parse(readFileSync(file, 'utf8'), BufferJSON.reviver);
	await new Session({ creds, stored: new Map(stored) }).connect();
	tell({ event: 'online' });
} else if (mode === 'history') {
	// Baileys fetches from mmg.whatsapp.net whatever media_conn says: the simulator answers for it.
	const { fetch } = globalThis;
	const origin = url.replace(/^ws/, 'http').replace('/ws/chat', '');
	globalThis.fetch = (from, options) => fetch(String(from).replace('https://mmg.whatsapp.net', origin), options);
	const session = new Session();
	const ids = new Set();
	session.options = { shouldSyncHistoryMessage: () => true, syncFullHistory: false, browser: Browsers.ubuntu('Chrome') };
	session.onSocket = (socket) => socket.ev.on('messaging-history.set', ({ messages }) => {
		for (const { key } of messages)
			ids.add(`${key.remoteJid} ${key.id}`);
		if (ids.size >= Number(file))
			tell({ event: 'history' });
	});
	let asked = false;
	await session.connect((qr) => {
		if (!asked)
			tell({ event: 'qr', qr });
		asked = true;
	});
} else {
	createInterface({ input: process.stdin }).on('line', async (line) => {
		const { id, name, argument } = JSON.parse(line);
		tell({ id, ...await commands[name](argument) });
	});
	tell({ event: 'ready' });
}
