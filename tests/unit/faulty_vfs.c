/* tests/unit/faulty_vfs.c - SQLite's own VFS, and a counter in front of each of its operations */
#include "faulty_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

/* A store may run in a thread of its own. */
static atomic_uint left; /* operations until the one that fails; 0: none is to */
static atomic_int code;
static atomic_bool for_good, failed;

struct file {
	sqlite3_file base;
	sqlite3_file *real; /* behind it */
};

static sqlite3_vfs *real_vfs(void)
{
	return sqlite3_vfs_find("unix");
}

static sqlite3_file *real_file(sqlite3_file *f)
{
	return ((struct file *)f)->real;
}

/* SQLITE_OK, or what this operation fails with. */
static int turn(void)
{
	if (atomic_load(&failed) && atomic_load(&for_good))
		return atomic_load(&code);
	if (atomic_load(&left) == 0 || atomic_fetch_sub(&left, 1) != 1)
		return SQLITE_OK;
	atomic_store(&failed, true);
	return atomic_load(&code);
}

static int on_close(sqlite3_file *f)
{
	return real_file(f)->pMethods->xClose(real_file(f));
}

static int on_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
	int rc = turn();

	return rc != SQLITE_OK ? rc : real_file(f)->pMethods->xRead(real_file(f), out, n, at);
}

/* A disk that gives up does so in the middle. */
static int on_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	int rc = turn();

	if (rc == SQLITE_OK)
		return real_file(f)->pMethods->xWrite(real_file(f), data, n, at);
	(void)real_file(f)->pMethods->xWrite(real_file(f), data, n / 2, at);
	return rc;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = turn();

	return rc != SQLITE_OK ? rc : real_file(f)->pMethods->xTruncate(real_file(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	int rc = turn();

	return rc != SQLITE_OK ? rc : real_file(f)->pMethods->xSync(real_file(f), flags);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return real_file(f)->pMethods->xFileSize(real_file(f), out);
}

static int on_lock(sqlite3_file *f, int lock)
{
	return real_file(f)->pMethods->xLock(real_file(f), lock);
}

static int on_unlock(sqlite3_file *f, int lock)
{
	return real_file(f)->pMethods->xUnlock(real_file(f), lock);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
	return real_file(f)->pMethods->xCheckReservedLock(real_file(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real_file(f)->pMethods->xFileControl(real_file(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
	return real_file(f)->pMethods->xSectorSize(real_file(f));
}

static int on_traits(sqlite3_file *f)
{
	return real_file(f)->pMethods->xDeviceCharacteristics(real_file(f));
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

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *flags_out)
{
	struct file *file = (struct file *)f;
	int rc = turn();

	(void)vfs;
	file->base.pMethods = NULL;
	if (rc != SQLITE_OK)
		return rc;
	file->real = (sqlite3_file *)(file + 1);
	rc = real_vfs()->xOpen(real_vfs(), name, file->real, flags, flags_out);
	if (rc == SQLITE_OK)
		file->base.pMethods = &methods;
	return rc;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	int rc = turn();

	(void)vfs;
	return rc != SQLITE_OK ? rc : real_vfs()->xDelete(real_vfs(), name, sync_dir);
}

void faulty_vfs_install(void)
{
	static sqlite3_vfs vfs;

	if (sqlite3_vfs_find("faulty") != NULL) {
		(void)sqlite3_vfs_register(&vfs, 1);
		return;
	}
	vfs = *real_vfs();
	vfs.zName = "faulty";
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct file) + real_vfs()->szOsFile;
	vfs.xOpen = on_open;
	vfs.xDelete = on_delete;
	(void)sqlite3_vfs_register(&vfs, 1);
}

void faulty_vfs_remove(void)
{
	(void)sqlite3_vfs_register(real_vfs(), 1);
}

void faulty_vfs_fail(unsigned nth, int rc, bool stays)
{
	atomic_store(&failed, false);
	atomic_store(&for_good, stays);
	atomic_store(&code, rc);
	atomic_store(&left, nth);
}

bool faulty_vfs_has_failed(void)
{
	return atomic_load(&failed);
}
