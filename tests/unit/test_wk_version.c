/* tests/unit/test_wk_version.c - the client version found in an HTTP answer, however it is cut */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/net/wk_version.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n"
#define FOUND "x=\\\"client_revision\\\":1045798079,\\\"other\\\":1"

/* step 0: all at once */
static int feed(const char *text, size_t len, size_t step, uint32_t *revision)
{
	struct wk_version_reader r = { 0 };
	size_t n;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i += n) {
		n = step == 0 || step > len - i ? len - i : step;
		rc = wk_version_feed(&r, text + i, n, revision);
	}
	wk_version_reader_clear(&r);
	return rc;
}

static void assert_found(const char *text, uint32_t expected)
{
	for (size_t step = 0; step < 8; step++) {
		uint32_t revision = 0;

		assert_int_equal(feed(text, strlen(text), step, &revision), 1);
		assert_int_equal(revision, expected);
	}
}

static void test_revision_is_found_in_every_framing(void **state)
{
	(void)state;
	assert_found(OK "\r\n" FOUND, 1045798079);
	assert_found("HTTP/1.1 103 Early Hints\r\n\r\n" OK "\r\n" FOUND, 1045798079);
	assert_found(OK "Content-Length: 42\r\n\r\n" FOUND, 1045798079);
	assert_found(OK "Transfer-Encoding: chunked\r\n\r\n"
	                "8;ext=1\r\nx=\\\"clie\r\n"
	                "23\r\nnt_revision\\\":1045798079,\\\"other\\\":\r\n0\r\n\r\n",
	             1045798079);
}

static void test_revision_is_found_in_every_spelling(void **state)
{
	(void)state;
	assert_found(OK "\r\n{\"client_revision\":7}", 7);
	assert_found(OK "\r\n{\"client_revision\": 12 }", 12);
	assert_found(OK "\r\n\"client_\"client_revision\\\":\n 4294967295,", 4294967295u);
	assert_found(OK "\r\n\"client_revision\":null,\"client_revision\":9,", 9);
}

static void assert_refused(const char *text)
{
	uint32_t revision = 0;

	assert_int_equal(feed(text, strlen(text), 0, &revision), WA_EPROTO);
	assert_int_equal(feed(text, strlen(text), 1, &revision), WA_EPROTO);
}

static void test_useless_answers_are_refused(void **state)
{
	(void)state;
	assert_refused("HTTP/1.1 404 Not Found\r\n\r\n" FOUND);
	assert_refused("garbage");
	assert_refused(OK "Content-Length: 0\r\n\r\n");
	assert_refused(OK "Content-Length: 3\r\n\r\nabc");
	assert_refused(OK "Content-Length: -1\r\n\r\n" FOUND);
	assert_refused(OK "Transfer-Encoding: gzip\r\n\r\n" FOUND);
	assert_refused(OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
	assert_refused(OK "Transfer-Encoding: chunked\r\n\r\n123456789\r\n");
	assert_refused(OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n");
	assert_refused(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

static void test_numbers_that_are_no_revision_are_passed_over(void **state)
{
	static const char text[] = OK "\r\n\"client_revision\":0,\"client_revision\":99999999999,"
	                              "\"client_revision\":\"5\",";
	uint32_t revision = 0;

	(void)state;
	assert_int_equal(feed(text, sizeof(text) - 1, 0, &revision), 0);
}

static void test_body_is_bounded(void **state)
{
	size_t len = WK_VERSION_BODY_MAX + 100;
	char *text = malloc(len);
	uint32_t revision;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', len);
	memcpy(text, OK "\r\n", sizeof(OK "\r\n") - 1);
	assert_int_equal(feed(text, len, 16384, &revision), WA_ELIMIT);
	free(text);
}

static int64_t date_of(const char *text, size_t step)
{
	struct wk_version_reader r = { 0 };
	size_t len = strlen(text), n;
	uint32_t revision;
	int64_t date;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i += n) {
		n = step == 0 || step > len - i ? len - i : step;
		rc = wk_version_feed(&r, text + i, n, &revision);
	}
	date = r.http.date_unix_s;
	wk_version_reader_clear(&r);
	return date;
}

static void test_the_answer_says_what_time_it_is_there(void **state)
{
	static const char found[] = "HTTP/1.1 404 Not Found\r\nX: y\r\n"
	                            "date:  Sun, 29 Nov 2026 18:20:15 GMT \r\n\r\n";

	(void)state;
	for (size_t step = 0; step < 8; step++)
		assert_int_equal(date_of(found, step), 1795976415);
	assert_int_equal(date_of(OK "\r\n" FOUND, 0), 0);
	assert_int_equal(date_of(OK "Date: Sunday, 29-Nov-26 18:20:15 GMT\r\n\r\n", 0), 0);
	assert_int_equal(date_of(OK "Date: Sun, 29 Nov 2026 18:20:15 UTC\r\n\r\n", 0), 0);
	assert_int_equal(date_of(OK "Date: \r\n\r\n", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_revision_is_found_in_every_framing),
		cmocka_unit_test(test_revision_is_found_in_every_spelling),
		cmocka_unit_test(test_useless_answers_are_refused),
		cmocka_unit_test(test_numbers_that_are_no_revision_are_passed_over),
		cmocka_unit_test(test_body_is_bounded),
		cmocka_unit_test(test_the_answer_says_what_time_it_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
