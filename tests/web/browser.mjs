// tests/web/browser.mjs - Debian's chromium, driven by playwright-core, and what every page of it is held to
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

export function startBrowser() {
	return chromium.launch({
		executablePath: process.env.WARDEN_CHROMIUM ?? '/usr/bin/chromium',
		// as root there is no sandbox of its own; it opens our own page only
		args: ['--disable-gpu', '--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
	});
}

/*
 * A page that watches itself. page.seen: errors of the console and of scripts, requests that leave the world's origin, and the bytes
 * that came over the wire. Chromium's own line for a status of 400 and up is no error of the page.
 */
export async function openPage(browser, world, path = '/', options = {}) {
	const context = await browser.newContext({ locale: 'en-US', ...DESKTOP, ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(40_000);
	page.seen = { errors: [], foreign: [], responses: [] };
	page.on('console', (m) => m.type() === 'error' && !/^Failed to load resource: /.test(m.text()) && page.seen.errors.push(m.text()));
	page.on('pageerror', (error) => page.seen.errors.push(String(error)));
	page.on('request', (r) => !r.url().startsWith(`${world.base}/`) && !r.url().startsWith('data:') && page.seen.foreign.push(r.url()));
	page.on('response', (r) => page.seen.responses.push(r));
	await page.goto(world.base + path);
	return page;
}

export function assertClean(page) {
	assert.deepEqual(page.seen.errors, [], 'errors on the console');
	assert.deepEqual(page.seen.foreign, [], 'requests to other origins');
}

// What a camera in front of the screen would read.
export async function readQr(page) {
	const png = await page.screenshot();
	const r = spawnSync('zbarimg', ['--quiet', '--raw', '-Sdisable', '-Sqrcode.enable', '-'], { input: png });
	return r.status === 0 ? r.stdout.toString().trim() : null;
}

// No rule of WCAG 2.2 A and AA, or of axe's best practices, is broken in what is on the screen now.
export async function assertAccessible(page, what) {
	if (!await page.evaluate(() => 'axe' in window))
		await page.evaluate(AXE);
	const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
	assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')}`), [], what);
	assert.ok(passes.length > 10, `axe looked at nothing: ${what}`);
}

// Nothing sticks out to the right.
export async function assertFits(page, what) {
	const { wide, there } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, there: window.innerWidth }));
	assert.ok(wide <= there, `${what}: ${wide} px on a screen of ${there}`);
}

export const text = (page, selector) => page.locator(selector).innerText();
export const shown = (page, selector) => page.waitForSelector(`${selector}:not([hidden])`);

// The page with a token in it.
export async function signIn(page, token) {
	await page.fill('#token', token);
	await page.press('#token', 'Enter');
	await shown(page, '#view-list');
}
