// tests/integration/proxy.test.mjs - through real proxies, and not one packet around them
//
// tinyproxy (CONNECT, with and without a password), danted and microsocks (SOCKS5), stunnel in front of
// tinyproxy (https), in a network of their own: netlab.mjs. The name of the simulator is known on the
// proxies' side only, and the way around them is open, so that whatever took it would arrive.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertError, assertQr, eventually, Program, QR_FAILED, readText, SLOWNESS, World } from './harness.mjs';
import { Lab, PROXY, PROXY_NAME, TARGET, TARGET_NAME, whyNot } from './netlab.mjs';

const SIM_PORT = 7443;
const CONTROL_PORT = 7444;
const PASSWORD = 'pass-word.42';
const skip = whyNot() ?? false;

const PORTS = { http: 3101, httpPassword: 3102, socks: 3103, socksPassword: 3104, https: 3105,
	httpsPassword: 3106, wrongHost: 3107, silent: 3108, mortal: 3109, dead: 3110 };

// What POST /api/instance/proxy takes, and what each is made of.
const WAYS = {
	'HTTP CONNECT': { protocol: 'http', port: PORTS.http },
	'HTTP CONNECT with a password': { protocol: 'http', port: PORTS.httpPassword,
		username: 'user', password: PASSWORD },
	'SOCKS5': { protocol: 'socks5', port: PORTS.socks },
	'SOCKS5 with a password': { protocol: 'socks5', port: PORTS.socksPassword,
		username: 'user', password: PASSWORD },
	'HTTPS': { protocol: 'https', port: PORTS.https },
	'HTTPS with a password': { protocol: 'https', port: PORTS.httpsPassword,
		username: 'user', password: PASSWORD },
};
const PASSWORD_WAYS = Object.entries(WAYS).filter(([, way]) => way.password !== undefined);

// A simulator outside and a gateway inside of a lab.
async function startLab({ tls = false, settings = {} } = {}) {
	const world = new World();
	const lab = new Lab();
	world.lab = lab;
	try {
		await lab.tinyproxy(PORTS.http);
		await lab.tinyproxy(PORTS.httpPassword, { username: 'user', password: PASSWORD });
		await lab.danted(PORTS.socks);
		await lab.microsocks(PORTS.socksPassword, { username: 'user', password: PASSWORD });
		const { ca } = await lab.stunnel(PORTS.https, PORTS.http);
		const password = await lab.stunnel(PORTS.httpsPassword, PORTS.httpPassword);
		await lab.silent(PORTS.silent);
		world.secrets.add(PASSWORD);
		await startSim(world, tls);
		const name = tls ? 'localhost' : TARGET_NAME;
		await world.startGateway({
			prefix: lab.prefix(lab.inside),
			settings: {
				listen: `${lab.gateway}:0`,
				wa_url: `${tls ? 'wss' : 'ws'}://${name}:${SIM_PORT}/ws/chat`,
				wa_ca_file: lab.file('ca.pem', ca + password.ca +
				    (tls ? readText(world.simInfo.ca) : '')),
				...settings,
			},
		});
	} catch (error) {
		await stopLab(world).catch(() => {});
		throw error;
	}
	return world;
}

async function startSim(world, tls) {
	const { lab } = world;
	const sim = new Program('warden-sim', ['--listen', `0.0.0.0:${SIM_PORT}`, '--control',
		`127.0.0.1:${CONTROL_PORT}`, '--strict', '--state-dir', world.dir, ...(tls ? ['--tls'] : [])],
	    { prefix: lab.prefix(lab.outside) });
	world.programs.push(sim);
	world.sim = sim;
	const { json } = await sim.line(({ json: j }) => j?.url !== undefined, { what: 'the JSON line' });
	world.simInfo = { ...json, control: `http://${await lab.relay(CONTROL_PORT)}` };
}

async function stopLab(world) {
	try {
		await world.stop();
	} finally {
		await world.lab.stop();
	}
}

// An instance that goes through this proxy.
async function instanceWith(world, proxy) {
	const instance = await world.newInstance();
	const r = await world.request('POST', `/api/instance/proxy/${instance.name}`,
	    { token: instance.account, json: { enabled: true, host: PROXY, ...proxy } });
	assert.equal(r.status, 200, r.text);
	return instance;
}

const detailOf = (answer) => answer.json.error.detail ?? '';

function assertNamesProxy(answer, port, text) {
	assert.ok(detailOf(answer).startsWith(`proxy ${PROXY}:${port}`), answer.text);
	assert.match(detailOf(answer).replace(/ \(step: tcp\)$/, ''), text);
	assert.ok(!answer.text.includes(PASSWORD));
}

describe('an instance with a proxy', { skip }, () => {
	let world, lab;

	before(async () => {
		world = await startLab();
		lab = world.lab;
	});
	after(() => world !== undefined && stopLab(world));

	for (const [name, proxy] of Object.entries(WAYS))
		test(`is linked through ${name}, its target's name resolved by the proxy`, async () => {
			const instance = await instanceWith(world, proxy);
			const { phone, device } = await world.link(instance);
			await eventually(async () => (await world.device(phone, device)).online, { what: 'online' });
			await world.unlink(phone, device);
			assert.equal(lab.around(), 0);
		});

	test('fetches history and files the same way, and fails closed', async () => {
		for (const name of ['HTTP CONNECT with a password', 'SOCKS5', 'HTTPS']) {
			const instance = await instanceWith(world, WAYS[name]);
			const phone = await world.newPhone({ chats: 3, messages: 60, daysOfHistory: 5, history: { inlineMax: 0 } });
			await world.link(instance, { phone, query: '?history=7' });
			await world.until(instance, (i) => i.history?.progress === 100, { timeoutMs: 15_000 });
			assert.ok((await world.listed(instance)).history.messages > 30);
			const get = async (path) => (await world.control('GET', path)).json;
			assert.ok((await get('/media')).files.some((f) => f.kind === 'history' && f.gets > 0));
			const { id } = (await get(`/phones/${phone.number}/history?messages=1`)).messages.find((m) => m.hasMedia);
			const file = () => world.request('GET', `/api/chat/base64/${instance.name}?messageId=${id}`,
			    { token: instance.account });
			assert.equal((await file()).status, 200);
			assert.equal(lab.around(), 0, name);
			// from the next dial on, which is the file's
			const r = await world.request('POST', `/api/instance/proxy/${instance.name}`,
			    { token: instance.account, json: { enabled: true, protocol: 'http', host: PROXY, port: PORTS.dead } });
			assert.equal(r.status, 200, r.text);
			const failed = await file();
			assert.equal(failed.status, 502, failed.text);
			assert.equal(failed.json.error.code, 'proxy_unreachable');
			assert.equal(lab.around(), 0, name);
		}
	});

	test('is looked after by wardenctl doctor the same way', async () => {
		const doctor = async (proxy) => {
			const { name } = await instanceWith(world, proxy);
			const r = await world.ctl(['doctor', name, '--json']);
			assert.ok(!r.stdout.includes(PASSWORD));
			return { code: r.code, ...Object.fromEntries(JSON.parse(r.stdout).map((c) => [c.check, c])) };
		};
		for (const proxy of Object.values(WAYS)) {
			const { whatsapp, clock } = await doctor(proxy);
			assert.equal(whatsapp.status, 'ok', JSON.stringify(whatsapp));
			assert.match(whatsapp.detail, new RegExp(`reached through ${proxy.protocol}://${PROXY}:${proxy.port} in \\d+ ms`));
			assert.equal(clock.status, 'ok', JSON.stringify(clock));
		}
		const wrong = await doctor({ ...WAYS['SOCKS5 with a password'], password: 'another' });
		assert.deepEqual([wrong.code, wrong.whatsapp.status], [1, 'failed']);
		assert.match(wrong.whatsapp.detail, /^proxy_auth: proxy .* refused the password, through socks5/);
		const dead = await doctor({ protocol: 'http', port: PORTS.dead });
		assert.match(dead.whatsapp.detail, /^proxy_unreachable: /);
		assert.equal(dead.clock.status, 'warning');
		assert.equal(lab.around(), 0);
	});

	test('finds a proxy by its name', async () => {
		const byName = await instanceWith(world, { ...WAYS.HTTPS, host: PROXY_NAME });
		assertQr(await world.connect(byName));
		assert.equal(lab.around(), 0);
	});

	for (const [name, proxy] of PASSWORD_WAYS) {
		test(`is told that the password for ${name} is wrong`, async () => {
			const instance = await instanceWith(world, { ...proxy, password: 'another' });
			const answer = await world.connect(instance);
			assertError(answer, 500, QR_FAILED, 'proxy_auth');
			assertNamesProxy(answer, proxy.port, / refused the password$/);
			assert.equal(lab.around(), 0);
		});

		test(`is told that ${name} wants one`, async () => {
			const instance = await instanceWith(world, { ...proxy, username: '', password: '' });
			const answer = await world.connect(instance);
			assertError(answer, 500, QR_FAILED, 'proxy_auth');
			assertNamesProxy(answer, proxy.port, / wants a user name and password$/);
			assert.equal(lab.around(), 0);
		});
	}

	for (const protocol of ['http', 'https', 'socks5'])
		test(`fails closed when its ${protocol} proxy is dead`, async () => {
			const instance = await instanceWith(world, { protocol, port: PORTS.dead });
			const answer = await world.connect(instance);
			assertError(answer, 500, QR_FAILED, 'proxy_unreachable');
			assertNamesProxy(answer, PORTS.dead, /refused/);
			assert.equal(lab.around(), 0);
		});

	test('fails closed when its proxy never answers', async () => {
		const began = Date.now();
		await Promise.all(['http', 'https', 'socks5'].map(async (protocol) => {
			const instance = await instanceWith(world, { protocol, port: PORTS.silent });
			const answer = await world.connect(instance);
			assertError(answer, 500, QR_FAILED, 'proxy_unreachable');
			assertNamesProxy(answer, PORTS.silent, /did not answer in time/);
		}));
		assert.ok(Date.now() - began < 11_000 * SLOWNESS);
		assert.equal(lab.around(), 0);
	});

	test('fails closed when a proxy speaks something else', async () => {
		for (const [protocol, port, text] of [
			['http', PORTS.socks, /closed the connection|is not an HTTP proxy/],
			['https', PORTS.socks, /TLS|closed the connection/],
		]) {
			const instance = await instanceWith(world, { protocol, port });
			const answer = await world.connect(instance);
			assertError(answer, 500, QR_FAILED, 'proxy_unreachable');
			assertNamesProxy(answer, port, text);
		}
		assert.equal(lab.around(), 0);
	});

	test('refuses an https proxy with a certificate for another host', async () => {
		await lab.stunnel(PORTS.wrongHost, PORTS.http, 'DNS:another.invalid');
		const instance = await instanceWith(world, { protocol: 'https', port: PORTS.wrongHost });
		const answer = await world.connect(instance);
		assertError(answer, 500, QR_FAILED, 'proxy_unreachable');
		assertNamesProxy(answer, PORTS.wrongHost, /certificate/);
		assert.equal(lab.around(), 0);
	});

	test('is told when the proxy can not find the target', async () => {
		const target = { wa_url: `ws://nowhere.warden.test:${SIM_PORT}/ws/chat` };
		const other = await startGatewayBeside(world, target);
		try {
			for (const proxy of [WAYS['HTTP CONNECT'], WAYS.SOCKS5, WAYS.HTTPS]) {
				const instance = await instanceWith(other, proxy);
				const answer = await other.connect(instance);
				assertError(answer, 500, QR_FAILED, 'proxy_unreachable');
				assertNamesProxy(answer, proxy.port, /./);
			}
			assert.equal(lab.around(), 0);
		} finally {
			await other.stop();
		}
	});

	test('comes back by itself when the proxy was away for a while, and only through it', async () => {
		const mortal = await lab.tinyproxy(PORTS.mortal);
		const instance = await instanceWith(world, { protocol: 'http', port: PORTS.mortal });
		const { phone, device } = await world.link(instance);
		await lab.end(mortal);
		const down = await world.until(instance, (i) => i.connection.state === 'connecting' &&
		    i.connection.lastError?.code === 'proxy_unreachable', { timeoutMs: 20_000 });
		assert.ok(down.connection.lastError.detail.startsWith(`proxy ${PROXY}:${PORTS.mortal}`));
		await lab.tinyproxy(PORTS.mortal);
		await world.until(instance, 'connected', { timeoutMs: 30_000 });
		assert.equal(lab.around(), 0);
		await world.unlink(phone, device);
	});

	for (const [name, proxy] of Object.entries(WAYS))
		test(`looks its client version up through ${name}`, async () => {
			const { json: before } = await world.control('GET', '/version');
			const other = await startGatewayBeside(world, { wa_version: 'auto' });
			try {
				await world.fault('registration', { kind: 'failure', code: 405 });
				await other.connect(await instanceWith(other, proxy));
				await world.clearFaults();
				const { json: now } = await world.control('GET', '/version');
				assert.ok(now.lookups > before.lookups, JSON.stringify({ before, now }));
				assert.equal(lab.around(), 0);
			} finally {
				await world.clearFaults();
				await other.stop();
			}
		});

	test('is told that a proxy has no name that can be found', async () => {
		const instance = await instanceWith(world, { ...WAYS.SOCKS5, host: 'no.warden.test' });
		const answer = await world.connect(instance);
		lab.mark(); // the name server was asked for the proxy's name, as it should
		assertError(answer, 500, QR_FAILED, 'proxy_unreachable');
		assert.ok(detailOf(answer).startsWith(`proxy no.warden.test:${PORTS.socks}: its name`), answer.text);
	});

	test('without a proxy sends packets that are counted: the way around is open', async () => {
		const other = await startGatewayBeside(world, { wa_url: `ws://${TARGET}:${SIM_PORT}/ws/chat` });
		try {
			lab.mark();
			assertQr(await other.connect(await other.newInstance()));
			assert.ok(lab.around() > 0);
		} finally {
			await other.stop();
		}
		lab.mark();
		const answer = await world.connect(await world.newInstance());
		assertError(answer, 500, QR_FAILED, 'dns');
		assert.ok(lab.around() > 0); // the question to a name server
		lab.mark();
	});
});

// Another gateway in the same lab, on the same simulator.
async function startGatewayBeside(world, settings) {
	const other = new World();
	other.simInfo = { ...world.simInfo };
	other.secrets = world.secrets;
	await other.startGateway({
		prefix: world.lab.prefix(world.lab.inside),
		settings: {
			listen: `${world.lab.gateway}:0`,
			wa_url: `ws://${TARGET_NAME}:${SIM_PORT}/ws/chat`,
			wa_ca_file: `${world.lab.dir}/ca.pem`,
			...settings,
		},
	});
	return other;
}

describe('TLS to WhatsApp inside a proxy', { skip }, () => {
	let world;

	before(async () => {
		world = await startLab({ tls: true });
	});
	after(() => world !== undefined && stopLab(world));

	for (const [name, proxy] of Object.entries(WAYS))
		test(`runs through ${name}`, async () => {
			const instance = await instanceWith(world, proxy);
			const { phone, device } = await world.link(instance);
			await world.unlink(phone, device);
			assert.equal(world.lab.around(), 0);
		});
});
