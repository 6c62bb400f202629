// tests/integration/redis.mjs - a real redis-server of the test's own: started, stopped, killed, filled
import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort } from './harness.mjs';

export class Redis {
	constructor(dir) {
		this.dir = dir;
		this.sock = join(dir, 'redis.sock');
		this.args = [];
	}

	// unix: the URL of its socket; url: of its port.
	get unix() {
		return `unix:${this.sock}`;
	}

	get url() {
		return `redis://127.0.0.1:${this.port}`;
	}

	// Again with the same port, socket and folder; keeps nothing unless the arguments say so.
	async start(args = this.args) {
		this.args = args;
		this.port ??= await freePort();
		this.child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1',
			'--unixsocket', this.sock, '--dir', this.dir, '--save', '', '--loglevel', 'warning',
			'--enable-debug-command', 'yes', ...args], { stdio: 'ignore' });
		this.ended = new Promise((resolve) => {
			this.child.once('error', resolve);
			this.child.once('exit', resolve);
		});
		const child = this.child;
		let gone = false;
		this.ended.then(() => { gone = true; });
		await eventually(async () => {
			if (gone)
				throw new Error('redis-server ended at its start');
			return this.child === child && await this.command('PING').then(() => true, (error) =>
				/NOAUTH|LOADING/.test(error.message));
		}, { what: 'redis-server' });
		return this;
	}

	signal(signal) {
		this.child.kill(signal);
	}

	async kill(signal = 'SIGKILL') {
		this.child.kill('SIGCONT');
		this.child.kill(signal);
		await this.ended;
	}

	// Running, whatever the test before has left.
	async heal() {
		if (this.child.exitCode !== null || this.child.signalCode !== null)
			await this.start();
		this.child.kill('SIGCONT');
	}

	// One command over a connection of its own; what it answers, errors as errors.
	async command(...args) {
		const answers = await this.commands([args]);
		return answers[0];
	}

	commands(list, { timeoutMs = 5000 } = {}) {
		return new Promise((resolve, reject) => {
			const socket = createConnection(this.sock);
			const timer = setTimeout(() => socket.destroy(new Error('redis-server does not answer')), timeoutMs);
			const answers = [];
			let rest = Buffer.alloc(0);
			socket.on('error', reject).on('close', () => {
				clearTimeout(timer);
				reject(new Error('closed'));
			});
			socket.on('data', (data) => {
				rest = Buffer.concat([rest, data]);
				for (;;) {
					const parsed = parse(rest, 0);
					if (parsed === undefined)
						return;
					rest = rest.subarray(parsed.end);
					answers.push(parsed.value);
					if (answers.length < list.length)
						continue;
					clearTimeout(timer);
					socket.destroy();
					const error = answers.find((a) => a instanceof Error);
					if (error !== undefined)
						reject(error);
					else
						resolve(answers);
					return;
				}
			});
			for (const args of list) {
				const parts = args.map((a) => Buffer.from(String(a)));
				socket.write(Buffer.concat([Buffer.from(`*${parts.length}\r\n`),
					...parts.flatMap((p) => [Buffer.from(`$${p.length}\r\n`), p, Buffer.from('\r\n')])]));
			}
		});
	}
}

// One RESP2 value at `at`, or undefined while it is not whole.
function parse(bytes, at) {
	const eol = bytes.indexOf('\r\n', at);
	if (eol < 0)
		return undefined;
	const text = bytes.toString('utf8', at + 1, eol);
	const end = eol + 2;
	switch (String.fromCharCode(bytes[at])) {
	case '+':
		return { value: text, end };
	case '-':
		return { value: new Error(text), end };
	case ':':
		return { value: Number(text), end };
	case '$': {
		const n = Number(text);
		if (n < 0)
			return { value: null, end };
		if (bytes.length < end + n + 2)
			return undefined;
		return { value: bytes.toString('utf8', end, end + n), end: end + n + 2 };
	}
	case '*': {
		const value = [];
		let next = end;
		for (let i = 0; i < Number(text); i++) {
			const item = parse(bytes, next);
			if (item === undefined)
				return undefined;
			value.push(item.value);
			next = item.end;
		}
		return { value, end: next };
	}
	default:
		throw new Error(`not RESP: ${bytes.toString('latin1', at, at + 20)}`);
	}
}

export async function startRedis(world, args = []) {
	const dir = join(world.dir, 'redis');
	mkdirSync(dir, { recursive: true });
	const redis = new Redis(dir);
	await redis.start(args);
	return redis;
}
