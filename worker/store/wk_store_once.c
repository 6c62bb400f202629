/* worker/store/wk_store_once.c - stanzas that were acted on */
#include "worker/store/wk_store_once.h"

#include <errno.h>
#include <string.h>

#include "common/buf.h"
#include "common/db.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/node/wa_node.h"

#define SWEEP_EACH 256 /* stanzas between two looks for those that can go */

const char wk_store_once_schema[] = "CREATE TABLE once ("
                                    "  seq INTEGER PRIMARY KEY,"
                                    "  hash INTEGER NOT NULL UNIQUE"
                                    ") STRICT;";

/* Each with its end, so that none runs into the next. */
static int append(struct buf *b, const char *text)
{
	return buf_append(b, text == NULL ? "" : text, text == NULL ? 1 : strlen(text) + 1);
}

static int hash_of(const struct wk_store *st, const struct wa_node *n, int64_t *out)
{
	static const char *const names[] = {
		"id", "from", "participant", "recipient", "type", "t"
	};
	struct buf b = { 0 };
	int rc = append(&b, n->tag);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(names); i++)
		rc = append(&b, wa_node_attr(n, names[i]));
	if (rc == 0)
		*out = (int64_t)wk_store_hash(st, b.p, b.len);
	buf_free(&b);
	return rc;
}

static int sweep(struct wk_store *st, int64_t newest)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st, "DELETE FROM once WHERE seq <= ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, newest - WK_ONCE_KEPT));
	return wk_store_run(st, s, rc);
}

/* What is oldest leaves, and what is newest has the largest number: none is used again. */
int wk_store_once(struct wk_store *st, const struct wa_node *stanza)
{
	int64_t hash, seq;
	sqlite3_stmt *s = NULL;
	int rc = hash_of(st, stanza, &hash);

	if (rc == 0)
		rc = wk_store_keep(st, "INSERT INTO once(hash) VALUES (?1) ON CONFLICT DO NOTHING",
		                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, hash));
	rc = wk_store_run(st, s, rc);
	if (rc < 0)
		return rc;
	if (sqlite3_changes(st->db) == 0)
		return 0;
	seq = sqlite3_last_insert_rowid(st->db);
	if (seq % SWEEP_EACH == 0)
		rc = sweep(st, seq);
	return rc < 0 ? rc : 1;
}
