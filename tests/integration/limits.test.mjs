// The rate limit and its headers (contract section 1)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertError, startWorld } from './harness.mjs';

let world;
let account;

before(async () => {
	world = await startWorld({ gateway: { settings: { limit_per_minute: 30, limit_create_per_minute: 5 } } });
});
after(() => world?.stop());

const list = (token, headers) => world.request('GET', '/api/instance/list', { token, headers });
const create = (token, name) => world.request('POST', '/api/instance/new', { token, json: { name } });

function limitsOf(answer) {
	const value = (name) => {
		const text = answer.headers.get(name);
		assert.match(text ?? '(none)', /^\d+$/, name);
		return Number(text);
	};
	return {
		limit: value('x-ratelimit-limit'),
		remaining: value('x-ratelimit-remaining'),
		reset: value('x-ratelimit-reset'),
	};
}

describe('a token', () => {
	test('has its headers on every answer, errors too', async () => {
		account = await world.newAccount();
		const answers = [
			await list(account.token),
			await world.request('GET', '/api/instance/connect/nobody', { token: account.token }),
			await world.request('GET', '/api/instance/connect/a.b', { token: account.token }),
			await world.request('GET', '/api/instance/list?instanceName=', { token: account.token }),
		];
		answers.forEach((answer, i) => {
			const { limit, remaining, reset } = limitsOf(answer);
			assert.equal(limit, 30);
			assert.equal(remaining, 29 - i);
			const ahead = reset - Date.now() / 1000;
			assert.ok(ahead > 50 && ahead <= 61.5, `reset is ${ahead} s ahead`);
		});
	});

	test('over its limit is 429 with Retry-After, and others are not touched', async () => {
		account = await world.newAccount();
		for (let i = 0; i < 30; i++)
			assert.equal((await list(account.token)).status, 200, `request ${i + 1}`);
		const r = await list(account.token);
		assertError(r, 429, 'Rate limit exceeded. Try again later.', 'rate_limited');
		const { limit, remaining } = limitsOf(r);
		assert.deepEqual([limit, remaining], [30, 0]);
		const retryAfter = Number(r.headers.get('retry-after'));
		assert.ok(retryAfter >= 1 && retryAfter <= 60, `Retry-After ${retryAfter}`);
		const other = await world.newAccount();
		assert.equal((await list(other.token)).status, 200);
	});

	test('is limited on connect with the same answer', async () => {
		// the account of the test before has nothing left
		assertError(await world.request('GET', '/api/instance/connect/x', { token: account.token }),
		    429, 'Rate limit exceeded. Try again later.', 'rate_limited');
		assertError(await world.request('GET', '/api/instance/connect/x',
		    { token: account.token, headers: { accept: 'text/event-stream' } }),
		    429, 'Rate limit exceeded. Try again later.', 'rate_limited');
	});

	test('is limited before the form of the name is looked at, and after the route', async () => {
		assertError(await world.request('GET', '/api/instance/connect/a.b', { token: account.token }),
		    429, 'Rate limit exceeded. Try again later.', 'rate_limited');
		assertError(await world.request('GET', '/nothing', { token: account.token }), 404, 'Not found', 'not_found');
		assertError(await world.request('POST', '/api/instance/connect/x', { token: account.token }),
		    405, 'Method not allowed', 'method_not_allowed');
	});

	test('shares no limit with another token of its account', async () => {
		const owner = await world.newAccount();
		const { token } = await world.newInstance({ token: owner.token });
		const first = limitsOf(await list(token));
		assert.equal(first.remaining, 29);
		assert.equal(limitsOf(await list(owner.token)).remaining, 28); // new and list
	});

	test('exactly 30 of 100 at once pass', async () => {
		const { token } = await world.newAccount();
		const answers = await Promise.all(Array.from({ length: 100 }, () => list(token)));
		assert.equal(answers.filter((r) => r.status === 200).length, 30);
		assert.equal(answers.filter((r) => r.status === 429).length, 70);
	});
});

describe('POST /api/instance/new', () => {
	test('has a limit of its own, and the headers show the nearer one', async () => {
		const { token } = await world.newAccount();
		for (let i = 0; i < 5; i++) {
			const r = await create(token, `n${i}`);
			assert.equal(r.status, 201, r.text);
			assert.deepEqual([limitsOf(r).limit, limitsOf(r).remaining], [5, 4 - i]);
		}
		const r = await create(token, 'n5');
		assertError(r, 429, 'Rate limit exceeded. Try again later.', 'rate_limited');
		assert.deepEqual([limitsOf(r).limit, limitsOf(r).remaining], [5, 0]);
		assert.equal((await list(token)).status, 200);
	});
});

describe('without a valid token', () => {
	test('the client address is limited, so that guessing is slow', async () => {
		const w = await startWorld({ gateway: { settings: { limit_per_minute: 10 } } });
		try {
			const { token } = await w.newAccount();
			const guess = (i) => w.request('GET', '/api/instance/list', { token: `wrong-${i}` });
			for (let i = 0; i < 10; i++) {
				const r = await guess(i);
				assertError(r, 401, 'Invalid token', 'invalid_token');
				assert.equal(limitsOf(r).remaining, 9 - i);
			}
			assertError(await guess(10), 429, 'Rate limit exceeded. Try again later.', 'rate_limited');
			assertError(await w.request('GET', '/api/instance/list'), 429,
			    'Rate limit exceeded. Try again later.', 'rate_limited');
			const r = await w.request('GET', '/api/instance/list', { token });
			assert.equal(r.status, 200, 'a valid token is not stopped by its address');
			assert.equal((await w.request('GET', '/health')).status, 200);
		} finally {
			await w.stop();
		}
	});

	test('a forwarded address counts only from a trusted proxy', async () => {
		const w = await startWorld({ gateway: { settings: { limit_per_minute: 2, trusted_proxies: '127.0.0.1' } } });
		try {
			const from = (address) => w.request('GET', '/api/instance/list', { headers: { 'x-forwarded-for': address } });
			for (let i = 0; i < 2; i++)
				assert.equal((await from('192.0.2.1')).status, 401);
			assert.equal((await from('192.0.2.1')).status, 429);
			assert.equal((await from('192.0.2.2')).status, 401);
			// what the client itself claimed stands further left and is not believed
			assert.equal((await from('203.0.113.9, 192.0.2.1')).status, 429);
		} finally {
			await w.stop();
		}
		const strict = await startWorld({ gateway: { settings: { limit_per_minute: 2 } } });
		try {
			const from = (address) => strict.request('GET', '/api/instance/list', { headers: { 'x-forwarded-for': address } });
			assert.equal((await from('192.0.2.1')).status, 401);
			assert.equal((await from('192.0.2.2')).status, 401);
			assert.equal((await from('192.0.2.3')).status, 429);
		} finally {
			await strict.stop();
		}
	});
});

test('health does not count', async () => {
	for (let i = 0; i < 100; i++)
		assert.equal((await world.request('GET', '/health')).status, 200);
});

test('the window slides: after 60 s the token is free again', async () => {
	const { token } = await world.newAccount();
	let last;
	for (let i = 0; i < 31; i++)
		last = await list(token);
	assert.equal(last.status, 429);
	const waitMs = Number(last.headers.get('retry-after')) * 1000;
	await new Promise((resolve) => setTimeout(resolve, waitMs + 200)); // what Retry-After promises is the test
	assert.equal((await list(token)).status, 200);
});
