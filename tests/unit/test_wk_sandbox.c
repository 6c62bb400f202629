/* tests/unit/test_wk_sandbox.c - entering where a layer is missing, was set already, or is refused
 */
#include "test.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/process/wk_sandbox.h"

#define NOBODY 65534

static char dir[] = "/tmp/test-sandbox-XXXXXX";

/* In a child: what run() gives back is its exit status; 128 and more: the signal that ended it. */
static int in_child(int (*run)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int enter(unsigned layers)
{
	struct wk_sandbox *sb = NULL;
	const char *why;
	int rc = wk_sandbox_new(layers, &sb);

	if (rc == 0)
		rc = wk_sandbox_enter(sb, dir, 64, &why);
	wk_sandbox_free(sb);
	return rc;
}

/* ---- as in a unit of systemd: no user to change to, some calls refused
 * --------------------------- */

static int refuse(const int *calls, size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx == NULL ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

static int become_nobody(void)
{
	if (geteuid() != 0)
		return 0;
	return chown(dir, NOBODY, NOBODY) < 0 || setgroups(0, NULL) < 0 ||
	       setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0;
}

static int without_what_units_refuse(void)
{
	static const int calls[] = { SCMP_SYS(capset), SCMP_SYS(setrlimit), SCMP_SYS(prlimit64),
		                     SCMP_SYS(setresuid), SCMP_SYS(setgroups) };

	return become_nobody() != 0 || refuse(calls, ARRAY_LEN(calls)) < 0 ||
	       enter(WK_SANDBOX_ALL) < 0;
}

static void test_enters_where_a_unit_has_done_some_of_it(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_what_units_refuse), 0);
}

static int with_rights_it_can_not_drop(void)
{
	static const int calls[] = { SCMP_SYS(capset) };

	return refuse(calls, 1) == 0 && enter(WK_SANDBOX_RIGHTS) == -EPERM ? 0 : 1;
}

static void test_rights_that_stay_are_no_sandbox(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(with_rights_it_can_not_drop), 0);
}

/* ---- as on a kernel that lacks a layer
 * ------------------------------------------------------------ */

static int without_landlock(void)
{
	static const int calls[] = { SCMP_SYS(landlock_create_ruleset) };
	struct wk_sandbox *sb = NULL;
	const char *why;

	if (refuse(calls, 1) < 0 || wk_sandbox_new(WK_SANDBOX_ALL, &sb) < 0 ||
	    (wk_sandbox_layers(sb) & WK_SANDBOX_LANDLOCK) != 0 ||
	    (wk_sandbox_layers(sb) & WK_SANDBOX_SECCOMP) == 0)
		return 1;
	return wk_sandbox_enter(sb, dir, 0, &why) < 0; /* the process ends: nothing is freed */
}

static void test_does_without_landlock(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_landlock), 0);
}

static int without_seccomp(void)
{
	static const int calls[] = { SCMP_SYS(seccomp) };
	struct wk_sandbox *sb = NULL;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || refuse(calls, 1) < 0 ||
	    wk_sandbox_new(WK_SANDBOX_ALL, &sb) < 0)
		return 1;
	return (wk_sandbox_layers(sb) & WK_SANDBOX_SECCOMP) != 0;
}

static void test_does_without_seccomp(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_seccomp), 0);
}

/* ---- answers of the filter
 * ------------------------------------------------------------------------- */

static int calls_what_only_an_attack_calls(void)
{
	if (enter(WK_SANDBOX_ALL) < 0)
		return 1;
	(void)syscall(SYS_ptrace, 0, 0, 0, 0);
	return 2;
}

static int calls_what_is_newer(void)
{
	if (enter(WK_SANDBOX_ALL) < 0)
		return 1;
	return syscall(449 /* futex_waitv */, NULL, 0, 0, NULL, 0) == -1 && errno == ENOSYS ? 0 : 2;
}

static int aborts(void)
{
	if (enter(WK_SANDBOX_ALL) == 0)
		abort();
	return 1;
}

static int is_in_twice(void)
{
	return enter(WK_SANDBOX_ALL) < 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
	       socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) < 0 ||
	       socket(AF_INET6, SOCK_DGRAM, 17) < 0;
}

static void test_the_filter_kills_fails_or_allows(void **state)
{
	(void)state;
	assert_int_equal(in_child(calls_what_only_an_attack_calls), 128 + SIGSYS);
	assert_int_equal(in_child(calls_what_is_newer), 0);
	assert_int_equal(in_child(aborts), 128 + SIGABRT); /* a failed assertion is told as one */
	assert_int_equal(in_child(is_in_twice), 0);
}

static int without_its_folder(void)
{
	struct wk_sandbox *sb = NULL;
	const char *why = "";

	if (wk_sandbox_new(WK_SANDBOX_LANDLOCK, &sb) < 0)
		return 1;
	return wk_sandbox_enter(sb, "/nonexistent", 0, &why) == -ENOENT && why[0] == 'l' ? 0 : 2;
}

static void test_a_folder_that_is_not_there_is_named(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_its_folder), 0);
}

/* A build with sanitizers has none, and does not pretend to. */
static int without_any(void)
{
	struct wk_sandbox *sb = NULL;
	const char *why;
	int rc = wk_sandbox_new(WK_SANDBOX_ALL, &sb);

	if (rc < 0 || wk_sandbox_layers(sb) != 0 || wk_sandbox_enter(sb, dir, 64, &why) < 0)
		return 1;
	wk_sandbox_free(sb);
	return access("/etc/passwd", R_OK) == 0 && socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 2;
}

static void test_a_build_with_sanitizers_has_no_sandbox(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_any), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enters_where_a_unit_has_done_some_of_it),
		cmocka_unit_test(test_rights_that_stay_are_no_sandbox),
		cmocka_unit_test(test_does_without_landlock),
		cmocka_unit_test(test_does_without_seccomp),
		cmocka_unit_test(test_the_filter_kills_fails_or_allows),
		cmocka_unit_test(test_a_folder_that_is_not_there_is_named),
	};
	const struct CMUnitTest none[] = {
		cmocka_unit_test(test_a_build_with_sanitizers_has_no_sandbox),
	};
	int rc;

	log_init("test", LOG_ERR, LOG_FMT_TEXT);
	if (mkdtemp(dir) == NULL)
		return 1;
#ifdef WARDEN_SANITIZERS
	(void)tests;
	rc = cmocka_run_group_tests(none, NULL, NULL);
#else
	(void)none;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
#endif
	(void)rmdir(dir);
	return rc;
}
