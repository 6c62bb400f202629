// The worker and Baileys give the simulator's log the same bring-up, but for the differences named here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../integration/harness.mjs';
import { Baileys, withSim } from './baileys.mjs';

const REST_MS = 3_000; // a client that has sent nothing for so long has sent all

// What differs from run to run, or says who somebody is.
const FREE = new Set(['name', 'id', 't', 'sid', 'timestamp', 'jid']);

function content(c) {
	if (c === null)
		return '';
	if (Array.isArray(c))
		return [...new Set(c.map(form))].sort().join('');
	return 'hex' in c ? `[${c.hex.length / 2}]` : `[${c.text}]`;
}

// A stanza as text: sorted, children that look the same once, bytes by their length alone.
function form({ tag, attrs, content: c }) {
	const named = Object.keys(attrs).sort().map((name) => ` ${name}=${FREE.has(name) ? '*' : attrs[name]}`);
	return `<${tag}${named.join('')}>${content(c)}</>`;
}

const iq = (to, type, xmlns, inner) => `<iq id=* to=${to} type=${type} xmlns=${xmlns}>${inner}</>`;
const dirty = (attrs) => iq('s.whatsapp.net', 'set', 'urn:xmpp:whatsapp:dirty', `<clean ${attrs}></>`);

// Stanzas of one client that the other has no need to send.
const WORKER_ONLY = new Map([
	// Baileys leaves this bit dirty; it asks for devices when it first sends something.
	[dirty('timestamp=* type=account_sync'), 'the account\'s own devices are read after each dirty bit'],
	[iq('s.whatsapp.net', 'get', 'usync',
	    '<usync context=notification index=0 last=true mode=query sid=*><list><user jid=*></></><query><devices version=2></><lid></></></>'),
	'the same'],
	// The worker says to which state of the list its cleaning belongs, as WhatsApp Web does.
	[dirty('timestamp=* type=groups'), 'the bit is cleaned with its timestamp'],
	// Baileys says available, and only once app state has told it a push name; the gateway\'s instances begin unseen.
	['<presence name=* type=unavailable></>', 'presence is unavailable until somebody wants otherwise'],
]);
const BAILEYS_ONLY = new Map([
	[dirty('type=groups'), 'the bit is cleaned without a timestamp'],
]);

async function stanzas(world, client) {
	const { entries } = (await world.control('GET', `/log?client=${client}`)).json;
	return entries.filter((e) => e.dir === 'in').map((e) => form(e.node));
}

// The two connections of a link: pairing, and the first login until it is at rest.
async function bringUp(world, start) {
	const before = new Set((await world.control('GET', '/log')).json.entries.map((e) => e.client));
	await start();
	const asked = (mine, question) => mine.some((e) => e.dir === 'in' && e.node && question(e.node));
	let seen = 0, since = 0;
	const ids = await eventually(async () => {
		const { entries } = (await world.control('GET', '/log')).json;
		const mine = entries.filter((e) => !before.has(e.client));
		if (mine.length !== seen)
			[seen, since] = [mine.length, Date.now()];
		return Date.now() - since >= REST_MS && asked(mine, (n) => n.attrs.xmlns === 'privacy') &&
		    asked(mine, (n) => n.content?.[0]?.tag === 'clean') && [...new Set(mine.map((e) => e.client))];
	}, { timeoutMs: 20_000, what: 'the bring-up to be over' });
	assert.equal(ids.length, 2);
	return { pairing: await stanzas(world, ids[0]), login: await stanzas(world, ids[1]) };
}

const but = (list, except) => [...new Set(list)].filter((text) => !except.has(text)).sort();
const before = (list, first, then) => {
	const [a, b] = [first, then].map((part) => list.findIndex((text) => text.includes(part)));
	assert.ok(a >= 0 && b > a, `${first} before ${then}: ${list.join('\n')}`);
};

test('the worker brings a link up as Baileys does', () => withSim({}, async (world, info) => {
	await world.startGateway();
	const instance = await world.newInstance();
	const worker = await bringUp(world, () => world.link(instance));

	const phone = await world.newPhone();
	const client = new Baileys(info, { init: true });
	let baileys;
	try {
		baileys = await bringUp(world, async () => {
			const r = await world.scan(phone, (await client.next('qr')).qr);
			assert.equal(r.status, 200, r.text);
		});
	} finally {
		await client.stop();
	}

	// Whether the last stanza gets out before the server closes is chance.
	const session = new Set(['<ib><unified_session id=*></></>']);
	assert.deepEqual(but(worker.pairing, session), but(baileys.pairing, session));
	assert.deepEqual(but(worker.login, WORKER_ONLY), but(baileys.login, BAILEYS_ONLY));
	for (const [text, why] of WORKER_ONLY)
		assert.ok(worker.login.includes(text), `no difference any more (${why}): ${text}`);
	for (const [text, why] of BAILEYS_ONLY)
		assert.ok(baileys.login.includes(text), `no difference any more (${why}): ${text}`);
	for (const { login } of [worker, baileys]) {
		before(login, '<count>', '<registration>');    // how many prekeys there are, then the upload
		before(login, '<registration>', '<active>');   // messages come only when prekeys are there
		before(login, '<active>', '<digest>');
	}
}));
