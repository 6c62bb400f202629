/* tests/unit/test_gw_numbers.c - one new pairing code per number and minute */
#include "test.h"

#include <stdio.h>

#include "common/err.h"
#include "gateway/instance/gw_numbers.h"

#define A "5511999999999"
#define B "5511999999998"

static int setup(void **state)
{
	struct gw_numbers *n;

	assert_int_equal(gw_numbers_new(&n), 0);
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	gw_numbers_free(*state);
	return 0;
}

static void test_a_number_rests_for_a_minute_after_its_code(void **state)
{
	struct gw_numbers *n = *state;

	assert_int_equal(gw_numbers_begin(n, A, 1000), 0);
	gw_numbers_issued(n, A, 2000);
	assert_int_equal(gw_numbers_begin(n, A, 2000), WA_ERATE_LIMITED);
	assert_int_equal(gw_numbers_wait_ms(n, A, 2000), 60000);
	assert_int_equal(gw_numbers_wait_ms(n, A, 61999), 1);
	assert_int_equal(gw_numbers_begin(n, A, 61999), WA_ERATE_LIMITED);
	assert_int_equal(gw_numbers_wait_ms(n, A, 62000), 0);
	assert_int_equal(gw_numbers_begin(n, A, 62000), 0);
}

static void test_another_number_is_another_matter(void **state)
{
	struct gw_numbers *n = *state;

	assert_int_equal(gw_numbers_begin(n, A, 1000), 0);
	gw_numbers_issued(n, A, 1000);
	assert_int_equal(gw_numbers_wait_ms(n, B, 1000), 0);
	assert_int_equal(gw_numbers_begin(n, B, 1000), 0);
}

static void test_two_attempts_for_a_number_never_run_at_once(void **state)
{
	struct gw_numbers *n = *state;

	assert_int_equal(gw_numbers_begin(n, A, 1000), 0);
	assert_int_equal(gw_numbers_begin(n, A, 1000), WA_ERATE_LIMITED);
	assert_int_equal(gw_numbers_wait_ms(n, A, 1000), 60000);
}

static void test_an_attempt_without_a_code_does_not_count(void **state)
{
	struct gw_numbers *n = *state;

	assert_int_equal(gw_numbers_begin(n, A, 1000), 0);
	gw_numbers_end(n, A);
	assert_int_equal(gw_numbers_wait_ms(n, A, 1001), 0);
	assert_int_equal(gw_numbers_begin(n, A, 1001), 0);
}

static void test_a_later_code_of_the_same_attempt_counts_anew(void **state)
{
	struct gw_numbers *n = *state;

	assert_int_equal(gw_numbers_begin(n, A, 1000), 0);
	gw_numbers_issued(n, A, 1000);
	assert_int_equal(gw_numbers_begin(n, A, 90000), 0); /* another's, whose code is to come */
	gw_numbers_issued(n, A, 100000);
	assert_int_equal(gw_numbers_wait_ms(n, A, 130000), 30000);
	gw_numbers_end(n, A);
	assert_int_equal(gw_numbers_wait_ms(n, A, 130000), 30000);
}

/* Refused rather than forgotten: a flood of numbers must not lift the limit of one. */
static void test_memory_is_bounded_and_numbers_that_have_rested_make_room(void **state)
{
	struct gw_numbers *n = *state;
	char number[16];

	for (int i = 0; i < GW_NUMBERS_MAX; i++) {
		snprintf(number, sizeof(number), "55%08d", i);
		assert_int_equal(gw_numbers_begin(n, number, 1000), 0);
		gw_numbers_issued(n, number, 1000);
	}
	assert_int_equal(gw_numbers_begin(n, A, 1000), WA_ERATE_LIMITED);
	assert_int_equal(gw_numbers_wait_ms(n, "5500000000", 1000), 60000);
	assert_int_equal(gw_numbers_begin(n, A, 61000), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_number_rests_for_a_minute_after_its_code),
		T(test_another_number_is_another_matter),
		T(test_two_attempts_for_a_number_never_run_at_once),
		T(test_an_attempt_without_a_code_does_not_count),
		T(test_a_later_code_of_the_same_attempt_counts_anew),
		T(test_memory_is_bounded_and_numbers_that_have_rested_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
