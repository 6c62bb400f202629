/* gateway/supervision/gw_uids.c - where the gateway is root: a user of its own for each instance's folder */
#include "gateway/supervision/gw_uids.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

#define UIDS_N (GW_UID_LAST - GW_UID_FIRST + 1)
#define PROBE ".uid-probe"

static bool is_ours(uid_t uid)
{
	return uid >= GW_UID_FIRST && uid <= GW_UID_LAST;
}

/* ---- what can be done ------------------------------------------------------------------------ */

/* The zygote's children change their uid. */
static bool may_change_uid(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const uint32_t need = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_CHOWN;

	return syscall(SYS_capget, &head, caps) == 0 && (caps[0].effective & need) == need;
}

/* Not so in a user namespace that lacks the range, or on some network file systems. */
static bool may_give_away(int instances_fd)
{
	bool ok = mkdirat(instances_fd, PROBE, 0700) == 0 || errno == EEXIST;

	ok =
	    ok && fchownat(instances_fd, PROBE, GW_UID_LAST, GW_UID_LAST, AT_SYMLINK_NOFOLLOW) == 0;
	(void)unlinkat(instances_fd, PROBE, AT_REMOVEDIR);
	return ok;
}

/* The first folder on the way that other users can't pass, in path; or true. */
static bool way_is_open(char *path)
{
	struct stat st;

	for (char *p = path; p != NULL;) {
		char *slash = strchr(p + 1, '/');
		bool open;

		if (slash != NULL)
			*slash = '\0';
		open = stat(path, &st) == 0 && (st.st_mode & S_IXOTH) != 0;
		if (!open)
			return false;
		if (slash != NULL)
			*slash = '/';
		p = slash;
	}
	return true;
}

static bool find_out(const char *data_dir, int instances_fd)
{
	const char *why = "other users can't pass this folder";
	char path[PATH_MAX];
	struct stat st;

	if (realpath(data_dir, path) == NULL || stat(path, &st) < 0)
		return false;
	(void)!chmod(path, (st.st_mode | S_IXGRP | S_IXOTH) & ALLPERMS);
	(void)!fchmod(instances_fd, 0711);
	if (!may_change_uid())
		why = "the gateway may not change users";
	else if (!may_give_away(instances_fd))
		why = "folders can't be given to other users";
	else if (way_is_open(path))
		return true;
	LOG(NULL, LOG_WARNING, "workers_share_uid", LF_STR("why", why), LF_STR("folder", path),
	    LF_STR("hint", "they are held apart by Landlock and seccomp alone"));
	return false;
}

static void count(struct gw_uids *u, int instances_fd)
{
	int fd = fcntl(instances_fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(dir);
	while ((e = readdir(dir)) != NULL)
		if (fstatat(instances_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    is_ours(st.st_uid) && u->used[st.st_uid - GW_UID_FIRST] < UINT16_MAX)
			u->used[st.st_uid - GW_UID_FIRST]++;
	closedir(dir);
}

void gw_uids_init(struct gw_uids *u, const char *data_dir, int instances_fd)
{
	*u = (struct gw_uids){ 0 };
#ifndef WARDEN_SANITIZERS /* no sandbox there */
	u->root = geteuid() == 0;
#endif
	u->on = u->root && find_out(data_dir, instances_fd);
	if (u->on)
		count(u, instances_fd);
}

/* ---- uids ------------------------------------------------------------------------------------ */

/* systemd marks those that it has lent to a service that runs now. */
static bool is_lent(uint32_t i)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/systemd/dynamic-uid/%u", GW_UID_FIRST + i);
	return access(path, F_OK) == 0;
}

/* The next that is free, so that one that was given back rests; else the least shared. */
static uint32_t pick(struct gw_uids *u)
{
	uint32_t best = u->next;

	for (uint32_t n = 0; n < UIDS_N; n++) {
		uint32_t i = (u->next + n) % UIDS_N;

		if (is_lent(i))
			continue;
		if (u->used[i] < u->used[best] || is_lent(best))
			best = i;
		if (u->used[best] == 0)
			break;
	}
	u->next = (best + 1) % UIDS_N;
	return best;
}

/* ---- folders --------------------------------------------------------------------------------- */

/*
 * A worker may have been taken over and have filled its folder with what it likes: only plain files
 * that are nowhere else are given away, and nothing is followed.
 */
static int settle_file(int dir_fd, const char *name, uid_t uid)
{
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid != uid &&
	         fchownat(fd, "", uid, (gid_t)uid, AT_EMPTY_PATH) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* dir_fd is taken. */
static int settle_files(int dir_fd, uid_t uid)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *e;
	int rc = 0;

	if (dir == NULL) {
		close(dir_fd);
		return -ENOMEM;
	}
	while (rc == 0 && (e = readdir(dir)) != NULL)
		rc = settle_file(dirfd(dir), e->d_name, uid);
	closedir(dir);
	return rc;
}

int gw_uids_settle(struct gw_uids *u, int instances_fd, const char *id)
{
	struct stat st;
	uid_t uid = 0; /* the gateway's: this is for root only */
	int fd, rc;

	if (!u->root)
		return 0;
	fd = openat(instances_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	if (rc == 0 && u->on) {
		uid = is_ours(st.st_uid) ? st.st_uid : GW_UID_FIRST + pick(u);
		if (uid != st.st_uid && u->used[uid - GW_UID_FIRST] < UINT16_MAX)
			u->used[uid - GW_UID_FIRST]++;
	}
	if (rc == 0 && uid != st.st_uid && fchown(fd, uid, (gid_t)uid) < 0)
		rc = -errno;
	if (rc == 0)
		return settle_files(fd, uid);
	close(fd);
	return rc;
}

void gw_uids_release(struct gw_uids *u, int instances_fd, const char *id)
{
	struct stat st;

	if (u->on && fstatat(instances_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is_ours(st.st_uid) && u->used[st.st_uid - GW_UID_FIRST] > 0)
		u->used[st.st_uid - GW_UID_FIRST]--;
}
