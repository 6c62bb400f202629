/* tests/unit/test_gw_session.c - an instance with a saved session: made, kept, lost, ended */
#include "gw_instance_fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "common/secret.h"

/* Of connect and of the crash loop, see gw_instance_retry.c. */
#define CRASHES 5

struct logout {
	unsigned done_n, failed_n;
	struct gw_logout *l;
	struct gw_reason reason;
};

static void on_logout(struct gw_instance *inst, const struct gw_reason *reason, void *arg)
{
	struct logout *lo = arg;

	(void)inst;
	if (test_is_over)
		return;
	if (reason == NULL)
		lo->done_n++;
	else
		lo->failed_n++;
	if (reason != NULL)
		lo->reason = *reason;
}

static void logout_ok(struct fixture *f, struct logout *lo)
{
	assert_int_equal(gw_instance_logout(f->inst, "req-9", on_logout, lo, &lo->l), 0);
	assert_int_equal(lo->done_n + lo->failed_n, 0); /* not from inside */
}

static void on_gone(struct gw_instance *inst, void *arg)
{
	(void)inst;
	(*(int *)arg)++;
}

static int lost(struct fixture *f)
{
	return event_reason(f, GW_EV_LOST, WA_EWORKER_CRASHED, "signal 9");
}

/* As the registry loaded it, its session resumed. */
static void resume_saved(struct fixture *f)
{
	make_instance_from(f, true, true);
	gw_instance_autostart(f->inst);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
}

static void make_session_file(const struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/instances/%s", f->dir, f->inst->id);
	assert_int_equal(gw_dir_make(path), 0);
	snprintf(path, sizeof(path), "%s/instances/%s/session.db", f->dir, f->inst->id);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static enum gw_conn_state conn(const struct fixture *f)
{
	return gw_instance_state(f->inst);
}

/* ---- linking ---------------------------------------------------------------- */

static void test_a_scanned_code_leads_to_connected(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_false(gw_instance_is_linked(f->inst));
	assert_int_equal(event_linked(f), 0);
	assert_true(gw_instance_is_linked(f->inst));
	assert_null(gw_instance_code(f->inst));
	assert_int_equal(conn(f), GW_CONNECTING);
	run_due(f);
	assert_int_equal(a.connecting_n, 1);
	assert_int_equal(event_down(f, 0, 0), 0); /* 515: no failure, still the same */
	assert_int_equal(event_login(f), 0);
	assert_int_equal(conn(f), GW_CONNECTING);
	assert_int_equal(event_online(f), 0);
	assert_int_equal(conn(f), GW_CONNECTED);
	run_due(f);
	assert_int_equal(a.connected_n, 1);
	assert_int_equal(a.connecting_n, 1);
	assert_int_equal(a.failed_n, 0);
	assert_string_equal(gw_instance_number_jid(f->inst), "5511999999999@s.whatsapp.net");
	assert_int_equal(f->inst->link.last_error.rc, 0);
}

static void test_a_restart_that_waits_fails_nobody(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(event_linked(f), 0);
	assert_int_equal(event_down(f, 0, 800), 0); /* the fourth 515 in a minute */
	run_due(f);
	assert_int_equal(a.failed_n, 0);
	assert_int_equal(conn(f), GW_CONNECTING);
	assert_int_equal(event_online(f), 0);
	run_due(f);
	assert_int_equal(a.connected_n, 1);
}

static void test_a_login_that_says_it_never_was_a_link_leaves_none(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	assert_int_equal(event_linked(f), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_EPAIRING_REFUSED, "401"), 0);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_EPAIRING_REFUSED);
	assert_false(gw_instance_is_linked(f->inst));
	assert_string_equal(gw_instance_number_jid(f->inst), "");
	assert_int_equal(conn(f), GW_DISCONNECTED);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 1);
}

/* The link may have been committed a moment before: half-linked it must not stay. */
static void test_a_crash_while_codes_are_shown_is_looked_into(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	make_session_file(f);
	assert_int_equal(lost(f), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_EWORKER_CRASHED);
	assert_int_equal(conn(f), GW_DISCONNECTED); /* as far as anybody knows */
	assert_int_equal(event(f, GW_EV_GONE), 0);
	assert_int_equal(event(f, GW_EV_RETRY), 0);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(fake.mode, GW_MODE_RESUME);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(conn(f), GW_DISCONNECTED);
	assert_int_equal(event_login(f), 0); /* it was */
	assert_int_equal(conn(f), GW_CONNECTING);
	assert_int_equal(event_online(f), 0);
	assert_true(gw_instance_is_linked(f->inst));
	assert_int_equal(conn(f), GW_CONNECTED);
}

static void test_a_crash_that_left_no_link_stays_the_crash_that_it_was(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	make_session_file(f);
	assert_int_equal(lost(f), 0);
	assert_int_equal(event(f, GW_EV_GONE), 0);
	assert_int_equal(event(f, GW_EV_RETRY), 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENO_SESSION, ""), 0);
	fake_worker_gone(f->inst);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(conn(f), GW_DISCONNECTED);
	assert_int_equal(f->inst->link.last_error.rc, WA_EWORKER_CRASHED);
	assert_int_equal(gw_instance_reconnect(f->inst, NULL), WA_ENO_SESSION);
}

static void test_a_link_made_while_the_worker_was_told_to_leave_counts(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	assert_int_equal(f->inst->state, GW_LEAVING);
	assert_int_equal(event_linked(f), 0);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(f->inst->state, GW_RESUMING);
}

/* ---- pairing codes ---------------------------------------------------------- */

static void test_another_method_or_number_supersedes_the_pairing(void **state)
{
	struct fixture *f = *state;
	struct watcher qr = { 0 }, one = { 0 }, same = { 0 }, two = { 0 };

	begin(f, &qr);
	assert_int_equal(event_code(f, "qr", 60000), 0);
	connect_number_ok(f, &one, "5511911111111");
	run_due(f);
	assert_int_equal(qr.reason.rc, WA_ESUPERSEDED);
	fake_worker_gone(f->inst);
	assert_string_equal(fake.number, "5511911111111");
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_pairing_code(f, "ABCD-EFGH", 60000), 0);
	connect_number_ok(f, &same, "5511911111111");
	run_due(f);
	assert_string_equal(one.code, "ABCD-EFGH");
	assert_string_equal(same.code, "ABCD-EFGH");
	assert_true(gw_instance_code(f->inst)->pairing);
	connect_number_ok(f, &two, "5511922222222");
	run_due(f);
	assert_int_equal(one.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(same.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(two.failed_n, 0);
}

static void test_a_number_gets_one_code_a_minute(void **state)
{
	struct fixture *f = *state;
	const struct gw_connect_params p = { .number = "5511911111111" };
	struct watcher a = { 0 }, b = { 0 };

	connect_number_ok(f, &a, p.number);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_pairing_code(f, "ABCD-EFGH", 60000), 0);
	now_ms += 10000;
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, ""), 0);
	fake_worker_gone(f->inst);
	assert_int_equal(gw_instance_connect(f->inst, &p, on_watch, &b, &b.w), WA_ERATE_LIMITED);
	assert_int_equal(gw_instance_number_wait_s(f->inst, p.number), 50);
	now_ms += 50000;
	connect_number_ok(f, &b, p.number);
	assert_int_equal(fake.starts_n, 2);
}

static void test_an_attempt_that_gave_no_code_does_not_use_the_number_up(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	connect_number_ok(f, &a, "5511911111111");
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ENETWORK, ""), 0);
	fake_worker_gone(f->inst);
	connect_number_ok(f, &b, "5511911111111");
	assert_int_equal(fake.starts_n, 2);
}

static void test_a_code_of_the_other_kind_is_refused(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_pairing_code(f, "ABCD-EFGH", 60000), WA_ESTATE);
	assert_int_equal(f->inst->state, GW_DIALING);
	assert_int_equal(event_code(f, "qr", 60000), 0);
}

/* ---- the passkey step ------------------------------------------------------- */

static void test_the_passkey_step_from_request_to_link(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, late = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	assert_int_equal(gw_instance_passkey_answer(f->inst, "{}", NULL), WA_ESTATE);
	assert_int_equal(event_passkey(f, GW_PASSKEY_REQUIRED, NULL), 0);
	assert_null(gw_instance_code(f->inst));
	connect_ok(f, &late, 0);
	run_due(f);
	assert_int_equal(a.passkey_n, 1);
	assert_int_equal(late.passkey_n, 1);
	assert_non_null(gw_instance_passkey(f->inst)->public_key);
	assert_int_equal(conn(f), GW_CONNECTING);
	assert_int_equal(gw_instance_passkey_confirm(f->inst, NULL), WA_ESTATE);
	assert_int_equal(gw_instance_passkey_answer(f->inst, "{\"id\":1}", "r"), 0);
	assert_string_equal(fake.credential, "{\"id\":1}");
	assert_int_equal(gw_instance_passkey(f->inst)->status, GW_PASSKEY_CONFIRM);
	assert_int_equal(gw_instance_passkey_answer(f->inst, "{}", NULL), WA_ESTATE);
	assert_int_equal(gw_instance_passkey_confirm(f->inst, NULL), WA_ESTATE); /* no code yet */
	assert_int_equal(event_passkey(f, GW_PASSKEY_CONFIRM, "ABCD-EFGH"), 0);
	assert_string_equal(gw_instance_passkey(f->inst)->code, "ABCD-EFGH");
	assert_int_equal(gw_instance_passkey_confirm(f->inst, NULL), 0);
	assert_int_equal(gw_instance_passkey_confirm(f->inst, NULL), WA_ESTATE); /* once */
	assert_int_equal(fake.confirms_n, 1);
	assert_int_equal(event_passkey(f, GW_PASSKEY_DONE, NULL), 0);
	assert_int_equal(event_linked(f), 0);
	assert_int_equal(gw_instance_passkey(f->inst)->status, GW_PASSKEY_DONE);
	assert_int_equal(event_online(f), 0);
	run_due(f);
	assert_int_equal(a.connected_n + late.connected_n, 2);
}

static void test_a_passkey_step_that_nobody_answers_ends_in_timeout(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	assert_int_equal(event_passkey(f, GW_PASSKEY_REQUIRED, NULL), 0);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_ETIMEOUT);
	assert_int_equal(gw_instance_passkey(f->inst)->status, GW_PASSKEY_NONE);
	assert_int_equal(fake.stops_n, 1);
}

static void test_a_credential_that_is_too_long_is_refused(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, 40000);
	struct watcher a = { 0 };

	assert_non_null(text);
	memset(text, 'x', 39999);
	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	assert_int_equal(event_passkey(f, GW_PASSKEY_REQUIRED, NULL), 0);
	assert_int_equal(gw_instance_passkey_answer(f->inst, text, NULL), WA_ELIMIT);
	assert_int_equal(gw_instance_passkey(f->inst)->status, GW_PASSKEY_REQUIRED);
	free(text);
}

/* ---- resuming --------------------------------------------------------------- */

static void test_a_linked_instance_is_resumed_when_the_gateway_starts(void **state)
{
	struct fixture *f = *state;

	make_instance_from(f, true, true);
	assert_int_equal(conn(f), GW_DISCONNECTED);
	gw_instance_autostart(f->inst);
	assert_int_equal(fake.starts_n, 1);
	assert_int_equal(fake.mode, GW_MODE_RESUME);
	assert_int_equal(conn(f), GW_CONNECTING);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_login(f), 0);
	assert_int_equal(event_online(f), 0);
	assert_int_equal(conn(f), GW_CONNECTED);
}

static void test_one_that_was_never_linked_is_left_alone(void **state)
{
	struct fixture *f = *state;

	gw_instance_autostart(f->inst);
	assert_int_equal(fake.starts_n, 0);
	assert_int_equal(gw_instance_reconnect(f->inst, NULL), WA_ENO_SESSION);
}

/* A worker of the gateway before us may still hold the store for five seconds. */
static void test_a_store_that_is_held_is_tried_again_some_times(void **state)
{
	struct fixture *f = *state;
	unsigned tries = 0;

	make_instance_from(f, true, true);
	gw_instance_autostart(f->inst);
	for (; tries < 100 && f->inst->state != GW_LEAVING; tries++) {
		assert_int_equal(event(f, GW_EV_READY), 0);
		assert_int_equal(event_reason(f, GW_EV_FAILED, WA_EALREADY_RUNNING, "held"), 0);
		if (f->inst->state != GW_RESTARTING)
			break;
		assert_int_equal(conn(f), GW_CONNECTING);
		fake_worker_gone(f->inst);
		assert_int_equal(event(f, GW_EV_RETRY), 0);
	}
	assert_in_range(tries, 6, 20);
	assert_int_equal(conn(f), GW_DISCONNECTED);
	assert_int_equal(f->inst->link.last_error.rc, WA_EALREADY_RUNNING);
	assert_true(gw_instance_is_linked(f->inst));
}

static void test_a_caller_of_one_that_is_online_is_told_so(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	resume_saved(f);
	connect_ok(f, &a, 0);
	run_due(f);
	assert_int_equal(a.connected_n, 1);
	assert_int_equal(fake.starts_n, 1);
	assert_int_equal(gw_instance_reconnect(f->inst, NULL), 1);
	assert_int_equal(fake.resumes_n, 0);
}

static void test_a_caller_of_one_that_waits_gets_a_try_at_once_and_its_outcome(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 }, b = { 0 };

	resume_saved(f);
	now_ms += 5000;
	assert_int_equal(event_down(f, WA_ENETWORK, 200000), 0);
	assert_int_equal(conn(f), GW_CONNECTING);
	connect_ok(f, &a, 0);
	assert_int_equal(fake.resumes_n, 1);
	assert_int_equal(f->inst->state, GW_RESUMING);
	connect_ok(f, &b, 0); /* joins the same try */
	assert_int_equal(fake.resumes_n, 1);
	run_due(f);
	assert_int_equal(a.connecting_n, 1);
	assert_int_equal(event_down(f, WA_EDNS, 300000), 0);
	run_due(f);
	assert_int_equal(a.failed_n + b.failed_n, 2);
	assert_int_equal(b.reason.rc, WA_EDNS);
	assert_int_equal(f->inst->state, GW_WAITING); /* the backoff goes on */
	assert_int_equal(fake.stops_n, 0);
	assert_int_equal(gw_instance_reconnect(f->inst, "r"), 0);
	assert_int_equal(fake.resumes_n, 2);
	assert_int_equal(gw_instance_reconnect(f->inst, "r"), 0);
	assert_int_equal(fake.resumes_n, 2); /* it is being tried */
}

static void test_a_temporary_ban_is_kept_to_and_said(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	assert_int_equal(event_down(f, WA_ETEMP_BANNED, 3600000), 0);
	assert_int_equal(gw_instance_reconnect(f->inst, "r"), WA_ETEMP_BANNED);
	assert_int_equal(fake.resumes_n, 0);
	f->inst->retry.next_unix_ms = clock_unix_ms();
	assert_int_equal(gw_instance_reconnect(f->inst, "r"), 0);
	assert_int_equal(fake.resumes_n, 1);
}

static void test_a_caller_of_one_that_is_offline_resumes_it(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	make_instance_from(f, true, true);
	connect_ok(f, &a, 7);
	assert_int_equal(fake.mode, GW_MODE_LINK);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	run_due(f);
	assert_int_equal(a.connected_n, 1);
	assert_int_equal(a.qr_n, 0);
}

static void test_logged_out_meanwhile_is_a_pairing_in_the_same_call(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	make_instance_from(f, true, true);
	connect_ok(f, &a, 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ELOGGED_OUT, "401"), 0);
	assert_false(gw_instance_is_linked(f->inst));
	assert_int_equal(conn(f), GW_CONNECTING);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(f->inst->state, GW_STARTING);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "fresh", 60000), 0);
	run_due(f);
	assert_string_equal(a.code, "fresh");
	assert_int_equal(a.failed_n, 0);
}

static void test_a_pairing_that_follows_is_for_those_who_want_it_that_way(void **state)
{
	struct fixture *f = *state;
	struct watcher qr = { 0 }, number = { 0 };

	make_instance_from(f, true, true);
	connect_ok(f, &qr, 0);
	connect_number_ok(f, &number, "5511911111111");
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ELOGGED_OUT, "401"), 0);
	fake_worker_gone(f->inst);
	run_due(f);
	assert_int_equal(number.reason.rc, WA_ESUPERSEDED);
	assert_int_equal(qr.failed_n, 0);
}

static void test_a_session_that_is_gone_from_the_disk_is_paired_anew(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	make_instance_from(f, true, false);
	connect_ok(f, &a, 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "new", 60000), 0);
	assert_false(gw_instance_is_linked(f->inst));
	run_due(f);
	assert_string_equal(a.code, "new");
}

static void
test_a_pairing_in_place_of_a_lost_session_is_for_those_who_want_it_that_way(void **state)
{
	struct fixture *f = *state;
	struct watcher number = { 0 }, qr = { 0 };

	make_instance_from(f, true, false);
	connect_number_ok(f, &number, "5511911111111");
	connect_ok(f, &qr, 0); /* joins what runs: the session, as far as one knows */
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_pairing_code(f, "ABCD-EFGH", 60000), 0);
	run_due(f);
	assert_string_equal(number.code, "ABCD-EFGH");
	assert_string_equal(qr.code, "");
	assert_int_equal(qr.reason.rc, WA_ESUPERSEDED);
}

static void test_callers_wait_a_minute_the_session_longer(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	make_instance_from(f, true, true);
	connect_ok(f, &a, 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_step(f, "tcp"), 0);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_ETIMEOUT);
	assert_non_null(strstr(a.reason.detail, "tcp"));
	assert_int_equal(f->inst->state, GW_RESUMING);
	assert_int_equal(fake.stops_n, 0);
}

static void test_no_room_for_a_worker_is_told_and_tried_again(void **state)
{
	struct fixture *f = *state;

	make_instance_from(f, true, true);
	fake.start_rc = WA_EAT_CAPACITY;
	assert_int_equal(gw_instance_reconnect(f->inst, NULL), WA_EAT_CAPACITY);
	assert_int_equal(f->inst->state, GW_RESTARTING);
	fake.start_rc = 0;
	assert_int_equal(event(f, GW_EV_RETRY), 0);
	assert_int_equal(fake.starts_n, 1);
}

/* ---- ends ------------------------------------------------------------------- */

static void test_ends_of_a_session_are_what_they_are(void **state)
{
	static const struct {
		int rc;
		enum gw_conn_state conn;
		bool linked;
	} ends[] = {
		{ WA_ELOGGED_OUT, GW_LOGGEDOUT, false },
		{ WA_EBANNED, GW_BANNED, false },
		{ WA_ECONNECT_FAILURE, GW_DISCONNECTED, true },
		{ WA_EPROXY_AUTH, GW_DISCONNECTED, true },
		{ WA_ECLIENT_OUTDATED, GW_DISCONNECTED, true },
		{ WA_ESTORE_CORRUPT, GW_DISCONNECTED, true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		resume_saved(f);
		assert_int_equal(event_reason(f, GW_EV_FAILED, ends[i].rc, "why"), 0);
		assert_int_equal(conn(f), ends[i].conn);
		assert_int_equal(gw_instance_is_linked(f->inst), ends[i].linked);
		assert_int_equal(f->inst->link.last_error.rc, ends[i].rc);
		fake_worker_gone(f->inst);
		assert_int_equal(f->inst->state, GW_IDLE);
		assert_int_equal(conn(f), ends[i].conn);
		assert_string_equal(gw_instance_number_jid(f->inst),
		                    "5511999999999@s.whatsapp.net");
	}
}

static void test_what_waits_for_a_given_time_is_disconnected(void **state)
{
	static const int rcs[] = { WA_ESTREAM_REPLACED, WA_ETEMP_BANNED };
	struct fixture *f = *state;
	json_t *json, *c;

	for (size_t i = 0; i < ARRAY_LEN(rcs); i++) {
		resume_saved(f);
		assert_int_equal(event_down(f, rcs[i], 300000), 0);
		assert_int_equal(conn(f), GW_DISCONNECTED);
		json = gw_instance_json(f->inst);
		c = json_object_get(json, "connection");
		assert_true(json_is_string(json_object_get(c, "nextRetryAt")));
		json_decref(json);
		assert_int_equal(event_step(f, "dns"), 0); /* its time has come */
		assert_int_equal(conn(f), GW_CONNECTING);
	}
}

/* ---- what is shown ---------------------------------------------------------- */

static void test_a_session_that_is_back_at_once_was_never_away(void **state)
{
	struct fixture *f = *state;
	int64_t since;

	resume_saved(f);
	now_ms += 60000;
	since = f->inst->since_unix_ms;
	assert_int_equal(event_down(f, 0, 0), 0);
	assert_int_equal(conn(f), GW_CONNECTED);
	now_ms += 400;
	assert_int_equal(event_online(f), 0);
	test_fire_timers(f->gw.base);
	assert_int_equal(conn(f), GW_CONNECTED);
	assert_int_equal(f->inst->since_unix_ms, since);
}

static void test_one_that_is_not_back_is_shown_within_a_second(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	now_ms += 60000;
	assert_int_equal(event_down(f, WA_ENETWORK, 0), 0);
	assert_int_equal(conn(f), GW_CONNECTED);
	now_ms += 900;
	gw_instance_on_show(-1, 0, f->inst); /* its timer */
	assert_int_equal(conn(f), GW_CONNECTING);
}

static void test_connected_does_not_flap(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	now_ms += 300;
	assert_int_equal(event_down(f, WA_ENETWORK, 500), 0);
	assert_int_equal(conn(f), GW_CONNECTED); /* it came up 300 ms ago */
	now_ms += 500;
	assert_int_equal(event_online(f), 0);
	now_ms += 5000;
	assert_int_equal(event_down(f, WA_ENETWORK, 500), 0);
	assert_int_equal(conn(f), GW_CONNECTING); /* now at once */
}

static void test_json_of_one_that_is_online(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };
	json_t *json, *c;

	link_up(f, &a);
	change_setting(f, "{\"keepOnlineStatus\":true}", 1700000009000);
	assert_int_equal(fake.settings_n, 1);
	gw_instance_proxy_changed(f->inst, secret_alloc(sizeof(struct gw_proxy)), 1700000009000);
	assert_int_equal(fake.proxies_n, 1);
	json = gw_instance_json(f->inst);
	c = json_object_get(json, "connection");
	assert_string_equal(json_string_value(json_object_get(json, "status")), "connected");
	assert_string_equal(json_string_value(json_object_get(json, "numberJid")),
	                    "5511999999999@s.whatsapp.net");
	assert_string_equal(json_string_value(json_object_get(json, "updatedAt")),
	                    "2023-11-14T22:13:29.000Z");
	assert_string_equal(json_string_value(json_object_get(c, "presenceStatus")), "available");
	assert_true(json_is_null(json_object_get(c, "lastError")));
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(json, "profile"), "name")), "Ana");
	json_decref(json);
	assert_int_equal(event_down(f, WA_ENETWORK, 5000), 0);
	gw_instance_on_show(-1, 0, f->inst);
	json = gw_instance_json(f->inst);
	c = json_object_get(json, "connection");
	assert_int_equal(json_integer_value(json_object_get(c, "attempt")), 2);
	assert_true(json_is_string(json_object_get(c, "nextRetryAt")));
	assert_string_equal(json_string_value(json_object_get(c, "presenceStatus")), "unavailable");
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(c, "lastError"), "code")), "network");
	json_decref(json);
}

/* ---- crashes ---------------------------------------------------------------- */

static void test_a_crashed_worker_is_followed_by_another(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	now_ms += 60000;
	assert_int_equal(lost(f), 0);
	assert_int_equal(f->inst->state, GW_RESTARTING);
	assert_int_equal(f->inst->retry.next_unix_ms - clock_unix_ms(), 100);
	assert_int_equal(conn(f), GW_CONNECTING);
	assert_int_equal(event(f, GW_EV_RETRY), 0); /* the last one is not gone yet */
	assert_int_equal(fake.starts_n, 1);
	assert_int_equal(event(f, GW_EV_GONE), 0);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(fake.mode, GW_MODE_RESUME);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	assert_int_equal(conn(f), GW_CONNECTED);
}

static void crash_again(struct fixture *f)
{
	assert_int_equal(lost(f), 0);
	assert_int_equal(event(f, GW_EV_GONE), 0);
	if (f->inst->state == GW_RESTARTING)
		assert_int_equal(event(f, GW_EV_RETRY), 0);
}

static void test_five_crashes_in_ten_minutes_in_one_state_are_the_end(void **state)
{
	struct fixture *f = *state;

	make_instance_from(f, true, true);
	gw_instance_autostart(f->inst);
	for (int i = 0; i < CRASHES; i++) {
		assert_int_equal(f->inst->state, GW_RESUMING);
		now_ms += 100000;
		crash_again(f);
	}
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(conn(f), GW_DISCONNECTED);
	assert_int_equal(f->inst->link.last_error.rc, WA_EWORKER_CRASHED);
	assert_int_equal(fake.starts_n, CRASHES);
	assert_int_equal(gw_instance_reconnect(f->inst, NULL), 0); /* who asks gets it tried */
	assert_int_equal(fake.starts_n, CRASHES + 1);
	crash_again(f);
	assert_int_equal(f->inst->state, GW_RESUMING);
}

static void test_crashes_far_apart_or_in_other_states_go_on_being_mended(void **state)
{
	struct fixture *f = *state;

	make_instance_from(f, true, true);
	gw_instance_autostart(f->inst);
	for (int i = 0; i < 3 * CRASHES; i++) {
		now_ms += 200000; /* the fifth before is more than ten minutes ago */
		crash_again(f);
		assert_int_equal(f->inst->state, GW_RESUMING);
	}
	now_ms += 10000000;
	for (int i = 0; i < 2 * (CRASHES - 1); i++) {
		if (i % 2 == 0) {
			assert_int_equal(event(f, GW_EV_READY), 0);
			assert_int_equal(event_online(f), 0);
		}
		crash_again(f);
		assert_int_equal(f->inst->state, GW_RESUMING);
	}
}

static void test_restarts_wait_longer_and_longer_up_to_a_minute(void **state)
{
	(void)state;
	assert_int_equal(gw_restart_delay_ms(0, 12345), 100);
	assert_int_equal(gw_restart_delay_ms(1, 0), 1000);
	assert_int_equal(gw_restart_delay_ms(1, 1000), 2000);
	for (unsigned n = 1; n < 40; n++)
		for (uint32_t i = 0; i < 200; i++)
			assert_in_range(gw_restart_delay_ms(n, i * 2654435761u), 1000, 60000);
	assert_int_equal(gw_restart_delay_ms(30, 59000), 60000);
}

static void test_a_minute_online_makes_the_next_restart_a_first_one(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	crash_again(f);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	now_ms += 59999;
	assert_int_equal(lost(f), 0);
	assert_in_range(f->inst->retry.next_unix_ms - clock_unix_ms(), 1000, 60000);
	assert_int_equal(event(f, GW_EV_GONE), 0);
	assert_int_equal(event(f, GW_EV_RETRY), 0);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	now_ms += 60000;
	assert_int_equal(lost(f), 0);
	assert_int_equal(f->inst->retry.next_unix_ms - clock_unix_ms(), 100);
}

static void test_a_caller_does_not_wait_for_the_restarts_time(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	resume_saved(f);
	assert_int_equal(lost(f), 0);
	assert_int_equal(event(f, GW_EV_GONE), 0);
	connect_ok(f, &a, 0);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(lost(f), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_EWORKER_CRASHED);
	assert_int_equal(f->inst->state, GW_RESTARTING);
}

/* A full disk, say: it left in order, and it is not counted among the crashes. */
static void test_a_worker_that_leaves_with_a_reason_comes_back_without_end(void **state)
{
	struct fixture *f = *state;

	make_instance_from(f, true, true);
	gw_instance_autostart(f->inst);
	for (int i = 0; i < 4 * CRASHES; i++) {
		assert_int_equal(event(f, GW_EV_READY), 0);
		assert_int_equal(event_reason(f, GW_EV_BYE, WA_ESTORAGE, "disk full"), 0);
		assert_int_equal(event(f, GW_EV_GONE), 0);
		assert_int_equal(event(f, GW_EV_RETRY), 0);
		assert_int_equal(f->inst->state, GW_RESUMING);
	}
	assert_int_equal(f->inst->link.last_error.rc, WA_ESTORAGE);
}

/* ---- logout ----------------------------------------------------------------- */

static void test_logout_of_one_that_is_online(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 }, b = { 0 };

	resume_saved(f);
	logout_ok(f, &a);
	logout_ok(f, &b);
	assert_int_equal(fake.logouts_n, 1); /* both share one */
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	run_due(f);
	assert_int_equal(a.done_n + b.done_n, 2);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
	assert_false(gw_instance_is_linked(f->inst));
	fake_worker_gone(f->inst);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
	assert_int_equal(fake.starts_n, 1);
}

static void test_logout_of_one_that_is_offline_logs_in_for_it(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	make_instance_from(f, true, true);
	logout_ok(f, &a);
	assert_int_equal(fake.mode, GW_MODE_LOGOUT);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	run_due(f);
	assert_int_equal(a.done_n, 1);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
}

static void test_logout_of_one_without_a_session_is_done(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	logout_ok(f, &a);
	run_due(f);
	assert_int_equal(a.done_n, 1);
	assert_int_equal(fake.starts_n, 0);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
}

static void test_logout_ends_a_pairing_and_the_link_that_it_came_to_at_the_last_moment(void **state)
{
	struct fixture *f = *state;
	struct watcher w = { 0 };
	struct logout a = { 0 };

	begin(f, &w);
	assert_int_equal(event_code(f, "one", 60000), 0);
	run_due(f);
	logout_ok(f, &a);
	assert_int_equal(fake.stops_n, 1);
	assert_int_equal(event_linked(f), 0); /* crossed */
	run_due(f);
	assert_int_equal(w.reason.rc, WA_ELOGGED_OUT);
	assert_int_equal(a.done_n, 0);
	fake_worker_gone(f->inst);
	assert_int_equal(fake.starts_n, 2);
	assert_int_equal(fake.mode, GW_MODE_LOGOUT);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	run_due(f);
	assert_int_equal(a.done_n, 1);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
}

static void test_a_logout_that_fails_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	resume_saved(f);
	logout_ok(f, &a);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, WA_ENETWORK, "no answer"), 0);
	run_due(f);
	assert_int_equal(a.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_ENETWORK);
	assert_int_equal(f->inst->state, GW_ONLINE);
	assert_int_equal(conn(f), GW_CONNECTED);
	assert_true(gw_instance_is_linked(f->inst));
}

static void test_a_logout_has_its_limit_and_the_session_goes_on_afterwards(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	resume_saved(f);
	logout_ok(f, &a);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_ETIMEOUT);
	assert_int_equal(fake.stops_n, 1);
	fake_worker_gone(f->inst);
	assert_int_equal(event(f, GW_EV_RETRY), 0);
	assert_int_equal(f->inst->state, GW_RESUMING);
	assert_true(gw_instance_is_linked(f->inst));
}

static void test_a_crash_while_logging_out_is_told_and_the_session_goes_on(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	resume_saved(f);
	logout_ok(f, &a);
	assert_int_equal(lost(f), 0);
	run_due(f);
	assert_int_equal(a.reason.rc, WA_EWORKER_CRASHED);
	assert_int_equal(f->inst->state, GW_RESTARTING);
}

static void test_the_phone_was_faster(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	make_instance_from(f, true, true);
	logout_ok(f, &a);
	assert_int_equal(event_reason(f, GW_EV_FAILED, WA_ELOGGED_OUT, "401"), 0);
	run_due(f);
	assert_int_equal(a.done_n, 1);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
}

static void test_a_caller_during_a_logout_is_paired_afterwards(void **state)
{
	struct fixture *f = *state;
	struct watcher w = { 0 };
	struct logout a = { 0 };

	resume_saved(f);
	logout_ok(f, &a);
	connect_ok(f, &w, 0);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	fake_worker_gone(f->inst);
	assert_int_equal(f->inst->state, GW_STARTING);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_code(f, "new", 60000), 0);
	run_due(f);
	assert_string_equal(w.code, "new");
	assert_int_equal(a.done_n, 1);
}

static void test_a_forgotten_logout_goes_on(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };

	resume_saved(f);
	logout_ok(f, &a);
	gw_logout_forget(a.l);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	run_due(f);
	assert_int_equal(a.done_n, 0);
	assert_int_equal(conn(f), GW_LOGGEDOUT);
}

/* ---- deletion, the gateway's end -------------------------------------------- */

static void test_deleting_a_linked_one_unlinks_it_first(void **state)
{
	struct fixture *f = *state;
	int gone = 0;

	resume_saved(f);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(fake.logouts_n, 1);
	assert_int_equal(fake.stops_n, 0);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	assert_int_equal(fake.stop_reason, GW_STOP_DELETED);
	assert_int_equal(gone, 0);
	fake_worker_gone(f->inst);
	assert_int_equal(gone, 1);
	assert_int_equal(fake.starts_n, 1);
}

static void test_deleting_a_linked_one_that_is_offline_starts_a_worker_for_it(void **state)
{
	struct fixture *f = *state;
	int gone = 0;

	make_instance_from(f, true, true);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(fake.mode, GW_MODE_LOGOUT);
	assert_int_equal(gone, 0);
	assert_int_equal(event(f, GW_EV_DEADLINE), 0); /* WhatsApp can't be reached */
	assert_int_equal(fake.stops_n, 1);
	fake_worker_gone(f->inst);
	assert_int_equal(gone, 1);
	assert_int_equal(fake.starts_n, 1); /* erased anyway */
}

static void test_a_logout_that_just_failed_is_not_tried_again_by_the_deletion(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };
	int gone = 0;

	resume_saved(f);
	logout_ok(f, &a);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, WA_ENETWORK, ""), 0);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(fake.logouts_n, 1);
	assert_int_equal(fake.stops_n, 1);
	fake_worker_gone(f->inst);
	assert_int_equal(gone, 1);
}

static void test_a_logout_in_progress_is_told_when_the_instance_is_deleted(void **state)
{
	struct fixture *f = *state;
	struct logout a = { 0 };
	int gone = 0;

	resume_saved(f);
	logout_ok(f, &a);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, 0, ""), 0);
	run_due(f);
	assert_int_equal(a.done_n, 1);
	fake_worker_gone(f->inst);
	assert_int_equal(gone, 1);
}

static void test_a_logout_that_waits_for_a_worker_to_leave_is_told_of_the_deletion(void **state)
{
	struct fixture *f = *state;
	struct watcher wr = { 0 };
	struct logout a = { 0 };
	int gone = 0;

	begin(f, &wr);
	logout_ok(f, &a);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(event_reason(f, GW_EV_BYE, 0, ""), 0); /* as it was told to */
	run_due(f);
	assert_int_equal(a.reason.rc, WA_EDELETED);
}

static void test_a_deletion_that_did_not_work_out_goes_on_with_the_session(void **state)
{
	struct fixture *f = *state;
	int gone = 0;

	resume_saved(f);
	gw_instance_delete(f->inst, on_gone, &gone);
	assert_int_equal(event_reason(f, GW_EV_LOGOUT_DONE, WA_ENETWORK, ""), 0);
	fake_worker_gone(f->inst);
	gw_instance_restore(f->inst);
	assert_int_equal(f->inst->state, GW_RESTARTING);
	assert_int_equal(event(f, GW_EV_RETRY), 0);
	assert_int_equal(fake.starts_n, 2);
}

static void test_the_gateways_end_leaves_links_as_they_are(void **state)
{
	struct fixture *f = *state;
	struct watcher w = { 0 };
	struct logout a = { 0 };

	resume_saved(f);
	assert_int_equal(event_down(f, WA_ENETWORK, 100000), 0);
	connect_ok(f, &w, 0);
	logout_ok(f, &a);
	f->gw.stopping = true;
	gw_instance_stop(f->inst);
	run_due(f);
	assert_int_equal(w.failed_n, 1);
	assert_int_equal(a.reason.rc, WA_ESHUTTING_DOWN);
	assert_int_equal(fake.stop_reason, GW_STOP_SHUTDOWN);
	fake_worker_gone(f->inst);
	assert_int_equal(f->inst->state, GW_IDLE);
	assert_true(gw_instance_is_linked(f->inst));
	assert_int_equal(fake.starts_n, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_scanned_code_leads_to_connected),
		T(test_a_restart_that_waits_fails_nobody),
		T(test_a_login_that_says_it_never_was_a_link_leaves_none),
		T(test_a_crash_while_codes_are_shown_is_looked_into),
		T(test_a_crash_that_left_no_link_stays_the_crash_that_it_was),
		T(test_a_link_made_while_the_worker_was_told_to_leave_counts),
		T(test_another_method_or_number_supersedes_the_pairing),
		T(test_a_number_gets_one_code_a_minute),
		T(test_an_attempt_that_gave_no_code_does_not_use_the_number_up),
		T(test_a_code_of_the_other_kind_is_refused),
		T(test_the_passkey_step_from_request_to_link),
		T(test_a_passkey_step_that_nobody_answers_ends_in_timeout),
		T(test_a_credential_that_is_too_long_is_refused),
		T(test_a_linked_instance_is_resumed_when_the_gateway_starts),
		T(test_one_that_was_never_linked_is_left_alone),
		T(test_a_store_that_is_held_is_tried_again_some_times),
		T(test_a_caller_of_one_that_is_online_is_told_so),
		T(test_a_caller_of_one_that_waits_gets_a_try_at_once_and_its_outcome),
		T(test_a_temporary_ban_is_kept_to_and_said),
		T(test_a_caller_of_one_that_is_offline_resumes_it),
		T(test_logged_out_meanwhile_is_a_pairing_in_the_same_call),
		T(test_a_pairing_that_follows_is_for_those_who_want_it_that_way),
		T(test_a_session_that_is_gone_from_the_disk_is_paired_anew),
		T(test_a_pairing_in_place_of_a_lost_session_is_for_those_who_want_it_that_way),
		T(test_callers_wait_a_minute_the_session_longer),
		T(test_no_room_for_a_worker_is_told_and_tried_again),
		T(test_ends_of_a_session_are_what_they_are),
		T(test_what_waits_for_a_given_time_is_disconnected),
		T(test_a_session_that_is_back_at_once_was_never_away),
		T(test_one_that_is_not_back_is_shown_within_a_second),
		T(test_connected_does_not_flap),
		T(test_json_of_one_that_is_online),
		T(test_a_crashed_worker_is_followed_by_another),
		T(test_five_crashes_in_ten_minutes_in_one_state_are_the_end),
		T(test_crashes_far_apart_or_in_other_states_go_on_being_mended),
		cmocka_unit_test(test_restarts_wait_longer_and_longer_up_to_a_minute),
		T(test_a_minute_online_makes_the_next_restart_a_first_one),
		T(test_a_caller_does_not_wait_for_the_restarts_time),
		T(test_a_worker_that_leaves_with_a_reason_comes_back_without_end),
		T(test_logout_of_one_that_is_online),
		T(test_logout_of_one_that_is_offline_logs_in_for_it),
		T(test_logout_of_one_without_a_session_is_done),
		T(test_logout_ends_a_pairing_and_the_link_that_it_came_to_at_the_last_moment),
		T(test_a_logout_that_fails_changes_nothing),
		T(test_a_logout_has_its_limit_and_the_session_goes_on_afterwards),
		T(test_a_crash_while_logging_out_is_told_and_the_session_goes_on),
		T(test_the_phone_was_faster),
		T(test_a_caller_during_a_logout_is_paired_afterwards),
		T(test_a_forgotten_logout_goes_on),
		T(test_deleting_a_linked_one_unlinks_it_first),
		T(test_deleting_a_linked_one_that_is_offline_starts_a_worker_for_it),
		T(test_a_logout_that_just_failed_is_not_tried_again_by_the_deletion),
		T(test_a_logout_in_progress_is_told_when_the_instance_is_deleted),
		T(test_a_logout_that_waits_for_a_worker_to_leave_is_told_of_the_deletion),
		T(test_a_deletion_that_did_not_work_out_goes_on_with_the_session),
		T(test_the_gateways_end_leaves_links_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
