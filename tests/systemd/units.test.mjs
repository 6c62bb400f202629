// tests/systemd/units.test.mjs - the installed unit files: what systemd says of them
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const BUILD = process.env.WARDEN_BUILD ?? 'build';
const ID = 'abcdefgh234567ab';
const SECURITY_MAX = 1.0;

const run = (command, args, options = {}) => spawnSync(command, args, { encoding: 'utf8', ...options });
const hasSystemd = run('systemd-analyze', ['--version']).status === 0;

describe('unit files', { skip: hasSystemd ? false : 'systemd-analyze is not installed' }, () => {
	let top; // everything as "make install" puts it
	let units;

	before(() => {
		top = mkdtempSync(join(tmpdir(), 'warden-units-'));
		const made = run('make', ['-C', BUILD, '--no-print-directory', 'install', `DESTDIR=${top}/dest`]);
		assert.equal(made.status, 0, made.stderr);
		const makefile = readFileSync(join(BUILD, 'Makefile'), 'utf8');
		const value = (name) => new RegExp(`^${name} = (.*)$`, 'm').exec(makefile)[1];
		const prefix = value('prefix');
		units = join(top, 'units');
		cpSync(join(top, 'dest', value('systemdsystemunitdir').replace('${prefix}', prefix)), units,
		    { recursive: true });
		// the programs are where they were installed for this test
		for (const name of readdirSync(units)) {
			const text = readFileSync(join(units, name), 'utf8');
			writeFileSync(join(units, name), text.replaceAll(`${prefix}/`, `${top}/dest${prefix}/`));
		}
	});
	after(() => rmSync(top, { recursive: true, force: true }));

	const verify = (folder, name) => {
		const got = run('systemd-analyze', ['verify', join(folder, name)]);
		return got.stdout + got.stderr + (got.status === 0 ? '' : `exit ${got.status}`);
	};
	const names = ['wardend.service', 'wardend.socket', 'warden.slice', 'warden-workers.slice',
		'warden-folders.service', `warden-worker@${ID}.service`, `warden-worker@${ID}.socket`];

	for (const name of names)
		it(`${name}: systemd-analyze verify says nothing`, () => {
			assert.equal(verify(units, name), '');
		});

	it('a mistake would be noticed', () => {
		const broken = join(top, 'broken');
		cpSync(units, broken, { recursive: true });
		for (const name of ['wardend.socket', 'warden-worker@.service'])
			appendFileSync(join(broken, name), '\n[Service]\nNoSuchKey=1\n');
		assert.match(verify(broken, 'wardend.socket'), /Unknown section/);
		assert.match(verify(broken, `warden-worker@${ID}.service`), /NoSuchKey/);
	});

	const exposure = (name, threshold) => run('systemd-analyze', ['security', '--offline=true', '--no-pager',
		`--threshold=${threshold * 10}`, join(units, name)]);
	for (const name of ['wardend.service', `warden-worker@${ID}.service`])
		it(`${name}: exposure of at most ${SECURITY_MAX}`, () => {
			const got = exposure(name, SECURITY_MAX);
			const said = /exposure level for .*: ([0-9.]+)/.exec(got.stdout);
			assert.notEqual(said, null, got.stdout + got.stderr);
			assert.ok(Number(said[1]) <= SECURITY_MAX, `${said[0]}\n${got.stdout}`);
			assert.equal(got.stderr, '');
		});
});
