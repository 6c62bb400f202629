/* worker/process/wk_fds.c - closing what a new process must not keep open */
#include "worker/process/wk_fds.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Kernels before 5.9 have no close_range: close what /proc shows. */
static void close_listed(int first)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd >= first && fd != dirfd(dir))
			(void)close(fd);
	}
	(void)closedir(dir);
}

void wk_close_from(int first)
{
	/* By system call: the C library's wrapper is younger than the kernels we support. */
	if (syscall(SYS_close_range, first, ~0U, 0) < 0)
		close_listed(first);
}
