// tests/integration/capacity.test.mjs - a host that runs out of descriptors, processes or memory (fault H14)
//
// What is new is refused with 503 before what is old suffers: a linked instance stays online and comes back from a
// crash, list and health answer. With the limit lifted, what is new works. Limits are set with prlimit(1) on programs
// that run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { describe, test } from 'node:test';
import { assertError, eventually, PLAIN, proc, World } from './harness.mjs';

// Sanitizers reserve more memory than any limit, and look for leaks with rights that another user has not.
const plainTest = PLAIN ? test : () => {};

const FULL = [503, 'Service is at capacity', 'at_capacity'];
const UID = 61_234; // of nobody else, so that its processes can be counted

// The soft limit; the hard one stays, and so it can be lifted again: n undefined.
function limit(pid, name, row, n, as = []) {
	const hard = readFileSync(`/proc/${pid}/limits`, 'utf8').match(new RegExp(`^${row} +\\S+ +(\\S+)`, 'm'))[1];
	const [command, ...args] = [...as, 'prlimit', '--pid', String(pid), `--${name}=${n ?? hard}:`];
	execFileSync(command, args);
}
const limitFiles = (pid, n) => limit(pid, 'nofile', 'Max open files', n);
const asUser = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--'];
const limitTasks = (pid, n) => limit(pid, 'nproc', 'Max processes', n, asUser); // root may not be allowed to
const limitData = (pid, n) => limit(pid, 'data', 'Max data size', n);

async function assertOldGoesOn(world, { instance }) {
	const list = await world.request('GET', '/api/instance/list', { token: instance.account });
	assert.equal(list.status, 200, list.text);
	assert.equal(list.json.instances.find((i) => i.id === instance.id).connection.state, 'connected');
	const health = await world.request('GET', '/health');
	assert.equal(health.status, 200, health.text);
	const again = await world.connect(instance);
	assert.equal(again.json.status, 'connected', again.text);
}

async function assertOldComesBack(world, { instance }) {
	const before = world.gateway.events('online').length;
	process.kill(world.workers(instance)[0].pid, 'SIGKILL');
	await eventually(() => world.gateway.events('online').length > before, { timeoutMs: 10_000, what: 'back online' });
	await world.until(instance, 'connected');
}

// Until one is refused; the refusal.
async function connectUntilFull(world, most = 40) {
	for (let i = 0; i < most; i++) {
		const answer = await world.connect(await world.newInstance());
		if (answer.status !== 200)
			return { answer, before: i };
	}
	throw new Error(`${most} new ones were taken`);
}

async function withLinked(body, { gateway = {}, prepare = () => {} } = {}) {
	const world = new World();
	try {
		prepare(world);
		await world.startSim();
		await world.startGateway(gateway);
		const instance = await world.newInstance();
		await world.link(instance);
		await body(world, { instance });
	} finally {
		await world.stop();
	}
}

describe('a host that runs out (H14)', () => {
	test('of descriptors', () => withLinked(async (world, old) => {
		const { pid } = world.gateway;
		const reserve = 64; // of the gateway, for what runs already
		limitFiles(pid, proc.fdCount(pid) + reserve + 16);
		const { answer, before } = await connectUntilFull(world);
		assertError(answer, ...FULL);
		assert.ok(before > 0, 'the first one was refused already');
		await assertOldGoesOn(world, old);
		await assertOldComesBack(world, old);
		assertError((await connectUntilFull(world)).answer, ...FULL);
		await assertOldGoesOn(world, old);
		limitFiles(pid);
		assert.equal((await world.connect(await world.newInstance())).status, 200);
	}));

	test('of descriptors, which silent connections have taken', () => withLinked(async (world, old) => {
		const { pid } = world.gateway;
		limitFiles(pid, proc.fdCount(pid) + 64 + 16);
		const silent = Array.from({ length: 200 }, () => net.connect(world.address.port, world.address.host)
		    .on('error', () => {}).resume());
		await eventually(() => silent.filter((s) => s.readableEnded || s.destroyed).length >= 150,
		    { what: 'those that are too many are closed' });
		await assertOldGoesOn(world, old);
		await assertOldComesBack(world, old);
		silent.forEach((s) => s.destroy());
		limitFiles(pid);
	}));

	plainTest('of processes', { skip: process.getuid() === 0 ? false : 'a user of its own needs root' }, () => withLinked(
		async (world, old) => {
			const tasks = () => readdirSync('/proc').filter((p) => /^\d+$/.test(p)).map((p) => {
				try {
					const owner = readFileSync(`/proc/${p}/status`, 'utf8').match(/^Uid:\s+(\d+)/m)[1];
					return Number(owner) === UID ? readdirSync(`/proc/${p}/task`).length : 0;
				} catch {
					return 0; // gone meanwhile
				}
			}).reduce((a, b) => a + b, 0);
			const zygote = await eventually(() => world.zygote());
			limitTasks(zygote, tasks() + 3);
			const { answer, before } = await connectUntilFull(world);
			assertError(answer, ...FULL);
			assert.ok(before > 0, 'the first one was refused already');
			await assertOldGoesOn(world, old);
			await assertOldComesBack(world, old);
			limitTasks(zygote);
			assert.equal((await world.connect(await world.newInstance())).status, 200);
		}, {
			prepare(world) {
				for (const dir of [world.dataDir, world.runDir]) {
					mkdirSync(dir, { mode: 0o700 });
					chownSync(dir, UID, UID);
				}
			},
			gateway: { prefix: asUser },
		}));

	plainTest('of memory', () => withLinked(async (world, old) => {
		const { pid } = world.gateway;
		const data = Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmData:\s+(\d+) kB/m)[1]) * 1024;
		limitData(pid, data + (6 << 20));
		let refused;
		for (let i = 0; refused === undefined && i < 3000; i++) {
			const r = await world.request('POST', '/api/instance/new', { token: old.instance.account,
				json: { name: `new-${i}`, proxyEnabled: true, proxyHost: 'h', proxyPort: 1, proxyProtocol: 'http',
					callRejectMessage: 'm'.repeat(900) } });
			if (r.status !== 201)
				refused = r;
		}
		assertError(refused, ...FULL);
		await assertOldGoesOn(world, old);
		await assertOldComesBack(world, old);
		const { account } = old.instance;
		assertError(await world.request('GET', '/api/instance/connect/new-0', { token: account }), ...FULL);
		limitData(pid);
		assert.equal((await world.request('POST', '/api/instance/new', { token: account, json: { name: 'last' } })).status, 201);
	}));
});
