/* tests/unit/powercut_vfs.c - files in memory that lose what was not synced when the power fails */
#include "powercut_vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 8
#define NAME_CAP 256
#define SECTOR 512

/* Since the last sync, oldest first. */
struct change {
	struct change *next;
	bool truncate; /* to at; else len bytes at it */
	uint64_t at;
	size_t len;
	uint8_t data[];
};

struct bytes {
	uint8_t *p;
	size_t len, cap;
};

struct file {
	char name[NAME_CAP];
	struct bytes now, disk;
	struct change *first, **last;
	bool is_there, disk_has_it;
	bool syncs_dir; /* a journal or WAL: SQLite's Unix VFS syncs the folder with the first sync
	                 */
	unsigned open_n;
};

struct handle {
	sqlite3_file base;
	struct file *f;
};

static struct {
	struct file files[FILES_MAX];
	uint64_t random, ops, cut_at;
	bool off;
} disk;

static void *must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

/* xorshift64*; never 0 */
static uint64_t draw(void)
{
	disk.random ^= disk.random >> 12;
	disk.random ^= disk.random << 25;
	disk.random ^= disk.random >> 27;
	return disk.random * 2685821657736338717u;
}

static bool one_in(unsigned n)
{
	return (draw() >> 33) % n == 0;
}

/* ---- bytes --------------------------------------------------------------------------------------
 */

static void bytes_resize(struct bytes *b, size_t len)
{
	if (len > b->cap) {
		b->cap = len * 2;
		b->p = must(realloc(b->p, b->cap));
	}
	if (len > b->len)
		memset(b->p + b->len, 0, len - b->len);
	b->len = len;
}

static void bytes_write(struct bytes *b, uint64_t at, const void *data, size_t len)
{
	if (at + len > b->len)
		bytes_resize(b, (size_t)at + len);
	memcpy(b->p + at, data, len);
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
	to->len = 0;
	bytes_resize(to, from->len);
	if (from->len > 0)
		memcpy(to->p, from->p, from->len);
}

/* ---- changes ------------------------------------------------------------------------------------
 */

static void changes_drop(struct file *f)
{
	for (struct change *c = f->first, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	f->first = NULL;
	f->last = &f->first;
}

static void change_add(struct file *f, bool truncate, uint64_t at, const void *data, size_t len)
{
	struct change *c = must(malloc(sizeof(*c) + len));

	c->next = NULL;
	c->truncate = truncate;
	c->at = at;
	c->len = len;
	if (len > 0)
		memcpy(c->data, data, len);
	*f->last = c;
	f->last = &c->next;
}

static void change_apply(struct bytes *b, const struct change *c)
{
	if (c->truncate)
		bytes_resize(b, (size_t)c->at);
	else
		bytes_write(b, c->at, c->data, c->len);
}

/* Each of its sectors by itself. */
static void change_apply_torn(struct bytes *b, const struct change *c)
{
	for (size_t i = 0, n; i < c->len; i += n) {
		n = SECTOR - (size_t)((c->at + i) % SECTOR);
		if (n > c->len - i)
			n = c->len - i;
		if (one_in(2))
			bytes_write(b, c->at + i, c->data + i, n);
	}
}

/* What of the changes has reached the disk by itself. */
static void changes_survive(struct file *f)
{
	unsigned of = (unsigned)(draw() >> 33) % 4; /* none, nearly all, half, few */

	for (const struct change *c = f->first; of > 0 && c != NULL; c = c->next) {
		if (of == 1 ? one_in(8) : of == 2 ? one_in(2) : !one_in(4))
			continue;
		if (!c->truncate && one_in(4))
			change_apply_torn(&f->disk, c);
		else
			change_apply(&f->disk, c);
	}
	if (f->is_there != f->disk_has_it && one_in(2))
		f->disk_has_it = f->is_there;
}

/* ---- files --------------------------------------------------------------------------------------
 */

static struct file *find(const char *name, bool make)
{
	for (int i = 0; i < FILES_MAX; i++)
		if (strcmp(disk.files[i].name, name) == 0)
			return &disk.files[i];
	for (int i = 0; make && i < FILES_MAX; i++) {
		struct file *f = &disk.files[i];

		if (f->name[0] == '\0') {
			snprintf(f->name, sizeof(f->name), "%s", name);
			f->last = &f->first;
			return f;
		}
	}
	return NULL;
}

static void file_clear(struct file *f)
{
	changes_drop(f);
	f->now.len = f->disk.len = 0;
}

/* Counts one; true when the power fails with it, or was off already. */
static bool fails(bool *just_out)
{
	*just_out = false;
	if (disk.off)
		return true;
	disk.ops++;
	if (disk.cut_at == 0 || disk.ops < disk.cut_at)
		return false;
	*just_out = true;
	disk.off = true;
	return true;
}

static struct file *file_of(sqlite3_file *h)
{
	return ((struct handle *)h)->f;
}

static int file_close(sqlite3_file *h)
{
	file_of(h)->open_n--;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *h, void *out, int n, sqlite3_int64 at)
{
	const struct bytes *b = &file_of(h)->now;
	size_t have = (size_t)at < b->len ? b->len - (size_t)at : 0;

	if (have >= (size_t)n) {
		memcpy(out, b->p + at, (size_t)n);
		return SQLITE_OK;
	}
	memset(out, 0, (size_t)n);
	if (have > 0)
		memcpy(out, b->p + at, have);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *h, const void *data, int n, sqlite3_int64 at)
{
	struct file *f = file_of(h);
	bool just, failed = fails(&just);

	if (!failed || just)
		change_add(f, false, (uint64_t)at, data, (size_t)n);
	if (failed)
		return SQLITE_IOERR_WRITE;
	bytes_write(&f->now, (uint64_t)at, data, (size_t)n);
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *h, sqlite3_int64 len)
{
	struct file *f = file_of(h);
	bool just, failed = fails(&just);

	if (!failed || just)
		change_add(f, true, (uint64_t)len, NULL, 0);
	if (failed)
		return SQLITE_IOERR_TRUNCATE;
	bytes_resize(&f->now, (size_t)len);
	return SQLITE_OK;
}

/* Who is there and who is not, for certain. All files are in one folder. */
static void sync_dir(void)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct file *f = &disk.files[i];

		f->disk_has_it = f->is_there;
		if (!f->is_there)
			f->disk.len = 0;
	}
}

static int file_sync(sqlite3_file *h, int flags)
{
	struct file *f = file_of(h);
	bool just;

	(void)flags;
	if (fails(&just))
		return SQLITE_IOERR_FSYNC;
	for (const struct change *c = f->first; c != NULL; c = c->next)
		change_apply(&f->disk, c);
	changes_drop(f);
	if (!f->disk_has_it && f->syncs_dir)
		sync_dir();
	f->disk_has_it = true;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *h, sqlite3_int64 *len_out)
{
	*len_out = (sqlite3_int64)file_of(h)->now.len;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *h, int level)
{
	(void)h;
	(void)level;
	return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *h, int *out)
{
	(void)h;
	*out = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *h, int op, void *arg)
{
	(void)h;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *h)
{
	(void)h;
	return 4096;
}

static int file_traits(sqlite3_file *h)
{
	(void)h;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Version 1: no shared memory, which the exclusive locking of common/db.c does without. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

/* ---- the VFS ------------------------------------------------------------------------------------
 */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *h, int flags, int *flags_out)
{
	struct handle *out = (struct handle *)h;
	struct file *f = name == NULL ? NULL : find(name, true);

	(void)vfs;
	h->pMethods = NULL;
	if (f == NULL || disk.off)
		return SQLITE_CANTOPEN;
	if (!f->is_there) { /* a removal not synced yet is taken as done: another file has its name
		             */
		f->disk.len = 0;
		f->disk_has_it = false;
	}
	f->is_there = true;
	f->syncs_dir = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
	f->open_n++;
	out->f = f;
	h->pMethods = &methods;
	if (flags_out != NULL)
		*flags_out = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int and_sync_dir)
{
	struct file *f = find(name, false);
	bool just;

	(void)vfs;
	if (f == NULL || !f->is_there)
		return SQLITE_IOERR_DELETE_NOENT;
	if (fails(&just))
		return SQLITE_IOERR_DELETE;
	f->is_there = false;
	changes_drop(f);
	f->now.len = 0;
	if (and_sync_dir)
		sync_dir();
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	const struct file *f = find(name, false);

	(void)vfs;
	(void)flags;
	*out = f != NULL && f->is_there;
	return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
	(void)vfs;
	return snprintf(out, (size_t)cap, "%s", name) < cap ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	for (int i = 0; i < n; i++)
		out[i] = (char)(draw() >> 40);
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *julian_day_out)
{
	(void)vfs;
	*julian_day_out = 2461374.0;
	return SQLITE_OK;
}

static sqlite3_vfs vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(struct handle),
	.mxPathname = NAME_CAP - 1,
	.zName = "powercut",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_name,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_time,
};

void powercut_install(void)
{
	disk.random = 1;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

void powercut_reset(uint64_t seed)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct file *f = &disk.files[i];

		if (f->open_n > 0)
			abort();
		if (f->name[0] == '\0')
			continue;
		file_clear(f);
		free(f->now.p);
		free(f->disk.p);
		memset(f, 0, sizeof(*f));
	}
	disk.random = seed * 2 + 1;
	disk.ops = disk.cut_at = 0;
	disk.off = false;
	for (int i = 0; i < 8; i++)
		(void)draw();
}

void powercut_after(uint64_t n)
{
	disk.cut_at = n == 0 ? 0 : disk.ops + n;
}

bool powercut_is_off(void)
{
	return disk.off;
}

uint64_t powercut_ops(void)
{
	return disk.ops;
}

void powercut_now(void)
{
	disk.off = true;
}

void powercut_power_on(void)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct file *f = &disk.files[i];

		if (f->open_n > 0)
			abort();
		if (f->name[0] == '\0')
			continue;
		changes_survive(f);
		changes_drop(f);
		f->is_there = f->disk_has_it;
		if (!f->is_there)
			f->disk.len = 0;
		bytes_copy(&f->now, &f->disk);
	}
	disk.cut_at = 0;
	disk.off = false;
}
