/* gateway/supervision/gw_proc.c - workers recognised by /proc */
#include "gateway/supervision/gw_proc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "common/proc_stat.h"

#define CMDLINE_MAX 4608 /* a data_dir may be long */

/* The whole file, cut at cap - 1, with a NUL behind it. Bytes; 0: it can't be read. */
static size_t read_file(const char *path, char *out, size_t cap)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(out, 1, cap - 1, f);
	fclose(f);
	out[n] = '\0';
	return n;
}

/* Arguments one to three: "warden-worker --instance ID". */
static bool serves(pid_t pid, const char *instance_id)
{
	static const char *const begin[] = { "warden-worker", "--instance" };
	char path[64], text[CMDLINE_MAX];
	const char *p = text, *end;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	n = read_file(path, text, sizeof(text));
	if (n == 0)
		return false;
	end = text + n;
	for (size_t i = 0; i < 2; i++) {
		if (p >= end || strcmp(p, begin[i]) != 0)
			return false;
		p += strlen(p) + 1;
	}
	return p < end && strcmp(p, instance_id) == 0;
}

static bool started_at(pid_t pid, uint64_t ticks)
{
	return ticks == 0 || proc_start_ticks(pid) == ticks;
}

static bool is_hidden(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
	return access(path, F_OK) < 0;
}

int gw_proc_open_worker(pid_t pid, const char *instance_id, uint64_t start_ticks, bool vouched)
{
	bool is_it;
	int fd;

	if (pid <= 1)
		return -ESRCH;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return -errno;
	/* looked at with the descriptor in hand: it is this process that the descriptor means */
	is_it = is_hidden(pid) ? vouched : serves(pid, instance_id) && started_at(pid, start_ticks);
	if (is_it &&
	    (pidfd_send_signal(fd, 0, NULL, 0) == 0 || errno == EPERM)) /* another user's */
		return fd;
	close(fd);
	return -ESRCH;
}

int gw_proc_kill(int pidfd, pid_t pid)
{
	int rc = pidfd_send_signal(pidfd, SIGKILL, NULL, 0);

	if (rc < 0 && errno == ENOSYS && pid > 1)
		rc = kill(pid, SIGKILL);
	return rc < 0 ? -errno : 0;
}

pid_t gw_proc_find_worker(const char *instance_id)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (dir != NULL && found == 0 && (e = readdir(dir)) != NULL) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (*end == '\0' && pid > 1 && serves((pid_t)pid, instance_id))
			found = (pid_t)pid;
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}
