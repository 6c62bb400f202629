// tests/bench/queued.mjs - N messages queued at login (fault O16): how fast they become events, in how much memory
//
// Argument: N (50000). A phone writes to an instance whose worker is away; then the gateway comes back, and one
// follower reads its stream. Prints the rate, the worker's peak memory, and what was lost or doubled.
import { readFileSync } from 'node:fs';
import { startWorld } from '../integration/harness.mjs';
import { StreamFollower, textsOf } from '../integration/eventstream.mjs';

const N = Number(process.argv[2] ?? 50_000);
const SENDERS = 5;

const row = (what, value) => console.log(`${what.padEnd(32)} ${value}`);

const peakKiB = (pid) => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

// CPU so far, ms.
const cpuMs = (pid) => {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return 10 * (Number(fields[11]) + Number(fields[12]));
};

const world = await startWorld({ sim: { tls: true } });
try {
	const instance = await world.newInstance();
	const { phone } = await world.link(instance);
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	for (let s = 0; s < SENDERS; s++) {
		const sender = await world.newPhone();
		const r = await world.control('POST', `/phones/${sender.number}/send`,
		    { to: phone.number, count: N / SENDERS, text: `${s} {n}` });
		if (r.status !== 200)
			throw new Error(r.text);
	}
	const simBefore = cpuMs(world.sim.pid);
	const began = performance.now();
	await world.startGateway({ settings: { log_level: 'info' } });
	const reader = new StreamFollower(world, instance, { from: 0 });
	let n = 0, seen = 0, peak = 0;
	const sample = setInterval(() => {
		for (const { pid } of world.workers(instance))
			peak = Math.max(peak, peakKiB(pid) || 0);
	}, 250);
	await reader.until((events) => {
		n += textsOf(events.slice(seen)).length;
		seen = events.length;
		return n >= N;
	}, { timeoutMs: 600_000 });
	const ms = performance.now() - began;
	const [worker] = world.workers(instance);
	const cpu = { worker: cpuMs(worker.pid), gateway: cpuMs(world.gateway.pid), simulator: cpuMs(world.sim.pid) - simBefore };
	clearInterval(sample);
	const texts = textsOf(reader.events);
	row('queued messages', N);
	row('until all were delivered, s', (ms / 1000).toFixed(1));
	row('messages/s', Math.round(N / ms * 1000));
	for (const [who, used] of Object.entries(cpu))
		row(`CPU of the ${who}, us a message`, (used * 1000 / N).toFixed(1));
	row("worker's peak, KiB", peak);
	row('lost', N - new Set(texts).size);
	row('doubled', texts.length - new Set(texts).size);
	await reader.close();
} finally {
	await world.stop();
}
