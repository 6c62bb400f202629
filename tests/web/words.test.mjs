// What the page says and reads, without a browser: three languages in full, every error of the contract, numbers as they are pasted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CODES, ERROR_KEY, WORDS, readNumber } from './words.mjs';

describe('the words', () => {
	test('each language says everything, with the same places to fill', () => {
		const places = (text) => (text.match(/\{\d\}/g) ?? []).sort().join();
		for (const [lang, words] of Object.entries(WORDS)) {
			assert.deepEqual(Object.keys(words).sort(), Object.keys(WORDS.en).sort(), lang);
			assert.deepEqual(Object.keys(words.e).sort(), Object.keys(WORDS.en.e).sort(), lang);
			for (const key of Object.keys(words).filter((k) => k !== 'e')) {
				assert.ok(words[key].trim() !== '', `${lang} ${key}`);
				assert.equal(places(words[key]), places(WORDS.en[key]), `${lang} ${key}`);
			}
			for (const [key, text] of Object.entries(words.e)) {
				assert.equal(text.split('|').length, 2, `${lang} ${key}: what, then what to do`);
				assert.equal(places(text), places(WORDS.en.e[key]), `${lang} ${key}`);
			}
		}
	});

	test('every error of the contract has words of its own', () => {
		for (const code of CODES)
			assert.ok(WORDS.en.e[ERROR_KEY[code]], code);
		// what the source can say and the contract has not got would be an "unknown" here
		const list = readFileSync(new URL('../../gateway/http/gw_req.h', import.meta.url), 'utf8').match(/"([a-z_]+)"\) ?\\/g) ?? [];
		const ours = list.map((t) => t.match(/"([a-z_]+)"/)[1]);
		const admin = ['account_not_found', 'account_exists', 'account_not_empty', 'ambiguous_name', 'forbidden', 'at_least_one_setting'];
		const events = ours.filter((c) => /webhook|websocket|message|media|event|dead|replay|chat/.test(c));
		for (const code of ours)
			assert.ok(code in ERROR_KEY || admin.includes(code) || events.includes(code), `no words for ${code}`);
		assert.ok(ours.length > 20, `only ${ours.length} codes found`);
	});
});

describe('a pasted number', () => {
	const good = {
		'+55 (11) 99999-9999': '5511999999999', '5511999999999': '5511999999999', '0055 11 99999 9999': '5511999999999',
		'+44 (0)20 7946 0958': '442079460958', '+49.30.901820': '4930901820', 'tel:+1-202-555-0123': '12025550123',
		'https://wa.me/5511999999999': '5511999999999', 'wa.me/+5511999999999?text=hi': '5511999999999',
		'https://api.whatsapp.com/send?phone=%2B5511999999999&text=x': '5511999999999',
		'5511999999999@s.whatsapp.net': '5511999999999', '5511999999999:12@s.whatsapp.net': '5511999999999',
		'\u202a+55\u00a011\u00a099999\u20119999\u202c': '5511999999999', '＋５５１１９９９９９９９９９': '5511999999999',
		'+٩٦٦٥٠١٢٣٤٥٦٧': '966501234567', ' ++55 11 99999-9999 ': '5511999999999', '1234567': '1234567', '123456789012345': '123456789012345',
	};
	const bad = {
		'': 'number_short', '+55': 'number_short', '123456': 'number_short', '1234567890123456': 'number_long',
		'011 99999-9999': 'number_country', '0': 'number_country', 'call me': 'number_chars', '+55 11 9999x9999': 'number_chars',
		'55119999+9999': 'number_chars', 'https://example.com/': 'number_chars',
	};
	for (const [text, digits] of Object.entries(good))
		test(`is read: ${JSON.stringify(text)}`, () => assert.deepEqual(readNumber(text), { digits }));
	for (const [text, wrong] of Object.entries(bad))
		test(`is refused: ${JSON.stringify(text)}`, () => assert.deepEqual(readNumber(text), { wrong }));
});
