/*
 * worker/store/wk_store_age.h - stored messages that are too old go
 *
 * A message goes when it was stored so many days ago and was sent so many days before the newest
 * one. Events are not touched: what a gateway has not taken yet has its data in the outbox. The
 * space is used again; the file does not become smaller.
 */
#ifndef WK_STORE_AGE_H
#define WK_STORE_AGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct wk_store;

/*
 * Remove up to limit messages; days 0: none ever is. To be called at least once a day: it notes
 * what there is. *more_out: others are left (not written when days is 0). 0, or a code of
 * wk_store.h.
 */
ATTR_NODISCARD int wk_store_age(struct wk_store *st, int64_t now_unix_s, uint32_t days,
                                unsigned limit, bool *more_out);

#endif
