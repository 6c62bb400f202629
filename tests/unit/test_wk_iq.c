/* tests/unit/test_wk_iq.c - ids, deadlines and rests of requests, on a clock of our own */
#include "test.h"

#include <string.h>

#include "worker/online/wk_iq.h"

static void test_answer_is_known_by_its_id_alone_and_once(void **state)
{
	char a[WK_IQ_ID_CAP], b[WK_IQ_ID_CAP];
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 0xffffffff, 1);
	assert_true(wk_iq_is_idle(&q, 3));
	wk_iq_ask(&q, 3, 1000, 20000, a);
	wk_iq_ask(&q, 0, 1000, 20000, b);
	assert_string_not_equal(a, b);
	assert_false(wk_iq_is_idle(&q, 3));
	assert_int_equal(wk_iq_answer(&q, NULL), -1);
	assert_int_equal(wk_iq_answer(&q, ""), -1);
	assert_int_equal(wk_iq_answer(&q, "1.2-3"), -1);
	assert_int_equal(wk_iq_answer(&q, b), 0);
	assert_int_equal(wk_iq_answer(&q, a), 3);
	assert_true(wk_iq_is_idle(&q, 3));
	assert_int_equal(wk_iq_answer(&q, a), -1);
}

static void test_missing_answer_is_late_at_its_deadline(void **state)
{
	char id[WK_IQ_ID_CAP];
	unsigned kind = 99;
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 7, 1);
	assert_int_equal(wk_iq_next_ms(&q), 0);
	wk_iq_ask(&q, 5, 1000, 20000, id);
	assert_int_equal(wk_iq_next_ms(&q), 21000);
	assert_int_equal(wk_iq_due(&q, 20999, &kind), WK_IQ_NOTHING);
	assert_int_equal(wk_iq_due(&q, 21000, &kind), WK_IQ_LATE);
	assert_int_equal(kind, 5);
	assert_int_equal(wk_iq_due(&q, 21000, &kind), WK_IQ_NOTHING);
	assert_int_equal(wk_iq_answer(&q, id), -1); /* too late */
	assert_int_equal(wk_iq_next_ms(&q), 0);
}

static void test_nearest_deadline_comes_first(void **state)
{
	char id[WK_IQ_ID_CAP];
	unsigned kind = 99;
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 7, 1);
	wk_iq_ask(&q, 1, 0, 500, id);
	wk_iq_later(&q, 2, 0, 100);
	assert_int_equal(wk_iq_next_ms(&q), 100);
	assert_int_equal(wk_iq_due(&q, 100, &kind), WK_IQ_AGAIN);
	assert_int_equal(kind, 2);
	assert_int_equal(wk_iq_next_ms(&q), 500);
}

static void test_rests_double_with_full_jitter_up_to_300_s(void **state)
{
	static const uint64_t spans_ms[] = { 1000,  2000,   4000,   8000,   16000, 32000,
		                             64000, 128000, 256000, 300000, 300000 };
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 7, 1);
	for (size_t i = 0; i < sizeof(spans_ms) / sizeof(spans_ms[0]); i++) {
		wk_iq_rest(&q, 4, 10000, 0, (uint32_t)spans_ms[i]);
		assert_int_equal(wk_iq_next_ms(&q), 10000 + spans_ms[i]);
	}
	wk_iq_rest(&q, 4, 10000, 0, 300001); /* jitter begins at nothing */
	assert_int_equal(wk_iq_next_ms(&q), 10000);
	wk_iq_fine(&q, 4);
	wk_iq_rest(&q, 4, 10000, 0, 1000);
	assert_int_equal(wk_iq_next_ms(&q), 11000);
}

static void test_rest_is_not_shorter_than_the_server_wishes(void **state)
{
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 7, 1);
	wk_iq_rest(&q, 4, 0, 30000, 12345);
	assert_int_equal(wk_iq_next_ms(&q), 30000);
}

static void test_resting_request_has_no_answer(void **state)
{
	char id[WK_IQ_ID_CAP];
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 7, 1);
	wk_iq_ask(&q, 4, 0, 1000, id);
	wk_iq_later(&q, 4, 0, 1000);
	assert_int_equal(wk_iq_answer(&q, id), -1);
	assert_false(wk_iq_is_idle(&q, 4));
}

static void test_speed_shortens_every_wait(void **state)
{
	char id[WK_IQ_ID_CAP];
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 7, 10);
	wk_iq_ask(&q, 1, 0, 20000, id);
	assert_int_equal(wk_iq_next_ms(&q), 2000);
	wk_iq_later(&q, 1, 0, 1000);
	assert_int_equal(wk_iq_next_ms(&q), 100);
}

static void test_numbers_of_ids_wrap_past_nothing(void **state)
{
	char id[WK_IQ_ID_CAP];
	struct wk_iq q;

	(void)state;
	wk_iq_init(&q, 0, 1);
	q.seq = UINT32_MAX;
	wk_iq_ask(&q, 1, 0, 1, id);
	assert_string_equal(id, "0.0-1");
	assert_int_equal(wk_iq_answer(&q, id), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_is_known_by_its_id_alone_and_once),
		cmocka_unit_test(test_missing_answer_is_late_at_its_deadline),
		cmocka_unit_test(test_nearest_deadline_comes_first),
		cmocka_unit_test(test_rests_double_with_full_jitter_up_to_300_s),
		cmocka_unit_test(test_rest_is_not_shorter_than_the_server_wishes),
		cmocka_unit_test(test_resting_request_has_no_answer),
		cmocka_unit_test(test_speed_shortens_every_wait),
		cmocka_unit_test(test_numbers_of_ids_wrap_past_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
