/* worker/store/wk_store_msg.c - stored messages in session.db */
#include "worker/store/wk_store_msg.h"

#include <errno.h>
#include <string.h>

#include "common/codec.h"
#include "common/db.h"
#include "common/err.h"
#include "common/rd.h"
#include "common/wr.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_priv.h"

/*
 * A message's key within its chat: 40 bits of its id, so that all of an id are found, then 23 of
 * its chat and sender, so that nobody can keep a message out by sending another under its id.
 * Keyed: they can't be aimed at. What is stored for one chat lies together: an index over the keys
 * of all of them would be touched in another place by each message of a history.
 */
#define WHO_BITS 23
#define WHO_MASK ((1LL << WHO_BITS) - 1)
#define ID_MASK ((1LL << 40) - 1)

#define BODY_FORMAT 1

/* ---- chats -------------------------------------------------------------------------------------
 */

struct chat {
	int64_t id;
	int64_t old_id; /* of the chat that was merged into it; 0: none */
};

static int find_chat(struct wk_store *st, const char *jid, struct chat *c_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT id, (SELECT o.id FROM chat o WHERE o.merged_into = c.id)"
	                       " FROM chat c WHERE jid = ?1",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*c_out = (struct chat){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1) };
	wk_store_done(st, s);
	return rc;
}

static int make_chat(struct wk_store *st, const char *jid, struct chat *c_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "INSERT INTO chat(jid) VALUES (?1)", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	rc = wk_store_run(st, s, rc);
	if (rc == 0)
		*c_out = (struct chat){ sqlite3_last_insert_rowid(st->db), 0 };
	return rc;
}

/* Messages of one chat often come in a row. */
static bool is_last_chat(const struct wk_store *st, const struct wa_jid *jid)
{
	return st->chat.known && strcmp(st->chat.asked.user, jid->user) == 0 &&
	       strcmp(st->chat.asked.server, jid->server) == 0;
}

static int chat_of(struct wk_store *st, const struct wa_jid *jid, bool make, struct chat *c_out)
{
	char text[WA_JID_TEXT_CAP];
	struct wa_jid known;
	int rc;

	if (is_last_chat(st, jid)) {
		*c_out = (struct chat){ st->chat.id, st->chat.old_id };
		return 0;
	}
	rc = wk_store_jid(st, jid, &known);
	if (rc < 0)
		return rc;
	(void)wa_jid_format(&known, text);
	rc = find_chat(st, text, c_out);
	if (rc == -ENOENT && make)
		rc = make_chat(st, text, c_out);
	st->chat.known = rc == 0;
	if (rc < 0)
		return rc;
	st->chat.asked = *jid;
	st->chat.id = c_out->id;
	st->chat.old_id = c_out->old_id;
	return 0;
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static int64_t id_part(const struct wk_store *st, const char *id)
{
	return ((int64_t)wk_store_hash(st, id, strlen(id)) & ID_MASK) << WHO_BITS;
}

/* Who wrote it, as far as the chat does not say: "" in a private one, "me". */
static int writer(struct wk_store *st, const struct wk_msg *m, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid sender;
	int rc;

	out[0] = '\0';
	if (m->flags & WK_MSG_FROM_ME) {
		memcpy(out, "me", 3);
		return 0;
	}
	if (strcmp(m->chat.server, "g.us") != 0 && strcmp(m->chat.server, "broadcast") != 0)
		return 0;
	rc = wk_store_jid(st, &m->sender, &sender);
	if (rc == 0)
		(void)wa_jid_format(&sender, out);
	return rc;
}

static int64_t key_of(const struct wk_store *st, const char *id, int64_t chat, const char *who)
{
	char text[8 + WK_MSG_ID_MAX + WA_JID_TEXT_CAP + 1];
	size_t id_len = strlen(id), who_len = strlen(who);

	memcpy(text, &chat, 8);
	memcpy(text + 8, id, id_len + 1);
	memcpy(text + 8 + id_len + 1, who, who_len);
	return id_part(st, id) |
	       ((int64_t)wk_store_hash(st, text, 8 + id_len + 1 + who_len) & WHO_MASK);
}

static bool id_fits(const char *id)
{
	return id != NULL && id[0] != '\0' && strlen(id) <= WK_MSG_ID_MAX;
}

/* keys[1]: under the chat that was merged into this one; 0: there is none. */
static int keys_of(struct wk_store *st, const struct wk_msg *m, bool make, struct chat *c,
                   int64_t keys[2])
{
	char who[WA_JID_TEXT_CAP];
	int rc = id_fits(m->id) ? writer(st, m, who) : WA_ELIMIT;

	if (rc == 0)
		rc = chat_of(st, &m->chat, make, c);
	if (rc < 0)
		return rc;
	keys[0] = key_of(st, m->id, c->id, who);
	keys[1] = c->old_id == 0 ? 0 : key_of(st, m->id, c->old_id, who);
	return 0;
}

int wk_store_msg_key(struct wk_store *st, const struct wk_msg *m, bool make, int64_t *key_out,
                     int64_t *chat_out)
{
	int64_t keys[2];
	struct chat c;
	int rc = keys_of(st, m, make, &c, keys);

	if (rc == 0) {
		*key_out = keys[0];
		*chat_out = c.id;
	}
	return rc;
}

/* ---- bodies ------------------------------------------------------------------------------------
 */

/* A format, five parts with their lengths. */
#define BODY_HEAD_MAX \
	(1 + 5 + WK_MSG_ID_MAX + WA_JID_TEXT_CAP + WK_MSG_NAME_MAX + 8 + WA_MSG_SECRET_LEN)

static int append_part(struct buf *b, const void *p, size_t n)
{
	int rc = buf_append_u8(b, (uint8_t)n);

	return rc < 0 ? rc : buf_append(b, p, n);
}

/* As much of a name as fits, whole characters. */
static size_t name_len(const char *name)
{
	size_t n = 0, c;

	if (name == NULL)
		return 0;
	while (name[n] != '\0') {
		c = utf8_char_len(name + n);
		c = c == 0 ? 1 : c;
		if (n + c > WK_MSG_NAME_MAX)
			break;
		n += c;
	}
	return n;
}

static int write_body(const struct wk_msg *m, struct buf *b)
{
	char sender[WA_JID_TEXT_CAP];
	size_t sender_len = wa_jid_format(&m->sender, sender);
	uint8_t order[8];
	struct wr w;
	int rc = buf_reserve(b, BODY_HEAD_MAX + m->message_len); /* once for all */

	if (rc == 0)
		rc = buf_append_u8(b, BODY_FORMAT);
	wr_init(&w, order, sizeof(order));
	wr_le64(&w, m->order);
	if (rc == 0)
		rc = append_part(b, m->id, strlen(m->id));
	if (rc == 0)
		rc = append_part(b, sender, sender_len);
	if (rc == 0)
		rc = append_part(b, m->push_name, name_len(m->push_name));
	if (rc == 0)
		rc = append_part(b, order, m->order == 0 ? 0 : sizeof(order));
	if (rc == 0)
		rc = append_part(b, m->secret, m->secret == NULL ? 0 : WA_MSG_SECRET_LEN);
	return rc < 0 ? rc : buf_append(b, m->message, m->message_len);
}

/* A text of at most 255 bytes, in memory of its own. */
struct text {
	char s[256];
};

static void read_text(struct rd *r, struct text *t)
{
	size_t n = rd_u8(r);
	const uint8_t *p = rd_bytes(r, n);

	if (p != NULL)
		memcpy(t->s, p, n);
	t->s[p == NULL ? 0 : n] = '\0';
}

static int read_body(const struct buf *b, struct text texts[2], struct wk_msg *m)
{
	struct text sender;
	const uint8_t *p;
	struct rd r;
	size_t n;

	rd_init(&r, b->p, b->len);
	if (rd_u8(&r) != BODY_FORMAT)
		return WA_ESTORE_CORRUPT;
	read_text(&r, &texts[0]);
	read_text(&r, &sender);
	read_text(&r, &texts[1]);
	n = rd_u8(&r);
	if (n == sizeof(m->order))
		m->order = rd_le64(&r);
	else
		(void)rd_bytes(&r, n);
	n = rd_u8(&r);
	p = rd_bytes(&r, n);
	m->secret = n == WA_MSG_SECRET_LEN ? p : NULL;
	m->message_len = r.left;
	m->message = rd_bytes(&r, r.left);
	m->id = texts[0].s;
	m->push_name = texts[1].s[0] == '\0' ? NULL : texts[1].s;
	if (r.err != 0 || wa_jid_parse(sender.s, strlen(sender.s), &m->sender) < 0)
		return WA_ESTORE_CORRUPT;
	return 0;
}

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
	int rc = write_body(m, &body);

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
	struct chat c = { 0, 0 };
	unsigned flags = 0;
	int64_t keys[2];
	int rc = keys_of(st, m, true, &c, keys);

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
	int rc = id_fits(m->id) ? 0 : WA_ELIMIT;

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
	struct chat c = { 0, 0 };
	unsigned flags = 0;
	int64_t keys[2];
	int rc = keys_of(st, m, false, &c, keys);

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
	struct chat c = { 0, 0 };
	int64_t keys[2];
	sqlite3_stmt *s;
	int rc = keys_of(st, m, false, &c, keys);

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
	struct text texts[2];
	struct buf body = { 0 };
	int rc = wk_store_read_sealed(st, s, 3, &place, &body);

	if (rc == 0 && (chat == NULL || wa_jid_parse(chat, strlen(chat), &m.chat) < 0))
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		rc = read_body(&body, texts, &m);
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
	int64_t from = id_part(st, id);
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "SELECT m.key, m.unix_s, m.flags, m.body, c.jid FROM chat c"
	                       " CROSS JOIN message m ON m.chat = c.id"
	                       " WHERE m.key BETWEEN ?1 AND ?2",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, from));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, from | WHO_MASK));
	return give_rows(st, s, rc, id, each, NULL);
}

int wk_store_msg_in(struct wk_store *st, const struct wa_jid *chat, const char *id,
                    const struct wk_store_msg_each *each)
{
	int64_t from = id_part(st, id);
	sqlite3_stmt *s;
	struct chat c;
	int rc = chat_of(st, chat, false, &c);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = wk_store_keep(st, COLUMNS " WHERE m.chat = ?1 AND m.key BETWEEN ?2 AND ?3", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, c.id));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, from));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, from | WHO_MASK));
	return give_rows(st, s, rc, id, each, NULL);
}

/* A chat's own messages only: flags 4 (ADDON) and 32 (PLACEHOLDER) are not. */
#define OWN " AND m.flags & 36 = 0"
_Static_assert((WK_MSG_ADDON | WK_MSG_PLACEHOLDER) == 36, "in OWN");

int wk_store_msg_list(struct wk_store *st, const struct wa_jid *chat, int64_t from_unix_s,
                      int64_t to_unix_s, size_t limit, const struct wk_store_msg_each *each)
{
	sqlite3_stmt *s;
	struct chat c;
	int rc = chat_of(st, chat, false, &c);

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
	struct chat c;
	int rc = chat_of(st, chat, false, &c);

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
