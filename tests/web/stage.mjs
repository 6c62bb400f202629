// tests/web/stage.mjs - a gateway whose answers a test writes; what it does not write comes from the real one
import assert from 'node:assert/strict';
import { createServer } from 'node:http';

export class Stage {
	constructor(world) {
		this.world = world;
		this.routes = new Map(); // 'GET /path' -> (request, response, body)
		this.attempts = []; // streams of connect, oldest first
		this.posts = []; // { path, json }
		this.waiting = [];
	}

	static async start(world) {
		const stage = new Stage(world);
		stage.server = createServer((q, a) => stage.#answer(q, a).catch((error) => a.destroy(error)));
		await new Promise((resolve) => stage.server.listen(0, '127.0.0.1', resolve));
		stage.base = `http://127.0.0.1:${stage.server.address().port}`;
		return stage;
	}

	async #answer(request, response) {
		const parts = [];
		for await (const part of request)
			parts.push(part);
		const body = Buffer.concat(parts).toString(), path = new URL(request.url, this.base).pathname;
		if (request.method === 'POST')
			this.posts.push({ path, json: body === '' ? undefined : JSON.parse(body) });
		const written = this.routes.get(`${request.method} ${path}`);
		if (written !== undefined) {
			written(request, response, body);
			return;
		}
		if (path.includes('/connect')) {
			this.#stream(request, response);
			return;
		}
		const real = await fetch(this.world.base + request.url, { method: request.method, headers: { accept: request.headers.accept ?? '*/*' } });
		const headers = Object.fromEntries([...real.headers].filter(([name]) =>
			!['content-encoding', 'content-length', 'connection', 'transfer-encoding'].includes(name)));
		response.writeHead(real.status, headers).end(Buffer.from(await real.arrayBuffer()));
	}

	#stream(request, response) {
		response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
		response.flushHeaders();
		const attempt = {
			url: request.url,
			closed: new Promise((resolve) => response.on('close', resolve)),
			send: (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
			failed: (code, event = 'failed') => {
				attempt.send(event, { success: false, error: { message: 'Failed to generate QR code', code } });
				response.end();
			},
			breakOff: () => response.destroy(),
			end: () => response.end(),
		};
		this.attempts.push(attempt);
		for (const wake of this.waiting.splice(0))
			wake();
	}

	// The next attempt that the page begins, or has begun since the last call.
	async attempt(timeoutMs = 40_000) {
		const n = this.taken ?? 0;
		if (this.attempts.length <= n) {
			let timer;
			await new Promise((resolve, reject) => {
				timer = setTimeout(() => reject(new Error('the page begins no attempt')), timeoutMs);
				this.waiting.push(resolve);
			}).finally(() => clearTimeout(timer));
		}
		assert.ok(this.attempts.length > n);
		this.taken = n + 1;
		return this.attempts[n];
	}

	json(route, status, json, headers = {}) {
		this.routes.set(route, (q, a) => a.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(json)));
	}

	stop() {
		this.server.closeAllConnections();
		return new Promise((resolve) => this.server.close(resolve));
	}
}
