// tests/bench/fleet/chores.mjs - what callers ask, rightly and wrongly, and what befalls workers, connections and links
import { readFileSync } from 'node:fs';
import { PER_MINUTE, inLanes, sleep } from './fleet.mjs';
import { StreamReader } from './readers.mjs';
import { pick } from './actors.mjs';

const BACK_MS = 60_000; // for a session whose worker or connection was ended
const AFTER_MS = 2000;  // and for what it has missed
const GREEDY_EXTRA = 50;

export class Chores {
	#greedyAt = -Infinity;
	#churns = 0;

	constructor(fleet) {
		this.fleet = fleet;
		this.pids = new Map(); // instance id -> pid, of the last sample
	}

	async start() {
		this.greedy = await this.fleet.newInstance(this.fleet.accounts.at(-1));
	}

	#any() {
		return pick(this.fleet.members);
	}

	// ---- callers -----------------------------------------------------------------------------------------------

	async list() {
		const { instance } = this.#any();
		const r = await this.fleet.call(instance, 'GET', 'instance/getSettings');
		if (r !== undefined && r.json.settings === undefined)
			this.fleet.problems.add('no settings', r.text);
		await this.fleet.api.ask('GET', `/api/instance/list?instanceName=${instance.name}`, { token: instance.token });
	}

	async listAccount() {
		const r = await this.fleet.api.ask('GET', '/api/instance/list', { token: pick(this.fleet.accounts.slice(0, -1)).token, kind: 'list of 100' });
		if (r !== undefined && r.json.meta.total !== r.json.instances.length)
			this.fleet.problems.add('a list with another total', r.text.slice(0, 100));
	}

	// Where nothing befalls it meanwhile, it is online and stays so.
	async connectOnline() {
		const member = this.#any();
		if (member.busy)
			return;
		const r = await this.fleet.call(member.instance, 'GET', 'instance/connect', { kind: 'connect, online' });
		if (r !== undefined && r.json.status !== 'connected')
			this.fleet.problems.add('not connected', `${member.instance.name}: ${r.json.status}`);
	}

	async reconnectOnline() {
		const member = this.#any();
		if (!member.busy)
			await this.fleet.call(member.instance, 'POST', 'instance/reconnect');
	}

	// As many as are stored: for more of them the phone would be asked, and one that has no history of that chat says nothing for 30 s.
	async history() {
		await this.fleet.call(this.#any().instance, 'POST', 'chat/history', { kind: 'stored messages', json: { number: pick(this.fleet.friends), count: 1 } });
	}

	// Presence goes out, and back again.
	async settings() {
		const { instance } = this.#any();
		await this.fleet.call(instance, 'POST', 'instance/settings', { kind: 'settings', json: { keepOnlineStatus: Math.random() < 0.5 } });
	}

	async wrong() {
		const { instance } = this.#any();
		const path = `/api/instance/connect/${instance.name}`;
		await pick([
			() => this.fleet.api.ask('GET', path, { token: 'x'.repeat(40), expect: 401 }),
			() => this.fleet.api.ask('GET', path, { expect: 401 }),
			() => this.fleet.call(instance, 'GET', 'instance/connect', { query: '?number=12', expect: 400 }),
			() => this.fleet.api.ask('GET', '/api/instance/connect/somebody-else', { token: instance.token, expect: 403 }),
			() => this.fleet.api.ask('GET', '/api/nothing', { token: instance.token, expect: 404 }),
			() => this.fleet.api.ask('DELETE', '/api/instance/list', { token: instance.token, expect: 405 }),
		])();
	}

	async health() {
		const r = await this.fleet.api.ask('GET', '/health');
		if (r !== undefined && r.json.status !== 'ok')
			this.fleet.problems.add('not healthy', r.text);
	}

	async metrics() {
		await this.fleet.api.ask('GET', '/metrics', { kind: 'metrics' });
	}

	async workers() {
		const r = await this.fleet.admin.ask('GET', '/admin/workers', { kind: 'worker list' });
		if (r !== undefined && r.json.workers.length < this.fleet.members.length * 0.99)
			this.fleet.problems.add('a short list of workers', String(r.json.workers.length));
	}

	// One token asks for more than it may, all at once: so many are answered, the others refused.
	async greed() {
		if (performance.now() < this.#greedyAt + 65_000)
			return;
		this.#greedyAt = performance.now();
		const statuses = new Map();
		await inLanes(Array.from({ length: PER_MINUTE + GREEDY_EXTRA }, (_, i) => i), 8, async () => {
			const r = await this.fleet.api.ask('GET', '/api/instance/list', { token: this.greedy.token, expect: [200, 429], kind: 'greedy' });
			if (r?.status === 429 && r.headers['retry-after'] === undefined)
				this.fleet.problems.add('429 without Retry-After');
			statuses.set(r?.status, (statuses.get(r?.status) ?? 0) + 1);
		});
		if (statuses.get(200) !== PER_MINUTE)
			this.fleet.problems.add('another limit', JSON.stringify([...statuses]));
	}

	// ---- readers -----------------------------------------------------------------------------------------------

	// One of several readers goes, and comes back where it was.
	async reader() {
		const member = pick(this.fleet.members.filter((m) => m.extra.length === 2));
		const old = member?.extra.shift();
		if (old === undefined)
			return;
		old.close();
		const fresh = new StreamReader(this.fleet, member.instance, { from: old.last });
		await fresh.opened;
		member.extra.push(fresh);
	}

	// ---- what befalls ------------------------------------------------------------------------------------------

	async #disturb(kind, action) {
		const member = this.#any();
		if (member.busy || performance.now() < member.disturbed + 60_000)
			return;
		member.busy = true;
		member.disturbed = Infinity;
		const began = performance.now();
		if (await action(member)) {
			await sleep(20);
			if (await this.fleet.until(member.instance, 'connected', { timeoutMs: BACK_MS, every: 50 }))
				this.fleet.latencies.add(kind, performance.now() - began);
			await sleep(AFTER_MS);
		}
		member.disturbed = performance.now();
		member.busy = false;
	}

	kill() {
		return this.#disturb('back after a kill', async ({ instance }) => {
			const pid = this.pids.get(instance.id);
			if (pid === undefined || !isWorker(pid, instance.id))
				return false;
			process.kill(pid, 'SIGKILL');
			this.fleet.counts.add('workers killed');
			return true;
		});
	}

	reset() {
		return this.#disturb('back after a reset', async ({ number }) => {
			const r = await this.fleet.control('/faults', { match: { number, stage: 'online' },
				fault: { kind: pick(['reset', 'close']) }, now: true }, 201);
			this.fleet.counts.add('connections reset', r?.hit ?? 0);
			return true;
		});
	}

	// ---- links that come and go --------------------------------------------------------------------------------

	async churn() {
		const { fleet } = this;
		const turn = ++this.#churns;
		const account = fleet.accounts.at(-1);
		const instance = await fleet.newInstance(account);
		if (instance === undefined)
			return;
		const history = turn % 5 === 0;
		const number = await fleet.newPhone(history ? { chats: 8, messages: 400, daysOfHistory: 20 } : {});
		const linked = await fleet.link(instance, number, { how: turn % 2 === 0 ? 'qr' : 'code', history: history ? 30 : undefined });
		if (linked)
			await this.#live(instance, number, history);
		if (linked && turn % 3 === 0)
			await this.#unlinkedByPerson(instance, number);
		else if (linked && turn % 3 === 1)
			await fleet.call(instance, 'DELETE', 'instance/logout', { kind: 'logout' });
		await fleet.api.ask('DELETE', `/api/instance/delete/${instance.name}`, { token: account.token, kind: 'delete' });
		await fleet.api.ask('GET', `/api/instance/list?instanceName=${instance.name}`, { token: account.token, expect: 404 });
		fleet.counts.add('links made and ended');
	}

	// A text arrives, and with history all of it.
	async #live(instance, number, history) {
		const { fleet } = this;
		const seen = new Set();
		const reader = new StreamReader(fleet, instance, { from: 0, onEvent: ({ event, data }) => {
			seen.add(event === 'history.sync' ? data.phase : data.id);
		} });
		await reader.opened;
		const sent = await fleet.control(`/phones/${pick(fleet.friends)}/send`, { to: number, text: 'welcome' });
		for (let i = 0; i < 600 && !(seen.has(sent?.id) && (!history || seen.has('done'))); i++)
			await sleep(50);
		if (sent !== undefined && !seen.has(sent.id))
			fleet.problems.add('a new link without its text', instance.name);
		if (history && !seen.has('done'))
			fleet.problems.add('a new link without its history', instance.name);
		reader.close();
	}

	async #unlinkedByPerson(instance, number) {
		const { devices } = await this.fleet.control(`/phones/${number}`, undefined, 200, 'GET');
		await this.fleet.control(`/phones/${number}/devices/${devices[0].id}`, undefined, 200, 'DELETE');
		await this.fleet.until(instance, 'loggedout');
	}
}

function isWorker(pid, id) {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id);
	} catch {
		return false;
	}
}
