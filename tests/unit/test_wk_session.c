/* tests/unit/test_wk_session.c - the table of states and events, and how attempts end */
#include "test.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/wa_node.h"
#include "worker/wk_session_priv.h"

#define EV(ev) (1u << (ev))
#define ENDINGS (EV(WK_EV_FAILED) | EV(WK_EV_TIMEOUT) | EV(WK_EV_STOP))

/* Written down a second time on purpose: what may happen when. */
static const unsigned expected[WK_STATE_N] = {
	[WK_IDLE] = EV(WK_EV_CONNECT) | EV(WK_EV_STOP),
	[WK_RESOLVING] = ENDINGS | EV(WK_EV_RESOLVED),
	[WK_CONNECTING] = ENDINGS | EV(WK_EV_DIALLED),
	[WK_TLS] = ENDINGS | EV(WK_EV_TLS_UP),
	[WK_UPGRADING] = ENDINGS | EV(WK_EV_OPEN),
	[WK_HANDSHAKE] = ENDINGS | EV(WK_EV_READY),
	[WK_REGISTERING] = ENDINGS | EV(WK_EV_REFS) | EV(WK_EV_OUTDATED) | EV(WK_EV_REFUSED),
	[WK_LOOKING_UP] = ENDINGS | EV(WK_EV_VERSION),
	[WK_PAIRING] = EV(WK_EV_FAILED) | EV(WK_EV_STOP) | EV(WK_EV_REFS) | EV(WK_EV_REFUSED),
	[WK_CLOSING] = ENDINGS | EV(WK_EV_CLOSED),
	[WK_ENDED] = 0,
};

struct fixture {
	struct event_base *base;
	struct wk_session *s;
	unsigned steps, failed, ended;
	int last_step;
	struct wk_failure failure;
};

static void on_step(int step, uint64_t elapsed_us, void *arg)
{
	struct fixture *f = arg;

	(void)elapsed_us;
	f->steps++;
	f->last_step = step;
}

static void on_code(const struct wk_code *code, const struct wk_timing *timing, void *arg)
{
	(void)code;
	(void)timing;
	(void)arg;
}

static void on_failed(const struct wk_failure *failure, void *arg)
{
	struct fixture *f = arg;

	f->failed++;
	f->failure = *failure;
}

static void on_end(void *arg)
{
	((struct fixture *)arg)->ended++;
}

static const struct wk_session_ops ops = {
	.on_step = on_step,
	.on_code = on_code,
	.on_failed = on_failed,
	.on_end = on_end,
};

static void setup(struct fixture *f)
{
	struct wk_session_params params = { .speed = 1, .ops = &ops, .arg = f };

	memset(f, 0, sizeof(*f));
	f->base = event_base_new();
	assert_non_null(f->base);
	params.base = f->base;
	assert_int_equal(wk_session_new(&params, &f->s), 0);
	assert_int_equal(wk_url_parse("ws://127.0.0.1:9/", &f->s->target.url), 0);
}

static void teardown(struct fixture *f)
{
	wk_session_free(f->s);
	event_base_free(f->base);
}

static void test_every_empty_cell_is_refused_and_changes_nothing(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int st = 0; st < WK_STATE_N; st++) {
		for (int ev = 0; ev < WK_EVENT_N; ev++) {
			if (expected[st] & EV(ev))
				continue;
			f.s->state = (enum wk_state)st;
			assert_int_equal(wk_session_event(f.s, (enum wk_event)ev), WA_ESTATE);
			assert_int_equal(f.s->state, st);
		}
	}
	assert_int_equal(f.steps + f.failed, 0);
	assert_int_equal(event_base_loop(f.base, EVLOOP_NONBLOCK), 1); /* no timer was set */
	assert_int_equal(f.ended, 0);
	teardown(&f);
}

/* Bring a fresh session into a state, raise the event, run the loop; it must have ended. */
static void run_to_end(enum wk_state st, enum wk_event ev, struct fixture *f)
{
	setup(f);
	f->s->state = st;
	wk_failure_set(&f->s->failure, WA_ENETWORK, "gone");
	wk_failure_set(&f->s->outdated, WA_ECLIENT_OUTDATED, "version 1 is outdated");
	assert_int_equal(wk_session_event(f->s, ev), 0);
	assert_int_equal(f->s->state, WK_ENDED);
	assert_int_equal(f->ended, 0); /* never from inside the call */
	(void)event_base_dispatch(f->base);
	assert_int_equal(f->ended, 1);
}

static void test_failure_is_told_once_and_then_the_session_ends(void **state)
{
	struct fixture f;

	(void)state;
	for (int st = WK_RESOLVING; st <= WK_PAIRING; st++) {
		run_to_end((enum wk_state)st, WK_EV_FAILED, &f);
		assert_int_equal(f.failed, 1);
		assert_int_equal(f.failure.rc,
		                 st == WK_LOOKING_UP ? WA_ECLIENT_OUTDATED : WA_ENETWORK);
		assert_int_equal(wk_session_event(f.s, WK_EV_FAILED), WA_ESTATE);
		assert_int_equal(f.failed, 1);
		teardown(&f);
	}
}

static void test_timeout_names_the_step(void **state)
{
	static const struct {
		enum wk_state st;
		const char *step;
	} cases[] = {
		{ WK_RESOLVING, "(step: dns)" },
		{ WK_CONNECTING, "(step: tcp)" },
		{ WK_TLS, "(step: tls)" },
		{ WK_UPGRADING, "(step: upgrade)" },
		{ WK_HANDSHAKE, "(step: handshake)" },
		{ WK_REGISTERING, "(step: registration)" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_to_end(cases[i].st, WK_EV_TIMEOUT, &f);
		assert_int_equal(f.failure.rc, WA_ETIMEOUT);
		assert_non_null(strstr(f.failure.detail, cases[i].step));
		assert_non_null(strstr(f.failure.detail, "127.0.0.1:9"));
		teardown(&f);
	}
	run_to_end(WK_LOOKING_UP, WK_EV_TIMEOUT, &f);
	assert_int_equal(f.failure.rc, WA_ECLIENT_OUTDATED);
	teardown(&f);
}

static void test_stop_ends_without_a_failure(void **state)
{
	static const enum wk_state states[] = { WK_IDLE,        WK_RESOLVING, WK_CONNECTING,
		                                WK_TLS,         WK_UPGRADING, WK_HANDSHAKE,
		                                WK_REGISTERING, WK_LOOKING_UP };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		run_to_end(states[i], WK_EV_STOP, &f);
		assert_int_equal(f.failed, 0);
		teardown(&f);
	}
}

static void test_second_connect_is_refused_and_its_target_released(void **state)
{
	struct wk_target target = { .origin = strdup("x") };
	struct fixture f;

	(void)state;
	setup(&f);
	f.s->state = WK_PAIRING;
	assert_int_equal(wk_session_connect(f.s, &target, 0), WA_ESTATE);
	assert_null(target.origin);
	f.s->state = WK_IDLE;
	teardown(&f);
}

/* ---- stanzas that end an attempt
 * ----------------------------------------------------------------- */

static void receive(enum wk_state st, struct wa_node *n, struct fixture *f)
{
	setup(f);
	f->s->state = st;
	assert_non_null(n);
	wk_session_on_stanza(n, f->s);
	wa_node_free(n);
}

static struct wa_node *failure_node(const char *reason)
{
	struct wa_node *n = wa_node_new("failure");

	wa_node_set(n, "reason", reason);
	return n;
}

static void test_failure_reasons(void **state)
{
	static const struct {
		const char *reason;
		int rc;
	} cases[] = {
		{ "400", WA_EPAIRING_REFUSED }, { "401", WA_EPAIRING_REFUSED },
		{ "402", WA_EPAIRING_REFUSED }, { "403", WA_EBANNED },
		{ "405", WA_ECLIENT_OUTDATED }, { "406", WA_EBANNED },
		{ "503", WA_EPAIRING_REFUSED },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		receive(WK_REGISTERING, failure_node(cases[i].reason), &f);
		assert_int_equal(f.failure.rc, cases[i].rc);
		assert_int_equal(f.failure.reason, (unsigned)atoi(cases[i].reason));
		assert_non_null(strstr(f.failure.detail, cases[i].rc == WA_ECLIENT_OUTDATED
		                                             ? "version"
		                                             : cases[i].reason));
		teardown(&f);
	}
}

static void test_stream_errors(void **state)
{
	static const struct {
		const char *code, *child, *type;
		int rc;
	} cases[] = {
		{ "515", NULL, NULL, WA_ENETWORK },
		{ "503", NULL, NULL, WA_ENETWORK },
		{ "429", NULL, NULL, WA_ENETWORK },
		{ "516", NULL, NULL, WA_EPAIRING_REFUSED },
		{ "401", "conflict", "device_removed", WA_EPAIRING_REFUSED },
		{ NULL, "conflict", "replaced", WA_ESTREAM_REPLACED },
		{ "409", NULL, NULL, WA_ESTREAM_REPLACED },
		{ NULL, "ack", NULL, WA_EPROTO },
		{ NULL, NULL, NULL, WA_EPROTO },
	};
	struct wa_node *n;
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		n = wa_node_new("stream:error");
		if (cases[i].code != NULL)
			wa_node_set(n, "code", cases[i].code);
		if (cases[i].child != NULL && cases[i].type != NULL)
			wa_node_set(wa_node_add(n, cases[i].child), "type", cases[i].type);
		else if (cases[i].child != NULL)
			(void)wa_node_add(n, cases[i].child);
		receive(WK_PAIRING, n, &f);
		assert_int_equal(f.failure.rc, cases[i].rc);
		teardown(&f);
	}
}

static void test_end_of_stream_is_a_network_failure(void **state)
{
	struct fixture f;

	(void)state;
	receive(WK_PAIRING, wa_node_new("xmlstreamend"), &f);
	assert_int_equal(f.failure.rc, WA_ENETWORK);
	teardown(&f);
}

static void test_unknown_and_bad_stanzas_are_counted_and_ignored(void **state)
{
	struct fixture f;

	(void)state;
	receive(WK_REGISTERING, wa_node_new("brand-new"), &f);
	assert_int_equal(f.s->unknown_stanzas, 1);
	wk_session_on_bad_stanza(WA_EPROTO, f.s);
	assert_int_equal(f.s->bad_stanzas, 1);
	assert_int_equal(f.s->state, WK_REGISTERING);
	assert_int_equal(f.failed, 0);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_empty_cell_is_refused_and_changes_nothing),
		cmocka_unit_test(test_failure_is_told_once_and_then_the_session_ends),
		cmocka_unit_test(test_timeout_names_the_step),
		cmocka_unit_test(test_stop_ends_without_a_failure),
		cmocka_unit_test(test_second_connect_is_refused_and_its_target_released),
		cmocka_unit_test(test_failure_reasons),
		cmocka_unit_test(test_stream_errors),
		cmocka_unit_test(test_end_of_stream_is_a_network_failure),
		cmocka_unit_test(test_unknown_and_bad_stanzas_are_counted_and_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
