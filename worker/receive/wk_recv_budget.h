/*
 * worker/receive/wk_recv_budget.h - what messages that don't open may cost
 *
 * A forged counter makes Signal derive some two thousand keys before the MAC shows that it was
 * forged. So the CPU of messages that failed is charged to their sender, and one that has spent its
 * share waits: its stanzas are held, in their order, and worked on as time allows. Beyond what may
 * be held they are left unanswered: WhatsApp keeps them and sends them with the next login. None is
 * lost, and senders whose messages open never wait.
 */
#ifndef WK_RECV_BUDGET_H
#define WK_RECV_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define WK_BUDGET_SENDERS 32
#define WK_BUDGET_BURST_US 200000 /* of CPU that one sender may waste at once */
#define WK_BUDGET_PER_S_US 10000  /* and then in each second */
#define WK_BUDGET_ALL_BURST_US 600000
#define WK_BUDGET_ALL_PER_S_US 25000 /* all of them together */

#define WK_HELD_MAX 128
#define WK_HELD_BYTES_MAX (1024 * 1024)

struct wk_recv_budget {
	struct {
		uint64_t who; /* hash of the sender; 0: free */
		int64_t left_us;
		uint64_t at_ms;
	} e[WK_BUDGET_SENDERS];
	int64_t all_left_us;
	uint64_t all_at_ms;
};

void wk_budget_init(struct wk_recv_budget *b, uint64_t now_ms);
/* A message of who (not 0) did not open, and this much CPU is gone. */
void wk_budget_spend(struct wk_recv_budget *b, uint64_t who, uint64_t us, uint64_t now_ms);
/* ms until the next message of who may be tried; 0: now. */
uint64_t wk_budget_wait_ms(struct wk_recv_budget *b, uint64_t who, uint64_t now_ms);

/* Stanzas that wait, encoded. */
struct wk_recv_held {
	struct wk_held {
		uint64_t who;
		struct buf stanza;
	} * e; /* WK_HELD_MAX of them, once the first came; NULL: none */
	size_t n, bytes;
};

bool wk_held_has(const struct wk_recv_held *h, uint64_t who);
/* stanza is handed over, and freed where there is no room: false. */
bool wk_held_put(struct wk_recv_held *h, uint64_t who, struct buf *stanza);
/* The oldest whose sender may go on; the caller frees. False: none; *wait_ms_out: until one may. */
bool wk_held_next(struct wk_recv_held *h, struct wk_recv_budget *b, uint64_t now_ms,
                  struct buf *stanza_out, uint64_t *wait_ms_out);
void wk_held_clear(struct wk_recv_held *h);

#endif
