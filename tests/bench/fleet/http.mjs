// tests/bench/fleet/http.mjs - callers of the gateway and of the simulator's control API: kept connections, every answer expected
import http from 'node:http';

// One request. A kept connection may be closed under it by a server whose time is over: that is asked again, once.
// base: an origin, or { socketPath }.
function once(agent, base, method, path, { token, json, timeoutMs = 90_000 }, again) {
	return new Promise((resolve, reject) => {
		const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
		const [origin, socket] = typeof base === 'string' ? [base, {}] : ['http://localhost', base];
		const request = http.request(origin + path, { ...socket, method, agent, timeout: timeoutMs, headers: {
			...(token !== undefined ? { token } : {}),
			...(body !== undefined ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
		} }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
				const text = Buffer.concat(chunks).toString('utf8');
				let parsed;
				try {
					parsed = JSON.parse(text);
				} catch {
					// no JSON: metrics
				}
				resolve({ status: response.statusCode, headers: response.headers, text, json: parsed });
			});
		});
		request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
		request.on('error', (error) => {
			if (request.reusedSocket && error.code === 'ECONNRESET' && !again)
				once(agent, base, method, path, { token, json, timeoutMs }, true).then(resolve, reject);
			else
				reject(error);
		});
		request.end(body);
	});
}

export class Caller {
	// name: of the base in problems. latencies may be left out.
	constructor(base, { name, problems, latencies, counts, sockets = 32 }) {
		Object.assign(this, { base, name, problems, latencies, counts });
		this.agent = new http.Agent({ keepAlive: true, maxSockets: sockets });
	}

	/*
	 * expect: the status or statuses that are right. kind: under which its time is noted. Another answer is a problem, and
	 * undefined to the caller.
	 */
	async ask(method, path, { expect = 200, kind = 'http', quiet = false, ...options } = {}) {
		const began = performance.now();
		let answer;
		try {
			answer = await once(this.agent, this.base, method, path, options, false);
		} catch (error) {
			this.problems.add(`${this.name} request failed`, `${method} ${path}: ${error.code ?? ''} ${error.message}`);
			return undefined;
		}
		this.latencies?.add(kind, performance.now() - began);
		this.counts?.add(`${this.name} requests`);
		if ([expect].flat().includes(answer.status))
			return answer;
		if (!quiet)
			this.problems.add(`${this.name} answered otherwise`,
			    `${method} ${path}: ${answer.status} instead of ${expect}: ${answer.text.slice(0, 200)}`);
		return undefined;
	}

	close() {
		this.agent.destroy();
	}
}
