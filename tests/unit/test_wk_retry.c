/* tests/unit/test_wk_retry.c - the retry classes, row by row of the fault table */
#include "test.h"

#include <string.h>

#include "common/err.h"
#include "worker/session/wk_retry.h"

#define NOW_MS 1000000u
#define NOW_S 1800000000
#define MOST UINT64_MAX /* jitter: as long as it gets, or nearly */

struct fixture {
	struct wk_retry r;
	struct wk_creds creds;
	uint64_t now_ms;
	int64_t now_s;
};

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->now_ms = NOW_MS;
	f->now_s = NOW_S;
}

static struct wk_retry_plan next(struct fixture *f, struct wk_retry_cause cause, uint64_t rnd)
{
	return wk_retry_next(&f->r, &cause, &f->creds, f->now_ms, f->now_s, rnd);
}

static struct wk_retry_plan fail_with(struct fixture *f, int rc, uint32_t reason, uint64_t rnd)
{
	return next(f, (struct wk_retry_cause){ .rc = rc, .reason = reason }, rnd);
}

static void assert_after(struct wk_retry_plan p, uint64_t least_ms, uint64_t most_ms)
{
	assert_int_equal(p.kind, WK_RETRY_AFTER);
	assert_in_range(p.wait_ms, least_ms, most_ms);
}

/* ---- A ----------------------------------------------------------------------------------- */

static void test_restart_wished_by_the_server_is_at_once(void **state)
{
	struct wk_retry_plan p;
	struct fixture f;

	(void)state;
	setup(&f);
	p = next(&f, (struct wk_retry_cause){ .restart = true }, MOST);
	assert_after(p, 0, 0);
}

static void test_fourth_restart_in_a_minute_waits_at_least_a_second(void **state)
{
	const struct wk_retry_cause restart = { .restart = true };
	struct fixture f;

	(void)state;
	setup(&f);
	for (int i = 0; i < 3; i++) {
		assert_after(next(&f, restart, MOST), 0, 0);
		f.now_ms += 100;
	}
	assert_after(next(&f, restart, 0), 1000, 1000);
	assert_after(next(&f, restart, MOST), 1000, 301000);
	f.now_ms = NOW_MS + 60000;
	assert_after(next(&f, restart, MOST), 0, 0); /* another minute */
}

static void test_restart_counts_although_it_was_online_in_between(void **state)
{
	const struct wk_retry_cause restart = { .restart = true, .online_ms = 5 };
	struct fixture f;

	(void)state;
	setup(&f);
	for (int i = 0; i < 3; i++)
		assert_after(next(&f, restart, MOST), 0, 0);
	assert_after(next(&f, restart, 0), 1000, 1000);
}

static void test_silent_peer_is_tried_at_once_and_then_in_class_b(void **state)
{
	const struct wk_retry_cause silent = { .rc = WA_ENETWORK, .at_once = true };
	struct fixture f;

	(void)state;
	setup(&f);
	assert_after(next(&f, silent, MOST), 0, 0);
	assert_after(next(&f, silent, 1999), 1999, 1999);
}

/* ---- B ----------------------------------------------------------------------------------- */

static void test_backoff_doubles_from_1_s_to_300_s(void **state)
{
	static const uint64_t limits[] = { 1000,  2000,   4000,   8000,   16000,  32000,
		                           64000, 128000, 256000, 300000, 300000, 300000 };
	struct fixture f;

	(void)state;
	setup(&f);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct wk_retry before = f.r;

		assert_after(fail_with(&f, WA_ENETWORK, 0, limits[i]), limits[i], limits[i]);
		f.r = before;
		assert_after(fail_with(&f, WA_ENETWORK, 0, limits[i] + 1), 0, 0); /* wraps */
		assert_int_equal(f.r.attempt, i + 1);
	}
}

static void test_class_b_never_gives_up(void **state)
{
	static const int codes[] = { WA_ENETWORK,           WA_EDNS,     WA_ETIMEOUT,
		                     WA_EPROXY_UNREACHABLE, WA_ESTORAGE, WA_EWORKER_CRASHED };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		setup(&f);
		for (int n = 0; n < 1000; n++)
			assert_after(fail_with(&f, codes[i], 0, (uint64_t)n * 977), 0, 300000);
	}
}

static void test_failure_500_and_503_never_give_up(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 100; n++)
		assert_after(fail_with(&f, WA_ENETWORK, n % 2 ? 500 : 503, MOST), 0, 300000);
}

static void test_backoff_begins_anew_only_after_60_s_online(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 5; n++)
		(void)fail_with(&f, WA_ENETWORK, 0, 0);
	assert_after(
	    next(&f, (struct wk_retry_cause){ .rc = WA_ENETWORK, .online_ms = 59999 }, 32000),
	    32000, 32000);
	assert_int_equal(f.r.attempt, 1); /* it was online */
	assert_after(
	    next(&f, (struct wk_retry_cause){ .rc = WA_ENETWORK, .online_ms = 60000 }, 1000), 1000,
	    1000);
}

static void test_at_most_12_tries_a_minute(void **state)
{
	uint64_t seed = 88172645463325252u;
	unsigned worst = 0;
	struct fixture f;

	(void)state;
	for (int run = 0; run < 2000; run++) {
		uint64_t t = 0;
		unsigned tries = 0;

		setup(&f);
		while (t < 60000) {
			tries++;
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			t += fail_with(&f, WA_ENETWORK, 0, seed).wait_ms;
		}
		worst = tries > worst ? tries : worst;
	}
	assert_in_range(worst, 4, 12);
}

static void test_throttled_stream_waits_longer(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_after(fail_with(&f, WA_ENETWORK, 429, 32000), 32000, 32000);
	assert_after(fail_with(&f, WA_ENETWORK, 429, 64000), 64000, 64000);
}

static void test_storage_is_looked_at_again_within_10_s(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 100; n++)
		assert_after(fail_with(&f, WA_ESTORAGE, 0, (uint64_t)n * 7919), 0, 10000);
}

/* ---- B, a number of times ---------------------------------------------------------------- */

static void assert_ten_tries(int rc, uint32_t reason)
{
	struct fixture f;

	setup(&f);
	for (int n = 0; n < 10; n++)
		assert_after(fail_with(&f, rc, reason, MOST), 0, 300000);
	assert_int_equal(fail_with(&f, rc, reason, 0).kind, WK_RETRY_NEVER);
}

static void test_wrong_certificates_are_tried_10_times(void **state)
{
	(void)state;
	assert_ten_tries(WA_ETLS, 0);
	assert_ten_tries(WA_EHANDSHAKE, 0);
}

static void test_unknown_failures_are_tried_10_times(void **state)
{
	static const uint32_t reasons[] = { 0, 404, 412, 413, 416, 419, 499, 777 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		assert_ten_tries(WA_ECONNECT_FAILURE, reasons[i]);
}

static void test_bound_begins_anew_after_60_s_online(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 10; n++)
		(void)fail_with(&f, WA_ETLS, 0, 0);
	(void)next(&f, (struct wk_retry_cause){ .rc = WA_ENETWORK, .online_ms = 60000 }, 0);
	assert_int_equal(fail_with(&f, WA_ETLS, 0, 0).kind, WK_RETRY_AFTER);
}

static void test_http_error_at_the_upgrade_has_no_bound(void **state)
{
	const struct wk_retry_cause cause = { .rc = WA_EHANDSHAKE, .transient = true };
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 100; n++)
		assert_after(next(&f, cause, MOST), 0, 300000);
}

static void test_protocol_errors_5_an_hour(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 5; n++) {
		assert_after(fail_with(&f, WA_EPROTO, 0, MOST), 0, 300000);
		f.now_ms += 60000;
	}
	assert_int_equal(fail_with(&f, WA_EPROTO, 0, 0).kind, WK_RETRY_NEVER);
	f.now_ms = NOW_MS + 3600000;
	assert_after(fail_with(&f, WA_EPROTO, 0, MOST), 0, 300000);
}

/* ---- C ----------------------------------------------------------------------------------- */

static void test_never_again_by_itself(void **state)
{
	static const struct {
		int rc;
		uint32_t reason;
	} cases[] = {
		{ WA_ECONNECT_FAILURE, 400 }, { WA_ECONNECT_FAILURE, 409 },
		{ WA_ECONNECT_FAILURE, 415 }, { WA_ECONNECT_FAILURE, 418 },
		{ WA_ECONNECT_FAILURE, 501 }, { WA_ECLIENT_OUTDATED, 405 },
		{ WA_EPROXY_AUTH, 0 },        { WA_ESTORE_CORRUPT, 0 },
		{ WA_EALREADY_RUNNING, 0 },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		setup(&f);
		assert_int_equal(fail_with(&f, cases[i].rc, cases[i].reason, 0).kind,
		                 WK_RETRY_NEVER);
	}
}

static void test_unlinked_and_banned_are_set_aside(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(fail_with(&f, WA_ELOGGED_OUT, 401, 0).kind, WK_RETRY_SET_ASIDE);
	assert_int_equal(fail_with(&f, WA_ELOGGED_OUT, 516, 0).kind, WK_RETRY_SET_ASIDE);
	assert_int_equal(fail_with(&f, WA_EBANNED, 403, 0).kind, WK_RETRY_SET_ASIDE);
	assert_int_equal(fail_with(&f, WA_EBANNED, 406, 0).kind, WK_RETRY_SET_ASIDE);
}

/* ---- D ----------------------------------------------------------------------------------- */

static void test_temporary_ban_lasts_until_its_end(void **state)
{
	struct wk_retry_cause cause = { .rc = WA_ETEMP_BANNED, .reason = 402, .expire_s = 7200 };
	struct wk_retry_plan p;
	struct fixture f;

	(void)state;
	setup(&f);
	p = next(&f, cause, MOST);
	assert_int_equal(p.kind, WK_RETRY_AT);
	assert_int_equal(p.unix_s, NOW_S + 7200);
	cause.expire_s = 0;
	assert_int_equal(next(&f, cause, MOST).unix_s, NOW_S + 3600);
}

static void test_replaced_tries_after_5_min_and_3_times_a_day(void **state)
{
	struct wk_retry_plan p;
	struct fixture f;

	(void)state;
	setup(&f);
	for (int n = 0; n < 3; n++) {
		p = fail_with(&f, WA_ESTREAM_REPLACED, 0, MOST);
		assert_int_equal(p.kind, WK_RETRY_AT);
		assert_int_equal(p.unix_s, f.now_s + 300);
		f.now_s += 1000;
	}
	assert_int_equal(fail_with(&f, WA_ESTREAM_REPLACED, 0, 0).kind, WK_RETRY_NEVER);
	f.now_s = NOW_S + 86400;
	assert_int_equal(fail_with(&f, WA_ESTREAM_REPLACED, 0, 0).unix_s, f.now_s + 300);
	assert_int_equal(f.creds.replaced_n, 1);
}

static void test_replaced_keeps_count_when_the_clock_steps_back(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	(void)fail_with(&f, WA_ESTREAM_REPLACED, 0, 0);
	f.now_s -= 3600;
	assert_int_equal(fail_with(&f, WA_ESTREAM_REPLACED, 0, 0).unix_s, f.now_s + 300);
	assert_int_equal(f.creds.replaced_day_unix_s, f.now_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart_wished_by_the_server_is_at_once),
		cmocka_unit_test(test_fourth_restart_in_a_minute_waits_at_least_a_second),
		cmocka_unit_test(test_restart_counts_although_it_was_online_in_between),
		cmocka_unit_test(test_silent_peer_is_tried_at_once_and_then_in_class_b),
		cmocka_unit_test(test_backoff_doubles_from_1_s_to_300_s),
		cmocka_unit_test(test_class_b_never_gives_up),
		cmocka_unit_test(test_failure_500_and_503_never_give_up),
		cmocka_unit_test(test_backoff_begins_anew_only_after_60_s_online),
		cmocka_unit_test(test_at_most_12_tries_a_minute),
		cmocka_unit_test(test_throttled_stream_waits_longer),
		cmocka_unit_test(test_storage_is_looked_at_again_within_10_s),
		cmocka_unit_test(test_wrong_certificates_are_tried_10_times),
		cmocka_unit_test(test_unknown_failures_are_tried_10_times),
		cmocka_unit_test(test_bound_begins_anew_after_60_s_online),
		cmocka_unit_test(test_http_error_at_the_upgrade_has_no_bound),
		cmocka_unit_test(test_protocol_errors_5_an_hour),
		cmocka_unit_test(test_never_again_by_itself),
		cmocka_unit_test(test_unlinked_and_banned_are_set_aside),
		cmocka_unit_test(test_temporary_ban_lasts_until_its_end),
		cmocka_unit_test(test_replaced_tries_after_5_min_and_3_times_a_day),
		cmocka_unit_test(test_replaced_keeps_count_when_the_clock_steps_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
