// tests/bench/owners.mjs - whose an idle linked worker's private memory is
//
// Arguments: N. They are linked, started again with their sessions, and left until they have come to rest. tests/tools/owners.c
// has written down who made each block; here the heap of one of them is read from outside, block by block, and what lies in
// pages that it has for itself is counted. Blocks that our realloc() moved count as the worker's own, whoever asked.
import { chmodSync, closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { World, binary, eventually, proc } from '../integration/harness.mjs';
import { describeMachine } from './machine.mjs';
import { inLanes, sleep } from './meter.mjs';

const N = Number(process.argv[2]);
const TEXTS = Number(process.env.TEXTS ?? 0);
const RUNNER = process.env.RUNNER ?? 'zygote';
const REST_MS = TEXTS > 0 ? 13_000 : 5_000; // it rests 2 s after the login, and 10 s after a message
const PAGE = 4096;
const TABLE = 0x200000000000; // tests/tools/owners.c
const ENTRIES = 65536;
const ENTRY = 32;
const SQLITE_AREA = 256 * 1024; // worker/store/wk_store_heap.c

function readAt(path, at, len) {
	const fd = openSync(path, 'r');
	const data = Buffer.alloc(len);
	let done = 0;
	for (let n = 1; n > 0 && done < len; done += n)
		n = readSync(fd, data, done, Math.min(len - done, 1 << 20), BigInt(at + done));
	closeSync(fd);
	return data;
}

const mapsOf = (pid) => readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n').map((line) => {
	const [range, perms, , , , ...path] = line.split(/\s+/);
	const [from, to] = range.split('-').map((hex) => parseInt(hex, 16));
	return { from, to, perms, path: path.join(' ') };
});

// Which pages of a range nobody else has.
function ownPages(pid, from, to) {
	const entries = readAt(`/proc/${pid}/pagemap`, from / PAGE * 8, (to - from) / PAGE * 8);
	return Array.from({ length: (to - from) / PAGE }, (_, i) => (entries.readUInt32LE(i * 8 + 4) >>> 24 & 0x81) === 0x81);
}

function blocksOf(pid) {
	const table = readAt(`/proc/${pid}/mem`, TABLE, ENTRIES * ENTRY);
	const blocks = new Map();
	for (let i = 0; i < ENTRIES; i++) {
		const [at, size, caller, maker] = [0, 8, 16, 24].map((o) => Number(table.readBigUInt64LE(i * ENTRY + o)));
		if (at > 1)
			blocks.set(at, { size, caller, maker });
	}
	return blocks;
}

const isHeap = (m) => m.path === '[heap]' || (m.path.startsWith('/memfd:warden-heap') && m.perms.includes('w'));

function kindOf(m) {
	if (/\.so(\.|$)/.test(m.path))
		return 'libraries: data, relocations';
	if (m.path.endsWith('/warden-worker'))
		return 'the program: data, relocations';
	if (m.path === '[stack]')
		return 'stack';
	return m.path.includes('warden-log') ? 'log ring' : 'anonymous: secrets, bss of libraries';
}

function ownersOf(pid) {
	const maps = mapsOf(pid).filter((m) => m.from !== TABLE && !m.path.endsWith('/owners.so') && !m.path.startsWith('[v'));
	const blocks = blocksOf(pid);
	const areas = [...blocks].filter(([at, { size }]) => size === SQLITE_AREA && at % PAGE === 0).map(([at]) => at);
	const sums = new Map();
	const add = (what, bytes) => sums.set(what, (sums.get(what) ?? 0) + bytes);
	const libraryAt = (at) => basename(maps.find((m) => m.from <= at && at < m.to)?.path ?? '?').replace(/(-2\.1)?\.so.*/, '');

	for (const m of maps.filter((m) => !isHeap(m)))
		ownPages(pid, m.from, m.to).forEach((own, i) => {
			const at = m.from + i * PAGE;
			if (own)
				add(areas.some((a) => a <= at && at < a + SQLITE_AREA) ? 'SQLite: its own areas' : kindOf(m), PAGE);
		});

	const heap = maps.filter(isHeap);
	const from = heap[0].from, to = heap.at(-1).to;
	const own = ownPages(pid, from, to);
	const data = readAt(`/proc/${pid}/mem`, from, to - from);
	for (let at = 0; at + 16 <= data.length;) {
		const size = Number(data.readBigUInt64LE(at + 8) & ~7n);
		if (size < 16 || at + size > data.length)
			break;
		let bytes = 0;
		for (let p = Math.floor(at / PAGE); p * PAGE < at + size; p++)
			if (own[p])
				bytes += Math.min(at + size, (p + 1) * PAGE) - Math.max(at, p * PAGE);
		const last = at + size >= data.length;
		const free = last || (at + size + 16 <= data.length && (data.readBigUInt64LE(at + size + 8) & 1n) === 0n);
		const block = free ? undefined : blocks.get(from + at + 16);
		if (block === undefined)
			add('heap: freed, in pages that are used', bytes);
		else if (block.maker !== pid)
			add("heap: the zygote's, in pages that were written to", bytes);
		else
			add(`heap: ${libraryAt(block.caller)}`, bytes);
		at += size;
	}
	return sums;
}

const world = new World();
try {
	console.log(`owners: ${N} linked instances, runner ${RUNNER}, ${TEXTS} texts each\n${describeMachine()}`);
	const worker = join(process.env.OWNERS, 'worker');
	writeFileSync(worker, `#!/bin/sh\nLD_PRELOAD=${process.env.OWNERS}/owners.so exec ${binary('warden-worker')} "$@"\n`);
	chmodSync(worker, 0o755);
	chmodSync(process.env.OWNERS, 0o755);
	const settings = { log_level: 'info', worker_runner: RUNNER, worker_path: worker };
	await world.startSim({ tls: true });
	await world.startGateway({ settings });
	const instances = [];
	for (let i = 0; i < N; i++)
		instances.push(await world.newInstance());
	const phones = new Map();
	await inLanes(instances, 4, async (instance) => {
		const { phone } = await world.link(instance);
		phones.set(instance, phone);
	});
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	for (const { pid } of world.workers())
		process.kill(pid, 'SIGKILL');
	await eventually(() => world.workers().length === 0, { timeoutMs: 30_000, what: 'no worker' });
	await world.startGateway({ settings });
	await eventually(() => world.gateway.events('online').filter(({ program }) => program === 'wardend').length >= N,
	    { timeoutMs: 60_000, what: 'all online' });
	for (const instance of TEXTS > 0 ? instances : []) {
		const sender = await world.newPhone();
		await world.control('POST', `/phones/${sender.number}/send`, { to: phones.get(instance).number, count: TEXTS, text: 'text {n}' });
	}
	await sleep(REST_MS);
	const byUss = world.workers().map(({ pid }) => [proc.memory(pid).uss, pid]).sort((a, b) => a[0] - b[0]);
	const sums = [...ownersOf(byUss[Math.floor(N / 2)][1])].sort((a, b) => b[1] - a[1]);
	console.log('private memory of one of them, KiB');
	for (const [what, bytes] of sums)
		console.log(`  ${what.padEnd(52)} ${(bytes / 1024).toFixed(1).padStart(8)}`);
	console.log(`  ${'in all'.padEnd(52)} ${(sums.reduce((sum, [, bytes]) => sum + bytes, 0) / 1024).toFixed(1).padStart(8)}`);
} finally {
	world.secrets.clear();
	await world.stop();
}
