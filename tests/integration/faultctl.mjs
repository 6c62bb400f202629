// tests/integration/faultctl.mjs - the command file of tests/tools/faults.c: which call of which process fails, and what came of it
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { binary } from './harness.mjs';

export const ROLES = ['gateway', 'zygote', 'worker', 'cli'];
export const CLASSES = ['alloc', 'sys', 'sql'];

// tests/tools/faults.h
const MAGIC = 0x31544c46, DEPTH = 24, SLOTS = 32768, NAMES = 128, NAME_CAP = 32, REPORT_CAP = 8192;
const AT = { magic: 0, mode: 4, role: 8, cls: 12, hash: 16, skip: 24, variant: 28, fired: 32, firedPid: 36, firedFn: 40,
	firedErr: 44, counts: 48, heapAsked: 144, heapTold: 148, heapBytes: 152, callsN: 160, callsLost: 164, depth: 168, report: 176 };
const CRASH_AT = AT.report + REPORT_CAP;
const NAMES_AT = CRASH_AT + REPORT_CAP, NAME_SIZE = NAME_CAP + 8;
const CALLS_AT = NAMES_AT + NAMES * NAME_SIZE, CALL_SIZE = 24 + 8 * DEPTH;
const OFF = 0, RECORD = 1, FAIL = 2;

const ERRNO = { 1: 'EPERM', 4: 'EINTR', 5: 'EIO', 11: 'EAGAIN', 12: 'ENOMEM', 13: 'EACCES', 16: 'EBUSY', 22: 'EINVAL', 24: 'EMFILE',
	28: 'ENOSPC', 32: 'EPIPE', 37: 'ENOLCK', 98: 'EADDRINUSE', 99: 'EADDRNOTAVAIL', 101: 'ENETUNREACH', 103: 'ECONNABORTED',
	104: 'ECONNRESET', 105: 'ENOBUFS', 107: 'ENOTCONN', 111: 'ECONNREFUSED', 125: 'ECANCELED', 10001: 'short', 10002: 'done, said to have failed' };
const SQLITE = { 1: 'ERROR', 5: 'BUSY', 7: 'NOMEM', 10: 'IOERR', 11: 'CORRUPT', 13: 'FULL', 14: 'CANTOPEN', 10002: 'done, said to have failed' };

export class FaultCtl {
	constructor(path) {
		this.path = path;
		this.fd = openSync(path, 'w+', 0o600);
		ftruncateSync(this.fd, CALLS_AT + SLOTS * CALL_SIZE);
	}

	close() {
		closeSync(this.fd);
	}

	#read(at, n) {
		const b = Buffer.alloc(n);
		readSync(this.fd, b, 0, n, at);
		return b;
	}

	#u32(at) {
		return this.#read(at, 4).readUInt32LE();
	}

	#set(at, value) {
		const b = Buffer.alloc(4);
		b.writeInt32LE(value | 0);
		writeSync(this.fd, b, 0, 4, at);
	}

	// Calls are told apart by so many return addresses.
	set depth(n) {
		this.#set(AT.depth, n);
	}

	get loaded() {
		return this.#u32(AT.magic) === MAGIC;
	}

	off() {
		this.#set(AT.mode, OFF);
	}

	// What is called from now on is written down, and added to what was before unless it is to begin anew.
	record({ anew = true } = {}) {
		this.off();
		if (anew) {
			writeSync(this.fd, Buffer.alloc(96), 0, 96, AT.counts);
			this.#set(AT.callsN, 0);
			this.#set(AT.callsLost, 0);
			writeSync(this.fd, Buffer.alloc(SLOTS * CALL_SIZE), 0, SLOTS * CALL_SIZE, CALLS_AT);
		}
		this.#set(AT.mode, RECORD);
	}

	// { role: { class: calls } }
	counts() {
		const b = this.#read(AT.counts, 96);
		return Object.fromEntries(ROLES.map((role, r) => [role,
			Object.fromEntries(CLASSES.map((cls, c) => [cls, Number(b.readBigUInt64LE((r * 3 + c) * 8))]))]));
	}

	names() {
		const b = this.#read(NAMES_AT, NAMES * NAME_SIZE);
		return Array.from({ length: NAMES }, (_, i) => ({
			name: b.subarray(i * NAME_SIZE, i * NAME_SIZE + NAME_CAP).toString().replace(/\0.*$/s, ''),
			variants: b.readUInt32LE(i * NAME_SIZE + NAME_CAP),
		}));
	}

	// Distinct calls of the recording: { hash, role, cls, fn, variants, count }.
	calls() {
		const names = this.names();
		const b = this.#read(CALLS_AT, SLOTS * CALL_SIZE);
		const found = [];
		for (let at = 0; at < b.length; at += CALL_SIZE) {
			const hash = b.readBigUInt64LE(at);
			if (hash === 0n)
				continue;
			const fn = names[b.readUInt32LE(at + 16)];
			found.push({ hash: hash.toString(16), role: ROLES[b.readUInt32LE(at + 8)], cls: CLASSES[b.readUInt32LE(at + 12)],
				fn: fn.name, variants: fn.variants, count: b.readUInt32LE(at + 20) });
		}
		return found;
	}

	get lost() {
		return this.#u32(AT.callsLost);
	}

	// The skip-th such call from now on fails. Without a hash: the skip-th of the class.
	arm({ role, cls, hash = '0', skip = 0, variant = 0 }) {
		this.off();
		const b = Buffer.alloc(8);
		b.writeBigUInt64LE(BigInt(`0x${hash}`));
		this.#set(AT.role, ROLES.indexOf(role));
		this.#set(AT.cls, CLASSES.indexOf(cls));
		writeSync(this.fd, b, 0, 8, AT.hash);
		this.#set(AT.skip, skip);
		this.#set(AT.variant, variant);
		this.#set(AT.fired, 0);
		this.#set(CRASH_AT, 0);
		this.#set(AT.mode, FAIL);
	}

	// What failed: { pid, fn, how, frames }; undefined: nothing has.
	fired() {
		if (this.#u32(AT.fired) === 0)
			return undefined;
		const cls = this.#u32(AT.cls), err = this.#u32(AT.firedErr);
		return { pid: this.#u32(AT.firedPid), fn: this.names()[this.#u32(AT.firedFn)].name,
			how: (CLASSES[cls] === 'sql' ? SQLITE[err] : ERRNO[err]) ?? String(err),
			frames: this.#text(AT.report) };
	}

	// Frames of a process that crashed since arm().
	crash() {
		return this.#text(CRASH_AT);
	}

	#text(at) {
		return this.#read(at, REPORT_CAP).toString().replace(/\0.*$/s, '').split('\n').filter((l) => l !== '');
	}

	// Bytes in use on the gateway's heap, told at its next turn of the loop; undefined: not yet.
	askHeap() {
		this.#set(AT.heapAsked, this.#u32(AT.heapTold) + 1);
	}

	heap() {
		return this.#u32(AT.heapTold) === this.#u32(AT.heapAsked) ?
		    Number(this.#read(AT.heapBytes, 8).readBigUInt64LE()) : undefined;
	}
}

// Frames "FILE+0xOFFSET" as "function file:line", for people.
export function symbols(frames, { paths = false } = {}) {
	return frames.map((frame) => {
		const [name, offset] = frame.split('+');
		const file = name.startsWith('warden') ? binary(name) : name; // the zygote is run by its name
		try {
			const at = `0x${(Number(offset) - 1).toString(16)}`; // the call, not where it returns to
			const out = execFileSync('addr2line', ['-f', ...(paths ? [] : ['-s']), '-e', file, at], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
			const [fn, line] = out.trim().split('\n');
			return fn === '??' ? `${file.split('/').at(-1)}+${offset}` : `${fn} ${line.replace(/ \(.*/, '')}`;
		} catch {
			return frame;
		}
	});
}
