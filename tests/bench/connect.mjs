// tests/bench/connect.mjs - time to the first code: warm, cold, from nothing, many at once; where it goes; Baileys beside it
import http from 'node:http';
import { World } from '../integration/harness.mjs';
import { fromNothing, startBaileys } from './baileys.mjs';
import { QUICK, begin, plot, record, row, sized, summary } from './machine.mjs';

const N = sized(20, 200);
const COLD = QUICK ? 3 : 15;
const ROUNDS = QUICK ? 1 : 5;
const AT_ONCE = QUICK ? [1, 10, 50] : [1, 5, 10, 25, 50, 100, 200];
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

async function connect(agent, world, instance) {
	const { ms, code } = await timedConnect(agent, world, instance);
	world.noteCode(code);
	return ms;
}

const remove = (world, instance) => world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });

// The gateway's own account of one attempt, in ms (log event code_ready).
async function partsOf(world, instance) {
	const t = await world.gateway.event('code_ready', { instance: instance.id });
	const ms = (us) => us / 1000;
	return {
		spawn: ms(t.spawn_us ?? NaN),
		'TCP': ms(t.tcp_us),
		'TLS': ms(t.tls_us - t.tcp_us),
		upgrade: ms(t.upgrade_us - t.tls_us),
		handshake: ms(t.handshake_us - t.upgrade_us),
		registration: ms(t.code_us - t.handshake_us),
	};
}

async function warm(world, baileys) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	const total = [], theirs = [], parts = {};
	for (let i = -WARM_UP; i < N; i++) {
		const instance = await world.newInstance();
		const ms = await connect(agent, world, instance);
		const p = await partsOf(world, instance);
		await remove(world, instance);
		const { ms: [their] } = await baileys.ask('qr', 1);
		if (i < 0)
			continue;
		total.push(ms);
		theirs.push(their);
		p['gateway and HTTP'] = ms - Object.values(p).reduce((a, b) => a + b, 0);
		for (const [name, value] of Object.entries(p))
			(parts[name] ??= []).push(value);
	}
	agent.destroy();
	console.log(`${''.padEnd(24)}${'median'.padStart(9)}${'p95'.padStart(9)}${'max'.padStart(9)}`);
	for (const [name, values] of Object.entries(parts))
		console.log(row(`  ${name}`, values));
	console.log(`aim: median <= ${AIM_MS} ms: ${summary(total).median <= AIM_MS ? 'reached' : 'MISSED'}`);
	record('time to QR, warm', 'Warden', 'ms', total);
	record('time to QR, warm', 'Baileys', 'ms', theirs);
}

// A gateway that has just started: ms from its process's start and from the request, to the code.
async function justStarted(world, runner) {
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	const agent = new http.Agent({ maxSockets: 1 });
	const began = performance.now();
	await world.startGateway({ settings: { log_level: 'info', worker_runner: runner } });
	world.cold ??= await world.newInstance();
	const request = performance.now();
	await connect(agent, world, world.cold);
	agent.destroy();
	return { all: performance.now() - began, request: performance.now() - request };
}

async function cold(world) {
	const spans = { zygote: [], exec: [] }, whole = [], theirs = [];
	await justStarted(world, 'zygote'); // makes the instance
	for (let i = 0; i < COLD; i++) {
		for (const runner of ['zygote', 'exec']) {
			const { all, request } = await justStarted(world, runner);
			spans[runner].push(request);
			if (runner === 'zygote')
				whole.push(all);
		}
		theirs.push(await fromNothing(world, 'shown', ['qr']));
	}
	record('time to QR, first request after the start', 'Warden', 'ms', spans.zygote);
	record('time to QR, first request, workers exec\'d', 'Warden', 'ms', spans.exec);
	record('new process to QR', 'Warden', 'ms', whole);
	record('new process to QR', 'Baileys', 'ms', theirs);
	await justStarted(world, 'zygote');
	await remove(world, world.cold);
}

async function atOnce(world, baileys) {
	for (const n of AT_ONCE) {
		const last = [], theirs = [];
		for (let round = 0; round < ROUNDS; round++) {
			const instances = [];
			for (let i = 0; i < n; i++)
				instances.push(await world.newInstance());
			const agent = new http.Agent({ keepAlive: true, maxSockets: n });
			last.push(Math.max(...await Promise.all(instances.map((i) => connect(agent, world, i)))));
			agent.destroy();
			for (const i of instances)
				await remove(world, i);
			theirs.push(Math.max(...(await baileys.ask('qr', n)).ms));
		}
		record('all have their QR', 'Warden', 'ms', last, { at: n, of: 'at once' });
		record('all have their QR', 'Baileys', 'ms', theirs, { at: n, of: 'at once' });
	}
	plot('connect.svg', {
		title: 'Codes asked for at once: until all are there', x: 'codes asked for at once', y: 'ms', logX: true, logY: true,
		lines: [{ figure: 'all have their QR', who: 'Warden' }, { figure: 'all have their QR', who: 'Baileys', title: 'Baileys, one process' }],
	});
}

begin('Time to QR', `Over TLS to one warden-sim on the same machine, in turn. *Warm*: Warden from the HTTP request to the whole answer (JSON and
PNG), a new process forked for it; Baileys from \`makeWASocket\` to its \`qr\` event in a process that has shown codes before (the code as text, no
HTTP, no process, no picture). *New process*: from \`wardend\`'s or \`node\`'s start; Baileys' has its one script and an empty session in memory.
*At once*: until the last has its code. Warden dials at most 50 times in any second, so that a host that comes back does not storm WhatsApp; Baileys
has no such limit.`);
const world = new World();
let baileys;
try {
	await world.startSim({ tls: true });
	await world.startGateway({ settings: { log_level: 'info' } });
	baileys = await startBaileys(world);
	await warm(world, baileys);
	await atOnce(world, baileys);
	await cold(world);
} finally {
	await baileys?.stop();
	await world.stop();
}
