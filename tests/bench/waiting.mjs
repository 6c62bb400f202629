// tests/bench/waiting.mjs - memory and CPU of many workers that wait for a scan
import { startWorld, eventually, proc } from '../integration/harness.mjs';
import { describeMachine, row, summary } from './machine.mjs';

const N = Number(process.argv[2]);
const CPU_SPAN_S = 10;
const TICKS_PER_S = 100; // USER_HZ, the same on every Linux we build for
const AIM_PSS_KIB = 512;

const world = await startWorld({ sim: { tls: true } });
try {
	const instances = [];
	for (let i = 0; i < N; i++)
		instances.push(await world.newInstance());
	const began = performance.now();
	const answers = await Promise.all(instances.map((i) => world.connect(i)));
	const upMs = performance.now() - began;
	const failed = answers.filter((a) => a.status !== 200);
	if (failed.length > 0)
		throw new Error(`${failed.length} of ${N} got no code: ${failed[0].text}`);
	const workers = await eventually(() => {
		const list = world.workers();
		return list.length === N && list;
	}, { what: `${N} workers` });

	const ticks = () => workers.reduce((sum, { pid }) => sum + proc.stat(pid).cpuTicks, 0);
	const [workersBefore, gatewayBefore] = [ticks(), proc.stat(world.gateway.pid).cpuTicks];
	await new Promise((resolve) => setTimeout(resolve, CPU_SPAN_S * 1000)); // the measured span
	const perCent = (n) => (100 * n) / TICKS_PER_S / CPU_SPAN_S;
	const cpuWorkers = perCent(ticks() - workersBefore);
	const cpuGateway = perCent(proc.stat(world.gateway.pid).cpuTicks - gatewayBefore);

	const memory = workers.map(({ pid }) => proc.memory(pid));
	const mib = (kib) => (kib / 1024).toFixed(1);
	const gateway = proc.memory(world.gateway.pid);
	const zygote = proc.memory(world.zygote());

	console.log(`waiting: ${N} instances at their QR at once, each in its own process, wss:// to warden-sim`);
	console.log(describeMachine());
	console.log(`all ${N} codes after ${upMs.toFixed(0)} ms, asked for at once`);
	console.log(`${'a worker'.padEnd(24)}${'median'.padStart(9)}${'p95'.padStart(9)}${'max'.padStart(9)}`);
	for (const kind of ['pss', 'uss', 'rss'])
		console.log(row(`  ${kind.toUpperCase()}`, memory.map((m) => m[kind]), 'KiB', 0));
	console.log(`all workers: PSS ${mib(memory.reduce((s, m) => s + m.pss, 0))} MiB; ` +
	    `gateway: PSS ${mib(gateway.pss)} MiB; zygote: PSS ${mib(zygote.pss)} MiB`);
	console.log(`CPU over ${CPU_SPAN_S} s: all workers ${cpuWorkers.toFixed(1)} % of one core, gateway ${cpuGateway.toFixed(1)} %`);
	const { median } = summary(memory.map((m) => m.pss));
	console.log(`aim: median PSS <= ${AIM_PSS_KIB} KiB: ${median <= AIM_PSS_KIB ? 'reached' : 'MISSED'}`);
} finally {
	await world.stop();
}
