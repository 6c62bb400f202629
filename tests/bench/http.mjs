// tests/bench/http.mjs - the gateway beside nginx: the same bytes to the same client, each server on core 0
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, eventually, freePort } from '../integration/harness.mjs';
import * as raw from '../integration/rawhttp.mjs';
import { QUICK, begin, record, sized, summary } from './machine.mjs';

const SECONDS = sized(1, 4); // of one run; a whole minute's limit must not run out in it
const ROUNDS = Number(process.env.ROUNDS ?? (QUICK ? 1 : 5));
const ONLY = process.env.ONLY; // run the scenarios whose name has this in it
const CONNECTIONS = 64;
const SERVER_CORE = '0';
const CLIENT_CORE = '1';
const MUST = 0.5;
const AIM = 0.7;

const dir = mkdtempSync(join(tmpdir(), 'warden-bench-http-'));
const running = new Set();

function start(command, args, log) {
	const out = openSync(log, 'a');
	const child = spawn('taskset', ['-c', SERVER_CORE, command, ...args], { stdio: ['ignore', out, out] });
	running.add(child);
	child.once('exit', () => running.delete(child));
	return child;
}

function stop(child) {
	return new Promise((resolve) => {
		if (child.exitCode !== null || child.signalCode !== null)
			resolve();
		child.once('exit', resolve);
		child.kill('SIGTERM');
	});
}

// ---- wardend -------------------------------------------------------------------------------------

let worlds = 0;

// A gateway with one account and its instances. The log goes to a file, as a service's does.
async function startWardend({ instances, limit, logLevel }) {
	const home = join(dir, `w${++worlds}`);
	mkdirSync(home);
	const port = await freePort();
	const log = join(home, 'log');
	const child = start(binary('wardend'), ['--listen', `127.0.0.1:${port}`, '--data-dir', join(home, 'data'),
		'--run-dir', join(home, 'run'), '--worker-path', binary('warden-worker'), '--log-level', logLevel,
		'--limit-per-minute', String(limit), '--limit-create-per-minute', '1000'], log);
	await eventually(() => /\bready\b/.test(readFileSync(log, 'utf8')), { what: 'wardend' });
	const ctl = (...args) => execFileSync(binary('wardenctl'), args,
	    { env: { WARDEN_RUN_DIR: join(home, 'run'), WARDEN_URL: `http://127.0.0.1:${port}` } });
	const { token } = JSON.parse(ctl('account', 'create', 'bench', '--json'));
	for (let i = 0; i < instances; i++) {
		const r = await fetch(`http://127.0.0.1:${port}/api/instance/new`, { method: 'POST',
		    headers: { token, 'content-type': 'application/json' }, body: JSON.stringify({ name: `shop-${i}` }) });
		if (r.status !== 201)
			throw new Error(await r.text());
	}
	return { child, port, token };
}

// ---- nginx -----------------------------------------------------------------------------------------

const WORD_MAX = 2000; // nginx takes 4096 bytes in one word of its configuration

const quoted = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

// As many header fields as ours has, the same body, no log unless ours has one.
function nginxConfig({ port, answer, accessLog }) {
	const own = ['server', 'date', 'content-type', 'content-length', 'connection'];
	const extra = Object.entries(answer.headers).filter(([name]) => !own.includes(name));
	extra.splice(0, 2); // nginx adds Server and Connection by itself
	const parts = answer.body.match(new RegExp(`.{1,${WORD_MAX}}`, 'gs'));
	return `
worker_processes 1;
daemon off;
pid ${dir}/nginx.pid;
error_log ${dir}/nginx.err;
events { worker_connections 1024; }
http {
	access_log ${accessLog ? `${dir}/nginx.access` : 'off'};
	client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
	uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
	default_type ${answer.headers['content-type']};
	server {
		listen 127.0.0.1:${port};
		location / {
${extra.map(([name, value]) => `			add_header ${name} ${quoted(value)} always;`).join('\n')}
${parts.map((part, i) => `			set $part${i} ${quoted(part)};`).join('\n')}
			return ${answer.status} ${parts.map((_, i) => `$part${i}`).join('')};
		}
	}
}
`;
}

async function startNginx(options) {
	const port = await freePort();
	const config = join(dir, 'nginx.conf');
	writeFileSync(config, nginxConfig({ ...options, port }));
	const child = start('nginx', ['-c', config, '-p', dir, '-e', join(dir, 'nginx.err')], join(dir, 'nginx.out'));
	await eventually(() => new Promise((resolve) => {
		const socket = net.connect(port, '127.0.0.1');
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => resolve(false));
	}), { what: 'nginx' });
	return { child, port };
}

// ---- load ------------------------------------------------------------------------------------------

const PATH = '/api/instance/list';

async function ask(port, token) {
	const c = await raw.connect({ host: '127.0.0.1', port });
	c.send(`GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\ntoken: ${token}\r\n\r\n`);
	const r = await c.response();
	c.close();
	return r;
}

const MS = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function millis(text, label) {
	const [, value, unit] = text.match(new RegExp(`^\\s+${label}\\s+([\\d.]+)(us|ms|s|m)\\s*$`, 'm'));
	return Number(value) * MS[unit];
}

// CPU time of a process in us; with children, of nginx's one worker too.
function cpuUs(pid) {
	const tick = 10_000;
	const of = (p) => {
		const fields = readFileSync(`/proc/${p}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
		return (Number(fields[11]) + Number(fields[12])) * tick;
	};
	const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
	return [pid, ...children].reduce((sum, p) => sum + of(p), 0);
}

// One run of wrk. expected: the status that every answer has to have.
function load({ port, child }, token, expected) {
	const before = cpuUs(child.pid);
	const { stdout, status } = spawnSync('taskset', ['-c', CLIENT_CORE, 'wrk', '-t1', `-c${CONNECTIONS}`,
		`-d${SECONDS}s`, '--latency', '-H', `token: ${token}`, `http://127.0.0.1:${port}${PATH}`],
	{ encoding: 'utf8' });
	if (status !== 0)
		throw new Error(`wrk: ${stdout}`);
	const bad = Number(stdout.match(/Non-2xx or 3xx responses: (\d+)/)?.[1] ?? 0);
	const all = Number(stdout.match(/(\d+) requests in/)[1]);
	if (/Socket errors/.test(stdout) || (expected === 200 ? bad > 0 : bad < all))
		throw new Error(`not all answers were ${expected}:\n${stdout}`);
	return { cpu: (cpuUs(child.pid) - before) / all, perS: Number(stdout.match(/Requests\/sec:\s+([\d.]+)/)[1]), p50: millis(stdout, '50%'), p99: millis(stdout, '99%') };
}

// A B A B ...: what else the machine does meets both.
async function compare({ name, instances, limit, known, logged, status }) {
	const ours = [];
	const theirs = [];
	let bytes;
	for (let round = 0; round < ROUNDS; round++) {
		const w = await startWardend({ instances, limit, logLevel: logged ? 'info' : 'notice' });
		const token = known ? w.token : 'nobody-has-this-token-0123456789';
		let answer = await ask(w.port, token);
		for (let i = 0; i <= 100 && status === 429 && answer.status !== 429; i++)
			answer = await ask(w.port, token);
		if (answer.status !== status)
			throw new Error(`${name}: ${answer.status} ${answer.body}`);
		bytes = Buffer.byteLength(answer.body);
		ours.push(load(w, token, status));
		await stop(w.child);
		const n = await startNginx({ answer, accessLog: logged });
		theirs.push(load(n, token, status));
		await stop(n.child);
	}
	const of = (list, key) => summary(list.map((r) => r[key])).median;
	const ratio = of(ours, 'perS') / of(theirs, 'perS');
	const cells = [of(ours, 'perS').toFixed(0), of(theirs, 'perS').toFixed(0), ratio.toFixed(2),
		of(ours, 'p50').toFixed(2), of(theirs, 'p50').toFixed(2), of(ours, 'p99').toFixed(2), of(theirs, 'p99').toFixed(2),
		of(ours, 'cpu').toFixed(2), of(theirs, 'cpu').toFixed(2)];
	console.log(`${`${name} (${bytes} bytes)`.padEnd(44)}${cells.map((c) => c.padStart(9)).join('')}` +
	    `  ${ratio >= AIM ? 'aim reached' : ratio >= MUST ? 'reached' : 'MISSED'}`);
	for (const [what, key, unit, more] of [['requests a second', 'perS', '/s', true], ['p99', 'p99', 'ms', false]])
		for (const [who, list] of [['Warden', ours], ['nginx', theirs]])
			record(`${name}, ${what}`, who, unit, list.map((r) => r[key]), { more });
}

const SCENARIOS = [
	{ name: 'list of 1', instances: 1, limit: 1_000_000, known: true, status: 200 },
	{ name: 'list of 20', instances: 20, limit: 1_000_000, known: true, status: 200 },
	{ name: '401', instances: 0, limit: 1_000_000, known: false, status: 401 },
	{ name: '429', instances: 0, limit: 100, known: false, status: 429 },
].flatMap((s) => [{ ...s, name: `${s.name}, no log`, logged: false }, { ...s, name: `${s.name}, access log`, logged: true }]);

begin('HTTP beside nginx', `${CONNECTIONS} kept connections from one wrk for ${SECONDS} s a run, in turn; the server alone on core ${SERVER_CORE}, wrk on core ${CLIENT_CORE}. nginx has one
worker process and answers a constant body with the same bytes and as many header fields, and checks nothing; Warden parses strictly, looks
the token up, counts its limit and makes the list. A ratio below 1 is what that costs.`);
console.log(`must: ${MUST} of nginx's requests a second; aim: ${AIM}`);
console.log(`${''.padEnd(44)}${['req/s', 'nginx', 'ratio', 'p50 ms', 'nginx', 'p99 ms', 'nginx', 'CPU us', 'nginx'].map((c) => c.padStart(9)).join('')}`);
try {
	for (const scenario of SCENARIOS)
		if (ONLY === undefined || scenario.name.includes(ONLY))
			await compare(scenario);
} finally {
	for (const child of running)
		child.kill('SIGKILL');
	rmSync(dir, { recursive: true, force: true });
}
