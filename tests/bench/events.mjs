// tests/bench/events.mjs - events a second end to end, what others see of it; gateways killed under traffic: none lost, none twice
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from '../integration/harness.mjs';
import { StreamFollower, assertWhole, textsOf } from '../integration/eventstream.mjs';
import { linked, sleep, withWorld } from '../integration/linked.mjs';
import { describeMachine } from './machine.mjs';

const KILLS = Number(process.argv[2] ?? 200);
const RATE_N = Number(process.env.RATE_N ?? 50_000);
const PER_SECOND = 200;
const quantile = (values, q) => values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];

const sendMany = async (world, from, to, count, rest = {}) => {
	const r = await world.control('POST', `/phones/${from.number}/send`, { to: to.number, count, text: '{n} of many', ...rest });
	assert.equal(r.status, 200, r.text);
};

const cpuOf = (processes) => Object.fromEntries(Object.entries(processes).map(([name, pid]) => {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return [name, (Number(fields[11]) + Number(fields[12])) / 100]; // user and system, in seconds
}));

// Time from a message's sending to its event, one every 50 ms, until the question says that it is enough.
async function latencies(world, from, to, follower, enough) {
	const values = [];
	for (let i = 0; !enough(); i++) {
		const text = `probe ${i} ${follower.events.length}`;
		const began = performance.now();
		const r = await world.control('POST', `/phones/${from.number}/send`, { to: to.number, text });
		assert.equal(r.status, 200, r.text);
		await follower.until((e) => textsOf(e.slice(-3)).includes(text));
		values.push(performance.now() - began);
		await sleep(50);
	}
	return values;
}

async function rate(world) {
	const busy = await linked(world), calm = await linked(world);
	const [a, b] = [await world.newPhone(), await world.newPhone()];
	const many = new StreamFollower(world, busy.instance, { from: 0 });
	const few = new StreamFollower(world, calm.instance, { from: 0 });
	let t = performance.now();
	const alone = await latencies(world, b, calm.phone, few, () => performance.now() - t > 3000);
	const processes = { simulator: world.sim.pid, worker: world.workers(busy.instance)[0].pid, gateway: world.gateway.pid };
	const before = cpuOf(processes);
	t = performance.now();
	const sent = sendMany(world, a, busy.phone, RATE_N);
	const beside = latencies(world, b, calm.phone, few, () => textsOf(many.events.slice(-1)).length > 0 && many.events.length >= RATE_N);
	await Promise.all([sent, many.until((e) => e.length >= RATE_N + 3, { timeoutMs: 300_000 })]);
	const took = (performance.now() - t) / 1000;
	const values = await beside;
	assertWhole(many.events);
	assert.equal(new Set(textsOf(many.events)).size, RATE_N);
	console.log(`${RATE_N} messages from a phone to a follower, stored on the way: ${took.toFixed(1)} s, ${(RATE_N / took).toFixed(0)} a second`);
	const after = cpuOf(processes);
	console.log(`CPU a message: ${Object.keys(processes).map((p) => `${p} ${((after[p] - before[p]) * 1e6 / RATE_N).toFixed(0)} µs`).join(', ')}`);
	console.log(`another instance's message meanwhile: median ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms ` +
	    `(alone: ${quantile(alone, 0.5).toFixed(1)} and ${quantile(alone, 0.99).toFixed(1)} ms)`);
	await Promise.all([many.close(), few.close()]);
}

async function kills(world) {
	const { instance, phone } = await linked(world);
	const sender = await world.newPhone();
	const reader = new StreamFollower(world, instance, { from: 0 });
	const began = performance.now();
	let sent = 0, killed = 0, connections = 0;
	while (killed < KILLS) {
		const n = PER_SECOND;
		await sendMany(world, sender, phone, n, { idPrefix: `K${killed.toString(16).toUpperCase().padStart(8, '0')}`, text: `${killed}.{n}`, perSecond: PER_SECOND });
		for (let i = 0; i < 4 && killed < KILLS; i++) {
			await sleep(Math.random() * 250);
			await world.killGateway();
			await world.startGateway({ settings: { log_level: 'notice' } });
			killed++;
		}
		sent += n;
		await eventually(() => textsOf(reader.events).length >= sent, { timeoutMs: 30_000, what: `${sent} messages` });
		connections = reader.connections;
	}
	await sleep(500);
	const texts = textsOf(reader.events);
	assert.equal(texts.length, sent);
	assert.equal(new Set(texts).size, sent, 'messages that came twice');
	assertWhole(reader.events);
	console.log(`${killed} gateways killed while ${sent} messages came in: none lost, none twice, ${reader.events.length} events without a gap ` +
	    `over ${connections} streams, ${((performance.now() - began) / 1000).toFixed(0)} s`);
	await reader.close();
}

await withWorld({ gateway: { settings: { log_level: 'notice' } } }, async (world) => {
	console.log(describeMachine());
	if (RATE_N > 0)
		await rate(world);
	if (KILLS > 0)
		await kills(world);
});
