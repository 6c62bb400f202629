// web/number.js - a phone number out of whatever was pasted: +55 (11) 99999-9999, 0055…, a wa.me link, a JID
const DIGITS_MIN = 7, DIGITS_MAX = 15;

// Digits of every script as 0 to 9; marks that are not seen go.
function plainDigits(text) {
	return text.normalize('NFKC').replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '')
		.replace(/\p{Nd}/gu, (d) => {
			let zero = d.codePointAt(0);
			while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1)) && d.codePointAt(0) - zero < 9)
				zero--;
			return String(d.codePointAt(0) - zero);
		});
}

// { digits } or { wrong: the key of a sentence }
function readNumber(pasted) {
	let text = plainDigits(pasted).trim();
	const url = text.match(/(?:wa\.me\/|[?&]phone=|^tel:|^sms:)(?:%2B)?\s*([^?&#;]+)/i);
	if (url)
		text = url[1].replace(/%2B/i, '+').replace(/%20/g, ' ');
	text = text.replace(/(?::\d+)?@(s\.whatsapp\.net|c\.us)$/i, '');
	text = text.replace(/\(0\)/g, '').replace(/[\s().,/\-\u2010-\u2015\u2212]/g, '').replace(/^\++/, '+');
	if (!/^\+?\d*$/.test(text))
		return { wrong: 'number_chars' };
	const digits = text.replace('+', '').replace(/^00/, '');
	if (digits.startsWith('0'))
		return { wrong: 'number_country' };
	if (digits.length < DIGITS_MIN)
		return { wrong: 'number_short' };
	return digits.length > DIGITS_MAX ? { wrong: 'number_long' } : { digits };
}
