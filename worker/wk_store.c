/* worker/wk_store.c - session.db: opening, closing, setting aside; statements and keys */
#include "worker/wk_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/wk_store_priv.h"

#define DB_NAME "session.db"
#define WAL_NAME DB_NAME "-wal"
#define ASIDE_KEPT_S (7 * 24 * 3600)

/* Forward only: a step that was released is never changed. */
static const char *const schema[] = {
	"CREATE TABLE link ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1),"
	"  jid TEXT NOT NULL,"
	"  lid TEXT NOT NULL,"
	"  noise_key BLOB NOT NULL,"     /* sealed, as all private keys */
	"  identity_key BLOB NOT NULL,"  /* sealed */
	"  signed_prekey BLOB NOT NULL," /* sealed */
	"  signed_prekey_id INTEGER NOT NULL,"
	"  signed_prekey_sig BLOB NOT NULL,"
	"  registration_id INTEGER NOT NULL,"
	"  account BLOB NOT NULL,"
	"  account_key BLOB NOT NULL,"
	"  platform TEXT NOT NULL,"
	"  business_name TEXT NOT NULL,"
	"  push_name TEXT NOT NULL,"
	"  routing BLOB NOT NULL,"
	"  server_static BLOB NOT NULL,"
	"  server_static_until INTEGER NOT NULL,"
	"  logins INTEGER NOT NULL,"
	"  history_days INTEGER NOT NULL,"
	"  confirmed INTEGER NOT NULL,"
	"  linked_unix_s INTEGER NOT NULL,"
	"  not_before_unix_s INTEGER NOT NULL,"
	"  not_before_rc INTEGER NOT NULL,"
	"  replaced_n INTEGER NOT NULL,"
	"  replaced_day_unix_s INTEGER NOT NULL,"
	"  next_prekey_id INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE prekey ("
	"  id INTEGER PRIMARY KEY,"
	"  seq INTEGER NOT NULL," /* order in which they were made: ids wrap */
	"  priv BLOB NOT NULL,"   /* sealed */
	"  pub BLOB NOT NULL,"
	"  uploaded INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX prekey_waiting ON prekey (seq) WHERE uploaded = 0;",
	"ALTER TABLE link ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;", /* of the whole file
	                                                                       */
	wk_store_outbox_schema,
};

/* ---- statements ---------------------------------------------------------------------------- */

int wk_store_prepare(struct wk_store *st, const char *sql, sqlite3_stmt **st_out)
{
	*st_out = NULL;
	return db_err(sqlite3_prepare_v2(st->db, sql, -1, st_out, NULL));
}

int wk_store_finish(sqlite3_stmt *stmt, int rc)
{
	if (rc == 0)
		rc = db_err(sqlite3_step(stmt));
	sqlite3_finalize(stmt);
	return rc;
}

int wk_store_begin(struct wk_store *st)
{
	return db_exec(st->db, "BEGIN IMMEDIATE");
}

static int next_generation(struct wk_store *st)
{
	sqlite3_stmt *s;
	int rc = wk_store_prepare(st, "UPDATE link SET generation = ?1 WHERE id = 1", &s);

	if (rc == 0)
		rc = db_err(sqlite3_bind_int64(s, 1, (int64_t)st->generation + 1));
	return wk_store_finish(s, rc);
}

int wk_store_end(struct wk_store *st, int rc)
{
	if (rc == 0)
		rc = next_generation(st);
	if (rc == 0)
		rc = db_exec(st->db, "COMMIT");
	if (rc == 0)
		st->generation++;
	if (rc < 0 && !sqlite3_get_autocommit(st->db))
		(void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	if (rc < 0)
		wk_store_outbox_forget(st);
	return rc;
}

int wk_store_bind_key(struct wk_store *st, sqlite3_stmt *stmt, int index,
                      const struct sealed_place *place, const uint8_t priv[WA_KEY_LEN])
{
	struct buf env = { 0 };
	int rc = sealed_seal(&st->key, place, priv, WA_KEY_LEN, &env);

	if (rc == 0)
		rc = db_err(sqlite3_bind_blob(stmt, index, env.p, (int)env.len, SQLITE_TRANSIENT));
	buf_free(&env);
	return rc;
}

int wk_store_read_key(struct wk_store *st, sqlite3_stmt *stmt, int column,
                      const struct sealed_place *place, struct wa_keypair *out)
{
	const void *env = sqlite3_column_blob(stmt, column);
	int env_len = sqlite3_column_bytes(stmt, column);
	struct buf priv = { 0 };
	int rc = env == NULL ? WA_ESTORE_CORRUPT
	                     : sealed_open(&st->key, place, env, (size_t)env_len, &priv);

	if (rc == 0 && priv.len != WA_KEY_LEN)
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		rc = wa_keypair_from_priv(priv.p, out);
	else if (rc != -ENOMEM && rc != WA_ECRYPTO)
		rc = WA_ESTORE_CORRUPT; /* changed, moved, or sealed with another key */
	buf_wipe(&priv);
	return rc;
}

/* ---- files --------------------------------------------------------------------------------- */

static bool make_path(char *out, const char *dir, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX;
}

/* "session.db.WORD-UNIX" and the same with "-wal"; the instant, or -1. */
static int64_t aside_unix_s(const char *name)
{
	static const char prefix[] = DB_NAME ".";
	const char *dash;
	char *end;
	long long v;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return -1;
	dash = strchr(name + sizeof(prefix) - 1, '-');
	if (dash == NULL || dash[1] < '0' || dash[1] > '9')
		return -1;
	v = strtoll(dash + 1, &end, 10);
	return *end == '\0' || strcmp(end, "-wal") == 0 ? v : -1;
}

/* What was set aside too long ago goes; what can't be removed is tried again next time. */
static void purge(const char *dir)
{
	int64_t now = clock_unix_s();
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		int64_t at = aside_unix_s(e->d_name);

		if (at >= 0 && now - at > ASIDE_KEPT_S)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
}

/* Make renames and removals last. */
static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? WA_ESTORAGE : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static void store_free(struct wk_store *st)
{
	wk_store_outbox_close(st);
	db_close(st->db);
	free(st->dir);
	secret_free(st);
}

int wk_store_open(const char *dir, const char *instance_id, const struct sealed_key *key,
                  bool create, struct wk_store **store_out)
{
	char path[PATH_MAX];
	struct wk_store *st;
	int rc;

	if (!make_path(path, dir, DB_NAME) || strlen(instance_id) > WK_INSTANCE_ID_MAX)
		return WA_ESTORAGE;
	purge(dir);
	if (!create && access(path, F_OK) < 0 && errno == ENOENT)
		return -ENOENT;
	st = secret_alloc(sizeof(*st));
	if (st == NULL)
		return -ENOMEM;
	memcpy(st->instance_id, instance_id, strlen(instance_id) + 1);
	st->key = *key;
	st->dir = strdup(dir);
	rc = st->dir == NULL ? -ENOMEM : db_open(path, &st->db);
	if (rc == 0)
		rc = db_migrate(st->db, schema, ARRAY_LEN(schema));
	if (rc < 0) {
		store_free(st);
		return rc;
	}
	*store_out = st;
	return 0;
}

void wk_store_close(struct wk_store *st)
{
	if (st != NULL)
		store_free(st);
}

uint64_t wk_store_generation(const struct wk_store *st)
{
	return st->generation;
}

void wk_store_follow(struct wk_store *st, uint64_t generation)
{
	if (st->generation < generation)
		st->generation = generation;
}

void wk_store_trim(struct wk_store *st)
{
	if (st != NULL)
		(void)sqlite3_db_release_memory(st->db);
}

/* What a clean close leaves of the log is nothing; after a failed one it goes along. */
static int move_aside(const char *dir, const char *word)
{
	char from[PATH_MAX], to[PATH_MAX], name[NAME_MAX];
	long long now = (long long)clock_unix_s();
	int rc = 0;

	(void)snprintf(name, sizeof(name), DB_NAME ".%s-%lld-wal", word, now);
	if (make_path(from, dir, WAL_NAME) && make_path(to, dir, name))
		(void)rename(from, to);
	(void)snprintf(name, sizeof(name), DB_NAME ".%s-%lld", word, now);
	if (!make_path(from, dir, DB_NAME) || !make_path(to, dir, name) || rename(from, to) < 0)
		rc = WA_ESTORAGE;
	return rc < 0 ? rc : sync_dir(dir);
}

int wk_store_set_aside(struct wk_store *st, const char *word)
{
	char *dir = st->dir;
	int rc;

	st->dir = NULL;
	store_free(st);
	rc = move_aside(dir, word);
	free(dir);
	return rc;
}

int wk_store_erase(struct wk_store *st)
{
	char path[PATH_MAX];
	char *dir = st->dir;
	int rc = 0;

	st->dir = NULL;
	store_free(st);
	if (make_path(path, dir, DB_NAME) && unlink(path) < 0 && errno != ENOENT)
		rc = WA_ESTORAGE;
	if (make_path(path, dir, WAL_NAME) && unlink(path) < 0 && errno != ENOENT)
		rc = WA_ESTORAGE;
	if (rc == 0)
		rc = sync_dir(dir);
	free(dir);
	return rc;
}
