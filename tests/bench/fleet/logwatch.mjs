// tests/bench/fleet/logwatch.mjs - every line that the programs log is looked at once, and none is kept
const REPORT = /AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:/;
const WORDS = /[A-Za-z0-9+/=_~.-]{9,}/g; // what a token or a code may be
const KEPT = 5000;
const NEWEST_SECRETS = 200_000;

export class LogWatch {
	#secrets = new Set();

	constructor(fleet) {
		this.fleet = fleet;
		this.events = new Map(); // "level event" -> how many, of notice and above
		this.kept = []; // warnings and errors
		this.onEvent = undefined;
	}

	// A token or a code that must not be in any line.
	secret(text) {
		if (typeof text !== 'string')
			return;
		for (const part of text.slice(text.indexOf('#') + 1).split(','))
			if (part.length >= 9)
				this.#secrets.add(part);
		while (this.#secrets.size > NEWEST_SECRETS)
			this.#secrets.delete(this.#secrets.values().next().value);
	}

	line(program, { text, json }) {
		const { problems } = this.fleet;
		if (REPORT.test(text))
			problems.add('a sanitizer reported', text);
		if (program === 'wardend' && text.match(WORDS)?.some((word) => this.#secrets.has(word)))
			problems.add('a secret was logged', text);
		const level = json?.level ?? text.match(/\blevel=(\w+)/)?.[1];
		if (level === 'err' && program === 'wardend')
			problems.add('an error was logged', text);
		if ((level === 'err' || level === 'warning') && this.kept.length < KEPT)
			this.kept.push(text);
		if (json?.event !== undefined) {
			const key = `${json.level} ${json.event}`;
			this.events.set(key, (this.events.get(key) ?? 0) + 1);
			this.onEvent?.(json);
		}
	}
}
