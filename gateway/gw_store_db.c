/* gateway/gw_store_db.c - the tables of registry.db and the directories of the instances */
#include "gateway/gw_store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "gateway/gw_dir.h"

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
};

static const char *const sql_text[GW_SQL_N] = {
	[GW_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[GW_SQL_COMMIT] = "COMMIT",
	[GW_SQL_ROLLBACK] = "ROLLBACK",
	[GW_SQL_ACCOUNT_PUT] =
	    "INSERT INTO account(name, quota, token_hash, created_unix_ms) VALUES (?1, ?2, ?3, ?4) "
	    "ON CONFLICT(name) DO UPDATE SET quota = ?2, token_hash = ?3",
	[GW_SQL_ACCOUNT_DEL] = "DELETE FROM account WHERE name = ?1",
	[GW_SQL_INSTANCE_ADD] =
	    "INSERT INTO instance(id, account, name, token_hash, created_unix_ms,"
	    " updated_unix_ms, settings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[GW_SQL_INSTANCE_DEL] = "DELETE FROM instance WHERE id = ?1",
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

int gw_store_db_instance_add(struct gw_store_db *d, const struct gw_instance_row *r)
{
	sqlite3_stmt *s = d->stmt[GW_SQL_INSTANCE_ADD];

	if (mkdirat(d->instances_fd, r->id, 0700) < 0 && errno != EEXIST)
		return WA_ESTORAGE;
	sqlite3_bind_text(s, 1, r->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, r->account, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, r->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 4, r->token_hash, GW_TOKEN_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(s, 5, r->created_unix_ms);
	sqlite3_bind_int64(s, 6, r->updated_unix_ms);
	sqlite3_bind_text(s, 7, r->settings, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_ADD);
}

int gw_store_db_instance_erase(struct gw_store_db *d, const char *id)
{
	return gw_dir_remove(d->instances_fd, id);
}

void gw_store_db_instance_undo(struct gw_store_db *d, const char *id)
{
	unlinkat(d->instances_fd, id, AT_REMOVEDIR);
}

int gw_store_db_instance_del(struct gw_store_db *d, const char *id)
{
	sqlite3_bind_text(d->stmt[GW_SQL_INSTANCE_DEL], 1, id, -1, SQLITE_STATIC);
	return run(d, GW_SQL_INSTANCE_DEL);
}

int gw_store_db_account_del(struct gw_store_db *d, const char *name)
{
	sqlite3_bind_text(d->stmt[GW_SQL_ACCOUNT_DEL], 1, name, -1, SQLITE_STATIC);
	return run(d, GW_SQL_ACCOUNT_DEL);
}

/* ---- transactions ----------------------------------------------------------- */

int gw_store_db_begin(struct gw_store_db *d)
{
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

static int column_text(sqlite3_stmt *s, int col, char *out, size_t out_cap)
{
	const unsigned char *text = sqlite3_column_text(s, col);
	size_t len = (size_t)sqlite3_column_bytes(s, col);

	if (text == NULL || len >= out_cap)
		return WA_ESTORE_CORRUPT;
	memcpy(out, text, len + 1);
	return 0;
}

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

	(void)d;
	if (column_text(s, 0, row.name, sizeof(row.name)) < 0 ||
	    column_hash(s, 2, row.token_hash) < 0)
		return WA_ESTORE_CORRUPT;
	return loader->on_account(&row, arg);
}

static int load_instance(struct gw_store_db *d, sqlite3_stmt *s,
                         const struct gw_store_loader *loader, void *arg)
{
	struct gw_instance_row row = { .created_unix_ms = sqlite3_column_int64(s, 4),
		                       .updated_unix_ms = sqlite3_column_int64(s, 5),
		                       .settings = (const char *)sqlite3_column_text(s, 6) };

	if (column_text(s, 0, row.id, sizeof(row.id)) < 0 ||
	    column_text(s, 1, row.account, sizeof(row.account)) < 0 ||
	    column_text(s, 2, row.name, sizeof(row.name)) < 0 ||
	    column_hash(s, 3, row.token_hash) < 0)
		return WA_ESTORE_CORRUPT;
	/* gone when a deletion was cut short: the instance is still there, without a session */
	if (mkdirat(d->instances_fd, row.id, 0700) < 0 && errno != EEXIST)
		return WA_ESTORAGE;
	return loader->on_instance(&row, arg);
}

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
		rc = load_rows(d,
		               "SELECT id, account, name, token_hash, created_unix_ms,"
		               " updated_unix_ms, settings FROM instance"
		               " ORDER BY created_unix_ms, rowid",
		               load_instance, loader, arg);
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
