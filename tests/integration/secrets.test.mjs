// tests/integration/secrets.test.mjs - known secrets, a whole life of an instance, and where they are found
//
// Nowhere: not in files, logs, arguments, environments, nor in what a core file would hold of the gateway and its
// workers. What stays must stay in memory that is locked and left out of core files; there it is found, which shows
// that the look works. Two things are allowed: a code while it is shown, and a proxy's user name in the gateway,
// which getProxy and list answer with.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { World, assertQr, eventually, folder, PLAIN, proc, Program } from './harness.mjs';
import { call, clientOf, sleep, strike } from './linked.mjs';
import * as scan from './scan.mjs';
import { deriveKey, sessionKeys } from './vault.mjs';

const isRoot = process.getuid() === 0;
const memorySkip = isRoot ? false : 'looking into other processes needs root';
// The sanitizers' heap keeps what was freed, and mlock() does nothing there.
const plainTest = PLAIN ? test : () => {};
const looksIntoMemory = PLAIN && isRoot;

const canary = (what) => `canary-${what}-${randomBytes(9).toString('hex')}`;

// An HTTP proxy that lets this user name and password through.
async function startProxy(username, password) {
	const wanted = Buffer.from(`${username}:${password}`).toString('base64');
	const sockets = new Set();
	const server = net.createServer((client) => {
		sockets.add(client);
		client.on('error', () => client.destroy()).once('data', (head) => {
			const target = head.toString().match(/^CONNECT (\S+):(\d+) /);
			if (target === null || !head.toString().includes(wanted)) {
				client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
				return;
			}
			const server = net.connect(Number(target[2]), target[1]);
			server.on('error', () => client.destroy()).on('close', () => client.destroy());
			client.on('close', () => server.destroy());
			client.write('HTTP/1.1 200 OK\r\n\r\n');
			client.pipe(server).pipe(client);
		});
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {
		port: server.address().port,
		cut() { // what goes through it
			sockets.forEach((s) => s.destroy());
			sockets.clear();
		},
		stop() {
			server.close();
			this.cut();
		},
	};
}

// ---- the look itself ------------------------------------------------------------------------------

describe('the look for secrets', { skip: memorySkip }, () => {
	const secret = canary('planted');
	const all = scan.needles({ secret });

	test('finds a planted one in memory, environment and arguments, in every form', async () => {
		const planted = all.map(({ bytes }) => `<${bytes.toString('latin1')}>`);
		const child = spawn('sleep', ['30', ...planted.map(() => '0')], { env: { PLANTED: planted.join('') }, stdio: 'ignore' });
		const named = spawn('sh', ['-c', 'read line', ...planted], { stdio: ['pipe', 'ignore', 'ignore'] });
		await Promise.all([once(child, 'spawn'), once(named, 'spawn')]);
		const forms = (found) => [...new Set(found.map((f) => f.form))].sort();
		const every = forms(all);
		await eventually(() => proc.cmdline(child.pid)?.[0] === 'sleep' && proc.cmdline(named.pid)?.[0] === 'sh');
		assert.deepEqual(forms(scan.findInMemory(child.pid, all)), every);
		assert.deepEqual(forms(scan.findIn(readFileSync(`/proc/${child.pid}/environ`), all)), every);
		assert.deepEqual(forms(scan.findIn(readFileSync(`/proc/${named.pid}/cmdline`), all)), every);
		child.kill('SIGKILL');
		named.kill('SIGKILL');
	});

	test('finds one in a file, however deep, and at each place in base64', () => {
		for (let lead = 0; lead < 3; lead++) {
			const text = Buffer.from(`${'x'.repeat(lead)}${secret}!`).toString('base64');
			assert.equal(scan.findIn(Buffer.from(text), all).length, 1, text);
		}
		const world = new World();
		const deep = join(world.dir, 'a', 'b');
		mkdirSync(deep, { recursive: true });
		writeFileSync(join(deep, 'f'), `...${Buffer.from(secret).reverse()}`);
		assert.equal(scan.findInFiles([world.dir], all)[0].form, 'reversed');
		return world.stop();
	});
});

// ---- a life ---------------------------------------------------------------------------------------

describe('a life of an instance', () => {
	const master = randomBytes(32);
	const secrets = { master, 'registry key': deriveKey(master, 'registry') };
	const username = canary('user'), password = canary('password');
	let world, proxy, account, instance, phone;

	// The processes and what they are.
	const programs = () => [['wardend', world.gateway.pid], ['zygote', world.zygote()],
		...world.workers().map(({ pid }) => ['worker', pid])].filter(([, pid]) => pid !== undefined);

	// may: (where, finding) => it has its place there now.
	function assertNowhere(moment, { extra = {}, may = () => false } = {}) {
		const all = scan.needles({ ...secrets, 'proxy user': username, 'proxy password': password, ...extra });
		const found = [];
		const note = (where, findings) => found.push(...findings.filter((f) => !may(where, f))
		    .map((f) => `${where}: ${f.secret} (${f.form}) ${f.where ?? ''} ${f.around ?? ''}`));
		for (const [name, pid] of programs()) {
			try {
				note(`${name} arguments`, scan.findIn(readFileSync(`/proc/${pid}/cmdline`), all));
				if (isRoot)
					note(`${name} environment`, scan.findIn(readFileSync(`/proc/${pid}/environ`), all));
				if (looksIntoMemory)
					note(name, scan.findInMemory(pid, all)
					    .filter((f) => !(name === 'wardend' && f.secret === 'proxy user')));
			} catch (error) {
				if (proc.isRunning(pid)) // else it has left meanwhile
					throw error;
			}
		}
		note('files', scan.findInFiles([world.dataDir, world.runDir], all));
		for (const p of world.programs.filter(({ name }) => name !== 'warden-sim'))
			note(`${p.name} log`, scan.findIn(Buffer.from(p.stderr), scan.needles({ ...secrets, ...extra,
				'proxy user': username, 'proxy password': password, 'phone number': phone?.number ?? 'none yet' })));
		assert.deepEqual(found, [], moment);
	}

	// A code is known to the gateway while it is shown, and what comes next to the worker.
	const shown = (where, { secret }) => (where === 'wardend' && ['qr', 'ref', 'adv secret', 'pairing code'].includes(secret)) ||
		(where === 'worker' && secret === 'ref');

	// No waiting for the backoff's next try. Whether there is such a connection.
	async function tryNow(question) {
		await call(world, instance, 'POST', 'reconnect');
		return (await world.clients()).some(question);
	}

	// On another connection than this one.
	async function onlineAgain(id) {
		await eventually(async () => (await world.online()).some((c) => c.number === phone.number && c.id !== id),
		    { timeoutMs: 15_000, what: 'online again' });
		await world.until(instance, 'connected');
	}

	function codeOf(answer) {
		const { qrCode } = assertQr(answer);
		const [ref, , , adv] = qrCode.slice(qrCode.indexOf('#') + 1).split(',');
		return { qr: qrCode, ref, 'adv secret': Buffer.from(adv, 'base64') };
	}

	before(async () => {
		world = new World();
		await world.startSim({ tls: true });
		proxy = await startProxy(username, password);
		const keyFile = join(world.dir, 'master');
		writeFileSync(keyFile, `${master.toString('hex')}\n`, { mode: 0o600 });
		mkdirSync(join(world.dir, 'cwd'));
		secrets['redis password'] = canary('redis');
		await world.startGateway({
			settings: { master_key_file: keyFile },
			env: { WARDEN_REDIS_URL: `redis://:${secrets['redis password']}@127.0.0.1:1/0` },
			cwd: join(world.dir, 'cwd'),
			prefix: ['prlimit', '--core=unlimited'],
		});
		account = await world.newAccount();
		secrets['account token'] = account.token;
		phone = await world.newPhone({ number: '5519912345678' });
	});
	after(() => world.stop().finally(() => proxy.stop()));

	test('is made with a token and a proxy of its own', async () => {
		secrets.token = canary('token');
		instance = await world.newInstance({ token: account.token, body: { token: secrets.token, proxyEnabled: true,
			proxyHost: '127.0.0.1', proxyPort: proxy.port, proxyProtocol: 'http', proxyUsername: username,
			proxyPassword: password } });
		assertNowhere('made');
	});

	test('is linked by QR through its proxy', async () => {
		const answer = await world.connect(instance);
		const code = codeOf(answer);
		assertNowhere('code', { extra: code, may: shown });
		assert.equal((await world.scan(phone, answer.json.qrCode)).status, 200);
		await world.until(instance, 'connected');
		Object.assign(secrets, code);
		Object.assign(secrets, sessionKeys(join(world.dataDir, 'instances', instance.id, 'session.db'), master, instance.id));
		await eventually(() => world.gateway.events('online').length > 0);
		await sleep(300); // what a worker trims after its login
		assertNowhere('online');
	});

	plainTest('keeps its keys where no core file and no swap has them', { skip: memorySkip }, () => {
		const [{ pid }] = world.workers(instance);
		const found = new Set(scan.findInMemory(pid, scan.needles(secrets), { dumped: scan.isSecretMemory }).map((f) => f.secret));
		for (const name of ['noise_key', 'identity_key', 'signed_prekey', 'instanceKey'])
			assert.ok(found.has(name), `${name} is not in the worker's secret memory: the look is blind`);
		const gateway = new Set(scan.findInMemory(world.gateway.pid, scan.needles({ master, password }),
		    { dumped: scan.isSecretMemory }).map((f) => f.secret));
		assert.deepEqual([...gateway].sort(), ['master', 'password']);
		assert.equal(world.gateway.events('secrets_not_locked').length, 0);
	});

	test('comes back after a lost connection, and gets new tokens and another proxy password', async () => {
		const { id } = await strike(world, phone, { kind: 'close' });
		await onlineAgain(id);
		const rotated = await call(world, instance, 'POST', 'token');
		assert.equal(rotated.status, 200, rotated.text);
		secrets['new token'] = rotated.json.instance?.token ?? rotated.json.token;
		world.secrets.add(secrets['new token']);
		secrets['wrong password'] = canary('wrong');
		const set = await call(world, instance, 'POST', 'proxy', { password: secrets['wrong password'] });
		assert.equal(set.status, 200, set.text);
		const back = await call(world, instance, 'POST', 'proxy', { password });
		assert.equal(back.status, 200, back.text);
		assertNowhere('changed');
	});

	for (const stage of ['tls', 'handshake', 'login'])
		plainTest(`is caught in the middle of its ${stage}`, async () => {
			const { id: was } = await clientOf(world, phone);
			await world.fault(stage, { kind: 'stall' });
			try {
				proxy.cut();
				await eventually(() => tryNow((c) => c.id > was), { what: 'the next try' });
				await sleep(300);
				assertNowhere(`in the middle of ${stage}`);
			} finally {
				await world.clearFaults();
			}
			proxy.cut();
			await eventually(() => tryNow((c) => c.number === phone.number && c.stage === 'online' && c.id > was),
			    { timeoutMs: 15_000, what: 'online again' });
			await world.until(instance, 'connected');
		});

	test('is followed by wardenctl, whose environment does not keep the token', async () => {
		const ctl = new Program('wardenctl', ['status', instance.name, '--watch'],
		    { env: { WARDEN_URL: world.base, WARDEN_TOKEN: secrets['new token'] } });
		world.programs.push(ctl);
		await eventually(() => ctl.stdout.includes(instance.name), { what: 'the first line' });
		const all = scan.needles(secrets);
		assert.deepEqual(scan.findIn(readFileSync(`/proc/${ctl.pid}/cmdline`), all), []);
		const environ = proc.environ(ctl.pid);
		assert.ok(environ.some((line) => line.startsWith('WARDEN_URL=')));
		assert.deepEqual(scan.findIn(Buffer.from(environ.join('\n')), all), []);
		ctl.kill();
		await ctl.waitExit();
	});

	test('another is asked for a pairing code, which is shown, used, and gone', async () => {
		const other = await world.newInstance({ token: account.token });
		secrets['other token'] = other.token;
		const theirs = await world.newPhone();
		const answer = await world.connect(other, { query: `?number=${theirs.number}` });
		assert.equal(answer.status, 200, answer.text);
		const code = { 'pairing code': answer.json.pairingCode };
		assertNowhere('pairing code', { extra: code, may: shown });
		const typed = await world.control('POST', `/phones/${theirs.number}/code`, { code: answer.json.pairingCode });
		assert.equal(typed.status, 200, typed.text);
		await world.until(other, 'connected');
		Object.assign(secrets, code);
		for (const [name, key] of Object.entries(sessionKeys(join(world.dataDir, 'instances', other.id, 'session.db'), master, other.id)))
			secrets[`other ${name}`] = key;
		await sleep(300);
		assertNowhere('linked by code');
	});

	test('a crash of its worker, by whatever signal, leaves no core file', async () => {
		const cwd = join(world.dir, 'cwd');
		const control = spawn('sh', ['-c', 'ulimit -c unlimited; kill -SEGV $$'], { cwd, stdio: 'ignore' });
		await once(control, 'exit');
		const cores = () => folder(cwd).filter((name) => name.startsWith('core'));
		const dumps = cores().length > 0; // where the kernel is told to write them here
		execFileSync('sh', ['-c', 'rm -f core*'], { cwd });
		for (const signal of ['SIGSEGV', 'SIGABRT']) {
			const [{ pid }] = world.workers(instance);
			const dir = isRoot ? readlinkSync(`/proc/${pid}/cwd`) : cwd;
			assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
			const before = world.gateway.events('online').length;
			process.kill(pid, signal);
			await eventually(() => world.gateway.events('online').length > before, { what: 'online again' });
			assert.notEqual(world.workers(instance)[0].pid, pid);
			assert.deepEqual([...cores(), ...readdirSync(dir).filter((name) => /^core(\.\d+)?$/.test(name))], []);
		}
		assert.match(readFileSync(`/proc/${world.gateway.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
		assertNowhere(`crashed (core files ${dumps ? 'would have shown' : 'go elsewhere'})`);
	});

	test('the gateway is killed, and the next one takes over', async () => {
		const pids = world.workers().map(({ pid }) => pid).sort();
		world.gateway.kill('SIGKILL');
		await world.gateway.waitExit();
		await world.startGateway({ settings: { master_key_file: join(world.dir, 'master') } });
		await world.until(instance, 'connected');
		assert.deepEqual(world.workers().map(({ pid }) => pid).sort(), pids);
		assertNowhere('taken over');
	});

	test('is logged out and deleted: nothing is left', async () => {
		assert.equal((await call(world, instance, 'DELETE', 'logout')).status, 200);
		assertNowhere('logged out');
		assert.equal((await call(world, instance, 'DELETE', 'delete')).status, 200);
		await eventually(() => world.workers(instance).length === 0, { what: 'no worker' });
		assert.deepEqual(folder(join(world.dataDir, 'instances')).includes(instance.id), false);
		assertNowhere('deleted');
	});
});
