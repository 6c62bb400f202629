// wardenctl from end to end (contract "programs", section 4)
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Program, eventually, startWorld } from './harness.mjs';
import { scanTerminal } from './image.mjs';

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const ok = async (args, options) => {
	const r = await world.ctl(args, options);
	assert.equal(r.code, 0, `wardenctl ${args.join(' ')}: exit ${r.code}\n${r.stderr}`);
	return r;
};
const json = async (args, options) => JSON.parse((await ok([...args, '--json'], options)).stdout);

describe('account', () => {
	test('create prints the token once, as text and as JSON', async () => {
		const text = (await ok(['account', 'create', 'plain'])).stdout;
		const token = text.match(/[A-Za-z0-9._~-]{32,}/)?.[0];
		assert.ok(token, text);
		world.secrets.add(token);
		assert.equal((await world.request('GET', '/api/instance/list', { token })).status, 200);
		const made = await json(['account', 'create', 'made', '--quota', '3']);
		world.secrets.add(made.token);
		assert.deepEqual([made.name, made.quota], ['made', 3]);
		assert.equal((await world.request('GET', '/api/instance/list', { token: made.token })).status, 200);
	});

	test('--json may stand before the command', async () => {
		const made = JSON.parse((await ok(['--json', 'account', 'create', 'before'])).stdout);
		world.secrets.add(made.token);
		assert.equal(made.name, 'before');
		assert.equal(made.quota, null);
	});

	test('list shows the accounts and no token', async () => {
		const r = await ok(['account', 'list', '--json']);
		const list = JSON.parse(r.stdout);
		const names = (list.accounts ?? list).map((a) => a.name);
		for (const name of ['plain', 'made', 'before'])
			assert.ok(names.includes(name), r.stdout);
		for (const secret of world.secrets)
			assert.ok(!r.stdout.includes(secret));
		assert.match((await ok(['account', 'list'])).stdout, /^made\b/m);
	});

	test('create of a name there is, or a bad one, fails with 1 and changes nothing', async () => {
		for (const name of ['plain', 'a b', '../x', '']) {
			const r = await world.ctl(['account', 'create', name]);
			assert.ok([1, 2].includes(r.code), `${name}: ${r.code}`);
			assert.ok(r.stderr.length > 0);
			assert.equal(r.stdout, '');
		}
	});

	test('rotate gives a new token; the old one stops at once', async () => {
		const old = await json(['account', 'create', 'turn']);
		const fresh = await json(['account', 'rotate', 'turn']);
		world.secrets.add(old.token).add(fresh.token);
		assert.notEqual(fresh.token, old.token);
		assert.equal((await world.request('GET', '/api/instance/list', { token: old.token })).status, 401);
		assert.equal((await world.request('GET', '/api/instance/list', { token: fresh.token })).status, 200);
	});

	test('delete removes an account; one with instances only says so', async () => {
		const { token } = await json(['account', 'create', 'gone']);
		world.secrets.add(token);
		const made = await world.newInstance({ token });
		assert.equal((await world.ctl(['account', 'delete', 'gone'])).code, 1);
		assert.equal((await world.request('GET', '/api/instance/list', { token })).status, 200);
		await world.request('DELETE', `/api/instance/delete/${made.name}`, { token });
		await ok(['account', 'delete', 'gone']);
		assert.equal((await world.request('GET', '/api/instance/list', { token })).status, 401);
		assert.equal((await world.ctl(['account', 'delete', 'gone'])).code, 1);
		assert.equal((await world.ctl(['account', 'rotate', 'gone'])).code, 1);
	});
});

describe('instance', () => {
	let account;
	before(async () => {
		account = await world.newAccount();
	});
	const as = (extra = {}) => ({ token: account.token, ...extra });

	test('create, list and delete', async () => {
		const made = await json(['instance', 'create', 'shop'], as());
		const instance = made.instance ?? made;
		world.secrets.add(instance.token);
		assert.equal(instance.name, 'shop');
		const list = await json(['instance', 'list'], as());
		assert.deepEqual((list.instances ?? list).map((i) => i.name), ['shop']);
		assert.match((await ok(['instance', 'list'], as())).stdout, /shop\s.*disconnected/);
		await ok(['instance', 'delete', 'shop'], as());
		const empty = await json(['instance', 'list'], as());
		assert.deepEqual(empty.instances ?? empty, []);
	});

	test('what the API refuses ends with 1 and says the API\'s words', async () => {
		const r = await world.ctl(['instance', 'delete', 'nobody'], as());
		assert.equal(r.code, 1);
		assert.match(r.stderr, /Instance not found/);
		const bad = await world.ctl(['instance', 'create', 'a b'], as());
		assert.ok([1, 2].includes(bad.code), `exit ${bad.code}`); // it may look at the name itself
		assert.match(bad.stderr, /name/i);
	});

	test('without a token, or with a wrong one', async () => {
		const none = await world.ctl(['instance', 'list']);
		assert.ok([1, 2].includes(none.code));
		assert.match(none.stderr, /WARDEN_TOKEN|token/);
		const wrong = await world.ctl(['instance', 'list'], { token: 'wrong-token-wrong-token' });
		assert.equal(wrong.code, 1);
		assert.match(wrong.stderr, /Invalid token/);
	});

	test('takes the token from --token-file', async () => {
		const dir = mkdtempSync(join(tmpdir(), 'warden-token-'));
		try {
			const file = join(dir, 'token');
			writeFileSync(file, `${account.token}\n`, { mode: 0o600 });
			const list = await json(['instance', 'list', '--token-file', file]);
			assert.ok(Array.isArray(list.instances ?? list));
			const missing = await world.ctl(['instance', 'list', '--token-file', join(dir, 'none')]);
			assert.ok([1, 2].includes(missing.code));
		} finally {
			rmSync(dir, { recursive: true });
		}
	});

	test('status shows an instance and all of them', async () => {
		const i = await world.newInstance({ name: 'watched', token: account.token });
		const one = await json(['status', 'watched'], as());
		const shown = one.instances?.[0] ?? one.instance ?? one[0] ?? one;
		assert.equal(shown.name, 'watched');
		assert.equal(shown.status, 'disconnected');
		assert.match((await ok(['status'], as())).stdout, /watched/);
		assert.equal((await world.ctl(['status', 'nobody'], as())).code, 1);
		await world.request('DELETE', `/api/instance/delete/${i.name}`, { token: i.account });
	});
});

describe('link', () => {
	const startLink = (instance, args = []) => new Program('wardenctl', ['link', instance.name, ...args], { env: {
		WARDEN_RUN_DIR: world.runDir, WARDEN_URL: world.base, WARDEN_TOKEN: instance.account } });

	test('draws a QR that a camera reads off the terminal, and ends with the attempt', async () => {
		const instance = await world.newInstance();
		const link = startLink(instance);
		try {
			await eventually(() => /[▀▄█]{10}/.test(link.stdout) || link.result !== undefined, { timeoutMs: 10_000, what: 'a QR' });
			const { qrCode } = (await world.connect(instance)).json;
			await eventually(() => {
				try {
					return scanTerminal(link.stdout.split('\n').filter((l) => /[▀▄█]/.test(l)).join('\n')) === qrCode;
				} catch {
					return false; // not all of it is there yet
				}
			}, { what: 'the QR on the terminal' });
			process.kill(world.workers(instance)[0].pid, 'SIGKILL');
			assert.equal((await link.waitExit()).code, 1);
			await link.closed;
			assert.match(link.stderr, /worker_crashed|Failed to generate QR code/);
		} finally {
			link.kill('SIGKILL');
		}
	});

	test('of an unknown instance ends with 1', async () => {
		const { token } = await world.account();
		const r = await world.ctl(['link', 'nobody'], { token });
		assert.equal(r.code, 1);
		assert.match(r.stderr, /Instance not found/);
	});

	test('ends with 0 once the QR is scanned', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const link = startLink(instance);
		try {
			await eventually(() => /[▀▄█]{10}/.test(link.stdout) || link.result !== undefined, { timeoutMs: 10_000, what: 'a QR' });
			const { qrCode } = (await world.connect(instance)).json;
			assert.equal((await world.scan(phone, qrCode)).status, 200);
			assert.equal((await link.waitExit()).code, 0, link.stderr);
			await link.closed;
			assert.match(link.stdout, new RegExp(`Linked as ${phone.number}@s\\.whatsapp\\.net`));
		} finally {
			link.kill('SIGKILL');
		}
		const again = await world.ctl(['link', instance.name], { token: instance.account });
		assert.equal(again.code, 0, again.stderr);
		assert.match(again.stdout, /Linked as/);
	});

	test('with a number shows the code to type, and ends with 0 once it is', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const link = startLink(instance, ['--number', `+${phone.number}`, '--json']);
		try {
			const { json: event } = await link.line(({ json: j }) => j?.event === 'pairing', { what: 'the code' });
			world.noteCode(event.data.pairingCode);
			const typed = await world.control('POST', `/phones/${phone.number}/code`, { code: event.data.pairingCode });
			assert.equal(typed.status, 200, typed.text);
			assert.equal((await link.waitExit()).code, 0, link.stderr);
			await link.closed;
			assert.equal(link.lines.at(-1).json.event, 'connected');
		} finally {
			link.kill('SIGKILL');
		}
	});

	test('says what to do when a passkey is wanted, and stays', async () => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ passkey: true });
		const link = startLink(instance);
		try {
			await eventually(() => /[▀▄█]{10}/.test(link.stdout) || link.result !== undefined, { timeoutMs: 10_000, what: 'a QR' });
			assert.equal((await world.scan(phone, (await world.connect(instance)).json.qrCode)).status, 202);
			await link.line(({ text }) => text.includes(`POST what its toJSON() gives`), { what: 'what to do' });
			assert.match(link.stdout, new RegExp(`passkey of this account[^]*GET ${world.base}/api/instance/passkey/${instance.name} `));
			assert.equal(link.result, undefined);
			assert.equal((await world.control('POST', `/phones/${phone.number}/passkey`, { approve: false })).status, 200);
			assert.equal((await link.waitExit()).code, 1);
		} finally {
			link.kill('SIGKILL');
		}
	});

	test('of an unknown number ends with 1 and the reason', async () => {
		const instance = await world.newInstance();
		const r = await world.ctl(['link', instance.name, '--number', '5599999999998'], { token: instance.account });
		assert.equal(r.code, 1);
		assert.match(r.stderr, /Failed to generate QR code: .*number/);
	});
});

describe('a linked instance', () => {
	let instance, as;
	before(async () => {
		instance = await world.newInstance();
		as = { token: instance.account };
		await world.link(instance);
	});

	test('status says since when, and reconnect that it is there', async () => {
		const [shown] = await json(['status', instance.name], as);
		assert.equal(shown.connection.state, 'connected');
		const table = (await ok(['status', instance.name], as)).stdout;
		assert.match(table, /^NAME\s+STATE\s+SINCE\s+NEXT TRY\s+LAST ERROR\n\S+\s+connected\s+(now|\d+ s)\s+-\s+-\n$/);
		assert.match((await ok(['reconnect', instance.name], as)).stderr, /is connected already/);
		assert.deepEqual(await json(['reconnect', instance.name], as), { name: instance.name, status: 'connected' });
	});

	test('logout unlinks it; reconnect then says what to do', async () => {
		assert.deepEqual(await json(['instance', 'logout', instance.name], as), { name: instance.name, status: 'loggedout' });
		assert.match((await ok(['status', instance.name], as)).stdout, /loggedout/);
		const r = await world.ctl(['reconnect', instance.name], as);
		assert.equal(r.code, 1);
		assert.match(r.stderr, /no saved session[^]*wardenctl link NAME/);
	});

	test('token gives it a new token, once', async () => {
		const made = await json(['instance', 'token', instance.name], as);
		world.secrets.add(made.token);
		assert.equal((await world.request('GET', '/api/instance/list', { token: made.token })).status, 200);
		assert.equal((await world.request('GET', '/api/instance/list', { token: instance.token })).status, 401);
	});

	test('settings are shown and changed', async () => {
		const name = instance.name;
		assert.equal((await json(['instance', 'settings', name], as)).disableHistorySync, true);
		const changed = await json(['instance', 'settings', name, 'autoRejectCalls=on', 'callRejectMessage=Not now, thanks'], as);
		assert.equal(changed.autoRejectCalls, true);
		assert.match((await ok(['instance', 'settings', name], as)).stdout, /callRejectMessage\s+Not now, thanks/);
		for (const word of ['autoRejectCalls', 'autoRejectCalls=perhaps', 'nothing=true'])
			assert.equal((await world.ctl(['instance', 'settings', name, word], as)).code, 2, word);
	});

	test('a proxy is set by its URL, its password only from a file', async () => {
		const name = instance.name;
		assert.equal((await ok(['instance', 'proxy', name], as)).stdout, 'off\n');
		const file = join(world.dir, 'proxy-password');
		writeFileSync(file, 'hush-hush-hush\n', { mode: 0o600 });
		world.secrets.add('hush-hush-hush');
		const url = 'socks5://me@[2001:db8::5]:1080';
		assert.equal((await ok(['instance', 'proxy', name, url, '--password-file', file], as)).stdout, `on ${url}\n`);
		assert.deepEqual(await json(['instance', 'proxy', name], as),
		    { enabled: true, host: '2001:db8::5', port: 1080, protocol: 'socks5', username: 'me' });
		assert.equal((await ok(['instance', 'proxy', name, 'off'], as)).stdout, `off ${url}\n`);
		for (const word of ['http://host', 'http://me:secret@host:1', 'ftp', 'http://host:0'])
			assert.equal((await world.ctl(['instance', 'proxy', name, word], as)).code, 2, word);
		const refused = await world.ctl(['instance', 'proxy', name, 'ftp://host:1'], as);
		assert.equal(refused.code, 1);
		assert.match(refused.stderr, /protocol has to be/);
	});
});

describe('worker', () => {
	test('list shows each, and log the last lines of one that crashed', async () => {
		const { name: account, token } = await world.newAccount();
		const instance = await world.newInstance({ name: 'crasher', token });
		assert.match((await ok(['worker', 'log', 'crasher'])).stderr, /No worker of crasher has crashed/);
		assert.deepEqual(await json(['worker', 'log', 'crasher']), { instance: 'crasher', log: null });
		await world.link(instance);
		const row = (await json(['worker', 'list'])).find((w) => w.instance === 'crasher');
		assert.deepEqual([row.account, row.id, row.pid], [account, instance.id, world.workers(instance)[0].pid]);
		assert.match((await ok(['worker', 'list'])).stdout, new RegExp(`^${row.pid} +\\d+ KiB.* crasher$`, 'm'));
		process.kill(row.pid, 'SIGKILL');
		const log = await eventually(async () => {
			const r = await ok(['worker', 'log', 'crasher', '--account', account]);
			return r.stdout !== '' && r.stdout;
		}, { what: 'its last lines' });
		assert.match(log, /session_event/);
		assert.equal((await json(['worker', 'log', 'crasher'])).log.trim(), log.trim());
		assert.equal((await world.ctl(['worker', 'log', 'nobody'])).code, 1);
		assert.equal((await world.ctl(['worker', 'log', 'crasher', '--account', 'a b'])).code, 2);
	});

	test('upgrade says that there is nothing newer', async () => {
		assert.match((await ok(['worker', 'upgrade'])).stderr, /Every worker runs the program on disk already/);
		assert.deepEqual(await json(['worker', 'upgrade', '--per-minute', '30']), { outdated: 0, perMinute: 30 });
		for (const pace of ['0', '3001', 'fast'])
			assert.equal((await world.ctl(['worker', 'upgrade', '--per-minute', pace])).code, 2, pace);
	});
});

describe('exit codes', () => {
	test('2 for a command there is not', async () => {
		for (const args of [[], ['nonsense'], ['account'], ['account', 'nonsense'], ['account', 'create'],
			['instance', 'create', 'a', 'b'], ['account', 'create', 'x', '--quota', 'many']])
			assert.equal((await world.ctl(args, { token: 'x' })).code, 2, args.join(' '));
	});

	test('3 when the gateway cannot be reached', async () => {
		const env = { WARDEN_RUN_DIR: join(world.dir, 'nowhere'), WARDEN_URL: 'http://127.0.0.1:1' };
		assert.equal((await world.ctl(['account', 'list'], { env })).code, 3);
		assert.equal((await world.ctl(['instance', 'list'], { env, token: 'some-token-some-token' })).code, 3);
	});
});
