// tests/integration/netlab.mjs - a small network of its own: the gateway on one side, proxies and the
// simulator on the other, and a count of every packet that does not go to the proxies
//
//   test ── ctl ── [inside: wardend, workers] ── link to the proxies ── [outside: proxies, warden-sim]
//                            └──────────────── default route, counted ─────────┘
//
// The default route works: what is sent around a proxy reaches the simulator, or its name server's
// address, and is counted on the way. Names in outside's hosts file are known to nobody else.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const PROXY = '198.19.1.2'; // where the proxies listen
export const PROXY_NAME = 'proxy.warden.test'; // known inside
export const TARGET = '198.19.255.7'; // where the simulator can be reached without one
export const TARGET_NAME = 'chat.warden.test'; // known outside only

const TOOLS = ['ip', 'tinyproxy', 'danted', 'microsocks', 'stunnel', 'openssl'];

// null, or why there can be no such network here.
export function whyNot() {
	if (process.getuid() !== 0)
		return 'needs root: network namespaces';
	const path = `${process.env.PATH}:/usr/sbin:/sbin`.split(':');
	const missing = TOOLS.filter((tool) => !path.some((dir) => existsSync(join(dir, tool))));
	if (missing.length > 0)
		return `not installed: ${missing.join(', ')}`;
	return whyNoNamespace();
}

// A namespace made, entered, wired and removed, as the lab does it: some containers and chroots can't.
function whyNoNamespace() {
	const ns = `wl${process.pid}p`;
	try {
		ip('netns', 'add', ns);
		ip('-n', ns, 'link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1');
		ip('netns', 'exec', ns, 'true');
		return null;
	} catch (error) {
		return `no network of its own here: ${String(error.stderr ?? error).trim().split('\n')[0]}`;
	} finally {
		try {
			ip('netns', 'del', ns);
		} catch {
			// was not made
		}
	}
}

function ip(...args) {
	return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}

function kill(pid) {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		// gone
	}
}

let labs = 0;

export class Lab {
	constructor() {
		const id = `wl${process.pid}${'abcdefgh'[labs++ % 8]}`;
		const net = `198.18.${(process.pid + labs) % 250}`;
		this.dir = mkdtempSync(join(tmpdir(), 'warden-lab-'));
		this.inside = `${id}i`;
		this.outside = `${id}o`;
		this.gateway = `${net}.2`; // inside, as the test reaches it
		this.control = `${net}.6`; // outside, likewise
		this.children = [];
		this.marked = 0;
		try {
			this.#build(id, net);
		} catch (error) {
			this.#destroy();
			throw error;
		}
	}

	#build(id, net) {
		const { inside, outside } = this;
		for (const ns of [inside, outside]) {
			ip('netns', 'add', ns);
			ip('-n', ns, 'link', 'set', 'lo', 'up');
			mkdirSync(`/etc/netns/${ns}`, { recursive: true });
			// where nobody answers: a question asked there is one that went around
			writeFileSync(`/etc/netns/${ns}/resolv.conf`, `nameserver ${TARGET}\n`);
		}
		const localhost = '127.0.0.1 localhost\n';
		writeFileSync(`/etc/netns/${inside}/hosts`, `${localhost}${PROXY} ${PROXY_NAME}\n`);
		writeFileSync(`/etc/netns/${outside}/hosts`, `${localhost}${TARGET} ${TARGET_NAME}\n`);
		this.#wire([null, `${id}1`, `${net}.1`], [inside, 'ctl', this.gateway]);
		this.#wire([null, `${id}2`, `${net}.5`], [outside, 'ctl', this.control]);
		this.#wire([inside, 'proxies', '198.19.1.1'], [outside, 'proxies', PROXY]);
		this.#wire([inside, 'around', '198.19.2.1'], [outside, 'around', '198.19.2.2']);
		// known for good: address resolution is no packet of ours, but would be counted
		const mac = (ns) => JSON.parse(ip('-n', ns, '-j', 'link', 'show', 'around'))[0].address;
		ip('-n', inside, 'neigh', 'add', '198.19.2.2', 'lladdr', mac(outside), 'dev', 'around');
		ip('-n', outside, 'neigh', 'add', '198.19.2.1', 'lladdr', mac(inside), 'dev', 'around');
		ip('-n', outside, 'addr', 'add', `${TARGET}/32`, 'dev', 'lo');
		ip('-n', inside, 'route', 'add', 'default', 'via', '198.19.2.2');
	}

	// Two ends of a cable: [namespace or null, name, address].
	#wire(...ends) {
		const where = (ns) => (ns === null ? [] : ['-n', ns]);
		const [[nsA, a], [nsB, b]] = ends;
		ip(...where(nsA), 'link', 'add', a, 'type', 'veth', 'peer', 'name', b, 'netns', nsB);
		for (const [ns, name, address] of ends) {
			// no IPv6 of its own accord: its neighbour discovery would be counted
			ip(...where(ns), 'link', 'set', name, 'addrgenmode', 'none');
			ip(...where(ns), 'addr', 'add', `${address}/30`, 'dev', name);
			ip(...where(ns), 'link', 'set', name, 'up');
		}
	}

	// Packets that left inside by any way but to the proxies (or to the test), since the last mark().
	around() {
		return this.#sent() - this.marked;
	}

	mark() {
		this.marked = this.#sent();
	}

	#sent() {
		const [{ stats64 }] = JSON.parse(ip('-n', this.inside, '-s', '-j', 'link', 'show', 'around'));
		return stats64.tx.packets;
	}

	prefix(ns) {
		return ['ip', 'netns', 'exec', ns];
	}

	// A program outside, ready when it accepts on that port. Ended with the lab, or by end().
	async serve(argv, port, address = null) {
		const child = spawn('ip', ['netns', 'exec', this.outside, ...argv],
		    { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
		const served = { child, port, output: '', gone: new Promise((resolve) => {
			child.once('error', resolve);
			child.once('exit', resolve);
		}) };
		for (const stream of [child.stdout, child.stderr])
			stream.on('data', (chunk) => {
				served.output += chunk;
			});
		this.children.push(served);
		for (const deadline = Date.now() + 10_000; !this.#listens(port, address);) {
			if (child.exitCode !== null || Date.now() > deadline)
				throw new Error(`${argv.join(' ')} does not listen on ${port}:\n${served.output}`);
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		return served;
	}

	// With its children: not all of them end theirs.
	async end({ child, gone }) {
		if (child.pid === undefined)
			return;
		for (const pid of [-child.pid, child.pid])
			kill(pid);
		await gone;
	}

	#listens(port, address) {
		const text = execFileSync('ip', ['netns', 'exec', this.outside, 'cat', '/proc/net/tcp'],
		    { encoding: 'utf8' });
		const hex = (number, digits) => number.toString(16).toUpperCase().padStart(digits, '0');
		const host = address === null ? '' :
			address.split('.').reverse().map((n) => hex(Number(n), 2)).join('');
		return text.split('\n').some((l) => l.includes(`${host}:${hex(port, 4)} 00000000:0000 0A`));
	}

	// A file in the lab's folder; answers its path.
	file(name, text) {
		const path = join(this.dir, name);
		writeFileSync(path, text, { mode: 0o600 });
		return path;
	}

	// ---- proxies -------------------------------------------------------------------------------

	tinyproxy(port, { username, password } = {}) {
		const config = this.file(`tinyproxy-${port}.conf`, [
			`Port ${port}`, `Listen 0.0.0.0`, 'Timeout 600', 'MaxClients 100', 'LogLevel Connect',
			...(username !== undefined ? [`BasicAuth ${username} ${password}`] : []),
		].join('\n') + '\n');
		return this.serve(['tinyproxy', '-d', '-c', config], port);
	}

	danted(port) {
		const config = this.file(`danted-${port}.conf`, `
logoutput: stderr
internal: ${PROXY} port = ${port}
external: lo
external.rotation: route
user.privileged: root
user.unprivileged: nobody
clientmethod: none
socksmethod: none
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect }
`);
		return this.serve(['danted', '-f', config], port);
	}

	microsocks(port, { username, password }) {
		return this.serve(['microsocks', '-i', PROXY, '-p', String(port), '-u', username, '-P', password],
		    port);
	}

	// TLS in front of another proxy, with a certificate for these names of its own authority.
	async stunnel(port, behind, names = `DNS:${PROXY_NAME},IP:${PROXY}`) {
		const key = join(this.dir, `stunnel-${port}.key`);
		const cert = join(this.dir, `stunnel-${port}.pem`);
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
			'-nodes', '-days', '2', '-subj', '/CN=proxy', '-addext', `subjectAltName=${names}`,
			'-keyout', key, '-out', cert], { stdio: 'ignore' });
		const config = this.file(`stunnel-${port}.conf`, `
foreground = yes
pid =
[proxy]
accept = ${PROXY}:${port}
connect = 127.0.0.1:${behind}
cert = ${cert}
key = ${key}
`);
		return { ...await this.serve(['stunnel', config], port), ca: readFileSync(cert, 'utf8') };
	}

	// What only listens on outside's loopback, as the test reaches it.
	async relay(port) {
		const script = `const net = require('node:net');
			net.createServer((a) => {
				const b = net.connect(${port}, '127.0.0.1');
				for (const [from, to] of [[a, b], [b, a]])
					from.on('error', () => to.destroy()).pipe(to);
			}).listen(${port}, '${this.control}')`;
		await this.serve([process.execPath, '-e', script], port, this.control);
		return `${this.control}:${port}`;
	}

	// Accepts, and never says a word.
	silent(port) {
		const script = `require('node:net').createServer(() => {}).listen(${port}, '${PROXY}')`;
		return this.serve([process.execPath, '-e', script], port);
	}

	// ---- the end -------------------------------------------------------------------------------

	#destroy() {
		for (const ns of [this.inside, this.outside]) {
			try {
				ip('netns', 'del', ns);
			} catch {
				// it was never made
			}
			rmSync(`/etc/netns/${ns}`, { recursive: true, force: true });
		}
		rmSync(this.dir, { recursive: true, force: true });
	}

	async stop() {
		for (const child of this.children)
			await this.end(child);
		for (const pid of ip('netns', 'pids', this.outside).split('\n').filter((line) => line !== ''))
			kill(Number(pid));
		this.#destroy();
	}
}
