/* common/proc_stat.c - what /proc/PID/stat says of a process */
#include "common/proc_stat.h"

#include <stdio.h>
#include <string.h>

#define START_FIELD 22 /* see proc(5) */

uint64_t proc_start_ticks(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[64] = "/proc/self/stat", text[1024];
	size_t n = 0;
	FILE *f;
	char *p;

	if (pid > 0)
		snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		(void)fclose(f);
	}
	text[n] = '\0';
	/* The name in field 2 may hold spaces and brackets: count from its last bracket. */
	p = strrchr(text, ')');
	for (int field = 2; p != NULL && field < START_FIELD; field++)
		p = strchr(p + 1, ' ');
	if (p == NULL || sscanf(p, " %llu", &ticks) != 1)
		return 0;
	return ticks;
}
