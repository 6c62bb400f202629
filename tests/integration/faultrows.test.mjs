// What the other files leave open of the fault table's parts "Linking" and "Online", row by row.
//
// Counts and times are measured at a relay in front of the simulator, from the connections themselves. Each test has
// a world of its own, and those that only wait run side by side.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PATIENCE, PLAIN, QR_FAILED, SLOWNESS, assertError, assertQr, binary, eventually, proc } from './harness.mjs';
import { callersRound } from './callers.mjs';
import { makeRandom, settled } from './killpoints.mjs';
import { askCode, assertClean, assertQuiet, call, clientOf, ended, fast, linked, linkedAndFast, reconnect, restartGateway, sleep, strike, typeCode, withWorld } from './linked.mjs';
import { startNameServer } from './relay.mjs';
import { openEvents } from './sse.mjs';

// Waits of minutes need a test clock (--enable-test-hooks), which the plain build does not have.
const hooksTest = PLAIN ? () => {} : test;
const plainTest = PLAIN ? test : () => {};

const stanzas = async (world, client, dir, tag) => (await world.control('GET', `/log?client=${client.id}`)).json.entries
	.filter((e) => e.dir === dir && e.node?.tag === tag).map((e) => e.node);
const child = (node, tag) => Array.isArray(node.content) ? node.content.find((c) => c.tag === tag) : undefined;

// False, or why a program can't be given an /etc/resolv.conf of its own.
function whyNoMounts() {
	if (process.getuid() !== 0)
		return 'needs root: a mount namespace';
	try {
		execFileSync('unshare', ['--mount', 'true'], { stdio: ['ignore', 'ignore', 'pipe'] });
		return false;
	} catch (error) {
		return `no mount namespace here: ${String(error.stderr ?? error).trim().split('\n')[0]}`;
	}
}

// ---- linking -------------------------------------------------------------------------------------------------------

describe('linking', { concurrency: 3 }, () => {
	test('L2: 515 at every login after the link: three at once, then a second between dials; no failure, no second QR', () => withWorld({}, async (world) => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		await world.fault('login', { kind: 'stream_error', code: 515 });
		const stream = await openEvents(world, instance);
		const { data } = await stream.next((e) => e.event === 'qr');
		assert.equal((await world.scan(phone, data.qrCode)).status, 200);
		// the pairing, its login, three at once, and three that wait
		await eventually(() => world.relay.dials.length >= 8, { timeoutMs: 25_000, what: 'eight dials' });
		const at = world.relay.dials.map((d) => d.at);
		const gaps = at.slice(1).map((t, i) => t - at[i]);
		assert.ok(gaps.slice(4).every((gap) => gap >= 1000), `gaps: ${gaps.map(Math.round)}`);
		assert.ok(at[4] - at[1] < 2000 * SLOWNESS, `gaps: ${gaps.map(Math.round)}`);
		const told = stream.events.map((e) => e.event);
		assert.deepEqual(told.slice(told.indexOf('qr') + 1).filter((e) => e !== 'connecting'), []);
		const { connection } = await world.listed(instance);
		assert.equal(connection.state, 'connecting');
		assert.equal(connection.lastError, null);
		await world.clearFaults();
		await stream.next((e) => e.event === 'connected', 30_000);
		assert.equal((await world.device(phone)).length, 1);
	}));

	hooksTest('L3: a pairing code that nobody types: disconnected, code_timeout, no worker, nothing on disk', () => withWorld({ gateway: fast(10) }, async (world) => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		const answer = await askCode(world, instance, phone);
		assert.equal(answer.status, 200, answer.text);
		assert.ok(answer.json.expiresIn <= 18, `${answer.json.expiresIn}`);
		await ended(world, instance, 'disconnected', 'code_timeout', { timeoutMs: 20_000 });
		await assertClean(world, instance);
		const late = await typeCode(world, phone, answer);
		assert.ok(late.status >= 400 && late.status < 500, late.text);
		assert.deepEqual(await world.device(phone), []);
	}));

	hooksTest('L3: QR codes that nobody scans leave nothing on disk', () => withWorld({ gateway: fast(10) }, async (world) => {
		const instance = await world.newInstance();
		assertQr(await world.connect(instance));
		await eventually(() => world.files(instance).includes('session.db'), { what: 'the file that pair-success needs' });
		await ended(world, instance, 'disconnected', 'code_timeout', { timeoutMs: 20_000 });
		await assertClean(world, instance);
	}));

	for (const [fault, code] of [[{ kind: 'bad_hmac' }, '401'], [{ kind: 'bad_signature' }, '401'], [{ kind: 'bad_signature', child: 'parse' }, '500']])
		test(`L5: ${JSON.stringify(fault)} after a pairing code: refused with ${code}, nothing kept, not tried again`, () => withWorld({}, async (world) => {
			await world.fault('pairing', fault);
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const answer = await askCode(world, instance, phone);
			assert.equal(answer.status, 200, answer.text);
			const typed = await typeCode(world, phone, answer);
			assert.equal(typed.json.error?.code, 'companion_refused', typed.text);
			const listed = await world.until(instance, 'disconnected');
			assert.equal(listed.connection.lastError.code, code === '401' ? 'pairing_refused' : 'protocol_error');
			assert.equal(listed.numberJid || null, null);
			const { entries } = (await world.control('GET', '/log')).json;
			const refusal = entries.find((e) => e.dir === 'in' && e.node?.tag === 'iq' && e.node.attrs.type === 'error');
			assert.equal(child(refusal.node, 'error').attrs.code, code);
			assert.deepEqual(await world.device(phone), []);
			await assertClean(world, instance);
		}));

	test('L6: a worker killed at any instant after a pairing code was typed: a link that works, or none', () => withWorld({}, async (world) => {
		const random = makeRandom(20261123);
		const outcomes = { online: 0, unlinked: 0 };
		let span = 400;
		// Of six that are drawn all may come before the link: then more are.
		for (let i = 0; i < (PLAIN ? 25 : 6) || (outcomes.online === 0 && i < 25); i++) {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			const answer = await askCode(world, instance, phone);
			const [worker] = world.workers(instance);
			const began = performance.now();
			const typed = typeCode(world, phone, answer);
			if (i === 0) { // the span that kills are drawn from
				await world.until(instance, 'connected');
				span = (performance.now() - began) * 1.2;
				continue;
			}
			await sleep(random() * span);
			if (proc.isRunning(worker.pid))
				process.kill(worker.pid, 'SIGKILL');
			await typed;
			outcomes[await eventually(() => settled(world, instance, phone), { timeoutMs: 20_000, what: 'an outcome' })]++;
		}
		assert.ok(outcomes.online > 0, JSON.stringify(outcomes));
	}));

	test('L6: a gateway killed in the middle of linking with some of its workers, and started again: links that work, or none', () => withWorld({}, async (world) => {
		const random = makeRandom(42);
		const outcomes = { online: 0, unlinked: 0 };
		for (let round = 0; round < (PLAIN ? 2 : 1); round++) {
			const all = [];
			for (let i = 0; i < (PLAIN ? 8 : 4); i++) {
				const [instance, phone] = [await world.newInstance(), await world.newPhone()];
				all.push({ instance, phone, code: (await world.connect(instance)).json.qrCode });
			}
			const scans = all.map(({ phone, code }) => sleep(random() * 250 * SLOWNESS).then(() => world.scan(phone, code)));
			await sleep(150 * SLOWNESS);
			const workers = world.workers();
			world.gateway.kill('SIGKILL');
			for (const { pid } of workers.filter(() => random() < 0.5))
				process.kill(pid, 'SIGKILL'); // the others go on without it for a while, beside the next gateway
			await world.gateway.waitExit();
			await sleep(random() * 500);
			await world.startGateway();
			await Promise.all(scans);
			for (const { instance, phone } of all)
				outcomes[await eventually(() => settled(world, instance, phone), { timeoutMs: 30_000, what: 'an outcome' })]++;
		}
		assert.ok(outcomes.online > 0, JSON.stringify(outcomes));
	}));

	for (const code of [400, 403, 500])
		test(`L7: a pairing code refused with ${code}: typed error, no loop`, () => withWorld({}, async (world) => {
			const instance = await world.newInstance();
			const phone = await world.newPhone();
			await world.fault('pairing', { kind: 'failure', code });
			const answer = await askCode(world, instance, phone);
			assertError(answer, 500, QR_FAILED, 'pairing_refused');
			assert.match(answer.json.error.detail, new RegExp(`\\b${code}\\b`));
			if (code === 400)
				assert.match(answer.json.error.detail, /display name/);
			await assertClean(world, instance);
			assert.equal(world.relay.dials.length, 1);
			const { entries } = (await world.control('GET', '/log')).json;
			assert.equal(entries.filter((e) => e.dir === 'in' && child(e.node ?? {}, 'link_code_companion_reg')).length, 1, 'asked once');
			await world.clearFaults();
			// a refused request gave no code, so it does not use the number up
			assert.equal((await askCode(world, instance, phone)).status, 200);
		}));

	test('L11: two hundred callers within a few ms, again and again: one dial, one worker, one code', () => withWorld({}, async (world) => {
		const random = makeRandom(7);
		for (let run = 0; run < (PLAIN ? 8 : 2); run++)
			await callersRound(world, random, run % 2 === 0 ? 0 : 120);
	}));

	test('L12: 405 at the login, whatever the version: one look-up, one more try, client_outdated naming the version used', () => withWorld({ gateway: { settings: { wa_version: 'auto' } } }, async (world) => {
		const { instance, phone } = await linked(world);
		const before = (await world.control('GET', '/version')).json;
		const next = before.revision + 7;
		await world.control('POST', '/version', { revision: next });
		const id = await world.fault('login', { kind: 'failure', code: 405 });
		await strike(world, phone, { kind: 'close' });
		const listed = await ended(world, instance, 'disconnected', 'client_outdated', { timeoutMs: 20_000 });
		assert.match(listed.connection.lastError.detail, new RegExp(`2\\.3000\\.${next}\\b`));
		assert.equal(listed.connection.nextRetryAt, null);
		await assertQuiet(world);
		assert.equal((await world.control('GET', '/faults')).json.find((f) => f.id === id).hit, 2);
		assert.equal((await world.control('GET', '/version')).json.lookups - before.lookups, 1);
		assert.ok(world.files(instance).includes('session.db'));
	}));
});

// ---- passkey -------------------------------------------------------------------------------------------------------

function credential({ challenge }) {
	const b64url = (text) => Buffer.from(text).toString('base64url');
	const clientDataJSON = b64url(JSON.stringify({ type: 'webauthn.get', challenge, origin: 'https://web.whatsapp.com' }));
	return { id: b64url('credential-1'), rawId: b64url('credential-1'), type: 'public-key',
		response: { clientDataJSON, authenticatorData: b64url('authenticator'), signature: b64url('signature'), userHandle: b64url('user') },
		clientExtensionResults: {} };
}

const passkeyOf = async (world, instance) => (await call(world, instance, 'GET', 'passkey')).json;
const passkeyAsked = (world, instance) => eventually(async () => {
	const r = await passkeyOf(world, instance);
	return r.status === 'required' && r;
}, { what: 'the passkey step' });

describe('a passkey', { concurrency: 3 }, () => {
	test('L9: asked for after a pairing code was typed: answered, it links', () => withWorld({}, async (world) => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ passkey: true });
		const typed = await typeCode(world, phone, await askCode(world, instance, phone));
		assert.equal(typed.status, 202, typed.text);
		const { publicKey } = await passkeyAsked(world, instance);
		assert.equal((await world.listed(instance)).status, 'connecting');
		const accepted = await call(world, instance, 'POST', 'passkey', credential(publicKey));
		assert.equal(accepted.status, 200, accepted.text);
		await world.until(instance, 'connected');
		assert.equal((await world.device(phone)).length, 1);
	}));

	test('L9: that the person refuses is a clear end, and nothing is kept', () => withWorld({}, async (world) => {
		const instance = await world.newInstance();
		const phone = await world.newPhone({ passkey: true });
		const stream = await openEvents(world, instance);
		const { data } = await stream.next((e) => e.event === 'qr');
		assert.equal((await world.scan(phone, data.qrCode)).status, 202);
		await stream.next((e) => e.event === 'passkey');
		assert.equal((await world.control('POST', `/phones/${phone.number}/passkey`, { approve: false })).status, 200);
		const failed = await stream.next((e) => e.event === 'failed');
		assert.ok(['network', 'pairing_refused'].includes(failed.data.error.code), JSON.stringify(failed.data));
		assert.ok(failed.data.error.detail.length > 0);
		assert.equal((await world.listed(instance)).status, 'disconnected');
		await assertClean(world, instance);
	}));

	hooksTest('L9: stops the clock of the codes, and has a limit of its own', () => withWorld({ gateway: fast(10) }, async (world) => {
		// Until one gets there: a step may miss a deadline that is ten times shorter here.
		let missed = 0;
		const again = (method, why) => {
			assert.ok(++missed < 10, why);
			return ask(method);
		};
		const ask = async (method) => {
			const [instance, phone] = [await world.newInstance(), await world.newPhone({ passkey: true })];
			const answer = method === 'qr' ? await world.connect(instance) : await askCode(world, instance, phone);
			if (answer.status !== 200)
				return again(method, answer.text);
			const r = method === 'qr' ? await world.scan(phone, answer.json.qrCode) : await typeCode(world, phone, answer);
			if (r.status !== 202)
				return again(method, r.text);
			const at = performance.now();
			const step = await eventually(async () => {
				const got = await passkeyOf(world, instance);
				return got.status === 'required' ? got : (await world.listed(instance)).status === 'disconnected' && 'missed';
			}, { what: 'the passkey step' });
			return step === 'missed' ? again(method, step) : { instance, phone, at, ...step };
		};
		const left = await Promise.all(['qr', 'qr', 'code'].map(async (method, i) => {
			const { instance, phone, at, publicKey } = await ask(method);
			await sleep(21_000 - (performance.now() - at)); // 210 s: each code would have run out after 160 s, or 180 s
			assert.equal((await passkeyOf(world, instance)).status, 'required');
			assert.equal((await world.listed(instance)).status, 'connecting');
			if (i === 0) {
				assert.equal((await call(world, instance, 'POST', 'passkey', credential(publicKey))).status, 200);
				await world.until(instance, 'connected');
				return undefined;
			}
			const { connection } = await ended(world, instance, 'disconnected', 'timeout', { timeoutMs: 10_000 });
			const took = (performance.now() - at) * 10;
			assert.ok(took > 290_000 && took < 300_000 + 10 * 3000, `${took} ms`);
			assert.match(connection.lastError.detail, /passkey/);
			assert.deepEqual(await world.device(phone), []);
			return instance;
		}));
		for (const instance of left.filter((one) => one !== undefined))
			await assertClean(world, instance);
	}));
});

// ---- online --------------------------------------------------------------------------------------------------------

describe('client outdated', () => {
	test('O5: for those online and those being linked at once: one look-up, all come back within 60 s, no QR for a link', () => withWorld({ gateway: { settings: { wa_version: 'auto' } } }, async (world) => {
		const online = [];
		for (let i = 0; i < (PLAIN ? 12 : 4); i++)
			online.push(await linked(world));
		const fresh = await Promise.all(Array.from({ length: PLAIN ? 6 : 3 }, () => world.newInstance()));
		const byNumber = await world.newInstance();
		const phone = await world.newPhone();
		const before = (await world.control('GET', '/version')).json;
		const next = before.revision + 1000;
		await world.control('POST', '/version', { revision: next, minimum: next });
		const pids = online.map(({ instance }) => world.workers(instance)[0].pid);
		const devices = await Promise.all(online.map(({ phone: p }) => world.device(p)));
		const began = Date.now();
		const codes = [...fresh.map((i) => world.connect(i)), askCode(world, byNumber, phone)];
		for (const { phone: p } of online)
			await strike(world, p, { kind: 'reset' });
		const answers = await Promise.all(codes);
		answers.slice(0, -1).forEach((answer) => assertQr(answer));
		assert.equal(answers.at(-1).json.status, 'pairing', answers.at(-1).text);
		await eventually(async () => (await world.online()).length === online.length, { timeoutMs: 60_000 / SLOWNESS, what: 'all online' });
		for (const { instance } of online)
			await world.until(instance, 'connected');
		assert.ok(Date.now() - began <= 60_000, `${Date.now() - began} ms`);
		assert.equal((await world.control('GET', '/version')).json.lookups - before.lookups, 1);
		assert.deepEqual(online.map(({ instance }) => world.workers(instance)[0].pid), pids, 'no restart');
		assert.deepEqual((await Promise.all(online.map(({ phone: p }) => world.device(p)))).map((d) => d.map((x) => x.id)),
		    devices.map((d) => d.map((x) => x.id)), 'no new link');
	}));
});

describe('tries that are bounded', { concurrency: 2 }, () => {
	hooksTest('O6: an unknown code at every login: tried again 10 times, then no more', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 50);
		const id = await world.fault('login', { kind: 'failure', code: 499 });
		await strike(world, phone, { kind: 'close' });
		const { connection } = await world.until(instance, (i) => i.connection.state === 'disconnected', { timeoutMs: 15_000 });
		assert.equal(connection.lastError.code, 'connect_failure_499');
		assert.equal(connection.nextRetryAt, null);
		assert.equal((await world.control('GET', '/faults')).json.find((f) => f.id === id).hit, 11, 'the first and 10 more');
		await assertQuiet(world);
		assert.ok(world.files(instance).includes('session.db'));
	}));

	hooksTest('O12: what is not the protocol: 5 tries an hour, then no more', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 50);
		const id = await world.fault('online', { kind: 'corrupt', child: 'counter' });
		await strike(world, phone, { kind: 'corrupt', child: 'counter' });
		const { connection } = await world.until(instance, (i) => i.connection.state === 'disconnected', { timeoutMs: 15_000 });
		assert.equal(connection.lastError.code, 'protocol_error');
		assert.equal(connection.nextRetryAt, null);
		assert.equal((await world.control('GET', '/faults')).json.find((f) => f.id === id).hit, 5);
		await assertQuiet(world);
	}));
});

describe('what a session meets while it is online', { concurrency: 3 }, () => {
	for (const fault of [{ kind: 'oversize' }, { kind: 'corrupt' }, { kind: 'corrupt', child: 'counter' }, { kind: 'garbage' }, { kind: 'garbage', child: 'text' }])
		test(`O12: ${JSON.stringify(fault)}: closed at once, protocol_error, and back`, () => withWorld({}, async (world) => {
			const { instance, phone } = await linked(world);
			const dial = world.relay.dials.at(-1);
			const client = await strike(world, phone, fault);
			await world.control('POST', `/clients/${client.id}/ping`, {}); // a counter that was skipped shows with the next frame
			const down = await world.gateway.event('down', { code: 'protocol_error' }, { timeoutMs: 5000 * SLOWNESS * PATIENCE });
			assert.ok(down, 'no protocol_error');
			await eventually(() => dial.endAt !== null, { what: 'the connection closed' });
			await eventually(async () => {
				const now = await clientOf(world, phone);
				return now !== undefined && now.id !== client.id;
			}, { timeoutMs: 15_000, what: 'another login' });
			await world.until(instance, 'connected');
			assert.equal((await world.device(phone)).length, 1);
		}));

	test('O13: stanzas that are cut short, too deep, a zip bomb, or unknown: each refused and counted, the session stays', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		const [worker] = world.workers(instance);
		const client = await clientOf(world, phone);
		await sleep(500); // what the login took has been given back
		const before = proc.memory(worker.pid).rss;
		const junk = ['stanza', 'nested', 'bomb', 'stanza', 'bomb'];
		for (const [i, what] of junk.entries()) {
			await strike(world, phone, { kind: 'garbage', child: what });
			await world.gateway.event('stanza_refused', { count: i + 1 });
			const { json } = await world.control('POST', `/clients/${client.id}/ping`, {});
			await eventually(async () => (await stanzas(world, client, 'in', 'iq')).some((n) => n.attrs.id === json.id), { what: `a pong after ${what}` });
		}
		await strike(world, phone, { kind: 'unknown' });
		const nack = await eventually(async () => (await stanzas(world, client, 'in', 'ack')).find((n) => n.attrs.class === 'telepathy'), { what: 'a nack' });
		assert.notEqual(nack.attrs.error, undefined);
		assert.equal((await clientOf(world, phone)).id, client.id);
		assert.deepEqual(world.workers(instance), [worker]);
		assert.equal((await world.listed(instance)).connection.lastError, null);
		if (PLAIN)
			assert.ok(proc.memory(worker.pid).rss - before < 16 * 1024, `${proc.memory(worker.pid).rss - before} KiB more`);
	}));

	const uploads = async (world, client) => (await stanzas(world, client, 'in', 'iq')).filter((n) => child(n, 'skey'));
	const keysLeft = async (world, client, left) => (await world.control('POST', `/clients/${client.id}/prekeys`, { left })).json.left;

	test('O15: pre-keys run low, and the upload is refused: tried again with backoff, the session stays, refilled in the end', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		const client = await clientOf(world, phone);
		const before = (await uploads(world, client)).length;
		await strike(world, phone, { kind: 'failure', child: 'encrypt', code: 503 });
		assert.equal(await keysLeft(world, client, 3), 3);
		await sleep(6000);
		const tries = (await uploads(world, client)).length - before;
		assert.ok(tries >= 2 && tries <= 8, `${tries} uploads in 6 s`);
		assert.equal((await world.listed(instance)).status, 'connected');
		await strike(world, phone, { kind: 'unknown' }); // takes the other fault's place
		await eventually(async () => (await keysLeft(world, client, 100_000)) > 3, { timeoutMs: 20_000, what: 'a refill' });
		assert.equal((await clientOf(world, phone)).id, client.id);
	}));

	hooksTest('O15: the upload is never answered: tried again, the session stays, refilled in the end', () => withWorld({}, async (world) => {
		const { instance, phone } = await linkedAndFast(world, 20);
		const client = await clientOf(world, phone);
		const before = (await uploads(world, client)).length;
		await strike(world, phone, { kind: 'stall', child: 'encrypt' });
		await keysLeft(world, client, 0);
		await eventually(async () => (await uploads(world, client)).length >= before + 2, { timeoutMs: 10_000, what: 'two uploads' });
		assert.equal((await world.listed(instance)).status, 'connected');
		await strike(world, phone, { kind: 'unknown' });
		await eventually(async () => (await keysLeft(world, client, 100_000)) > 0, { timeoutMs: 10_000, what: 'a refill' });
		assert.equal((await clientOf(world, phone)).id, client.id);
	}));
});

// ---- what takes its time: side by side ------------------------------------------------------------------------------

// A wall clock that can be stepped, for programs started with it: CLOCK_REALTIME plus the seconds in a file.
const STEPPED_CLOCK = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long *step_s;

__attribute__((constructor)) static void map_step(void)
{
	int fd = open(STEP_FILE, O_RDONLY | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		_exit(99);
	step_s = p;
	close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += *step_s;
	return (int)rc;
}

int gettimeofday(struct timeval *tv, void *tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
`;

// { library, worker (a program to give as worker_path), step(seconds) }
function makeSteppedClock(dir) {
	const [source, library, file, worker] = ['clock.c', 'clock.so', 'step', 'worker.sh'].map((name) => join(dir, name));
	writeFileSync(source, STEPPED_CLOCK);
	execFileSync('cc', ['-O1', '-shared', '-fPIC', `-DSTEP_FILE="${file}"`, '-o', library, source]);
	const fd = openSync(file, 'w');
	ftruncateSync(fd, 8);
	writeFileSync(worker, `#!/bin/sh\nLD_PRELOAD=${library} exec ${binary('warden-worker')} "$@"\n`);
	chmodSync(worker, 0o755);
	return {
		library,
		worker,
		step(seconds) {
			const value = Buffer.alloc(8);
			value.writeBigInt64LE(BigInt(seconds));
			writeSync(fd, value, 0, 8, 0);
		},
		stop: () => closeSync(fd),
	};
}

// Server pings to one client, until the promise is done: how long each answer took, ms.
async function pingWhile(world, phone, work) {
	const took = [];
	let done = false;
	const pings = (async () => {
		while (!done) {
			const client = await clientOf(world, phone);
			const began = performance.now();
			const { json } = await world.control('POST', `/clients/${client.id}/ping`, {});
			await eventually(async () => (await stanzas(world, client, 'in', 'iq')).some((n) => n.attrs.id === json.id), { what: 'an answer to the ping' });
			took.push(performance.now() - began);
			await sleep(100);
		}
	})();
	await work().finally(() => (done = true));
	await pings;
	return took;
}

describe('what takes its time', { concurrency: true }, () => {
	test('O1, O2: by each of its forms: set aside, kept, and its keys never used again, not by the next gateway either', () => withWorld({}, async (world) => {
		const forms = [
			['loggedout', 'logged_out', null, { kind: 'stream_error', code: 516 }],
			['loggedout', 'logged_out', null, { kind: 'stream_error', code: 401, child: 'device_removed' }],
			['loggedout', 'logged_out', { kind: 'failure', code: 401 }, { kind: 'close' }],
			['banned', 'banned', { kind: 'failure', code: 403 }, { kind: 'close' }],
			['banned', 'banned', { kind: 'failure', code: 406 }, { kind: 'close' }],
		];
		const keys = (qr) => qr.slice(qr.indexOf('#') + 1).split(',').slice(1, 4);
		const all = [];
		for (const [state, code, atLogin, now] of forms) {
			const [instance, phone] = [await world.newInstance(), await world.newPhone()];
			const { qrCode } = assertQr(await world.connect(instance));
			assert.equal((await world.scan(phone, qrCode)).status, 200);
			await world.until(instance, 'connected');
			if (atLogin !== null)
				await world.fault('login', atLogin, { number: phone.number });
			await strike(world, phone, now);
			const { connection } = await ended(world, instance, state, code);
			if (atLogin !== null)
				assert.match(connection.lastError.detail, new RegExp(`\\b${atLogin.code}\\b`));
			all.push({ instance, state, code, old: keys(qrCode) });
		}
		const assertSetAside = (instance) => {
			const files = world.files(instance).filter((f) => f.startsWith('session.db'));
			assert.equal(files.length, 1, files.join());
			assert.match(files[0], /^session\.db\.(logged_out|banned)-\d+$/);
		};
		await eventually(() => world.workers().length === 0, { what: 'no worker' });
		all.forEach(({ instance }) => assertSetAside(instance));
		await restartGateway(world);
		await assertQuiet(world, 2500);
		assert.deepEqual(world.workers(), []);
		for (const { instance, state, code, old } of all) {
			await ended(world, instance, state, code);
			assertSetAside(instance);
			const fresh = keys(assertQr(await world.connect(instance)).qrCode);
			assert.deepEqual(fresh.filter((key) => old.includes(key)), []);
		}
	}));

	test('O3: during a temporary ban nothing dials: not reconnect, not connect, not another worker', () => withWorld({}, async (world) => {
		const { instance, phone } = await linked(world);
		await world.fault('login', { kind: 'failure', code: 402, expire: 600 }, { nth: 1 });
		await strike(world, phone, { kind: 'close' });
		const { connection } = await ended(world, instance, 'disconnected', 'temp_banned');
		const before = world.relay.dials.length;
		await reconnect(world, instance);
		assertError(await world.connect(instance), 500, QR_FAILED, 'temp_banned');
		const [worker] = world.workers(instance);
		if (worker !== undefined) {
			process.kill(worker.pid, 'SIGKILL');
			await eventually(() => world.workers(instance).some((w) => w.pid !== worker.pid), { what: 'another worker' });
		}
		await sleep(2000);
		await world.killGateway();
		await world.startGateway();
		const after = await ended(world, instance, 'disconnected', 'temp_banned');
		await sleep(2000);
		assert.equal(world.relay.dials.length, before);
		const shift = Date.parse(after.connection.nextRetryAt) - Date.parse(connection.nextRetryAt);
		assert.ok(Math.abs(shift) < 2000, `its end has moved by ${shift} ms`);
	}));

	const skip = whyNoMounts();
	test('O9: a name server that is silent, or knows no such name: dns, others are unaffected, and back', { skip }, () => withWorld({ sim: { tls: false } }, async (world) => {
		const names = await startNameServer();
		const resolvConf = join(world.dir, 'resolv.conf');
		writeFileSync(resolvConf, `nameserver ${names.address}\n`);
		const named = new URL(world.simInfo.url);
		named.hostname = 'chat.example';
		try {
			await restartGateway(world, {
				settings: { wa_url: named.href },
				prefix: ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolvConf],
			});
			const [a, b] = [await linked(world), await linked(world)];
			const [steady] = world.workers(b.instance);
			for (const mode of ['silent', 'unknown']) {
				names.mode = mode;
				const { asked } = names;
				const began = performance.now();
				await strike(world, a.phone, { kind: 'close' });
				await world.until(a.instance, 'connecting');
				await reconnect(world, a.instance); // it does not wait for its next try
				const pinged = await pingWhile(world, b.phone, () => ended(world, a.instance, 'connecting', 'dns', { timeoutMs: 12_000 }));
				assert.ok(names.asked > asked, 'the name server was not asked');
				const took = performance.now() - began;
				if (mode === 'silent')
					assert.ok(took > 3000 && took < 5000 + 4000 * SLOWNESS, `${took} ms`);
				// a look-up that held it up would do so for 3 s at least
				assert.ok(pinged.every((ms) => ms < 2000), `pings of the other took ${pinged.map(Math.round)} ms`);
				assert.deepEqual(world.workers(b.instance), [steady]);
				assert.equal((await world.listed(b.instance)).status, 'connected');
				// in the middle of a look-up a worker hears its gateway all the same
				await reconnect(world, a.instance);
				await eventually(() => names.asked > asked + 1, { what: 'another look-up' });
				names.mode = 'good';
				await reconnect(world, a.instance);
				await world.until(a.instance, 'connected', { timeoutMs: 20_000 });
			}
			names.mode = 'silent';
			const { asked } = names;
			await strike(world, a.phone, { kind: 'close' });
			await world.until(a.instance, 'connecting');
			await reconnect(world, a.instance); // it does not wait for its next try
			await eventually(() => names.asked > asked, { what: 'a look-up' });
			const began = performance.now();
			world.gateway.kill('SIGTERM');
			await world.gateway.waitExit();
			assert.ok(performance.now() - began < 2500 * SLOWNESS, 'a look-up held the end up');
		} finally {
			names.stop();
		}
	}));

	plainTest('O17: an hour forth and back: nothing expires early or late, and nobody is disturbed', () => withWorld({}, async (world) => {
		const clock = makeSteppedClock(world.dir);
		await restartGateway(world, { env: { LD_PRELOAD: clock.library }, settings: { worker_path: clock.worker } });
		try {
			for (const seconds of [3600, -3600]) {
				const { instance, phone } = await linked(world);
				const [worker] = world.workers(instance);
				const client = await clientOf(world, phone);
				const [waiting, banned] = [await world.newInstance(), await linked(world)];
				const code = (await world.connect(waiting)).json;
				await world.fault('login', { kind: 'failure', code: 402, expire: 6 }, { number: banned.phone.number, nth: 1 });
				const from = performance.now();
				const dialsBefore = world.relay.dials.length;
				await strike(world, banned.phone, { kind: 'close' });
				await ended(world, banned.instance, 'disconnected', 'temp_banned');
				clock.step(seconds);
				// the live code is the same, for as long as it would have been
				const again = await world.connect(waiting);
				assert.equal(again.json.qrCode, code.qrCode);
				assert.ok(again.json.expiresIn <= code.expiresIn && again.json.expiresIn > 30, `${again.json.expiresIn}`);
				// the ban ends when it ends
				await eventually(() => world.relay.dials.length > dialsBefore + 1, { timeoutMs: 15_000, what: 'the dial after the ban' });
				const took = world.relay.dials[dialsBefore + 1].at - from;
				assert.ok(took >= 5000 && took < 9000, `dialled after ${took} ms`);
				await world.until(banned.instance, 'connected');
				// who was online stays so, and who pairs can pair
				assert.equal((await clientOf(world, phone)).id, client.id);
				assert.deepEqual(world.workers(instance), [worker]);
				const late = await world.newPhone();
				assert.equal((await world.scan(late, again.json.qrCode)).status, 200);
				const { connection } = await world.until(waiting, 'connected');
				// and it is the stepped clock indeed that they show
				const skew = Date.parse(connection.since) - Date.now();
				assert.ok(Math.abs(skew - seconds * 1000) < 60_000, `skew ${skew} ms`);
				clock.step(0);
				await sleep(500);
				assert.equal((await clientOf(world, phone)).id, client.id);
				await world.clearFaults();
			}
		} finally {
			clock.stop();
		}
	}));
});
