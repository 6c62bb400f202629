// Nobody scans (fault L3): the codes rotate by the refs' clock, then the attempt ends. Real clocks: 160 s.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN, assertQr, eventually, proc, startWorld } from './harness.mjs';
import { openEvents } from './sse.mjs';

// The instrumented builds would only wait the same 160 s again.
const plainTest = PLAIN ? test : () => {};

plainTest('six codes in 160 s, then timeout, disconnected, and no worker', async () => {
	const world = await startWorld({ sim: { tls: true } });
	try {
		const instance = await world.newInstance();
		const began = Date.now();
		const stream = await openEvents(world, instance);
		const codes = [];
		const shown = [];
		// another caller asks all the time: it never gets a code with less than 2 s left
		let asking = true;
		const asker = (async () => {
			while (asking) {
				const r = await world.connect(instance);
				if (r.status !== 200)
					break;
				shown.push(assertQr(r).qrCode);
				await new Promise((resolve) => setTimeout(resolve, 400));
			}
		})();
		for (let i = 0; i < 6; i++) {
			const e = await stream.next((x) => x.event === 'qr', 80_000);
			codes.push({ text: e.data.qrCode, at: e.at - began, expiresIn: e.data.expiresIn });
			const { cpuTicks } = proc.stat(world.workers(instance)[0].pid);
			assert.ok(cpuTicks < 50, `${cpuTicks} ticks of CPU`);
			if (i === 5)
				asking = false; // its next call would begin another attempt
		}
		await asker;
		const expectedAt = [0, 60_000, 80_000, 100_000, 120_000, 140_000];
		codes.forEach(({ at, expiresIn }, i) => {
			assert.ok(Math.abs(at - expectedAt[i]) < 2500, `code ${i + 1} after ${at} ms`);
			assert.ok(Math.abs(expiresIn - (i === 0 ? 60 : 20)) <= 1, `code ${i + 1} lives ${expiresIn} s`);
		});
		assert.equal(new Set(codes.map((c) => c.text)).size, 6);
		const parts = codes.map((c) => c.text.split('#')[1].split(','));
		assert.equal(new Set(parts.map((p) => p[0])).size, 6, 'six refs');
		assert.equal(new Set(parts.map((p) => p.slice(1).join())).size, 1, 'one identity');
		assert.deepEqual([...new Set(shown)].filter((text) => !codes.some((c) => c.text === text)), []);

		const last = await stream.next((x) => !['qr', 'connecting'].includes(x.event), 60_000);
		assert.equal(last.event, 'timeout');
		assert.equal(last.data.error.code, 'code_timeout');
		const total = last.at - began;
		assert.ok(Math.abs(total - 160_000) < 3000, `ended after ${total} ms`);
		await stream.end();
		assert.ok(stream.comments.length >= 9, `${stream.comments.length} comment lines`);

		const listed = await world.listed(instance);
		assert.equal(listed.status, 'disconnected');
		assert.equal(listed.connection.lastError.code, 'code_timeout');
		assert.equal(listed.connection.nextRetryAt, null);
		await eventually(() => world.workers(instance).length === 0, { what: 'the worker gone' });
		assertQr(await world.connect(instance)); // the next call begins anew
	} finally {
		await world.stop();
	}
});

plainTest('refs that end early: one code, then the end, and no worker', async () => {
	const world = await startWorld();
	try {
		await world.fault('registration', { kind: 'refs_end', code: 1 });
		const instance = await world.newInstance();
		const stream = await openEvents(world, instance);
		await stream.next((e) => e.event === 'qr');
		const last = await stream.next((e) => e.event !== 'connecting', 60_000);
		// server and worker end it at the same instant: whichever is seen first names the reason
		assert.ok(['code_timeout', 'network'].includes(last.data.error.code), JSON.stringify(last.data));
		assert.equal(last.event, last.data.error.code === 'network' ? 'failed' : 'timeout');
		await stream.end();
		assert.equal((await world.listed(instance)).status, 'disconnected');
		await eventually(() => world.workers(instance).length === 0, { what: 'the worker gone' });
	} finally {
		await world.stop();
	}
});
