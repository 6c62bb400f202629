/* tests/unit/test_gw_gate.c - the gate takes exactly what it should, however the bytes arrive */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate_feed.h"
#include "wa_vectors.h"

#define BODY_MAX 4096
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /p HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define CHUNKED POST HOST "Transfer-Encoding: chunked\r\n\r\n"

/* ---- the table: tests/vectors/http-requests.json ----------------------------------------------
 */

enum expected { EXPECT_TAKE, EXPECT_BAD, EXPECT_LARGE, EXPECT_WAIT };

struct row {
	const char *name;
	enum expected expected;
	struct buf bytes;
	struct buf body;   /* TAKE: of all its requests */
	size_t requests_n; /* complete ones, before what is refused */
};

/* Characters up to U+00FF are bytes. */
static void append_latin1(struct buf *b, const json_t *text)
{
	const char *s = json_string_value(text);
	size_t n = json_string_length(text);

	assert_non_null(s);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		if (c >= 0x80) {
			assert_in_range(c, 0xc2, 0xc3);
			c = (uint8_t)(c << 6 | ((uint8_t)s[++i] & 0x3f));
		}
		assert_int_equal(buf_append_u8(b, c), 0);
	}
}

/* A text, {"repeat","times"}, or a list of both. */
static void append_bytes(struct buf *b, const json_t *v)
{
	const json_t *part;
	size_t i;

	if (json_is_string(v)) {
		append_latin1(b, v);
	} else if (json_is_object(v)) {
		for (json_int_t n = json_integer_value(json_object_get(v, "times")); n > 0; n--)
			append_latin1(b, json_object_get(v, "repeat"));
	} else {
		json_array_foreach(v, i, part) append_bytes(b, part);
	}
}

static void row_read(const json_t *json, struct row *row)
{
	static const char *const words[] = { "take", "bad", "large", "wait" };
	const char *verdict = json_string_value(json_object_get(json, "verdict"));
	const json_t *requests = json_object_get(json, "requests");

	*row = (struct row){ .name = json_string_value(json_object_get(json, "name")) };
	assert_non_null(row->name);
	assert_non_null(verdict);
	while (strcmp(words[row->expected], verdict) != 0)
		assert_in_range(++row->expected, 0, ARRAY_LEN(words) - 1);
	append_bytes(&row->bytes, json_object_get(json, "bytes"));
	if (json_object_get(json, "body") != NULL)
		append_bytes(&row->body, json_object_get(json, "body"));
	row->requests_n =
	    requests != NULL ? (size_t)json_integer_value(requests) : row->expected == EXPECT_TAKE;
}

/* What came of a connection's bytes. */
struct outcome {
	enum gw_gate_verdict verdict; /* DONE: all bytes were whole requests */
	size_t requests_n;            /* complete ones */
	size_t used;
	struct buf body; /* of all of them */
};

/* Feed first bytes, then step at a time (0: the rest at once). */
static void run_stream(struct outcome *o, const struct buf *in, size_t first, size_t step)
{
	size_t given = first < in->len ? first : in->len, used, piece_len;
	const uint8_t *piece;
	struct gw_gate g;

	*o = (struct outcome){ .verdict = GW_GATE_MORE };
	gw_gate_init(&g, GW_GATE_BODY_MAX);
	while (o->verdict < GW_GATE_BAD) {
		if (o->used == given && o->verdict == GW_GATE_MORE) {
			if (given == in->len)
				break;
			given = step == 0 || in->len - given < step ? in->len : given + step;
		}
		o->verdict = gw_gate_feed(&g, in->len > 0 ? in->p + o->used : NULL, given - o->used,
		                          &used, &piece, &piece_len);
		o->used += used;
		if (o->verdict == GW_GATE_DATA)
			assert_int_equal(buf_append(&o->body, piece, piece_len), 0);
		if (o->verdict == GW_GATE_DONE) {
			o->requests_n++;
			gw_gate_reset(&g);
			o->verdict = GW_GATE_MORE;
		}
	}
	if (o->verdict == GW_GATE_MORE && o->requests_n > 0 && !gw_gate_is_started(&g))
		o->verdict = GW_GATE_DONE;
	gw_gate_clear(&g);
}

static void check_outcome(const struct row *row, size_t first, size_t step)
{
	static const enum gw_gate_verdict verdicts[] = { GW_GATE_DONE, GW_GATE_BAD,
		                                         GW_GATE_TOO_LARGE, GW_GATE_MORE };
	struct outcome o;
	bool fits;

	run_stream(&o, &row->bytes, first, step);
	fits = o.verdict == verdicts[row->expected] && o.requests_n == row->requests_n;
	if (row->expected == EXPECT_TAKE)
		fits = fits && o.used == row->bytes.len && o.body.len == row->body.len &&
		       (o.body.len == 0 || memcmp(o.body.p, row->body.p, o.body.len) == 0);
	if (!fits)
		fail_msg("%s, cut at %zu, then %zu at a time: verdict %d, %zu requests, %zu of %zu "
		         "bytes, body %zu",
		         row->name, first, step, o.verdict, o.requests_n, o.used, row->bytes.len,
		         o.body.len);
	buf_free(&o.body);
}

/* Whole, in pieces, byte by byte, and cut in two at every place. */
static void check_row(const struct row *row)
{
	bool is_short = row->bytes.len < 4096;

	check_outcome(row, row->bytes.len, 0);
	check_outcome(row, 7, is_short ? 7 : 4093);
	check_outcome(row, 0, is_short ? 1 : 1021);
	for (size_t cut = 0; is_short && cut < row->bytes.len; cut++)
		check_outcome(row, cut, 0);
}

static void test_the_table_holds_whatever_the_cut(void **state)
{
	json_t *root = vec_load("http-requests.json");
	size_t i, refused_n = 0;
	const json_t *json;
	struct row row;

	(void)state;
	json_array_foreach(vec_get(root, "cases"), i, json)
	{
		row_read(json, &row);
		check_row(&row);
		refused_n += row.expected == EXPECT_BAD;
		buf_free(&row.bytes);
		buf_free(&row.body);
	}
	assert_true(i >= 200);
	assert_true(refused_n >= 150);
	json_decref(root);
}

/* ---- every byte value in every place ----------------------------------------------------------
 */

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define HEX DIGIT "abcdefABCDEF"
#define TCHAR UPPER LOWER DIGIT "!#$%&'*+-.^_`|~"
#define PATH UPPER LOWER DIGIT "-._~!$&'()*+,;=:@/"
#define VCHAR TCHAR "\"(),/:;<=>?@[\\]{}"
#define LENGTH POST HOST "Content-Length: "
#define ENCODING POST HOST "Transfer-Encoding: "

/* The bytes that may stand between before and after, written out once more. */
static const struct {
	const char *before, *after, *allowed;
	bool obs_text; /* 0x80 to 0xff, too */
} places[] = {
	{ "", "ET / HTTP/1.1\r\n" HOST "\r\n", UPPER "-_", false },
	{ "\r", "GET / HTTP/1.1\r\n" HOST "\r\n", "\n", false },
	{ "\r\n", "ET / HTTP/1.1\r\n" HOST "\r\n", UPPER "-_", false },
	{ "G", "T / HTTP/1.1\r\n" HOST "\r\n", UPPER "-_", false },
	{ "GET", "/ HTTP/1.1\r\n" HOST "\r\n", " ", false },
	{ "GET ", " HTTP/1.1\r\n" HOST "\r\n", "/", false },
	{ "GET /a", "b HTTP/1.1\r\n" HOST "\r\n", PATH "?", false },
	{ "GET /?a", "b HTTP/1.1\r\n" HOST "\r\n", PATH "?", false },
	{ "GET /%", "1 HTTP/1.1\r\n" HOST "\r\n", HEX, false },
	{ "GET /%4", " HTTP/1.1\r\n" HOST "\r\n", HEX, false },
	{ "GET /%2", " HTTP/1.1\r\n" HOST "\r\n", DIGIT "abcdeABCDE", false },
	{ "GET /?%2", " HTTP/1.1\r\n" HOST "\r\n", HEX, false },
	{ "GET /%0", " HTTP/1.1\r\n" HOST "\r\n", "123456789abcdefABCDEF", false },
	{ "GET /?%0", " HTTP/1.1\r\n" HOST "\r\n", "123456789abcdefABCDEF", false },
	{ "GET /", "HTTP/1.1\r\n" HOST "\r\n", " ", false },
	{ "GET / ", "TTP/1.1\r\n" HOST "\r\n", "H", false },
	{ "GET / HTTP", "1.1\r\n" HOST "\r\n", "/", false },
	{ "GET / HTTP/", ".1\r\n" HOST "\r\n", "1", false },
	{ "GET / HTTP/1", "1\r\n" HOST "\r\n", ".", false },
	{ "GET / HTTP/1.", "\r\n" HOST "\r\n", "01", false },
	{ "GET / HTTP/1.1", "\r\n" HOST "\r\n", "", false },
	{ "GET / HTTP/1.1\r", HOST "\r\n", "\n", false },
	{ GET HOST, "Y: z\r\n\r\n", TCHAR, false },
	{ GET HOST "X", "Y: z\r\n\r\n", TCHAR ":", false },
	{ GET HOST "X", " z\r\n\r\n", ":", false },
	{ GET HOST "X: ", "b\r\n\r\n", VCHAR " ", true },
	{ GET HOST "X: a", "b\r\n\r\n", VCHAR " \t", true },
	{ GET HOST "X: a", "\r\n\r\n", VCHAR " ", true },
	{ GET HOST "X: a\r", "\r\n", "\n", false },
	{ GET "Host: ", "b\r\n\r\n", UPPER LOWER DIGIT "-._~ ", false },
	{ GET "Host: a", "b\r\n\r\n", UPPER LOWER DIGIT "-._~", false },
	{ GET "Host: a", "\r\n\r\n", UPPER LOWER DIGIT "-._~: ", false },
	{ GET "Host: a:", "\r\n\r\n", DIGIT " ", false },
	{ GET "Host: [:", "]\r\n\r\n", ":", false },
	{ GET "Host: [::", "]\r\n\r\n", HEX, false },
	{ LENGTH, "\r\n\r\n", DIGIT, false },
	{ LENGTH "1", "\r\n\r\n", DIGIT " ", false },
	{ LENGTH, "1\r\n\r\n", DIGIT " ", false },
	{ ENCODING, "chunked\r\n\r\n", " ", false },
	{ ENCODING "chunked", "\r\n\r\n", " ", false },
	{ ENCODING "chun", "ed\r\n\r\n", "kK", false },
	{ CHUNKED, "", HEX, false },
	{ CHUNKED "3", "", HEX "\r", false },
	{ CHUNKED "3\r", "", "\n", false },
	{ CHUNKED "3;", "", "", false },
	{ CHUNKED "3 ", "", "", false },
	{ CHUNKED "3\r\nabc", "", "\r", false },
	{ CHUNKED "3\r\nabc\r", "", "\n", false },
	{ CHUNKED "3\r\nabc\r\n", "", HEX, false },
	{ CHUNKED "0\r\n", "", "\r", false },
	{ CHUNKED "0\r\n\r", "", "\n", false },
};

static void test_every_byte_in_every_place(void **state)
{
	struct buf in = { 0 };
	struct outcome o;
	bool allowed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		for (unsigned c = 0; c < 256; c++) {
			buf_reset(&in);
			assert_int_equal(buf_append_str(&in, places[i].before), 0);
			assert_int_equal(buf_append_u8(&in, (uint8_t)c), 0);
			assert_int_equal(buf_append_str(&in, places[i].after), 0);
			allowed = c >= 0x80 ? places[i].obs_text
			                    : c != 0 && strchr(places[i].allowed, (int)c) != NULL;
			run_stream(&o, &in, in.len, 0);
			if ((o.verdict != GW_GATE_BAD) != allowed)
				fail_msg("byte %#x between \"%s\" and \"%s\": verdict %d", c,
				         places[i].before, places[i].after, o.verdict);
			buf_free(&o.body);
		}
	}
	buf_free(&in);
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

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
		cmocka_unit_test(test_the_table_holds_whatever_the_cut),
		cmocka_unit_test(test_every_byte_in_every_place),
		cmocka_unit_test(test_large_bodies_are_told_apart_from_bad_ones),
		cmocka_unit_test(test_a_refusal_stays),
		cmocka_unit_test(test_the_head_can_be_read),
		cmocka_unit_test(test_who_may_reuse_the_connection),
		cmocka_unit_test(test_a_route_can_take_larger_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
