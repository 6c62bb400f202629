/* gateway/registry/gw_dir.c - making and removing directories */
#include "gateway/registry/gw_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16

int gw_dir_make(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	if (len == 0 || len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, 0700) == 0) {
			if (c != '\0' && chmod(part, 0711) < 0)
				return -errno;
		} else if (errno != EEXIST) {
			return -errno;
		}
		*p = c;
		if (c == '\0')
			break;
	}
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int remove_tree(int dir_fd, const char *name, int depth);

static int remove_entries(DIR *dir, int depth)
{
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
			continue;
		/* EISDIR by Linux, EPERM by POSIX */
		if (errno != EISDIR && errno != EPERM)
			return -errno;
		rc = remove_tree(dirfd(dir), e->d_name, depth);
	}
	return rc < 0 ? rc : -errno;
}

static int remove_tree(int dir_fd, const char *name, int depth)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir;
	int rc;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (depth == 0) {
		close(fd);
		return -ELOOP;
	}
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = remove_entries(dir, depth - 1);
	closedir(dir);
	if (rc == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	return rc;
}

int gw_dir_remove(int dir_fd, const char *name)
{
	return remove_tree(dir_fd, name, DEPTH_MAX);
}
