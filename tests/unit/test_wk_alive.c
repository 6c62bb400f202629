/* tests/unit/test_wk_alive.c - when to ping and when to give up, on a clock of our own */
#include "test.h"

#include <string.h>

#include "worker/online/wk_alive.h"

static void test_first_ping_comes_after_20_to_30_s(void **state)
{
	struct wk_alive a;

	(void)state;
	wk_alive_start(&a, 1000, 0, 1);
	assert_int_equal(a.due_ms, 21000);
	wk_alive_start(&a, 1000, 9999, 1);
	assert_int_equal(a.due_ms, 30999);
	wk_alive_start(&a, 1000, UINT32_MAX, 1);
	assert_in_range(a.due_ms, 21000, 31000);
	assert_int_equal(wk_alive_tick(&a, a.due_ms - 1), WK_ALIVE_WAIT);
	assert_int_equal(wk_alive_tick(&a, a.due_ms), WK_ALIVE_PING);
}

static void test_silent_peer_is_dead_after_two_pings(void **state)
{
	struct wk_alive a;

	(void)state;
	wk_alive_start(&a, 0, 0, 1);
	assert_int_equal(wk_alive_tick(&a, 20000), WK_ALIVE_PING);
	assert_int_equal(wk_alive_tick(&a, 29999), WK_ALIVE_WAIT);
	assert_int_equal(wk_alive_tick(&a, 30000), WK_ALIVE_PING);
	assert_int_equal(wk_alive_tick(&a, 39999), WK_ALIVE_WAIT);
	assert_int_equal(wk_alive_tick(&a, 40000), WK_ALIVE_DEAD);
}

static void test_answer_to_either_ping_starts_over(void **state)
{
	char first[WK_ALIVE_ID_CAP], second[WK_ALIVE_ID_CAP];
	struct wk_alive a;

	(void)state;
	wk_alive_start(&a, 0, 77, 1);
	assert_int_equal(wk_alive_tick(&a, a.due_ms), WK_ALIVE_PING);
	wk_alive_id(&a, first);
	assert_int_equal(wk_alive_tick(&a, a.due_ms), WK_ALIVE_PING);
	wk_alive_id(&a, second);
	assert_string_not_equal(first, second);
	assert_true(wk_alive_answer(&a, first, 50000, 5000));
	assert_int_equal(a.due_ms, 75000);
	assert_false(wk_alive_answer(&a, second, 50000, 0)); /* nothing is waited for any more */
	assert_int_equal(wk_alive_tick(&a, 75000), WK_ALIVE_PING);
	assert_false(wk_alive_answer(&a, "1.1-1", 75001, 0));
}

static void test_speed_shortens_every_wait(void **state)
{
	struct wk_alive a;

	(void)state;
	wk_alive_start(&a, 0, 0, 10);
	assert_int_equal(a.due_ms, 2000);
	assert_int_equal(wk_alive_tick(&a, 2000), WK_ALIVE_PING);
	assert_int_equal(a.due_ms, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_ping_comes_after_20_to_30_s),
		cmocka_unit_test(test_silent_peer_is_dead_after_two_pings),
		cmocka_unit_test(test_answer_to_either_ping_starts_over),
		cmocka_unit_test(test_speed_shortens_every_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
