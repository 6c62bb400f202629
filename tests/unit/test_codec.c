/* tests/unit/test_codec.c - hex, base64, base32, decimal numbers, and the clock's text form */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"

static void test_decimal_numbers(void **state)
{
	static const char *const none[] = { "",
		                            " 1",
		                            "1 ",
		                            "-1",
		                            "+1",
		                            "0x1",
		                            "1.0",
		                            "a",
		                            "18446744073709551616",
		                            "99999999999999999999" };
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(dec_decode(none[i], UINT64_MAX, &v), -EINVAL);
	assert_int_equal(dec_decode("3651", 3650, &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(dec_decode("3650", 3650, &v), 0);
	assert_int_equal(v, 3650);
	assert_int_equal(dec_decode("18446744073709551615", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(dec_decode("007", 7, &v), 0);
	assert_int_equal(v, 7);
}

static void test_hex_both_ways(void **state)
{
	uint8_t bytes[4];
	char text[HEX_CAP(4)];

	(void)state;
	assert_int_equal(hex_decode("00fFa55A", bytes, 4), 0);
	assert_memory_equal(bytes, "\x00\xff\xa5\x5a", 4);
	hex_encode(bytes, 4, text);
	assert_string_equal(text, "00ffa55a");
	assert_int_equal(hex_decode("00ff", bytes, 4), -EINVAL);
	assert_int_equal(hex_decode("00ffa55a0", bytes, 4), -EINVAL);
	assert_int_equal(hex_decode("00ffa5zz", bytes, 4), -EINVAL);
	assert_int_equal(hex_decode("00ffa55", bytes, 4), -EINVAL);
}

/* RFC 4648 section 10 */
static const struct {
	const char *plain, *b64, *b32;
} rfc4648[] = {
	{ "", "", "" },
	{ "f", "Zg==", "my" },
	{ "fo", "Zm8=", "mzxq" },
	{ "foo", "Zm9v", "mzxw6" },
	{ "foob", "Zm9vYg==", "mzxw6yq" },
	{ "fooba", "Zm9vYmE=", "mzxw6ytb" },
	{ "foobar", "Zm9vYmFy", "mzxw6ytboi" },
};

static void test_base64_of_rfc4648(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
		char text[16];
		uint8_t back[16];
		size_t len = 99;

		b64_encode(rfc4648[i].plain, strlen(rfc4648[i].plain), text);
		assert_string_equal(text, rfc4648[i].b64);
		assert_int_equal(b64_decode(text, strlen(text), back, sizeof(back), &len), 0);
		assert_int_equal(len, strlen(rfc4648[i].plain));
		assert_memory_equal(back, rfc4648[i].plain, len);
	}
}

static void test_base64_accepts_both_alphabets_and_no_padding(void **state)
{
	uint8_t a[8], b[8];
	size_t a_len, b_len;

	(void)state;
	assert_int_equal(b64_decode("-_8", 3, a, sizeof(a), &a_len), 0);
	assert_int_equal(b64_decode("+/8=", 4, b, sizeof(b), &b_len), 0);
	assert_int_equal(a_len, 2);
	assert_int_equal(b_len, 2);
	assert_memory_equal(a, b, 2);
}

static void test_base64_refuses_what_is_none(void **state)
{
	static const char *const bad[] = { "A", "AAAAA", "AA=A", "AA A", "AB==",    "AAB=",
		                           "=", "====",  "A===", "AA=",  "AAAA====" };
	uint8_t out[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (b64_decode(bad[i], strlen(bad[i]), out, sizeof(out), &len) != -EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
	assert_int_equal(b64_decode("AAAA", 4, out, 2, &len), WA_ELIMIT);
}

static void test_base32_lower_of_rfc4648(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
		char text[17];

		base32_encode_lower(rfc4648[i].plain, strlen(rfc4648[i].plain), text, 16);
		assert_string_equal(text, rfc4648[i].b32);
	}
}

static void test_base32_lower_cuts_at_the_length_asked_for(void **state)
{
	char text[5];

	(void)state;
	base32_encode_lower("foobar", 6, text, 4);
	assert_string_equal(text, "mzxw");
}

static void test_rfc3339_text(void **state)
{
	char text[RFC3339_CAP];

	(void)state;
	clock_rfc3339(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_rfc3339(1787000001042, text);
	assert_string_equal(text, "2026-08-17T20:53:21.042Z");
	clock_rfc3339(INT64_MAX, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_rfc3339(253402300799999, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	/* as the C library has it: over all of them, leap days and centuries among them */
	for (int64_t s = 0; s < 253402300800; s += 86400 * 11 + 7477) {
		const time_t at = (time_t)s;
		char wanted[64];
		struct tm tm;

		assert_non_null(gmtime_r(&at, &tm));
		assert_int_not_equal(
		    strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.000Z", &tm), 0);
		clock_rfc3339(s * 1000, text);
		assert_string_equal(text, wanted);
	}
	for (int year = 1970; year < 2500; year++) {
		struct tm tm = { .tm_year = year - 1900, .tm_mon = 1, .tm_mday = 28 };
		char wanted[64];
		time_t at = timegm(&tm) + 86400;

		assert_non_null(gmtime_r(&at, &tm));
		assert_int_not_equal(
		    strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.000Z", &tm), 0);
		clock_rfc3339((int64_t)at * 1000, text);
		assert_string_equal(text, wanted);
	}
}

static void test_error_names(void **state)
{
	(void)state;
	assert_string_equal(wa_err_name(0), "ok");
	assert_string_equal(wa_err_name(WA_EHANDSHAKE), "handshake");
	assert_string_equal(wa_err_name(-ECONNREFUSED), "ECONNREFUSED");
	assert_string_equal(wa_err_name(-9999999), "unknown");
	assert_string_equal(wa_err_name(5), "unknown");
	assert_true(wa_err_is_outcome(WA_EPROTO));
	assert_true(wa_err_is_outcome(WA_ETIMEOUT));
	assert_true(wa_err_is_outcome(WA_ETEMP_BANNED));
	assert_false(wa_err_is_outcome(WA_ETRUNC));
	assert_false(wa_err_is_outcome(WA_EAT_CAPACITY));
	assert_false(wa_err_is_outcome(-EIO));
}

static void test_utf8_characters_of_rfc3629(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{ "", 1 },
		{ "a", 1 },
		{ "\xc3\xa9", 2 },
		{ "\xe2\x82\xac", 3 },
		{ "\xf0\x9f\x92\xa9", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 },             /* in the middle */
		{ "\xc3", 0 },             /* cut */
		{ "\xf0\x9f\x92", 0 },     /* cut */
		{ "\xc0\xaf", 0 },         /* longer than need be */
		{ "\xe0\x9f\xbf", 0 },     /* as well */
		{ "\xed\xa0\x80", 0 },     /* half of a UTF-16 pair */
		{ "\xf4\x90\x80\x80", 0 }, /* beyond the last */
		{ "\xff", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(utf8_char_len(cases[i].text), cases[i].len);
	/* of just so many bytes, in memory of their own: what is cut short is none */
	for (size_t i = 1; i < ARRAY_LEN(cases); i++) {
		for (size_t left = 0; left <= strlen(cases[i].text); left++) {
			char *text = malloc(left + 1);

			assert_non_null(text);
			memcpy(text + 1, cases[i].text, left);
			assert_int_equal(utf8_len(text + 1, left),
			                 left < cases[i].len ? 0 : cases[i].len);
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex_both_ways),
		cmocka_unit_test(test_base64_of_rfc4648),
		cmocka_unit_test(test_base64_accepts_both_alphabets_and_no_padding),
		cmocka_unit_test(test_base64_refuses_what_is_none),
		cmocka_unit_test(test_base32_lower_of_rfc4648),
		cmocka_unit_test(test_base32_lower_cuts_at_the_length_asked_for),
		cmocka_unit_test(test_utf8_characters_of_rfc3629),
		cmocka_unit_test(test_decimal_numbers),
		cmocka_unit_test(test_rfc3339_text),
		cmocka_unit_test(test_error_names),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
