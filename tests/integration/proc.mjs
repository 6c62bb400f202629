// tests/integration/proc.mjs - what /proc says of the processes under test
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

// The programs are not dumpable, so an ordinary user asks sudo for what /proc keeps from him.
function asRoot(command, ...args) {
	if (process.getuid() === 0)
		return null;
	try {
		return execFileSync('sudo', ['-n', command, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
	} catch {
		return null;
	}
}

function read(path) {
	try {
		return readFileSync(path);
	} catch {
		return null; // gone meanwhile, or not ours to read
	}
}

// Arguments of a process, or null when it is gone (a zombie has none: []).
export function cmdline(pid) {
	const raw = read(`/proc/${pid}/cmdline`);
	if (raw === null)
		return null;
	const text = raw.toString('utf8').replace(/\0+$/, '');
	return text === '' ? [] : text.split('\0');
}

export function environ(pid) {
	const raw = read(`/proc/${pid}/environ`) ?? asRoot('cat', `/proc/${pid}/environ`);
	return raw === null ? null : raw.toString('utf8').split('\0').filter((line) => line !== '');
}

export function exe(pid) {
	try {
		return readlinkSync(`/proc/${pid}/exe`);
	} catch {
		return asRoot('readlink', `/proc/${pid}/exe`)?.toString('utf8').trimEnd() ?? null;
	}
}

// State letter, parent and start time (clock ticks since boot), or null.
export function stat(pid) {
	const raw = read(`/proc/${pid}/stat`);
	if (raw === null)
		return null;
	const text = raw.toString('utf8');
	const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
	return {
		state: fields[0],
		ppid: Number(fields[1]),
		cpuTicks: Number(fields[11]) + Number(fields[12]),
		startTicks: Number(fields[19]),
	};
}

export function isRunning(pid) {
	const s = stat(pid);
	return s !== null && s.state !== 'Z' && s.state !== 'X';
}

export function allPids() {
	return readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number);
}

// Every living process whose arguments satisfy the question.
export function findByArgs(question) {
	return allPids().filter((pid) => {
		const args = cmdline(pid);
		return args !== null && args.length > 0 && question(args) && isRunning(pid);
	});
}

// Memory of a process in KiB: PSS, USS (private clean + dirty) and RSS.
export function memory(pid) {
	const raw = read(`/proc/${pid}/smaps_rollup`) ?? asRoot('cat', `/proc/${pid}/smaps_rollup`);
	if (raw === null)
		return null;
	const text = raw.toString('utf8');
	const kib = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0);
	return {
		pss: kib('Pss'),
		uss: kib('Private_Clean') + kib('Private_Dirty'),
		rss: kib('Rss'),
	};
}

// What each open descriptor leads to ("socket:[...]", a path), or null.
export function descriptors(pid) {
	const dir = `/proc/${pid}/fd`;
	try {
		return readdirSync(dir).flatMap((fd) => {
			try {
				return [readlinkSync(`${dir}/${fd}`)];
			} catch {
				return []; // closed meanwhile
			}
		});
	} catch {
		return asRoot('find', dir, '-type', 'l', '-printf', '%l\\n')?.toString('utf8').split('\n')
			.filter((line) => line !== '') ?? null;
	}
}

export function fdCount(pid) {
	return descriptors(pid)?.length ?? null;
}
