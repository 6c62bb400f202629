// wardenctl doctor: what is well, what is not, and what to do (contract "programs", section 4)
import assert from 'node:assert/strict';
import { chmodSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:http';
import { startRedis } from './redis.mjs';
import { Program, World, eventually, folder, startWorld } from './harness.mjs';

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const doctor = async (args = [], w = world) => {
	const r = await w.ctl(['doctor', '--json', ...args]);
	const checks = r.stdout === '' ? [] : JSON.parse(r.stdout);
	return { ...r, of: Object.fromEntries(checks.map((c) => [c.check, c])) };
};
// A machine's own state (a slow disk, /tmp in memory, a small limit) may be worth a warning.
const fine = (check) => assert.notEqual(check.status, 'failed', JSON.stringify(check));

describe('the gateway and its host', () => {
	test('are well, check by check', async () => {
		const r = await doctor();
		assert.equal(r.code, 0, r.stdout + r.stderr);
		for (const name of ['data_dir', 'free_space', 'file_system', 'registry', 'master_key', 'redis', 'workers', 'sandbox', 'open_files', 'kernel', 'whatsapp', 'clock']) {
			fine(r.of[name]);
			assert.equal(typeof r.of[name].detail, 'string');
			assert.equal(r.of[name].advice === null, r.of[name].status === 'ok', JSON.stringify(r.of[name]));
		}
		assert.match(r.of.data_dir.detail, new RegExp(world.dataDir));
		assert.match(r.of.redis.detail, /not configured/);
		assert.match(r.of.master_key.detail, /master\.key \(data_dir\) is the registry's key/);
		assert.deepEqual(folder(world.dataDir).filter((f) => f.startsWith('.doctor')), []);
	});

	test('are shown as lines with what to do', async () => {
		const r = await world.ctl(['doctor']);
		assert.match(r.stdout, /^(ok|warning) +data_dir +\S+/m);
		assert.match(r.stderr, /^(All is well\.|0 failed, \d+ warnings?\.)$/m);
	});

	test('are not well with a directory that others can write to', async () => {
		const mode = statSync(world.dataDir).mode & 0o777;
		chmodSync(world.dataDir, 0o777);
		try {
			const r = await doctor();
			assert.equal(r.code, 1);
			assert.equal(r.of.data_dir.status, 'failed');
			assert.match(r.of.data_dir.detail, /others can write/);
			assert.match(r.of.data_dir.advice, /chmod 7(00|11) /);
			fine(r.of.registry);
			const text = await world.ctl(['doctor']);
			assert.match(text.stdout, /^failed +data_dir .*\n +-> chmod 7(00|11) /m);
		} finally {
			chmodSync(world.dataDir, mode);
		}
	});

	test('are not well without the master key that the next start needs, or with another', async () => {
		const key = join(world.dataDir, 'master.key');
		renameSync(key, `${key}.away`);
		try {
			assert.match((await doctor()).of.master_key.detail, /ENOENT/);
			writeFileSync(key, 'k'.repeat(32), { mode: 0o600 });
			const other = await doctor();
			assert.equal(other.code, 1);
			assert.match(other.of.master_key.detail, /another key than the one in use/);
		} finally {
			renameSync(`${key}.away`, key);
		}
		chmodSync(key, 0o644); // the next start would refuse it
		assert.equal((await doctor()).of.master_key.status, 'failed');
		chmodSync(key, 0o640);
		const open = await doctor();
		assert.equal(open.of.master_key.status, 'warning');
		assert.equal(open.code, 0); // a warning is no failure
		chmodSync(key, 0o600);
	});

	test('that are not there end with 3', async () => {
		const r = await world.ctl(['doctor'], { env: { WARDEN_RUN_DIR: join(world.dir, 'nowhere') } });
		assert.equal(r.code, 3);
		assert.match(r.stderr, /can't reach the gateway[^]*Is wardend running/);
	});
});

describe('WhatsApp', () => {
	test('is reached, and the clock is right', async () => {
		const r = await doctor();
		assert.match(r.of.whatsapp.detail, /^127\.0\.0\.1:\d+ reached directly in \d+ ms \(connected \d+, open \d+\)$/);
		assert.equal(r.of.whatsapp.status, 'ok');
		assert.match(r.of.clock.detail, /^within \d+ s of what 127/);
	});

	test('is reached by TLS, and hears nothing but an ephemeral key', async () => {
		const w = await startWorld({ sim: { tls: true } });
		try {
			const r = await doctor([], w);
			assert.equal(r.of.whatsapp.status, 'ok', r.stdout);
			assert.deepEqual((await w.control('GET', '/log')).json.entries, []); // no stanza, no login
			const seen = w.sim.lines.map(({ text }) => text).join('\n');
			assert.doesNotMatch(seen, /registr|login/i);
		} finally {
			await w.stop();
		}
	});

	test('is left alone by a live session of the same instance, and it by the doctor', async () => {
		const instance = await world.newInstance({ name: 'live' });
		await world.link(instance);
		const before = await world.online();
		assert.equal((await doctor(['live'])).of.whatsapp.status, 'ok');
		assert.deepEqual(await world.online(), before);
		await eventually(() => world.workers().length === 1, { what: 'only the session' });
	});

	test('is asked by four at once', async () => {
		const all = await Promise.all([1, 2, 3, 4].map(() => doctor()));
		assert.deepEqual(all.map((r) => r.of.whatsapp.status), ['ok', 'ok', 'ok', 'ok']);
	});

	test('that closes, hangs or proves to be another is told by its step', async () => {
		for (const [stage, fault, text] of [
			['tcp', { kind: 'reset' }, /^(network|handshake): /],
			['upgrade', { kind: 'failure', code: 503 }, /^handshake: .*HTTP status 503/],
			['handshake', { kind: 'bad_cert' }, /^handshake: the Noise certificate chain .* was refused/],
		]) {
			await world.fault(stage, fault);
			const r = await doctor();
			await world.clearFaults();
			assert.equal(r.code, 1, stage);
			assert.match(r.of.whatsapp.detail, text, stage);
			assert.ok(r.of.whatsapp.advice.length > 0);
		}
		assert.equal((await doctor()).of.whatsapp.status, 'ok');
	});

	// Servers of the test's own: what answers there is HTTP, and says what time it is.
	const withServer = async (date, body) => {
		const server = createServer((request, response) => {
			response.sendDate = false;
			response.writeHead(404, date === undefined ? {} : { date });
			response.end();
		});
		await new Promise((done) => server.listen(0, '127.0.0.1', done));
		const w = new World();
		try {
			await w.startGateway({ settings: { wa_url: `ws://127.0.0.1:${server.address().port}/ws/chat` } });
			await body(w);
		} finally {
			await w.stop();
			server.closeAllConnections();
			server.close();
		}
	};

	test('says that the clock is off, or does not say what time it is', async () => {
		await withServer(new Date(Date.now() - 3600_000).toUTCString(), async (w) => {
			const r = await doctor([], w);
			assert.match(r.of.whatsapp.detail, /^handshake: /);
			assert.equal(r.of.clock.status, 'warning');
			assert.match(r.of.clock.detail, /this clock is 3[56]\d\d s ahead of what 127\.0\.0\.1:\d+ says/);
			assert.match(r.of.clock.advice, /timedatectl/);
		});
		await withServer(undefined, async (w) => {
			assert.match((await doctor([], w)).of.clock.detail, /has not said what time it is/);
		});
	});

	test('that nobody is, is told', async () => {
		const w = new World();
		try {
			await w.startGateway({ settings: { wa_url: 'ws://127.0.0.1:1/ws/chat' } });
			const r = await doctor([], w);
			assert.equal(r.code, 1);
			assert.match(r.of.whatsapp.detail, /^network: .*refused.*, directly$/);
			assert.match(r.of.whatsapp.advice, /firewall/);
		} finally {
			await w.stop();
		}
	});

	test('is not asked for somebody who has left', async () => {
		await world.fault('handshake', { kind: 'stall' });
		try {
			const ctl = new Program('wardenctl', ['doctor'], { env: { WARDEN_RUN_DIR: world.runDir } });
			await world.gateway.event('probe_started');
			const { length } = world.gateway.events('probe_started');
			await eventually(() => world.gateway.events('probe_started').length > length || world.workers({ id: 'wardenprobe22222' }).length > 0,
			    { what: 'its process' });
			ctl.kill('SIGKILL');
			await ctl.waitExit();
			await eventually(() => world.workers({ id: 'wardenprobe22222' }).length === 0, { what: 'the end of its process' });
		} finally {
			await world.clearFaults();
		}
		assert.equal((await doctor()).of.whatsapp.status, 'ok');
	});
});

describe('Redis', () => {
	test('is asked for an answer, and named when it gives none', async () => {
		const w = new World();
		try {
			w.redis = await startRedis(w, ['--requirepass', 'hush-hush']);
			w.secrets.add('hush-hush');
			await w.startSim();
			const at = w.redis.url.replace('//', '//:hush-hush@');
			await w.startGateway({ env: { WARDEN_REDIS_URL: at } });
			const redis = await eventually(async () => {
				const { of } = await doctor([], w);
				return of.redis.status !== 'failed' && of.redis; // it may still be connecting
			}, { what: 'Redis' });
			assert.match(redis.detail, /^(limits are shared in it; it answers in|it takes) \d+\.\d ms/);
			await w.redis.kill();
			const gone = await eventually(async () => {
				const r = await doctor([], w);
				return r.of.redis.status === 'failed' && r;
			}, { what: 'the loss' });
			assert.equal(gone.code, 1);
			assert.match(gone.of.redis.advice, /redis_url/);
			assert.ok(!gone.stdout.includes('hush-hush'));
			await w.gateway.kill('SIGTERM');
			await w.gateway.waitExit();
			await w.redis.start();
			await w.startGateway({ env: { WARDEN_REDIS_URL: w.redis.url.replace('//', '//:wrong@') } });
			const wrong = await eventually(async () => {
				const r = await doctor([], w);
				return /^fail: redis (?!is being)/.test(r.of.redis.detail) && r;
			}, { what: 'the wrong password' });
			assert.match(wrong.of.redis.detail, /password|WRONGPASS|NOAUTH|auth/i);
		} finally {
			await w.redis?.kill();
			await w.stop();
		}
	});
});

describe('which instance', () => {
	test('is asked about has to be said where several have the name', async () => {
		const [a, b] = [await world.newAccount(), await world.newAccount()];
		await world.newInstance({ name: 'twin', token: a.token });
		await world.newInstance({ name: 'twin', token: b.token });
		const r = await world.ctl(['doctor', 'twin']);
		assert.equal(r.code, 1);
		assert.match(r.stderr, /Several accounts[^]*--account NAME says which/);
		assert.equal((await world.ctl(['doctor', 'nobody'])).code, 1);
		assert.equal((await world.ctl(['doctor', '--account', a.name])).code, 2);
		assert.match((await world.ctl(['doctor', 'twin', '--account', 'nobody'])).stderr, /Account not found/);
	});
});
