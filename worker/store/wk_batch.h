/*
 * worker/store/wk_batch.h - many stanzas, one transaction: what arrives is on disk before it is answered
 *
 *	rc = wk_batch_enter(b);
 *	if (rc == 0) {
 *		... write with any wk_store call ...
 *		wk_batch_after(b, wa_receipt_for(n, type));
 *		wk_batch_leave(b, rc);
 *	}
 *
 * The transaction opens with the first enter and is committed once WK_BATCH_QUIET_MS have brought
 * nothing more, at WK_BATCH_MAX stanzas, or WK_BATCH_MS after it began (where commits take long:
 * twice as long as they do, WK_BATCH_SLOW_MS at most). Only then do the
 * stanzas leave, in order, and on_committed is called. A commit that fails, and a leave with
 * rc < 0, undo the whole batch: nothing of it is sent, and on_failed ends the session; WhatsApp
 * sends all of it again. So rc < 0 is for what must not be acknowledged (the disk, memory), never
 * for a stanza that is wrong: that one is answered.
 */
#ifndef WK_BATCH_H
#define WK_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct event_base;
struct wa_node;
struct wk_batch;
struct wk_store;

#define WK_BATCH_MAX 512 /* stanzas */
#define WK_BATCH_MS 10
#define WK_BATCH_SLOW_MS 50
#define WK_BATCH_QUIET_MS 1 /* a stanza may come in several pieces, each with a pass of the loop \
	                     */

struct wk_batch_ops {
	/* Borrowed. 0 or a negative code: then on_failed. WA_EPROTO, WA_ELIMIT: a stanza that no
	 * words can carry; it is passed over. */
	int (*send)(const struct wa_node *n, void *arg);
	/* Before a commit: 0, or a code of wk_store.h, which undoes the batch. May be NULL. */
	int (*on_commit)(void *arg);
	/* What was written is durable, what was to be sent is sent. */
	void (*on_committed)(void *arg);
	/* Last call. Not from within enter and wk_batch_free(). */
	void (*on_failed)(int rc, void *arg);
};

/* st is borrowed. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_batch_new(struct event_base *base, struct wk_store *st,
                                const struct wk_batch_ops *ops, void *arg, struct wk_batch **b_out);
/* Commits what is open and was left well; its stanzas are not sent. Safe from its callbacks. NULL
 * is fine. */
void wk_batch_free(struct wk_batch *b);

/* For tests: 0: one pass of the event loop that brings nothing is enough. */
void wk_batch_set_quiet(struct wk_batch *b, unsigned ms);

/* 0; or why not: then do not leave. May be nested. */
ATTR_NODISCARD int wk_batch_enter(struct wk_batch *b);
/* takes: NULL (no memory) undoes the batch at leave. Between enter and leave only. */
void wk_batch_after(struct wk_batch *b, struct wa_node *takes);
/* Between others: in front of what was handed over since wk_batch_place(). */
size_t wk_batch_place(const struct wk_batch *b);
void wk_batch_after_at(struct wk_batch *b, size_t place, struct wa_node *takes);
/* May call on_failed, and on_committed when the batch is full. */
void wk_batch_leave(struct wk_batch *b, int rc);

/* Is it for what must not be acknowledged (disk, memory, another process), so that all is undone? */
bool wk_batch_is_fatal(int rc);

/* Commit now and send. 0, or a code and on_failed has been called. */
ATTR_NODISCARD int wk_batch_flush(struct wk_batch *b);

#endif
