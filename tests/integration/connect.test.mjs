// connect: the code in every form it can be asked for (contract section 2)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertError, assertQr, eventually, startWorld } from './harness.mjs';
import { scanPng, scanSvg, scanTerminal } from './image.mjs';
import { openEvents } from './sse.mjs';

let world;

before(async () => {
	world = await startWorld({ sim: { tls: true } });
});
after(() => world?.stop());

const accept = (value) => ({ headers: { accept: value } });

describe('the code', () => {
	test('comes as JSON by default, and the picture in it holds the same text', async () => {
		const instance = await world.newInstance();
		const body = assertQr(await world.connect(instance));
		assert.deepEqual(Object.keys(body).sort(), ['expiresAt', 'expiresIn', 'message', 'qrCode',
			'qrCodeBase64', 'status', 'success']);
		assert.ok(body.expiresIn > 50, `first code: ${body.expiresIn} s`);
		const png = Buffer.from(body.qrCodeBase64.slice('data:image/png;base64,'.length), 'base64');
		assert.equal(scanPng(png), body.qrCode);
	});

	test('is the one the simulator\'s phone accepts, part by part', async () => {
		const number = '5511999990001';
		const made = await world.control('POST', '/phones', { number });
		assert.equal(made.status, 201, made.text);
		const { qrCode } = assertQr(await world.connect(await world.newInstance()));
		const good = await world.control('POST', `/phones/${number}/scan`, { qr: qrCode });
		assert.equal(good.status, 200, good.text);
		assert.match(good.json.jid, /^5511999990001:\d+@s\.whatsapp\.net$/);
	});

	test('is refused by the simulator\'s phone when any part of it is changed', async () => {
		const number = '5511999990002';
		await world.control('POST', '/phones', { number });
		const { qrCode } = assertQr(await world.connect(await world.newInstance()));
		const [prefix, list] = qrCode.split('#');
		const parts = list.split(',');
		const flip = (text) => (text[5] === 'A' ? 'B' : 'A');
		const changed = [
			`https://example.org/#${list}`,
			list,
			...parts.map((part, i) => `${prefix}#${parts.with(i, i === parts.length - 1 ? '?' :
				part.slice(0, 5) + flip(part) + part.slice(6)).join(',')}`),
			`${prefix}#${parts.slice(0, -1).join(',')}`,
			'',
			'nonsense',
		];
		// the adv secret is between phone and companion: the server cannot know it before the link
		const advChanged = changed[2 + parts.length - 2];
		for (const qr of changed.filter((text) => text !== advChanged)) {
			const r = await world.control('POST', `/phones/${number}/scan`, { qr });
			assert.ok(r.status >= 400 && r.status < 500, `${qr}: ${r.text}`);
			assert.ok(r.json.error.message.length > 0);
		}
	});

	test('stays the same for every call while it is live', async () => {
		const instance = await world.newInstance();
		const first = assertQr(await world.connect(instance));
		const [{ pid }] = world.workers(instance);
		const again = assertQr(await world.connect(instance));
		const picture = await world.connect(instance, accept('image/png'));
		assert.equal(again.qrCode, first.qrCode);
		assert.equal(again.qrCodeBase64, first.qrCodeBase64);
		assert.equal(scanPng(picture.bytes), first.qrCode);
		assert.ok(again.expiresIn <= first.expiresIn);
		assert.deepEqual(world.workers(instance).map((w) => w.pid), [pid]);
	});

	test('differs from instance to instance', async () => {
		const a = assertQr(await world.connect(await world.newInstance()));
		const b = assertQr(await world.connect(await world.newInstance()));
		const [partsA, partsB] = [a, b].map(({ qrCode }) => qrCode.split('#')[1].split(','));
		for (let i = 0; i < partsA.length - 1; i++)
			assert.notEqual(partsA[i], partsB[i], `part ${i}`);
	});

	test('is handed to a TokenInstance as well', async () => {
		const instance = await world.newInstance();
		const r = await world.request('GET', `/api/instance/connect/${instance.name}`, { token: instance.token });
		assertQr(r);
	});
});

describe('Accept', () => {
	let instance;
	let code;
	before(async () => {
		instance = await world.newInstance();
		code = assertQr(await world.connect(instance)).qrCode;
	});

	test('image/png answers the picture', async () => {
		const r = await world.connect(instance, accept('image/png'));
		assert.equal(r.status, 200);
		assert.equal(r.headers.get('content-type'), 'image/png');
		assert.equal(r.headers.get('cache-control'), 'no-store');
		assert.ok(r.bytes.length < 4096, `${r.bytes.length} bytes`);
		assert.equal(scanPng(r.bytes), code);
	});

	test('image/svg+xml answers a drawing that reads the same', async () => {
		const r = await world.connect(instance, accept('image/svg+xml'));
		assert.equal(r.status, 200);
		assert.match(r.headers.get('content-type'), /^image\/svg\+xml/);
		assert.match(r.text, /<svg\b[^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
		assert.ok(!r.text.includes('<script'));
		assert.ok(!r.text.includes(code), 'the text of the code is not in the drawing');
		assert.equal(scanSvg(r.text), code);
	});

	test('text/plain answers half blocks that a camera reads off a terminal', async () => {
		const r = await world.connect(instance, accept('text/plain'));
		assert.equal(r.status, 200);
		assert.match(r.headers.get('content-type'), /^text\/plain; *charset=utf-8$/i);
		assert.match(r.text, /[▀▄█]/);
		assert.equal(scanTerminal(r.text), code);
	});

	test('the best q wins', async () => {
		const type = async (value) =>
			(await world.connect(instance, accept(value))).headers.get('content-type').split(';')[0];
		assert.equal(await type('image/png;q=0.5, text/plain;q=0.8'), 'text/plain');
		assert.equal(await type('text/plain;q=0.3, image/svg+xml'), 'image/svg+xml');
		assert.equal(await type('application/json, image/png;q=0.9'), 'application/json');
		assert.equal(await type('image/png;q=0, application/json'), 'application/json');
		assert.equal(await type('image/*'), 'image/png');
	});

	test('nothing that matches, nothing at all, or */* answers JSON', async () => {
		for (const value of ['video/mp4', '*/*', 'application/*', 'garbage', 'image/png;q=0', 'image/webp, */*;q=0.1'])
			assertQr(await world.connect(instance, accept(value)));
	});

	test("a browser's usual Accept answers JSON", async () => {
		assertQr(await world.connect(instance,
		    accept('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8')));
	});

	test('an error is JSON whatever was asked for', async () => {
		for (const value of ['image/png', 'text/plain', 'text/event-stream', 'image/svg+xml']) {
			const r = await world.request('GET', '/api/instance/connect/nobody',
			    { token: instance.account, ...accept(value) });
			assertError(r, 404, 'Instance not found', 'instance_not_found');
		}
	});
});

describe('parameters', () => {
	let instance;
	before(async () => {
		instance = await world.newInstance();
	});

	test('a number that is none is 400', async () => {
		for (const number of ['', '123456', '1234567890123456', '0123456789', 'abc', '55119x999999', '+', '55.11.99999999'])
			assertError(await world.connect(instance, { query: `?number=${encodeURIComponent(number)}` }),
			    400, 'Invalid number', 'invalid_number');
	});

	test('a number with a picture is 406', async () => {
		for (const type of ['image/png', 'image/svg+xml'])
			assertError(await world.connect(instance, { query: '?number=5511999999999', ...accept(type) }),
			    406, 'Not acceptable', 'not_acceptable');
	});

	test('a history that is none is 400', async () => {
		for (const history of ['', '0', '3651', '-1', '1.5', '7d', '1e2', ' 7', '+7', '99999999999999999999'])
			assertError(await world.connect(instance, { query: `?history=${encodeURIComponent(history)}` }),
			    400, 'Invalid history', 'invalid_history');
	});

	test('a history from 1 to 3650 is taken and shown in list', async () => {
		for (const days of [1, 3650]) {
			const other = await world.newInstance();
			assert.equal((await world.listed(other)).history, null);
			assertQr(await world.connect(other, { query: `?history=${days}` }));
			assert.equal((await world.listed(other)).history?.requestedDays, days);
		}
	});

	test('the number is looked at before the history', async () => {
		assertError(await world.connect(instance, { query: '?history=0&number=1' }),
		    400, 'Invalid number', 'invalid_number');
	});
});

describe('text/event-stream', () => {
	const open = (instance, options) => openEvents(world, instance, options);

	test('begins with 200 and the live code', async () => {
		const instance = await world.newInstance();
		const stream = await open(instance);
		assert.equal(stream.status, 200);
		assert.match(stream.headers.get('content-type'), /^text\/event-stream/);
		assert.equal(stream.headers.get('cache-control'), 'no-store');
		const event = await stream.next((e) => e.event === 'qr');
		const { qrCode } = assertQr({ status: 200, json: event.data, text: JSON.stringify(event.data) });
		assert.equal(assertQr(await world.connect(instance)).qrCode, qrCode);
		stream.close();
	});

	test('joins an attempt that runs already', async () => {
		const instance = await world.newInstance();
		const { qrCode } = assertQr(await world.connect(instance));
		const stream = await open(instance);
		assert.equal((await stream.next((e) => e.event === 'qr')).data.qrCode, qrCode);
		stream.close();
	});

	test('ends with failed when the worker dies', async () => {
		const instance = await world.newInstance();
		const stream = await open(instance);
		await stream.next((e) => e.event === 'qr');
		process.kill(world.workers(instance)[0].pid, 'SIGKILL');
		const last = await stream.next((e) => e.event === 'failed');
		assert.equal(last.data.success, false);
		assert.deepEqual([last.data.error.message, last.data.error.code],
		    ['Failed to generate QR code', 'worker_crashed']);
		await stream.end();
	});

	test('ends with failed when WhatsApp refuses', async () => {
		await world.fault('registration', { kind: 'failure', code: 403 });
		try {
			const stream = await open(await world.newInstance());
			assert.equal(stream.status, 200);
			const last = await stream.next((e) => e.event === 'failed');
			assert.equal(last.data.error.code, 'banned');
			await stream.end();
		} finally {
			await world.clearFaults();
		}
	});

	test('a reader that leaves does not end the attempt', async () => {
		const instance = await world.newInstance();
		const stream = await open(instance);
		const { data } = await stream.next((e) => e.event === 'qr');
		stream.close();
		await eventually(async () => (await world.listed(instance)).status === 'connecting');
		assert.equal(assertQr(await world.connect(instance)).qrCode, data.qrCode);
	});
});
