// tests/integration/storage.test.mjs - disks that are full, read-only or broken; session files that are damaged,
// old or held (faults H8, H9, H10)
//
// The disks are real: small tmpfs mounts, and an ext4 on a loop device that is shut down under its users. They need root.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, rmdirSync, statSync, truncateSync,
	writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { World, assertError, assertQr, eventually, PATIENCE, PLAIN, QR_FAILED, SLOWNESS } from './harness.mjs';
import { StreamFollower, assertWhole } from './eventstream.mjs';
import { call, clientOf, ended, linked, reconnect, restartGateway, sleep, withWorld } from './linked.mjs';

const REPORT_MS = 1000 * SLOWNESS;
const HEAL_MS = 10_000;
const EXT4_IOC_SHUTDOWN = 0x8004587d;

const sh = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

// Why there can be no disk of our own, or null.
function noMounts() {
	if (process.getuid() !== 0)
		return 'mounting needs root';
	const dir = mkdtempSync(join(tmpdir(), 'warden-it-'));
	try {
		sh('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir);
		sh('umount', dir);
	} catch (error) {
		return `no tmpfs can be mounted: ${error.message.split('\n')[0]}`;
	} finally {
		rmdirSync(dir);
	}
	return null;
}

function noLoops() {
	try {
		sh('losetup', '-f');
	} catch (error) {
		return `no loop device: ${error.message.split('\n')[0]}`;
	}
	return null;
}

const skip = noMounts() ?? false;
const plainTest = PLAIN ? test : () => {}; // slow, and no more to be learnt elsewhere

// A file system of our own at a folder, whose owner and files it takes over.
class Disk {
	constructor(path, { size = '4m' } = {}) {
		mkdirSync(path, { recursive: true, mode: 0o700 });
		const s = statSync(path);
		this.path = path;
		this.filler = join(path, 'filler');
		const keep = existsSync(join(path, 'session.db')) ? readFileSync(join(path, 'session.db')) : null;
		sh('mount', '-t', 'tmpfs', '-o', `size=${size},mode=${(s.mode & 0o777).toString(8)},uid=${s.uid},gid=${s.gid}`,
		    'tmpfs', path);
		if (keep !== null) {
			writeFileSync(join(path, 'session.db'), keep, { mode: 0o600 });
			sh('chown', `${s.uid}:${s.gid}`, join(path, 'session.db'));
		}
	}

	fill(path = this.filler) {
		const fd = openSync(path, 'a');
		for (const chunk of [65536, 4096, 1])
			try {
				for (;;)
					writeSync(fd, Buffer.alloc(chunk, 1));
			} catch (error) {
				assert.equal(error.code, 'ENOSPC');
			}
		closeSync(fd);
	}

	free() {
		rmSync(this.filler, { force: true });
	}

	remount(mode) {
		sh('mount', '-o', `remount,${mode}`, this.path);
	}

	unmount() {
		sh('umount', '-l', this.path);
	}
}

// Before its disk goes.
async function endGateway(world) {
	if (world.gateway === undefined || world.gateway.result !== undefined)
		return;
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await eventually(() => world.workers().length === 0, { what: 'no worker' });
}

async function health(world) {
	return (await world.request('GET', '/health')).json;
}

const isHealthy = async (world) => (await health(world)).checks.registry === 'ok';

async function within(ms, body, what) {
	const began = Date.now();
	const value = await body();
	assert.ok(Date.now() - began <= ms, `${what}: ${Date.now() - began} ms`);
	return value;
}

// No change is told done, all that reads goes on.
async function assertRegistrySuffers(world, breakDisk) {
	const { account, name } = await world.newInstance();
	breakDisk();
	const refused = await within(REPORT_MS, () =>
		world.request('POST', '/api/instance/new', { token: account, json: { name: 'later' } }), 'the answer');
	assert.equal(refused.status, 500, refused.text);
	assert.equal(refused.json.error.code, 'storage');
	const sick = await world.request('GET', '/health');
	assert.equal(sick.status, 503, sick.text);
	assert.match(sick.json.checks.registry, /^fail/);
	const list = await world.request('GET', '/api/instance/list', { token: account });
	assert.deepEqual(list.json.instances.map((i) => i.name), [name]);
	const settings = await world.request('POST', `/api/instance/settings/${name}`,
	    { token: account, json: { ignoreStatus: true } });
	assert.equal(settings.json.error?.code, 'storage', settings.text);
	return { account, name };
}

describe('the registry on a disk that fails (H8)', { skip }, () => {
	test('full: storage at once, all that reads goes on, and it heals by itself', async () => {
		const world = new World();
		const disk = new Disk(world.dataDir);
		try {
			await world.startGateway();
			const { account, name } = await assertRegistrySuffers(world, () => disk.fill());
			disk.free();
			await eventually(() => isHealthy(world), { timeoutMs: HEAL_MS, what: 'the registry heals' });
			const later = await world.request('POST', '/api/instance/new', { token: account, json: { name: 'later' } });
			assert.equal(later.status, 201, later.text);
			await restartGateway(world);
			const after = await world.request('GET', '/api/instance/list', { token: account });
			assert.deepEqual(after.json.instances.map((i) => i.name), [name, 'later']);
			assert.equal(after.json.instances[0].settings.ignoreStatus, false);
		} finally {
			await endGateway(world);
			disk.unmount();
			await world.stop();
		}
	});

	test('broken, every access an I/O error: the same, until it is mounted again', { skip: skip || (noLoops() ?? false) },
	    async () => {
		const world = new World();
		const image = join(world.dir, 'image');
		let loop;
		try {
			writeFileSync(image, '');
			truncateSync(image, 32 << 20);
			sh('mkfs.ext4', '-q', '-m', '0', image);
			mkdirSync(world.dataDir, { mode: 0o700 });
			loop = sh('losetup', '-f', '--show', image).trim();
			sh('mount', loop, world.dataDir);
			await world.startGateway();
			const { account, name } = await assertRegistrySuffers(world, () =>
				sh('perl', '-e', `open(F, "<", $ARGV[0]) or die; my $how = pack("L", 2); ioctl(F, ${EXT4_IOC_SHUTDOWN}, $how) or die $!`,
				    world.dataDir));
			world.gateway.kill('SIGTERM');
			await world.gateway.waitExit();
			// another namespace may still know the old mount: the same disk, as a new one
			sh('umount', '-l', world.dataDir);
			sh('losetup', '-d', loop);
			loop = sh('losetup', '-f', '--show', image).trim();
			sh('mount', loop, world.dataDir);
			await world.startGateway();
			const after = await world.request('GET', '/api/instance/list', { token: account });
			assert.deepEqual(after.json.instances.map((i) => i.name), [name]);
			assert.equal((await world.request('POST', '/api/instance/new', { token: account, json: { name: 'later' } })).status, 201);
			await world.healthy();
		} finally {
			await endGateway(world);
			if (loop !== undefined) {
				sh('umount', '-l', world.dataDir);
				sh('losetup', '-d', loop);
			}
			await world.stop();
		}
	});
});

// The events' file shares its disk with the registry; the sessions have another, and go on.
describe('the events on a disk that fails (H8)', { skip }, () => {
	test('full: nothing that was received is lost, health says so, and it heals by itself', async () => {
		const world = new World();
		await world.startSim({ tls: true });
		const disk = new Disk(world.dataDir);
		const sessions = new Disk(join(world.dataDir, 'instances'), { size: '16m' });
		let events;
		try {
			await world.startGateway();
			const { instance, phone } = await linked(world);
			const bob = await world.newPhone();
			const post = async (from, n) => (await world.control('POST', `/phones/${bob.number}/send`,
			    { messages: Array.from({ length: n }, (_, i) => ({ to: phone.number, text: `message ${from + i}` })) })).json.ids;
			events = await new StreamFollower(world, instance, { from: 0 }).open();
			const got = (all) => all.filter((e) => e.event === 'message.exchange').map((e) => e.data.id);
			const sent = await post(0, 5);
			await events.until((all) => got(all).length === 5, { what: 'events while there is room' });
			disk.fill();
			sent.push(...await post(5, 40));
			await eventually(async () => {
				const r = (await world.control('GET', `/phones/${bob.number}/receipts`)).json.receipts;
				return sent.every((id) => r.some((x) => x.id === id && /:\d+@/.test(x.from)));
			}, { what: 'all to be received', timeoutMs: 15_000 });
			await eventually(async () => /fail/.test((await health(world)).checks.events ?? ''), { what: 'health to say so', timeoutMs: 5000 });
			const [worker] = world.workers(instance);
			assert.ok(got(events.events).length < sent.length, 'the disk was full');
			disk.free();
			await events.until((all) => got(all).length >= sent.length, { what: 'all events', timeoutMs: HEAL_MS });
			assert.deepEqual(got(events.events), sent);
			assertWhole(events.events);
			await eventually(async () => (await health(world)).status === 'ok', { what: 'all well again', timeoutMs: HEAL_MS });
			assert.equal(world.workers(instance)[0]?.pid, worker.pid, 'the session went on');
		} finally {
			await events?.close();
			await endGateway(world);
			sessions.unmount();
			disk.unmount();
			await world.stop();
		}
	});
});

// An instance whose folder is a disk of its own, in a world that runs.
async function withInstanceDisk(body, { link = true } = {}) {
	await withWorld({}, async (world) => {
		const made = link ? await linked(world) : { instance: await world.newInstance() };
		await endGateway(world);
		const disk = new Disk(join(world.dataDir, 'instances', made.instance.id), { size: '2m' });
		try {
			await body(world, made, disk);
		} finally {
			await endGateway(world);
			disk.unmount();
		}
	});
}

describe('a session on a disk that fails (H8)', { skip }, () => {
	test('full at a login: not online without its commit, storage, and back by itself', () => withInstanceDisk(
		async (world, { instance, phone, device }, disk) => {
			await world.startGateway();
			await world.until(instance, 'connected');
			disk.fill();
			const client = await clientOf(world, phone);
			if (client !== undefined) // and not ended by what it had to store
				await world.control('POST', `/clients/${client.id}/fault`, { kind: 'close' });
			await ended(world, instance, 'connecting', 'storage', { timeoutMs: 5000 });
			await sleep(1500);
			await ended(world, instance, 'connecting', 'storage', { timeoutMs: 5000 });
			assert.equal((await world.device(phone)).length, 1);
			disk.free();
			await world.until(instance, 'connected', { timeoutMs: HEAL_MS });
			assert.ok(await world.device(phone, device));
		}));

	test('read-only at a start: storage, and back by itself', () => withInstanceDisk(
		async (world, { instance, phone, device }, disk) => {
			disk.remount('ro');
			await world.startGateway();
			await ended(world, instance, 'connecting', 'storage', { timeoutMs: 5000 });
			const answer = await within(REPORT_MS, () => reconnect(world, instance), 'reconnect');
			assert.equal(answer.status, 200, answer.text);
			disk.remount('rw');
			await world.until(instance, 'connected', { timeoutMs: HEAL_MS });
			assert.ok(await world.device(phone, device));
		}));

	test('full at a pairing: no link without its commit, nothing half, and it works once there is room', () => withInstanceDisk(
		async (world, { instance }, disk) => {
			await world.startGateway();
			const phone = await world.newPhone();
			const answer = assertQr(await world.connect(instance));
			await eventually(() => world.files(instance).includes('session.db'), { what: 'the store' });
			disk.fill();
			const scanned = await world.scan(phone, answer.qrCode);
			assert.notEqual(scanned.status, 200, scanned.text);
			await within(REPORT_MS, () => ended(world, instance, 'disconnected', 'storage', { timeoutMs: 1000 }), 'the state');
			assert.deepEqual(await world.device(phone), []);
			assert.equal((await world.listed(instance)).numberJid, '');
			disk.free();
			await world.link(instance);
		}, { link: false }));
});

// A gateway that has ended, its session's file, and what comes of what body does to it.
async function withFile(body) {
	await withWorld({}, async (world) => {
		const made = await linked(world);
		const path = join(world.dataDir, 'instances', made.instance.id, 'session.db');
		const stop = () => endGateway(world);
		await stop();
		await body(world, { ...made, path, stop });
	});
}

// Refused, said so, left as it is; nobody was linked anew.
async function assertCorrupt(world, { instance, phone, path }) {
	const before = readFileSync(path);
	await world.startGateway();
	await ended(world, instance, 'disconnected', 'store_corrupt');
	assertError(await world.connect(instance), 500, QR_FAILED, 'store_corrupt');
	await eventually(() => world.workers(instance).length === 0, { what: 'no worker' });
	assert.deepEqual(readFileSync(path), before);
	assert.equal((await world.device(phone)).length, 1);
	assert.equal((await world.listed(instance)).connection.nextRetryAt, null);
}

describe('session files', { concurrency: 2 }, () => {
	describe('a session file that is not the right one (H9)', () => {
		test('an older copy that was put back is refused; the newest one goes on', () => withFile(async (world, made) => {
			const { instance, path, stop } = made;
			copyFileSync(path, `${path}.old`);
			await world.startGateway();
			await world.until(instance, 'connected');
			await stop();
			copyFileSync(path, `${path}.new`);
			copyFileSync(`${path}.old`, path);
			await assertCorrupt(world, made);
			const detail = (await world.listed(instance)).connection.lastError.detail;
			assert.match(detail, /older copy/);
			await stop();
			copyFileSync(`${path}.new`, path);
			await world.startGateway();
			await world.until(instance, 'connected');
			assert.equal((await world.device(made.phone)).length, 1);
		}));

		plainTest('a copy from before the link is refused, and not paired over', () => withFile(async (world, made) => {
			const db = new DatabaseSync(made.path);
			db.exec('DELETE FROM link; DELETE FROM prekey;');
			db.close();
			await assertCorrupt(world, made);
		}));

		test('a copy of an earlier link of the same instance is refused', () => withFile(async (world, made) => {
			const { instance, path, stop } = made;
			copyFileSync(path, `${path}.old`);
			await world.startGateway();
			await world.until(instance, 'connected');
			assert.equal((await call(world, instance, 'DELETE', 'logout')).status, 200);
			await world.link(instance, { phone: made.phone });
			await stop();
			copyFileSync(`${path}.old`, path);
			await assertCorrupt(world, made);
		}));

		plainTest("another instance's session is refused", () => withFile(async (world, made) => {
			await world.startGateway();
			const other = await linked(world);
			await made.stop();
			copyFileSync(join(world.dataDir, 'instances', other.instance.id, 'session.db'), made.path);
			await assertCorrupt(world, made);
			await world.until(other.instance, 'connected');
		}));

		test('damage anywhere: the same session, or store_corrupt; never another one', { timeout: 60_000 * SLOWNESS * PATIENCE },
		    () => withFile(async (world, made) => {
			const { instance, path, phone, device, stop } = made;
			const good = readFileSync(path);
			const damages = [
				good.subarray(0, 100), good.subarray(0, good.length >> 1), Buffer.alloc(good.length),
				...[0.15, 0.4, 0.9].map((at) => {
					const bad = Buffer.from(good);
					bad.fill(0xa5, Math.floor(bad.length * at), Math.floor(bad.length * at) + 512);
					return bad;
				}),
			];
			let refused = 0;
			for (const bad of damages) {
				writeFileSync(path, bad);
				rmSync(`${path}-wal`, { force: true });
				await world.startGateway();
				const i = await world.until(instance, ({ connection: c }) => c.state === 'connected' ||
				    (c.state === 'disconnected' && c.lastError?.code === 'store_corrupt'));
				if (i.connection.state === 'disconnected') {
					refused++;
					assertError(await world.connect(instance), 500, QR_FAILED, 'store_corrupt');
					assert.deepEqual(readFileSync(path), bad);
				}
				assert.deepEqual((await world.device(phone)).map((d) => d.id), [device]);
				await stop();
			}
			assert.ok(refused >= 4, `${refused} of ${damages.length}`);
		}));
	});

	describe('a session file that another process holds (H10)', () => {
		plainTest('no second one is started: already_running, until it is let go', () => withFile(async (world, made) => {
			const { instance, path, phone } = made;
			const db = new DatabaseSync(path);
			db.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE');
			await world.startGateway();
			await ended(world, instance, 'disconnected', 'already_running', { timeoutMs: 30_000 });
			assertError(await world.connect(instance), 500, QR_FAILED, 'already_running');
			await eventually(() => world.workers(instance).length === 0, { what: 'no worker' });
			db.exec('ROLLBACK');
			db.close();
			assert.equal((await reconnect(world, instance)).status, 200);
			await world.until(instance, 'connected');
			assert.equal((await world.device(phone)).length, 1);
		}));
	});
});
