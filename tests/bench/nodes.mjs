// tests/bench/nodes.mjs - binary nodes decoded and encoded a second, by us (nodes.c) and by Baileys: the same stanzas
import { deepStrictEqual } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeDecompressedBinaryNode, encodeBinaryNode } from '@whiskeysockets/baileys';
import * as constants from '@whiskeysockets/baileys/lib/WABinary/constants.js';
import { binary } from '../integration/harness.mjs';
import { QUICK, begin, record, sized } from './machine.mjs';

const SECONDS = sized(0.2, 1); // of each run
const ROUNDS = QUICK ? 3 : 7;

// ---- the stanzas -----------------------------------------------------------------------------------------

// Bytes that repeat from run to run and look like none in particular.
let seed = 1;
const bytes = (n) => Buffer.from(Uint8Array.from({ length: n }, () => (seed = Math.imul(seed, 1103515245) + 12345) >>> 16 & 0xff));
const many = (n, make) => Array.from({ length: n }, (_, i) => make(i));
const id = (i) => `3EB0${(0xa1b2c3d4e5f + i * 7919).toString(16).toUpperCase().padStart(18, '0')}`;
const lid = (i, device) => `${100000000000000 + i * 7919}${device ? `:${device}` : ''}@lid`;
const pn = (i) => `${5511900000000 + i}@s.whatsapp.net`;

const small = [
	{ tag: 'message', attrs: { from: lid(1), type: 'text', id: id(1), t: '1787000001', notify: 'Anna', sender_pn: pn(1) },
		content: [{ tag: 'enc', attrs: { v: '2', type: 'msg' }, content: bytes(180) }] },
	{ tag: 'message', attrs: { from: '120363021033254949@g.us', type: 'text', id: id(2), participant: lid(2, 3), t: '1787000002', notify: 'Bernhard' },
		content: [{ tag: 'enc', attrs: { v: '2', type: 'skmsg' }, content: bytes(240) }] },
	{ tag: 'receipt', attrs: { from: lid(1), id: id(3), type: 'read', t: '1787000003' },
		content: [{ tag: 'list', attrs: {}, content: many(10, (i) => ({ tag: 'item', attrs: { id: id(10 + i) } })) }] },
	{ tag: 'receipt', attrs: { to: pn(1), id: id(4) } },
	{ tag: 'ack', attrs: { from: 's.whatsapp.net', class: 'message', id: id(5), t: '1787000005' } },
	{ tag: 'ack', attrs: { to: pn(2), class: 'notification', id: '1847265', type: 'encrypt' } },
	{ tag: 'iq', attrs: { from: 's.whatsapp.net', t: '1787000000', type: 'get', xmlns: 'urn:xmpp:ping' } },
	{ tag: 'iq', attrs: { id: '12345.678-1', to: 's.whatsapp.net', type: 'get', xmlns: 'w:p' } },
	{ tag: 'presence', attrs: { from: lid(3), type: 'unavailable', last: '1786999000' } },
	{ tag: 'ib', attrs: {}, content: [{ tag: 'offline', attrs: { count: '17' } }] },
];

const large = [
	{ tag: 'iq', attrs: { from: '120363021033254949@g.us', id: '1.2-3', type: 'result' }, content: [{ tag: 'group',
		attrs: { id: '120363021033254949', creation: '1700000000', creator: lid(1), subject: 'All of us', s_t: '1700000001', s_o: lid(1) },
		content: many(512, (i) => ({ tag: 'participant', attrs: { jid: lid(i), phone_number: pn(i), ...(i < 4 ? { type: 'admin' } : {}) } })) }] },
	{ tag: 'iq', attrs: { from: 's.whatsapp.net', id: '1.2-4', type: 'result' }, content: [{ tag: 'usync', attrs: { sid: '9', mode: 'query' },
		content: [{ tag: 'list', attrs: {}, content: many(100, (i) => ({ tag: 'user', attrs: { jid: lid(i) }, content: [{ tag: 'devices', attrs: {},
			content: [{ tag: 'device-list', attrs: {}, content: many(3, (d) => ({ tag: 'device', attrs: { id: String(d) } })) }] }] })) }] }] },
	{ tag: 'iq', attrs: { to: 's.whatsapp.net', xmlns: 'encrypt', type: 'set', id: '1.2-5' }, content: [
		{ tag: 'registration', attrs: {}, content: bytes(4) }, { tag: 'type', attrs: {}, content: bytes(1) }, { tag: 'identity', attrs: {}, content: bytes(32) },
		{ tag: 'list', attrs: {}, content: many(812, () => ({ tag: 'key', attrs: {}, content: [{ tag: 'id', attrs: {}, content: bytes(3) },
			{ tag: 'value', attrs: {}, content: bytes(32) }] })) }] },
	{ tag: 'message', attrs: { to: '120363021033254949@g.us', id: id(6), type: 'text' }, content: [{ tag: 'participants', attrs: {},
		content: many(200, (i) => ({ tag: 'to', attrs: { jid: lid(i, 2) }, content: [{ tag: 'enc', attrs: { v: '2', type: 'pkmsg' }, content: bytes(210) }] })) }] },
];

// ---- both of them ----------------------------------------------------------------------------------------

function warden(file) {
	const text = execFileSync(binary('tests/bench/nodes'), [file, String(SECONDS)], { encoding: 'utf8' });
	return Object.fromEntries(text.trim().split('\n').map((line) => line.split(' ')).map(([what, n, s]) => [what, n / s]));
}

const decode = (stanza) => decodeDecompressedBinaryNode(stanza.subarray(1), constants); // after the flag byte

function rate(n, all) {
	const began = performance.now();
	let count = 0, ms;
	do {
		all();
		count += n;
		ms = performance.now() - began;
	} while (ms < SECONDS * 1000);
	return count / ms * 1000;
}

const baileys = (nodes, stanzas) => ({
	decode: rate(nodes.length, () => stanzas.forEach(decode)),
	encode: rate(nodes.length, () => nodes.forEach((n) => encodeBinaryNode(n))),
});

const dir = mkdtempSync(join(tmpdir(), 'warden-bench-nodes-'));
begin('Binary nodes', `Stanzas that Baileys' encoder wrote, in memory, on one core, in turn. Before anything is timed both decode each and encode it to the
same bytes again. *Small*: ${small.length} as they come all day (messages, receipts, acks, pings, presence). *Large*: a group of 512, the devices of 100
users, 812 pre-keys, a message sealed for 200 devices. Baileys is warmed up by a run that does not count, and spared
the promise around its decoder.`);
try {
	for (const [name, nodes] of [['small', small], ['large', large]]) {
		const stanzas = nodes.map((n) => encodeBinaryNode(n));
		stanzas.forEach((s, i) => deepStrictEqual(encodeBinaryNode(decode(s)), s, nodes[i].tag));
		const file = join(dir, name);
		writeFileSync(file, Buffer.concat(stanzas.flatMap((s) => {
			const length = Buffer.alloc(4);
			length.writeUInt32LE(s.length);
			return [length, s];
		})));
		const ours = [], theirs = [];
		baileys(nodes, stanzas); // the compiler's warming up
		for (let i = 0; i < ROUNDS; i++) {
			ours.push(warden(file));
			theirs.push(baileys(nodes, stanzas));
		}
		const size = Math.round(stanzas.reduce((sum, s) => sum + s.length, 0) / stanzas.length);
		for (const what of ['decode', 'encode'])
			for (const [who, list] of [['Warden', ours], ['Baileys', theirs]])
				record(`${what}, ${name} stanzas (${size} bytes)`, who, '/s', list.map((r) => r[what]), { more: true });
	}
} finally {
	rmSync(dir, { recursive: true });
}
