// tests/bench/host.mjs - a host with N linked instances: its start, its memory, and what dies on it
//
// One run, in this order: N instances are linked by QR; everything is killed and the gateway started as after a reboot;
// memory of the idle workers; the gateway is killed and started again, alone and under load, behind a listening socket
// that is held the way systemd holds it (tests/tools/keep_socket, RestartSec=100ms); workers are killed; everything is
// killed and started again with workers that are exec'd.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { loadavg } from 'node:os';
import { World, binary, eventually, proc } from '../integration/harness.mjs';
import { kernelGroup, kernelKib } from './fleet/kernel.mjs';
import { linkMany } from './linkmany.mjs';
import { describeMachine, quantile, row } from './machine.mjs';
import { inLanes, sleep } from './meter.mjs';

const N = Number(process.argv[2]);
const KILLS = Number(process.env.KILLS ?? 100);
const CRASHES = Number(process.env.CRASHES ?? 200);
const EXEC = Math.min(N, Number(process.env.EXEC ?? N));
const TICKS_PER_S = 100; // USER_HZ, the same on every Linux we build for
const RESTART_MS = 100; // of systemd/wardend.service
const say = (text) => console.log(text);

const group = kernelGroup();
const kernelNow = () => kernelKib(group.file);

// ---- the gateway behind its socket --------------------------------------------------------------------------------

const keptPid = (world) => world.gateway.events('kept').at(-1).pid;
const online = async (world) => new Map((await world.online()).map((c) => [c.id, c.connectedAt]));
const countOnline = (program, from) => program.lines.slice(from)
	.filter(({ json }) => json?.event === 'online' && json.program === 'wardend').length;

async function startGateway(world, settings) {
	const began = performance.now();
	await world.startGateway({
		settings: { log_level: 'info', listen: 'systemd', ...settings },
		prefix: [...group.prefix, binary('keep_socket'), String(RESTART_MS)],
	});
	return began;
}

// As a power cut would: nothing has time for a last word.
async function killAll(world) {
	const workers = world.workers().map(({ pid }) => pid);
	world.gateway.kill('SIGKILL'); // takes the kept gateway with it
	await world.gateway.waitExit();
	for (const pid of workers)
		process.kill(pid, 'SIGKILL');
	await eventually(() => !workers.some(proc.isRunning) && world.survivors().filter((pid) => pid !== world.sim.pid).length === 0,
	    { timeoutMs: 60_000, what: 'an empty host' });
}

// Until n sessions are online, by the gateway's log.
const allOnline = (world, from, n) => eventually(() => countOnline(world.gateway, from) >= n,
    { timeoutMs: 180_000, what: `${n} online` });

function cpuOf(pids) {
	const sum = { user: 0, system: 0 };
	for (const pid of pids) {
		const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
		const f = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
		sum.user += f[11] / TICKS_PER_S;
		sum.system += f[12] / TICKS_PER_S;
	}
	return sum;
}
const cpuText = ({ user, system }) => `${(user + system).toFixed(1)} CPU s (${user.toFixed(1)} user, ${system.toFixed(1)} system)`;

// Everything was dead; until everything is online again.
async function reboot(world, runner, n) {
	const simBefore = cpuOf([world.sim.pid]);
	const began = await startGateway(world, { worker_runner: runner, ...(n < N ? { max_workers: n } : {}) });
	await allOnline(world, 0, n);
	const took = performance.now() - began;
	const workers = world.workers().map(({ pid }) => pid);
	const sim = cpuOf([world.sim.pid]);
	say(`\nreboot, runner ${runner}: ${n} started and online in ${(took / 1000).toFixed(1)} s (aim <= 60); load ${loadavg()[0].toFixed(0)}`);
	say(`  workers ${cpuText(cpuOf(workers))}, gateway ${cpuText(cpuOf([keptPid(world)]))}` +
	    `${runner === 'zygote' ? `, zygote ${cpuText(cpuOf([zygoteOf(world)]))}` : ''}; ` +
	    `simulator ${cpuText({ user: sim.user - simBefore.user, system: sim.system - simBefore.system })}`);
	return workers;
}

const zygoteOf = (world) => proc.findByArgs((args) => args.includes('--zygote'))
	.find((pid) => proc.stat(pid)?.ppid === keptPid(world));

// ---- memory -------------------------------------------------------------------------------------------------------

const kinds = [
	['worker binary: text, constants', (m) => m.path.endsWith('/warden-worker') && !m.perms.includes('w')],
	['worker binary: data, bss', (m) => m.path.endsWith('/warden-worker')],
	['heap (malloc, brk)', (m) => m.path === '[heap]' || m.path.startsWith('/memfd:warden-heap')],
	['stack', (m) => m.path === '[stack]'],
	['libcrypto, libssl', (m) => /lib(crypto|ssl)\./.test(m.path)],
	['libsqlite3', (m) => /libsqlite3\./.test(m.path)],
	['libc, loader', (m) => /\/(libc\.|ld-|libm\.|libresolv|libnss)/.test(m.path)],
	['other libraries', (m) => /\.so(\.|$)/.test(m.path)],
	['log ring (memfd)', (m) => m.path.includes('warden-log')],
	['vdso, vvar', (m) => m.path.startsWith('[v')],
	['anonymous maps (SQLite, secret memory, bss)', () => true],
];

// A worker's memory by what it is for: kind -> { pss, private, shared } in KiB.
function whereItGoes(pid) {
	const sums = new Map(kinds.map(([name]) => [name, { pss: 0, private: 0, shared: 0 }]));
	let into;
	for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
		const head = line.match(/^[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+\s*(.*)$/);
		if (head !== null) {
			const m = { perms: head[1], path: head[2].replace(/ \(deleted\)$/, '') };
			into = sums.get(kinds.find(([, fits]) => fits(m))[0]);
			continue;
		}
		const field = line.match(/^(Pss|Private_Clean|Private_Dirty|Shared_Clean|Shared_Dirty):\s+(\d+) kB/);
		if (field === null)
			continue;
		const name = field[1] === 'Pss' ? 'pss' : field[1].startsWith('Private') ? 'private' : 'shared';
		into[name] += Number(field[2]);
	}
	return sums;
}

// The worker whose PSS is the median, so that one odd process does not stand for all.
function typical(workers) {
	const byPss = workers.map((pid) => [proc.memory(pid).pss, pid]).sort((a, b) => a[0] - b[0]);
	return byPss[Math.floor(byPss.length / 2)][1];
}

const pageTables = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmPTE:\s+(\d+) kB/m)[1]);

function memory(workers, kernelBefore, runner, aim) {
	const all = workers.map((pid) => proc.memory(pid));
	const mean = (kind) => all.reduce((sum, m) => sum + m[kind], 0) / all.length;
	const kernel = (kernelNow() - kernelBefore) / workers.length;
	say(`memory of an idle linked worker, ${workers.length} of them, runner ${runner}`);
	say(`${''.padEnd(24)}${'median'.padStart(9)}${'p95'.padStart(9)}${'max'.padStart(9)}`);
	for (const kind of ['pss', 'uss', 'rss'])
		say(row(`  ${kind.toUpperCase()}`, all.map((m) => m[kind]), 'KiB', 0));
	say(row('  page tables', workers.map(pageTables), 'KiB', 0));
	say(`  mean PSS ${(mean('pss') / 1024).toFixed(3)} MiB (${aim}); kernel memory ${kernel.toFixed(0)} KiB a worker ` +
	    `(${group.prefix.length > 0 ? 'memory cgroup' : '/proc/meminfo'}, page tables included)`);
	say(`  where it goes in one of them, KiB${''.padEnd(13)}${'PSS'.padStart(7)}${'private'.padStart(9)}${'shared'.padStart(9)}`);
	for (const [name, s] of whereItGoes(typical(workers)))
		if (s.pss + s.private + s.shared > 0)
			say(`    ${name.padEnd(44)}${String(s.pss).padStart(6)}${String(s.private).padStart(9)}${String(s.shared).padStart(9)}`);
}

// ---- gateways that die --------------------------------------------------------------------------------------------

// One GET on a connection of its own: its status, or the error's code.
const ask = (world, instance) => new Promise((resolve) => {
	const path = `/api/instance/list?instanceName=${instance.name}`;
	const req = request(world.base + path, { agent: false, headers: { token: instance.account } }, (res) => {
		res.resume().on('end', () => resolve(res.statusCode)).on('error', (error) => resolve(error.code));
	});
	req.on('error', (error) => resolve(error.code));
	req.end();
});

// A client asks until it is answered: what a request that was cut off costs is in its time.
async function insist(world, instance, seen) {
	const began = performance.now();
	for (;;) {
		const how = await ask(world, instance);
		if (how === 200)
			break;
		seen.failed[how] = (seen.failed[how] ?? 0) + 1;
	}
	seen.spans.push(performance.now() - began);
}

function killGateway(world) {
	const from = world.gateway.lines.length;
	process.kill(keptPid(world), 'SIGKILL');
	return from;
}

// ns on a CPU so far; finer than the ticks of stat.
const onCpuNs = (pid) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);

async function readopt(world, instance, times) {
	const spans = { exec: [], answer: [], gateway: [], workers: [] };
	const workers = world.workers().map(({ pid }) => pid);
	for (let i = 0; i < times; i++) {
		const before = workers.reduce((sum, pid) => sum + onCpuNs(pid), 0);
		const killed = performance.now();
		const from = killGateway(world);
		await world.gateway.event('kept', {}, { from });
		const exec = performance.now();
		const first = ask(world, instance);
		const adopted = await world.gateway.event('workers_adopted', {}, { from, timeoutMs: 60_000 });
		spans.exec.push(performance.now() - exec);
		spans.gateway.push(onCpuNs(keptPid(world)) / 1e6);
		spans.workers.push((workers.reduce((sum, pid) => sum + onCpuNs(pid), 0) - before) / 1e6);
		if (await first === 200)
			spans.answer.push(performance.now() - killed);
		if (adopted.workers !== N || adopted.silent !== 0)
			say(`  adopted ${adopted.workers} of ${N}, ${adopted.silent} silent`);
		await world.gateway.event('ready', {}, { from });
		await sleep(1000);
	}
	say(`\n${times} x SIGKILL of the gateway with ${N} workers, started again after ${RESTART_MS} ms`);
	say(row('  exec to workers_adopted', spans.exec));
	say(row('  kill to first answer', spans.answer));
	say(row('  CPU of the gateway', spans.gateway));
	say(row('  CPU of all workers', spans.workers));
}

async function killUnderLoad(world, instances) {
	const seen = { spans: [], failed: {} };
	const before = await online(world);
	let going = true;
	const lanes = Array.from({ length: 4 }, async (_, lane) => {
		for (let i = lane; going; i++) {
			await insist(world, instances[i % instances.length], seen);
			await sleep(5);
		}
	});
	for (let i = 0; i < KILLS; i++) {
		const from = killGateway(world);
		await world.gateway.event('ready', {}, { from, timeoutMs: 60_000 });
		await sleep(Math.random() * 400);
	}
	going = false;
	await Promise.all(lanes);
	const after = await online(world);
	const lost = [...before].filter(([id, since]) => after.get(id) !== since).length;
	seen.spans.sort((a, b) => a - b);
	say(`\n${KILLS} x SIGKILL of the gateway under load, ${seen.spans.length} requests`);
	say(`  session reconnects ${lost} (aim 0); refused connects ${seen.failed.ECONNREFUSED ?? 0} (aim 0); ` +
	    `cut off and asked again: ${JSON.stringify(seen.failed)}`);
	say(`  requests: median ${quantile(seen.spans, 0.5).toFixed(1)} ms, p99 ${quantile(seen.spans, 0.99).toFixed(0)} ms, ` +
	    `worst ${seen.spans.at(-1).toFixed(0)} ms (aim <= 1000)`);
}

// ---- workers that crash -------------------------------------------------------------------------------------------

async function crashes(world, instances) {
	const spans = [];
	const chosen = instances.slice(0, CRASHES);
	const pids = new Map(world.workers().map(({ pid, id }) => [id, pid]));
	await inLanes(chosen, 2, async (instance) => {
		const from = world.gateway.lines.length;
		const began = performance.now();
		process.kill(pids.get(instance.id), 'SIGKILL');
		await world.gateway.event('online', { program: 'wardend', instance: instance.id }, { from, timeoutMs: 60_000 });
		spans.push(performance.now() - began);
	});
	spans.sort((a, b) => a - b);
	say(`\n${spans.length} workers killed, two at a time: crash to connected median ${quantile(spans, 0.5).toFixed(0)} ms, ` +
	    `p99 ${quantile(spans, 0.99).toFixed(0)} ms, worst ${spans.at(-1).toFixed(0)} ms (aim p99 <= 3000)`);
}

// ---- the run ------------------------------------------------------------------------------------------------------

async function linkAll(world) {
	const began = performance.now();
	const instances = await linkMany(world, N);
	say(`linked ${N} by QR in ${((performance.now() - began) / 1000).toFixed(0)} s`);
	return instances;
}

const world = new World();
try {
	say(`host: ${N} linked instances, wss:// to warden-sim`);
	say(describeMachine());
	await world.startSim({ tls: true });
	await startGateway(world, {});
	const instances = await linkAll(world);

	await killAll(world);
	const kernelBefore = kernelNow();
	const workers = await reboot(world, 'zygote', N);
	await sleep(5000); // what the logins took goes back to the kernel
	memory(workers, kernelBefore, 'zygote', 'aim 0.35, at most 0.6');
	await readopt(world, instances[0], 10);
	await killUnderLoad(world, instances.slice(0, 20));
	await crashes(world, instances);

	if (EXEC > 0) {
		await killAll(world);
		const kernelAgain = kernelNow();
		const execd = await reboot(world, 'exec', EXEC);
		await sleep(5000);
		memory(execd, kernelAgain, 'exec', 'aim 0.7, at most 1.6');
	}
} finally {
	world.secrets.clear(); // thousands, in logs of a hundred gateways: looking for them is a test's work
	await world.stop();
	await eventually(() => group.remove(), { timeoutMs: 2000, what: 'an empty group' }).catch((error) => console.log(error.message));
}
