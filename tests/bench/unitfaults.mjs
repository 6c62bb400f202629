// tests/bench/unitfaults.mjs - unit tests with one allocation, system call or SQL call failing: no crash in what they test
//
// A test that meets a failure fails, as it should: what is looked at is where a process crashed or hung. A crash of the test's
// own code (an answer that it did not expect) counts as the test's. Environment: TESTS: programs; MINUTES; LANES; CLASSES; DEPTH.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CLASSES as ALL, FaultCtl, symbols } from '../integration/faultctl.mjs';
import { BUILD, binary } from '../integration/harness.mjs';
import { makeRandom } from '../integration/killpoints.mjs';

const N = process.argv[2] === 'all' ? Infinity : Number(process.argv[2]);
const TESTS = (process.env.TESTS ?? 'gw_http,gw_api,gw_instance,wk_online_live,wk_session_life').split(',');
const CLASSES = process.env.CLASSES?.split(',') ?? ALL;
const LANES = Number(process.env.LANES ?? 2);
const until = performance.now() + Number(process.env.MINUTES ?? 1e6) * 60_000;
const HANG_MS = 120_000;
const dir = mkdtempSync(join(tmpdir(), 'warden-uf-'));

function runTest(name, ctl) {
	return new Promise((done) => {
		const child = spawn('setarch', ['-R', resolve(BUILD, `tests/unit/test_${name}`)], { stdio: 'ignore', env: { ...process.env,
			LD_PRELOAD: binary('faults.so'), WARDEN_TEST_FAULTS: ctl.path } });
		const timer = setTimeout(() => child.kill('SIGKILL'), HANG_MS);
		child.on('exit', (code, signal) => {
			clearTimeout(timer);
			done({ code, signal });
		});
	});
}

// Of the frames of a crash, the first that is ours.
const ours = (frames) => frames.find((f) => /\/(gateway|worker|common|cli|tests)\//.test(f));

const rows = [];
for (const name of TESTS) {
	const ctl = new FaultCtl(join(dir, name));
	ctl.depth = Number(process.env.DEPTH ?? 8);
	ctl.record();
	const clean = await runTest(name, ctl);
	ctl.off();
	if (clean.code !== 0) {
		console.error(`${name}: fails by itself (${JSON.stringify(clean)})`);
		continue;
	}
	const random = makeRandom(Number(process.env.SEED ?? 1));
	const points = ctl.calls().filter((c) => CLASSES.includes(c.cls))
	    .flatMap((c) => Array.from({ length: c.variants }, (_, variant) => ({ ...c, variant })))
	    .map((p) => [random(), p]).sort((a, b) => a[0] - b[0]).map(([, p]) => p);
	const queue = points.slice(0, N);
	const row = { name, points: points.length, done: 0, reached: 0, crashes: 0, tests: 0, hung: 0 };
	const seen = new Set();
	const lane = async (i) => {
		const own = new FaultCtl(join(dir, `${name}.${i}`));
		own.depth = Number(process.env.DEPTH ?? 8);
		await runTest(name, own); // tells its names
		for (let p = queue.shift(); p !== undefined && performance.now() < until; p = queue.shift()) {
			own.arm(p);
			const r = await runTest(name, own);
			const fired = own.fired();
			const crash = own.crash().length > 0 ? symbols(own.crash(), { paths: true }) : [];
			const at = ours(crash);
			row.done++;
			row.reached += fired !== undefined;
			row.hung += r.signal === 'SIGKILL';
			if (at !== undefined)
				row[/\/tests\//.test(at) ? 'tests' : 'crashes']++;
			const what = r.signal === 'SIGKILL' ? `hung ${p.hash} ${p.variant}` : at !== undefined && !/\/tests\//.test(at) ? at : undefined;
			if (what === undefined || seen.has(what))
				continue;
			seen.add(what);
			console.error(`FAILED ${name} (${fired?.fn}: ${fired?.how}): ${what}`);
			console.error(`  failed at\n    ${symbols(fired?.frames ?? []).slice(0, 14).join('\n    ')}`);
			console.error(`  crashed at\n    ${crash.map((f) => f.replace(/\S*\/(?=[^/]*$)/, '')).slice(0, 14).join('\n    ')}`);
		}
		own.close();
	};
	await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
	ctl.close();
	rows.push(row);
	console.error(JSON.stringify(row));
}
rmSync(dir, { recursive: true, force: true });
console.log('unit tests with one call failing: crashes and hangs of what they test');
console.table(rows);
