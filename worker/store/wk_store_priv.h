/* worker/store/wk_store_priv.h - the store's inside, shared by its files */
#ifndef WK_STORE_PRIV_H
#define WK_STORE_PRIV_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wk.h"

#define WK_STORE_OUTBOX_SQL_N 5

#define WK_KEPT_MAX 24 /* statements that stay prepared */

struct wk_kept {
	const char *sql; /* a literal, known by its address */
	sqlite3_stmt *stmt;
	uint64_t used;
	bool busy;
};

/* One transaction for many stanzas: wk_batch.h. */
struct wk_store_batch {
	bool open;
	bool wide;               /* SQLite's cache is that of a busy session */
	unsigned depth;          /* > 0: a stanza is being worked on: what commits joins it */
	int (*flush)(void *arg); /* commit it now */
	void *arg;
};

struct wk_store_hot;
struct wk_store_lids;
struct wk_store_names;

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
		bool known;                   /* stock is what the file holds */
		bool settled;                 /* durable is true */
		uint64_t durable;             /* number of the newest that was committed */
		struct wk_store_fresh *fresh; /* the newest events, not read again; NULL: none */
	} outbox;
	uint64_t hash_key[2];
	struct wk_kept kept[WK_KEPT_MAX];
	uint64_t kept_used;
	struct wk_store_batch batch;
	struct sealed_run *sealing; /* while a batch is open; NULL: nothing was sealed in it yet */
	struct wk_store_hot *hot;   /* wk_store_signal.c: records of this batch; NULL: none */
	struct {
		bool known;
		struct wa_jid asked;
		int64_t id, old_id;
	} chat;                       /* wk_store_msg.c: the one that was looked up last */
	struct wk_store_lids *lids;   /* wk_store_lid.c: pairs looked up lately; NULL: none */
	struct wk_store_names *names; /* wk_store_name.c: likewise */
};

/* The step of the schema that makes the outbox. */
extern const char wk_store_outbox_schema[];
extern const char wk_store_name_schema[];
extern const char wk_store_appstate_schema[];
extern const char wk_store_appstate_ask_schema[];
extern const char wk_store_once_schema[];
extern const char wk_store_aside_schema[];
extern const char wk_store_ask_schema[];
extern const char wk_store_age_schema[];
extern const char wk_store_sent_schema[];
/* The step that makes what history needs. */
extern const char wk_store_history_schema[];
extern const char wk_store_history_told_schema[];
extern const char wk_store_history_by_lid_schema[];
/* A transaction was committed. */
void wk_store_outbox_committed(struct wk_store *st);
/* A transaction was rolled back. */
void wk_store_outbox_forget(struct wk_store *st);
/* What is in memory is let go, statements too: never while one of them is in use. */
void wk_store_outbox_trim(struct wk_store *st);

/* Prepare; *st_out is NULL on failure. Codes as in wk_store.h. */
ATTR_NODISCARD int wk_store_prepare(struct wk_store *st, const char *sql, sqlite3_stmt **st_out);
/* Step a statement that gives no rows, then finalize it; rc: a failure so far is kept. */
ATTR_NODISCARD int wk_store_finish(sqlite3_stmt *stmt, int rc);

/*
 * A statement that stays prepared: sql is a literal. Bind, step, then wk_store_done() (or
 * wk_store_run()), whether it failed or not. Safe when the same one is running already.
 */
ATTR_NODISCARD int wk_store_keep(struct wk_store *st, const char *sql, sqlite3_stmt **st_out);
void wk_store_done(struct wk_store *st, sqlite3_stmt *stmt); /* NULL is fine */
/* Step a kept statement that gives no rows, and be done with it; rc: a failure so far is kept. */
ATTR_NODISCARD int wk_store_run(struct wk_store *st, sqlite3_stmt *stmt, int rc);
/* Next row: 0, -ENOENT: there is none, or a failure. */
ATTR_NODISCARD int wk_store_row(sqlite3_stmt *stmt);
/* The first column of the first row; value is its parameter, where it has one. -ENOENT: no row. */
ATTR_NODISCARD int wk_store_number(struct wk_store *st, const char *sql, int64_t value,
                                   int64_t *out);
/* Finalize all that are kept. */
void wk_store_forget(struct wk_store *st);

/*
 * BEGIN IMMEDIATE, for calls that are durable when they return. While a stanza of a batch is worked
 * on they join it instead, as a part that can be undone alone; an idle batch is committed first.
 *
 * A part is undone in the database, not among the records of Signal in memory: one in which they
 * may be written (wk_store_lid_learn() does) is begun after wk_store_signal_write().
 */
ATTR_NODISCARD int wk_store_begin(struct wk_store *st);
/* COMMIT of the next generation when rc is 0, else (or when that fails) ROLLBACK. Returns the first
 * failure. */
ATTR_NODISCARD int wk_store_end(struct wk_store *st, int rc);

/* wk_store_run(), in a transaction of its own when no stanza is being worked on. */
ATTR_NODISCARD int wk_store_change(struct wk_store *st, sqlite3_stmt *stmt, int rc);

/* The transaction of a batch; end with rc < 0: rolled back. */
ATTR_NODISCARD int wk_store_batch_begin(struct wk_store *st, int (*flush)(void *arg), void *arg);
ATTR_NODISCARD int wk_store_batch_end(struct wk_store *st, int rc);
/* Records of Signal that were changed in memory go to the database. */
ATTR_NODISCARD int wk_store_signal_write(struct wk_store *st);
/* ... and none is held in memory any more. */
ATTR_NODISCARD int wk_store_signal_settle(struct wk_store *st);
/* Forget all that is held in memory of the database. */
void wk_store_drop(struct wk_store *st);
void wk_store_lid_drop(struct wk_store *st);
void wk_store_name_drop(struct wk_store *st);

/* Bind any bytes as an envelope, sealed for their place; read one: WA_ESTORE_CORRUPT when it does
 * not open. */
ATTR_NODISCARD int wk_store_seal(struct wk_store *st, const struct sealed_place *place,
                                 const void *data, size_t data_len, struct buf *out);
ATTR_NODISCARD int wk_store_bind_sealed(struct wk_store *st, sqlite3_stmt *stmt, int index,
                                        const struct sealed_place *place, const void *data,
                                        size_t data_len);
ATTR_NODISCARD int wk_store_read_sealed(struct wk_store *st, sqlite3_stmt *stmt, int column,
                                        const struct sealed_place *place, struct buf *out);

/* A hash that only this instance can make: for looking things up by what is sealed or long. */
ATTR_NODISCARD int wk_store_hash_init(struct wk_store *st);
uint64_t wk_store_hash(const struct wk_store *st, const void *data, size_t data_len);

/* Bind a private key as an envelope, sealed for its place. */
ATTR_NODISCARD int wk_store_bind_key(struct wk_store *st, sqlite3_stmt *stmt, int index,
                                     const struct sealed_place *place,
                                     const uint8_t priv[WA_KEY_LEN]);
/* Read one; anything but a sound envelope of a key is WA_ESTORE_CORRUPT. */
ATTR_NODISCARD int wk_store_read_key(struct wk_store *st, sqlite3_stmt *stmt, int column,
                                     const struct sealed_place *place, struct wa_keypair *out);

#endif
