// A gateway that dies, or becomes another program: workers and their connections to WhatsApp stay (H5), and
// whatever changed while nobody looked is known afterwards
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { PLAIN, World, assertQr, eventually, folder, proc, startWorld } from './harness.mjs';
import { askCode, clientOf, ended, linked, sleep, strike, typeCode } from './linked.mjs';

const pidOf = (world, instance) => world.workers(instance).map(({ pid }) => pid);
const dials = async (world) => (await world.clients()).length;

async function nextGateway(world, options = {}) {
	await world.killGateway();
	await world.startGateway(options);
}

for (const runner of ['zygote', 'exec'])
	describe(`a gateway killed with SIGKILL, runner ${runner}`, () => {
		const settings = { worker_runner: runner };
		let world;

		before(async () => {
			world = await startWorld({ sim: { tls: true }, gateway: { settings } });
		});
		after(() => world?.stop());
		const testOnce = runner === 'zygote' ? test : () => {}; // nothing in it depends on the runner
		const next = () => nextGateway(world, { settings });

		test('an online session stays as it is: same worker, same connection, same since', async () => {
			const { instance, phone } = await linked(world);
			const [worker] = pidOf(world, instance);
			const client = await clientOf(world, phone);
			await sleep(3100); // so that another `since` would show
			const { since } = (await world.listed(instance)).connection;
			await next();
			const { connection } = await world.listed(instance); // at once: no state in between
			assert.equal(connection.state, 'connected');
			assert.ok(Math.abs(Date.parse(connection.since) - Date.parse(since)) < 1000, `${connection.since}, was ${since}`);
			assert.deepEqual(pidOf(world, instance), [worker]);
			assert.deepEqual(await clientOf(world, phone), client);
		});

		test('and it can be asked for everything: settings, logout, another link', async () => {
			const { instance, phone } = await linked(world);
			await next();
			const { status } = await world.request('POST', `/api/instance/settings/${instance.name}`,
			    { token: instance.account, json: { keepOnlineStatus: true } });
			assert.equal(status, 200);
			const out = await world.request('DELETE', `/api/instance/logout/${instance.name}`, { token: instance.account });
			assert.equal(out.status, 200, out.text);
			assert.deepEqual(await world.device(phone), []);
			await world.link(instance);
		});

		test('a live QR goes on being shown, and can be scanned', async () => {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const { qrCode } = assertQr(await world.connect(instance));
			const [worker] = pidOf(world, instance);
			await next();
			assert.equal((await world.listed(instance)).connection.state, 'connecting');
			const again = assertQr(await world.connect(instance));
			assert.equal(again.qrCode, qrCode);
			assert.equal((await world.scan(phone, qrCode)).status, 200);
			await world.until(instance, 'connected');
			assert.deepEqual(pidOf(world, instance), [worker]);
		});

		testOnce('a live pairing code stays good; another number replaces it', async () => {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const answer = await askCode(world, instance, phone);
			await next();
			assert.equal((await askCode(world, instance, phone)).json.pairingCode, answer.json.pairingCode);
			const other = await world.newPhone();
			const second = await askCode(world, instance, other);
			assert.notEqual(second.json.pairingCode, answer.json.pairingCode);
			assert.equal((await typeCode(world, other, second)).status, 200);
			await world.until(instance, 'connected');
		});

		testOnce('scanned while there was no gateway: linked, and connected when one is back', async () => {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const { qrCode } = assertQr(await world.connect(instance));
			await world.killGateway();
			assert.equal((await world.scan(phone, qrCode)).status, 200);
			await eventually(async () => (await clientOf(world, phone)) !== undefined, { timeoutMs: 20_000, what: 'the login' });
			await world.startGateway({ settings });
			await world.until(instance, 'connected');
			assert.match((await world.listed(instance)).numberJid, new RegExp(`^${phone.number}@`));
		});

		test('unlinked by the phone while there was no gateway: loggedout, and why', async () => {
			const { instance, phone, device } = await linked(world);
			const [worker] = pidOf(world, instance);
			await world.killGateway();
			await world.unlink(phone, device);
			await eventually(() => folder(join(world.dataDir, 'instances', instance.id)).some((f) => f.includes('logged_out')),
			    { what: 'the keys set aside' });
			await world.startGateway({ settings });
			const { connection } = await ended(world, instance, 'loggedout', 'logged_out');
			assert.equal(connection.nextRetryAt, null);
			await eventually(() => !proc.isRunning(worker), { what: 'its worker gone, now that it was heard' });
			await next();
			assert.equal((await world.listed(instance)).connection.state, 'loggedout', 'and kept');
		});

		testOnce('a connection lost while there was no gateway comes back without one', async () => {
			const { instance, phone } = await linked(world);
			const before_ = await clientOf(world, phone);
			await world.killGateway();
			await strike(world, phone, { kind: 'reset' });
			await eventually(async () => {
				const now = await clientOf(world, phone);
				return now !== undefined && now.id !== before_.id;
			}, { timeoutMs: 25_000, what: 'the session back by itself' });
			await world.startGateway({ settings });
			assert.equal((await world.listed(instance)).connection.state, 'connected');
		});

		test('a worker that died meanwhile is started again', async () => {
			const { instance } = await linked(world);
			const [worker] = pidOf(world, instance);
			await world.killGateway();
			process.kill(worker, 'SIGKILL');
			await world.startGateway({ settings });
			await world.until(instance, 'connected');
			assert.notDeepEqual(pidOf(world, instance), [worker]);
		});

		testOnce('a worker that hangs keeps nobody waiting, and is replaced', async () => {
			const steady = await linked(world);
			const { instance } = await linked(world);
			const [worker] = pidOf(world, instance);
			process.kill(worker, 'SIGSTOP');
			const began = Date.now();
			await next();
			assert.ok(Date.now() - began < 5000, 'ready in spite of it');
			assert.equal((await world.listed(steady.instance)).connection.state, 'connected');
			await world.until(instance, 'connected', { timeoutMs: 30_000 });
			assert.ok(!proc.isRunning(worker), 'the one that hung is gone');
		});

		testOnce('a worker whose instance is gone from the registry is told to leave', async () => {
			const { instance } = await linked(world);
			const [worker] = pidOf(world, instance);
			await world.killGateway();
			const db = new DatabaseSync(join(world.dataDir, 'registry.db'));
			db.exec('PRAGMA foreign_keys = OFF');
			db.prepare('DELETE FROM instance WHERE id = ?').run(instance.id);
			db.close();
			await world.startGateway({ settings });
			await eventually(() => !proc.isRunning(worker), { what: 'its end' });
			assert.ok(!folder(world.runDir).includes(`w-${instance.id}.sock`));
		});

		test('again and again: no dial, no state, no worker changes', async () => {
			const made = [await linked(world), await linked(world), await linked(world)];
			const pids = made.map(({ instance }) => pidOf(world, instance)[0]);
			const count = await dials(world);
			for (let i = 0; i < 5; i++) {
				await next();
				for (const [k, { instance }] of made.entries()) {
					assert.equal((await world.listed(instance)).connection.state, 'connected');
					assert.deepEqual(pidOf(world, instance), [pids[k]]);
				}
			}
			assert.equal(await dials(world), count);
			await world.healthy();
		});
	});

// Many short requests on connections of their own; how each ended, and how long the slowest took.
function load(world, instance) {
	const seen = { answers: 0, refused: [], slowest: 0 };
	let going = true;
	const one = () => new Promise((resolve) => {
		const began = performance.now();
		const done = (what) => {
			seen.slowest = Math.max(seen.slowest, performance.now() - began);
			if (what !== 200)
				seen.refused.push(what);
			seen.answers++;
			resolve();
		};
		const req = request(`${world.base}/api/instance/list`, { agent: false, headers: { token: instance.account } }, (res) => {
			res.resume().on('end', () => done(res.statusCode));
		});
		req.on('error', (error) => done(error.code));
		req.end();
	});
	const lane = async () => {
		while (going)
			await one();
	};
	const lanes = [lane(), lane(), lane(), lane()];
	return { seen, stop: async () => {
		going = false;
		await Promise.all(lanes);
		return seen;
	} };
}

describe('SIGHUP: the gateway becomes the program on disk', () => {
	let world;

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
	});
	after(() => world?.stop());

	const hangup = async () => {
		const from = world.gateway.lines.length;
		world.gateway.kill('SIGHUP');
		await world.gateway.event('ready', {}, { from });
	};

	test('same process, same address, same workers; no request is refused', async () => {
		const { instance, phone } = await linked(world);
		const [worker] = pidOf(world, instance);
		const client = await clientOf(world, phone);
		const zygote = world.zygote();
		const { pid } = world.gateway;
		const traffic = load(world, instance);
		for (let i = 0; i < 3; i++) {
			const before_ = traffic.seen.answers;
			await hangup();
			await eventually(() => traffic.seen.answers >= before_ + 10, { what: 'answers after it' });
		}
		const seen = await traffic.stop();
		assert.deepEqual(seen.refused, []);
		if (PLAIN)
			assert.ok(seen.slowest < 3000, `the slowest took ${seen.slowest} ms`);
		assert.equal(world.gateway.pid, pid);
		assert.ok(proc.isRunning(pid));
		assert.deepEqual(pidOf(world, instance), [worker]);
		assert.deepEqual(await clientOf(world, phone), client);
		assert.notEqual(world.zygote(), zygote, 'the next program has a zygote of its own');
		await eventually(() => !proc.isRunning(zygote), { what: 'end of the old zygote' });
		assert.equal((await world.listed(instance)).connection.state, 'connected');
	});

	test('who waits for a code is told to come again, and gets it from the next program', async () => {
		const instance = await world.newInstance();
		await world.fault('handshake', { kind: 'stall' });
		const waiting = world.connect(instance);
		await eventually(() => world.workers(instance).length === 1, { what: 'its worker' });
		await hangup();
		const answer = await waiting;
		assert.equal(answer.status, 503, answer.text);
		assert.equal(answer.json.error.code, 'shutting_down');
		await world.clearFaults(); // the attempt went on: it ends at the stalled handshake, the next one has a code
		await eventually(async () => (await world.connect(instance)).status === 200, { timeoutMs: 15_000, what: 'a code' });
	});

	test('a dead worker is still fetched by the next program: no zombie', async () => {
		const { instance } = await linked(world);
		const [worker] = pidOf(world, instance);
		await hangup();
		process.kill(worker, 'SIGKILL');
		await world.until(instance, (i) => i.connection.state === 'connected' && pidOf(world, instance)[0] !== worker);
		await eventually(() => proc.stat(worker) === undefined || proc.stat(worker) === null, { what: 'its status fetched' });
	});

	test('settings that can not be used: nothing is given up', async () => {
		const w = new World();
		try {
			await w.startSim({ tls: true });
			const keyFile = join(w.dir, 'ca-copy.pem');
			writeFileSync(keyFile, 'x');
			await w.startGateway({ settings: { wa_ca_file: w.simInfo.ca } });
			const { instance } = await linked(w);
			const { renameSync } = await import('node:fs');
			renameSync(w.simInfo.ca, `${w.simInfo.ca}.away`);
			w.gateway.kill('SIGHUP');
			await w.gateway.event('reload_refused');
			renameSync(`${w.simInfo.ca}.away`, w.simInfo.ca);
			assert.equal((await w.listed(instance)).connection.state, 'connected');
			w.gateway.kill('SIGHUP'); // and now it can
			await w.gateway.event('reloading');
			await w.gateway.event('workers_adopted', {}, { from: w.gateway.lines.findIndex(({ json }) => json?.event === 'reloading') });
			assert.equal((await w.listed(instance)).connection.state, 'connected');
		} finally {
			await w.stop();
		}
	});
});
