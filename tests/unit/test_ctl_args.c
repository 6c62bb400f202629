/* tests/unit/test_ctl_args.c - wardenctl's command line, and the address of the gateway */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl_args.h"
#include "cli/ctl_command.h"
#include "cli/ctl_url.h"

#define PARSE(args, why, ...) \
	ctl_args_parse((int)ARRAY_LEN(((const char *[]){ "wardenctl", __VA_ARGS__ })), \
	               (char *const *)(const char *[]){ "wardenctl", __VA_ARGS__ }, args, why)

static char why[CTL_ARGS_WHY_CAP];

static void test_options_may_stand_anywhere(void **state)
{
	struct ctl_args a;

	(void)state;
	assert_int_equal(PARSE(&a, why, "--json", "account", "--quota", "3", "create", "x"), 0);
	assert_int_equal(a.words_n, 3);
	assert_string_equal(a.word[2], "x");
	assert_non_null(a.opt[CTL_OPT_JSON]);
	assert_string_equal(a.opt[CTL_OPT_QUOTA], "3");
	assert_int_equal(PARSE(&a, why, "account", "create", "x", "--quota=4", "--json"), 0);
	assert_string_equal(a.opt[CTL_OPT_QUOTA], "4");
	assert_non_null(a.opt[CTL_OPT_JSON]);
}

static void test_two_dashes_end_the_options(void **state)
{
	struct ctl_args a;

	(void)state;
	assert_int_equal(PARSE(&a, why, "link", "--", "--json"), 0);
	assert_int_equal(a.words_n, 2);
	assert_string_equal(a.word[1], "--json");
	assert_null(a.opt[CTL_OPT_JSON]);
}

static void test_a_token_is_never_taken_from_an_argument(void **state)
{
	struct ctl_args a;

	(void)state;
	assert_int_equal(PARSE(&a, why, "status", "--token", "secret"), -EINVAL);
	assert_non_null(strstr(why, "WARDEN_TOKEN"));
	assert_non_null(strstr(why, "--token-file"));
	assert_int_equal(PARSE(&a, why, "status", "--token=secret"), -EINVAL);
	assert_null(strstr(why, "secret"));
	assert_int_equal(PARSE(&a, why, "status", "--token-file", "t"), 0);
	assert_string_equal(a.opt[CTL_OPT_TOKEN_FILE], "t");
}

static void test_a_password_is_never_taken_from_an_argument(void **state)
{
	struct ctl_args a;

	(void)state;
	assert_int_equal(PARSE(&a, why, "instance", "proxy", "x", "--password=secret"), -EINVAL);
	assert_non_null(strstr(why, "--password-file"));
	assert_null(strstr(why, "secret"));
	assert_int_equal(PARSE(&a, why, "--password-file", "f"), 0);
	assert_string_equal(a.opt[CTL_OPT_PASSWORD_FILE], "f");
}

static void test_wrong_options_are_named(void **state)
{
	struct ctl_args a;

	(void)state;
	assert_int_equal(PARSE(&a, why, "status", "--jso"), -EINVAL);
	assert_non_null(strstr(why, "--jso"));
	assert_int_equal(PARSE(&a, why, "status", "-j"), -EINVAL);
	assert_int_equal(PARSE(&a, why, "status", "--json=yes"), -EINVAL);
	assert_non_null(strstr(why, "no value"));
	assert_int_equal(PARSE(&a, why, "account", "create", "x", "--quota"), -EINVAL);
	assert_non_null(strstr(why, "--quota N"));
	assert_int_equal(PARSE(&a, why, "account", "create", "x", "--quota="), -EINVAL);
}

static void test_too_many_words_are_refused(void **state)
{
	static char program[] = "wardenctl", word[] = "word";
	char *argv[CTL_WORDS_MAX + 2] = { program };
	struct ctl_args a;

	(void)state;
	for (int i = 1; i <= CTL_WORDS_MAX + 1; i++)
		argv[i] = word;
	assert_int_equal(ctl_args_parse(CTL_WORDS_MAX + 1, argv, &a, why), 0);
	assert_int_equal(a.words_n, CTL_WORDS_MAX);
	assert_int_equal(ctl_args_parse(CTL_WORDS_MAX + 2, argv, &a, why), -EINVAL);
}

static void test_numbers_are_digits_in_range(void **state)
{
	int64_t n = 0;

	(void)state;
	assert_int_equal(ctl_args_number("0", 0, 10, &n), 0);
	assert_int_equal(ctl_args_number("3650", 1, 3650, &n), 0);
	assert_int_equal(n, 3650);
	assert_int_equal(ctl_args_number("3651", 1, 3650, &n), -EINVAL);
	assert_int_equal(ctl_args_number("", 0, 10, &n), -EINVAL);
	assert_int_equal(ctl_args_number("-1", 0, 10, &n), -EINVAL);
	assert_int_equal(ctl_args_number("1x", 0, 10, &n), -EINVAL);
	assert_int_equal(ctl_args_number("9223372036854775807", 0, INT64_MAX, &n), 0);
	assert_int_equal(ctl_args_number("9223372036854775808", 0, INT64_MAX, &n), -EINVAL);
}

static void test_names_are_the_contract_s(void **state)
{
	char name[102];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[100] = '\0';
	assert_true(ctl_args_name_valid(name));
	name[100] = 'a';
	name[101] = '\0';
	assert_false(ctl_args_name_valid(name));
	assert_true(ctl_args_name_valid("Shop_3-b"));
	assert_false(ctl_args_name_valid(""));
	assert_false(ctl_args_name_valid("a/b"));
	assert_false(ctl_args_name_valid("a b"));
	assert_false(ctl_args_name_valid("caf\xc3\xa9"));
}

static void test_phone_numbers_lose_their_decoration(void **state)
{
	char out[CTL_PHONE_CAP];

	(void)state;
	assert_int_equal(ctl_args_phone("+55 (11) 99999-9999", out), 0);
	assert_string_equal(out, "5511999999999");
	assert_int_equal(ctl_args_phone("1234567", out), 0);
	assert_int_equal(ctl_args_phone("123456789012345", out), 0);
	assert_int_equal(ctl_args_phone("1234567890123456", out), -EINVAL);
	assert_int_equal(ctl_args_phone("123456", out), -EINVAL);
	assert_int_equal(ctl_args_phone("0123456789", out), -EINVAL);
	assert_int_equal(ctl_args_phone("12345x7890", out), -EINVAL);
	assert_int_equal(ctl_args_phone("", out), -EINVAL);
}

static void expect_url(const char *url, enum ctl_transport transport, const char *host,
                       const char *port, const char *base, const char *shown)
{
	struct ctl_target t;
	const char *wrong = NULL;

	assert_int_equal(ctl_url_parse(url, &t, &wrong), 0);
	assert_int_equal(t.transport, transport);
	assert_string_equal(t.host, host);
	assert_string_equal(t.port, port);
	assert_string_equal(t.base, base);
	assert_string_equal(t.shown, shown);
}

static void test_addresses_of_the_gateway(void **state)
{
	(void)state;
	expect_url("http://127.0.0.1:8080", CTL_TCP, "127.0.0.1", "8080", "",
	           "http://127.0.0.1:8080");
	expect_url("HTTP://localhost/", CTL_TCP, "localhost", "80", "", "http://localhost:80");
	expect_url("http://[::1]:8080", CTL_TCP, "::1", "8080", "", "http://[::1]:8080");
	expect_url("https://wa.example.org/warden/", CTL_TLS, "wa.example.org", "443", "/warden",
	           "https://wa.example.org:443/warden");
	expect_url("unix:/run/warden/http.sock", CTL_UNIX, "", "", "", "/run/warden/http.sock");
}

static void test_other_addresses_are_refused_with_a_reason(void **state)
{
	static const char *const wrong_urls[] = { "",
		                                  "127.0.0.1:8080",
		                                  "ftp://x",
		                                  "http://",
		                                  "http://:80",
		                                  "http://user@host",
		                                  "http://host:0",
		                                  "http://host:65536",
		                                  "http://host:",
		                                  "http://host:80x",
		                                  "http://[::1",
		                                  "http://[::1]x",
		                                  "http://host/?q",
		                                  "http://host/#f",
		                                  "http://ho st/",
		                                  "http://host/a b",
		                                  "unix:relative",
		                                  "unix:",
		                                  "http://host/\r\nX: y" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong_urls); i++) {
		struct ctl_target t;
		const char *wrong = NULL;

		assert_int_equal(ctl_url_parse(wrong_urls[i], &t, &wrong), -EINVAL);
		assert_non_null(wrong);
	}
}

static void test_a_socket_path_has_to_fit(void **state)
{
	struct ctl_target t;
	char dir[200];

	(void)state;
	memset(dir, 'd', sizeof(dir));
	dir[0] = '/';
	dir[sizeof(t.path) - sizeof("/admin.sock")] = '\0';
	assert_int_equal(ctl_url_unix(dir, "admin.sock", &t), 0);
	assert_int_equal(strlen(t.path), sizeof(t.path) - 1);
	dir[sizeof(t.path) - sizeof("/admin.sock")] = 'd';
	dir[sizeof(t.path) - sizeof("/admin.sock") + 1] = '\0';
	assert_int_equal(ctl_url_unix(dir, "admin.sock", &t), -ENAMETOOLONG);
}

static void test_wrong_usage_is_exit_code_2(void **state)
{
	static const char *const calls[][5] = {
		{ "wardenctl", NULL },
		{ "wardenctl", "acount", NULL },
		{ "wardenctl", "account", NULL },
		{ "wardenctl", "account", "make", NULL },
		{ "wardenctl", "account", "create", NULL },
		{ "wardenctl", "account", "create", "a b", NULL },
		{ "wardenctl", "account", "list", "x", NULL },
		{ "wardenctl", "link", NULL },
		{ "wardenctl", "link", "x", "y", NULL },
		{ "wardenctl", "status", "--quota=1", NULL },
		{ "wardenctl", "--token=x", "status", NULL },
		{ "wardenctl", "account", "create", "--quota=x", "n" },
		{ "wardenctl", "reconnect", NULL },
		{ "wardenctl", "instance", "logout", "x", "y" },
		{ "wardenctl", "instance", "settings", "x", "ignoreStatus" },
		{ "wardenctl", "instance", "settings", "x", "ignoreStatus=1" },
		{ "wardenctl", "instance", "settings", "x", "none=true" },
		{ "wardenctl", "instance", "proxy", "x", "host:1" },
		{ "wardenctl", "instance", "proxy", "x", "http://host" },
		{ "wardenctl", "instance", "proxy", "x", "http://host:0" },
		{ "wardenctl", "instance", "proxy", "x", "http://host:1/" },
		{ "wardenctl", "instance", "proxy", "x", "http://::1:1" },
		{ "wardenctl", "instance", "proxy", "x", "http://u:p@host:1" },
		{ "wardenctl", "instance", "proxy", "x", "--password=p" },
		{ "wardenctl", "instance", "proxy", "x", "--password-file=/none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		int argc = 0;

		while (argc < 5 && calls[i][argc] != NULL)
			argc++;
		assert_int_equal(ctl_command_main(argc, (char *const *)calls[i]), CTL_EXIT_USAGE);
	}
}

static void test_each_command_has_an_example_of_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < ctl_commands_n; i++) {
		const struct ctl_command *c = &ctl_commands[i];
		char begin[64];

		snprintf(begin, sizeof(begin), "wardenctl %s%s%s", c->noun,
		         c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "");
		assert_non_null(c->example);
		if (strstr(c->example, begin) == NULL)
			fail_msg("%s: %s", begin, c->example);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_command_has_an_example_of_itself),
		cmocka_unit_test(test_options_may_stand_anywhere),
		cmocka_unit_test(test_two_dashes_end_the_options),
		cmocka_unit_test(test_a_token_is_never_taken_from_an_argument),
		cmocka_unit_test(test_a_password_is_never_taken_from_an_argument),
		cmocka_unit_test(test_wrong_options_are_named),
		cmocka_unit_test(test_too_many_words_are_refused),
		cmocka_unit_test(test_numbers_are_digits_in_range),
		cmocka_unit_test(test_names_are_the_contract_s),
		cmocka_unit_test(test_phone_numbers_lose_their_decoration),
		cmocka_unit_test(test_addresses_of_the_gateway),
		cmocka_unit_test(test_other_addresses_are_refused_with_a_reason),
		cmocka_unit_test(test_a_socket_path_has_to_fit),
		cmocka_unit_test(test_wrong_usage_is_exit_code_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
