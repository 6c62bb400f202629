/* gateway/http/gw_gate.c - the strict reader of the raw request stream: what ends where */
#include "gateway/http/gw_gate.h"

#include <stddef.h>
#include <string.h>

#include "common/codec.h"
#include "gateway/http/gw_gate_priv.h"

enum gate_state {
	G_LINE,       /* inside a head line */
	G_LF,         /* after the CR of a head line */
	G_BODY_START, /* the head is complete */
	G_BODY,       /* counted body */
	G_CHUNK_SIZE,
	G_CHUNK_SIZE_LF,
	G_CHUNK_DATA,
	G_CHUNK_CR,
	G_CHUNK_LF,
	G_LAST_CR, /* the empty line after the last chunk */
	G_LAST_LF,
	G_END,
};

/* 16 digits would already overflow what a body may ever be. */
#define CHUNK_DIGITS_MAX 15
/* A larger buffer is given back between requests. */
#define HEAD_KEEP_CAP 2048

/* ---- reading --------------------------------------------------------------------------------- */

/*
 * Bytes of the head up to the end of what is there, or of the head: *end_out. HEAD: that is its
 * end. DONE: an empty line in front of the request, which was not there before.
 */
static enum gw_gate_verdict scan_head(struct gw_gate *g, const uint8_t *p, size_t n,
                                      size_t *end_out)
{
	size_t at = 0, run;

	while (at < n) {
		if (g->state == G_LINE) {
			run = gw_gate_line_run(p + at, n - at);
			g->line_len += (uint32_t)run;
			at += run;
			if (at == n)
				break;
			if (p[at++] != '\r')
				return GW_GATE_BAD;
			g->state = G_LF;
			continue;
		}
		if (p[at++] != '\n')
			return GW_GATE_BAD;
		g->state = G_LINE;
		*end_out = at;
		if (g->line_len == 0)
			return g->head.len + at > 2 ? GW_GATE_HEAD : GW_GATE_DONE;
		g->line_len = 0;
	}
	*end_out = at;
	return GW_GATE_MORE;
}

static enum gw_gate_verdict feed_head(struct gw_gate *g, const uint8_t *p, size_t n, size_t *used)
{
	enum gw_gate_verdict v;
	size_t len;

	if (n == *used)
		return GW_GATE_MORE; /* p may be NULL then */
	do {
		/* What is too long is not looked at any further. */
		len = n - *used;
		if (len > GW_GATE_HEAD_MAX + 1 - g->head.len)
			len = GW_GATE_HEAD_MAX + 1 - g->head.len;
		v = scan_head(g, p + *used, len, &len);
		if (v == GW_GATE_BAD || g->head.len + len > GW_GATE_HEAD_MAX)
			return GW_GATE_BAD;
		if (buf_append(&g->head, p + *used, len) < 0)
			return GW_GATE_NO_MEMORY;
		*used += len;
		if (v == GW_GATE_DONE) {
			if (g->skipped_line)
				return GW_GATE_BAD;
			g->skipped_line = true;
			buf_reset(&g->head);
		}
	} while (v == GW_GATE_DONE);
	if (v != GW_GATE_HEAD)
		return v;
	if (!gw_gate_parse_head(g))
		return GW_GATE_BAD;
	g->state = G_BODY_START;
	return GW_GATE_HEAD;
}

/* After the head: is there a body, and may it be that large? */
static enum gw_gate_verdict begin_body(struct gw_gate *g)
{
	if (g->chunked) {
		g->state = G_CHUNK_SIZE;
		return GW_GATE_MORE;
	}
	if (g->left > g->body_max)
		return GW_GATE_TOO_LARGE;
	g->state = g->left > 0 ? G_BODY : G_END;
	return g->left > 0 ? GW_GATE_MORE : GW_GATE_DONE;
}

/* The size line of a chunk is complete. */
static enum gw_gate_verdict begin_chunk(struct gw_gate *g)
{
	if (g->chunk_size > g->body_max - g->body_len)
		return GW_GATE_TOO_LARGE;
	g->left = g->chunk_size;
	g->state = g->left > 0 ? G_CHUNK_DATA : G_LAST_CR;
	g->chunk_size = 0;
	g->chunk_digits = 0;
	return GW_GATE_MORE;
}

static enum gw_gate_verdict chunk_digit(struct gw_gate *g, char c)
{
	int v = hex_digit(c);

	if (c == '\r' && g->chunk_digits > 0) {
		g->state = G_CHUNK_SIZE_LF;
		return GW_GATE_MORE;
	}
	if (v < 0 || g->chunk_digits == CHUNK_DIGITS_MAX)
		return GW_GATE_BAD;
	g->chunk_digits++;
	g->chunk_size = g->chunk_size * 16 + (uint64_t)v;
	return GW_GATE_MORE;
}

static enum gw_gate_verdict expect_byte(struct gw_gate *g, uint8_t got, char want,
                                        enum gate_state next)
{
	if (got != (uint8_t)want)
		return GW_GATE_BAD;
	g->state = (uint8_t)next;
	return next == G_END ? GW_GATE_DONE : GW_GATE_MORE;
}

/* One byte of chunk framing. */
static enum gw_gate_verdict chunk_byte(struct gw_gate *g, uint8_t c)
{
	switch ((enum gate_state)g->state) {
	case G_CHUNK_SIZE:
		return chunk_digit(g, (char)c);
	case G_CHUNK_SIZE_LF:
		return c == '\n' ? begin_chunk(g) : GW_GATE_BAD;
	case G_CHUNK_CR:
		return expect_byte(g, c, '\r', G_CHUNK_LF);
	case G_CHUNK_LF:
		return expect_byte(g, c, '\n', G_CHUNK_SIZE);
	case G_LAST_CR:
		return expect_byte(g, c, '\r', G_LAST_LF);
	case G_LAST_LF:
		return expect_byte(g, c, '\n', G_END);
	case G_LINE:
	case G_LF:
	case G_BODY_START:
	case G_BODY:
	case G_CHUNK_DATA:
	case G_END:
		break;
	}
	return GW_GATE_BAD;
}

static enum gw_gate_verdict pass_data(struct gw_gate *g, const uint8_t *p, size_t n, size_t *used,
                                      const uint8_t **piece_out, size_t *piece_len_out)
{
	size_t take = n - *used;

	if (take > g->left)
		take = (size_t)g->left;
	*piece_out = p + *used;
	*piece_len_out = take;
	*used += take;
	g->left -= take;
	g->body_len += take;
	if (g->left == 0)
		g->state = g->state == G_BODY ? G_END : G_CHUNK_CR;
	return GW_GATE_DATA;
}

static enum gw_gate_verdict feed(struct gw_gate *g, const uint8_t *p, size_t n, size_t *used,
                                 const uint8_t **piece_out, size_t *piece_len_out)
{
	enum gw_gate_verdict v = GW_GATE_MORE;

	if (g->state == G_LINE || g->state == G_LF)
		return feed_head(g, p, n, used);
	if (g->state == G_BODY_START)
		v = begin_body(g);
	else if (g->state == G_END)
		v = GW_GATE_DONE;
	while (v == GW_GATE_MORE && *used < n) {
		if (g->state == G_BODY || g->state == G_CHUNK_DATA)
			return pass_data(g, p, n, used, piece_out, piece_len_out);
		v = chunk_byte(g, p[(*used)++]);
	}
	return v;
}

enum gw_gate_verdict gw_gate_feed(struct gw_gate *g, const void *data, size_t data_len,
                                  size_t *used_out, const uint8_t **piece_out,
                                  size_t *piece_len_out)
{
	*used_out = 0;
	*piece_out = NULL;
	*piece_len_out = 0;
	if (g->verdict >= GW_GATE_BAD)
		return (enum gw_gate_verdict)g->verdict;
	g->verdict = (uint8_t)feed(g, data, data_len, used_out, piece_out, piece_len_out);
	return (enum gw_gate_verdict)g->verdict;
}

/* ---- the rest -------------------------------------------------------------------------------- */

void gw_gate_init(struct gw_gate *g, uint64_t body_max)
{
	memset(g, 0, offsetof(struct gw_gate, fields)); /* which fields_n keeps from being read */
	g->body_default = body_max;
	g->body_max = body_max;
	g->state = G_LINE;
}

void gw_gate_clear(struct gw_gate *g)
{
	buf_wipe(&g->head); /* held a token */
}

void gw_gate_reset(struct gw_gate *g)
{
	struct buf head = g->head;

	buf_reset(&head);
	if (head.cap > HEAD_KEEP_CAP)
		buf_free(&head);
	gw_gate_init(g, g->body_default);
	g->head = head;
}

void gw_gate_set_body_max(struct gw_gate *g, uint64_t body_max)
{
	g->body_max = body_max;
}

bool gw_gate_is_started(const struct gw_gate *g)
{
	return g->state != G_LINE || g->head.len > 0 || g->skipped_line;
}

bool gw_gate_has_head(const struct gw_gate *g)
{
	return g->state >= G_BODY_START;
}

bool gw_gate_expects_continue(const struct gw_gate *g)
{
	return g->expects_continue;
}

bool gw_gate_keeps_alive(const struct gw_gate *g)
{
	return !g->close && (g->minor > 0 || g->keep_alive);
}
