// tests/run.mjs - test files side by side, each a process of its own; one that fails gets one more try, alone
//
// Usage: run.mjs RESULT CONCURRENCY SECONDS FILE...
// The files are started in the order given; SECONDS is the limit of one file. The report of each comes to
// stdout when it has ended. RESULT gets "counts PASSED FAILED SKIPPED", and a line each: "failed FILE: TEST",
// "skipped FILE: TEST", and "unsteady FILE: TEST" for what failed at first and passed alone. Exit 0: none failed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [resultPath, concurrency, limit, ...files] = process.argv.slice(2);
const REPORTER = fileURLToPath(new URL('run-reporter.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'warden-run-'));

// The processes that a process has started, and theirs.
function descendants(pid) {
	let children = [];
	try {
		children = readdirSync(`/proc/${pid}/task`)
		    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number));
	} catch {
		// it has just ended
	}
	return children.flatMap((child) => [child, ...descendants(child)]);
}

// One file to its end: { file, ok, counts, failed, skipped }.
function runFile(file) {
	const json = join(scratch, `${basename(file)}.json`);
	rmSync(json, { force: true });
	const began = performance.now();
	const child = spawn(process.execPath, ['--no-warnings', '--test-force-exit',
		'--test-reporter=spec', '--test-reporter-destination=stdout',
		`--test-reporter=${REPORTER}`, '--test-reporter-destination=stderr', file],
	    { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, RUN_RESULT: json } });
	const output = [];
	for (const stream of [child.stdout, child.stderr])
		stream.on('data', (chunk) => output.push(chunk));
	let late = false;
	const timer = setTimeout(() => {
		late = true;
		for (const pid of [child.pid, ...descendants(child.pid)])
			try {
				process.kill(pid, 'SIGKILL');
			} catch {
				// it has just ended
			}
	}, limit * 1000);
	return new Promise((resolve) => {
		const end = (code, signal) => {
			clearTimeout(timer);
			resolve(judge(file, { code, signal, late, json }));
		};
		child.once('close', end);
		// what outlives the file holds its output open: not waited for
		child.once('exit', (code, signal) => setTimeout(end, 2000, code, signal));
	}).then((result) => {
		const seconds = ((performance.now() - began) / 1000).toFixed(1);
		console.log(`==== ${file}: ${result.ok ? 'ok' : 'FAILED'}, ${seconds} s`);
		process.stdout.write(Buffer.concat(output));
		return result;
	});
}

function judge(file, { code, signal, late, json }) {
	let seen = { counts: null, failed: [], skipped: [] };
	if (code === 0 && !existsSync(json)) // no test of it is for this build
		seen.counts = {};
	else
		try {
			seen = JSON.parse(readFileSync(json, 'utf8'));
		} catch {
			// it broke off
		}
	// node counts no failed test, and exits with 0, where what failed is the end of a suite: a World that left something behind
	const ok = code === 0 && seen.counts !== null && seen.failed.length === 0;
	if (!ok && seen.failed.length === 0)
		seen.failed.push(late ? `ended after ${limit} s` : `ended with ${signal ?? `exit code ${code}`}`);
	const { passed = 0, cancelled = 0, failed = 0 } = seen.counts ?? {};
	return { file, ok, ...seen, counts: {
		passed,
		failed: ok ? 0 : Math.max(failed + cancelled, seen.failed.length, 1),
		// a suite that is skipped as a whole is in no total
		skipped: Math.max((seen.counts?.skipped ?? 0) + (seen.counts?.todo ?? 0), seen.skipped.length),
	} };
}

async function runAll() {
	const waiting = [...files];
	const results = [];
	const lane = async () => {
		while (waiting.length > 0)
			results.push(await runFile(waiting.shift()));
	};
	await Promise.all(Array.from({ length: Number(concurrency) }, lane));
	return results;
}

const lines = [];
const total = { passed: 0, failed: 0, skipped: 0 };
for (let result of await runAll()) {
	if (!result.ok) {
		console.log(`==== once more, alone: ${result.file}`);
		const again = await runFile(result.file);
		if (again.ok)
			lines.push(...result.failed.map((test) => `unsteady ${result.file}: ${test}`));
		result = again;
	}
	lines.push(...result.failed.map((test) => `failed ${result.file}: ${test}`));
	lines.push(...result.skipped.map((test) => `skipped ${result.file}: ${test}`));
	for (const key of Object.keys(total))
		total[key] += result.counts[key];
}
rmSync(scratch, { recursive: true, force: true });
writeFileSync(resultPath, [`counts ${total.passed} ${total.failed} ${total.skipped}`, ...lines, ''].join('\n'));
console.log(lines.join('\n'));
process.exit(total.failed === 0 ? 0 : 1);
