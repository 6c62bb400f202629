/*
 * worker/store/wk_store_aside.h - stanzas that three workers died of: kept, never worked on
 *
 * Acknowledged they are gone from WhatsApp, so they stay here, sealed, for whoever looks into it.
 * Codes as in wk_store.h.
 */
#ifndef WK_STORE_ASIDE_H
#define WK_STORE_ASIDE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct wk_store;

#define WK_STORE_ASIDE_MAX 64 /* the oldest make room */

/* stanza: encoded as on the wire. With a batch's stanza it is part of the batch, else durable. */
ATTR_NODISCARD int wk_store_aside_put(struct wk_store *st, uint64_t key, int64_t unix_s,
                                      const void *stanza, size_t stanza_len);

#endif
