/* common/db_vfs.c - writes that follow one another go to the disk as one */
#include "common/db_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME "warden"
#define HELD_MAX (14 * (24 + 4096)) /* frames of the log; only while there are some */

struct file {
	sqlite3_file base;
	sqlite3_file *real; /* of the VFS below */
	unsigned char *held;
	int held_len;
	sqlite3_int64 held_at; /* where in the file */
	int failed;            /* what was held, and nobody was told who minds */
	bool holds;            /* a database or its log */
};

static struct file *file_of(sqlite3_file *f)
{
	return (struct file *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return file_of(f)->real;
}

/* ---- holding back ------------------------------------------------------------------------------
 */

static int let_go(struct file *f)
{
	int rc = SQLITE_OK;

	if (f->held_len > 0)
		rc = f->real->pMethods->xWrite(f->real, f->held, f->held_len, f->held_at);
	f->held_len = 0;
	return rc;
}

/* For calls whose failure SQLite may pass over. */
static int let_go_aside(struct file *f)
{
	int rc = let_go(f);

	if (rc != SQLITE_OK)
		f->failed = rc;
	return rc;
}

/* What failed so far, told now. */
static int failed_so_far(struct file *f)
{
	int rc = f->failed;

	f->failed = SQLITE_OK;
	return rc;
}

static void give_back(struct file *f)
{
	free(f->held);
	f->held = NULL;
}

static bool follows(const struct file *f, int n, sqlite3_int64 at)
{
	return at == f->held_at + f->held_len && n <= HELD_MAX - f->held_len;
}

static int on_write(sqlite3_file *sf, const void *data, int n, sqlite3_int64 at)
{
	struct file *f = file_of(sf);
	int rc = failed_so_far(f);

	if (rc == SQLITE_OK && f->held_len > 0 && !follows(f, n, at))
		rc = let_go(f);
	if (rc != SQLITE_OK)
		return rc;
	if (f->held == NULL && f->holds)
		f->held = malloc(HELD_MAX);
	if (f->held == NULL || n > HELD_MAX)
		return f->real->pMethods->xWrite(f->real, data, n, at);
	if (f->held_len == 0)
		f->held_at = at;
	memcpy(f->held + f->held_len, data, (size_t)n);
	f->held_len += n;
	return SQLITE_OK;
}

static int on_read(sqlite3_file *sf, void *out, int n, sqlite3_int64 at)
{
	struct file *f = file_of(sf);
	int rc = SQLITE_OK;

	if (f->held_len > 0 && at < f->held_at + f->held_len && f->held_at < at + n)
		rc = let_go(f);
	return rc != SQLITE_OK ? rc : f->real->pMethods->xRead(f->real, out, n, at);
}

static int on_sync(sqlite3_file *sf, int flags)
{
	struct file *f = file_of(sf);
	int held_rc = let_go(f), rc = failed_so_far(f);

	give_back(f);
	if (rc == SQLITE_OK)
		rc = held_rc;
	return rc != SQLITE_OK ? rc : f->real->pMethods->xSync(f->real, flags);
}

static int on_truncate(sqlite3_file *sf, sqlite3_int64 size)
{
	int rc = let_go_aside(file_of(sf));

	return rc != SQLITE_OK ? rc : real_of(sf)->pMethods->xTruncate(real_of(sf), size);
}

static int on_size(sqlite3_file *sf, sqlite3_int64 *out)
{
	int rc = let_go_aside(file_of(sf));

	return rc != SQLITE_OK ? rc : real_of(sf)->pMethods->xFileSize(real_of(sf), out);
}

static int on_close(sqlite3_file *sf)
{
	struct file *f = file_of(sf);
	int held_rc = let_go(f), rc = f->real->pMethods->xClose(f->real);

	give_back(f);
	sqlite3_free(f->real);
	f->real = NULL;
	return held_rc != SQLITE_OK ? held_rc : rc;
}

/* ---- what is handed on -------------------------------------------------------------------------
 */

static int on_lock(sqlite3_file *f, int lock)
{
	return real_of(f)->pMethods->xLock(real_of(f), lock);
}

static int on_unlock(sqlite3_file *f, int lock)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), lock);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int on_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Version 1: no shared memory, which exclusive locking does without. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_traits,
};

/* ---- the VFS -----------------------------------------------------------------------------------
 */

/* Whatever is the default now: tests have their own. */
static sqlite3_vfs *below(void)
{
	return sqlite3_vfs_find(NULL);
}

static int on_open(sqlite3_vfs *v, const char *name, sqlite3_file *sf, int flags, int *flags_out)
{
	struct file *f = file_of(sf);
	int rc;

	(void)v;
	memset(f, 0, sizeof(*f));
	f->real = sqlite3_malloc(below()->szOsFile);
	if (f->real == NULL)
		return SQLITE_NOMEM;
	memset(f->real, 0, (size_t)below()->szOsFile);
	rc = below()->xOpen(below(), name, f->real, flags, flags_out);
	if (rc != SQLITE_OK) {
		if (f->real->pMethods != NULL)
			(void)f->real->pMethods->xClose(f->real);
		sqlite3_free(f->real);
		return rc;
	}
	f->holds = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
	f->base.pMethods = &methods;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
	(void)v;
	return below()->xDelete(below(), name, sync_dir);
}

static int on_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
	(void)v;
	return below()->xAccess(below(), name, flags, out);
}

static int on_path(sqlite3_vfs *v, const char *name, int out_cap, char *out)
{
	(void)v;
	return below()->xFullPathname(below(), name, out_cap, out);
}

static int on_randomness(sqlite3_vfs *v, int n, char *out)
{
	(void)v;
	return below()->xRandomness(below(), n, out);
}

static int on_sleep(sqlite3_vfs *v, int us)
{
	(void)v;
	return below()->xSleep(below(), us);
}

static int on_time(sqlite3_vfs *v, double *out)
{
	(void)v;
	return below()->xCurrentTime(below(), out);
}

static int on_last_error(sqlite3_vfs *v, int n, char *out)
{
	(void)v;
	return below()->xGetLastError == NULL ? 0 : below()->xGetLastError(below(), n, out);
}

static sqlite3_vfs vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(struct file),
	.mxPathname = 4096, /* a VFS below with less refuses by itself */
	.zName = NAME,
	.xOpen = on_open,
	.xDelete = on_delete,
	.xAccess = on_access,
	.xFullPathname = on_path,
	.xRandomness = on_randomness,
	.xSleep = on_sleep,
	.xCurrentTime = on_time,
	.xGetLastError = on_last_error,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered = SQLITE_NOMEM;

static void register_it(void)
{
	registered = sqlite3_vfs_register(&vfs, 0);
}

const char *db_vfs(void)
{
	return pthread_once(&once, register_it) == 0 && registered == SQLITE_OK ? NAME : NULL;
}
