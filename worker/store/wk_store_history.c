/* worker/store/wk_store_history.c - history's notices, state and tokens in session.db */
#include "worker/store/wk_store_history.h"

#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_priv.h"

const char wk_store_history_schema[] =
    "CREATE TABLE history_job ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT," /* what is sealed for one is never another's */
    "  body BLOB NOT NULL"                    /* sealed */
    ") STRICT;"
    "CREATE TABLE history ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  messages INTEGER NOT NULL,"
    "  conversations INTEGER NOT NULL,"
    "  recent INTEGER NOT NULL,"
    "  full INTEGER NOT NULL,"
    "  initial INTEGER NOT NULL,"
    "  done INTEGER NOT NULL,"
    "  last_unix_s INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE history_chat (" /* what the phone says of its chats */
    "  chat TEXT PRIMARY KEY,"    /* as wk_store_jid() has it */
    "  phone_jid TEXT NOT NULL,"  /* as the phone has it */
    "  older INTEGER NOT NULL"    /* enum wk_chat_older, up to DROPPED */
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE token (" /* 1: the account's salt; else of users */
    "  id INTEGER PRIMARY KEY,"
    "  user TEXT NOT NULL UNIQUE,"
    "  unix_s INTEGER NOT NULL,"
    "  body BLOB NOT NULL" /* sealed */
    ") STRICT;";

const char wk_store_history_told_schema[] = /* stored, and the phone may not have heard it */
    "CREATE TABLE history_told ("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  message_id TEXT NOT NULL UNIQUE"
    ") STRICT;";

const char wk_store_history_by_lid_schema[] =
    "ALTER TABLE history_told ADD COLUMN by_lid INTEGER NOT NULL DEFAULT 0;";

static struct sealed_place place_of(const struct wk_store *st, const char *table, int64_t row)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = table, .column = "body", .row = row
	};
}

/* ---- jobs --------------------------------------------------------------------------------------
 */

static int insert_job(struct wk_store *st, const void *body, size_t body_len)
{
	struct sealed_place place;
	int64_t newest = 0, n = 0;
	sqlite3_stmt *s = NULL;
	int rc = wk_store_number(st, "SELECT count(*) FROM history_job", 0, &n);

	if (rc == 0 && n >= WK_HISTORY_JOBS_MAX)
		return WA_ELIMIT;
	if (rc == 0)
		rc = wk_store_number(
		    st,
		    "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'history_job'",
		    0, &newest);
	if (rc == 0)
		rc = wk_store_keep(st, "INSERT INTO history_job(id, body) VALUES (?1, ?2)", &s);
	place = place_of(st, "history_job", newest + 1);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, newest + 1));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 2, &place, body, body_len);
	return wk_store_run(st, s, rc);
}

int wk_store_history_add(struct wk_store *st, const void *body, size_t body_len)
{
	int rc = body_len > WK_HISTORY_NOTICE_MAX ? WA_ELIMIT : wk_store_begin(st);

	return rc < 0 ? rc : wk_store_end(st, insert_job(st, body, body_len));
}

int wk_store_history_next(struct wk_store *st, int64_t after, int64_t *id_out, struct buf *body)
{
	sqlite3_stmt *s;
	int64_t id = 0;
	int rc = wk_store_keep(
	    st, "SELECT id, body FROM history_job WHERE id > ?1 ORDER BY id LIMIT 1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, after));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		struct sealed_place place;

		id = sqlite3_column_int64(s, 0);
		place = place_of(st, "history_job", id);
		rc = wk_store_read_sealed(st, s, 1, &place, body);
	}
	wk_store_done(st, s);
	if (rc == 0)
		*id_out = id;
	return rc;
}

int wk_store_history_drop(struct wk_store *st, int64_t id)
{
	sqlite3_stmt *s = NULL;
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st, "DELETE FROM history_job WHERE id = ?1", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, id));
	return wk_store_end(st, wk_store_run(st, s, rc));
}

/* ---- what the phone is told --------------------------------------------------------------------
 */

static int told_insert(struct wk_store *st, const char *message_id, bool by_lid)
{
	sqlite3_stmt *s = NULL;
	int rc = wk_store_keep(
	    st, "INSERT OR REPLACE INTO history_told(message_id, by_lid) VALUES (?1, ?2)", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, message_id, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int(s, 2, by_lid));
	return wk_store_run(st, s, rc);
}

static int told_forget_oldest(struct wk_store *st)
{
	sqlite3_stmt *s = NULL;
	int rc = wk_store_keep(st,
	                       "DELETE FROM history_told WHERE seq <="
	                       " (SELECT max(seq) FROM history_told) - ?1",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int(s, 1, WK_HISTORY_TOLD_MAX));
	return wk_store_run(st, s, rc);
}

int wk_store_history_told_put(struct wk_store *st, const char *message_id, bool by_lid)
{
	int rc = strlen(message_id) > WK_MSG_ID_MAX ? WA_ELIMIT : wk_store_begin(st);

	if (rc < 0)
		return rc == WA_ELIMIT ? 0 : rc; /* such an id is told once */
	rc = told_insert(st, message_id, by_lid);
	if (rc == 0)
		rc = told_forget_oldest(st);
	return wk_store_end(st, rc);
}

int wk_store_history_told_drop(struct wk_store *st, const char *message_id)
{
	sqlite3_stmt *s = NULL;
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st, "DELETE FROM history_told WHERE message_id = ?1", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, message_id, -1, SQLITE_STATIC));
	return wk_store_end(st, wk_store_run(st, s, rc));
}

int wk_store_history_told_next(struct wk_store *st, int64_t after, int64_t *seq_out,
                               struct wk_history_told *out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT seq, message_id, by_lid FROM history_told WHERE seq > ?1"
	                       " ORDER BY seq LIMIT 1",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, after));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = db_text(s, 1, out->message_id, sizeof(out->message_id));
	if (rc == 0) {
		*seq_out = sqlite3_column_int64(s, 0);
		out->by_lid = sqlite3_column_int(s, 2) != 0;
	}
	wk_store_done(st, s);
	return rc;
}

/* ---- state -------------------------------------------------------------------------------------
 */

int wk_store_history_load(struct wk_store *st, struct wk_history_state *s_out)
{
	struct wk_history_state h = { 0 };
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT messages, conversations, recent, full, initial, done,"
	                       " last_unix_s FROM history",
	                       &s);

	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		h.messages = (uint64_t)sqlite3_column_int64(s, 0);
		h.conversations = (uint64_t)sqlite3_column_int64(s, 1);
		h.recent = (uint32_t)sqlite3_column_int64(s, 2);
		h.full = (uint32_t)sqlite3_column_int64(s, 3);
		h.initial = sqlite3_column_int64(s, 4) != 0;
		h.done = sqlite3_column_int64(s, 5) != 0;
		h.last_unix_s = sqlite3_column_int64(s, 6);
	}
	wk_store_done(st, s);
	if (rc == 0 || rc == -ENOENT)
		*s_out = h;
	return rc == -ENOENT ? 0 : rc;
}

int wk_store_history_save(struct wk_store *st, const struct wk_history_state *h)
{
	const int64_t values[] = { (int64_t)h->messages,
		                   (int64_t)h->conversations,
		                   h->recent,
		                   h->full,
		                   h->initial,
		                   h->done,
		                   h->last_unix_s };
	sqlite3_stmt *s = NULL;
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(
	    st, "INSERT OR REPLACE INTO history VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)", &s);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(values); i++)
		rc = db_err(sqlite3_bind_int64(s, (int)i + 1, values[i]));
	return wk_store_end(st, wk_store_run(st, s, rc));
}

void wk_store_bulk(struct wk_store *st, bool on)
{
	(void)sqlite3_exec(st->db,
	                   on ? "PRAGMA cache_size=-4096; PRAGMA wal_autocheckpoint=4000;"
	                      : "PRAGMA cache_size=-256; PRAGMA wal_checkpoint(TRUNCATE);",
	                   NULL, NULL, NULL);
	if (on)
		return;
	db_pace_log(st->db);
	(void)sqlite3_db_release_memory(st->db);
}

/* ---- tokens ------------------------------------------------------------------------------------
 */

/* The row of that name; 0: none. *unix_s_out: how old what it has is. */
static int find_token(struct wk_store *st, const char *user, int64_t *id_out, int64_t *unix_s_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT id, unix_s FROM token WHERE user = ?1", &s);

	*id_out = 0;
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, user, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		*id_out = sqlite3_column_int64(s, 0);
		*unix_s_out = sqlite3_column_int64(s, 1);
	}
	wk_store_done(st, s);
	return rc == -ENOENT ? 0 : rc;
}

static int put_token(struct wk_store *st, const char *user, const uint8_t *token, size_t token_len,
                     int64_t unix_s)
{
	int64_t id = 0, had_unix_s = 0, newest = 0;
	struct sealed_place place;
	sqlite3_stmt *s = NULL;
	int rc = find_token(st, user, &id, &had_unix_s);

	if (rc < 0 || (id != 0 && had_unix_s >= unix_s))
		return rc;
	if (id == 0) {
		rc = wk_store_number(st, "SELECT coalesce(max(id), 0) FROM token", 0, &newest);
		id = newest + 1;
	}
	place = place_of(st, "token", id);
	if (rc == 0)
		rc = wk_store_keep(st, "INSERT OR REPLACE INTO token VALUES (?1, ?2, ?3, ?4)", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, id));
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 2, user, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, unix_s));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 4, &place, token, token_len);
	return wk_store_run(st, s, rc);
}

static int get_token(struct wk_store *st, const char *user, struct buf *token, int64_t *unix_s_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT id, unix_s, body FROM token WHERE user = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, user, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		const struct sealed_place place = place_of(st, "token", sqlite3_column_int64(s, 0));

		*unix_s_out = sqlite3_column_int64(s, 1);
		rc = wk_store_read_sealed(st, s, 2, &place, token);
	}
	wk_store_done(st, s);
	return rc;
}

static int user_text(struct wk_store *st, const struct wa_jid *user, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid known;
	int rc = wk_store_jid(st, user, &known);

	if (rc == 0)
		(void)wa_jid_format(&known, out);
	return rc;
}

int wk_store_tc_token_put(struct wk_store *st, const struct wa_jid *user, const uint8_t *token,
                          size_t token_len, int64_t unix_s)
{
	char text[WA_JID_TEXT_CAP];
	int rc = token_len > WK_TOKEN_MAX ? WA_ELIMIT : user_text(st, user, text);

	if (rc == 0)
		rc = wk_store_begin(st);
	return rc < 0 ? rc : wk_store_end(st, put_token(st, text, token, token_len, unix_s));
}

int wk_store_tc_token_get(struct wk_store *st, const struct wa_jid *user, struct buf *token,
                          int64_t *unix_s_out)
{
	char text[WA_JID_TEXT_CAP];
	int rc = user_text(st, user, text);

	return rc < 0 ? rc : get_token(st, text, token, unix_s_out);
}

int wk_store_nct_salt_put(struct wk_store *st, const uint8_t *salt, size_t salt_len)
{
	int rc = salt_len > WK_TOKEN_MAX ? WA_ELIMIT : wk_store_begin(st);

	return rc < 0 ? rc : wk_store_end(st, put_token(st, "", salt, salt_len, 1));
}

int wk_store_nct_salt_set(struct wk_store *st, const uint8_t *salt, size_t salt_len)
{
	sqlite3_stmt *s;
	int rc = salt_len > WK_TOKEN_MAX ? WA_ELIMIT : wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st, "DELETE FROM token WHERE user = ''", &s);
	rc = wk_store_run(st, s, rc);
	if (rc == 0 && salt_len > 0)
		rc = put_token(st, "", salt, salt_len, 1);
	return wk_store_end(st, rc);
}

int wk_store_nct_salt_get(struct wk_store *st, struct buf *salt)
{
	int64_t unix_s;

	return get_token(st, "", salt, &unix_s);
}

/* ---- chats -------------------------------------------------------------------------------------
 */

static int put_chat(struct wk_store *st, const char *chat, const char *phone_jid, int older)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "INSERT INTO history_chat"
	                       " VALUES (?1, ?2, CASE ?3 WHEN -1 THEN 0 WHEN 3 THEN 1 ELSE ?3 END)"
	                       " ON CONFLICT (chat) DO UPDATE SET phone_jid = ?2,"
	                       " older = CASE WHEN ?3 = -1 OR (?3 = 1 AND older = 2) THEN older"
	                       " WHEN ?3 = 3 THEN 1 ELSE ?3 END",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, chat, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 2, phone_jid, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, older));
	return wk_store_run(st, s, rc);
}

int wk_store_history_chat_put(struct wk_store *st, const struct wa_jid *phone_jid,
                              enum wk_chat_older older)
{
	char chat[WA_JID_TEXT_CAP], text[WA_JID_TEXT_CAP];
	int rc = user_text(st, phone_jid, chat);

	(void)wa_jid_format(phone_jid, text);
	if (rc == 0)
		rc = wk_store_begin(st);
	return rc < 0 ? rc : wk_store_end(st, put_chat(st, chat, text, older));
}

int wk_store_history_chat_get(struct wk_store *st, const struct wa_jid *chat,
                              char phone_jid_out[WA_JID_TEXT_CAP], bool *none_older_out)
{
	char text[WA_JID_TEXT_CAP];
	sqlite3_stmt *s = NULL;
	int rc = user_text(st, chat, text);

	if (rc == 0)
		rc = wk_store_keep(st, "SELECT phone_jid, older FROM history_chat WHERE chat = ?1",
		                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		rc = db_text(s, 0, phone_jid_out, WA_JID_TEXT_CAP);
		*none_older_out = sqlite3_column_int64(s, 1) == WK_OLDER_NONE;
	}
	wk_store_done(st, s);
	return rc;
}
