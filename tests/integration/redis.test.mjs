// Limits in a Redis that gateways share, and fault row H11: it is away, slow, restarted, full, or not what it was
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertError, eventually, PATIENCE, PLAIN, run, SLOWNESS, startWorld, World } from './harness.mjs';
import { startRedis } from './redis.mjs';

// A decision takes 50 ms at most; the rest is this machine's, which runs other tests beside.
const DECIDED_MS = 50;
const SPARE_MS = PLAIN ? 150 : 600;

const p99 = (sorted) => sorted[Math.floor(sorted.length * 0.99)];

// How slow this machine is just now: requests that Redis has no part in, while body runs. Sorted times in ms.
async function beside(world, body) {
	const times = [];
	let going = true;
	const loop = (async () => {
		while (going) {
			const began = performance.now();
			await world.request('GET', '/health');
			times.push(performance.now() - began);
			await new Promise((resolve) => setTimeout(resolve, 2));
		}
	})();
	const result = await body();
	going = false;
	await loop;
	times.sort((a, b) => a - b);
	return { result, noise: times, spareMs: SPARE_MS + 2 * times.at(-1) };
}

const list = (world, token) => world.request('GET', '/api/instance/list', { token });
const remaining = (answer) => Number(answer.headers.get('x-ratelimit-remaining'));
const limiter = async (world) => (await world.request('GET', '/health')).json.checks.limiter;

// n requests one after the other: how many were admitted, and the longest time one took.
async function ask(world, token, n) {
	let admitted = 0, worstMs = 0;
	for (let i = 0; i < n; i++) {
		const began = performance.now();
		const { status } = await list(world, token);
		worstMs = Math.max(worstMs, performance.now() - began);
		assert.ok(status === 200 || status === 429, `status ${status}`);
		admitted += status === 200;
	}
	return { admitted, worstMs };
}

const ok = (world) => eventually(async () => await limiter(world) === 'ok', { what: 'limiter ok', timeoutMs: 8000 });
async function fails(world, why) {
	let text;
	await eventually(async () => why.test(text = await limiter(world)), { what: `limiter: ${why}`, timeoutMs: 8000 })
	    .catch((error) => assert.fail(`${error.message}; last: ${text}`));
	assert.match(text, /^fail: redis .*; limiting in memory$/);
}

// Again while a gateway gave Redis up meanwhile: 30 ms are short for a Redis that shares two cores with other tests.
async function undisturbed(worlds, body) {
	const downs = () => worlds.reduce((n, w) => n + w.gateway.events('redis_down').length, 0);
	for (let attempt = 1;; attempt++) {
		await Promise.all(worlds.map((w) => ok(w)));
		const before = downs();
		try {
			return await body(attempt);
		} catch (error) {
			await new Promise((resolve) => setTimeout(resolve, 500)); // an answer may be read before the log that explains it
			if (downs() === before || attempt === 20)
				throw error;
		}
	}
}

// A world whose gateway has a Redis; a second gateway beside it on wish.
async function redisWorld({ redisArgs = [], settings = {}, url = (redis) => redis.unix, env = {} } = {}) {
	const world = new World();
	try {
		world.redis = await startRedis(world, redisArgs);
		world.gatewayOptions = {
			settings: { limit_per_minute: 100, limit_create_per_minute: 20, ...settings },
			env: { WARDEN_REDIS_URL: url(world.redis), ...env },
		};
		await world.startSim();
		await world.startGateway(world.gatewayOptions);
	} catch (error) {
		await stopWorld(world).catch(() => {});
		throw error;
	}
	return world;
}

async function stopWorld(world) {
	await world.redis?.kill();
	await world.stop();
}

describe('two gateways on one Redis', () => {
	let world;

	before(async () => {
		world = await redisWorld({ url: (redis) => `${redis.url}/3`, settings: { trusted_proxies: '127.0.0.1' } });
		world.token = (await world.newAccount()).token;
	});
	after(() => stopWorld(world));

	test('admit exactly 100 together, whichever is asked, and say so in their headers', async () => {
		// No account is known to both, but an address is: bad tokens count by that.
		const other = new World();
		try {
			other.simInfo = world.simInfo;
			await other.startGateway({
				...world.gatewayOptions,
				settings: { ...world.gatewayOptions.settings, data_dir: other.dataDir, run_dir: other.runDir },
			});
			const worlds = [world, other];
			await undisturbed(worlds, async (attempt) => {
				const answers = await Promise.all(Array.from({ length: 160 }, (_, i) =>
					worlds[i % 2].request('GET', '/api/instance/list',
					    { headers: { 'x-forwarded-for': `192.0.2.${attempt}` } })));
				assert.equal(answers.filter((r) => r.status === 401).length, 100);
				assert.equal(answers.filter((r) => r.status === 429).length, 60);
				const left = answers.filter((r) => r.status === 401).map(remaining).sort((x, y) => y - x);
				assert.deepEqual(left, Array.from({ length: 100 }, (_, i) => 99 - i));
				for (const r of answers.filter(({ status }) => status === 429)) {
					const retry = Number(r.headers.get('retry-after'));
					assert.ok(retry > 50 && retry <= 60, `Retry-After ${retry}`);
					const ahead = Number(r.headers.get('x-ratelimit-reset')) - Date.now() / 1000;
					assert.ok(ahead > 45 && ahead <= 61.5, `reset is ${ahead} s ahead`);
				}
			});
			await Promise.all(worlds.map((w) => ok(w)));
		} finally {
			await other.stop();
		}
	});

	test('have lists of their own making in the database that the URL names, and nothing else', async () => {
		await world.request('POST', '/api/instance/new', { token: world.token, json: { name: 'a' } });
		const [, keys] = await world.redis.commands([['SELECT', 3], ['KEYS', '*']]);
		assert.ok(keys.length >= 3, keys.join(' '));
		for (const key of keys)
			assert.match(key, /^warden:limit:\{(token:[0-9a-f]{64}|address:[0-9a-f]{32}|probe:\d+)\}:(minute|create)$/);
		for (const key of keys) {
			const [, ttl] = await world.redis.commands([['SELECT', 3], ['PTTL', key]]);
			assert.ok(ttl === -2 || (ttl > 0 && ttl <= 60_000), `${key} lives ${ttl} ms`);
			assert.ok(!key.includes(world.token));
		}
		// both lists of one request are in one hash slot
		const tags = keys.filter((k) => k.includes('token:')).map((k) => k.match(/\{.*\}/)[0]);
		assert.ok(tags.some((tag, i) => tags.indexOf(tag) !== i), 'no token has two lists');
		assert.deepEqual(await world.redis.command('KEYS', '*'), []);
	});

	test('one script call per request', async () => {
		const calls = async () => Number((await world.redis.command('INFO', 'commandstats'))
		    .match(/cmdstat_evalsha:calls=(\d+)/)?.[1] ?? 0);
		await undisturbed([world], async () => {
			const { token } = await world.newAccount();
			const before = await calls();
			await ask(world, token, 25);
			assert.equal(await calls() - before, 25);
		});
	});

	test('new has a limit of its own in the same call', async () => {
		const { token } = await world.newAccount();
		for (let i = 0; i < 20; i++) {
			const r = await world.request('POST', '/api/instance/new', { token, json: { name: `n${i}` } });
			assert.equal(r.status, 201, r.text);
			assert.deepEqual([r.headers.get('x-ratelimit-limit'), remaining(r)], ['20', 19 - i]);
		}
		const r = await world.request('POST', '/api/instance/new', { token, json: { name: 'n20' } });
		assertError(r, 429, 'Rate limit exceeded. Try again later.', 'rate_limited');
		assert.equal(remaining(await list(world, token)), 79);
	});

	test('requests on one connection are answered in their order', async () => {
		const { token } = await world.newAccount();
		const socket = createConnection(world.address.port, world.address.host);
		const one = (i) => `GET /api/instance/list HTTP/1.1\r\nHost: x\r\ntoken: ${token}\r\nX-Request-Id: r${i}\r\n\r\n`;
		socket.write(Array.from({ length: 50 }, (_, i) => one(i)).join(''));
		let text = '';
		await new Promise((resolve, reject) => {
			socket.setTimeout(5000 * PATIENCE, () => reject(new Error(`no 50 answers: ${text}`)));
			socket.on('error', reject).on('data', (data) => {
				text += data;
				if (text.split('HTTP/1.1 200 ').length === 51)
					resolve();
			});
		});
		socket.destroy();
		assert.deepEqual([...text.matchAll(/^X-Request-Id: r(\d+)/gmi)].map((m) => Number(m[1])),
		    Array.from({ length: 50 }, (_, i) => i));
		assert.deepEqual([...text.matchAll(/^X-RateLimit-Remaining: (\d+)/gmi)].map((m) => Number(m[1])),
		    Array.from({ length: 50 }, (_, i) => 99 - i));
	});

	test('callers that leave while Redis is asked do no harm', async () => {
		const { token } = await world.newAccount();
		world.redis.signal('SIGSTOP');
		await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve) => {
			const socket = createConnection(world.address.port, world.address.host, () => {
				socket.write(`GET /api/instance/list HTTP/1.1\r\nHost: x\r\ntoken: ${token}\r\n\r\n`, () => {
					socket.resetAndDestroy();
					resolve();
				});
			});
			socket.on('error', () => {});
		})));
		world.redis.signal('SIGCONT');
		await ok(world);
		assert.equal((await list(world, token)).status, 200);
	});
});

describe('H11: Redis', () => {
	let world;

	before(async () => {
		world = await redisWorld();
	});
	after(() => stopWorld(world));

	const fresh = async () => {
		await world.redis.heal();
		await ok(world);
		return (await world.newAccount()).token;
	};

	test('down: the request that notices and all others are decided in memory, within the limit; back by itself, even empty', async () => {
		const token = await fresh();
		let { admitted } = await ask(world, token, 60);
		await world.redis.kill();
		const { result: down, spareMs } = await beside(world, () => ask(world, token, 30));
		assert.ok(down.worstMs < DECIDED_MS + spareMs, `${down.worstMs} ms`);
		await fails(world, /closed the connection|can't be reached/);
		assert.equal((await world.request('GET', '/health')).status, 200);
		assert.equal((await world.request('GET', '/health')).json.status, 'degraded');
		await world.redis.start();
		await ok(world);
		assert.equal((await world.request('GET', '/health')).json.status, 'ok');
		const back = await ask(world, token, 40);
		admitted += down.admitted + back.admitted;
		assert.ok(admitted >= 80 && admitted <= 120, `${admitted} of 100`);
		assert.equal(admitted, 100); // one gateway alone: to the letter
	});

	test('stopped (SIGSTOP): decided within 50 ms, then nobody waits; back when it goes on', async () => {
		const token = await fresh();
		await ask(world, token, 10);
		world.redis.signal('SIGSTOP');
		const { result: first, spareMs } = await beside(world, () => ask(world, token, 1));
		assert.ok(first.worstMs >= 25 && first.worstMs < DECIDED_MS + spareMs, `${first.worstMs} ms`);
		const times = [];
		const { noise } = await beside(world, async () => {
			for (let i = 0; i < 50; i++)
				times.push((await ask(world, token, 1)).worstMs);
		});
		times.sort((a, b) => a - b);
		assert.ok(times[25] < 15 * SLOWNESS + 2 * noise[Math.floor(noise.length / 2)],
		    `median ${times[25]} ms: does everyone wait?`);
		await fails(world, /does not answer in time|can't be reached in time/);
		world.redis.signal('SIGCONT');
		await ok(world);
		const { admitted } = await ask(world, token, 60);
		assert.equal(admitted, 39);
	});

	test('slow (a script that blocks it): the same, and back', async () => {
		const token = await fresh();
		const blocked = world.redis.command('DEBUG', 'SLEEP', '2.5');
		await new Promise((resolve) => setTimeout(resolve, 100)); // it sleeps by now; nothing tells
		const { result: { worstMs, admitted }, spareMs } = await beside(world, () => ask(world, token, 20));
		assert.equal(admitted, 20);
		assert.ok(worstMs < DECIDED_MS + spareMs, `${worstMs} ms`);
		await fails(world, /does not answer in time|can't be reached in time/);
		await blocked;
		await ok(world);
	});

	test('restarted under load: nobody sees more than a moment of it', async () => {
		const tokens = [];
		for (let i = 0; i < 8; i++)
			tokens.push(await fresh());
		let going = true, worst = 0;
		const admitted = new Array(8).fill(0), asked = new Array(8).fill(0);
		const load = tokens.map(async (token, i) => {
			while (going) {
				const r = await ask(world, token, 1);
				admitted[i] += r.admitted;
				worst = Math.max(worst, r.worstMs);
				asked[i]++;
			}
		});
		const { spareMs } = await beside(world, async () => {
			for (let i = 0; i < 3 || (Math.min(...asked) < 110 && i < 15); i++) {
				await world.redis.kill(i === 1 ? 'SIGTERM' : 'SIGKILL');
				await new Promise((resolve) => setTimeout(resolve, 100)); // requests meanwhile are the point
				await world.redis.start();
				await ok(world);
			}
		});
		going = false;
		await Promise.all(load);
		assert.ok(Math.min(...asked) > 100, `${asked} requests`);
		assert.deepEqual(admitted, new Array(8).fill(100));
		assert.ok(worst < DECIDED_MS + 2 * spareMs, `worst ${worst} ms`);
	});

	test('full: OOM is a reason to limit in memory, and room is a reason to come back', async () => {
		const token = await fresh();
		await ask(world, token, 30);
		await world.redis.command('CONFIG', 'SET', 'maxmemory', '1');
		let { admitted } = await ask(world, token, 30);
		assert.equal(admitted, 30);
		await fails(world, /answers OOM/);
		await world.redis.command('CONFIG', 'SET', 'maxmemory', '0');
		await ok(world);
		({ admitted } = await ask(world, token, 60));
		assert.equal(admitted, 40);
	});

	test('a replica, loading, without its password, or with another one', async () => {
		const token = await fresh();
		await ask(world, token, 30);
		await world.redis.command('REPLICAOF', '127.0.0.1', '1');
		assert.equal((await ask(world, token, 10)).admitted, 10);
		await fails(world, /answers READONLY/);
		await world.redis.command('REPLICAOF', 'NO', 'ONE');
		await ok(world);
		await world.redis.command('CONFIG', 'SET', 'requirepass', 'hunter2');
		// who is connected stays so; kill that connection
		await world.redis.commands([['AUTH', 'hunter2'], ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']]);
		assert.equal((await ask(world, token, 10)).admitted, 10);
		await fails(world, /answers NOAUTH/);
		await world.redis.commands([['AUTH', 'hunter2'], ['CONFIG', 'SET', 'requirepass', '']]);
		await ok(world);
		assert.equal((await ask(world, token, 60)).admitted, 50);
	});

	test('something else under a key: that one is decided in memory, others are not', async () => {
		const token = await fresh();
		const other = await fresh();
		await ask(world, token, 20);
		const key = (await world.redis.command('KEYS', '*token*'));
		await ask(world, other, 1);
		const foreign = (await world.redis.command('KEYS', '*token*')).filter((k) => key.includes(k));
		for (const k of foreign)
			await world.redis.commands([['DEL', k], ['SET', k, 'x']]);
		assert.equal((await ask(world, token, 20)).admitted, 20);
		await fails(world, /holds something else under a key of ours/);
		const [, n] = await world.redis.commands([['PING'], ['LLEN', (await world.redis.command('KEYS', '*token*'))
		    .find((k) => !key.includes(k))]]);
		assert.equal(n, 1);
		await ask(world, other, 1);
		for (const k of foreign)
			await world.redis.command('DEL', k);
		assert.equal((await ask(world, token, 100)).admitted, 60);
		await ok(world);
	});

	test('FLUSHALL and SCRIPT FLUSH: nothing is lost but the request that finds out', async () => {
		const token = await fresh();
		await ask(world, token, 60);
		await world.redis.command('SCRIPT', 'FLUSH');
		assert.equal(remaining(await list(world, token)), 39);
		await world.redis.commands([['FLUSHALL'], ['SCRIPT', 'FLUSH']]);
		const { admitted } = await ask(world, token, 60);
		assert.equal(admitted, 39);
		await ok(world);
	});

	test('0 sessions dropped, p99 at most 50 ms more while Redis comes and goes', async () => {
		const { token: accountToken } = await world.newAccount();
		const instance = await world.newInstance({ token: accountToken });
		instance.account = accountToken;
		await world.link(instance, {});
		const [client] = await world.online();
		const tokens = [];
		for (let i = 0; i < 20; i++)
			tokens.push((await world.newAccount()).token);
		const measure = async (n) => {
			const times = [];
			for (let i = 0; i < n; i++)
				times.push((await ask(world, tokens[i % tokens.length], 1)).worstMs);
			return times.sort((a, b) => a - b);
		};
		const before = await measure(400);
		const faults = (async () => {
			for (let i = 0; i < 4; i++) {
				await world.redis.kill();
				await new Promise((resolve) => setTimeout(resolve, 50));
				await world.redis.start();
				world.redis.signal('SIGSTOP');
				await new Promise((resolve) => setTimeout(resolve, 80));
				world.redis.signal('SIGCONT');
			}
		})();
		const { result: during, noise } = await beside(world, () => measure(800));
		await faults;
		assert.ok(p99(during) <= Math.max(p99(before), p99(noise)) + 50 * SLOWNESS,
		    `p99 ${p99(before).toFixed(1)} ms before, ${p99(during).toFixed(1)} ms meanwhile`);
		const still = await world.online();
		assert.deepEqual(still.map((c) => c.id), [client.id]);
		assert.equal((await world.until(instance, 'connected')).connection.state, 'connected');
	});
});

describe('a gateway that was stopped itself', () => {
	test('does not blame Redis for answers it has not read', async () => {
		const world = await redisWorld();
		try {
			await ok(world);
			const { token } = await world.newAccount();
			for (let i = 0; i < 3; i++) {
				const asked = Promise.all(Array.from({ length: 20 }, () => list(world, token)));
				world.gateway.kill('SIGSTOP');
				await new Promise((resolve) => setTimeout(resolve, 120));
				world.gateway.kill('SIGCONT');
				await asked;
			}
			// one may be Redis' own: it shares two cores with other tests
			assert.ok(world.gateway.events('redis_down').length <= 1, world.gateway.tail(60));
		} finally {
			await stopWorld(world);
		}
	});
});

describe('a gateway that replaces itself (SIGHUP)', () => {
	test('keeps its Redis and what was counted, and its URL out of sight', async () => {
		const world = await redisWorld({
			redisArgs: ['--requirepass', 'hunter2-secret'],
			url: (redis) => `redis://:hunter2-secret@localhost:${redis.port}/1`,
		});
		try {
			world.secrets.add('hunter2-secret');
			await ok(world);
			const { token } = await world.newAccount();
			assert.equal((await ask(world, token, 40)).admitted, 40);
			const from = world.gateway.lines.length;
			world.gateway.kill('SIGHUP');
			const ready = await world.gateway.event('ready', {}, { from });
			world.base = `http://${ready.address}`; // a port of the kernel's choice may be another
			await ok(world);
			assert.equal(remaining(await list(world, token)), 59);
			assert.ok(!readFileSync(`/proc/${world.gateway.pid}/environ`, 'latin1').includes('hunter2'));
		} finally {
			await stopWorld(world);
		}
	});
});

describe('the setting', () => {
	const secret = 'hunter2-very%40secret';
	const plain = 'hunter2-very@secret';

	test('a password and a user in the URL are used, masked, and gone from the environment', async () => {
		const world = await redisWorld({
			// what docs/operators.md says is enough
			redisArgs: ['--user', 'warden', 'on', `>${plain}`, '~warden:limit:*', '+eval', '+evalsha', '+script|load',
				'+select', '+time', '+@list', '+del', '+pexpire'],
			url: (redis) => `redis://warden:${secret}@127.0.0.1:${redis.port}/2`,
		});
		try {
			world.secrets.add(secret).add(plain);
			await ok(world);
			const { token } = await world.newAccount();
			await world.redis.commands([['SCRIPT', 'FLUSH']]);
			const r = await world.request('POST', '/api/instance/new', { token, json: { name: 'a' } });
			assert.equal(remaining(r), 19);
			assert.equal(world.gateway.events('redis_down').length, 0, world.gateway.tail());
			const environ = readFileSync(`/proc/${world.gateway.pid}/environ`, 'latin1');
			assert.ok(!environ.includes('hunter2'), 'the environment still has it');
			assert.ok(!readFileSync(`/proc/${world.gateway.pid}/cmdline`, 'latin1').includes('hunter2'));
		} finally {
			await stopWorld(world);
		}
		const printed = await run('wardend', ['--print-config'],
		    { env: { WARDEN_REDIS_URL: `redis://:${secret}@127.0.0.1/0` } });
		assert.match(printed.stdout, /^redis_url=\*{8}$/m);
		assert.ok(!(printed.stdout + printed.stderr).includes('hunter2'));
	});

	test('a password file is better, also as a credential; a wrong one is said, not shown', async () => {
		const world = await redisWorld({
			redisArgs: ['--requirepass', plain],
			settings: {},
		});
		try {
			world.secrets.add(plain);
			await fails(world, /answers NOAUTH/);
			const file = join(world.dir, 'redis_password');
			const again = async (extra) => {
				world.gateway.kill();
				await world.gateway.waitExit();
				await world.startGateway({
					...world.gatewayOptions,
					settings: { ...world.gatewayOptions.settings, ...extra.settings },
					env: { ...world.gatewayOptions.env, ...extra.env },
				});
			};
			writeFileSync(file, `${plain}\n`, { mode: 0o600 });
			await again({ settings: { redis_password_file: file } });
			await ok(world);
			await again({ env: { CREDENTIALS_DIRECTORY: world.dir } });
			await ok(world);
			writeFileSync(file, 'wrong', { mode: 0o600 });
			await again({ settings: { redis_password_file: file } });
			await fails(world, /answers WRONGPASS at login/);
		} finally {
			await stopWorld(world);
		}
	});

	test('what is no URL, or a flag, stops the start', async () => {
		const bad = await run('wardend', [], { env: { WARDEN_REDIS_URL: `rediss://:${secret}@h` } });
		assert.equal(bad.code, 2);
		assert.match(bad.stderr, /redis_url is "\(hidden\)" .*expected redis:\/\//);
		const flag = await run('wardend', ['--redis-url', 'redis://h']);
		assert.equal(flag.code, 2);
	});

	test('without it there is no limiter but memory', async () => {
		const world = await startWorld();
		try {
			assert.equal(await limiter(world), 'ok');
			assert.equal(world.gateway.lines.some(({ text }) => text.includes('redis')), false);
		} finally {
			await world.stop();
		}
	});
});
