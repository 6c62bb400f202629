/* tests/unit/test_json_check.c - what counts as sound JSON, and what does not */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/json_check.h"

static void test_sound_values_are_taken(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"0",
		"-0.5e+10",
		"true",
		"null",
		"\"\"",
		" {\"a\" : [1, 2,\t{}]} ",
		"{\"a\":{\"b\":[[],[false]]},\"c\":\"x\\n\\u00e9\\ud83d\\ude00\"}",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"1e5",
		"[\"]\"]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (json_check(good[i], strlen(good[i]), 8) != 0)
			fail_msg("refused: %s", good[i]);
}

static void test_anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[1",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"[1 2]",
		"{}{}",
		"{} x",
		"nul",
		"tru",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"+1",
		"'a'",
		"\"",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud83dx\"",
		"\"\\ud83d\\u0041\"",
		"\"\t\"",
		"[\n]",
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\"",
		"\"\xe2\x82\"",
		"[}",
		"{]",
		"{\"a\":[}]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (json_check(bad[i], strlen(bad[i]), 8) != WA_EPROTO)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(json_check("\"a\0b\"", 5, 8), WA_EPROTO);
}

static void test_depth_is_bounded_and_kinds_of_brackets_are_kept_apart(void **state)
{
	char text[3 * JSON_CHECK_DEPTH_MAX];

	(void)state;
	for (unsigned depth = 1; depth <= JSON_CHECK_DEPTH_MAX + 1; depth++) {
		size_t n = 0;

		for (unsigned i = 0; i < depth; i++)
			text[n++] = '[';
		for (unsigned i = 0; i < depth; i++)
			text[n++] = ']';
		assert_int_equal(json_check(text, n, 8), depth <= 8 ? 0 : WA_ELIMIT);
		assert_int_equal(json_check(text, n, 1000),
		                 depth <= JSON_CHECK_DEPTH_MAX ? 0 : WA_ELIMIT);
		text[n - 1] = '}';
		assert_int_equal(json_check(text, n, 1000),
		                 depth <= JSON_CHECK_DEPTH_MAX ? WA_EPROTO : WA_ELIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_values_are_taken),
		cmocka_unit_test(test_anything_else_is_refused),
		cmocka_unit_test(test_depth_is_bounded_and_kinds_of_brackets_are_kept_apart),
	};

	return cmocka_run_group_tests_name("json_check", tests, NULL, NULL);
}
