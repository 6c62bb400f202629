// The manual pages: rendered from the programs' own --help (docs/man), so they have to say all that it says, and be
// clean for both of the programs that people read them with.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { BUILD, run } from './harness.mjs';

const PAGES = {
	'wardend.8': 'wardend',
	'warden.conf.5': 'wardend',
	'warden-worker.8': 'warden-worker',
	'wardenctl.1': 'wardenctl',
	'warden-sim.1': 'warden-sim',
};
const path = (page) => resolve(BUILD, 'docs/man', page);
const UTF8 = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100' };

function tool(command, args) {
	const r = spawnSync(command, args, { encoding: 'utf8', env: UTF8 });
	assert.equal(r.error, undefined, `${command}: ${r.error}`);
	return r;
}

// What a reader sees, each gap as one space.
function shown(page) {
	const r = tool('mandoc', ['-T', 'ascii', path(page)]);
	assert.equal(r.status, 0, r.stderr);
	return r.stdout.replace(/.\x08/g, '').replace(/-\n\s+/g, '-').replace(/\s+/g, ' ');
}

const help = async (program, ...words) => (await run(program, [...words, '--help'])).stdout;
const all = (text, pattern) => [...text.matchAll(pattern)].map((m) => m[1]);

describe('manual pages', () => {
	for (const page of Object.keys(PAGES))
		test(`${page} is clean for mandoc and for groff`, () => {
			assert.ok(existsSync(path(page)), `${path(page)} was not made`);
			const lint = tool('mandoc', ['-T', 'lint', '-W', 'warning', path(page)]);
			assert.equal(lint.stdout + lint.stderr, '');
			const groff = tool('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', path(page)]);
			assert.equal(groff.stderr, '');
			assert.equal(groff.status, 0);
		});

	for (const [page, program] of Object.entries(PAGES).filter(([p]) => p !== 'warden.conf.5'))
		test(`${page} has every option of ${program} --help`, async () => {
			const text = shown(page);
			const options = all(await help(program), /^ {2}(--[a-z-]+)/gm);
			assert.ok(options.length >= 6, options.join(' '));
			for (const option of options)
				assert.match(text, new RegExp(`${option}[^a-z-]`), `${option} is missing`);
		});

	test('wardend.8 and warden.conf.5 have every setting with its default', async () => {
		const text = await help('wardend');
		const variables = all(text, /(WARDEN_[A-Z_]+)$/gm);
		const defaults = all(text, /^ {6}default: (.*)$/gm);
		assert.ok(variables.length >= 28 && variables.length === defaults.length);
		for (const page of ['wardend.8', 'warden.conf.5']) {
			const man = shown(page);
			for (const [i, variable] of variables.entries()) {
				const at = man.search(new RegExp(`${variable} [A-Z0-9].*?Default: `));
				assert.ok(at >= 0, `${page}: ${variable} is missing`);
				const said = man.slice(man.indexOf('Default: ', at) + 9);
				assert.ok(said.startsWith(defaults[i] === '(none)' ? 'none.' : defaults[i]),
				    `${page}: ${variable} has another default: ${said.slice(0, 60)}`);
			}
		}
	});

	test('wardenctl.1 has every command with its example', async () => {
		const man = shown('wardenctl.1');
		const commands = all(await help('wardenctl'), /^ {2}([a-z]+(?: [a-z]+)?)(?: .*)?$/gm);
		assert.ok(commands.length >= 25, commands.join(', '));
		for (const command of commands) {
			assert.ok(man.includes(`wardenctl ${command}`), `${command} is missing`);
			const example = (await help('wardenctl', ...command.split(' '))).match(/^Examples?:\n {2}(.*)$/m);
			assert.ok(man.includes(example[1].replace(/\s+/g, ' ')), `${command} has no example: ${example[1]}`);
		}
	});
});
