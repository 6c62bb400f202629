/* gateway/webhook/gw_hook_db.c - how far each webhook is, and its dead letters: two tables of events.db */
#include "gateway/webhook/gw_hook_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "gateway/events/gw_events.h"

/* ---- statements --------------------------------------------------------------------------------
 */

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static void bind_n(sqlite3_stmt *s, int at, uint64_t v)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)v);
}

/* A statement with the instance and the label in the first two places. */
static int prepare(struct gw_events_tx *tx, const struct gw_hook_job *j, const char *sql,
                   sqlite3_stmt **s_out)
{
	int rc = gw_events_tx_stmt(tx, sql, s_out);

	if (rc == 0) {
		bind_text(*s_out, 1, j->instance);
		bind_text(*s_out, 2, j->label);
	}
	return rc;
}

/* 1: a row; 0: the end; negative: failed. */
static int step(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);

	return code == SQLITE_ROW ? 1 : db_err(code);
}

static void done_with(sqlite3_stmt *s)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

static int run(sqlite3_stmt *s)
{
	int rc = step(s);

	done_with(s);
	return rc < 0 ? rc : 0;
}

/* The number in the first row; 0: there is none, or it is NULL. */
static int run_number(sqlite3_stmt *s, uint64_t *out)
{
	int rc = step(s);

	*out = rc == 1 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	done_with(s);
	return rc < 0 ? rc : 0;
}

/* ---- what is asked for -------------------------------------------------------------------------
 */

static int run_place(struct gw_events_tx *tx, const struct gw_hook_job *j, const char *sql)
{
	sqlite3_stmt *s;
	int rc = prepare(tx, j, sql, &s);

	if (rc < 0)
		return rc;
	bind_n(s, 3, j->place.cursor);
	bind_n(s, 4, j->place.tries.n);
	bind_n(s, 5, j->place.tries.refused);
	sqlite3_bind_int64(s, 6, j->place.next_unix_ms);
	return run(s);
}

static int run_simple(struct gw_events_tx *tx, const struct gw_hook_job *j, const char *sql)
{
	sqlite3_stmt *s;
	int rc = prepare(tx, j, sql, &s);

	return rc < 0 ? rc : run(s);
}

static int run_drop(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	int rc = run_simple(tx, j, "DELETE FROM hook WHERE instance = ?1 AND label = ?2");

	if (rc == 0)
		rc = run_simple(tx, j, "DELETE FROM hook_dead WHERE instance = ?1 AND label = ?2");
	return rc;
}

/* A label that was there before and was deleted leaves nothing behind. */
static int run_new(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	int rc = run_drop(tx, j);

	if (rc == 0)
		rc = run_place(
		    tx, j,
		    "INSERT INTO hook(instance, label, cursor, tries, refused, next_unix_ms)"
		    " VALUES (?1, ?2, max(?3, coalesce((SELECT seq FROM place"
		    " WHERE id = ?1), 0)), ?4, ?5, ?6)");
	return rc;
}

static int run_load(struct gw_events_tx *tx, struct gw_hook_job *j)
{
	sqlite3_stmt *s;
	uint64_t again;
	int rc = prepare(tx, j,
	                 "SELECT cursor, tries, refused, next_unix_ms FROM hook"
	                 " WHERE instance = ?1 AND label = ?2",
	                 &s);

	if (rc < 0)
		return rc;
	rc = step(s);
	if (rc == 1)
		j->place = (struct gw_hook_place){
			.cursor = (uint64_t)sqlite3_column_int64(s, 0),
			.tries = { .n = (uint32_t)sqlite3_column_int64(s, 1),
			           .refused = (uint32_t)sqlite3_column_int64(s, 2) },
			.next_unix_ms = sqlite3_column_int64(s, 3),
		};
	done_with(s);
	if (rc >= 0)
		rc = prepare(
		    tx, j,
		    "SELECT 1 FROM hook_dead WHERE instance = ?1 AND label = ?2 AND again = 1"
		    " LIMIT 1",
		    &s);
	if (rc < 0)
		return rc;
	rc = run_number(s, &again);
	j->again = again != 0;
	return rc;
}

static int run_bury(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	const struct gw_hook_dead *d = &j->bury;
	sqlite3_stmt *s;
	int rc = prepare(tx, j,
	                 "INSERT OR REPLACE INTO hook_dead(instance, label, seq, kind, id,"
	                 " dead_unix_ms, tries, status, why, again)"
	                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
	                 &s);

	if (rc < 0)
		return rc;
	bind_n(s, 3, d->seq);
	bind_n(s, 4, d->kind);
	bind_text(s, 5, d->id);
	sqlite3_bind_int64(s, 6, d->dead_unix_ms);
	bind_n(s, 7, d->tries);
	sqlite3_bind_int(s, 8, d->status);
	bind_text(s, 9, d->why);
	return run(s);
}

static int run_unbury(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	sqlite3_stmt *s;
	int rc = prepare(
	    tx, j, "DELETE FROM hook_dead WHERE instance = ?1 AND label = ?2 AND seq = ?3", &s);

	if (rc < 0)
		return rc;
	bind_n(s, 3, j->unbury);
	return run(s);
}

static int run_save(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	int rc = run_place(tx, j,
	                   "INSERT INTO hook(instance, label, cursor, tries, refused, next_unix_ms)"
	                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(instance, label) DO UPDATE"
	                   " SET cursor = ?3, tries = ?4, refused = ?5, next_unix_ms = ?6");

	if (rc == 0 && j->bury.seq != 0)
		rc = run_bury(tx, j);
	if (rc == 0 && j->unbury != 0)
		rc = run_unbury(tx, j);
	return rc;
}

static int run_again(struct gw_events_tx *tx, struct gw_hook_job *j)
{
	sqlite3_stmt *s;
	int rc = prepare(tx, j,
	                 "SELECT min(seq) FROM hook_dead WHERE instance = ?1 AND label = ?2"
	                 " AND again = 1",
	                 &s);

	return rc < 0 ? rc : run_number(s, &j->seq);
}

static int run_mark(struct gw_events_tx *tx, struct gw_hook_job *j)
{
	sqlite3_stmt *s;
	int rc = prepare(tx, j,
	                 "UPDATE hook_dead SET again = 1 WHERE instance = ?1"
	                 " AND (?2 = '' OR label = ?2)",
	                 &s);

	if (rc == 0)
		rc = run(s);
	if (rc == 0)
		j->n = (size_t)sqlite3_changes(gw_events_tx_db(tx));
	return rc;
}

static void column_text(sqlite3_stmt *s, int col, char *out, size_t out_cap)
{
	const unsigned char *text = sqlite3_column_text(s, col);

	snprintf(out, out_cap, "%s", text != NULL ? (const char *)text : "");
}

static void column_dead(sqlite3_stmt *s, struct gw_hook_dead *d)
{
	column_text(s, 0, d->label, sizeof(d->label));
	d->seq = (uint64_t)sqlite3_column_int64(s, 1);
	d->kind = (unsigned)sqlite3_column_int(s, 2);
	column_text(s, 3, d->id, sizeof(d->id));
	d->dead_unix_ms = sqlite3_column_int64(s, 4);
	d->tries = (uint32_t)sqlite3_column_int64(s, 5);
	d->status = sqlite3_column_int(s, 6);
	column_text(s, 7, d->why, sizeof(d->why));
	d->again = sqlite3_column_int(s, 8) != 0;
}

static int run_list(struct gw_events_tx *tx, struct gw_hook_job *j)
{
	sqlite3_stmt *s;
	int rc = prepare(tx, j,
	                 "SELECT label, seq, kind, id, dead_unix_ms, tries, status, why, again"
	                 " FROM hook_dead WHERE instance = ?1 AND (?2 = '' OR label = ?2)"
	                 " ORDER BY seq DESC, label LIMIT ?3",
	                 &s);

	if (rc < 0)
		return rc;
	sqlite3_bind_int(s, 3, GW_HOOK_DEAD_LISTED);
	j->dead = calloc(GW_HOOK_DEAD_LISTED, sizeof(*j->dead));
	rc = j->dead == NULL ? -ENOMEM : 1;
	while (rc == 1 && j->n < GW_HOOK_DEAD_LISTED && (rc = step(s)) == 1)
		column_dead(s, &j->dead[j->n++]);
	done_with(s);
	return rc < 0 ? rc : 0;
}

static int run_erase(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	static const char *const sql[] = { "DELETE FROM hook WHERE instance = ?1",
		                           "DELETE FROM hook_dead WHERE instance = ?1" };
	sqlite3_stmt *s;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(sql); i++) {
		rc = gw_events_tx_stmt(tx, sql[i], &s);
		if (rc < 0)
			break;
		bind_text(s, 1, j->instance);
		rc = run(s);
	}
	return rc;
}

/* And what a gateway that died did not come to erase: an instance without a place has no events,
 * and a webhook without a row begins with the first of them. */
static int run_tidy(struct gw_events_tx *tx, const struct gw_hook_job *j)
{
	static const char *const left[] = {
		"DELETE FROM hook_dead WHERE instance NOT IN (SELECT id FROM place)",
		"DELETE FROM hook WHERE instance NOT IN (SELECT id FROM place)"
	};
	sqlite3_stmt *s;
	int rc = gw_events_tx_stmt(tx, "DELETE FROM hook_dead WHERE dead_unix_ms < ?1", &s);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(s, 1, j->unix_ms);
	rc = run(s);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(left); i++) {
		rc = gw_events_tx_stmt(tx, left[i], &s);
		if (rc == 0)
			rc = run(s);
	}
	return rc;
}

/* On the thread. */
static int on_run(struct gw_events_tx *tx, void *arg)
{
	struct gw_hook_job *j = arg;

	switch (j->op) {
	case GW_HOOK_DB_NEW:
		return run_new(tx, j);
	case GW_HOOK_DB_LOAD:
		return run_load(tx, j);
	case GW_HOOK_DB_SAVE:
		return run_save(tx, j);
	case GW_HOOK_DB_AGAIN:
		return run_again(tx, j);
	case GW_HOOK_DB_MARK:
		return run_mark(tx, j);
	case GW_HOOK_DB_LIST:
		return run_list(tx, j);
	case GW_HOOK_DB_DROP:
		return run_drop(tx, j);
	case GW_HOOK_DB_ERASE:
		return run_erase(tx, j);
	case GW_HOOK_DB_TIDY:
		return run_tidy(tx, j);
	}
	return WA_ESTATE;
}

/* ---- jobs --------------------------------------------------------------------------------------
 */

static void job_free(struct gw_hook_job *j)
{
	free(j->dead);
	free(j);
}

static void on_done(int rc, void *arg)
{
	struct gw_hook_job *j = arg;

	if (j->done != NULL)
		j->done(rc, j, j->arg);
	job_free(j);
}

struct gw_hook_job *gw_hook_job_new(enum gw_hook_op op, const char *instance_id, const char *label)
{
	struct gw_hook_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->op = op;
	snprintf(j->instance, sizeof(j->instance), "%s", instance_id);
	snprintf(j->label, sizeof(j->label), "%s", label != NULL ? label : "");
	return j;
}

int gw_hook_job_give(struct gw_events *ev, struct gw_hook_job *j, gw_hook_job_done *done, void *arg)
{
	int rc;

	j->done = done;
	j->arg = arg;
	rc = gw_events_job(ev, on_run, on_done, j);
	if (rc < 0)
		job_free(j);
	return rc;
}
