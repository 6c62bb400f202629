/* tests/unit/test_gw_gate.c - the gate takes exactly what it should, however the bytes arrive */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate_feed.h"

#define BODY_MAX 4096
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /p HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define CHUNKED POST HOST "Transfer-Encoding: chunked\r\n\r\n"

struct text {
	const char *name;
	const char *p;
	size_t len;
};
#define T(name, s) \
	{ \
		name, s, sizeof(s) - 1 \
	}

/* The 23 cases that the gate is measured by, 21 here and two made below because of their size. */
static const struct text refused[] = {
	T("length and chunked",
	  POST HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	T("gzip, chunked", POST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	T("xchunked", POST HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	T("two lengths", POST HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
	T("chunk size 0x3", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"),
	T("chunk size +3", CHUNKED "+3\r\nabc\r\n0\r\n\r\n"),
	T("chunk size -0", CHUNKED "-0\r\n\r\n"),
	T("chunk size after a space", CHUNKED " 3\r\nabc\r\n0\r\n\r\n"),
	T("bare LF behind a chunk size", CHUNKED "3\nabc\r\n0\r\n\r\n"),
	T("chunk without CRLF", CHUNKED "3\r\nabc0\r\n\r\n"),
	T("length 0x5", POST HOST "Content-Length: 0x5\r\n\r\nabcde"),
	T("length -1", POST HOST "Content-Length: -1\r\n\r\n"),
	T("length +5", POST HOST "Content-Length: +5\r\n\r\nabcde"),
	T("bare CR in a value", GET HOST "X: a\rb\r\n\r\n"),
	T("no Host", GET "\r\n"),
	T("two Hosts", GET HOST "Host: i\r\n\r\n"),
	T("space before the colon", GET "Host : h\r\n\r\n"),
	T("empty name", GET HOST ": x\r\n\r\n"),
	T("name X(A)", GET HOST "X(A): x\r\n\r\n"),
	T("folded line", GET HOST "X: a\r\n b\r\n\r\n"),
	T("NUL in a value", GET HOST "X: a\0b\r\n\r\n"),
	/* and more of the same kinds */
	T("CR and another letter for a line end", GET "Host: h\rxX: y\r\n\r\n"),
	T("tab in front of a value", POST HOST "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"),
	T("tab behind a value", POST HOST "Content-Length: 0\t\r\n\r\n"),
	T("bare LF", "GET / HTTP/1.1\nHost: h\n\n"),
	T("LF behind the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n"),
	T("bare LF behind a chunk", CHUNKED "3\r\nabc\n0\r\n\r\n"),
	T("bare LF behind the last chunk", CHUNKED "0\r\n\n"),
	T("chunk extension", CHUNKED "3;a=b\r\nabc\r\n0\r\n\r\n"),
	T("chunk size with a space behind", CHUNKED "3 \r\nabc\r\n0\r\n\r\n"),
	T("empty chunk size", CHUNKED "\r\nabc\r\n0\r\n\r\n"),
	T("chunk size of 16 digits", CHUNKED "0000000000000003\r\nabc\r\n0\r\n\r\n"),
	T("trailer field", CHUNKED "0\r\nHost: i\r\n\r\n"),
	T("two encodings",
	  POST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	T("encoding in 1.0", "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	T("chunked twice", POST HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
	T("empty encoding", POST HOST "Transfer-Encoding: \r\n\r\n"),
	T("length list", POST HOST "Content-Length: 3, 3\r\n\r\nabc"),
	T("empty length", POST HOST "Content-Length:\r\n\r\n"),
	T("length with a space", POST HOST "Content-Length: 1 1\r\n\r\n"),
	T("length of 20 digits", POST HOST "Content-Length: 10000000000000000000\r\n\r\n"),
	T("tab in front of the name", GET HOST "\tX: a\r\n\r\n"),
	T("line without colon", GET HOST "X\r\n\r\n"),
	T("DEL in a value", GET HOST "X: a\x7f\r\n\r\n"),
	T("control character in a value", GET HOST "X: a\x01\r\n\r\n"),
	T("name with UTF-8", GET HOST "X\xc3\xa4: a\r\n\r\n"),
	T("empty Host", GET "Host:\r\n\r\n"),
	T("Host with a path", GET "Host: h/p\r\n\r\n"),
	T("Host with a user", GET "Host: u@h\r\n\r\n"),
	T("Host with two dots", GET "Host: a..b\r\n\r\n"),
	T("Host with a bad port", GET "Host: h:x\r\n\r\n"),
	T("Host list", GET "Host: h, i\r\n\r\n"),
	T("two Hosts in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
	T("two tokens", GET HOST "token: a\r\ntoken: b\r\n\r\n"),
	T("two authorizations",
	  GET HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
	T("other expectation", POST HOST "Expect: x\r\nContent-Length: 1\r\n\r\na"),
	T("absolute target", "GET http://h/ HTTP/1.1\r\n" HOST "\r\n"),
	T("authority target", "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n"),
	T("asterisk target", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
	T("fragment", "GET /#a HTTP/1.1\r\n" HOST "\r\n"),
	T("encoded NUL", "GET /%00 HTTP/1.1\r\n" HOST "\r\n"),
	T("encoded NUL in the query", "GET /?a=%00 HTTP/1.1\r\n" HOST "\r\n"),
	T("encoded slash", "GET /a%2fb HTTP/1.1\r\n" HOST "\r\n"),
	T("encoded slash in capitals", "GET /a%2Fb HTTP/1.1\r\n" HOST "\r\n"),
	T("half an escape", "GET /a%2 HTTP/1.1\r\n" HOST "\r\n"),
	T("escape that is none", "GET /a%zz HTTP/1.1\r\n" HOST "\r\n"),
	T("backslash", "GET /a\\b HTTP/1.1\r\n" HOST "\r\n"),
	T("space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
	T("UTF-8 in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"),
	T("two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n"),
	T("tab in the request line", "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
	T("space at the end of the request line", "GET / HTTP/1.1 \r\n" HOST "\r\n"),
	T("no version", "GET /\r\n\r\n"),
	T("version 2.0", "GET / HTTP/2.0\r\n" HOST "\r\n"),
	T("version 1.2", "GET / HTTP/1.2\r\n" HOST "\r\n"),
	T("version 1.10", "GET / HTTP/1.10\r\n" HOST "\r\n"),
	T("version in small letters", "GET / http/1.1\r\n" HOST "\r\n"),
	T("method in small letters", "get / HTTP/1.1\r\n" HOST "\r\n"),
	T("no method", " / HTTP/1.1\r\n" HOST "\r\n"),
	T("two empty lines in front", "\r\n\r\n" GET HOST "\r\n"),
	T("space in front", " " GET HOST "\r\n"),
	T("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	T("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
};

static const struct {
	const char *name;
	const char *p;
	const char *body;
} taken[] = {
	{ "plain", GET HOST "\r\n", "" },
	{ "1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "" },
	{ "1.0 with a body", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", "ab" },
	{ "an empty line in front", "\r\n" GET HOST "\r\n", "" },
	{ "unknown method", "BREW-IT / HTTP/1.1\r\n" HOST "\r\n", "" },
	{ "query", "GET /a/b;c?x=%2f&y=/?&z='()' HTTP/1.1\r\n" HOST "\r\n", "" },
	{ "escapes", "GET /%41%c3%a4 HTTP/1.1\r\n" HOST "\r\n", "" },
	{ "white space around values", GET "Host:  h  \r\nX:\r\nY: \r\nZ: a\tb\r\n\r\n", "" },
	{ "obs-text in a value", GET HOST "X: \xff\x80\r\n\r\n", "" },
	{ "IPv6 host", GET "Host: [::1]:80\r\n\r\n", "" },
	{ "host and port", GET "Host: a_b.example:8080\r\n\r\n", "" },
	{ "length", POST HOST "Content-Length: 5\r\n\r\nabcde", "abcde" },
	{ "length 0", POST HOST "Content-Length: 0\r\n\r\n", "" },
	{ "length with zeros", POST HOST "Content-Length: 0000000000000000000000002\r\n\r\nab",
	  "ab" },
	{ "body of a GET", GET HOST "Content-Length: 2\r\n\r\nab", "ab" },
	{ "chunks", CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789" },
	{ "chunk sizes in hex with zeros", CHUNKED "00000b\r\nhello world\r\n00\r\n\r\n",
	  "hello world" },
	{ "no chunk", CHUNKED "0\r\n\r\n", "" },
	{ "Chunked in capitals", POST HOST "transfer-encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",
	  "a" },
	{ "expectation", POST HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na", "a" },
};

static void test_what_is_ambiguous_is_refused(void **state)
{
	static const size_t steps[] = { 0, 1, 7 };
	struct gate_run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
			gate_run(&r, refused[i].p, refused[i].len, steps[s], BODY_MAX);
			if (r.verdict != GW_GATE_BAD)
				fail_msg("%s, %zu at a time: verdict %d", refused[i].name, steps[s],
				         r.verdict);
			gate_run_clear(&r);
		}
	}
}

/* Behind each request comes the start of the next: not a byte of it may be used. */
static void test_valid_requests_pass_whatever_the_cut(void **state)
{
	char text[512];
	struct gate_run r;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		len = strlen(taken[i].p);
		snprintf(text, sizeof(text), "%sGET /next HTTP/1.1\r\n", taken[i].p);
		for (size_t step = 0; step <= len; step++) {
			gate_run(&r, text, strlen(text), step, BODY_MAX);
			if (r.verdict != GW_GATE_DONE || r.used != len || r.heads != 1)
				fail_msg("%s, %zu at a time: verdict %d, used %zu of %zu",
				         taken[i].name, step, r.verdict, r.used, len);
			assert_int_equal(r.body.len, strlen(taken[i].body));
			assert_memory_equal(r.body.len > 0 ? (const char *)r.body.p : "",
			                    taken[i].body, r.body.len);
			gate_run_clear(&r);
		}
	}
}

/* Until its last byte a request is not complete. */
static void test_every_prefix_of_a_valid_request_waits(void **state)
{
	struct gate_run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		for (size_t len = 0; len < strlen(taken[i].p); len++) {
			gate_run(&r, taken[i].p, len, 0, BODY_MAX);
			assert_int_equal(r.verdict, GW_GATE_MORE);
			assert_int_equal(r.used, len);
			gate_run_clear(&r);
		}
	}
}

static enum gw_gate_verdict verdict_of(const struct buf *b, uint64_t body_max)
{
	enum gw_gate_verdict v;
	struct gate_run r;

	gate_run(&r, b->p, b->len, 0, body_max);
	v = r.verdict;
	gate_run_clear(&r);
	return v;
}

static void test_head_size_is_bounded(void **state)
{
	struct buf b = { 0 };

	(void)state;
	/* a header of 60 KB */
	assert_int_equal(buf_append_str(&b, GET HOST "X: "), 0);
	for (int i = 0; i < 60 * 1024; i++)
		assert_int_equal(buf_append_u8(&b, 'a'), 0);
	assert_int_equal(buf_append_str(&b, "\r\n\r\n"), 0);
	assert_int_equal(verdict_of(&b, BODY_MAX), GW_GATE_BAD);
	/* 2 MB of headers */
	buf_reset(&b);
	assert_int_equal(buf_append_str(&b, GET HOST), 0);
	while (b.len < 2 * 1024 * 1024)
		assert_int_equal(buf_append_str(&b, "X-Header: some value of it\r\n"), 0);
	assert_int_equal(verdict_of(&b, BODY_MAX), GW_GATE_BAD);
	/* to the byte */
	for (int over = 0; over < 2; over++) {
		buf_reset(&b);
		assert_int_equal(buf_append_str(&b, GET HOST "X: "), 0);
		while (b.len < (size_t)(GW_GATE_HEAD_MAX - 4 + over))
			assert_int_equal(buf_append_u8(&b, 'a'), 0);
		assert_int_equal(buf_append_str(&b, "\r\n\r\n"), 0);
		assert_int_equal(verdict_of(&b, BODY_MAX), over ? GW_GATE_BAD : GW_GATE_DONE);
	}
	buf_free(&b);
}

static void test_number_of_fields_is_bounded(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int n = GW_GATE_FIELDS_MAX; n <= GW_GATE_FIELDS_MAX + 1; n++) {
		buf_reset(&b);
		assert_int_equal(buf_append_str(&b, GET HOST), 0);
		for (int i = 1; i < n; i++)
			assert_int_equal(buf_appendf(&b, "X%d: %d\r\n", i, i), 0);
		assert_int_equal(buf_append_str(&b, "\r\n"), 0);
		assert_int_equal(verdict_of(&b, BODY_MAX),
		                 n > GW_GATE_FIELDS_MAX ? GW_GATE_BAD : GW_GATE_DONE);
	}
	buf_free(&b);
}

static void test_length_of_the_target_is_bounded(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int over = 0; over < 2; over++) {
		buf_reset(&b);
		assert_int_equal(buf_append_str(&b, "GET /"), 0);
		for (int i = 1; i < GW_GATE_TARGET_MAX + over; i++)
			assert_int_equal(buf_append_u8(&b, 'a'), 0);
		assert_int_equal(buf_append_str(&b, " HTTP/1.1\r\n" HOST "\r\n"), 0);
		assert_int_equal(verdict_of(&b, BODY_MAX), over ? GW_GATE_BAD : GW_GATE_DONE);
	}
	buf_free(&b);
}

static void test_large_bodies_are_told_apart_from_bad_ones(void **state)
{
	static const struct {
		const char *p;
		enum gw_gate_verdict verdict;
	} cases[] = {
		{ POST HOST "Content-Length: 4\r\n\r\nabcd", GW_GATE_DONE },
		{ POST HOST "Content-Length: 5\r\n\r\n", GW_GATE_TOO_LARGE },
		{ POST HOST "Content-Length: 999999999999999999\r\n\r\n", GW_GATE_TOO_LARGE },
		{ CHUNKED "4\r\nabcd\r\n0\r\n\r\n", GW_GATE_DONE },
		{ CHUNKED "5\r\n", GW_GATE_TOO_LARGE },
		{ CHUNKED "3\r\nabc\r\n2\r\n", GW_GATE_TOO_LARGE },
		{ CHUNKED "ffffffffffffff\r\n", GW_GATE_TOO_LARGE },
	};
	struct gate_run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 0; step < 3; step++) {
			gate_run(&r, cases[i].p, strlen(cases[i].p), step, 4);
			assert_int_equal(r.verdict, cases[i].verdict);
			gate_run_clear(&r);
		}
	}
}

static void test_a_refusal_stays(void **state)
{
	static const char good[] = GET HOST "\r\n";
	const uint8_t *piece;
	size_t used, piece_len;
	struct gate_run r;

	(void)state;
	gate_run(&r, "GET\n", 4, 0, BODY_MAX);
	assert_int_equal(r.verdict, GW_GATE_BAD);
	assert_int_equal(gw_gate_feed(&r.gate, good, sizeof(good) - 1, &used, &piece, &piece_len),
	                 GW_GATE_BAD);
	assert_int_equal(used, 0);
	gate_run_clear(&r);
}

static void test_the_head_can_be_read(void **state)
{
	static const char text[] = "POST /a?b=c HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\n"
	                           "Expect: 100-continue\r\nContent-Length: 1\r\nx-one: 2\r\n\r\nz";
	struct gate_run r;

	(void)state;
	gate_run(&r, text, sizeof(text) - 1, 1, BODY_MAX);
	assert_int_equal(r.verdict, GW_GATE_DONE);
	assert_string_equal(gw_gate_method(&r.gate), "POST");
	assert_string_equal(gw_gate_target(&r.gate), "/a?b=c");
	assert_int_equal(gw_gate_minor(&r.gate), 1);
	assert_int_equal(gw_gate_fields_n(&r.gate), 5);
	assert_string_equal(gw_gate_field_name(&r.gate, 1), "X-One");
	assert_string_equal(gw_gate_find(&r.gate, "x-ONE"), "1");
	assert_null(gw_gate_find(&r.gate, "token"));
	assert_true(gw_gate_expects_continue(&r.gate));
	assert_true(gw_gate_has_head(&r.gate));
	gw_gate_reset(&r.gate);
	assert_false(gw_gate_has_head(&r.gate));
	assert_false(gw_gate_is_started(&r.gate));
	gate_run_clear(&r);
}

static void test_who_may_reuse_the_connection(void **state)
{
	static const struct {
		const char *p;
		bool keeps;
	} cases[] = {
		{ GET HOST "\r\n", true },
		{ GET HOST "Connection: close\r\n\r\n", false },
		{ GET HOST "Connection: foo, Close\r\n\r\n", false },
		{ GET HOST "Connection: foo\r\nConnection: close\r\n\r\n", false },
		{ GET HOST "Connection: closed\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
	};
	struct gate_run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		gate_run(&r, cases[i].p, strlen(cases[i].p), 0, BODY_MAX);
		assert_int_equal(r.verdict, GW_GATE_DONE);
		assert_int_equal(gw_gate_keeps_alive(&r.gate), cases[i].keeps);
		gate_run_clear(&r);
	}
}

static void test_a_route_can_take_larger_bodies(void **state)
{
	static const char text[] = POST HOST "Content-Length: 6\r\n\r\nabcdef";
	const uint8_t *piece;
	size_t used, piece_len;
	struct gw_gate g;

	(void)state;
	gw_gate_init(&g, 4);
	assert_int_equal(gw_gate_feed(&g, text, sizeof(text) - 1, &used, &piece, &piece_len),
	                 GW_GATE_HEAD);
	gw_gate_set_body_max(&g, 8);
	assert_int_equal(gw_gate_feed(&g, text + used, 6, &used, &piece, &piece_len), GW_GATE_DATA);
	assert_int_equal(piece_len, 6);
	gw_gate_reset(&g);
	assert_int_equal(gw_gate_feed(&g, text, sizeof(text) - 1, &used, &piece, &piece_len),
	                 GW_GATE_HEAD);
	assert_int_equal(gw_gate_feed(&g, "", 0, &used, &piece, &piece_len), GW_GATE_TOO_LARGE);
	gw_gate_clear(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_ambiguous_is_refused),
		cmocka_unit_test(test_valid_requests_pass_whatever_the_cut),
		cmocka_unit_test(test_every_prefix_of_a_valid_request_waits),
		cmocka_unit_test(test_head_size_is_bounded),
		cmocka_unit_test(test_number_of_fields_is_bounded),
		cmocka_unit_test(test_length_of_the_target_is_bounded),
		cmocka_unit_test(test_large_bodies_are_told_apart_from_bad_ones),
		cmocka_unit_test(test_a_refusal_stays),
		cmocka_unit_test(test_the_head_can_be_read),
		cmocka_unit_test(test_who_may_reuse_the_connection),
		cmocka_unit_test(test_a_route_can_take_larger_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
