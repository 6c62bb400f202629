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
	test('draws a QR that a camera reads off the terminal, and ends with the attempt', async () => {
		const instance = await world.newInstance();
		const link = new Program('wardenctl', ['link', instance.name], { env: {
			WARDEN_RUN_DIR: world.runDir, WARDEN_URL: world.base, WARDEN_TOKEN: instance.account } });
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

	test('with a number says that it is not built yet', async () => {
		const instance = await world.newInstance();
		const r = await world.ctl(['link', instance.name, '--number', '5511999999999'], { token: instance.account });
		assert.equal(r.code, 1);
		assert.match(r.stderr, /Not implemented/);
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
