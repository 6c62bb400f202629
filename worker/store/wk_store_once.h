/*
 * worker/store/wk_store_once.h - stanzas that were acted on: one that comes again says nothing new
 *
 * A stanza whose ack was lost with its worker comes again. Messages are known by their rows; of
 * receipts, calls and notifications the newest WK_ONCE_KEPT are remembered, by a hash. Within a
 * batch: what is remembered is on disk together with what it led to. Codes as in wk_store.h.
 */
#ifndef WK_STORE_ONCE_H
#define WK_STORE_ONCE_H

#include "common/attr.h"

struct wa_node;
struct wk_store;

#define WK_ONCE_KEPT 4096 /* more than can wait for their acks: a batch, and what a socket holds \
	                   */

/* Tag, id, from, participant, recipient, type and time are what makes it one. 1: it is new, and is
 * known from now on; 0: it was here before; or a code. */
ATTR_NODISCARD int wk_store_once(struct wk_store *st, const struct wa_node *stanza);

#endif
