/* tests/unit/test_ctl_resp.c - the HTTP response parser of wardenctl */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "cli/ctl_resp.h"
#include "common/err.h"

static int collect(const void *bytes, size_t bytes_len, void *arg)
{
	return buf_append(arg, bytes, bytes_len);
}

/* Feed text cut in two; the code of the first failure, or of the end of the connection. */
static int parse_cut(struct ctl_resp *resp, const char *text, size_t at, struct buf *body)
{
	size_t len = strlen(text);
	int rc = ctl_resp_feed(resp, text, at, collect, body);

	if (rc == 0)
		rc = ctl_resp_feed(resp, text + at, len - at, collect, body);
	return rc == 0 ? ctl_resp_end(resp) : rc;
}

static void expect_response(const char *text, int status, const char *type, const char *body)
{
	for (size_t at = 0; at <= strlen(text); at++) {
		struct ctl_resp resp = { 0 };
		struct buf got = { 0 };

		assert_int_equal(parse_cut(&resp, text, at, &got), 0);
		assert_true(resp.head_done);
		assert_int_equal(resp.status, status);
		assert_string_equal(resp.content_type, type);
		assert_int_equal(got.len, strlen(body));
		if (got.len > 0)
			assert_memory_equal(got.p, body, got.len);
		ctl_resp_clear(&resp);
		buf_free(&got);
	}
}

static void expect_error(const char *text, int want)
{
	for (size_t at = 0; at <= strlen(text); at++) {
		struct ctl_resp resp = { 0 };
		struct buf got = { 0 };

		assert_int_equal(parse_cut(&resp, text, at, &got), want);
		ctl_resp_clear(&resp);
		buf_free(&got);
	}
}

static void test_a_body_of_known_length_ends_where_it_says(void **state)
{
	(void)state;
	expect_response("HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; charset=utf-8\r\n"
	                "Content-Length: 2\r\n\r\n{}more",
	                200, "application/json", "{}");
}

static void test_an_empty_body_is_whole_at_once(void **state)
{
	struct ctl_resp resp = { 0 };
	static const char text[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

	(void)state;
	assert_int_equal(ctl_resp_feed(&resp, text, sizeof(text) - 1, collect, NULL), 0);
	assert_true(ctl_resp_is_done(&resp));
	ctl_resp_clear(&resp);
}

static void test_chunks_are_joined_and_trailers_skipped(void **state)
{
	(void)state;
	expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	                "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
	                200, "", "abc0123456789");
}

static void test_without_a_length_the_connection_ends_the_body(void **state)
{
	(void)state;
	expect_response("HTTP/1.0 404 Not Found\nX: y\n\nabc", 404, "", "abc");
}

static void test_an_interim_answer_is_passed_over(void **state)
{
	(void)state;
	expect_response("HTTP/1.1 100 Continue\r\nContent-Type: x\r\n\r\n"
	                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
	                200, "", "a");
}

static void test_retry_after_is_read(void **state)
{
	static const char text[] = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 17\r\n"
	                           "Content-Length: 0\r\n\r\n";
	struct ctl_resp resp = { 0 };

	(void)state;
	assert_int_equal(ctl_resp_feed(&resp, text, sizeof(text) - 1, collect, NULL), 0);
	assert_int_equal(resp.retry_after_s, 17);
	ctl_resp_clear(&resp);
}

static void test_what_is_no_http_is_refused(void **state)
{
	(void)state;
	expect_error("SSH-2.0-OpenSSH_9.2\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/2 200 OK\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 20 OK\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 2000 OK\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 099 OK\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", WA_EPROTO);
}

static void test_unclear_framing_is_refused(void **state)
{
	(void)state;
	expect_error("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	             WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	             WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", WA_EPROTO);
	expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
	             WA_EPROTO);
}

static void test_a_response_that_breaks_off_is_not_whole(void **state)
{
	(void)state;
	expect_error("", WA_ETRUNC);
	expect_error("HTTP/1.1 200", WA_ETRUNC);
	expect_error("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", WA_ETRUNC);
	expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	             WA_ETRUNC);
}

static void test_a_head_over_the_bound_is_refused(void **state)
{
	struct ctl_resp resp = { 0 };
	static const char status[] = "HTTP/1.1 200 OK\r\n",
	                  field[] = "X: yyyyyyyyyyyyyyyyyyyyyyyy\r\n";
	int rc = ctl_resp_feed(&resp, status, sizeof(status) - 1, collect, NULL);
	size_t fed = sizeof(status) - 1;

	(void)state;
	while (rc == 0 && fed < 2 * CTL_RESP_HEAD_MAX) {
		rc = ctl_resp_feed(&resp, field, sizeof(field) - 1, collect, NULL);
		fed += sizeof(field) - 1;
	}
	assert_int_equal(rc, WA_ELIMIT);
	assert_true(fed <= CTL_RESP_HEAD_MAX + sizeof(field));
	ctl_resp_clear(&resp);
}

static void test_a_nul_in_the_head_is_refused(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n";
	struct ctl_resp resp = { 0 };

	(void)state;
	assert_int_equal(ctl_resp_feed(&resp, text, sizeof(text) - 1, collect, NULL), WA_EPROTO);
	ctl_resp_clear(&resp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_body_of_known_length_ends_where_it_says),
		cmocka_unit_test(test_an_empty_body_is_whole_at_once),
		cmocka_unit_test(test_chunks_are_joined_and_trailers_skipped),
		cmocka_unit_test(test_without_a_length_the_connection_ends_the_body),
		cmocka_unit_test(test_an_interim_answer_is_passed_over),
		cmocka_unit_test(test_retry_after_is_read),
		cmocka_unit_test(test_what_is_no_http_is_refused),
		cmocka_unit_test(test_unclear_framing_is_refused),
		cmocka_unit_test(test_a_response_that_breaks_off_is_not_whole),
		cmocka_unit_test(test_a_head_over_the_bound_is_refused),
		cmocka_unit_test(test_a_nul_in_the_head_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
