/*
 * tests/unit/test_gw_proc.c - which process is a worker, and which one is not, whatever it says
 *
 * Where /proc shows a process, nobody's word for it counts. The workers are this very program, run
 * again under a worker's command line.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc_stat.h"
#include "gateway/supervision/gw_proc.h"

/* Two that nobody else on this host has: all of /proc is looked through. */
static char id[24], other_id[24];

static char self[4096];

#define READY_FD 9 /* where it says that it runs: only then is its command line there */

/* Runs until it is told to end, and never longer than a test may take. */
static pid_t run(const char *name, const char *flag, const char *value)
{
	char *const argv[] = { (char *)(uintptr_t)name, (char *)(uintptr_t)flag,
		               (char *)(uintptr_t)value, NULL };
	char *const envp[] = { (char *)(uintptr_t) "BE_A_PROCESS=1", NULL };
	posix_spawn_file_actions_t actions;
	int pair[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pair[1], READY_FD), 0);
	assert_int_equal(posix_spawn(&pid, self, &actions, NULL, argv, envp), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &c, 1), 1);
	(void)close(pair[0]);
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_worker_is_opened_and_the_descriptor_means_it(void **state)
{
	pid_t pid = run("warden-worker", "--instance", id);
	int fd = gw_proc_open_worker(pid, id, proc_start_ticks(pid), false);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(close(fd), 0);
}

static void test_the_start_need_not_be_said(void **state)
{
	pid_t pid = run("warden-worker", "--instance", id);
	int fd = gw_proc_open_worker(pid, id, 0, false);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	end(pid);
}

static void test_a_pid_that_is_in_use_again_is_refused(void **state)
{
	pid_t pid = run("warden-worker", "--instance", id);

	(void)state;
	assert_int_equal(gw_proc_open_worker(pid, id, proc_start_ticks(pid) + 1, true), -ESRCH);
	assert_int_equal(gw_proc_open_worker(pid, id, UINT64_MAX, true), -ESRCH);
	end(pid);
}

static void test_the_worker_of_another_instance_is_refused(void **state)
{
	pid_t pid = run("warden-worker", "--instance", other_id);

	(void)state;
	assert_int_equal(gw_proc_open_worker(pid, id, 0, true), -ESRCH);
	end(pid);
}

static void test_what_is_no_worker_is_refused(void **state)
{
	char longer[32], one[64];
	const char *const lines[][3] = {
		{ "warden-workers", "--instance", id },
		{ "sh", "--instance", id },
		{ "warden-worker", "--zygote", id },
		{ "warden-worker", "--instance", longer },
		{ "warden-worker", "--instance", "" },
		{ "warden-worker", "--instance", NULL },
		{ one, NULL, NULL },
	};

	(void)state;
	(void)snprintf(longer, sizeof(longer), "%sq", id);
	(void)snprintf(one, sizeof(one), "warden-worker --instance %s", id);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		pid_t pid = run(lines[i][0], lines[i][1], lines[i][2]);

		assert_int_equal(gw_proc_open_worker(pid, id, 0, true), -ESRCH);
		end(pid);
	}
}

static void test_pids_that_no_worker_has_are_refused(void **state)
{
	pid_t pid = run("warden-worker", "--instance", id);

	(void)state;
	end(pid);
	assert_int_equal(gw_proc_open_worker(pid, id, 0, true), -ESRCH);
	assert_int_equal(gw_proc_open_worker(1, id, 0, true), -ESRCH);
	assert_int_equal(gw_proc_open_worker(0, id, 0, true), -ESRCH);
	assert_int_equal(gw_proc_open_worker(-1, id, 0, true), -ESRCH);
	assert_int_equal(gw_proc_open_worker(getpid(), id, 0, true), -ESRCH);
}

/* Ended and not yet fetched: it has no command line any more. */
static void test_a_zombie_is_no_worker(void **state)
{
	pid_t pid = run("warden-worker", "--instance", id);
	siginfo_t si;

	(void)state;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(gw_proc_open_worker(pid, id, 0, true), -ESRCH);
	assert_int_equal(gw_proc_find_worker(id), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_a_worker_is_found_by_its_instance(void **state)
{
	pid_t other = run("warden-worker", "--instance", other_id);
	pid_t pid;

	(void)state;
	assert_int_equal(gw_proc_find_worker(id), 0);
	pid = run("warden-worker", "--instance", id);
	assert_int_equal(gw_proc_find_worker(id), pid);
	assert_int_equal(gw_proc_find_worker(other_id), other);
	end(pid);
	end(other);
	assert_int_equal(gw_proc_find_worker(id), 0);
}

static void test_start_ticks_are_those_of_the_process(void **state)
{
	pid_t pid = run("a name) with (brackets 1 2 3", NULL, NULL);

	(void)state;
	assert_true(proc_start_ticks(0) > 0);
	assert_int_equal(proc_start_ticks(0), proc_start_ticks(getpid()));
	assert_true(proc_start_ticks(pid) >= proc_start_ticks(0));
	end(pid);
	assert_int_equal(proc_start_ticks(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_worker_is_opened_and_the_descriptor_means_it),
		cmocka_unit_test(test_the_start_need_not_be_said),
		cmocka_unit_test(test_a_pid_that_is_in_use_again_is_refused),
		cmocka_unit_test(test_the_worker_of_another_instance_is_refused),
		cmocka_unit_test(test_what_is_no_worker_is_refused),
		cmocka_unit_test(test_pids_that_no_worker_has_are_refused),
		cmocka_unit_test(test_a_zombie_is_no_worker),
		cmocka_unit_test(test_a_worker_is_found_by_its_instance),
		cmocka_unit_test(test_start_ticks_are_those_of_the_process),
	};
	ssize_t n;

	if (getenv("BE_A_PROCESS") != NULL) {
		(void)alarm(60);
		(void)!write(READY_FD, "r", 1);
		for (;;)
			pause();
	}
	(void)snprintf(id, sizeof(id), "a%015ld", (long)getpid());
	(void)snprintf(other_id, sizeof(other_id), "b%015ld", (long)getpid());
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	return n <= 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
