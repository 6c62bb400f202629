/* worker/store/wk_store_link.c - the saved link: one row */
#include <errno.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "worker/store/wk_store_priv.h"

#define ROW 1 /* the only one */

static const char load_sql[] =
    "SELECT jid, lid, noise_key, identity_key, signed_prekey, signed_prekey_id, signed_prekey_sig,"
    " registration_id, account, account_key, platform, business_name, push_name, routing,"
    " server_static, server_static_until, logins, history_days, confirmed, linked_unix_s,"
    " not_before_unix_s, not_before_rc, replaced_n, replaced_day_unix_s, signed_prekey_unix_s,"
    " signed_prekey_waits, generation FROM link"
    " WHERE id = 1";

/* The order of the parameters is that of load_sql. */
static const char link_sql[] =
    "INSERT INTO link(jid, lid, noise_key, identity_key, signed_prekey, signed_prekey_id,"
    " signed_prekey_sig, registration_id, account, account_key, platform, business_name, push_name,"
    " routing, server_static, server_static_until, logins, history_days, confirmed, linked_unix_s,"
    " not_before_unix_s, not_before_rc, replaced_n, replaced_day_unix_s,"
    " signed_prekey_unix_s, signed_prekey_waits, id, next_prekey_id)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,"
    " ?20, ?21, ?22, ?23, ?24, ?25, ?26, 1, 1)";

static const char update_sql[] =
    "UPDATE link SET jid = ?1, lid = ?2, platform = ?11, business_name = ?12, push_name = ?13,"
    " routing = ?14, server_static = ?15, server_static_until = ?16, logins = ?17,"
    " history_days = ?18, confirmed = ?19, linked_unix_s = ?20, not_before_unix_s = ?21,"
    " not_before_rc = ?22, replaced_n = ?23, replaced_day_unix_s = ?24,"
    " signed_prekey_unix_s = ?25, signed_prekey_waits = ?26 WHERE id = 1";

static const char signed_sql[] =
    "UPDATE link SET signed_prekey = ?5, signed_prekey_id = ?6, signed_prekey_sig = ?7,"
    " signed_prekey_unix_s = ?25, signed_prekey_waits = ?26 WHERE id = 1";

enum column {
	C_JID,
	C_LID,
	C_NOISE,
	C_IDENTITY,
	C_SIGNED_PREKEY,
	C_SIGNED_PREKEY_ID,
	C_SIGNED_PREKEY_SIG,
	C_REGISTRATION_ID,
	C_ACCOUNT,
	C_ACCOUNT_KEY,
	C_PLATFORM,
	C_BUSINESS_NAME,
	C_PUSH_NAME,
	C_ROUTING,
	C_SERVER_STATIC,
	C_SERVER_STATIC_UNTIL,
	C_LOGINS,
	C_HISTORY_DAYS,
	C_CONFIRMED,
	C_LINKED,
	C_NOT_BEFORE,
	C_NOT_BEFORE_RC,
	C_REPLACED_N,
	C_REPLACED_DAY,
	C_SIGNED_PREKEY_AT,
	C_SIGNED_PREKEY_WAITS,
	C_GENERATION, /* in load_sql only */
};
#define PARAM(column) ((int)(column) + 1)

static struct sealed_place place_of(const struct wk_store *st, const char *column)
{
	return (struct sealed_place){
		.owner = st->instance_id, .table = "link", .column = column, .row = ROW
	};
}

/* ---- reading ------------------------------------------------------------------------------- */

/* len_out NULL: exactly cap bytes. */
static int read_blob(sqlite3_stmt *s, int column, void *out, size_t cap, uint32_t *len_out)
{
	const void *data = sqlite3_column_blob(s, column);
	size_t len = (size_t)sqlite3_column_bytes(s, column);

	if (len > cap || (len_out == NULL && len != cap))
		return WA_ESTORE_CORRUPT;
	if (len > 0)
		memcpy(out, data, len);
	if (len_out != NULL)
		*len_out = (uint32_t)len;
	return 0;
}

static int read_u32(sqlite3_stmt *s, int column, uint32_t *out)
{
	int64_t v = sqlite3_column_int64(s, column);

	if (v < 0 || v > UINT32_MAX)
		return WA_ESTORE_CORRUPT;
	*out = (uint32_t)v;
	return 0;
}

static int read_texts(sqlite3_stmt *s, struct wk_creds *c)
{
	const struct db_text_to texts[] = {
		{ C_JID, c->jid, sizeof(c->jid) },
		{ C_LID, c->lid, sizeof(c->lid) },
		{ C_PLATFORM, c->platform, sizeof(c->platform) },
		{ C_BUSINESS_NAME, c->business_name, sizeof(c->business_name) },
		{ C_PUSH_NAME, c->push_name, sizeof(c->push_name) },
	};

	return db_texts(s, texts, ARRAY_LEN(texts));
}

static int read_keys(struct wk_store *st, sqlite3_stmt *s, struct wa_device *d)
{
	const struct sealed_place noise = place_of(st, "noise_key");
	const struct sealed_place identity = place_of(st, "identity_key");
	const struct sealed_place prekey = place_of(st, "signed_prekey");
	int rc = wk_store_read_key(st, s, C_NOISE, &noise, &d->noise);

	if (rc == 0)
		rc = wk_store_read_key(st, s, C_IDENTITY, &identity, &d->identity);
	if (rc == 0)
		rc = wk_store_read_key(st, s, C_SIGNED_PREKEY, &prekey, &d->signed_prekey);
	if (rc == 0)
		rc = read_u32(s, C_SIGNED_PREKEY_ID, &d->signed_prekey_id);
	if (rc == 0)
		rc = read_u32(s, C_REGISTRATION_ID, &d->registration_id);
	if (rc == 0)
		rc = read_blob(s, C_SIGNED_PREKEY_SIG, d->signed_prekey_sig,
		               sizeof(d->signed_prekey_sig), NULL);
	return rc;
}

static int read_rest(sqlite3_stmt *s, struct wk_creds *c)
{
	int rc = read_blob(s, C_ACCOUNT_KEY, c->account_key, sizeof(c->account_key), NULL);

	if (rc == 0)
		rc = buf_append(&c->account, sqlite3_column_blob(s, C_ACCOUNT),
		                (size_t)sqlite3_column_bytes(s, C_ACCOUNT));
	if (rc == 0)
		rc = read_blob(s, C_ROUTING, c->routing, sizeof(c->routing), &c->routing_len);
	if (rc == 0)
		rc =
		    read_blob(s, C_SERVER_STATIC, c->server_static, sizeof(c->server_static), NULL);
	if (rc == 0)
		rc = read_u32(s, C_LOGINS, &c->logins);
	if (rc == 0)
		rc = read_u32(s, C_HISTORY_DAYS, &c->history_days);
	if (rc == 0)
		rc = read_u32(s, C_REPLACED_N, &c->replaced_n);
	c->server_static_until = sqlite3_column_int64(s, C_SERVER_STATIC_UNTIL);
	c->confirmed = sqlite3_column_int(s, C_CONFIRMED) != 0;
	c->linked_unix_s = sqlite3_column_int64(s, C_LINKED);
	c->not_before_unix_s = sqlite3_column_int64(s, C_NOT_BEFORE);
	c->not_before_rc = sqlite3_column_int(s, C_NOT_BEFORE_RC);
	c->replaced_day_unix_s = sqlite3_column_int64(s, C_REPLACED_DAY);
	c->signed_prekey_unix_s = sqlite3_column_int64(s, C_SIGNED_PREKEY_AT);
	c->signed_prekey_waits = sqlite3_column_int(s, C_SIGNED_PREKEY_WAITS) != 0;
	return rc;
}

static int read_generation(struct wk_store *st, sqlite3_stmt *s)
{
	int64_t v = sqlite3_column_int64(s, C_GENERATION);

	if (v < 1)
		return WA_ESTORE_CORRUPT;
	st->generation = (uint64_t)v;
	return 0;
}

int wk_store_load(struct wk_store *st, struct wk_creds *c)
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(st, load_sql, &s);
	int step;

	memset(c, 0, sizeof(*c));
	if (rc < 0)
		return rc;
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		rc = read_texts(s, c);
		if (rc == 0)
			rc = read_keys(st, s, &c->device);
		if (rc == 0)
			rc = read_rest(s, c);
		if (rc == 0)
			rc = read_generation(st, s);
	} else {
		rc = step == SQLITE_DONE ? -ENOENT : db_err(step);
	}
	sqlite3_finalize(s);
	if (rc < 0)
		wk_creds_clear(c);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------------- */

static int bind_text(sqlite3_stmt *s, enum column c, const char *text)
{
	return db_err(sqlite3_bind_text(s, PARAM(c), text, -1, SQLITE_STATIC));
}

static int bind_blob(sqlite3_stmt *s, enum column c, const void *data, size_t len)
{
	return db_err(sqlite3_bind_blob(s, PARAM(c), len > 0 ? data : "", (int)len, SQLITE_STATIC));
}

static int bind_int(sqlite3_stmt *s, enum column c, int64_t v)
{
	return db_err(sqlite3_bind_int64(s, PARAM(c), v));
}

/* What update_sql takes. */
static int bind_changing(sqlite3_stmt *s, const struct wk_creds *c)
{
	const struct {
		enum column column;
		int64_t v;
	} numbers[] = {
		{ C_SERVER_STATIC_UNTIL, c->server_static_until },
		{ C_LOGINS, c->logins },
		{ C_HISTORY_DAYS, c->history_days },
		{ C_CONFIRMED, c->confirmed },
		{ C_LINKED, c->linked_unix_s },
		{ C_NOT_BEFORE, c->not_before_unix_s },
		{ C_NOT_BEFORE_RC, c->not_before_rc },
		{ C_REPLACED_N, c->replaced_n },
		{ C_REPLACED_DAY, c->replaced_day_unix_s },
		{ C_SIGNED_PREKEY_AT, c->signed_prekey_unix_s },
		{ C_SIGNED_PREKEY_WAITS, c->signed_prekey_waits },
	};
	const struct {
		enum column column;
		const char *text;
	} texts[] = {
		{ C_JID, c->jid },
		{ C_LID, c->lid },
		{ C_PLATFORM, c->platform },
		{ C_BUSINESS_NAME, c->business_name },
		{ C_PUSH_NAME, c->push_name },
	};
	int rc = bind_blob(s, C_ROUTING, c->routing, c->routing_len);

	if (rc == 0)
		rc = bind_blob(s, C_SERVER_STATIC, c->server_static, sizeof(c->server_static));
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(numbers); i++)
		rc = bind_int(s, numbers[i].column, numbers[i].v);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(texts); i++)
		rc = bind_text(s, texts[i].column, texts[i].text);
	return rc;
}

static int bind_keys(struct wk_store *st, sqlite3_stmt *s, const struct wk_creds *c)
{
	const struct sealed_place noise = place_of(st, "noise_key");
	const struct sealed_place identity = place_of(st, "identity_key");
	const struct sealed_place prekey = place_of(st, "signed_prekey");
	const struct wa_device *d = &c->device;
	int rc = wk_store_bind_key(st, s, PARAM(C_NOISE), &noise, d->noise.priv);

	if (rc == 0)
		rc = wk_store_bind_key(st, s, PARAM(C_IDENTITY), &identity, d->identity.priv);
	if (rc == 0)
		rc = wk_store_bind_key(st, s, PARAM(C_SIGNED_PREKEY), &prekey,
		                       d->signed_prekey.priv);
	if (rc == 0)
		rc = bind_int(s, C_SIGNED_PREKEY_ID, d->signed_prekey_id);
	if (rc == 0)
		rc = bind_int(s, C_REGISTRATION_ID, d->registration_id);
	if (rc == 0)
		rc = bind_blob(s, C_SIGNED_PREKEY_SIG, d->signed_prekey_sig,
		               sizeof(d->signed_prekey_sig));
	if (rc == 0)
		rc = bind_blob(s, C_ACCOUNT, c->account.p, c->account.len);
	if (rc == 0)
		rc = bind_blob(s, C_ACCOUNT_KEY, c->account_key, sizeof(c->account_key));
	return rc;
}

int wk_store_link(struct wk_store *st, const struct wk_creds *c)
{
	sqlite3_stmt *s = NULL;
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = db_exec(st->db, "DELETE FROM link; DELETE FROM prekey;");
	if (rc == 0)
		rc = wk_store_prepare(st, link_sql, &s);
	if (rc == 0)
		rc = bind_keys(st, s, c);
	if (rc == 0)
		rc = bind_changing(s, c);
	rc = wk_store_finish(s, rc);
	return wk_store_end(st, rc);
}

int wk_store_update(struct wk_store *st, const struct wk_creds *c)
{
	sqlite3_stmt *s = NULL;
	int rc = wk_store_begin(st);

	if (rc < 0)
		return rc;
	rc = wk_store_prepare(st, update_sql, &s);
	if (rc == 0)
		rc = bind_changing(s, c);
	rc = wk_store_finish(s, rc);
	return wk_store_end(st, rc);
}

/* ---- another signed pre-key ---------------------------------------------------------------- */

static int keep_former(struct wk_store *st, const struct wa_device *d, int64_t now_unix_s)
{
	const struct sealed_place place = { .owner = st->instance_id,
		                            .table = "signed_prekey",
		                            .column = "priv",
		                            .row = d->signed_prekey_id };
	sqlite3_stmt *s;
	int rc = wk_store_prepare(st, "DELETE FROM signed_prekey WHERE until_unix_s < ?1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, now_unix_s));
	rc = wk_store_finish(s, rc);
	if (rc < 0)
		return rc;
	rc = wk_store_prepare(st,
	                      "INSERT OR REPLACE INTO signed_prekey(id, priv, sig, until_unix_s)"
	                      " VALUES (?1, ?2, ?3, ?4)",
	                      &s);
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, d->signed_prekey_id));
	if (rc == 0)
		rc = wk_store_bind_key(st, s, 2, &place, d->signed_prekey.priv);
	if (rc == 0)
		rc = db_err(
		    sqlite3_bind_blob(s, 3, d->signed_prekey_sig, WA_SIG_LEN, SQLITE_STATIC));
	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 4, now_unix_s + WK_SIGNED_KEPT_S));
	return wk_store_finish(s, rc);
}

static int bind_signed(struct wk_store *st, sqlite3_stmt *s, const struct wa_device *d,
                       int64_t now_unix_s)
{
	const struct sealed_place place = place_of(st, "signed_prekey");
	int rc = wk_store_bind_key(st, s, PARAM(C_SIGNED_PREKEY), &place, d->signed_prekey.priv);

	if (rc == 0)
		rc = bind_int(s, C_SIGNED_PREKEY_ID, d->signed_prekey_id);
	if (rc == 0)
		rc = bind_blob(s, C_SIGNED_PREKEY_SIG, d->signed_prekey_sig,
		               sizeof(d->signed_prekey_sig));
	if (rc == 0)
		rc = bind_int(s, C_SIGNED_PREKEY_AT, now_unix_s);
	return rc < 0 ? rc : bind_int(s, C_SIGNED_PREKEY_WAITS, 1);
}

int wk_store_rotate_signed(struct wk_store *st, struct wk_creds *c, int64_t now_unix_s)
{
	struct wa_device next = c->device;
	sqlite3_stmt *s = NULL;
	int rc = wa_device_rotate_signed(&next);

	if (rc == 0)
		rc = wk_store_begin(st);
	if (rc < 0)
		goto out;
	rc = keep_former(st, &c->device, now_unix_s);
	if (rc == 0)
		rc = wk_store_prepare(st, signed_sql, &s);
	if (rc == 0)
		rc = bind_signed(st, s, &next, now_unix_s);
	rc = wk_store_finish(s, rc);
	rc = wk_store_end(st, rc);
	if (rc == 0) {
		c->device = next;
		c->signed_prekey_unix_s = now_unix_s;
		c->signed_prekey_waits = true;
	}
out:
	wa_device_wipe(&next);
	return rc;
}
