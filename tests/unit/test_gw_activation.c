/* tests/unit/test_gw_activation.c - sockets handed over: what is taken, what is refused */
#include "gw_test.h"

#include <errno.h>
#include <sys/socket.h>

#include "gateway/process/gw_activation.h"

#define FIRST 3
#define KEPT 4 /* descriptors from FIRST on that a test may put in the way */

/* What this process has at 3 and above, put aside. */
static int aside[KEPT];

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < KEPT; i++) {
		aside[i] = fcntl(FIRST + i, F_DUPFD_CLOEXEC, 100);
		close(FIRST + i);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int i = 0; i < KEPT; i++) {
		close(FIRST + i);
		if (aside[i] < 0)
			continue;
		assert_int_equal(dup2(aside[i], FIRST + i), FIRST + i);
		close(aside[i]);
	}
	return 0;
}

/* n sockets from 3 on, inheritable, as systemd hands them over. */
static void hand_over(int n, const char *names)
{
	char text[24];

	for (int i = 0; i < n; i++)
		assert_int_equal(socket(AF_INET, SOCK_STREAM, 0), FIRST + i);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%d", n);
	setenv("LISTEN_FDS", text, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_nothing_handed_over_is_no_error(void **state)
{
	struct gw_activation a = { .n = 7 };

	(void)state;
	assert_int_equal(gw_activation_init(&a), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(gw_activation_take(&a, "http"), -1);
	assert_int_equal(gw_activation_clear(&a), 0);
}

static void test_sockets_are_taken_by_name_in_order(void **state)
{
	struct gw_activation a;

	(void)state;
	hand_over(4, "http:other::http");
	assert_int_equal(gw_activation_init(&a), 0);
	assert_int_equal(a.n, 4);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
	for (int i = 0; i < 4; i++)
		assert_int_equal(fcntl(FIRST + i, F_GETFD), FD_CLOEXEC);
	assert_int_equal(gw_activation_take(&a, "nobody"), -1);
	assert_int_equal(gw_activation_take(&a, "http"), 3);
	assert_int_equal(gw_activation_take(&a, "http"), 5); /* without a name */
	assert_int_equal(gw_activation_take(&a, "http"), 6);
	assert_int_equal(gw_activation_take(&a, "http"), -1);
	assert_int_equal(gw_activation_clear(&a), 1);
	assert_true(is_open(3));
	assert_false(is_open(4)); /* the one that nobody took */
}

/* A unit without FileDescriptorName=, and fewer names than sockets. */
static void test_a_units_own_name_serves_http(void **state)
{
	struct gw_activation a;

	(void)state;
	hand_over(3, "wardend.socket:unknown");
	assert_int_equal(gw_activation_init(&a), 0);
	assert_int_equal(gw_activation_take(&a, "other"), -1);
	assert_int_equal(gw_activation_take(&a, "http"), 3);
	assert_int_equal(gw_activation_take(&a, "http"), 4);
	assert_int_equal(gw_activation_take(&a, "http"), 5);
}

static void test_a_name_too_long_is_no_name(void **state)
{
	struct gw_activation a;
	char names[GW_ACTIVATION_NAME_CAP + 8];

	(void)state;
	memset(names, 'x', sizeof(names));
	memcpy(names + GW_ACTIVATION_NAME_CAP, ":other", 7);
	hand_over(2, names);
	assert_int_equal(gw_activation_init(&a), 0);
	assert_int_equal(gw_activation_take(&a, "other"), 4);
	assert_int_equal(gw_activation_take(&a, "http"), 3);
}

/* A child inherits the variables of its parent, but its pid is another. */
static void test_what_is_meant_for_another_is_left_alone(void **state)
{
	struct gw_activation a;

	(void)state;
	hand_over(1, "http");
	setenv("LISTEN_PID", "1", 1);
	assert_int_equal(gw_activation_init(&a), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(fcntl(FIRST, F_GETFD), 0);
	assert_null(getenv("LISTEN_FDS"));
}

static void test_nonsense_is_refused(void **state)
{
	static const struct {
		const char *fds;
		int rc;
	} bad[] = {
		{ "", -EINVAL },  { "-1", -EINVAL }, { "2x", -EINVAL },
		{ "17", -E2BIG }, { "2", -EBADF },   { "99999999999999999999", -EINVAL },
	};

	(void)state;
	hand_over(1, "http");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct gw_activation a = { .n = 1 };
		char pid[24];

		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", bad[i].fds, 1);
		assert_int_equal(gw_activation_init(&a), bad[i].rc);
		assert_int_equal(a.n, 0);
		assert_null(getenv("LISTEN_FDS"));
	}
	setenv("LISTEN_PID", "me", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(gw_activation_init(&(struct gw_activation){ 0 }), -EINVAL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nothing_handed_over_is_no_error),
		T(test_sockets_are_taken_by_name_in_order),
		T(test_a_units_own_name_serves_http),
		T(test_a_name_too_long_is_no_name),
		T(test_what_is_meant_for_another_is_left_alone),
		T(test_nonsense_is_refused),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
