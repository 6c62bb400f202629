// Many callers, few workers: one attempt, its end, and who hears of it (faults L8, L10, L11, H1, H14)
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { QR_FAILED, SLOWNESS, assertError, assertQr, eventually, proc, startWorld } from './harness.mjs';
import { openEvents } from './sse.mjs';

let world;

before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

// Run while the server gives no refs, so that callers wait.
async function whileNoRefs(body) {
	await world.fault('registration', { kind: 'no_refs' });
	try {
		return await body();
	} finally {
		await world.clearFaults();
	}
}

const oneWorker = (instance) => eventually(() => {
	const workers = world.workers(instance);
	return workers.length === 1 && workers[0].pid;
}, { what: 'one worker' });

const connecting = (instance) => eventually(async () => (await world.listed(instance)).status === 'connecting',
    { what: 'state connecting' });

describe('callers of one attempt', () => {
	test('two hundred at once get one code from one worker', async () => {
		const instance = await world.newInstance();
		const seen = new Set();
		const watch = setInterval(() => world.workers(instance).forEach((w) => seen.add(w.pid)), 5);
		const answers = await Promise.all(Array.from({ length: 200 }, () => world.connect(instance)))
			.finally(() => clearInterval(watch));
		const codes = new Set(answers.map((r) => assertQr(r).qrCode));
		assert.equal(codes.size, 1);
		world.workers(instance).forEach((w) => seen.add(w.pid));
		assert.equal(seen.size, 1, `workers seen: ${[...seen]}`);
		assert.equal((await world.listed(instance)).connection.state, 'connecting');
	});

	test('two hundred at once on two hundred instances each get their own', async () => {
		const instances = await Promise.all(Array.from({ length: 40 }, () => world.newInstance()));
		const answers = await Promise.all(instances.flatMap((i) =>
			Array.from({ length: 5 }, () => world.connect(i))));
		assert.equal(new Set(answers.map((r) => assertQr(r).qrCode)).size, 40);
		for (const i of instances)
			await world.request('DELETE', `/api/instance/delete/${i.name}`, { token: i.account });
	});

	test('a caller who hangs up changes nothing', async () => {
		const instance = await world.newInstance();
		const stop = new AbortController();
		let stayed;
		await whileNoRefs(async () => {
			const leaves = world.connect(instance, { signal: stop.signal }).catch((error) => error.name);
			const pid = await oneWorker(instance);
			stayed = world.connect(instance);
			await connecting(instance);
			stop.abort();
			assert.equal(await leaves, 'AbortError');
			assert.equal(await oneWorker(instance), pid);
			assert.equal((await world.listed(instance)).status, 'connecting');
			process.kill(pid, 'SIGKILL'); // ends the wait: refs never come here
			assertError(await stayed, 500, QR_FAILED, 'worker_crashed');
		});
	});

	test('when the only caller hangs up, the attempt goes on to its code', async () => {
		const instance = await world.newInstance();
		await world.fault('handshake', { kind: 'slow', bytesPerSecond: 300 });
		try {
			const stop = new AbortController();
			const leaves = world.connect(instance, { signal: stop.signal }).catch((error) => error.name);
			const pid = await oneWorker(instance);
			stop.abort();
			assert.equal(await leaves, 'AbortError');
			const { qrCode } = assertQr(await world.connect(instance));
			assert.match(qrCode, /^https:/);
			assert.equal(await oneWorker(instance), pid);
		} finally {
			await world.clearFaults();
		}
	});

	test('another history ends the attempt: its callers get superseded, the new one a code', async () => {
		const instance = await world.newInstance();
		const [old, older] = await whileNoRefs(async () => {
			const callers = [world.connect(instance, { query: '?history=7' }),
				world.connect(instance, { query: '?history=7' })];
			await oneWorker(instance);
			await connecting(instance);
			await eventually(async () => (await world.clients()).length > 0, { what: 'the client at the simulator' });
			return callers;
		});
		const fresh = assertQr(await world.connect(instance, { query: '?history=30' }));
		for (const answer of await Promise.all([old, older]))
			assertError(answer, 500, QR_FAILED, 'superseded');
		assert.match(fresh.qrCode, /^https:/);
		assert.equal((await world.listed(instance)).history.requestedDays, 30);
		await eventually(() => world.workers(instance).length === 1, { what: 'the old worker gone' });
	});

	test('another history ends an attempt whose code is live, and its stream says so', async () => {
		const instance = await world.newInstance();
		const first = assertQr(await world.connect(instance, { query: '?history=7' }));
		const stream = await openEvents(world, instance, { query: '?history=7' });
		await stream.next((e) => e.event === 'qr');
		const second = assertQr(await world.connect(instance, { query: '?history=8' }));
		assert.notEqual(second.qrCode, first.qrCode);
		assert.equal((await stream.next((e) => e.event === 'failed')).data.error.code, 'superseded');
		await stream.end();
		assert.equal(assertQr(await world.connect(instance, { query: '?history=8' })).qrCode, second.qrCode);
	});
});

describe('a worker that dies', () => {
	test('is told to every waiting caller at once, and the next call gets a code', async () => {
		const instance = await world.newInstance();
		await whileNoRefs(async () => {
			const callers = Array.from({ length: 20 }, () => world.connect(instance));
			const pid = await oneWorker(instance);
			await connecting(instance);
			const killedAt = Date.now();
			process.kill(pid, 'SIGKILL');
			for (const answer of await Promise.all(callers))
				assertError(answer, 500, QR_FAILED, 'worker_crashed');
			assert.ok(Date.now() - killedAt < 2000, `told after ${Date.now() - killedAt} ms`);
			assert.equal((await world.listed(instance)).status, 'disconnected');
		});
		assertQr(await world.connect(instance));
		await world.healthy();
	});

	test('leaves no zombie', async () => {
		const instance = await world.newInstance();
		assertQr(await world.connect(instance));
		const pid = await oneWorker(instance);
		process.kill(pid, 'SIGKILL');
		await eventually(() => proc.stat(pid) === null, { what: 'the worker reaped' });
	});

	test('is noticed when a code is live: state disconnected, worker_crashed', async () => {
		const instance = await world.newInstance();
		assertQr(await world.connect(instance));
		process.kill(await oneWorker(instance), 'SIGSEGV');
		const listed = await eventually(async () => {
			const i = await world.listed(instance);
			return i.status === 'disconnected' && i;
		}, { what: 'state disconnected' });
		assert.equal(listed.connection.lastError.code, 'worker_crashed');
	});

	test('does not disturb another instance', async () => {
		const [a, b] = [await world.newInstance(), await world.newInstance()];
		assertQr(await world.connect(a));
		const { qrCode } = assertQr(await world.connect(b));
		const pid = await oneWorker(b);
		process.kill(await oneWorker(a), 'SIGKILL');
		await eventually(async () => (await world.listed(a)).status === 'disconnected');
		assert.equal(await oneWorker(b), pid);
		assert.equal(assertQr(await world.connect(b)).qrCode, qrCode);
	});

	test('that hangs before it is ready is given up: 500 worker_start or worker_crashed', async () => {
		// a stopped zygote forks nobody: the spawn never answers
		const zygote = world.zygote();
		assert.ok(zygote, 'the zygote runs');
		const instance = await world.newInstance();
		process.kill(zygote, 'SIGSTOP');
		try {
			const began = Date.now();
			const answer = await world.connect(instance);
			assert.equal(answer.status, 500, answer.text);
			assert.ok(['worker_start', 'worker_crashed', 'timeout'].includes(answer.json.error.code), answer.text);
			assert.ok(Date.now() - began < 60_000);
		} finally {
			try {
				process.kill(zygote, 'SIGCONT');
			} catch {
				// the gateway has replaced it
			}
		}
		await eventually(async () => (await world.connect(instance)).status === 200, { timeoutMs: 20_000, what: 'a code' });
		await world.healthy();
	});
});

describe('a zygote that dies', () => {
	test('is replaced: the next connect works', async () => {
		const zygote = world.zygote();
		assert.ok(zygote, 'the zygote runs');
		process.kill(zygote, 'SIGKILL');
		await eventually(() => !proc.isRunning(zygote));
		assertQr(await world.connect(await world.newInstance()));
		assert.notEqual(world.zygote(), zygote);
		await world.healthy();
	});

	test('takes no running worker with it', async () => {
		const instance = await world.newInstance();
		const { qrCode } = assertQr(await world.connect(instance));
		const pid = await oneWorker(instance);
		const zygote = world.zygote();
		process.kill(zygote, 'SIGKILL');
		await eventually(() => world.zygote() !== zygote, { what: 'another zygote' });
		assert.equal(await oneWorker(instance), pid);
		assert.equal(assertQr(await world.connect(instance)).qrCode, qrCode);
	});
});

describe('limits of the host', () => {
	test('over max_workers: 503 at_capacity, and a free place is used', async () => {
		const w = await startWorld({ gateway: { settings: { max_workers: 1 } } });
		try {
			const [a, b] = [await w.newInstance(), await w.newInstance()];
			const { qrCode } = assertQr(await w.connect(a));
			assertError(await w.connect(b), 503, 'Service is at capacity', 'at_capacity');
			assert.equal(assertQr(await w.connect(a)).qrCode, qrCode);
			const stream = await w.request('GET', `/api/instance/connect/${b.name}`,
			    { token: b.account, headers: { accept: 'text/event-stream' } });
			assert.ok(stream.status === 503 || /at_capacity/.test(stream.text), stream.text);
			process.kill(w.workers(a)[0].pid, 'SIGKILL');
			await eventually(async () => (await w.connect(b)).status === 200, { what: 'the free place' });
		} finally {
			await w.stop();
		}
	});

	test('a worker that cannot be started: 500 worker_start', async () => {
		const w = await startWorld();
		const away = `${w.runDir}-away`;
		try {
			const instance = await w.newInstance();
			renameSync(w.runDir, away); // no place for its control socket
			assertError(await w.connect(instance), 500, QR_FAILED, 'worker_start');
			renameSync(away, w.runDir);
			assertQr(await w.connect(instance));
			await w.healthy();
		} finally {
			await w.stop();
		}
	});

	test('connect_timeout_s is the longest a caller waits', async () => {
		const w = await startWorld({ gateway: { settings: { connect_timeout_s: 2 } } });
		try {
			await w.fault('registration', { kind: 'no_refs' });
			const instance = await w.newInstance();
			const began = Date.now();
			assertError(await w.connect(instance), 500, QR_FAILED, 'timeout');
			const took = Date.now() - began;
			// a little sooner, so that the answer itself is in time
			assert.ok(took >= 1400 && took <= 2000 * SLOWNESS, `${took} ms`);
		} finally {
			await w.stop();
		}
	});
});

describe('SIGTERM', () => {
	test('tells waiting callers 503 shutting_down, stops the workers and ends with 0', async () => {
		const w = await startWorld();
		try {
			await w.fault('registration', { kind: 'no_refs' });
			const instance = await w.newInstance();
			const callers = Array.from({ length: 5 }, () => w.connect(instance));
			const { pid } = await eventually(() => w.workers(instance)[0], { what: 'a worker' });
			await eventually(async () => (await w.clients()).length > 0, { what: 'the client at the simulator' });
			const stream = await openEvents(w, instance);
			w.gateway.kill('SIGTERM');
			for (const answer of await Promise.all(callers))
				assertError(answer, 503, 'Service is shutting down', 'shutting_down');
			await stream.end();
			assert.equal((await w.gateway.waitExit()).code, 0);
			await eventually(() => !proc.isRunning(pid), { what: 'the worker gone' });
		} finally {
			await w.stop();
		}
	});

	test('ends an idle gateway promptly, and SIGINT does the same', async () => {
		for (const signal of ['SIGTERM', 'SIGINT']) {
			const w = await startWorld();
			try {
				const began = Date.now();
				w.gateway.kill(signal);
				assert.equal((await w.gateway.waitExit()).code, 0);
				assert.ok(Date.now() - began < 3000 * SLOWNESS);
			} finally {
				await w.stop();
			}
		}
	});
});
