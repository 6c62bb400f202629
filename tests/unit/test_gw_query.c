/* tests/unit/test_gw_query.c - the query of a request target, percent escapes */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "gateway/http/gw_query.h"

static int decode(const char *text, bool plus_is_space, char *out, size_t out_cap)
{
	return gw_percent_decode(text, strlen(text), plus_is_space, out, out_cap);
}

static void test_escapes_become_bytes(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(decode("a%20b%2Fc%2f%C3%a9", false, out, sizeof(out)), 0);
	assert_string_equal(out, "a b/c/\xc3\xa9");
	assert_int_equal(decode("", false, out, sizeof(out)), 0);
	assert_string_equal(out, "");
}

static void test_a_plus_is_a_space_in_queries_alone(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(decode("a+b", true, out, sizeof(out)), 0);
	assert_string_equal(out, "a b");
	assert_int_equal(decode("a+b", false, out, sizeof(out)), 0);
	assert_string_equal(out, "a+b");
}

/* The gate lets none through; here nothing is read beyond the end. */
static void test_half_an_escape_stays_text(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(decode("a%", false, out, sizeof(out)), 0);
	assert_string_equal(out, "a%");
	assert_int_equal(decode("a%4", false, out, sizeof(out)), 0);
	assert_string_equal(out, "a%4");
}

static void test_control_characters_and_what_is_too_long_are_refused(void **state)
{
	char out[4];

	(void)state;
	assert_int_equal(decode("%00", false, out, sizeof(out)), -EINVAL);
	assert_int_equal(decode("%0A", false, out, sizeof(out)), -EINVAL);
	assert_int_equal(decode("\x1f", false, out, sizeof(out)), -EINVAL);
	assert_int_equal(decode("%7f", false, out, sizeof(out)), -EINVAL);
	assert_int_equal(decode("abc", false, out, sizeof(out)), 0);
	assert_int_equal(decode("abcd", false, out, sizeof(out)), -EINVAL);
	assert_int_equal(decode("%61%62%63%64", false, out, sizeof(out)), -EINVAL);
}

static void test_a_parameter_once_or_not_at_all(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(gw_query_param("/p", "a", out, sizeof(out)), 0);
	assert_int_equal(gw_query_param("/p?b=1&aa=2&%61a=3", "a", out, sizeof(out)), 0);
	assert_int_equal(gw_query_param("/p?b=1&%61=x+y", "a", out, sizeof(out)), 1);
	assert_string_equal(out, "x y");
	assert_int_equal(gw_query_param("/p?a", "a", out, sizeof(out)), 1);
	assert_string_equal(out, "");
	assert_int_equal(gw_query_param("/p?&&a=1&", "a", out, sizeof(out)), 1);
	assert_string_equal(out, "1");
	assert_int_equal(gw_query_param("/p?a=1&a=1", "a", out, sizeof(out)), -EINVAL);
	assert_int_equal(gw_query_param("/p?a=12345678", "a", out, sizeof(out)), -EINVAL);
	/* a name that can't be ours is passed over */
	assert_int_equal(gw_query_param("/p?%0A=1&0123456789012345678901234567890123=2&a=3", "a",
	                                out, sizeof(out)),
	                 1);
	assert_string_equal(out, "3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes_become_bytes),
		cmocka_unit_test(test_a_plus_is_a_space_in_queries_alone),
		cmocka_unit_test(test_half_an_escape_stays_text),
		cmocka_unit_test(test_control_characters_and_what_is_too_long_are_refused),
		cmocka_unit_test(test_a_parameter_once_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
