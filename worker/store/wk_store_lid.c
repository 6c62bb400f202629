/* worker/store/wk_store_lid.c - LIDs and phone numbers */
#include "worker/store/wk_store_lid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/signal/wa_signal.h"

#define CACHE_N 16

/* Pairs asked for lately, by either side; the other side 0: there is none. key 0: empty. */
struct wk_store_lids {
	struct {
		int64_t key, other;
	} by_pn[CACHE_N], by_lid[CACHE_N];
};

void wk_store_lid_drop(struct wk_store *st)
{
	free(st->lids);
	st->lids = NULL;
	st->chat.known = false; /* it may be another one now */
}

/* A user as a number; 0: it is none that can be paired. */
static int64_t number(const char *user)
{
	uint64_t v;

	return user[0] == '0' || dec_decode(user, INT64_MAX, &v) < 0 ? 0 : (int64_t)v;
}

static int read_number(struct wk_store *st, const char *sql, int64_t key, int64_t *other_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, sql, &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, key));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*other_out = sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	if (rc == -ENOENT) {
		*other_out = 0;
		rc = 0;
	}
	return rc;
}

/* The other side of key, through the cache; 0: none. */
static int look_up(struct wk_store *st, bool by_pn, int64_t key, int64_t *other_out)
{
	size_t at = (size_t)(key % CACHE_N);
	int rc;

	if (st->lids == NULL)
		st->lids = calloc(1, sizeof(*st->lids));
	if (st->lids == NULL)
		return -ENOMEM;
	int64_t *k = by_pn ? &st->lids->by_pn[at].key : &st->lids->by_lid[at].key;
	int64_t *other = by_pn ? &st->lids->by_pn[at].other : &st->lids->by_lid[at].other;
	if (*k != key) {
		rc = read_number(st,
		                 by_pn ? "SELECT lid FROM lid WHERE pn = ?1"
		                       : "SELECT pn FROM lid WHERE lid = ?1",
		                 key, other_out);
		if (rc < 0)
			return rc;
		*k = key;
		*other = *other_out;
	}
	*other_out = *other;
	return 0;
}

static int user_of(struct wk_store *st, bool by_pn, const char *user, char out[WK_USER_CAP])
{
	int64_t key = number(user), other = 0;
	int rc = key == 0 ? -ENOENT : look_up(st, by_pn, key, &other);

	if (rc == 0 && other == 0)
		rc = -ENOENT;
	if (rc == 0)
		(void)snprintf(out, WK_USER_CAP, "%lld", (long long)other);
	return rc;
}

int wk_store_lid_of(struct wk_store *st, const char *pn, char lid_out[WK_USER_CAP])
{
	return user_of(st, true, pn, lid_out);
}

int wk_store_pn_of(struct wk_store *st, const char *lid, char pn_out[WK_USER_CAP])
{
	return user_of(st, false, lid, pn_out);
}

/* ---- moving to the LID -------------------------------------------------------------------------
 */

static int run_texts(struct wk_store *st, const char *sql, const char *a, const char *b)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, sql, &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, a, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 2, b, -1, SQLITE_STATIC));
	return wk_store_run(st, s, rc);
}

static int run_steps(struct wk_store *st, const char *const *steps, size_t n, const char *from,
                     const char *to)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = run_texts(st, steps[i], from, to);
	return rc;
}

/* Rows keep their ids, so what is sealed for them stays readable. */
static int move_signal(struct wk_store *st, const char *pn, const char *lid_name)
{
	static const char *const steps[] = {
		"UPDATE OR IGNORE signal_session SET name = ?2 WHERE name = ?1",
		"UPDATE OR IGNORE identity SET name = ?2 WHERE name = ?1",
		"UPDATE OR IGNORE sender_key SET name = ?2 WHERE name = ?1",
		"DELETE FROM signal_session WHERE name = ?1 AND ?2 <> ''",
		"DELETE FROM identity WHERE name = ?1 AND ?2 <> ''",
		"DELETE FROM sender_key WHERE name = ?1 AND ?2 <> ''",
	};

	return run_steps(st, steps, ARRAY_LEN(steps), pn, lid_name);
}

/* What is known of the person, or of the chat: the newer token, else what the LID has wins. */
static int move_known(struct wk_store *st, const char *from, const char *to)
{
	static const char *const steps[] = {
		("DELETE FROM token WHERE user = ?2"
		 " AND unix_s < (SELECT unix_s FROM token WHERE user = ?1)"),
		"UPDATE OR IGNORE token SET user = ?2 WHERE user = ?1",
		"UPDATE OR IGNORE history_chat SET chat = ?2 WHERE chat = ?1",
		"UPDATE OR IGNORE chat_mark SET jid = ?2 WHERE jid = ?1",
		"DELETE FROM token WHERE user = ?1 AND ?2 <> ''",
		"DELETE FROM history_chat WHERE chat = ?1 AND ?2 <> ''",
		"DELETE FROM chat_mark WHERE jid = ?1 AND ?2 <> ''",
	};

	return run_steps(st, steps, ARRAY_LEN(steps), from, to);
}

static int chat_id(struct wk_store *st, const char *jid, int64_t *id_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT id FROM chat WHERE jid = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*id_out = sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	return rc;
}

static int run_numbers(struct wk_store *st, const char *sql, int64_t a, int64_t b)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, sql, &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, a));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, b));
	return wk_store_run(st, s, rc);
}

static int move_chat(struct wk_store *st, const char *pn, const char *lid)
{
	char from[WA_JID_TEXT_CAP], to[WA_JID_TEXT_CAP];
	int64_t from_id, to_id;
	int rc;

	(void)snprintf(from, sizeof(from), "%s@s.whatsapp.net", pn);
	(void)snprintf(to, sizeof(to), "%s@lid", lid);
	rc = move_known(st, from, to);
	if (rc == 0)
		rc = chat_id(st, from, &from_id);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = chat_id(st, to, &to_id);
	if (rc == -ENOENT)
		return run_texts(st, "UPDATE chat SET jid = ?2 WHERE jid = ?1", from, to);
	if (rc == 0)
		rc =
		    run_numbers(st, "UPDATE message SET chat = ?2 WHERE chat = ?1", from_id, to_id);
	if (rc == 0) /* the row stays: keys of its messages are made with its id */
		rc = run_numbers(st, "UPDATE chat SET merged_into = ?2 WHERE id = ?1", from_id,
		                 to_id);
	return rc;
}

static int learn(struct wk_store *st, int64_t pn, int64_t lid)
{
	char pn_text[WK_USER_CAP], lid_text[WK_USER_CAP], name[WA_SIGNAL_NAME_MAX + 1];
	int rc = run_numbers(st, "DELETE FROM lid WHERE pn = ?1 OR lid = ?2", pn, lid);

	(void)snprintf(pn_text, sizeof(pn_text), "%lld", (long long)pn);
	(void)snprintf(lid_text, sizeof(lid_text), "%lld", (long long)lid);
	(void)snprintf(name, sizeof(name), "%s_1", lid_text);
	if (rc == 0)
		rc = run_numbers(st, "INSERT INTO lid(pn, lid) VALUES (?1, ?2)", pn, lid);
	if (rc == 0)
		rc = move_signal(st, pn_text, name);
	if (rc == 0)
		rc = move_chat(st, pn_text, lid_text);
	return rc;
}

int wk_store_lid_learn(struct wk_store *st, const char *pn, const char *lid, bool *new_out)
{
	int64_t pn_n = number(pn), lid_n = number(lid), known = 0;
	int rc = 0;

	if (new_out != NULL)
		*new_out = false;
	if (pn_n == 0 || lid_n == 0)
		return 0;
	rc = look_up(st, true, pn_n, &known);
	if (rc < 0 || known == lid_n)
		return rc;
	rc = wk_store_signal_settle(st); /* before rows move under them */
	if (rc == 0)
		rc = wk_store_begin(st);
	if (rc < 0)
		return rc;
	rc = wk_store_end(st, learn(st, pn_n, lid_n));
	wk_store_lid_drop(st);
	if (rc == 0 && new_out != NULL)
		*new_out = true;
	return rc;
}

/* ---- JIDs --------------------------------------------------------------------------------------
 */

static void set_jid(struct wa_jid *jid, const char *user, const char *server)
{
	(void)snprintf(jid->user, sizeof(jid->user), "%s", user);
	(void)snprintf(jid->server, sizeof(jid->server), "%s", server);
}

int wk_store_jid(struct wk_store *st, const struct wa_jid *jid, struct wa_jid *jid_out)
{
	char lid[WK_USER_CAP];
	int rc;

	*jid_out = *jid;
	jid_out->device = 0;
	if (strcmp(jid->server, "hosted.lid") == 0)
		(void)snprintf(jid_out->server, sizeof(jid_out->server), "lid");
	if (strcmp(jid->server, "hosted") == 0 || strcmp(jid->server, "c.us") == 0)
		(void)snprintf(jid_out->server, sizeof(jid_out->server), "%s", WA_SERVER_JID);
	if (strcmp(jid_out->server, WA_SERVER_JID) != 0)
		return 0;
	rc = wk_store_lid_of(st, jid_out->user, lid);
	if (rc == 0)
		set_jid(jid_out, lid, "lid");
	return rc == -ENOENT ? 0 : rc;
}

int wk_store_jid_alt(struct wk_store *st, const struct wa_jid *jid, struct wa_jid *alt_out)
{
	bool is_lid = strcmp(jid->server, "lid") == 0;
	char user[WK_USER_CAP];
	int rc = -ENOENT;

	if (is_lid || strcmp(jid->server, WA_SERVER_JID) == 0)
		rc = user_of(st, !is_lid, jid->user, user);
	if (rc == 0) {
		*alt_out = *jid;
		set_jid(alt_out, user, is_lid ? WA_SERVER_JID : "lid");
	}
	return rc;
}
