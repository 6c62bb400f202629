/* tests/unit/gate_feed.h - a request through the gate in pieces of any size, and what came out */
#ifndef GATE_FEED_H
#define GATE_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "gateway/http/gw_gate.h"

struct gate_run {
	struct gw_gate gate;
	enum gw_gate_verdict verdict; /* the last one */
	size_t used;                  /* bytes of the input */
	struct buf body;
	int heads;
};

/*
 * Feed the first bytes of data, then step at a time (0: the rest at once), until the request is
 * complete or refused.
 */
static inline void gate_run_cut(struct gate_run *r, const void *data, size_t len, size_t first,
                                size_t step, uint64_t body_max)
{
	const uint8_t *p = data, *piece;
	size_t n, used, piece_len, given = first < len ? first : len;

	*r = (struct gate_run){ .verdict = GW_GATE_MORE };
	gw_gate_init(&r->gate, body_max);
	for (;;) {
		if (r->used == given && (r->verdict == GW_GATE_MORE)) {
			if (given == len)
				return;
			given = step == 0 || len - given < step ? len : given + step;
		}
		n = given - r->used;
		r->verdict = gw_gate_feed(&r->gate, p + r->used, n, &used, &piece, &piece_len);
		r->used += used;
		r->heads += r->verdict == GW_GATE_HEAD;
		if (r->verdict == GW_GATE_DATA && buf_append(&r->body, piece, piece_len) < 0)
			r->verdict = GW_GATE_NO_MEMORY;
		if (r->verdict == GW_GATE_DONE || r->verdict >= GW_GATE_BAD)
			return;
	}
}

/* In pieces of step bytes (0: all at once). */
static inline void gate_run(struct gate_run *r, const void *data, size_t len, size_t step,
                            uint64_t body_max)
{
	gate_run_cut(r, data, len, step, step, body_max);
}

static inline void gate_run_clear(struct gate_run *r)
{
	gw_gate_clear(&r->gate);
	buf_free(&r->body);
}

#endif
