// One-time links (contract section 5): what they open and what they don't, how they end, and that none is left.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertError, assertQr, eventually, startWorld } from './harness.mjs';
import { GONE, HTML, assertGone as assertGoneIn, share as shareOf } from './onetime.mjs';
import { openEventsAt } from './sse.mjs';

const is = (event) => (e) => e.event === event;

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const share = (instance, json) => shareOf(world, instance, json);
const get = (path, headers = {}) => world.request('GET', path, { headers });
const assertGone = (path) => assertGoneIn(world, path);
const assertOpen = async (path) => assert.equal((await get(`${path}/status`)).status, 200);

describe('a one-time link', () => {
	test('shows the page and a code, works until the link is made, and is used up by it', async () => {
		const instance = await world.newInstance();
		const link = await share(instance, { expiresIn: 600 });
		assert.ok(Math.abs(Date.parse(link.expiresAt) - Date.now() - 600_000) < 10_000, link.expiresAt);
		const page = await get(link.path, HTML);
		assert.equal(page.status, 200);
		assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
		assert.equal(page.headers.get('cache-control'), 'no-store');
		assert.match(page.headers.get('content-security-policy'), /^default-src 'none'/);
		const status = await get(`${link.path}/status`);
		assert.deepEqual(status.json, { success: true, name: instance.name, status: 'disconnected', number: null,
			history: 0, expiresAt: link.expiresAt });
		// loaded again meanwhile, it still works
		const first = assertQr(await get(`${link.path}/connect`));
		assert.equal(assertQr(await get(`${link.path}/connect`)).qrCode, first.qrCode);
		assert.equal((await get(link.path, HTML)).status, 200);
		const stream = await openEventsAt(world, `${link.path}/connect`);
		const { data } = await stream.next(is('qr'));
		const phone = await world.newPhone();
		assert.equal((await world.scan(phone, data.qrCode)).status, 200);
		const last = await stream.next(is('connected'));
		assert.deepEqual(last.data, { success: true, message: 'Instance already connected', status: 'connected' },
		    'as whom it is linked is not said');
		await stream.end();
		await assertGone(link.path);
		await world.until(instance, 'connected');
		// and not even after a logout
		const out = await world.request('DELETE', `/api/instance/logout/${instance.name}`, { token: instance.account });
		assert.equal(out.status, 200, out.text);
		await assertGone(link.path);
	});

	test('is used up, too, when the instance is linked in another way', async () => {
		const instance = await world.newInstance();
		const link = await share(instance);
		await world.link(instance);
		await assertGone(link.path);
	});

	test('is over when its time is', async () => {
		const instance = await world.newInstance();
		const link = await share(instance, { expiresIn: 1 });
		await eventually(async () => (await get(`${link.path}/status`)).status === 410, { what: 'its end' });
		assert.ok(Date.now() >= Date.parse(link.expiresAt) - 5);
		await assertGone(link.path);
	});

	test('is over when another takes its place, and whoever it let in goes', async () => {
		const instance = await world.newInstance();
		const link = await share(instance);
		const stream = await openEventsAt(world, `${link.path}/connect`);
		await stream.next(is('qr'));
		const second = await share(instance);
		const { data } = await stream.next(is('failed'));
		assert.equal(data.error.code, 'invalid_token');
		await stream.end();
		await assertGone(link.path);
		await assertOpen(second.path);
		await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
		await assertGone(second.path);
	});

	test('opens its own instance and nothing else', async () => {
		const instance = await world.newInstance();
		const other = await world.newInstance();
		const { path } = await share(instance);
		const text = path.slice(3);
		const INVALID = [401, 'Invalid token', 'invalid_token'];
		for (const [method, route] of [['GET', '/api/instance/list'], ['POST', '/api/instance/new'],
			['GET', `/api/instance/connect/${instance.name}`], ['DELETE', `/api/instance/logout/${instance.name}`],
			['DELETE', `/api/instance/delete/${instance.name}`], ['POST', `/api/instance/link/${instance.name}`]])
			assertError(await world.request(method, route, { token: text }), ...INVALID);
		// its words can't be bent to another instance
		for (const rest of [`/connect/${other.name}`, `/logout`, `/list`])
			assertError(await get(path + rest), 404, 'Not found', 'not_found');
		assertQr(await get(`${path}/connect?instanceName=${other.name}&history=5`));
		assert.equal((await world.listed(other)).status, 'disconnected');
		assert.equal((await world.listed(instance)).status, 'connecting');
	});

	test('what was never one is what is one no more', async () => {
		for (const text of ['a'.repeat(32), 'A'.repeat(32), '1'.repeat(32), 'x', 'a'.repeat(33), 'a'.repeat(200), '%41'])
			assertError(await get(`/l/${text}`), ...GONE);
		assert.equal((await get('/l/')).status, 404);
	});

	test('holds a number and days of history', async () => {
		const phone = await world.newPhone({ number: '5511987650001' });
		const instance = await world.newInstance();
		const { path } = await share(instance, { number: '+55 (11) 98765-0001', history: 30 });
		const status = await get(`${path}/status`);
		assert.equal(status.json.number, '••••0001');
		assert.equal(status.json.history, 30);
		assertError(await get(`${path}/connect?number=5511987650002`), 400, 'Invalid number', 'invalid_number');
		const code = await get(`${path}/connect?code=1`);
		assert.equal(code.status, 200, code.text);
		assert.match(code.json.pairingCode, /^[1-9A-Z]{4}-[1-9A-Z]{4}$/);
		const typed = await world.control('POST', `/phones/${phone.number}/code`, { code: code.json.pairingCode });
		assert.equal(typed.status, 200, typed.text);
		const listed = await world.until(instance, 'connected');
		assert.equal(listed.history.requestedDays, 30);
		await assertGone(path);
		// without one: any number, but then it has to be said
		const { path: any } = await share(await world.newInstance());
		assertError(await get(`${any}/connect?code=1`), 400, 'Invalid number', 'invalid_number');
	});

	test('does not tell what is behind a failure', async () => {
		const instance = await world.newInstance({ body: { proxyEnabled: true, proxyHost: '127.0.0.1', proxyPort: 1,
			proxyProtocol: 'socks5' } });
		const { path } = await share(instance);
		const r = await get(`${path}/connect`);
		assertError(r, 500, 'Failed to generate QR code', 'proxy_unreachable');
		assert.equal(r.json.error.detail, undefined);
		const stream = await openEventsAt(world, `${path}/connect`);
		const { data } = await stream.next(is('failed'));
		assert.deepEqual(Object.keys(data.error).sort(), ['code', 'message']);
		await stream.end();
	});

	test('is asked for rightly, or not made', async () => {
		const instance = await world.newInstance();
		const ask = (json) => world.request('POST', `/api/instance/link/${instance.name}`, { token: instance.token, json });
		for (const expiresIn of [0, -1, 86401, 1.5, '60', null])
			assertError(await ask({ expiresIn }), 400, 'Invalid request body', 'invalid_body');
		assertError(await ask({ number: 5511 }), 400, 'Invalid request body', 'invalid_body');
		for (const number of ['', '123', '0123456789', 'abc'])
			assertError(await ask({ number }), 400, 'Invalid number', 'invalid_number');
		for (const history of [0, 3651, '7'])
			assertError(await ask({ history }), 400, 'Invalid history', 'invalid_history');
		assert.equal((await ask({ expiresIn: 86400, unknown: 1 })).status, 201);
	});

	test('wardenctl link --share prints it', async () => {
		const instance = await world.newInstance();
		const r = await world.ctl(['link', instance.name, '--share', '--expires', '60', '--history', '7'],
		    { token: instance.token });
		assert.equal(r.code, 0, r.stderr);
		const url = r.stdout.trim();
		assert.match(url, /\/l\/[a-z2-7]{32}$/);
		world.secrets.add(url.slice(-32));
		assert.equal((await get(`${new URL(url).pathname}/status`)).json.history, 7);
		assert.doesNotMatch(r.stderr, /[a-z2-7]{32}/);
		const json = await world.ctl(['link', instance.name, '--share', '--json'], { token: instance.token });
		assert.deepEqual(Object.keys(JSON.parse(json.stdout)), ['url', 'expiresAt']);
		world.secrets.add(JSON.parse(json.stdout).url.slice(-32));
		assert.equal((await world.ctl(['link', instance.name, '--share', '--expires', '0'], { token: instance.token })).code, 2);
	});

	test('is counted by address, and the count ends guessing', async () => {
		await world.gateway.waitExit(world.gateway.kill('SIGTERM')).catch(() => {});
		await world.startGateway({ settings: { limit_per_minute: 5 } });
		const statuses = [];
		for (let i = 0; i < 7; i++)
			statuses.push((await get(`/l/${'b'.repeat(31)}${'a234567'[i]}`)).status);
		assert.deepEqual(statuses, [410, 410, 410, 410, 410, 429, 429]);
		await world.gateway.waitExit(world.gateway.kill('SIGTERM')).catch(() => {});
		await world.startGateway();
	});

	test('outlives the gateway, live or used, and is on disk as a hash alone', async () => {
		const live = await world.newInstance();
		const used = await world.newInstance();
		const late = await world.newInstance();
		const a = await share(live, { number: '5511987650003', history: 9 });
		const b = await share(used);
		const c = await share(late, { expiresIn: 1 });
		const before = await get(`${a.path}/status`);
		await world.link(used);
		await eventually(() => Date.now() > Date.parse(c.expiresAt), { what: 'its end' });
		await world.killGateway();
		for (const file of readdirSync(world.dataDir).filter((f) => f.startsWith('registry.db')))
			for (const { path } of [a, b, c])
				assert.equal(readFileSync(join(world.dataDir, file)).indexOf(path.slice(3)), -1, file);
		await world.startGateway();
		assert.deepEqual((await get(`${a.path}/status`)).json, before.json);
		await assertGone(b.path);
		await assertGone(c.path);
	});
});
