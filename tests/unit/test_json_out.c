/* tests/unit/test_json_out.c - JSON text written straight into a buffer */
#include "test.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/attr.h"
#include "common/json_out.h"

static const char *text_of(struct buf *b)
{
	assert_int_equal(buf_append_u8(b, 0), 0);
	return (const char *)b->p;
}

static void test_json_commas_and_nesting(void **state)
{
	struct buf b = { 0 };
	struct json_out j = json_out(&b);

	(void)state;
	jout_obj(&j, NULL);
	jout_obj(&j, "empty");
	jout_obj_end(&j);
	jout_arr(&j, "list");
	jout_int(&j, NULL, 1);
	jout_arr(&j, NULL);
	jout_arr_end(&j);
	jout_obj(&j, NULL);
	jout_bool(&j, "a", false);
	jout_obj_end(&j);
	jout_arr_end(&j);
	jout_null(&j, "n");
	jout_time(&j, "t", 1500);
	jout_obj_end(&j);
	assert_int_equal(j.err, 0);
	assert_string_equal(text_of(&b), "{\"empty\":{},\"list\":[1,[],{\"a\":false}],\"n\":null,"
	                                 "\"t\":\"1970-01-01T00:00:01.500Z\"}");
	buf_free(&b);
}

static void test_json_leaves_out_what_is_absent(void **state)
{
	struct buf b = { 0 };
	struct json_out j = json_out(&b);

	(void)state;
	jout_obj(&j, NULL);
	jout_str(&j, "null", NULL);
	jout_int_set(&j, "zero", 0);
	jout_flag(&j, "no", false);
	jout_b64(&j, "none", NULL, 0);
	jout_hex(&j, "none", NULL, 0);
	jout_str(&j, "kept", "");
	jout_str(&j, "s", "x");
	jout_int_set(&j, "i", -7);
	jout_flag(&j, "yes", true);
	jout_b64(&j, "b", "\xff\xfe", 2);
	jout_hex(&j, "h", "\xff\xfe", 2);
	jout_obj_end(&j);
	assert_string_equal(text_of(&b), "{\"kept\":\"\",\"s\":\"x\",\"i\":-7,\"yes\":true,"
	                                 "\"b\":\"//4=\",\"h\":\"fffe\"}");
	buf_free(&b);
}

static void test_json_escapes_and_repairs_text(void **state)
{
#define BAD "\xef\xbf\xbd"
	static const struct {
		const char *in;
		size_t in_len;
		const char *out;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "\"\\\b\f\n\r\t/", 8, "\"\\\"\\\\\\b\\f\\n\\r\\t/\"" },
		{ "a\x01\x1f\x7f", 4, "\"a\\u0001\\u001f\x7f\"" },
		{ "a\0b", 3, "\"a" BAD "b\"" },
		{ "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10,
		  "\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\x80", 1, "\"" BAD "\"" },                   /* continuation alone */
		{ "\xc3", 1, "\"" BAD "\"" },                   /* cut off at the end */
		{ "\xe2\x82", 2, "\"" BAD BAD "\"" },           /* likewise */
		{ "\xe2\x82\xac", 2, "\"" BAD BAD "\"" },       /* cut off by the length */
		{ "\xc0\xaf", 2, "\"" BAD BAD "\"" },           /* overlong */
		{ "\xed\xa0\x80x", 4, "\"" BAD BAD BAD "x\"" }, /* surrogate */
		{ "\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };
		struct json_out j = json_out(&b);
		json_t *v;

		jout_str_n(&j, NULL, cases[i].in, cases[i].in_len);
		assert_string_equal(text_of(&b), cases[i].out);
		v = json_loadb((const char *)b.p, b.len - 1, JSON_DECODE_ANY, NULL);
		assert_non_null(v);
		json_decref(v);
		buf_free(&b);
	}
#undef BAD
}

static void test_json_numbers_read_back(void **state)
{
	static const double reals[] = { 0,       -0.0,       52.5,
		                        0.1,     -23.550520, 1.0 / 3,
		                        DBL_MAX, DBL_MIN,    4.9406564584124654e-324 };
	static const int64_t ints[] = { 0, 1, -1, INT64_MAX, INT64_MIN };
	struct buf b = { 0 };
	struct json_out j = json_out(&b);
	json_t *v;

	(void)state;
	jout_arr(&j, NULL);
	for (size_t i = 0; i < ARRAY_LEN(reals); i++)
		jout_real(&j, NULL, reals[i]);
	for (size_t i = 0; i < ARRAY_LEN(ints); i++)
		jout_int(&j, NULL, ints[i]);
	jout_real(&j, NULL, NAN);
	jout_real(&j, NULL, HUGE_VAL);
	jout_arr_end(&j);
	v = json_loadb((const char *)b.p, b.len, 0, NULL);
	assert_non_null(v);
	for (size_t i = 0; i < ARRAY_LEN(reals); i++)
		assert_true(json_number_value(json_array_get(v, i)) == reals[i]);
	for (size_t i = 0; i < ARRAY_LEN(ints); i++)
		assert_true(json_integer_value(json_array_get(v, ARRAY_LEN(reals) + i)) == ints[i]);
	assert_true(json_is_null(json_array_get(v, ARRAY_LEN(reals) + ARRAY_LEN(ints))));
	assert_true(json_is_null(json_array_get(v, ARRAY_LEN(reals) + ARRAY_LEN(ints) + 1)));
	json_decref(v);
	assert_null(strstr(text_of(&b), "52.50"));
	buf_free(&b);
}

/* One byte that is not plain, anywhere in a text that is looked at eight at a time. */
static void test_json_long_text(void **state)
{
	static const char *const odd[] = { "\"", "\\", "\x1f", "\x01", "\xff", "\xc3\xa9", "\x7f" };

	(void)state;
	for (size_t o = 0; o < ARRAY_LEN(odd); o++) {
		for (size_t at = 0; at < 40; at++) {
			char text[48];
			struct buf b = { 0 };
			struct json_out j = json_out(&b);
			json_t *v;

			memset(text, 'a' + (int)at % 26, sizeof(text));
			text[sizeof(text) - 1] = '\0';
			memcpy(text + at, odd[o], strlen(odd[o]));
			jout_str(&j, NULL, text);
			v = json_loadb((const char *)b.p, b.len, JSON_DECODE_ANY, NULL);
			assert_non_null(v);
			if (odd[o][0] != '\xff')
				assert_string_equal(json_string_value(v), text);
			json_decref(v);
			buf_free(&b);
		}
	}
}

/* Any bytes at all: what comes out is one string that a strict reader takes. */
static void test_json_takes_any_bytes(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		uint8_t in[24];
		struct buf b = { 0 };
		struct json_out j = json_out(&b);
		json_t *v;

		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1103515245u + 12345u;
			in[i] = (uint8_t)(seed >> 16);
		}
		jout_str_n(&j, NULL, in, round % (sizeof(in) + 1));
		assert_int_equal(j.err, 0);
		v = json_loadb((const char *)b.p, b.len, JSON_DECODE_ANY, NULL);
		assert_non_null(v);
		json_decref(v);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_commas_and_nesting),
		cmocka_unit_test(test_json_leaves_out_what_is_absent),
		cmocka_unit_test(test_json_escapes_and_repairs_text),
		cmocka_unit_test(test_json_numbers_read_back),
		cmocka_unit_test(test_json_long_text),
		cmocka_unit_test(test_json_takes_any_bytes),
	};

	return cmocka_run_group_tests_name("json_out", tests, NULL, NULL);
}
