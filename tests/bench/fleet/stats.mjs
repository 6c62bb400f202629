// tests/bench/fleet/stats.mjs - latencies by kind and interval, and a list of problems that does not grow without end
import { quantile } from '../machine.mjs';

export class Latencies {
	#kinds = new Map();

	add(kind, ms) {
		if (!this.#kinds.has(kind))
			this.#kinds.set(kind, []);
		this.#kinds.get(kind).push(ms);
	}

	// What came since the last call: kind -> { n, p50, p99, max }.
	take() {
		const all = {};
		for (const [kind, values] of this.#kinds) {
			const sorted = values.sort((a, b) => a - b);
			all[kind] = sorted.length === 0 ? { n: 0 } :
				{ n: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) };
			this.#kinds.set(kind, []);
		}
		return all;
	}
}

const KEPT = 20; // of one kind; all are counted

export class Problems {
	constructor() {
		this.kinds = new Map(); // kind -> { count, samples }
	}

	add(kind, detail = '') {
		const known = this.kinds.get(kind) ?? { count: 0, samples: [] };
		known.count++;
		if (known.samples.length < KEPT)
			known.samples.push(`${new Date().toISOString().slice(11, 19)} ${detail}`);
		this.kinds.set(kind, known);
	}

	get total() {
		return [...this.kinds.values()].reduce((sum, { count }) => sum + count, 0);
	}
}

export class Counts {
	constructor() {
		this.of = {};
	}

	add(name, by = 1) {
		this.of[name] = (this.of[name] ?? 0) + by;
	}
}
