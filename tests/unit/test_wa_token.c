/* tests/unit/test_wa_token.c - the token dictionaries */
#include "test.h"

#include <string.h>

#include "worker/wa/node/wa_token.h"

static void assert_finds(const char *s, int dict, unsigned index)
{
	uint8_t i = 0;
	int d = -2;

	assert_true(wa_token_find(s, strlen(s), &d, &i));
	assert_int_equal(d, dict);
	assert_int_equal(i, index);
}

static void test_every_token_is_found_at_its_place(void **state)
{
	const char *s;
	size_t len;

	(void)state;
	for (unsigned i = 1; i < 236; i++) {
		s = wa_token_single((uint8_t)i, &len);
		assert_int_equal(strlen(s), len);
		assert_finds(s, -1, i);
	}
	for (unsigned d = 0; d < WA_TOKEN_DICTS; d++) {
		for (unsigned i = 0; i < 256; i++) {
			s = wa_token_double(d, (uint8_t)i, &len);
			assert_int_equal(strlen(s), len);
			assert_finds(s, (int)d, i);
		}
	}
}

static void test_known_places(void **state)
{
	(void)state;
	assert_finds("xmlstreamstart", -1, 1);
	assert_finds("xmlstreamend", -1, 2);
	assert_finds("s.whatsapp.net", -1, 3);
	assert_finds("screen_height", -1, 235);
	assert_finds("read-self", 0, 0);
	assert_finds("reject", 1, 0);
	assert_finds("64", 2, 0);
	assert_finds("1724", 3, 0);
	assert_finds("1961", 3, 255);
}

static void test_outside_the_tables(void **state)
{
	size_t len;

	(void)state;
	assert_null(wa_token_single(0, &len));
	for (unsigned i = 236; i < 256; i++)
		assert_null(wa_token_single((uint8_t)i, &len));
	assert_null(wa_token_double(WA_TOKEN_DICTS, 0, &len));
}

static void test_strings_that_are_no_token(void **state)
{
	static const char longer[] = "a string of more than forty-eight characters, the longest";
	static const char *const none[] = { "",     "x",    "iqq",           "IQ",
		                            "~~~~", longer, "s.whatsapp.ne", "s.whatsapp.nett" };
	uint8_t i;
	int d;

	(void)state;
	for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++)
		assert_false(wa_token_find(none[k], strlen(none[k]), &d, &i));
	assert_false(wa_token_find("iq\0", 3, &d, &i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_token_is_found_at_its_place),
		cmocka_unit_test(test_known_places),
		cmocka_unit_test(test_outside_the_tables),
		cmocka_unit_test(test_strings_that_are_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
