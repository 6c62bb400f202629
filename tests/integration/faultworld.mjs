// tests/integration/faultworld.mjs - a world whose gateway, zygote and workers fail on demand, and what must be true at rest
import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { World, binary, eventually, proc } from './harness.mjs';
import { FaultCtl } from './faultctl.mjs';
import { sleep } from './linked.mjs';

// Waits of workers are so many times shorter (--enable-test-hooks).
const SPEED = 10;
const REQUEST_MS = 65_000; // what a caller may wait for an answer, and a little

export class FaultWorld extends World {
	// noSim: of a world that another has the simulator of.
	async open({ settings = {}, sim = {}, env = {}, speed = SPEED } = {}) {
		mkdirSync(this.runDir, { mode: 0o700 });
		this.ctl_ = new FaultCtl(join(this.runDir, 'faults'));
		await this.startSim(sim);
		this.gatewayOptions = { settings: { log_level: 'info', webhook_allow_private: 1, ...settings },
			env: { WARDEN_TEST_SPEED: String(speed), WARDEN_TEST_HOOK_SPEED: '20', ...env }, prefix: this.preload() };
		await this.startGateway();
		assert.ok(this.ctl_.loaded, 'faults.so is not in the gateway');
		return this;
	}

	get faults() {
		return this.ctl_;
	}

	// What a program is run by: with the library, at the same addresses each time.
	preload() {
		return ['setarch', '-R', 'env', `LD_PRELOAD=${binary('faults.so')}`, `WARDEN_TEST_FAULTS=${this.ctl_.path}`];
	}

	startGateway(more = {}) {
		return super.startGateway({ ...this.gatewayOptions, ...more });
	}

	/*
	 * A request on a connection of its own. Status 0: there was no answer, as when the gateway could not take the
	 * connection. Whatever is answered is an answer of the contract: else this throws.
	 */
	request(method, path, { token, headers = {}, json, timeoutMs = REQUEST_MS } = {}) {
		const body = json !== undefined ? JSON.stringify(json) : undefined;
		return new Promise((resolve, reject) => {
			const none = (error) => resolve({ status: 0, text: String(error.code ?? error.message), headers: new Headers() });
			const request = http.request(this.base + path, { method, agent: false, headers: { ...headers,
				...(token !== undefined ? { token } : {}),
				...(body !== undefined ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {}) } });
			const timer = setTimeout(() => {
				request.destroy();
				reject(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`));
			}, timeoutMs);
			request.on('error', (error) => {
				clearTimeout(timer);
				none(error);
			}).on('response', (response) => {
				const chunks = [];
				response.on('data', (chunk) => chunks.push(chunk)).on('error', none).on('close', () => {
					clearTimeout(timer);
					if (!response.complete)
						return none(new Error('cut off'));
					const text = Buffer.concat(chunks).toString();
					const answer = { status: response.statusCode, text, headers: new Headers(Object.entries(response.headers)) };
					try {
						if ((response.headers['content-type'] ?? '').startsWith('application/json'))
							answer.json = JSON.parse(text);
						checkAnswer(answer);
						resolve(answer);
					} catch (error) {
						reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 300)}: ${error.message}`));
					}
				});
			});
			request.end(body);
		});
	}

	// Again while there is no answer, or one that says to come again: for what is asked beside the fault.
	async insist(method, path, options) {
		for (let i = 0; ; i++) {
			const r = await this.request(method, path, options);
			if ((r.status !== 0 && r.status < 500) || i === 50)
				return r;
			await sleep(20);
		}
	}

	async listed(instance) {
		const r = await this.insist('GET', `/api/instance/list?instanceName=${instance.name}`, { token: instance.account });
		assert.equal(r.status, 200, r.text);
		return r.json.instances[0];
	}

	async newInstance(options = {}) {
		const name = options.name ?? `i-${++this.instances}`;
		const account = options.token ?? (await this.account()).token;
		const r = await this.insist('POST', '/api/instance/new', { token: account, json: { name, ...options.body } });
		assert.equal(r.status, 201, r.text);
		return { account, name, ...r.json.instance };
	}

	// What the gateway holds when nothing happens: kinds of descriptors and how many.
	held() {
		const kinds = {};
		for (const to of proc.descriptors(this.gateway.pid) ?? []) {
			const kind = to.replace(/[:[(].*$/, '').replace(this.dir, '').replace(/\d+/g, 'N');
			kinds[kind] = (kinds[kind] ?? 0) + 1;
		}
		return Object.fromEntries(Object.entries(kinds).sort());
	}

	zombies() {
		return proc.allPids().filter((pid) => {
			const s = proc.stat(pid);
			return s !== null && s.state === 'Z' && s.ppid === this.gateway.pid;
		});
	}

	// The gateway's heap in use, in bytes.
	async heap() {
		this.faults.askHeap();
		return eventually(async () => {
			await this.request('GET', '/health');
			return this.faults.heap();
		}, { what: 'the heap' });
	}

	async settle() {
		this.still = undefined;
		await eventually(async () => {
			const held = JSON.stringify(this.held());
			const same = held === this.still;
			this.still = held;
			await sleep(50);
			return same;
		}, { what: 'descriptors to settle' });
		this.heldAtRest = this.held();
	}

	// The gateway is alive and well, and holds what it held before.
	async rest() {
		assert.equal(this.gateway.result, undefined, `wardend ended: ${JSON.stringify(this.gateway.result)}`);
		let last;
		await eventually(async () => {
			last = await this.request('GET', '/health');
			return last.status === 200 && last.json.status === 'ok';
		}, { what: 'health', timeoutMs: 10_000 }).catch((error) => {
			throw new Error(`${error.message}; last: ${last?.status} ${last?.text}`);
		});
		await eventually(() => this.zombies().length === 0, { what: 'no zombie' });
		await eventually(async () => {
			const same = JSON.stringify(this.held()) === JSON.stringify(this.heldAtRest);
			if (!same)
				await sleep(50);
			return same;
		}, { what: 'descriptors as before', timeoutMs: 3000 }).catch(() => {
			throw new Error(`descriptors: ${JSON.stringify(this.held())}, before: ${JSON.stringify(this.heldAtRest)}`);
		});
	}

	async stop() {
		this.faults?.off();
		await super.stop().finally(() => this.faults?.close());
	}
}

// An error is one of the contract's in its form.
function checkAnswer({ status, json }) {
	if (status < 400)
		return;
	assert.equal(json?.success, false, 'not an error of the contract');
	assert.equal(typeof json.error.message, 'string');
	assert.match(json.error.code, /^[a-z0-9_]+$/);
}
