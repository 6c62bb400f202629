// tests/integration/eventstream.mjs - followers of an instance's events: server-sent events, WebSocket
import assert from 'node:assert/strict';
import { PATIENCE, SLOWNESS } from './harness.mjs';
import { differsEvent } from './openapi.mjs';

// Everything that a follower has got, and a way to wait for more of it.
class Follower {
	constructor() {
		this.events = []; // envelopes, in order of arrival
		this.wake = [];
		this.over = false;
	}

	got(envelope) {
		const drift = differsEvent(envelope);
		if (drift !== undefined)
			this.world.drift.add(drift);
		this.events.push(envelope);
		this.notify();
	}

	notify() {
		for (const wake of this.wake.splice(0))
			wake();
	}

	// The first result of the question that is neither false nor undefined.
	async until(question, { timeoutMs = 15_000 * SLOWNESS * PATIENCE, what = 'the events' } = {}) {
		const deadline = Date.now() + timeoutMs;
		for (;;) {
			const value = question(this.events);
			if (value !== undefined && value !== false)
				return value;
			const left = deadline - Date.now();
			assert.ok(left > 0, `no ${what}; got ${this.events.length}: ` +
			    JSON.stringify(this.events.slice(-5).map((e) => [e.sequence, e.event, e.data.state])));
			await new Promise((resolve) => {
				const timer = setTimeout(resolve, left);
				this.wake.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
	}

	states() {
		return this.events.filter((e) => e.event === 'instance.state').map((e) => e.data.state);
	}
}

/*
 * Server-sent events that survive the gateway: a stream that breaks off is asked for again with
 * Last-Event-ID, from wherever the gateway listens then. One that comes twice is noted, not hidden.
 */
export class StreamFollower extends Follower {
	constructor(world, instance, { query = '', from } = {}) {
		super();
		this.world = world;
		this.instance = instance;
		this.query = query;
		this.lastId = from;
		this.connections = 0;
		this.done = this.#run();
	}

	async #run() {
		while (!this.over) {
			this.abort = new AbortController();
			await this.#once().catch(() => {});
			if (!this.over)
				await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}

	async #once() {
		const response = await fetch(`${this.world.base}/api/events/stream/${this.instance.name}${this.query}`, {
			headers: { token: this.instance.account,
				...(this.lastId !== undefined ? { 'last-event-id': String(this.lastId) } : {}) },
			signal: this.abort.signal,
		});
		if (response.status !== 200)
			throw new Error(`status ${response.status}`);
		this.connections++;
		this.contentType = response.headers.get('content-type');
		this.notify();
		const decoder = new TextDecoder();
		let rest = '';
		for await (const chunk of response.body) {
			rest += decoder.decode(chunk, { stream: true });
			const blocks = rest.split('\n\n');
			rest = blocks.pop();
			for (const block of blocks)
				this.#onBlock(block);
		}
	}

	#onBlock(block) {
		const field = (name) => block.split('\n').find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2);
		const data = field('data');
		if (data === undefined)
			return;
		const envelope = JSON.parse(data);
		assert.equal(field('id'), String(envelope.sequence));
		assert.equal(field('event'), envelope.event);
		for (const code of envelope.data.codes ?? [])
			this.world.noteCode(code);
		this.lastId = envelope.sequence;
		this.got(envelope);
	}

	// It is there: what happens from now on will be seen.
	async open() {
		await this.until(() => this.connections > 0, { what: 'connection' });
		return this;
	}

	async close() {
		this.over = true;
		this.abort.abort();
		await this.done;
	}
}

// A WebSocket; Node's own sends no headers of ours, so the token is in the query.
export class SocketFollower extends Follower {
	constructor(world, instance, { query = '' } = {}) {
		super();
		this.world = world;
		this.socket = new WebSocket(`${world.base.replace('http', 'ws')}/ws/${instance.name}?token=${instance.account}${query}`);
		this.opened = new Promise((resolve, reject) => {
			this.socket.onopen = resolve;
			this.socket.onerror = () => reject(new Error('the WebSocket was refused'));
		});
		this.closed = new Promise((resolve) => {
			this.socket.onclose = ({ code, reason }) => resolve({ code, reason });
		});
		this.socket.onmessage = ({ data }) => {
			const envelope = JSON.parse(data);
			for (const code of envelope.data.codes ?? [])
				world.noteCode(code);
			this.got(envelope);
		};
	}

	close() {
		this.socket.close();
		return this.closed;
	}
}

// From this sequence on, without a gap, each id once.
export function assertWhole(events, from = 1) {
	assert.deepEqual(events.map((e) => e.sequence), events.map((e, i) => from + i));
	assert.equal(new Set(events.map((e) => e.id)).size, events.length, 'ids that repeat');
	for (const e of events)
		assert.match(e.id, /^evt_[a-z2-7]{24}$/);
}

export const textsOf = (events) => events.filter((e) => e.event === 'message.exchange')
    .map((e) => e.data.message.content);
