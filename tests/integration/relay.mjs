// tests/integration/relay.mjs - servers in front of the simulator, or instead of it: a relay that keeps the times of
// all connections, a server that accepts nobody, a name server that can fall silent
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

function join(socket, onward) {
	for (const [from, to] of [[socket, onward], [onward, socket]]) {
		from.on('data', (chunk) => to.write(chunk));
		from.on('end', () => to.end());
		from.on('error', () => to.resetAndDestroy());
		from.on('close', () => to.destroy());
	}
}

/*
 * Passes every connection on, FIN and RST too. dials: one { at, endAt } for each, in ms of performance.now(); endAt is
 * null while it is open.
 */
export async function startRelay(url) {
	const { port } = new URL(url);
	const dials = [];
	const sockets = new Set();
	const server = net.createServer({ allowHalfOpen: true }, (socket) => {
		const dial = { at: performance.now(), endAt: null };
		dials.push(dial);
		sockets.add(socket);
		socket.on('close', () => {
			dial.endAt = performance.now();
			sockets.delete(socket);
		});
		join(socket, net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const mine = new URL(url);
	mine.port = server.address().port;
	return {
		url: mine.href,
		dials,
		stop() {
			server.close();
			sockets.forEach((socket) => socket.destroy());
		},
	};
}

/*
 * A listening socket whose queue is full: the kernel drops further SYNs. Its owner is stopped, so nobody accepts.
 */
export async function startDeafServer() {
	const child = spawn(process.execPath, ['-e', `
		const s = require('net').createServer();
		s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port));
	`], { stdio: ['ignore', 'pipe', 'inherit'] });
	const port = Number((await once(child.stdout, 'data'))[0]);
	child.kill('SIGSTOP');
	const sockets = Array.from({ length: 8 }, () => net.connect({ port, host: '127.0.0.1' }).on('error', () => {}));
	await once(sockets[0], 'connect');
	return {
		port,
		stop() {
			sockets.forEach((s) => s.destroy());
			child.kill('SIGKILL');
		},
	};
}

const NXDOMAIN = 3;

// The question again, and 127.0.0.1 where an address (type A) was asked for.
function dnsAnswer(query, code) {
	let end = 12;
	while (query[end] !== 0)
		end += query[end] + 1;
	const question = query.subarray(12, end + 5);
	const found = code === 0 && query.readUInt16BE(end + 1) === 1;
	const head = Buffer.alloc(12);
	query.copy(head, 0, 0, 2);
	head.writeUInt16BE(0x8180 | code, 2);
	head.writeUInt16BE(1, 4);
	head.writeUInt16BE(found ? 1 : 0, 6);
	const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
	return Buffer.concat(found ? [head, question, record] : [head, question]);
}

// A name server that knows every name as 127.0.0.1. mode: 'good', 'unknown' (no such name) or 'silent'.
export async function startNameServer() {
	const socket = dgram.createSocket('udp4');
	const server = {
		mode: 'good',
		asked: 0,
		stop: () => socket.close(),
	};
	socket.on('message', (query, from) => {
		server.asked++;
		if (server.mode !== 'silent')
			socket.send(dnsAnswer(query, server.mode === 'unknown' ? NXDOMAIN : 0), from.port, from.address);
	});
	socket.bind(0, '127.0.0.1');
	await once(socket, 'listening');
	server.address = `127.0.0.1:${socket.address().port}`;
	return server;
}
