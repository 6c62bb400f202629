// tests/bench/fleet/ledger.mjs - what is to arrive, and has to once: keys are of the caller's making
export class Ledger {
	#waiting = new Map(); // key -> when it was sent
	#arrived = new Set();

	constructor({ problems, latencies, counts }) {
		Object.assign(this, { problems, latencies, counts });
	}

	// Before it is sent: it may arrive before the sending is answered. kind: undefined leaves its time out.
	expect(key, kind = 'event') {
		this.#waiting.set(key, { at: performance.now(), kind });
		this.counts.add('expected');
	}

	// It was not sent after all.
	forget(key) {
		if (this.#waiting.delete(key))
			this.counts.add('expected', -1);
	}

	isExpected(key) {
		return this.#waiting.has(key);
	}

	hasArrived(key) {
		return this.#arrived.has(key);
	}

	/*
	 * True when it was expected and is here for the first time. disturbed: when the connection that it came over was last
	 * disturbed; what was sent before the end of that is counted as late, and not among the others.
	 */
	arrive(key, disturbed = -Infinity) {
		const sent = this.#waiting.get(key);
		if (sent === undefined) {
			this.problems.add(this.#arrived.has(key) ? 'arrived twice' : 'arrived unexpected', key);
			return false;
		}
		this.#waiting.delete(key);
		this.#arrived.add(key);
		if (sent.kind !== undefined)
			this.latencies.add(sent.at < disturbed ? `${sent.kind} (late)` : sent.kind, performance.now() - sent.at);
		this.counts.add('arrived');
		return true;
	}

	// Keys that have waited for longer.
	overdue(ms) {
		const limit = performance.now() - ms;
		return [...this.#waiting].filter(([, { at }]) => at < limit).map(([key]) => key);
	}

	get waiting() {
		return this.#waiting.size;
	}
}
