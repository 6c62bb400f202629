// Webhooks and the WebSocket as they are configured (contract sections 3, 4.2 and 4.3)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { World, assertError, eventually } from './harness.mjs';

const AUTHORIZATION = 'Bearer the-receiver-wants-this';
const MASK = '********';
const SECRET = /^whsec_[A-Za-z0-9+/]{43}=$/;

let world;
before(async () => {
	world = new World();
	await world.startGateway();
	world.secrets.add(AUTHORIZATION);
});
after(() => world?.stop());

const call = (method, what, instance, json, query = '') => world.request(method,
    `/api/events/${what}/${instance.name}${query}`, { token: instance.account, json });
const set = (instance, json) => call('POST', 'webhook', instance, json);
const get = (instance, query) => call('GET', 'getWebhook', instance, undefined, query);

async function made(instance, json) {
	const r = await set(instance, json);
	assert.equal(r.status, 200, r.text);
	world.secrets.add(r.json.webhook.secret ?? AUTHORIZATION);
	return r.json.webhook;
}

describe('webhook', () => {
	test('is made with a secret that is shown once, and shown without it', async () => {
		const instance = await world.newInstance();
		const webhook = await made(instance, { url: 'https://hooks.example/in', authorization: AUTHORIZATION,
			events: ['message.exchange', 'call.update'], byEvents: true });
		assert.match(webhook.secret, SECRET);
		const { secret, ...rest } = webhook;
		void secret;
		assert.deepEqual(rest, { label: 'default', enabled: true, url: 'https://hooks.example/in', authorization: MASK,
			byEvents: true, events: ['message.exchange', 'call.update'], mediaBase64: false, fromHistory: false,
			disabledBy: null });
		const delivery = await eventually(async () =>
			(await get(instance, '?label=default')).json.webhook.delivery, { what: 'its place to be known' });
		assert.deepEqual(delivery, { sequence: 0, behind: 0, tries: 0, nextTryAt: null, lastFailure: null });
		assert.deepEqual((await get(instance)).json, { success: true, webhooks: [{ ...rest, delivery }] });
		assert.deepEqual((await get(instance, '?label=default')).json, { success: true, webhook: { ...rest, delivery } });
		assert.deepEqual((await world.listed(instance)).webhook, { enabled: true, label: 'default',
			url: rest.url, byEvents: true, events: rest.events, mediaBase64: false });
	});

	test('keeps what a second call does not name, and an authorization that comes back masked', async () => {
		const instance = await world.newInstance();
		await made(instance, { url: 'https://hooks.example/in', authorization: AUTHORIZATION });
		const { delivery, ...webhook } = (await get(instance, '?label=default')).json.webhook;
		void delivery;
		const again = await made(instance, { ...webhook, mediaBase64: true });
		assert.equal(again.secret, undefined);
		assert.deepEqual(again, { ...webhook, mediaBase64: true });
		const rotated = await made(instance, { rotateSecret: true });
		assert.match(rotated.secret, SECRET);
		assert.equal((await made(instance, { authorization: '' })).authorization, '');
	});

	test('at most three are enabled, also when all are asked for at once', async () => {
		const instance = await world.newInstance();
		const answers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((label) =>
			set(instance, { label, url: 'https://hooks.example/' })));
		for (const r of answers)
			if (r.status === 200)
				world.secrets.add(r.json.webhook.secret);
		assert.deepEqual(answers.map((r) => r.status).sort(), [200, 200, 200, 400, 400]);
		assertError(answers.find((r) => r.status === 400), 400, 'Webhook limit reached', 'webhook_limit');
		const kept = (await get(instance)).json.webhooks;
		assert.equal(kept.length, 3);
		// one that is not enabled does not count, nor does one that is deleted
		assert.equal((await made(instance, { label: 'x', enabled: false })).enabled, false);
		assertError(await set(instance, { label: 'x', enabled: true, url: 'https://hooks.example/' }), 400,
		    'Webhook limit reached', 'webhook_limit');
		const r = await call('DELETE', 'webhook', instance, undefined, `?label=${kept[0].label}`);
		assert.deepEqual(r.json, { success: true, message: 'Webhook deleted' });
		await made(instance, { label: 'x', enabled: true, url: 'https://hooks.example/' });
		assertError(await get(instance, `?label=${kept[0].label}`), 404, 'Webhook not found', 'webhook_not_found');
		assertError(await call('DELETE', 'webhook', instance, undefined, `?label=${kept[0].label}`), 404,
		    'Webhook not found', 'webhook_not_found');
	});

	test('what can not be used is refused, with the reason', async () => {
		const instance = await world.newInstance();
		for (const [json, why] of [
			[{}, /url/],
			[{ url: 'ftp://hooks.example/' }, /http/],
			[{ url: 'https://user:pw@hooks.example/' }, /authorization/],
			[{ url: `https://hooks.example/${'x'.repeat(2048)}` }, /2048/],
			[{ url: 'http://127.0.0.1/' }, /not public/],
			[{ url: 'http://169.254.169.254/latest/meta-data' }, /not public/],
			[{ url: 'http://[::1]:8080/' }, /not public/],
			[{ url: 'http://localhost/' }, /not public/],
			[{ url: 'http://0x7f.1/' }, /not public/],
			[{ url: 'https://hooks.example/', events: ['messages.upsert'] }, /messages\.upsert/],
			[{ url: 'https://hooks.example/', events: 'message.exchange' }, /array/],
			[{ url: 'https://hooks.example/', authorization: 'a\r\nX: y' }, /authorization/],
			[{ url: 'https://hooks.example/', label: '../x' }, /label/],
			[{ url: 'https://hooks.example/', enabled: 'yes' }, /enabled/],
		]) {
			const r = await set(instance, json);
			assertError(r, 400, 'Invalid request body', 'invalid_body');
			assert.match(r.json.error.detail, why, JSON.stringify(json));
		}
		assert.deepEqual((await get(instance)).json.webhooks, []);
		assert.deepEqual((await world.listed(instance)).webhook, { enabled: false });
	});
});

test('new takes a webhook and the WebSocket along', async () => {
	const instance = await world.newInstance({ body: { webhookEnabled: true, webhookURL: 'https://hooks.example/new',
		webhookEvents: ['group.flow'], webhookByEvents: true, webhookMediaBase64: true, webhookAuthorization: AUTHORIZATION,
		websocketEnabled: true, websocketEvents: ['label.update'], websocketMediaBase64: true } });
	assert.match(instance.webhook.secret, SECRET);
	world.secrets.add(instance.webhook.secret);
	assert.deepEqual(instance.websocket, { enabled: true, events: ['label.update'], mediaBase64: true });
	const { delivery, ...webhook } = (await get(instance, '?label=default')).json.webhook;
	void delivery;
	assert.deepEqual(webhook, { label: 'default', enabled: true, url: 'https://hooks.example/new', authorization: MASK,
		byEvents: true, events: ['group.flow'], mediaBase64: true, fromHistory: false, disabledBy: null });
	assertError(await world.request('POST', '/api/instance/new', { token: instance.account,
		json: { name: 'refused', webhookEnabled: true } }), 400, 'Invalid request body', 'invalid_body');
});

test('the WebSocket is turned on and off, part by part', async () => {
	const instance = await world.newInstance();
	const ws = (json) => call('POST', 'websocket', instance, json);
	const on = await ws({ enabled: true, events: ['message.exchange'] });
	assert.deepEqual(on.json, { success: true, message: 'WebSocket configuration updated',
		websocket: { enabled: true, events: ['message.exchange'], mediaBase64: false, fromHistory: false } });
	assert.deepEqual((await ws({ mediaBase64: true })).json.websocket,
	    { enabled: true, events: ['message.exchange'], mediaBase64: true, fromHistory: false });
	assert.deepEqual((await ws({})).json.websocket.enabled, true);
	assertError(await ws({ events: ['x'] }), 400, 'Invalid request body', 'invalid_body');
	const read = await call('GET', 'getWebsocket', instance);
	assert.equal(read.json.message, 'WebSocket configuration retrieved successfully');
	assert.deepEqual((await world.listed(instance)).websocket,
	    { enabled: true, events: ['message.exchange'], mediaBase64: true });
});

test('it is there after a kill -9, and nothing secret of it is on the disk', async () => {
	const url = 'https://hooks.example/?key=the-key-in-this-url';
	const instance = await world.newInstance();
	const { secret } = await made(instance, { label: 'crm', url, authorization: AUTHORIZATION });
	const settings = async () => {
		const { delivery, ...rest } = (await get(instance, '?label=crm')).json.webhook;
		void delivery;
		return rest;
	};
	const before = await settings();
	world.gateway.kill('SIGKILL');
	await world.gateway.waitExit();
	for (const file of ['registry.db', 'registry.db-wal']) {
		const bytes = readFileSync(join(world.dataDir, file));
		for (const hidden of [AUTHORIZATION, secret, secret.slice(6), 'the-key-in-this-url'])
			assert.equal(bytes.includes(hidden), false, `${file} holds ${hidden}`);
	}
	await world.startGateway();
	assert.deepEqual(await settings(), before);
	assert.equal((await made(instance, { label: 'crm', mediaBase64: true })).secret, undefined);
});

test('wardenctl makes, shows and deletes webhooks', async () => {
	const instance = await world.newInstance();
	const ctl = (args, code = 0) => world.ctl(['webhook', ...args], { token: instance.account }).then((r) => {
		assert.equal(r.code, code, `${args.join(' ')}: ${r.stdout}${r.stderr}`);
		return r;
	});
	const made = await ctl(['set', instance.name, 'https://hooks.example/in?a=b', 'events=call.update,group.flow']);
	assert.match(made.stdout, /^whsec_\S+\n$/);
	world.secrets.add(made.stdout.trim());
	assert.match((await ctl(['set', instance.name, 'byEvents=true'])).stdout, /default {2}on .*https:\/\/hooks\.example\/in\?a=b/);
	const [shown] = JSON.parse((await ctl(['list', instance.name, '--json'])).stdout);
	assert.deepEqual([shown.events, shown.byEvents, shown.url], [['call.update', 'group.flow'], true, 'https://hooks.example/in?a=b']);
	assert.match((await ctl(['list', instance.name])).stdout, /^LABEL/);
	const none = await ctl(['dead', instance.name]);
	assert.deepEqual([none.stdout, none.stderr.startsWith('No dead letters')], ['', true]);
	assert.match((await ctl(['replay', instance.name, '1'])).stderr, /sent again/);
	await ctl(['replay', instance.name, 'dead', 'default']);
	await ctl(['replay', instance.name, 'all'], 2);
	await ctl(['set', instance.name, 'nonsense'], 2);
	await ctl(['set', instance.name, 'enabled=maybe'], 2);
	assert.match((await ctl(['set', instance.name, 'ftp://x/'], 1)).stderr, /url/);
	await ctl(['delete', instance.name, '--yes']);
	assert.match((await ctl(['delete', instance.name, 'default', '--yes'], 1)).stderr, /Webhook not found/);
	assert.deepEqual(JSON.parse((await ctl(['list', instance.name, '--json'])).stdout), []);
});
