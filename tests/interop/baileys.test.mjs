// A client that nobody here wrote connects to warden-sim and shows a QR that its phone accepts.
// Baileys does not check everything a client should, so it proves the simulator, not the checks.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { QR_TEXT, SLOWNESS, World, eventually } from '../integration/harness.mjs';

const client = fileURLToPath(new URL('baileys-client.mjs', import.meta.url));

// Run body with a Baileys process connected to the simulator; its first QR text is handed over.
async function withBaileys(info, body) {
	const child = spawn(process.execPath, [client, info.url, info.rootKey], {
		env: { PATH: process.env.PATH, ...(info.ca ? { NODE_EXTRA_CA_CERTS: info.ca } : {}) },
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
	const exited = new Promise((resolve) => child.once('exit', resolve));
	const timer = setTimeout(() => child.kill('SIGKILL'), 30_000 * SLOWNESS);
	const seen = [];
	try {
		const lines = createInterface({ input: child.stdout });
		const qr = new Promise((resolve) => lines.on('line', (line) => {
			seen.push(line);
			const e = JSON.parse(line);
			if (e.event === 'qr')
				resolve(e.qr);
		}));
		const text = await Promise.race([qr, exited.then((code) =>
			assert.fail(`Baileys ended (${code}) without a QR: ${seen.join(' ')} ${stderr}`))]);
		await body(text);
		assert.ok(!seen.some((line) => JSON.parse(line).event === 'close'), seen.join(' '));
	} finally {
		clearTimeout(timer);
		child.kill('SIGTERM');
		await exited;
	}
}

async function withSim(options, body) {
	const world = new World();
	try {
		await body(world, await world.startSim(options));
	} finally {
		await world.stop();
	}
}

for (const tls of [false, true])
	describe(tls ? 'Baileys over TLS' : 'Baileys over plain WebSocket', () => {
		test("shows a QR every part of which the simulator's phone accepts", () => withSim({ tls }, async (world, info) => {
			const number = '5511977770001';
			assert.equal((await world.control('POST', '/phones', { number })).status, 201);
			await withBaileys(info, async (qr) => {
				assert.match(qr, QR_TEXT);
				const r = await world.control('POST', `/phones/${number}/scan`, { qr });
				assert.equal(r.status, 501, r.text); // linking is not simulated yet; a wrong part is 4xx
				assert.equal(r.json.error.code, 'not_implemented');
			});
		}));

		test('is seen by the simulator at the pairing stage, with its stanzas', () => withSim({ tls }, async (world, info) => {
			await withBaileys(info, async () => {
				const pairing = await eventually(async () => (await world.clients()).find((c) => c.stage === 'pairing'),
				    { what: 'a client at pairing' });
				const { entries } = (await world.control('GET', `/log?client=${pairing.id}`)).json;
				assert.ok(entries.some((e) => e.dir === 'in' && e.node), JSON.stringify(entries).slice(0, 500));
			});
		}));
	});

test('a QR of one Baileys is not another\'s: a changed key is refused', () => withSim({}, async (world, info) => {
	const number = '5511977770002';
	await world.control('POST', '/phones', { number });
	await withBaileys(info, async (qr) => {
		const [prefix, list] = qr.split('#');
		const parts = list.split(',');
		const key = Buffer.alloc(32, 9).toString('base64');
		for (const i of [1, 2]) {
			const r = await world.control('POST', `/phones/${number}/scan`, { qr: `${prefix}#${parts.with(i, key).join(',')}` });
			assert.ok(r.status >= 400 && r.status < 500, r.text);
		}
	});
}));
