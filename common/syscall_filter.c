/* common/syscall_filter.c - a seccomp filter: made by libseccomp, elsewhere; loaded here */
#include "common/syscall_filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

#define CODE_MAX 4096     /* instructions; the kernel's own limit (BPF_MAXINSNS) */
#define CPU_MAX_US 500000 /* it takes some 10 ms */

bool sf_is_there(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* ---- in the other process -------------------------------------------------------------------- */

/*
 * Nothing is released: the process ends, and releasing is what goes wrong after a failure. An
 * allocation that fails is most often not told: the filter lacks something then. But errno says so,
 * which nothing sets back.
 */
static int write_program(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx ctx), int fd)
{
	scmp_filter_ctx ctx;
	int rc;

	errno = 0;
	ctx = seccomp_init(otherwise);
	rc = ctx == NULL || errno == ENOMEM ? -ENOMEM : add_rules(ctx);
	if (rc == 0 && errno != ENOMEM)
		rc = seccomp_export_bpf(ctx, fd); /* it writes programs to files only */
	return errno == ENOMEM ? -ENOMEM : rc;
}

/* It may go round for ever in a list that is broken. */
static void limit_cpu(void)
{
	const struct itimerval limit = { .it_value.tv_usec = CPU_MAX_US };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPROF);
	(void)signal(SIGPROF, SIG_DFL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)setitimer(ITIMER_PROF, &limit, NULL);
}

static _Noreturn void be_the_maker(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx ctx),
                                   int fd)
{
	int rc;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a crash leaves no core file */
	limit_cpu();
	rc = write_program(otherwise, add_rules, fd);
	_exit(rc == 0 ? 0 : rc < 0 && rc > -255 ? -rc : 255);
}

/* ---- in ours --------------------------------------------------------------------------------- */

static int status_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 255 ? -EINVAL : -WEXITSTATUS(status);
	LOG(NULL, LOG_ERR, "filter_maker_killed", LF_INT("signal", WTERMSIG(status)),
	    LF_STR("hint", "libseccomp ends so where memory runs out"));
	return -ENOMEM;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status_of(status);
}

/* Whoever started us may have had SIGCHLD ignored: nobody could be waited for. */
static int write_elsewhere(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx ctx), int fd)
{
	struct sigaction was, dfl = { .sa_handler = SIG_DFL };
	pid_t pid;
	int rc;

	if (sigaction(SIGCHLD, &dfl, &was) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		be_the_maker(otherwise, add_rules, fd);
	rc = pid < 0 ? -errno : wait_for(pid);
	(void)sigaction(SIGCHLD, &was, NULL);
	return rc;
}

static int read_program(int fd, struct sock_filter **code_out, unsigned short *n_out)
{
	struct sock_filter *code;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > CODE_MAX * (off_t)sizeof(*code))
		return -EOVERFLOW;
	if (st.st_size % (off_t)sizeof(*code) != 0)
		return -EIO;
	code = malloc((size_t)st.st_size);
	if (code == NULL)
		return -ENOMEM;
	if (pread(fd, code, (size_t)st.st_size, 0) != st.st_size) {
		free(code);
		return -EIO;
	}
	*code_out = code;
	*n_out = (unsigned short)((size_t)st.st_size / sizeof(*code));
	return 0;
}

int sf_make(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx ctx),
            struct sock_filter **code_out, unsigned short *n_out)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	int rc = fd < 0 ? -errno : write_elsewhere(otherwise, add_rules, fd);

	if (rc == 0)
		rc = read_program(fd, code_out, n_out);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int sf_load(struct sock_filter *code, unsigned short n)
{
	struct sock_fprog prog = { .len = n, .filter = code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
