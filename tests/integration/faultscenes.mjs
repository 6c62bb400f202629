// tests/integration/faultscenes.mjs - what is done while one call of one process fails, and what must be true afterwards
//
// A scene has prepare() (nothing fails yet), act() (one call fails) and after() (nothing fails any more: what was
// acknowledged is there, the next try works, and the scene's things are gone). act() answers 'ok', or how the failure
// showed: the status and code of an answer. What must not happen throws.
import assert from 'node:assert/strict';
import { Program, eventually } from './harness.mjs';
import { StreamFollower } from './eventstream.mjs';
import { Receiver } from './receiver.mjs';
import { Redis } from './redis.mjs';
import { sleep } from './linked.mjs';

const LONG_MS = 90_000; // longer than any deadline of the contract

const shown = (r) => (r.status === 0 ? 'no answer' : `${r.status} ${r.json?.error?.code ?? ''}`.trim());
const one = (world, instance, method, what, json, query = '') =>
	world.request(method, `/api/${what}/${instance.name}${query}`, { token: instance.account, json });
const sure = (world, instance, method, what, json, query = '') =>
	world.insist(method, `/api/${what}/${instance.name}${query}`, { token: instance.account, json });

// The state that this instance comes to rest in. busy: states that it leaves by itself.
const settled = (world, instance, busy = ['connecting']) => eventually(async () => {
	const { state } = (await world.listed(instance)).connection;
	return busy.includes(state) ? undefined : state;
}, { what: 'a state that lasts', timeoutMs: LONG_MS / 4 });

// Connected, asking again where it has stopped trying.
async function connectedAgain(world, instance) {
	await eventually(async () => {
		const { connection } = await world.listed(instance);
		if (connection.state === 'connected')
			return true;
		if (connection.state === 'disconnected' || connection.nextRetryAt !== null || world.workers(instance).length === 0)
			await one(world, instance, 'POST', 'instance/reconnect');
		await sleep(50);
		return false;
	}, { what: `${instance.name} connected again`, timeoutMs: LONG_MS / 4 });
}

async function removed(world, instance) {
	const r = await eventually(async () => {
		const answer = await sure(world, instance, 'DELETE', 'instance/delete');
		return (answer.status === 200 || answer.status === 404) && answer;
	}, { what: 'delete' });
	assert.ok(r.status === 200 || r.status === 404, r.text);
	await eventually(() => world.workers(instance).length === 0, { what: 'no worker of a deleted instance' });
	await eventually(() => world.files(instance).length === 0, { what: 'no files of a deleted instance' });
}

// ---- linking -----------------------------------------------------------------------------------------------

// One connect and what a person does with its code. 'ok', or how it failed.
async function linkOnce(world, instance, phone, { byCode = false, query = '' } = {}) {
	const r = await one(world, instance, 'GET', 'instance/connect', undefined, byCode ? `?number=${phone.number}` : query);
	if (r.status !== 200)
		return shown(r);
	if (r.json.status === 'connected')
		return 'ok';
	const scanned = byCode ?
	    await world.control('POST', `/phones/${phone.number}/code`, { code: r.json.pairingCode }) :
	    await world.scan(phone, r.json.qrCode);
	const state = await settled(world, instance);
	if (state === 'connected')
		return 'ok';
	assert.notEqual(state, undefined);
	return `${scanned.status === 200 ? 'linked' : 'not linked'}, then ${state} ${(await world.listed(instance)).connection.lastError?.code}`;
}

async function linkedInTheEnd(world, instance, options) {
	const { state } = (await world.listed(instance)).connection;
	if (state === 'connected')
		return;
	const outcome = await linkOnce(world, instance, await world.newPhone(options?.phone), options);
	if (outcome === 'ok')
		return;
	// linked at the phone, and on the way back: what is being tried may take a pause
	await connectedAgain(world, instance).catch(async (error) => {
		throw new Error(`linked again: ${outcome}; ${error.message}; ${JSON.stringify((await world.listed(instance)).connection)}`);
	});
}

const linking = (options) => ({
	async prepare(world) {
		return { instance: await world.newInstance(), phone: await world.newPhone(options.phone) };
	},
	async act(world, { instance, phone }) {
		const outcome = await linkOnce(world, instance, phone, options);
		if (outcome === 'ok' && options.until !== undefined)
			await options.until(world, instance, phone);
		return outcome;
	},
	async after(world, { instance }) {
		await linkedInTheEnd(world, instance, options);
		await removed(world, instance);
	},
});

// ---- a linked instance that lasts -----------------------------------------------------------------------------

async function linkedOne(world, phoneOptions) {
	const instance = await world.newInstance();
	const { phone } = await world.link(instance, { phone: await world.newPhone(phoneOptions) });
	const friend = await world.newPhone({ name: 'friend' });
	return { instance, phone, friend };
}

async function say(world, from, body) {
	const r = await world.control('POST', `/phones/${from.number}/send`, body);
	assert.equal(r.status, 200, r.text);
	return r.json.ids ?? [r.json.id];
}

const messagesOf = (events) => events.filter((e) => e.event === 'message.exchange');

// Every one of them is told of, once, and readable; no key was used twice.
async function allTold(world, { instance, phone }, follower, ids) {
	const deadline = Date.now() + LONG_MS;
	for (;;) {
		const have = new Set(messagesOf(follower.events).map((e) => e.data.id));
		if (ids.every((id) => have.has(id)))
			break;
		assert.ok(Date.now() < deadline, `lost: ${ids.filter((id) => !have.has(id)).length} of ${ids.length} messages; ` +
		    JSON.stringify((await world.listed(instance)).connection));
		await Promise.race([sleep(200), follower.until(() => ids.every((id) =>
			follower.events.some((e) => e.data.id === id)), { timeoutMs: 200 }).catch(() => {})]);
		if (world.workers(instance).length === 0)
			await one(world, instance, 'POST', 'instance/reconnect');
	}
	const told = messagesOf(follower.events).filter((e) => ids.includes(e.data.id));
	assert.equal(new Set(told.map((e) => e.data.id)).size, told.length, 'a message was told of twice');
	const unread = told.filter((e) => ['unavailable', 'undecryptable'].includes(e.data.message.type));
	assert.deepEqual(unread.map((e) => e.data.message), [], 'unreadable');
	const chains = await world.control('GET', `/phones/${phone.number}/chains`);
	assert.equal(chains.json.reused, 0, `keys used twice: ${JSON.stringify(chains.json)}`);
}

// ---- the scenes ------------------------------------------------------------------------------------------------

export const scenes = {
	create: {
		async prepare() {
			return {};
		},
		async act(world, ctx) {
			ctx.account = (await world.account()).token;
			ctx.name = `c-${++world.instances}`;
			const r = await world.request('POST', '/api/instance/new', { token: ctx.account, json: { name: ctx.name,
				webhookEnabled: true, webhookURL: 'https://example.org/hook', proxyEnabled: false, ignoreStatus: true } });
			ctx.made = r.status === 201;
			return ctx.made ? 'ok' : shown(r);
		},
		async after(world, { account, name, made }) {
			const r = await world.insist('POST', '/api/instance/new', { token: account, json: { name } });
			assert.ok(r.status === (made ? 409 : 201) || (!made && r.status === 409), r.text);
			const instance = (await world.insist('GET', `/api/instance/list?instanceName=${name}`, { token: account })).json.instances[0];
			await removed(world, { ...instance, account });
		},
	},
	link: linking({}),
	code: { ...linking({ byCode: true }), speed: 1 }, // a key is derived in 131,072 steps, each of them written down
	history: linking({ query: '?history=3', phone: { chats: 3, messages: 40, daysOfHistory: 2, history: { chunkMessages: 20, inlineMax: 2048 } },
		until: (world, instance) => eventually(async () => {
			const listed = await world.listed(instance);
			if (listed.connection.state === 'disconnected')
				await one(world, instance, 'POST', 'instance/reconnect');
			return listed.history?.progress === 100;
		}, { what: 'history', timeoutMs: LONG_MS / 4 }) }),
	// the worker is gone; its session is taken up by another
	resume: {
		once: linkedOne,
		async prepare(world, { instance }) {
			for (const { pid } of world.workers(instance))
				process.kill(pid, 'SIGKILL');
			await eventually(() => world.workers(instance).length === 0, { what: 'the end of the worker' });
		},
		async act(world, { instance }) {
			const r = await one(world, instance, 'POST', 'instance/reconnect');
			await connectedAgain(world, instance);
			return r.status === 200 ? 'ok' : shown(r);
		},
		async after(world, { instance }) {
			await connectedAgain(world, instance);
		},
	},
	// the connection is gone; the worker dials again
	redial: {
		once: linkedOne,
		async prepare() {},
		async act(world, { instance, phone }) {
			const client = (await world.online()).findLast((c) => c.number === phone.number);
			const r = await world.control('POST', `/clients/${client.id}/fault`, { kind: 'reset' });
			assert.equal(r.status, 200, r.text);
			const began = performance.now();
			await eventually(async () => {
				if ((await world.online()).some((c) => c.number === phone.number && c.id !== client.id))
					return true;
				if (performance.now() - began > 1000) // the pause grows with each of these resets
					await one(world, instance, 'POST', 'instance/reconnect');
				return false;
			}, { what: 'another connection', timeoutMs: LONG_MS / 4 });
			await connectedAgain(world, instance);
			return 'ok';
		},
		async after(world, { instance }) {
			await connectedAgain(world, instance);
		},
	},
	receive: {
		async once(world) {
			const ctx = await linkedOne(world);
			const made = await world.control('POST', '/groups', { subject: 'faults', participants: [ctx.phone.number, ctx.friend.number] });
			assert.equal(made.status, 201, made.text);
			ctx.group = made.json;
			ctx.follower = await new StreamFollower(world, ctx.instance, { from: 0 }).open();
			ctx.receiver = await new Receiver().start();
			const r = await one(world, ctx.instance, 'POST', 'events/webhook', { enabled: true, url: ctx.receiver.url, events: ['message.exchange'] });
			assert.equal(r.status, 200, r.text);
			return ctx;
		},
		async prepare() {},
		async act(world, ctx) {
			const { phone, friend, group } = ctx;
			const to = phone.number;
			ctx.ids = [
				...await say(world, friend, { to, text: 'a text' }),
				...await say(world, friend, { to, media: { kind: 'image', size: 300, caption: 'an image' } }),
				...await say(world, friend, { to: group.jid, text: 'to the group' }),
				...await say(world, phone, { to: friend.number, text: 'my own' }),
				...await say(world, friend, { messages: [0, 1, 2].map((i) => ({ to, text: `burst ${i}` })) }),
			];
			await allTold(world, ctx, ctx.follower, ctx.ids);
			await ctx.receiver.until((got) => ctx.ids.every((id) => got.some(({ json }) => json.data.id === id)),
			    { what: 'webhooks', timeoutMs: LONG_MS / 4 });
			return 'ok';
		},
		async after(world, ctx) {
			await connectedAgain(world, ctx.instance);
			const r = await sure(world, ctx.instance, 'POST', 'chat/history', { number: ctx.friend.number, count: 20 });
			assert.equal(r.status, 200, r.text);
			const kept = r.json.messages.map((m) => m.id);
			const missing = ctx.ids.slice(0, 2).filter((id) => !kept.includes(id));
			assert.deepEqual(missing, [], 'told of, and not kept');
		},
		async end(world, ctx) {
			await ctx.follower.close();
			await ctx.receiver.stop();
		},
	},
	appstate: {
		speed: 1,
		async once(world) {
			const ctx = await linkedOne(world, { chats: 12, messages: 3 });
			ctx.follower = await new StreamFollower(world, ctx.instance, { from: 0 }).open();
			ctx.labels = 10;
			return ctx;
		},
		async prepare() {},
		async act(world, ctx) {
			const name = `label ${++ctx.labels}`, jid = `${ctx.friend.number}@s.whatsapp.net`;
			for (const change of [{ action: 'contact', jid, name: `Friend ${ctx.labels}`, firstName: 'Friend', pn: jid },
				{ action: 'labelEdit', labelId: String(ctx.labels), name, color: 3 }]) {
				const r = await world.control('POST', `/phones/${ctx.phone.number}/appstate`, { changes: [change] });
				assert.ok(r.status < 300, r.text);
			}
			await eventually(async () => {
				if (ctx.follower.events.some((e) => e.event === 'label.update' && e.data.name === name))
					return true;
				if (world.workers(ctx.instance).length === 0)
					await one(world, ctx.instance, 'POST', 'instance/reconnect');
				return false;
			}, { what: 'the label', timeoutMs: LONG_MS / 4 });
			return 'ok';
		},
		async after(world, { instance }) {
			await connectedAgain(world, instance);
		},
		async end(world, ctx) {
			await ctx.follower.close();
		},
	},
	logout: {
		async prepare(world) {
			const instance = await world.newInstance();
			return { instance, ...await world.link(instance) };
		},
		async act(world, { instance }) {
			const r = await one(world, instance, 'DELETE', 'instance/logout');
			return r.status === 200 ? 'ok' : shown(r);
		},
		async after(world, { instance, phone }) {
			await eventually(async () => {
				if ((await world.listed(instance)).connection.state === 'loggedout')
					return true;
				await sure(world, instance, 'DELETE', 'instance/logout');
				return false;
			}, { what: 'loggedout', timeoutMs: LONG_MS / 4 });
			await eventually(async () => (await world.device(phone)).length === 0, { what: 'no device at the phone' });
			await eventually(() => !world.files(instance).includes('session.db'), { what: 'no session' });
			await removed(world, instance);
		},
	},
	delete: {
		async prepare(world) {
			const instance = await world.newInstance();
			return { instance, ...await world.link(instance) };
		},
		async act(world, { instance }) {
			const r = await one(world, instance, 'DELETE', 'instance/delete');
			return r.status === 200 ? 'ok' : shown(r);
		},
		async after(world, { instance }) {
			await removed(world, instance);
			await world.newInstance({ name: instance.name }).then((again) => removed(world, again));
		},
	},
	// the gateway is killed; the next takes over its worker
	adopt: {
		once: linkedOne,
		changesGateway: true,
		async prepare(world) {
			await world.killGateway();
		},
		async act(world, { instance }) {
			const ended = await startOnce(world);
			if (ended === undefined)
				await settled(world, instance);
			return ended ?? 'ok';
		},
		async after(world, { instance }) {
			if (world.gateway.result !== undefined)
				await world.startGateway();
			await connectedAgain(world, instance);
		},
	},
	// from nothing to the first answers, and the end
	start: {
		changesGateway: true,
		async prepare(world) {
			await stopped(world);
		},
		async act(world) {
			const ended = await startOnce(world);
			if (ended !== undefined)
				return ended;
			const r = await world.request('GET', '/health');
			return r.status === 200 || r.status === 503 ? 'ok' : shown(r);
		},
		async after(world) {
			if (world.gateway.result !== undefined)
				await world.startGateway();
			await world.account();
			await removed(world, await world.newInstance());
		},
	},
	stop: {
		changesGateway: true,
		async prepare(world) {
			if (world.gateway.result !== undefined)
				await world.startGateway();
			const instance = await world.newInstance();
			const r = await one(world, instance, 'GET', 'instance/connect');
			assert.equal(r.status, 200, r.text);
			return { instance };
		},
		async act(world) {
			const result = await stopped(world);
			return result.code === 0 ? 'ok' : `exit ${result.code}`;
		},
		async after(world, { instance }) {
			await world.startGateway();
			await removed(world, instance);
		},
	},
	redis: {
		async env(world) {
			world.redis = await new Redis(world.dir).start();
			return { WARDEN_REDIS_URL: world.redis.url };
		},
		async prepare(world) {
			await world.redis.heal();
		},
		async act(world) {
			const token = (await world.account()).token;
			const answers = [];
			const ask = async () => answers.push(await world.request('GET', '/api/instance/list', { token }));
			for (let i = 0; i < 3; i++)
				await ask();
			await world.redis.kill();
			await ask();
			await world.redis.start();
			for (let i = 0; i < 3; i++)
				await ask();
			const bad = answers.find((r) => r.status !== 200);
			return bad === undefined ? 'ok' : shown(bad);
		},
		async after() {},
		async close(world) {
			await world.redis.kill();
		},
	},
	ask: {
		async once(world) {
			return { instance: await world.newInstance() };
		},
		async prepare() {},
		async act(world, { instance }) {
			const token = instance.account;
			const answers = [
				await world.request('GET', '/health'),
				await world.request('GET', '/metrics'),
				await world.request('GET', '/openapi.json'),
				await world.request('GET', '/'),
				await world.request('GET', '/api/instance/list', { token }),
				await world.request('GET', '/api/instance/list?instanceName=nobody,noone', { token }),
				await one(world, instance, 'POST', 'instance/settings', { ignoreStatus: true, callRejectMessage: 'later' }),
				await one(world, instance, 'GET', 'instance/getSettings'),
				await one(world, instance, 'POST', 'instance/proxy', { enabled: true, host: '127.0.0.1', port: 9, protocol: 'http' }),
				await one(world, instance, 'POST', 'instance/proxy', { enabled: false }),
				await one(world, instance, 'POST', 'events/webhook', { enabled: true, url: 'http://127.0.0.1:9/x', events: [] }),
				await one(world, instance, 'GET', 'events/getWebhook'),
				await one(world, instance, 'POST', 'events/webhook', { enabled: false, url: 'http://127.0.0.1:9/x' }),
				await one(world, instance, 'POST', 'events/websocket', { enabled: true, events: [] }),
				await one(world, instance, 'POST', 'instance/token'),
				await one(world, instance, 'POST', 'instance/link', { expiresIn: 60 }),
				await one(world, instance, 'GET', 'events/dead'),
				await one(world, instance, 'GET', 'instance/passkey'),
				await world.request('GET', '/nothing/here'),
			];
			const odd = answers.find((r, i) => r.status !== (i === answers.length - 1 ? 404 : i === 15 ? 201 : i === 5 ? 200 : 200));
			return odd === undefined ? 'ok' : shown(odd);
		},
		async after(world, ctx) {
			assert.equal((await world.listed(ctx.instance)).name, ctx.instance.name);
		},
	},
	admin: {
		async prepare(world) {
			return { name: `adm-${++world.accounts}` };
		},
		async act(world, { name }) {
			const codes = [];
			for (const args of [['account', 'create', name, '--json'], ['account', 'list', '--json'], ['account', 'rotate', name, '--json'],
				['worker', 'list'], ['doctor'], ['account', 'delete', name]]) {
				const r = await world.ctl(args, { timeoutMs: 40_000 });
				assert.ok([0, 1, 3].includes(r.code), `${args.join(' ')}: ${r.code} ${r.signal} ${r.stderr}`);
				codes.push(r.code);
			}
			return codes.every((c) => c === 0) ? 'ok' : `exits ${codes.join(' ')}`;
		},
		async after(world, { name }) {
			await world.ctl(['account', 'delete', name]);
			const r = await world.ctl(['account', 'create', name, '--json']);
			assert.equal(r.code, 0, r.stderr);
			assert.equal((await world.ctl(['account', 'delete', name])).code, 0);
		},
	},
	// wardenctl itself: whatever fails, it says so and ends
	cli: {
		async once(world) {
			return { instance: await world.newInstance(), token: (await world.account()).token };
		},
		async prepare() {},
		async act(world, { instance, token }) {
			const name = `x-${++world.instances}`;
			const codes = [];
			for (const args of [['--version'], ['account', 'list', '--json'], ['instance', 'create', name], ['instance', 'list'],
				['instance', 'settings', name, 'ignoreStatus=true'], ['status', instance.name, '--json'], ['worker', 'list'],
				['instance', 'delete', name]]) {
				const ctl = new Program('wardenctl', args, { prefix: world.preload(),
					env: { WARDEN_RUN_DIR: world.runDir, WARDEN_URL: world.base, WARDEN_TOKEN: token } });
				const { code, signal } = await ctl.waitExit(40_000);
				await ctl.closed;
				assert.ok([0, 1, 2, 3].includes(code), `wardenctl ${args.join(' ')}: ${code} ${signal} ${ctl.stderr}`);
				assert.ok(code === 0 || ctl.stderr !== '' || world.faults.fired()?.fn === 'write', `wardenctl ${args.join(' ')}: ${code}, and it said nothing`);
				codes.push(code);
			}
			return codes.every((c) => c === 0) ? 'ok' : `exits ${codes.filter((c) => c !== 0).join(' ')}`;
		},
		async after(world, { token }) {
			const left = await world.insist('GET', '/api/instance/list', { token });
			for (const i of left.json.instances.filter(({ name }) => name.startsWith('x-')))
				await removed(world, { ...i, account: token });
		},
	},
};

// The gateway from its start to ready: undefined; or how it ended, which it said.
async function startOnce(world) {
	const before = world.gateway;
	try {
		await world.startGateway();
		return undefined;
	} catch (error) {
		const gateway = world.programs.findLast((p) => p.name === 'wardend');
		if (gateway === before || gateway.result === undefined)
			throw error;
		assert.ok([1, 2].includes(gateway.result.code), `wardend ended with ${JSON.stringify(gateway.result)}: ${gateway.tail()}`);
		assert.notEqual(gateway.stderr, '', 'it said nothing');
		return `exit ${gateway.result.code}`;
	}
}

async function stopped(world) {
	if (world.gateway.result === undefined)
		world.gateway.kill('SIGTERM');
	const result = await world.gateway.waitExit();
	assert.equal(result.signal, null, `wardend ended by ${result.signal}`);
	await eventually(() => world.workers().length === 0, { what: 'the end of all workers' });
	return result;
}
