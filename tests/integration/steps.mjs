// tests/integration/steps.mjs - create, connect, link, logout, delete and more of a few instances, at random and at once
//
// Many hands pull at few names. Now and then they rest; then list, registry, folders and workers have to tell the
// same story, and nothing may be stuck.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, folder, SLOWNESS } from './harness.mjs';
import { makeRandom } from './killpoints.mjs';
import { sleep } from './linked.mjs';
import { withCopy } from './vault.mjs';

const HANDS = 12;
const NAMES = ['red', 'green', 'blue', 'white', 'black'];
const REST_EVERY = 250; // steps between two looks
const PROBE_ID = 'wardenprobe22222'; // the doctor's
const CALL_MS = 70_000 * SLOWNESS; // longer than any call may take

// What may come instead of success: who deletes, logs out or starts anew ends what others wait for. network: about
// once in 60,000 steps the simulator closes a stream that is pairing.
const ENDED = ['superseded', 'deleted', 'logged_out', 'network'];
const MAY_BE = {
	new: { 409: ['instance_exists'] },
	delete: { 404: ['instance_not_found'] },
	logout: { 404: ['instance_not_found'], 400: ['no_session'], 500: ENDED },
	reconnect: { 404: ['instance_not_found'], 400: ['no_session'], 500: ENDED },
	connect: { 404: ['instance_not_found'], 429: ['rate_limited'], 500: ENDED },
	settings: { 404: ['instance_not_found'] },
	proxy: { 404: ['instance_not_found'] },
	token: { 404: ['instance_not_found'] },
	list: { 404: ['instance_not_found'] },
};

class Hands {
	constructor(world, { steps, seed }) {
		this.world = world;
		this.left = steps;
		this.random = makeRandom(seed);
		this.counts = {};
		this.phones = [];
	}

	pick(list) {
		return list[Math.floor(this.random() * list.length)];
	}

	async call(what, method, path, options = {}) {
		const signal = options.signal ?? AbortSignal.timeout(CALL_MS);
		let r;
		try {
			r = await this.world.request(method, path, { token: this.account.token, ...options, signal });
		} catch (error) {
			if (options.signal?.aborted)
				return null; // hung up, as was planned
			throw new Error(`${what} ${path}: ${error.cause ?? error}`);
		}
		const code = r.json?.error?.code;
		const fine = r.status < 300 || MAY_BE[what][r.status]?.includes(code);
		assert.ok(fine, `${what} ${path}: ${r.status} ${r.text}`);
		const name = `${what} ${r.status}${code === undefined ? '' : ` ${code}`}`;
		this.counts[name] = (this.counts[name] ?? 0) + 1;
		return r;
	}

	async connect(name) {
		const query = this.random() < 0.1 ? `?number=${this.pick(this.phones).number}` : '';
		const patience = this.random() < 0.3 ? AbortSignal.timeout(1 + Math.floor(this.random() * 100)) : undefined;
		const r = await this.call('connect', 'GET', `/api/instance/connect/${name}${query}`, { signal: patience });
		if (r?.json?.qrCode !== undefined && this.random() < 0.8)
			await this.world.scan(this.pick(this.phones), r.json.qrCode); // in time, or too late
	}

	step() {
		const name = this.pick(NAMES);
		const at = (route) => `/api/instance/${route}/${name}`;
		const chance = this.random();
		if (chance < 0.2)
			return this.call('new', 'POST', '/api/instance/new', { json: { name } });
		if (chance < 0.55)
			return this.connect(name);
		if (chance < 0.61)
			return this.call('logout', 'DELETE', at('logout'));
		if (chance < 0.67)
			return this.call('delete', 'DELETE', at('delete'));
		if (chance < 0.8)
			return this.call('reconnect', 'POST', at('reconnect'));
		if (chance < 0.88)
			return this.call('settings', 'POST', at('settings'), { json: { ignoreStatus: this.random() < 0.5 } });
		if (chance < 0.92)
			return this.call('proxy', 'POST', at('proxy'), { json: { enabled: false, host: 'h', port: 1, protocol: 'http' } });
		if (chance < 0.95)
			return this.call('token', 'POST', at('token'));
		return this.call('list', 'GET', `/api/instance/list?instanceName=${name}`);
	}

	async hand(n) {
		for (let i = 0; i < n; i++)
			await this.step();
	}

	// What is true when nobody pulls: one story, told by all.
	async look() {
		const { world } = this;
		const { json } = await this.call('list', 'GET', '/api/instance/list');
		const rows = withCopy(join(world.dataDir, 'registry.db'), (db) => db.prepare('SELECT id, name, linked FROM instance').all());
		const ids = json.instances.map((i) => i.id).sort();
		assert.deepEqual(rows.map((r) => r.id).sort(), ids, 'registry');
		assert.deepEqual(folder(join(world.dataDir, 'instances')).filter((id) => id !== PROBE_ID).sort(), ids, 'folders');
		const workers = world.workers();
		assert.deepEqual(workers.filter(({ id }) => !ids.includes(id)), [], 'workers of nobody');
		for (const i of json.instances) {
			const { state } = i.connection;
			const mine = workers.filter(({ id }) => id === i.id).length;
			const { linked } = rows.find((r) => r.id === i.id);
			const saved = existsSync(join(world.dataDir, 'instances', i.id, 'session.db'));
			const story = `${i.name}: ${state}, ${mine} workers, ${linked ? 'linked' : 'not linked'}, ` +
				`${saved ? 'session' : 'no session'}, ${JSON.stringify(i.connection.lastError)}`;
			if (state === 'connecting' && !linked) // a code is shown
				assert.equal(mine, 1, story);
			else if (state === 'connected')
				assert.ok(mine === 1 && linked && saved, story);
			else
				assert.ok(mine === 0 && !linked && !saved && ['disconnected', 'loggedout'].includes(state), story);
		}
		assert.equal((await world.request('GET', '/health')).json.status, 'ok');
	}

	// Things may be on their way when the last call has been answered: the story has to settle.
	async settle() {
		let last;
		await eventually(() => this.look().then(() => true, (error) => {
			last = error;
			return false;
		}), { timeoutMs: 60_000, what: 'one story' }).catch((error) => {
			throw new Error(`${error.message}: ${last.message}`, { cause: last });
		});
	}

	async run(onProgress = () => {}) {
		this.account = await this.world.newAccount();
		for (let i = 0; i < 6; i++)
			this.phones.push(await this.world.newPhone());
		while (this.left > 0) {
			const n = Math.min(this.left, REST_EVERY);
			await Promise.all(Array.from({ length: HANDS }, (_, k) => this.hand(Math.ceil((n - k) / HANDS))));
			this.left -= n;
			await this.settle();
			await this.drop();
			onProgress(this.left);
		}
		return this.counts;
	}

	// A phone takes a few devices only: those that linger are unlinked, which instances have to bear, too.
	async drop() {
		for (const phone of this.phones)
			for (const device of await this.world.device(phone))
				await this.world.unlink(phone, device.id);
		await sleep(100);
	}
}

// { "what status code": how often }.
export function randomSteps(world, options, onProgress) {
	return new Hands(world, options).run(onProgress);
}
