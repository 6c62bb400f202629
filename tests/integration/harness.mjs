// tests/integration/harness.mjs - the real programs in a temporary directory, and a hand on each of them
//
// A World is one simulator, one gateway and what they start (program.mjs). Every program listens on a port of
// the kernel's choice and is waited for by what it says, never by a fixed sleep. World.stop() ends all of
// it by pid and then insists: nothing is left running, and no log holds a token or a code.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { differs } from './openapi.mjs';
import { Program, binary, eventually, run } from './program.mjs';
import * as proc from './proc.mjs';

export * from './program.mjs';

// Reports of the sanitizers, wherever a program wrote them.
const SANITIZER_REPORT = /AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:/;

export class World {
	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), 'warden-it-'));
		chmodSync(this.dir, 0o755);
		this.dataDir = join(this.dir, 'data');
		this.runDir = join(this.dir, 'run');
		this.programs = [];
		this.secrets = new Set(); // tokens and codes seen; none may reach a log
		this.workerStarts = new Map(); // pid of a worker that was seen, and when it started: pids come back
		this.drift = new Set(); // answers that openapi.json does not describe
		this.accounts = 0;
		this.instances = 0;
		this.phones = 0;
	}

	// ---- programs ------------------------------------------------------------------------------

	async startSim({ tls = false, seed = 1, args = [], onLine } = {}) {
		const stateDir = join(this.dir, 'sim');
		mkdirSync(stateDir, { recursive: true });
		const sim = this.#start('warden-sim', ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0',
			'--strict', '--state-dir', stateDir, '--seed', String(seed), ...(tls ? ['--tls'] : []), ...args], { onLine });
		const { json } = await sim.line(({ json: j }) => j?.url !== undefined, { what: 'the JSON line' });
		this.sim = sim;
		this.simInfo = json;
		return json;
	}

	// settings: name -> value, as in the contract's table; env: further variables.
	async startGateway({ settings = {}, env = {}, args = [], expectExit = false, prefix, cwd, onLine } = {}) {
		const all = {
			listen: '127.0.0.1:0',
			data_dir: this.dataDir,
			run_dir: this.runDir,
			worker_path: binary('warden-worker'),
			wa_version: '2.3000.1045798079',
			log_format: 'json',
			log_level: 'debug',
			limit_per_minute: 1_000_000,
			limit_create_per_minute: 1_000_000,
			...this.simSettings(),
			...settings,
		};
		const flags = Object.entries(all).filter(([, value]) => value !== null)
		    .flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}`, String(value)]);
		const gateway = this.#start('wardend', [...flags, ...args], { env, prefix, cwd, onLine });
		if (expectExit)
			return gateway;
		this.gateway = gateway;
		const ready = await gateway.event('ready');
		const { address, port } = splitAddress(ready.address);
		this.address = { host: address, port };
		this.base = `http://${address}:${port}`;
		return gateway;
	}

	simSettings() {
		if (this.simInfo === undefined)
			return {};
		return {
			wa_url: this.simInfo.url,
			wa_root_key: this.simInfo.rootKey,
			...(this.simInfo.ca ? { wa_ca_file: this.simInfo.ca } : {}),
		};
	}

	#start(name, args, options) {
		const program = new Program(name, args, options);
		this.programs.push(program);
		return program;
	}

	// wardenctl against this world; its token, if any, by environment.
	ctl(args, { token, env = {}, timeoutMs } = {}) {
		return run('wardenctl', args, {
			timeoutMs,
			env: {
				WARDEN_RUN_DIR: this.runDir,
				WARDEN_URL: this.base,
				...(token !== undefined ? { WARDEN_TOKEN: token } : {}),
				...env,
			},
		});
	}

	// ---- accounts, instances, requests -----------------------------------------------------------

	async newAccount({ quota } = {}) {
		const name = `account-${++this.accounts}`;
		const r = await this.ctl(['account', 'create', name, '--json',
			...(quota !== undefined ? ['--quota', String(quota)] : [])]);
		assert.equal(r.code, 0, `wardenctl account create: ${r.stderr}`);
		const account = JSON.parse(r.stdout);
		this.secrets.add(account.token);
		return account;
	}

	// The account that most tests of one file share.
	async account() {
		this.sharedAccount ??= this.newAccount();
		return this.sharedAccount;
	}

	async newInstance({ name = `i-${++this.instances}`, token, body = {} } = {}) {
		const account = token ?? (await this.account()).token;
		const r = await this.request('POST', '/api/instance/new', { token: account, json: { name, ...body } });
		assert.equal(r.status, 201, r.text);
		this.secrets.add(r.json.instance.token);
		return { account, name, ...r.json.instance };
	}

	/*
	 * One HTTP request. json: body; token: sent as the `token` header. The answer has status, headers,
	 * text, bytes and, where it is JSON, json. Codes in it become secrets that no log may hold.
	 */
	// head: status and headers are all that is wanted; what goes on streaming is closed.
	async request(method, path, { token, headers = {}, json, body, signal, head = false } = {}) {
		const response = await fetch(this.base + path, {
			method,
			signal,
			redirect: 'manual',
			headers: {
				...(token !== undefined ? { token } : {}),
				...(json !== undefined ? { 'content-type': 'application/json' } : {}),
				...headers,
			},
			body: json !== undefined ? JSON.stringify(json) : body,
		});
		const streams = head && (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
		if (streams)
			await response.body.cancel();
		const bytes = streams ? Buffer.alloc(0) : Buffer.from(await response.arrayBuffer());
		const text = bytes.toString('utf8');
		const answer = { status: response.status, headers: response.headers, bytes, text, json: undefined };
		if ((response.headers.get('content-type') ?? '').startsWith('application/json')) {
			answer.json = JSON.parse(text);
			this.noteCode(answer.json.qrCode);
			this.noteCode(answer.json.pairingCode);
		}
		const drift = differs(method, path, answer);
		if (drift !== undefined)
			this.drift.add(drift);
		return answer;
	}

	noteCode(code) {
		if (typeof code !== 'string' || code === '')
			return;
		this.secrets.add(code);
		this.secrets.add(code.replace('-', ''));
		for (const part of code.slice(code.indexOf('#') + 1).split(','))
			if (part.length > 16)
				this.secrets.add(part);
	}

	connect(instance, { query = '', headers = {}, signal } = {}) {
		return this.request('GET', `/api/instance/connect/${instance.name}${query}`,
		    { token: instance.account, headers, signal });
	}

	async listed(instance) {
		const r = await this.request('GET', `/api/instance/list?instanceName=${instance.name}`,
		    { token: instance.account });
		assert.equal(r.status, 200, r.text);
		return r.json.instances[0];
	}

	// ---- the simulator's control API -------------------------------------------------------------

	async control(method, path, json) {
		const response = await fetch(this.simInfo.control + path, {
			method,
			headers: json !== undefined ? { 'content-type': 'application/json' } : {},
			body: json !== undefined ? JSON.stringify(json) : undefined,
		});
		const text = await response.text();
		return { status: response.status, text, json: text === '' ? undefined : JSON.parse(text) };
	}

	// Hand a fault to the simulator; it holds for every connection until cleared, or for the nth.
	async fault(stage, fault, match = {}) {
		const r = await this.control('POST', '/faults', { match: { stage, ...match }, fault });
		assert.equal(r.status, 201, `fault ${stage} ${JSON.stringify(fault)}: ${r.text}`);
		return r.json.id;
	}

	async clearFaults() {
		const r = await this.control('DELETE', '/faults');
		assert.ok(r.status >= 200 && r.status < 300, r.text);
	}

	async clients() {
		return (await this.control('GET', '/clients')).json;
	}

	// ---- phones and links ------------------------------------------------------------------------

	// A phone of the simulator: its number unless one is given is one that no other has.
	async newPhone(options = {}) {
		const number = options.number ?? String(5511900000000 + ++this.phones);
		const r = await this.control('POST', '/phones', { number, name: `Phone ${this.phones}`, ...options });
		assert.equal(r.status, 201, r.text);
		return r.json;
	}

	// The person scans what connect has answered. 200 { device, jid }, or the simulator's refusal.
	scan(phone, qr) {
		return this.control('POST', `/phones/${phone.number}/scan`, { qr });
	}

	// An instance from its QR to `connected`, with a phone of its own unless one is given.
	async link(instance, { phone, query = '' } = {}) {
		phone ??= await this.newPhone();
		const answer = await this.connect(instance, { query });
		assert.equal(answer.status, 200, answer.text);
		const scanned = await this.scan(phone, answer.json.qrCode);
		assert.equal(scanned.status, 200, scanned.text);
		const listed = await this.until(instance, 'connected');
		return { phone, listed, ...scanned.json };
	}

	// Until list shows this state (or one that the question accepts). Answers the instance.
	until(instance, state, { timeoutMs = 10_000 } = {}) {
		const fits = typeof state === 'function' ? state : (i) => i.connection.state === state;
		let last;
		return eventually(async () => {
			last = await this.listed(instance);
			return fits(last) && last;
		}, { timeoutMs, what: `state ${state}` }).catch((error) => {
			throw new Error(`${error.message}; last: ${JSON.stringify(last?.connection)}`);
		});
	}

	// The simulator's connections that are online (or at another stage), newest last.
	async online(stage = 'online') {
		return (await this.clients()).filter((c) => c.stage === stage);
	}

	async device(phone, id) {
		const r = await this.control('GET', `/phones/${phone.number}`);
		assert.equal(r.status, 200, r.text);
		return id === undefined ? r.json.devices : r.json.devices.find((d) => d.id === id);
	}

	unlink(phone, id) {
		return this.control('DELETE', `/phones/${phone.number}/devices/${id}`);
	}

	// Files of an instance on disk.
	files(instance) {
		return folder(join(this.dataDir, 'instances', instance.id));
	}

	// ---- processes -------------------------------------------------------------------------------

	// The workers of this world, or of one instance: [{ pid, id }].
	workers(instance) {
		const prefix = join(this.dataDir, 'instances') + '/';
		const found = [];
		for (const pid of proc.findByArgs((args) => args.some((a) => a.startsWith(prefix)))) {
			const args = proc.cmdline(pid) ?? [];
			const id = args[args.indexOf('--instance') + 1];
			if (instance === undefined || id === instance.id) {
				this.workerStarts.set(pid, proc.stat(pid)?.startTicks);
				found.push({ pid, id });
			}
		}
		return found;
	}

	zygote() {
		return proc.findByArgs((args) => args.some((a) => a === '--zygote'))
		    .find((pid) => proc.stat(pid)?.ppid === this.gateway.pid);
	}

	// Everything that descends from a program or works in this world's directories.
	survivors() {
		const inside = proc.findByArgs((args) => args.some((a) => a.startsWith(this.dir + '/')));
		const workers = [...this.workerStarts].filter(([pid, start]) =>
			proc.isRunning(pid) && proc.stat(pid)?.startTicks === start).map(([pid]) => pid);
		const known = [...workers, ...this.programs.filter((p) => p.result === undefined).map((p) => p.pid)]
		    .filter((pid) => proc.isRunning(pid));
		return [...new Set([...inside, ...known])];
	}

	// kill -9 of the gateway. Its workers go on, for the next one to take over; pids of theirs.
	async killGateway() {
		const orphans = this.workers().map(({ pid }) => pid);
		this.gateway.kill('SIGKILL');
		await this.gateway.waitExit();
		return orphans;
	}

	async healthy() {
		const r = await this.request('GET', '/health');
		assert.equal(r.status, 200, r.text);
		assert.equal(r.json.status, 'ok', r.text);
	}

	// ---- the end -----------------------------------------------------------------------------------

	async stop() {
		const problems = [];
		const note = (problem) => problems.push(problem);
		if (this.gateway !== undefined && this.gateway.result === undefined) {
			this.workers();
			this.gateway.kill('SIGTERM');
			await this.gateway.waitExit().catch((error) => note(error.message));
			if (this.gateway.result !== undefined && this.gateway.result.code !== 0)
				note(`wardend ended with ${JSON.stringify(this.gateway.result)}:\n${this.gateway.tail()}`);
		}
		await eventually(() => this.survivors().filter((pid) => pid !== this.sim?.pid).length === 0,
		    { timeoutMs: 5000, what: 'end of all workers' }).catch(() =>
			note(`left running: ${this.survivors().filter((pid) => pid !== this.sim?.pid)
			    .map((pid) => `${pid} ${proc.cmdline(pid)?.join(' ')}`).join('; ')}`));
		if (this.sim !== undefined && this.sim.result === undefined) {
			this.sim.kill('SIGTERM');
			await this.sim.waitExit().catch((error) => note(error.message));
			if (this.sim.result !== undefined && this.sim.result.code !== 0)
				note(`warden-sim ended with ${JSON.stringify(this.sim.result)}:\n${this.sim.tail()}`);
		}
		for (const pid of this.survivors())
			try {
				process.kill(pid, 'SIGKILL');
			} catch {
				// ended by itself meanwhile
			}
		await Promise.all(this.programs.map((p) => p.closed));
		this.#checkLogs(note);
		for (const drift of [...this.drift].slice(0, 5))
			note(drift);
		if (process.env.WARDEN_KEEP === undefined)
			rmSync(this.dir, { recursive: true, force: true });
		assert.deepEqual(problems, []);
	}

	#checkLogs(note) {
		for (const p of this.programs) {
			const secret = [...this.secrets].find((s) => p.stderr.includes(s));
			if (secret !== undefined && p.name !== 'warden-sim')
				note(`${p.name} logged a token or a code: ` +
				    p.lines.find(({ text }) => text.includes(secret))?.text);
			const report = p.stderr.match(SANITIZER_REPORT);
			if (report !== null)
				note(`${p.name}: ${p.stderr.slice(report.index, report.index + 3000)}`);
		}
	}
}

// "127.0.0.1:80" or "[::1]:80" in its parts.
function splitAddress(text) {
	const m = text.match(/^\[?([^\]]*)\]?:(\d+)$/);
	assert.ok(m, `not an address: ${text}`);
	return { address: m[1], port: Number(m[2]) };
}

// A simulator and a gateway, ready.
export async function startWorld({ sim = {}, gateway = {} } = {}) {
	const world = new World();
	try {
		await world.startSim(sim);
		await world.startGateway(gateway);
	} catch (error) {
		await world.stop().catch(() => {});
		throw error;
	}
	return world;
}

// Exactly the contract's error answer.
export function assertError(answer, status, message, code) {
	assert.equal(answer.status, status, answer.text);
	assert.match(answer.headers.get('content-type'), /^application\/json/);
	assert.equal(answer.json.success, false);
	assert.equal(answer.json.error.message, message);
	assert.equal(answer.json.error.code, code);
	assert.deepEqual(Object.keys(answer.json).sort(), ['error', 'success']);
	if (answer.json.error.detail !== undefined)
		assert.equal(typeof answer.json.error.detail, 'string');
}

export const QR_FAILED = 'Failed to generate QR code';

// The text of today's QR: prefix, then ref, three base64 keys of 32 bytes, and the client type.
export const QR_TEXT = /^https:\/\/wa\.me\/settings\/linked_devices#([^,]+(?:,[^,]+)*),([A-Za-z0-9+/]{43}=),([A-Za-z0-9+/]{43}=),([A-Za-z0-9+/]{43}=),([0-9a-m])$/;

// A 200 that carries a code, checked field by field.
export function assertQr(answer) {
	assert.equal(answer.status, 200, answer.text);
	const body = answer.json;
	assert.equal(body.success, true);
	assert.equal(body.message, 'QR code generated');
	assert.equal(body.status, 'qr');
	assert.match(body.qrCode, QR_TEXT);
	assert.match(body.qrCodeBase64, /^data:image\/png;base64,iVBORw0KGgo[A-Za-z0-9+/]+=*$/);
	assert.ok(Number.isInteger(body.expiresIn) && body.expiresIn >= 2 && body.expiresIn <= 60,
	    `expiresIn ${body.expiresIn}`);
	assert.match(body.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
	const left = (Date.parse(body.expiresAt) - Date.now()) / 1000;
	assert.ok(Math.abs(left - body.expiresIn) < 3, `expiresAt ${left} s ahead, expiresIn ${body.expiresIn}`);
	return body;
}

export function readText(path) {
	return readFileSync(path, 'utf8');
}

export function folder(path) {
	return existsSync(path) ? readdirSync(path) : [];
}

export { proc };
