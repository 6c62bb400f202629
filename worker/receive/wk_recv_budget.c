/* worker/receive/wk_recv_budget.c - what messages that don't open may cost */
#include "worker/receive/wk_recv_budget.h"

#include <stdlib.h>
#include <string.h>

static void refill(int64_t *left_us, uint64_t *at_ms, uint64_t now_ms, int64_t per_s, int64_t burst)
{
	uint64_t gone_ms = now_ms - *at_ms;

	if (gone_ms > 3600000)
		gone_ms = 3600000;
	*left_us += (int64_t)gone_ms * per_s / 1000;
	if (*left_us > burst)
		*left_us = burst;
	*at_ms = now_ms;
}

static void refill_all(struct wk_recv_budget *b, uint64_t now_ms)
{
	refill(&b->all_left_us, &b->all_at_ms, now_ms, WK_BUDGET_ALL_PER_S_US,
	       WK_BUDGET_ALL_BURST_US);
}

void wk_budget_init(struct wk_recv_budget *b, uint64_t now_ms)
{
	memset(b, 0, sizeof(*b));
	b->all_left_us = WK_BUDGET_ALL_BURST_US;
	b->all_at_ms = now_ms;
}

/* The sender's index, or -1. Its account is up to date; one that is full again is given up. */
static int find(struct wk_recv_budget *b, uint64_t who, uint64_t now_ms)
{
	for (int i = 0; i < WK_BUDGET_SENDERS; i++) {
		if (b->e[i].who != who)
			continue;
		refill(&b->e[i].left_us, &b->e[i].at_ms, now_ms, WK_BUDGET_PER_S_US,
		       WK_BUDGET_BURST_US);
		if (b->e[i].left_us < WK_BUDGET_BURST_US)
			return i;
		b->e[i].who = 0;
		return -1;
	}
	return -1;
}

/* A free place, or that of the one that has most left. */
static int place(struct wk_recv_budget *b)
{
	int best = 0;

	for (int i = 0; i < WK_BUDGET_SENDERS; i++) {
		if (b->e[i].who == 0)
			return i;
		if (b->e[i].left_us > b->e[best].left_us)
			best = i;
	}
	return best;
}

void wk_budget_spend(struct wk_recv_budget *b, uint64_t who, uint64_t us, uint64_t now_ms)
{
	int i = find(b, who, now_ms);

	if (i < 0) {
		i = place(b);
		b->e[i].who = who;
		b->e[i].left_us = WK_BUDGET_BURST_US;
		b->e[i].at_ms = now_ms;
	}
	b->e[i].left_us -= (int64_t)us;
	refill_all(b, now_ms);
	b->all_left_us -= (int64_t)us;
}

static uint64_t until_positive_ms(int64_t left_us, int64_t per_s)
{
	return left_us > 0 ? 0 : (uint64_t)(-left_us * 1000 / per_s) + 1;
}

uint64_t wk_budget_wait_ms(struct wk_recv_budget *b, uint64_t who, uint64_t now_ms)
{
	int i = find(b, who, now_ms);
	uint64_t own_ms, all_ms;

	if (i < 0)
		return 0;
	refill_all(b, now_ms);
	own_ms = until_positive_ms(b->e[i].left_us, WK_BUDGET_PER_S_US);
	all_ms = until_positive_ms(b->all_left_us, WK_BUDGET_ALL_PER_S_US);
	return own_ms > all_ms ? own_ms : all_ms;
}

/* ---- stanzas that wait -------------------------------------------------------------------------
 */

bool wk_held_has(const struct wk_recv_held *h, uint64_t who)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->e[i].who == who)
			return true;
	}
	return false;
}

bool wk_held_put(struct wk_recv_held *h, uint64_t who, struct buf *stanza)
{
	if (h->e == NULL)
		h->e = calloc(WK_HELD_MAX, sizeof(*h->e));
	if (h->e == NULL || h->n == WK_HELD_MAX || stanza->len > WK_HELD_BYTES_MAX - h->bytes) {
		buf_wipe(stanza);
		return false;
	}
	h->e[h->n].who = who;
	h->e[h->n].stanza = *stanza;
	h->n++;
	h->bytes += stanza->len;
	memset(stanza, 0, sizeof(*stanza));
	return true;
}

static void take(struct wk_recv_held *h, size_t i, struct buf *stanza_out)
{
	*stanza_out = h->e[i].stanza;
	h->bytes -= stanza_out->len;
	h->n--;
	memmove(&h->e[i], &h->e[i + 1], (h->n - i) * sizeof(h->e[0]));
}

bool wk_held_next(struct wk_recv_held *h, struct wk_recv_budget *b, uint64_t now_ms,
                  struct buf *stanza_out, uint64_t *wait_ms_out)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < h->n; i++) {
		uint64_t wait_ms = wk_budget_wait_ms(b, h->e[i].who, now_ms);

		if (wait_ms == 0) {
			take(h, i, stanza_out);
			return true;
		}
		if (wait_ms < least)
			least = wait_ms;
	}
	*wait_ms_out = least;
	return false;
}

void wk_held_clear(struct wk_recv_held *h)
{
	for (size_t i = 0; i < h->n; i++)
		buf_wipe(&h->e[i].stanza);
	free(h->e);
	memset(h, 0, sizeof(*h));
}
