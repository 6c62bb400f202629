// tests/bench/history.mjs - the same history blob read by us and by Baileys: CPU a message
//
// Prints figures; judges nothing. Baileys inflates it, decodes it and makes its events; we decode it as a
// stream, and store it in a session.db as a worker does (sealed, each message once).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { proto } from '@whiskeysockets/baileys';
import { processHistoryMessage } from '@whiskeysockets/baileys/lib/Utils/history.js';

const bench = join(process.env.WARDEN_BUILD, 'tests/bench/history');
const chats = Number(process.argv[2] ?? 500);
const dir = mkdtempSync(join(tmpdir(), 'warden-bench-'));

function baileys(zlib) {
	const before = process.cpuUsage();
	const began = process.hrtime.bigint();
	const sync = proto.HistorySync.decode(inflateSync(zlib));
	const { messages } = processHistoryMessage(sync);
	const cpu = process.cpuUsage(before);
	const wall = Number(process.hrtime.bigint() - began) / 1000;
	return { n: messages.length, cpu: (cpu.user + cpu.system) / messages.length, wall: wall / messages.length };
}

try {
	const blob = join(dir, 'blob');
	execFileSync(bench, ['make', blob, String(chats), '200']);
	const zlib = readFileSync(blob);
	for (let i = 0; i < 4; i++) { // the first ones with cold code
		const { n, cpu, wall } = baileys(zlib);
		console.log(`Baileys decoded             ${cpu.toFixed(2).padStart(6)} us CPU, ${wall.toFixed(2).padStart(6)} us a message, ${n} messages`);
	}
	console.log(`Baileys peak RSS ${process.resourceUsage().maxRSS} KiB`);
	process.stdout.write(execFileSync(bench, ['decode', blob]));
	for (let i = 0; i < 2; i++)
		process.stdout.write(execFileSync(bench, ['store', blob, dir]));
} finally {
	rmSync(dir, { recursive: true });
}
