/*
 * tests/unit/test_gw_runner_systemd.c - units asked for over the bus, by a systemd that the test
 * plays
 *
 * The other end of the bus is in this process: it says hello as the bus does, and answers or keeps
 * quiet as the test wants. One socket, one connection at a time.
 */
#include "gw_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/supervision/gw_runner.h"

#define ID "abcdefgh234567ab"
#define SOCKET_UNIT "warden-worker@" ID ".socket"
#define SERVICE_UNIT "warden-worker@" ID ".service"
#define CALLS_MAX 16

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	int listen_fd;
	sd_bus *bus; /* systemd's end; NULL: nobody is connected */
	struct event *ev;
	struct gw_runner *r;
	unsigned connects_n;
	unsigned jobs_n;
	char calls[CALLS_MAX][160]; /* "StartUnit warden-worker@….socket" */
	unsigned calls_n;
	bool refuses; /* every job */
	bool mute;    /* about jobs */
	unsigned ready_n;
	unsigned replies_n;
	uint32_t reply_id;
	int reply_rc;
};

/* ---- systemd, and the bus ------------------------------------------------------------------- */

static void note(struct fixture *f, const char *call, const char *unit)
{
	assert_true(f->calls_n < CALLS_MAX);
	snprintf(f->calls[f->calls_n++], sizeof(f->calls[0]), "%s %s", call, unit);
}

static void job_ends(struct fixture *f, unsigned job, const char *unit, const char *result)
{
	sd_bus_message *m = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", job);
	assert_true(sd_bus_message_new_signal(f->bus, &m, "/org/freedesktop/systemd1",
	                                      "org.freedesktop.systemd1.Manager",
	                                      "JobRemoved") >= 0);
	assert_true(sd_bus_message_set_sender(m, "org.freedesktop.systemd1") >= 0);
	assert_true(sd_bus_message_append(m, "uoss", job, path, unit, result) >= 0);
	assert_true(sd_bus_send(f->bus, m, NULL) >= 0);
	sd_bus_message_unref(m);
}

static int on_job_call(struct fixture *f, sd_bus_message *m, const char *member)
{
	const char *unit, *mode;
	char path[64];

	assert_true(sd_bus_message_read(m, "ss", &unit, &mode) >= 0);
	assert_string_equal(mode, "replace");
	note(f, member, unit);
	if (f->mute)
		return 1;
	if (f->refuses)
		return sd_bus_reply_method_errorf(m, "org.freedesktop.DBus.Error.AccessDenied",
		                                  "no");
	snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", ++f->jobs_n);
	return sd_bus_reply_method_return(m, "o", path);
}

static int on_call(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct fixture *f = arg;
	const char *member = sd_bus_message_get_member(m);
	const char *unit, *who;
	int sig;

	(void)ret;
	if (member == NULL || !sd_bus_message_is_method_call(m, NULL, NULL))
		return 0;
	if (strcmp(member, "Hello") == 0)
		return sd_bus_reply_method_return(m, "s", ":1.7");
	if (strcmp(member, "StartUnit") == 0 || strcmp(member, "StopUnit") == 0)
		return on_job_call(f, m, member);
	if (strcmp(member, "KillUnit") == 0) {
		assert_true(sd_bus_message_read(m, "ssi", &unit, &who, &sig) >= 0);
		assert_int_equal(sig, SIGKILL);
		note(f, member, unit);
	}
	if (strcmp(member, "SetUnitProperties") == 0) {
		assert_true(sd_bus_message_read(m, "s", &unit) >= 0);
		note(f, member, unit);
	}
	return sd_bus_reply_method_return(m, NULL); /* AddMatch, Subscribe */
}

static void bus_end(struct fixture *f)
{
	f->bus = sd_bus_close_unref(f->bus);
	event_del(f->ev);
}

/* Serve what there is; wait for more. */
static void on_bus(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval often = { .tv_usec = 1000 };
	struct fixture *f = arg;
	int rc;

	(void)fd;
	(void)what;
	do
		rc = sd_bus_process(f->bus, NULL);
	while (rc > 0);
	if (rc < 0)
		bus_end(f);
	else
		evtimer_add(f->ev, &often);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	struct fixture *f = arg;
	int fd = accept(listen_fd, NULL, NULL);
	sd_id128_t id =
	    SD_ID128_MAKE(00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 0a, 0b, 0c, 0d, 0e, 0f);

	(void)what;
	assert_true(fd >= 0);
	assert_null(f->bus);
	f->connects_n++;
	assert_true(sd_bus_new(&f->bus) >= 0);
	assert_true(sd_bus_set_fd(f->bus, fd, fd) >= 0);
	assert_true(sd_bus_set_server(f->bus, 1, id) >= 0);
	assert_true(sd_bus_add_filter(f->bus, NULL, on_call, f) >= 0);
	assert_true(sd_bus_start(f->bus) >= 0);
	on_bus(-1, 0, f);
}

/* ---- the gateway ---------------------------------------------------------------------------- */

static void on_reply(uint32_t req_id, int rc, pid_t pid, int pidfd, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(pid, 0);
	assert_int_equal(pidfd, -1);
	f->replies_n++;
	f->reply_id = req_id;
	f->reply_rc = rc;
}

static void on_ready(void *arg)
{
	((struct fixture *)arg)->ready_n++;
}

static const struct gw_runner_ops ops = { on_reply, on_ready };
static struct event *ev_listen;

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char address[TEST_DIR_CAP + 32];

	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	test_dir_make(f->dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/bus", f->dir);
	snprintf(address, sizeof(address), "unix:path=%s/bus", f->dir);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(f->listen_fd, 4), 0);
	f->gw.base = event_base_new();
	f->gw.cfg.data_dir = (char *)(uintptr_t) "/var/lib/warden";
	f->gw.cfg.run_dir = (char *)(uintptr_t) "/run/warden";
	f->gw.cfg.worker_path = (char *)(uintptr_t) "/bin/true";
	f->gw.cfg.worker_memory_max_mb = 64;
	f->gw.cfg.worker_runner = GW_RUNNER_SYSTEMD;
	ev_listen = event_new(f->gw.base, f->listen_fd, EV_READ | EV_PERSIST, on_connect, f);
	event_add(ev_listen, NULL);
	f->ev = evtimer_new(f->gw.base, on_bus, f);
	assert_int_equal(gw_runner_new(&f->gw, &ops, f, &f->r), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_runner_free(f->r);
	if (f->bus != NULL)
		bus_end(f);
	event_free(f->ev);
	event_free(ev_listen);
	close(f->listen_fd);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	test_free(f);
	return 0;
}

static bool is_ready(void *arg)
{
	return ((struct fixture *)arg)->ready_n > 0;
}

static bool has_reply(void *arg)
{
	return ((struct fixture *)arg)->replies_n > 0;
}

static unsigned wanted_calls;

static bool has_calls(void *arg)
{
	return ((struct fixture *)arg)->calls_n >= wanted_calls;
}

static void until_called(struct fixture *f, unsigned n)
{
	wanted_calls = n;
	test_run_until(f->gw.base, has_calls, f);
	assert_int_equal(f->calls_n, n);
}

static void until_ready(struct fixture *f)
{
	f->ready_n = 0;
	test_run_until(f->gw.base, is_ready, f);
	assert_true(gw_runner_is_up(f->r));
	assert_true(gw_runner_is_ok(f->r));
}

static void expect_reply(struct fixture *f, uint32_t req_id, int rc)
{
	test_run_until(f->gw.base, has_reply, f);
	assert_int_equal(f->replies_n, 1);
	assert_int_equal(f->reply_id, req_id);
	assert_int_equal(f->reply_rc, rc);
	f->replies_n = 0;
}

static int ask(struct fixture *f, uint32_t req_id)
{
	const struct gw_runner_request req = { .req_id = req_id,
		                               .instance_id = ID,
		                               .dir = "/var/lib/warden/instances/" ID,
		                               .listen_fd = -1 };

	return gw_runner_start(f->r, &req);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_nothing_is_asked_before_systemd_listens(void **state)
{
	struct fixture *f = *state;

	assert_false(gw_runner_is_up(f->r));
	assert_true(gw_runner_is_ok(f->r)); /* not for long */
	assert_int_equal(ask(f, 1), -EAGAIN);
	until_ready(f);
	assert_true(gw_runner_makes_sockets(f->r));
	assert_true(gw_runner_outlives(f->r));
}

static void test_a_start_is_over_when_its_job_is(void **state)
{
	struct fixture *f = *state;

	until_ready(f);
	assert_int_equal(ask(f, 5), 0);
	until_called(f, 1);
	assert_string_equal(f->calls[0], "StartUnit " SOCKET_UNIT);
	job_ends(f, 99, "other.service", "done"); /* not ours */
	for (int i = 0; i < 20; i++)
		event_base_loop(f->gw.base, EVLOOP_ONCE);
	assert_int_equal(f->replies_n, 0);
	job_ends(f, 1, SOCKET_UNIT, "done");
	expect_reply(f, 5, 0);
}

static void test_a_job_that_fails_and_one_that_is_refused_are_told(void **state)
{
	struct fixture *f = *state;

	until_ready(f);
	assert_int_equal(ask(f, 5), 0);
	until_called(f, 1);
	job_ends(f, 1, SOCKET_UNIT, "failed");
	expect_reply(f, 5, -EIO);
	f->refuses = true;
	assert_int_equal(ask(f, 6), 0);
	expect_reply(f, 6, -EACCES);
}

static void test_another_memory_limit_is_set_first(void **state)
{
	struct fixture *f = *state;

	f->gw.cfg.worker_memory_max_mb = 128;
	until_ready(f);
	assert_int_equal(ask(f, 5), 0);
	until_called(f, 2);
	assert_string_equal(f->calls[0], "SetUnitProperties " SERVICE_UNIT);
	assert_string_equal(f->calls[1], "StartUnit " SOCKET_UNIT);
}

/* The next worker of an instance begins when nothing is left of the one before. */
static void test_a_start_waits_for_the_stop_before_it(void **state)
{
	struct fixture *f = *state;

	until_ready(f);
	gw_runner_release(f->r, ID);
	gw_runner_release(f->r, ID); /* once is enough */
	assert_int_equal(ask(f, 7), 0);
	until_called(f, 1);
	assert_string_equal(f->calls[0], "StopUnit " SOCKET_UNIT);
	for (int i = 0; i < 20; i++)
		event_base_loop(f->gw.base, EVLOOP_ONCE);
	assert_int_equal(f->calls_n, 1);
	job_ends(f, 1, SOCKET_UNIT, "done");
	until_called(f, 2);
	assert_string_equal(f->calls[1], "StartUnit " SOCKET_UNIT);
	job_ends(f, 2, SOCKET_UNIT, "done");
	expect_reply(f, 7, 0);
}

static void test_the_service_is_killed_not_the_socket(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gw_runner_kill(f->r, ID), -ENOTCONN);
	until_ready(f);
	assert_int_equal(gw_runner_kill(f->r, ID), 0);
	until_called(f, 1);
	assert_string_equal(f->calls[0], "KillUnit " SERVICE_UNIT);
}

static void test_a_lost_bus_ends_what_was_asked_and_is_made_anew(void **state)
{
	struct fixture *f = *state;

	until_ready(f);
	assert_int_equal(ask(f, 5), 0);
	until_called(f, 1);
	bus_end(f);
	expect_reply(f, 5, -EPIPE);
	assert_int_equal(ask(f, 6), -EAGAIN);
	until_ready(f);
	assert_int_equal(f->connects_n, 2);
	assert_int_equal(ask(f, 7), 0);
	until_called(f, 2);
	job_ends(f, 2, SOCKET_UNIT, "done");
	expect_reply(f, 7, 0);
}

static void test_an_answer_that_is_owed_does_not_keep_anyone(void **state)
{
	struct fixture *f = *state;

	until_ready(f);
	f->mute = true;
	assert_int_equal(ask(f, 5), 0);
	until_called(f, 1);
	gw_runner_unstick(f->r);
	assert_int_equal(f->replies_n, 0); /* from the loop */
	expect_reply(f, 5, -EPIPE);
	until_ready(f);
}

static void test_folders_that_the_units_do_not_know_are_refused(void **state)
{
	struct fixture *f = *state;
	struct gw_runner *other = NULL;

	f->gw.cfg.data_dir = f->dir;
	assert_int_equal(gw_runner_new(&f->gw, &ops, f, &other), -EINVAL);
	assert_null(other);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nothing_is_asked_before_systemd_listens),
		T(test_a_start_is_over_when_its_job_is),
		T(test_a_job_that_fails_and_one_that_is_refused_are_told),
		T(test_another_memory_limit_is_set_first),
		T(test_a_start_waits_for_the_stop_before_it),
		T(test_the_service_is_killed_not_the_socket),
		T(test_a_lost_bus_ends_what_was_asked_and_is_made_anew),
		T(test_an_answer_that_is_owed_does_not_keep_anyone),
		T(test_folders_that_the_units_do_not_know_are_refused),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
