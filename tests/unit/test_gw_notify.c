/* tests/unit/test_gw_notify.c - what systemd hears, and how often */
#include "gw_test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gateway/process/gw_notify.h"
#include "gw_fake_clock.h"

struct fixture {
	struct event_base *base;
	char dir[TEST_DIR_CAP];
	char path[TEST_DIR_CAP + 8];
	int fd; /* systemd's end */
	struct gw_notify *n;
	const char *status;
	unsigned asked;
};

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	f->base = event_base_new();
	test_dir_make(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/notify", f->dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	f->status = "well";
	now_ms = 1000;
	setenv("NOTIFY_SOCKET", f->path, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_notify_free(f->n);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	close(f->fd);
	event_base_free(f->base);
	test_dir_remove(f->dir);
	test_free(f);
	return 0;
}

static void on_status(char *out, void *arg)
{
	struct fixture *f = arg;

	f->asked++;
	snprintf(out, GW_NOTIFY_STATUS_CAP, "%s", f->status);
}

/* The next datagram is exactly this; NULL: there is none. */
static void hears(struct fixture *f, const char *want)
{
	char got[512];
	ssize_t n = recv(f->fd, got, sizeof(got) - 1, 0);

	if (want == NULL) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void test_without_systemd_there_is_nothing(void **state)
{
	struct fixture *f = *state;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), 0);
	assert_null(f->n);
	gw_notify_ready(f->n);
	gw_notify_reloading(f->n);
	gw_notify_stopping(f->n);
	hears(f, NULL);
}

static void test_a_bad_address_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[200];

	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), -EINVAL);
	setenv("NOTIFY_SOCKET", "/", 1);
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), -EINVAL);
	memset(path, '/', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), -ENOENT);
	assert_null(f->n);
}

static void test_ready_status_and_end_are_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), 0);
	hears(f, NULL);
	gw_notify_ready(f->n);
	hears(f, "READY=1\nSTATUS=well\n");
	gw_notify_reloading(f->n);
	hears(f, "RELOADING=1\nMONOTONIC_USEC=1000000\nSTATUS=Being replaced\n");
	gw_notify_ready(f->n); /* it came to nothing */
	hears(f, "READY=1\nSTATUS=well\n");
	gw_notify_stopping(f->n);
	hears(f, "STOPPING=1\nSTATUS=Stopping\n");
}

/* Unwatched: only a status that has changed is told. */
static void test_a_status_is_told_when_it_changes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), 0);
	gw_notify_ready(f->n);
	hears(f, "READY=1\nSTATUS=well\n");
	now_ms += 5000;
	test_fire_timers(f->base);
	assert_int_equal(f->asked, 2);
	hears(f, NULL);
	f->status = "better";
	now_ms += 5000;
	test_fire_timers(f->base);
	hears(f, "STATUS=better\n");
}

/* Fed at every tick, three in one period; the status is not asked for that often. */
static void test_the_watchdog_is_fed_from_the_loop(void **state)
{
	struct fixture *f = *state;
	struct test_timers t = { .n = 0 };
	struct timeval due, now;

	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), 0);
	gw_notify_ready(f->n);
	hears(f, "READY=1\nSTATUS=well\n");
	event_base_foreach_event(f->base, on_test_timer, &t);
	assert_int_equal(t.n, 1);
	assert_true(event_pending(t.ev[0], EV_TIMEOUT, &due));
	event_base_gettimeofday_cached(f->base, &now);
	assert_in_range(due.tv_sec - now.tv_sec, 0, 1);
	for (int i = 1; i <= 6; i++) {
		now_ms += 1000;
		test_fire_timers(f->base);
		hears(f, "WATCHDOG=1\n");
		assert_int_equal(f->asked, i < 5 ? 1 : 2);
	}
	hears(f, NULL);
}

static void test_a_watchdog_of_another_is_not_ours(void **state)
{
	struct fixture *f = *state;

	setenv("WATCHDOG_USEC", "3000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), 0);
	gw_notify_ready(f->n);
	hears(f, "READY=1\nSTATUS=well\n");
	test_fire_timers(f->base);
	hears(f, NULL);
}

/* A queue that is full costs a message, not the loop. */
static void test_a_deaf_systemd_blocks_nobody(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gw_notify_new(f->base, on_status, f, &f->n), 0);
	for (int i = 0; i < 2000; i++)
		gw_notify_stopping(f->n);
	hears(f, "STOPPING=1\nSTATUS=Stopping\n");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_without_systemd_there_is_nothing),
		T(test_a_bad_address_is_refused),
		T(test_ready_status_and_end_are_told),
		T(test_a_status_is_told_when_it_changes),
		T(test_the_watchdog_is_fed_from_the_loop),
		T(test_a_watchdog_of_another_is_not_ours),
		T(test_a_deaf_systemd_blocks_nobody),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
