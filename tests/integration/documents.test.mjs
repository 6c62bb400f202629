// What the documents name is there: links, headings, files and folders of the tree, functions; and each folder's README
// knows the modules that it lists one by one. No program is started.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const TOP = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const NOT_OURS = /^(build|autom4te|node_modules|\.|var$|m4$|corpus$)/;

// Every file of the tree but what is built, downloaded or a corpus; and every folder.
const files = [], folders = new Set();
(function walk(folder) {
	folders.add(relative(TOP, folder));
	for (const entry of readdirSync(folder, { withFileTypes: true }))
		if (entry.isDirectory() && !NOT_OURS.test(entry.name))
			walk(join(folder, entry.name));
		else if (entry.isFile())
			files.push(relative(TOP, join(folder, entry.name)));
}(TOP));

const PAGES = files.filter((file) => file.endsWith('.md') && file !== 'docs/comparison.md'); // which names others' files
const read = (file) => readFileSync(join(TOP, file), 'utf8');
const prose = (page) => read(page).replace(/^```[\s\S]*?^```$/gm, '');
const quoted = (page) => [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, what]) => what);

const anchor = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
const anchors = (page) => [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading));

// What the programs, builds and tests make: no file of the tree.
const MADE = [/\.pb-c\./, /^web\/page\.c$/, /^build-/, /^(found|corpus)\//, /^soak\.md$/, /client_version\.json$/, /^(resolv|warden)\.conf$/];
const SOURCE = /^[\w@.*/-]+\.(c|h|mjs|js|py|sh|md|proto|mk|in|json|yml|awk|conf|rules|tsv|css|html|am|ac)$/;
const BELOW_TOP = new RegExp(`^(${[...folders].filter((f) => f !== '' && !f.includes('/')).join('|')})/[\\w@.*/-]*$`);

// Does anything of the tree fit? By its path, by what it is beside the page, or by the end of its path; * stands for a part of a name.
function isThere(what, page) {
	const name = what.replace(/\/$/, '');
	if (existsSync(join(TOP, name)) || existsSync(join(TOP, dirname(page), name)))
		return true;
	const pattern = new RegExp(`(^|/)${name.replace(/[.+]/g, '\\$&').replace(/\*/g, '[^/]*')}(\\.in)?$`);
	return files.some((file) => pattern.test(file)) || [...folders].some((folder) => pattern.test(folder));
}

describe('documents', () => {
	test('links lead somewhere', () => {
		let seen = 0;
		for (const page of PAGES)
			for (const [, target] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
				if (/^[a-z]+:/.test(target))
					continue;
				const [file, fragment] = target.split('#');
				const path = file === '' ? join(TOP, page) : resolve(TOP, dirname(page), file);
				assert.ok(existsSync(path), `${page}: ${target} is not there`);
				if (fragment !== undefined)
					assert.ok(anchors(relative(TOP, path)).includes(fragment), `${page}: ${target} has no such heading`);
				seen++;
			}
		assert.ok(seen > 20, `${seen} links`);
	});

	test('files and folders that are named are there', () => {
		const missing = [];
		let seen = 0;
		for (const page of PAGES)
			for (const what of quoted(page)) {
				if (!(SOURCE.test(what) || BELOW_TOP.test(what)) || /NAME|ID|TARGET/.test(what) || MADE.some((m) => m.test(what)) || what.startsWith('/'))
					continue;
				seen++;
				if (!isThere(what, page))
					missing.push(`${page}: ${what}`);
			}
		assert.deepEqual(missing, []);
		assert.ok(seen > 400, `${seen} names`);
	});

	test('functions that are named are there', () => {
		const code = files.filter((file) => /\.([ch]|mjs|js)$/.test(file) || ['check', 'bench/machine.mjs'].includes(file)).map(read).join('\n');
		const missing = [];
		let seen = 0;
		for (const page of PAGES)
			for (const what of quoted(page))
				for (const [, name] of what.matchAll(/\b([a-z]\w+)\(\)/g)) {
					seen++;
					if (!new RegExp(`\\b${name}\\b`).test(code))
						missing.push(`${page}: ${name}()`);
				}
		assert.deepEqual(missing, []);
		assert.ok(seen >= 8, `${seen} functions`);
	});

	test('cli/README.md names every module', () => {
		const page = read('cli/README.md');
		for (const file of files.filter((f) => /^cli\/.*\.c$/.test(f)))
			assert.match(page, new RegExp(`\\b${basename(file, '.c')}\\b`), file);
	});

	test('every folder of sources is on the map', () => {
		for (const folder of [...folders].filter((f) => f !== '' && !f.includes('/')))
			assert.ok(read('CONTRIBUTING.md').includes(`\`${folder}/\``), `CONTRIBUTING.md does not know ${folder}/`);
	});
});
