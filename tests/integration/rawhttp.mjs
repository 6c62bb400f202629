// tests/integration/rawhttp.mjs - HTTP over a bare socket: what is sent is exactly what was written
import net from 'node:net';
import { PATIENCE, SLOWNESS } from './harness.mjs';

const ANSWER_MS = 5000 * SLOWNESS * PATIENCE;

// Open a connection to { host, port } or { path }.
export function connect(target, options = {}) {
	return new Promise((resolve, reject) => {
		const socket = net.connect({ ...target, ...options });
		socket.once('connect', () => {
			socket.removeListener('error', reject);
			socket.on('error', () => {}); // a reset is the end of the stream for these tests
			resolve(new RawConnection(socket));
		});
		socket.once('error', reject);
	});
}

class RawConnection {
	constructor(socket) {
		this.socket = socket;
		this.received = Buffer.alloc(0);
		this.ended = false;
		this.wake = [];
		socket.on('data', (chunk) => {
			this.received = Buffer.concat([this.received, chunk]);
			this.#notify();
		});
		socket.on('close', () => {
			this.ended = true;
			this.#notify();
		});
		socket.on('end', () => {
			this.ended = true;
			this.#notify();
		});
	}

	#notify() {
		for (const wake of this.wake.splice(0))
			wake();
	}

	send(data) {
		if (!this.socket.destroyed)
			this.socket.write(data);
	}

	close() {
		this.socket.destroy();
	}

	// Wait until question(this) gives a value other than undefined.
	async until(question, timeoutMs, what) {
		const deadline = Date.now() + timeoutMs;
		for (;;) {
			const value = question(this);
			if (value !== undefined)
				return value;
			const left = deadline - Date.now();
			if (left <= 0)
				throw new Error(`no ${what} within ${timeoutMs} ms; received: ` +
				    JSON.stringify(this.received.toString('latin1').slice(0, 300)));
			await new Promise((resolve) => {
				const timer = setTimeout(resolve, left);
				this.wake.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
	}

	// Take one whole answer off the stream. bodyless: the answer to HEAD.
	response({ timeoutMs = ANSWER_MS, bodyless = false } = {}) {
		return this.until(() => {
			const taken = parseResponse(this.received, this.ended, bodyless);
			if (taken === undefined)
				return this.ended ? { status: 0, headers: {}, body: '', closed: true } : undefined;
			this.received = this.received.subarray(taken.used);
			return taken;
		}, timeoutMs, 'answer');
	}

	// Resolves when the other side has closed.
	closed(timeoutMs = ANSWER_MS) {
		return this.until(() => (this.ended ? true : undefined), timeoutMs, 'close');
	}
}

function parseHead(text) {
	const lines = text.split('\r\n');
	const m = lines[0].match(/^HTTP\/1\.([01]) (\d{3})/);
	if (m === null)
		throw new Error(`not a status line: ${JSON.stringify(lines[0])}`);
	const headers = {};
	for (const line of lines.slice(1)) {
		const colon = line.indexOf(':');
		headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
	}
	return { status: Number(m[2]), headers };
}

function parseChunked(bytes) {
	const parts = [];
	let at = 0;
	for (;;) {
		const eol = bytes.indexOf('\r\n', at);
		if (eol < 0)
			return undefined;
		const size = parseInt(bytes.toString('latin1', at, eol), 16);
		if (bytes.length < eol + 2 + size + 2)
			return undefined;
		if (size === 0)
			return { body: Buffer.concat(parts), used: eol + 4 };
		parts.push(bytes.subarray(eol + 2, eol + 2 + size));
		at = eol + 2 + size + 2;
	}
}

function parseResponse(bytes, ended, bodyless) {
	const headEnd = bytes.indexOf('\r\n\r\n');
	if (headEnd < 0)
		return undefined;
	const { status, headers } = parseHead(bytes.toString('latin1', 0, headEnd));
	const rest = bytes.subarray(headEnd + 4);
	let body;
	let used;
	if (bodyless || status < 200 || status === 204 || status === 304) {
		body = Buffer.alloc(0);
		used = 0;
	} else if (headers['transfer-encoding'] === 'chunked') {
		const chunked = parseChunked(rest);
		if (chunked === undefined)
			return undefined;
		({ body, used } = chunked);
	} else if (headers['content-length'] !== undefined) {
		used = Number(headers['content-length']);
		if (rest.length < used)
			return undefined;
		body = rest.subarray(0, used);
	} else {
		if (!ended)
			return undefined;
		body = rest;
		used = rest.length;
	}
	return { status, headers, body: body.toString('utf8'), used: headEnd + 4 + used };
}
