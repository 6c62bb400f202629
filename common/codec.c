/* common/codec.c - hex, base64 and base32 text */
#include "common/codec.h"

#include <errno.h>

#include <openssl/evp.h>

#include "common/err.h"

void hex_encode(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, uint8_t *out, size_t out_len)
{
	for (size_t i = 0; i < out_len; i++) {
		int hi = hex_digit(text[2 * i]);
		int lo = hi < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (lo < 0)
			return -EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return text[2 * out_len] == '\0' ? 0 : -EINVAL;
}

void b64_encode(const void *data, size_t n, char *out)
{
	const uint8_t *p = data;

	/* in slices: EVP_EncodeBlock() takes an int */
	while (n > 0) {
		int take = n > 3 << 20 ? 3 << 20 : (int)n;
		int wrote = EVP_EncodeBlock((unsigned char *)out, p, take);

		p += take;
		n -= (size_t)take;
		out += wrote;
	}
	*out = '\0';
}

static int b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int b64_decode(const char *text, size_t text_len, uint8_t *out, size_t out_cap, size_t *len_out)
{
	size_t len = 0;
	uint32_t acc = 0;
	unsigned bits = 0;

	/* OpenSSL's decoder needs padding and knows one alphabet; this is the whole job */
	if (text_len > 0 && text_len % 4 == 0 && text[text_len - 1] == '=') {
		text_len--;
		if (text[text_len - 1] == '=')
			text_len--;
	}
	if (text_len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < text_len; i++) {
		int v = b64_value(text[i]);

		if (v < 0)
			return -EINVAL;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (len == out_cap)
			return WA_ELIMIT;
		out[len++] = (uint8_t)(acc >> bits);
	}
	if ((acc & ((1u << bits) - 1)) != 0)
		return -EINVAL; /* bits that belong to no byte must be zero */
	*len_out = len;
	return 0;
}

void base32_encode_lower(const void *data, size_t n, char *out, size_t out_len)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	const uint8_t *p = data;
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t len = 0;

	for (size_t i = 0; len < out_len && i < n; i++) {
		acc = acc << 8 | p[i];
		bits += 8;
		while (bits >= 5 && len < out_len) {
			bits -= 5;
			out[len++] = digits[(acc >> bits) & 31];
		}
	}
	if (bits > 0 && len < out_len)
		out[len++] = digits[(acc << (5 - bits)) & 31];
	out[len] = '\0';
}

size_t utf8_char_len(const char *text)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max, len;
	} kinds[] = {
		{ 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (p[0] < kinds[i].first_min || p[0] > kinds[i].first_max)
			continue;
		if (kinds[i].len > 1 && (p[1] < kinds[i].second_min || p[1] > kinds[i].second_max))
			return 0;
		for (size_t k = 2; k < kinds[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return kinds[i].len;
	}
	return 0;
}

int dec_decode(const char *text, uint64_t max, uint64_t *v_out)
{
	uint64_t v = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || v > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		v = v * 10 + digit;
	}
	if (v > max)
		return -EINVAL;
	*v_out = v;
	return 0;
}
