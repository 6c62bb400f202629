/* gateway/registry/gw_store_db.c - the tables of registry.db and the directories of the instances
 */
#include "gateway/registry/gw_store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/registry/gw_dir.h"

static const char *const schema[] = {
	"CREATE TABLE account ("
	"  name TEXT PRIMARY KEY,"
	"  quota INTEGER NOT NULL,"          /* -1: no limit */
	"  token_hash BLOB NOT NULL UNIQUE," /* SHA-256; the token itself is kept nowhere */
	"  created_unix_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE instance ("
	"  id TEXT PRIMARY KEY,"
	"  account TEXT NOT NULL REFERENCES account(name),"
	"  name TEXT NOT NULL,"
	"  token_hash BLOB NOT NULL UNIQUE,"
	"  created_unix_ms INTEGER NOT NULL,"
	"  updated_unix_ms INTEGER NOT NULL,"
	"  settings TEXT NOT NULL," /* JSON object: those that were given */
	"  UNIQUE (account, name)"
	") STRICT;",
	"ALTER TABLE instance ADD COLUMN proxy TEXT NOT NULL DEFAULT '{}';" /* see gw_proxy.h */
	"ALTER TABLE instance ADD COLUMN linked INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN link_end INTEGER NOT NULL DEFAULT 0;" /* gw_link_end */
	"ALTER TABLE instance ADD COLUMN jid TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN lid TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN platform TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN push_name TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN business_name TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN history_days INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN key_epoch INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE instance ADD COLUMN error_rc INTEGER NOT NULL DEFAULT 0;" /* 0: none */
	"ALTER TABLE instance ADD COLUMN error_number INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN error_detail TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE instance ADD COLUMN error_unix_ms INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;",
	"ALTER TABLE instance ADD COLUMN store_generation INTEGER NOT NULL DEFAULT 0;",
	"CREATE TABLE to_erase (id TEXT PRIMARY KEY) STRICT;" /* folders: gw_store_tidy.c */
	"CREATE TRIGGER instance_deleted AFTER DELETE ON instance BEGIN"
	"  INSERT OR IGNORE INTO to_erase VALUES (old.id);"
	"END;",
	"ALTER TABLE instance ADD COLUMN hooks TEXT NOT NULL DEFAULT '{}';", /* gw_hook_config.h */
	"CREATE TABLE invite (" /* one-time links: gw_invite.h */
	"  instance TEXT PRIMARY KEY,"
	"  hash BLOB NOT NULL UNIQUE," /* SHA-256; the link itself is kept nowhere */
	"  expires_unix_ms INTEGER NOT NULL,"
	"  number TEXT NOT NULL," /* '': any */
	"  history_days INTEGER NOT NULL,"
	"  used INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	"CREATE TRIGGER instance_linked AFTER UPDATE OF linked, jid ON instance"
	"  WHEN new.linked = 1 AND (old.linked = 0 OR old.jid <> new.jid) BEGIN"
	"  UPDATE invite SET used = 1 WHERE instance = new.id;"
	"END;"
	"CREATE TRIGGER invite_gone AFTER DELETE ON instance BEGIN"
	"  DELETE FROM invite WHERE instance = old.id;"
	"END;",
};

static const char *const sql_text[GW_SQL_N] = {
	[GW_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[GW_SQL_COMMIT] = "COMMIT",
	[GW_SQL_ROLLBACK] = "ROLLBACK",
	[GW_SQL_ACCOUNT_PUT] =
	    "INSERT INTO account(name, quota, token_hash, created_unix_ms) VALUES (?1, ?2, ?3, ?4) "
	    "ON CONFLICT(name) DO UPDATE SET quota = ?2, token_hash = ?3",
	[GW_SQL_ACCOUNT_TOKEN] = "UPDATE account SET token_hash = ?2 WHERE name = ?1",
	[GW_SQL_ACCOUNT_QUOTA] = "UPDATE account SET quota = ?2 WHERE name = ?1",
	[GW_SQL_ACCOUNT_DEL] = "DELETE FROM account WHERE name = ?1",
	[GW_SQL_INSTANCE_ADD] =
	    "INSERT INTO instance(id, account, name, token_hash, created_unix_ms,"
	    " updated_unix_ms, settings, proxy, hooks)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[GW_SQL_INSTANCE_TOKEN] =
	    "UPDATE instance SET updated_unix_ms = ?2, token_hash = ?3 WHERE id = ?1",
	[GW_SQL_INSTANCE_SETTINGS] = "UPDATE instance SET updated_unix_ms = ?2,"
	                             " settings = json_patch(settings, ?3) WHERE id = ?1",
	[GW_SQL_INSTANCE_PROXY] =
	    "UPDATE instance SET updated_unix_ms = ?2, proxy = ?3 WHERE id = ?1",
	[GW_SQL_INSTANCE_HOOKS] = "UPDATE instance SET updated_unix_ms = ?2,"
	                          " hooks = json_patch(hooks, ?3) WHERE id = ?1",
	[GW_SQL_INSTANCE_LINK] =
	    "UPDATE instance SET updated_unix_ms = ?2, linked = ?3, link_end = ?4, jid = ?5,"
	    " lid = ?6, platform = ?7, push_name = ?8, business_name = ?9, history_days = ?10,"
	    " key_epoch = ?11, error_rc = ?12, error_number = ?13, error_detail = ?14,"
	    " error_unix_ms = ?15, store_generation = ?16 WHERE id = ?1",
	[GW_SQL_INSTANCE_DEL] = "DELETE FROM instance WHERE id = ?1",
	[GW_SQL_INVITE_PUT] =
	    "INSERT INTO invite(instance, hash, expires_unix_ms, number, history_days)"
	    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(instance) DO UPDATE"
	    " SET hash = ?2, expires_unix_ms = ?3, number = ?4, history_days = ?5, used = 0",
	[GW_SQL_ERASED] = "DELETE FROM to_erase WHERE id = ?1",
	[GW_SQL_META_GET] = "SELECT value FROM meta WHERE name = ?1",
	[GW_SQL_META_PUT] = "INSERT INTO meta(name, value) VALUES (?1, ?2)"
	                    " ON CONFLICT(name) DO UPDATE SET value = ?2",
};

/* ---- statements ------------------------------------------------------------- */

static int prepare_all(struct gw_store_db *d)
{
	for (int i = 0; i < GW_SQL_N; i++) {
		int rc = db_err(sqlite3_prepare_v3(d->db, sql_text[i], -1,
		                                   SQLITE_PREPARE_PERSISTENT, &d->stmt[i], NULL));
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Run a prepared statement to its end and make it ready for the next time. */
static int run(struct gw_store_db *d, enum gw_sql which)
{
	sqlite3_stmt *s = d->stmt[which];
	int rc = db_err(sqlite3_step(s));

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc;
}

int gw_store_db_account_put(struct gw_store_db *d, const struct gw_account_row *r)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_ACCOUNT_PUT];

	sqlite3_bind_text(s, 1, r->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, r->quota);
	sqlite3_bind_blob(s, 3, r->token_hash, GW_TOKEN_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, r->created_unix_ms);
	return run(d, GW_SQL_ACCOUNT_PUT);
}

int gw_store_db_account_token(struct gw_store_db *d, const struct gw_account_row *r)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_ACCOUNT_TOKEN];

	sqlite3_bind_text(s, 1, r->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, r->token_hash, GW_TOKEN_HASH_LEN, SQLITE_STATIC);
	return run(d, GW_SQL_ACCOUNT_TOKEN);
}

int gw_store_db_account_quota(struct gw_store_db *d, const struct gw_account_row *r)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_ACCOUNT_QUOTA];

	sqlite3_bind_text(s, 1, r->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, r->quota);
	return run(d, GW_SQL_ACCOUNT_QUOTA);
}

int gw_store_db_instance_add(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_INSTANCE_ADD];

	if ((mkdirat(d->instances_fd, r->id, 0700) < 0 && errno != EEXIST) ||
	    gw_uids_settle(&d->uids, d->instances_fd, r->id) < 0)
		return WA_ESTORAGE;
	sqlite3_bind_text(s, 1, r->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, r->account, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, r->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 4, r->token_hash, GW_TOKEN_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(s, 5, r->created_unix_ms);
	sqlite3_bind_int64(s, 6, r->updated_unix_ms);
	sqlite3_bind_text(s, 7, r->settings, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 8, r->proxy, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 9, r->hooks, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_ADD);
}

/* Which row, and when it has changed. */
static sqlite3_stmt *bind_change(struct gw_store_db *d, enum gw_sql which,
                                 const struct gw_instance_row *r)
{
	sqlite3_stmt *s = d->stmt[which];

	sqlite3_bind_text(s, 1, r->id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, r->updated_unix_ms);
	return s;
}

int gw_store_db_instance_token(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = bind_change(d, GW_SQL_INSTANCE_TOKEN, r);

	sqlite3_bind_blob(s, 3, r->token_hash, GW_TOKEN_HASH_LEN, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_TOKEN);
}

int gw_store_db_instance_settings(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = bind_change(d, GW_SQL_INSTANCE_SETTINGS, r);

	sqlite3_bind_text(s, 3, r->settings, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_SETTINGS);
}

int gw_store_db_instance_proxy(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = bind_change(d, GW_SQL_INSTANCE_PROXY, r);

	sqlite3_bind_text(s, 3, r->proxy, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_PROXY);
}

int gw_store_db_instance_hooks(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = bind_change(d, GW_SQL_INSTANCE_HOOKS, r);

	sqlite3_bind_text(s, 3, r->hooks, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_HOOKS);
}

int gw_store_db_instance_link(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = bind_change(d, GW_SQL_INSTANCE_LINK, r);
	const struct gw_device *l = &r->link;

	sqlite3_bind_int(s, 3, l->linked);
	sqlite3_bind_int(s, 4, (int)l->end);
	sqlite3_bind_text(s, 5, l->jid, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, l->lid, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, l->platform, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 8, l->push_name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 9, l->business_name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 10, l->history_days);
	sqlite3_bind_int64(s, 11, l->key_epoch);
	sqlite3_bind_int(s, 12, l->last_error.rc);
	sqlite3_bind_int64(s, 13, l->last_error.number);
	sqlite3_bind_text(s, 14, l->last_error.detail, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 15, l->last_error.at_unix_ms);
	sqlite3_bind_int64(s, 16, l->store_generation);
	return run(d, GW_SQL_INSTANCE_LINK);
}

void gw_store_db_instance_undo(struct gw_store_db *d, const char *id)
{
	gw_uids_release(&d->uids, d->instances_fd, id);
	unlinkat(d->instances_fd, id, AT_REMOVEDIR);
}

int gw_store_db_instance_del(struct gw_store_db *d, const char *id)
{
	sqlite3_bind_text(d->stmt[GW_SQL_INSTANCE_DEL], 1, id, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_DEL);
}

int gw_store_db_invite_put(struct gw_store_db *d, const struct gw_invite_row *r)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_INVITE_PUT];

	sqlite3_bind_text(s, 1, r->instance_id, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, r->hash, GW_TOKEN_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, r->terms.expires_unix_ms);
	sqlite3_bind_text(s, 4, r->terms.number, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 5, r->terms.history_days);
	return run(d, GW_SQL_INVITE_PUT);
}

int gw_store_db_account_del(struct gw_store_db *d, const char *name)
{
	sqlite3_bind_text(d->stmt[GW_SQL_ACCOUNT_DEL], 1, name, -1, SQLITE_STATIC);
	return run(d, GW_SQL_ACCOUNT_DEL);
}

/* ---- small values ----------------------------------------------------------- */

int gw_store_db_meta_get(struct gw_store_db *d, const char *name, uint8_t *out, size_t out_cap,
                         size_t *len_out)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_META_GET];
	int step, rc;

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	step = sqlite3_step(s);
	rc = db_err(step);
	if (step == SQLITE_ROW) {
		size_t n = (size_t)sqlite3_column_bytes(s, 0);

		rc = n <= out_cap ? 1 : WA_ELIMIT;
		if (rc == 1 && n > 0)
			memcpy(out, sqlite3_column_blob(s, 0), n);
		if (rc == 1)
			*len_out = n;
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc;
}

int gw_store_db_meta_put(struct gw_store_db *d, const char *name, const void *data, size_t data_len)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_META_PUT];

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, data, (int)data_len, SQLITE_STATIC);
	return run(d, GW_SQL_META_PUT);
}

/* ---- transactions ----------------------------------------------------------- */

int gw_store_db_begin(struct gw_store_db *d)
{
	if (gw_store_db_in_transaction(d)) /* it could not be rolled back then */
		(void)!run(d, GW_SQL_ROLLBACK);
	return run(d, GW_SQL_BEGIN);
}

int gw_store_db_commit(struct gw_store_db *d)
{
	int rc = run(d, GW_SQL_COMMIT);

	if (rc < 0 && !sqlite3_get_autocommit(d->db))
		(void)!run(d, GW_SQL_ROLLBACK); /* the commit's failure is the one to tell */
	return rc;
}

bool gw_store_db_in_transaction(const struct gw_store_db *d)
{
	return sqlite3_get_autocommit(d->db) == 0;
}

/* ---- opening and loading ---------------------------------------------------- */

static int column_hash(sqlite3_stmt *s, int col, uint8_t *out)
{
	const void *blob = sqlite3_column_blob(s, col);

	if (blob == NULL || sqlite3_column_bytes(s, col) != GW_TOKEN_HASH_LEN)
		return WA_ESTORE_CORRUPT;
	memcpy(out, blob, GW_TOKEN_HASH_LEN);
	return 0;
}

static int load_account(struct gw_store_db *d, sqlite3_stmt *s,
                        const struct gw_store_loader *loader, void *arg)
{
	struct gw_account_row row = { .quota = sqlite3_column_int64(s, 1),
		                      .created_unix_ms = sqlite3_column_int64(s, 3) };
	int rc = db_text(s, 0, row.name, sizeof(row.name));

	(void)d;
	if (rc == 0)
		rc = column_hash(s, 2, row.token_hash);
	return rc < 0 ? rc : loader->on_account(&row, arg);
}

/* In the order of GW_LOAD_INSTANCES. */
static int load_link(sqlite3_stmt *s, struct gw_device *l)
{
	char jid[GW_JID_CAP];
	const struct db_text_to texts[] = {
		{ 10, jid, sizeof(jid) },
		{ 11, l->lid, sizeof(l->lid) },
		{ 12, l->platform, sizeof(l->platform) },
		{ 13, l->push_name, sizeof(l->push_name) },
		{ 14, l->business_name, sizeof(l->business_name) },
		{ 19, l->last_error.detail, sizeof(l->last_error.detail) },
	};
	int64_t end = sqlite3_column_int64(s, 9);
	int rc = db_texts(s, texts, ARRAY_LEN(texts));

	if (rc < 0)
		return rc;
	if (end < GW_END_NONE || end > GW_END_BANNED)
		return WA_ESTORE_CORRUPT;
	gw_device_jid_set(l, jid);
	l->linked = sqlite3_column_int(s, 8) != 0;
	l->end = (enum gw_link_end)end;
	l->history_days = (uint32_t)sqlite3_column_int64(s, 15);
	l->key_epoch = (uint32_t)sqlite3_column_int64(s, 16);
	l->last_error.rc = sqlite3_column_int(s, 17);
	l->last_error.number = (uint32_t)sqlite3_column_int64(s, 18);
	l->last_error.at_unix_ms = sqlite3_column_int64(s, 20);
	l->store_generation = sqlite3_column_int64(s, 21);
	return 0;
}

#define GW_LOAD_INSTANCES \
	"SELECT id, account, name, token_hash, created_unix_ms, updated_unix_ms, settings, proxy," \
	" linked, link_end, jid, lid, platform, push_name, business_name, history_days, " \
	"key_epoch," \
	" error_rc, error_number, error_detail, error_unix_ms, store_generation, hooks FROM " \
	"instance" \
	" ORDER BY created_unix_ms, rowid"

static bool session_is_there(const struct gw_store_db *d, const char *id)
{
	/* events.left: the last events of a link that is over; a worker gives them to us */
	static const char *const names[] = { "session.db", "events.left" };
	char path[GW_ID_LEN + sizeof("/events.left")];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", id, names[i]);
		if (faccessat(d->instances_fd, path, F_OK, 0) == 0)
			return true;
	}
	return false;
}

static int load_instance(struct gw_store_db *d, sqlite3_stmt *s,
                         const struct gw_store_loader *loader, void *arg)
{
	struct gw_instance_row row = { .created_unix_ms = sqlite3_column_int64(s, 4),
		                       .updated_unix_ms = sqlite3_column_int64(s, 5),
		                       .settings = (const char *)sqlite3_column_text(s, 6),
		                       .proxy = (const char *)sqlite3_column_text(s, 7),
		                       .hooks = (const char *)sqlite3_column_text(s, 22) };
	const struct db_text_to texts[] = {
		{ 0, row.id, sizeof(row.id) },
		{ 1, row.account, sizeof(row.account) },
		{ 2, row.name, sizeof(row.name) },
	};
	int rc = db_texts(s, texts, ARRAY_LEN(texts));

	if (rc == 0)
		rc = column_hash(s, 3, row.token_hash);
	if (rc == 0)
		rc = load_link(s, &row.link);
	if (rc < 0)
		return rc;
	/* without memory: never without the proxy that was set */
	if ((row.settings == NULL && sqlite3_column_type(s, 6) != SQLITE_NULL) ||
	    (row.proxy == NULL && sqlite3_column_type(s, 7) != SQLITE_NULL) ||
	    (row.hooks == NULL && sqlite3_column_type(s, 22) != SQLITE_NULL))
		return -ENOMEM;
	/* gone when a deletion was cut short: the instance is still there, without a session */
	if (mkdirat(d->instances_fd, row.id, 0700) < 0 && errno != EEXIST)
		return WA_ESTORAGE;
	rc = gw_uids_settle(&d->uids, d->instances_fd, row.id);
	if (rc < 0) /* its worker will say what it can't open; the others are well */
		LOG(NULL, LOG_ERR, "instance_dir_owner", LF_STR("id", row.id), LF_ERR("err", rc));
	row.has_session = session_is_there(d, row.id);
	return loader->on_instance(&row, arg);
}

static int load_invite(struct gw_store_db *d, sqlite3_stmt *s, const struct gw_store_loader *loader,
                       void *arg)
{
	struct gw_invite_row row = { .terms.expires_unix_ms = sqlite3_column_int64(s, 4),
		                     .terms.history_days = (uint32_t)sqlite3_column_int64(s, 6) };
	const struct db_text_to texts[] = {
		{ 0, row.instance_id, sizeof(row.instance_id) },
		{ 1, row.account, sizeof(row.account) },
		{ 2, row.name, sizeof(row.name) },
		{ 5, row.terms.number, sizeof(row.terms.number) },
	};
	int rc = db_texts(s, texts, ARRAY_LEN(texts));

	(void)d;
	if (rc == 0)
		rc = column_hash(s, 3, row.hash);
	return rc < 0 ? rc : loader->on_invite(&row, arg);
}

#define GW_LOAD_INVITES \
	"SELECT v.instance, i.account, i.name, v.hash, v.expires_unix_ms, v.number," \
	" v.history_days FROM invite v JOIN instance i ON i.id = v.instance WHERE v.used = 0"

static int load_rows(struct gw_store_db *d, const char *sql,
                     int (*one)(struct gw_store_db *, sqlite3_stmt *,
                                const struct gw_store_loader *, void *),
                     const struct gw_store_loader *loader, void *arg)
{
	sqlite3_stmt *s = NULL;
	int rc = db_err(sqlite3_prepare_v2(d->db, sql, -1, &s, NULL));

	while (rc == 0) {
		int step = sqlite3_step(s);

		if (step != SQLITE_ROW) {
			rc = db_err(step);
			break;
		}
		rc = one(d, s, loader, arg);
	}
	sqlite3_finalize(s);
	return rc;
}

int gw_store_db_load(struct gw_store_db *d, const struct gw_store_loader *loader, void *arg)
{
	int rc = load_rows(d,
	                   "SELECT name, quota, token_hash, created_unix_ms FROM account"
	                   " ORDER BY created_unix_ms, rowid",
	                   load_account, loader, arg);

	if (rc == 0)
		rc = load_rows(d, GW_LOAD_INSTANCES, load_instance, loader, arg);
	if (rc == 0 && loader->on_invite != NULL)
		rc = load_rows(d, GW_LOAD_INVITES, load_invite, loader, arg);
	if (rc == 0)
		gw_store_db_tidy(d);
	return rc;
}

void gw_store_db_init(struct gw_store_db *d)
{
	*d = (struct gw_store_db){ .instances_fd = -1 };
}

int gw_store_db_open(struct gw_store_db *d, const char *data_dir)
{
	char *path = NULL;
	int dir_fd = -1;
	int rc = gw_dir_make(data_dir);

	if (rc < 0)
		goto out;
	rc = WA_ESTORAGE;
	dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || (mkdirat(dir_fd, "instances", 0700) < 0 && errno != EEXIST))
		goto out;
	d->instances_fd = openat(dir_fd, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->instances_fd < 0)
		goto out;
	gw_uids_init(&d->uids, data_dir, d->instances_fd);
	/* wardenctl doctor does without it where it can't be made */
	if (mkdirat(d->instances_fd, GW_PROBE_ID, 0700) == 0 || errno == EEXIST)
		(void)!gw_uids_settle(&d->uids, d->instances_fd, GW_PROBE_ID);
	rc = -ENOMEM;
	if (asprintf(&path, "%s/registry.db", data_dir) < 0) {
		path = NULL;
		goto out;
	}
	rc = db_open(path, &d->db);
	if (rc == 0)
		rc = db_migrate(d->db, schema, ARRAY_LEN(schema));
	if (rc == 0)
		rc = prepare_all(d);
out:
	if (dir_fd >= 0)
		close(dir_fd);
	free(path);
	return rc;
}

void gw_store_db_clear(struct gw_store_db *d)
{
	for (int i = 0; i < GW_SQL_N; i++)
		sqlite3_finalize(d->stmt[i]);
	db_close(d->db);
	if (d->instances_fd >= 0)
		close(d->instances_fd);
	gw_store_db_init(d);
}
