/* tests/unit/test_gw_sandbox.c - what the gateway can't do any more, and what it still has to */
#include "gw_test.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/landlock.h"
#include "gateway/gw.h"
#include "gateway/process/gw_sandbox.h"

#if defined(HAVE___LIBC_FREE) && !defined(WARDEN_SANITIZERS)
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
static long allowed = -1; /* allocations that succeed; below 0: all */

/* One fails. Ours is found before libc's, by libseccomp too. */
static bool fails_now(void)
{
	if (allowed < 0 || allowed-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return fails_now() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __libc_calloc(n, size);
}

#define EACH_ALLOCATION_FAILS 1
#define NOT_ASKED_FOR 200 /* that many allocations */
#endif

static char base[TEST_DIR_CAP];
static struct gw_config cfg;

static const char *below(const char *name)
{
	static char path[2][128];
	static int n;

	n = !n;
	snprintf(path[n], sizeof(path[n]), "%s/%s", base, name);
	return path[n];
}

static void setup(void)
{
	static char data[128], run[128];

	test_dir_make(base);
	snprintf(data, sizeof(data), "%s/data", base);
	snprintf(run, sizeof(run), "%s/run", base);
	cfg = (struct gw_config){ .data_dir = data, .run_dir = run };
	unsetenv(GW_SANDBOX_ENV);
}

/* The exit status of run() in a child that has entered: 0, or the line that found something wrong.
 */
static int entered(int (*run)(void))
{
	int status = 0;
	pid_t pid;

	setup();
	pid = fork();
	if (pid == 0)
		_exit(gw_sandbox_enter(&cfg) < 0 ? 1 : run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	test_dir_remove(base);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define MUST(x) \
	do \
		if (!(x)) \
			return __LINE__ & 0x7f; \
	while (0)

static bool can_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int writes_below_its_folders(void)
{
	MUST(can_write(below("data/registry.db")) && can_write(below("run/x")));
	MUST(mkdir(below("data/instances"), 0700) == 0);
	MUST(rename(below("data/registry.db"), below("data/instances/a")) == 0);
	MUST(unlink(below("data/instances/a")) == 0 && rmdir(below("data/instances")) == 0);
	MUST(can_write("/dev/null"));
	MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	if (ll_abi() == 0)
		return 0;
	MUST(!can_write(below("elsewhere")) && errno == EACCES);
	MUST(open("/tmp", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600) < 0 && errno == EACCES);
	MUST(symlink("/etc/shadow", below("data/link")) < 0);
	return 0;
}

static int listens_and_executes(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int in = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", below("run/w-1.sock"));
	MUST(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 1) == 0);
	MUST(unlink(sa.sun_path) == 0);
	MUST(in >= 0 && listen(in, 1) == 0);
	execve("/bin/true", argv, argv + 1);
	return __LINE__ & 0x7f;
}

static int has_no_way_into_the_kernel(void)
{
	const int page = 4096;
	const int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(socket(AF_NETLINK, SOCK_DGRAM, 0) < 0 && errno == EAFNOSUPPORT);
	MUST(socket(AF_PACKET, SOCK_DGRAM, 0) < 0 && errno == EAFNOSUPPORT);
	MUST(socket(AF_VSOCK, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
	MUST(socket(AF_INET, SOCK_RAW, IPPROTO_TCP) < 0 && errno == EPERM);
	MUST(mmap(NULL, page, rwx, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	MUST(mprotect(p, page, PROT_READ | PROT_EXEC) < 0 && errno == EPERM);
	MUST(ptrace(PTRACE_SEIZE, getppid(), 0, 0) < 0 && errno == EPERM);
	MUST(unshare(CLONE_NEWNS) < 0 && errno == EPERM);
	MUST(chroot("/") < 0 && errno == EPERM);
	MUST(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	MUST(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EPERM);
	MUST(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM);
	return 0;
}

static int has_few_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	struct rlimit core;

	MUST(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	MUST(syscall(SYS_capget, &head, caps) == 0);
	MUST((caps[0].permitted & (1U << CAP_SYS_ADMIN | 1U << CAP_NET_ADMIN |
	                           1U << CAP_SYS_MODULE | 1U << CAP_MKNOD)) == 0);
	if (geteuid() != 0)
		return 0;
	MUST(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0);
	/* own uids: the zygote's children change theirs */
	MUST((caps[0].effective & 1U << CAP_SETUID) && (caps[0].effective & 1U << CAP_CHOWN));
	return 0;
}

/* The program that SIGHUP puts in place of this one does not enter again. */
static int is_in_once(void)
{
	int n = 0;

	MUST(getenv(GW_SANDBOX_ENV) != NULL);
	while (n < 20 && gw_sandbox_enter(&cfg) == 0) /* the kernel has room for 16 rulesets */
		n++;
	return n == 20 ? 0 : 1;
}

static void test_it_writes_below_its_own_folders_only(void **state)
{
	(void)state;
	assert_int_equal(entered(writes_below_its_folders), 0);
}

static void test_it_listens_and_executes(void **state)
{
	(void)state;
	assert_int_equal(entered(listens_and_executes), 0);
}

static void test_it_has_no_way_into_the_kernel(void **state)
{
	(void)state;
	assert_int_equal(entered(has_no_way_into_the_kernel), 0);
}

static void test_it_has_few_rights(void **state)
{
	(void)state;
	assert_int_equal(entered(has_few_rights), 0);
}

static void test_it_enters_once(void **state)
{
	(void)state;
	assert_int_equal(entered(is_in_once), 0);
}

#ifdef EACH_ALLOCATION_FAILS
/* Where libseccomp's heap is corrupted, ours is not: it is used as before, and the next try enters.
 */
static int survives_an_allocation_that_fails(void)
{
	void *p[64];
	int rc = gw_sandbox_enter(&cfg);

	if (rc == 0 && allowed >= 0)
		return NOT_ASKED_FOR;
	allowed = -1;
	MUST(rc == 0 || rc == -ENOMEM);
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		p[i] = malloc(16 + 8 * i);
		MUST(p[i] != NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		free(p[i]);
	MUST(gw_sandbox_enter(&cfg) == 0);
	MUST(ptrace(PTRACE_SEIZE, getppid(), 0, 0) < 0 && errno == EPERM);
	return 0;
}

/* Each of the first, which are ours too, then one in so many. */
static void test_it_survives_each_allocation(void **state)
{
	const long step = 43, each = 20;
	int status = 0;
	long n;

	(void)state;
	setup();
	for (n = 0; status == 0; n += n < each ? 1 : step) {
		pid_t pid = fork();

		if (pid == 0) {
			allowed = n;
			_exit(survives_an_allocation_that_fails());
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == NOT_ASKED_FOR))
			fail_msg("allocation %ld: status %x", n, (unsigned)status);
	}
	assert_true(n > 10 * step);
	test_dir_remove(base);
}
#endif

/* A build with sanitizers has none. */
static int is_not_in(void)
{
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	MUST(can_write(below("elsewhere")));
	return 0;
}

static void test_a_build_with_sanitizers_has_no_sandbox(void **state)
{
	(void)state;
	assert_int_equal(entered(is_not_in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_writes_below_its_own_folders_only),
		cmocka_unit_test(test_it_listens_and_executes),
		cmocka_unit_test(test_it_has_no_way_into_the_kernel),
		cmocka_unit_test(test_it_has_few_rights),
		cmocka_unit_test(test_it_enters_once),
#ifdef EACH_ALLOCATION_FAILS
		cmocka_unit_test(test_it_survives_each_allocation),
#endif
	};
	const struct CMUnitTest none[] = {
		cmocka_unit_test(test_a_build_with_sanitizers_has_no_sandbox),
	};

#ifdef WARDEN_SANITIZERS
	(void)tests;
	return cmocka_run_group_tests(none, NULL, NULL);
#else
	(void)none;
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
