// tests/interop/baileys-client.mjs - Baileys as a process of its own: connects and reports, one JSON line an event
//
// Arguments: URL, hex of the root key. NODE_EXTRA_CA_CERTS names the authority of a TLS test server.
import { WA_CERT_DETAILS, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys';

const [url, rootKey] = process.argv.slice(2);

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex');

// Keys in memory: nothing outlives the test.
const stored = new Map();
const keys = {
	get: (type, ids) => Object.fromEntries(ids.map((id) => [id, stored.get(`${type}/${id}`)])),
	set: (data) => {
		for (const [type, entries] of Object.entries(data))
			for (const [id, value] of Object.entries(entries))
				stored.set(`${type}/${id}`, value);
	},
};

const silent = new Proxy({}, { get: (_, name) => (name === 'child' ? () => silent : name === 'level' ? 'silent' : () => {}) });
const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const socket = makeWASocket({
	waWebSocketUrl: url,
	auth: { creds: initAuthCreds(), keys },
	logger: silent,
	fireInitQueries: false,
});
socket.ev.on('connection.update', (update) => {
	if (update.qr !== undefined)
		report({ event: 'qr', qr: update.qr });
	if (update.connection !== undefined)
		report({ event: update.connection, error: update.lastDisconnect?.error?.message });
	if (update.connection === 'close')
		process.exitCode = 1;
});
process.once('SIGTERM', () => process.exit(0));
