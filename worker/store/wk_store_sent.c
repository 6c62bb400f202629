/* worker/store/wk_store_sent.c - messages of our own in session.db */
#include "worker/store/wk_store_sent.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_priv.h"

const char wk_store_sent_schema[] = "CREATE TABLE sent ("
                                    "  seq INTEGER PRIMARY KEY,"
                                    "  key INTEGER NOT NULL UNIQUE," /* of its id */
                                    "  peer INTEGER NOT NULL,"       /* of who it is for */
                                    "  unix_s INTEGER NOT NULL,"
                                    "  state INTEGER NOT NULL,"
                                    "  tries INTEGER NOT NULL,"
                                    "  body BLOB NOT NULL," /* sealed: id, JID, Message */
                                    "  stanza BLOB"         /* sealed */
                                    ") STRICT;"
                                    "CREATE INDEX sent_waits ON sent (seq) WHERE state < 2;"
                                    "CREATE TABLE sent_device ("
                                    "  key INTEGER NOT NULL," /* of the message */
                                    "  device TEXT NOT NULL,"
                                    "  served INTEGER NOT NULL,"
                                    "  base_key BLOB," /* public */
                                    "  PRIMARY KEY (key, device)"
                                    ") STRICT, WITHOUT ROWID;";

void wk_sent_clear(struct wk_sent *s)
{
	buf_wipe(&s->message);
	buf_wipe(&s->stanza);
	memset(s, 0, sizeof(*s));
}

/* ---- parts -------------------------------------------------------------------------------------
 */

static int64_t key_of(const struct wk_store *st, const char *id)
{
	return (int64_t)(wk_store_hash(st, id, strlen(id)) >> 1);
}

/* One person, whichever JID it goes to. */
static int peer_of(struct wk_store *st, const struct wa_jid *to, int64_t *out)
{
	char text[WA_JID_TEXT_CAP];
	struct wa_jid known;
	int rc = wk_store_jid(st, to, &known);

	if (rc == 0)
		*out = (int64_t)wk_store_hash(st, text, wa_jid_format(&known, text));
	return rc;
}

static struct sealed_place place_of(const struct wk_store *st, const char *column, int64_t key)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "sent", .column = column, .row = key
	};
}

static int bind_body(struct wk_store *st, sqlite3_stmt *s, int at, int64_t key,
                     const struct wk_sent *m)
{
	const struct sealed_place place = place_of(st, "body", key);
	char to[WA_JID_TEXT_CAP];
	struct buf body = { 0 };
	int rc = buf_append(&body, m->id, strlen(m->id) + 1);

	if (rc == 0)
		rc = buf_append(&body, to, wa_jid_format(&m->to, to) + 1);
	if (rc == 0)
		rc = buf_append(&body, m->message.p, m->message.len);
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, at, &place, body.p, body.len);
	buf_wipe(&body);
	return rc;
}

static int read_body(const struct buf *body, struct wk_sent *m)
{
	const char *id = (const char *)body->p, *to;
	size_t id_len = body->len == 0 ? 0 : strnlen(id, body->len), to_len;

	if (id_len + 1 >= body->len || id_len >= sizeof(m->id))
		return WA_ESTORE_CORRUPT;
	to = id + id_len + 1;
	to_len = strnlen(to, body->len - id_len - 1);
	if (id_len + 1 + to_len >= body->len || wa_jid_parse(to, to_len, &m->to) < 0)
		return WA_ESTORE_CORRUPT;
	memcpy(m->id, id, id_len + 1);
	return buf_append(&m->message, to + to_len + 1, body->len - id_len - to_len - 2);
}

/* ---- rows --------------------------------------------------------------------------------------
 */

#define COLUMNS "SELECT key, state, tries, unix_s, body, stanza FROM sent "

static int read_row(struct wk_store *st, sqlite3_stmt *s, struct wk_sent *m)
{
	int64_t key = sqlite3_column_int64(s, 0);
	const struct sealed_place body_place = place_of(st, "body", key);
	const struct sealed_place stanza_place = place_of(st, "stanza", key);
	struct buf body = { 0 };
	int rc = wk_store_read_sealed(st, s, 4, &body_place, &body);

	m->state = (enum wk_sent_state)sqlite3_column_int(s, 1);
	m->tries = (unsigned)sqlite3_column_int(s, 2);
	m->unix_s = sqlite3_column_int64(s, 3);
	if (rc == 0)
		rc = read_body(&body, m);
	if (rc == 0 && m->state == WK_SENT_LEFT)
		rc = wk_store_read_sealed(st, s, 5, &stanza_place, &m->stanza);
	buf_wipe(&body);
	if (rc < 0)
		wk_sent_clear(m);
	return rc;
}

int wk_store_sent_next(struct wk_store *st, struct wk_sent *m)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, COLUMNS "WHERE state < 2 ORDER BY seq LIMIT 1", &s);

	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = read_row(st, s, m);
	wk_store_done(st, s);
	return rc;
}

int wk_store_sent_find(struct wk_store *st, const char *id, struct wk_sent *m)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, COLUMNS "WHERE key = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key_of(st, id)));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = read_row(st, s, m);
	wk_store_done(st, s);
	return rc;
}

/* What nobody will ask for again, and more than are kept. */
static int forget_old(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "DELETE FROM sent WHERE unix_s < ?1"
	                       " OR seq <= (SELECT max(seq) FROM sent) - ?2",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, clock_unix_s() - WK_SENT_KEPT_S));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, WK_SENT_KEPT_N - 1));
	rc = wk_store_run(st, s, rc);
	if (rc < 0)
		return rc;
	rc = wk_store_keep(st, "DELETE FROM sent_device WHERE key NOT IN (SELECT key FROM sent)",
	                   &s);
	return wk_store_run(st, s, rc);
}

int wk_store_sent_add(struct wk_store *st, const struct wk_sent *m)
{
	int64_t key = key_of(st, m->id), peer = 0;
	sqlite3_stmt *s;
	int rc = forget_old(st);

	if (rc == 0)
		rc = peer_of(st, &m->to, &peer);
	if (rc < 0)
		return rc;
	rc = wk_store_keep(st,
	                   "INSERT INTO sent(key, peer, unix_s, state, tries, body)"
	                   " VALUES (?1, ?2, ?3, 0, 0, ?4)",
	                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, peer));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, m->unix_s));
	if (rc == 0)
		rc = bind_body(st, s, 4, key, m);
	return wk_store_run(st, s, rc);
}

int wk_store_sent_save(struct wk_store *st, const struct wk_sent *m)
{
	int64_t key = key_of(st, m->id), peer = 0;
	const struct sealed_place place = place_of(st, "stanza", key);
	sqlite3_stmt *s;
	int rc = peer_of(st, &m->to, &peer);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st,
	                   "UPDATE sent SET peer = ?2, state = ?3, tries = ?4, body = ?5,"
	                   " stanza = ?6 WHERE key = ?1",
	                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, peer));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, m->state));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 4, m->tries));
	if (rc == 0)
		rc = bind_body(st, s, 5, key, m);
	if (rc == 0 && m->state == WK_SENT_LEFT)
		rc = wk_store_bind_sealed(st, s, 6, &place, m->stanza.p, m->stanza.len);
	return wk_store_run(st, s, rc);
}

int wk_store_sent_since(struct wk_store *st, const struct wa_jid *to, int64_t unix_s,
                        unsigned *to_n_out, unsigned *all_n_out)
{
	int64_t peer = 0;
	sqlite3_stmt *s;
	int rc = peer_of(st, to, &peer);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(
	    st, "SELECT count(*), ifnull(sum(peer = ?1), 0) FROM sent WHERE unix_s > ?2", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, peer));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, unix_s));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		*all_n_out = (unsigned)sqlite3_column_int(s, 0);
		*to_n_out = (unsigned)sqlite3_column_int(s, 1);
	}
	wk_store_done(st, s);
	return rc;
}

/* ---- devices -----------------------------------------------------------------------------------
 */

int wk_store_sent_device(struct wk_store *st, const char *id, const char *device,
                         struct wk_sent_device *d_out)
{
	struct wk_sent_device d = { .served = 0 };
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "SELECT served, base_key FROM sent_device WHERE key = ?1 AND device = ?2", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key_of(st, id)));
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 2, device, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		d.served = (unsigned)sqlite3_column_int(s, 0);
		d.has_base_key = sqlite3_column_bytes(s, 1) == WA_KEY_LEN;
		if (d.has_base_key)
			memcpy(d.base_key, sqlite3_column_blob(s, 1), WA_KEY_LEN);
		*d_out = d;
	}
	wk_store_done(st, s);
	return rc;
}

int wk_store_sent_device_save(struct wk_store *st, const char *id, const char *device,
                              const struct wk_sent_device *d)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "INSERT INTO sent_device(key, device, served, base_key)"
	                       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
	                       " SET served = ?3, base_key = ?4",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key_of(st, id)));
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 2, device, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, d->served));
	if (rc == 0 && d->has_base_key)
		rc = db_err(sqlite3_bind_blob(s, 4, d->base_key, WA_KEY_LEN, SQLITE_STATIC));
	return wk_store_run(st, s, rc);
}
