/* worker/store/wk_store_appstate.c - app state in session.db */
#include "worker/store/wk_store_appstate.h"

#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_store_priv.h"

#define ASK_AGAIN_S (24 * 3600)

const char wk_store_appstate_schema[] =
    "CREATE TABLE appstate_key ("
    "  id INTEGER PRIMARY KEY,"
    "  key_id BLOB NOT NULL UNIQUE,"
    "  unix_ms INTEGER NOT NULL,"
    "  data BLOB," /* sealed; NULL: missing */
    "  asked_unix_s INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE appstate ("
    "  collection INTEGER PRIMARY KEY,"
    "  version INTEGER NOT NULL,"
    "  hash BLOB NOT NULL,"
    "  told INTEGER NOT NULL,"
    "  synced INTEGER NOT NULL,"
    "  waits BLOB" /* key id */
    ") STRICT;"
    "CREATE TABLE appstate_mac ("
    "  collection INTEGER NOT NULL,"
    "  index_mac BLOB NOT NULL,"
    "  value_mac BLOB NOT NULL,"
    "  round INTEGER NOT NULL,"
    "  PRIMARY KEY (collection, index_mac)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE label ("
    "  id INTEGER PRIMARY KEY,"
    "  label TEXT NOT NULL UNIQUE,"
    "  name BLOB" /* sealed */
    ") STRICT;"
    "CREATE TABLE chat_mark ("
    "  jid TEXT NOT NULL," /* the LID of a person where it is known */
    "  mark INTEGER NOT NULL,"
    "  v INTEGER NOT NULL,"
    "  PRIMARY KEY (jid, mark)"
    ") STRICT, WITHOUT ROWID;";

static const char *const names[] = {
#define X(id, name) [id] = name,
	WK_COLLECTION_LIST(X)
#undef X
};

const char *wk_collection_name(enum wk_collection c)
{
	return names[c];
}

int wk_collection_of(const char *name)
{
	for (int i = 0; i < WK_COLLECTION_N; i++) {
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return -1;
}

static int bind_blob(sqlite3_stmt *s, int at, const void *p, size_t len)
{
	return db_err(sqlite3_bind_blob64(s, at, p, len, SQLITE_STATIC));
}

static int bind_int(sqlite3_stmt *s, int at, int64_t v)
{
	return db_err(sqlite3_bind_int64(s, at, v));
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

static struct sealed_place key_place(const struct wk_store *st, int64_t row)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "appstate_key", .column = "data", .row = row
	};
}

/* The row of a key id, made when it is missing; has it data, and of when? */
static int key_row(struct wk_store *st, struct wa_bytes id, int64_t *row_out, bool *has_out,
                   int64_t *unix_ms_out)
{
	sqlite3_stmt *s;
	int rc =
	    wk_store_keep(st,
	                  "INSERT INTO appstate_key(key_id, unix_ms, asked_unix_s)"
	                  " VALUES (?1, 0, 0) ON CONFLICT(key_id) DO UPDATE SET key_id = key_id"
	                  " RETURNING id, data IS NOT NULL, unix_ms",
	                  &s);

	if (rc == 0)
		rc = bind_blob(s, 1, id.p, id.len);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		*row_out = sqlite3_column_int64(s, 0);
		*has_out = sqlite3_column_int(s, 1) != 0;
		*unix_ms_out = sqlite3_column_int64(s, 2);
	}
	wk_store_done(st, s);
	return rc == -ENOENT ? WA_ESTORE_CORRUPT : rc;
}

static int key_write(struct wk_store *st, struct wa_bytes id,
                     const uint8_t data[WA_APPSTATE_KEY_LEN], int64_t unix_ms, bool *new_out)
{
	struct sealed_place place;
	sqlite3_stmt *s = NULL;
	int64_t row = 0, known_ms = 0;
	bool has = false;
	int rc = key_row(st, id, &row, &has, &known_ms);

	*new_out = rc == 0 && (!has || unix_ms > known_ms);
	if (rc < 0 || !*new_out)
		return rc;
	place = key_place(st, row);
	rc = wk_store_keep(st, "UPDATE appstate_key SET unix_ms = ?2, data = ?3 WHERE id = ?1", &s);
	if (rc == 0)
		rc = bind_int(s, 1, row);
	if (rc == 0)
		rc = bind_int(s, 2, unix_ms);
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 3, &place, data, WA_APPSTATE_KEY_LEN);
	return wk_store_run(st, s, rc);
}

int wk_store_appstate_key_put(struct wk_store *st, struct wa_bytes id,
                              const uint8_t data[WA_APPSTATE_KEY_LEN], int64_t unix_ms,
                              bool *new_out)
{
	int rc = wk_store_begin(st);

	return rc < 0 ? rc : wk_store_end(st, key_write(st, id, data, unix_ms, new_out));
}

int wk_store_appstate_key(struct wk_store *st, struct wa_bytes id,
                          uint8_t data_out[WA_APPSTATE_KEY_LEN])
{
	struct buf data = { 0 };
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "SELECT id, data FROM appstate_key WHERE key_id = ?1 AND data IS NOT NULL", &s);

	if (rc == 0)
		rc = bind_blob(s, 1, id.p, id.len);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		const struct sealed_place place = key_place(st, sqlite3_column_int64(s, 0));

		rc = wk_store_read_sealed(st, s, 1, &place, &data);
	}
	wk_store_done(st, s);
	if (rc == 0 && data.len != WA_APPSTATE_KEY_LEN)
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		memcpy(data_out, data.p, WA_APPSTATE_KEY_LEN);
	buf_wipe(&data);
	return rc;
}

int wk_store_appstate_has_keys(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT 1 FROM appstate_key WHERE data IS NOT NULL LIMIT 1", &s);

	if (rc == 0)
		rc = wk_store_row(s);
	wk_store_done(st, s);
	return rc == 0 ? 1 : rc == -ENOENT ? 0 : rc;
}

static int note_asked(struct wk_store *st, struct wa_bytes id, int64_t now_unix_s)
{
	int64_t row = 0, unix_ms = 0;
	sqlite3_stmt *s = NULL;
	bool has = false;
	int rc = key_row(st, id, &row, &has, &unix_ms);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st,
	                   "UPDATE appstate_key SET asked_unix_s = ?2 WHERE id = ?1"
	                   " AND (asked_unix_s <= ?2 - ?3 OR asked_unix_s > ?2)",
	                   &s);
	if (rc == 0)
		rc = bind_int(s, 1, row);
	if (rc == 0)
		rc = bind_int(s, 2, now_unix_s);
	if (rc == 0)
		rc = bind_int(s, 3, ASK_AGAIN_S);
	rc = wk_store_run(st, s, rc);
	return rc < 0 ? rc : sqlite3_changes(st->db);
}

int wk_store_appstate_key_ask(struct wk_store *st, struct wa_bytes id, int64_t now_unix_s)
{
	int asked, rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	asked = note_asked(st, id, now_unix_s);
	rc = wk_store_end(st, asked < 0 ? asked : 0);
	return rc < 0 ? rc : asked;
}

/* ---- collections --------------------------------------------------------------------------------
 */

static int take_blob(sqlite3_stmt *s, int column, void *out, size_t cap, size_t *len_out)
{
	size_t n = (size_t)sqlite3_column_bytes(s, column);

	if (n > cap)
		return WA_ESTORE_CORRUPT;
	if (n > 0)
		memcpy(out, sqlite3_column_blob(s, column), n);
	*len_out = n;
	return 0;
}

int wk_store_appstate_load(struct wk_store *st, enum wk_collection c,
                           struct wk_appstate_row *row_out)
{
	struct wk_appstate_row row = { 0 };
	sqlite3_stmt *s;
	size_t hash_len = 0;
	int rc = wk_store_keep(
	    st, "SELECT version, hash, told, waits, synced FROM appstate WHERE collection = ?1",
	    &s);

	if (rc == 0)
		rc = bind_int(s, 1, c);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		row.version = (uint64_t)sqlite3_column_int64(s, 0);
		row.told = (uint64_t)sqlite3_column_int64(s, 2);
		row.synced = sqlite3_column_int(s, 4) != 0;
		rc = take_blob(s, 1, row.hash, sizeof(row.hash), &hash_len);
	}
	if (rc == 0)
		rc = take_blob(s, 3, row.waits, sizeof(row.waits), &row.waits_len);
	if (rc == 0 && hash_len != sizeof(row.hash))
		rc = WA_ESTORE_CORRUPT;
	wk_store_done(st, s);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*row_out = row;
	return 0;
}

int wk_store_appstate_save(struct wk_store *st, enum wk_collection c,
                           const struct wk_appstate_row *row)
{
	sqlite3_stmt *s;
	int rc =
	    wk_store_keep(st,
	                  "INSERT INTO appstate(collection, version, hash, told, waits, synced)"
	                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(collection) DO UPDATE SET"
	                  " version = ?2, hash = ?3, told = ?4, waits = ?5, synced = ?6",
	                  &s);

	if (rc == 0)
		rc = bind_int(s, 1, c);
	if (rc == 0)
		rc = bind_int(s, 2, (int64_t)row->version);
	if (rc == 0)
		rc = bind_blob(s, 3, row->hash, sizeof(row->hash));
	if (rc == 0)
		rc = bind_int(s, 4, (int64_t)row->told);
	if (rc == 0 && row->waits_len > 0)
		rc = bind_blob(s, 5, row->waits, row->waits_len);
	if (rc == 0)
		rc = bind_int(s, 6, row->synced);
	return wk_store_change(st, s, rc);
}

int wk_store_appstate_mac(struct wk_store *st, enum wk_collection c,
                          const uint8_t index_mac[WA_APPSTATE_MAC_LEN],
                          uint8_t out[WA_APPSTATE_MAC_LEN])
{
	sqlite3_stmt *s;
	size_t len = 0;
	int rc = wk_store_keep(st,
	                       "SELECT value_mac FROM appstate_mac"
	                       " WHERE collection = ?1 AND index_mac = ?2",
	                       &s);

	if (rc == 0)
		rc = bind_int(s, 1, c);
	if (rc == 0)
		rc = bind_blob(s, 2, index_mac, WA_APPSTATE_MAC_LEN);
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = take_blob(s, 0, out, WA_APPSTATE_MAC_LEN, &len);
	if (rc == 0 && len != WA_APPSTATE_MAC_LEN)
		rc = WA_ESTORE_CORRUPT;
	wk_store_done(st, s);
	return rc;
}

int wk_store_appstate_mac_set(struct wk_store *st, enum wk_collection c,
                              const uint8_t index_mac[WA_APPSTATE_MAC_LEN],
                              const uint8_t value_mac[WA_APPSTATE_MAC_LEN], int64_t round)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "INSERT INTO appstate_mac(collection, index_mac, value_mac, round)"
	                       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT(collection, index_mac)"
	                       " DO UPDATE SET value_mac = ?3, round = ?4",
	                       &s);

	if (rc == 0)
		rc = bind_int(s, 1, c);
	if (rc == 0)
		rc = bind_blob(s, 2, index_mac, WA_APPSTATE_MAC_LEN);
	if (rc == 0)
		rc = bind_blob(s, 3, value_mac, WA_APPSTATE_MAC_LEN);
	if (rc == 0)
		rc = bind_int(s, 4, round);
	return wk_store_change(st, s, rc);
}

int wk_store_appstate_mac_del(struct wk_store *st, enum wk_collection c,
                              const uint8_t index_mac[WA_APPSTATE_MAC_LEN])
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "DELETE FROM appstate_mac WHERE collection = ?1 AND index_mac = ?2", &s);

	if (rc == 0)
		rc = bind_int(s, 1, c);
	if (rc == 0)
		rc = bind_blob(s, 2, index_mac, WA_APPSTATE_MAC_LEN);
	return wk_store_change(st, s, rc);
}

int wk_store_appstate_mac_end(struct wk_store *st, enum wk_collection c, int64_t round)
{
	sqlite3_stmt *s;
	int rc =
	    wk_store_keep(st, "DELETE FROM appstate_mac WHERE collection = ?1 AND round <> ?2", &s);

	if (rc == 0)
		rc = bind_int(s, 1, c);
	if (rc == 0)
		rc = bind_int(s, 2, round);
	return wk_store_change(st, s, rc);
}
