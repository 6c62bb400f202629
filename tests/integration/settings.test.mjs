// Settings, flags and exit codes of the programs (contract "programs", sections 1 and 3)
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { World, run } from './harness.mjs';

let dir;
before(() => {
	dir = mkdtempSync(join(tmpdir(), 'warden-settings-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

const places = () => ['--data-dir', join(dir, 'data'), '--run-dir', join(dir, 'run'), '--listen', '127.0.0.1:0'];
const lines = (text) => text.split('\n').filter((line) => line !== '');

describe('every program', () => {
	for (const name of ['wardend', 'warden-worker', 'wardenctl', 'warden-sim']) {
		test(`${name} --help prints how to use it and ends with 0`, async () => {
			const r = await run(name, ['--help']);
			assert.equal(r.code, 0, r.stderr);
			assert.ok(r.stdout.includes(name));
			assert.ok(lines(r.stdout).length > 3);
			for (const line of lines(r.stdout))
				assert.ok(line.length <= 120, line);
		});

		test(`${name} --version prints its version and ends with 0`, async () => {
			const r = await run(name, ['--version']);
			assert.equal(r.code, 0, r.stderr);
			assert.match(r.stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n$`));
		});

		test(`${name} with an unknown option ends with 2 and says so`, async () => {
			const r = await run(name, ['--no-such-option']);
			assert.equal(r.code, 2);
			assert.match(r.stderr, /no-such-option/);
		});
	}
});

describe('wardend', () => {
	const TABLE = ['listen', 'data_dir', 'run_dir', 'public_url', 'limit_per_minute', 'limit_create_per_minute',
		'cors_origins', 'trusted_proxies', 'connect_timeout_s', 'worker_memory_max_mb', 'worker_path', 'message_retention_days',
		'max_connections', 'max_connections_per_address', 'webhook_allow_private', 'max_workers', 'worker_runner', 'wa_url', 'wa_origin',
		'wa_root_key', 'wa_ca_file', 'wa_version', 'wa_device_name', 'log_level', 'log_format'];

	test('--help names every setting by flag', async () => {
		const { stdout } = await run('wardend', ['--help']);
		for (const name of TABLE)
			assert.ok(stdout.includes(`--${name.replaceAll('_', '-')}`), name);
	});

	test('--print-config prints the defaults of the contract', async () => {
		const { stdout, code } = await run('wardend', ['--print-config']);
		assert.equal(code, 0);
		const value = (name) => stdout.match(new RegExp(`^${name}\\s*=\\s*(.*)$`, 'm'))?.[1].replace(/^"|"$/g, '');
		assert.equal(value('listen'), '127.0.0.1:8080');
		assert.equal(value('data_dir'), '/var/lib/warden');
		assert.equal(value('run_dir'), '/run/warden');
		assert.equal(value('limit_per_minute'), '100');
		assert.equal(value('limit_create_per_minute'), '20');
		assert.equal(value('connect_timeout_s'), '60');
		assert.equal(value('worker_memory_max_mb'), '64');
		assert.equal(value('message_retention_days'), '90');
		assert.equal(value('max_connections'), '10000');
		assert.equal(value('max_connections_per_address'), '256');
		assert.equal(value('max_workers'), '0');
		assert.equal(value('worker_runner'), 'zygote');
		assert.equal(value('wa_url'), 'wss://web.whatsapp.com/ws/chat');
		assert.equal(value('wa_origin'), 'https://web.whatsapp.com');
		assert.equal(value('wa_version'), 'auto');
		assert.equal(value('wa_device_name'), 'Warden');
		assert.equal(value('log_level'), 'info');
		assert.equal(value('log_format'), 'auto');
	});

	test('takes a setting from the environment, and the flag wins', async () => {
		const env = { WARDEN_WA_DEVICE_NAME: 'From Env', WARDEN_MAX_WORKERS: '7' };
		const { stdout } = await run('wardend', ['--print-config', '--max-workers', '9'], { env });
		assert.match(stdout, /^wa_device_name\s*=\s*"?From Env"?$/m);
		assert.match(stdout, /^max_workers\s*=\s*9$/m);
	});

	test('takes --flag=value as well', async () => {
		const { stdout } = await run('wardend', ['--print-config', '--max-workers=11']);
		assert.match(stdout, /^max_workers\s*=\s*11$/m);
	});

	test('names an unknown WARDEN_ variable in a warning, and not those of wardenctl', async () => {
		const { stderr, code } = await run('wardend', ['--print-config'],
		    { env: { WARDEN_NO_SUCH: '1', WARDEN_URL: 'http://x', WARDEN_TOKEN: 'secret-of-the-shell' } });
		assert.equal(code, 0);
		assert.match(stderr, /WARDEN_NO_SUCH/);
		assert.ok(!/WARDEN_URL|WARDEN_TOKEN|secret-of-the-shell/.test(stderr), stderr);
	});

	const bad = [
		['limit_per_minute', 'many'], ['limit_per_minute', '-1'], ['connect_timeout_s', '0'],
		['max_workers', '1.5'], ['worker_runner', 'fork'], ['log_level', 'loud'], ['log_format', 'xml'],
		['wa_root_key', 'abc'], ['wa_root_key', 'zz'.repeat(32)], ['wa_url', 'http://x/'], ['wa_url', 'nonsense'],
		['wa_version', 'latest'], ['listen', 'nowhere'], ['listen', '127.0.0.1:99999'],
		['trusted_proxies', 'not-an-address'], ['max_connections', ''],
	];
	for (const [name, value] of bad) {
		const flag = `--${name.replaceAll('_', '-')}`;
		test(`stops at ${flag} ${JSON.stringify(value)}: one line, which setting, from where`, async () => {
			const r = await run('wardend', [...places(), flag, value]);
			assert.ok(r.code === 2 || r.code === 1, `exit ${r.code}`);
			assert.equal(lines(r.stderr).length, 1, r.stderr);
			assert.ok(r.stderr.includes(flag) || r.stderr.includes(name), r.stderr);
		});
		test(`stops at WARDEN_${name.toUpperCase()}=${value}: one line, which variable`, async () => {
			const variable = `WARDEN_${name.toUpperCase()}`;
			const r = await run('wardend', places().filter((x, i, all) => name !== 'listen' ||
			    (x !== '--listen' && all[i - 1] !== '--listen')), { env: { [variable]: value } });
			assert.ok(r.code === 2 || r.code === 1, `exit ${r.code}`);
			assert.equal(lines(r.stderr).length, 1, r.stderr);
			assert.ok(r.stderr.includes(variable) || r.stderr.includes(name), r.stderr);
		});
	}

	test('does not start without its worker program', async () => {
		const r = await run('wardend', [...places(), '--worker-path', join(dir, 'nothing-here')]);
		assert.ok([1, 2].includes(r.code), `exit ${r.code}`);
		assert.match(r.stderr, /worker_path|worker-path|nothing-here/);
	});

	test('does not start with a worker_path that is no warden-worker', async () => {
		const fake = join(dir, 'fake-worker');
		writeFileSync(fake, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
		const w = new World();
		try {
			const gateway = await w.startGateway({ settings: { worker_path: fake }, expectExit: true });
			w.gateway = gateway;
			const ended = gateway.waitExit(8000).then(() => 'ended', () => 'late');
			const ready = gateway.event('ready', {}, { timeoutMs: 8000 }).then(() => 'ready', () => 'late');
			const first = await Promise.race([ended, ready]);
			if (first === 'ready') {
				// it may find out only when the zygote dies: /health must say so then
				w.base = `http://${(await gateway.event('ready')).address}`;
				const deadline = Date.now() + 10_000;
				let health;
				do
					health = await w.request('GET', '/health');
				while (health.status === 200 && Date.now() < deadline);
				assert.equal(health.status, 503, health.text);
			} else {
				assert.equal(first, 'ended');
				assert.equal(gateway.result.code, 1);
			}
		} finally {
			await w.stop();
		}
	});

	test('does not start on an address in use', async () => {
		const server = net.createServer();
		await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
		const address = `127.0.0.1:${server.address().port}`;
		const w = new World();
		try {
			const gateway = await w.startGateway({ settings: { listen: address }, expectExit: true });
			assert.equal((await gateway.waitExit()).code, 1);
			await gateway.closed;
			assert.ok(gateway.stderr.includes(address), gateway.stderr);
		} finally {
			server.close();
			await w.stop();
		}
	});

	test('does not start on a registry that is damaged, and leaves it as it is', async () => {
		const w = new World();
		const { mkdirSync, readFileSync } = await import('node:fs');
		mkdirSync(w.dataDir, { mode: 0o700 });
		const file = join(w.dataDir, 'registry.db');
		const junk = Buffer.alloc(8192, 'not a database ');
		writeFileSync(file, junk);
		try {
			const gateway = await w.startGateway({ expectExit: true });
			assert.equal((await gateway.waitExit()).code, 1);
			await gateway.closed;
			assert.match(gateway.stderr, /store_corrupt/);
			assert.deepEqual(readFileSync(file), junk);
		} finally {
			await w.stop();
		}
	});

	test('warns about a root key that is not WhatsApp\'s', async () => {
		const w = new World();
		try {
			const gateway = await w.startGateway({ settings: { wa_root_key: '11'.repeat(32) } });
			assert.ok(gateway.lines.some(({ json }) => json?.level === 'warning' && /root_key/.test(JSON.stringify(json))),
			    gateway.tail());
		} finally {
			await w.stop();
		}
	});
});

describe('warden-worker', () => {
	test('started by hand says that it is not for that, and ends', async () => {
		const r = await run('warden-worker', ['--instance', 'abcdefghijklmnop', '--dir', dir]);
		assert.notEqual(r.code, 0);
		assert.ok(r.stderr.length > 0);
	});
});
