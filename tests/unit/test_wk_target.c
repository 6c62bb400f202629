/* tests/unit/test_wk_target.c - URLs and the settings that come with CONNECT */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "worker/wk_target.h"

static void test_urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *host;
		unsigned port;
		const char *hostport, *authority, *path;
	} good[] = {
		{ "wss://web.whatsapp.com/ws/chat", true, "web.whatsapp.com", 443,
		  "web.whatsapp.com:443", "web.whatsapp.com", "/ws/chat" },
		{ "ws://127.0.0.1:7443/ws/chat", false, "127.0.0.1", 7443, "127.0.0.1:7443",
		  "127.0.0.1:7443", "/ws/chat" },
		{ "ws://[::1]:80/x?y=z", false, "::1", 80, "[::1]:80", "[::1]", "/x?y=z" },
		{ "wss://h", true, "h", 443, "h:443", "h", "/" },
		{ "wss://h:5222?a", true, "h", 5222, "h:5222", "h:5222", "/?a" },
	};
	struct wk_url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(wk_url_parse(good[i].text, &u), 0);
		assert_int_equal(u.tls, good[i].tls);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
		assert_string_equal(u.hostport, good[i].hostport);
		assert_string_equal(u.authority, good[i].authority);
		assert_string_equal(u.path, good[i].path);
	}
}

static void test_bad_urls_are_refused(void **state)
{
	static const char *const bad[] = { "",           "http://h/",     "ws:/h/",
		                           "ws://",      "ws:///x",       "ws://h:/",
		                           "ws://h:0/",  "ws://h:65536/", "ws://h:123456/",
		                           "ws://h:8a/", "ws://u@h/",     "ws://h/a b",
		                           "ws://h/#x",  "ws://h/\x7f",   "ws://h/\r\nX: y",
		                           "ws://[::1",  "ws://[::1]x/",  "ws://[h]/",
		                           "ws://[]/",   "ws://a b/",     "ws://h\n/" };
	struct wk_url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wk_url_parse(bad[i], &u), -EINVAL);
}

static void test_url_that_is_too_long_is_refused(void **state)
{
	char text[WK_PATH_CAP + 64] = "ws://h/";
	struct wk_url u;

	(void)state;
	memset(text + 7, 'a', WK_PATH_CAP);
	assert_int_equal(wk_url_parse(text, &u), -EINVAL);
	memset(text + 5, 'a', WK_HOST_CAP);
	text[5 + WK_HOST_CAP] = '\0';
	assert_int_equal(wk_url_parse(text, &u), -EINVAL);
}

static uint8_t key[32] = { 1, 2, 3 };

static Ipc__Connect good_connect(void)
{
	Ipc__Connect msg = IPC__CONNECT__INIT;

	msg.wa_url = (char *)"ws://127.0.0.1:1/ws/chat";
	msg.wa_origin = (char *)"https://web.whatsapp.com";
	msg.has_wa_root_key = 1;
	msg.wa_root_key.data = key;
	msg.wa_root_key.len = sizeof(key);
	msg.wa_version = (char *)"auto";
	msg.wa_device_name = (char *)"Warden";
	return msg;
}

static void test_connect_is_copied(void **state)
{
	Ipc__Connect msg = good_connect();
	struct wk_target t;
	const char *why;

	(void)state;
	msg.has_history_days = 1;
	msg.history_days = 7;
	msg.request_id = (char *)"r-1";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_true(t.version_auto);
	assert_int_equal(t.version.tertiary, WA_VERSION_BUILTIN);
	assert_memory_equal(t.root.key, key, sizeof(key));
	assert_int_equal(t.root.serial, 0);
	assert_int_equal(t.history_days, 7);
	assert_string_equal(t.request_id, "r-1");
	assert_null(t.ca_file);
	wk_target_clear(&t);
	msg.wa_version = (char *)"2.3000.42";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_false(t.version_auto);
	assert_int_equal(t.version.tertiary, 42);
	wk_target_clear(&t);
}

static void refuse(const Ipc__Connect *msg, const char *setting)
{
	struct wk_target t;
	const char *why = NULL;

	assert_int_equal(wk_target_init(&t, msg, &why), -EINVAL);
	assert_string_equal(why, setting);
}

static void test_setting_that_can_not_be_used_is_named(void **state)
{
	Ipc__Connect msg = good_connect();

	(void)state;
	msg.wa_url = (char *)"ftp://x";
	refuse(&msg, "wa_url");
	msg.wa_url = NULL;
	refuse(&msg, "wa_url");
	msg = good_connect();
	msg.wa_origin = (char *)"x\r\nCookie: y";
	refuse(&msg, "wa_origin");
	msg = good_connect();
	msg.wa_root_key.len = 31;
	refuse(&msg, "wa_root_key");
	msg = good_connect();
	msg.wa_version = (char *)"2.2000.1";
	refuse(&msg, "wa_version");
	msg = good_connect();
	msg.has_history_days = 1;
	msg.history_days = 3651;
	refuse(&msg, "history_days");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_are_taken_apart),
		cmocka_unit_test(test_bad_urls_are_refused),
		cmocka_unit_test(test_url_that_is_too_long_is_refused),
		cmocka_unit_test(test_connect_is_copied),
		cmocka_unit_test(test_setting_that_can_not_be_used_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
