// GET /metrics (contract section 5): true, well-formed, bounded, and for those allowed
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { assertError, eventually, startWorld } from './harness.mjs';
import { parse, sample } from './exposition.mjs';

let world;

before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

async function metrics(w = world) {
	const r = await w.request('GET', '/metrics');
	assert.equal(r.status, 200, r.text);
	assert.equal(r.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
	assert.equal(r.headers.get('x-ratelimit-limit'), null);
	return parse(r.text);
}

test('the parser finds what is wrong', () => {
	const head = '# HELP a A.\n# TYPE a gauge\n';
	for (const bad of ['a 1\n', `${head}a 1`, `${head}a 1\na 1\n`, `${head}a{b=1} 1\n`, `${head}a{b="1",} 1\n`, `${head}a x\n`,
		`${head}b 1\n`, `${head}${head}`, '# TYPE a gauge\n', '# HELP a A.\n# TYPE a meter\n', `${head}a{b="\\x"} 1\n`,
		'# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
		'# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 3\n',
		'# HELP c C.\n# TYPE c counter\nc 1\n'])
		assert.throws(() => parse(bad), assert.AssertionError, bad);
	parse(`${head}a{b="x\\"\\\\\\n"} 1\n`);
});

test('an answer that only says "not modified" is counted as that', async () => {
	const before = await metrics();
	const labels = { route: '/openapi.json', method: 'GET' };
	const etag = (await world.request('GET', '/openapi.json')).headers.get('etag');
	assert.equal((await world.request('GET', '/openapi.json', { headers: { 'if-none-match': etag } })).status, 304);
	const m = await metrics();
	for (const status of ['200', '304'])
		assert.equal(sample(m, 'warden_http_request_seconds_count', { ...labels, status }) -
		    (sample(before, 'warden_http_request_seconds_count', { ...labels, status }) ?? 0), 1, status);
});

test('a link and a crash are in the numbers', async () => {
	const before = await metrics();
	const instance = await world.newInstance();
	await world.link(instance);
	let m = await metrics();
	const grown = (name, labels) => sample(m, name, labels) - sample(before, name, labels);
	assert.equal(sample(m, 'warden_instances', { state: 'connected' }), 1);
	assert.equal(grown('warden_worker_starts_total', { reason: 'link' }), 1);
	assert.equal(sample(m, 'warden_workers'), 1);
	assert.equal(grown('warden_connect_seconds_count'), 1);
	assert.ok(grown('warden_connect_seconds_sum') < 20);
	assert.equal(grown('warden_http_request_seconds_count',
	    { route: '/api/instance/connect/:instance', method: 'GET', status: '200' }), 1);
	assert.equal(grown('warden_http_request_seconds_count', { route: '/api/instance/new', status: '201' }), 1);
	assert.equal(sample(m, 'warden_worker_memory_workers', { kind: 'resident' }), 1);
	const resident = sample(m, 'warden_worker_memory_bytes', { kind: 'resident' });
	assert.ok(resident > 1e6 && resident < 1e9, `${resident} bytes`);
	assert.equal(sample(m, 'warden_worker_memory_max_bytes', { kind: 'resident' }), resident);
	const [worker] = world.workers(instance);
	process.kill(worker.pid, 'SIGKILL');
	await eventually(async () => {
		m = await metrics();
		return grown('warden_worker_starts_total', { reason: 'link' }) +
		    grown('warden_worker_starts_total', { reason: 'resume' }) === 2;
	}, { what: 'another start' });
	assert.equal(grown('warden_worker_exits_total', { reason: 'crashed' }), 1);
	// online again, and not only shown as connected: one that is told to go before has to be killed
	await eventually(() => world.gateway.events('instance_event').filter((e) => e.got === 'online' &&
	    e.instance === instance.id).length === 2, { what: 'online' });
	const gone = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
	assert.equal(gone.status, 200, gone.text);
	await eventually(async () => {
		m = await metrics();
		return sample(m, 'warden_workers') === 0;
	}, { what: 'no workers' });
	assert.equal(sample(m, 'warden_instances', { state: 'connected' }), 0);
	assert.equal(grown('warden_worker_exits_total', { reason: 'left' }), 1);
});

test('a stream counts once, when it begins; a caller who leaves is 499', async () => {
	const before = await metrics();
	const instance = await world.newInstance();
	const leave = new AbortController();
	const response = await fetch(`${world.base}/api/instance/connect/${instance.name}`,
	    { headers: { token: instance.account, accept: 'text/event-stream' }, signal: leave.signal });
	const reader = response.body.getReader();
	let text = '';
	while (!/^event: qr$/m.test(text))
		text += Buffer.from((await reader.read()).value).toString();
	leave.abort();
	await world.fault('registration', { kind: 'stall' });
	const other = await world.newInstance();
	// reset, for one who closes its sending side only still waits
	const socket = createConnection(world.address.port, world.address.host);
	socket.on('error', () => {}).write(`GET /api/instance/connect/${other.name} HTTP/1.1\r\nHost: x\r\ntoken: ${other.account}\r\n\r\n`);
	await eventually(() => world.workers(other).length === 1, { what: 'its worker' });
	socket.resetAndDestroy();
	await world.clearFaults();
	let m;
	const grown = (name, labels) => sample(m, name, labels) - sample(before, name, labels);
	const route = { route: '/api/instance/connect/:instance' };
	await eventually(async () => {
		m = await metrics();
		return grown('warden_http_request_seconds_count', { ...route, status: '499' }) === 1;
	}, { what: '499' });
	assert.equal(grown('warden_http_request_seconds_count', { ...route, status: '200' }), 1);
	assert.equal(grown('warden_connect_seconds_count'), 1);
});

test('what clients write makes no series', async () => {
	const count = async () => [...(await metrics()).values()].flatMap((f) => f.samples).length;
	await world.request('GET', '/nothing/0');
	await world.request('GET', '/api/instance/connect/x-0', { token: 'x' });
	await metrics();
	const before = await count();
	for (let i = 1; i < 50; i++) {
		await world.request('GET', `/nothing/${i}`);
		await world.request('GET', `/api/instance/connect/x-${i}`, { token: `x${i}` });
	}
	assert.equal(await count(), before);
});

test('list says, when it is asked, what each process takes', async () => {
	const [linked, idle] = [await world.newInstance(), await world.newInstance()];
	await world.link(linked);
	const list = async (query, token = linked.account) => Object.fromEntries((await world.request('GET', `/api/instance/list${query}`, { token }))
	    .json.instances.map((i) => [i.name, i]));
	for (const token of [linked.account, linked.token]) {
		const bytes = (await list('?memory=true', token))[linked.name].memoryBytes;
		assert.ok(bytes > 1e5 && bytes < 1e9, `${bytes} bytes`);
	}
	assert.equal((await list('?memory=true'))[idle.name].memoryBytes, null);
	assert.equal((await list(`?memory=true&instanceName=${idle.name}`))[idle.name].memoryBytes, null);
	for (const query of ['', '?memory=false', '?memory=1', '?memory='])
		assert.ok(!('memoryBytes' in (await list(query))[linked.name]), query);
});

describe('who may read', () => {
	test('loopback, and nobody whose word comes through a proxy', async () => {
		assertError(await world.request('GET', '/metrics', { headers: { 'x-forwarded-for': '127.0.0.1' } }),
		    403, 'Forbidden', 'forbidden');
		assertError(await world.request('POST', '/metrics'), 405, 'Method not allowed', 'method_not_allowed');
	});

	test('whom metrics_allow names', async () => {
		const w = await startWorld({ gateway: { settings: { metrics_allow: '192.0.2.0/24', trusted_proxies: '127.0.0.1' } } });
		try {
			assert.equal((await w.request('GET', '/metrics')).status, 403);
			assert.equal((await w.request('GET', '/metrics', { headers: { 'x-forwarded-for': '192.0.2.7' } })).status, 200);
			assert.equal((await w.request('GET', '/metrics', { headers: { 'x-forwarded-for': '192.0.3.7' } })).status, 403);
		} finally {
			await w.stop();
		}
	});
});

test('429s and who decides', async () => {
	const w = await startWorld({ gateway: { settings: { limit_per_minute: 3 } } });
	try {
		const { token } = await w.newAccount();
		for (let i = 0; i < 5; i++)
			await w.request('GET', '/api/instance/list', { token });
		for (let i = 0; i < 4; i++)
			await w.request('GET', '/api/instance/list', { token: 'wrong' });
		const m = await metrics(w);
		assert.equal(sample(m, 'warden_rate_limited_total', { by: 'token' }), 2);
		assert.equal(sample(m, 'warden_rate_limited_total', { by: 'address' }), 1);
		assert.equal(sample(m, 'warden_limiter_decisions_total', { by: 'memory' }), 9);
		assert.equal(sample(m, 'warden_limiter_redis_configured'), 0);
		assert.equal(sample(m, 'warden_limiter_degraded'), 0);
	} finally {
		await w.stop();
	}
});
