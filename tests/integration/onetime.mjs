// tests/integration/onetime.mjs - one-time links: made, and seen to be over
import assert from 'node:assert/strict';
import { assertError } from './harness.mjs';

export const GONE = [410, 'Link is no longer valid', 'link_not_valid'];
export const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

export async function share(world, instance, json = {}) {
	const r = await world.request('POST', `/api/instance/link/${instance.name}`, { token: instance.account, json });
	assert.equal(r.status, 201, r.text);
	assert.ok(r.json.url.startsWith(`${world.base}/l/`), r.json.url);
	const path = new URL(r.json.url).pathname;
	assert.match(path, /^\/l\/[a-z2-7]{32}$/);
	world.secrets.add(path.slice(3)); // no log may hold it
	return { path, ...r.json };
}

// Every way in is shut.
export async function assertGone(world, path) {
	for (const [method, rest] of [['GET', ''], ['GET', '/status'], ['GET', '/connect'], ['GET', '/passkey'],
		['POST', '/passkey'], ['POST', '/passkey/confirm']])
		assertError(await world.request(method, path + rest, method === 'POST' ? { json: {} } : {}), ...GONE);
	const page = await world.request('GET', path, { headers: HTML });
	assert.equal(page.status, 410);
	assert.match(page.headers.get('content-type'), /^text\/html/);
}
