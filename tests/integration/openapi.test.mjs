// openapi.json: served, complete, and what the harness holds every answer against.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { startWorld } from './harness.mjs';
import { COMPARES, DOCUMENT, differs } from './openapi.mjs';

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

// [method, path] of every route that the gateway has.
function routes() {
	const source = readFileSync(new URL('../../gateway/http/gw_routes.c', import.meta.url), 'utf8');
	const words = Object.fromEntries([...source.matchAll(/#define (\w) "([^"]*)"/g)].map(([, k, v]) => [k, v]));
	const of = source.slice(source.indexOf('gw_routes_public[]'), source.indexOf('gw_routes_admin[]'));
	const found = [];
	for (const [, method, word, path] of of.matchAll(/(?:EITHER|LATER)\("(\w+)",\s*(?:(\w) )?"([^"]*)"/g))
		found.push([method, (word ? words[word] : '') + path]);
	for (const [, method, rest] of of.matchAll(/ONE_TIME\("(\w+)", "([^"]*)"/g))
		found.push([method, `/l/:link${rest}`]);
	for (const [, word, path, method] of of.matchAll(/\{ (?:(\w) )?"([^"]*)", "(\w+)",/g))
		found.push([method, (word ? words[word] : '') + path]);
	return found.filter(([method]) => method !== 'HEAD').map(([method, path]) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
}

describe('openapi.json', () => {
	test('is served as it is in the source, and kept by clients', async () => {
		const r = await world.request('GET', '/openapi.json');
		assert.equal(r.status, 200);
		assert.deepEqual(r.json, DOCUMENT);
		assert.ok(r.headers.get('x-ratelimit-limit') !== null);
		const again = await world.request('GET', '/openapi.json', { headers: { 'if-none-match': r.headers.get('etag') } });
		assert.equal(again.status, 304);
	});

	test('describes every route, and no other', () => {
		const described = Object.entries(DOCUMENT.paths).flatMap(([path, operations]) => Object.keys(operations).map((m) => `${m.toUpperCase()} ${path}`));
		const there = routes();
		assert.ok(there.length > 60, `${there.length} routes found in gw_routes.c`);
		assert.deepEqual(described.sort(), there.sort());
	});

	test('is what answers are held against: each kind of difference is seen', async () => {
		assert.ok(COMPARES, 'ajv is not installed: npm ci in tests/');
		const instance = await world.newInstance();
		const { token } = await world.account();
		const list = await world.request('GET', '/api/instance/list', { token });
		const path = '/api/instance/list';
		assert.equal(differs('GET', path, list), undefined);
		const changed = (change) => {
			const answer = { ...list, json: structuredClone(list.json) };
			change(answer);
			return differs('GET', path, answer);
		};
		assert.match(changed((a) => (a.status = 418)), /418 is not in openapi/);
		assert.match(changed((a) => (a.headers = new Headers({ 'content-type': 'text/plain' }))), /is text\/plain/);
		assert.match(changed((a) => delete a.json.meta), /required property 'meta'/);
		assert.match(changed((a) => (a.json.instances[0].connection.state = 'asleep')), /must be equal to one of/);
		assert.match(changed((a) => (a.json.instances[0].createdAt = 'yesterday')), /must match format/);
		assert.match(differs('PATCH', path, list), /no such operation/);
		assert.match(differs('GET', `/api/instance/nothing/${instance.name}`, list), /no such operation/);
	});
});
