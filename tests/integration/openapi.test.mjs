// openapi.json: served, complete, and what the harness holds every answer against.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startWorld } from './harness.mjs';
import { COMPARES, DOCUMENT, differs, differsEvent, differsStreamed } from './openapi.mjs';

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

// What redocly finds in a document, by rule; it tells nobody and asks nobody.
function lint(document) {
	const dir = mkdtempSync(join(tmpdir(), 'warden-openapi-')), file = join(dir, 'openapi.json');
	const path = (name) => new URL(`../${name}`, import.meta.url).pathname;
	writeFileSync(file, JSON.stringify(document));
	const r = spawnSync(process.execPath, [path('node_modules/@redocly/cli/bin/cli.js'), 'lint', '--format=json', `--config=${path('redocly.yaml')}`, file],
	    { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: dir, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } });
	rmSync(dir, { recursive: true, force: true });
	assert.match(r.stdout, /^\{/, r.stderr);
	const { totals, problems } = JSON.parse(r.stdout);
	return { ...totals, problems: problems.map((p) => `${p.ruleId}: ${p.location[0]?.pointer}: ${p.message}`) };
}

describe('openapi.json', () => {
	test('redocly finds nothing to correct, and would', () => {
		assert.deepEqual(lint(DOCUMENT), { errors: 0, warnings: 0, ignored: 0, problems: [] });
		const changed = (change) => {
			const copy = structuredClone(DOCUMENT);
			change(copy);
			return lint(copy).problems.join('\n');
		};
		assert.match(changed((d) => (d.paths['/health'].get.responses['200'].content['application/json'].schema.$ref += 'y')), /no-unresolved-refs/);
		assert.match(changed((d) => (d.paths['/health'].get.responses = { 500: { description: 'No' } })), /operation-answers/);
	});

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

	test('describes every kind of event, and each kind of difference in one is seen, whichever way it comes', () => {
		const { EventKind, Event } = DOCUMENT.components.schemas;
		assert.deepEqual(Event.oneOf.map(({ allOf }) => allOf[1].properties.event.const), EventKind.enum);
		const at = '2026-01-02T03:04:05.006Z', jid = '5511999999999@s.whatsapp.net';
		const event = (change = () => {}) => {
			const e = { event: 'message.exchange', id: `evt_${'a'.repeat(24)}`, sequence: 7, timestamp: at, instanceData: { baseUrl: 'http://x', instance: 'shop' },
				data: { id: 'A1', direction: 'incoming', timestamp: at, chat: { jid, type: 'private' }, sender: { jid },
					message: { type: 'reaction', content: '', source: 'web', reaction: { emoji: '', removed: true, messageId: 'A0', fromMe: true } }, fromHistory: false } };
			change(e);
			return e;
		};
		const paths = { stream: (e) => differsStreamed('/api/events/stream/shop?from=1', 'message.exchange', e), other: differsEvent };
		for (const [way, see] of Object.entries(paths)) {
			assert.equal(see(event()), undefined, way);
			for (const change of [(e) => (e.more = 1), (e) => delete e.sequence, (e) => (e.id = 'evt_1'), (e) => (e.data.more = 1), (e) => delete e.data.chat,
				(e) => (e.data.message.more = 1), (e) => (e.data.message.reaction.more = 1), (e) => (e.data.chat.type = 'party'), (e) => (e.data.sender.jid = null),
				(e) => (e.instanceData.token = 'secret'), (e) => (e.event = 'message.status')])
				assert.match(see(event(change)) ?? '', /is not as openapi.json says/, `${way}: ${change}`);
		}
		assert.match(differsEvent({ event: 'message.sent' }), /is not as openapi.json says/);
		assert.match(differsStreamed('/api/events/stream/shop', 'message.sent', {}), /is not in openapi.json/);
		const connected = { success: true, message: 'Instance already connected', status: 'connected' };
		assert.equal(differsStreamed('/l/x/connect', 'connected', connected), undefined);
		assert.match(differsStreamed('/l/x/connect', 'connected', { ...connected, device: 3 }), /is not as openapi.json says/);
		assert.match(differsStreamed('/api/instance/connect/shop', 'scanned', connected), /is not in openapi.json/);
	});
});
