// What happens reaches whoever follows an instance: once, in order, over every death of the gateway
import assert from 'node:assert/strict';
import { connect as dial } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from './harness.mjs';
import { linked, sleep } from './linked.mjs';
import { SocketFollower, StreamFollower, assertWhole, textsOf } from './eventstream.mjs';

const send = async (world, from, to, text) => {
	const r = await world.control('POST', `/phones/${from.number}/send`, { to: to.number, text });
	assert.equal(r.status, 200, r.text);
	return r.json.id;
};

const enableSocket = async (world, instance, body = {}) => {
	const r = await world.request('POST', `/api/events/websocket/${instance.name}`,
	    { token: instance.account, json: { enabled: true, ...body } });
	assert.equal(r.status, 200, r.text);
};

describe('events', () => {
	let world;

	before(async () => {
		world = await startWorld({ sim: { tls: true } });
	});
	after(() => world?.stop());

	test('a link is told step by step, and its code goes out live only', async () => {
		const instance = await world.newInstance();
		const live = await new StreamFollower(world, instance).open();
		await world.link(instance);
		await live.until(() => live.states().includes('connected'));
		assert.match(live.contentType, /^text\/event-stream/);
		assert.deepEqual(live.states(), ['qr_ready', 'pair_success', 'connected']);
		const [qr] = live.events;
		assert.equal(qr.data.codes.length, 1);
		assert.equal(qr.data.reason, null);
		assert.deepEqual(qr.instanceData, { baseUrl: world.base, instance: instance.name });
		assert.ok(Math.abs(Date.parse(qr.timestamp) - Date.now()) < 60_000);
		assertWhole(live.events);
		const later = new StreamFollower(world, instance, { query: '?from=1' });
		await later.until((e) => e.length >= 3);
		assert.equal(later.events[0].data.codes, undefined);
		assert.deepEqual(later.events.map((e) => e.id), live.events.map((e) => e.id));
		const filtered = new StreamFollower(world, instance, { query: '?from=2&events=instance.state' });
		await filtered.until((e) => e.length >= 2);
		assertWhole(filtered.events, 2);
		await Promise.all([live.close(), later.close(), filtered.close()]);
	});

	test('messages over gateways that are killed: none lost, none doubled, in order', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const reader = new StreamFollower(world, instance, { from: 0 });
		const texts = [];
		for (let round = 0; round < 4; round++) {
			for (let i = 0; i < 15; i++) {
				texts.push(`text ${round}.${i}`);
				await send(world, sender, phone, texts.at(-1));
			}
			if (round % 2 === 0)
				await reader.until((e) => textsOf(e).length > texts.length - 15);
			await world.killGateway();
			for (let i = 0; i < 5; i++) { // while there is none
				texts.push(`between ${round}.${i}`);
				await send(world, sender, phone, texts.at(-1));
			}
			await world.startGateway();
		}
		await reader.until((e) => textsOf(e).length >= texts.length);
		await sleep(300); // what is doubled comes behind
		assert.deepEqual(textsOf(reader.events), texts);
		assertWhole(reader.events);
		const again = new StreamFollower(world, instance, { from: 0 });
		await again.until((e) => e.length >= reader.events.length);
		const what = ({ id, sequence, timestamp, data }) => ({ id, sequence, timestamp, data }); // its port is another
		assert.deepEqual(again.events.map(what), reader.events.map(what));
		await Promise.all([reader.close(), again.close()]);
	});

	test('a gateway that becomes another program: its streams end, and go on where they were', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const reader = await new StreamFollower(world, instance, { from: 0 }).open();
		await send(world, sender, phone, 'before');
		await reader.until((e) => textsOf(e).includes('before'));
		const from = world.gateway.lines.length;
		world.gateway.kill('SIGHUP');
		await send(world, sender, phone, 'meanwhile');
		await world.gateway.event('ready', {}, { from });
		await send(world, sender, phone, 'after');
		await reader.until((e) => textsOf(e).includes('after'));
		assert.deepEqual(textsOf(reader.events), ['before', 'meanwhile', 'after']);
		assertWhole(reader.events);
		await reader.close();
	});

	test('a reader that does not read delays nobody, and misses nothing', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const slow = dial(world.address.port, world.address.host);
		await new Promise((resolve) => slow.once('connect', resolve));
		slow.pause();
		slow.write(`GET /api/events/stream/${instance.name}?from=1 HTTP/1.0\r\nHost: h\r\ntoken: ${instance.account}\r\n\r\n`);
		const fast = await new StreamFollower(world, instance, { from: 0 }).open();
		const n = 200; // more than sockets and buffers hold
		const r = await world.control('POST', `/phones/${sender.number}/send`,
		    { to: phone.number, count: n, text: `{n} ${'x'.repeat(30_000)}` });
		assert.equal(r.status, 200, r.text);
		await fast.until((e) => textsOf(e).length >= n);
		let got = '';
		slow.setEncoding('utf8').on('data', (chunk) => { got += chunk; });
		slow.resume();
		const ids = () => [...got.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
		await eventually(() => ids().length >= fast.events.length, { timeoutMs: 15_000, what: 'all of it' });
		assert.deepEqual(ids(), fast.events.map((e) => e.sequence));
		slow.destroy();
		await fast.close();
	});

	test('a file comes along where it is asked for, and what comes behind it waits', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		await enableSocket(world, instance, { events: ['message.exchange'], mediaBase64: true });
		const plain = await new StreamFollower(world, instance).open();
		const full = await new StreamFollower(world, instance, { query: '?mediaBase64=true' }).open();
		const socket = new SocketFollower(world, instance);
		await socket.opened;
		const bytes = Buffer.from('a file of a few bytes');
		const r = await world.control('POST', `/phones/${sender.number}/send`, { to: phone.number,
			media: { kind: 'document', bytes: bytes.toString('base64'), caption: 'file' } });
		assert.equal(r.status, 200, r.text);
		await send(world, sender, phone, 'behind');
		for (const follower of [plain, full, socket]) {
			await follower.until((e) => textsOf(e).includes('behind'));
			const [file, behind] = follower.events.filter((e) => e.event === 'message.exchange');
			assert.equal(behind.data.message.content, 'behind');
			assert.equal(file.data.message.content, 'file');
			assert.equal(file.data.message.media.base64, follower === plain ? undefined : bytes.toString('base64'),
			    JSON.stringify(file.data.message.media));
		}
		await Promise.all([plain.close(), full.close(), socket.close()]);
	});

	test('a place that is not there yet is the end: an instance made anew begins with 1', async () => {
		const { instance, phone } = await linked(world);
		const sender = await world.newPhone();
		const reader = await new StreamFollower(world, instance, { from: 1_000_000 }).open();
		const other = await new StreamFollower(world, instance, { query: '?from=9000' }).open();
		await send(world, sender, phone, 'seen by both');
		for (const follower of [reader, other]) {
			await follower.until((e) => textsOf(e).includes('seen by both'));
			await follower.close();
		}
	});

	test('parameters that are none are refused', async () => {
		const instance = await world.newInstance();
		for (const query of ['?from=x', '?from=-1', '?events=message', '?history=yes', '?events=instance.state,']) {
			const r = await world.request('GET', `/api/events/stream/${instance.name}${query}`, { token: instance.account });
			assert.equal(r.status, 400, query);
			assert.equal(r.json.error.message, 'Bad request');
		}
	});

	test('what is deleted has no events any more, and its streams end', async () => {
		const instance = await world.newInstance();
		await enableSocket(world, instance);
		const stream = await new StreamFollower(world, instance).open();
		const socket = new SocketFollower(world, instance);
		await socket.opened;
		stream.over = true; // does not come again
		const r = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
		assert.equal(r.status, 200, r.text);
		await stream.done;
		assert.equal((await socket.closed).code, 1001);
	});

	describe('WebSocket', () => {
		test('only once it is turned on', async () => {
			const instance = await world.newInstance();
			const r = await world.request('GET', `/ws/${instance.name}`, { token: instance.account });
			assert.equal(r.status, 400);
			assert.equal(r.json.error.message, 'WebSocket is not enabled for this instance. Configure it first using ' +
			    'POST /api/events/websocket/:instance');
			await enableSocket(world, instance);
			const plain = await world.request('GET', `/ws/${instance.name}`, { token: instance.account });
			assert.equal(plain.status, 400);
			const wrong = await world.request('GET', `/ws/${instance.name}?token=no`);
			assert.equal(wrong.status, 401);
		});

		test('gets events as they come, filtered as it is configured, and those from a sequence on', async () => {
			const { instance, phone } = await linked(world);
			const sender = await world.newPhone();
			await enableSocket(world, instance, { events: ['message.exchange'] });
			const live = new SocketFollower(world, instance);
			const all = new SocketFollower(world, instance, { query: '&from=1' });
			await Promise.all([live.opened, all.opened]);
			await send(world, sender, phone, 'one');
			await live.until((e) => textsOf(e).includes('one'));
			assert.deepEqual(live.events.map((e) => e.event), ['message.exchange']);
			await all.until((e) => textsOf(e).includes('one'));
			assert.ok(all.events.every((e) => e.event === 'message.exchange'));
			live.socket.send('anything'); // dropped
			await send(world, sender, phone, 'two');
			await live.until((e) => textsOf(e).includes('two'));
			assert.equal((await live.close()).code, 1005);
			await all.close();
		});

		test('ends when its token is replaced or it is turned off', async () => {
			const instance = await world.newInstance();
			await enableSocket(world, instance);
			const byToken = new SocketFollower(world, { ...instance, account: instance.token });
			await byToken.opened;
			const r = await world.request('POST', `/api/instance/token/${instance.name}`, { token: instance.account });
			assert.equal(r.status, 200, r.text);
			assert.equal((await byToken.closed).code, 1008);
			const turnedOff = new SocketFollower(world, instance); // at once, not with the next event
			await turnedOff.opened;
			await enableSocket(world, instance, { enabled: false });
			assert.equal((await turnedOff.closed).code, 1008);
		});

		test('what is no frame is answered with 1002, and the end', async () => {
			const instance = await world.newInstance();
			await enableSocket(world, instance);
			const masked = (first, length, ...more) => Buffer.from([first, 0x80 | length, ...more, 0, 0, 0, 0]);
			const wrong = {
				'a ping of 126 bytes': Buffer.concat([masked(0x89, 126, 0, 126), Buffer.alloc(126)]),
				'a ping in pieces': masked(0x09, 0),
				'a length of 64 bits': masked(0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 1),
				'no mask': Buffer.from([0x81, 1, 0x78]),
				'a reserved bit': masked(0xc1, 0),
			};
			for (const [what, frame] of Object.entries(wrong)) {
				const got = await new Promise((resolve, reject) => {
					const s = dial(world.address.port, world.address.host);
					const chunks = [];
					s.on('error', reject).on('data', (chunk) => chunks.push(chunk));
					s.on('end', () => resolve(Buffer.concat(chunks)));
					s.write(Buffer.concat([Buffer.from(`GET /ws/${instance.name} HTTP/1.1\r\nHost: h\r\n` +
					    `token: ${instance.account}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
					    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'), frame]));
				});
				assert.equal(got.subarray(got.indexOf('\r\n\r\n') + 4).toString('hex'), '880203ea', what);
			}
		});

		test('a page of another origin is refused', async () => {
			const instance = await world.newInstance();
			await enableSocket(world, instance);
			const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
				'sec-websocket-key': Buffer.alloc(16).toString('base64') };
			const answer = (origin) => new Promise((resolve, reject) => {
				const s = dial(world.address.port, world.address.host);
				const lines = Object.entries({ ...upgrade, origin }).map(([k, v]) => `${k}: ${v}\r\n`).join('');
				let got = '';
				s.on('error', reject).setEncoding('utf8').on('data', (chunk) => {
					got += chunk;
					if (got.includes('\r\n'))
						resolve(Number(got.split(' ')[1])), s.destroy();
				});
				s.write(`GET /ws/${instance.name} HTTP/1.1\r\nHost: ${world.address.host}:${world.address.port}\r\n` +
				    `token: ${instance.account}\r\n${lines}\r\n`);
			});
			assert.equal(await answer('https://evil.example'), 403);
			assert.equal(await answer(world.base), 101);
		});

		test('a gateway that stops says so', async () => {
			const instance = await world.newInstance();
			await enableSocket(world, instance);
			const socket = new SocketFollower(world, instance);
			await socket.opened;
			world.gateway.kill('SIGTERM');
			assert.equal((await socket.closed).code, 1001);
			await world.gateway.waitExit();
			await world.startGateway();
		});
	});
});
