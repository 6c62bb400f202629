/* worker/store/wk_store_age.c - stored messages that are too old */
#include "worker/store/wk_store_age.h"

#include <errno.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_priv.h"

#define DAY_S 86400

const char wk_store_age_schema[] = "CREATE TABLE message_day (" /* once a day of life */
                                   "  day INTEGER PRIMARY KEY," /* since 1970 */
                                   "  seq INTEGER NOT NULL"     /* the newest message then */
                                   ") STRICT;";

/* A statement with up to three numbers; how many rows it has changed. */
static int change(struct wk_store *st, const char *sql, const int64_t *values, int values_n,
                  int *changed_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, sql, &s);

	for (int i = 0; rc == 0 && i < values_n; i++)
		rc = db_err(sqlite3_bind_int64(s, i + 1, values[i]));
	rc = wk_store_run(st, s, rc);
	*changed_out = rc == 0 ? sqlite3_changes(st->db) : 0;
	return rc;
}

/*
 * The newest message stored at least days ago. What is stored today may be older than all the rest:
 * history, and what the phone was asked for.
 */
static int stored_before(struct wk_store *st, int64_t today, uint32_t days, int64_t *seq_out)
{
	const int64_t mark[] = { today };
	int n;
	int rc = change(st,
	                "INSERT OR IGNORE INTO message_day"
	                " VALUES (?1, (SELECT coalesce(max(seq), 0) FROM message))",
	                mark, 1, &n);

	if (rc == 0)
		rc = wk_store_number(
		    st, "SELECT seq FROM message_day WHERE day <= ?1 ORDER BY day DESC LIMIT 1",
		    today - days, seq_out);
	return rc;
}

static int age(struct wk_store *st, int64_t now_unix_s, uint32_t days, unsigned limit, bool *more)
{
	int64_t today = now_unix_s / DAY_S, seq = 0, newest = 0;
	int n = 0;
	int rc = stored_before(st, today, days, &seq);

	/* A clock that leaps ahead makes nothing old: as old as before the newest message. */
	if (rc == 0)
		rc = wk_store_number(st, "SELECT unix_s FROM message ORDER BY seq DESC LIMIT 1", 0,
		                     &newest);
	if (rc == 0) {
		const int64_t values[] = { seq,
			                   (newest < now_unix_s ? newest : now_unix_s) -
			                       (int64_t)days * DAY_S,
			                   limit };

		rc = change(st,
		            "DELETE FROM message WHERE seq IN (SELECT seq FROM message"
		            " WHERE seq <= ?1 AND unix_s < ?2 ORDER BY seq LIMIT ?3)",
		            values, 3, &n);
	}
	if (rc == 0 && (unsigned)n < limit) {
		const int64_t values[] = { today - days };
		int gone;

		rc = change(st,
		            "DELETE FROM message_day WHERE day <"
		            " (SELECT max(day) FROM message_day WHERE day <= ?1)",
		            values, 1, &gone);
	}
	*more = rc == 0 && (unsigned)n == limit;
	return rc == -ENOENT ? 0 : rc;
}

int wk_store_age(struct wk_store *st, int64_t now_unix_s, uint32_t days, unsigned limit,
                 bool *more_out)
{
	bool more = false;
	int rc = days == 0 ? 0 : wk_store_begin(st);

	if (days == 0 || rc < 0)
		return rc;
	rc = wk_store_end(st, age(st, now_unix_s, days, limit, &more));
	if (rc == 0)
		*more_out = more;
	return rc;
}
