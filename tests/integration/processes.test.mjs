// What the operating system sees: processes, sockets, files, and what two gateways do to one directory
import assert from 'node:assert/strict';
import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertQr, binary, eventually, folder, proc, startWorld } from './harness.mjs';

let world;
let instance;
let worker;

before(async () => {
	world = await startWorld({ sim: { tls: true }, gateway: { env: { SECRET_OF_THE_SHELL: 'do-not-pass-on' } } });
	instance = await world.newInstance();
	assertQr(await world.connect(instance));
	worker = world.workers(instance)[0].pid;
});
after(() => world?.stop());

const mode = (path) => lstatSync(path).mode & 0o7777;
const octal = (n) => `0${n.toString(8)}`;

describe('a worker', () => {
	test('has the command line that names its instance and directory, and nothing else', () => {
		const args = proc.cmdline(worker);
		assert.deepEqual(args, ['warden-worker', '--instance', instance.id,
			'--dir', join(world.dataDir, 'instances', instance.id)]);
	});

	test('is the warden-worker binary', () => {
		const path = proc.exe(worker).replace(/ \(deleted\)$/, '');
		assert.equal(realpathSync(path), realpathSync(binary('warden-worker')));
	});

	test('has an empty environment', () => {
		assert.deepEqual(proc.environ(worker), []);
	});

	test('is a child of the gateway, not of the zygote', () => {
		assert.equal(proc.stat(worker).ppid, world.gateway.pid);
	});

	test('holds no descriptor of the gateway', () => {
		// the simulator's CA file among them, and what it costs (smaps_rollup)
		assert.ok(proc.fdCount(worker) <= 15, `${proc.fdCount(worker)} descriptors`);
		for (const target of proc.descriptors(worker))
			assert.ok(!target.includes('registry.db'), target);
	});

	test('idles: no CPU while it waits for a scan', async () => {
		const before_ = proc.stat(worker).cpuTicks;
		await new Promise((resolve) => setTimeout(resolve, 1000)); // the measured span
		assert.ok(proc.stat(worker).cpuTicks - before_ <= 2);
	});

	test('leaves nothing readable to others in its directory', () => {
		const dir = join(world.dataDir, 'instances', instance.id);
		assert.equal(octal(mode(dir) & 0o077), octal(0));
		for (const name of folder(dir))
			assert.equal(octal(mode(join(dir, name)) & 0o077), octal(0), name);
	});

	test('does not outlive what it is for: no process of a deleted instance', async () => {
		const other = await world.newInstance();
		assertQr(await world.connect(other));
		await world.request('DELETE', `/api/instance/delete/${other.name}`, { token: other.account });
		await eventually(() => world.workers(other).length === 0, { what: 'no worker' });
	});
});

describe('the gateway', () => {
	test('keeps its files to itself', () => {
		for (const path of [world.dataDir, world.runDir, join(world.dataDir, 'registry.db'), join(world.dataDir, 'instances')])
			assert.equal(octal(mode(path) & 0o026), octal(0), path); // at most passed, never listed
	});

	test('has an admin socket for its own user only', () => {
		const path = join(world.runDir, 'admin.sock');
		assert.ok(statSync(path).isSocket());
		assert.equal(octal(mode(path)), octal(0o600));
	});

	test('shows no token or QR in any command line', () => {
		for (const pid of [world.gateway.pid, worker, world.zygote()])
			for (const arg of proc.cmdline(pid) ?? [])
				for (const secret of world.secrets)
					assert.ok(!arg.includes(secret));
	});

	test('leaves no descriptor behind after many attempts', async () => {
		const cycle = async () => {
			const i = await world.newInstance();
			assertQr(await world.connect(i));
			await world.request('DELETE', `/api/instance/delete/${i.name}`, { token: i.account });
		};
		for (let i = 0; i < 5; i++)
			await cycle();
		const before_ = proc.fdCount(world.gateway.pid);
		for (let i = 0; i < 20; i++)
			await cycle();
		await eventually(() => proc.fdCount(world.gateway.pid) <= before_ + 3,
		    { what: `descriptors back to ${before_}, now ${proc.fdCount(world.gateway.pid)}` });
	});

	test('a second one on the same directories is refused with one line', async () => {
		const second = await world.startGateway({ expectExit: true });
		assert.equal((await second.waitExit()).code, 1);
		await second.closed;
		assert.match(second.stderr, /already_running|in use|another/i);
		assert.equal((await world.connect(instance)).status, 200, 'the first goes on');
	});

	test('a second one on the same data_dir alone is refused too', async () => {
		const second = await world.startGateway({ settings: { run_dir: join(world.dir, 'run2') }, expectExit: true });
		assert.equal((await second.waitExit()).code, 1);
		await second.closed;
		assert.equal((await world.connect(instance)).status, 200, 'the first goes on');
	});

	test('writes one JSON object a line when asked to', async () => {
		for (const { text } of world.gateway.lines) {
			const line = JSON.parse(text);
			for (const key of ['time', 'level', 'program', 'event'])
				assert.equal(typeof line[key], 'string', text);
		}
	});
});

test('a zygote that hangs keeps neither callers nor SIGTERM waiting for ever', async () => {
	const w = await startWorld();
	const zygote = w.zygote();
	try {
		const i = await w.newInstance();
		process.kill(zygote, 'SIGSTOP');
		const waiting = w.connect(i);
		await eventually(() => w.gateway.lines.some(({ json }) => json?.event === 'instance_event' && json.got === 'connect'),
		    { what: 'the attempt begun' });
		w.gateway.kill('SIGTERM');
		assert.equal((await waiting).status, 503);
		assert.equal((await w.gateway.waitExit()).code, 0);
		assert.ok(!proc.isRunning(zygote));
	} finally {
		await w.stop();
	}
});

test('a directory left by a SIGKILL is taken over by the next gateway', async () => {
	const w = await startWorld();
	try {
		const i = await w.newInstance();
		assertQr(await w.connect(i));
		const { qrCode } = assertQr(await w.connect(i));
		const [worker] = await w.killGateway();
		assert.ok(readFileSync(join(w.dataDir, 'registry.db')).length > 0);
		await w.startGateway();
		assert.equal(assertQr(await w.connect(i)).qrCode, qrCode, 'the code is still live');
		assert.deepEqual(w.workers(i).map(({ pid }) => pid), [worker]);
	} finally {
		await w.stop();
	}
});
