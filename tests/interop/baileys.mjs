// tests/interop/baileys.mjs - a Baileys process and what it reports, and a world with a simulator
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PATIENCE, SLOWNESS, World } from '../integration/harness.mjs';

const client = fileURLToPath(new URL('baileys-client.mjs', import.meta.url));

// What a Baileys process reports, event by event.
export class Baileys {
	constructor(info, options) {
		this.seen = [];
		this.waiting = [];
		this.stderr = '';
		this.child = spawn(process.execPath, [client, info.url, info.rootKey, JSON.stringify(options)], {
			env: { PATH: process.env.PATH, ...(info.ca ? { NODE_EXTRA_CA_CERTS: info.ca } : {}) },
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
		this.exited = new Promise((resolve) => this.child.once('exit', (code) => {
			resolve(code);
			for (const w of this.waiting)
				w.reject(new Error(`Baileys ended (${code}) before ${w.event}: ${this.report()}`));
		}));
		createInterface({ input: this.child.stdout }).on('line', (text) => {
			const line = JSON.parse(text);
			this.seen.push(line);
			this.waiting = this.waiting.filter((w) => w.event !== line.event || w.resolve(line));
		});
		this.timer = setTimeout(() => this.child.kill('SIGKILL'), 60_000 * SLOWNESS * PATIENCE);
	}

	report() {
		return `${this.seen.map((line) => JSON.stringify(line)).join(' ')} ${this.stderr}`;
	}

	// The first report of that event that nobody has taken yet.
	async next(event) {
		let line = this.seen.find((l) => l.event === event && !l.taken);
		line ??= await new Promise((resolve, reject) => this.waiting.push({ event, resolve, reject }));
		line.taken = true;
		return line;
	}

	async stop() {
		clearTimeout(this.timer);
		this.child.kill('SIGTERM');
		await this.exited;
	}
}

export async function withSim(options, body) {
	const world = new World();
	try {
		await body(world, await world.startSim(options));
	} finally {
		await world.stop();
	}
}
