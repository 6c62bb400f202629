// tests/integration/program.mjs - programs of the build, and of the host: started, waited for by what they say, ended
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';

export const BUILD = process.env.WARDEN_BUILD ?? 'build';
// 'plain', 'sanitizers' (no sandbox, no memory limits, slower) or 'valgrind' (much slower).
export const FLAVOR = process.env.WARDEN_FLAVOR ?? 'plain';
export const PLAIN = FLAVOR === 'plain';
// How much longer than on the plain build a step may take.
export const SLOWNESS = { plain: 1, sanitizers: 4, valgrind: 20 }[FLAVOR];

// What a wait for a condition may take beyond what it should: it ends with the condition, so only a failure takes that
// long, and a machine that is busy with something else fails nobody. Never in an assertion.
export const PATIENCE = 4;

const START_MS = 10_000 * SLOWNESS * PATIENCE;
const KEPT_LINES = 100; // of a program whose lines somebody takes
const STOP_MS = 15_000 * SLOWNESS * PATIENCE;

// Where the build tree keeps a program; an absolute path is one of the host's.
export function binary(name) {
	if (name.startsWith('/'))
		return name;
	for (const folder of ['.', 'gateway', 'worker', 'simulator', 'cli', 'tests/tools']) {
		const path = resolve(BUILD, folder, name);
		if (existsSync(path))
			return path;
	}
	throw new Error(`${name} not found under ${BUILD}: set WARDEN_BUILD to the build directory`);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A port that the kernel says is free, for programs that have to be told theirs.
export async function freePort() {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	server.close();
	await once(server, 'close');
	return port;
}

// Ask until the answer is neither false nor undefined; for states that no program announces.
export async function eventually(question, { timeoutMs = 5000, what = 'condition' } = {}) {
	const deadline = Date.now() + timeoutMs * SLOWNESS * PATIENCE;
	for (;;) {
		const value = await question();
		if (value !== false && value !== undefined && value !== null)
			return value;
		if (Date.now() > deadline)
			throw new Error(`not within ${timeoutMs * SLOWNESS * PATIENCE} ms: ${what}`);
		await sleep(20);
	}
}

// A running program: its lines as they come, its end as a promise.
export class Program {
	// onLine: gets each line; only the last ones are kept then. For programs that run for hours.
	constructor(name, args, { env = {}, cwd, prefix = [], onLine } = {}) {
		this.name = name;
		this.onLine = onLine;
		this.lines = []; // both streams, in order of arrival
		this.stdout = '';
		this.stderr = '';
		this.waiting = [];
		const argv = [...prefix, binary(name), ...args];
		this.child = spawn(argv[0], argv.slice(1), {
			cwd,
			env: { PATH: process.env.PATH, HOME: process.env.HOME ?? '/', ...sanitizerEnv(), ...env },
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.pid = this.child.pid;
		for (const stream of ['stdout', 'stderr'])
			this.#follow(stream);
		this.exited = new Promise((resolve) => {
			this.child.once('error', (error) => this.#onExit({ code: null, signal: null, error }, resolve));
			this.child.once('exit', (code, signal) => this.#onExit({ code, signal }, resolve));
		});
		// both streams are at their end too: nothing of the output is missing
		this.closed = new Promise((resolve) => {
			this.child.once('error', resolve);
			this.child.once('close', resolve);
		});
	}

	#follow(stream) {
		let rest = '';
		this.child[stream].setEncoding('utf8').on('data', (chunk) => {
			if (this.onLine === undefined)
				this[stream] += chunk;
			const parts = (rest + chunk).split('\n');
			rest = parts.pop();
			for (const line of parts)
				this.#onLine(line);
		});
	}

	#onLine(text) {
		let json = null;
		if (text.startsWith('{'))
			try {
				json = JSON.parse(text);
			} catch {
				// a line that merely begins like JSON stays text
			}
		const line = { text, json };
		this.lines.push(line);
		if (this.onLine !== undefined) {
			this.onLine(line);
			this.lines.splice(0, this.lines.length - KEPT_LINES);
		}
		for (const w of [...this.waiting])
			w.offer(line);
	}

	#onExit(result, resolve) {
		this.result = result;
		for (const w of [...this.waiting])
			w.ended();
		resolve(result);
	}

	// The first line, past or future, that satisfies the question.
	line(question, { timeoutMs = START_MS, what = 'line', from = 0 } = {}) {
		const have = this.lines.slice(from).find(question);
		if (have !== undefined)
			return Promise.resolve(have);
		return new Promise((resolve, reject) => {
			const done = (settle, value) => {
				clearTimeout(timer);
				this.waiting = this.waiting.filter((w) => w !== waiter);
				settle(value);
			};
			const fail = (why) => done(reject, new Error(
			    `${this.name}: ${why} while waiting for ${what}; last lines:\n${this.tail()}`));
			const waiter = {
				offer: (line) => question(line) && done(resolve, line),
				ended: () => fail(`ended (${JSON.stringify(this.result)})`),
			};
			const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
			this.waiting.push(waiter);
			if (this.result !== undefined)
				waiter.ended();
		});
	}

	// The first log line of this event with these fields.
	event(name, fields = {}, options = {}) {
		return this.line(({ json }) => json?.event === name &&
		    Object.entries(fields).every(([key, value]) => json[key] === value),
		    { what: `event ${name} ${JSON.stringify(fields)}`, ...options }).then(({ json }) => json);
	}

	events(name) {
		return this.lines.filter(({ json }) => json?.event === name).map(({ json }) => json);
	}

	tail(n = 15) {
		return this.lines.slice(-n).map(({ text }) => `  ${text}`).join('\n');
	}

	kill(signal = 'SIGTERM') {
		if (this.result === undefined)
			this.child.kill(signal);
	}

	async waitExit(timeoutMs = STOP_MS) {
		let timer;
		const late = new Promise((resolve, reject) => {
			timer = setTimeout(() => reject(new Error(
			    `${this.name} (pid ${this.pid}) still runs after ${timeoutMs} ms; last lines:\n${this.tail()}`)),
			    timeoutMs);
		});
		try {
			const result = await Promise.race([this.exited, late]);
			return result;
		} finally {
			clearTimeout(timer);
		}
	}
}

function sanitizerEnv() {
	const env = {};
	for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'])
		if (process.env[name] !== undefined)
			env[name] = process.env[name];
	return env;
}

// Run a program to its end.
export async function run(name, args, { env, timeoutMs = 20_000 * SLOWNESS * PATIENCE } = {}) {
	const program = new Program(name, args, { env });
	const result = await program.waitExit(timeoutMs).catch((error) => {
		program.kill('SIGKILL');
		throw error;
	});
	await program.closed;
	return { ...result, stdout: program.stdout, stderr: program.stderr };
}
