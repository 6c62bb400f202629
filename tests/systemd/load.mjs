// tests/systemd/load.mjs - asks /health over and over, each time on a connection of its own
//
// Usage: node load.mjs PORT CLIENTS. Ends at SIGTERM with one JSON line: how many were answered, refused, cut
// off, and the longest that anyone waited for an answer, cut off or not.
import { request } from 'node:http';

const [port, clients] = process.argv.slice(2).map(Number);
const seen = { answered: 0, refused: 0, cut: 0, other: 0, worstMs: 0, errors: {} };
let over = false;

function ask() {
	return new Promise((resolve) => {
		const req = request({ host: '127.0.0.1', port, path: '/health', agent: false, timeout: 10_000 }, (res) => {
			res.resume();
			res.once('end', () => resolve('answered'));
			res.once('error', () => resolve('cut'));
		});
		req.once('timeout', () => req.destroy(new Error('timeout')));
		req.once('error', (e) => {
			seen.errors[e.code ?? e.message] = (seen.errors[e.code ?? e.message] ?? 0) + 1;
			if (e.code === 'ECONNREFUSED')
				resolve('refused');
			else
				resolve(e.code === 'ECONNRESET' || e.code === 'EPIPE' ? 'cut' : 'other');
		});
		req.end();
	});
}

async function client() {
	let began = performance.now();
	while (!over) {
		const how = await ask();
		seen[how]++;
		seen.worstMs = Math.max(seen.worstMs, performance.now() - began);
		if (how === 'answered') // who was cut off asks again, and has waited all the time
			began = performance.now();
		await new Promise((resolve) => setTimeout(resolve, how === 'answered' ? 2 : 0));
		if (how === 'answered')
			began = performance.now();
	}
}

process.once('SIGTERM', () => (over = true));
await Promise.all(Array.from({ length: clients }, client));
console.log(JSON.stringify(seen));
