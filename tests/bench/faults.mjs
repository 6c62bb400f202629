// tests/bench/faults.mjs - every allocation, system call and SQL call of the main scenes failed once, one at a time
//
// Environment: SCENES (all), ROLES, CLASSES: what of; MINUTES: no new point after that; LANES (2): worlds at once;
// SEED (1): the order; STATE: a file of what has been done, so that the next run goes on. ONLY: one point's key.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { makeRandom } from '../integration/killpoints.mjs';
import { pointsOf, recorded, runPoints, scenes } from '../integration/faultrun.mjs';
import { describeMachine } from './machine.mjs';

const N = process.argv[2] === 'all' ? Infinity : Number(process.argv[2]);
const list = (name, all) => process.env[name]?.split(',') ?? all;
const SCENES = list('SCENES', Object.keys(scenes));
const ROLES = list('ROLES', ['gateway', 'zygote', 'worker', 'cli']);
const CLASSES = list('CLASSES', ['alloc', 'sys', 'sql']);
const LANES = Number(process.env.LANES ?? 2);
const STATE = process.env.STATE;
const until = performance.now() + Number(process.env.MINUTES ?? 1e6) * 60_000;
const going = () => performance.now() < until;

const done = new Map(); // scene + key -> result line
if (STATE !== undefined && existsSync(STATE))
	for (const line of readFileSync(STATE, 'utf8').split('\n').filter((l) => l !== '')) {
		const one = JSON.parse(line);
		done.set(`${one.scene} ${one.key}`, one);
	}

function shuffled(points, random) {
	for (let i = points.length - 1; i > 0; i--) {
		const j = Math.floor(random() * (i + 1));
		[points[i], points[j]] = [points[j], points[i]];
	}
	return points;
}

function note(scene, point, result) {
	const line = { scene, key: point.key, role: point.role, cls: point.cls, fn: point.fn, how: result.fired?.how, fired: result.fired !== undefined,
		outcome: result.outcome, ms: result.ms, heap: result.heap, failure: result.failure, stack: result.stack, crash: result.crash, log: result.log };
	done.set(`${scene} ${point.key}`, line);
	if (STATE !== undefined)
		appendFileSync(STATE, `${JSON.stringify(line)}\n`);
	if (result.failure === undefined)
		return;
	console.error(`FAILED ${scene} ${point.key} (${result.fired?.fn ?? point.fn}: ${result.fired?.how ?? 'never called'}): ${result.failure}`);
	for (const frame of result.stack ?? [])
		console.error(`    ${frame}`);
	if (result.crash?.length > 0)
		console.error(`  crashed at\n    ${result.crash.join('\n    ')}`);
	if (result.log !== undefined && process.env.LOG !== undefined)
		console.error(result.log);
}

const rows = [];
for (const scene of SCENES) {
	if (!going())
		break;
	const began = performance.now();
	const recording = await recorded(scene).catch((error) => {
		console.error(`${scene}: not recorded: ${error.message}`);
		process.exitCode = 1;
	});
	if (recording === undefined)
		continue;
	const all = pointsOf(recording).filter((p) => ROLES.includes(p.role) && CLASSES.includes(p.cls) &&
	    (process.env.ONLY === undefined || p.key === process.env.ONLY));
	const todo = shuffled(all.filter((p) => process.env.ONLY !== undefined || !done.has(`${scene} ${p.key}`)),
	    makeRandom(Number(process.env.SEED ?? 1))).slice(0, N);
	let n = 0;
	await runPoints(scene, todo, { lanes: LANES, going, onResult: (point, result) => {
		note(scene, point, result);
		if (++n % 50 === 0)
			console.error(`${scene}: ${n} of ${todo.length}, ${((performance.now() - began) / n).toFixed(0)} ms each`);
	} });
	for (const role of ROLES)
		for (const cls of CLASSES) {
			const of = all.filter((p) => p.role === role && p.cls === cls);
			if (of.length === 0)
				continue;
			const results = of.map((p) => done.get(`${scene} ${p.key}`)).filter((r) => r !== undefined);
			rows.push({ scene, role, cls, calls: recording.counts[role][cls], places: new Set(of.map((p) => p.hash)).size, points: of.length,
				done: results.length, reached: results.filter((r) => r.fired).length, unseen: results.filter((r) => r.fired && r.failure === undefined && r.outcome === 'ok').length,
				answered: results.filter((r) => r.failure === undefined && r.outcome !== 'ok').length, failed: results.filter((r) => r.failure !== undefined).length });
		}
	if (recording.lost > 0)
		console.error(`${scene}: ${recording.lost} calls had no room in the recording`);
	console.error(`${scene}: ${n} points in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

console.log(`faults: each call fails once (seed ${process.env.SEED ?? 1})`);
console.log(describeMachine());
console.log('calls: of two rounds; places: distinct call stacks; points: places by ways to fail; reached: the call came; ' +
    'unseen: nobody noticed; answered: somebody did, as designed');
const columns = ['scene', 'role', 'cls', 'calls', 'places', 'points', 'done', 'reached', 'unseen', 'answered', 'failed'];
const width = Object.fromEntries(columns.map((c) => [c, Math.max(c.length, ...rows.map((r) => String(r[c]).length))]));
const table = (cells) => columns.map((c) => (typeof cells[c] === 'number' ? String(cells[c]).padStart(width[c]) : String(cells[c]).padEnd(width[c]))).join('  ');
console.log(table(Object.fromEntries(columns.map((c) => [c, c]))));
for (const row of rows)
	console.log(table(row));
const failed = rows.reduce((n, r) => n + r.failed, 0);
process.exit(failed > 0 ? 1 : process.exitCode); // a scene that could not be recorded may have left a follower
