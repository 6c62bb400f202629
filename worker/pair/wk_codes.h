/*
 * worker/pair/wk_codes.h - the refs of one pair-device and which of them is being shown
 *
 * No clock, no I/O: the caller passes the monotonic time in. Source: protocol notes 03 section 4.
 */
#ifndef WK_CODES_H
#define WK_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/link/wa_pair.h"

struct wk_codes {
	uint8_t *refs[WA_REFS_MAX]; /* owned; NULL-initialised is "no codes" */
	size_t ref_lens[WA_REFS_MAX];
	size_t n;
	size_t index;      /* of the ref shown now; n: all have run out */
	uint64_t until_ms; /* monotonic: when it runs out */
	unsigned speed;    /* lifetimes are divided by this; 0 and 1: real time */
};

/* Replace everything: a pair-device has come. 0 or -ENOMEM (the old refs are then gone too). */
ATTR_NODISCARD int wk_codes_set(struct wk_codes *c, const struct wa_pair_device *pd,
                                uint64_t now_ms);
void wk_codes_clear(struct wk_codes *c);

/* Is there a code to show? */
bool wk_codes_live(const struct wk_codes *c);
/* What is left of the code shown now; 0 when it has run out or there is none. */
uint32_t wk_codes_left_ms(const struct wk_codes *c, uint64_t now_ms);
/* The same with the lifetimes of all that follow. */
uint32_t wk_codes_all_left_ms(const struct wk_codes *c, uint64_t now_ms);
/* The next ref takes over. False when that was the last. */
bool wk_codes_next(struct wk_codes *c, uint64_t now_ms);

#endif
