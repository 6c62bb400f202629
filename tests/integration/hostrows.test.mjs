// The part "This host" of the fault table, row by row: workers that crash, starve or turn hostile (H1, H2, H4), and
// everything gone at once (H13). What a gateway's own death costs (H5) is in adopt.test.mjs and killinstants.test.mjs.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PATIENCE, PLAIN, SLOWNESS, binary, eventually, folder, proc, startWorld } from './harness.mjs';
import { clientOf, ended, linked, reconnect, sleep, strike } from './linked.mjs';

const plainTest = PLAIN ? test : () => {};
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
const workerOf = (world, instance) => world.workers(instance)[0]?.pid;
const rssKib = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1]);

const linkedMany = (world, n) => Promise.all(Array.from({ length: n }, () => linked(world)));

// What must not change of an instance: its worker and its connection.
async function snapshot(world, made) {
	return Promise.all(made.map(async ({ instance, phone }) =>
		({ pid: workerOf(world, instance), client: await clientOf(world, phone) })));
}

// prlimit of one of our workers, whose user it takes for that.
function prlimit(pid, ...args) {
	const uid = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^Uid:\s+(\d+)/m)[1];
	const as = process.getuid() === 0 ? ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'] : [];
	const [command, ...rest] = [...as, 'prlimit', '--pid', String(pid), ...args];
	return execFileSync(command, rest, { encoding: 'utf8' }).trim();
}

// Latencies of a caller of this instance until stopped, sorted.
function callers(world, { instance }) {
	const spans = [];
	let going = true;
	const done = (async () => {
		while (going) {
			const began = performance.now();
			await world.listed(instance);
			spans.push(performance.now() - began);
			await sleep(5);
		}
	})();
	return async () => {
		going = false;
		await done;
		return spans.sort((a, b) => a - b);
	};
}

// What `wardenctl worker log` shows.
const lastLog = (world, instance) => new Promise((resolve, reject) => {
	const path = `/admin/workers/log?instance=${instance.name}`;
	request({ socketPath: join(world.runDir, 'admin.sock'), path, agent: false }, async (res) => {
		const chunks = await res.toArray();
		resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')).log);
	}).on('error', reject).end();
});

// Dies now; until another worker of it is online.
async function killAndWait(world, instance, signal = 'SIGKILL') {
	const pid = workerOf(world, instance);
	const from = world.gateway.lines.length;
	const began = performance.now();
	process.kill(pid, signal);
	await world.gateway.event('online', { program: 'wardend', instance: instance.id }, { from, timeoutMs: 20_000 * SLOWNESS * PATIENCE });
	return performance.now() - began;
}

const LIES = ['others-pid', 'no-pid', 'huge-pid', 'wrong-start', 'bad-number', 'bad-days', 'bad-step', 'closes'];
const FRAMES = ['flood', 'empty-packets', 'garbage', 'short-header', 'wrong-length', 'huge', 'unknown-type', 'gateways-type',
	'zygotes-type', 'fd-uncalled-for', 'hello-twice', 'log-tail-twice', 'code-out-of-turn', 'others-jid'];
const LOGS = ['log-fifo', 'log-zero', 'log-folder', 'log-huge', 'log-unsealed'];

// Each takes the place of a worker while there is no gateway, so the next one adopts it.
async function takePlaces(world, victims, argumentOf) {
	const hostile = [];
	for (const { kind, instance } of victims) {
		const child = spawn(binary('hostile_worker'), ['--instance', instance.id, kind,
			join(world.runDir, `w-${instance.id}.sock`), String(argumentOf(kind) ?? '')],
		    { argv0: 'warden-worker', stdio: ['ignore', 'pipe', 'ignore'] });
		const exited = once(child, 'exit');
		await once(child.stdout, 'data');
		hostile.push({ kind, pid: child.pid, exited, child });
	}
	return hostile;
}

// Side by side: most of it is waiting.
describe('this host', { concurrency: true }, () => {
	describe('H1: a worker that crashes', { concurrency: 1 }, () => {
		let world;
		let made;
		let neighbours;

		before(async () => {
			world = await startWorld({ sim: { tls: true } });
			made = await linkedMany(world, PLAIN ? 12 : 5);
			neighbours = made.splice(0, 2);
		});
		after(() => world?.stop());

		test('in whatever way: only that one, and it is online again within 3 s', async (t) => {
			const before_ = await snapshot(world, neighbours);
			const calm = callers(world, neighbours[0]);
			await sleep(500);
			const quiet = await calm();
			const stop = callers(world, neighbours[0]);
			const spans = [];
			for (const [i, { instance }] of made.entries())
				spans.push(await killAndWait(world, instance, ['SIGSEGV', 'SIGABRT', 'SIGKILL', 'SIGBUS'][i % 4]));
			const busy = await stop();
			spans.sort((a, b) => a - b);
			t.diagnostic(`crash to connected: median ${quantile(spans, 0.5).toFixed(0)} ms, worst ${spans.at(-1).toFixed(0)} ms; ` +
			    `others' median ${quantile(quiet, 0.5).toFixed(1)} ms before, ${quantile(busy, 0.5).toFixed(1)} ms meanwhile`);
			assert.ok(spans.at(-1) <= 3000 * SLOWNESS, `${spans.map(Math.round)}`);
			assert.deepEqual(await snapshot(world, neighbours), before_);
			for (const how of PLAIN ? ['SIGSEGV', 'SIGABRT', 'SIGKILL', 'SIGBUS'] : ['SIGKILL'])
				assert.ok(world.gateway.events('worker_exit').some((e) => e.how.includes(how)), how);
		});

		test('the first restart comes after 0.1 s, the next ones after 1 s and more', async () => {
			const { instance } = made[0];
			const waits = () => world.gateway.events('restart_planned').filter((e) => e.instance === instance.id).map((e) => e.ms);
			assert.deepEqual(waits(), [100]);
			await killAndWait(world, instance);
			await killAndWait(world, instance);
			const [, second, third] = waits();
			assert.ok(second >= 1000 && second <= 2000, `${waits()}`);
			assert.ok(third >= 1000 && third <= 4000, `${waits()}`);
		});

		// A host whose memory is used up, and a worker that leaked: no memory, no descriptor is to be had
		for (const [what, flag, lack] of [
			['memory', '--data', (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmData:\s+(\d+)/m)[1]) * 1024],
			['descriptors', '--nofile', (pid) => folder(`/proc/${pid}/fd`).length],
		])
			plainTest(`one that is out of ${what} is no harm to the others, and comes back`, async () => {
				const { instance, phone } = made[what === 'memory' ? 1 : 2];
				const before_ = await snapshot(world, neighbours);
				const pid = workerOf(world, instance);
				const was = prlimit(pid, flag, '--noheadings', '--raw', '--output', 'HARD');
				prlimit(pid, `${flag}=${lack(pid)}:${was}`);
				await strike(world, phone, { kind: 'reset' });
				await world.until(instance, (i) => i.connection.state !== 'connected' || i.connection.lastError !== null, { timeoutMs: 5000 });
				assert.deepEqual(await snapshot(world, neighbours), before_);
				await world.healthy();
				if (proc.isRunning(pid))
					prlimit(pid, `${flag}=${was}:${was}`);
				await reconnect(world, instance);
				await world.until(instance, 'connected', { timeoutMs: 20_000 });
			});
	});

	describe('H2: a worker that crashes again and again', { concurrency: 1 }, () => {
		let world;

		before(async () => {
			world = await startWorld({ sim: { tls: true } });
		});
		after(() => world?.stop());

		test('five times in one state: disconnected, worker_crashed, nothing is tried any more; the next connect does', async () => {
			const { instance } = await linked(world);
			for (let i = 0; i < 4; i++) {
				const from = world.gateway.lines.length;
				process.kill(workerOf(world, instance), 'SIGKILL');
				await world.gateway.event('restart_planned', { instance: instance.id }, { from });
				await reconnect(world, instance); // nobody waits for the time of the next restart
				await world.gateway.event('online', { program: 'wardend', instance: instance.id }, { from });
			}
			process.kill(workerOf(world, instance), 'SIGKILL');
			const { connection } = await ended(world, instance, 'disconnected', 'worker_crashed');
			assert.equal(connection.nextRetryAt, null);
			assert.equal(connection.attempt, 0);
			assert.match(connection.lastError.detail, /SIGKILL/);
			assert.equal(world.gateway.events('crash_loop').length, 1);
			const ticks = proc.stat(world.gateway.pid).cpuTicks;
			await sleep(1500);
			assert.ok(proc.stat(world.gateway.pid).cpuTicks - ticks <= 2, 'at most 1 % of a CPU');
			assert.deepEqual(world.workers(instance), []);
			assert.match(await lastLog(world, instance), new RegExp(`"event":"online","instance":"${instance.id}"`), 'what its last worker had to say');
			const again = await world.connect(instance);
			assert.equal(again.status, 200, again.text);
			assert.equal(again.json.status, 'connected');
		});
	});

	describe('H4: a hostile worker', { concurrency: 1 }, () => {
		let world;
		let neighbours;
		let victims;

		before(async () => {
			world = await startWorld({ sim: { tls: true } });
			neighbours = await linkedMany(world, 2);
			const kinds = PLAIN ? [...LIES, ...FRAMES, ...LOGS] : ['flood', 'huge', 'others-pid', 'log-huge'];
			victims = [];
			for (let i = 0; i < kinds.length; i += 4) // four at a time
				victims.push(...await Promise.all(kinds.slice(i, i + 4).map(async (kind) => ({ kind, ...await linked(world) }))));
		});
		after(() => world?.stop());

		test('floods, malformed frames, lies and bogus descriptors: killed, replaced, and nobody else notices', async (t) => {
			const before_ = await snapshot(world, neighbours);
			const stolen = (await world.listed(neighbours[0].instance)).numberJid;
			const pids = victims.map(({ instance }) => workerOf(world, instance));
			const calm = callers(world, neighbours[0]);
			await sleep(500);
			const quiet = await calm();
			await world.killGateway();
			for (const pid of pids)
				process.kill(pid, 'SIGKILL');
			await eventually(() => !pids.some(proc.isRunning), { what: 'an end of the honest ones' });
			const arguments_ = { 'others-pid': before_[0].pid, 'others-jid': stolen.replace('@', ':9@'), 'log-fifo': world.dir };
			const hostile = await takePlaces(world, victims, (kind) => arguments_[kind]);
			try {
				await world.startGateway();
				const rss = rssKib(world.gateway.pid);
				const stop = callers(world, neighbours[0]);
				// Whose session it holds only the worker knows: as long as it says that it is another's, list shows that, of this
				// instance alone. Nothing to end it for.
				const liar = hostile.find(({ kind }) => kind === 'others-jid');
				if (liar !== undefined) {
					await world.until(victims[hostile.indexOf(liar)].instance, (i) => i.numberJid === stolen);
					liar.child.kill('SIGKILL');
				}
				const deadline = Date.now() + 8000 * SLOWNESS * PATIENCE;
				await eventually(() => !hostile.some(({ pid }) => proc.isRunning(pid)) || Date.now() > deadline, { timeoutMs: 9000 });
				const busy = await stop();
				assert.deepEqual(hostile.filter(({ pid }) => proc.isRunning(pid)).map(({ kind }) => kind), [], 'still alive');
				// the truth is back with the honest worker; a liar's state is shown a moment longer than it lives
				for (const { kind, phone, instance } of victims) {
					const isBack = (i) => i.connection.state === 'connected' && i.numberJid.startsWith(`${phone.number}@`);
					await world.until(instance, isBack, { timeoutMs: 20_000 }).catch((error) => {
						throw new Error(`${kind}: ${error.message}`);
					});
				}
				assert.deepEqual(await snapshot(world, neighbours), before_, 'the others');
				assert.equal((await world.listed(neighbours[0].instance)).numberJid, stolen);
				const more = rssKib(world.gateway.pid) - rss;
				assert.ok(!PLAIN || more < 8192, `the gateway grew by ${more} KiB`);
				t.diagnostic(`others' p99 ${quantile(quiet, 0.99).toFixed(1)} ms before, ${quantile(busy, 0.99).toFixed(1)} ms meanwhile; ` +
				    `the gateway grew by ${more} KiB`);
				await world.healthy();
			} finally {
				for (const { child, exited } of hostile) {
					child.kill('SIGKILL');
					await exited;
				}
			}
		});

		plainTest('one that never reads: what waits for it stays under 1 MiB, then it is killed', async () => {
			const victim = victims[0];
			const pid = workerOf(world, victim.instance);
			await world.killGateway();
			process.kill(pid, 'SIGKILL');
			await eventually(() => !proc.isRunning(pid), { what: 'an end of the honest one' });
			const [deaf] = await takePlaces(world, [{ kind: 'deaf', instance: victim.instance }], () => '');
			try {
				await world.startGateway();
				const rss = rssKib(world.gateway.pid);
				const from = world.gateway.lines.length;
				const json = { callRejectMessage: 'x'.repeat(1000) };
				let sent = 0;
				for (; sent < 4000 && proc.isRunning(deaf.pid); sent += 20)
					await Promise.all(Array.from({ length: 20 }, (_, i) => world.request('POST', `/api/instance/settings/${victim.instance.name}`,
					    { token: victim.instance.account, json: { callRejectMessage: json.callRejectMessage + i } })));
				assert.ok(sent > 900 && sent < 2500, `killed after ${sent} messages of 1 KB`);
				const more = rssKib(world.gateway.pid) - rss;
				assert.ok(more < 8192, `the gateway grew by ${more} KiB`);
				await world.gateway.event('worker_lost', { instance: victim.instance.id }, { from });
				await world.until(victim.instance, 'connected', { timeoutMs: 20_000 });
			} finally {
				deaf.child.kill('SIGKILL');
				await deaf.exited;
			}
		});
	});

	describe('H13: a reboot', { concurrency: 1 }, () => {
		test('all that was linked comes back by itself, eight starts at a time', async (t) => {
			const world = await startWorld({ sim: { tls: true } });
			try {
				const made = await linkedMany(world, PLAIN ? 20 : 6);
				const pids = world.workers().map(({ pid }) => pid);
				world.gateway.kill('SIGKILL');
				await world.gateway.waitExit();
				for (const pid of pids)
					process.kill(pid, 'SIGKILL');
				await eventually(() => !pids.some(proc.isRunning), { what: 'an empty host' });
				const began = performance.now();
				await world.startGateway();
				for (const { instance } of made)
					await world.until(instance, 'connected', { timeoutMs: 20_000 });
				t.diagnostic(`${made.length} online after ${(performance.now() - began).toFixed(0)} ms`);
				assert.equal(world.workers().length, made.length);
				assert.equal((await world.online()).length, made.length);
			} finally {
				await world.stop();
			}
		});
	});
});
