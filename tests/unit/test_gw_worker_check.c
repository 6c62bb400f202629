/* tests/unit/test_gw_worker_check.c - texts from a worker: sound, or refused */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "gateway/supervision/gw_worker_check.h"

static void test_details_are_made_printable_and_cut(void **state)
{
	char out[8];

	(void)state;
	gw_check_detail("a\nb\xff\x7f", out, sizeof(out));
	assert_string_equal(out, "a?b??");
	gw_check_detail("123456789", out, sizeof(out));
	assert_string_equal(out, "1234567");
	gw_check_detail(NULL, out, sizeof(out));
	assert_string_equal(out, "");
}

static void test_printable_texts_have_no_other_bytes_and_fit(void **state)
{
	(void)state;
	assert_true(gw_check_printable("2@a,b", 5));
	assert_false(gw_check_printable("2@a,b", 4));
	assert_false(gw_check_printable("", 4));
	assert_false(gw_check_printable(NULL, 4));
	assert_false(gw_check_printable("a\tb", 4));
	assert_false(gw_check_printable("a\x7f", 4));
	assert_false(gw_check_printable("\xc3\xa9", 4));
}

static void test_numbers_are_seven_to_fifteen_digits(void **state)
{
	static const char *const bad[] = { "",         "123456",   "1234567890123456",
		                           "+1234567", "1234567 ", "12345x7" };

	(void)state;
	assert_true(gw_check_number("1234567"));
	assert_true(gw_check_number("123456789012345"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(gw_check_number(bad[i]));
}

static void test_pairing_codes_have_their_form(void **state)
{
	static const char *const bad[] = { "",          "ABCDEFGH",   "ABCD-EFG",  "ABCD-EFGHI",
		                           "abcd-efgh", "ABC-DEFGHI", "ABCD EFGH", "ABCD-EF\nH" };

	(void)state;
	assert_true(gw_check_pairing_code("AB12-9XYZ"));
	assert_false(gw_check_pairing_code(NULL));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(gw_check_pairing_code(bad[i]));
}

static void test_jids_have_their_form(void **state)
{
	static const char *const bad[] = { "",
		                           "@s.whatsapp.net",
		                           "1:@s.whatsapp.net",
		                           "1:123456@s.whatsapp.net",
		                           "123456789012345678901@s.whatsapp.net",
		                           "a@s.whatsapp.net",
		                           "1@s.whatsapp.net.",
		                           "1@lid",
		                           "1 @s.whatsapp.net" };

	(void)state;
	assert_true(gw_check_jid("5511999999999@s.whatsapp.net", "s.whatsapp.net"));
	assert_true(gw_check_jid("5511999999999:12@s.whatsapp.net", "s.whatsapp.net"));
	assert_true(gw_check_jid("1:2@lid", "lid"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(gw_check_jid(bad[i], "s.whatsapp.net"));
}

static void test_names_are_utf8_without_control_characters(void **state)
{
	static const char *const bad[] = { "\x80",         "\xc3",
		                           "\xc0\xaf",     "\xe0\x80\x80",
		                           "\xed\xa0\x80", "\xf4\x90\x80\x80",
		                           "\xff",         "\xf0\x80\x80\x80",
		                           "\xe2\x82" };
	char out[16];

	(void)state;
	assert_true(gw_check_name("Jos\xc3\xa9 \xf0\x9f\x98\x80", out, sizeof(out)));
	assert_string_equal(out, "Jos\xc3\xa9 \xf0\x9f\x98\x80");
	assert_true(gw_check_name("a\nb\x7f", out, sizeof(out)));
	assert_string_equal(out, "a b ");
	assert_true(gw_check_name(NULL, out, sizeof(out)));
	assert_string_equal(out, "");
	assert_true(gw_check_name("123456789012345", out, sizeof(out)));
	assert_false(gw_check_name("1234567890123456", out, sizeof(out)));
	assert_false(gw_check_name("12345678901234\xc3\xa9", out, sizeof(out)));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(gw_check_name(bad[i], out, sizeof(out)));
}

static void test_passkey_options_are_an_object_of_modest_size_and_depth(void **state)
{
	char text[5000];
	json_t *o = gw_check_passkey_options("{\"challenge\":\"a]]]]\\\"[[[[[[[[[[[[[[[[[[[[\"}");

	(void)state;
	assert_non_null(o);
	json_decref(o);
	assert_null(gw_check_passkey_options(NULL));
	assert_null(gw_check_passkey_options(""));
	assert_null(gw_check_passkey_options("[]"));
	assert_null(gw_check_passkey_options("{\"a\":1,\"a\":2}"));
	assert_null(gw_check_passkey_options("{\"a\":1}x"));
	strcpy(text, "{\"a\":");
	memset(text + 5, '[', 17);
	strcpy(text + 22, "1");
	memset(text + 23, ']', 17);
	strcpy(text + 40, "}");
	assert_null(gw_check_passkey_options(text));
	memset(text, ' ', sizeof(text));
	text[0] = '{';
	text[4097] = '}';
	text[4098] = '\0';
	assert_null(gw_check_passkey_options(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_details_are_made_printable_and_cut),
		cmocka_unit_test(test_printable_texts_have_no_other_bytes_and_fit),
		cmocka_unit_test(test_numbers_are_seven_to_fifteen_digits),
		cmocka_unit_test(test_pairing_codes_have_their_form),
		cmocka_unit_test(test_jids_have_their_form),
		cmocka_unit_test(test_names_are_utf8_without_control_characters),
		cmocka_unit_test(test_passkey_options_are_an_object_of_modest_size_and_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
