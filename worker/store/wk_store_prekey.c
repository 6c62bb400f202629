/* worker/store/wk_store_prekey.c - one-time pre-keys */
#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/stanza/wa_prekey.h"

#define GIVEN_KEPT 1000

/* How many waiting pre-keys there are; the first n of them go to out. */
static int read_waiting(struct wk_store *st, size_t n, struct wk_prekey *out, size_t *found_out)
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(
	    st, "SELECT id, pub FROM prekey WHERE uploaded = 0 ORDER BY seq LIMIT ?1", &s);
	size_t found = 0;
	int step = SQLITE_DONE;

	if (rc < 0)
		return rc;
	rc = db_err(sqlite3_bind_int64(s, 1, (int64_t)n));
	while (rc == 0 && found < n && (step = sqlite3_step(s)) == SQLITE_ROW) {
		if (sqlite3_column_bytes(s, 1) != WA_KEY_LEN) {
			rc = WA_ESTORE_CORRUPT;
			break;
		}
		out[found].id = (uint32_t)sqlite3_column_int64(s, 0);
		memcpy(out[found].pub, sqlite3_column_blob(s, 1), WA_KEY_LEN);
		found++;
	}
	if (rc == 0)
		rc = db_err(step);
	sqlite3_finalize(s);
	*found_out = found;
	return rc;
}

static int read_number(struct wk_store *st, const char *sql, int64_t *out)
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(st, sql, &s);
	int step;

	if (rc < 0)
		return rc;
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	else
		rc = step == SQLITE_DONE ? WA_ESTORE_CORRUPT : db_err(step);
	sqlite3_finalize(s);
	return rc;
}

/* Is an id still in use? 1, 0 or a negative code. */
static int is_taken(sqlite3_stmt *look, uint32_t id)
{
	int step;

	(void)sqlite3_bind_int64(look, 1, id);
	step = sqlite3_step(look);
	(void)sqlite3_reset(look);
	if (step == SQLITE_ROW)
		return 1;
	return step == SQLITE_DONE ? 0 : db_err(step);
}

/* The next id that no pre-key of ours has; ids wrap to 1 behind the highest. */
static int next_id(sqlite3_stmt *look, int64_t *counter, uint32_t *id_out)
{
	for (uint32_t tries = 0; tries < WA_PREKEY_ID_MAX; tries++) {
		uint32_t id;
		int rc;

		if (*counter < 1 || *counter > WA_PREKEY_ID_MAX)
			*counter = 1;
		id = (uint32_t)(*counter)++;
		rc = is_taken(look, id);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			*id_out = id;
			return 0;
		}
	}
	return WA_ESTORAGE;
}

static int insert(struct wk_store *st, sqlite3_stmt *s, uint32_t id, int64_t seq,
                  struct wk_prekey *out)
{
	const struct sealed_place place = {
		.owner = st->instance_id, .table = "prekey", .column = "priv", .row = id
	};
	struct wa_keypair kp;
	int rc = wa_keypair_new(&kp);

	if (rc == 0)
		rc = wk_store_bind_key(st, s, 3, &place, kp.priv);
	if (rc == 0) {
		(void)sqlite3_bind_int64(s, 1, id);
		(void)sqlite3_bind_int64(s, 2, seq);
		(void)sqlite3_bind_blob(s, 4, kp.pub, WA_KEY_LEN, SQLITE_TRANSIENT);
		rc = db_err(sqlite3_step(s));
		(void)sqlite3_reset(s);
	}
	if (rc == 0) {
		out->id = id;
		memcpy(out->pub, kp.pub, WA_KEY_LEN);
	}
	wa_keypair_wipe(&kp);
	return rc;
}

static int save_counter(struct wk_store *st, int64_t counter)
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(st, "UPDATE link SET next_prekey_id = ?1 WHERE id = 1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, counter));
	return wk_store_finish(s, rc);
}

/* uploaded: 0: the server is to get them; 2: handed out by ourselves. */
static int make(struct wk_store *st, size_t n, int uploaded, struct wk_prekey *out)
{
	sqlite3_stmt *add = NULL, *look = NULL;
	int64_t counter = 0, seq = 0;
	uint32_t id = 0;
	int rc = read_number(st, "SELECT next_prekey_id FROM link WHERE id = 1", &counter);

	if (rc == 0)
		rc = read_number(st, "SELECT ifnull(max(seq), 0) FROM prekey", &seq);
	if (rc == 0)
		rc = wk_store_prepare(st, "SELECT 1 FROM prekey WHERE id = ?1", &look);
	if (rc == 0)
		rc = wk_store_prepare(
		    st,
		    "INSERT INTO prekey(id, seq, priv, pub, uploaded) VALUES (?1, ?2, ?3, ?4, ?5)",
		    &add);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(add, 5, uploaded));
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = next_id(look, &counter, &id);
		if (rc == 0)
			rc = insert(st, add, id, ++seq, &out[i]);
	}
	sqlite3_finalize(look);
	sqlite3_finalize(add);
	return rc == 0 ? save_counter(st, counter) : rc;
}

int wk_store_prekeys(struct wk_store *st, size_t n, struct wk_prekey *out)
{
	size_t found = 0;
	int rc = read_waiting(st, n, out, &found);

	if (rc < 0 || found == n)
		return rc;
	rc = wk_store_begin(st);
	if (rc < 0)
		return rc;
	return wk_store_end(st, make(st, n - found, 0, out + found));
}

static int forget_given(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_keep(st,
	                       "DELETE FROM prekey WHERE uploaded = 2"
	                       " AND seq < (SELECT max(seq) FROM prekey) - ?1",
	                       &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, GIVEN_KEPT));
	return wk_store_run(st, s, rc);
}

int wk_store_prekey_give(struct wk_store *st, struct wk_prekey *out)
{
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = make(st, 1, 2, out);
	if (rc == 0 && out->id % 64 == 0)
		rc = forget_given(st);
	return wk_store_end(st, rc);
}

int wk_store_prekeys_uploaded(struct wk_store *st, const struct wk_prekey *keys, size_t n)
{
	sqlite3_stmt *s;
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = wk_store_prepare(st, "UPDATE prekey SET uploaded = 1 WHERE id = ?1", &s);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		(void)sqlite3_bind_int64(s, 1, keys[i].id);
		rc = db_err(sqlite3_step(s));
		(void)sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	return wk_store_end(st, rc);
}

int wk_store_prekey_pub(struct wk_store *st, uint32_t id, uint8_t pub[WA_KEY_LEN])
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(st, "SELECT pub FROM prekey WHERE id = ?1", &s);
	int step;

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, id);
	step = sqlite3_step(s);
	if (step == SQLITE_DONE)
		rc = -ENOENT;
	else if (step != SQLITE_ROW)
		rc = db_err(step);
	else if (sqlite3_column_bytes(s, 0) != WA_KEY_LEN)
		rc = WA_ESTORE_CORRUPT;
	else
		memcpy(pub, sqlite3_column_blob(s, 0), WA_KEY_LEN);
	sqlite3_finalize(s);
	return rc;
}
