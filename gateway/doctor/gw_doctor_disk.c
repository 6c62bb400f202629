/* gateway/doctor/gw_doctor_disk.c - is data_dir a place where sessions can live, and is the key there? */
#include "gateway/doctor/gw_doctor_disk.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "gateway/doctor/gw_doctor_host.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_registry.h"

#define MIB (UINT64_C(1024) * 1024)
#define SPACE_FAILED (64 * MIB)
#define SPACE_WARNING (1024 * MIB)
#define INODES_WARNING 10000
#define SYNC_SLOW_MS 100
#define TRIAL_LEN 4096

/* ---- judging -----------------------------------------------------------------------------------
 */

void gw_doctor_judge_space(uint64_t free_bytes, uint64_t free_inodes, uint64_t all_inodes,
                           struct gw_findings *fs)
{
	unsigned long long mib = free_bytes / MIB;

	if (free_bytes < SPACE_FAILED)
		gw_finding_set(fs, GW_CHECK_FREE_SPACE, GW_FAILED,
		               "make room on data_dir's file system: without it no session can be "
		               "stored",
		               "%llu MiB are free", mib);
	else if (free_bytes < SPACE_WARNING)
		gw_finding_set(fs, GW_CHECK_FREE_SPACE, GW_WARNING,
		               "make room on data_dir's file system soon", "%llu MiB are free",
		               mib);
	/* file systems without a fixed number of inodes say 0 */
	if (all_inodes > 0 && free_inodes < INODES_WARNING)
		gw_finding_set(fs, GW_CHECK_FREE_SPACE, free_inodes == 0 ? GW_FAILED : GW_WARNING,
		               "remove files from data_dir's file system: it can't hold many more",
		               "%llu inodes are free", (unsigned long long)free_inodes);
	gw_finding_set(fs, GW_CHECK_FREE_SPACE, GW_OK, NULL, "%llu MiB are free", mib);
}

static const struct kind {
	uint64_t magic;
	const char *name;
	const char *why; /* not to have sessions there; NULL: fine */
} kinds[] = {
	{ EXT4_SUPER_MAGIC, "ext4", NULL },
	{ XFS_SUPER_MAGIC, "xfs", NULL },
	{ BTRFS_SUPER_MAGIC, "btrfs", NULL },
	{ OVERLAYFS_SUPER_MAGIC, "overlayfs",
	  "what is on it may go with its container: mount a volume at data_dir" },
	{ TMPFS_MAGIC, "tmpfs",
	  "everything on it is lost at the next reboot: choose another place" },
	{ NFS_SUPER_MAGIC, "nfs",
	  "locks and fsync over a network are not to be relied on: choose a local disk" },
	{ CIFS_SUPER_MAGIC, "cifs",
	  "locks and fsync over a network are not to be relied on: choose a local disk" },
	{ SMB2_SUPER_MAGIC, "smb",
	  "locks and fsync over a network are not to be relied on: choose a local disk" },
	{ V9FS_MAGIC, "9p",
	  "locks and fsync of a shared folder are not to be relied on: choose a local disk" },
	{ FUSE_SUPER_MAGIC, "fuse",
	  "make sure that it keeps what fsync was called for, or choose a local "
	  "disk" },
};

void gw_doctor_judge_kind(uint64_t magic, struct gw_findings *fs)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].magic != magic)
			continue;
		gw_finding_set(fs, GW_CHECK_FILE_SYSTEM, kinds[i].why != NULL ? GW_WARNING : GW_OK,
		               kinds[i].why, "%s", kinds[i].name);
		return;
	}
	gw_finding_set(fs, GW_CHECK_FILE_SYSTEM, GW_OK, NULL, "of type 0x%llx",
	               (unsigned long long)magic);
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static const char *advice_for(int err)
{
	switch (err) {
	case EROFS:
		return "mount data_dir's file system for writing";
	case ENOSPC:
	case EDQUOT:
		return "make room on data_dir's file system";
	case EACCES:
	case EPERM:
		return "data_dir has to belong to the user that wardend runs as";
	case EIO:
		return "look at the kernel's log: the disk may be failing";
	case ENOLCK:
		return "its file system can't lock files: choose a local disk";
	default:
		return "see to it that wardend can write to data_dir";
	}
}

/* Write, lock, sync and rename a file as a session's store does. 0 or an errno; *step_out says
 * where. */
static int try_writing(int dir_fd, const char *name, const char *next, const char **step_out)
{
	static const char page[TRIAL_LEN] = "wardenctl doctor";
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err = 0;

	*step_out = "made in";
	if (fd < 0)
		return errno;
	*step_out = "locked in";
	if (fcntl(fd, F_SETLK, &lock) < 0)
		err = errno;
	if (err == 0) {
		*step_out = "written to";
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			err = errno != 0 ? errno : ENOSPC;
	}
	if (err == 0) {
		*step_out = "made durable in";
		if (fsync(fd) < 0)
			err = errno;
	}
	close(fd);
	if (err == 0) {
		*step_out = "renamed in";
		if (renameat(dir_fd, name, dir_fd, next) < 0 || fsync(dir_fd) < 0)
			err = errno;
	}
	return err;
}

static void look_at_writing(int dir_fd, const char *data_dir, struct gw_findings *fs)
{
	char name[48], next[52];
	const char *step = "";
	uint64_t began = clock_ms(), took, id;
	int err;

	if (secret_random(&id, sizeof(id)) < 0)
		id = clock_us();
	snprintf(name, sizeof(name), ".doctor-%016llx", (unsigned long long)id);
	snprintf(next, sizeof(next), "%s-2", name);
	errno = 0;
	err = try_writing(dir_fd, name, next, &step);
	(void)unlinkat(dir_fd, name, 0);
	(void)unlinkat(dir_fd, next, 0);
	took = clock_ms() - began;
	if (err != 0)
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_FAILED, advice_for(err),
		               "no file can be %s %s: %s", step, data_dir, strerror(err));
	else if (took > SYNC_SLOW_MS)
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_WARNING,
		               "every link and every message waits for this disk: a faster one "
		               "helps",
		               "making a file durable in %s took %llu ms", data_dir,
		               (unsigned long long)took);
	gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_OK, NULL,
	               "%s is ours and can be written to (durable in %llu ms)", data_dir,
	               (unsigned long long)took);
}

static void look_at_owner(const struct stat *st, const char *data_dir, uid_t uid, bool own_uids,
                          struct gw_findings *fs)
{
	char advice[GW_FINDING_TEXT_CAP];

	if (st->st_uid != uid) {
		snprintf(advice, sizeof(advice), "chown -R %u %s", (unsigned)uid, data_dir);
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_WARNING, advice,
		               "%s belongs to user %u, and wardend runs as user %u", data_dir,
		               (unsigned)st->st_uid, (unsigned)uid);
	}
	/* where workers have users of their own, these have to pass */
	snprintf(advice, sizeof(advice), "chmod %s %s", own_uids ? "711" : "700", data_dir);
	if ((st->st_mode & 0022) != 0)
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_FAILED, advice,
		               "others can write to %s (mode %03o)", data_dir, st->st_mode & 0777u);
	else if (own_uids && (st->st_mode & S_IXOTH) == 0)
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_FAILED, advice,
		               "the users that workers run as can't pass %s (mode %03o)", data_dir,
		               st->st_mode & 0777u);
	else if ((st->st_mode & 0044) != 0)
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_WARNING, advice,
		               "others can read %s (mode %03o)", data_dir, st->st_mode & 0777u);
}

/* The folder that is no instance's belongs to nobody else but where all have owners of their own.
 */
static bool has_own_uids(int dir_fd, uid_t uid)
{
	struct stat st;

	return fstatat(dir_fd, "instances/" GW_PROBE_ID, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_uid != uid;
}

static void look_at_instances(int dir_fd, const struct stat *st, struct gw_findings *fs)
{
	struct stat sub;

	if (fstatat(dir_fd, "instances", &sub, AT_SYMLINK_NOFOLLOW) < 0)
		gw_finding_set(
		    fs, GW_CHECK_DATA_DIR, GW_FAILED,
		    "put back data_dir/instances from the backup: the sessions are in it",
		    "data_dir/instances: %s", strerror(errno));
	else if (!S_ISDIR(sub.st_mode))
		gw_finding_set(fs, GW_CHECK_DATA_DIR, GW_FAILED,
		               "data_dir/instances has to be a directory of its own",
		               "data_dir/instances is no directory");
	else if (sub.st_dev != st->st_dev)
		gw_finding_set(fs, GW_CHECK_FILE_SYSTEM, GW_WARNING,
		               "back up and watch both of them",
		               "data_dir and data_dir/instances are on two file systems");
}

void gw_doctor_disk_look(const char *data_dir, uid_t uid, struct gw_findings *fs)
{
	int dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	struct statvfs room;
	struct statfs kind;

	if (dir_fd < 0 || fstat(dir_fd, &st) < 0) {
		int err = errno;

		for (int i = GW_CHECK_DATA_DIR; i <= GW_CHECK_FILE_SYSTEM; i++)
			gw_finding_set(fs, (enum gw_check)i, GW_FAILED,
			               "data_dir has to be a directory that wardend can use",
			               "%s: %s", data_dir, strerror(err));
		if (dir_fd >= 0)
			close(dir_fd);
		return;
	}
	look_at_owner(&st, data_dir, uid, has_own_uids(dir_fd, uid), fs);
	look_at_instances(dir_fd, &st, fs);
	look_at_writing(dir_fd, data_dir, fs);
	if (fstatvfs(dir_fd, &room) < 0 || fstatfs(dir_fd, &kind) < 0) {
		for (int i = GW_CHECK_FREE_SPACE; i <= GW_CHECK_FILE_SYSTEM; i++)
			gw_finding_set(fs, (enum gw_check)i, GW_FAILED, advice_for(EIO), "%s: %s",
			               data_dir, strerror(errno));
	} else {
		gw_doctor_judge_space((uint64_t)room.f_bavail * room.f_frsize, room.f_favail,
		                      room.f_files, fs);
		gw_doctor_judge_kind((uint64_t)kind.f_type & 0xffffffff, fs);
	}
	close(dir_fd);
}

/* ---- the thread --------------------------------------------------------------------------------
 */

/* Shared by the loop and the thread; freed by whoever is last. */
struct shared {
	atomic_int users;
	int fd; /* eventfd: fs is complete */
	uid_t uid;
	struct gw_findings fs;
	struct sealed_key key;
	const char *key_from;
	char key_path[PATH_MAX];
	char data_dir[PATH_MAX];
};

struct gw_doctor_disk {
	struct shared *shared;
	struct event *ev;
	void (*on_done)(const struct gw_findings *fs, void *arg);
	void *arg;
};

static void shared_leave(struct shared *s)
{
	if (atomic_fetch_sub(&s->users, 1) > 1)
		return;
	if (s->fd >= 0)
		close(s->fd);
	secret_wipe(&s->key, sizeof(s->key));
	free(s);
}

/* The next start reads this file: does it hold what this gateway works with? */
static void look_at_key(struct shared *s)
{
	struct sealed_key there;
	struct stat st = { 0 };
	int rc = gw_master_key_derive_from(s->key_path, GW_DOCTOR_KEY_OWNER, 0, &there);

	if (rc == 0 && !secret_eq(there.bytes, s->key.bytes, sizeof(there.bytes)))
		rc = WA_EAUTH;
	if (rc == 0 && stat(s->key_path, &st) < 0)
		rc = -errno;
	secret_wipe(&there, sizeof(there));
	gw_doctor_judge_key(s->key_path, s->key_from, rc, st.st_mode, st.st_uid, s->uid, &s->fs);
}

static void *look(void *arg)
{
	struct shared *s = arg;
	const uint64_t one = 1;

	gw_doctor_disk_look(s->data_dir, s->uid, &s->fs);
	look_at_key(s);
	(void)!write(s->fd, &one, sizeof(one)); /* orders fs before the loop's read */
	shared_leave(s);
	return NULL;
}

static void on_looked(evutil_socket_t fd, short what, void *arg)
{
	struct gw_doctor_disk *d = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		d->on_done(&d->shared->fs, d->arg);
}

static struct shared *shared_new(const struct gw_doctor_disk_params *p)
{
	struct shared *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	snprintf(s->data_dir, sizeof(s->data_dir), "%s", p->data_dir);
	snprintf(s->key_path, sizeof(s->key_path), "%s", p->key_path);
	s->key_from = p->key_from;
	s->key = p->key;
	s->uid = geteuid();
	s->users = 1;
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s;
}

/* Detached; signals are the loop's alone. */
static int start_thread(struct shared *s)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int rc = -pthread_attr_init(&attr);

	if (rc < 0)
		return rc;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	atomic_fetch_add(&s->users, 1);
	rc = -pthread_create(&thread, &attr, look, s);
	if (rc < 0)
		shared_leave(s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

int gw_doctor_disk_start(struct event_base *base, const struct gw_doctor_disk_params *params,
                         void (*on_done)(const struct gw_findings *fs, void *arg), void *arg,
                         struct gw_doctor_disk **disk_out)
{
	struct gw_doctor_disk *d = calloc(1, sizeof(*d));
	int rc = -ENOMEM;

	if (d == NULL)
		return rc;
	d->on_done = on_done;
	d->arg = arg;
	d->shared = shared_new(params);
	if (d->shared != NULL && d->shared->fd >= 0)
		d->ev = event_new(base, d->shared->fd, EV_READ, on_looked, d);
	if (d->ev != NULL && event_add(d->ev, NULL) == 0)
		rc = start_thread(d->shared);
	if (rc < 0)
		gw_doctor_disk_free(d);
	else
		*disk_out = d;
	return rc;
}

void gw_doctor_disk_free(struct gw_doctor_disk *d)
{
	if (d == NULL)
		return;
	if (d->ev != NULL)
		event_free(d->ev);
	if (d->shared != NULL)
		shared_leave(d->shared);
	free(d);
}
