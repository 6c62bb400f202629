/*
 * worker/store/wk_store_outbox.h - events in session.db that the gateway does not have on its disk
 * yet
 *
 * An event becomes one within the transaction of what it tells of: either both are on disk or
 * neither is. Numbers rise and are never used again; the store's id, random and made with it, tells
 * them from those of every other session.db. Data is sealed. Codes as in wk_store.h.
 */
#ifndef WK_STORE_OUTBOX_H
#define WK_STORE_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/ipc.h"
#include "worker/store/wk_store.h"

/* Flags of an event, as in proto/ipc.proto. */
#define WK_EVENT_FROM_HISTORY 1u
#define WK_EVENT_HAS_MEDIA 2u

/* One event; the caller releases data with buf_wipe(). */
struct wk_outbox_row {
	uint64_t number;
	int kind; /* Ipc__Event__Kind */
	uint32_t flags;
	int64_t unix_ms;
	struct buf data; /* JSON object */
};

/* What is kept, and where it ends. */
struct wk_outbox_stock {
	uint64_t store;  /* the store's id */
	uint64_t newest; /* number of the newest event ever; 0: none yet */
	uint64_t n;      /* events kept */
	uint64_t bytes;  /* of their sealed data */
};

/*
 * Within an open transaction (a batch, or wk_store_begin()): give the event the next number.
 * kind: Ipc__Event__Kind; data: a JSON object, at most IPC_EVENT_MAX bytes.
 * Also WA_ESTATE (no transaction is open), WA_ELIMIT (too large).
 */
ATTR_NODISCARD int wk_store_outbox_add(struct wk_store *st, int kind, uint32_t flags,
                                       int64_t unix_ms, const void *data, size_t data_len);

/* Kept up to date by add and drop; after a rollback it is read again. 0 or a code. */
ATTR_NODISCARD int wk_store_outbox_stock(struct wk_store *st, struct wk_outbox_stock *stock_out);
/* Number of the newest event that is committed; those behind it may not last. 0 or a code. */
ATTR_NODISCARD int wk_store_outbox_durable(struct wk_store *st, uint64_t *number_out);
/*
 * The first event after number; -ENOENT: there is none. row_out->data is appended to. What was
 * added lately is still in memory, and given without being read: once, unless it is put back.
 */
ATTR_NODISCARD int wk_store_outbox_next(struct wk_store *st, uint64_t after,
                                        struct wk_outbox_row *row_out);
/* It was not used: its data is taken, if there is a place for it. */
void wk_store_outbox_put_back(struct wk_store *st, struct wk_outbox_row *row);
/*
 * The gateway has all up to number: within the transaction that is open, else in one of its own. It
 * need not last: an event that comes again is known to the gateway.
 */
ATTR_NODISCARD int wk_store_outbox_drop(struct wk_store *st, uint64_t number);

#endif
