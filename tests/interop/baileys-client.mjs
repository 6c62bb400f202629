// tests/interop/baileys-client.mjs - Baileys as a process of its own: links, logs in and reports, one JSON line an event
//
// Arguments: URL, hex of the root key, options as JSON:
//   number    pair with a code for it; none: QR codes
//   rotate    take part in the rotation of the code on the screen
//   passkey   take part in the passkey step: "proof" (of the code that was read), or "compare" (both codes)
//   init      ask for what a client asks for after its login
//   tamper    do that one thing of the passkey step wrong (baileys-passkey.mjs)
// NODE_EXTRA_CA_CERTS names the authority of a TLS test server.
import { Browsers, DisconnectReason, WA_CERT_DETAILS, initAuthCreds, makeWASocket } from '@whiskeysockets/baileys';
import { randomBytes } from 'node:crypto';
import { answerPasskey } from './baileys-passkey.mjs';

const [url, rootKey, optionsText = '{}'] = process.argv.slice(2);
const options = JSON.parse(optionsText);

WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex');

// Keys in memory: nothing outlives the test.
const creds = initAuthCreds();
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
let shown; // the QR text

// The server will take a request for a code once it has sent the refs of the QR codes.
async function askForCode(socket) {
	if (options.number !== undefined && creds.pairingCode === undefined)
		report({ event: 'code', code: await socket.requestPairingCode(options.number) });
}

// Baileys does not know the rotation of codes yet: the same ref, another secret.
function rotateOnRequest(socket) {
	socket.ws.on('CB:notification,type:companion_reg_refresh', () => {
		const parts = shown.split(',');
		creds.advSecretKey = randomBytes(32).toString('base64');
		report({ event: 'qr', qr: parts.with(-2, creds.advSecretKey).join(',') });
	});
}

function connect() {
	const socket = makeWASocket({
		waWebSocketUrl: url,
		auth: { creds, keys },
		browser: Browsers.ubuntu('Chrome'),
		logger: silent,
		fireInitQueries: options.init === true,
	});
	if (options.rotate)
		rotateOnRequest(socket);
	if (options.passkey)
		answerPasskey(socket, creds, options, report);
	socket.ev.on('creds.update', (update) => Object.assign(creds, update));
	socket.ev.on('connection.update', (update) => {
		if (update.qr !== undefined) {
			shown = update.qr;
			report({ event: 'qr', qr: update.qr });
			void askForCode(socket);
		}
		if (update.isNewLogin)
			report({ event: 'paired', jid: creds.me?.id, lid: creds.me?.lid, name: creds.me?.name, platform: creds.platform });
		if (update.connection === undefined)
			return;
		const status = update.lastDisconnect?.error?.output?.statusCode;
		report({ event: update.connection, status, error: update.lastDisconnect?.error?.message });
		if (update.connection === 'close' && status === DisconnectReason.restartRequired)
			connect();
		else if (update.connection === 'close')
			process.exitCode = 1;
	});
}

connect();
process.once('SIGTERM', () => process.exit(0));
