// History that comes as no phone should send it, over media servers that fail: said to the phone, survived, and cheap
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { FLAVOR, eventually, startWorld } from './harness.mjs';

let world, phone, instance;
const get = async (path) => (await world.control('GET', `/phones/${phone.number}${path}`)).json;
const post = async (path, body) => {
	const r = await world.control('POST', path, body);
	assert.ok(r.status < 300, r.text);
	return r.json;
};
const notes = async () => (await get('/sync')).devices[0].notes;
const note = (id) => eventually(async () => (await notes()).find((n) => n.id === id && ['done', 'replaced'].includes(n.state)),
    { what: `the answer to ${id}`, timeoutMs: 20_000 });
const peakKb = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${world.workers(instance)[0].pid}/status`, 'utf8'))[1]);

before(async () => {
	world = await startWorld({ sim: { tls: true } });
	phone = await world.newPhone({ chats: 6, messages: 300, daysOfHistory: 5, history: { chunkMessages: 100, inlineMax: 1 } });
	instance = await world.newInstance();
	// The first two blobs that are fetched: one comes cut off, one with a bit flipped.
	await post('/media-faults', { match: { part: 'md-msg-hist', times: 1 }, fault: { kind: 'corrupt' } });
	await post('/media-faults', { match: { part: 'md-msg-hist', nth: 2, times: 1 }, fault: { kind: 'status', code: 410 } });
	await world.link(instance, { phone, query: '?history=30' });
});
after(() => world?.stop());

test('what cannot be read is put up again by the phone, and everything arrives', async () => {
	await eventually(async () => (await get('/sync')).devices[0].done, { what: 'history', timeoutMs: 25_000 });
	const told = await notes();
	assert.equal(told.filter((n) => n.state === 'replaced').length, 2, JSON.stringify(told.map((n) => [n.type, n.state])));
	assert.equal((await get('/sync')).devices[0].badReceipts, 0);
	const listed = await world.until(instance, (i) => i.history?.progress === 100, { timeoutMs: 15_000 });
	const { messages } = await get('/history?messages=1');
	assert.ok(listed.history.messages >= messages.filter((m) => m.type !== 'stub').length, JSON.stringify(listed.history));
});

test('hostile blobs are refused or read, one by one, in bounded memory; the session stays', async () => {
	const pid = world.workers(instance)[0].pid;
	// Whether the phone hears of a failure (server-error that opens) or that it is done.
	const kinds = [
		['zip_bomb', true, 96 * 1024 * 1024], ['many_chats', false, 20_000], ['nesting', false], ['wrapped', false], ['giant_message', false], ['giant_field', false],
		['bad_values', false], ['not_zlib', true], ['not_protobuf', true], ['no_type', true], ['wrong_type', undefined], ['unknown_type', undefined],
		['cut_zlib', true], ['trailing', true], ['empty', true], ['gone', true], ['claimed_length', undefined], ['mac', true],
		['ciphertext', true], ['sha256', true], ['encSha256', true], ['padding', true], ['length', true], ['truncated', true],
	];
	for (const [kind, failed, size] of kinds) {
		const { id } = await post(`/phones/${phone.number}/hostile`, { kind, ...(size ? { size } : {}) });
		const n = await note(id);
		if (failed !== undefined)
			assert.equal(n.attempts > 0, failed, `${kind}: ${JSON.stringify(n)}`);
	}
	assert.equal(world.workers(instance)[0].pid, pid);
	assert.equal((await world.listed(instance)).connection.state, 'connected');
	if (FLAVOR === 'plain') // the others' own memory is many times that
		assert.ok(peakKb() <= 64 * 1024, `worker's peak: ${peakKb()} KiB`);
	// A part as it should be is still read.
	const { id } = await post(`/phones/${phone.number}/history`, { type: 'recent', max: 50 });
	assert.equal((await note(id)).attempts, 0);
});
