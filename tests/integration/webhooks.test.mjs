// Webhooks as their receivers see them (contract 4.2), and fault H12: receivers that are down, slow, redirecting,
// gone, closing, endless. Events are messages that another phone sends.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { FLAVOR, World, eventually } from './harness.mjs';
import { Receiver, answer, endlessBody, endlessHead, halfAnswer, hangUp, silence } from './receiver.mjs';

const AUTHORIZATION = 'Bearer the-receiver-wants-this';
// A test clock that only webhooks have; in a build with test hooks.
const hooksTest = FLAVOR === 'plain' ? () => {} : test;

let world;
let sender;
const receivers = [];
before(async () => {
	world = new World();
	world.secrets.add(AUTHORIZATION);
	await world.startSim();
	await world.startGateway({ settings: { webhook_allow_private: 1 } });
	sender = await world.newPhone();
});
after(async () => {
	await world?.stop();
	for (const receiver of receivers)
		await receiver.stop();
});

async function receiver(options) {
	const made = await new Receiver().start(options);
	receivers.push(made);
	return made;
}

const call = (method, what, instance, json, query = '') => world.request(method,
    `/api/events/${what}/${instance.name}${query}`, { token: instance.account, json });

async function set(instance, json) {
	const r = await call('POST', 'webhook', instance, json);
	assert.equal(r.status, 200, r.text);
	if (r.json.webhook.secret !== undefined)
		world.secrets.add(r.json.webhook.secret);
	return r.json.webhook;
}

const shown = async (instance, label = 'default') =>
	(await call('GET', 'getWebhook', instance, undefined, `?label=${label}`)).json.webhook;
const pending = (instance, label) => async () => {
	const { delivery } = await shown(instance, label);
	return delivery !== null && delivery.tries > 0 && delivery;
};

// A linked instance, and what its messages are.
async function linked() {
	const instance = await world.newInstance();
	const { phone } = await world.link(instance);
	return { ...instance, phone };
}

// n messages to the instance, one after the other; their texts.
async function say(instance, n, prefix = 'm') {
	const texts = Array.from({ length: n }, (_, i) => `${prefix}-${i}`);
	for (const text of texts) {
		const r = await world.control('POST', `/phones/${sender.number}/send`, { to: instance.phone.number, text });
		assert.equal(r.status, 200, r.text);
	}
	return texts;
}

const messages = (got) => got.filter(({ json }) => json.event === 'message.exchange');
const text = ({ json }) => json.data.message.content?.text ?? json.data.message.content;
const texts = (got) => messages(got).map(text);
// The same without what came again at once.
const once = (list) => list.filter((x, i) => x !== list[i - 1]);
const has = (want) => (got) => texts(got).includes(want.at(-1));
const FILTER = { events: ['message.exchange'] };

describe('a delivery', () => {
	test('is signed as Standard Webhooks says, with the event as it is, in order, one at a time', async () => {
		const r = await receiver();
		const instance = await linked();
		const { secret } = await set(instance, { url: r.url, authorization: AUTHORIZATION });
		const sent = await say(instance, 30);
		await r.until(has(sent));
		assert.deepEqual(texts(r.got), sent);
		assert.equal(r.most, 1);
		assert.equal(r.connections, 1, 'one connection serves them all');
		const verifier = new Webhook(secret);
		for (const one of r.got) {
			assert.deepEqual(verifier.verify(one.body, one.headers), one.json);
			assert.equal(one.method, 'POST');
			assert.equal(one.path, '/hook');
			assert.equal(one.headers['webhook-id'], one.json.id);
			assert.equal(one.headers['content-type'], 'application/json');
			assert.equal(Number(one.headers['content-length']), Buffer.byteLength(one.body));
			assert.equal(one.headers['transfer-encoding'], undefined);
			assert.equal(one.headers.authorization, AUTHORIZATION);
			assert.equal(one.headers.cookie, undefined);
			assert.ok(Math.abs(Number(one.headers['webhook-timestamp']) * 1000 - Date.now()) < 60_000);
		}
		const numbers = r.sequences();
		assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i), 'without gaps');
		assert.throws(() => verifier.verify(`${r.got[0].body} `, r.got[0].headers));
	});

	test('goes to the path of its kind, and is what the filter wants', async () => {
		const r = await receiver();
		const instance = await linked();
		await set(instance, { label: 'all', url: `${r.url}?k=v`, byEvents: true });
		await set(instance, { label: 'calls', url: `${r.url}/calls`, events: ['call.update'] });
		await set(instance, { label: 'states', url: `${r.url}/states`, events: ['instance.state'] });
		const sent = await say(instance, 3);
		await r.until(has(sent));
		assert.deepEqual(messages(r.got).map(({ path }) => path), Array(3).fill('/hook/message-exchange?k=v'));
		await world.request('DELETE', `/api/instance/logout/${instance.name}`, { token: instance.account });
		await r.until((got) => got.some(({ path }) => path === '/hook/states'));
		assert.equal(r.got.some(({ path }) => path.endsWith('/calls')), false);
		assert.ok(r.got.some(({ path }) => path === '/hook/instance-state?k=v'));
	});

	test('of a webhook that is new begins with what comes then; of a deleted one it ends', async () => {
		const r = await receiver();
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		let sent = await say(instance, 3, 'first');
		await r.until(has(sent));
		const late = await receiver();
		await set(instance, { label: 'late', url: late.url, ...FILTER });
		sent = await say(instance, 3, 'second');
		await late.until(has(sent));
		assert.deepEqual(texts(late.got), sent);
		await r.until(has(sent));
		const deleted = await call('DELETE', 'webhook', instance, undefined, '?label=late');
		assert.equal(deleted.status, 200);
		const more = await say(instance, 3, 'third');
		await r.until(has(more));
		assert.deepEqual(texts(late.got), sent);
		// made again, it does not go on where the old one stopped
		await set(instance, { label: 'late', url: late.url, ...FILTER });
		const last = await say(instance, 2, 'fourth');
		await late.until(has(last));
		assert.deepEqual(texts(late.got), [...sent, ...last]);
	});

	test('has the file in it where mediaBase64 asks for it', async () => {
		const r = await receiver();
		const plain = await receiver();
		const instance = await linked();
		await set(instance, { url: r.url, mediaBase64: true, ...FILTER });
		await set(instance, { label: 'plain', url: plain.url, ...FILTER });
		const sent = await world.control('POST', `/phones/${sender.number}/send`,
		    { to: instance.phone.number, media: { kind: 'image', size: 50_000 } });
		assert.equal(sent.status, 200, sent.text);
		const [one] = await r.until((got) => got.length > 0 && got);
		const { media } = one.json.data.message;
		const bytes = Buffer.from(media.base64, 'base64');
		assert.equal(bytes.length, 50_000);
		assert.equal(createHash('sha256').update(bytes).digest('hex'), media.sha256);
		const [other] = await plain.until((got) => got.length > 0 && got);
		assert.equal(other.json.data.message.media.base64, undefined);
		assert.equal(other.json.id, one.json.id);
	});

	test('on request is done again from a sequence on', async () => {
		const r = await receiver();
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		const sent = await say(instance, 5);
		await r.until(has(sent));
		const from = messages(r.got)[2].json.sequence;
		const again = await call('POST', 'replay', instance, { from });
		assert.equal(again.status, 200, again.text);
		assert.deepEqual(again.json, { success: true, message: 'Events are sent again', webhooks: 1 });
		await r.until((got) => texts(got).length >= 8);
		assert.deepEqual(texts(r.got), [...sent, ...sent.slice(2)]);
		assert.equal(r.got[5].headers['webhook-id'], r.got[2].headers['webhook-id']);
		for (const json of [{}, { from: 0 }, { from: 'x' }, { dead: false }, { dead: true, from: 3 }])
			assert.equal((await call('POST', 'replay', instance, json)).status, 400, JSON.stringify(json));
		assert.equal((await call('POST', 'replay', instance, { from: 1, label: 'none' })).status, 404);
	});
});

// ---- H12 -----------------------------------------------------------------------------------------

describe('H12', () => {
	test('a receiver that is down gets all, in order, once it is back', async () => {
		const r = await receiver();
		const { port } = r;
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		const before = await say(instance, 5, 'up');
		await r.until(has(before));
		await r.stop();
		const missed = await say(instance, 100, 'down');
		const state = await eventually(pending(instance), { what: 'a first failure' });
		assert.equal(state.lastFailure.reason, 'connect');
		assert.ok(state.behind >= 1);
		assert.ok(Date.parse(state.nextTryAt) - Date.now() < 6500, state.nextTryAt);
		const back = await receiver({ port }); // and nobody tells the gateway
		const sent = await say(instance, 5, 'back');
		await back.until(has(sent), { timeoutMs: 15_000 });
		assert.deepEqual(once(texts(back.got)), [...missed, ...sent]);
		assert.equal(back.most, 1);
	});

	test('a change of the URL is tried at once, with all that has not been taken', async () => {
		const wrong = await receiver();
		const right = await receiver();
		wrong.meet = answer(503, { 'retry-after': '3600' });
		const instance = await linked();
		await set(instance, { url: wrong.url, ...FILTER });
		const sent = await say(instance, 10);
		const state = await eventually(pending(instance), { what: 'a first failure' });
		assert.deepEqual(state.lastFailure.status, 503);
		assert.ok(Date.parse(state.nextTryAt) - Date.now() > 3_500_000, 'Retry-After is kept to');
		await set(instance, { url: right.url });
		await right.until(has(sent));
		assert.deepEqual(texts(right.got), sent);
		assert.equal((await shown(instance)).delivery.tries, 0);
	});

	test('410 disables the webhook and says so; enabled again it has lost nothing', async () => {
		const r = await receiver();
		r.meet = answer(410);
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		const sent = await say(instance, 4);
		const gone = await eventually(async () => {
			const webhook = await shown(instance);
			return !webhook.enabled && webhook;
		}, { what: 'the webhook to be disabled' });
		assert.equal(gone.disabledBy.code, 'gone');
		assert.equal(gone.delivery, null);
		assert.equal((await world.listed(instance)).webhook.enabled, false);
		assert.equal(r.got.length, 1);
		r.meet = answer(200);
		const more = await say(instance, 2, 'more');
		const again = await set(instance, { enabled: true });
		assert.equal(again.disabledBy, null);
		await r.until(has(more));
		assert.deepEqual(texts(r.got), [sent[0], ...sent, ...more]);
	});

	test('no redirect is followed', async () => {
		const elsewhere = await receiver();
		const r = await receiver();
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		for (const status of [301, 302, 303, 307, 308]) {
			r.meet = answer(status, { location: elsewhere.url });
			const n = r.got.length;
			await say(instance, 1, `r${status}`);
			await set(instance, { url: r.url }); // now, not in 5 s
			await r.until((got) => got.length > n);
			await eventually(async () => (await shown(instance)).delivery.lastFailure?.status === status,
			    { what: `failure ${status}` });
		}
		assert.equal(elsewhere.got.length, 0);
		r.meet = answer(200);
		await set(instance, { url: r.url });
		await r.until((got) => texts(got).includes('r308-0'));
	});

	test('whatever a receiver does, its event is sent again until it is taken', async () => {
		const r = await receiver();
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		const cases = { 'closed at once': [hangUp, 'closed'], 'closed in the middle': [halfAnswer, 'closed'],
			'an endless head': [endlessHead, 'protocol'], 'status 500': [answer(500), 'answer'],
			'status 429': [answer(429), 'answer'], 'no HTTP': [(_, response) => response.socket.end('hello\r\n\r\n'), 'protocol'] };
		for (const [what, [meet, reason]] of Object.entries(cases)) {
			r.meet = meet;
			await say(instance, 1, what);
			const state = await eventually(async () => {
				const { delivery } = await shown(instance);
				return delivery.tries > 0 && delivery;
			}, { what });
			assert.equal(state.lastFailure.reason, reason, what);
			r.meet = answer(200);
			await set(instance, { url: r.url });
			await r.until((got) => texts(got).filter((t) => t === `${what}-0`).length >= 2, { what });
			await eventually(async () => (await shown(instance)).delivery.behind === 0, { what: `${what}: taken` });
		}
		// a 2xx is one, however long what follows it is
		r.meet = endlessBody;
		await say(instance, 2, 'endless');
		await r.until((got) => texts(got).includes('endless-1'));
		assert.equal(texts(r.got).filter((t) => t === 'endless-0').length, 1);
	});

	test('a certificate that nobody vouches for is refused, one that somebody does is not', async () => {
		const [key, cert] = [`${world.dir}/hook.key`, `${world.dir}/hook.pem`];
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
			'-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=127.0.0.1',
			'-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
		const r = await receiver({ tls: { key: readFileSync(key), cert: readFileSync(cert) } });
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		await say(instance, 1);
		const state = await eventually(pending(instance), { what: 'a failure' });
		assert.equal(state.lastFailure.reason, 'tls');
		assert.equal(r.got.length, 0);
		// the system's directory of certificates, as OpenSSL wants it: by hash
		const certs = join(world.dir, 'certs');
		mkdirSync(certs);
		const hash = execFileSync('openssl', ['x509', '-hash', '-noout', '-in', cert], { encoding: 'utf8' }).trim();
		copyFileSync(cert, join(certs, `${hash}.0`));
		world.gateway.kill('SIGTERM');
		await world.gateway.waitExit();
		await world.startGateway({ settings: { webhook_allow_private: 1 }, env: { SSL_CERT_DIR: certs } });
		await set(instance, { url: `${r.url}?again` }); // now, not in 5 s
		await r.until((got) => texts(got).includes('m-0'));
	});

	test('a name that nobody knows is looked up again later', async () => {
		const instance = await linked();
		await set(instance, { url: 'https://no-such-host.invalid/', ...FILTER });
		await say(instance, 1);
		const state = await eventually(pending(instance), { what: 'a failure' });
		assert.equal(state.lastFailure.reason, 'dns');
	});

	test('receivers that never answer delay nobody else', async () => {
		const mute = await receiver();
		mute.meet = silence;
		const r = await receiver();
		const instance = await linked();
		const other = await linked();
		await set(instance, { label: 'mute', url: mute.url, ...FILTER });
		await set(instance, { label: 'mute-too', url: mute.url, ...FILTER });
		await set(instance, { label: 'well', url: r.url, ...FILTER });
		await set(other, { url: `${r.url}/other`, ...FILTER });
		const sent = await say(instance, 50);
		const others = await say(other, 20, 'other');
		await r.until((got) => has(sent)(got) && has(others)(got), { timeoutMs: 10_000 });
		assert.deepEqual(texts(r.got.filter(({ path }) => path === '/hook')), sent);
		assert.deepEqual(texts(r.got.filter(({ path }) => path !== '/hook')), others);
		assert.equal(mute.got.length, 2, 'one request each is under way, and no more');
	});

	test('kill -9 and SIGHUP of the gateway leave nothing out', async () => {
		const r = await receiver();
		r.meet = (request, response) => setTimeout(() => response.writeHead(200).end(), 2);
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		const sent = [];
		for (let round = 0; round < 6; round++) {
			sent.push(...await say(instance, 30, `round${round}`));
			await r.until((got) => new Set(texts(got)).size >= 30 * round + 5);
			if (round % 2 === 0) {
				world.gateway.kill('SIGKILL');
				await world.gateway.waitExit();
				await world.startGateway({ settings: { webhook_allow_private: 1 } });
			} else {
				const from = world.gateway.lines.length;
				world.gateway.kill('SIGHUP');
				await world.gateway.event('ready', {}, { from });
				const listens = world.gateway.events('ready').at(-1).address;
				world.base = `http://${listens}`;
			}
		}
		await r.until(has(sent), { timeoutMs: 20_000 });
		const first = [...new Set(texts(r.got))];
		assert.deepEqual(first, sent, 'each of them, in order');
		// what was under way is sent again, and nothing from further back
		const seen = texts(r.got);
		for (let i = 1; i < seen.length; i++)
			assert.ok(sent.indexOf(seen[i]) >= sent.indexOf(seen[i - 1]) - 20, `${seen[i - 1]}, then ${seen[i]}`);
		assert.equal(r.most, 1);
	});

	test('with its instance a webhook ends, whatever it waits for', async () => {
		const r = await receiver();
		r.meet = answer(500);
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		await say(instance, 3);
		await eventually(pending(instance), { what: 'a failure' });
		const deleted = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
		assert.equal(deleted.status, 200, deleted.text);
		const n = r.got.length;
		const fresh = await world.newInstance({ name: instance.name });
		assert.deepEqual((await call('GET', 'getWebhook', fresh)).json.webhooks, []);
		assert.deepEqual((await call('GET', 'dead', fresh)).json.deadLetters, []);
		assert.equal(r.got.length, n);
	});

	test('what is delivered is counted', async () => {
		const r = await receiver();
		const instance = await linked();
		await set(instance, { url: r.url, ...FILTER });
		await r.until(has(await say(instance, 2)));
		await eventually(async () => (await shown(instance)).delivery.behind === 0, { what: 'both to be taken' });
		const { text: metrics } = await world.request('GET', '/metrics');
		assert.match(metrics, /^warden_webhook_deliveries_total\{result="delivered"\} [1-9]/m);
		assert.match(metrics, /^warden_webhook_deliveries_total\{result="failed"\} \d/m);
		assert.match(metrics, /^warden_webhook_request_seconds_count [1-9]/m);
		assert.match(metrics, /^warden_webhooks [1-9]/m);
	});
});

// ---- who may be reached ---------------------------------------------------------------------------

test('an address that is not public is refused where it is connected to, whatever its name is', async () => {
	const r = await receiver();
	const instance = await linked();
	const port = r.port;
	await set(instance, { url: r.url, ...FILTER });
	await r.until(has(await say(instance, 1, 'allowed')));
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await world.startGateway();
	await world.until(instance, 'connected');
	const n = r.got.length;
	// set before it was forbidden, and a name that only resolving tells
	for (const url of [null, `http://hooks.localhost:${port}/`]) {
		const from = world.gateway.lines.length;
		if (url !== null)
			await set(instance, { url });
		else
			await say(instance, 1, 'forbidden');
		await world.gateway.event('webhook_address_refused', { why: 'loopback' }, { from });
		await world.gateway.event('webhook_failed', { why: 'address_refused', tries: 1 }, { from });
	}
	assert.equal((await shown(instance)).delivery.lastFailure.reason, 'address_refused');
	assert.equal(r.got.length, n);
});

// ---- the schedule, by a clock of its own ----------------------------------------------------------------

hooksTest('what is refused three times, or never taken, becomes a dead letter and is sent again on request', async () => {
	world.gateway.kill('SIGTERM');
	await world.gateway.waitExit();
	await world.startGateway({ settings: { webhook_allow_private: 1 }, env: { WARDEN_TEST_HOOK_SPEED: '20000' } });
	const r = await receiver();
	const instance = await linked();
	await set(instance, { url: r.url, ...FILTER });
	let bad = { 'm-1': 422, 'm-3': 500 };
	r.meet = (request, response, one) => response.writeHead(bad[text(one)] ?? 200).end();
	const sent = await say(instance, 5);
	await r.until(has(sent), { timeoutMs: 20_000 });
	const tries = (t) => texts(r.got).filter((x) => x === t).length;
	assert.equal(tries('m-1'), 3);
	assert.equal(tries('m-3'), 10);
	assert.deepEqual([...new Set(texts(r.got))], sent, 'nothing overtakes');
	const { deadLetters } = (await call('GET', 'dead', instance)).json;
	assert.deepEqual(deadLetters.map(({ label, event, tries: n, status, reason, queued }) =>
		({ label, event, n, status, reason, queued })), [
		{ label: 'default', event: 'message.exchange', n: 10, status: 500, reason: 'answer', queued: false },
		{ label: 'default', event: 'message.exchange', n: 3, status: 422, reason: 'answer', queued: false },
	]);
	const table = (await world.ctl(['webhook', 'dead', instance.name], { token: instance.account })).stdout.trimEnd().split('\n');
	assert.match(table[0], /^SEQUENCE +LABEL +EVENT +TRIES/);
	assert.equal(table.length, 1 + deadLetters.length);
	const letter = r.got.find((one) => text(one) === 'm-1');
	assert.equal(deadLetters[1].id, letter.json.id);
	assert.equal(deadLetters[1].sequence, letter.json.sequence);

	// one is taken now, the other is not: it is a dead letter again
	bad = { 'm-3': 404 };
	const n = r.got.length;
	const again = await call('POST', 'replay', instance, { dead: true });
	assert.deepEqual(again.json, { success: true, message: 'Dead letters are sent again', deadLetters: 2 });
	await r.until((got) => got.length >= n + 4);
	const left = await eventually(async () => {
		const dead = (await call('GET', 'dead', instance)).json.deadLetters;
		return dead.length === 1 && !dead[0].queued && dead;
	}, { what: 'one dead letter' });
	assert.equal(left[0].status, 404);
	assert.deepEqual(texts(r.got.slice(n)), ['m-1', 'm-3', 'm-3', 'm-3']);
	await r.until(has(await say(instance, 1, 'after')));
});
