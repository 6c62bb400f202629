// Of generated requests, none that the gate takes and nginx refuses or frames otherwise (fault H17)
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { SLOWNESS } from './harness.mjs';
import { compare } from './gatediff.mjs';

const N = Number(process.env.WARDEN_GATEDIFF_N ?? 10_000);
const SEED = Number(process.env.WARDEN_GATEDIFF_SEED ?? 1);

const haveNginx = spawnSync('nginx', ['-v'], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }).error === undefined;

test(`${N} generated requests beside nginx`, { skip: haveNginx ? false : 'nginx is not installed' }, async () => {
	const r = await compare({ n: N, seed: SEED, timeoutMs: 5000 * SLOWNESS });
	assert.deepEqual(r.differences.slice(0, 5), []);
	// the generator must neither be all rubbish nor all harmless
	assert.ok(r.taken > N * 0.3 && r.refused > N * 0.3, JSON.stringify(r));
	assert.ok(r.requests > N * 0.6, JSON.stringify(r));
});
