// Workers of an older binary, replaced one by one by those of the binary on disk
import assert from 'node:assert/strict';
import { copyFileSync, renameSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { assertQr, binary, eventually, World } from './harness.mjs';
import { linked } from './linked.mjs';

let world;
let path;

// A file of its own with the same program: another inode, as an upgrade of the package leaves it.
const install = () => {
	copyFileSync(binary('warden-worker'), `${path}.new`);
	renameSync(`${path}.new`, path);
};

before(async () => {
	world = new World();
	path = join(world.dir, 'warden-worker');
	install();
	await world.startSim({ tls: true });
	await world.startGateway({ settings: { worker_path: path } });
});
after(() => world?.stop());

const admin = (method, target) => new Promise((resolve, reject) => {
	const req = request({ socketPath: join(world.runDir, 'admin.sock'), method, path: target }, (res) => {
		let text = '';
		res.setEncoding('utf8').on('data', (d) => {
			text += d;
		}).on('end', () => resolve({ status: res.statusCode, json: JSON.parse(text) }));
	});
	req.on('error', reject).end();
});
const outdated = async () => (await admin('GET', '/admin/workers')).json.workers.filter((w) => w.outdated).length;
const pidOf = (instance) => world.workers(instance)[0]?.pid;

async function reload() {
	const from = world.gateway.lines.length;
	world.gateway.kill('SIGHUP');
	await world.gateway.event('ready', {}, { from });
}

test('nothing is outdated until there is another binary and a gateway that knows it', async () => {
	await linked(world);
	assert.equal(await outdated(), 0);
	install();
	assert.equal(await outdated(), 0, 'workers that start now are of the old one as well');
	const { json } = await admin('POST', '/admin/workers/upgrade');
	assert.equal(json.outdated, 0);
});

test('each session gets a worker of the new binary; a pairing is left alone', async () => {
	const sessions = [await linked(world), await linked(world)];
	const pairing = await world.newInstance();
	const { qrCode } = assertQr(await world.connect(pairing));
	const pids = sessions.map(({ instance }) => pidOf(instance));
	await reload();
	assert.equal(await outdated(), 4, 'three sessions, one pairing');
	const from = world.gateway.lines.length;
	const { status, json } = await admin('POST', '/admin/workers/upgrade?perMinute=600');
	assert.equal(status, 200);
	assert.equal(json.outdated, 4);
	assert.equal((await world.gateway.event('workers_upgraded', {}, { from })).workers, 3);
	await eventually(async () => await outdated() === 1, { what: 'the pairing alone left' });
	for (const [i, { instance }] of sessions.entries()) {
		await world.until(instance, 'connected');
		assert.notEqual(pidOf(instance), pids[i]);
	}
	assert.equal(assertQr(await world.connect(pairing)).qrCode, qrCode);
});

test('a session that does not come back stops it: the others keep their workers', async () => {
	const sessions = [await linked(world), await linked(world)];
	await world.fault('login', { kind: 'stall' });
	install();
	await reload();
	const before_ = await outdated();
	assert.ok(before_ >= 2);
	await admin('POST', '/admin/workers/upgrade?perMinute=3000');
	await world.gateway.event('upgrade_stopped', {}, { timeoutMs: 45_000 });
	assert.equal(await outdated(), before_ - 1);
	await world.clearFaults();
	for (const { instance } of sessions)
		await world.until(instance, 'connected', { timeoutMs: 30_000 });
});

test('a pace that is none is refused', async () => {
	for (const pace of ['0', '3001', 'x', '-1'])
		assert.equal((await admin('POST', `/admin/workers/upgrade?perMinute=${pace}`)).status, 400, pace);
});
