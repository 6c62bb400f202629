// tests/bench/baileys-sessions.mjs - N Baileys sessions in one process: links them, holds them, reports
//
// Arguments: URL, hex of the root key, N. One JSON line an event on stdout: { event: 'qr', session, qr } until it
// is scanned, { event: 'open', session, ms, first } when it is online (ms: since the socket was made), { event:
// 'close', session, code } when a session that was online is not any more. A line "again" on stdin makes every
// session connect anew with what it has saved.
import { createInterface } from 'node:readline';
import { DisconnectReason, WA_CERT_DETAILS, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys';

const [url, rootKey, count] = process.argv.slice(2);
const AT_ONCE = 8;

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex');

const silent = new Proxy({}, { get: (_, name) => (name === 'child' ? () => silent : name === 'level' ? 'silent' : () => {}) });
const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function makeKeys() {
	const stored = new Map();
	return {
		get: (type, ids) => Object.fromEntries(ids.map((id) => [id, stored.get(`${type}/${id}`)])),
		set: (data) => {
			for (const [type, entries] of Object.entries(data))
				for (const [id, value] of Object.entries(entries))
					stored.set(`${type}/${id}`, value);
		},
	};
}

class Session {
	constructor(number) {
		this.number = number;
		this.auth = { creds: initAuthCreds(), keys: makeKeys() };
		this.first = true;
	}

	// Resolves when it is online.
	connect() {
		return new Promise((resolve) => {
			const began = performance.now();
			const socket = makeWASocket({ waWebSocketUrl: url, auth: this.auth, logger: silent });
			this.socket = socket;
			let shown = false;
			socket.ev.on('creds.update', (update) => Object.assign(this.auth.creds, update));
			socket.ev.on('connection.update', ({ connection, qr, lastDisconnect }) => {
				if (qr !== undefined && !shown) {
					shown = true;
					report({ event: 'qr', session: this.number, qr });
				}
				if (connection === 'open') {
					report({ event: 'open', session: this.number, ms: performance.now() - began, first: this.first });
					this.first = false;
					resolve();
				}
				if (connection === 'close' && this.socket === socket)
					this.#onClose(lastDisconnect?.error?.output?.statusCode, resolve);
			});
		});
	}

	#onClose(code, resolve) {
		if (code === DisconnectReason.restartRequired)
			resolve(this.connect());
		else
			report({ event: 'close', session: this.number, code });
	}

	async again() {
		const old = this.socket;
		this.socket = undefined;
		old.end(undefined);
		await this.connect();
	}
}

const sessions = Array.from({ length: Number(count) }, (_, i) => new Session(i));

async function each(action) {
	const left = [...sessions];
	await Promise.all(Array.from({ length: AT_ONCE }, async () => {
		for (let s = left.shift(); s !== undefined; s = left.shift())
			await action(s);
	}));
	report({ event: 'all' });
}

createInterface({ input: process.stdin }).on('line', (line) => {
	if (line === 'again')
		void each((s) => s.again());
});
process.once('SIGTERM', () => process.exit(0));
await each((s) => s.connect());
