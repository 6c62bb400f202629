/* tests/unit/test_gw_deaths.c - what three workers died of is set aside, and nothing else */
#include "test.h"

#include "gateway/instance/gw_deaths.h"

static void test_the_third_death_sets_aside(void **state)
{
	struct gw_deaths d = { 0 };

	(void)state;
	assert_false(gw_deaths_note(&d, 7, 1000));
	assert_false(gw_deaths_note(&d, 8, 2000));
	assert_false(gw_deaths_note(&d, 0, 2500)); /* nothing in hand */
	assert_false(gw_deaths_note(&d, 7, 3000));
	assert_int_equal(d.aside_n, 0);
	assert_true(gw_deaths_note(&d, 7, 4000));
	assert_int_equal(d.aside_n, 1);
	assert_int_equal(d.aside[0], 7);
	/* again: it is not what killed it */
	for (int i = 0; i < 5; i++)
		assert_false(gw_deaths_note(&d, 7, 5000));
	assert_int_equal(d.aside_n, 1);
	assert_false(gw_deaths_note(&d, 8, 6000));
	assert_true(gw_deaths_note(&d, 8, 7000));
	assert_int_equal(d.aside[1], 8);
}

static void test_deaths_long_ago_do_not_count(void **state)
{
	struct gw_deaths d = { 0 };

	(void)state;
	assert_false(gw_deaths_note(&d, 7, 0));
	assert_false(gw_deaths_note(&d, 7, GW_DEATHS_MS - 1));
	assert_false(gw_deaths_note(&d, 7, 2 * GW_DEATHS_MS));
	assert_false(gw_deaths_note(&d, 7, 2 * GW_DEATHS_MS + 1));
	assert_true(gw_deaths_note(&d, 7, 2 * GW_DEATHS_MS + 2));
}

static void test_it_keeps_the_newest(void **state)
{
	struct gw_deaths d = { 0 };

	(void)state;
	for (uint64_t key = 1; key <= 20; key++)
		for (unsigned n = 1; n <= GW_DEATHS_MAX; n++)
			assert_int_equal(gw_deaths_note(&d, key, key), n == GW_DEATHS_MAX);
	assert_int_equal(d.aside_n, GW_DEATHS_KEPT);
	for (size_t i = 0; i < GW_DEATHS_KEPT; i++)
		assert_int_equal(d.aside[i], 13 + i);
	/* many keys, none of them thrice: the oldest make room, one that repeats is found */
	assert_false(gw_deaths_note(&d, 100, 30));
	assert_false(gw_deaths_note(&d, 100, 31));
	for (uint64_t key = 101; key < 108; key++)
		assert_false(gw_deaths_note(&d, key, 40 + key));
	assert_true(gw_deaths_note(&d, 100, 200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_third_death_sets_aside),
		cmocka_unit_test(test_deaths_long_ago_do_not_count),
		cmocka_unit_test(test_it_keeps_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
