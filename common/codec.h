/* common/codec.h - hex, base64, base32 and UTF-8 text; lengths in bytes, outputs always
 * NUL-terminated */
#ifndef CODEC_H
#define CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define HEX_CAP(n) (2 * (n) + 1)
#define B64_CAP(n) (4 * (((n) + 2) / 3) + 1)

/* Value of a hex digit of either case, or -1. */
int hex_digit(char c);
/* Lower case. out holds HEX_CAP(n) bytes. */
void hex_encode(const void *data, size_t n, char *out);
/*
 * text of exactly 2 * out_len hex digits, either case.
 * 0, or -EINVAL on another length or another character (out is then undefined).
 */
ATTR_NODISCARD int hex_decode(const char *text, uint8_t *out, size_t out_len);

/* Standard alphabet with padding. out holds B64_CAP(n) bytes. */
void b64_encode(const void *data, size_t n, char *out);
/*
 * Standard or URL alphabet, with or without padding, no white space.
 * *len_out: bytes written, at most out_cap. 0, -EINVAL, or WA_ELIMIT when out_cap is too small.
 */
ATTR_NODISCARD int b64_decode(const char *text, size_t text_len, uint8_t *out, size_t out_cap,
                              size_t *len_out);

/* RFC 4648 base32 in lower case without padding ("a-z2-7"); out holds out_len + 1 characters. */
void base32_encode_lower(const void *data, size_t n, char *out, size_t out_len);

/* Decimal digits and nothing else, at least one, not over max. 0 or -EINVAL. */
ATTR_NODISCARD int dec_decode(const char *text, uint64_t max, uint64_t *v_out);

#define UTF8_CHAR_MAX 4
/* Bytes of the UTF-8 character (RFC 3629) that text of so many bytes begins with; 0: it does not.
 */
size_t utf8_len(const void *text, size_t left);
/* The same of NUL-terminated text. The terminator is a character of one byte. */
size_t utf8_char_len(const char *text);

#endif
