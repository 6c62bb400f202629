/*
 * tests/unit/test_gw_probe.c - a process that finds out whether WhatsApp is reached: its answers,
 * and what it may do wrong
 *
 * The worker is gw_fake_worker.c; the proxy's host says what it does.
 */
#include "gw_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/doctor/gw_probe.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_dials.h"
#include "gateway/registry/gw_dir.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	char run_dir[64], data_dir[64], worker[256];
};

struct asked {
	struct gw_probe *probe;
	unsigned n;
	struct gw_probe_result r;
};

static void on_done(const struct gw_probe_result *r, void *arg)
{
	struct asked *a = arg;

	a->n++;
	a->r = *r;
}

static bool is_answered(void *arg)
{
	return ((struct asked *)arg)->n > 0;
}

static void open_gateway(struct fixture *f, uint32_t limit_ms)
{
	assert_int_equal(gw_supervisor_new(&f->gw, NULL, &f->gw.sup), 0);
	assert_int_equal(gw_prober_new(&f->gw, limit_ms, &f->gw.prober), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	signal(SIGPIPE, SIG_IGN);
	test_dir_make(f->dir);
	snprintf(f->run_dir, sizeof(f->run_dir), "%s/run", f->dir);
	snprintf(f->data_dir, sizeof(f->data_dir), "%s/data", f->dir);
	snprintf(f->worker, sizeof(f->worker), "%s", FAKE_WORKER);
	f->gw.cfg.run_dir = f->run_dir;
	f->gw.cfg.data_dir = f->data_dir;
	f->gw.cfg.worker_path = f->worker;
	f->gw.cfg.wa_url = (char *)(uintptr_t) "ws://127.0.0.1:1/ws/chat";
	f->gw.cfg.wa_origin = (char *)(uintptr_t) "http://127.0.0.1";
	f->gw.cfg.wa_device_name = (char *)(uintptr_t) "Test";
	f->gw.cfg.worker_memory_max_mb = 64;
	f->gw.base = event_base_new();
	assert_int_equal(gw_dir_make(f->data_dir), 0);
	assert_int_equal(gw_dials_new(f->gw.base, GW_DIALS_PER_S, &f->gw.dials), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_prober_free(f->gw.prober);
	gw_supervisor_free(f->gw.sup);
	gw_dials_free(f->gw.dials);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* host "": directly */
static void ask(struct fixture *f, const char *host, struct asked *a)
{
	struct gw_proxy proxy = { .enabled = host[0] != '\0', .port = 1080 };

	memset(a, 0, sizeof(*a));
	snprintf(proxy.host, sizeof(proxy.host), "%s", host);
	assert_int_equal(gw_probe_start(f->gw.prober, &proxy, on_done, a, &a->probe), 0);
}

static void expect(struct fixture *f, struct asked *a, int rc, const char *detail)
{
	test_run_until(f->gw.base, is_answered, a);
	assert_int_equal(a->n, 1);
	assert_int_equal(a->r.rc, rc);
	if (strstr(a->r.detail, detail) == NULL)
		fail_msg("%s", a->r.detail);
	gw_probe_free(a->probe);
	a->probe = NULL;
}

static void test_it_answers_and_is_gone(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct asked a;

	open_gateway(f, 20000);
	ask(f, "", &a);
	assert_int_equal(a.n, 0);
	expect(f, &a, 0, "");
	assert_int_equal(a.r.tcp_us, 1000);
	assert_int_equal(a.r.handshake_us, 2000);
	assert_int_equal(a.r.server_unix_s, 100);
	assert_int_equal(a.r.unix_s, 101);
	ask(f, "refused", &a);
	expect(f, &a, WA_EPROXY_AUTH, "refused");
	ask(f, "", &a); /* the second is gone before the third begins, or this could not be */
	expect(f, &a, 0, "");
	ask(f, "", &a);
	gw_probe_free(a.probe); /* before it has begun */
	test_run_due(f->gw.base);
	assert_int_equal(a.n, 0);
	snprintf(path, sizeof(path), "%s/w-%s.sock", f->run_dir, GW_PROBE_ID);
	assert_int_equal(strlen(GW_PROBE_ID), GW_ID_LEN);
	ask(f, "", &a);
	expect(f, &a, 0, "");
	gw_prober_free(f->gw.prober);
	f->gw.prober = NULL;
	assert_int_equal(access(path, F_OK), -1);
}

static void test_several_are_asked_one_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct asked a[5];

	open_gateway(f, 20000);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		ask(f, i % 2 == 0 ? "" : "refused", &a[i]);
	gw_probe_free(a[3].probe); /* this one has left */
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		if (i != 3)
			expect(f, &a[i], i % 2 == 0 ? 0 : WA_EPROXY_AUTH, "");
	assert_int_equal(a[3].n, 0);
}

static void test_whatever_it_does_there_is_one_answer(void **state)
{
	struct fixture *f = *state;
	struct asked a;

	open_gateway(f, 20000);
	ask(f, "die", &a);
	expect(f, &a, WA_EWORKER_CRASHED, "has ended");
	ask(f, "code", &a); /* what no probe has to say */
	expect(f, &a, WA_EWORKER_CRASHED, "nonsense");
	ask(f, "number", &a); /* an outcome that is none */
	expect(f, &a, WA_EWORKER_CRASHED, "nonsense");
	ask(f, "", &a);
	expect(f, &a, 0, "");
}

static void test_one_that_hangs_is_killed(void **state)
{
	struct fixture *f = *state;
	struct asked a;

	open_gateway(f, 100);
	ask(f, "mute", &a);
	expect(f, &a, WA_ETIMEOUT, "did not answer in time");
	ask(f, "mute", &a);
	expect(f, &a, WA_ETIMEOUT, "did not answer in time");
}

static void test_one_that_nobody_waits_for_is_killed(void **state)
{
	struct fixture *f = *state;
	struct asked left, a;

	open_gateway(f, 20000);
	ask(f, "mute", &left);
	for (int i = 0; i < 50; i++)
		test_run_due(f->gw.base);
	gw_probe_free(left.probe);
	ask(f, "", &a); /* has its turn at once, not after 20 s */
	expect(f, &a, 0, "");
	assert_int_equal(left.n, 0);
}

static void test_without_a_worker_nothing_is_reached(void **state)
{
	struct fixture *f = *state;
	struct asked a;

	snprintf(f->worker, sizeof(f->worker), "/bin/true");
	open_gateway(f, 300);
	ask(f, "", &a);
	for (int i = 0; i < 20; i++)
		test_run_due(f->gw.base);
	assert_true(a.n == 0 || a.r.rc != 0); /* it waits for a runner, or has found none */
	gw_probe_free(a.probe);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_it_answers_and_is_gone),
		T(test_several_are_asked_one_after_the_other),
		T(test_whatever_it_does_there_is_one_answer),
		T(test_one_that_hangs_is_killed),
		T(test_one_that_nobody_waits_for_is_killed),
		T(test_without_a_worker_nothing_is_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
