/* tests/unit/test_wk_proxy.c - the talk with a proxy, byte by byte */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/net/wk_proxy.h"
#include "worker/net/wk_upgrade.h"

struct talk {
	struct wk_proxy proxy;
	struct wk_proxy_talk t;
	struct buf out;
	const char *why;
};

static void set_proxy(struct wk_proxy *p, Ipc__Proxy__Kind kind, char *username, char *password)
{
	Ipc__Proxy msg = IPC__PROXY__INIT;

	msg.has_kind = 1;
	msg.kind = kind;
	msg.host = (char *)"proxy.example";
	msg.has_port = 1;
	msg.port = 3128;
	msg.username = username;
	msg.password = password;
	assert_int_equal(wk_proxy_init(p, &msg), 0);
}

static void begin(struct talk *k, Ipc__Proxy__Kind kind, const char *username, const char *password,
                  const char *host)
{
	memset(k, 0, sizeof(*k));
	set_proxy(&k->proxy, kind, (char *)username, (char *)password);
	assert_int_equal(wk_proxy_begin(&k->t, &k->proxy, host, 443, &k->out), 0);
}

static void end(struct talk *k)
{
	wk_proxy_end(&k->t);
	wk_proxy_clear(&k->proxy);
	buf_wipe(&k->out);
}

/* What was to be sent since the last time is exactly this. */
static void assert_sent(struct talk *k, const void *bytes, size_t len)
{
	assert_int_equal(k->out.len, len);
	if (len > 0)
		assert_memory_equal(k->out.p, bytes, len);
	buf_reset(&k->out);
}
#define ASSERT_SENT(k, text) assert_sent(k, text, sizeof(text) - 1)

static int feed(struct talk *k, const void *bytes, size_t len, size_t *used)
{
	return wk_proxy_feed(&k->t, bytes, len, used, &k->out, &k->why);
}

/* All of it is taken. */
static int take(struct talk *k, const void *bytes, size_t len)
{
	size_t used;
	int rc = feed(k, bytes, len, &used);

	assert_int_equal(used, len);
	return rc;
}
#define TAKE(k, text) take(k, text, sizeof(text) - 1)

/* ---- settings ------------------------------------------------------------------------------ */

static int init_with(Ipc__Proxy__Kind kind, const char *host, uint32_t port, const char *username)
{
	Ipc__Proxy msg = IPC__PROXY__INIT;
	struct wk_proxy p;
	int rc;

	msg.has_kind = 1;
	msg.kind = kind;
	msg.host = (char *)host;
	msg.has_port = 1;
	msg.port = port;
	msg.username = (char *)username;
	rc = wk_proxy_init(&p, &msg);
	if (rc == 0)
		wk_proxy_clear(&p);
	assert_null(p.host);
	return rc;
}

static void test_settings_are_taken_and_named_without_credentials(void **state)
{
	Ipc__Proxy msg = IPC__PROXY__INIT;
	struct wk_proxy p;

	(void)state;
	assert_int_equal(wk_proxy_init(&p, NULL), 0);
	assert_int_equal(p.kind, WK_PROXY_NONE);
	wk_proxy_clear(&p);
	msg.has_kind = 1;
	msg.kind = IPC__PROXY__KIND__SOCKS5;
	msg.host = (char *)"[::1]";
	msg.has_port = 1;
	msg.port = 1080;
	msg.username = (char *)"";
	assert_int_equal(wk_proxy_init(&p, &msg), 0);
	assert_int_equal(p.kind, WK_PROXY_SOCKS5);
	assert_string_equal(p.host, "::1");
	assert_string_equal(p.hostport, "[::1]:1080");
	assert_null(p.username);
	wk_proxy_clear(&p);
}

static void test_settings_that_cant_work_are_refused(void **state)
{
	char longest[257];

	(void)state;
	memset(longest, 'u', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "p", 1, "u"), 0);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, NULL, 1, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "", 1, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "p", 0, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "p", 65536, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "p q", 1, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "p\r\nX: y", 1, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTP, "fe80::1%eth0", 1, NULL), -EINVAL);
	assert_int_equal(init_with((Ipc__Proxy__Kind)9, "p", 1, NULL), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__SOCKS5, "p", 1, longest), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__SOCKS5, "p", 1, "a\nb"), -EINVAL);
	assert_int_equal(init_with(IPC__PROXY__KIND__SOCKS5, "p", 1, "a:b"), 0);
	assert_int_equal(init_with(IPC__PROXY__KIND__HTTPS, "p", 1, "a:b"), -EINVAL);
}

/* ---- HTTP CONNECT -------------------------------------------------------------------------- */

#define REQUEST(target) \
	"CONNECT " target " HTTP/1.1\r\nHost: " target "\r\nUser-Agent: " WK_USER_AGENT "\r\n"

static void test_connect_request_names_the_target(void **state)
{
	struct talk k;

	(void)state;
	begin(&k, IPC__PROXY__KIND__HTTP, NULL, NULL, "chat.example");
	ASSERT_SENT(&k, REQUEST("chat.example:443") "\r\n");
	end(&k);
	begin(&k, IPC__PROXY__KIND__HTTPS, NULL, NULL, "2001:db8::1");
	ASSERT_SENT(&k, REQUEST("[2001:db8::1]:443") "\r\n");
	end(&k);
}

static void test_connect_request_carries_basic_credentials(void **state)
{
	struct talk k;

	(void)state;
	/* the example of RFC 7617, section 2 */
	begin(&k, IPC__PROXY__KIND__HTTP, "Aladdin", "open sesame", "chat.example");
	ASSERT_SENT(&k, REQUEST("chat.example:443") "Proxy-Authorization: Basic "
	                                            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
	end(&k);
	begin(&k, IPC__PROXY__KIND__HTTP, "u", NULL, "chat.example");
	ASSERT_SENT(&k, REQUEST("chat.example:443") "Proxy-Authorization: Basic dTo=\r\n\r\n");
	end(&k);
}

static void test_target_that_is_no_host_is_not_sent(void **state)
{
	static const char *const bad[] = { "", "a b", "a\r\nX: y", "a/b", "[::1]" };
	char longest[300];
	struct talk k = { 0 };

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	set_proxy(&k.proxy, IPC__PROXY__KIND__HTTP, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wk_proxy_begin(&k.t, &k.proxy, bad[i], 1, &k.out), -EINVAL);
	assert_int_equal(wk_proxy_begin(&k.t, &k.proxy, longest, 1, &k.out), -EINVAL);
	assert_int_equal(k.out.len, 0);
	end(&k);
}

static void test_connect_answer_opens_the_tunnel_however_it_is_cut(void **state)
{
	static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\n"
	                             "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n";
	const size_t len = sizeof(answer) - 1;
	struct talk k;
	size_t used;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		begin(&k, IPC__PROXY__KIND__HTTP, NULL, NULL, "chat.example");
		assert_int_equal(take(&k, answer, cut), 0);
		/* the terminating NUL stands for a byte of the tunnel */
		assert_int_equal(feed(&k, answer + cut, len - cut + 1, &used), 1);
		assert_int_equal(used, len - cut);
		assert_int_equal(k.t.status, 200);
		end(&k);
	}
}

static int http_answer(const char *answer, bool credentials, const char **why, unsigned *status)
{
	struct talk k;
	size_t used;
	int rc;

	begin(&k, IPC__PROXY__KIND__HTTP, credentials ? "u" : NULL, credentials ? "p" : NULL,
	      "chat.example");
	rc = feed(&k, answer, strlen(answer), &used);
	*why = k.why;
	*status = k.t.status;
	end(&k);
	return rc;
}

static void test_connect_refusals_are_told_apart(void **state)
{
	static const char *const bad[] = {
		"garbage",
		"\x05\xff",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 020 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 200OK\r\n\r\n",
	};
	const char *why = NULL;
	unsigned status;

	(void)state;
	assert_int_equal(
	    http_answer("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", true, &why, &status),
	    WA_EPROXY_AUTH);
	assert_string_equal(why, "refused the password");
	assert_int_equal(http_answer("HTTP/1.1 407\r\n\r\n", false, &why, &status), WA_EPROXY_AUTH);
	assert_string_equal(why, "wants a user name and password");
	assert_int_equal(http_answer("HTTP/1.0 401 Unauthorized\r\n\r\n", true, &why, &status),
	                 WA_EPROXY_AUTH);
	assert_int_equal(http_answer("HTTP/1.1 503 x\r\n\r\n", true, &why, &status),
	                 WA_EPROXY_UNREACHABLE);
	assert_int_equal(status, 503);
	assert_int_equal(http_answer("HTTP/1.1 101 x\r\n\r\n", true, &why, &status),
	                 WA_EPROXY_UNREACHABLE);
	assert_int_equal(http_answer("HTTP/1.1 302 x\r\nLocation: /\r\n\r\n", true, &why, &status),
	                 WA_EPROXY_UNREACHABLE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(http_answer(bad[i], false, &why, &status), WA_EPROXY_UNREACHABLE);
		assert_string_equal(why, "is not an HTTP proxy");
	}
}

static void test_connect_answer_is_bounded(void **state)
{
	static const char line[] = "HTTP/1.1 200 OK\r\nX: ";
	static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
	char *text = malloc(2 * WK_HEAD_MAX_LEN);
	struct talk k;
	size_t used;
	int rc = 0;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 2 * WK_HEAD_MAX_LEN);
	memcpy(text, line, sizeof(line) - 1);
	begin(&k, IPC__PROXY__KIND__HTTP, NULL, NULL, "chat.example");
	assert_int_equal(take(&k, text, WK_HEAD_MAX_LEN - 1), 0);
	assert_int_equal(feed(&k, text + WK_HEAD_MAX_LEN - 1, 1000, &used), WA_EPROXY_UNREACHABLE);
	assert_true(used <= 1);
	end(&k);
	free(text);
	/* interim answers count: they can't go on for ever */
	begin(&k, IPC__PROXY__KIND__HTTP, NULL, NULL, "chat.example");
	for (size_t n = 0; rc == 0; n++) {
		assert_true(n <= WK_HEAD_MAX_LEN / (sizeof(interim) - 1));
		rc = feed(&k, interim, sizeof(interim) - 1, &used);
	}
	assert_int_equal(rc, WA_EPROXY_UNREACHABLE);
	end(&k);
}

/* ---- SOCKS5 -------------------------------------------------------------------------------- */

static void test_socks_sends_the_name_as_it_is(void **state)
{
	struct talk k;

	(void)state;
	begin(&k, IPC__PROXY__KIND__SOCKS5, NULL, NULL, "chat.example");
	ASSERT_SENT(&k, "\x05\x01\x00");
	assert_int_equal(TAKE(&k, "\x05\x00"), 0);
	ASSERT_SENT(&k, "\x05\x01\x00\x03\x0c"
	                "chat.example\x01\xbb");
	assert_int_equal(TAKE(&k, "\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"), 1);
	ASSERT_SENT(&k, "");
	end(&k);
}

static void test_socks_sends_addresses_as_addresses(void **state)
{
	struct talk k;

	(void)state;
	begin(&k, IPC__PROXY__KIND__SOCKS5, NULL, NULL, "192.0.2.7");
	buf_reset(&k.out);
	assert_int_equal(TAKE(&k, "\x05\x00"), 0);
	ASSERT_SENT(&k, "\x05\x01\x00\x01\xc0\x00\x02\x07\x01\xbb");
	end(&k);
	begin(&k, IPC__PROXY__KIND__SOCKS5, NULL, NULL, "2001:db8::7");
	buf_reset(&k.out);
	assert_int_equal(TAKE(&k, "\x05\x00"), 0);
	ASSERT_SENT(&k, "\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x01\xbb");
	end(&k);
}

static void test_socks_password(void **state)
{
	struct talk k;

	(void)state;
	begin(&k, IPC__PROXY__KIND__SOCKS5, "us:er", "secret", "chat.example");
	ASSERT_SENT(&k, "\x05\x02\x00\x02");
	assert_int_equal(TAKE(&k, "\x05\x02"), 0);
	ASSERT_SENT(&k, "\x01\x05us:er\x06secret");
	assert_int_equal(TAKE(&k, "\x01\x00"), 0);
	assert_true(k.out.len > 0);
	end(&k);
	/* a proxy that wants none is not told any */
	begin(&k, IPC__PROXY__KIND__SOCKS5, "user", "secret", "h");
	buf_reset(&k.out);
	assert_int_equal(TAKE(&k, "\x05\x00"), 0);
	ASSERT_SENT(&k, "\x05\x01\x00\x03\x01h\x01\xbb");
	end(&k);
}

static void test_socks_password_refused_or_wanted(void **state)
{
	struct talk k;

	(void)state;
	begin(&k, IPC__PROXY__KIND__SOCKS5, "user", "wrong", "h");
	assert_int_equal(TAKE(&k, "\x05\x02"), 0);
	assert_int_equal(TAKE(&k, "\x01\x01"), WA_EPROXY_AUTH);
	assert_string_equal(k.why, "refused the password");
	end(&k);
	begin(&k, IPC__PROXY__KIND__SOCKS5, NULL, NULL, "h");
	assert_int_equal(TAKE(&k, "\x05\xff"), WA_EPROXY_AUTH);
	assert_string_equal(k.why, "wants a user name and password");
	end(&k);
	begin(&k, IPC__PROXY__KIND__SOCKS5, "user", "pass", "h");
	assert_int_equal(TAKE(&k, "\x05\xff"), WA_EPROXY_AUTH);
	end(&k);
	/* never offered, so never answered */
	begin(&k, IPC__PROXY__KIND__SOCKS5, NULL, NULL, "h");
	buf_reset(&k.out);
	assert_int_equal(TAKE(&k, "\x05\x02"), WA_EPROXY_UNREACHABLE);
	ASSERT_SENT(&k, "");
	end(&k);
}

/* The answers up to a reply, then this reply. */
static int socks_reply(const char *reply, size_t len, size_t *used, const char **why)
{
	struct talk k;
	int rc;

	begin(&k, IPC__PROXY__KIND__SOCKS5, NULL, NULL, "h");
	assert_int_equal(TAKE(&k, "\x05\x00"), 0);
	rc = feed(&k, reply, len, used);
	*why = k.why;
	end(&k);
	return rc;
}
#define REPLY(text, used, why) socks_reply(text, sizeof(text) - 1, used, why)

static void test_socks_reply_of_every_address_type_leaves_the_tunnel(void **state)
{
	const char *why;
	size_t used;

	(void)state;
	assert_int_equal(REPLY("\x05\0\0\x01"
	                       "abcd\0\0tunnel",
	                       &used, &why),
	                 1);
	assert_int_equal(used, 10);
	assert_int_equal(REPLY("\x05\0\0\x03\x02hi\0\0tunnel", &used, &why), 1);
	assert_int_equal(used, 9);
	assert_int_equal(REPLY("\x05\0\0\x03\0\0\0tunnel", &used, &why), 1);
	assert_int_equal(used, 7);
	assert_int_equal(REPLY("\x05\0\0\x04"
	                       "0123456789abcdef\0\0tunnel",
	                       &used, &why),
	                 1);
	assert_int_equal(used, 22);
}

static void test_socks_refusals(void **state)
{
	const char *why = NULL;
	size_t used;

	(void)state;
	for (uint8_t code = 1; code < 12; code++) {
		const char reply[] = { 5, (char)code };

		assert_int_equal(socks_reply(reply, sizeof(reply), &used, &why),
		                 WA_EPROXY_UNREACHABLE);
		assert_non_null(why);
	}
	assert_int_equal(REPLY("\x04\0", &used, &why), WA_EPROXY_UNREACHABLE);
	assert_string_equal(why, "is not a SOCKS5 proxy");
	assert_int_equal(REPLY("\x05\0\0\x02", &used, &why), 0);
	assert_int_equal(REPLY("\x05\0\0\x02x", &used, &why), WA_EPROXY_UNREACHABLE);
}

static void test_socks_talk_however_it_is_cut(void **state)
{
	static const char all[] = "\x05\x02\x01\x00\x05\0\0\x03\x05"
	                          "local\x01\xbb";
	const size_t len = sizeof(all) - 1;
	struct talk k;
	size_t used;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		begin(&k, IPC__PROXY__KIND__SOCKS5, "u", "p", "h");
		assert_int_equal(take(&k, all, cut), 0);
		assert_int_equal(feed(&k, all + cut, len - cut + 1, &used), 1);
		assert_int_equal(used, len - cut);
		end(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_are_taken_and_named_without_credentials),
		cmocka_unit_test(test_settings_that_cant_work_are_refused),
		cmocka_unit_test(test_connect_request_names_the_target),
		cmocka_unit_test(test_connect_request_carries_basic_credentials),
		cmocka_unit_test(test_target_that_is_no_host_is_not_sent),
		cmocka_unit_test(test_connect_answer_opens_the_tunnel_however_it_is_cut),
		cmocka_unit_test(test_connect_refusals_are_told_apart),
		cmocka_unit_test(test_connect_answer_is_bounded),
		cmocka_unit_test(test_socks_sends_the_name_as_it_is),
		cmocka_unit_test(test_socks_sends_addresses_as_addresses),
		cmocka_unit_test(test_socks_password),
		cmocka_unit_test(test_socks_password_refused_or_wanted),
		cmocka_unit_test(test_socks_reply_of_every_address_type_leaves_the_tunnel),
		cmocka_unit_test(test_socks_refusals),
		cmocka_unit_test(test_socks_talk_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
