/* tests/unit/test_json_text.c - JSON is read and written whole, or there is no memory; never
 * something else */
#include "common/json_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#if defined(HAVE___LIBC_FREE) && !defined(WARDEN_SANITIZERS)
void *__libc_malloc(size_t n);
static long allowed = -1; /* allocations that succeed; below 0: all */

/* Ours is found before libc's, by jansson too. */
void *malloc(size_t n)
{
	if (allowed == 0) {
		allowed = -1; /* that one only */
		return NULL;
	}
	if (allowed > 0)
		allowed--;
	return __libc_malloc(n);
}

#define EACH_ALLOCATION_FAILS 1
#endif

static const char text[] =
    "{\"name\":\"a name that is longer than the first buffer of a "
    "token\",\"n\":[1,-2,3.5,null,true],"
    "\"nested\":{\"deep\":{\"er\":\"\\u00e4\\ud83d\\ude00\\\"\\\\ and so on and so on and so on "
    "and so on\"}},"
    "\"a key that is much longer than all the others, so that its token has to grow\":\"\"}";

static void test_reads_and_writes(void **state)
{
	json_t *json = NULL;
	char *out;

	(void)state;
	assert_int_equal(json_text_load(text, sizeof(text) - 1, 0, &json), 0);
	out = json_text(json);
	json_decref(json);
	assert_non_null(out);
	json = json_text_read(out, strlen(out), JSON_REJECT_DUPLICATES);
	assert_non_null(json);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "n"), 1)), -2);
	json_decref(json);
	free(out);
}

static void test_says_why_not(void **state)
{
	static const char twice[] = "{\"a\":1,\"a\":2}", cut[] = "{\"a\":\"b",
	                  large[] = "[99999999999999999999]";
	json_t *json = NULL;

	(void)state;
	assert_int_equal(json_text_load(cut, sizeof(cut) - 1, 0, &json), -EINVAL);
	assert_int_equal(json_text_load("", 0, 0, &json), -EINVAL);
	assert_int_equal(json_text_load("{} x", 4, 0, &json), -EINVAL);
	assert_int_equal(json_text_load("{\"a\":\"\0\"}", 9, 0, &json), -EINVAL);
	assert_int_equal(json_text_load(twice, sizeof(twice) - 1, JSON_REJECT_DUPLICATES, &json),
	                 -EINVAL);
	assert_int_equal(json_text_load(large, sizeof(large) - 1, 0, &json), -ERANGE);
	assert_null(json);
	assert_null(json_text_read(NULL, 0, 0));
	assert_null(json_text(NULL));
}

static void test_appends_or_leaves_alone(void **state)
{
	json_t *json = json_text_read("[\"x\"]", 5, 0);
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_append_str(&b, "before:"), 0);
	assert_int_equal(json_text_append(json, 0, &b), 0);
	assert_int_equal(b.len, strlen("before:[\"x\"]"));
	assert_int_equal(json_text_append(json_array_get(json, 0), 0, &b),
	                 -ENOMEM); /* no text by itself */
	assert_int_equal(json_text_append(json_array_get(json, 0), JSON_ENCODE_ANY, &b), 0);
	assert_memory_equal(b.p, "before:[\"x\"]\"x\"", b.len);
	buf_free(&b);
	json_decref(json);
}

#ifdef EACH_ALLOCATION_FAILS
/* Whichever fails: -ENOMEM and no crash. */
static void test_reading_survives_each_allocation(void **state)
{
	json_t *json = NULL;
	int rc = -ENOMEM;
	long n;

	(void)state;
	for (n = 0; rc != 0; n++) {
		allowed = n;
		rc = json_text_load(text, sizeof(text) - 1, 0, &json);
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_true(rc == 0 || json == NULL);
	}
	allowed = -1;
	assert_true(n > 20);
	json_decref(json);
}

/* Whichever fails: no text at all, or the whole. */
static void test_writing_survives_each_allocation(void **state)
{
	json_t *json = json_text_read(text, sizeof(text) - 1, 0);
	char *whole = json_text(json), *out = NULL;
	long n;

	(void)state;
	for (n = 0; out == NULL; n++) {
		allowed = n;
		out = json_text(json);
	}
	allowed = -1;
	assert_true(n > 5);
	assert_string_equal(out, whole);
	free(out);
	free(whole);
	json_decref(json);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes),
		cmocka_unit_test(test_says_why_not),
		cmocka_unit_test(test_appends_or_leaves_alone),
#ifdef EACH_ALLOCATION_FAILS
		cmocka_unit_test(test_reading_survives_each_allocation),
		cmocka_unit_test(test_writing_survives_each_allocation),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
