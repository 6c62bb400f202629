// tests/systemd/machine.mjs - a systemd of the test's own, and a hand on it
//
// boot (a shell script) starts it in namespaces of its own on an overlay of this machine's root; here it
// is waited for, spoken to with nsenter, and ended by its pid. Needs root and a kernel that allows it.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const BOOT_MS = 120_000; // of a machine that is busy with other tests, too
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Why there can be no machine here, or false.
export function impossible() {
	if (process.getuid() !== 0)
		return 'a systemd of its own needs root';
	for (const program of ['/lib/systemd/systemd', '/usr/bin/dbus-daemon', '/usr/lib/polkit-1/polkitd',
		'/usr/bin/nsenter', '/usr/bin/dpkg-buildpackage', '/usr/bin/dh'])
		if (!existsSync(program))
			return `${program} is not installed`;
	const probe = spawnSync('unshare', ['--mount', '--pid', '--fork', '--cgroup', '--uts', '--ipc', '--net', 'true'],
	    { encoding: 'utf8' });
	return probe.status === 0 ? false : `no namespaces: ${probe.stderr.trim()}`;
}

export class Machine {
	static async boot() {
		const m = new Machine();
		m.top = mkdtempSync(join(tmpdir(), 'warden-machine-'));
		m.logPath = `${m.top}.log`;
		const log = openSync(m.logPath, 'w');
		m.child = spawn(join(HERE, 'boot'), [m.top], { stdio: ['ignore', log, log] });
		closeSync(log);
		const deadline = Date.now() + BOOT_MS;
		while (!m.#isUp()) {
			if (m.child.exitCode !== null || Date.now() > deadline)
				throw new Error(`systemd did not start:\n${readFileSync(m.logPath, 'utf8')}`);
			await sleep(20);
		}
		return m;
	}

	// The first process there, once it is systemd and has done its own start.
	#isUp() {
		const children = spawnSync('cat', [`/proc/${this.child.pid}/task/${this.child.pid}/children`],
		    { encoding: 'utf8' }).stdout.trim();
		if (children === '')
			return false;
		this.pid = Number(children.split(' ')[0]);
		try {
			if (readFileSync(`/proc/${this.pid}/comm`, 'utf8').trim() !== 'systemd')
				return false;
		} catch {
			return false;
		}
		return ['running', 'degraded'].includes(this.sh('systemctl is-system-running').stdout.trim());
	}

	// A shell command there: { status, stdout, stderr }.
	sh(script, { timeout = 120_000 } = {}) {
		return spawnSync('nsenter', [...this.#enter('-m', '-p', '-C', '-u', '-i', '-n'), '-r', '-w', '--',
			'/usr/bin/env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', 'SYSTEMD_PAGER=',
			'/bin/sh', '-c', script], { encoding: 'utf8', timeout, maxBuffer: 64 << 20 });
	}

	// The same, which must succeed: what it wrote.
	must(script, options) {
		const got = this.sh(script, options);
		if (got.status !== 0)
			throw new Error(`${script}\nexit ${got.status} ${got.signal ?? ''}\n${got.stdout}${got.stderr}\n${this.tail()}`);
		return got.stdout.trim();
	}

	#enter(...namespaces) {
		return ['-t', String(this.pid), ...namespaces];
	}

	// A program of this machine in the other's network.
	spawnInNetwork(command, args, options) {
		return spawn('nsenter', [...this.#enter('-n'), '--', command, ...args], options);
	}

	path(inside) {
		return `/proc/${this.pid}/root${inside}`;
	}
	write(inside, text) {
		writeFileSync(this.path(inside), text);
	}
	copy(outside, inside) {
		copyFileSync(outside, this.path(inside));
	}
	exists(inside) {
		return this.sh(`test -e '${inside}' -o -L '${inside}'`).status === 0;
	}

	show(unit, property) {
		return this.must(`systemctl show --property=${property} --value '${unit}'`);
	}
	mainPid(unit) {
		return Number(this.show(unit, 'MainPID'));
	}

	// Entries of the journal that match, as objects.
	journal(...matches) {
		return this.must(`journalctl --output=json --no-pager ${matches.join(' ')} 2>/dev/null || true`)
		    .split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
	}
	tail() {
		return this.sh('journalctl --no-pager --output=short-precise --lines=60').stdout;
	}

	async until(question, what, timeoutMs = 60_000) {
		const deadline = Date.now() + timeoutMs;
		for (;;) {
			const value = await question();
			if (value)
				return value;
			if (Date.now() > deadline)
				throw new Error(`not within ${timeoutMs} ms: ${what}\n${this.tail()}`);
			await sleep(50);
		}
	}

	async stop() {
		const gone = new Promise((resolve) => this.child.once('exit', resolve));
		if (this.child.exitCode === null) {
			process.kill(this.pid, 'SIGKILL'); // all in its pid namespace go with it
			await gone;
		}
		spawnSync('find', [readFileSync(`${this.top}.cgroup`, 'utf8').trim(), '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
		rmSync(this.top, { recursive: true, force: true });
		rmSync(this.logPath, { force: true });
		rmSync(`${this.top}.cgroup`, { force: true });
	}
}
