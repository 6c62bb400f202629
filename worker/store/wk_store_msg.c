/* worker/store/wk_store_msg.c - stored messages in session.db */
#include "worker/store/wk_store_msg.h"

#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_msg_priv.h"
#include "worker/store/wk_store_priv.h"

static struct sealed_place place_of(const struct wk_store *st, int64_t key)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "message", .column = "body", .row = key
	};
}

/* ---- storing -----------------------------------------------------------------------------------
 */

/* Flags of the row of that key; -ENOENT. */
static int flags_of(struct wk_store *st, int64_t chat, int64_t key, unsigned *flags_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT flags FROM message WHERE chat = ?1 AND key = ?2", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, chat));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, key));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*flags_out = (unsigned)sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	return rc;
}

static int bind_row(struct wk_store *st, sqlite3_stmt *s, int64_t key, int64_t chat,
                    const struct wk_msg *m)
{
	const struct sealed_place place = place_of(st, key);
	struct buf body = { 0 };
	int rc = wk_msg_body_write(m, &body);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, chat));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, m->unix_s));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 4, m->flags));
	if (rc == 0)
		rc = wk_store_bind_sealed(st, s, 5, &place, body.p, body.len);
	buf_wipe(&body);
	return rc;
}

/* 0, or -EEXIST: there is one of that key. */
static int insert(struct wk_store *st, int64_t key, int64_t chat, const struct wk_msg *m)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "INSERT INTO message(key, chat, unix_s, flags, body)"
	                       " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (chat, key) DO NOTHING",
	                       &s);

	if (rc == 0)
		rc = bind_row(st, s, key, chat, m);
	rc = wk_store_run(st, s, rc);
	return rc == 0 && sqlite3_changes(st->db) == 0 ? -EEXIST : rc;
}

/* The message in place of its placeholder. */
static int replace(struct wk_store *st, int64_t key, int64_t chat, const struct wk_msg *m)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "UPDATE message SET unix_s = ?3,"
	                       " flags = ?4 | (flags & 16), body = ?5"
	                       " WHERE chat = ?2 AND key = ?1",
	                       &s);

	_Static_assert(WK_MSG_REVOKED == 16, "in the statement above");
	if (rc == 0)
		rc = bind_row(st, s, key, chat, m);
	return wk_store_run(st, s, rc);
}

static int put(struct wk_store *st, const struct wk_msg *m, bool *new_out)
{
	struct wk_msg_chat c = { 0, 0 };
	unsigned flags = 0;
	int64_t keys[2];
	int rc = wk_msg_keys_of(st, m, true, &c, keys);

	if (rc < 0)
		return rc;
	/* What an earlier chat of the same person has stays where it is. */
	if (keys[1] != 0 && (rc = flags_of(st, c.id, keys[1], &flags)) == 0)
		keys[0] = keys[1];
	else if (rc == 0 || rc == -ENOENT)
		rc = insert(st, keys[0], c.id, m);
	*new_out = rc == 0 && keys[0] != keys[1];
	if (rc == -EEXIST || (rc == 0 && !*new_out)) {
		rc = flags_of(st, c.id, keys[0], &flags);
		if (rc == 0 && (flags & WK_MSG_PLACEHOLDER) && !(m->flags & WK_MSG_PLACEHOLDER)) {
			rc = replace(st, keys[0], c.id, m);
			*new_out = true;
		}
	}
	return rc;
}

int wk_store_msg_put(struct wk_store *st, const struct wk_msg *m, bool *new_out)
{
	bool is_new = false;
	int rc = wk_msg_id_fits(m->id) ? 0 : WA_ELIMIT;

	if (rc == 0 && !(st->batch.open && st->batch.depth > 0)) {
		rc = wk_store_begin(st);
		if (rc == 0)
			rc = wk_store_end(st, put(st, m, &is_new));
	} else if (rc == 0) {
		rc = put(st, m, &is_new);
	}
	if (rc == 0)
		*new_out = is_new;
	else
		st->chat.known = false; /* it may have been undone */
	return rc;
}

int wk_store_msg_has(struct wk_store *st, const struct wk_msg *m)
{
	struct wk_msg_chat c = { 0, 0 };
	unsigned flags = 0;
	int64_t keys[2];
	int rc = wk_msg_keys_of(st, m, false, &c, keys);

	if (rc == 0)
		rc = flags_of(st, c.id, keys[0], &flags);
	if (rc == -ENOENT && c.old_id != 0)
		rc = flags_of(st, c.id, keys[1], &flags);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : (flags & WK_MSG_PLACEHOLDER) == 0;
}

int wk_store_msg_mark(struct wk_store *st, const struct wk_msg *m, unsigned flags)
{
	struct wk_msg_chat c = { 0, 0 };
	int64_t keys[2];
	sqlite3_stmt *s;
	int rc = wk_msg_keys_of(st, m, false, &c, keys);

	if (rc < 0) /* a foreign id that fits nothing is none of ours */
		return rc == -ENOENT || rc == WA_ELIMIT ? 0 : rc;
	rc = wk_store_keep(
	    st, "UPDATE message SET flags = flags | ?1 WHERE chat = ?4 AND key IN (?2, ?3)", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, flags));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, keys[0]));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, keys[1]));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 4, c.id));
	return wk_store_run(st, s, rc);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Columns: key, unix_s, flags, body, chat's JID. */
static int give_row(struct wk_store *st, sqlite3_stmt *s, const char *id,
                    const struct wk_store_msg_each *each)
{
	const struct sealed_place place = place_of(st, sqlite3_column_int64(s, 0));
	const char *chat = (const char *)sqlite3_column_text(s, 4);
	struct wk_msg m = { .unix_s = sqlite3_column_int64(s, 1),
		            .flags = (unsigned)sqlite3_column_int64(s, 2) };
	struct wk_msg_text texts[2];
	struct buf body = { 0 };
	int rc = wk_store_read_sealed(st, s, 3, &place, &body);

	if (rc == 0 && (chat == NULL || wa_jid_parse(chat, strlen(chat), &m.chat) < 0))
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		rc = wk_msg_body_read(&body, texts, &m);
	if (rc == 0 && (id == NULL || strcmp(id, m.id) == 0))
		rc = each->on_msg(each->arg, &m);
	buf_wipe(&body);
	return rc;
}

/* Bound already; rows to the caller. Returns how many, or what stopped it. */
static int give_rows(struct wk_store *st, sqlite3_stmt *s, int rc, const char *id,
                     const struct wk_store_msg_each *each, size_t *n_out)
{
	size_t n = 0;

	while (rc == 0 && (rc = wk_store_row(s)) == 0) {
		rc = give_row(st, s, id, each);
		n++;
	}
	wk_store_done(st, s);
	if (n_out != NULL)
		*n_out = n;
	return rc == -ENOENT ? 0 : rc;
}

#define COLUMNS \
	"SELECT m.key, m.unix_s, m.flags, m.body, c.jid FROM message m" \
	" JOIN chat c ON c.id = m.chat"

/* Chat by chat: keys are found within theirs. */
int wk_store_msg_by_id(struct wk_store *st, const char *id, const struct wk_store_msg_each *each)
{
	int64_t from, to;
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT m.key, m.unix_s, m.flags, m.body, c.jid FROM chat c"
	                       " CROSS JOIN message m ON m.chat = c.id"
	                       " WHERE m.key BETWEEN ?1 AND ?2",
	                       &s);

	wk_msg_id_range(st, id, &from, &to);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, from));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, to));
	return give_rows(st, s, rc, id, each, NULL);
}

int wk_store_msg_in(struct wk_store *st, const struct wa_jid *chat, const char *id,
                    const struct wk_store_msg_each *each)
{
	int64_t from, to;
	sqlite3_stmt *s;
	struct wk_msg_chat c;
	int rc = wk_msg_chat_of(st, chat, false, &c);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	wk_msg_id_range(st, id, &from, &to);
	rc = wk_store_keep(st, COLUMNS " WHERE m.chat = ?1 AND m.key BETWEEN ?2 AND ?3", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, c.id));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, from));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, to));
	return give_rows(st, s, rc, id, each, NULL);
}

/* A chat's own messages only: flags 4 (ADDON) and 32 (PLACEHOLDER) are not. */
#define OWN " AND m.flags & 36 = 0"
_Static_assert((WK_MSG_ADDON | WK_MSG_PLACEHOLDER) == 36, "in OWN");

int wk_store_msg_list(struct wk_store *st, const struct wa_jid *chat, int64_t from_unix_s,
                      int64_t to_unix_s, size_t limit, const struct wk_store_msg_each *each)
{
	sqlite3_stmt *s;
	struct wk_msg_chat c;
	int rc = wk_msg_chat_of(st, chat, false, &c);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = wk_store_keep(st,
	                   COLUMNS " WHERE m.chat = ?1 AND m.unix_s BETWEEN ?2 AND ?3" OWN
	                           " ORDER BY m.unix_s DESC, m.seq DESC LIMIT ?4",
	                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, c.id));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, from_unix_s));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, to_unix_s));
	if (rc == 0)
		rc = db_err(
		    sqlite3_bind_int64(s, 4, limit > INT32_MAX ? INT32_MAX : (int64_t)limit));
	return give_rows(st, s, rc, NULL, each, NULL);
}

int wk_store_msg_oldest(struct wk_store *st, const struct wa_jid *chat,
                        const struct wk_store_msg_each *each)
{
	size_t n = 0;
	sqlite3_stmt *s;
	struct wk_msg_chat c;
	int rc = wk_msg_chat_of(st, chat, false, &c);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st, COLUMNS " WHERE m.chat = ?1" OWN " ORDER BY m.unix_s, m.seq LIMIT 1",
	                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, c.id));
	rc = give_rows(st, s, rc, NULL, each, &n);
	return rc == 0 && n == 0 ? -ENOENT : rc;
}

/* ---- secrets -----------------------------------------------------------------------------------
 */

struct secret_search {
	uint8_t *out;
	bool found;
};

static int on_secret(void *arg, const struct wk_msg *m)
{
	struct secret_search *f = arg;

	if (m->secret == NULL)
		return 0;
	memcpy(f->out, m->secret, WA_MSG_SECRET_LEN);
	f->found = true;
	return 0;
}

int wk_store_msg_secret(struct wk_store *st, const struct wa_jid *chat, const char *id,
                        uint8_t out[WA_MSG_SECRET_LEN])
{
	struct secret_search f = { .out = out };
	const struct wk_store_msg_each each = { on_secret, &f };
	int rc = wk_store_msg_in(st, chat, id, &each);

	return rc == 0 && !f.found ? -ENOENT : rc;
}

int wk_store_msg_count(struct wk_store *st, uint64_t *n_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT count(*) FROM message", &s);

	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*n_out = (uint64_t)sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	return rc;
}
