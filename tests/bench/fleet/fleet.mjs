// tests/bench/fleet/fleet.mjs - a host with N linked instances, each followed by a reader, and who it takes to drive them
import { join } from 'node:path';
import { World, eventually } from '../../integration/harness.mjs';
import { HookServer, SocketReader, StreamReader } from './readers.mjs';
import { Counts, Latencies, Problems } from './stats.mjs';
import { Caller } from './http.mjs';
import { Ledger } from './ledger.mjs';
import { LogWatch } from './logwatch.mjs';
import { kernelGroup } from './kernel.mjs';
import { inLanes, sleep } from '../meter.mjs';

export { inLanes, sleep };
export const CALL_TEXT = 'Not now, thanks';
export const PER_MINUTE = 600; // requests that a token has
const OF_ACCOUNT = 100;        // instances
const FRIENDS = 100;           // phones without an instance
const LANES = 16;
const ONLINE_MS = 60_000;

/*
 * members: { instance, number, reader, extra: [readers], hooked, labels, calls, called, busy, disturbed }. busy: something is being done to
 * its connection or worker; disturbed: when that was last. Two such things are not done at once.
 */
export class Fleet {
	constructor(n) {
		this.n = n;
		this.world = new World();
		this.problems = new Problems();
		this.latencies = new Latencies();
		this.counts = new Counts();
		this.ledger = new Ledger(this);
		this.log = new LogWatch(this);
		this.hooks = new HookServer(this);
		this.members = [];
		this.friends = [];
		this.accounts = [];
		this.numbers = 0;
		this.names = 0;
	}

	async start() {
		this.group = kernelGroup();
		await this.world.startSim({ tls: true, onLine: (line) => this.log.line('warden-sim', line) });
		await this.world.startGateway({
			prefix: this.group.prefix,
			onLine: (line) => this.log.line('wardend', line),
			settings: { log_level: 'notice', limit_per_minute: PER_MINUTE, limit_create_per_minute: PER_MINUTE,
				max_connections_per_address: 9000, webhook_allow_private: 1 },
		});
		await this.hooks.start();
		this.api = new Caller(this.world.base, { name: 'gateway', ...this });
		this.admin = new Caller({ socketPath: join(this.world.runDir, 'admin.sock') }, { name: 'admin socket', ...this });
		this.sim = new Caller(this.world.simInfo.control, { name: 'simulator', problems: this.problems, counts: this.counts });
		for (let i = 0; i < Math.ceil(this.n / OF_ACCOUNT) + 1; i++)
			this.accounts.push(await this.world.newAccount());
		for (let i = 0; i < FRIENDS; i++)
			this.friends.push(await this.newPhone({ name: `Friend ${i}` }));
	}

	// ---- phones and instances ----------------------------------------------------------------------------------

	async newPhone(options = {}) {
		const number = String(5511900000000 + ++this.numbers);
		await this.control(`/phones`, { number, name: `Phone ${this.numbers}`, ...options }, 201);
		return number;
	}

	async control(path, json, expect = 200, method = 'POST') {
		return (await this.sim.ask(method, path, { json, expect }))?.json;
	}

	async newInstance(account, body = {}) {
		const r = await this.api.ask('POST', '/api/instance/new', { token: account.token, expect: 201, kind: 'create',
			json: { name: `s-${++this.names}`, ...body } });
		if (r !== undefined)
			this.log.secret(r.json.instance.token);
		return r?.json.instance;
	}

	// Calls of one instance with its own token.
	call(instance, method, route, options = {}) {
		return this.api.ask(method, `/api/${route}/${instance.name}${options.query ?? ''}`, { token: instance.token, ...options });
	}

	// Until list shows that state; false, and a problem, when it does not.
	async until(instance, state, { timeoutMs = ONLINE_MS, every = 100 } = {}) {
		const deadline = performance.now() + timeoutMs;
		let last;
		while (performance.now() < deadline) {
			last = (await this.api.ask('GET', `/api/instance/list?instanceName=${instance.name}`, { token: instance.token }))?.json;
			if (last?.instances[0].connection.state === state)
				return true;
			await sleep(every);
			every = Math.min(1000, every * 1.3); // a token has only so many requests a minute
		}
		this.problems.add(`not ${state} in time`, `${instance.name}: ${JSON.stringify(last?.instances[0].connection)}`);
		return false;
	}

	// From a code to `connected`. how: 'qr' or 'code'. True when it is linked.
	async link(instance, number, { how = 'qr', history } = {}) {
		const query = new URLSearchParams({ ...(how === 'code' ? { number } : {}), ...(history ? { history } : {}) });
		const answer = await this.call(instance, 'GET', 'instance/connect', { kind: how, query: query.size > 0 ? `?${query}` : '' });
		if (answer === undefined)
			return false;
		const { qrCode, pairingCode } = answer.json;
		this.log.secret(qrCode ?? pairingCode);
		const linked = how === 'qr' ? await this.control(`/phones/${number}/scan`, { qr: qrCode }) :
			await this.control(`/phones/${number}/code`, { code: pairingCode });
		return linked !== undefined && await this.until(instance, 'connected');
	}

	async addMember(i) {
		const calls = i % 10 === 0, history = i % 50 === 1;
		const number = await this.newPhone(history ? { chats: 5, messages: 200, daysOfHistory: 20 } : {});
		const body = {
			...(calls ? { autoRejectCalls: true, callRejectMessage: CALL_TEXT } : {}),
			...(i % 20 === 3 ? { autoReadMessages: true } : {}),
			...(i % 20 === 5 ? { websocketEnabled: true } : {}),
			...(i % 20 === 7 ? { webhookEnabled: true, webhookURL: `${this.hooks.base}/s-${this.names + 1}` } : {}),
		};
		const instance = await this.newInstance(this.accounts[Math.floor(i / OF_ACCOUNT)], body);
		if (instance === undefined || !await this.link(instance, number, { how: i % 10 === 9 ? 'code' : 'qr', history: history ? 30 : undefined }))
			return;
		const labels = i % 10 === 2;
		if (labels) // how they stood when it was linked is no news: the first change is told as history
			await this.control(`/phones/${number}/appstate`, { changes: [{ action: 'labelEdit', labelId: '99', name: 'First', color: 1 }] });
		const member = { instance, number, calls, labels, hooked: i % 20 === 7, extra: [], busy: false, disturbed: -Infinity, called: new Set() };
		member.reader = new StreamReader(this, instance, { from: 0, onEvent: (e) => this.onEvent?.(member, e) });
		await member.reader.opened;
		if (i % 20 === 5)
			member.extra.push(new SocketReader(this, instance));
		if (i % 20 === 11)
			member.extra.push(new StreamReader(this, instance, { from: 0 }), new StreamReader(this, instance));
		this.members.push(member);
	}

	async linkAll() {
		const began = performance.now();
		await inLanes(Array.from({ length: this.n }, (_, i) => i), LANES, (i) => this.addMember(i));
		this.linkedMs = performance.now() - began;
		if (this.members.length < this.n)
			this.problems.add('not linked', `${this.n - this.members.length} of ${this.n}`);
	}

	// ---- the end -----------------------------------------------------------------------------------------------

	// Nothing is left of it: processes, zombies, sockets and folders.
	async stop() {
		for (const member of this.members)
			for (const reader of [member.reader, ...member.extra])
				reader.close();
		this.api?.close();
		this.admin?.close();
		this.sim?.close();
		this.world.secrets.clear(); // log.secret() has seen to each line
		await this.world.stop().catch((error) => this.problems.add('at the end', error.message));
		this.hooks.stop();
		await eventually(() => this.group.remove(), { timeoutMs: 2000, what: 'an empty group' }).catch(() => {});
	}
}
