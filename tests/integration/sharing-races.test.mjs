// A one-time link in more hands than one, and in the moment of its end: it links one instance, once, in time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertError, eventually, startWorld } from './harness.mjs';
import { GONE, assertGone, share } from './onetime.mjs';
import { openEventsAt } from './sse.mjs';

let world;
before(async () => {
	world = await startWorld();
});
after(() => world?.stop());

const is = (...events) => (e) => events.includes(e.event);
const LAST = is('connected', 'failed', 'timeout');
const open = (path, query = '') => openEventsAt(world, `${path}/connect${query}`);

test('two browsers at once see one code; one phone links, both hear it, neither gets in again', async () => {
	const instance = await world.newInstance();
	const { path } = await share(world, instance);
	const both = await Promise.all([open(path), open(path)]);
	const [first, second] = await Promise.all(both.map(async (s) => (await s.next(is('qr'))).data.qrCode));
	assert.equal(first, second);
	assert.equal((await world.scan(await world.newPhone(), first)).status, 200);
	for (const stream of both) {
		assert.equal((await stream.next(LAST)).event, 'connected');
		await stream.end();
	}
	await assertGone(world, path);
});

test('of phones that scan the same code at once one is linked', async () => {
	const instance = await world.newInstance();
	const { path } = await share(world, instance);
	const stream = await open(path);
	const { data } = await stream.next(is('qr'));
	const phones = [await world.newPhone(), await world.newPhone(), await world.newPhone()];
	const statuses = (await Promise.all(phones.map((phone) => world.scan(phone, data.qrCode)))).map((r) => r.status);
	assert.equal(statuses.filter((s) => s === 200).length, 1, statuses.join());
	const { numberJid } = await world.until(instance, 'connected');
	assert.equal(numberJid, `${phones[statuses.indexOf(200)].number}@s.whatsapp.net`);
	assert.equal((await stream.next(LAST)).event, 'connected');
	await assertGone(world, path);
});

test('one scans while another asks for a code by number: whichever attempt is left, the link is used once', async () => {
	const instance = await world.newInstance();
	const phone = await world.newPhone();
	const { path } = await share(world, instance);
	const byQr = await open(path);
	await byQr.next(is('qr'));
	const byNumber = await open(path, `?number=${phone.number}`);
	const { data } = await byNumber.next(is('pairing'));
	assert.equal((await byQr.next(LAST)).data.error.code, 'superseded');
	const typed = await world.control('POST', `/phones/${phone.number}/code`, { code: data.pairingCode });
	assert.equal(typed.status, 200, typed.text);
	assert.equal((await byNumber.next(LAST)).event, 'connected');
	await assertGone(world, path);
});

test('both a link and its owner begin at once: one attempt, one use', async () => {
	const instance = await world.newInstance();
	const { path } = await share(world, instance);
	const [own, stream] = await Promise.all([world.connect(instance), open(path)]);
	const { data } = await stream.next(is('qr'));
	assert.equal(own.json.qrCode, data.qrCode);
	assert.equal((await world.scan(await world.newPhone(), own.json.qrCode)).status, 200);
	assert.equal((await stream.next(LAST)).event, 'connected');
	await assertGone(world, path);
});

test('an instance that is deleted takes its link along, and one made anew under its name is not opened by it', async () => {
	const instance = await world.newInstance();
	const { path } = await share(world, instance);
	const stream = await open(path);
	await stream.next(is('qr'));
	const r = await world.request('DELETE', `/api/instance/delete/${instance.name}`, { token: instance.account });
	assert.equal(r.status, 200, r.text);
	assert.equal((await stream.next(LAST)).data.error.code, 'deleted');
	await assertGone(world, path);
	const anew = await world.newInstance({ name: instance.name });
	await assertGone(world, path);
	assert.equal((await world.listed(anew)).status, 'disconnected');
});

test('a gateway that dies with the code on the screen: linked meanwhile, the link is used', async () => {
	const instance = await world.newInstance();
	const used = await share(world, instance), other = await share(world, await world.newInstance());
	const stream = await open(used.path);
	const { data } = await stream.next(is('qr'));
	await world.killGateway();
	assert.equal((await world.scan(await world.newPhone(), data.qrCode)).status, 200);
	await world.startGateway();
	await world.until(instance, 'connected');
	await assertGone(world, used.path);
	assert.equal((await world.request('GET', `${other.path}/status`)).status, 200, 'one that nobody has used goes on');
});

test('whoever came in time and still waits when the time is over gets no code', async () => {
	let waiting;
	// as late as it takes for both to be let in
	for (const expiresIn of [2, 4, 8, 16]) {
		const instance = await world.newInstance();
		const { path } = await share(world, instance, { expiresIn });
		process.kill(world.sim.pid, 'SIGSTOP');
		try {
			const stream = await open(path);
			const caller = world.request('GET', `${path}/connect`);
			await eventually(async () => (await world.request('GET', `${path}/status`)).status === 410, { what: 'its end', timeoutMs: 20_000 });
			waiting = { instance, path, stream, caller };
		} finally {
			process.kill(world.sim.pid, 'SIGCONT');
		}
		if (waiting.stream.status === 200)
			break;
	}
	const last = await waiting.stream.next(is('qr', 'connected', 'failed', 'timeout'));
	assert.equal(last.data.error?.code, 'link_not_valid', last.event);
	await waiting.stream.end();
	assertError(await waiting.caller, ...GONE);
	await assertGone(world, waiting.path);
	// the attempt itself is its owner's as well, who still gets the code
	assert.equal((await world.connect(waiting.instance)).status, 200);
});
