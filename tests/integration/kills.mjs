// tests/integration/kills.mjs - kill -9 of a worker at random points while messages of every kind arrive (fault table, H6)
import assert from 'node:assert/strict';
import { eventually } from './harness.mjs';
import { linked, reconnect, sleep } from './linked.mjs';
import { StreamFollower, assertWhole } from './eventstream.mjs';

// Numbers in [0, 1) that follow from the seed (xorshift32).
export function makeRandom(seed) {
	let x = (seed * 2654435761 + 1) >>> 0 || 1;
	return () => {
		x ^= x << 13;
		x >>>= 0;
		x ^= x >>> 17;
		x ^= x << 5;
		x >>>= 0;
		return x / 4294967296;
	};
}

const send = async (world, from, body) => {
	const r = await world.control('POST', `/phones/${from.number}/send`, body);
	assert.equal(r.status, 200, r.text);
	return r.json.ids ?? [r.json.id];
};

// What comes next, from whom: every kind of way to an account's companion.
function traffic(world, phone, others, group, random) {
	const one = (list) => list[Math.floor(random() * list.length)];
	const to = phone.number;
	const sent = []; // ids that have to arrive, once
	const next = async () => {
		const n = sent.length;
		const from = one(others);
		switch (Math.floor(random() * 8)) {
		case 0: return send(world, from, { to: group.jid, text: `group ${n}` });
		case 1: return send(world, from, { to, media: { kind: 'image', size: 300, caption: `image ${n}` } });
		case 2: return send(world, phone, { to: from.number, text: `own ${n}` });
		case 3: return send(world, from, { messages: [0, 1, 2, 3, 4].map((i) => ({ to, text: `burst ${n} ${i}` })) });
		case 4: return send(world, from, { to, text: `number ${n}`, pn: true });
		case 5: return send(world, from, { to, text: `twice ${n}`, spoil: 'duplicate' });
		default: return send(world, from, { to, text: `text ${n}` });
		}
	};
	return { sent, step: async () => sent.push(...await next()) };
}

// Is there a worker? Else one is asked for: not to wait for the pauses between restarts, and to go on after a crash loop.
async function running(world, instance) {
	if (world.workers(instance).length > 0)
		return true;
	await reconnect(world, instance);
	return false;
}

/*
 * n kills under traffic, then quiet. What the simulator and a follower of the events have seen has to agree. Answers
 * { kills, messages, chains }.
 */
export async function killUnderTraffic(world, n, seed, { onKill } = {}) {
	const random = makeRandom(seed);
	const { instance, phone } = await linked(world);
	const others = await Promise.all(Array.from({ length: 4 }, () => world.newPhone()));
	const made = await world.control('POST', '/groups',
	    { subject: 'kills', participants: [phone.number, ...others.map((p) => p.number)] });
	assert.equal(made.status, 201, made.text);
	const flow = traffic(world, phone, others, made.json, random);
	const follower = new StreamFollower(world, instance, { from: 0 });
	let going = true, broken;
	const sending = (async () => {
		while (going) {
			await flow.step();
			await sleep(random() * 8);
		}
	})().catch((e) => {
		broken = e;
	});
	for (let kills = 0; kills < n; kills++) {
		// at any point of a worker's life: while it starts, logs in, works off the queue, or long after
		await eventually(() => running(world, instance), { what: 'a worker', timeoutMs: 30_000 });
		await sleep(random() * random() * 400);
		const [worker] = world.workers(instance);
		if (worker !== undefined)
			process.kill(worker.pid, 'SIGKILL');
		await eventually(() => world.workers(instance).every((w) => w.pid !== worker?.pid), { what: 'its end' });
		await running(world, instance);
		onKill?.(kills + 1, flow.sent.length);
		assert.ifError(broken);
	}
	going = false;
	await sending;
	await eventually(() => running(world, instance), { what: 'a worker', timeoutMs: 30_000 });
	await world.until(instance, 'connected', { timeoutMs: 60_000 });
	const last = (await send(world, others[0], { to: phone.number, text: 'the last one' }))[0];
	flow.sent.push(last);
	const exchanged = () => follower.events.filter((e) => e.event === 'message.exchange');
	await follower.until(() => new Set(exchanged().map((e) => e.data.id)).size >= flow.sent.length,
	    { what: `all ${flow.sent.length} messages`, timeoutMs: 60_000 });
	await follower.close();
	assertWhole(follower.events);
	const ids = exchanged().map((e) => e.data.id);
	assert.equal(new Set(ids).size, ids.length, 'a message was told of twice');
	assert.deepEqual([...ids].sort(), [...flow.sent].sort());
	const unread = exchanged().filter((e) => ['unavailable', 'undecryptable'].includes(e.data.message.type));
	assert.deepEqual(unread, []);
	const chains = await world.control('GET', `/phones/${phone.number}/chains`);
	assert.equal(chains.json.reused, 0, JSON.stringify(chains.json));
	return { kills: n, messages: ids.length, chains: chains.json };
}
