// tests/integration/gatediff.mjs - the gate beside nginx: generated connections, and how each frames them (fault H17)
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { binary, eventually, freePort } from './harness.mjs';

// ---- the generator ---------------------------------------------------------------------------------

// mulberry32: small, seeded, good enough to choose with
function randomOf(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

class Chooser {
	constructor(seed) {
		this.random = randomOf(seed);
	}

	below(n) {
		return Math.floor(this.random() * n);
	}

	chance(p) {
		return this.random() < p;
	}

	of(list) {
		return list[this.below(list.length)];
	}

	// Mostly the first, else one of the rest.
	mostly(usual, others, p = 0.93) {
		return this.chance(p) ? usual : this.of(others);
	}
}

// TRACE and CONNECT are left out: nginx answers them by policy before it frames anything.
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'BREW-IT', 'A_B'];
const ODD_METHODS = ['get', 'GET\t', ' GET', 'G3T', 'PO ST', '', 'POST\0', 'GET,', 'X'.repeat(40)];
const TARGETS = ['/', '/a', '/a/b;c=1?d=e&f=%2f', '/%41%c3%a4', '/?', '//x', '/a/../b', '/./a', "/~!$&'()*+,;=:@", '/?a?b/c',
	'/a%5cb', '/%0d%0aX:y', '/...', '/a//b/..//c', `/${'a'.repeat(3000)}`, '/?../..', '/a/%2e%2e/b', '/a%252fb'];
const ODD_TARGETS = ['*', 'http://h/', 'a', '', '/a b', '/a#b', '/%', '/%0', '/%zz', '/%00', '/..', '/a/../../b', '/%2e%2e/', '//..',
	'/\x80', '/a\\b', '/a"b', '/a%2fb', 'h:80', '/\t', '/a\x7f', '/{a}', '/a|b', '/.%2E', '/a/..?/../b', '/?a#b', `/${'b'.repeat(9000)}`];
const ODD_VERSIONS = ['HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ', 'HTTP/1', 'HTTP/11', '', 'HTTP/1.10', 'HTTP/0.9', 'XTTP/1.1'];
const HOSTS = ['h', 'a.example:8080', '[::1]', '[2001:db8::1]:80', 'a_b', 'h.', 'h:', '127.0.0.1', '~h'];
const ODD_HOSTS = ['', 'a b', 'a/b', 'a..b', 'u@h', '[::1', '[]', 'h:x', ':80', '.', 'h,i', 'a\\b', '[x]', 'h%41', '\x80', '"h"', '*'];
const NAMES = ['X', 'Accept', 'Cookie', 'X-Forwarded-For', 'token', 'Via', 'TE', 'Upgrade', 'Trailer', 'a.b', 'a_b', 'X!', '~', 'Connection'];
const ODD_NAMES = ['', 'X Y', 'X(A)', 'X\t', 'X\0', '\x80', 'X:Y', '"X"', ' X', '\tX', 'Host', 'Content-Length', 'Transfer-Encoding', 'Content_Length'];
const VALUES = ['a', '', 'a, b', 'a\tb', '\xff\x80', 'close', 'keep-alive', 'a:b', '"q"', 'trailers', 'x'.repeat(300), 'websocket'];
const ODD_VALUES = ['a\0', 'a\rb', 'a\nb', '\x7f', '\x01', '\ta', 'a\t', 'a\r\n b', 'a\r', '\x0b'];
const LENGTHS = [(n) => `${n}`, (n) => `00${n}`, (n) => `${n} `, (n) => ` ${n}`, (n) => `${n}`];
const ODD_LENGTHS = [(n) => `+${n}`, (n) => `-${n}`, (n) => `0x${n}`, (n) => `${n},${n}`, (n) => `${n}a`, () => '', () => '99999999999999999999',
	(n) => `${n}\t`, (n) => `${n}.0`, (n) => `${n} ${n}`, () => '18446744073709551621', (n) => `${n + 1}`, (n) => `${Math.max(0, n - 1)}`];
const CODINGS = ['chunked', 'chunked', 'Chunked', 'CHUNKED', ' chunked '];
const ODD_CODINGS = ['gzip, chunked', 'xchunked', 'chunked, chunked', 'identity', '', '\tchunked', 'chunked\t', '"chunked"', 'chunked;a', 'chunked,',
	'chunke', 'chunked\x0b', 'gzip'];
const ODD_SIZES = [(s) => `0x${s}`, (s) => `+${s}`, (s) => `-${s}`, (s) => ` ${s}`, (s) => `${s} `, (s) => `${s};a=b`, (s) => `${s};`,
	(s) => `${s}\t`, (s) => `${s}g`, () => '', () => 'fffffffffffffffff', (s) => `000000000000000000${s}`, (s) => `${s}\0`];
const ODD_ENDS = ['\n', '\r', '\r\r\n', '\n\r', '', ' \r\n', '\r\n\r\n', '\x85'];
const BODIES = ['', 'a', 'abc', '0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n', '\0\r\n\xff', 'x'.repeat(2000), '{"a":1}'];

const eol = (c) => c.mostly('\r\n', ODD_ENDS, 0.99);

function field(c) {
	const name = c.mostly(c.of(NAMES), ODD_NAMES, 0.97);
	const colon = c.mostly(': ', [':', ':  ', ' : ', ':\t', '\t:', '', '::'], 0.94);
	return `${name}${colon}${c.mostly(c.of(VALUES), ODD_VALUES, 0.96)}${eol(c)}`;
}

function chunked(c, body) {
	let out = '';
	for (let at = 0; at < body.length;) {
		const n = 1 + c.below(body.length - at);
		const size = c.mostly(n.toString(16), [n.toString(16).toUpperCase(), `0${n.toString(16)}`, `000000${n.toString(16)}`], 0.8);
		out += c.chance(0.02) ? c.of(ODD_SIZES)(size) : size;
		out += eol(c) + body.slice(at, at + n) + eol(c);
		at += n;
	}
	out += c.mostly('0', ['00', '000', '0;a', '-0', ' 0', '0 ', '0x0'], 0.96) + eol(c);
	return out + c.mostly('', ['X: y\r\n', 'Host: i\r\n', 'Content-Length: 5\r\n', ' \r\n', '\t'], 0.97) + eol(c);
}

function request(c) {
	const method = c.mostly(c.of(METHODS), ODD_METHODS, 0.97);
	const target = c.mostly(c.of(TARGETS), ODD_TARGETS, 0.94);
	const version = c.mostly(c.mostly('HTTP/1.1', ['HTTP/1.0'], 0.85), ODD_VERSIONS, 0.98);
	const space = () => c.mostly(' ', ['  ', '\t', '', ' \t'], 0.995);
	const body = c.of(BODIES);
	const fields = [];
	let payload = '';
	if (!c.chance(version === 'HTTP/1.0' ? 0.5 : 0.03))
		fields.push(`Host:${c.mostly(' ', ['', '  ', '\t'], 0.9)}${c.mostly(c.of(HOSTS), ODD_HOSTS, 0.95)}${eol(c)}`);
	const framing = c.random();
	if (framing < 0.35) {
		const write = c.mostly(c.of(LENGTHS), ODD_LENGTHS, 0.92);
		fields.push(`${c.mostly('Content-Length', ['content-length', 'CONTENT-LENGTH', 'Content_Length', 'Content-Length '], 0.9)}: ${write(body.length)}${eol(c)}`);
		payload = body;
	} else if (framing < 0.6) {
		fields.push(`${c.mostly('Transfer-Encoding', ['transfer-encoding', 'Transfer_Encoding', 'Transfer-Encoding '], 0.93)}: ${c.mostly(c.of(CODINGS), ODD_CODINGS, 0.92)}${eol(c)}`);
		payload = chunked(c, body);
	}
	if (c.chance(0.02))
		fields.push(`Content-Length: ${body.length}${eol(c)}`);
	if (c.chance(0.02))
		fields.push(`Transfer-Encoding: chunked${eol(c)}`);
	if (c.chance(0.06))
		fields.push(`Expect: ${c.mostly('100-continue', ['100-CONTINUE', 'x', '', '100-continue, x'], 0.8)}${eol(c)}`);
	if (c.chance(0.15))
		fields.push(`Connection: ${c.of(['close', 'keep-alive', 'Close', 'x, close', 'close, keep-alive', 'Upgrade', 'keep-alive, close', 'Content-Length'])}${eol(c)}`);
	for (let n = c.below(4); n > 0; n--)
		fields.splice(c.below(fields.length + 1), 0, field(c));
	if (c.chance(0.01))
		fields.push(...Array.from({ length: 70 }, (_, i) => `X-${i}: y\r\n`));
	return `${method}${space()}${target}${space()}${version}${eol(c)}${fields.join('')}${eol(c)}${payload}`;
}

// Damage at one place: what no grammar thinks of.
function mutate(c, text) {
	const at = c.below(text.length + 1);
	const line = () => text.slice(text.lastIndexOf('\n', at) + 1, (text.indexOf('\n', at) + 1) || text.length);
	switch (c.below(7)) {
	case 0:
		return text.slice(0, at) + String.fromCharCode(c.below(256)) + text.slice(at);
	case 1:
		return text.slice(0, at) + text.slice(at + 1);
	case 2:
		return text.slice(0, at) + String.fromCharCode(c.below(256)) + text.slice(at + 1);
	case 3:
		return text.slice(0, at) + line() + text.slice(at);
	case 4:
		return text.slice(0, at) + c.of([' ', '\t', '\r', '\n', '\r\n', ':', ';', '\0', '0', ',']) + text.slice(at);
	case 5:
		return text.slice(0, at) + c.of(['\r\n ', '\r\n\t', '\r\n\r\n', '0\r\n\r\n', 'chunked', '%2e', '../']) + text.slice(at);
	default:
		return text.replace(line(), '');
	}
}

// The bytes of one connection: a request or three, damaged now and then.
export function connection(seed) {
	const c = new Chooser(seed);
	let text = c.chance(0.05) ? '\r\n' : '';
	for (let n = c.mostly(1, [2, 3], 0.8); n > 0; n--)
		text += request(c);
	if (c.chance(0.25))
		text = mutate(c, text);
	return Buffer.from(text, 'latin1');
}

// ---- ours ------------------------------------------------------------------------------------------

// What the gate makes of each connection: { requests: [{ method, target, length, sha256 }], end }.
async function framesOfGate(connections) {
	const child = spawn(binary('gate_frames'), [], { stdio: ['pipe', 'pipe', 'inherit'] });
	const lines = createInterface({ input: child.stdout });
	child.stdin.on('error', () => {}); // its end shows in the number of lines
	for (const bytes of connections) {
		const length = Buffer.alloc(4);
		length.writeUInt32LE(bytes.length);
		child.stdin.write(length);
		child.stdin.write(bytes);
	}
	child.stdin.end();
	const out = [];
	for await (const line of lines)
		out.push(JSON.parse(line));
	if (out.length !== connections.length)
		throw new Error(`gate_frames: ${out.length} lines for ${connections.length} connections`);
	return out;
}

// ---- nginx -----------------------------------------------------------------------------------------

// What nginx has understood is what it hands on: this server tells it in a header of its answer.
function startUpstream() {
	const server = http.createServer((req, res) => {
		const hash = createHash('sha256');
		let length = 0;
		req.on('data', (chunk) => {
			hash.update(chunk);
			length += chunk.length;
		});
		req.on('end', () => {
			const saw = { method: req.headers['x-method'], target: req.headers['x-target'], length, sha256: hash.digest('hex') };
			res.writeHead(200, { 'x-saw': Buffer.from(JSON.stringify(saw)).toString('base64url'), 'content-length': 0 });
			res.end();
		});
	});
	server.keepAliveTimeout = 60_000;
	return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const config = (dir, port, upstream) => `
worker_processes 1;
daemon off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log crit;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
	uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
	client_header_buffer_size 32k;
	large_client_header_buffers 8 32k; # sizes are ours to limit
	client_max_body_size 0;
	proxy_buffer_size 64k;
	proxy_buffers 4 64k;
	upstream saw { server 127.0.0.1:${upstream}; keepalive 32; }
	server {
		listen 127.0.0.1:${port};
		location / {
			rewrite ^ /saw? break;
			proxy_pass http://saw;
			proxy_http_version 1.1;
			proxy_method POST;
			proxy_pass_request_headers off;
			proxy_set_header Connection "";
			proxy_set_header X-Method $request_method;
			proxy_set_header X-Target $request_uri;
		}
	}
}
`;

export async function startNginx() {
	const dir = mkdtempSync(join(tmpdir(), 'warden-gatediff-'));
	const upstream = await startUpstream();
	const port = await freePort();
	writeFileSync(join(dir, 'nginx.conf'), config(dir, port, upstream.address().port));
	const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir, '-e', join(dir, 'error.log')],
	    { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: `${process.env.PATH}:/usr/sbin` } });
	const exited = new Promise((resolve) => child.once('exit', resolve));
	const failed = new Promise((_, reject) => child.once('error', reject));
	const open = () => new Promise((resolve) => {
		const socket = net.connect(port, '127.0.0.1');
		socket.once('error', () => resolve(false));
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
	});
	await Promise.race([eventually(open, { what: 'nginx' }), failed]);
	return {
		port,
		async stop() {
			child.kill('SIGTERM');
			await exited;
			upstream.closeAllConnections();
			upstream.close();
			rmSync(dir, { recursive: true, force: true });
		},
	};
}

// Answers off a stream, interim ones left out; bodies are skipped by Content-Length (or are not there).
function parseAnswers(text, methods) {
	const out = [];
	let at = 0;
	for (;;) {
		const end = text.indexOf('\r\n\r\n', at);
		if (end < 0)
			return out;
		const head = text.slice(at, end);
		const status = Number(head.slice(9, 12));
		at = end + 4;
		if (status < 200)
			continue;
		const saw = head.match(/^x-saw: (\S+)/im)?.[1];
		const length = Number(head.match(/^content-length: (\d+)/im)?.[1] ?? 0);
		if (methods[out.length] !== 'HEAD')
			at += length;
		out.push({ status, close: /^connection: close/im.test(head),
			saw: saw === undefined ? undefined : JSON.parse(Buffer.from(saw, 'base64url').toString()) });
	}
}

// Send the bytes; at least `wanted` answers, or what there is when the connection ends or nothing comes.
function framesOfNginx(port, bytes, methods, { timeoutMs = 5000 } = {}) {
	return new Promise((resolve) => {
		const socket = net.connect(port, '127.0.0.1');
		let text = '';
		const timer = setTimeout(() => done('silent'), timeoutMs);
		const done = (how) => {
			clearTimeout(timer);
			socket.destroy();
			resolve({ how, answers: parseAnswers(text, methods) });
		};
		socket.setEncoding('latin1');
		socket.on('connect', () => socket.write(bytes));
		socket.on('data', (chunk) => {
			text += chunk;
			if (parseAnswers(text, methods).length >= methods.length)
				done('answered');
		});
		socket.on('end', () => done('closed'));
		socket.on('error', () => done('closed'));
	});
}

// ---- the comparison ---------------------------------------------------------------------------------

const SENTINEL = Buffer.from('GET /sentinel HTTP/1.1\r\nHost: h\r\n\r\n');

// What nginx does with a connection that the gate has taken requests from, as one line; undefined: the same.
function difference(ours, theirs) {
	for (const [i, r] of ours.requests.entries()) {
		const a = theirs.answers[i];
		if (a === undefined)
			return theirs.answers[i - 1]?.close ? undefined : `request ${i + 1} is none to nginx (${theirs.how})`;
		if (a.saw === undefined)
			return `request ${i + 1} is refused by nginx: ${a.status}`;
		if (['method', 'target', 'length', 'sha256'].some((key) => a.saw[key] !== r[key]))
			return `request ${i + 1}: ours ${JSON.stringify(r)}, nginx ${JSON.stringify(a.saw)}`;
	}
	return undefined;
}

/*
 * Compare n generated connections from seed on. Behind each stands one more request, which has to come out
 * where the bytes before it end. Answers { taken, refused, requests, differences }.
 */
export async function compare({ n, seed, atOnce = 32, timeoutMs }) {
	const connections = Array.from({ length: n }, (_, i) => Buffer.concat([connection(seed + i), SENTINEL]));
	const frames = await framesOfGate(connections);
	const nginx = await startNginx();
	const result = { taken: 0, refused: 0, requests: 0, differences: [] };
	try {
		const next = frames.entries();
		await Promise.all(Array.from({ length: atOnce }, async () => {
			for (const [i, ours] of next) {
				if (ours.requests.length === 0) {
					result.refused++;
					continue;
				}
				result.taken++;
				result.requests += ours.requests.length;
				const methods = ours.requests.map((r) => r.method);
				const theirs = await framesOfNginx(nginx.port, connections[i], methods, { timeoutMs });
				const what = difference(ours, theirs);
				if (what !== undefined)
					result.differences.push({ seed: seed + i, what, bytes: connections[i].toString('latin1') });
			}
		}));
	} finally {
		await nginx.stop();
	}
	return result;
}
