// tests/integration/receiver.mjs - somebody's webhook receiver: what it gets, and what it does with it
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import { PATIENCE, SLOWNESS } from './harness.mjs';
import { differsEvent } from './openapi.mjs';

// How a request may be met; answer is the default.
export const answer = (status, headers = {}, body = '') => (request, response) =>
	response.writeHead(status, headers).end(body);
export const silence = () => {};                                    // never an answer
export const hangUp = (request, response) => response.destroy();    // the connection is closed at once
export const halfAnswer = (request, response) => {                  // closed in the middle of a promised body
	response.writeHead(200, { 'content-length': '1000' });
	response.write('x'.repeat(10), () => response.destroy());
};
export const endlessBody = (request, response) => {
	response.writeHead(200);
	const more = () => {
		while (!response.destroyed && response.write('x'.repeat(65536)));
		if (!response.destroyed)
			response.once('drain', more);
	};
	more();
};
export const endlessHead = (request, response) => {
	response.socket.write('HTTP/1.1 200 OK\r\n');
	const more = () => {
		while (!response.socket.destroyed && response.socket.write(`x-y: ${'z'.repeat(8000)}\r\n`));
		if (!response.socket.destroyed)
			response.socket.once('drain', more);
	};
	more();
};
export const slow = (ms, then = answer(200)) => (request, response) => {
	setTimeout(() => response.destroyed || then(request, response), ms);
};

export class Receiver {
	constructor() {
		this.got = [];          // every request: { path, headers, body, json, at, connection }
		this.meet = answer(200); // (request, response, got) => void
		this.running = 0;       // requests under way, and the most there were
		this.most = 0;
		this.connections = 0;
		this.waiting = [];
		this.drift = new Set();  // what is not as openapi.json says; stop() tells
	}

	async start({ port = 0, tls, host = '127.0.0.1' } = {}) {
		this.server = tls === undefined ? http.createServer() : https.createServer(tls);
		this.scheme = tls === undefined ? 'http' : 'https';
		this.server.keepAliveTimeout = 60_000;
		this.server.on(tls === undefined ? 'connection' : 'secureConnection', (socket) => {
			socket.number = ++this.connections;
			socket.on('error', () => {});
		});
		this.server.on('tlsClientError', () => {});
		this.server.on('request', (request, response) => this.#take(request, response));
		this.server.listen(port, host);
		await once(this.server, 'listening');
		this.port = this.server.address().port;
		this.url = `${this.scheme}://127.0.0.1:${this.port}/hook`;
		return this;
	}

	#take(request, response) {
		const chunks = [];
		this.most = Math.max(this.most, ++this.running);
		response.once('close', () => this.running--);
		request.on('error', () => {});
		request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
			const body = Buffer.concat(chunks).toString();
			const one = { method: request.method, path: request.url, headers: request.headers, body,
				json: JSON.parse(body), at: Date.now(), connection: request.socket.number };
			const drift = differsEvent(one.json);
			if (drift !== undefined)
				this.drift.add(drift);
			this.got.push(one);
			this.meet(request, response, one);
			for (const wake of this.waiting.splice(0))
				wake();
		});
	}

	// Until question(this.got) says yes; what it said.
	async until(question, { timeoutMs = 10_000, what = 'requests' } = {}) {
		const deadline = Date.now() + timeoutMs * SLOWNESS * PATIENCE;
		for (;;) {
			const value = question(this.got);
			if (value)
				return value;
			const left = deadline - Date.now();
			if (left <= 0)
				throw new Error(`not within ${timeoutMs * SLOWNESS * PATIENCE} ms: ${what}; got ${this.got.length}: ` +
				    this.got.slice(-5).map(({ json }) => `${json.event}#${json.sequence}`).join(' '));
			await new Promise((resolve) => {
				this.waiting.push(resolve);
				setTimeout(resolve, Math.min(left, 100));
			});
		}
	}

	sequences() {
		return this.got.map(({ json }) => json.sequence);
	}

	async stop() {
		this.server?.closeAllConnections();
		this.server?.close();
		await new Promise((resolve) => setImmediate(resolve));
		assert.deepEqual([...this.drift].slice(0, 5), []);
	}
}
