// One pairing to its QR with gateway and worker under valgrind (./check runs it with a build that has
// test hooks: WARDEN_TEST_FORK=1 starts workers by a plain fork, since valgrind 3.19 knows no clone3).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { World, assertQr, folder } from './harness.mjs';

test('one pairing to its QR, a second call and a delete: no error and no leak', async () => {
	const world = new World();
	const reports = join(world.dir, 'valgrind');
	try {
		await world.startSim({ tls: true });
		await world.startGateway({
			// valgrind makes code at run time, reads /proc and opens files: no sandbox
			env: { WARDEN_TEST_FORK: '1', WARDEN_TEST_SANDBOX: '0' },
			prefix: ['valgrind', '--trace-children=yes', '--error-exitcode=99', '--leak-check=full',
				'--show-leak-kinds=definite', '--errors-for-leak-kinds=definite', `--log-file=${reports}.%p.log`],
		});
		const stays = await world.newInstance();
		const goes = await world.newInstance();
		const { qrCode } = assertQr(await world.connect(stays));
		assert.equal(assertQr(await world.connect(stays)).qrCode, qrCode);
		assertQr(await world.connect(goes));
		assert.equal((await world.request('DELETE', `/api/instance/delete/${goes.name}`, { token: goes.account })).status, 200);
		world.gateway.kill('SIGTERM');
		assert.equal((await world.gateway.waitExit()).code, 0);
		const logs = folder(world.dir).filter((name) => /^valgrind\..*\.log$/.test(name));
		const texts = logs.map((name) => readFileSync(join(world.dir, name), 'utf8'));
		// the zygote is ended by a signal and sums nothing up
		const summed = texts.filter((text) => text.includes('ERROR SUMMARY'));
		assert.ok(summed.length >= 3, `gateway and two workers, not ${summed.length} of ${logs.length}`);
		for (const text of texts)
			if (/ERROR SUMMARY: [1-9]|Invalid (read|write|free)|uninitialised|definitely lost: [1-9]/.test(text))
				assert.fail(text);
	} finally {
		await world.stop();
	}
});
