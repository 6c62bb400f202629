/* tests/unit/test_buf.c - the growable buffer */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "common/buf.h"

static void test_buf_grows_and_keeps_bytes(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_append_u8(&b, (uint8_t)i), 0);
	assert_int_equal(b.len, 1000);
	assert_true(b.cap >= 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.p[i], (uint8_t)i);
	buf_free(&b);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
}

static void test_buf_formats_text(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_append_str(&b, "a="), 0);
	assert_int_equal(buf_appendf(&b, "%d,%s", 7, "seven"), 0);
	assert_int_equal(b.len, strlen("a=7,seven"));
	assert_memory_equal(b.p, "a=7,seven", b.len);
	buf_free(&b);
}

static void test_buf_drops_from_the_front(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_append_str(&b, "hello"), 0);
	buf_drop(&b, 2);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.p, "llo", 3);
	buf_drop(&b, 99);
	assert_int_equal(b.len, 0);
	buf_wipe(&b);
}

static void test_buf_refuses_impossible_sizes(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_append_u8(&b, 1), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(b.len, 1);
	assert_int_equal(b.p[0], 1);
	buf_free(&b);
}

static void test_buf_append_of_nothing_is_fine(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void test_decimal_numbers(void **state)
{
	static const struct {
		uint64_t v;
		const char *text;
	} cases[] = {
		{ 0, "0" }, { 9, "9" }, { 10, "10" }, { UINT64_MAX, "18446744073709551615" }
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		assert_int_equal(buf_append_dec(&b, cases[i].v), 0);
		assert_int_equal(b.len, strlen(cases[i].text));
		assert_memory_equal(b.p, cases[i].text, b.len);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal_numbers),
		cmocka_unit_test(test_buf_grows_and_keeps_bytes),
		cmocka_unit_test(test_buf_formats_text),
		cmocka_unit_test(test_buf_drops_from_the_front),
		cmocka_unit_test(test_buf_refuses_impossible_sizes),
		cmocka_unit_test(test_buf_append_of_nothing_is_fine),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
