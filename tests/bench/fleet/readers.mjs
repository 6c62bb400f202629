// tests/bench/fleet/readers.mjs - who follows events: server-sent events, WebSockets, a server for webhooks
import http from 'node:http';

// A reader hands each event on once its sequence is the one that is due. More than one gap is one problem.
class Reader {
	constructor(fleet, instance, onEvent, from) {
		Object.assign(this, { fleet, instance, onEvent });
		this.last = from;
		this.over = false;
	}

	got(envelope) {
		this.fleet.counts.add('events read');
		const { sequence } = envelope;
		if (this.last !== undefined && sequence !== this.last + 1)
			this.fleet.problems.add('events with a gap', `${this.instance.name}: ${sequence} after ${this.last}`);
		this.last = sequence;
		this.onEvent?.(envelope);
	}

	ended(how) {
		if (!this.over)
			this.fleet.problems.add('a stream ended', `${this.instance.name}: ${how}`);
	}
}

/* Server-sent events; from: the sequence behind which it begins, undefined: now. */
export class StreamReader extends Reader {
	constructor(fleet, instance, { onEvent, from } = {}) {
		super(fleet, instance, onEvent, from);
		this.opened = new Promise((resolve) => {
			this.request = http.get(`${fleet.world.base}/api/events/stream/${instance.name}?history=true`, {
				agent: false,
				headers: { token: instance.token, ...(from !== undefined ? { 'last-event-id': String(from) } : {}) },
			}, (response) => this.#read(response, resolve));
			this.request.on('error', (error) => {
				this.ended(error.message);
				resolve();
			});
		});
	}

	#read(response, opened) {
		if (response.statusCode !== 200)
			this.ended(`status ${response.statusCode}`);
		opened();
		let rest = '';
		response.setEncoding('utf8').on('data', (chunk) => {
			const blocks = (rest + chunk).split('\n\n');
			rest = blocks.pop();
			for (const block of blocks) {
				const at = block.indexOf('\ndata: ');
				if (at >= 0)
					this.got(JSON.parse(block.slice(at + 7)));
			}
		});
		response.on('end', () => this.ended('end'));
		response.on('error', (error) => this.ended(error.message));
	}

	close() {
		this.over = true;
		this.request.destroy();
	}
}

/* A WebSocket; has to be turned on for the instance. */
export class SocketReader extends Reader {
	constructor(fleet, instance, { onEvent } = {}) {
		super(fleet, instance, onEvent, undefined);
		this.socket = new WebSocket(`${fleet.world.base.replace('http', 'ws')}/ws/${instance.name}?token=${instance.token}`);
		this.opened = new Promise((resolve) => {
			this.socket.onopen = resolve;
			this.socket.onerror = resolve;
		});
		this.socket.onmessage = ({ data }) => this.got(JSON.parse(data));
		this.socket.onclose = ({ code }) => this.ended(`closed with ${code}`);
	}

	close() {
		this.over = true;
		this.socket.close();
	}
}

/*
 * A server that webhooks are delivered to, at /NAME of the instance: in order, none left out. Each thousandth request is
 * refused with 503, and has to come again.
 */
export class HookServer {
	#last = new Map();
	#asked = 0;

	constructor(fleet) {
		this.fleet = fleet;
	}

	async start() {
		this.server = http.createServer((request, response) => this.#take(request, response));
		this.server.keepAliveTimeout = 60_000;
		await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.base = `http://127.0.0.1:${this.server.address().port}`;
	}

	#take(request, response) {
		const chunks = [];
		request.on('error', () => {});
		request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
			if (++this.#asked % 1000 === 0) {
				this.fleet.counts.add('webhook refusals');
				response.writeHead(503).end();
				return;
			}
			const name = request.url.slice(1);
			const { sequence } = JSON.parse(Buffer.concat(chunks).toString());
			const last = this.#last.get(name);
			if (last !== undefined && sequence !== last + 1)
				this.fleet.problems.add('webhooks out of order', `${name}: ${sequence} after ${last}`);
			this.#last.set(name, sequence);
			this.fleet.counts.add('webhooks delivered');
			response.writeHead(200).end();
		});
	}

	// The sequence of the last one that was delivered for an instance.
	lastOf(name) {
		return this.#last.get(name);
	}

	stop() {
		this.server?.closeAllConnections();
		this.server?.close();
	}
}
