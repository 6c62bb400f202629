// tests/integration/scan.mjs - where a secret can be found: files, and what a core file would hold
//
// A needle is a secret in one of the forms in which it could lie around: as it is, hex, base64 (at each of
// the three ways it can fall on the digits), and back to front.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SHORTEST = 8; // fewer bytes are found by chance

// The digits that don't depend on what stands before or behind the bytes.
function base64Core(bytes, lead) {
	const text = Buffer.concat([Buffer.alloc(lead), bytes]).toString('base64').replace(/=+$/, '');
	const first = Math.ceil(lead * 8 / 6);
	const last = Math.floor((lead + bytes.length) * 8 / 6);
	return text.slice(first, last);
}

// [{ secret, form, bytes }] of { name: Buffer or string }.
export function needles(secrets) {
	const all = [];
	for (const [secret, value] of Object.entries(secrets)) {
		const raw = Buffer.isBuffer(value) ? value : Buffer.from(value);
		if (raw.length < SHORTEST)
			throw new Error(`${secret} is too short to be looked for`);
		const hex = raw.toString('hex');
		const forms = {
			raw,
			hex,
			HEX: hex.toUpperCase(),
			reversed: Buffer.from(raw).reverse(),
		};
		for (let lead = 0; lead < 3; lead++) {
			forms[`base64+${lead}`] = base64Core(raw, lead);
			forms[`base64url+${lead}`] = base64Core(raw, lead).replaceAll('+', '-').replaceAll('/', '_');
		}
		for (const [form, bytes] of Object.entries(forms))
			if (!all.some((n) => n.secret === secret && n.bytes.equals(Buffer.from(bytes))))
				all.push({ secret, form, bytes: Buffer.from(bytes) });
	}
	return all;
}

// [{ secret, form, at }], one for each needle that is there.
export function findIn(bytes, all) {
	return all.flatMap(({ secret, form, bytes: needle }) => {
		const at = bytes.indexOf(needle);
		return at < 0 ? [] : [{ secret, form, at }];
	});
}

// Every file below these folders.
export function findInFiles(folders, all) {
	const found = [];
	const look = (path) => {
		const s = statSync(path, { throwIfNoEntry: false });
		if (s?.isDirectory())
			readdirSync(path).forEach((name) => look(join(path, name)));
		else if (s?.isFile())
			found.push(...findIn(readFileSync(path), all).map((f) => ({ ...f, where: path })));
	};
	folders.forEach(look);
	return found;
}

// The mappings of a process with their flags (proc(5), smaps).
function mappings(pid) {
	const found = [];
	for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
		const head = line.match(/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)\s*(.*)$/);
		if (head !== null)
			found.push({ from: Number(`0x${head[1]}`), to: Number(`0x${head[2]}`), mode: head[3],
				file: head[4] !== '0', name: head[5], flags: [] });
		else if (line.startsWith('VmFlags:'))
			found.at(-1).flags = line.slice(8).trim().split(/\s+/);
		else if (line.startsWith('Locked:'))
			found.at(-1).locked = Number(line.match(/\d+/)[0]) > 0;
	}
	return found;
}

// Private memory that was written to, or may be, and shared memory without a file: what is only mapped from one is
// on disk as well.
const isDumped = (m) => m.mode.includes('r') && !m.flags.includes('dd') &&
	(m.mode.includes('p') ? !m.file || m.mode.includes('w') : m.name.startsWith('/memfd:')) &&
	!['[vvar]', '[vsyscall]', '[vdso]'].includes(m.name);

/*
 * What a core file of the process would hold: its memory but for what is marked as not to be dumped.
 * The process may be non-dumpable: root reads it all the same.
 */
export function findInMemory(pid, all, { dumped = isDumped } = {}) {
	const fd = openSync(`/proc/${pid}/mem`, 'r');
	const found = [];
	try {
		for (const m of mappings(pid).filter(dumped)) {
			const bytes = Buffer.alloc(m.to - m.from);
			let n = 0;
			try {
				n = readSync(fd, bytes, 0, bytes.length, m.from);
			} catch {
				// gone meanwhile
			}
			found.push(...findIn(bytes.subarray(0, n), all).map((f) => ({ ...f,
				where: `${m.name || 'anonymous'} ${(m.from + f.at).toString(16)}`,
				around: bytes.subarray(Math.max(0, f.at - 48), Math.min(n, f.at + 80)).toString('latin1').replace(/[^ -~]/g, '.') })));
		}
	} finally {
		closeSync(fd);
	}
	return found;
}

// Memory that is left out of core files, and locked.
export const isSecretMemory = (m) => m.flags.includes('dd') && m.flags.includes('lo');
