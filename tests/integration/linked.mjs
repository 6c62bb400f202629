// tests/integration/linked.mjs - linked instances behind a relay, and what happens to them
import assert from 'node:assert/strict';
import { World, eventually, sleep } from './harness.mjs';
import { startRelay } from './relay.mjs';

export { sleep };

// For startGateway(): waits are so many times shorter (--enable-test-hooks).
export const fast = (speed) => ({ env: { WARDEN_TEST_SPEED: String(speed) } });

// A world whose gateway reaches its simulator through world.relay.
export async function withWorld({ sim = {}, gateway = {} }, body) {
	const world = new World();
	try {
		await world.startSim({ tls: true, ...sim });
		world.relay = await startRelay(world.simInfo.url);
		world.simInfo.url = world.relay.url;
		await world.startGateway(gateway);
		await body(world);
	} finally {
		await world.stop().finally(() => world.relay?.stop());
	}
}

export async function linked(world) {
	const instance = await world.newInstance();
	return { instance, ...await world.link(instance) };
}

export async function restartGateway(world, options = {}) {
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await world.startGateway(options);
}

// Linked by the real clock; from then on waits are so many times shorter.
export async function linkedAndFast(world, speed) {
	const made = await linked(world);
	await restartGateway(world, fast(speed));
	await world.until(made.instance, 'connected');
	return made;
}

export const clientOf = async (world, phone) => (await world.online()).findLast((c) => c.number === phone.number);

// Something happens now to the connection of this phone's device.
export async function strike(world, phone, fault) {
	const client = await eventually(() => clientOf(world, phone), { what: `${phone.number} online` });
	const r = await world.control('POST', `/clients/${client.id}/fault`, fault);
	assert.equal(r.status, 200, r.text);
	return client;
}

export const ended = (world, instance, state, code, options) => world.until(instance, (i) =>
	i.connection.state === state && i.connection.lastError?.code === code, options);

// Nobody dials for so long.
export async function assertQuiet(world, ms = 1500) {
	const before = world.relay.dials.length;
	await sleep(ms);
	assert.equal(world.relay.dials.length, before, 'something dialled');
}

// Nothing is left of an attempt, and nothing is tried.
export async function assertClean(world, instance) {
	await eventually(() => world.workers(instance).length === 0, { what: 'no worker' });
	assert.deepEqual(world.files(instance).filter((f) => f.startsWith('session.db')), []);
	assert.equal((await world.listed(instance)).connection.nextRetryAt, null);
	await assertQuiet(world);
}

export const call = (world, instance, method, route, json) =>
	world.request(method, `/api/instance/${route}/${instance.name}`, { token: instance.account, json });
export const reconnect = (world, instance) => call(world, instance, 'POST', 'reconnect');

export const askCode = (world, instance, phone) => world.connect(instance, { query: `?number=${phone.number}` });
export const typeCode = (world, phone, answer) =>
	world.control('POST', `/phones/${phone.number}/code`, { code: answer.json.pairingCode });
