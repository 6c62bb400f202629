// The guides: every sample of docs/integrators.md as it stands there, against the real programs; the proxy settings of
// docs/operators.md; and the codes that are explained.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Program, SLOWNESS, World, eventually, freePort } from './harness.mjs';
import { scanPng } from './image.mjs';

const TOP = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const GUIDE = readFileSync(join(TOP, 'docs/integrators.md'), 'utf8');
const samples = (guide) => Object.fromEntries([...guide.matchAll(/<!-- sample: (\S+) -->\n```\w+\n([\s\S]*?)^```$/gm)]
    .map(([, name, text]) => [name, text]));
const SAMPLES = samples(GUIDE);
const GATEWAY = { webhook_allow_private: 1, trusted_proxies: '127.0.0.0/8' };
const RUN = { sh: ['timeout', '120', 'sh', '-eu'], mjs: [process.execPath], py: ['python3'], php: ['php'] };

let world;
const running = [];
const ran = new Set();

// A sample in a folder of its own. node, python3 and php are the host's.
function start(name, args = [], { env = {}, prefix, as = name } = {}) {
	const cwd = join(world.dir, 'guide', as);
	mkdirSync(cwd, { recursive: true });
	writeFileSync(join(cwd, name), SAMPLES[name]);
	ran.add(name);
	const program = new Program('/usr/bin/env', [...(prefix ?? RUN[name.split('.').at(-1)]), name, ...args], {
		cwd, env: { WARDEN_URL: world.base, WARDEN_TOKEN: world.token, NODE_NO_WARNINGS: '1', ...env },
	});
	program.cwd = cwd;
	running.push(program);
	return program;
}

async function toItsEnd(program) {
	const result = await program.waitExit(20_000 * SLOWNESS);
	await program.closed;
	assert.equal(result.code, 0, program.tail());
	return program.stdout;
}

const says = (program, pattern, options = {}) => program.line(({ text }) => pattern.test(text),
    { what: String(pattern), ...options });

// SIGTERM: timeout(1) hands it on to what a shell has started.
async function end(program) {
	program.kill('SIGTERM');
	await program.waitExit();
}

let shop; // linked by the first sample, used by the others
let friend;
async function say(text) {
	const r = await world.control('POST', `/phones/${friend.number}/send`, { to: shop.phone.number, text });
	assert.equal(r.status, 200, r.text);
}

before(async () => {
	world = new World();
	await world.startSim();
	await world.startGateway({ settings: GATEWAY });
	world.token = (await world.account()).token;
	friend = await world.newPhone();
});
after(async () => {
	await Promise.all(running.map(end));
	await world?.stop();
});

// ---- the first link -------------------------------------------------------------------------------------

test('curl: an instance, a QR, how it stands', async () => {
	const program = start('first-link.sh');
	const lines = (await toItsEnd(program)).replaceAll('}{', '}\n{').trim().split('\n').map((line) => JSON.parse(line));
	assert.deepEqual(lines.map(({ message }) => message), ['Instance created', '1 Instance found']);
	world.secrets.add(lines[0].instance.token);
	assert.equal(lines[1].instances[0].connection.state, 'connecting');

	const code = scanPng(readFileSync(join(program.cwd, 'qr.png')));
	world.noteCode(code);
	shop = { name: 'shop', account: world.token, phone: await world.newPhone() };
	const scanned = await world.scan(shop.phone, code);
	assert.equal(scanned.status, 200, scanned.text);
	await world.until(shop, 'connected');
});

for (const name of ['link.mjs', 'link.py', 'link.php'])
	test(`${name}: a picture of each code, until it is connected`, async () => {
		const program = start(name, [name.replace('.', '-')]);
		await says(program, /^scan qr\.png within [0-9]+ s$/);
		const code = scanPng(readFileSync(join(program.cwd, 'qr.png')));
		world.noteCode(code);
		const phone = await world.newPhone();
		const scanned = await world.scan(phone, code);
		assert.equal(scanned.status, 200, scanned.text);
		const { text } = await says(program, /^connected: /);
		assert.equal(text, `connected: ${phone.number}@s.whatsapp.net`);
		await toItsEnd(program);
	});

// ---- events -----------------------------------------------------------------------------------------------

test('curl follows the messages', async () => {
	const program = start('events.sh');
	await say('to curl');
	const { text } = await says(program, /^data: .*"to curl"/);
	assert.equal(JSON.parse(text.slice(6)).event, 'message.exchange');
	assert.ok(!program.lines.some((line) => line.text.includes('"event":"instance.state"')), 'the filter holds');
	await end(program);
});

test('a socket brings messages', async () => {
	const program = start('socket.mjs', ['shop']);
	await says(program, /^open$/);
	await say('to the socket');
	await says(program, /^[0-9]+ message\.exchange to the socket$/);
	await end(program);
});

test('nginx in front, as the operators\' guide has it: answers, streams, sockets', async () => {
	const dir = join(world.dir, 'nginx');
	mkdirSync(dir);
	const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
		'-subj', '/CN=warden.example', '-addext', 'subjectAltName=DNS:warden.example',
		'-keyout', join(dir, 'privkey.pem'), '-out', join(dir, 'fullchain.pem')]);
	assert.equal(made.status, 0, String(made.stderr));
	const port = await freePort();
	const site = samples(readFileSync(join(TOP, 'docs/operators.md'), 'utf8'))['nginx.conf']
	    .replace('listen 443 ', `listen 127.0.0.1:${port} `).replaceAll('/etc/letsencrypt/live/warden.example', dir)
	    .replaceAll('http://127.0.0.1:8080', world.base);
	const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${dir}/${what};`).join(' ');
	writeFileSync(join(dir, 'nginx.conf'), `daemon off; master_process off; pid ${dir}/pid; error_log stderr;
events {} http { access_log off; ${temp} ${site} }`);
	const nginx = new Program('/usr/sbin/nginx', ['-p', '.', '-e', 'stderr', '-c', 'nginx.conf'], { cwd: dir });
	running.push(nginx);
	const ask = (path, headers = {}) => new Promise((resolve, reject) => {
		const request = https.get({ host: '127.0.0.1', port, path, servername: 'warden.example', agent: false,
			ca: readFileSync(join(dir, 'fullchain.pem')), headers: { host: 'warden.example', token: world.token, ...headers } }, resolve);
		request.on('upgrade', (response, socket) => resolve(Object.assign(response, { socket })));
		request.on('error', reject);
	});
	const list = await eventually(() => ask('/api/instance/list').catch(() => false), { what: 'nginx', timeoutMs: 10_000 });
	assert.equal(list.statusCode, 200);
	list.resume();
	// whoever claims to be somebody else is still seen as who he is
	const metrics = await ask('/metrics', { 'x-forwarded-for': '192.0.2.1' });
	assert.equal(metrics.statusCode, 200);
	metrics.resume();

	const stream = await ask('/api/events/stream/shop', { accept: 'text/event-stream' });
	assert.equal(stream.statusCode, 200);
	let said = '';
	stream.setEncoding('utf8').on('data', (text) => (said += text)).on('error', () => {});
	await eventually(() => said.includes(': open'), { what: 'the stream is open' });
	const socket = await ask('/ws/shop', { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
		'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' });
	assert.equal(socket.statusCode, 101);
	let framed = '';
	socket.socket.setEncoding('latin1').on('data', (text) => (framed += text)).on('error', () => {});
	await say('through nginx');
	await eventually(() => said.includes('"through nginx"'), { what: 'the event' });
	await eventually(() => framed.includes('"through nginx"'), { what: 'the event over the socket' });
	stream.destroy();
	socket.socket.destroy();
	await end(nginx);
});

test('followers go on behind a gateway that is killed, without a gap and nothing twice', async () => {
	const followers = ['follow.mjs', 'follow.py'].map((name) => start(name, ['shop', '0']));
	await Promise.all(followers.map((program) => says(program, /to curl$/)));
	const { port } = world.address;
	await world.killGateway();
	await say('while it was away');
	await world.startGateway({ settings: { ...GATEWAY, listen: `127.0.0.1:${port}` } });
	await say('and after');
	for (const program of followers) {
		await says(program, /and after$/, { timeoutMs: 20_000 * SLOWNESS });
		const sequences = program.lines.map(({ text }) => Number(text.split(' ')[0]));
		assert.deepEqual(sequences, sequences.map((_, i) => i + 1), program.tail(30));
		await end(program);
	}
});

// ---- webhooks -----------------------------------------------------------------------------------------------

const answers = (url) => eventually(() => fetch(url, { method: 'POST', body: 'x' }).then((r) => r.status, () => false),
    { timeoutMs: 10_000, what: `a receiver at ${url}` });

function sign(secret, { id = 'evt_forged', at = Math.floor(Date.now() / 1000), body }) {
	const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
	const mac = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64');
	return { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': `v1,AAAA v1,${mac}` };
}

describe('receivers', () => {
	const receivers = [];

	test('are told what happens, with a signature that they believe', async () => {
		for (const name of ['receive.mjs', 'receive.py', 'receive.php']) {
			const port = await freePort();
			const url = `http://127.0.0.1:${port}/hook`;
			let secret;
			if (name === 'receive.mjs') { // as the guide does it, the others with labels of their own
				const answer = JSON.parse(await toItsEnd(start('webhook.sh', [], { env: { RECEIVER: url } })));
				secret = answer.webhook.secret;
			} else {
				const r = await world.request('POST', '/api/events/webhook/shop', { token: world.token,
					json: { url, label: name.split('.')[1], events: ['message.exchange'] } });
				assert.equal(r.status, 200, r.text);
				secret = r.json.webhook.secret;
			}
			assert.match(secret, /^whsec_/);
			world.secrets.add(secret);
			const program = name.endsWith('.php') ?
				start(name, [], { env: { WEBHOOK_SECRET: secret }, prefix: ['php', '-S', `127.0.0.1:${port}`] }) :
				start(name, [String(port)], { env: { WEBHOOK_SECRET: secret } });
			assert.equal(await answers(url), 401, `${name} believes anything`);
			receivers.push({ name, url, secret, program });
		}
		await say('to all three');
		for (const { program } of receivers)
			await says(program, /^shop message\.exchange to all three$/);
	});

	test('take an event once, however often it comes', async () => {
		const r = await world.request('POST', '/api/events/replay/shop', { token: world.token, json: { from: 1 } });
		assert.equal(r.json.webhooks, 3, r.text);
		await say('and once more');
		for (const { name, program } of receivers) {
			await says(program, /^shop message\.exchange and once more$/);
			const lines = program.lines.map(({ text }) => text);
			assert.ok(lines.includes('again'), `${name} got nothing twice`);
			assert.equal(lines.filter((line) => line.endsWith(' to all three')).length, 1, `${name} took it twice`);
		}
	});

	test('refuse what is forged, altered or old, and nothing else', async () => {
		const body = JSON.stringify({ event: 'message.exchange', data: { message: { content: 'forged' } },
			instanceData: { instance: 'shop' } });
		const now = Math.floor(Date.now() / 1000);
		for (const { name, url, secret, program } of receivers) {
			const post = async (headers, text = body) => (await fetch(url, { method: 'POST', headers, body: text })).status;
			const good = sign(secret, { body });
			assert.equal(await post(sign('whsec_' + Buffer.alloc(24).toString('base64'), { body })), 401, `${name}: other key`);
			assert.equal(await post(good, body.replace('forged', 'altered')), 401, `${name}: other body`);
			assert.equal(await post({ ...good, 'webhook-id': 'evt_other' }), 401, `${name}: other id`);
			assert.equal(await post(sign(secret, { body, at: now - 600 })), 401, `${name}: ten minutes old`);
			assert.equal(await post(sign(secret, { body, at: now + 600 })), 401, `${name}: ten minutes early`);
			assert.equal(await post({ ...good, 'webhook-signature': good['webhook-signature'].replace('v1,', 'v2,') }), 204,
			    `${name}: one good signature of several is enough`);
			await says(program, /forged$/);
			await end(program);
		}
	});
});

// ---- limits, refusals ------------------------------------------------------------------------------------------

for (const name of ['call.mjs', 'call.py'])
	test(`${name} waits as long as it is told to`, async () => {
		const asked = [];
		const server = http.createServer((request, response) => {
			asked.push(Date.now());
			const limited = asked.length === 1;
			response.writeHead(limited ? 429 : 200, { 'content-type': 'application/json', ...(limited ? { 'retry-after': '1' } : {}) });
			response.end(JSON.stringify(limited ? { success: false, error: { message: 'm', code: 'rate_limited' } } :
				{ success: true, meta: { total: 7 } }));
		}).listen(0, '127.0.0.1');
		await once(server, 'listening');
		try {
			const stub = `http://127.0.0.1:${server.address().port}`;
			assert.equal(await toItsEnd(start(name, [], { env: { WARDEN_URL: stub } })), '7 instances\n');
			assert.ok(asked.length === 2 && asked[1] - asked[0] >= 950, asked.join(' '));
		} finally {
			server.closeAllConnections();
			server.close();
		}
		assert.match(await toItsEnd(start(name)), /^[1-9] instances\n$/); // and the gateway itself
		const refused = start(name, [], { env: { WARDEN_TOKEN: 'x'.repeat(20) } });
		assert.notEqual((await refused.waitExit()).code, 0);
		await refused.closed;
		assert.match(refused.stderr, /invalid_token/);
	});

test('every code that is explained exists', () => {
	const sources = ['gateway', 'common'].flatMap((folder) => readdirSync(join(TOP, folder), { recursive: true })
	    .filter((file) => /\.[ch]$/.test(file)).map((file) => readFileSync(join(TOP, folder, file), 'utf8'))).join('\n');
	const tables = GUIDE.slice(GUIDE.indexOf('## When something is refused'), GUIDE.indexOf('## Good manners'));
	const codes = [...tables.matchAll(/^\|(?: \d+ \|)? (`[a-z_`, ]+) \|/gm)].flatMap(([, cell]) => cell.match(/[a-z_]+/g));
	assert.ok(codes.length > 30, codes.join(' '));
	for (const code of codes)
		assert.ok(sources.includes(`"${code}"`), `${code} is nowhere in the gateway`);
});

test('every sample was run', () => {
	assert.ok(Object.keys(SAMPLES).length >= 14);
	assert.deepEqual(Object.keys(SAMPLES).filter((name) => !ran.has(name)), []);
});
