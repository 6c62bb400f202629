/* gateway/http/gw_accept.c - which form of an answer a client wants */
#include "gateway/http/gw_accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *type;
	const char *subtype;
	const char *content_type;
} media_types[GW_MEDIA_N] = {
	[GW_MEDIA_JSON] = { "application", "json", "application/json" },
	[GW_MEDIA_PNG] = { "image", "png", "image/png" },
	[GW_MEDIA_SVG] = { "image", "svg+xml", "image/svg+xml" },
	[GW_MEDIA_TEXT] = { "text", "plain", "text/plain; charset=utf-8" },
	[GW_MEDIA_EVENTS] = { "text", "event-stream", "text/event-stream" },
};

const char *gw_media_type(enum gw_media media)
{
	return media_types[media].content_type;
}

/* One element of the header: a range and its weight in thousandths. */
struct range {
	const char *type;
	size_t type_len;
	const char *subtype;
	size_t subtype_len;
	int q;
};

static const char token_chars[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

static const char *token(const char *p, const char **word, size_t *len)
{
	*word = p;
	*len = strspn(p, token_chars);
	return *len == 0 ? NULL : p + *len;
}

/* The end of a quoted string that begins at p, or NULL. */
static const char *quoted(const char *p)
{
	for (p++; *p != '\0' && *p != '"'; p++) {
		if (*p == '\\' && *++p == '\0')
			return NULL;
	}
	return *p == '"' ? p + 1 : NULL;
}

/* "0", "0.25", "1.000": thousandths, or -1. */
static int weight(const char *p, size_t len)
{
	int q, scale = 100;

	if (len == 0 || len > 5 || (*p != '0' && *p != '1') || (len > 1 && p[1] != '.'))
		return -1;
	q = (*p - '0') * 1000;
	for (size_t i = 2; i < len; i++, scale /= 10) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		q += (p[i] - '0') * scale;
	}
	return q > 1000 ? -1 : q;
}

/* ";name=value"; p is behind the semicolon. */
static const char *parameter(const char *p, struct range *r)
{
	const char *name, *value;
	size_t name_len, value_len;

	p = skip_space(p);
	if (*p == ';' || *p == ',' || *p == '\0')
		return p;
	p = token(p, &name, &name_len);
	if (p == NULL || *p != '=')
		return NULL;
	p++;
	if (*p == '"')
		return quoted(p);
	p = token(p, &value, &value_len);
	if (p != NULL && name_len == 1 && (*name == 'q' || *name == 'Q')) {
		r->q = weight(value, value_len);
		if (r->q < 0)
			return NULL;
	}
	return p;
}

/* One element; NULL when it can't be read, else behind it (at a comma or the end). */
static const char *range_parse(const char *p, struct range *r)
{
	r->q = 1000;
	p = token(p, &r->type, &r->type_len);
	if (p == NULL || *p != '/')
		return NULL;
	p = token(p + 1, &r->subtype, &r->subtype_len);
	while (p != NULL && *(p = skip_space(p)) == ';')
		p = parameter(p + 1, r);
	return p != NULL && (*p == ',' || *p == '\0') ? p : NULL;
}

static bool word_is(const char *word, size_t len, const char *want)
{
	return strlen(want) == len && strncasecmp(word, want, len) == 0;
}

/* 0: does not match; 1: any type; 2: any of the type; 3: exactly this. */
static int match(const struct range *r, enum gw_media media)
{
	bool any_subtype = word_is(r->subtype, r->subtype_len, "*");

	if (word_is(r->type, r->type_len, "*"))
		return any_subtype ? 1 : 0;
	if (!word_is(r->type, r->type_len, media_types[media].type))
		return 0;
	if (any_subtype)
		return 2;
	return word_is(r->subtype, r->subtype_len, media_types[media].subtype) ? 3 : 0;
}

struct score {
	int q;
	int precision; /* of the range that gave q; 0: none matched */
};

/* The most precise range decides about each form. False when the header can't be read. */
static bool score_all(const char *p, struct score scores[GW_MEDIA_N])
{
	struct range r;
	int precision;

	for (p = skip_space(p); *p != '\0'; p = skip_space(p)) {
		if (*p == ',') {
			p++;
			continue;
		}
		p = range_parse(p, &r);
		if (p == NULL)
			return false;
		for (int m = 0; m < GW_MEDIA_N; m++) {
			precision = match(&r, (enum gw_media)m);
			if (precision > scores[m].precision)
				scores[m] = (struct score){ r.q, precision };
		}
	}
	return true;
}

enum gw_media gw_accept_best(const char *accept)
{
	struct score scores[GW_MEDIA_N] = { { 0, 0 } };
	const struct score *best = &scores[GW_MEDIA_JSON];

	if (accept == NULL || !score_all(accept, scores))
		return GW_MEDIA_JSON;
	for (const struct score *s = scores; s < scores + GW_MEDIA_N; s++) {
		if (s->q > best->q ||
		    (s->q == best->q && s->q > 0 && s->precision > best->precision))
			best = s;
	}
	return (enum gw_media)(best - scores);
}
