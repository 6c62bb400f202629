/* gateway/supervision/gw_exec.c - starting a program from an open file, with one channel and
 * nothing else of ours */
#include "gateway/supervision/gw_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void child_signals(void)
{
	static const int handled[] = {
		SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2,
	};
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		sigaction(handled[i], &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The channel takes its number from whoever has it. */
static int out_of_the_way(int fd)
{
	return fd == GW_EXEC_CHANNEL_FD ? fcntl(fd, F_DUPFD_CLOEXEC, GW_EXEC_CHANNEL_FD + 1) : fd;
}

/* Of the new program. Later, as another user, it would be out of our reach. */
static void child_limits(const struct gw_exec *e)
{
	const struct rlimit none = { 0, 0 };
	const struct rlimit data = { e->data_max, e->data_max };

	setrlimit(RLIMIT_CORE, &none);
	if (e->data_max > 0)
		setrlimit(RLIMIT_DATA, &data);
}

/* After vfork() this is our memory: system calls only. error_fd closes when the program runs. */
static ATTR_NORETURN void child_run(const struct gw_exec *e, int error_fd)
{
	int exe_fd = out_of_the_way(e->exe_fd);
	int null_fd = out_of_the_way(e->null_fd);
	int err;

	error_fd = out_of_the_way(error_fd);
	child_signals();
	child_limits(e);
	setsid(); /* a terminal's Ctrl-C is for the gateway, which tells the others */
	if (e->channel_fd == GW_EXEC_CHANNEL_FD)
		fcntl(GW_EXEC_CHANNEL_FD, F_SETFD, 0);
	else
		dup2(e->channel_fd, GW_EXEC_CHANNEL_FD);
	dup2(null_fd, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	close_range(GW_EXEC_CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	syscall(SYS_execveat, exe_fd, "", e->argv, e->envp, AT_EMPTY_PATH);
	/* a script: its interpreter can't open a descriptor that closes on exec */
	if (errno == ENOENT)
		execve(e->path, e->argv, e->envp);
	err = errno;
	(void)!write(error_fd, &err, sizeof(err));
	_exit(127);
}

/* Signals wait meanwhile: a handler of ours must not run in the child. */
static pid_t child_make(const struct gw_exec *e, int error_fd)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = vfork();
	if (pid == 0)
		child_run(e, error_fd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* Nothing of our environment, but what test builds need. */
void gw_exec_env(struct gw_exec *e)
{
	static const char *const prefixes[] = {
#ifdef WARDEN_TEST_HOOKS
		"LD_PRELOAD=", /* tests/tools/faults.c */
		"WARDEN_TEST_",
#endif
#ifdef WARDEN_SANITIZERS
		"ASAN_OPTIONS=",
		"UBSAN_OPTIONS=",
		"LSAN_OPTIONS=",
#endif
		NULL,
	};
	size_t n = 0;

	for (char **v = environ; *v != NULL; v++)
		for (const char *const *p = prefixes; *p != NULL; p++)
			if (strncmp(*v, *p, strlen(*p)) == 0 && n < GW_EXEC_ENV_MAX)
				e->envp[n++] = *v;
	e->envp[n] = NULL;
}

int gw_exec_start(const struct gw_exec *e, pid_t *pid_out)
{
	int error_pipe[2];
	int rc = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(error_pipe, O_CLOEXEC) < 0)
		return -errno;
	pid = child_make(e, error_pipe[1]);
	if (pid < 0)
		rc = -errno;
	close(error_pipe[1]);
	if (pid > 0) {
		do
			n = read(error_pipe[0], &rc, sizeof(rc));
		while (n < 0 && errno == EINTR);
		rc = n == (ssize_t)sizeof(rc) ? -rc : 0; /* nothing to read: the program runs */
	}
	close(error_pipe[0]);
	if (pid > 0 && rc < 0)
		waitpid(pid, NULL, 0);
	if (rc == 0)
		*pid_out = pid;
	return rc;
}
