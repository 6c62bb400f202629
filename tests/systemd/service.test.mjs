// tests/systemd/service.test.mjs - the Debian package under a systemd of its own: installed, killed, hung,
// reloaded, upgraded, removed; workers as units
//
// One machine for all of it, in order: each step finds what the one before has left.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Machine, impossible } from './machine.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = resolve(HERE, '../..');
const BUILD = resolve(process.env.WARDEN_BUILD ?? 'build');
const CONF = '/etc/warden/warden.conf';
const ROOT_KEY_SETTINGS = (key) => `WARDEN_WA_URL=ws://127.0.0.1:7443/ws/chat\nWARDEN_WA_ROOT_KEY=${key}\n` +
    'WARDEN_WA_VERSION=2.3000.1030000000\n';
const KILLS = 10;
const WORST_MS = 3000; // some 200 on a machine that does nothing else

const debug = process.env.WARDEN_DEBUG ? console.error : () => {};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// The package, from the build that is there.
function pack(top) {
	const tree = join(top, 'tree');
	for (const folder of ['debian', 'systemd'])
		cpSync(join(SOURCE, folder), join(tree, folder), { recursive: true });
	const made = spawnSync('dpkg-buildpackage', ['-us', '-uc', '-b', '-d'], { cwd: tree, encoding: 'utf8',
		env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', WARDEN_PREBUILT: BUILD, DEB_BUILD_OPTIONS: 'nocheck noautodbgsym' } });
	assert.equal(made.status, 0, made.stdout + made.stderr);
	return join(top, readdirSync(top).find((name) => /^warden_.*\.deb$/.test(name)));
}

// The same with a higher version and another byte in the gateway.
function packNewer(top, deb) {
	const tree = join(top, 'newer');
	const sh = (script) => {
		const got = spawnSync('sh', ['-ec', script], { encoding: 'utf8' });
		assert.equal(got.status, 0, got.stderr);
	};
	sh(`dpkg-deb -R '${deb}' '${tree}'`);
	sh(`sed -i 's/^Version: .*/&.1/' '${tree}/DEBIAN/control'; printf x >>'${tree}/usr/sbin/wardend'`);
	sh(`dpkg-deb -b --root-owner-group '${tree}' '${top}/newer.deb'`);
	return join(top, 'newer.deb');
}

const why = impossible();

describe('the service', { skip: why }, () => {
	let top, deb, m, token;
	let filesBefore;

	const asUser = (user, script) => m.sh(`setpriv --reuid=${user} --regid=$(id -g ${user}) --clear-groups sh -c '${script}'`);
	const api = (method, path, body) => JSON.parse(m.must(`curl --silent --max-time 40 --request ${method} ` +
	    `--header 'token: ${token}' ${body ? `--data '${JSON.stringify(body)}'` : ''} http://127.0.0.1:8080${path}`, { timeout: 120_000 }));
	const sim = (path, body) => JSON.parse(m.must(`curl --silent --max-time 40 ${body ? `--data '${JSON.stringify(body)}'` : ''} ` +
	    `http://127.0.0.1:7444${path}`, { timeout: 120_000 }));
	const state = (name) => api('GET', '/api/instance/list').instances.find((i) => i.name === name)?.connection.state;
	const connected = (name) => m.until(() => state(name) === 'connected', `${name} is connected`);
	// connections to WhatsApp, with the time each began
	const connections = () => sim('/clients').filter((c) => c.stage === 'online')
	    .map((c) => `${c.number} ${c.id} ${c.connectedAt}`).sort();
	const settings = (more) => {
		const key = JSON.parse(readFileSync(m.path('/run/sim.json'), 'utf8')).rootKey;
		m.write(CONF, ROOT_KEY_SETTINGS(key) + more);
	};
	// what has Warden's name, or a user's that it brought
	const everyFile = (uid) => new Set(m.must('find /etc /var /run /usr/bin /usr/sbin /usr/lib/systemd /usr/lib/sysusers.d ' +
	    '/usr/lib/tmpfiles.d /usr/libexec /usr/share/polkit-1 /usr/share/doc \\( -path /var/log -o -path /run/log ' +
	    '-o -path /var/lib/dpkg/info \\) -prune -o \\( -iname "*warden*" ' +
	    `-o -uid ${uid} -o -gid ${uid} -o -uid +61183 -a -uid -65520 \\) -print`).split('\n'));
	// the newest entry of the journal that its worker made
	const workerOf = (name) => {
		const { id } = api('GET', '/api/instance/list').instances.find((i) => i.name === name);
		return m.journal(`INSTANCE=${id}`, 'EVENT=online', 'SYSLOG_IDENTIFIER=warden-worker').at(-1);
	};
	const link = async (name, number) => {
		api('POST', '/api/instance/new', { name });
		sim('/phones', { number });
		const { qrCode } = api('GET', `/api/instance/connect/${name}`);
		assert.equal(typeof qrCode, 'string');
		sim(`/phones/${number}/scan`, { qr: qrCode });
		await connected(name);
	};
	const doctor = (name = '') => {
		const got = m.sh(`wardenctl doctor ${name} --json`);
		assert.notEqual(got.stdout, '', got.stderr);
		return { status: got.status, ...Object.fromEntries(JSON.parse(got.stdout).map((c) => [c.check, c])) };
	};
	const withLoad = async (during) => {
		const load = m.spawnInNetwork(process.execPath, [join(HERE, 'load.mjs'), '8080', '8'],
		    { stdio: ['ignore', 'pipe', 'inherit'] });
		let said = '';
		load.stdout.setEncoding('utf8').on('data', (text) => (said += text));
		const closed = new Promise((done) => load.once('close', done));
		try {
			await sleep(200);
			await during();
			await sleep(200);
		} finally {
			load.kill('SIGTERM');
			await closed;
		}
		const seen = JSON.parse(said);
		debug(said);
		assert.ok(seen.answered > 50, said);
		assert.equal(seen.refused, 0, said);
		assert.equal(seen.other, 0, said);
		assert.ok(seen.worstMs <= WORST_MS, said);
		return seen;
	};

	before(async () => {
		top = mkdtempSync(join(tmpdir(), 'warden-package-'));
		deb = pack(top);
		m = await Machine.boot();
		m.copy(deb, '/root/warden.deb');
		m.must('systemctl start dbus.service polkit.service');
		filesBefore = everyFile(61184);
	});
	after(async () => {
		await m?.stop();
		if (top)
			rmSync(top, { recursive: true, force: true });
	});

	it('holds guides and what they lead to; nothing in it is for others to write, or more than a program', () => {
		const got = spawnSync('dpkg-deb', ['--contents', deb], { encoding: 'utf8' });
		assert.equal(got.status, 0, got.stderr);
		const files = got.stdout.trim().split('\n').map((line) => line.split(/\s+/)).filter(([mode]) => mode[0] !== 'd');
		const docs = files.map((f) => f[5]).filter((path) => path.startsWith('./usr/share/doc/warden/')).map((path) => path.slice(23));
		for (const name of ['README.md', 'ARCHITECTURE.md', 'warden.conf', 'docs/operators.md', 'docs/integrators.md', 'systemd/README.md',
			'contrib/README.md', 'contrib/grafana/warden.json', 'contrib/prometheus/warden.rules.yml'])
			assert.ok(docs.includes(name), `${name}: ${docs.join(' ')}`);
		for (const [mode, owner, , , , path] of files)
			assert.ok(owner === 'root/root' && ['-rw-r--r--', '-rwxr-xr-x'].includes(mode), `${mode} ${owner} ${path}`);
		assert.ok(files.some((f) => f[5] === './etc/warden/warden.conf'));
	});

	it('is not started with settings that can\'t be used', () => {
		m.must('mkdir -p /etc/warden');
		m.write(CONF, 'WARDEN_LIMIT_PER_MINUTE=many\n');
		const got = m.sh('dpkg --force-confold -i /root/warden.deb');
		assert.equal(got.status, 0, got.stderr);
		assert.match(got.stderr, /limit_per_minute/);
		assert.match(got.stderr, /not started/);
		assert.equal(m.show('wardend.service', 'ActiveState'), 'inactive');
		assert.equal(m.show('wardend.socket', 'ActiveState'), 'inactive');
		m.must('dpkg --purge warden');
	});

	it('installs, starts by itself, is enabled, says how it is', () => {
		m.must('install -d -m 0700 /etc/credstore && head -c 32 /dev/urandom >/etc/credstore/master_key && chmod 0600 /etc/credstore/master_key');
		m.must('dpkg -i /root/warden.deb');
		assert.equal(m.show('wardend.service', 'ActiveState'), 'active');
		assert.equal(m.show('wardend.service', 'Type'), 'notify');
		assert.match(m.show('wardend.service', 'StatusText'), /^127\.0\.0\.1:8080: 0 workers/);
		assert.equal(m.must('systemctl is-enabled wardend.service wardend.socket'), 'enabled\nenabled');
		assert.match(m.must('curl --silent http://127.0.0.1:8080/health'), /"status":"ok"/);
		assert.equal(m.must('stat -c %U:%a /var/lib/warden /run/warden/admin.sock'), 'warden:711\nwarden:600');
	});

	it('takes the master key from systemd\'s credentials', () => {
		assert.equal(m.exists('/var/lib/warden/master.key'), false);
		assert.deepEqual(m.journal('EVENT=master_key_made'), []);
		assert.deepEqual(m.journal('EVENT=master_key_readable_by_others'), []);
	});

	it('its units, as installed, please systemd', () => {
		assert.equal(m.sh('systemd-analyze verify wardend.service wardend.socket warden-worker@abcdefgh234567ab.service ' +
		    'warden-worker@abcdefgh234567ab.socket warden-folders.service warden.slice warden-workers.slice 2>&1').stdout, '');
		assert.equal(m.must('systemctl --failed --no-legend'), '');
	});

	it('links an account, with a worker of the zygote', async () => {
		m.must('systemd-run --quiet --unit=sim --property=StandardOutput=file:/run/sim.json ' +
		    '/usr/bin/warden-sim --listen 127.0.0.1:7443 --control 127.0.0.1:7444 --seed 4');
		await m.until(() => m.exists('/run/sim.json') && readFileSync(m.path('/run/sim.json'), 'utf8').includes('rootKey'), 'simulator');
		settings('');
		m.must('systemctl restart wardend.service');
		token = JSON.parse(m.must('wardenctl account create acme --json')).token;
		await link('shop', '5511999990001');
	});

	it('is well, says wardenctl doctor', () => {
		const found = doctor('shop');
		assert.equal(found.status, 0, JSON.stringify(found));
		assert.match(found.master_key.detail, /systemd's credential\) is the registry's key/);
		assert.match(found.whatsapp.detail, /^127\.0\.0\.1:7443 reached directly/);
		assert.match(found.sandbox.detail, /seccomp hold; workers run as the gateway's user/);
	});

	it('knows what its workers cost, though /proc is closed to it', () => {
		const [worker] = JSON.parse(m.must('wardenctl worker list --json')).workers ?? JSON.parse(m.must('wardenctl worker list --json'));
		assert.ok(worker.pssKiB > 0 && worker.rssKiB >= worker.pssKiB, JSON.stringify(worker));
		assert.match(m.must(`grep hidepid /proc/${m.mainPid('wardend.service')}/mounts`), /hidepid=invisible|hidepid=2/);
	});

	it('its journal has fields', () => {
		const [made] = m.journal('EVENT=instance_created');
		assert.equal(made._SYSTEMD_UNIT, 'wardend.service');
		assert.equal(made.SYSLOG_IDENTIFIER, 'wardend');
		assert.equal(made.WARDEN_NAME, 'shop');
		assert.match(made.INSTANCE, /^[a-z2-7]{16}$/);
		const [online] = m.journal(`INSTANCE=${made.INSTANCE}`, 'EVENT=online', 'SYSLOG_IDENTIFIER=warden-worker');
		assert.equal(online._COMM, 'warden-worker');
		assert.equal(online.PRIORITY, '5');
		assert.deepEqual(m.journal('EVENT=clone_refused'), []);
		const [request] = m.journal('EVENT=http_request', 'WARDEN_PATH=/api/instance/new');
		assert.match(request.REQUEST_ID, /^[0-9a-f]+$/);
	});

	it(`killed ${KILLS} times under load it is back: nobody refused, no session touched`, async () => {
		const sessions = connections();
		assert.equal(sessions.length, 1);
		await withLoad(async () => {
			for (let i = 0; i < KILLS; i++) {
				const pid = m.mainPid('wardend.service');
				m.must('systemctl kill --kill-who=main --signal=KILL wardend.service');
				await m.until(() => ![0, pid].includes(m.mainPid('wardend.service')) &&
				    m.show('wardend.service', 'ActiveState') === 'active', 'the next gateway');
			}
		});
		await connected('shop');
		assert.deepEqual(connections(), sessions);
		assert.equal(Number(m.show('wardend.service', 'NRestarts')) >= KILLS, true);
	});

	it('restarted under load it has new settings, and no session is touched', async () => {
		const sessions = connections(), pid = m.mainPid('wardend.service');
		settings('WARDEN_LIMIT_PER_MINUTE=4321\n');
		await withLoad(() => m.must('systemctl restart wardend.service'));
		assert.notEqual(m.mainPid('wardend.service'), pid);
		assert.match(m.must(`curl --silent --include --header 'token: ${token}' http://127.0.0.1:8080/api/instance/list`),
		    /X-RateLimit-Limit: 4321/i);
		await connected('shop');
		assert.deepEqual(connections(), sessions);
	});

	it('hung, it is replaced by the watchdog', async () => {
		const sessions = connections();
		m.must('mkdir -p /run/systemd/system/wardend.service.d');
		m.write('/run/systemd/system/wardend.service.d/test.conf', '[Service]\nWatchdogSec=3\n');
		m.must('systemctl daemon-reload && systemctl kill --kill-who=main --signal=KILL wardend.service');
		await m.until(() => m.show('wardend.service', 'WatchdogUSec') === '3s' &&
		    m.show('wardend.service', 'ActiveState') === 'active', 'a watched gateway');
		const pid = m.mainPid('wardend.service');
		await sleep(4500); // well, it is left alone
		assert.equal(m.mainPid('wardend.service'), pid);
		m.must(`kill -STOP ${pid}`);
		await m.until(() => ![0, pid].includes(m.mainPid('wardend.service')) &&
		    m.show('wardend.service', 'ActiveState') === 'active', 'the next gateway');
		assert.match(m.must('journalctl --no-pager _PID=1'), /wardend\.service: Watchdog timeout/);
		m.must('rm -r /run/systemd/system/wardend.service.d && systemctl daemon-reload');
		m.must('systemctl kill --kill-who=main --signal=KILL wardend.service');
		await connected('shop');
		assert.deepEqual(connections(), sessions);
	});

	it('reloaded under load it is the next program, with the pid it had', async () => {
		await m.until(() => m.show('wardend.service', 'ActiveState') === 'active', 'the gateway');
		const sessions = connections(), pid = m.mainPid('wardend.service');
		const readies = m.journal('EVENT=ready', `_PID=${pid}`).length;
		await withLoad(async () => {
			m.must('systemctl reload wardend.service');
			await m.until(() => m.journal('EVENT=ready', `_PID=${pid}`).length > readies, 'ready again');
		});
		assert.equal(m.mainPid('wardend.service'), pid);
		assert.equal(m.show('wardend.service', 'ActiveState'), 'active');
		await connected('shop');
		assert.deepEqual(connections(), sessions);
	});

	it('is backed up as the guide says, without touching a session, and restored', async () => {
		const guide = readFileSync(join(SOURCE, 'docs/operators.md'), 'utf8');
		const sample = (name) => guide.match(new RegExp(`<!-- sample: ${name} -->\n\`\`\`sh\n([\\s\\S]*?)^\`\`\`$`, 'm'))[1];
		const names = () => api('GET', '/api/instance/list').instances.map(({ name }) => name).sort();
		const sessions = connections();
		m.must(sample('backup.sh'));
		await connected('shop');
		assert.deepEqual(connections(), sessions);
		assert.match(m.must('tar -tf /var/backups/warden/registry.tar'), /^registry\.db$/m);
		api('POST', '/api/instance/new', { name: 'later' });
		assert.deepEqual(names(), ['later', 'shop']);
		m.must(sample('restore.sh'));
		assert.deepEqual(names(), ['shop']);
		await connected('shop');
		m.must('rm -r /var/backups/warden /etc/systemd/system/wardend.service.d && systemctl daemon-reload');
	});

	it('a worker can be a unit, with a user of its own', async () => {
		settings('WARDEN_WORKER_RUNNER=systemd\n');
		m.must('systemctl restart wardend.service');
		await link('store', '5511999990002');
		const { id } = api('GET', '/api/instance/list').instances.find((i) => i.name === 'store');
		const unit = `warden-worker@${id}.service`, pid = m.mainPid(unit), folder = `/var/lib/warden/instances/${id}`;
		assert.equal(m.must(`tr '\\0' ' ' </proc/${pid}/cmdline`), `warden-worker --instance ${id} --dir ${folder}`);
		assert.equal(m.must(`wc -c </proc/${pid}/environ`), '0');
		assert.equal(m.must(`readlink /proc/${pid}/exe`), '/usr/libexec/warden/warden-worker');
		const uids = m.must(`sed -n 's/^Uid:\\t//p' /proc/${pid}/status`).split('\t');
		assert.equal(new Set(uids).size, 1);
		assert.ok(Number(uids[0]) >= 61184 && Number(uids[0]) <= 65519, uids[0]);
		assert.equal(m.must(`stat -c %u:%G:%a ${folder}`), `${uids[0]}:warden:2770`);
		assert.equal(m.must(`stat -c %U:%a /run/warden/w-${id}.sock`), 'warden:600');
		assert.equal(m.show(unit, 'MemoryMax'), String(64 << 20));
		assert.equal(m.show(unit, 'Slice'), 'warden-workers.slice');
		assert.deepEqual(m.journal('EVENT=sandbox_incomplete', '_COMM=warden-worker'), []);
		const found = doctor('store');
		assert.equal(found.status, 0, JSON.stringify(found));
		assert.match(found.whatsapp.detail, /^127\.0\.0\.1:7443 reached directly/);
		assert.match(found.sandbox.detail, /seccomp hold; workers run as users of their own/);
		await m.until(() => m.must('systemctl list-units --all --no-legend --plain "warden-worker@wardenprobe22222*" || true') === '',
		    'the end of the one that was sent out');
	});

	it('workers that are units survive the gateway\'s stop, and are started again when they crash', async () => {
		const sessions = connections().filter((c) => c.startsWith('5511999990002'));
		assert.equal(sessions.length, 1);
		m.must('systemctl stop wardend.service wardend.socket');
		await sleep(300);
		assert.deepEqual(connections().filter((c) => c.startsWith('5511999990002')), sessions);
		m.must('systemctl start wardend.service');
		await connected('store');
		assert.deepEqual(connections().filter((c) => c.startsWith('5511999990002')), sessions);
		const { id } = api('GET', '/api/instance/list').instances.find((i) => i.name === 'store');
		const unit = `warden-worker@${id}.service`, pid = m.mainPid(unit);
		m.must(`kill -KILL ${pid}`);
		await m.until(() => ![0, pid].includes(m.mainPid(unit)), 'the next worker');
		await connected('store');
		m.must('systemctl restart dbus.service');
		await m.until(() => m.journal('EVENT=system_bus_lost').length > 0 && state('store') === 'connected', 'a new bus');
		await connected('shop');
	});

	it('workers that hang are replaced by the next gateway as well', async () => {
		// a child of the gateway's zygote, and one that only systemd may kill
		const pids = ['shop', 'store'].map((name) => workerOf(name)._PID);
		for (const pid of pids)
			m.must(`kill -STOP ${pid}`);
		m.must('systemctl kill --kill-who=main --signal=KILL wardend.service');
		await m.until(() => pids.every((pid) => !m.exists(`/proc/${pid}`)), 'their end', 60_000);
		await m.until(() => state('shop') === 'connected' && state('store') === 'connected', 'both are connected again', 60_000);
	});

	it('its user may start and stop those units, and no others', () => {
		const may = (verb, unit) => asUser('warden', `systemctl --no-ask-password ${verb} ${unit}`).status === 0;
		const unit = 'warden-worker@abcdefgh234567ab.socket';
		assert.equal(may('start', unit), true);
		assert.equal(m.show(unit, 'ActiveState'), 'active');
		assert.equal(may('stop', unit), true);
		assert.equal(m.show(unit, 'ActiveState'), 'inactive');
		assert.equal(may('restart', unit), false);
		assert.equal(may('stop', 'wardend.service'), false);
		assert.equal(may('stop', 'sim.service'), false);
		assert.equal(may('start', 'warden-worker@x.socket'), false);
		assert.equal(may('start', 'systemd-tmpfiles-clean.service'), false);
		assert.equal(may('daemon-reload', ''), false);
		assert.equal(asUser('nobody', 'true').status, 0);
		assert.equal(asUser('nobody', `systemctl --no-ask-password start ${unit}`).status === 0, false);
	});

	it('upgraded under load: the same pid, no session touched', async () => {
		await connected('shop');
		await connected('store');
		const sessions = connections(), pid = m.mainPid('wardend.service');
		const workers = m.must('pgrep -x warden-worker').split('\n').length;
		assert.equal(sessions.length, 2);
		m.copy(packNewer(top, deb), '/root/newer.deb');
		await withLoad(async () => {
			m.must('dpkg --force-confold -i /root/newer.deb', { timeout: 120_000 });
			await sleep(300);
		});
		assert.match(m.must('dpkg-query -W -f \'${Version}\' warden'), /\.1$/);
		assert.equal(m.mainPid('wardend.service'), pid);
		await m.until(() => m.must(`readlink /proc/${pid}/exe`) === '/usr/sbin/wardend', 'the new program'); // not "(deleted)"
		await connected('shop');
		await connected('store');
		assert.deepEqual(connections(), sessions);
		assert.ok(m.must('pgrep -x warden-worker').split('\n').length >= workers - 1); // a zygote may come or go
	});

	it('deleted, an instance leaves neither unit nor folder', async () => {
		const { id } = api('GET', '/api/instance/list').instances.find((i) => i.name === 'store');
		assert.equal(api('DELETE', '/api/instance/delete/store').success, true);
		await m.until(() => m.show(`warden-worker@${id}.socket`, 'ActiveState') === 'inactive' &&
		    !m.exists(`/var/lib/warden/instances/${id}`) && !m.exists(`/run/warden/w-${id}.sock`), 'all gone');
	});

	it('removed it runs no more, purged it leaves nothing', async () => {
		await link('store', '5511999990003');
		m.must('dpkg --remove warden', { timeout: 120_000 });
		assert.equal(m.sh('pgrep -x "wardend|warden-worker"').stdout, '');
		assert.equal(m.exists('/var/lib/warden/registry.db'), true);
		const uid = Number(m.must('id -u warden'));
		m.must('dpkg --purge warden', { timeout: 120_000 });
		m.must('rm -rf /etc/credstore /run/sim.json; systemctl daemon-reload');
		const left = [...everyFile(uid)].filter((path) => !filesBefore.has(path) && !path.startsWith('/root/'));
		assert.deepEqual(left, []);
		assert.equal(m.sh('getent passwd warden; getent group warden').stdout, '');
		assert.equal(m.must('systemctl list-units --all --no-legend --plain "warden*" | grep -v slice || true'), '');
	});
});
