/*
 * worker/store/wk_store_ask.h - messages that could not be opened, and how often they were asked
 * for
 *
 * One row for each, until it comes; its body is the stanza without its content: enough to ask
 * again, and to tell of it. Within a batch, as all of receiving. Codes as in wk_store.h.
 */
#ifndef WK_STORE_ASK_H
#define WK_STORE_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct wa_node;
struct wk_store;

struct wk_ask_row {
	unsigned asked;       /* retry receipts, the one that waits among them */
	int64_t asked_unix_s; /* when the last one was wanted; 0: never */
	bool told;            /* its placeholder is out, or nobody misses it */
};

/* key: wk_store_msg_key(). stanza_out may be NULL; the caller frees. 0, -ENOENT or a failure. */
ATTR_NODISCARD int wk_store_ask_get(struct wk_store *st, int64_t key, struct wk_ask_row *row_out,
                                    struct wa_node **stanza_out);
/* A new one. Also WA_EPROTO, WA_ELIMIT: it has words that no node can carry. */
ATTR_NODISCARD int wk_store_ask_add(struct wk_store *st, int64_t key, const struct wk_ask_row *row,
                                    const struct wa_node *n);
ATTR_NODISCARD int wk_store_ask_set(struct wk_store *st, int64_t key, const struct wk_ask_row *row);
/* It has come. *had_out: there was a row. */
ATTR_NODISCARD int wk_store_ask_drop(struct wk_store *st, int64_t key, bool *had_out);

ATTR_NODISCARD int wk_store_ask_count(struct wk_store *st, uint64_t *n_out);
/* Those that were told of, and came before then. */
ATTR_NODISCARD int wk_store_ask_forget(struct wk_store *st, int64_t before_unix_s);
/*
 * The first max, in order, that nobody was told of or whose last receipt was wanted at
 * since_unix_s or later. fn writes nothing.
 */
ATTR_NODISCARD int
wk_store_ask_open(struct wk_store *st, int64_t since_unix_s, unsigned max,
                  void (*fn)(void *arg, int64_t key, const struct wk_ask_row *row), void *arg);

#endif
