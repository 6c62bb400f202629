/* worker/store/wk_store_name.c - how people and groups are called */
#include "worker/store/wk_store_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/stanza/wa_source.h"

#define CACHE_N 64 /* the same few people write again and again */

const char wk_store_name_schema[] = "CREATE TABLE name ("
                                    "  id INTEGER PRIMARY KEY,"
                                    "  jid TEXT NOT NULL UNIQUE,"
                                    "  book BLOB," /* sealed, as own */
                                    "  own BLOB"
                                    ") STRICT;";

/* NULL: there is none. */
struct names {
	char *jid; /* NULL: nothing is cached here */
	char *of[2];
};

struct wk_store_names {
	struct names cache[CACHE_N];
};

static void clear(struct names *n)
{
	for (size_t i = 0; i < 2; i++) {
		if (n->of[i] != NULL)
			secret_wipe(n->of[i], strlen(n->of[i]));
		free(n->of[i]);
	}
	free(n->jid);
	*n = (struct names){ 0 };
}

void wk_store_name_drop(struct wk_store *st)
{
	for (size_t i = 0; st->names != NULL && i < CACHE_N; i++)
		clear(&st->names->cache[i]);
	free(st->names);
	st->names = NULL;
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static struct sealed_place place_of(const struct wk_store *st, int64_t row, enum wk_name_kind kind)
{
	return (struct sealed_place){ .owner = st->instance_id,
		                      .table = "name",
		                      .column = kind == WK_NAME_BOOK ? "book" : "own",
		                      .row = row };
}

/* One name of the row that s stands on, whose id is in column 0. */
static int read_name(struct wk_store *st, sqlite3_stmt *s, enum wk_name_kind kind, char **out)
{
	const struct sealed_place place = place_of(st, sqlite3_column_int64(s, 0), kind);
	struct buf text = { 0 };
	int rc;

	if (sqlite3_column_type(s, 1 + kind) == SQLITE_NULL)
		return 0;
	rc = wk_store_read_sealed(st, s, 1 + kind, &place, &text);
	if (rc == 0)
		rc = buf_append_u8(&text, 0);
	if (rc == 0) {
		*out = strdup((const char *)text.p);
		rc = *out == NULL ? -ENOMEM : 0;
	}
	buf_wipe(&text);
	return rc;
}

static int read_row(struct wk_store *st, const char *jid, struct names *n)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "SELECT id, book, own FROM name WHERE jid = ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		rc = read_name(st, s, WK_NAME_BOOK, &n->of[WK_NAME_BOOK]);
	if (rc == 0)
		rc = read_name(st, s, WK_NAME_OWN, &n->of[WK_NAME_OWN]);
	wk_store_done(st, s);
	return rc == -ENOENT ? 0 : rc;
}

/* What is known of a JID, through the cache. */
static int look_up(struct wk_store *st, const char *jid, struct names **out)
{
	struct names *n;
	int rc;

	if (st->names == NULL)
		st->names = calloc(1, sizeof(*st->names));
	if (st->names == NULL)
		return -ENOMEM;
	n = &st->names->cache[wk_store_hash(st, jid, strlen(jid)) % CACHE_N];
	*out = n;
	if (n->jid != NULL && strcmp(n->jid, jid) == 0)
		return 0;
	clear(n);
	rc = read_row(st, jid, n);
	if (rc == 0) {
		n->jid = strdup(jid);
		rc = n->jid == NULL ? -ENOMEM : 0;
	}
	if (rc < 0)
		clear(n);
	return rc;
}

/* The id of the row of a JID, which is made when it is missing. */
static int row_of(struct wk_store *st, const char *jid, int64_t *id_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "INSERT INTO name(jid) VALUES (?1)"
	                       " ON CONFLICT(jid) DO UPDATE SET jid = jid RETURNING id",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		*id_out = sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	return rc == -ENOENT ? WA_ESTORE_CORRUPT : rc;
}

static int write_name(struct wk_store *st, const char *jid, enum wk_name_kind kind,
                      const char *name)
{
	struct sealed_place place;
	sqlite3_stmt *s = NULL;
	int64_t id = 0;
	int rc = row_of(st, jid, &id);

	if (rc == 0)
		rc = wk_store_keep(st,
		                   kind == WK_NAME_BOOK ? "UPDATE name SET book = ?2 WHERE id = ?1"
		                                        : "UPDATE name SET own = ?2 WHERE id = ?1",
		                   &s);
	place = place_of(st, id, kind);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, id));
	if (rc == 0 && name != NULL) /* unbound: NULL */
		rc = wk_store_bind_sealed(st, s, 2, &place, name, strlen(name));
	return wk_store_run(st, s, rc);
}

/* ---- the door -----------------------------------------------------------------------------------
 */

static void text_of(const struct wa_jid *jid, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid user = *jid;

	wa_jid_to_user(&user);
	(void)wa_jid_format(&user, out);
}

int wk_store_name(struct wk_store *st, const struct wa_jid *jid, const struct wa_jid *alt,
                  const char **name_out)
{
	static const enum wk_name_kind order[] = { WK_NAME_BOOK, WK_NAME_OWN };
	const struct wa_jid *const both[] = { jid, alt };
	char text[WA_JID_TEXT_CAP];
	struct names *n;
	int rc;

	for (size_t i = 0; i < 2 * ARRAY_LEN(order); i++) {
		const struct wa_jid *who = both[i % 2];

		if (who == NULL || who->server[0] == '\0')
			continue;
		text_of(who, text);
		rc = look_up(st, text, &n);
		if (rc < 0)
			return rc;
		*name_out = n->of[order[i / 2]];
		if (*name_out != NULL)
			return 0;
	}
	return -ENOENT;
}

int wk_store_name_learn(struct wk_store *st, const struct wa_jid *jid, enum wk_name_kind kind,
                        const char *name)
{
	char text[WA_JID_TEXT_CAP], clean[WK_STORE_NAME_CAP];
	const char *wanted = NULL, *known;
	struct names *n;
	int rc;

	if (name != NULL && name[0] != '\0') {
		wk_creds_set_text(clean, sizeof(clean), name);
		wanted = clean;
	}
	text_of(jid, text);
	rc = look_up(st, text, &n);
	if (rc < 0)
		return rc;
	known = n->of[kind];
	if (known == wanted || (known != NULL && wanted != NULL && strcmp(known, wanted) == 0))
		return 0;
	clear(n);
	rc = wk_store_begin(st);
	return rc < 0 ? rc : wk_store_end(st, write_name(st, text, kind, wanted));
}
