// tests/bench/fleet/actors.mjs - things that are done so often a second, at random moments
const TICK_MS = 20;
const UNDER_WAY = 64; // of one kind; more are not begun, and counted

export class Actors {
	#list = [];
	#timer;
	#running = new Set();

	constructor(fleet) {
		this.fleet = fleet;
	}

	// act: async () => void. What it throws is a problem.
	add(name, perSecond, act) {
		this.#list.push({ name, perSecond, act, due: Math.random(), underWay: 0 });
	}

	start() {
		let then = performance.now();
		this.#timer = setInterval(() => {
			const now = performance.now();
			for (const actor of this.#list)
				this.#turn(actor, (now - then) / 1000);
			then = now;
		}, TICK_MS);
	}

	#turn(actor, seconds) {
		// in the mean as often as was said, and not in step with the others
		for (actor.due += seconds * actor.perSecond * 2 * Math.random(); actor.due >= 1; actor.due--) {
			if (actor.underWay >= UNDER_WAY) {
				this.fleet.counts.add(`${actor.name} left out`);
				continue;
			}
			actor.underWay++;
			const done = actor.act().catch((error) => this.fleet.problems.add(`${actor.name} failed`, error.stack)).finally(() => {
				actor.underWay--;
				this.#running.delete(done);
			});
			this.#running.add(done);
			this.fleet.counts.add(actor.name);
		}
	}

	// Nothing more is begun; what was comes to its end.
	async stop() {
		clearInterval(this.#timer);
		await Promise.all(this.#running);
	}
}

export const pick = (list) => list[Math.floor(Math.random() * list.length)];
