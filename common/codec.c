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

size_t utf8_len(const void *text, size_t left)
{
	const uint8_t *p = text;
	uint8_t lo = 0x80,
	        hi = 0xbf; /* of the second byte: no longer form than needed, no surrogate */
	size_t n;

	if (left == 0 || p[0] < 0x80)
		return left > 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f; /* U+10FFFF */
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* A character that the terminator cuts short is none before anything behind it would be read. */
size_t utf8_char_len(const char *text)
{
	return utf8_len(text, UTF8_CHAR_MAX);
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
