/* tests/unit/test_wk_target.c - URLs and the settings that come with CONNECT */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "worker/control/wk_target.h"

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
static uint8_t instance_key[SEALED_KEY_LEN] = { 4, 5, 6 };

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
	msg.has_instance_key = 1;
	msg.instance_key.data = instance_key;
	msg.instance_key.len = sizeof(instance_key);
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
	msg.has_message_days = 1;
	msg.message_days = 90;
	msg.request_id = (char *)"r-1";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_true(t.version_auto);
	assert_int_equal(t.version.tertiary, WA_VERSION_BUILTIN);
	assert_memory_equal(t.root.key, key, sizeof(key));
	assert_int_equal(t.root.serial, 0);
	assert_int_equal(t.history_days, 7);
	assert_int_equal(t.message_days, 90);
	assert_string_equal(t.request_id, "r-1");
	assert_null(t.ca_file);
	wk_target_clear(&t);
	msg.wa_version = (char *)"2.3000.42";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_false(t.version_auto);
	assert_int_equal(t.version.tertiary, 42);
	wk_target_clear(&t);
}

static void test_open_ca_file_is_named_and_closed(void **state)
{
	Ipc__Connect msg = good_connect();
	char name[32];
	struct wk_target t;
	const char *why;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	msg.wa_ca_file = (char *)"/x/ca.pem";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_int_equal(wk_target_take_ca(&t, -1), 0);
	assert_string_equal(t.ca_file, "/x/ca.pem");
	assert_int_equal(wk_target_take_ca(&t, fd), 0);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	assert_string_equal(t.ca_file, name);
	wk_target_clear(&t);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
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
	msg = good_connect();
	msg.instance_key.len = 31;
	refuse(&msg, "instance_key");
	msg.has_instance_key = 0;
	refuse(&msg, "instance_key");
}

static void test_a_probe_needs_no_key_and_takes_none(void **state)
{
	Ipc__Connect msg = good_connect();
	static const uint8_t none[SEALED_KEY_LEN];
	struct wk_target t;
	const char *why;

	(void)state;
	msg.has_mode = 1;
	msg.mode = IPC__CONNECT__MODE__PROBE;
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_memory_equal(t.key.bytes, none, sizeof(none));
	wk_target_clear(&t);
	msg.has_instance_key = 0;
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	wk_target_clear(&t);
}

static void test_session_settings_and_proxy_ride_along(void **state)
{
	Ipc__SessionSettings settings = IPC__SESSION_SETTINGS__INIT;
	Ipc__Connect msg = good_connect();
	Ipc__Proxy proxy = IPC__PROXY__INIT;
	struct wk_target t;
	const char *why;

	(void)state;
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_int_equal(t.mode, IPC__CONNECT__MODE__LINK);
	assert_int_equal(t.proxy.kind, WK_PROXY_NONE);
	assert_false(t.settings.keep_online_status);
	assert_int_equal(t.key.epoch, 0);
	assert_memory_equal(t.key.bytes, instance_key, sizeof(instance_key));
	wk_target_clear(&t);
	proxy.has_kind = proxy.has_port = 1;
	proxy.kind = IPC__PROXY__KIND__SOCKS5;
	proxy.host = (char *)"proxy.example";
	proxy.port = 1080;
	msg.proxy = &proxy;
	settings.has_keep_online_status = settings.keep_online_status = 1;
	msg.settings = &settings;
	msg.has_mode = 1;
	msg.mode = IPC__CONNECT__MODE__RESUME;
	msg.has_key_epoch = 1;
	msg.key_epoch = 3;
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_int_equal(t.mode, IPC__CONNECT__MODE__RESUME);
	assert_int_equal(t.proxy.kind, WK_PROXY_SOCKS5);
	assert_true(t.settings.keep_online_status);
	assert_int_equal(t.key.epoch, 3);
	wk_target_clear(&t);
	proxy.port = 0;
	refuse(&msg, "proxy");
}

static void test_number_is_7_to_15_digits_without_a_leading_0(void **state)
{
	static const char *const bad[] = { "123456",         "1234567890123456", "0123456789",
		                           "+5511999999999", "55 11999",         "5511999999a" };
	Ipc__Connect msg = good_connect();
	struct wk_target t;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		msg.number = (char *)bad[i];
		refuse(&msg, "number");
	}
	msg.number = (char *)"123456789012345";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_string_equal(t.number, "123456789012345");
	wk_target_clear(&t);
	msg.number = (char *)"";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_string_equal(t.number, "");
	wk_target_clear(&t);
}

static void test_revision_counts_with_auto_only(void **state)
{
	Ipc__Connect msg = good_connect();
	struct wk_target t;
	const char *why;

	(void)state;
	msg.has_revision = 1;
	msg.revision = 1099999999;
	msg.has_version_stale = msg.version_stale = 1;
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_int_equal(t.version.tertiary, 1099999999);
	assert_true(t.version_stale);
	wk_target_clear(&t);
	msg.wa_version = (char *)"2.3000.42";
	assert_int_equal(wk_target_init(&t, &msg, &why), 0);
	assert_int_equal(t.version.tertiary, 42);
	assert_false(t.version_stale);
	wk_target_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_are_taken_apart),
		cmocka_unit_test(test_bad_urls_are_refused),
		cmocka_unit_test(test_url_that_is_too_long_is_refused),
		cmocka_unit_test(test_connect_is_copied),
		cmocka_unit_test(test_open_ca_file_is_named_and_closed),
		cmocka_unit_test(test_setting_that_can_not_be_used_is_named),
		cmocka_unit_test(test_a_probe_needs_no_key_and_takes_none),
		cmocka_unit_test(test_session_settings_and_proxy_ride_along),
		cmocka_unit_test(test_number_is_7_to_15_digits_without_a_leading_0),
		cmocka_unit_test(test_revision_counts_with_auto_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
