/* common/json_check.c - sound JSON, in one pass */
#include "common/json_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"

struct scan {
	const uint8_t *p, *end;
};

static bool at(const struct scan *s, uint8_t c)
{
	return s->p < s->end && *s->p == c;
}

static bool skip(struct scan *s, uint8_t c)
{
	if (!at(s, c))
		return false;
	s->p++;
	return true;
}

static void skip_space(struct scan *s)
{
	while (at(s, ' ') || at(s, '\t'))
		s->p++;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Four hex digits; negative: they are not. */
static int32_t hex4(struct scan *s)
{
	int32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int digit = s->p == s->end ? -1 : hex_digit((char)*s->p++);

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static bool escape(struct scan *s)
{
	int32_t v;
	uint8_t c;

	if (s->p == s->end)
		return false;
	c = *s->p++;
	if (c != 'u')
		return c != 0 && strchr("\"\\/bfnrt", c) != NULL;
	v = hex4(s);
	if (v <= 0 || (v >= 0xdc00 && v <= 0xdfff))
		return false;
	if (v < 0xd800 || v > 0xdbff)
		return true;
	if (!skip(s, '\\') || !skip(s, 'u'))
		return false;
	v = hex4(s);
	return v >= 0xdc00 && v <= 0xdfff;
}

static bool string(struct scan *s)
{
	if (!skip(s, '"'))
		return false;
	while (s->p < s->end) {
		uint8_t c = *s->p;

		if (c == '"') {
			s->p++;
			return true;
		}
		if (c < ' ')
			return false;
		if (c >= 0x80) {
			size_t n = utf8_len(s->p, (size_t)(s->end - s->p));

			if (n == 0)
				return false;
			s->p += n;
			continue;
		}
		s->p++;
		if (c == '\\' && !escape(s))
			return false;
	}
	return false;
}

/* ---- other scalars -------------------------------------------------------------------------- */

static bool digits(struct scan *s)
{
	const uint8_t *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static bool number(struct scan *s)
{
	(void)skip(s, '-');
	if (!skip(s, '0') && !digits(s))
		return false;
	if (skip(s, '.') && !digits(s))
		return false;
	if (!skip(s, 'e') && !skip(s, 'E'))
		return true;
	if (!skip(s, '+'))
		(void)skip(s, '-');
	return digits(s);
}

static bool word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool scalar(struct scan *s)
{
	switch (s->p < s->end ? *s->p : 0) {
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return number(s);
	}
}

/* ---- nesting -------------------------------------------------------------------------------- */

/* The name of a member, and its colon. */
static bool name(struct scan *s)
{
	skip_space(s);
	if (!string(s))
		return false;
	skip_space(s);
	return skip(s, ':');
}

/* After a value: brackets that close, then perhaps a comma. False: not sound. */
static bool after(struct scan *s, uint64_t *objects, unsigned *depth)
{
	for (;;) {
		bool object = *depth > 0 && (*objects >> (*depth - 1) & 1) != 0;

		skip_space(s);
		if (*depth == 0)
			return true;
		if (skip(s, object ? '}' : ']')) {
			(*depth)--;
			continue;
		}
		return skip(s, ',') && (!object || name(s));
	}
}

int json_check(const char *text, size_t len, unsigned depth_max)
{
	struct scan s = { (const uint8_t *)text, (const uint8_t *)text + len };
	uint64_t objects = 0; /* bit n: what is open at depth n + 1 is an object */
	unsigned depth = 0;

	do {
		skip_space(&s);
		if (at(&s, '{') || at(&s, '[')) {
			bool object = *s.p++ == '{';

			if (depth == depth_max || depth == JSON_CHECK_DEPTH_MAX)
				return WA_ELIMIT;
			objects &= ~(UINT64_C(1) << depth);
			objects |= (uint64_t)object << depth;
			depth++;
			skip_space(&s);
			if (!at(&s, object ? '}' : ']')) {
				if (object && !name(&s))
					return WA_EPROTO;
				continue;
			}
		} else if (!scalar(&s)) {
			return WA_EPROTO;
		}
		if (!after(&s, &objects, &depth))
			return WA_EPROTO;
	} while (depth > 0);
	return s.p == s.end ? 0 : WA_EPROTO;
}
