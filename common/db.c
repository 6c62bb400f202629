/* common/db.c - SQLite opened the one way we open it */
#include "common/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/db_vfs.h"
#include "common/err.h"

/* Exclusive locking keeps the WAL index in our heap: no -shm file, and no second process. */
static const char pragmas[] = "PRAGMA locking_mode=EXCLUSIVE;"
                              "PRAGMA journal_mode=WAL;"
                              "PRAGMA synchronous=FULL;"
                              "PRAGMA trusted_schema=OFF;"
                              "PRAGMA cell_size_check=ON;"
                              "PRAGMA secure_delete=ON;"
                              "PRAGMA foreign_keys=ON;"
                              "PRAGMA mmap_size=0;"
                              "PRAGMA temp_store=MEMORY;" /* a worker sees no /tmp */
                              "PRAGMA cache_size=-256;"
                              "PRAGMA journal_size_limit=4194304;";

/* What a burst has made of the log is given back. */
static const char pragmas_large[] = "PRAGMA cache_size=-8192;"
                                    "PRAGMA journal_size_limit=33554432;";

int db_err(int sqlite_rc)
{
	switch (sqlite_rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return WA_ESTORE_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return WA_EALREADY_RUNNING;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return WA_ESTORAGE;
	}
}

int db_exec(sqlite3 *db, const char *sql)
{
	return db_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* Text may have to be copied for its NUL. */
int db_text(sqlite3_stmt *s, int column, char *out, size_t out_cap)
{
	bool is_null = sqlite3_column_type(s, column) == SQLITE_NULL;
	const unsigned char *text = sqlite3_column_text(s, column);
	size_t len = (size_t)sqlite3_column_bytes(s, column);

	if (text == NULL)
		return is_null ? WA_ESTORE_CORRUPT : -ENOMEM;
	if (len >= out_cap)
		return WA_ESTORE_CORRUPT;
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

int db_texts(sqlite3_stmt *s, const struct db_text_to *to, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = db_text(s, to[i].column, to[i].out, to[i].out_cap);
	return rc;
}

/* ---- when the log goes back into the database -------------------------------------------------
 */

#define LOG_PAGES 1000     /* as SQLite has it: a burst pays for few checkpoints */
#define LOG_PAGES_CALM 256 /* thousands of larger logs were a host's page cache */
#define BURST_PAGES 64     /* in one commit */

/* arg points to as many of these as the log had pages after the last commit. */
static const char log_pages[LOG_PAGES + 1];

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	int before = arg == NULL ? 0 : (int)((const char *)arg - log_pages);
	int more = pages > before ? pages - before : pages; /* else it has begun anew */

	sqlite3_wal_hook(db, on_commit, (void *)&log_pages[pages < LOG_PAGES ? pages : LOG_PAGES]);
	if (pages >= LOG_PAGES || (pages >= LOG_PAGES_CALM && more < BURST_PAGES))
		sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK; /* the commit holds, whatever became of the checkpoint */
}

void db_pace_log(sqlite3 *db)
{
	sqlite3_wal_hook(db, on_commit, NULL); /* in place of SQLite's own */
}

/* Exclusive locking is lazy: take the lock now, so that a second process is refused at the door. */
static int take_lock(sqlite3 *db)
{
	return db_exec(db, "BEGIN IMMEDIATE; COMMIT;");
}

static int check_sound(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int rc = db_err(sqlite3_prepare_v2(db, "PRAGMA main.quick_check(1)", -1, &st, NULL));
	int step = rc == 0 ? sqlite3_step(st) : SQLITE_DONE;

	if (rc == 0)
		rc = step == SQLITE_ROW || step == SQLITE_DONE ? WA_ESTORE_CORRUPT : db_err(step);
	if (step == SQLITE_ROW) {
		const unsigned char *word = sqlite3_column_text(st, 0);

		if (word == NULL) /* no memory to say it in */
			rc = -ENOMEM;
		else if (word[0] == 'o' && word[1] == 'k')
			rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

static int open_as(const char *path, bool large, sqlite3 **db_out)
{
	const char *vfs = db_vfs();
	sqlite3 *db = NULL;
	int fd, rc;

	if (vfs == NULL)
		return -ENOMEM;

	/* made here first: SQLite would create it with the umask's mode, and copies it to the WAL
	 */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return WA_ESTORAGE;
	close(fd);
	rc = db_err(sqlite3_open_v2(
	    path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs));
	if (rc < 0)
		goto out;
	sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 128, 64);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	rc = db_exec(db, pragmas);
	if (rc == 0 && large)
		rc = db_exec(db, pragmas_large);
	else
		db_pace_log(db);
	if (rc == 0)
		rc = take_lock(db);
	if (rc == 0 && !large)
		rc = check_sound(db);
	if (rc < 0)
		goto out;
	*db_out = db;
	db = NULL;
out:
	db_close(db);
	return rc;
}

int db_open(const char *path, sqlite3 **db_out)
{
	return open_as(path, false, db_out);
}

int db_open_large(const char *path, sqlite3 **db_out)
{
	return open_as(path, true, db_out);
}

void db_rest(sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db))
		return;
	for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(db, st)) != NULL;)
		if (sqlite3_stmt_busy(st))
			return;
	(void)sqlite3_exec(db, "PRAGMA writable_schema=RESET", NULL, NULL, NULL);
	(void)sqlite3_db_release_memory(db);
}

void db_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}

static int user_version(sqlite3 *db, int *version_out)
{
	sqlite3_stmt *st = NULL;
	int rc = db_err(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL));

	if (rc == 0) {
		int step = sqlite3_step(st);

		if (step == SQLITE_ROW)
			*version_out = sqlite3_column_int(st, 0);
		else
			rc = step == SQLITE_DONE ? WA_ESTORE_CORRUPT : db_err(step);
	}
	sqlite3_finalize(st);
	return rc;
}

static int migrate_one(sqlite3 *db, const char *step, int version)
{
	char set[64];
	int rc;

	snprintf(set, sizeof(set), "PRAGMA user_version=%d; COMMIT;", version);
	rc = db_exec(db, "BEGIN IMMEDIATE;");
	if (rc < 0)
		return rc;
	rc = db_exec(db, step);
	if (rc == 0)
		rc = db_exec(db, set);
	if (rc < 0)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL,
		             NULL); /* the first failure is the one to report */
	return rc;
}

int db_migrate(sqlite3 *db, const char *const *steps, int steps_n)
{
	int version = 0;
	int rc = user_version(db, &version);

	if (rc < 0)
		return rc;
	if (version < 0 || version > steps_n)
		return WA_ESTATE;
	for (; rc == 0 && version < steps_n; version++)
		rc = migrate_one(db, steps[version], version + 1);
	return rc;
}
