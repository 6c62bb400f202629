// tests/bench/pairings.mjs - N pairings by QR: every one ends online, and nobody is shown a second QR
import { startWorld } from '../integration/harness.mjs';
import { describeMachine, row } from './machine.mjs';

const N = Number(process.argv[2] ?? 200);
const LANES = 4;

const world = await startWorld({ sim: { tls: true }, gateway: { settings: { log_level: 'notice' } } });
try {
	const spans = [];
	let begun = 0;
	const lane = async () => {
		while (begun++ < N) {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const answer = await world.connect(instance);
			if (answer.status !== 200)
				throw new Error(answer.text);
			const began = performance.now();
			const scanned = await world.scan(phone, answer.json.qrCode);
			if (scanned.status !== 200)
				throw new Error(`the first QR did not link: ${scanned.text}`);
			await world.until(instance, 'connected', { timeoutMs: 30_000 });
			spans.push(performance.now() - began);
			const gone = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
			if (gone.status !== 200)
				throw new Error(gone.text);
			if (spans.length % 100 === 0)
				console.error(`${spans.length} of ${N}`);
		}
	};
	const began = performance.now();
	await Promise.all(Array.from({ length: LANES }, lane));
	console.log(`pairings: ${spans.length} of ${N} linked with their first QR, ${LANES} at once, wss:// to warden-sim`);
	console.log(describeMachine());
	console.log(`${((performance.now() - began) / 1000).toFixed(0)} s in all`);
	console.log(row('scan to connected', spans));
} finally {
	await world.stop();
}
