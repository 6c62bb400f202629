/* tests/unit/test_gw_json.c - one JSON object out of foreign bytes */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "gateway/http/gw_json.h"

static int load(const char *text, json_t **out)
{
	return gw_json_object(text, strlen(text), out);
}

static void test_an_object_is_taken(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(load(" {\"a\":1,\"b\":\"\\\"[\"} ", &json), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "a")), 1);
	json_decref(json);
}

static void test_what_is_no_object_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"[]",
		"1",
		"\"a\"",
		"null",
		"{",
		"{\"a\"}",
		"{\"a\":1,}",
		"{\"a\":1} {}",
		"{a:1}",
		"{\"a\":\"\\\"",
		"{\"a\":1,\"a\":1}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":01}",
		"{\"a\":\"\xff\"}",
	};
	json_t *json;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(load(cases[i], &json), -EINVAL);
}

static void test_depth_has_its_bound(void **state)
{
	char text[256];
	json_t *json;

	(void)state;
	for (int depth = GW_JSON_DEPTH_MAX - 1; depth <= GW_JSON_DEPTH_MAX; depth++) {
		char *p = text + sprintf(text, "{\"[[[\\\"[[[\":");

		for (int i = 0; i < depth; i++)
			*p++ = '[';
		for (int i = 0; i < depth; i++)
			*p++ = ']';
		memcpy(p, "}", 2);
		if (depth < GW_JSON_DEPTH_MAX) {
			assert_int_equal(load(text, &json), 0);
			json_decref(json);
		} else {
			assert_int_equal(load(text, &json), -EINVAL);
		}
	}
}

/* Read, though no key can use it. */
static void test_numbers_without_room_are_no_error(void **state)
{
	static const char *const numbers[] = {
		"99999999999999999999",    "-99999999999999999999", "1e999", "-1.5E+999",
		"123456789012345678901.5",
	};
	char text[128];
	json_t *json;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(text, sizeof(text), "{\"n\":%s,\"m\":7,\"t\":\"99999999999999999999\"}",
		         numbers[i]);
		assert_int_equal(load(text, &json), 0);
		assert_false(json_is_integer(json_object_get(json, "n")));
		assert_int_equal(json_integer_value(json_object_get(json, "m")), 7);
		assert_string_equal(json_string_value(json_object_get(json, "t")),
		                    "99999999999999999999");
		json_decref(json);
	}
}

static void test_a_number_beside_it_makes_nothing_else_valid(void **state)
{
	static const char *const cases[] = {
		"{\"n\":1e999,\"m\":01}",
		"{\"n\":1e999,\"m\":1e}",
		"{\"n\":99999999999999999999x}",
		"{\"n\":99999999999999999999-5}",
		"{\"n\":99999999999999999999.}",
		"{\"n\":0199999999999999999999}",
		"{\"n\":--99999999999999999999}",
		"{\"n\":1e999",
		"[1e999]",
	};
	json_t *json;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(load(cases[i], &json), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_object_is_taken),
		cmocka_unit_test(test_what_is_no_object_is_refused),
		cmocka_unit_test(test_depth_has_its_bound),
		cmocka_unit_test(test_numbers_without_room_are_no_error),
		cmocka_unit_test(test_a_number_beside_it_makes_nothing_else_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
