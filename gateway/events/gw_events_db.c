/* gateway/events/gw_events_db.c - events.db: opening, transactions, places, writing, removing */
#include "gateway/events/gw_events_db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "gateway/events/gw_events.h"
#include "gateway/webhook/gw_hook_db.h"

/* Forward only: a step that was released is never changed. Others' tables: a step of their own. */
static const char *const schema[] = {
	/* n rises with time: what is old is at its beginning */
	"CREATE TABLE log ("
	"  n INTEGER PRIMARY KEY,"
	"  inst INTEGER NOT NULL,"
	"  seq INTEGER NOT NULL,"
	"  kind INTEGER NOT NULL,"
	"  flags INTEGER NOT NULL,"
	"  unix_ms INTEGER NOT NULL,"
	"  kept_ms INTEGER NOT NULL,"
	"  id BLOB NOT NULL,"
	"  data BLOB NOT NULL" /* sealed */
	") STRICT;"
	"CREATE UNIQUE INDEX log_seq ON log (inst, seq);"
	"CREATE TABLE place ("
	"  inst INTEGER PRIMARY KEY,"
	"  id TEXT NOT NULL UNIQUE,"
	"  seq INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE pos ("
	"  inst INTEGER NOT NULL,"
	"  store INTEGER NOT NULL,"
	"  number INTEGER NOT NULL,"
	"  used_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (inst, store)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL) "
	"STRICT;",
	GW_HOOK_DB_SCHEMA,
};

/* ---- opening -------------------------------------------------------------------------------- */

int gw_events_db_open(struct gw_events_tx *tx, const char *data_dir)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int rc;

	if (snprintf(path, sizeof(path), "%s/events.db", data_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	rc = db_open_large(path, &db);
	if (rc == 0)
		rc = db_migrate(db, schema, ARRAY_LEN(schema));
	if (rc == 0)
		tx->db = db;
	else
		db_close(db);
	return rc;
}

void gw_events_db_close(struct gw_events_tx *tx)
{
	for (int i = 0; i < tx->stmt_n; i++)
		sqlite3_finalize(tx->stmt[i].stmt);
	tx->stmt_n = 0;
	db_close(tx->db);
	tx->db = NULL;
}

sqlite3 *gw_events_tx_db(struct gw_events_tx *tx)
{
	return tx->db;
}

int gw_events_tx_stmt(struct gw_events_tx *tx, const char *sql, sqlite3_stmt **stmt_out)
{
	sqlite3_stmt *s = NULL;
	int rc;

	for (int i = 0; i < tx->stmt_n; i++)
		if (tx->stmt[i].sql == sql) {
			*stmt_out = tx->stmt[i].stmt;
			return 0;
		}
	if (tx->stmt_n == GW_EVENTS_STMTS)
		return WA_ELIMIT;
	rc = db_err(sqlite3_prepare_v3(tx->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL));
	if (rc < 0)
		return rc;
	tx->stmt[tx->stmt_n].sql = sql;
	tx->stmt[tx->stmt_n++].stmt = s;
	*stmt_out = s;
	return 0;
}

/* A statement without results, all of whose parameters are bound. */
static int run(sqlite3_stmt *s)
{
	int rc = db_err(sqlite3_step(s));

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return rc;
}

int gw_events_db_exec(struct gw_events_tx *tx, const char *sql)
{
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	return rc < 0 ? rc : run(s);
}

int gw_events_db_begin(struct gw_events_tx *tx)
{
	static const char sql[] = "BEGIN IMMEDIATE";

	gw_events_db_rollback(tx); /* what could not be rolled back then */
	return gw_events_db_exec(tx, sql);
}

int gw_events_db_commit(struct gw_events_tx *tx)
{
	static const char sql[] = "COMMIT";
	int rc = gw_events_db_exec(tx, sql);

	if (rc < 0)
		gw_events_db_rollback(tx);
	return rc;
}

void gw_events_db_rollback(struct gw_events_tx *tx)
{
	if (gw_events_db_in_transaction(tx))
		(void)sqlite3_exec(tx->db, "ROLLBACK", NULL, NULL, NULL);
}

bool gw_events_db_in_transaction(const struct gw_events_tx *tx)
{
	return tx->db != NULL && !sqlite3_get_autocommit(tx->db);
}

int gw_events_db_probe(struct gw_events_tx *tx)
{
	static const char sql[] = "INSERT INTO probe(id, value) VALUES (1, ?1) "
	                          "ON CONFLICT (id) DO UPDATE SET value = excluded.value";
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, (int64_t)clock_us());
	return run(s);
}

/* ---- places --------------------------------------------------------------------------------- */

uint64_t gw_events_place_number(const struct gw_events_place *place, uint64_t store)
{
	for (unsigned i = 0; i < place->pos_n; i++)
		if (place->pos[i].store == store)
			return place->pos[i].number;
	return 0;
}

/* A store that is new takes the place of the one that was used first. */
void gw_events_place_set(struct gw_events_place *place, uint64_t store, uint64_t number)
{
	unsigned i = 0;

	while (i < place->pos_n && place->pos[i].store != store)
		i++;
	if (i == GW_EVENTS_STORES) {
		for (i = 0; i < GW_EVENTS_STORES - 1; i++)
			place->pos[i] = place->pos[i + 1];
	} else if (i == place->pos_n) {
		place->pos_n++;
	}
	place->pos[i] = (struct gw_events_pos){ .store = store, .number = number, .changed = true };
}

/* The newest last. */
static int load_pos(struct gw_events_tx *tx, struct gw_events_place *p)
{
	static const char sql[] =
	    "SELECT store, number FROM (SELECT store, number, used_ms FROM pos WHERE inst = ?1 "
	    "ORDER BY used_ms DESC LIMIT 4) ORDER BY used_ms";
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);
	int step;

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, p->key);
	while ((step = sqlite3_step(s)) == SQLITE_ROW && p->pos_n < GW_EVENTS_STORES)
		p->pos[p->pos_n++] = (struct gw_events_pos){
			.store = (uint64_t)sqlite3_column_int64(s, 0),
			.number = (uint64_t)sqlite3_column_int64(s, 1),
		};
	(void)sqlite3_reset(s);
	return db_err(step);
}

int gw_events_db_place(struct gw_events_tx *tx, const char *id, struct gw_events_place *place_out)
{
	static const char sql[] = "SELECT inst, seq FROM place WHERE id = ?1";
	struct gw_events_place p = { 0 };
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);
	int step;

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		p.key = sqlite3_column_int64(s, 0);
		p.seq = (uint64_t)sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	rc = db_err(step);
	if (rc == 0 && p.key != 0)
		rc = load_pos(tx, &p);
	if (rc == 0)
		*place_out = p;
	return rc;
}

int gw_events_db_place_new(struct gw_events_tx *tx, const char *id, struct gw_events_place *place)
{
	static const char sql[] = "INSERT INTO place(id, seq) VALUES (?1, 0)";
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
	rc = run(s);
	if (rc == 0)
		place->key = sqlite3_last_insert_rowid(tx->db);
	return rc;
}

static int save_pos(struct gw_events_tx *tx, int64_t key, const struct gw_events_pos *pos)
{
	static const char sql[] =
	    "INSERT INTO pos(inst, store, number, used_ms) VALUES (?1, ?2, ?3, ?4) "
	    "ON CONFLICT (inst, store) DO UPDATE SET number = excluded.number";
	static const char drop[] =
	    "DELETE FROM pos WHERE inst = ?1 AND store NOT IN "
	    "(SELECT store FROM pos WHERE inst = ?1 ORDER BY used_ms DESC LIMIT 4)";
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, key);
	(void)sqlite3_bind_int64(s, 2, (int64_t)pos->store);
	(void)sqlite3_bind_int64(s, 3, (int64_t)pos->number);
	(void)sqlite3_bind_int64(s, 4, clock_unix_ms());
	rc = run(s);
	if (rc == 0)
		rc = gw_events_tx_stmt(tx, drop, &s);
	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, key);
	return run(s);
}

int gw_events_db_place_save(struct gw_events_tx *tx, struct gw_events_place *place)
{
	static const char sql[] = "UPDATE place SET seq = ?2 WHERE inst = ?1";
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, place->key);
	(void)sqlite3_bind_int64(s, 2, (int64_t)place->seq);
	rc = run(s);
	for (unsigned i = 0; rc == 0 && i < place->pos_n; i++)
		if (place->pos[i].changed)
			rc = save_pos(tx, place->key, &place->pos[i]);
	return rc;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct sealed_place gw_events_db_where(const char *owner, uint64_t seq)
{
	return (struct sealed_place){
		.owner = owner, .table = "log", .column = "data", .row = (int64_t)seq
	};
}

static int draw_id(struct gw_events_tx *tx, const uint8_t **id_out)
{
	int rc = tx->ids_n > 0 ? 0 : secret_random(tx->ids, sizeof(tx->ids));

	if (rc < 0)
		return rc;
	if (tx->ids_n == 0)
		tx->ids_n = GW_EVENTS_IDS;
	*id_out = tx->ids[--tx->ids_n]; /* never again */
	return 0;
}

int gw_events_db_add(struct gw_events_tx *tx, const struct gw_events_row *row)
{
	static const char sql[] =
	    "INSERT INTO log(inst, seq, kind, flags, unix_ms, kept_ms, id, data) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
	const struct sealed_place at = gw_events_db_where(row->owner, row->seq);
	const uint8_t *id = NULL;
	struct buf env = { 0 };
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	if (rc == 0)
		rc = draw_id(tx, &id);
	if (rc == 0)
		rc = sealed_run_seal(row->sealer, &at, row->data, row->data_len, &env);
	if (rc == 0) {
		(void)sqlite3_bind_int64(s, 1, row->place->key);
		(void)sqlite3_bind_int64(s, 2, (int64_t)row->seq);
		(void)sqlite3_bind_int64(s, 3, row->kind);
		(void)sqlite3_bind_int64(s, 4, row->flags);
		(void)sqlite3_bind_int64(s, 5, row->unix_ms);
		(void)sqlite3_bind_int64(s, 6, row->kept_ms);
		(void)sqlite3_bind_blob(s, 7, id, GW_EVENTS_ID_BYTES, SQLITE_STATIC);
		(void)sqlite3_bind_blob(s, 8, env.p, (int)env.len, SQLITE_STATIC);
		rc = run(s);
	}
	buf_free(&env);
	return rc;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* How many rows a statement with these two numbers has changed, or a code. */
static int change(struct gw_events_tx *tx, const char *sql, int64_t a, int64_t b)
{
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, a);
	(void)sqlite3_bind_int64(s, 2, b);
	rc = run(s);
	return rc < 0 ? rc : sqlite3_changes(tx->db);
}

static int erase_place(struct gw_events_tx *tx, int64_t key)
{
	static const char some[] = "DELETE FROM log WHERE n IN "
	                           "(SELECT n FROM log WHERE inst = ?1 LIMIT ?2)";
	static const char pos[] = "DELETE FROM pos WHERE inst = ?1 AND ?2 = ?2";
	static const char place[] = "DELETE FROM place WHERE inst = ?1 AND ?2 = ?2";
	int n = change(tx, some, key, GW_EVENTS_STEP);

	if (n < 0)
		return n;
	if (n == GW_EVENTS_STEP)
		return 1;
	n = change(tx, pos, key, 0);
	if (n >= 0)
		n = change(tx, place, key, 0);
	return n < 0 ? n : 0;
}

int gw_events_db_erase(struct gw_events_tx *tx, const char *id)
{
	struct gw_events_place place;
	int rc = gw_events_db_place(tx, id, &place);

	return rc < 0 || place.key == 0 ? rc : erase_place(tx, place.key);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

int gw_events_db_erase_unknown(struct gw_events_tx *tx, char *const *ids, size_t ids_n)
{
	static const char sql[] = "SELECT id, inst FROM place";
	int64_t key = 0;
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, sql, &s);
	int step = SQLITE_DONE;

	if (rc < 0)
		return rc;
	while (key == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
		const char *id = (const char *)sqlite3_column_text(s, 0);

		if (id != NULL && bsearch(id, ids, ids_n, sizeof(*ids), compare_ids) == NULL)
			key = sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_reset(s);
	rc = db_err(step);
	if (rc < 0 || key == 0)
		return rc;
	rc = erase_place(tx, key);
	return rc < 0 ? rc : 1; /* there may be another */
}

int gw_events_db_tidy(struct gw_events_tx *tx, int64_t before_ms)
{
	static const char sql[] =
	    "DELETE FROM log WHERE n IN (SELECT n FROM log ORDER BY n LIMIT ?2) AND kept_ms < ?1";
	int n = change(tx, sql, before_ms, GW_EVENTS_STEP);

	return n < 0 ? n : n == GW_EVENTS_STEP;
}
