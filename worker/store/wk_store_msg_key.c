/* worker/store/wk_store_msg_key.c - which row a message is: its chat, and its key in that */
#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg_priv.h"
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

/* ---- chats -------------------------------------------------------------------------------------
 */

static int find_chat(struct wk_store *st, const char *jid, struct wk_msg_chat *c_out)
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
		*c_out =
		    (struct wk_msg_chat){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1) };
	wk_store_done(st, s);
	return rc;
}

static int make_chat(struct wk_store *st, const char *jid, struct wk_msg_chat *c_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "INSERT INTO chat(jid) VALUES (?1)", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	rc = wk_store_run(st, s, rc);
	if (rc == 0)
		*c_out = (struct wk_msg_chat){ sqlite3_last_insert_rowid(st->db), 0 };
	return rc;
}

/* Messages of one chat often come in a row. */
static bool is_last_chat(const struct wk_store *st, const struct wa_jid *jid)
{
	return st->chat.known && strcmp(st->chat.asked.user, jid->user) == 0 &&
	       strcmp(st->chat.asked.server, jid->server) == 0;
}

int wk_msg_chat_of(struct wk_store *st, const struct wa_jid *jid, bool make,
                   struct wk_msg_chat *c_out)
{
	char text[WA_JID_TEXT_CAP];
	struct wa_jid known;
	int rc;

	if (is_last_chat(st, jid)) {
		*c_out = (struct wk_msg_chat){ st->chat.id, st->chat.old_id };
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

bool wk_msg_id_fits(const char *id)
{
	return id != NULL && id[0] != '\0' && strlen(id) <= WK_MSG_ID_MAX;
}

int wk_msg_keys_of(struct wk_store *st, const struct wk_msg *m, bool make, struct wk_msg_chat *c,
                   int64_t keys[2])
{
	char who[WA_JID_TEXT_CAP];
	int rc = wk_msg_id_fits(m->id) ? writer(st, m, who) : WA_ELIMIT;

	if (rc == 0)
		rc = wk_msg_chat_of(st, &m->chat, make, c);
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
	struct wk_msg_chat c;
	int rc = wk_msg_keys_of(st, m, make, &c, keys);

	if (rc == 0) {
		*key_out = keys[0];
		*chat_out = c.id;
	}
	return rc;
}

void wk_msg_id_range(const struct wk_store *st, const char *id, int64_t *from_out, int64_t *to_out)
{
	*from_out = id_part(st, id);
	*to_out = *from_out | WHO_MASK;
}
