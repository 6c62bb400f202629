/* tests/unit/test_ctl_text.c - tables, ages and foreign text in wardenctl's output */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "cli/ctl_text.h"

static void expect_clean(const char *text, const char *want)
{
	struct buf out = { 0 };

	assert_int_equal(ctl_text_clean(&out, text), 0);
	assert_int_equal(out.len, strlen(want));
	if (out.len > 0)
		assert_memory_equal(out.p, want, out.len);
	buf_free(&out);
}

static void test_control_characters_from_outside_are_made_harmless(void **state)
{
	(void)state;
	expect_clean("", "");
	expect_clean("caf\xc3\xa9 \xe2\x9c\x93", "caf\xc3\xa9 \xe2\x9c\x93");
	expect_clean("a\033[2Jb\r\nc\x7f", "a?[2Jb??c?");
	expect_clean("\xc2\x9b"
	             "2J\xc2",
	             "?2J?");
	expect_clean("\xc2\xa0", "\xc2\xa0");
	/* what turns letters around; a joined emoji, letters of four bytes, and marks stay */
	expect_clean("a\xe2\x80\xae"
	             "b\xe2\x81\xa6"
	             "c\xe2\x80\xa8",
	             "a?b?c?");
	expect_clean("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb \xe2\x80\x8f",
	             "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb \xe2\x80\x8f");
	/* a control character in a form that is longer than it has to be is no character */
	expect_clean("\xc0\x9b"
	             "x\xe0\x80\x9b",
	             "??x???");
}

static void expect_copy(size_t cap, const char *text, const char *want)
{
	char out[16];

	memset(out, 'x', sizeof(out));
	ctl_text_copy(out, cap, text);
	assert_string_equal(out, want);
}

static void test_a_copy_is_cut_at_a_whole_character(void **state)
{
	(void)state;
	expect_copy(16, "caf\xc3\xa9\033", "caf\xc3\xa9?");
	expect_copy(6, "caf\xc3\xa9", "caf\xc3\xa9");
	expect_copy(5, "caf\xc3\xa9", "caf");
	expect_copy(1, "a", "");
	expect_copy(2, "\xc2\x9b", "?");
}

static void test_json_means_the_same_and_moves_no_cursor(void **state)
{
	static const char want[] = "{\"a\":\"caf\xc3\xa9\\u007f\\u009b\\u202e\\n\"}";
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(ctl_text_json(&out, "{\"a\":\"caf\xc3\xa9\x7f\xc2\x9b\xe2\x80\xae\\n\"}"),
	                 0);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.p, want, out.len);
	buf_free(&out);
}

static void expect_age(int64_t age_s, const char *want)
{
	char out[CTL_AGE_CAP];

	ctl_text_age(age_s, out);
	assert_string_equal(out, want);
}

static void test_ages_have_at_most_two_units(void **state)
{
	(void)state;
	expect_age(-5, "now");
	expect_age(0, "now");
	expect_age(59, "59 s");
	expect_age(60, "1 min");
	expect_age(3599, "59 min");
	expect_age(3600, "1 h 0 min");
	expect_age(86399, "23 h 59 min");
	expect_age(86400 + 3600, "1 d 1 h");
	expect_age(INT64_MAX, "106751991167300 d 15 h");
}

static void test_times_are_read_in_utc_only(void **state)
{
	int64_t s = 0;

	(void)state;
	assert_int_equal(ctl_text_rfc3339("2026-11-22T19:42:15.123Z", &s), 0);
	assert_int_equal(s, 1795376535);
	assert_int_equal(ctl_text_rfc3339("1970-01-01T00:00:00Z", &s), 0);
	assert_int_equal(s, 0);
	assert_int_equal(ctl_text_rfc3339("", &s), -EINVAL);
	assert_int_equal(ctl_text_rfc3339("2026-11-22", &s), -EINVAL);
	assert_int_equal(ctl_text_rfc3339("2026-11-22T19:42:15", &s), -EINVAL);
	assert_int_equal(ctl_text_rfc3339("2026-11-22T19:42:15.Z", &s), -EINVAL);
	assert_int_equal(ctl_text_rfc3339("2026-11-22T19:42:15+02:00", &s), -EINVAL);
}

static void test_columns_line_up(void **state)
{
	static const char *const rows[][2] = { { "NAME", "STATE" },
		                               { "caf\xc3\xa9s", "x" },
		                               { "a\tb", "" } };
	static const char want[] = "NAME   STATE\ncaf\xc3\xa9s  x\na?b    \n";
	struct ctl_table t = { .cols_n = 2 };
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ctl_table_row(&t, rows[i]), 0);
	assert_int_equal(ctl_table_draw(&t, &out), 0);
	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.p, want, out.len);
	ctl_table_clear(&t);
	buf_free(&out);
}

static void expect_fit(const char *text, size_t cols, size_t rows, const char *want)
{
	struct buf out = { 0 };

	assert_int_equal(ctl_text_fit(&out, text, cols, rows), 0);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.p, want, out.len);
	buf_free(&out);
}

static void test_a_text_is_cut_to_its_screen(void **state)
{
	(void)state;
	expect_fit("abc\nde\n", 80, 24, "abc\nde\n");
	expect_fit("abc\nde\n", 2, 2, "ab\nde\n");
	expect_fit("caf\xc3\xa9s\n", 4, 1, "caf\xc3\xa9\n"); /* characters, not bytes */
	expect_fit("a\nb\nc\nd\n", 20, 3, "a\nb\n... and 2 more\n");
	expect_fit("a\nb\nc\n", 20, 3, "a\nb\nc\n");
	expect_fit("a\nb\n", 20, 1, "... and 2 more\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters_from_outside_are_made_harmless),
		cmocka_unit_test(test_a_copy_is_cut_at_a_whole_character),
		cmocka_unit_test(test_json_means_the_same_and_moves_no_cursor),
		cmocka_unit_test(test_ages_have_at_most_two_units),
		cmocka_unit_test(test_times_are_read_in_utc_only),
		cmocka_unit_test(test_columns_line_up),
		cmocka_unit_test(test_a_text_is_cut_to_its_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
