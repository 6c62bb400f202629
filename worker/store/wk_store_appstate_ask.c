/* worker/store/wk_store_appstate_ask.c - collections that the phone is asked for, in session.db */
#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_appstate.h"
#include "worker/store/wk_store_priv.h"

const char wk_store_appstate_ask_schema[] =
    "CREATE TABLE appstate_ask ("
    "  collection INTEGER PRIMARY KEY,"
    "  message_id TEXT NOT NULL," /* of the last request; empty: none was made yet */
    "  asked_unix_s INTEGER NOT NULL,"
    "  tries INTEGER NOT NULL,"
    "  has_left INTEGER NOT NULL" /* WhatsApp has it */
    ") STRICT;";

int wk_store_appstate_ask_put(struct wk_store *st, enum wk_collection c,
                              const struct wk_appstate_ask *ask)
{
	const int64_t numbers[] = { c, ask->asked_unix_s, ask->tries, ask->has_left };
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st,
	    "INSERT INTO appstate_ask(collection, asked_unix_s, tries, has_left, message_id)"
	    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(collection) DO UPDATE SET"
	    " asked_unix_s = ?2, tries = ?3, has_left = ?4, message_id = ?5",
	    &s);

	for (int i = 0; rc == 0 && i < (int)ARRAY_LEN(numbers); i++)
		rc = db_err(sqlite3_bind_int64(s, i + 1, numbers[i]));
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 5, ask->message_id, -1, SQLITE_STATIC));
	return wk_store_change(st, s, rc);
}

int wk_store_appstate_ask_drop(struct wk_store *st, enum wk_collection c)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "DELETE FROM appstate_ask WHERE collection = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, c));
	return wk_store_change(st, s, rc);
}

static int read_row(sqlite3_stmt *s, struct wk_appstate_ask *ask)
{
	ask->wanted = true;
	ask->asked_unix_s = sqlite3_column_int64(s, 2);
	ask->tries = (unsigned)sqlite3_column_int(s, 3);
	ask->has_left = sqlite3_column_int(s, 4) != 0;
	return db_text(s, 1, ask->message_id, sizeof(ask->message_id));
}

int wk_store_appstate_asks(struct wk_store *st, struct wk_appstate_ask asks_out[WK_COLLECTION_N])
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT collection, message_id, asked_unix_s, tries, has_left"
	                       " FROM appstate_ask",
	                       &s);

	memset(asks_out, 0, WK_COLLECTION_N * sizeof(*asks_out));
	while (rc == 0 && (rc = wk_store_row(s)) == 0) {
		int64_t c = sqlite3_column_int64(s, 0);

		if (c >= 0 && c < WK_COLLECTION_N)
			rc = read_row(s, &asks_out[c]);
	}
	wk_store_done(st, s);
	return rc == -ENOENT ? 0 : rc;
}
