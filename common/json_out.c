/* common/json_out.c - JSON text written straight into a buffer */
#include "common/json_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/codec.h"

#define REAL_CAP 32
static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static void put(struct json_out *j, const void *data, size_t data_len)
{
	if (j->err == 0 && data_len > j->b->cap - j->b->len)
		j->err = buf_reserve(j->b, data_len);
	if (j->err != 0 || data_len == 0)
		return;
	memcpy(j->b->p + j->b->len, data, data_len);
	j->b->len += data_len;
}

static void put_char(struct json_out *j, char c)
{
	put(j, &c, 1);
}

/* What stands in front of a value: a comma, its name. */
static void begin(struct json_out *j, const char *name)
{
	size_t n = name == NULL ? 0 : strlen(name);
	uint8_t *p;

	if (j->err == 0)
		j->err = buf_reserve(j->b, n + 4);
	if (j->err != 0)
		return;
	p = j->b->p + j->b->len;
	if (j->more)
		*p++ = ',';
	if (name != NULL) {
		*p++ = '"';
		memcpy(p, name, n);
		p += n;
		*p++ = '"';
		*p++ = ':';
	}
	j->b->len = (size_t)(p - j->b->p);
	j->more = true;
}

static void open(struct json_out *j, const char *name, char bracket)
{
	begin(j, name);
	put_char(j, bracket);
	j->more = false;
}

static void end(struct json_out *j, char bracket)
{
	put_char(j, bracket);
	j->more = true;
}

void jout_obj(struct json_out *j, const char *name)
{
	open(j, name, '{');
}

void jout_obj_end(struct json_out *j)
{
	end(j, '}');
}

void jout_arr(struct json_out *j, const char *name)
{
	open(j, name, '[');
}

void jout_arr_end(struct json_out *j)
{
	end(j, ']');
}

/* ---- text ---------------------------------------------------------------------------------------
 */

/* Stands in a JSON string as it is. */
static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#define EACH(c) (0x0101010101010101u * (c))
/* The top bit of each byte of v that is 0; of the bytes above such a one it may be set, too. */
#define HAS_ZERO(v) (((v)-EACH(1)) & ~(v)&EACH(0x80))

/* Eight at a time: no byte that is not plain. */
static bool are_plain(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return ((v & EACH(0x80)) | ((v - EACH(0x20)) & ~v & EACH(0x80)) |
	        HAS_ZERO(v ^ EACH((uint64_t)'"')) | HAS_ZERO(v ^ EACH((uint64_t)'\\'))) == 0;
}

static void put_escape(struct json_out *j, uint8_t c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char text[7];

	if (c == '\0') {
		put(j, replacement, sizeof(replacement) - 1);
		return;
	}
	for (size_t i = 0; i + 1 < sizeof(letters); i += 2) {
		if (letters[i] == (char)c) {
			put(j, (const char[]){ '\\', letters[i + 1] }, 2);
			return;
		}
	}
	snprintf(text, sizeof(text), "\\u%04x", c);
	put(j, text, sizeof(text) - 1);
}

static void put_text(struct json_out *j, const uint8_t *p, size_t left)
{
	put_char(j, '"');
	while (left > 0 && j->err == 0) {
		size_t n = 0, c;

		while (n < left) {
			if (left - n >= 8 && are_plain(p + n)) {
				n += 8;
				continue;
			}
			c = is_plain(p[n]) ? 1 : p[n] < 0x80 ? 0 : utf8_len(p + n, left - n);
			if (c == 0)
				break;
			n += c;
		}
		put(j, p, n);
		p += n;
		left -= n;
		if (left == 0)
			break;
		if (*p < 0x80)
			put_escape(j, *p);
		else
			put(j, replacement, sizeof(replacement) - 1);
		p++;
		left--;
	}
	put_char(j, '"');
}

void jout_str_n(struct json_out *j, const char *name, const void *data, size_t data_len)
{
	begin(j, name);
	put_text(j, data, data_len);
}

void jout_str(struct json_out *j, const char *name, const char *s)
{
	if (s != NULL)
		jout_str_n(j, name, s, strlen(s));
}

/* ---- numbers and the rest -----------------------------------------------------------------------
 */

void jout_int(struct json_out *j, const char *name, int64_t v)
{
	begin(j, name);
	if (v < 0)
		put_char(j, '-');
	if (j->err == 0)
		j->err = buf_append_dec(j->b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void jout_int_set(struct json_out *j, const char *name, int64_t v)
{
	if (v != 0)
		jout_int(j, name, v);
}

void jout_real(struct json_out *j, const char *name, double v)
{
	char text[REAL_CAP];
	int n;

	if (!isfinite(v)) {
		jout_null(j, name);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		n = snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	begin(j, name);
	put(j, text, (size_t)n);
}

void jout_bool(struct json_out *j, const char *name, bool v)
{
	begin(j, name);
	if (v)
		put(j, "true", 4);
	else
		put(j, "false", 5);
}

void jout_flag(struct json_out *j, const char *name, bool v)
{
	if (v)
		jout_bool(j, name, true);
}

void jout_null(struct json_out *j, const char *name)
{
	begin(j, name);
	put(j, "null", 4);
}

/* Room for a string of that many characters that its caller writes; NULL: without memory. */
static char *open_string(struct json_out *j, const char *name, size_t cap)
{
	begin(j, name);
	put_char(j, '"');
	if (j->err == 0)
		j->err = buf_reserve(j->b, cap);
	return j->err == 0 ? (char *)j->b->p + j->b->len : NULL;
}

static void close_string(struct json_out *j, char *text)
{
	if (text == NULL)
		return;
	j->b->len += strlen(text);
	put_char(j, '"');
}

void jout_b64(struct json_out *j, const char *name, const void *data, size_t data_len)
{
	char *text;

	if (data_len == 0)
		return;
	text = open_string(j, name, B64_CAP(data_len));
	if (text != NULL)
		b64_encode(data, data_len, text);
	close_string(j, text);
}

void jout_hex(struct json_out *j, const char *name, const void *data, size_t data_len)
{
	char *text;

	if (data_len == 0)
		return;
	text = open_string(j, name, HEX_CAP(data_len));
	if (text != NULL)
		hex_encode(data, data_len, text);
	close_string(j, text);
}

void jout_time(struct json_out *j, const char *name, int64_t unix_ms)
{
	char text[RFC3339_CAP];

	clock_rfc3339(unix_ms, text);
	begin(j, name);
	put_char(j, '"');
	put(j, text, strlen(text));
	put_char(j, '"');
}
