/*
 * gateway/events/gw_events_db.h - the tables of events.db
 *
 * Used by gw_events' thread alone. All writes are within gw_events_db_begin() and _commit().
 * Codes: 0, WA_ESTORAGE, WA_ESTORE_CORRUPT, -ENOMEM, WA_ECRYPTO.
 */
#ifndef GW_EVENTS_DB_H
#define GW_EVENTS_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/sealed.h"
#include "gateway/events/gw_event.h"

#define GW_EVENTS_STORES 4    /* of an instance's session.db's, the newest are remembered */
#define GW_EVENTS_STMTS 96    /* statements kept */
#define GW_EVENTS_STEP 500    /* rows removed in one transaction */
#define GW_EVENTS_SCAN 2048   /* rows looked at in one read */
#define GW_EVENTS_ID_BYTES 15 /* random ones of an id */
#define GW_EVENTS_IDS 32      /* drawn at a time */

struct gw_events_tx {
	sqlite3 *db; /* NULL: not open */
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} stmt[GW_EVENTS_STMTS];
	int stmt_n;
	unsigned ids_n; /* random ids not used yet, at the beginning */
	uint8_t ids[GW_EVENTS_IDS][GW_EVENTS_ID_BYTES];
};

/* How far the events of one session.db have come. */
struct gw_events_pos {
	uint64_t store;
	uint64_t number;
	bool changed; /* since it was written */
};

/* An instance's place in the file. */
struct gw_events_place {
	int64_t key;                                /* 0: it has none yet */
	uint64_t seq;                               /* of its newest event */
	struct gw_events_pos pos[GW_EVENTS_STORES]; /* newest last */
	unsigned pos_n;
};

/* Open or make data_dir/events.db. Also WA_EALREADY_RUNNING, WA_ESTATE (newer than we are). */
ATTR_NODISCARD int gw_events_db_open(struct gw_events_tx *tx, const char *data_dir);
void gw_events_db_close(struct gw_events_tx *tx);

/* A static text without parameters and results. */
ATTR_NODISCARD int gw_events_db_exec(struct gw_events_tx *tx, const char *sql);
ATTR_NODISCARD int gw_events_db_begin(struct gw_events_tx *tx);
ATTR_NODISCARD int gw_events_db_commit(struct gw_events_tx *tx);
void gw_events_db_rollback(struct gw_events_tx *tx);
/* False after SQLite has taken the transaction back by itself. */
bool gw_events_db_in_transaction(const struct gw_events_tx *tx);
/* A write for its own sake: does it work? */
ATTR_NODISCARD int gw_events_db_probe(struct gw_events_tx *tx);

/* What there is of this instance; all zero: nothing. */
ATTR_NODISCARD int gw_events_db_place(struct gw_events_tx *tx, const char *id,
                                      struct gw_events_place *place_out);
/* Make its place, with a key. */
ATTR_NODISCARD int gw_events_db_place_new(struct gw_events_tx *tx, const char *id,
                                          struct gw_events_place *place);
/* seq, and what has changed of pos. */
ATTR_NODISCARD int gw_events_db_place_save(struct gw_events_tx *tx, struct gw_events_place *place);
/* A store's number; 0: not known. */
uint64_t gw_events_place_number(const struct gw_events_place *place, uint64_t store);
void gw_events_place_set(struct gw_events_place *place, uint64_t store, uint64_t number);

/* An event to be kept as number seq of its place. */
struct gw_events_row {
	const struct gw_events_place *place;
	const char *owner;         /* instance id ... */
	struct sealed_run *sealer; /* ... and what seals with its key */
	uint64_t seq;
	unsigned kind;
	uint32_t flags;
	int64_t unix_ms, kept_ms;
	const void *data;
	size_t data_len;
};
ATTR_NODISCARD int gw_events_db_add(struct gw_events_tx *tx, const struct gw_events_row *row);

/* Where the data of an event is sealed for. */
struct sealed_place gw_events_db_where(const char *owner, uint64_t seq);

/* Reading. */
struct gw_events_query {
	const struct gw_events_place *place;
	const char *owner, *base_url, *instance;
	const struct sealed_key *key;
	uint64_t from;
	struct gw_event_filter filter;
	size_t n_max, bytes_max;
};
struct gw_events_found {
	struct gw_event *events; /* owned, with texts; their pointers lead into texts */
	size_t n;
	struct buf texts;
	uint64_t next, newest;
};
/* found_out is empty before; the caller clears it in any case. */
ATTR_NODISCARD int gw_events_db_read(struct gw_events_tx *tx, const struct gw_events_query *q,
                                     struct gw_events_found *found_out);
void gw_events_found_clear(struct gw_events_found *f);

/* Some of an instance's events. 1: there is more; 0: all is gone, its place too. */
ATTR_NODISCARD int gw_events_db_erase(struct gw_events_tx *tx, const char *id);
/* The same for one instance that is not among ids, which are sorted. */
ATTR_NODISCARD int gw_events_db_erase_unknown(struct gw_events_tx *tx, char *const *ids,
                                              size_t ids_n);
/* Some of the events kept before that instant. 1: there may be more; 0: no. */
ATTR_NODISCARD int gw_events_db_tidy(struct gw_events_tx *tx, int64_t before_ms);

#endif
