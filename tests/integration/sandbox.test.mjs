// What a worker that was taken over can do: real workers as /proc shows them, and escape.c, which enters the
// same sandbox and tries to get out, with all layers, without each of them, and (the control group) without any.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FLAVOR, PLAIN, World, assertQr, binary, eventually, startWorld } from './harness.mjs';
import { clientOf, strike } from './linked.mjs';

// worker/process/wk_sandbox.h
const UID = 2, LANDLOCK = 8, SECCOMP = 16, ALL = 31;
// What no other layer stops: sockets, whatever they are connected to, and ways into the kernel.
const NEEDS_SECCOMP = ['connect to a Redis at a Unix socket', 'make a pair of Unix sockets', 'make a netlink socket',
	'make a vsock socket', 'listen at a TCP port of the kernel\'s choice', 'receive at a UDP port',
	'make a user namespace', 'get a handle of the gateway\'s process', 'signal another worker by a file\'s owner',
	'become dumpable', 'change the personality', 'map memory that is code', 'turn memory into code',
	'map a file of its own as code', 'open an io_uring', 'use a keyring', 'put a key',
	'make a call by another architecture\'s door'];
const AS_ROOT = process.getuid() === 0;

function status(pid, field) {
	return readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${field}:[ \\t]*(.*)$`, 'm'))[1];
}

function limit(pid, name) {
	return readFileSync(`/proc/${pid}/limits`, 'utf8').match(new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm')).slice(1);
}

const uid = (pid) => Number(status(pid, 'Uid').split(/\s+/)[0]);

const plainDescribe = PLAIN ? describe : () => {};

test('a build with sanitizers says that it has no sandbox, any other says nothing', async () => {
	const world = await startWorld();
	try {
		assertQr(await world.connect(await world.newInstance()));
		if (FLAVOR === 'sanitizers')
			await world.gateway.event('sandbox_off');
		else
			assert.deepEqual(world.gateway.events('sandbox_off'), []);
	} finally {
		await world.stop();
	}
});

plainDescribe('a sandboxed worker', () => {
	let world, own, other, third, redis;
	const servers = [];
	const listen = (...where) => new Promise((resolve) => {
		const server = createServer().listen(...where, () => resolve(server));
		servers.push(server);
	});

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
		own = await world.newInstance();
		other = await world.newInstance();
		third = await world.newInstance();
		for (const i of [own, other, third])
			await world.link(i);
		await listen(0, '127.0.0.1');
		await listen(`\0warden-escape-${process.pid}`);
		redis = join(world.dir, 'redis.sock');
		await listen(redis);
		chmodSync(redis, 0o777);
	});
	after(() => servers.forEach((server) => server.close()));
	after(() => world?.stop());

	const folderOf = (i) => join(world.dataDir, 'instances', i.id);
	const workerOf = (i) => world.workers(i)[0].pid;

	test('has given up every right, and cannot make a process, a core file or many files', () => {
		for (const pid of [workerOf(own), workerOf(other)]) {
			for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb', ...(AS_ROOT ? ['CapBnd'] : [])])
				assert.equal(status(pid, set), '0000000000000000', set);
			assert.equal(status(pid, 'NoNewPrivs'), '1');
			assert.equal(status(pid, 'Seccomp'), '2');
			assert.equal(status(pid, 'Groups').trim(), AS_ROOT ? '' : status(process.pid, 'Groups').trim());
			assert.deepEqual(limit(pid, 'Max core file size'), ['0', '0']);
			assert.deepEqual(limit(pid, 'Max processes'), ['0', '0']);
			assert.deepEqual(limit(pid, 'Max open files'), ['64', '64']);
			assert.deepEqual(limit(pid, 'Max data size'), ['67108864', '67108864']);
		}
	});

	test('has a uid of its own, which owns its folder and nothing else', { skip: !AS_ROOT && 'not root' }, () => {
		const uids = [own, other].map((i) => uid(workerOf(i)));
		assert.notEqual(uids[0], uids[1]);
		for (const [n, i] of [own, other].entries()) {
			assert.ok(uids[n] >= 61184 && uids[n] <= 65519, `uid ${uids[n]}`);
			for (const path of [folderOf(i), join(folderOf(i), 'session.db')])
				assert.equal(statSync(path).uid, uids[n], path);
			assert.equal(statSync(folderOf(i)).mode & 0o777, 0o700);
		}
		assert.equal(statSync(join(world.dataDir, 'instances')).mode & 0o777, 0o711);
		assert.equal(uid(world.gateway.pid), 0);
	});

	test('costs what the gateway can still see', async () => {
		const r = await world.ctl(['worker', 'list', '--json']);
		assert.equal(r.code, 0, r.stderr);
		const listed = JSON.parse(r.stdout);
		const rows = listed.workers ?? listed;
		assert.equal(rows.length, 3, r.stdout);
		if (AS_ROOT && allOfLandlock())
			for (const row of rows)
				assert.ok(JSON.stringify(row).match(/"pss[^"]*":[1-9]/i), JSON.stringify(row));
	});

	test('cannot be looked into, nor can the zygote and the gateway, by another process of their user', { skip: !AS_ROOT && 'not root' }, async () => {
		const shared = await worldBehind(0o777, {}, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']);
		try {
			const i = await shared.newInstance();
			assertQr(await shared.connect(i));
			for (const pid of [shared.gateway.pid, shared.zygote(), shared.workers(i)[0].pid]) {
				assert.equal(uid(pid), 65534);
				const r = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'head', '-c', '1', `/proc/${pid}/environ`], { encoding: 'utf8' });
				assert.match(r.stderr, /Permission denied/, `${pid}: ${r.stderr}`);
			}
		} finally {
			await shared.stop();
		}
	});

	test('has a gateway that has given up what neither of them needs', () => {
		const { pid } = world.gateway;
		assert.equal(status(pid, 'NoNewPrivs'), '1');
		assert.equal(status(pid, 'Seccomp'), '2');
		assert.deepEqual(limit(pid, 'Max core file size'), ['0', '0']);
		const SYS_ADMIN = 21n, NET_ADMIN = 12n, SYS_MODULE = 16n, SYS_RAWIO = 17n, MKNOD = 27n;
		for (const set of ['CapPrm', 'CapEff', ...(AS_ROOT ? ['CapBnd'] : [])])
			for (const cap of [SYS_ADMIN, NET_ADMIN, SYS_MODULE, SYS_RAWIO, MKNOD])
				assert.equal((BigInt(`0x${status(pid, set)}`) >> cap) & 1n, 0n, `${set} ${cap}`);
	});

	// What attempts are aimed at; the owner of the other's folder owns the victims as well.
	function makeTargets(dir, other_) {
		const { uid: owner, gid } = statSync(other_);
		for (const path of ['victim', 'victim2'].map((name) => join(other_, name))) {
			writeFileSync(path, 'secret', { mode: 0o600 });
			chownSync(path, owner, gid);
		}
		if (!existsSync(join(dir, 'link')))
			symlinkSync(join(other_, 'victim'), join(dir, 'link'));
	}

	// All attempts with these layers: those that went through, those that could not be made, what must work.
	function escape(layers, { prefix = [], targets }) {
		makeTargets(targets.dir, targets.other);
		const argv = [...prefix, binary('escape'), String(layers),
			...Object.entries(targets).map(([key, value]) => `${key}=${value}`)];
		const r = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', timeout: 30_000 });
		assert.equal(r.status, 0, r.stderr + r.stdout);
		const all = r.stdout.trim().split('\n').map((line) => JSON.parse(line));
		const attempts = all.filter((a) => !a.name.startsWith('need: '));
		const of = (outcome) => attempts.filter((a) => a.outcome === outcome).map((a) => a.name);
		return {
			attempts,
			through: of('through'),
			absent: of('absent'),
			denied: [...of('refused'), ...of('killed')],
			broken: all.filter((a) => a.name.startsWith('need: ') && a.outcome !== 'through'),
		};
	}

	const common = () => ({ redis, abstract: `warden-escape-${process.pid}`, port: servers[0].address().port });

	// Nothing gets out with all layers; and what they hold back would have succeeded without.
	function holds(options, { atLeast }) {
		const control = escape(0, options);
		const held = escape(ALL, options);
		assert.deepEqual(held.through, []);
		assert.deepEqual(held.broken, []);
		const shown = held.denied.filter((name) => control.through.includes(name));
		assert.ok(shown.length >= atLeast, `${shown.length} of ${held.attempts.length} shown to be the sandbox's doing; ` +
		    `refused without it too: ${control.denied.join(', ')}; not in this kernel: ${control.absent.join(', ')}`);
		console.log(`${held.attempts.length} attempts: ${held.denied.length} denied, ${shown.length} of them go through without a ` +
		    `sandbox; refused without it too: ${control.denied.length}, not in this kernel: ${control.absent.length}`);
	}

	// Without one layer: these and no others get through, as far as the kernel lets anybody do them.
	function without(layer, expected, options) {
		const { through, broken } = escape(ALL - layer, options);
		assert.deepEqual(broken, []);
		if (!allOfLandlock())
			return;
		assert.deepEqual(through.filter((name) => !expected.includes(name)), []);
		assert.equal(through.length > 0, expected.length > 0, 'the layer is of use');
	}
	const allOfLandlock = () => world.gateway.events('sandbox_incomplete').length === 0;

	describe('with the owner of its folder as uid', { skip: !AS_ROOT && 'not root' }, () => {
		let options;
		before(() => {
			options = { targets: {
				...common(),
				dir: folderOf(own), other: folderOf(other), data: world.dataDir,
				admin: join(world.runDir, 'admin.sock'),
				control: join(world.runDir, `w-${third.id}.sock`), // the newest gateway wins: it costs that worker its own
				gateway: world.gateway.pid, worker: workerOf(other),
			} };
		});

		test('gets out by none of 97 ways', () => {
			holds(options, { atLeast: 80 });
		});

		test('without own uid, where data_dir is out of reach for others: by none either', () => {
			chownSync(folderOf(own), 0, 0);
			chownSync(folderOf(other), 0, 0);
			try {
				assert.deepEqual(escape(ALL, options).through, []);
				without(UID, [], options);
			} finally {
				for (const i of [own, other])
					chownSync(folderOf(i), uid(workerOf(i)), uid(workerOf(i)));
			}
		});

		test('without Landlock: what everybody may read and write', () =>
			without(LANDLOCK, ['read /etc/passwd', 'list /', 'write in /tmp'], options));

		test('without seccomp: nothing of another instance, but a large part of the kernel', () =>
			without(SECCOMP, NEEDS_SECCOMP, options));
	});

	describe('as an ordinary user, whom gateway and workers share', () => {
		const user = AS_ROOT ? 65534 : process.getuid();
		const prefix = AS_ROOT ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : ['env'];
		let options, sleepers;

		before(() => {
			const base = join(world.dir, 'shared');
			const folders = ['data', 'data/instances', 'data/instances/a', 'data/instances/b'].map((name) => join(base, name));
			for (const path of [base, ...folders]) {
				mkdirSync(path, { mode: 0o700 });
				chownSync(path, user, AS_ROOT ? user : process.getgid());
			}
			for (const path of ['data/master.key', 'data/registry.db', 'data/instances/b/session.db'].map((name) => join(base, name))) {
				writeFileSync(path, 'secret', { mode: 0o600 });
				chownSync(path, user, AS_ROOT ? user : process.getgid());
			}
			sleepers = [0, 1].map(() => spawn(prefix[0], [...prefix.slice(1), 'sleep', '60'], { stdio: 'ignore' }));
			options = { prefix, targets: {
				...common(),
				dir: folders[2], other: folders[3], data: folders[0],
				admin: redis, control: redis, // of the wrong type for the latter: not shown here
				 gateway: sleepers[0].pid, worker: sleepers[1].pid,
			} };
		});
		after(() => sleepers.forEach((s) => s.kill('SIGKILL')));

		test('gets out by none', () => {
			holds(options, { atLeast: 45 });
		});

		test('without Landlock: to whatever the user may open', () =>
			without(LANDLOCK, ['read a file of another instance', 'write to a file of another instance',
				'open another instance\'s session.db', 'read another\'s file by way of ..',
				'read another\'s file through a link in the own folder',
				'open another\'s file by way of /proc/self/fd', 'move another\'s file into the own folder',
				'remove another\'s file', 'read master.key', 'read registry.db', 'list the instances',
				'make a file in data_dir', 'read /etc/passwd', 'list /', 'write in /tmp',
				// of the stand-ins, which are dumpable; gateway and workers are not
				'open the gateway\'s memory', 'read the gateway\'s environment'], options));

		test('without seccomp: to sockets of its own user, and a large part of the kernel', () =>
			without(SECCOMP, [...NEEDS_SECCOMP, 'connect to the admin socket', 'watch another\'s file',
				'read another worker\'s limits', 'change another worker\'s priority', 'keep capabilities'], options));
	});

	test('is the same when it was executed, not forked', async () => {
		const executed = await worldBehind(0o755, { worker_runner: 'exec', worker_memory_max_mb: 32 });
		try {
			const i = await executed.newInstance();
			await executed.link(i);
			const { pid } = executed.workers(i)[0];
			assert.equal(uid(pid), statSync(join(executed.dataDir, 'instances', i.id)).uid);
			assert.equal(uid(pid) >= 61184, AS_ROOT);
			assert.equal(status(pid, 'CapEff'), '0000000000000000');
			assert.equal(status(pid, 'Seccomp'), '2');
			assert.deepEqual(limit(pid, 'Max data size'), ['33554432', '33554432']);
			assert.deepEqual(limit(pid, 'Max open files'), ['64', '64']);
			assert.deepEqual(limit(pid, 'Max core file size'), ['0', '0']);
		} finally {
			await executed.stop();
		}
	});

	test('is a warning, once, where its folder cannot be passed by others', { skip: !AS_ROOT && 'not root' }, async () => {
		const closed = await worldBehind(0o700);
		try {
			assert.equal(closed.gateway.events('workers_share_uid').length, 1);
			const i = await closed.newInstance();
			assertQr(await closed.connect(i));
			const { pid } = closed.workers(i)[0];
			assert.equal(uid(pid), 0);
			assert.equal(status(pid, 'CapEff'), '0000000000000000');
			assert.equal(status(pid, 'Seccomp'), '2');
		} finally {
			await closed.stop();
		}
	});
});

plainDescribe('a worker in its sandbox', { skip: !AS_ROOT && 'not root' }, () => {
	test('takes over the folder of an older version, and gives it back where it must', async () => {
		const world = await worldBehind(0o700);
		const again = async (mode) => {
			world.gateway.kill('SIGTERM');
			await world.gateway.waitExit();
			chmodSync(world.dir, mode);
			await world.startGateway();
			await world.until(i, 'connected');
			return uid(world.workers(i)[0].pid);
		};
		const i = await world.newInstance();
		try {
			await world.link(i);
			const store = join(world.dataDir, 'instances', i.id, 'session.db');
			assert.equal(statSync(store).uid, 0);
			const own = await again(0o711);
			assert.ok(own >= 61184, `uid ${own}`);
			assert.equal(statSync(store).uid, own);
			assert.equal(await again(0o711), own, 'the same after a restart');
			assert.equal(await again(0o700), 0);
			assert.equal(statSync(store).uid, 0);
		} finally {
			await world.stop();
		}
	});

	test('makes way for one that can read the resolver\'s file when that has been replaced', async () => {
		const world = new World();
		const etc = join(world.dir, 'etc');
		const put = (name, text) => {
			writeFileSync(join(etc, `${name}.new`), text, { mode: 0o644 });
			renameSync(join(etc, `${name}.new`), join(etc, name));
		};
		try {
			mkdirSync(etc, { mode: 0o755 });
			put('hosts', '127.0.0.1 chat.example\n');
			put('resolv.conf', 'nameserver 127.0.0.1\n');
			await world.startSim();
			world.simInfo.url = world.simInfo.url.replace('127.0.0.1', 'chat.example');
			await world.startGateway({
				prefix: ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"', etc],
			});
			const i = await world.newInstance();
			const { phone } = await world.link(i);
			const [{ pid }] = world.workers(i);
			const { id } = await strike(world, phone, { kind: 'close' });
			await eventually(async () => {
				const client = await clientOf(world, phone);
				return client !== undefined && client.id !== id;
			}, { what: 'a new connection' });
			assert.equal(world.workers(i)[0].pid, pid, 'the same files: the same worker');
			put('resolv.conf', 'nameserver 127.0.0.1\noptions ndots:1\n');
			await strike(world, phone, { kind: 'close' });
			await world.gateway.event('resolver_file_replaced');
			await eventually(() => world.workers(i).some((w) => w.pid !== pid), { what: 'another worker' });
			await world.until(i, 'connected');
		} finally {
			await world.stop();
		}
	});
});

async function worldBehind(mode, settings = {}, prefix = []) {
	const world = new World();
	chmodSync(world.dir, mode);
	await world.startSim();
	await world.startGateway({ settings, prefix });
	return world;
}
