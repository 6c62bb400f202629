// Who may do what (contract section 1, "Scope" and "Order of checks"): every route of the contract with
// every kind of token, quotas, tokens that are replaced, and who may open the admin socket.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, chownSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { World, assertError, binary, eventually, startWorld } from './harness.mjs';
import * as raw from './rawhttp.mjs';
import { openEvents } from './sse.mjs';

const is = (event) => (e) => e.event === event;
const ROOT = process.getuid() === 0;
const I = '/api/instance/', E = '/api/events/', M = '/api/message/', C = '/api/chat/', G = '/api/group/';

/*
 * The contract's routes: method, path, who opens it, and what a token that is let in gets for the body
 * {} on an instance that was never linked. 501: not built yet, checked like any other. `query`: ?token=
 * is taken.
 */
const either = (method, path, pass, more = {}) => ({ method, path, pass, account: false, ...more });
const account = (method, path, pass) => ({ method, path, pass, account: true });
const later = (path, more = {}) => either('POST', path, 501, more);
const ROUTES = [
	either('GET', `${I}getSettings/:instance`, 200),
	either('POST', `${I}settings/:instance`, 400),
	either('GET', `${I}getProxy/:instance`, 200),
	either('POST', `${I}proxy/:instance`, 200),
	either('GET', `${I}passkey/:instance`, 200),
	either('POST', `${I}passkey/:instance`, 409),
	either('POST', `${I}passkey/:instance/confirm`, 409),
	either('POST', `${I}reconnect/:instance`, 400),
	either('POST', `${I}link/:instance`, 201),
	either('POST', `${E}webhook/:instance`, 400),
	either('GET', `${E}getWebhook/:instance`, 200),
	either('DELETE', `${E}webhook/:instance`, 404),
	either('GET', `${E}dead/:instance`, 200),
	either('POST', `${E}replay/:instance`, 400),
	either('POST', `${E}websocket/:instance`, 200),
	either('GET', `${E}getWebsocket/:instance`, 200),
	either('GET', `${E}stream/:instance`, 200, { query: true }),
	either('GET', '/ws/:instance', 400, { query: true }),
	either('GET', `${C}base64/:instance`, 400),
	either('POST', `${C}history/:instance`, 400),
	...['text', 'media', 'sticker', 'contact', 'location', 'reaction', 'poll', 'status'].map((w) => later(`${M}${w}/:instance`)),
	...['markRead', 'archive', 'pin', 'mute', 'block', 'presence', 'edit', 'delete', 'forward']
	    .map((w) => later(`${C}${w}/:instance`)),
	either('GET', `${C}contacts/:instance`, 501),
	...['create', 'update', 'participants', 'join', 'resetLink', 'leave'].map((w) => later(`${G}${w}/:instance`)),
	either('GET', `${G}list/:instance`, 501),
	either('GET', `${G}info/:instance`, 501),
	// what these do when they let in, does away with the instance or its token: last
	either('GET', `${I}connect/:instance`, 200),
	either('DELETE', `${I}logout/:instance`, 200),
	account('POST', `${I}token/:instance`, 200),
	account('DELETE', `${I}delete/:instance`, 200),
];

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const INVALID = [401, 'Invalid token', 'invalid_token'];
const WRONG = [403, 'Instance token does not match the instance', 'wrong_instance'];
const NONE = [404, 'Instance not found', 'instance_not_found'];

describe('every route with every token', () => {
	let mine, other, own, sibling, foreign, tokens;

	before(async () => {
		mine = await world.newAccount();
		other = await world.newAccount();
		own = await world.newInstance({ name: 'own', token: mine.token });
		sibling = await world.newInstance({ name: 'sibling', token: mine.token });
		foreign = await world.newInstance({ name: 'foreign', token: other.token });
		const turned = await world.newAccount();
		const turnedInstance = await world.newInstance({ name: 'own', token: turned.token });
		const fresh = await world.request('POST', `${I}token/own`, { token: turned.token });
		world.secrets.add(fresh.json.instance.token);
		world.secrets.add(JSON.parse((await world.ctl(['account', 'rotate', turned.name, '--json'])).stdout).token);
		tokens = {
			'no token': { kind: 'none' },
			'a token nobody has': { kind: 'none', token: 'A'.repeat(43) },
			'a replaced TokenAccount': { kind: 'none', token: turned.token },
			'a replaced TokenInstance': { kind: 'none', token: turnedInstance.token },
			'the TokenAccount': { kind: 'account', token: mine.token },
			"another account's TokenAccount": { kind: 'account', token: other.token, foreign: true },
			'its TokenInstance': { kind: 'instance', token: own.token, opens: 'own' },
			"the sibling's TokenInstance": { kind: 'instance', token: sibling.token, opens: 'sibling' },
			"another account's TokenInstance": { kind: 'instance', token: foreign.token, opens: 'foreign' },
		};
	});

	// What the contract says; undefined: let in.
	const refusal = (route, t, name) => {
		if (t.kind === 'none' || (t.kind === 'instance' && route.account))
			return INVALID;
		if (t.kind === 'instance')
			return t.opens === name ? undefined : WRONG;
		const there = t.foreign ? ['foreign'] : ['own', 'sibling'];
		return there.includes(name) ? undefined : NONE;
	};
	const ask = (route, name, { token, query = '', headers } = {}) => world.request(route.method,
	    route.path.replace(':instance', name) + query,
	    { token, headers, head: true, ...(route.method === 'POST' ? { json: {} } : {}) });

	for (const route of ROUTES)
		test(`${route.method} ${route.path}`, async () => {
			for (const [who, t] of Object.entries(tokens))
				for (const name of ['sibling', 'foreign', 'nobody', 'own']) {
					const expected = refusal(route, t, name);
					if (expected === undefined && name !== 'own')
						continue; // let in below, where it does no harm to the rows that follow
					const r = await ask(route, name, { token: t.token });
					const what = `${who} on ${name}: ${r.status} ${r.text}`;
					if (expected === undefined && t.kind === 'account' && route.path === `${I}delete/:instance`)
						assert.equal(r.status, 200, what);
					else if (expected === undefined)
						assert.equal(r.status, route.pass, what);
					else
						assert.deepEqual([r.status, r.json.error.message, r.json.error.code], expected, what);
					assert.match(r.headers.get('x-ratelimit-remaining') ?? '', /^\d+$/, what);
					if (expected === undefined && route.path === `${I}token/:instance`)
						tokens['its TokenInstance'].token = own.token = remember(r.json.instance.token);
				}
		});

	const remember = (token) => {
		world.secrets.add(token);
		return token;
	};

	test('a token in the query opens event streams and WebSockets, and nothing else', async () => {
		await world.newInstance({ name: 'asked', token: mine.token });
		for (const route of ROUTES) {
			const r = await ask(route, 'asked', { query: `?token=${mine.token}` });
			if (route.query)
				assert.equal(r.status, route.pass, `${route.path}: ${r.text}`);
			else
				assertError(r, ...INVALID);
		}
		assertError(await world.request('GET', `${I}list?token=${mine.token}`), ...INVALID);
		assertError(await world.request('POST', `${I}new?token=${mine.token}`, { json: { name: 'x' } }), ...INVALID);
	});

	test('new is for accounts, list for both', async () => {
		for (const [who, t] of Object.entries(tokens)) {
			const made = await world.request('POST', `${I}new`, { token: t.token, json: { name: 'made', foreign: 1 } });
			const listed = await world.request('GET', `${I}list`, { token: t.token });
			const gone = t.kind === 'none' || t.opens === 'own'; // deleted by the table
			assert.equal(listed.status, gone ? 401 : 200, who);
			if (t.kind !== 'account') {
				assertError(made, ...INVALID);
				continue;
			}
			assert.equal(made.status, 201, who);
			remember(made.json.instance.token);
			assert.deepEqual(listed.json.instances.filter((i) => i.name === 'foreign').length, t.foreign ? 1 : 0);
		}
	});

	test('the first of header, bearer and query decides, also when it is wrong', async () => {
		const wrong = 'W'.repeat(43), right = foreign.token;
		const at = (headers, query = '') => world.request('GET', `${E}stream/foreign${query}`, { headers, head: true });
		assert.equal((await at({ token: right, authorization: `Bearer ${wrong}` }, `?token=${wrong}`)).status, 200);
		assert.equal((await at({ token: wrong, authorization: `Bearer ${right}` }, `?token=${right}`)).status, 401);
		assert.equal((await at({ authorization: `Bearer ${right}` }, `?token=${wrong}`)).status, 200);
		assert.equal((await at({ authorization: `Bearer ${wrong}` }, `?token=${right}`)).status, 401);
		assert.equal((await at({}, `?token=${right}`)).status, 200);
	});
});

describe('the quota of an account', () => {
	const create = (token, name) => world.request('POST', `${I}new`, { token, json: { name } });

	test('holds when thirty ask at once', async () => {
		const { token } = await world.newAccount({ quota: 7 });
		const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => create(token, `n${i}`)));
		assert.equal(answers.filter((r) => r.status === 201).length, 7);
		for (const r of answers.filter((a) => a.status !== 201))
			assertError(r, 403, 'Account instance quota exceeded', 'quota_exceeded');
		assert.equal((await world.request('GET', `${I}list`, { token })).json.meta.total, 7);
	});

	test('is raised and lowered, takes nothing away, and survives a restart', async () => {
		const w = await startWorld();
		const quota = async (n) => {
			const r = await w.ctl(['account', 'quota', 'turn', n, '--json']);
			assert.equal(r.code, 0, r.stderr);
			return JSON.parse(r.stdout);
		};
		try {
			const made = JSON.parse((await w.ctl(['account', 'create', 'turn', '--quota', '1', '--json'])).stdout);
			w.secrets.add(made.token);
			const add = async (name) => {
				const r = await w.request('POST', `${I}new`, { token: made.token, json: { name } });
				if (r.status === 201)
					w.secrets.add(r.json.instance.token);
				return r.status;
			};
			assert.deepEqual([await add('a'), await add('b')], [201, 403]);
			assert.deepEqual(await quota('2'), { name: 'turn', quota: 2 });
			assert.deepEqual([await add('b'), await add('c')], [201, 403]);
			assert.deepEqual(await quota('0'), { name: 'turn', quota: 0 });
			assert.equal((await w.request('GET', `${I}list`, { token: made.token })).json.meta.total, 2);
			assert.equal(await add('c'), 403);
			assert.deepEqual(await quota('none'), { name: 'turn', quota: null });
			assert.equal(await add('c'), 201);
			await quota('3');
			w.gateway.kill('SIGKILL');
			await w.gateway.waitExit();
			await w.startGateway();
			assert.equal(await add('d'), 403);
			assert.equal((await w.ctl(['account', 'quota', 'nobody', '3'])).code, 1);
			for (const bad of ['-1', 'many', '1.5', ''])
				assert.equal((await w.ctl(['account', 'quota', 'turn', bad])).code, 2, bad);
		} finally {
			await w.stop();
		}
	});
});

describe('a token that is replaced', () => {
	const rotate = async (instance) => {
		const r = await world.request('POST', `${I}token/${instance.name}`, { token: instance.account });
		assert.equal(r.status, 200, r.text);
		world.secrets.add(r.json.instance.token);
		return r.json.instance.token;
	};
	const list = (token) => `GET ${I}list HTTP/1.1\r\nHost: x\r\ntoken: ${token}\r\n\r\n`;

	test('stops on a connection that it has opened', async () => {
		const instance = await world.newInstance();
		const c = await raw.connect(world.address);
		c.send(list(instance.token));
		assert.equal((await c.response()).status, 200);
		const fresh = await rotate(instance);
		c.send(list(instance.token));
		assert.equal((await c.response()).status, 401);
		c.send(list(fresh));
		assert.equal((await c.response()).status, 200);
		c.close();
	});

	test('stops for a request whose body is still on its way', async () => {
		const instance = await world.newInstance();
		const body = JSON.stringify({ ignoreStatus: true });
		const c = await raw.connect(world.address);
		c.send(`POST ${I}settings/${instance.name} HTTP/1.1\r\nHost: x\r\ntoken: ${instance.token}\r\n` +
		    `Content-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
		await rotate(instance);
		c.send(body.slice(5));
		assert.equal((await c.response()).status, 401);
		c.close();
		assert.equal((await world.listed(instance)).settings.ignoreStatus, false);
	});

	test('ends the streams and the waiting callers it let in, and those of no other token', async () => {
		const instance = await world.newInstance();
		const url = `${I}connect/${instance.name}`;
		const withOwn = await openEvents(world, { ...instance, account: instance.token });
		const withAccount = await openEvents(world, instance);
		await withOwn.next(is('qr'));
		await rotate(instance);
		const { data } = await withOwn.next(is('failed'));
		assert.deepEqual([data.success, data.error.message, data.error.code], [false, 'Invalid token', 'invalid_token']);
		await eventually(() => withOwn.ended, { what: 'the end of the stream' });
		assert.equal(withAccount.ended, false);
		// the attempt goes on: the code is still there for whoever may see it
		assert.equal((await world.connect(instance)).json.status, 'qr');
		assert.equal((await world.request('GET', url, { token: instance.token })).status, 401);
		withAccount.close();
	});

	test('ends all of many, those who wait for a code and those who follow', async () => {
		const instance = await world.newInstance();
		const own = { ...instance, account: instance.token };
		await world.fault('registration', { kind: 'no_refs' });
		try {
			const streams = await Promise.all(Array.from({ length: 8 }, () => openEvents(world, own)));
			const callers = Array.from({ length: 8 }, () => world.connect(own));
			const other = world.connect(instance);
			await Promise.all(streams.map((s) => s.next(is('connecting'))));
			await eventually(async () => (await world.listed(instance)).connection.state === 'connecting', { what: 'the attempt' });
			await rotate(instance);
			for (const r of await Promise.all(callers))
				assertError(r, ...INVALID);
			for (const s of streams)
				assert.equal((await s.next(is('failed'))).data.error.code, 'invalid_token');
			await world.request('DELETE', `${I}delete/${instance.name}`, { token: instance.account });
			assertError(await other, 500, 'Failed to generate QR code', 'deleted'); // it has waited on
		} finally {
			await world.clearFaults();
		}
	});

	test('ends them for an account, too', async () => {
		const made = await world.newAccount();
		const instance = await world.newInstance({ token: made.token });
		const stream = await openEvents(world, instance);
		await stream.next(is('qr'));
		const fresh = JSON.parse((await world.ctl(['account', 'rotate', made.name, '--json'])).stdout);
		world.secrets.add(fresh.token);
		assert.equal((await stream.next(is('failed'))).data.error.code, 'invalid_token');
		await eventually(() => stream.ended, { what: 'the end of the stream' });
	});

	test('is unknown to the next gateway as well', async () => {
		const w = await startWorld();
		try {
			const instance = await w.newInstance();
			const r = await w.request('POST', `${I}token/${instance.name}`, { token: instance.account });
			w.secrets.add(r.json.instance.token);
			w.gateway.kill('SIGKILL');
			await w.gateway.waitExit();
			await w.startGateway();
			assert.equal((await w.request('GET', `${I}list`, { token: instance.token })).status, 401);
			assert.equal((await w.request('GET', `${I}list`, { token: r.json.instance.token })).status, 200);
		} finally {
			await w.stop();
		}
	});
});

describe('requests without a valid token', () => {
	test('count against a /64 of IPv6, and against the client, not its trusted proxy', async () => {
		const w = await startWorld({ gateway: { settings: { limit_per_minute: 3, trusted_proxies: '127.0.0.1,2001:db8:ffff::/48' } } });
		try {
			const from = async (forwarded, token = 'W'.repeat(43)) =>
				(await w.request('GET', `${I}list`, { token, headers: { 'x-forwarded-for': forwarded } })).status;
			const { token } = await w.newAccount();
			assert.deepEqual([await from('2001:db8:1:2::a'), await from('2001:db8:1:2:ffff::b'), await from('[2001:db8:1:2::c]:443')],
			    [401, 401, 401]);
			assert.equal(await from('2001:db8:1:2:1:2:3:4'), 429);
			assert.equal(await from('2001:db8:1:3::a'), 401); // the neighbour
			// through a second trusted proxy; what the client says of itself is not believed
			assert.equal(await from('203.0.113.9, 2001:db8:1:2::a, 2001:db8:ffff::1'), 429);
			assert.equal(await from('2001:db8:1:2::a', token), 200); // a valid token has a limit of its own
			assert.equal(await from('::ffff:192.0.2.7'), 401);
			assert.deepEqual([await from('192.0.2.7'), await from('192.0.2.7'), await from('192.0.2.7')], [401, 401, 429]);
			// what is no address: it is the proxy's own, which has sent nothing else so far
			assert.equal(await from('nonsense'), 401);
		} finally {
			await w.stop();
		}
	});
});

// A program as another user, who asks the admin socket for the accounts.
const asUser = (uid, w, args = ['account', 'list', '--json']) => {
	return spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', binary('wardenctl'), ...args],
	    { encoding: 'utf8', env: { WARDEN_RUN_DIR: w.runDir, PATH: process.env.PATH } });
};

describe('the admin socket', { skip: ROOT ? false : 'needs root, to ask as other users' }, () => {
	const NOBODY = 65534, SERVICE = 64321;

	test('is closed to other users by its mode, and by who they are where the mode fails', async () => {
		const path = join(world.runDir, 'admin.sock');
		assert.equal(statSync(path).mode & 0o777, 0o600);
		const refused = asUser(NOBODY, world);
		assert.equal(refused.status, 3, refused.stderr);
		assert.match(refused.stderr, /Permission denied\nRun this as root, or as the user that wardend runs as\./);
		const modes = [world.runDir, path].map((p) => [p, statSync(p).mode & 0o7777]);
		try {
			chmodSync(world.runDir, 0o755);
			chmodSync(path, 0o666);
			const seen = asUser(NOBODY, world);
			assert.equal(seen.status, 3, seen.stdout);
			assert.equal(seen.stdout, '');
			await world.gateway.event('admin_peer_refused');
		} finally {
			for (const [p, mode] of modes)
				chmodSync(p, mode);
		}
		assert.equal((await world.ctl(['account', 'list'])).code, 0);
	});

	test("of a gateway with a user of its own is open to that user and to root", async () => {
		const w = new World();
		try {
			for (const dir of [w.dataDir, w.runDir]) {
				mkdirSync(dir, { mode: 0o700 });
				chownSync(dir, SERVICE, SERVICE);
			}
			await w.startGateway({ prefix: ['setpriv', `--reuid=${SERVICE}`, `--regid=${SERVICE}`, '--clear-groups'] });
			assert.equal(statSync(join(w.runDir, 'admin.sock')).uid, SERVICE);
			assert.equal((await w.ctl(['account', 'list'])).code, 0);
			assert.equal(asUser(SERVICE, w).stdout, '[]\n');
			chmodSync(w.runDir, 0o755);
			chmodSync(join(w.runDir, 'admin.sock'), 0o666);
			assert.equal(asUser(NOBODY, w).status, 3);
		} finally {
			await w.stop();
		}
	});
});
