// tests/bench/limits.mjs - what the limit step costs: in memory, in a Redis over TCP, over its socket, and while it dies
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { World } from '../integration/harness.mjs';
import { startRedis } from '../integration/redis.mjs';
import { describeMachine, quantile } from './machine.mjs';

const SECONDS = Number(process.argv[2]);
const TOKENS = 20;

// A client: requests one after the other until the time is over, on a new connection when the gateway closes the old
// one (it does after 1,000 requests). times: ms of each.
async function client(address, tokens, untilMs, times, statuses) {
	let i = Math.floor(Math.random() * tokens.length);
	while (performance.now() < untilMs)
		await new Promise((resolve, reject) => {
			const socket = createConnection(address.port, address.host);
			let began, text = '';
			const next = () => {
				if (performance.now() > untilMs) {
					socket.destroy();
					return;
				}
				began = performance.now();
				i = (i + 1) % tokens.length;
				socket.write(`GET /api/instance/list HTTP/1.1\r\nHost: x\r\ntoken: ${tokens[i]}\r\n\r\n`);
			};
			socket.setNoDelay(true).on('connect', next).on('error', reject).on('close', resolve).on('data', (data) => {
				text += data.toString('latin1');
				const end = text.indexOf('\r\n\r\n');
				const length = end < 0 ? null : text.match(/^content-length: (\d+)/mi);
				if (length === null || text.length < end + 4 + Number(length[1]))
					return;
				times.push(performance.now() - began);
				const status = text.slice(9, 12);
				statuses[status] = (statuses[status] ?? 0) + 1;
				const closes = /^connection: close/mi.test(text.slice(0, end));
				text = '';
				if (closes)
					socket.destroy();
				else
					next();
			});
		});
}

// CPU time of a process so far, in us.
function cpuUs(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
	return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function measure(name, world, tokens, connections, redis) {
	const times = [], statuses = {};
	const pids = [world.gateway.pid, ...(redis === undefined ? [] : [redis.child.pid])];
	const before = pids.map(cpuUs);
	const began = performance.now();
	await Promise.all(Array.from({ length: connections }, () =>
		client(world.address, tokens, began + SECONDS * 1000, times, statuses)));
	const cpu = pids.map((pid, i) => (cpuUs(pid) - before[i]) / times.length);
	const rate = times.length / (performance.now() - began) * 1000;
	times.sort((a, b) => a - b);
	console.log(`${name.padEnd(24)}${String(connections).padStart(5)}${rate.toFixed(0).padStart(9)}` +
	    `${[0.5, 0.99, 1].map((q) => quantile(times, q).toFixed(2).padStart(9)).join('')}` +
	    `${[0, 1].map((i) => (cpu[i]?.toFixed(0) ?? '').padStart(9)).join('')}  ${JSON.stringify(statuses)}`);
}

async function scenario(name, url, { limit = 1_000_000, faults = false } = {}) {
	const world = new World();
	try {
		const redis = url === undefined ? undefined : await startRedis(world);
		await world.startGateway({
			settings: { limit_per_minute: limit, log_level: 'notice' },
			env: url === undefined ? {} : { WARDEN_REDIS_URL: url(redis) },
		});
		const tokens = [];
		for (let i = 0; i < TOKENS; i++)
			tokens.push((await world.newAccount()).token);
		for (const connections of faults ? [32] : [1, 32]) {
			let going = faults;
			const killing = (async () => {
				while (going) {
					await redis.kill();
					await redis.start();
					await new Promise((resolve) => setTimeout(resolve, 300));
				}
			})();
			await measure(name, world, tokens, connections, faults ? undefined : redis);
			going = false;
			await killing;
		}
		await redis?.kill();
	} finally {
		await world.stop();
	}
}

console.log(`${describeMachine()}; ${SECONDS} s each, ${TOKENS} tokens; client, gateway and Redis share the cores\n`);
console.log(`${'limits'.padEnd(24)}${'conns'.padStart(5)}${'req/s'.padStart(9)}${['p50', 'p99', 'max'].map((s) => s.padStart(9)).join('')}${['gateway', 'Redis'].map((s) => s.padStart(9)).join('')}  ms; CPU us a request`);
await scenario('in memory');
await scenario('Redis, TCP', (redis) => redis.url);
await scenario('Redis, socket', (redis) => redis.unix);
await scenario('Redis, socket, 429', (redis) => redis.unix, { limit: 100 });
await scenario('Redis killed over again', (redis) => redis.unix, { faults: true });
