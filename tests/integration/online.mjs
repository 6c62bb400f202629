// tests/integration/online.mjs - a linked instance without a relay, and what is done to it
import assert from 'node:assert/strict';
import { eventually, sleep, startWorld } from './harness.mjs';

export { linked, linkedAndFast, sleep } from './linked.mjs';

export async function withWorld(options, body) {
	const world = await startWorld({ sim: { tls: true }, ...options });
	try {
		await body(world);
	} finally {
		await world.stop();
	}
}

// Something happens now to the one connection of this phone.
export async function strike(world, phone, fault) {
	const client = await eventually(async () => (await world.clients()).findLast((c) => c.number === phone.number),
	    { what: `a connection of ${phone.number}` });
	const r = await world.control('POST', `/clients/${client.id}/fault`, fault);
	assert.ok(r.status >= 200 && r.status < 300, r.text);
	return client;
}

// How many connections this phone's device has begun so far.
export async function logins(world, phone) {
	const { entries } = (await world.control('GET', '/log')).json;
	return entries.filter((e) => e.dir === 'out' && e.node?.tag === 'success' && e.node.attrs.lid?.startsWith(phone.lid.split('@')[0])).length;
}

// Nobody dials for so long.
export async function assertQuiet(world, ms = 2500) {
	const newest = () => world.clients().then((list) => Math.max(0, ...list.map((c) => c.id)));
	const before_ = await newest();
	await sleep(ms);
	assert.equal(await newest(), before_, 'something dialled');
}

export const ended = (world, instance, state, code) => world.until(instance, (i) =>
	i.connection.state === state && (code === undefined || i.connection.lastError?.code === code));

export function asideFiles(world, instance) {
	return world.files(instance).filter((f) => /^session\.db\.[a-z_]+-\d+$/.test(f));
}
