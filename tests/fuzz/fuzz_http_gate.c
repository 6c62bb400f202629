/*
 * tests/fuzz/fuzz_http_gate.c - the gate against a second reader
 *
 * How the bytes are cut changes nothing: not the verdict, not the body, not where the request ends.
 * What the gate takes, a plain reader written the long way round frames the same. And written anew
 * from what was understood of it, it is understood the same.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>
#include <strings.h>

#include "../unit/gate_feed.h"

#define BODY_MAX 65536

/* ---- a plain reader -------------------------------------------------------------------------- */

struct line {
	const char *p;
	size_t len;
};

/* Up to the next CRLF; false without one. No CR, LF or NUL may be inside. */
static bool next_line(const char **p, const char *end, struct line *out)
{
	const char *eol = memmem(*p, (size_t)(end - *p), "\r\n", 2);

	if (eol == NULL)
		return false;
	*out = (struct line){ *p, (size_t)(eol - *p) };
	*p = eol + 2;
	for (size_t i = 0; i < out->len; i++) {
		uint8_t c = (uint8_t)out->p[i];

		FUZZ_REQUIRE((c >= 0x20 || c == '\t') && c != 0x7f);
	}
	return true;
}

/* Is it the field name? Its value without white space around it then goes to out. */
static bool field_is(const struct line *l, const char *name, struct line *out)
{
	size_t n = strlen(name);

	if (l->len <= n || strncasecmp(l->p, name, n) != 0 || l->p[n] != ':')
		return false;
	*out = (struct line){ l->p + n + 1, l->len - n - 1 };
	while (out->len > 0 && (*out->p == ' ' || *out->p == '\t')) {
		out->p++;
		out->len--;
	}
	while (out->len > 0 && (out->p[out->len - 1] == ' ' || out->p[out->len - 1] == '\t'))
		out->len--;
	return true;
}

static uint64_t number(const char *p, size_t len, int base)
{
	uint64_t v = 0;

	FUZZ_REQUIRE(len > 0);
	for (; len > 1 && *p == '0'; p++)
		len--;
	FUZZ_REQUIRE(len < 20);
	for (size_t i = 0; i < len; i++) {
		const char *digits = "0123456789abcdef";
		const char *d = strchr(digits, p[i] >= 'A' && p[i] <= 'F' ? p[i] + 32 : p[i]);

		FUZZ_REQUIRE(d != NULL && p[i] != '\0' && d - digits < base);
		v = v * (uint64_t)base + (uint64_t)(d - digits);
		FUZZ_REQUIRE(v <= BODY_MAX);
	}
	return v;
}

struct framing {
	int hosts_n, lengths_n, encodings_n;
	bool chunked;
	uint64_t length;
};

static void check_field(const struct line *l, struct framing *f)
{
	const char *colon = memchr(l->p, ':', l->len);
	struct line value;

	FUZZ_REQUIRE(colon != NULL && colon > l->p);
	FUZZ_REQUIRE(colon[-1] != ' ' && colon[-1] != '\t' && *l->p != ' ' && *l->p != '\t');
	if (field_is(l, "host", &value)) {
		f->hosts_n++;
		FUZZ_REQUIRE(value.len > 0);
	} else if (field_is(l, "content-length", &value)) {
		f->lengths_n++;
		f->length = number(value.p, value.len, 10);
	} else if (field_is(l, "transfer-encoding", &value)) {
		f->encodings_n++;
		f->chunked = value.len == 7 && strncasecmp(value.p, "chunked", 7) == 0;
		FUZZ_REQUIRE(f->chunked);
	}
}

static void check_chunks(const char **p, const char *end, const struct buf *body)
{
	size_t at = 0;
	struct line l;
	uint64_t size;

	do {
		FUZZ_REQUIRE(next_line(p, end, &l));
		size = number(l.p, l.len, 16);
		FUZZ_REQUIRE(size + 2 <= (uint64_t)(end - *p) && size <= body->len - at);
		FUZZ_REQUIRE(size == 0 || memcmp(*p, body->p + at, size) == 0);
		*p += size;
		at += size;
		FUZZ_REQUIRE(memcmp(*p, "\r\n", 2) == 0);
		*p += 2;
	} while (size > 0);
	FUZZ_REQUIRE(at == body->len);
}

/* The request that the gate took is all of text. */
static void check_taken(const char *text, size_t len, const struct gate_run *r)
{
	const char *p = text, *end = text + len;
	struct framing f = { 0 };
	struct line l;
	bool is_11;

	FUZZ_REQUIRE(next_line(&p, end, &l));
	if (l.len == 0)
		FUZZ_REQUIRE(next_line(&p, end, &l));
	FUZZ_REQUIRE(l.len >= sizeof("G / HTTP/1.1") - 1);
	is_11 = memcmp(l.p + l.len - 9, " HTTP/1.1", 9) == 0;
	FUZZ_REQUIRE(is_11 || memcmp(l.p + l.len - 9, " HTTP/1.0", 9) == 0);
	FUZZ_REQUIRE(memchr(l.p, ' ', l.len - 9) != NULL);
	while (next_line(&p, end, &l) && l.len > 0)
		check_field(&l, &f);
	FUZZ_REQUIRE(l.len == 0);
	FUZZ_REQUIRE(is_11 ? f.hosts_n == 1 : f.hosts_n <= 1);
	FUZZ_REQUIRE(f.lengths_n + f.encodings_n <= 1 && (is_11 || f.encodings_n == 0));
	if (f.chunked) {
		check_chunks(&p, end, &r->body);
	} else {
		FUZZ_REQUIRE((uint64_t)(end - p) == f.length && r->body.len == f.length);
		FUZZ_REQUIRE(f.length == 0 || memcmp(p, r->body.p, f.length) == 0);
		p = end;
	}
	FUZZ_REQUIRE(p == end);
}

/* ---- cuts ------------------------------------------------------------------------------------ */

static void check_same(const struct gate_run *a, const struct gate_run *b)
{
	FUZZ_REQUIRE(a->verdict == b->verdict && a->heads == b->heads);
	if (a->verdict >= GW_GATE_BAD)
		return;
	FUZZ_REQUIRE(a->used == b->used && a->body.len == b->body.len);
	FUZZ_REQUIRE(a->body.len == 0 || memcmp(a->body.p, b->body.p, a->body.len) == 0);
	if (a->heads == 0)
		return;
	FUZZ_REQUIRE(strcmp(gw_gate_method(&a->gate), gw_gate_method(&b->gate)) == 0);
	FUZZ_REQUIRE(strcmp(gw_gate_target(&a->gate), gw_gate_target(&b->gate)) == 0);
	FUZZ_REQUIRE(gw_gate_fields_n(&a->gate) == gw_gate_fields_n(&b->gate));
	for (size_t i = 0; i < gw_gate_fields_n(&a->gate); i++) {
		FUZZ_REQUIRE(
		    strcmp(gw_gate_field_name(&a->gate, i), gw_gate_field_name(&b->gate, i)) == 0);
		FUZZ_REQUIRE(strcmp(gw_gate_field_value(&a->gate, i),
		                    gw_gate_field_value(&b->gate, i)) == 0);
	}
}

/* Cut in two at a place that the bytes themselves choose, and in each half byte by byte or not. */
static void check_cut(const uint8_t *data, size_t size, const struct gate_run *whole)
{
	struct gate_run r;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 16777619u;
	gate_run_cut(&r, data, size, h % size, h >> 24 & 1, BODY_MAX);
	check_same(whole, &r);
	gate_run_clear(&r);
}

/* ---- written anew ---------------------------------------------------------------------------- */

static void put(struct buf *b, const void *data, size_t len)
{
	FUZZ_REQUIRE(buf_append(b, data, len) == 0);
}

static void put_str(struct buf *b, const char *s)
{
	put(b, s, strlen(s));
}

/* The request as its parts say, with one length in place of its framing. */
static void write_anew(const struct gate_run *r, struct buf *out)
{
	const struct gw_gate *g = &r->gate;
	bool sized = false;

	FUZZ_REQUIRE(buf_appendf(out, "%s %s HTTP/1.%u\r\n", gw_gate_method(g), gw_gate_target(g),
	                         gw_gate_minor(g)) == 0);
	for (size_t i = 0; i < gw_gate_fields_n(g); i++) {
		if (gw_gate_field_kind(g, i) == GW_FIELD_TRANSFER_ENCODING ||
		    gw_gate_field_kind(g, i) == GW_FIELD_CONTENT_LENGTH) {
			sized = true;
			FUZZ_REQUIRE(buf_appendf(out, "Content-Length: %zu\r\n", r->body.len) == 0);
			continue;
		}
		put_str(out, gw_gate_field_name(g, i));
		put_str(out, ": ");
		put_str(out, gw_gate_field_value(g, i));
		put_str(out, "\r\n");
	}
	put_str(out, "\r\n");
	FUZZ_REQUIRE(sized || r->body.len == 0);
	put(out, r->body.len > 0 ? (const void *)r->body.p : "", r->body.len);
}

/* What is taken, and written anew from what was understood, is taken and understood the same. */
static void check_anew(const struct gate_run *r)
{
	struct buf text = { 0 };
	struct gate_run again;

	write_anew(r, &text);
	gate_run(&again, text.p, text.len, 0, BODY_MAX);
	/* ": " for ":" may lead over the limit of a head */
	if (again.verdict != GW_GATE_BAD || text.len - r->body.len <= GW_GATE_HEAD_MAX) {
		FUZZ_REQUIRE(again.verdict == GW_GATE_DONE && again.used == text.len);
		FUZZ_REQUIRE(strcmp(gw_gate_method(&again.gate), gw_gate_method(&r->gate)) == 0);
		FUZZ_REQUIRE(strcmp(gw_gate_target(&again.gate), gw_gate_target(&r->gate)) == 0);
		FUZZ_REQUIRE(gw_gate_fields_n(&again.gate) == gw_gate_fields_n(&r->gate));
		FUZZ_REQUIRE(gw_gate_keeps_alive(&again.gate) == gw_gate_keeps_alive(&r->gate));
		FUZZ_REQUIRE(again.body.len == r->body.len);
		FUZZ_REQUIRE(r->body.len == 0 || memcmp(again.body.p, r->body.p, r->body.len) == 0);
	}
	gate_run_clear(&again);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gate_run whole, single, odd;
	size_t at = 0;

	/* One request behind the other, as on a connection. */
	while (at < size) {
		gate_run(&whole, data + at, size - at, 0, BODY_MAX);
		gate_run(&single, data + at, size - at, 1, BODY_MAX);
		gate_run(&odd, data + at, size - at, 13, BODY_MAX);
		check_same(&whole, &single);
		check_same(&whole, &odd);
		check_cut(data + at, size - at, &whole);
		if (whole.verdict == GW_GATE_DONE) {
			check_taken((const char *)data + at, whole.used, &whole);
			check_anew(&whole);
		}
		at = whole.verdict == GW_GATE_DONE ? at + whole.used : size;
		gate_run_clear(&whole);
		gate_run_clear(&single);
		gate_run_clear(&odd);
	}
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	mut_http(m, MUT_HTTP_REQUEST, data, size, out);
	return true;
}
