/* worker/store/wk_store_ask.c - messages that could not be opened */
#include "worker/store/wk_store_ask.h"

#include <errno.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

/* On a table of the first version. */
const char wk_store_ask_schema[] =
    "ALTER TABLE retry_ask ADD COLUMN asked_unix_s INTEGER NOT NULL DEFAULT 0;";

static struct sealed_place place_of(const struct wk_store *st, int64_t key)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "retry_ask", .column = "body", .row = key
	};
}

static void read_row(sqlite3_stmt *s, struct wk_ask_row *out)
{
	out->asked = (unsigned)sqlite3_column_int64(s, 0);
	out->asked_unix_s = sqlite3_column_int64(s, 1);
	out->told = sqlite3_column_int64(s, 2) != 0;
}

int wk_store_ask_get(struct wk_store *st, int64_t key, struct wk_ask_row *row_out,
                     struct wa_node **stanza_out)
{
	const struct sealed_place place = place_of(st, key);
	struct buf body = { 0 };
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "SELECT asked, asked_unix_s, told, body FROM retry_ask WHERE key = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		read_row(s, row_out);
		if (stanza_out != NULL)
			rc = wk_store_read_sealed(st, s, 3, &place, &body);
	}
	wk_store_done(st, s);
	if (rc == 0 && stanza_out != NULL) {
		rc = wa_stanza_decode(body.p, body.len, stanza_out);
		rc = rc < 0 && rc != -ENOMEM ? WA_ESTORE_CORRUPT : rc;
	}
	buf_wipe(&body);
	return rc;
}

/* Attributes of a stanza, and no content. 0, -ENOMEM, or what can't be written down. */
static int encode_head(const struct wa_node *n, struct buf *out)
{
	struct wa_node head = *n;

	head.content = WA_CONTENT_NONE;
	return wa_stanza_encode(&head, out);
}

/* ?1 to ?4 */
static int bind_row(sqlite3_stmt *s, int64_t key, const struct wk_ask_row *row)
{
	int rc = db_err(sqlite3_bind_int64(s, 1, key));

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, row->asked));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, row->asked_unix_s));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 4, row->told));
	return rc;
}

int wk_store_ask_add(struct wk_store *st, int64_t key, const struct wk_ask_row *row,
                     const struct wa_node *n)
{
	const struct sealed_place place = place_of(st, key);
	struct buf body = { 0 };
	sqlite3_stmt *s;
	int rc = encode_head(n, &body);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(
	    st,
	    "INSERT INTO retry_ask(key, asked, asked_unix_s, told, since_unix_s, body)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	    &s);
	if (rc == 0)
		rc = bind_row(s, key, row);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 5, clock_unix_s()));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 6, &place, body.p, body.len);
	buf_wipe(&body);
	return wk_store_run(st, s, rc);
}

int wk_store_ask_set(struct wk_store *st, int64_t key, const struct wk_ask_row *row)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "UPDATE retry_ask SET asked = ?2, asked_unix_s = ?3, told = ?4 WHERE key = ?1", &s);

	if (rc == 0)
		rc = bind_row(s, key, row);
	return wk_store_run(st, s, rc);
}

int wk_store_ask_drop(struct wk_store *st, int64_t key, bool *had_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "DELETE FROM retry_ask WHERE key = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	rc = wk_store_run(st, s, rc);
	if (rc == 0)
		*had_out = sqlite3_changes(st->db) > 0;
	return rc;
}

int wk_store_ask_count(struct wk_store *st, uint64_t *n_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT count(*) FROM retry_ask", &s);

	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*n_out = (uint64_t)sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	return rc;
}

int wk_store_ask_forget(struct wk_store *st, int64_t before_unix_s)
{
	sqlite3_stmt *s;
	int rc =
	    wk_store_keep(st, "DELETE FROM retry_ask WHERE told = 1 AND since_unix_s < ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, before_unix_s));
	return wk_store_run(st, s, rc);
}

int wk_store_ask_open(struct wk_store *st, int64_t since_unix_s, unsigned max,
                      void (*fn)(void *arg, int64_t key, const struct wk_ask_row *row), void *arg)
{
	struct wk_ask_row row;
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT asked, asked_unix_s, told, key FROM retry_ask"
	                       " WHERE told = 0 OR asked_unix_s >= ?1"
	                       " ORDER BY since_unix_s LIMIT ?2",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, since_unix_s));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, max));
	while (rc == 0 && (rc = wk_store_row(s)) == 0) {
		read_row(s, &row);
		fn(arg, sqlite3_column_int64(s, 3), &row);
	}
	wk_store_done(st, s);
	return rc == -ENOENT ? 0 : rc;
}
