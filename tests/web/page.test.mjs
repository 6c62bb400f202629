// The linking page in a real browser, against the real gateway and the simulator: what a person does from the token to the link, and after.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, startWorld } from '../integration/harness.mjs';
import { PHONE, assertAccessible, assertClean, assertFits, openPage, readQr, shown, signIn, startBrowser, text } from './browser.mjs';
import { WORDS } from './words.mjs';

const WEIGHT_MAX = 100 * 1024;

let world, browser, account;
before(async () => {
	[world, browser] = await Promise.all([startWorld({ sim: { tls: true } }), startBrowser()]);
	account = await world.account();
});
after(async () => {
	await browser?.close();
	await world?.stop();
});

// A test with a page of its own, which has to be clean at its end.
function onPage(name, { path, options } = {}, work) {
	test(name, async () => {
		const page = await openPage(browser, world, typeof path === 'function' ? await path() : path, options);
		try {
			await work(page);
			assertClean(page);
		} finally {
			await page.context().close();
		}
	});
}

const choose = (page, value) => page.locator(`#method label:has(input[value=${value}])`).click();

// The code that is on the screen, as a camera sees it.
const scanned = (page, not) => eventually(async () => {
	const qr = await readQr(page);
	return qr !== null && qr !== not && qr;
}, { what: 'a QR code on the screen' });

async function share(instance, json = {}) {
	const r = await world.request('POST', `/api/instance/link/${instance.name}`, { token: instance.account, json });
	assert.equal(r.status, 201, r.text);
	world.secrets.add(r.json.url.slice(-32));
	return new URL(r.json.url).pathname;
}

describe('the linking page', () => {
	onPage('from the token to a link by QR, and to the end of the instance', {}, async (page) => {
		await assertAccessible(page, 'token');
		await page.fill('#token', 'not-a-token-of-anybody');
		await page.press('#token', 'Enter');
		await shown(page, '#token-error');
		assert.match(await text(page, '#token-error'), /This token is not valid/);
		await signIn(page, account.token);
		assert.equal(await page.inputValue('#token'), '', 'the field keeps no token');
		await page.fill('#new-name', 'by-qr');
		await page.press('#new-name', 'Enter');
		await shown(page, '#stage-code');
		world.noteCode(await scanned(page));
		const phone = await world.newPhone();
		assert.match(await text(page, '#clock'), /^New code in \d+ s$/);
		await assertAccessible(page, 'QR');
		const r = await world.scan(phone, await scanned(page));
		assert.equal(r.status, 200, r.text);
		await shown(page, '#link-done');
		assert.equal(await text(page, '#done-text'), `by-qr is connected as +${phone.number}.`);
		await assertAccessible(page, 'done');
		await page.click('#done-back');
		const card = page.locator('[data-name=by-qr]');
		await card.locator('.badge.connected').waitFor();
		assert.match(await card.innerText(), new RegExp(`Linked as \\+${phone.number}`));
		assert.match(await card.innerText(), /Connected since /);
		await card.getByText(/^Memory: \d+\.\d MB$/).waitFor();
		await assertAccessible(page, 'list');
		// a question comes first, and no is no
		await card.locator('[data-do=logout]').click();
		await assertAccessible(page, 'question');
		await page.click('#ask-no');
		assert.equal((await world.request('GET', '/api/instance/list?instanceName=by-qr', { token: account.token })).json.instances[0].status, 'connected');
		await card.locator('[data-do=logout]').click();
		await page.click('#ask-yes');
		await card.locator('.badge.loggedout').waitFor();
		await card.locator('[data-do=delete]').click();
		await page.click('#ask-yes');
		await card.waitFor({ state: 'detached' });
		assert.equal((await world.request('GET', '/api/instance/list', { token: account.token })).json.meta.total, 0);
	});

	onPage('a link by code, from a pasted number, by keyboard alone', { options: { ...PHONE, colorScheme: 'dark' } }, async (page) => {
		const instance = await world.newInstance();
		const phone = await world.newPhone();
		await signIn(page, account.token);
		await page.locator(`[data-name=${instance.name}] [data-do=link]`).focus();
		await page.keyboard.press('Enter');
		await shown(page, '#stage-code');
		await page.locator('input[value=qr]').focus();
		await page.keyboard.press('ArrowRight');
		await page.keyboard.press('Tab');
		assert.equal(await page.evaluate(() => document.activeElement.id), 'number');
		await page.keyboard.insertText('011 99');
		await page.keyboard.press('Enter');
		assert.equal(await text(page, '#number-hint'), WORDS.en.number_country);
		await page.fill('#number', `https://wa.me/${phone.number}?text=hi`);
		assert.equal(await text(page, '#number-hint'), `Code for +${phone.number}`);
		await page.keyboard.press('Enter');
		await shown(page, '#pairing');
		await shown(page, '#stage-code');
		const code = await text(page, '#pairing');
		world.noteCode(code);
		assert.match(code, /^[1-9A-Z]{4}-[1-9A-Z]{4}$/);
		assert.ok((await text(page, '#say')).includes([...code].join(' ')), 'a screen reader hears it letter by letter');
		await assertAccessible(page, 'code');
		await assertFits(page, 'code');
		const typed = await world.control('POST', `/phones/${phone.number}/code`, { code });
		assert.equal(typed.status, 200, typed.text);
		await shown(page, '#link-done');
		await page.click('#done-back');
		await page.locator(`[data-name=${instance.name}] .badge.connected`).waitFor();
		await assertFits(page, 'list');
		await assertAccessible(page, 'list, dark');
	});

	onPage('days of history are asked for', {}, async (page) => {
		const instance = await world.newInstance();
		await signIn(page, account.token);
		await page.locator(`[data-name=${instance.name}] [data-do=link]`).click();
		await shown(page, '#stage-code');
		const first = await scanned(page);
		world.noteCode(first);
		await page.selectOption('#history', '30');
		const second = await scanned(page, first);
		world.noteCode(second);
		assert.equal((await world.scan(await world.newPhone(), second)).status, 200);
		await shown(page, '#link-done');
		assert.equal((await world.listed(instance)).history.requestedDays, 30);
	});

	onPage('a passkey is given by the browser', {}, async (page) => {
		await page.evaluate(() => {
			const b64url = (t) => btoa(t).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
			navigator.credentials.get = async ({ publicKey }) => {
				const challenge = b64url(String.fromCharCode(...new Uint8Array(publicKey.challenge)));
				return { toJSON: () => ({ id: b64url('credential-1'), rawId: b64url('credential-1'), type: 'public-key', clientExtensionResults: {},
					response: { clientDataJSON: b64url(JSON.stringify({ type: 'webauthn.get', challenge, origin: 'https://web.whatsapp.com' })),
						authenticatorData: b64url('authenticator'), signature: b64url('signature'), userHandle: b64url('user') } }) };
			};
		});
		const instance = await world.newInstance();
		await signIn(page, account.token);
		await page.locator(`[data-name=${instance.name}] [data-do=link]`).click();
		await shown(page, '#stage-code');
		const r = await world.scan(await world.newPhone({ passkey: true }), await scanned(page));
		assert.equal(r.status, 202, r.text);
		await shown(page, '#stage-passkey');
		await assertAccessible(page, 'passkey');
		await page.click('#passkey-go');
		await shown(page, '#link-done');
	});

	onPage('an error says what to do, and trying again is one key away', {}, async (page) => {
		const instance = await world.newInstance({ body: { proxyEnabled: true, proxyHost: '127.0.0.1', proxyPort: 1, proxyProtocol: 'http' } });
		await signIn(page, account.token);
		await page.locator(`[data-name=${instance.name}] [data-do=link]`).click();
		await shown(page, '#link-error');
		const said = await text(page, '#link-error');
		for (const part of WORDS.en.e.proxy.split('|'))
			assert.ok(said.includes(part), said);
		await assertAccessible(page, 'error');
		await world.request('POST', `/api/instance/proxy/${instance.name}`, { token: account.token, json: { enabled: false } });
		await page.locator('#link-error button').press('Enter');
		await shown(page, '#stage-code');
		assert.ok(await page.locator('#link-error').isHidden());
		world.noteCode(await scanned(page));
	});

	onPage('an instance token opens one instance, and says so', { path: '/?lang=pt' }, async (page) => {
		const instance = await world.newInstance();
		await signIn(page, instance.token);
		await page.locator('#list > li').first().waitFor();
		assert.equal(await page.locator('#list > li').count(), 1);
		await page.locator('[data-do=delete]').click();
		await page.click('#ask-yes');
		await shown(page, '#list-error');
		assert.ok((await text(page, '#list-error')).includes(WORDS.pt.e.account.split('|')[1]));
	});

	test('a token is carried behind #, and taken out of the address', async () => {
		const instance = await world.newInstance();
		const page = await openPage(browser, world, `/#token=${account.token}&instance=${instance.name}`);
		await shown(page, '#stage-code');
		world.noteCode(await scanned(page));
		assert.equal(await page.evaluate(() => location.href), `${world.base}/`);
		assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length), 0);
		await page.reload();
		await shown(page, '#view-token');
		assertClean(page);
		await page.context().close();
	});

	test('weighs less than 100 KiB up to the first QR, and the second time next to nothing', async () => {
		const page = await openPage(browser, world);
		await signIn(page, account.token);
		await page.fill('#new-name', 'weight');
		await page.press('#new-name', 'Enter');
		await shown(page, '#stage-code');
		world.noteCode(await scanned(page));
		let sum = 0;
		for (const r of page.seen.responses.filter((x) => !x.url().startsWith('data:') && !x.url().includes('/connect/'))) {
			const sizes = await r.request().sizes();
			sum += sizes.responseBodySize + sizes.responseHeadersSize;
		}
		assert.ok(sum > 10_000 && sum < WEIGHT_MAX, `${sum} bytes`);
		const plain = await world.request('GET', '/', { headers: { 'accept-encoding': 'identity' } });
		assert.ok(plain.bytes.length < WEIGHT_MAX, `${plain.bytes.length} bytes without compression`);
		const again = await world.request('GET', '/', { headers: { 'if-none-match': plain.headers.get('etag') } });
		assert.equal(again.status, 304);
		assert.equal(again.bytes.length, 0);
		assert.equal(plain.headers.get('cache-control'), 'no-cache');
		const policy = plain.headers.get('content-security-policy');
		assert.doesNotMatch(policy, /unsafe|\*|https?:/);
		assert.match(policy, /default-src 'none'; script-src 'sha256-[A-Za-z0-9+/]{43}='; style-src 'sha256-/);
		assert.equal((await world.request('HEAD', '/')).status, 200);
		assertClean(page);
		await page.context().close();
	});
});

describe('a one-time link in the browser', () => {
	let instance, path;
	onPage('links once, in Spanish, on a phone; loaded again it is over', { options: { ...PHONE, locale: 'es-AR' },
		path: async () => (path = await share(instance = await world.newInstance())) }, async (page) => {
		await shown(page, '#stage-code');
		assert.equal(await text(page, 'h1:visible'), WORDS.es.page);
		assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
		assert.ok(await page.locator('#history-box').isHidden());
		await assertFits(page, 'one-time link');
		await assertAccessible(page, 'one-time link');
		const first = await scanned(page);
		world.noteCode(first);
		await page.reload();
		await shown(page, '#stage-code');
		assert.equal((await world.scan(await world.newPhone(), await scanned(page))).status, 200);
		await shown(page, '#link-done');
		assert.equal(await text(page, '#done-text'), WORDS.es.done_once);
		await world.until(instance, 'connected');
		await page.reload();
		await shown(page, '#link-error');
		assert.ok((await text(page, '#link-error')).includes(WORDS.es.e.link_over.split('|')[0]));
		assert.ok(await page.locator('#link-work').isHidden());
		await assertAccessible(page, 'link is over');
	});

	onPage('made for a number it begins with the code, and never shows the number', {
		path: async () => share(await world.newInstance(), { number: (await world.newPhone({ number: '5511977770001' })).number }) }, async (page) => {
		await shown(page, '#pairing');
		await shown(page, '#stage-code');
		const code = await text(page, '#pairing');
		world.noteCode(code);
		assert.ok(!(await page.content()).includes('5511977770001'));
		assert.ok(await page.locator('#number-form').isHidden());
		assert.equal((await world.control('POST', '/phones/5511977770001/code', { code })).status, 200);
		await shown(page, '#link-done');
	});

	onPage('that is replaced while somebody looks says so', { path: async () => (path = await share(instance = await world.newInstance())) }, async (page) => {
		await shown(page, '#stage-code');
		world.noteCode(await scanned(page));
		await share(instance);
		await shown(page, '#link-error');
		assert.ok((await text(page, '#link-error')).includes(WORDS.en.e.link_over.split('|')[0]));
	});

	onPage('is made from the list', {}, async (page) => {
		const made = await world.newInstance();
		await signIn(page, account.token);
		await page.locator(`[data-name=${made.name}] [data-do=share]`).click();
		await page.locator('#ask').waitFor();
		const url = await page.inputValue('#ask-url');
		world.secrets.add(url.slice(-32));
		await assertAccessible(page, 'the link shown');
		assert.equal((await world.request('GET', `${new URL(url).pathname}/status`)).json.name, made.name);
		await page.keyboard.press('Escape');
		await eventually(async () => await page.inputValue('#ask-url') === '', { what: 'the link gone with its dialog' });
	});
});
