// tests/integration/killpoints.mjs - one pairing, its worker killed on the way; what must be true afterwards
import assert from 'node:assert/strict';
import { eventually, proc, sleep } from './harness.mjs';

// A repeatable stream of numbers in [0, 1): mulberry32.
export function makeRandom(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);
		t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

// How long it takes from the scan to `connected`, the slowest of n: the span that kills are drawn from.
export async function measurePairing(world, n) {
	let slowest = 0;
	for (let i = 0; i < n; i++) {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const { json } = await world.connect(instance);
		const began = performance.now();
		await world.scan(phone, json.qrCode);
		await world.until(instance, 'connected');
		slowest = Math.max(slowest, performance.now() - began);
		await remove(world, instance);
	}
	return slowest;
}

async function remove(world, instance) {
	const r = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
	assert.equal(r.status, 200, r.text);
}

// Links an instance and kills its worker afterMs later. Answers 'online' or 'unlinked'; throws for anything else.
export async function killRound(world, afterMs) {
	const instance = await world.newInstance();
	const phone = await world.newPhone();
	const { json } = await world.connect(instance);
	const [worker] = world.workers(instance);
	const scanned = world.scan(phone, json.qrCode);
	await sleep(afterMs);
	if (proc.isRunning(worker.pid))
		process.kill(worker.pid, 'SIGKILL');
	await scanned;
	const end = await eventually(() => settled(world, instance, phone),
	    { timeoutMs: 20_000, what: `an outcome after a kill at ${afterMs.toFixed(2)} ms` });
	await remove(world, instance);
	return end;
}

/*
 * 'online': list says so, and the simulator has this device online. 'unlinked': list says that nothing is being
 * tried any more, there is no session on disk, and the phone has no such device. Undefined while it is still on its way.
 */
export async function settled(world, instance, phone) {
	const { state } = (await world.listed(instance)).connection;
	const devices = await world.device(phone);
	if (state === 'connected')
		return devices.some((d) => d.online) ? 'online' : undefined;
	if (state === 'connecting' || world.workers(instance).length > 0)
		return undefined;
	const clean = devices.length === 0 && !world.files(instance).includes('session.db');
	return clean ? 'unlinked' : undefined;
}
