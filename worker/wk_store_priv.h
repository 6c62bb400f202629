/* worker/wk_store_priv.h - the store's inside, shared by its files */
#ifndef WK_STORE_PRIV_H
#define WK_STORE_PRIV_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "worker/wk.h"
#include "worker/wk_store.h"
#include "worker/wk_store_outbox.h"

#define WK_STORE_OUTBOX_SQL_N 5

/* In secret memory. */
struct wk_store {
	sqlite3 *db;
	char *dir;
	char instance_id[WK_INSTANCE_ID_MAX + 1];
	struct sealed_key key;
	uint64_t generation; /* of the last commit */
	struct {
		sqlite3_stmt *stmt[WK_STORE_OUTBOX_SQL_N];
		struct wk_outbox_stock stock;
		bool known; /* stock is what the file holds */
	} outbox;
};

/* The step of the schema that makes the outbox. */
extern const char wk_store_outbox_schema[];
/* A transaction was rolled back. */
void wk_store_outbox_forget(struct wk_store *st);
/* Before the database is closed. */
void wk_store_outbox_close(struct wk_store *st);

/* Prepare; *st_out is NULL on failure. Codes as in wk_store.h. */
ATTR_NODISCARD int wk_store_prepare(struct wk_store *st, const char *sql, sqlite3_stmt **st_out);
/* Step a statement that gives no rows, then finalize it; rc: a failure so far is kept. */
ATTR_NODISCARD int wk_store_finish(sqlite3_stmt *stmt, int rc);

/* BEGIN IMMEDIATE. */
ATTR_NODISCARD int wk_store_begin(struct wk_store *st);
/* COMMIT of the next generation when rc is 0, else (or when that fails) ROLLBACK. Returns the first
 * failure. */
ATTR_NODISCARD int wk_store_end(struct wk_store *st, int rc);

/* Bind a private key as an envelope, sealed for its place. */
ATTR_NODISCARD int wk_store_bind_key(struct wk_store *st, sqlite3_stmt *stmt, int index,
                                     const struct sealed_place *place,
                                     const uint8_t priv[WA_KEY_LEN]);
/* Read one; anything but a sound envelope of a key is WA_ESTORE_CORRUPT. */
ATTR_NODISCARD int wk_store_read_key(struct wk_store *st, sqlite3_stmt *stmt, int column,
                                     const struct sealed_place *place, struct wa_keypair *out);

#endif
