/* tests/unit/test_gw_instance_events.c - what an instance says of itself as instance.state */
#include "gw_instance_fixture.h"

#include <errno.h>

#include "gateway/events/gw_events.h"
#include "gateway/webhook/gw_hooks.h"

#define SAID_MAX 32

/* Stands in for the event log. */
static struct {
	char state[SAID_MAX][32], code[SAID_MAX][GW_REASON_CODE_CAP], live[SAID_MAX][64];
	unsigned n;
} said;

int gw_events_emit(struct gw_events *ev, struct gw_instance *inst, enum gw_event_kind kind,
                   json_t *data, json_t *live, uint32_t live_ms)
{
	const json_t *reason = json_object_get(data, "reason");
	const char *code = json_string_value(json_object_get(reason, "code"));

	(void)ev;
	(void)inst;
	assert_int_equal(kind, GW_EVENT_INSTANCE_STATE);
	assert_true(said.n < SAID_MAX);
	assert_true(reason != NULL && json_is_string(json_object_get(data, "timestamp")));
	assert_null(json_object_get(data, "codes"));
	assert_true(live == NULL || live_ms > 0);
	snprintf(said.state[said.n], sizeof(said.state[0]), "%s",
	         json_string_value(json_object_get(data, "state")));
	snprintf(said.live[said.n], sizeof(said.live[0]), "%s",
	         live != NULL ? json_string_value(json_array_get(live, 0)) : "");
	snprintf(said.code[said.n++], sizeof(said.code[0]), "%s", code != NULL ? code : "");
	json_decref(data);
	json_decref(live);
	return 0;
}

void gw_events_forget(struct gw_events *ev, struct gw_instance *inst)
{
	(void)ev;
	(void)inst;
}

void gw_events_erase(struct gw_events *ev, const char *instance_id)
{
	(void)ev;
	(void)instance_id;
}

/* Nobody delivers. */
int gw_hooks_prepare(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                     gw_hooks_done *done, void *arg)
{
	(void)hooks;
	(void)inst;
	(void)label;
	(void)done;
	(void)arg;
	return -ENOMEM;
}

void gw_hooks_changed(struct gw_hooks *hooks, struct gw_instance *inst, const json_t *patch)
{
	(void)hooks;
	(void)inst;
	(void)patch;
}

void gw_hooks_forget(struct gw_hooks *hooks, struct gw_instance *inst)
{
	(void)hooks;
	(void)inst;
}

void gw_hooks_erase(struct gw_hooks *hooks, const char *instance_id)
{
	(void)hooks;
	(void)instance_id;
}

static int begin_test(void **state)
{
	int rc = setup(state);

	memset(&said, 0, sizeof(said));
	((struct fixture *)*state)->gw.events = (struct gw_events *)&said; /* never looked into */
	return rc;
}

/* All that was said since the last look, as words with a space between. */
static void assert_said(const char *words)
{
	char all[SAID_MAX * 34] = "";

	for (unsigned i = 0; i < said.n; i++) {
		if (i > 0)
			strcat(all, " ");
		strcat(all, said.state[i]);
	}
	assert_string_equal(all, words);
	said.n = 0;
}

/* As the registry loaded it, its session resumed and online. */
static void resume_saved(struct fixture *f)
{
	make_instance_from(f, true, true);
	gw_instance_autostart(f->inst);
	assert_int_equal(event(f, GW_EV_READY), 0);
	assert_int_equal(event_online(f), 0);
	said.n = 0;
	now_ms += 5000;
}

static int silent(struct fixture *f, uint64_t retry_ms)
{
	struct gw_reason r = { .rc = WA_ENETWORK, .at_unix_ms = 1 };
	const struct gw_inst_input in = { .reason = &r, .retry_ms = retry_ms, .silent = true };

	return gw_instance_event(f->inst, GW_EV_DOWN, &in);
}

static void test_a_link_is_told_step_by_step(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_said("");
	assert_int_equal(event_code(f, "one", 60000), 0);
	assert_string_equal(said.live[0], "one");
	assert_said("qr_ready");
	now_ms += 2000;
	assert_int_equal(event_passkey(f, GW_PASSKEY_REQUIRED, NULL), 0);
	assert_said("passkey_required");
	now_ms += 2000;
	assert_int_equal(event_passkey(f, GW_PASSKEY_CONFIRM, "ABCD-EFGH"), 0);
	assert_said("passkey_confirm");
	assert_int_equal(event_linked(f), 0);
	assert_said("pair_success");
	assert_int_equal(event_down(f, 0, 0), 0); /* 515 */
	assert_int_equal(event_online(f), 0);
	assert_string_equal(said.code[0], "");
	assert_said("connected");
}

static void test_codes_in_a_row_are_told_once_a_second(void **state)
{
	struct fixture *f = *state;
	struct watcher a = { 0 };

	begin(f, &a);
	assert_int_equal(event_code(f, "one", 60000), 0);
	assert_said("qr_ready");
	for (int i = 0; i < 20; i++)
		assert_int_equal(event_code(f, i == 19 ? "last" : "other", 60000), 0);
	assert_said("");
	now_ms += 1000;
	test_fire_timers(f->gw.base);
	assert_string_equal(said.live[0], "last");
	assert_true(said.n >= 1);
	assert_string_equal(said.state[0], "qr_ready");
}

static void test_an_attempt_that_fails_says_how(void **state)
{
	static const struct {
		int rc;
		const char *state, *code;
	} cases[] = {
		{ WA_ECODE_TIMEOUT, "code_timeout", "code_timeout" },
		{ WA_EPAIRING_REFUSED, "pair_error", "pairing_refused" },
		{ WA_ECLIENT_OUTDATED, "client_outdated", "client_outdated" },
		{ WA_EHANDSHAKE, "pair_error", "handshake" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct watcher a = { 0 };

		begin(f, &a);
		assert_int_equal(event_code(f, "one", 60000), 0);
		run_due(f);
		said.n = 0;
		assert_int_equal(event_reason(f, GW_EV_FAILED, cases[i].rc, "why"), 0);
		assert_string_equal(said.code[0], cases[i].code);
		assert_said(cases[i].state);
		fake_worker_gone(f->inst);
		run_due(f);
		now_ms += 5000;
	}
}

static void test_a_session_that_is_lost_and_back(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	assert_int_equal(event_down(f, WA_ENETWORK, 3000), 0);
	assert_string_equal(said.code[0], "network");
	assert_said("reconnecting");
	assert_int_equal(event_down(f, WA_EDNS, 3000), 0); /* still the same */
	assert_said("");
	assert_int_equal(event_online(f), 0);
	assert_said("connected");
}

static void test_a_blip_is_told_to_nobody(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	assert_int_equal(event_down(f, 0, 0), 0);
	now_ms += 500;
	assert_int_equal(event_online(f), 0);
	test_run_due(f->gw.base);
	assert_said("");
}

static void test_silence_is_told_and_its_end(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	assert_int_equal(silent(f, 3000), 0);
	assert_said("keepalive_timeout");
	assert_int_equal(event_online(f), 0);
	assert_said("keepalive_restored connected");
	now_ms += 5000;
	assert_int_equal(event_down(f, WA_ENETWORK, 3000), 0);
	assert_said("reconnecting");
	assert_int_equal(event_online(f), 0);
	assert_said("connected");
}

static void test_ends_of_a_link(void **state)
{
	static const struct {
		int rc;
		const char *state;
	} cases[] = {
		{ WA_ELOGGED_OUT, "logged_out" },
		{ WA_EBANNED, "banned" },
		{ WA_ECONNECT_FAILURE, "connect_failure" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		resume_saved(f);
		assert_int_equal(event_reason(f, GW_EV_FAILED, cases[i].rc, "why"), 0);
		assert_said(cases[i].state);
		fake_worker_gone(f->inst);
		run_due(f);
	}
}

static void test_waits_that_show_as_disconnected(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	assert_int_equal(event_down(f, WA_ESTREAM_REPLACED, 300000), 0);
	assert_said("stream_replaced");
	assert_int_equal(event_online(f), 0);
	assert_said("connected");
	now_ms += 5000;
	assert_int_equal(event_down(f, WA_ETEMP_BANNED, 300000), 0);
	assert_said("temp_banned");
}

static void test_a_crash_is_told(void **state)
{
	struct fixture *f = *state;

	resume_saved(f);
	assert_int_equal(event_reason(f, GW_EV_LOST, WA_EWORKER_CRASHED, "signal 9"), 0);
	test_fire_timers(f->gw.base);
	assert_true(said.n >= 1);
	assert_string_equal(said.state[0], "worker_crashed");
}

static void test_a_worker_that_was_taken_over_is_no_news(void **state)
{
	struct fixture *f = *state;
	struct gw_inst_input ready = { .hello = { .connected = true, .linked = true } };
	struct gw_inst_input online = { .since_ms = 60000 };

	make_instance_from(f, true, true);
	assert_int_equal(gw_instance_adopt(f->inst, fake_worker()), 0);
	assert_int_equal(gw_instance_event(f->inst, GW_EV_READY, &ready), 0);
	assert_int_equal(gw_instance_event(f->inst, GW_EV_ONLINE, &online), 0);
	assert_said("");
	now_ms += 5000;
	assert_int_equal(event_down(f, WA_ENETWORK, 3000), 0);
	assert_said("reconnecting");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_test, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_link_is_told_step_by_step),
		T(test_codes_in_a_row_are_told_once_a_second),
		T(test_an_attempt_that_fails_says_how),
		T(test_a_session_that_is_lost_and_back),
		T(test_a_blip_is_told_to_nobody),
		T(test_silence_is_told_and_its_end),
		T(test_ends_of_a_link),
		T(test_waits_that_show_as_disconnected),
		T(test_a_crash_is_told),
		T(test_a_worker_that_was_taken_over_is_no_news),
	};
#undef T

	return cmocka_run_group_tests_name("gw_instance_events", tests, NULL, NULL);
}
