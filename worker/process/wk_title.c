/* worker/process/wk_title.c - rewriting the own command line */
#include "worker/process/wk_title.h"

#include <errno.h>
#include <linux/prctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STAT_FIELDS 52 /* of /proc/PID/stat, numbered from 1, see proc(5) */

void wk_title_init(struct wk_title *t, int argc, char **argv)
{
	char *end = argv[0];

	/* The kernel puts the arguments one behind the other. */
	for (int i = 0; i < argc && argv[i] == end; i++)
		end = argv[i] + strlen(argv[i]) + 1;
	t->room = argv[0];
	t->room_len = (size_t)(end - argv[0]);
}

/* field[n] is field n; those from 3 on are numbers, but for the state in 3. */
static int read_stat(unsigned long long field[STAT_FIELDS + 1])
{
	FILE *f = fopen("/proc/self/stat", "re");
	char text[2048];
	size_t len;
	char *p;

	if (f == NULL)
		return -errno;
	len = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[len] = '\0';
	p = strrchr(text, ')'); /* ends field 2, which may hold anything */
	if (p == NULL || strlen(p) < 4)
		return -EIO;
	p += 3; /* behind the state, field 3 */
	for (int i = 4; i <= STAT_FIELDS; i++) {
		char *end;

		p = strchr(p, ' ');
		if (p == NULL)
			return -EIO;
		field[i] = strtoull(p, &end, 10);
		p = end;
	}
	return 0;
}

/*
 * Tell the kernel where the arguments end and that there is no environment. PR_SET_MM_MAP needs no
 * privilege, but wants every field: all others stay what they are.
 */
static int set_bounds(const char *start, size_t len)
{
	unsigned long long f[STAT_FIELDS + 1] = { 0 };
	struct prctl_mm_map map;
	int rc = read_stat(f);

	if (rc < 0)
		return rc;
	memset(&map, 0, sizeof(map));
	map.start_code = f[26];
	map.end_code = f[27];
	map.start_stack = f[28];
	map.start_data = f[45];
	map.end_data = f[46];
	map.start_brk = f[47];
	map.brk = (uintptr_t)sbrk(0);
	map.arg_start = (uintptr_t)start;
	map.arg_end = (uintptr_t)start + len;
	map.env_start = map.arg_end;
	map.env_end = map.arg_end;
	map.exe_fd = (uint32_t)-1;
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0 ? -errno : 0;
}

int wk_title_set(const struct wk_title *t, const char *const *args)
{
	size_t len = 0;

	for (size_t i = 0; args[i] != NULL; i++)
		len += strlen(args[i]) + 1;
	if (len == 0 || len > t->room_len)
		return -ENOSPC;
	len = 0;
	for (size_t i = 0; args[i] != NULL; i++) {
		size_t n = strlen(args[i]) + 1;

		memcpy(t->room + len, args[i], n);
		len += n;
	}
	memset(t->room + len, 0, t->room_len - len);
	(void)set_bounds(t->room, len);
	return 0;
}
