// tests/bench/connect.mjs - HTTP request to QR, and where the time went
import http from 'node:http';
import { startWorld } from '../integration/harness.mjs';
import { describeMachine, row, summary } from './machine.mjs';

const N = Number(process.argv[2]);
const WARM_UP = 5;
const AIM_MS = 8;

// One request over a kept connection; nothing is parsed within the measured span.
function timedConnect(agent, world, instance) {
	return new Promise((resolve, reject) => {
		const began = performance.now();
		const request = http.get(`${world.base}/api/instance/connect/${instance.name}`,
		    { agent, headers: { token: instance.account } }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('end', () => {
				const ms = performance.now() - began;
				const body = Buffer.concat(chunks).toString('utf8');
				if (response.statusCode !== 200)
					reject(new Error(body));
				else
					resolve({ ms, code: JSON.parse(body).qrCode });
			});
		});
		request.on('error', reject);
	});
}

// The gateway's own account of one attempt, in ms (log event code_ready).
async function partsOf(world, instance) {
	const t = await world.gateway.event('code_ready', { instance: instance.id });
	const ms = (us) => us / 1000;
	return {
		spawn: ms(t.spawn_us ?? NaN),
		sandbox: 0,
		'TCP': ms(t.tcp_us),
		'TLS': ms(t.tls_us - t.tcp_us),
		upgrade: ms(t.upgrade_us - t.tls_us),
		handshake: ms(t.handshake_us - t.upgrade_us),
		registration: ms(t.code_us - t.handshake_us),
	};
}

const world = await startWorld({ sim: { tls: true } });
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const total = [];
const parts = {};
try {
	for (let i = -WARM_UP; i < N; i++) {
		const instance = await world.newInstance();
		const { ms, code } = await timedConnect(agent, world, instance);
		world.noteCode(code);
		const p = await partsOf(world, instance);
		await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
		if (i < 0)
			continue;
		total.push(ms);
		p['gateway and HTTP'] = ms - Object.values(p).reduce((a, b) => a + b, 0);
		for (const [name, value] of Object.entries(p))
			(parts[name] ??= []).push(value);
	}
} finally {
	agent.destroy();
	await world.stop();
}

console.log(`connect: ${N} instances in turn, from HTTP request to QR, wss:// to warden-sim on the same machine`);
console.log(describeMachine());
console.log(`${''.padEnd(24)}${'median'.padStart(9)}${'p95'.padStart(9)}${'max'.padStart(9)}`);
for (const [name, values] of Object.entries(parts))
	console.log(row(`  ${name}`, values));
console.log(row('total', total));
console.log(`aim: median <= ${AIM_MS} ms: ${summary(total).median <= AIM_MS ? 'reached' : 'MISSED'}`);
