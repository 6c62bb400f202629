// tests/bench/baileys.mjs - a process with Baileys sessions, and a hand on it
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('baileys-sessions.mjs', import.meta.url));

export class BaileysProcess {
	// args: as baileys-sessions.mjs takes them; prefix: of its command line; heapMb: what Node may use.
	constructor(world, { args = [], prefix = [], heapMb } = {}) {
		this.world = world;
		this.closed = 0; // sessions that went without being told
		this.answers = new Map();
		this.waiting = new Map(); // event -> resolve
		this.next = 0;
		const argv = [...prefix, process.execPath, ...(heapMb ? [`--max-old-space-size=${heapMb}`] : []), script,
			world.simInfo.url, world.simInfo.rootKey, ...args];
		this.child = spawn(argv[0], argv.slice(1), {
			env: { PATH: process.env.PATH, ...(world.simInfo.ca ? { NODE_EXTRA_CA_CERTS: world.simInfo.ca } : {}) },
			stdio: ['pipe', 'pipe', 'inherit'],
		});
		this.pid = this.child.pid;
		this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
		void this.exited.then(({ code, signal }) => {
			const error = new Error(`Baileys ended (${code ?? signal})`);
			for (const { reject } of [...this.answers.values(), ...this.waiting.values()])
				reject(error);
		});
		createInterface({ input: this.child.stdout }).on('line', (line) => this.#take(JSON.parse(line)));
		this.child.stdin.on('error', () => {}); // its end is told by exited
	}

	#take(line) {
		if (line.event === 'qr')
			void this.#scan(line.qr);
		else if (line.event === 'close')
			this.closed++;
		else if (line.event !== undefined)
			this.waiting.get(line.event)?.resolve();
		else
			this.answers.get(line.id).resolve(line);
	}

	async #scan(qr) {
		const r = await this.world.scan(await this.world.newPhone(), qr);
		if (r.status !== 200)
			console.error(`scan for Baileys: ${r.text}`);
	}

	// Until it says so; asked for before it can have said so.
	until(event) {
		return new Promise((resolve, reject) => this.waiting.set(event, { resolve, reject }));
	}

	ask(name, argument) {
		const id = this.next++;
		const answer = new Promise((resolve, reject) => this.answers.set(id, { resolve, reject }));
		this.child.stdin.write(`${JSON.stringify({ id, name, argument })}\n`);
		return answer;
	}

	async stop() {
		this.child.kill('SIGKILL');
		await this.exited;
	}
}

export async function startBaileys(world, options) {
	const baileys = new BaileysProcess(world, options);
	await baileys.until('ready');
	return baileys;
}

// From nothing, a new process, to what it says then; ms.
export async function fromNothing(world, event, args) {
	const began = performance.now();
	const baileys = new BaileysProcess(world, { args });
	try {
		await baileys.until(event);
		return performance.now() - began;
	} finally {
		await baileys.stop();
	}
}
