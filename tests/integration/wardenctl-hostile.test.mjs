// wardenctl and a gateway that means it ill, or is none: whatever it answers, nothing of it moves a terminal's cursor, no
// answer crashes the program, and each ends with one of its exit codes.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run } from './harness.mjs';

const BAD = 'a\u001b[2J\u001b]0;title\u0007\u009b31m\u202eb\r\nc\u007f';
const HUGE = 1e300;
const TERMINAL_OBEYS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

const connection = { state: BAD, since: BAD, lastError: { code: BAD, detail: BAD, at: BAD }, attempt: HUGE, nextRetryAt: BAD };
const webhook = { label: BAD, url: BAD, secret: BAD, enabled: BAD, disabledBy: null,
	delivery: { behind: HUGE, nextTryAt: BAD, lastFailure: { reason: BAD } } };
// What any command looks for in an answer, all of it bad.
const ANSWER = {
	success: true, message: BAD, status: BAD, token: BAD, url: BAD, expiresAt: BAD, log: BAD, outdated: HUGE, perMinute: HUGE,
	account: { name: BAD, quota: BAD }, accounts: [{ name: BAD, instances: HUGE, quota: HUGE, createdAt: BAD }],
	instance: { token: BAD, id: BAD }, webhook, webhooks: [webhook, { ...webhook, disabledBy: { code: BAD } }],
	instances: [{ name: BAD, status: BAD, id: BAD, numberJid: BAD, createdAt: BAD, connection }],
	deadLetters: [{ sequence: HUGE, label: BAD, event: BAD, tries: HUGE, reason: BAD, queued: BAD, at: BAD }],
	settings: { callRejectMessage: BAD }, proxy: { host: BAD, protocol: BAD, username: BAD, port: HUGE, enabled: true },
	workers: [{ pid: HUGE, pssKiB: BAD, rssKiB: HUGE, state: BAD, uptime: HUGE, account: BAD, instance: BAD }],
	checks: [{ status: BAD, check: BAD, detail: BAD, advice: BAD }, { status: 'failed', check: 'x'.repeat(500) }],
};
const EVENTS = [
	['qr', { qrCode: BAD, expiresIn: HUGE }], ['pairing', { pairingCode: BAD, expiresIn: -1 }], [BAD, {}],
	['passkey', { passkey: { publicKey: BAD } }], ['passkey_confirm', { passkey: { confirmationCode: BAD } }],
	['connecting', {}], ['failed', { error: { message: BAD, code: BAD, detail: BAD } }],
];
const TOLD = [
	{ event: 'instance.state', sequence: 1, timestamp: BAD, data: { state: BAD, reason: { code: BAD, detail: BAD } } },
	{ event: BAD, sequence: 2, timestamp: BAD, data: { message: { content: BAD } } }, { event: 7, data: [] },
];

// With every member of another type than it should have.
const wrong = (value) => (Array.isArray(value) ? { 0: 1 } : value !== null && typeof value === 'object' ? [[]] : [value]);
const WRONG = Object.fromEntries(Object.entries(ANSWER).map(([key, value]) => [key, wrong(value)]));
const WRONG_INSIDE = Object.fromEntries(Object.entries(ANSWER).map(([key, value]) => [key, Array.isArray(value)
	? [7, null, 'x', [], ...value.map((v) => Object.fromEntries(Object.keys(v).map((k) => [k, []])))] : value]));

const COMMANDS = [
	'account create x', 'account list', 'account rotate x', 'account quota x 5', 'account quota x 5 --json', 'account delete x',
	'instance create x', 'instance list', 'instance list --json', 'instance delete x', 'instance logout x', 'instance token x --json',
	'instance settings x', 'instance settings x ignoreStatus=on', 'instance proxy x', 'webhook list x', 'webhook set x https://x.example',
	'webhook delete x --json', 'webhook dead x', 'webhook replay x dead', 'link x', 'link x --share', 'reconnect x', 'status',
	'status --watch', 'events x', 'events x --json', 'worker list', 'worker log x', 'worker upgrade', 'doctor',
].map((line) => line.split(' '));

let dir;
before(() => {
	dir = mkdtempSync(join(tmpdir(), 'warden-hostile-'));
});
after(() => rmSync(dir, { recursive: true }));

// Both ways to a gateway: handler answers on a port and on an admin socket. What stays is refused at its second request.
async function withGateway(name, handler, task) {
	const runDir = join(dir, name), servers = [createServer(handler), createServer(handler)];
	mkdirSync(runDir);
	await new Promise((done) => servers[0].listen(0, '127.0.0.1', done));
	await new Promise((done) => servers[1].listen(join(runDir, 'admin.sock'), done));
	try {
		return await task({ WARDEN_RUN_DIR: runDir, WARDEN_URL: `http://127.0.0.1:${servers[0].address().port}` });
	} finally {
		for (const server of servers) {
			server.closeAllConnections();
			server.close();
		}
	}
}

// Each command once; --watch and events would ask for ever: they are refused when they come back.
function answering(answer) {
	const seen = new Map();
	return (request, response) => {
		const n = (seen.get(request.headers.token) ?? 0) + 1; // each command has a token of its own
		seen.set(request.headers.token, n);
		if (request.headers.token && n > 1) {
			response.writeHead(401, { 'content-type': 'application/json' });
			response.end(JSON.stringify({ success: false, error: { message: BAD, code: BAD, detail: BAD } }));
		} else if (request.headers.accept === 'text/event-stream') {
			response.writeHead(200, { 'content-type': 'text/event-stream' });
			const events = request.url.startsWith('/api/events/') ? TOLD.map((data) => ['message.status', data]) : EVENTS;
			response.end(events.map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join(''));
		} else {
			response.writeHead(200, { 'content-type': 'application/json' });
			response.end(JSON.stringify(answer));
		}
	};
}

async function ctl(args, env) {
	const r = await run('wardenctl', args, { env: { ...env, WARDEN_TOKEN: `token-of-${args.join('-').replace(/[^a-z-]/g, '')}` } });
	const said = `wardenctl ${args.join(' ')}: exit ${r.code} ${r.signal ?? ''}\n${r.stderr}`;
	assert.ok([0, 1, 2, 3].includes(r.code), said);
	assert.doesNotMatch(r.stdout + r.stderr, TERMINAL_OBEYS, said);
	if (r.code !== 0 && args[0] !== 'doctor') // which has said it in its table
		assert.match(r.stderr, /^wardenctl: /m, said);
	return r;
}

// A few at a time.
async function each(commands, task) {
	const left = [...commands];
	await Promise.all(Array.from({ length: 4 }, async () => {
		while (left.length > 0)
			await task(left.shift());
	}));
}

describe('a hostile gateway', () => {
	test('does nothing to a terminal by what it says', () => withGateway('evil', answering(ANSWER), async (env) => {
		let shown = 0;
		await each(COMMANDS, async (args) => {
			const r = await ctl(args, env);
			shown += /b\?\?c\?|\\u009b31m\\u202eb/.test(r.stdout + r.stderr); // what is left of it
		});
		assert.ok(shown >= 15, `${shown} commands showed it`);
	}));

	test('gets none of its tokens, secrets and links taken for one', () => withGateway('secrets', answering(ANSWER), (env) =>
		each(['account create x', 'instance create x', 'link x --share'], async (line) => {
			const r = await ctl(line.split(' '), env);
			assert.equal(r.code, 1);
			assert.match(r.stderr, /answer holds no (token|url)/);
			assert.equal(r.stdout, '');
		})));

	test('crashes nothing by members of other types', () => withGateway('types', answering(WRONG), (env) =>
		each(COMMANDS, (args) => ctl(args, env))));

	test('nor by members of members', () => withGateway('inside', answering(WRONG_INSIDE), (env) =>
		each(COMMANDS.filter(([, verb]) => verb === undefined || /list|dead|watch/.test(verb)), (args) => ctl(args, env))));

	test('does nothing to a terminal by what it refuses with', () => withGateway('refuses', (request, response) => {
		response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '99999999999' });
		response.end(JSON.stringify({ success: false, error: { message: BAD, code: BAD, detail: BAD } }));
	}, (env) => each([['account', 'list'], ['status', '--watch'], ['events', 'x'], ['link', 'x'], ['instance', 'list', '--json']],
	    async (args) => {
		    assert.equal((await ctl(args, env)).code, 1);
	    })));

	for (const [what, bytes] of Object.entries({
		'nothing at all': '', 'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n', 'a head without end': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`,
		'an answer cut short': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{',
		'a body without end': `HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n${' '.repeat(200_000)}`,
		'no JSON': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\u001b[J',
		'JSON that nests without end': `HTTP/1.1 200 OK\r\n\r\n${'['.repeat(1_000_000)}`,
		'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
	}))
		test(`answers ${what}: exit 3`, async () => {
			const server = net.createServer((socket) => socket.on('error', () => {}).end(Buffer.from(bytes, 'latin1')));
			await new Promise((done) => server.listen(0, '127.0.0.1', done));
			const env = { WARDEN_URL: `http://127.0.0.1:${server.address().port}` };
			for (const args of [['status'], ['link', 'x']])
				assert.equal((await ctl(args, env)).code, 3, args.join(' '));
			server.close();
		});
});
