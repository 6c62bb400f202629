/* worker/store/wk_store_label.c - labels, and what is marked of chats, in session.db */
#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_appstate.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_priv.h"

#define LABEL_MAX 256 /* bytes of a label's id */

static struct sealed_place label_place(const struct wk_store *st, int64_t row)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "label", .column = "name", .row = row
	};
}

static int label_write(struct wk_store *st, const char *label, const char *name)
{
	struct sealed_place place;
	sqlite3_stmt *s;
	int64_t row = 0;
	int rc = wk_store_keep(st,
	                       "INSERT INTO label(label) VALUES (?1)"
	                       " ON CONFLICT(label) DO UPDATE SET label = label RETURNING id",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, label, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0)
		row = sqlite3_column_int64(s, 0);
	wk_store_done(st, s);
	if (rc < 0)
		return rc == -ENOENT ? WA_ESTORE_CORRUPT : rc;
	place = label_place(st, row);
	rc = wk_store_keep(st, "UPDATE label SET name = ?2 WHERE id = ?1", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, row));
	if (rc == 0 && name != NULL)
		rc = wk_store_bind_sealed(st, s, 2, &place, name, strlen(name));
	return wk_store_run(st, s, rc);
}

int wk_store_label_put(struct wk_store *st, const char *label, const char *name)
{
	int rc;

	if (strlen(label) > LABEL_MAX)
		return 0;
	rc = wk_store_begin(st);
	return rc < 0 ? rc : wk_store_end(st, label_write(st, label, name));
}

int wk_store_label(struct wk_store *st, const char *label, struct buf *name_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(
	    st, "SELECT id, name FROM label WHERE label = ?1 AND name IS NOT NULL", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, label, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = wk_store_row(s);
	if (rc == 0) {
		const struct sealed_place place = label_place(st, sqlite3_column_int64(s, 0));

		rc = wk_store_read_sealed(st, s, 1, &place, name_out);
	}
	wk_store_done(st, s);
	return rc;
}

static int chat_text(struct wk_store *st, const struct wa_jid *chat, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid known;
	int rc = wk_store_jid(st, chat, &known);

	if (rc == 0)
		(void)wa_jid_format(&known, out);
	return rc;
}

int wk_store_chat_mark(struct wk_store *st, const struct wa_jid *chat, enum wk_chat_mark mark,
                       int64_t v)
{
	char jid[WA_JID_TEXT_CAP];
	sqlite3_stmt *s = NULL;
	int rc = chat_text(st, chat, jid);

	if (rc < 0)
		return rc;
	rc = wk_store_keep(st,
	                   "INSERT INTO chat_mark(jid, mark, v) VALUES (?1, ?2, ?3)"
	                   " ON CONFLICT(jid, mark) DO UPDATE SET v = ?3",
	                   &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 2, mark));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 3, v));
	return wk_store_change(st, s, rc);
}

int wk_store_chat_marks(struct wk_store *st, const struct wa_jid *chat, int64_t out[WK_CHAT_MARK_N])
{
	char jid[WA_JID_TEXT_CAP];
	sqlite3_stmt *s = NULL;
	int rc = chat_text(st, chat, jid);

	memset(out, 0, WK_CHAT_MARK_N * sizeof(out[0]));
	if (rc == 0)
		rc = wk_store_keep(st, "SELECT mark, v FROM chat_mark WHERE jid = ?1", &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_text(s, 1, jid, -1, SQLITE_STATIC));
	while (rc == 0 && (rc = wk_store_row(s)) == 0) {
		int mark = sqlite3_column_int(s, 0);

		if (mark >= 0 && mark < WK_CHAT_MARK_N)
			out[mark] = sqlite3_column_int64(s, 1);
	}
	wk_store_done(st, s);
	return rc == -ENOENT ? 0 : rc;
}
