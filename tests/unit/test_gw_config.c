/* tests/unit/test_gw_config.c - wardend's settings: what is accepted, what is derived, what is
 * refused */
#include "gw_test.h"

#include <errno.h>
#include <syslog.h>

#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"

#define ARGS_MAX 16

/* What the program wrote to stderr goes to a file, to be looked at. */
struct capture {
	int saved;
	FILE *file;
	char text[4096];
};

static void capture_start(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	dup2(fileno(c->file), STDERR_FILENO);
}

static void capture_end(struct capture *c)
{
	size_t n;

	fflush(stderr);
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	rewind(c->file);
	n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[n] = '\0';
	fclose(c->file);
}

static enum settings_result load(struct gw_config *cfg, struct capture *c, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char *)(uintptr_t) "wardend" };
	enum settings_result r;
	int argc = 1;

	while (args != NULL && args[argc - 1] != NULL && argc <= ARGS_MAX) {
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
		argc++;
	}
	memset(cfg, 0, sizeof(*cfg));
	capture_start(c);
	r = gw_config_load(argc, argv, cfg);
	capture_end(c);
	return r;
}

static void test_defaults_are_the_contracts(void **state)
{
	struct gw_config cfg;
	struct capture c;

	(void)state;
	assert_int_equal(load(&cfg, &c, NULL), SETTINGS_RUN);
	assert_string_equal(c.text, "");
	assert_string_equal(cfg.listen, "127.0.0.1:8080");
	assert_string_equal(cfg.data_dir, "/var/lib/warden");
	assert_string_equal(cfg.run_dir, "/run/warden");
	assert_string_equal(cfg.public_url, "http://127.0.0.1:8080");
	assert_int_equal(cfg.limit_per_minute, 100);
	assert_int_equal(cfg.limit_create_per_minute, 20);
	assert_null(cfg.cors_origins);
	assert_null(cfg.trusted_proxies);
	assert_null(cfg.redis_url);
	assert_null(cfg.redis_password_file);
	assert_string_equal(cfg.metrics_allow, "127.0.0.0/8,::1");
	assert_int_equal(cfg.connect_timeout_s, 60);
	assert_int_equal(cfg.worker_memory_max_mb, 64);
	assert_int_equal(cfg.max_connections, 10000);
	assert_int_equal(cfg.max_connections_per_address, 256);
	assert_int_equal(cfg.max_workers, 0);
	assert_int_equal(cfg.worker_runner, GW_RUNNER_ZYGOTE);
	assert_string_equal(cfg.wa_url, "wss://web.whatsapp.com/ws/chat");
	assert_string_equal(cfg.wa_origin, "https://web.whatsapp.com");
	assert_true(gw_config_root_key_is_whatsapps(&cfg));
	assert_int_equal(cfg.wa_root_key_bytes[0], 0x14);
	assert_int_equal(cfg.wa_root_key_bytes[31], 0x6b);
	assert_null(cfg.master_key_file);
	assert_string_equal(cfg.wa_version, "auto");
	assert_string_equal(cfg.wa_device_name, "Warden");
	assert_int_equal(cfg.log_level, LOG_INFO);
	assert_string_equal(gw_config_log_level_word(&cfg), "info");
	assert_string_equal(gw_config_log_format_word(&cfg), "auto");
	gw_config_clear(&cfg);
}

static void test_flag_wins_over_environment(void **state)
{
	const char *const args[] = { "--listen", "[::1]:0", "--log-level=debug", NULL };
	struct gw_config cfg;
	struct capture c;

	(void)state;
	setenv("WARDEN_LISTEN", "127.0.0.1:9", 1);
	setenv("WARDEN_CONNECT_TIMEOUT_S", "7", 1);
	assert_int_equal(load(&cfg, &c, args), SETTINGS_RUN);
	assert_string_equal(cfg.listen, "[::1]:0");
	assert_null(cfg.public_url); /* the port is not known yet */
	assert_int_equal(cfg.connect_timeout_s, 7);
	assert_int_equal(cfg.log_level, LOG_DEBUG);
	gw_config_clear(&cfg);
	unsetenv("WARDEN_LISTEN");
	unsetenv("WARDEN_CONNECT_TIMEOUT_S");
}

static void test_bad_values_name_the_setting_and_what_was_expected(void **state)
{
	static const struct {
		const char *flag, *value, *says;
	} bad[] = {
		{ "--listen", "localhost:8080", "listen" },
		{ "--listen", "127.0.0.1", "listen" },
		{ "--listen", "127.0.0.1:65536", "listen" },
		{ "--listen", "::1:80", "listen" },
		{ "--listen", "systemd:", "listen" },
		{ "--listen", "unix:relative", "listen" },
		{ "--public-url", "ftp://x", "http://" },
		{ "--wa-url", "https://web.whatsapp.com", "ws://" },
		{ "--wa-url", "ws://", "ws://" },
		{ "--wa-origin", "web.whatsapp.com", "http://" },
		{ "--wa-root-key", "1423", "64 hex digits" },
		{ "--master-key-file", "/nonexistent/key", "a file that can be read" },
		{ "--wa-version", "2.2000.1", "2.3000.N" },
		{ "--wa-version", "2.3000.", "2.3000.N" },
		{ "--wa-version", "2.3000.1x", "2.3000.N" },
		{ "--wa-version", "2.3000.4294967296", "2.3000.N" },
		{ "--wa-device-name",
		  "a\x01"
		  "b",
		  "control characters" },
		{ "--wa-ca-file", "/nonexistent.pem", "a file that can be read" },
		{ "--worker-runner", "vfork", "zygote" },
#ifndef HAVE_LIBSYSTEMD
		{ "--worker-runner", "systemd", "zygote" },
#endif
		{ "--connect-timeout-s", "61", "1 to 60" },
		{ "--max-workers", "-1", "0 to" },
		{ "--cors-origins", "https://a.example,,", "origins" },
		{ "--cors-origins", "https://a.example/path", "origins" },
		{ "--trusted-proxies", "10.0.0.1,proxy.example", "addresses or networks" },
		{ "--metrics-allow", "localhost", "addresses or networks" },
		{ "--log-level", "loud", "err|warning|notice|info|debug" },
		{ "--log-format", "xml", "auto|text|json" },
		{ "--run-dir",
		  "/a-run-dir-that-is-far-too-long-for-the-path-of-a-socket/"
		  "because-its-place-is-limited/x",
		  "socket" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *const args[] = { bad[i].flag, bad[i].value, NULL };
		struct gw_config cfg;
		struct capture c;

		assert_int_equal(load(&cfg, &c, args), SETTINGS_EXIT_2);
		if (strstr(c.text, bad[i].says) == NULL)
			fail_msg("%s %s: %s", bad[i].flag, bad[i].value, c.text);
		assert_ptr_equal(strchr(c.text, '\n'), c.text + strlen(c.text) - 1); /* one line */
		gw_config_clear(&cfg);
	}
}

static void test_good_values_of_checked_settings_pass(void **state)
{
	const char *const args[] = { "--listen=unix:/tmp/w.sock",
		                     "--cors-origins=https://a.example, http://b.example:81",
		                     "--trusted-proxies=10.0.0.1, 192.168.0.0/16, ::1",
		                     "--wa-version=2.3000.1015901307",
		                     "--wa-url=ws://127.0.0.1:7443/ws/chat",
		                     "--public-url=https://wa.example/warden",
		                     NULL };
	struct gw_config cfg;
	struct capture c;

	(void)state;
	assert_int_equal(load(&cfg, &c, args), SETTINGS_RUN);
	assert_string_equal(c.text, "");
	assert_string_equal(cfg.public_url, "https://wa.example/warden");
	gw_config_clear(&cfg);
}

/* A reload reads the environment again: what is no secret must still be there. */
static void test_loading_leaves_settings_in_the_environment(void **state)
{
	struct gw_config cfg;
	struct capture c;

	(void)state;
	setenv("WARDEN_EVENT_RETENTION_DAYS", "30", 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(load(&cfg, &c, NULL), SETTINGS_RUN);
		assert_string_equal(c.text, "");
		assert_int_equal(cfg.event_retention_days, 30);
		gw_config_clear(&cfg);
	}
	unsetenv("WARDEN_EVENT_RETENTION_DAYS");
}

static void test_redis_url_is_a_secret(void **state)
{
	const char *const flag[] = { "--redis-url", "redis://:hunter2@127.0.0.1/0", NULL };
	struct gw_config cfg;
	struct capture c;

	(void)state;
	setenv("WARDEN_REDIS_URL", "redis://:hunter2@127.0.0.1/0", 1);
	assert_int_equal(load(&cfg, &c, NULL), SETTINGS_RUN);
	assert_string_equal(c.text, "");
	assert_string_equal(cfg.redis_url, "redis://:hunter2@127.0.0.1/0");
	assert_null(getenv("WARDEN_REDIS_URL"));
	gw_config_clear(&cfg);

	/* neither in the refusal of a bad one, nor on a command line */
	setenv("WARDEN_REDIS_URL", "rediss://:hunter2@127.0.0.1/0", 1);
	assert_int_equal(load(&cfg, &c, NULL), SETTINGS_EXIT_2);
	assert_non_null(strstr(c.text, "redis_url is \"(hidden)\""));
	assert_null(strstr(c.text, "hunter2"));
	assert_null(getenv("WARDEN_REDIS_URL"));
	gw_config_clear(&cfg);
	assert_int_equal(load(&cfg, &c, flag), SETTINGS_EXIT_2);
	assert_non_null(strstr(c.text, "WARDEN_REDIS_URL"));
	assert_null(strstr(c.text, "hunter2"));
	gw_config_clear(&cfg);
}

static void test_unknown_variables_are_named(void **state)
{
	struct gw_config cfg;
	struct capture c;

	(void)state;
	setenv("WARDEN_LISTEM", "1", 1);
	setenv("WARDEN_TOKEN", "wardenctl's", 1);
	assert_int_equal(load(&cfg, &c, NULL), SETTINGS_RUN);
	assert_non_null(strstr(c.text, "WARDEN_LISTEM"));
	assert_null(strstr(c.text, "WARDEN_TOKEN"));
	gw_config_clear(&cfg);
	unsetenv("WARDEN_LISTEM");
	unsetenv("WARDEN_TOKEN");
}

static void test_an_empty_variable_is_no_value_where_one_is_needed(void **state)
{
	struct gw_config cfg;
	struct capture c;

	(void)state;
	setenv("WARDEN_WA_URL", "", 1);
	assert_int_equal(load(&cfg, &c, NULL), SETTINGS_EXIT_2);
	assert_non_null(strstr(c.text, "wa_url"));
	gw_config_clear(&cfg);
	unsetenv("WARDEN_WA_URL");
}

static void test_relative_directories_become_absolute(void **state)
{
	const char *const args[] = { "--data-dir=./var", "--run-dir=var/run", NULL };
	struct gw_config cfg;
	struct capture c;
	char dir[TEST_DIR_CAP], want[64], *before = getcwd(NULL, 0);

	(void)state;
	test_dir_make(dir);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(load(&cfg, &c, args), SETTINGS_RUN);
	snprintf(want, sizeof(want), "%s/var", dir);
	assert_string_equal(cfg.data_dir, want);
	snprintf(want, sizeof(want), "%s/var/run", dir);
	assert_string_equal(cfg.run_dir, want);
	gw_config_clear(&cfg);
	assert_int_equal(chdir(before), 0);
	free(before);
	test_dir_remove(dir);
}

static void test_another_root_key_is_recognised(void **state)
{
	const char *const args[] = {
		"--wa-root-key", "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
		NULL
	};
	struct gw_config cfg;
	struct capture c;

	(void)state;
	assert_int_equal(load(&cfg, &c, args), SETTINGS_RUN);
	assert_false(gw_config_root_key_is_whatsapps(&cfg));
	assert_int_equal(cfg.wa_root_key_bytes[1], 0x11);
	gw_config_clear(&cfg);
}

static void test_listen_is_taken_apart(void **state)
{
	struct gw_listen l;
	char url[128];

	(void)state;
	assert_int_equal(gw_listen_parse("0.0.0.0:80", &l), 0);
	gw_listen_url(&l, 80, url, sizeof(url));
	assert_string_equal(url, "http://localhost:80");
	assert_int_equal(gw_listen_parse("[2001:db8::1]:443", &l), 0);
	assert_string_equal(l.host, "2001:db8::1");
	gw_listen_url(&l, 443, url, sizeof(url));
	assert_string_equal(url, "http://[2001:db8::1]:443");
	assert_int_equal(gw_listen_parse("unix:/run/w.sock", &l), 0);
	assert_true(l.is_unix);
	gw_listen_url(&l, 0, url, sizeof(url));
	assert_string_equal(url, "http://localhost");
	assert_int_equal(gw_listen_parse("systemd", &l), 0);
	assert_true(l.is_systemd);
	assert_int_equal(l.port, 0);
	assert_int_equal(gw_listen_parse("[::1]", &l), -EINVAL);
	assert_int_equal(gw_listen_parse(":80", &l), -EINVAL);
	assert_int_equal(gw_listen_parse("1.2.3.4:", &l), -EINVAL);
	assert_int_equal(gw_listen_parse("1.2.3.4:+5", &l), -EINVAL);
	assert_int_equal(gw_listen_parse("", &l), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_the_contracts),
		cmocka_unit_test(test_flag_wins_over_environment),
		cmocka_unit_test(test_bad_values_name_the_setting_and_what_was_expected),
		cmocka_unit_test(test_good_values_of_checked_settings_pass),
		cmocka_unit_test(test_loading_leaves_settings_in_the_environment),
		cmocka_unit_test(test_redis_url_is_a_secret),
		cmocka_unit_test(test_unknown_variables_are_named),
		cmocka_unit_test(test_an_empty_variable_is_no_value_where_one_is_needed),
		cmocka_unit_test(test_relative_directories_become_absolute),
		cmocka_unit_test(test_another_root_key_is_recognised),
		cmocka_unit_test(test_listen_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
