/* worker/store/wk_store_outbox.c - events that the gateway does not have yet */
#include "worker/store/wk_store_outbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_store_priv.h"

/* AUTOINCREMENT: a number is never used again, also when all events are gone. */
const char wk_store_outbox_schema[] = "CREATE TABLE outbox ("
                                      "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
                                      "  kind INTEGER NOT NULL,"
                                      "  flags INTEGER NOT NULL,"
                                      "  unix_ms INTEGER NOT NULL,"
                                      "  data BLOB NOT NULL" /* sealed */
                                      ") STRICT;"
                                      "CREATE TABLE outbox_id ("
                                      "  id INTEGER PRIMARY KEY CHECK (id = 1),"
                                      "  store INTEGER NOT NULL"
                                      ") STRICT;"
                                      "INSERT INTO outbox_id(id, store) VALUES (1, random());";

static const char *const sql[WK_STORE_OUTBOX_SQL_N] = {
	"INSERT INTO outbox(number, kind, flags, unix_ms, data) VALUES (?1, ?2, ?3, ?4, ?5)",
	"SELECT number, kind, flags, unix_ms, data FROM outbox WHERE number > ?1 "
	"ORDER BY number LIMIT 1",
	"SELECT count(*), ifnull(sum(length(data)), 0) FROM outbox WHERE number <= ?1",
	"DELETE FROM outbox WHERE number <= ?1",
	"SELECT store, ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0) "
	"FROM outbox_id",
};
enum { ADD, NEXT, COUNT, DROP, READ };

static struct sealed_place place_of(const struct wk_store *st, int64_t number)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "outbox", .column = "data", .row = number
	};
}

/* One of the statements above, made when it is first needed; to be reset after use. */
static int statement(struct wk_store *st, int which, sqlite3_stmt **s_out)
{
	int rc = 0;

	if (st->outbox.stmt[which] == NULL)
		rc = db_err(sqlite3_prepare_v3(st->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
		                               &st->outbox.stmt[which], NULL));
	*s_out = st->outbox.stmt[which];
	return rc;
}

/* ---- the newest, in memory ---------------------------------------------------------------------
 *
 * Events are mostly sent right after they were committed: they need not be read and opened again.
 */

#define FRESH_N IPC_EVENT_WINDOW_N
#define FRESH_BYTES (128 * 1024)
#define FRESH_EACH (16 * 1024)

/* Events first to first + n - 1, those from the one at on are there. */
struct wk_store_fresh {
	uint64_t first;
	unsigned at, n;
	size_t bytes;
	struct wk_outbox_row rows[FRESH_N];
};

static void fresh_drop(struct wk_store_fresh *f)
{
	for (; f->at < f->n; f->at++)
		buf_wipe(&f->rows[f->at].data);
	f->at = f->n = 0;
	f->bytes = 0;
}

/* Nothing is lost by one that is not put here. */
static void fresh_put(struct wk_store *st, const struct wk_outbox_row *row, const void *data,
                      size_t data_len)
{
	struct wk_store_fresh *f = st->outbox.fresh;

	if (f == NULL)
		f = st->outbox.fresh = calloc(1, sizeof(*f));
	if (f == NULL)
		return;
	if (f->at == f->n)
		fresh_drop(f);
	if (f->n == 0)
		f->first = row->number;
	if (row->number != f->first + f->n || f->n == FRESH_N || data_len > FRESH_EACH ||
	    f->bytes + data_len > FRESH_BYTES)
		return;
	f->rows[f->n] = *row;
	f->rows[f->n].data = (struct buf){ 0 };
	if (buf_append(&f->rows[f->n].data, data, data_len) < 0)
		return;
	f->bytes += data_len;
	f->n++;
}

/* False: not here. Those before it are let go; after the last one there is none. */
static bool fresh_take(struct wk_store_fresh **at, uint64_t number, struct wk_outbox_row *row_out)
{
	struct wk_store_fresh *f = *at;

	if (f == NULL || row_out->data.p != NULL || number < f->first + f->at ||
	    number >= f->first + f->n)
		return false;
	for (; f->first + f->at < number; f->at++) {
		f->bytes -= f->rows[f->at].data.len;
		buf_wipe(&f->rows[f->at].data);
	}
	*row_out = f->rows[f->at++]; /* handed over */
	f->bytes -= row_out->data.len;
	if (f->at == f->n) {
		free(f);
		*at = NULL;
	}
	return true;
}

void wk_store_outbox_put_back(struct wk_store *st, struct wk_outbox_row *row)
{
	struct wk_store_fresh *f = st->outbox.fresh;

	if (f == NULL || f->at == 0 || row->number != f->first + f->at - 1)
		return;
	f->rows[--f->at] = *row;
	f->bytes += row->data.len;
	row->data = (struct buf){ 0 };
}

void wk_store_outbox_trim(struct wk_store *st)
{
	if (st->outbox.fresh != NULL)
		fresh_drop(st->outbox.fresh);
	free(st->outbox.fresh);
	st->outbox.fresh = NULL;
	for (int i = 0; i < WK_STORE_OUTBOX_SQL_N; i++) {
		sqlite3_finalize(st->outbox.stmt[i]);
		st->outbox.stmt[i] = NULL;
	}
}

/* Numbers and counts that were noted within a transaction that was taken back are not true. */
void wk_store_outbox_forget(struct wk_store *st)
{
	st->outbox.known = false;
	if (st->outbox.fresh != NULL)
		fresh_drop(st->outbox.fresh);
}

/* A statement that gives two numbers of one row. */
static int read_two(sqlite3_stmt *s, uint64_t *a, uint64_t *b)
{
	int step = sqlite3_step(s);
	int rc = step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? WA_ESTORE_CORRUPT : db_err(step);

	if (rc == 0) {
		*a = (uint64_t)sqlite3_column_int64(s, 0);
		*b = (uint64_t)sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_reset(s);
	return rc;
}

static int count(struct wk_store *st, uint64_t number, uint64_t *n, uint64_t *bytes)
{
	sqlite3_stmt *s;
	int rc = statement(st, COUNT, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, (int64_t)number);
	return read_two(s, n, bytes);
}

static int know(struct wk_store *st)
{
	struct wk_outbox_stock *k = &st->outbox.stock;
	sqlite3_stmt *s;
	int rc;

	if (st->outbox.known)
		return 0;
	rc = statement(st, READ, &s);
	if (rc == 0)
		rc = read_two(s, &k->store, &k->newest);
	if (rc == 0)
		rc = count(st, INT64_MAX, &k->n, &k->bytes);
	st->outbox.known = rc == 0;
	/* The first time nothing has been added yet; later, in a transaction, it may have been. */
	if (rc == 0 && (!st->outbox.settled || sqlite3_get_autocommit(st->db)))
		st->outbox.durable = k->newest;
	st->outbox.settled |= rc == 0;
	return rc;
}

int wk_store_outbox_durable(struct wk_store *st, uint64_t *number_out)
{
	int rc = know(st);

	if (rc == 0)
		*number_out = st->outbox.durable;
	return rc;
}

void wk_store_outbox_committed(struct wk_store *st)
{
	if (st->outbox.known)
		st->outbox.durable = st->outbox.stock.newest;
}

int wk_store_outbox_stock(struct wk_store *st, struct wk_outbox_stock *stock_out)
{
	int rc = know(st);

	if (rc == 0)
		*stock_out = st->outbox.stock;
	return rc;
}

static int insert(struct wk_store *st, int64_t number, int kind, uint32_t flags, int64_t unix_ms,
                  const struct buf *env)
{
	sqlite3_stmt *s;
	int rc = statement(st, ADD, &s);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, number);
	(void)sqlite3_bind_int64(s, 2, kind);
	(void)sqlite3_bind_int64(s, 3, flags);
	(void)sqlite3_bind_int64(s, 4, unix_ms);
	rc = db_err(sqlite3_bind_blob(s, 5, env->p, (int)env->len, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_step(s));
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return rc;
}

int wk_store_outbox_add(struct wk_store *st, int kind, uint32_t flags, int64_t unix_ms,
                        const void *data, size_t data_len)
{
	struct sealed_place place;
	struct buf env = { 0 };
	int64_t number;
	int rc;

	if (sqlite3_get_autocommit(st->db))
		return WA_ESTATE;
	if (data_len == 0 || data_len > IPC_EVENT_MAX)
		return WA_ELIMIT;
	rc = know(st);
	if (rc < 0)
		return rc;
	number = (int64_t)st->outbox.stock.newest + 1;
	place = place_of(st, number);
	rc = wk_store_seal(st, &place, data, data_len, &env);
	if (rc == 0)
		rc = insert(st, number, kind, flags, unix_ms, &env);
	if (rc == 0) {
		st->outbox.stock.newest = (uint64_t)number;
		st->outbox.stock.n++;
		st->outbox.stock.bytes += env.len;
		fresh_put(st,
		          &(struct wk_outbox_row){ .number = (uint64_t)number,
		                                   .kind = kind,
		                                   .flags = flags,
		                                   .unix_ms = unix_ms },
		          data, data_len);
	}
	buf_free(&env);
	return rc;
}

static int take_row(struct wk_store *st, sqlite3_stmt *s, struct wk_outbox_row *row)
{
	int64_t number = sqlite3_column_int64(s, 0);
	struct sealed_place place = place_of(st, number);
	const void *env = sqlite3_column_blob(s, 4);
	int env_len = sqlite3_column_bytes(s, 4);
	int rc = env == NULL ? WA_ESTORE_CORRUPT
	                     : sealed_open(&st->key, &place, env, (size_t)env_len, &row->data);

	if (rc < 0)
		return rc == -ENOMEM || rc == WA_ECRYPTO ? rc : WA_ESTORE_CORRUPT;
	row->number = (uint64_t)number;
	row->kind = sqlite3_column_int(s, 1);
	row->flags = (uint32_t)sqlite3_column_int64(s, 2);
	row->unix_ms = sqlite3_column_int64(s, 3);
	return 0;
}

int wk_store_outbox_next(struct wk_store *st, uint64_t after, struct wk_outbox_row *row_out)
{
	sqlite3_stmt *s;
	int rc;
	int step;

	if (fresh_take(&st->outbox.fresh, after + 1, row_out))
		return 0;
	rc = statement(st, NEXT, &s);
	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, (int64_t)after);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		rc = take_row(st, s, row_out);
	else
		rc = step == SQLITE_DONE ? -ENOENT : db_err(step);
	(void)sqlite3_reset(s);
	return rc;
}

static int drop(struct wk_store *st, uint64_t number)
{
	uint64_t n = 0, bytes = 0;
	sqlite3_stmt *s = NULL;
	int rc = know(st);

	if (rc == 0)
		rc = count(st, number, &n, &bytes);
	if (rc == 0)
		rc = statement(st, DROP, &s);
	if (rc < 0 || n == 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, (int64_t)number);
	rc = db_err(sqlite3_step(s));
	(void)sqlite3_reset(s);
	if (rc == 0) {
		st->outbox.stock.n -= n;
		st->outbox.stock.bytes -= bytes;
	}
	return rc;
}

int wk_store_outbox_drop(struct wk_store *st, uint64_t number)
{
	bool own = sqlite3_get_autocommit(st->db);
	int rc = own ? wk_store_begin(st) : 0;

	if (rc < 0)
		return rc;
	rc = drop(st, number);
	if (own && rc == 0)
		rc = db_exec(st->db, "COMMIT"); /* no new generation: an old copy is as good */
	if (own && rc < 0) {
		if (!sqlite3_get_autocommit(st->db))
			(void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
		wk_store_outbox_forget(st);
	}
	return rc;
}
