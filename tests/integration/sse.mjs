// tests/integration/sse.mjs - a reader of server-sent events
import assert from 'node:assert/strict';
import { PATIENCE, SLOWNESS } from './harness.mjs';
import { differsStreamed } from './openapi.mjs';

// Follow an instance's attempt; every code seen becomes a secret of the world.
export function openEvents(world, instance, { query = '' } = {}) {
	return openEventsAt(world, `/api/instance/connect/${instance.name}${query}`, { token: instance.account });
}

export async function openEventsAt(world, path, headers = {}) {
	const abort = new AbortController();
	const response = await fetch(world.base + path, {
		headers: { ...headers, accept: 'text/event-stream' },
		signal: abort.signal,
	});
	return new EventReader(response, abort, world, path);
}

class EventReader {
	constructor(response, abort, world, path) {
		this.path = path;
		this.status = response.status;
		this.headers = response.headers;
		this.events = []; // all so far: { event, data, at }
		this.comments = [];
		this.ended = false;
		this.abort = abort;
		this.world = world;
		this.wake = [];
		this.taken = 0;
		this.#read(response.body).catch(() => {}).finally(() => {
			this.ended = true;
			this.#notify();
		});
	}

	async #read(body) {
		const decoder = new TextDecoder();
		let rest = '';
		for await (const chunk of body) {
			rest += decoder.decode(chunk, { stream: true });
			const blocks = rest.split('\n\n');
			rest = blocks.pop();
			for (const block of blocks)
				this.#onBlock(block);
			this.#notify();
		}
		assert.equal(rest.trim(), '', 'the stream ended inside an event');
	}

	#onBlock(block) {
		let event = 'message';
		const data = [];
		for (const line of block.split('\n')) {
			if (line.startsWith(':'))
				this.comments.push({ text: line, at: Date.now() });
			else if (line.startsWith('event:'))
				event = line.slice(6).trim();
			else if (line.startsWith('data:'))
				data.push(line.slice(5).trimStart());
		}
		if (data.length === 0)
			return;
		const json = JSON.parse(data.join('\n'));
		this.world.noteCode(json.qrCode);
		this.world.noteCode(json.pairingCode);
		const drift = differsStreamed(this.path, event, json);
		if (drift !== undefined)
			this.world.drift.add(drift);
		this.events.push({ event, data: json, at: Date.now() });
	}

	#notify() {
		for (const wake of this.wake.splice(0))
			wake();
	}

	async #until(question, timeoutMs, what) {
		const deadline = Date.now() + timeoutMs;
		for (;;) {
			const value = question();
			if (value !== undefined)
				return value;
			const left = deadline - Date.now();
			assert.ok(left > 0 && !this.ended, `${this.ended ? 'the stream ended' : `${timeoutMs} ms passed`} ` +
			    `before ${what}; events: ${JSON.stringify(this.events.map((e) => e.event))}`);
			await new Promise((resolve) => {
				const timer = setTimeout(resolve, left);
				this.wake.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
	}

	// The next event that satisfies the question, in order of arrival.
	next(question = () => true, timeoutMs = 15_000 * SLOWNESS * PATIENCE) {
		return this.#until(() => {
			while (this.taken < this.events.length) {
				const e = this.events[this.taken++];
				if (question(e))
					return e;
			}
			return undefined;
		}, timeoutMs, 'the event');
	}

	comment(timeoutMs) {
		const have = this.comments.length;
		return this.#until(() => this.comments[have], timeoutMs, 'a comment');
	}

	// The server ends the stream after its last event.
	async end(timeoutMs = 5000 * SLOWNESS * PATIENCE) {
		const deadline = Date.now() + timeoutMs;
		while (!this.ended) {
			assert.ok(Date.now() < deadline, 'the stream stays open');
			await new Promise((resolve) => {
				const timer = setTimeout(resolve, 100);
				this.wake.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
	}

	close() {
		this.abort.abort();
	}
}
