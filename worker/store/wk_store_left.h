/*
 * worker/store/wk_store_left.h - events whose session.db is gone: a file beside it, until the
 * gateway has them
 *
 * Written, durable, before the store is erased or set aside, so that the last events of a link
 * outlive their worker, too. Each is sealed as in the store. Codes as in wk_store.h.
 */
#ifndef WK_STORE_LEFT_H
#define WK_STORE_LEFT_H

#include <stddef.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "worker/store/wk_store_outbox.h"

#define WK_LEFT_NAME "events.left"
#define WK_LEFT_N 20000
#define WK_LEFT_BYTES (8 * 1024 * 1024) /* of their data, but for the last one */

ATTR_NODISCARD int wk_store_left_write(struct wk_store *st, const struct wk_outbox_stock *stock,
                                       const struct wk_outbox_row *rows, size_t rows_n);
/*
 * What is there: *rows_out is the caller's, with their data. -ENOENT: nothing; WA_ESTORE_CORRUPT:
 * it can't be read.
 */
ATTR_NODISCARD int wk_store_left_read(const char *dir, const char *instance_id,
                                      const struct sealed_key *key,
                                      struct wk_outbox_stock *stock_out,
                                      struct wk_outbox_row **rows_out, size_t *rows_n_out);
/* The gateway has all of it. */
void wk_store_left_remove(const char *dir);
/* The directory of the store, to be remembered before it goes. */
const char *wk_store_dir(const struct wk_store *st);

#endif
