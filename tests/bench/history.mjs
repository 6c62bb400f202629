// tests/bench/history.mjs - history: a blob decoded and stored, and a whole one from the scan on; Baileys beside both
//
// "history.mjs baileys FILE" is Baileys' side of a blob, in a process of its own so that its peak is its own.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';
import { eventually, binary, startWorld } from '../integration/harness.mjs';
import { BaileysProcess } from './baileys.mjs';
import { QUICK, begin, record } from './machine.mjs';
import { cpuMs, peakKib } from './meter.mjs';

const CHATS = QUICK ? 100 : 500; // of the blob, 200 messages each
const ROUNDS = QUICK ? 2 : 5;
const MESSAGES = QUICK ? 5_000 : 20_000; // of the phone
const LINKS = QUICK ? 1 : 3;
const PASSES = 4; // the first one with cold code

// ---- a blob ----------------------------------------------------------------------------------------------

async function baileysBlob(file) {
	const { proto } = await import('@whiskeysockets/baileys');
	const { processHistoryMessage } = await import('@whiskeysockets/baileys/lib/Utils/history.js');
	const zlib = readFileSync(file);
	let perS = 0, messages;
	for (let i = 0; i < PASSES; i++) {
		const began = performance.now();
		({ messages } = processHistoryMessage(proto.HistorySync.decode(inflateSync(zlib))));
		perS = Math.max(perS, messages.length / (performance.now() - began) * 1000);
		if (i === 0)
			console.log(JSON.stringify({ messages: messages.length, peak: process.resourceUsage().maxRSS }));
	}
	console.log(JSON.stringify({ perS }));
}

function blob(dir) {
	const bench = binary('tests/bench/history');
	const file = join(dir, 'blob');
	execFileSync(bench, ['make', file, String(CHATS), '200']);
	const ours = { decode: [], store: [], peak: [] }, theirs = { decode: [], peak: [] };
	for (let i = 0; i < ROUNDS; i++) {
		const decoded = [...execFileSync(bench, ['decode', file], { encoding: 'utf8' }).matchAll(/([\d.]+) us CPU a message/g)];
		ours.decode.push(1e6 / Math.min(...decoded.map(([, us]) => Number(us))));
		const stored = execFileSync(bench, ['store', file, dir], { encoding: 'utf8' });
		if (i === 0)
			process.stdout.write(stored);
		ours.store.push(Number(stored.match(/decoded and stored.* (\d+) messages\/s/)[1]));
		ours.peak.push(Number(stored.match(/peak RSS (\d+) KiB/)[1]) / 1024);
		const lines = execFileSync(process.execPath, [fileURLToPath(import.meta.url), 'baileys', file], { encoding: 'utf8' });
		const [first, best] = lines.trim().split('\n').map((line) => JSON.parse(line));
		theirs.peak.push(first.peak / 1024);
		theirs.decode.push(best.perS);
	}
	record('a blob decoded', 'Warden', 'messages/s', ours.decode, { more: true });
	record('a blob decoded', 'Baileys', 'messages/s', theirs.decode, { more: true });
	record('a blob decoded, sealed and stored', 'Warden', 'messages/s', ours.store, { more: true });
	record('a blob, peak RSS of the process', 'Warden, stored', 'MiB', ours.peak);
	record('a blob, peak RSS of the process', 'Baileys, decoded', 'MiB', theirs.peak);
}

// ---- a link with history ---------------------------------------------------------------------------------

const phoneWithHistory = (world) => world.newPhone({ chats: 50, messages: MESSAGES, daysOfHistory: 30 });

// Until the phone has heard that all of it is read.
const acknowledged = (world, phone) => eventually(async () => (await world.control('GET', `/phones/${phone.number}/sync`)).json.devices[0]?.done,
    { what: 'history', timeoutMs: 120_000 });

async function wardenLinks(world) {
	const instance = await world.newInstance();
	const phone = await phoneWithHistory(world);
	const { json } = await world.connect(instance, { query: '?history=30' });
	const [{ pid }] = world.workers(instance);
	const began = performance.now();
	await world.scan(phone, json.qrCode);
	await acknowledged(world, phone);
	await world.until(instance, (i) => i.history?.progress === 100, { timeoutMs: 60_000 });
	const ms = performance.now() - began;
	const result = { perS: MESSAGES / ms * 1000, peak: peakKib(pid) / 1024, cpu: cpuMs(pid) * 1000 / MESSAGES };
	await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
	return result;
}

async function baileysLinks(world) {
	const phone = await phoneWithHistory(world);
	let began;
	const scanned = { ...world, scan: async (_, qr) => ((began = performance.now()), world.scan(phone, qr)), newPhone: () => phone };
	const baileys = new BaileysProcess(scanned, { args: ['history', String(MESSAGES)] });
	try {
		await baileys.until('history');
		await acknowledged(world, phone);
		const ms = performance.now() - began;
		return { perS: MESSAGES / ms * 1000, peak: peakKib(baileys.pid) / 1024, cpu: cpuMs(baileys.pid) * 1000 / MESSAGES };
	} finally {
		await baileys.stop();
	}
}

async function links() {
	const world = await startWorld({ sim: { tls: true }, gateway: { settings: { log_level: 'notice' } } });
	try {
		const ours = [], theirs = [];
		for (let i = 0; i < LINKS; i++) {
			ours.push(await wardenLinks(world));
			theirs.push(await baileysLinks(world));
		}
		for (const [what, key, unit, more] of [['messages a second', 'perS', '/s', true], ['peak RSS', 'peak', 'MiB', false], ['CPU a message', 'cpu', 'us', false]])
			for (const [who, list] of [['Warden, worker', ours], ['Baileys', theirs]])
				record(`linked with ${MESSAGES} messages, ${what}`, who, unit, list.map((r) => r[key]), { more });
	} finally {
		await world.stop();
	}
}

if (process.argv[2] === 'baileys') {
	await baileysBlob(process.argv[3]);
} else {
	begin('History', `*A blob*: the same compressed blob of ${CHATS * 200} messages given to both, from memory, in turn, a fresh process each; rates are the best of a few
passes, since the first is cold for Baileys' compiler. Baileys inflates all of it, decodes it and makes its events; it stores nothing. Warden decodes it as a
stream; stored means: each message once, sealed, in SQLite on disk. *Linked*: from the scan to the phone's hearing that all is read: the
simulator's making and encrypting of the history, its download, and for Warden storing it are in it. Baileys' peak has Node itself in it (some 60 MiB).`);
	const dir = mkdtempSync(join(tmpdir(), 'warden-bench-'));
	try {
		blob(dir);
	} finally {
		rmSync(dir, { recursive: true });
	}
	await links();
}
