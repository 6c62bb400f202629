/* gateway/supervision/gw_exec.h - starting a program from an open file, with one channel and nothing else of
 * ours */
#ifndef GW_EXEC_H
#define GW_EXEC_H

#include <stddef.h>
#include <sys/types.h>

#include "common/attr.h"

#define GW_EXEC_CHANNEL_FD 3 /* where the new program finds its channel */
#define GW_EXEC_ARGS_MAX 5
#define GW_EXEC_ENV_MAX 8

struct gw_exec {
	int exe_fd;       /* the program */
	const char *path; /* its name, for a script, which can't be run by descriptor */
	int channel_fd;
	int null_fd;                      /* /dev/null, for its standard input */
	char *argv[GW_EXEC_ARGS_MAX + 1]; /* NULL-terminated, as envp */
	char *envp[GW_EXEC_ENV_MAX + 1];
	size_t data_max; /* RLIMIT_DATA in bytes; 0: none */
};

/* What a worker gets of our environment: nothing, but what test builds need. Borrowed. */
void gw_exec_env(struct gw_exec *e);

/*
 * Run it in a session of its own; standard output goes where standard error goes, every other
 * descriptor is closed. Returns once the program runs.
 * 0 (*pid_out is our child) or -errno: of making the process or of running the program.
 */
ATTR_NODISCARD int gw_exec_start(const struct gw_exec *e, pid_t *pid_out);

#endif
