// wardenctl doctor: what is well, what is not, and what to do (contract "programs", section 4)
import assert from 'node:assert/strict';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { folder, startWorld } from './harness.mjs';

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
		for (const name of ['data_dir', 'free_space', 'file_system', 'registry', 'master_key', 'redis', 'workers', 'open_files', 'kernel']) {
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
		chmodSync(world.dataDir, 0o777);
		try {
			const r = await doctor();
			assert.equal(r.code, 1);
			assert.equal(r.of.data_dir.status, 'failed');
			assert.match(r.of.data_dir.detail, /others can write/);
			assert.match(r.of.data_dir.advice, /chmod 700/);
			fine(r.of.registry);
			const text = await world.ctl(['doctor']);
			assert.match(text.stdout, /^failed +data_dir .*\n +-> chmod 700 /m);
		} finally {
			chmodSync(world.dataDir, 0o700);
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
		chmodSync(key, 0o644);
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
