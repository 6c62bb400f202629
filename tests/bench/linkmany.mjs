// tests/bench/linkmany.mjs - very many instances, linked by QR
import { inLanes } from './meter.mjs';

const LANES = 8;

// A code may be too old by the time that it is scanned, on a host that has hundreds to show: then there is another one.
async function linkOne(world, instance) {
	const phone = await world.newPhone();
	for (let tries = 0; ; tries++) {
		const { json } = await world.connect(instance);
		const scanned = json.qrCode === undefined ? undefined : await world.scan(phone, json.qrCode);
		if (scanned?.status === 200)
			break;
		if (tries === 3)
			throw new Error(scanned?.text ?? JSON.stringify(json));
	}
	await world.until(instance, 'connected', { timeoutMs: 60_000 });
}

// So many new instances, all of them connected.
export async function linkMany(world, n) {
	const instances = [];
	for (let i = 0; i < n; i++)
		instances.push(await world.newInstance());
	await inLanes(instances, LANES, (instance) => linkOne(world, instance));
	return instances;
}
