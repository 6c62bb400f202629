// The page against a gateway whose answers are written here: what takes minutes, or a WhatsApp that fails, otherwise.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { World, eventually } from '../integration/harness.mjs';
import { DESKTOP, PHONE, assertAccessible, assertClean, assertFits, openPage, readQr, shown, signIn, startBrowser, text } from './browser.mjs';
import { Stage } from './stage.mjs';
import { CODES, ERROR_KEY, WORDS } from './words.mjs';

// Two real codes of the gateway's drawing: any text will do.
let world, browser, stage, codes;
before(async () => {
	world = new World();
	await world.startSim();
	[, browser] = await Promise.all([world.startGateway(), startBrowser()]);
	codes = [];
	for (let i = 0; i < 2; i++)
		codes.push((await world.connect(await world.newInstance())).json);
});
after(async () => {
	await browser?.close();
	await world?.stop();
});

const listOf = (...instances) => ({ success: true, instances, meta: { total: instances.length } });
const T0 = '2026-01-02T03:04:05Z';
const shop = (name, state, more = {}) => ({ id: 'aaaaaaaaaaaaaaaa', name, status: state, numberJid: '', createdAt: T0, updatedAt: T0, history: null, ...more,
	connection: { state, numberJid: '', since: T0, lastError: null, attempt: 0, nextRetryAt: null, ...more.connection } });

// A page that has begun to link the instance `shop` of a stage of its own.
function onStage(name, { options, open = true, instances = [shop('shop', 'disconnected')] } = {}, work) {
	test(name, async () => {
		const own = stage = await Stage.start(world);
		own.json('GET /api/instance/list', 200, listOf(...instances));
		const page = await openPage(browser, own, '/', options);
		try {
			await signIn(page, 'a-token-that-nobody-checks');
			if (open)
				await page.click('[data-name=shop] [data-do=link]');
			await work(page, own);
			assertClean(page);
		} finally {
			await page.context().close();
			await own.stop();
		}
	});
}

const sendQr = (attempt, i, expiresIn) => attempt.send('qr', { ...codes[i], expiresIn });

describe('an attempt on the page', () => {
	onStage('shows each code in turn, counts down, and takes a code that is over off the screen', {}, async (page) => {
		const attempt = await stage.attempt();
		attempt.send('connecting', { success: true, status: 'connecting' });
		await shown(page, '#stage-wait');
		assert.equal(await text(page, '#wait-text'), WORDS.en.wait_start);
		sendQr(attempt, 0, 6); // long enough for a busy machine to see it, too
		await shown(page, '#stage-code');
		assert.equal(await eventually(() => readQr(page), { what: 'the first QR' }), codes[0].qrCode);
		await page.locator('.qr.old').waitFor();
		assert.equal(await text(page, '#clock'), WORDS.en.clock_over);
		await eventually(async () => await readQr(page) === null, { what: 'an old code that can\'t be scanned' });
		sendQr(attempt, 1, 20);
		await page.locator('.qr:not(.old)').waitFor();
		assert.match(await text(page, '#clock'), /^New code in (20|1\d) s$/);
		assert.equal(await eventually(() => readQr(page), { what: 'the second QR' }), codes[1].qrCode);
		attempt.send('connecting', { success: true, status: 'connecting' });
		await shown(page, '#stage-wait');
		assert.equal(await text(page, '#wait-text'), WORDS.en.wait_link);
		attempt.send('connected', { success: true, status: 'connected' });
		attempt.end();
		await shown(page, '#link-done');
		assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H2');
	});

	onStage('goes on by itself when the connection breaks or the gateway restarts', {}, async (page) => {
		const first = await stage.attempt();
		sendQr(first, 0, 20);
		await shown(page, '#stage-code');
		first.breakOff();
		await shown(page, '#stage-wait');
		assert.equal(await text(page, '#wait-text'), WORDS.en.wait_net);
		const second = await stage.attempt();
		second.failed('shutting_down');
		const third = await stage.attempt();
		sendQr(third, 1, 20);
		await shown(page, '#stage-code');
		assert.equal(await eventually(() => readQr(page), { what: 'the QR after it' }), codes[1].qrCode);
	});

	onStage('ends the stream when the person leaves it, and begins another for another method', {}, async (page) => {
		const first = await stage.attempt();
		sendQr(first, 0, 20);
		await shown(page, '#stage-code');
		await page.selectOption('#history', '90');
		await first.closed;
		const second = await stage.attempt();
		assert.equal(second.url, '/api/instance/connect/shop?history=90');
		await page.locator('#method label:has(input[value=code])').click();
		await second.closed;
		await page.fill('#number', '+55 (11) 99999-9999');
		await page.press('#number', 'Enter');
		const third = await stage.attempt();
		assert.equal(third.url, '/api/instance/connect/shop?number=5511999999999&history=90');
		await page.click('#back');
		await third.closed;
	});

	onStage('says every error of the contract in three languages', { options: PHONE }, async (page) => {
		const told = CODES.filter((c) => !['shutting_down', 'at_capacity', 'invalid_token'].includes(c));
		told.push('connect_failure_418', 'a_code_of_a_later_version');
		for (const code of told) {
			(await stage.attempt()).failed(code, code === 'code_timeout' ? 'timeout' : 'failed');
			await shown(page, '#link-error');
			const key = code === 'connect_failure_418' ? 'refused' : ERROR_KEY[code] ?? 'unknown';
			const all = await page.evaluate(() => ['es', 'pt', 'en'].map((lang) => {
				const choice = document.getElementById('language');
				choice.value = lang;
				choice.dispatchEvent(new Event('change'));
				return [lang, document.getElementById('link-error').innerText];
			}));
			for (const [lang, said] of all) {
				for (const part of WORDS[lang].e[key].replace('{0}', '60').split('|'))
					assert.ok(said.includes(part), `${lang} ${code}: ${said}`);
				assert.doesNotMatch(said, /undefined|\{\d\}|null/);
			}
			assert.equal((await text(page, '#link-error')).includes(code), code !== 'link_not_valid', code);
			if (['link_not_valid', 'deleted', 'instance_not_found'].includes(code)) {
				await page.click('#back');
				await page.click('[data-name=shop] [data-do=link]');
			} else {
				await page.click('#link-error button');
			}
		}
		await assertFits(page, 'errors');
		// a token that is replaced meanwhile: back to where one is asked for
		(await stage.attempt()).failed('invalid_token');
		await shown(page, '#token-error');
		assert.ok((await text(page, '#token-error')).includes(WORDS.en.e.token.split('|')[0]));
	});

	onStage('a refusal before the stream is told as well, with how long to wait', {}, async (page) => {
		(await stage.attempt()).breakOff();
		stage.json('GET /api/instance/connect/shop', 429, { success: false, error: { message: 'Rate limit exceeded. Try again later.', code: 'rate_limited' } },
		    { 'retry-after': '41' });
		await shown(page, '#link-error');
		assert.match(await text(page, '#link-error'), /Wait 41 s/);
	});
});

describe('a page without a gateway behind it', () => {
	onStage('says so, whatever answers instead, and when nothing does', { open: false }, async (page) => {
		const offline = WORDS.en.e.offline.split('|')[0], login = '<html>Log in to this network</html>';
		const told = async (token, what) => {
			await page.fill('#token', token);
			await page.press('#token', 'Enter');
			await page.locator('#token-error strong', { hasText: what }).waitFor();
			await page.evaluate(() => document.getElementById('token-error').replaceChildren());
		};
		await page.click('#forget');
		stage.routes.set('GET /api/instance/list', (q, a) => a.writeHead(200, { 'content-type': 'text/html' }).end(login));
		await told('a-token', offline);
		stage.json('GET /api/instance/list', 200, { success: true });
		await told('a-token', offline);
		await told('ein-Schlüssel-€', WORDS.en.e.token.split('|')[0]);
		stage.routes.set('GET /api/instance/list', () => {});
		await page.evaluate(() => {
			const timeout = AbortSignal.timeout.bind(AbortSignal);
			AbortSignal.timeout = (ms) => timeout(ms / 500);
		});
		await told('a-token', offline);
	});

	onStage('a saved link is resumed, and the page says that', { instances: [shop('shop', 'disconnected', { numberJid: '5511999999999@s.whatsapp.net' })] },
	    async (page) => {
		    const attempt = await stage.attempt();
		    attempt.send('connecting', { success: true, status: 'connecting' });
		    await shown(page, '#stage-wait');
		    assert.equal(await text(page, '#wait-text'), WORDS.en.wait_resume);
		    sendQr(attempt, 0, 60);
		    await shown(page, '#stage-code');
		    attempt.send('connecting', { success: true, status: 'connecting' });
		    await page.locator('#wait-text', { hasText: WORDS.en.wait_link }).waitFor();
	    });
});

describe('the passkey step on the page', () => {
	const publicKey = { challenge: 'AAECAw', rpId: 'whatsapp.com', timeout: 60000, userVerification: 'required', allowCredentials: [{ type: 'public-key', id: 'BAUG' }] };
	const required = { success: true, status: 'passkey', passkey: { status: 'required', publicKey, confirmationCode: null } };

	onStage('asks the browser, sends what it gives, and has the code compared', {}, async (page) => {
		await page.evaluate(() => {
			navigator.credentials.get = async (options) => {
				window.asked = { challenge: [...options.publicKey.challenge], id: [...options.publicKey.allowCredentials[0].id], rpId: options.publicKey.rpId };
				const bytes = (...b) => new Uint8Array(b).buffer;
				return { id: 'BAUG', rawId: bytes(4, 5, 6), type: 'public-key', response: { clientDataJSON: bytes(1), authenticatorData: bytes(251, 255), signature: bytes(3), userHandle: null } };
			};
		});
		stage.json('POST /api/instance/passkey/shop', 200, { success: true, status: 'confirm' });
		stage.json('POST /api/instance/passkey/shop/confirm', 200, { success: true, status: 'confirm' });
		const attempt = await stage.attempt();
		sendQr(attempt, 0, 60);
		attempt.send('passkey', required);
		await shown(page, '#stage-passkey');
		assert.equal(await page.evaluate(() => document.activeElement.textContent), WORDS.en.passkey_title);
		assert.ok(await page.locator('#steps').isHidden(), 'the steps of scanning are over');
		await page.click('#passkey-go');
		await shown(page, '#stage-wait');
		await eventually(() => stage.posts.length === 1, { what: 'the answer' });
		assert.deepEqual(await page.evaluate(() => window.asked), { challenge: [0, 1, 2, 3], id: [4, 5, 6], rpId: 'whatsapp.com' });
		assert.deepEqual(stage.posts[0].json, { id: 'BAUG', rawId: 'BAUG', type: 'public-key', clientExtensionResults: {},
			response: { clientDataJSON: 'AQ', authenticatorData: '-_8', signature: 'Aw' } });
		attempt.send('passkey_confirm', { success: true, status: 'passkey', passkey: { status: 'confirm', publicKey: null, confirmationCode: 'WXYZ-1234' } });
		await shown(page, '#stage-confirm');
		assert.equal(await text(page, '#confirm-code'), 'WXYZ-1234');
		await assertAccessible(page, 'confirm');
		await page.click('#confirm-go');
		await eventually(() => stage.posts.length === 2, { what: 'the confirmation' });
		attempt.send('connected', { success: true, status: 'connected' });
		await shown(page, '#link-done');
	});

	onStage('a code that is not the phone\'s is not confirmed', {}, async (page) => {
		const attempt = await stage.attempt();
		attempt.send('passkey_confirm', { success: true, status: 'passkey', passkey: { status: 'confirm', publicKey: null, confirmationCode: 'WXYZ-1234' } });
		await shown(page, '#stage-confirm');
		await page.click('#confirm-no');
		await shown(page, '#link-error');
		assert.equal(await page.locator('#link-error strong').innerText(), WORDS.en.e.differs.split('|')[0]);
		await attempt.closed;
		assert.equal(stage.posts.length, 0);
		await assertAccessible(page, 'a code that differs');
	});

	onStage('explains when the browser gives none, and takes an answer by hand', {}, async (page) => {
		stage.json('POST /api/instance/passkey/shop', 409, { success: false, error: { message: 'No passkey step is pending', code: 'no_passkey' } });
		(await stage.attempt()).send('passkey', required);
		await shown(page, '#stage-passkey');
		await page.click('#passkey-go'); // rpId is another site's: chromium refuses by itself
		await shown(page, '#passkey-error');
		assert.ok((await text(page, '#passkey-error')).includes(WORDS.en.passkey_no));
		await assertAccessible(page, 'passkey by hand');
		await page.fill('#passkey-answer', 'nonsense');
		await page.click('#passkey-form button');
		assert.ok((await text(page, '#passkey-error')).includes(WORDS.en.passkey_json));
		await page.fill('#passkey-answer', '{"id":"x"}');
		await page.click('#passkey-form button');
		await page.locator('#passkey-error', { hasText: WORDS.en.e.no_passkey.split('|')[0] }).waitFor();
		assert.deepEqual(stage.posts.at(-1).json, { id: 'x' });
	});
});

describe('the list on the page', () => {
	const all = [
		shop('online', 'connected', { numberJid: '5511999999999@s.whatsapp.net', memoryBytes: 734003,
			profile: { name: 'Loja Sol' }, history: { requestedDays: 7, progress: 40, messages: 1234 } }),
		shop('whole', 'connected', { numberJid: '5511999999995@s.whatsapp.net', history: { requestedDays: 7, progress: 100, messages: 88123 } }),
		shop('trying', 'connecting', { numberJid: '5511999999998@s.whatsapp.net', connection: { attempt: 3, nextRetryAt: T0, lastError: { code: 'network', detail: 'refused', at: T0 } } }),
		shop('never', 'disconnected'),
		shop('out', 'loggedout', { numberJid: '5511999999997@s.whatsapp.net' }),
		shop('ban', 'banned', { numberJid: '5511999999996@s.whatsapp.net', connection: { lastError: { code: 'banned', detail: '', at: T0 } } }),
		shop('x'.repeat(100), 'disconnected'),
	];

	for (const [what, options] of [['desktop, light', DESKTOP], ['phone, dark', { ...PHONE, colorScheme: 'dark' }]])
		onStage(`shows every state in three languages (${what})`, { open: false, options, instances: all }, async (page) => {
			for (const lang of ['en', 'pt', 'es']) {
				await page.selectOption('#language', lang);
				for (const i of all)
					assert.equal(await text(page, `[data-name="${i.name}"] .badge`), WORDS[lang][`state_${i.status}`]);
				assert.ok((await text(page, '[data-name=trying]')).includes(WORDS[lang].e.net.split('|')[0]));
				// what to do about it stands beside it
				assert.ok((await text(page, '[data-name=ban]')).includes(WORDS[lang].e.banned.split('|')[1]));
				const online = await text(page, '[data-name=online]'), whole = await text(page, '[data-name=whole]');
				const dot = lang === 'en' ? '.' : ',', filled = (key, ...values) => WORDS[lang][key].replace(/\{(\d)\}/g, (_, i) => values[i]);
				for (const said of [filled('linked_as', '+5511999999999 (Loja Sol)'), filled('memory', `0${dot}7`), '40 %',
					filled('since', WORDS[lang].state_connected, '').trim()])
					assert.ok(online.includes(said), `${said} in ${online}`);
				assert.ok(!whole.includes('%') && whole.includes(filled('history_done', lang === 'en' ? '88,123' : '88.123')), whole);
				assert.ok(!whole.includes(filled('memory', '')), 'one that is not known is not shown');
				assert.ok((await text(page, '[data-name=out]')).includes(filled('was_linked_as', '+5511999999997')));
				await assertFits(page, `list, ${lang}`);
			}
			assert.equal(await page.locator('[data-name=online] progress').getAttribute('value'), '40');
			assert.equal(await page.locator('[data-name=whole] progress').count(), 0);
			// what can be done is what would work
			const offered = async (name) => (await page.locator(`[data-name=${name}] button`).evaluateAll((all) => all.map((b) => b.dataset.do))).join(' ');
			assert.deepEqual(await Promise.all(['online', 'trying', 'never', 'out', 'ban'].map(offered)),
			    ['logout delete', 'reconnect link logout delete', 'link share delete', 'link share delete', 'reconnect link logout delete']);
			await assertAccessible(page, `list, ${what}`);
		});

	onStage('acts on what it is told to, and keeps the place of whoever is at a button', { open: false, instances: all }, async (page) => {
		stage.json('POST /api/instance/reconnect/trying', 200, { success: true, status: 'connecting' });
		await page.click('[data-name=trying] [data-do=reconnect]');
		await eventually(() => stage.posts.some((p) => p.path === '/api/instance/reconnect/trying'), { what: 'the call' });
		await page.focus('[data-name=never] [data-do=link]');
		stage.json('GET /api/instance/list', 200, listOf(...all.map((i) => (i.name === 'never' ? shop('never', 'loggedout') : i))));
		await page.locator('[data-name=never] .badge.loggedout').waitFor();
		assert.equal(await page.evaluate(() => document.activeElement.dataset.do), 'link');
		stage.json('POST /api/instance/reconnect/ban', 400, { success: false, error: { message: 'x', code: 'no_session' } });
		await page.click('[data-name=ban] [data-do=reconnect]');
		await shown(page, '#list-error');
		assert.ok((await text(page, '#list-error')).includes(WORDS.en.e.no_session.split('|')[1]));
	});

	onStage('a one-time link is good for as long as is chosen, and a new choice is a new link', { open: false, instances: all }, async (page) => {
		let made = 0;
		stage.routes.set('POST /api/instance/link/never', (request, response) => response.writeHead(201, { 'content-type': 'application/json' })
		    .end(JSON.stringify({ success: true, message: 'Link created', url: `https://x.test/l/${String(++made).padStart(32, 'a')}`, expiresAt: T0 })));
		await page.click('[data-name=never] [data-do=share]');
		await page.locator('#ask[open]').waitFor();
		assert.match(await page.inputValue('#ask-url'), /a1$/);
		assert.deepEqual(await page.locator('#ask-for option').allInnerTexts(), ['1 hour', '8 hours', '24 hours']);
		await assertAccessible(page, 'one-time link');
		await page.selectOption('#ask-for', '24');
		await eventually(async () => /a2$/.test(await page.inputValue('#ask-url')), { what: 'the second link' });
		assert.deepEqual(stage.posts.filter((p) => p.path.endsWith('/never')).map((p) => p.json), [{ expiresIn: 3600 }, { expiresIn: 86400 }]);
		stage.json('POST /api/instance/link/never', 503, { success: false, error: { message: 'Service is at capacity', code: 'at_capacity' } });
		await page.selectOption('#ask-for', '8');
		await page.locator('#ask').waitFor({ state: 'hidden' });
		assert.ok((await text(page, '#list-error')).includes(WORDS.en.e.busy.split('|')[0]));
	});

	const many = Array.from({ length: 120 }, (_, i) => shop(`customer-${i}`, ['connected', 'connecting', 'disconnected'][i % 3],
		{ numberJid: `55119${10000000 + i}@s.whatsapp.net`, memoryBytes: 600_000 }));
	onStage('of many instances the wanted ones are found, by name, number and state', { open: false, options: PHONE, instances: many }, async (page) => {
		const shownNames = () => page.locator('#list > li').evaluateAll((all) => all.map((li) => li.dataset.name));
		assert.equal((await shownNames()).length, 120);
		assert.deepEqual(await page.locator('#find-state option').allInnerTexts(), ['All (120)', 'Connected (40)', 'Connecting (40)', 'Not connected (40)']);
		await page.fill('#find', 'MER-11');
		assert.deepEqual(await shownNames(), many.map((i) => i.name).filter((n) => /mer-11/.test(n)));
		await page.selectOption('#find-state', 'connecting');
		assert.deepEqual(await shownNames(), ['customer-112', 'customer-115', 'customer-118']);
		// what was chosen stays while the list is loaded anew
		stage.json('GET /api/instance/list', 200, listOf(...many.map((i) => (i.name === 'customer-112' ? shop(i.name, 'connected') : i))));
		await eventually(async () => (await shownNames()).length === 2, { what: 'the next list', timeoutMs: 15_000 });
		assert.equal(await page.inputValue('#find-state'), 'connecting');
		await assertAccessible(page, 'finding');
		await assertFits(page, 'finding');
		await page.selectOption('#find-state', '');
		await page.fill('#find', '+5511910000007');
		assert.deepEqual(await shownNames(), ['customer-7']);
		await page.fill('#find', 'nobody');
		assert.equal(await text(page, '#list-none'), WORDS.en.find_none);
		assert.ok(await page.locator('#list-empty').isHidden());
	});

	onStage('that it is empty is said once it is known, and how to begin', { open: false, instances: [] }, async (page) => {
		await shown(page, '#list-empty');
		assert.equal(await text(page, '#list-empty'), WORDS.en.list_empty);
		assert.ok(await page.locator('#list-find').isHidden());
		await assertAccessible(page, 'empty');
	});
});
