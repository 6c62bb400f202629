/*
 * tests/unit/test_gw_supervisor.c - workers from start to end, with real processes
 *
 * The worker is gw_fake_worker.c, which does wrong what its instance's id says. Deadlines are
 * short; nothing sleeps: each test runs the loop until what it waits for has happened.
 */
#include "gw_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_dials.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_numbers.h"
#include "gateway/instance/gw_version.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_survey.h"
#include "gateway/supervision/gw_worker.h"
#include "gateway/supervision/gw_worker_priv.h"

#define INSTANCES_MAX 24

/*
 * Patient where the worker does right, impatient where a test waits for its failure; hurried where
 * it has to come up first, on a host that may be busy.
 */
static const struct gw_worker_times patient = {
	.ready = 20000,
	.ping = 20000,
	.ping_lost = 3,
	.leave = 20000,
	.die = 20000,
	.shutdown = 20000,
};
static const struct gw_worker_times impatient = {
	.ready = 200,
	.ping = 20,
	.ping_lost = 3,
	.leave = 60,
	.die = 500,
	.shutdown = 60,
};

static const struct gw_worker_times hurried = {
	.ready = 20000,
	.ping = 200,
	.ping_lost = 3,
	.leave = 60,
	.die = 500,
	.shutdown = 60,
};

struct fixture {
	struct gw gw;
	char dir[TEST_DIR_CAP];
	char run_dir[64], data_dir[64];
	struct gw_account acc;
	struct gw_instance *inst[INSTANCES_MAX];
	size_t inst_n;
};

struct watcher {
	struct gw_instance *inst;
	struct gw_watch *w;
	unsigned qr_n, connecting_n, connected_n, ended_n;
	struct gw_reason reason;
};

static void on_watch(struct gw_instance *inst, enum gw_watch_event ev,
                     const struct gw_reason *reason, void *arg)
{
	struct watcher *wr = arg;

	(void)inst;
	if (ev == GW_WATCH_CODE) {
		wr->qr_n++;
		return;
	}
	if (ev == GW_WATCH_CONNECTING) {
		wr->connecting_n++;
		return;
	}
	wr->connected_n += ev == GW_WATCH_CONNECTED;
	wr->ended_n++;
	if (reason != NULL)
		wr->reason = *reason;
	wr->w = NULL;
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
	f->gw.cfg.run_dir = f->run_dir;
	f->gw.cfg.data_dir = f->data_dir;
	f->gw.cfg.worker_path = (char *)(uintptr_t)FAKE_WORKER;
	f->gw.cfg.wa_url = (char *)(uintptr_t) "ws://127.0.0.1:1/ws/chat";
	f->gw.cfg.wa_origin = (char *)(uintptr_t) "http://127.0.0.1";
	f->gw.cfg.connect_timeout_s = 60;
	f->gw.cfg.worker_memory_max_mb = 64;
	f->gw.base = event_base_new();
	assert_int_equal(gw_dir_make(f->data_dir), 0);
	assert_int_equal(gw_master_key_load(NULL, f->data_dir, true, &f->gw.master_key), 0);
	assert_int_equal(gw_numbers_new(&f->gw.numbers), 0);
	assert_int_equal(gw_dials_new(f->gw.base, GW_DIALS_PER_S, &f->gw.dials), 0);
	assert_int_equal(gw_version_new(f->gw.base, f->data_dir, &f->gw.version), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_supervisor_free(f->gw.sup);
	for (size_t i = 0; i < f->inst_n; i++)
		gw_instance_free(f->inst[i]);
	gw_version_free(f->gw.version);
	gw_dials_free(f->gw.dials);
	gw_numbers_free(f->gw.numbers);
	gw_master_key_free(f->gw.master_key);
	event_base_free(f->gw.base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void start(struct fixture *f, const struct gw_worker_times *times)
{
	assert_int_equal(gw_supervisor_new(&f->gw, times, &f->gw.sup), 0);
}

/* kind: what its worker does, see gw_fake_worker.c */
static struct gw_instance *instance(struct fixture *f, const char *kind)
{
	struct gw_instance_row row = { 0 };
	struct gw_instance **inst = &f->inst[f->inst_n];

	assert_true(f->inst_n < INSTANCES_MAX);
	memset(row.id, 'a' + (int)f->inst_n, GW_ID_LEN);
	memcpy(row.id, kind, strlen(kind));
	snprintf(row.name, sizeof(row.name), "%s", kind);
	assert_int_equal(gw_instance_new(&f->gw, &f->acc, &row, NULL, NULL, NULL, inst), 0);
	f->inst_n++;
	return *inst;
}

static void connect_to(struct gw_instance *inst, struct watcher *wr, uint32_t history_days)
{
	const struct gw_connect_params p = { .history_days = history_days };

	*wr = (struct watcher){ .inst = inst };
	assert_int_equal(gw_instance_connect(inst, &p, on_watch, wr, &wr->w), 0);
}

static bool has_code(void *arg)
{
	return ((struct watcher *)arg)->qr_n > 0;
}

static bool has_ended(void *arg)
{
	return ((struct watcher *)arg)->ended_n > 0;
}

static bool is_online(void *arg)
{
	return ((struct gw_instance *)arg)->state == GW_ONLINE;
}

static bool is_restarting(void *arg)
{
	return ((struct gw_instance *)arg)->state == GW_RESTARTING;
}

static bool is_idle(void *arg)
{
	return ((struct gw_instance *)arg)->state == GW_IDLE;
}

static void expect_end(struct fixture *f, struct watcher *wr, int rc, const char *detail_part)
{
	test_run_until(f->gw.base, has_ended, wr);
	assert_int_equal(wr->reason.rc, rc);
	if (strstr(wr->reason.detail, detail_part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", wr->reason.detail, detail_part);
	test_run_until(f->gw.base, is_idle, wr->inst);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 0);
}

static void expect_failure(void **state, const char *kind, const struct gw_worker_times *times,
                           int rc, const char *detail_part)
{
	struct fixture *f = *state;
	struct watcher wr;

	start(f, times);
	connect_to(instance(f, kind), &wr, 0);
	expect_end(f, &wr, rc, detail_part);
}

static void on_gone(struct gw_instance *inst, void *arg)
{
	(void)inst;
	*(bool *)arg = true;
}

static bool is_true(void *arg)
{
	return *(bool *)arg;
}

static bool is_no_process(void *arg)
{
	return kill(*(pid_t *)arg, 0) < 0 && errno == ESRCH;
}

static bool has_pid(void *arg)
{
	struct gw_worker_info info;

	gw_worker_info(gw_supervisor_next(arg, NULL), &info);
	return info.pid > 0;
}

/* What it says may come before the runner has told its pid; kill() of 0 would be our own end. */
static void first_worker(struct fixture *f, struct gw_worker_info *info)
{
	test_run_until(f->gw.base, has_pid, f->gw.sup);
	gw_worker_info(gw_supervisor_next(f->gw.sup, NULL), info);
}

/* ---- the good way ----------------------------------------------------------- */

static void test_a_worker_shows_its_code_and_leaves_when_told(void **state)
{
	struct fixture *f = *state;
	struct gw_worker_info info;
	struct watcher wr;
	struct stat st;
	char path[128];
	bool gone = false;

	start(f, &patient);
	connect_to(instance(f, "qr"), &wr, 0);
	snprintf(path, sizeof(path), "%s/w-%s.sock", f->run_dir, gw_instance_id(wr.inst));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	test_run_until(f->gw.base, has_code, &wr);
	assert_string_equal(gw_instance_code(wr.inst)->text, "2@ref,a,b,c,d");
	assert_int_equal(gw_supervisor_count(f->gw.sup), 1);
	first_worker(f, &info);
	assert_string_equal(info.state, "ready");
	assert_ptr_equal(info.inst, wr.inst);
	assert_int_equal(kill(info.pid, 0), 0);
	assert_true(info.memory.pss_kib > 0 || info.memory.pss_kib == -1);
	gw_instance_delete(wr.inst, on_gone, &gone);
	test_run_until(f->gw.base, is_true, &gone);
	assert_int_equal(wr.ended_n, 1);
	assert_int_equal(wr.reason.rc, WA_EDELETED);
	assert_int_equal(access(path, F_OK), -1);
	test_run_until(f->gw.base, is_no_process, &info.pid); /* no zombie is left either */
	assert_int_equal(gw_supervisor_count(f->gw.sup), 0);
	assert_null(gw_supervisor_next(f->gw.sup, NULL));
}

static void test_more_starts_than_slots_all_get_their_code(void **state)
{
	struct fixture *f = *state;
	struct watcher wr[20];

	start(f, &patient);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		connect_to(instance(f, "qr"), &wr[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		test_run_until(f->gw.base, has_code, &wr[i]);
	assert_int_equal(gw_supervisor_count(f->gw.sup), ARRAY_LEN(wr));
}

static void test_a_superseded_attempt_makes_room_for_the_next(void **state)
{
	struct fixture *f = *state;
	struct watcher a, b;

	start(f, &patient);
	connect_to(instance(f, "qr"), &a, 0);
	test_run_until(f->gw.base, has_code, &a);
	connect_to(a.inst, &b, 7);
	test_run_until(f->gw.base, has_code, &b);
	assert_int_equal(a.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 1);
}

static void test_a_failure_that_the_worker_tells_keeps_its_reason(void **state)
{
	/* text from a worker is made printable */
	expect_failure(state, "fail", &patient, WA_ENETWORK, "refused?by ?");
}

/* ---- a link and its session ------------------------------------------------- */

static bool is_connected(void *arg)
{
	return ((struct watcher *)arg)->connected_n > 0;
}

static void test_a_link_from_its_code_to_online(void **state)
{
	struct fixture *f = *state;
	struct watcher wr;

	start(f, &patient);
	connect_to(instance(f, "link"), &wr, 0);
	test_run_until(f->gw.base, is_connected, &wr); /* it asked for its dial, too */
	assert_true(gw_instance_is_linked(wr.inst));
	assert_string_equal(gw_instance_number_jid(wr.inst), "5511999999999@s.whatsapp.net");
	assert_string_equal(wr.inst->link.push_name, "Ana ");
	assert_int_equal(gw_instance_state(wr.inst), GW_CONNECTED);
}

static void test_a_saved_session_is_resumed_and_after_a_crash_once_more(void **state)
{
	struct fixture *f = *state;
	struct gw_instance *inst;
	struct gw_worker_info info;

	start(f, &patient);
	inst = instance(f, "saved");
	inst->link.linked = true;
	gw_instance_autostart(inst);
	test_run_until(f->gw.base, is_online, inst);
	first_worker(f, &info);
	assert_int_equal(kill(info.pid, SIGKILL), 0);
	test_run_until(f->gw.base, is_restarting, inst);
	test_run_until(f->gw.base, is_online, inst);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 1);
}

static void on_logout(struct gw_instance *inst, const struct gw_reason *reason, void *arg)
{
	(void)inst;
	assert_null(reason);
	*(bool *)arg = true;
}

static void test_a_logout_goes_to_the_worker_and_comes_back(void **state)
{
	struct fixture *f = *state;
	struct gw_logout *l;
	struct watcher wr;
	bool done = false;

	start(f, &patient);
	connect_to(instance(f, "link"), &wr, 0);
	test_run_until(f->gw.base, is_connected, &wr);
	assert_int_equal(gw_instance_logout(wr.inst, "r", on_logout, &done, &l), 0);
	test_run_until(f->gw.base, is_true, &done);
	assert_int_equal(gw_instance_state(wr.inst), GW_LOGGEDOUT);
	test_run_until(f->gw.base, is_idle, wr.inst);
}

static void test_a_pairing_code_by_number(void **state)
{
	const struct gw_connect_params p = { .number = "5511911111111" };
	struct fixture *f = *state;
	struct watcher wr = { 0 };

	start(f, &patient);
	wr.inst = instance(f, "number");
	assert_int_equal(gw_instance_connect(wr.inst, &p, on_watch, &wr, &wr.w), 0);
	test_run_until(f->gw.base, has_code, &wr);
	assert_string_equal(gw_instance_code(wr.inst)->text, "ABCD-EFGH");
	assert_true(gw_numbers_wait_ms(f->gw.numbers, p.number, clock_ms()) > 50000);
}

static void test_a_proxy_with_its_password_reaches_the_worker(void **state)
{
	struct fixture *f = *state;
	struct watcher wr;

	start(f, &patient);
	wr.inst = instance(f, "proxy");
	wr.inst->proxy = secret_alloc(sizeof(*wr.inst->proxy));
	*wr.inst->proxy =
	    (struct gw_proxy){ .enabled = true, .host = "h", .port = 1, .password = "secret" };
	connect_to(wr.inst, &wr, 0);
	test_run_until(f->gw.base, has_code, &wr);
}

static void test_one_worker_looks_the_version_up_and_the_next_is_told(void **state)
{
	struct fixture *f = *state;
	struct watcher a, b;
	uint32_t revision;
	bool stale;

	start(f, &patient);
	connect_to(instance(f, "vers"), &a, 0);
	connect_to(instance(f, "vers"), &b, 0);
	test_run_until(f->gw.base, has_code, &a);
	test_run_until(f->gw.base, has_code, &b);
	gw_version_get(f->gw.version, &revision, &stale);
	assert_int_equal(revision, 4711);
	assert_false(stale);
}

/* As many as a host may dial in a second, and some more: those wait, and all come up. */
static void test_starts_beyond_the_hosts_dials_wait_for_their_turn(void **state)
{
	struct fixture *f = *state;
	struct watcher wr[8];
	uint64_t began_ms = clock_ms();

	gw_dials_free(f->gw.dials);
	assert_int_equal(gw_dials_new(f->gw.base, 5, &f->gw.dials), 0);
	start(f, &patient);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		connect_to(instance(f, "qr"), &wr[i], 0);
	for (size_t i = 0; i < 5; i++)
		test_run_until(f->gw.base, has_code, &wr[i]);
	test_run_until(f->gw.base, has_code, &wr[5]);
	assert_true(clock_ms() - began_ms >= 1000); /* it could dial no sooner, on any host */
	for (size_t i = 6; i < ARRAY_LEN(wr); i++)
		test_run_until(f->gw.base, has_code, &wr[i]);
}

/* ---- what goes wrong in a worker -------------------------------------------- */

static void test_a_worker_that_ends_is_noticed_with_its_status(void **state)
{
	expect_failure(state, "die", &patient, WA_EWORKER_CRASHED, "exit status 7");
}

static void test_a_worker_that_is_killed_is_noticed_with_the_signal(void **state)
{
	expect_failure(state, "segv", &patient, WA_EWORKER_CRASHED, "SIGKILL");
}

static void test_a_worker_that_ends_at_its_start_has_not_started(void **state)
{
	expect_failure(state, "early", &patient, WA_EWORKER_START, "exit status 5");
}

static void test_a_worker_that_never_answers_hello_has_not_started(void **state)
{
	expect_failure(state, "mute", &impatient, WA_EWORKER_START, "not ready within");
}

static void test_a_worker_that_sends_garbage_is_killed(void **state)
{
	expect_failure(state, "bad", &patient, WA_EWORKER_CRASHED, "broke the protocol");
}

static void test_a_worker_that_sends_an_unsound_code_is_killed(void **state)
{
	expect_failure(state, "empty", &patient, WA_EWORKER_CRASHED, "broke the protocol");
}

static void test_a_worker_that_speaks_out_of_turn_is_killed(void **state)
{
	expect_failure(state, "turn", &patient, WA_EWORKER_CRASHED, "wrong_state");
}

static void test_a_worker_that_lies_about_its_account_is_killed(void **state)
{
	expect_failure(state, "jid", &patient, WA_EWORKER_CRASHED, "broke the protocol");
}

static void test_a_worker_that_never_stops_asking_is_killed(void **state)
{
	struct fixture *f = *state;
	struct gw_dial one = { .lane = GW_DIAL_START };

	for (int i = 0; i < GW_DIALS_PER_S - 1; i++) /* but for its own first one */
		assert_true(gw_dials_ask(f->gw.dials, &one));
	expect_failure(state, "twice", &patient, WA_EWORKER_CRASHED, "broke the protocol");
}

static void test_a_worker_that_talks_too_much_is_killed(void **state)
{
	expect_failure(state, "flood", &patient, WA_EWORKER_CRASHED, "broke the protocol");
}

/* Long before the number of its messages would matter. */
static void test_a_worker_that_shows_too_many_codes_is_killed(void **state)
{
	expect_failure(state, "codes", &patient, WA_EWORKER_CRASHED, "broke the protocol");
}

static void test_a_worker_that_hangs_is_killed(void **state)
{
	expect_failure(state, "hang", &hurried, WA_EWORKER_CRASHED, "did not answer any more");
}

static void test_a_worker_that_answers_pings_lives(void **state)
{
	struct fixture *f = *state;
	struct watcher good, bad;

	start(f, &hurried);
	connect_to(instance(f, "qr"), &good, 0);
	test_run_until(f->gw.base, has_code, &good);
	connect_to(instance(f, "hang"), &bad, 0);
	test_run_until(f->gw.base, has_ended, &bad); /* after the time that kills the other */
	assert_int_equal(good.ended_n, 0);
}

static void test_a_worker_that_ignores_stop_is_killed(void **state)
{
	struct fixture *f = *state;
	struct watcher wr;
	bool gone = false;

	start(f, &hurried);
	connect_to(instance(f, "deaf"), &wr, 0);
	test_run_until(f->gw.base, has_code, &wr);
	gw_instance_delete(wr.inst, on_gone, &gone);
	test_run_until(f->gw.base, is_true, &gone);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 0);
}

/* ---- what goes wrong with starting ------------------------------------------ */

static void test_a_host_that_can_not_fork_is_at_capacity(void **state)
{
	expect_failure(state, "nofork", &patient, WA_EAT_CAPACITY, "could not be made");
}

static void test_the_workers_limit_is_answered_at_once(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { 0 };
	struct watcher a, b = { 0 };
	bool gone = false;

	f->gw.cfg.max_workers = 1;
	start(f, &patient);
	connect_to(instance(f, "qr"), &a, 0);
	b.inst = instance(f, "qr");
	assert_int_equal(gw_instance_connect(b.inst, &p, on_watch, &b, &b.w), WA_EAT_CAPACITY);
	gw_instance_delete(a.inst, on_gone, &gone);
	test_run_until(f->gw.base, is_true, &gone);
	connect_to(b.inst, &b, 0);
	test_run_until(f->gw.base, has_code, &b);
}

static void test_a_dead_zygote_is_started_again_and_its_workers_live_on(void **state)
{
	struct fixture *f = *state;
	struct watcher before, victim, after;

	start(f, &patient);
	connect_to(instance(f, "qr"), &before, 0);
	test_run_until(f->gw.base, has_code, &before);
	connect_to(instance(f, "zdie"), &victim, 0);
	test_run_until(f->gw.base, has_ended, &victim);
	assert_int_equal(victim.reason.rc, WA_EWORKER_START);
	connect_to(instance(f, "qr"), &after, 0); /* waits for the next zygote */
	test_run_until(f->gw.base, has_code, &after);
	assert_int_equal(before.ended_n, 0);
	assert_true(gw_supervisor_ok(f->gw.sup));
}

static void test_a_zygote_that_hangs_is_replaced(void **state)
{
	static struct gw_worker_times times;
	struct fixture *f = *state;
	struct watcher victim, after;

	times = impatient;
	start(f, &times);
	connect_to(instance(f, "zhang"), &victim, 0);
	test_run_until(f->gw.base, has_ended, &victim);
	assert_int_equal(victim.reason.rc, WA_EWORKER_START);
	test_run_until(f->gw.base, is_idle, victim.inst);
	times.ready = patient.ready;
	connect_to(instance(f, "qr"), &after, 0);
	test_run_until(f->gw.base, has_code, &after);
}

/* The kernel walks all its pages for it: so not more often than somebody needs it new. */
static void test_memory_is_read_as_often_as_it_is_wanted_new(void **state)
{
	struct fixture *f = *state;
	struct gw_worker_memory mem;
	struct gw_worker_info info;
	struct watcher wr;
	struct gw_worker *w;

	start(f, &patient);
	connect_to(instance(f, "qr"), &wr, 0);
	test_run_until(f->gw.base, has_code, &wr);
	first_worker(f, &info);
	assert_true(info.memory.rss_kib > 0);
	w = wr.inst->worker;
	w->memory.rss_kib = 123456789; /* as if it were */
	w->memory.pss_kib = -1;
	gw_worker_memory(w, UINT32_MAX, &mem);
	assert_int_equal(mem.rss_kib, 123456789);
	assert_int_equal(gw_worker_memory_bytes(w, false), 123456789 * INT64_C(1024));
	gw_worker_memory(w, 0, &mem);
	assert_true(mem.rss_kib > 0 && mem.rss_kib < 123456789);
	assert_true(gw_worker_memory_bytes(w, false) < 123456789 * INT64_C(1024));
	w->memory_ms = 0; /* never */
	assert_int_equal(gw_worker_memory_bytes(w, false), -1);
	assert_true(gw_worker_memory_bytes(w, true) > 0);
}

static bool has_process(void *arg)
{
	struct gw_worker_info info;

	gw_worker_info(((struct gw_instance *)arg)->worker, &info);
	return info.pid != 0;
}

static void test_a_start_that_waits_can_be_called_off(void **state)
{
	struct fixture *f = *state;
	struct watcher busy[GW_STARTS_MAX], waiting;
	struct gw_worker_info info;
	bool gone = false;

	start(f, &patient);
	for (size_t i = 0; i < ARRAY_LEN(busy); i++)
		connect_to(instance(f, "mute"), &busy[i], 0);
	connect_to(instance(f, "qr"), &waiting, 0);
	gw_worker_info(waiting.inst->worker, &info);
	assert_string_equal(info.state, "queued");
	gw_instance_delete(waiting.inst, on_gone, &gone);
	assert_false(gone);
	test_run_until(f->gw.base, is_true, &gone);
	assert_int_equal(gw_supervisor_count(f->gw.sup), GW_STARTS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(busy); i++) /* so that the end can kill them */
		test_run_until(f->gw.base, has_process, busy[i].inst);
}

/* ---- begin and end ---------------------------------------------------------- */

static void on_empty(void *arg)
{
	*(bool *)arg = true;
}

struct surveyor {
	struct gw_survey *survey;
	unsigned seen_n, at_once_n; /* workers; those since the last look at passed */
	unsigned most_n;            /* in one pass */
	bool done;
};

static void on_surveyed(struct gw_worker *w, void *arg)
{
	struct surveyor *s = arg;

	assert_non_null(gw_worker_instance(w));
	s->seen_n++;
	if (++s->at_once_n > s->most_n)
		s->most_n = s->at_once_n;
}

static void on_survey_done(void *arg)
{
	struct surveyor *s = arg;

	gw_survey_free(s->survey);
	s->survey = NULL;
	s->done = true;
}

static const struct gw_survey_ops survey_ops = { on_surveyed, on_survey_done };

static void test_a_survey_sees_each_worker_once_and_lets_others_go_on(void **state)
{
	struct fixture *f = *state;
	struct surveyor s = { .seen_n = 0 };
	struct watcher wr[20];
	unsigned passes_n = 0;

	start(f, &patient);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		connect_to(instance(f, "qr"), &wr[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		test_run_until(f->gw.base, has_code, &wr[i]);
	assert_int_equal(gw_survey_new(&f->gw, &survey_ops, &s, &s.survey), 0);
	assert_int_equal(s.seen_n, 0);
	for (; !s.done; passes_n++) {
		s.at_once_n = 0;
		event_base_loop(f->gw.base, EVLOOP_ONCE);
	}
	assert_int_equal(s.seen_n, ARRAY_LEN(wr));
	assert_true(passes_n > 1);
	assert_true(s.most_n < ARRAY_LEN(wr) / 2);
}

static void test_a_survey_goes_on_behind_a_worker_that_goes(void **state)
{
	struct fixture *f = *state;
	struct surveyor s = { .seen_n = 0 };
	struct watcher wr[12];

	start(f, &patient);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		connect_to(instance(f, "qr"), &wr[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		test_run_until(f->gw.base, has_code, &wr[i]);
	assert_int_equal(gw_survey_new(&f->gw, &survey_ops, &s, &s.survey), 0);
	event_del(s.survey->ev); /* as between two passes */
	for (size_t i = 0; i < 2; i++) {
		struct gw_worker *next = s.survey->next;
		struct gw_worker *behind = gw_supervisor_next(f->gw.sup, next);
		bool gone = false;

		gw_instance_delete(gw_worker_instance(next), on_gone, &gone);
		test_run_until(f->gw.base, is_true, &gone);
		assert_ptr_equal(s.survey->next, behind);
	}
	event_active(s.survey->ev, EV_TIMEOUT, 0);
	test_run_until(f->gw.base, is_true, &s.done);
	assert_int_equal(s.seen_n, ARRAY_LEN(wr) - 2);

	/* and one that is given up in the middle leaves nothing */
	s.done = false;
	assert_int_equal(gw_survey_new(&f->gw, &survey_ops, &s, &s.survey), 0);
	gw_survey_free(s.survey);
	event_base_loop(f->gw.base, EVLOOP_NONBLOCK);
	assert_false(s.done);
}

static void test_the_more_workers_the_longer_they_may_take_to_leave(void **state)
{
	struct fixture *f = *state;
	struct watcher wr[20];

	start(f, &patient);
	assert_int_equal(gw_supervisor_shutdown_ms(f->gw.sup), patient.shutdown);
	for (size_t i = 0; i < ARRAY_LEN(wr); i++)
		connect_to(instance(f, "qr"), &wr[i], 0);
	assert_int_equal(gw_supervisor_shutdown_ms(f->gw.sup), patient.shutdown + 200);
}

static void test_stop_waits_for_all_and_kills_the_deaf(void **state)
{
	struct fixture *f = *state;
	struct watcher a, b;
	bool empty = false;

	start(f, &hurried);
	connect_to(instance(f, "qr"), &a, 0);
	connect_to(instance(f, "deaf"), &b, 0);
	test_run_until(f->gw.base, has_code, &a);
	test_run_until(f->gw.base, has_code, &b);
	gw_instance_stop(a.inst);
	gw_instance_stop(b.inst);
	gw_supervisor_stop(f->gw.sup, on_empty, &empty);
	test_run_until(f->gw.base, is_true, &empty);
	assert_int_equal(a.reason.rc, WA_ESHUTTING_DOWN);
	assert_int_equal(b.reason.rc, WA_ESHUTTING_DOWN);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 0);
}

static void test_an_instance_that_is_being_deleted_is_parted_too(void **state)
{
	static struct watcher wr; /* told once more when the instance is freed */
	static bool gone;
	struct fixture *f = *state;
	struct gw_worker_info info;

	start(f, &patient);
	connect_to(instance(f, "deaf"), &wr, 0);
	test_run_until(f->gw.base, has_code, &wr);
	first_worker(f, &info);
	gw_instance_delete(wr.inst, on_gone, &gone); /* its owner no longer lists it */
	gw_supervisor_part(f->gw.sup);
	assert_null(wr.inst->worker);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 0);
	assert_int_equal(kill(info.pid, SIGKILL), 0); /* it lived on */
	assert_false(gone);
}

static void test_a_second_stop_kills_at_once(void **state)
{
	struct fixture *f = *state;
	struct watcher deaf, mute[GW_STARTS_MAX], queued;
	bool empty = false;

	start(f, &patient);
	connect_to(instance(f, "deaf"), &deaf, 0);
	test_run_until(f->gw.base, has_code, &deaf);
	for (size_t i = 0; i < ARRAY_LEN(mute); i++)
		connect_to(instance(f, "mute"), &mute[i], 0);
	connect_to(instance(f, "qr"), &queued, 0);
	for (size_t i = 0; i < f->inst_n; i++)
		gw_instance_stop(f->inst[i]);
	gw_supervisor_stop(f->gw.sup, on_empty, &empty);
	gw_supervisor_stop(f->gw.sup, NULL, NULL);
	test_run_until(f->gw.base, is_true, &empty);
	assert_int_equal(gw_supervisor_count(f->gw.sup), 0);
}

static void test_stop_without_workers_ends_in_the_next_pass(void **state)
{
	struct fixture *f = *state;
	bool empty = false;

	start(f, &patient);
	gw_supervisor_stop(f->gw.sup, on_empty, &empty);
	assert_false(empty);
	test_run_due(f->gw.base);
	assert_true(empty);
}

static void test_run_dir_belongs_to_one_gateway(void **state)
{
	struct fixture *f = *state;
	struct gw_supervisor *second = NULL;

	start(f, &patient);
	assert_int_equal(gw_supervisor_new(&f->gw, &patient, &second), WA_EALREADY_RUNNING);
	assert_null(second);
	gw_supervisor_free(f->gw.sup);
	f->gw.sup = NULL;
	start(f, &patient);
}

static void on_adopted(void *arg)
{
	*(bool *)arg = true;
}

static void test_sockets_left_behind_are_removed(void **state)
{
	struct fixture *f = *state;
	char stale[128], other[128];
	bool done = false;

	assert_int_equal(gw_dir_make(f->run_dir), 0);
	snprintf(stale, sizeof(stale), "%s/w-abcdefghijklmnop.sock", f->run_dir);
	snprintf(other, sizeof(other), "%s/admin.sock", f->run_dir);
	close(open(stale, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	start(f, &patient);
	gw_supervisor_adopt(f->gw.sup, 1000, on_adopted, &done);
	assert_false(done); /* from the loop only */
	test_run_due(f->gw.base);
	assert_true(done);
	assert_int_equal(access(stale, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
}

static void test_a_worker_path_that_can_not_run_stops_the_start(void **state)
{
	struct fixture *f = *state;
	char path[128];

	f->gw.cfg.worker_path = path;
	snprintf(path, sizeof(path), "%s/none", f->dir);
	assert_int_equal(gw_supervisor_new(&f->gw, NULL, &f->gw.sup), -ENOENT);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(gw_supervisor_new(&f->gw, NULL, &f->gw.sup), -EACCES);
	assert_int_equal(chmod(path, 0700), 0); /* executable, but no program */
	assert_int_equal(gw_supervisor_new(&f->gw, NULL, &f->gw.sup), -ENOEXEC);
	snprintf(path, sizeof(path), "%s", f->dir);
	assert_int_equal(gw_supervisor_new(&f->gw, NULL, &f->gw.sup), -EACCES);
	assert_null(f->gw.sup);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_worker_shows_its_code_and_leaves_when_told),
		T(test_memory_is_read_as_often_as_it_is_wanted_new),
		T(test_more_starts_than_slots_all_get_their_code),
		T(test_a_superseded_attempt_makes_room_for_the_next),
		T(test_a_failure_that_the_worker_tells_keeps_its_reason),
		T(test_a_link_from_its_code_to_online),
		T(test_a_saved_session_is_resumed_and_after_a_crash_once_more),
		T(test_a_logout_goes_to_the_worker_and_comes_back),
		T(test_a_pairing_code_by_number),
		T(test_a_proxy_with_its_password_reaches_the_worker),
		T(test_one_worker_looks_the_version_up_and_the_next_is_told),
		T(test_starts_beyond_the_hosts_dials_wait_for_their_turn),
		T(test_a_worker_that_lies_about_its_account_is_killed),
		T(test_a_worker_that_never_stops_asking_is_killed),
		T(test_a_worker_that_talks_too_much_is_killed),
		T(test_a_worker_that_shows_too_many_codes_is_killed),
		T(test_a_worker_that_ends_is_noticed_with_its_status),
		T(test_a_worker_that_is_killed_is_noticed_with_the_signal),
		T(test_a_worker_that_ends_at_its_start_has_not_started),
		T(test_a_worker_that_never_answers_hello_has_not_started),
		T(test_a_worker_that_sends_garbage_is_killed),
		T(test_a_worker_that_sends_an_unsound_code_is_killed),
		T(test_a_worker_that_speaks_out_of_turn_is_killed),
		T(test_a_worker_that_hangs_is_killed),
		T(test_a_worker_that_answers_pings_lives),
		T(test_a_worker_that_ignores_stop_is_killed),
		T(test_a_host_that_can_not_fork_is_at_capacity),
		T(test_the_workers_limit_is_answered_at_once),
		T(test_a_dead_zygote_is_started_again_and_its_workers_live_on),
		T(test_a_zygote_that_hangs_is_replaced),
		T(test_a_start_that_waits_can_be_called_off),
		T(test_a_survey_sees_each_worker_once_and_lets_others_go_on),
		T(test_a_survey_goes_on_behind_a_worker_that_goes),
		T(test_the_more_workers_the_longer_they_may_take_to_leave),
		T(test_stop_waits_for_all_and_kills_the_deaf),
		T(test_an_instance_that_is_being_deleted_is_parted_too),
		T(test_a_second_stop_kills_at_once),
		T(test_stop_without_workers_ends_in_the_next_pass),
		T(test_run_dir_belongs_to_one_gateway),
		T(test_sockets_left_behind_are_removed),
		T(test_a_worker_path_that_can_not_run_stops_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
