/* tests/unit/test_sim_http.c - the upgrade is taken as RFC 6455 wants it, all else is refused */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "simulator/wire/sim_http.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REST \
	"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
#define HOST "Host: x\r\n"

static int parse(const char *text, struct sim_http_request *req)
{
	return sim_http_parse((const uint8_t *)text, strlen(text), req);
}

static void test_upgrade_of_the_rfc(void **state)
{
	struct sim_http_request req;
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(parse("GET /ws/chat HTTP/1.1\r\n" HOST KEY REST "\r\n", &req), 0);
	assert_int_equal(req.kind, SIM_HTTP_UPGRADE);
	assert_string_equal(req.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_int_equal(sim_http_answer_upgrade(&req, &out), 0);
	assert_memory_equal(out.p, "HTTP/1.1 101 ", 13);
	buf_free(&out);
}

static void test_upgrade_with_a_query(void **state)
{
	struct sim_http_request req;

	(void)state;
	assert_int_equal(parse("GET /ws/chat?ED=CAgIBQ HTTP/1.1\r\n" HOST KEY REST "\r\n", &req),
	                 0);
}

static void test_version_has_escaped_quotes(void **state)
{
	struct sim_http_request req;
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(parse("GET /sw.js HTTP/1.1\r\n" HOST "\r\n", &req), 0);
	assert_int_equal(req.kind, SIM_HTTP_VERSION);
	assert_int_equal(sim_http_answer_version(1045798079, &out), 0);
	assert_non_null(memmem(out.p, out.len, "\\\"client_revision\\\":1045798079,", 31));
	buf_free(&out);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "GET /ws/chat HTTP/1.1\r\n" HOST "\r\n", 426 },
		{ "GET /ws/chat HTTP/1.1\r\n" KEY REST "\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST HOST KEY REST "\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY KEY REST "\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST REST "\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST "Sec-WebSocket-Key: c2hvcnQ=\r\n" REST "\r\n",
		  400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY
		  "Connection: close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
		  400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY
		  "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\n\r\n",
		  400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY
		  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n",
		  426 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY REST "Content-Length: 4\r\n\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY REST " folded: x\r\n\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY REST "name : x\r\n\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY REST "name\r\n\r\n", 400 },
		{ "GET /ws/chat HTTP/1.1\r\n" HOST KEY REST "name: a\nb\r\n\r\n", 400 },
		{ "POST /ws/chat HTTP/1.1\r\n" HOST KEY REST "\r\n", 405 },
		{ "GET /ws/other HTTP/1.1\r\n" HOST KEY REST "\r\n", 404 },
		{ "GET /ws/chat HTTP/1.0\r\n" HOST KEY REST "\r\n", 505 },
		{ "GET /ws/chat HTTP/11\r\n" HOST KEY REST "\r\n", 400 },
		{ "GET  /ws/chat HTTP/1.1\r\n" HOST KEY REST "\r\n", 400 },
		{ "GET http://x/ws/chat HTTP/1.1\r\n" HOST KEY REST "\r\n", 400 },
		{ "\r\n\r\n", 400 },
		{ "GET\r\n\r\n", 400 },
	};
	struct sim_http_request req;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (parse(cases[i].text, &req) != cases[i].status)
			fail_msg("%zu: %s", i, cases[i].text);
	}
}

static void test_media_requests(void **state)
{
	struct sim_http_request req;

	(void)state;
	assert_int_equal(parse("POST /mms/image/abc?auth=x HTTP/1.1\r\n" HOST
	                       "Content-Length: 12\r\nExpect: 100-continue\r\n\r\n",
	                       &req),
	                 0);
	assert_int_equal(req.kind, SIM_HTTP_MEDIA);
	assert_int_equal(req.method, SIM_HTTP_POST);
	assert_int_equal(req.body_len, 12);
	assert_true(req.expects);
	assert_memory_equal(req.target, "/mms/image/abc?auth=x", req.target_len);
	assert_int_equal(parse("GET /v/a HTTP/1.1\r\n" HOST "Range: bytes=16-31\r\n\r\n", &req), 0);
	assert_true(req.has_range);
	assert_int_equal(req.range_first, 16);
	assert_int_equal(req.range_last, 31);
	assert_int_equal(parse("GET /v/a HTTP/1.1\r\n" HOST "Range: bytes=5-\r\n\r\n", &req), 0);
	assert_true(req.has_range && req.range_last == UINT64_MAX);
	assert_int_equal(parse("GET /v/a HTTP/1.1\r\n" HOST "Range: bytes=9-5\r\n\r\n", &req), 0);
	assert_false(req.has_range);
	assert_int_equal(parse("POST /mms/image/abc HTTP/1.1\r\n" HOST "\r\n", &req), 411);
	assert_int_equal(
	    parse("POST /mms/a/b HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\n", &req), 400);
	assert_int_equal(parse("POST /mms/a/b HTTP/1.1\r\n" HOST
	                       "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	                       &req),
	                 400);
	assert_int_equal(parse("PUT /v/a HTTP/1.1\r\n" HOST "\r\n", &req), 405);
}

static void test_the_head_ends_with_the_empty_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n\r\nrest";

	(void)state;
	assert_int_equal(sim_http_head_len((const uint8_t *)text, sizeof(text) - 1), 18);
	assert_int_equal(sim_http_head_len((const uint8_t *)text, 17), 0);
	assert_int_equal(sim_http_head_len((const uint8_t *)text, 0), 0);
}

static void assert_answer(unsigned status, const char *expected)
{
	struct buf out = { 0 };

	assert_int_equal(sim_http_answer_status(status, &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_string_equal((const char *)out.p, expected);
	buf_free(&out);
}

static void test_a_refusal_has_its_text_and_ends_the_connection(void **state)
{
	(void)state;
	assert_answer(410, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_answer(426, "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n"
	                   "Content-Length: 0\r\nConnection: close\r\n\r\n");
	assert_answer(499,
	              "HTTP/1.1 499 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upgrade_of_the_rfc),
		cmocka_unit_test(test_upgrade_with_a_query),
		cmocka_unit_test(test_version_has_escaped_quotes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_media_requests),
		cmocka_unit_test(test_the_head_ends_with_the_empty_line),
		cmocka_unit_test(test_a_refusal_has_its_text_and_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
