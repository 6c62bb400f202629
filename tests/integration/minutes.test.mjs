// Rows of the fault table that take up to a minute of real waiting: O7, O8, L4, O4 and H1. They only wait, so each has a
// world of its own and all run side by side.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PLAIN, QR_FAILED, SLOWNESS, assertError, eventually, proc } from './harness.mjs';
import { clientOf, ended, fast, linked, linkedAndFast, reconnect, restartGateway, sleep, strike, withWorld } from './linked.mjs';
import { startDeafServer, startRelay } from './relay.mjs';

// The instrumented builds would only wait the same minute again.
const plainTest = PLAIN ? test : () => {};
// A test clock needs --enable-test-hooks, which the plain build does not have.
const hooksTest = PLAIN ? () => {} : test;

// From now on for a minute: when dials came, in ms, while the question held all the time.
async function watchMinute(world, instance, question) {
	const from = performance.now();
	while (performance.now() - from < 60_000) {
		const { connection } = await world.listed(instance);
		assert.ok(question(connection), JSON.stringify(connection));
		await sleep(250);
	}
	return world.relay.dials.map((d) => d.at - from).filter((at) => at > 0 && at <= 60_000);
}

describe('side by side', { concurrency: PLAIN ? true : 4 }, () => {
	const flaps = {
		'O7: logins refused with 503': ['login', { kind: 'failure', code: 503 }, ['connecting']],
		'O7: RST at every connection': ['tcp', { kind: 'reset' }, ['connecting']],
		'O7: FIN in every handshake': ['handshake', { kind: 'close' }, ['connecting']],
		'O7: RST before a login is up to date': ['online', { kind: 'reset' }, ['connecting', 'connected']],
	};
	for (const [what, [stage, fault, states]] of Object.entries(flaps))
		plainTest(`${what}: at most 12 tries a minute, never loggedout, and back when it is over`, () => withWorld({}, async (world) => {
			const { instance, phone } = await linked(world);
			await world.fault(stage, fault);
			await strike(world, phone, { kind: 'close' });
			await world.until(instance, 'connecting');
			const dials = await watchMinute(world, instance, ({ state }) => states.includes(state));
			assert.ok(dials.length >= 3 && dials.length <= 12, `${dials.length} dials: ${dials.map(Math.round)}`);
			await world.clearFaults();
			assert.ok([200, 201].includes((await reconnect(world, instance)).status));
			await world.until(instance, 'connected');
			assert.equal((await world.device(phone)).length, 1);
		}));

	plainTest('O7: RST as soon as it is online, which resets no backoff: at most 12 tries a minute, and back when it is over', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		let over = false;
		const flapping = (async () => {
			while (!over) {
				if ((await world.listed(instance)).status === 'connected' && await clientOf(world, phone) !== undefined)
					await strike(world, phone, { kind: 'reset' });
				await sleep(20);
			}
		})();
		const dials = await watchMinute(world, instance, ({ state }) => ['connecting', 'connected'].includes(state))
			.finally(() => (over = true));
		await flapping;
		assert.ok(dials.length >= 3 && dials.length <= 12, `${dials.length} dials: ${dials.map(Math.round)}`);
		await reconnect(world, instance);
		await world.until(instance, 'connected');
	}));

	for (const kind of ['no_pong', 'stall'])
		plainTest(`O8: a peer that is silently gone (${kind}) is noticed within 60 s, and tried at once`, () => withWorld({}, async (world) => {
			const { instance, phone } = await linked(world);
			const from = performance.now();
			const before = world.relay.dials.length;
			await strike(world, phone, { kind });
			await eventually(() => world.relay.dials.length > before, { timeoutMs: 62_000, what: 'another dial' });
			const took = world.relay.dials[before].at - from;
			// half a ping's interval may have passed already: 10 s for each of two pings is the least
			assert.ok(took > 15_000 && took <= 60_000, `noticed after ${took} ms`);
			await world.until(instance, 'connected');
			assert.equal((await world.device(phone)).length, 1);
		}));

	const speed = PLAIN ? 1 : 20;
	const steps = (world, instance) => world.gateway.events('session_event').filter((e) => e.instance === instance.id);
	const waits = { tcp: [10_000, /tls/], tls: [10_000, /tls/], upgrade: [10_000, /upgrade/], handshake: [10_000, /handshake/], login: [20_000, /login/] };
	for (const [stage, [deadline, step]] of Object.entries(waits))
		test(`L4: at ${stage}: given up after ${deadline / 1000} s, and tried again`, () => withWorld({}, async (world) => {
			const { instance, phone } = await (PLAIN ? linked(world) : linkedAndFast(world, speed));
			await world.fault(stage, { kind: 'stall', offset: 0 });
			const from = steps(world, instance).length;
			// dials and their ends, by the worker's own clock
			const when = (what) => steps(world, instance).slice(from)
			    .filter(({ got, state }) => got === what && state !== 'backoff').map(({ time }) => Date.parse(time));
			await strike(world, phone, { kind: 'close' });
			const listed = await ended(world, instance, 'connecting', 'timeout', { timeoutMs: 30_000 / SLOWNESS });
			assert.match(listed.connection.lastError.detail, step);
			await eventually(() => when('dial').length > 1, { timeoutMs: 20_000 / SLOWNESS, what: 'another try' });
			const [one, two] = when('dial');
			const took = (when('timeout')[0] - one) * speed;
			assert.ok(took > deadline * 0.95 && took < deadline + (PLAIN ? 2000 : 1500 * speed), `given up after ${took} ms`);
			assert.ok((two - one) * speed <= 55_000, `tried again after ${(two - one) * speed} ms`);
			await world.clearFaults();
			await reconnect(world, instance);
			await world.until(instance, 'connected', { timeoutMs: 25_000 });
		}));

	test('L4: before TCP is connected; a caller of connect is told within 60 s', () => withWorld({}, async (world) => {
		const { instance } = await linked(world);
		const deaf = await startDeafServer();
		try {
			await restartGateway(world, { ...fast(speed), settings: { wa_url: `ws://127.0.0.1:${deaf.port}/ws/chat` } });
			const began = performance.now();
			const answer = await world.connect(instance);
			assertError(answer, 500, QR_FAILED, 'timeout');
			assert.match(answer.json.error.detail, /tcp/);
			assert.ok((performance.now() - began) * speed <= 60_000);
			const { connection } = await world.listed(instance);
			assert.equal(connection.state, 'connecting');
		} finally {
			deaf.stop();
		}
		await restartGateway(world);
		await world.until(instance, 'connected');
	}));

	// Two gateways on copies of one data directory, each through a relay of its own.
	const twoGateways = (options, body) => withWorld({}, async (world) => {
		const { instance } = await linked(world);
		const relays = [world.relay, await startRelay(world.relay.url)];
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		const second = { data_dir: join(world.dir, 'data2'), run_dir: join(world.dir, 'run2'), wa_url: relays[1].url };
		cpSync(world.dataDir, second.data_dir, { recursive: true });
		await world.startGateway(options);
		const first = world.gateway;
		const sides = [Object.create(world, { base: { value: world.base } })];
		await world.until(instance, 'connected');
		const before = relays[0].dials.length;
		try {
			await world.startGateway({ ...options, settings: second });
			sides.push(Object.create(world, { base: { value: world.base } }));
			// what goes through the second relay goes through the first, too
			await body(sides, instance, () => [relays[0].dials.length - before - relays[1].dials.length, relays[1].dials.length],
			    () => [first, world.gateway].map((g) => ['down', 'attempt_failed'].flatMap((name) => g.events(name))
			        .filter(({ code, program }) => code === 'stream_replaced' && program === 'warden-worker').length));
		} finally {
			for (const gateway of [first, world.gateway].filter((g) => g.result === undefined)) {
				gateway.kill('SIGTERM');
				await gateway.waitExit();
			}
			relays[1].stop();
		}
	});

	test('O4: two gateways on one store: the older gives way, and they do not take turns', () => twoGateways({}, async (sides, instance, dials) => {
		await sides[1].until(instance, 'connected');
		const { connection } = await ended(sides[0], instance, 'disconnected', 'stream_replaced');
		const left = Date.parse(connection.nextRetryAt) - Date.now();
		assert.ok(left > 280_000 && left <= 300_000, `${left} ms`);
		await sleep(PLAIN ? 20_000 : 5000);
		const [a, b] = dials();
		assert.ok(a <= 2 && b <= 2, `${a} and ${b} dials`);
		assert.equal((await sides[1].listed(instance)).status, 'connected');
		assert.equal((await sides[0].listed(instance)).status, 'disconnected');
	}));

	hooksTest('O4: not later either: three tries a day each, then one of them has it', () => twoGateways(fast(60), async (sides, instance, dials, replaced) => {
		const states = () => Promise.all(sides.map(async (side) => (await side.listed(instance)).connection));
		const last = await eventually(async () => {
			const both = await states();
			const out = both.findIndex((c) => c.state === 'disconnected' && c.nextRetryAt === null);
			return out >= 0 && both[1 - out].state === 'connected' && out + 1;
		}, { timeoutMs: 15_000, what: 'an end of tries, and one that has it' }) - 1;
		// Not logins: a dial may miss a deadline that is sixty times shorter here, and is made again.
		await eventually(() => replaced()[last] >= 4, { what: 'its log' });
		const times = replaced();
		assert.ok(times[last] === 4 && times[1 - last] <= 4 && times[1 - last] >= 1, `replaced ${times} times`);
		const made = dials()[last];
		await sleep(8000); // 480 s
		assert.deepEqual(replaced(), times);
		assert.equal(dials()[last], made);
	}));

	plainTest('H1: a worker that hangs is missed within 55 s, killed and replaced; nobody else is', () => withWorld({}, async (world) => {
		const steady = await linked(world);
		const { instance, phone } = await linked(world);
		const [before] = await Promise.all([steady, { phone }].map(({ phone: p }) => clientOf(world, p)));
		const [{ pid }] = world.workers(instance);
		const from = performance.now();
		process.kill(pid, 'SIGSTOP');
		await world.gateway.event('worker_lost', { instance: instance.id }, { timeoutMs: 60_000 });
		const took = performance.now() - from;
		assert.ok(took > 25_000 && took < 55_000, `missed after ${took} ms`);
		await world.until(instance, (i) => i.connection.state === 'connected' && world.workers(instance).some((w) => w.pid !== pid));
		assert.ok(!proc.isRunning(pid), 'the one that hung is gone');
		assert.deepEqual(await clientOf(world, steady.phone), before);
	}));

	hooksTest('H5: a gateway that hangs: what it does not answer, a worker decides by itself', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 20);
		const before = await clientOf(world, phone);
		process.kill(world.gateway.pid, 'SIGSTOP');
		try {
			await strike(world, phone, { kind: 'reset' });
			await eventually(async () => {
				const now = await clientOf(world, phone);
				return now !== undefined && now.id !== before.id;
			}, { timeoutMs: 15_000, what: 'the session back without an answer' });
		} finally {
			process.kill(world.gateway.pid, 'SIGCONT');
		}
		await world.until(instance, 'connected');
	}));
});
