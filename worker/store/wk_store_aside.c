/* worker/store/wk_store_aside.c - stanzas that three workers died of */
#include "worker/store/wk_store_aside.h"

#include "common/db.h"
#include "worker/store/wk_store_priv.h"

const char wk_store_aside_schema[] = "CREATE TABLE aside ("
                                     "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                                     "  key INTEGER NOT NULL," /* of worker/process/wk_hand.h */
                                     "  unix_s INTEGER NOT NULL,"
                                     "  stanza BLOB NOT NULL" /* sealed */
                                     ") STRICT;";

static int insert(struct wk_store *st, uint64_t key, int64_t unix_s, const void *stanza,
                  size_t stanza_len)
{
	const struct sealed_place place = {
		.owner = st->instance_id, .table = "aside", .column = "stanza", .row = (int64_t)key
	};
	sqlite3_stmt *s;
	int rc =
	    wk_store_prepare(st, "INSERT INTO aside(key, unix_s, stanza) VALUES (?1, ?2, ?3)", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, (int64_t)key));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, unix_s));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 3, &place, stanza, stanza_len);
	return wk_store_finish(s, rc);
}

static int make_room(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(
	    st, "DELETE FROM aside WHERE id <= (SELECT max(id) FROM aside) - ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int(s, 1, WK_STORE_ASIDE_MAX));
	return wk_store_finish(s, rc);
}

int wk_store_aside_put(struct wk_store *st, uint64_t key, int64_t unix_s, const void *stanza,
                       size_t stanza_len)
{
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = insert(st, key, unix_s, stanza, stanza_len);
	if (rc == 0)
		rc = make_room(st);
	return wk_store_end(st, rc);
}
