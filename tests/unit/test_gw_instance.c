/* tests/unit/test_gw_instance.c - the state machine of an instance: linking, its callers, the
 * table, what clients see */
#include "gw_instance_fixture.h"

#include <errno.h>

#include "common/secret.h"

/* ---- one attempt ------------------------------------------------------------ */

static void test_a_connect_starts_a_worker_and_gets_its_code(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	assert_int_equal(gw_instance_state(f->inst), GW_DISCONNECTED);
	connect_ok(f, &a, 0);
	assert_int_equal(fake.starts_n, 1);
	assert_string_equal(fake.request_id, "req-1");
	assert_int_equal(gw_instance_state(f->inst), GW_CONNECTING);
	assert_string_equal(gw_instance_log(f->inst)->request_id, "req-1");
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_step(f, "handshake"), 0);
	assert_null(gw_instance_code(f->inst));
	assert_int_equal(event_code(f, "code-1", 60000), 0);
	assert_int_equal(a.qr_n, 0);
	run_due(f);
	assert_int_equal(a.qr_n, 1);
	assert_string_equal(a.code, "code-1");
	assert_int_equal(gw_instance_code(f->inst)->expires_at_ms, now_ms + 60000);
	assert_int_equal(gw_instance_code(f->inst)->total, 6);
	run_due(f);
	assert_int_equal(a.qr_n, 1); /* once per code */
	assert_int_equal(event_code(f, "code-2", 20000), 0);
	run_due(f);
	assert_int_equal(a.qr_n, 2);
	assert_string_equal(a.code, "code-2");
}

static void test_two_hundred_callers_share_one_attempt(void **state)
{
	struct fixture *f = *state;
	struct watcher many[200] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		connect_ok(f, &many[i], 0);
	assert_int_equal(fake.starts_n, 1);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		assert_int_equal(many[i].qr_n, 1);
		assert_string_equal(many[i].code, "one");
	}
}

static void test_a_later_caller_gets_the_live_code_at_the_next_pass(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	now_ms += 30000;
	connect_ok(f, &b, 0);
	run_due(f);
	assert_int_equal(b.qr_n, 1);
	assert_int_equal(a.qr_n, 1);
	assert_int_equal(fake.starts_n, 1);
}

static void test_a_code_with_less_than_two_seconds_is_not_handed_out(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 }, c = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	now_ms += 58000; /* exactly 2 s left */
	connect_ok(f, &c, 0);
	run_due(f);
	assert_int_equal(c.qr_n, 1);
	now_ms += 1;
	assert_null(gw_instance_code(f->inst));
	connect_ok(f, &b, 0);
	run_due(f);
	assert_int_equal(b.qr_n, 0);
	now_ms += 1999;
	assert_int_equal(event_code(f, "two", 20000), 0);
	run_due(f);
	assert_int_equal(b.qr_n, 1);
	assert_string_equal(b.code, "two");
}

static void test_who_came_too_late_for_the_last_code_gets_an_attempt_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, late = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "last", 20000), 0);
	run_due(f);
	now_ms += 19000;
	connect_ok(f, &late, 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ECODE_TIMEOUT, "not scanned"), 0);
	run_due(f);
	assert_int_equal(a.timeout_n, 1);
	assert_int_equal(late.timeout_n, 0);
	assert_int_equal(f->inst->state, GW_QUEUED);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "fresh", 60000), 0);
	run_due(f);
	assert_string_equal(late.code, "fresh");
}

static void test_codes_that_run_out_end_in_timeout(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ECODE_TIMEOUT, "not scanned"), 0);
	assert_int_equal(fake.expects_n, 1);
	assert_null(gw_instance_code(f->inst));
	run_due(f);
	assert_int_equal(a.timeout_n, 1);
	assert_int_equal(a.failed_n, 0);
	assert_int_equal(f->inst->state, GW_LEAVING);
	assert_int_equal(gw_instance_state(f->inst), GW_DISCONNECTED);
	assert_int_equal(f->inst->link.last_error.rc, WA_ECODE_TIMEOUT);
	fake_worker_gone(f->inst);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(fake.starts_n, 1); /* nothing is retried */
}

static void test_a_silent_worker_after_its_last_code_ends_in_timeout(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	run_due(f);
	assert_int_equal(a.timeout_n, 1);
	assert_int_equal(fake.stops_n, 1);
}

static void test_a_failure_before_the_first_code_is_told_to_all(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	connect_ok(f, &b, 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, "connection refused"), 0);
	assert_int_equal(a.failed_n, 0); /* not from inside */
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(b.failed_n, 1);
	assert_int_equal(b.reason.rc, WA_ENETWORK);
	assert_string_equal(b.reason.detail, "connection refused");
	assert_int_equal(gw_instance_state(f->inst), GW_DISCONNECTED);
	assert_int_equal(f->inst->link.last_error.rc, WA_ENETWORK);
	fake_worker_gone(f->inst);
	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	assert_int_equal(f->inst->link.last_error.rc, 0); /* it works now */
}

static void test_a_crash_is_told_at_once_and_nothing_is_restarted(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_reason(f, GW_EV_LOST, WA_EWORKER_CRASHED, "signal 9"), 0);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_EWORKER_CRASHED);
	assert_int_equal(event(f, GW_EV_GONE), 0);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(fake.starts_n, 1);
}

static void test_a_worker_that_says_bye_in_the_middle_counts_as_crashed(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_reason(f, GW_EV_BYE, 0, ""), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_EWORKER_CRASHED);
	fake_worker_gone(f->inst);
	begin(f, &a);
	assert_int_equal(event_reason(f, GW_EV_BYE, WA_ESTORAGE, "disk full"), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_ESTORAGE);
}

static void test_no_code_in_time_names_the_step(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_step(f, "registration"), 0);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_ETIMEOUT);
	assert_non_null(strstr(a.reason.detail, "registration"));
	assert_int_equal(fake.stops_n, 1);
	assert_int_equal(f->inst->state, GW_LEAVING);
}

/* ---- who waits -------------------------------------------------------------- */

static void test_an_attempt_goes_on_when_its_callers_hang_up(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	gw_watch_cancel(a.w);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(a.qr_n, 0);
	connect_ok(f, &b, 0);
	run_due(f);
	assert_string_equal(b.code, "one");
	assert_int_equal(fake.starts_n, 1);
	assert_int_equal(fake.stops_n, 0);
}

static void test_a_watch_cancelled_before_it_is_told_hears_nothing(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	connect_ok(f, &b, 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_EDNS, ""), 0);
	gw_watch_cancel(a.w);
	run_due(f);
	assert_int_equal(a.failed_n, 0);
	assert_int_equal(b.failed_n, 1);
}

struct canceller {
	struct watcher self;
	struct watcher *victim;
};

static void on_watch_cancel_both(struct gw_instance *inst, enum gw_watch_event ev,
                                 const struct gw_reason *reason, void *arg)
{
	struct canceller *c = arg;

	(void)inst;
	(void)ev;
	(void)reason;
	c->self.qr_n++;
	gw_watch_cancel(c->self.w);
	if (c->victim != NULL && c->victim->w != NULL) {
		gw_watch_cancel(c->victim->w);
		c->victim->w = NULL;
	}
}

static void test_a_callback_may_cancel_itself_and_others(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { 0 };
	struct watcher victim = { 0 }, last = { 0 };
	struct canceller c = { .victim = &victim };

	assert_int_equal(gw_instance_connect(f->inst, &p, on_watch_cancel_both, &c, &c.self.w), 0);
	connect_ok(f, &victim, 0);
	connect_ok(f, &last, 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(c.self.qr_n, 1);
	assert_int_equal(victim.qr_n, 0);
	assert_int_equal(last.qr_n, 1);
}

static void on_watch_connect_again(struct gw_instance *inst, enum gw_watch_event ev,
                                   const struct gw_reason *reason, void *arg)
{
	const struct gw_connect_params p = { 0 };
	struct watcher *wr = arg;

	(void)ev;
	(void)reason;
	assert_int_equal(gw_instance_connect(inst, &p, on_watch, wr, &wr->w), 0);
}

static void test_a_callback_may_connect_again(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { 0 };
	struct watcher again = { 0 };
	struct gw_watch *w;

	assert_int_equal(gw_instance_connect(f->inst, &p, on_watch_connect_again, &again, &w), 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ETLS, ""), 0);
	run_due(f);
	assert_int_equal(f->inst->state, GW_QUEUED);
	fake_worker_gone(f->inst);
	assert_int_equal(f->inst->state, GW_STARTING);
	assert_int_equal(again.failed_n, 0);
}

/* ---- one command at a time -------------------------------------------------- */

static void test_another_history_supersedes_the_attempt(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 }, c = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "old", 60000), 0);
	run_due(f);
	connect_ok(f, &b, 7);
	assert_int_equal(fake.stops_n, 1);
	assert_int_equal(fake.stop_reason, GW_STOP_SUPERSEDED);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(b.qr_n, 0); /* never the wrong code */
	assert_int_equal(f->inst->state, GW_QUEUED);
	assert_int_equal(gw_instance_state(f->inst), GW_CONNECTING);
	assert_int_equal(event_code(f, "crossed", 60000), 0); /* it was on its way */
	connect_ok(f, &c, 7);
	run_due(f);
	assert_int_equal(b.qr_n + c.qr_n, 0);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(fake.history_days, 7);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "new", 60000), 0);
	run_due(f);
	assert_string_equal(b.code, "new");
	assert_string_equal(c.code, "new");
	assert_int_equal(f->inst->link.last_error.rc, 0);
}

static void test_a_caller_without_history_joins_an_attempt_with_some(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	connect_ok(f, &a, 7);
	assert_int_equal(event(f, GW_EV_READY), 0);
	connect_ok(f, &b, 0);
	assert_int_equal(fake.stops_n, 0);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_string_equal(a.code, "one");
	assert_string_equal(b.code, "one");
}

/* Only FAILED may say that; from a worker that just leaves it would keep callers waiting. */
static void test_a_bye_that_says_code_timeout_is_a_crash(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 1000), 0); /* too short to be handed out */
	run_due(f);
	assert_int_equal(a.qr_n, 0);
	assert_int_equal(event_reason(f, GW_EV_BYE, WA_ECODE_TIMEOUT, ""), 0);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_EWORKER_CRASHED);
}

static void test_a_queued_attempt_can_be_superseded_too(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 }, c = { 0 };

	begin(f, &a);
	connect_ok(f, &b, 7);
	connect_ok(f, &c, 8);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(b.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(c.failed_n, 0);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(fake.history_days, 8);
}

static void test_a_connect_while_the_last_worker_leaves_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, ""), 0);
	connect_ok(f, &b, 0);
	assert_int_equal(fake.starts_n, 1);
	assert_int_equal(gw_instance_state(f->inst), GW_CONNECTING);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(b.failed_n, 0);
}

static void test_a_queued_attempt_has_its_deadline(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, ""), 0);
	connect_ok(f, &b, 0);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	run_due(f);
	assert_int_equal(b.reason.rc, WA_ETIMEOUT);
	assert_int_equal(f->inst->state, GW_LEAVING);
}

static void test_capacity_is_answered_at_once_and_is_no_error_of_the_instance(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { 0 };
	struct watcher a = { 0 };

	fake.start_rc = WA_EAT_CAPACITY;
	assert_int_equal(gw_instance_connect(f->inst, &p, on_watch, &a, &a.w), WA_EAT_CAPACITY);
	assert_null(a.w);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(gw_instance_state(f->inst), GW_DISCONNECTED);
	assert_int_equal(f->inst->link.last_error.rc, 0);
	run_due(f);
	assert_int_equal(a.failed_n, 0);
}

static void test_a_queued_start_that_is_refused_is_told(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, ""), 0);
	connect_ok(f, &b, 0);
	fake.start_rc = WA_EWORKER_START;
	fake_worker_gone(f->inst);
	run_due(f);
	assert_int_equal(b.failed_n, 1);
	assert_int_equal(b.reason.rc, WA_EWORKER_START);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(f->inst->link.last_error.rc, WA_EWORKER_START);
}

static void test_a_stopping_gateway_answers_and_starts_nothing(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { 0 };
	struct watcher a = { 0 }, b = { 0 };

	begin(f, &a);
	f->gw.stopping = true;
	gw_instance_stop(f->inst);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_ESHUTTING_DOWN);
	assert_int_equal(fake.stop_reason, GW_STOP_SHUTDOWN);
	assert_int_equal(f->inst->link.last_error.rc, 0);
	assert_int_equal(gw_instance_connect(f->inst, &p, on_watch, &b, &b.w), WA_ESHUTTING_DOWN);
}

static void on_gone(struct gw_instance *inst, void *arg)
{
	(void)inst;
	(*(int *)arg)++;
}

static void test_a_deleted_instance_refuses_callers_until_it_is_restored(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { 0 };
	struct watcher a = { 0 };
	int gone = 0;

	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(gone, 1); /* nothing ran: at once */
	assert_int_equal(gw_instance_connect(f->inst, &p, on_watch, &a, &a.w), WA_EDELETED);
	gw_instance_restore(f->inst);
	begin(f, &a);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(gone, 1);
	assert_int_equal(fake.stop_reason, GW_STOP_DELETED);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_EDELETED);
	fake_worker_gone(f->inst);
	assert_int_equal(gone, 2);
	assert_int_equal(fake.starts_n, 1);
}

/* ---- the whole table -------------------------------------------------------- */

#define NO (-1) /* an empty cell */

/* Where each event leads from each state, written down a second time. */
static const signed char table[GW_INST_STATE_N][GW_INST_EVENT_N] = {
#define A GW_ADOPTING
#define I GW_IDLE
#define S GW_STARTING
#define D GW_DIALING
#define C GW_CODE
#define P GW_PASSKEY
#define R GW_RESUMING
#define N GW_ONLINE
#define W GW_WAITING
#define T GW_RESTARTING
#define L GW_LEAVING
#define Q GW_QUEUED
#define O GW_LOGGING_OUT
#define X GW_DELETING
#define Z GW_DELETED
	/* clang-format off */
	/*                    conn sup recn logo ren stop del rest adop refu read bye lost gone step code pask link onli down prof fail lodo dead retr */
	[GW_IDLE] =        {  S,   NO,  R,   I,   NO,  I,   Z,   NO,  A,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO },
	[GW_STARTING] =    {  S,   Q,   NO,  O,   NO,  L,   X,   NO,  NO,  I,   D,   L,   L,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  L,   NO },
	[GW_DIALING] =     {  D,   Q,   NO,  O,   NO,  L,   X,   NO,  NO,  NO,  NO,  L,   L,   NO,  D,   C,   NO,  NO,  N,   W,   NO,  L,   NO,  L,   NO },
	[GW_CODE] =        {  C,   Q,   NO,  O,   NO,  L,   X,   NO,  NO,  NO,  NO,  L,   L,   NO,  C,   C,   P,   R,   NO,  NO,  NO,  L,   NO,  L,   NO },
	[GW_PASSKEY] =     {  P,   Q,   NO,  O,   NO,  L,   X,   NO,  NO,  NO,  NO,  L,   L,   NO,  P,   C,   P,   R,   NO,  NO,  NO,  L,   NO,  L,   NO },
	[GW_ADOPTING] =    {  A,   NO,  A,   O,   NO,  L,   X,   NO,  NO,  NO,  Q,   Q,   Q,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  A,   NO },
	[GW_RESUMING] =    {  R,   NO,  R,   O,   NO,  L,   X,   NO,  NO,  T,   R,   T,   T,   NO,  R,   NO,  NO,  NO,  N,   W,   R,   L,   R,   R,   NO },
	[GW_ONLINE] =      {  N,   NO,  N,   O,   Q,   L,   X,   NO,  NO,  NO,  NO,  T,   T,   NO,  N,   NO,  NO,  NO,  NO,  W,   N,   L,   N,   N,   NO },
	[GW_WAITING] =     {  R,   NO,  R,   O,   Q,   L,   X,   NO,  NO,  NO,  NO,  T,   T,   NO,  R,   NO,  NO,  NO,  N,   W,   W,   L,   W,   W,   NO },
	[GW_RESTARTING] =  {  T,   T,   T,   O,   NO,  L,   X,   NO,  NO,  NO,  T,   T,   T,   T,   T,   T,   T,   T,   T,   T,   T,   T,   T,   T,   T },
	[GW_LEAVING] =     {  Q,   NO,  Q,   O,   NO,  L,   X,   NO,  NO,  NO,  L,   L,   L,   I,   L,   L,   L,   Q,   L,   L,   L,   L,   L,   NO,  NO },
	[GW_QUEUED] =      {  Q,   Q,   Q,   O,   NO,  L,   X,   NO,  NO,  NO,  Q,   Q,   Q,   S,   Q,   Q,   Q,   Q,   Q,   Q,   Q,   Q,   Q,   L,   NO },
	[GW_LOGGING_OUT] = {  O,   NO,  NO,  O,   NO,  L,   X,   NO,  NO,  NO,  O,   T,   T,   O,   O,   O,   O,   O,   O,   O,   O,   L,   N,   T,   NO },
	[GW_DELETING] =    {  NO,  NO,  NO,  NO,  NO,  X,   NO,  NO,  NO,  NO,  X,   X,   X,   Z,   X,   X,   X,   X,   X,   X,   X,   X,   X,   X,   NO },
	[GW_DELETED] =     {  NO,  NO,  NO,  NO,  NO,  Z,   NO,  I,   NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO,  NO },
/* clang-format on */
#undef A
#undef I
#undef S
#undef D
#undef C
#undef P
#undef R
#undef N
#undef W
#undef T
#undef L
#undef Q
#undef O
#undef X
#undef Z
};

/* By real events, from a fresh instance: a pairing up to st. */
static void drive_pairing(struct fixture *f, enum gw_inst_state st, int *gone)
{
	const struct gw_connect_params p = { .request_id = "x" }, other = { .history_days = 9 };
	const struct gw_inst_input in = { .params = &p }, in_other = { .params = &other };

	assert_int_equal(gw_instance_event(f->inst, GW_EV_CONNECT, &in), 0);
	if (st == GW_STARTING)
		return;
	assert_int_equal(event(f, GW_EV_READY), 0);
	if (st == GW_CODE || st == GW_PASSKEY)
		assert_int_equal(event_code(f, "one", 60000), 0);
	if (st == GW_PASSKEY)
		assert_int_equal(event_passkey(f, GW_PASSKEY_REQUIRED, NULL), 0);
	else if (st == GW_LEAVING)
		assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, ""), 0);
	else if (st == GW_QUEUED)
		assert_int_equal(gw_instance_event(f->inst, GW_EV_SUPERSEDE, &in_other), 0);
	else if (st == GW_DELETING || st == GW_DELETED)
		gw_instance_delete(f->inst, on_gone, gone);
	if (st == GW_DELETED)
		assert_int_equal(event(f, GW_EV_GONE), 0);
}

/* A saved session up to st. */
static void drive_session(struct fixture *f, enum gw_inst_state st)
{
	make_instance_from(f, true, true);
	assert_int_equal(event(f, GW_EV_RECONNECT), 0);
	if (st == GW_RESUMING)
		return;
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	if (st == GW_WAITING)
		assert_int_equal(event_down(f, WA_ENETWORK, 5000), 0);
	else if (st == GW_RESTARTING)
		assert_int_equal(event_reason(f, GW_EV_LOST, WA_EWORKER_CRASHED, ""), 0);
	else if (st == GW_LOGGING_OUT)
		assert_int_equal(event(f, GW_EV_LOGOUT), 0);
}

static void drive_to(struct fixture *f, enum gw_inst_state st, int *gone)
{
	switch (st) {
	case GW_IDLE:
		break;
	case GW_ADOPTING:
		make_instance_from(f, true, true);
		assert_int_equal(gw_instance_adopt(f->inst, fake_worker()), 0);
		break;
	case GW_RESUMING:
	case GW_ONLINE:
	case GW_WAITING:
	case GW_RESTARTING:
	case GW_LOGGING_OUT:
		drive_session(f, st);
		break;
	default:
		drive_pairing(f, st, gone);
		break;
	}
}

static void fire(struct fixture *f, enum gw_inst_event ev, int want)
{
	struct gw_reason r = { .rc = WA_ENETWORK };
	const struct gw_connect_params p = { .history_days = 3, .request_id = "y" };
	struct gw_inst_input in = { .params = &p, .reason = &r, .step = "dns", .retry_ms = 1000 };
	enum gw_inst_state before = f->inst->state;
	int rc;

	in.code.text = "code";
	in.code.valid_ms = 20000;
	in.passkey.status = GW_PASSKEY_CONFIRM;
	in.account.jid = TEST_JID;
	f->inst->on_gone = on_gone;
	rc = gw_instance_event(f->inst, ev, &in);
	if (rc != (want == NO ? WA_ESTATE : 0) ||
	    (int)f->inst->state != (want == NO ? (int)before : want))
		fail_msg("%s in %s: rc %d, now %s", gw_inst_event_name(ev),
		         gw_inst_state_name(before), rc, gw_inst_state_name(f->inst->state));
}

static void test_every_edge_leads_where_it_should_and_empty_cells_are_refused(void **state)
{
	(void)state;
	for (int st = 0; st < GW_INST_STATE_N; st++)
		for (int ev = 0; ev < GW_INST_EVENT_N; ev++) {
			void *fixture;
			struct fixture *f;
			int gone = 0;

			setup(&fixture);
			f = fixture;
			f->inst->on_gone_arg = &gone;
			drive_to(f, (enum gw_inst_state)st, &gone);
			assert_int_equal(f->inst->state, st);
			fire(f, (enum gw_inst_event)ev, table[st][ev]);
			run_due(f);
			teardown(&fixture);
		}
}

/* ---- what clients see ------------------------------------------------------- */

static const char *str_at(const json_t *json, const char *a, const char *b)
{
	const json_t *v = json_object_get(json, a);

	if (b != NULL)
		v = json_object_get(v, b);
	assert_non_null(json_string_value(v));
	return json_string_value(v);
}

static void test_json_has_every_key_of_the_contract(void **state)
{
	static const char want[] =
	    "{\"id\":\"aaaaaaaaaaaaaaaa\",\"name\":\"sales\",\"status\":\"disconnected\","
	    "\"numberJid\":\"\",\"createdAt\":\"2023-11-14T22:13:20.000Z\","
	    "\"updatedAt\":\"2023-11-14T22:13:20.001Z\","
	    "\"connection\":{\"state\":\"disconnected\",\"numberJid\":\"\","
	    "\"presenceStatus\":\"unavailable\",\"displayStatus\":\"Disconnected\","
	    "\"since\":\"%s\",\"lastError\":null,\"attempt\":0,\"nextRetryAt\":null},"
	    "\"profile\":{\"name\":\"\",\"pictureUrl\":\"\",\"isBusiness\":false,"
	    "\"businessName\":\"\"},\"history\":null,\"webhook\":{\"enabled\":false},"
	    "\"websocket\":{\"enabled\":false,\"events\":[],\"mediaBase64\":false},"
	    "\"proxy\":{\"enabled\":false},"
	    "\"settings\":{\"autoRejectCalls\":false,\"callRejectMessage\":\"\","
	    "\"ignoreGroupMessages\":false,\"keepOnlineStatus\":false,\"autoReadMessages\":true,"
	    "\"disableHistorySync\":true,\"ignoreStatus\":false}}";
	struct fixture *f = *state;
	json_t *json = gw_instance_json(f->inst);
	char expected[2048], since[RFC3339_CAP];
	char *text = json_dumps(json, JSON_COMPACT);

	clock_rfc3339(f->inst->since_unix_ms, since);
	snprintf(expected, sizeof(expected), want, since);
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

static void test_json_follows_the_machine(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };
	json_t *json;

	now_ms += 5000;
	connect_ok(f, &a, 7);
	json = gw_instance_json(f->inst);
	assert_string_equal(str_at(json, "status", NULL), "connecting");
	assert_string_equal(str_at(json, "connection", "state"), "connecting");
	assert_string_equal(str_at(json, "connection", "displayStatus"), "Connecting");
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(json, "history"), "requestedDays")),
	    7);
	json_decref(json);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_EHANDSHAKE, "bad certificate"), 0);
	run_due(f);
	json = gw_instance_json(f->inst);
	assert_string_equal(str_at(json, "status", NULL), "disconnected");
	assert_string_equal(str_at(json_object_get(json, "connection"), "lastError", "code"),
	                    "handshake");
	assert_string_equal(str_at(json_object_get(json, "connection"), "lastError", "detail"),
	                    "bad certificate");
	assert_string_equal(str_at(json_object_get(json, "connection"), "lastError", "at"),
	                    str_at(json, "connection", "since"));
	json_decref(json);
}

/* As list shows it: kept, and new as soon as anything of it changes. */
static void shown_is_current(struct fixture *f)
{
	json_t *json = gw_instance_json(f->inst);
	char *text = json_dumps(json, JSON_COMPACT);
	struct buf shown = { 0 };

	assert_int_equal(gw_instance_json_text(f->inst, &shown), 0);
	assert_int_equal(shown.len, strlen(text));
	assert_memory_equal(shown.p, text, shown.len);
	buf_free(&shown);
	free(text);
	json_decref(json);
}

static void test_text_of_list_follows_every_change(void **state)
{
	struct gw_proxy *proxy = secret_alloc(sizeof(*proxy));
	struct fixture *f = *state;
	struct watcher a = { 0 };
	const struct gw_shown *kept;

	assert_non_null(proxy);
	*proxy = (struct gw_proxy){ .enabled = true, .host = "p", .port = 1 };
	shown_is_current(f);
	kept = f->inst->shown;
	shown_is_current(f);
	assert_ptr_equal(f->inst->shown, kept);
	now_ms += 5000;
	connect_ok(f, &a, 7);
	shown_is_current(f);
	assert_ptr_not_equal(f->inst->shown, kept);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_EHANDSHAKE, "bad certificate"), 0);
	run_due(f);
	shown_is_current(f);
	/* two changes within one millisecond */
	change_setting(f, "{\"ignoreStatus\":true}", 1);
	shown_is_current(f);
	change_setting(f, "{\"ignoreStatus\":false}", 1);
	shown_is_current(f);
	gw_instance_proxy_changed(f->inst, proxy, 1);
	shown_is_current(f);
	gw_instance_updated(f->inst, 2);
	shown_is_current(f);
	gw_device_jid_set(&f->inst->link, "5511999999999:1@s.whatsapp.net");
	shown_is_current(f);
	f->inst->link.history_days = 3;
	f->inst->link.linked = true;
	shown_is_current(f);
	f->inst->state = GW_WAITING;
	f->inst->retry.attempt = 2;
	f->inst->retry.next_unix_ms = 1000;
	shown_is_current(f);
}

static void test_reason_codes_are_the_contracts_words(void **state)
{
	struct gw_reason r = { .rc = WA_ECONNECT_FAILURE, .number = 418 };
	char code[GW_REASON_CODE_CAP];

	(void)state;
	gw_reason_code(&r, code);
	assert_string_equal(code, "connect_failure_418");
	r.rc = WA_ECODE_TIMEOUT;
	gw_reason_code(&r, code);
	assert_string_equal(code, "code_timeout");
}

static void test_settings_keep_only_what_is_known_and_of_the_right_type(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(gw_settings_normalise("{\"autoRejectCalls\":true,\"ignoreStatus\":\"yes\","
	                                       "\"callRejectMessage\":\"no\",\"x\":{}}",
	                                       &text),
	                 0);
	assert_string_equal(text, "{\"autoRejectCalls\":true,\"callRejectMessage\":\"no\"}");
	free(text);
	assert_int_equal(gw_settings_normalise(NULL, &text), 0);
	assert_string_equal(text, "{}");
	free(text);
	assert_int_equal(gw_settings_normalise("{", &text), -EINVAL);
	assert_int_equal(gw_settings_normalise("3", &text), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_connect_starts_a_worker_and_gets_its_code),
		T(test_two_hundred_callers_share_one_attempt),
		T(test_a_later_caller_gets_the_live_code_at_the_next_pass),
		T(test_a_code_with_less_than_two_seconds_is_not_handed_out),
		T(test_who_came_too_late_for_the_last_code_gets_an_attempt_of_its_own),
		T(test_codes_that_run_out_end_in_timeout),
		T(test_a_silent_worker_after_its_last_code_ends_in_timeout),
		T(test_a_failure_before_the_first_code_is_told_to_all),
		T(test_a_crash_is_told_at_once_and_nothing_is_restarted),
		T(test_a_worker_that_says_bye_in_the_middle_counts_as_crashed),
		T(test_no_code_in_time_names_the_step),
		T(test_an_attempt_goes_on_when_its_callers_hang_up),
		T(test_a_watch_cancelled_before_it_is_told_hears_nothing),
		T(test_a_callback_may_cancel_itself_and_others),
		T(test_a_callback_may_connect_again),
		T(test_another_history_supersedes_the_attempt),
		T(test_a_caller_without_history_joins_an_attempt_with_some),
		T(test_a_bye_that_says_code_timeout_is_a_crash),
		T(test_a_queued_attempt_can_be_superseded_too),
		T(test_a_connect_while_the_last_worker_leaves_waits_for_it),
		T(test_a_queued_attempt_has_its_deadline),
		T(test_capacity_is_answered_at_once_and_is_no_error_of_the_instance),
		T(test_a_queued_start_that_is_refused_is_told),
		T(test_a_stopping_gateway_answers_and_starts_nothing),
		T(test_a_deleted_instance_refuses_callers_until_it_is_restored),
		cmocka_unit_test(test_every_edge_leads_where_it_should_and_empty_cells_are_refused),
		T(test_json_has_every_key_of_the_contract),
		T(test_json_follows_the_machine),
		T(test_text_of_list_follows_every_change),
		T(test_reason_codes_are_the_contracts_words),
		T(test_settings_keep_only_what_is_known_and_of_the_right_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
