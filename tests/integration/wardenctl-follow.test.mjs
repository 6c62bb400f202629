// wardenctl's commands that stay: status --watch and events; and completion (contract "programs", section 4)
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Program, binary, eventually, startWorld } from './harness.mjs';

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const follow = (args, { token, url = world.base } = {}) => new Program('wardenctl', args,
    { env: { WARDEN_URL: url, WARDEN_TOKEN: token } });

describe('status --watch', () => {
	test('into a pipe is a line for each instance, then one for each change', async () => {
		const { token } = await world.newAccount();
		const instance = await world.newInstance({ name: 'seen', token });
		await world.newInstance({ name: 'other', token });
		const w = follow(['status', '--watch'], { token });
		try {
			await w.line(({ text }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ seen disconnected$/.test(text), { what: 'seen' });
			await w.line(({ text }) => / other disconnected$/.test(text), { what: 'other' });
			await world.link(instance);
			await w.line(({ text }) => / seen connected \(was (disconnected|connecting)\)$/.test(text), { what: 'connected' });
			await world.request('DELETE', `/api/instance/delete/other`, { token });
			await w.line(({ text }) => / other deleted \(was disconnected\)$/.test(text), { what: 'deleted' });
			assert.equal(w.stderr, '');
			assert.equal(w.result, undefined);
		} finally {
			w.kill('SIGINT');
			await w.waitExit();
		}
	});

	test('of one instance ends when that is deleted', async () => {
		const { token } = await world.newAccount();
		await world.newInstance({ name: 'brief', token });
		const w = follow(['status', 'brief', '--watch', '--json'], { token });
		const { json } = await w.line(({ json: j }) => j?.name === 'brief', { what: 'brief' });
		assert.deepEqual([json.state, json.was, json.lastError], ['disconnected', null, null]);
		await world.request('DELETE', `/api/instance/delete/brief`, { token });
		assert.equal((await w.waitExit()).code, 1);
		await w.closed;
		assert.equal(w.lines.find(({ json: j }) => j?.state === 'deleted').json.was, 'disconnected');
		assert.match(w.stderr, /the instance brief was deleted/);
	});

	test('of an unknown instance, or with nobody there, ends at once', async () => {
		const { token } = await world.newAccount();
		const unknown = await follow(['status', 'nobody', '--watch'], { token }).waitExit();
		assert.equal(unknown.code, 1);
		const nowhere = await follow(['status', '--watch'], { token, url: 'http://127.0.0.1:1' }).waitExit();
		assert.equal(nowhere.code, 3);
	});

	test('waits for a gateway that is restarted, says so, and goes on', async () => {
		const w = await startWorld();
		let watch;
		try {
			const { token } = await w.newAccount();
			const instance = await w.newInstance({ name: 'stays', token });
			const port = w.address.port;
			watch = follow(['status', '--watch'], { token, url: w.base });
			await watch.line(({ text }) => / stays disconnected$/.test(text), { what: 'stays' });
			w.gateway.kill('SIGTERM');
			await w.gateway.waitExit();
			await watch.line(({ text }) => /does not answer \(Connection refused\), trying again$/.test(text), { what: 'the loss' });
			await w.startGateway({ settings: { listen: `127.0.0.1:${port}` } });
			await watch.line(({ text }) => /the gateway answers again$/.test(text), { what: 'the return' });
			await w.link(instance);
			await watch.line(({ text }) => / stays connected /.test(text), { what: 'connected' });
			assert.equal(watch.stderr.split('\n').filter((l) => l !== '').length, 2, watch.stderr);
			assert.equal(watch.stdout.split('\n').filter((l) => / stays disconnected/.test(l)).length, 1);
		} finally {
			watch?.kill('SIGKILL');
			await w.stop();
		}
	});

	test('waits out a limit instead of ending with it', async () => {
		const w = await startWorld({ gateway: { settings: { limit_per_minute: 1 } } });
		const { token } = await w.newAccount();
		const watch = follow(['status', '--watch'], { token, url: w.base });
		try {
			await watch.line(({ text }) => /Rate limit exceeded\. Try again later\.; trying again in \d+ s/.test(text),
			    { what: 'the limit' });
			assert.equal(watch.result, undefined);
		} finally {
			watch.kill('SIGKILL');
			await w.stop();
		}
	});

	test('on a terminal redraws one table in place, cut to its size', async () => {
		const { token } = await world.newAccount();
		for (let i = 0; i < 8; i++)
			await world.newInstance({ name: `row${i}`, token });
		// `script` gives it a terminal, of 6 lines and 40 columns
		const child = spawn('script', ['-qfec', `stty rows 6 cols 40; exec ${resolve(binary('wardenctl'))} status --watch`, '/dev/null'], {
			env: { PATH: process.env.PATH, TERM: 'xterm', WARDEN_URL: world.base, WARDEN_TOKEN: token },
			stdio: ['pipe', 'pipe', 'inherit'],
		});
		let out = '';
		child.stdout.setEncoding('utf8').on('data', (s) => {
			out += s;
		});
		try {
			await eventually(() => out.split('\x1b[4A\x1b[J').length >= 3, { timeoutMs: 10_000, what: 'two redraws' });
		} finally {
			child.kill('SIGKILL');
		}
		const table = out.split('\x1b[4A\x1b[J')[1].replaceAll('\r', '').replaceAll('\x1b[K', '').trimEnd().split('\n');
		assert.match(table[0], /^NAME +STATE/);
		assert.match(table[1], /^row0 +disconnected/);
		assert.equal(table.at(-1), '... and 6 more');
		assert.ok(table.every((l) => l.length <= 39), JSON.stringify(table));
	});
});

describe('events', () => {
	test('shows what happens, also what happened before, over a gateway that is killed', async () => {
		const instance = await world.newInstance();
		await world.link(instance);
		const e = follow(['events', instance.name, '--from', '1', '--events', 'instance.state'], { token: instance.account, url: world.base });
		await e.line(({ text }) => text.endsWith('instance.state connected'), { what: 'the link' });
		const port = world.address.port;
		await world.killGateway();
		await world.startGateway({ settings: { listen: `127.0.0.1:${port}` } });
		const r = await world.request('DELETE', `/api/instance/logout/${instance.name}`, { token: instance.account });
		assert.equal(r.status, 200, r.text);
		await e.line(({ text }) => text.endsWith('instance.state logged_out'), { what: 'the logout' });
		assert.deepEqual(e.stdout.split('\n').slice(0, -1).map((l) => l.split(' ').slice(1, 3).join(' ')),
		    ['qr_ready', 'pair_success', 'connected', 'logged_out'].map((s) => `instance.state ${s}`));
		e.kill('SIGINT');
		await e.waitExit();
		const unknown = await world.ctl(['events', 'nobody'], { token: instance.account });
		assert.equal(unknown.code, 1);
		assert.match(unknown.stderr, /Instance not found/);
		const wrong = await world.ctl(['events', instance.name, '--from', 'x'], { token: instance.account });
		assert.equal(wrong.code, 2);
	});

	// What the contract says of the stream, by a server of the test's own.
	test('follows the stream, and takes it up where it broke off', async () => {
		const asked = [];
		const event = (sequence, kind, data) => {
			const e = { event: kind, id: `evt_${sequence}`, sequence, timestamp: '2026-11-29T18:20:15Z', data };
			return `id: ${sequence}\nevent: ${kind}\ndata: ${JSON.stringify(e)}\n\n`;
		};
		const server = createServer((request, response) => {
			asked.push({ url: request.url, token: request.headers.token, accept: request.headers.accept });
			response.writeHead(200, { 'content-type': 'text/event-stream' });
			response.write(': hello\n\n' + event(1, 'instance.state', { state: 'connected', reason: null }));
			if (asked.length === 1) {
				response.end(event(2, 'instance.state', { state: 'disconnected', reason: { code: 'network', detail: 'gone\x1b' } }));
				return;
			}
			response.write(event(2, 'instance.state', { state: 'disconnected', reason: null })); // once more
			response.write(event(3, 'message.status', { status: 'read', messageIds: ['a'] }));
		});
		await new Promise((done) => server.listen(0, '127.0.0.1', done));
		const url = `http://127.0.0.1:${server.address().port}`;
		const e = follow(['events', 'shop'], { token: 'some-token-some-token', url });
		try {
			await e.line(({ text }) => text.includes('message.status'), { what: 'the third event' });
			await e.line(({ text }) => text.includes('answers again'), { what: 'what is said of it' });
			assert.deepEqual(e.stdout.split('\n').slice(0, -1), [
				'2026-11-29T18:20:15Z instance.state connected',
				'2026-11-29T18:20:15Z instance.state disconnected network: gone?',
				'2026-11-29T18:20:15Z message.status {"status":"read","messageIds":["a"]}',
			]);
			assert.deepEqual(asked, [
				{ url: '/api/events/stream/shop', token: 'some-token-some-token', accept: 'text/event-stream' },
				{ url: '/api/events/stream/shop?from=2', token: 'some-token-some-token', accept: 'text/event-stream' },
			]);
			assert.match(e.stderr, /broke off \(it ended\), trying again\n.*answers again/);
		} finally {
			e.kill('SIGKILL');
			server.closeAllConnections();
			server.close();
		}
	});
});

describe('bash completion', () => {
	const complete = (...words) => {
		const program = resolve(binary('wardenctl'));
		const r = spawnSync('bash', ['-c', `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _wardenctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
			'bash', resolve('cli/wardenctl.bash'), program, ...words], { encoding: 'utf8' });
		assert.equal(r.stderr, '');
		return r.stdout.trim().split('\n').filter((w) => w !== '');
	};

	test('offers the commands, their verbs and their options', async () => {
		assert.deepEqual(complete(''), ['account', 'events', 'instance', 'link', 'reconnect', 'status', 'webhook', 'worker']
		    .concat(complete('').includes('doctor') ? ['doctor'] : []).sort());
		assert.deepEqual(complete('inst'), ['instance']);
		assert.deepEqual(complete('account', ''), ['create', 'delete', 'list', 'quota', 'rotate']);
		assert.deepEqual(complete('account', 'r'), ['rotate']);
		assert.deepEqual(complete('status', 'shop', '--w'), ['--watch']);
		assert.deepEqual(complete('link', '--'), ['--expires', '--first', '--help', '--history', '--json', '--number', '--share',
			'--token-file', '--version']);
		assert.ok(complete('--').includes('--json'));
		assert.deepEqual(complete('account', '--quota', '5', ''), ['create', 'delete', 'list', 'quota', 'rotate']);
		assert.deepEqual(complete('account', '--quota', ''), []);
		const mark = join(tmpdir(), `warden-completion-${process.pid}`); // what is typed must not run before Enter
		assert.deepEqual(complete(`x/;1e touch ${mark};s/y`, ''), []);
		assert.ok(!existsSync(mark));
	});
});
