/* tests/unit/test_wk_upgrade.c - the WebSocket opening handshake, client side */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "worker/net/wk_upgrade.h"

/* RFC 6455 section 1.3: this nonce makes the key dGhlIHNhbXBsZSBub25jZQ==. */
static const uint8_t rfc_nonce[WK_UPGRADE_NONCE_LEN] = "the sample nonce";
#define RFC_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define HEAD \
	"HTTP/1.1 101 Switching Protocols\r\n" \
	"Upgrade: websocket\r\n" \
	"Connection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: " RFC_ACCEPT "\r\n"

static int check(const char *text, size_t len, size_t *head_len, const char **why, unsigned *status)
{
	struct wk_upgrade u;

	assert_int_equal(wk_upgrade_init(&u, rfc_nonce), 0);
	return wk_upgrade_check(&u, text, len, head_len, why, status);
}

static int check_text(const char *text)
{
	const char *why = NULL;
	unsigned status;
	size_t head_len;
	int rc = check(text, strlen(text), &head_len, &why, &status);

	if (rc == WA_EHANDSHAKE)
		assert_non_null(why);
	return rc;
}

static void test_key_and_accept_are_those_of_the_rfc(void **state)
{
	struct wk_upgrade u;

	(void)state;
	assert_int_equal(wk_upgrade_init(&u, rfc_nonce), 0);
	assert_string_equal(u.key, "dGhlIHNhbXBsZSBub25jZQ==");
	assert_string_equal(u.accept, RFC_ACCEPT);
}

static void test_request_has_the_headers_of_a_browser_and_offers_nothing(void **state)
{
	struct wk_upgrade u;
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(wk_upgrade_init(&u, rfc_nonce), 0);
	assert_int_equal(wk_upgrade_request(&u, "web.whatsapp.com", "/ws/chat",
	                                    "https://web.whatsapp.com", &out),
	                 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_non_null(strstr((char *)out.p, "GET /ws/chat HTTP/1.1\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nHost: web.whatsapp.com\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nOrigin: https://web.whatsapp.com\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nSec-WebSocket-Version: 13\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nCache-Control: no-cache\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nPragma: no-cache\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nUser-Agent: Mozilla/5.0"));
	assert_null(strstr((char *)out.p, "Extensions"));
	assert_null(strstr((char *)out.p, "Sec-WebSocket-Protocol"));
	assert_string_equal((char *)out.p + out.len - 5, "\r\n\r\n");
	buf_free(&out);
}

static void test_good_answer_is_taken_and_frames_behind_it_are_left(void **state)
{
	static const char text[] = HEAD ACCEPT "\r\n\x82\x01x";
	const char *why;
	unsigned status;
	size_t head_len = 0;

	(void)state;
	assert_int_equal(check(text, sizeof(text) - 1, &head_len, &why, &status), 0);
	assert_int_equal(status, 101);
	assert_int_equal(head_len, sizeof(text) - 1 - 3);
}

static void test_names_and_words_in_any_case(void **state)
{
	(void)state;
	assert_int_equal(check_text("HTTP/1.1 101\r\nUPGRADE: WebSocket\r\n"
	                            "connection: keep-alive, upgrade\r\n"
	                            "sec-websocket-accept:" RFC_ACCEPT "\r\n\r\n"),
	                 0);
}

static void test_interim_answers_are_passed_over(void **state)
{
	static const char text[] =
	    "HTTP/1.1 100 Continue\r\n\r\n"
	    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" HEAD ACCEPT "\r\n";
	const size_t len = sizeof(text) - 1;
	size_t head_len = 0;
	const char *why;
	unsigned status;

	(void)state;
	for (size_t n = 0; n < len; n++)
		assert_int_equal(check(text, n, &head_len, &why, &status), -EAGAIN);
	assert_int_equal(check(text, sizeof(text), &head_len, &why, &status), 0);
	assert_int_equal(head_len, len);
	assert_int_equal(check_text("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
	                 WA_EHANDSHAKE);
	assert_int_equal(check_text("HTTP/1.1 100 x\r\n\r\ngarbage"), WA_EHANDSHAKE);
}

static void test_endless_interim_answers_are_refused_at_the_limit(void **state)
{
	static const char one[] = "HTTP/1.1 102 Processing\r\n\r\n";
	struct buf text = { 0 };
	const char *why;
	unsigned status;
	size_t head_len;

	(void)state;
	while (text.len < WK_HEAD_MAX_LEN) {
		assert_true(text.len == 0 ||
		            check((char *)text.p, text.len, &head_len, &why, &status) == -EAGAIN);
		assert_int_equal(buf_append_str(&text, one), 0);
	}
	assert_int_equal(check((char *)text.p, text.len, &head_len, &why, &status), WA_EHANDSHAKE);
	buf_free(&text);
}

static void test_every_prefix_of_a_good_answer_wants_more(void **state)
{
	static const char text[] = HEAD ACCEPT "\r\n";
	const char *why;
	unsigned status;
	size_t head_len;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(check(text, n, &head_len, &why, &status), -EAGAIN);
}

static void test_anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n",
		"HTTP/2 101 x\r\n" ACCEPT "\r\n",
		"HTTP/1.1 1x1 y\r\n" ACCEPT "\r\n",
		"garbage",
		"\x15\x03\x01\x00\x02\x02\x46",
		HEAD "\r\n",
		HEAD "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
		HEAD "Sec-WebSocket-Accept: " RFC_ACCEPT "x\r\n\r\n",
		HEAD "Sec-WebSocket-Accept:\r\n\r\n",
		HEAD ACCEPT ACCEPT "\r\n",
		HEAD ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		HEAD ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n",
		"HTTP/1.1 101 x\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n" ACCEPT "\r\n",
		"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrades\r\n" ACCEPT "\r\n",
		HEAD ACCEPT "no colon\r\n\r\n",
		HEAD ACCEPT ": no name\r\n\r\n",
		HEAD ACCEPT "Bad Name: x\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(check_text(bad[i]), WA_EHANDSHAKE);
}

static void test_status_other_than_101_is_reported(void **state)
{
	static const char text[] = "HTTP/1.1 429 Too Many Requests\r\n\r\n";
	const char *why;
	unsigned status;
	size_t head_len;

	(void)state;
	assert_int_equal(check(text, sizeof(text) - 1, &head_len, &why, &status), WA_EHANDSHAKE);
	assert_int_equal(status, 429);
}

static void test_endless_head_is_refused_at_the_limit(void **state)
{
	static char text[WK_HEAD_MAX_LEN + 100];
	const char *why;
	unsigned status;
	size_t head_len;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, HEAD "X: ", sizeof(HEAD "X: ") - 1);
	assert_int_equal(check(text, WK_HEAD_MAX_LEN - 1, &head_len, &why, &status), -EAGAIN);
	assert_int_equal(check(text, WK_HEAD_MAX_LEN, &head_len, &why, &status), WA_EHANDSHAKE);
	/* An end behind the limit does not help. */
	memcpy(text + WK_HEAD_MAX_LEN, "\r\n\r\n", 4);
	assert_int_equal(check(text, sizeof(text), &head_len, &why, &status), WA_EHANDSHAKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_and_accept_are_those_of_the_rfc),
		cmocka_unit_test(test_request_has_the_headers_of_a_browser_and_offers_nothing),
		cmocka_unit_test(test_good_answer_is_taken_and_frames_behind_it_are_left),
		cmocka_unit_test(test_names_and_words_in_any_case),
		cmocka_unit_test(test_interim_answers_are_passed_over),
		cmocka_unit_test(test_endless_interim_answers_are_refused_at_the_limit),
		cmocka_unit_test(test_every_prefix_of_a_good_answer_wants_more),
		cmocka_unit_test(test_anything_else_is_refused),
		cmocka_unit_test(test_status_other_than_101_is_reported),
		cmocka_unit_test(test_endless_head_is_refused_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
