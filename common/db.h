/* common/db.h - SQLite opened the one way we open it (see ARCHITECTURE.md, State) */
#ifndef DB_H
#define DB_H

#include <sqlite3.h>
#include <stddef.h>

#include "common/attr.h"

/*
 * Open or create path (mode 0600): WAL, synchronous=FULL, exclusive locking, no trusted schema,
 * cell size checks, secure delete, small caches, one connection.
 * 0; WA_ESTORE_CORRUPT when the file is not a sound database; WA_EALREADY_RUNNING when another
 * process holds it; WA_ESTORAGE for anything else. *db_out is untouched on failure.
 */
ATTR_NODISCARD int db_open(const char *path, sqlite3 **db_out);
/*
 * The same for a file that may be large: not read through at the start, so damage shows where it is
 * met; a larger cache.
 */
ATTR_NODISCARD int db_open_large(const char *path, sqlite3 **db_out);
/*
 * Let go of what is made again when it is needed: the pages held, and the schema as it was parsed
 * (some 0.3 ms). Statements that are kept stay good. Nothing happens while one of them is being
 * stepped, or a transaction is open.
 */
void db_rest(sqlite3 *db);
/*
 * Its log goes back into it from 1 MiB on, in a burst of large commits from 4 MiB on: so it is
 * after db_open(), until PRAGMA wal_autocheckpoint says otherwise.
 */
void db_pace_log(sqlite3 *db);
/* NULL is fine. */
void db_close(sqlite3 *db);

/*
 * Bring the schema to steps_n by running steps[user_version .. steps_n - 1], each in a transaction
 * of its own that also sets user_version.
 * 0; WA_ESTORE_CORRUPT; WA_ESTORAGE; WA_ESTATE when the file is newer than this program.
 */
ATTR_NODISCARD int db_migrate(sqlite3 *db, const char *const *steps, int steps_n);

/* Run SQL without results. 0, or db_err(). */
ATTR_NODISCARD int db_exec(sqlite3 *db, const char *sql);

/*
 * A column's text with its NUL into out.
 * 0; WA_ESTORE_CORRUPT: it is NULL, or longer than out_cap - 1; -ENOMEM. out is untouched on
 * failure.
 */
ATTR_NODISCARD int db_text(sqlite3_stmt *s, int column, char *out, size_t out_cap);

struct db_text_to {
	int column;
	char *out;
	size_t out_cap;
};
/* Several of a row, until one fails: as db_text(). */
ATTR_NODISCARD int db_texts(sqlite3_stmt *s, const struct db_text_to *to, size_t n);

/* An SQLite result code as ours: WA_ESTORE_CORRUPT, WA_EALREADY_RUNNING, -ENOMEM, WA_ESTORAGE; 0
 * for OK/ROW/DONE. */
int db_err(int sqlite_rc);

#endif
