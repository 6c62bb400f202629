/* tests/unit/test_settings.c - the settings table: sources, ranges, messages */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/settings.h"

struct values {
	char *listen;
	int64_t limit;
	bool on;
	int runner;
	char *password;
};

static bool check_listen(const char *text, const char **expected_out)
{
	*expected_out = "an address and a port";
	return strchr(text, ':') != NULL;
}

static const struct setting table[] = {
	{ .name = "listen",
	  .type = SETTING_STR,
	  .offset = offsetof(struct values, listen),
	  .def = "127.0.0.1:8080",
	  .help = "address and port",
	  .check = check_listen },
	{ .name = "limit_per_minute",
	  .type = SETTING_INT,
	  .offset = offsetof(struct values, limit),
	  .def = "100",
	  .min = 1,
	  .max = 1000,
	  .help = "requests" },
	{ .name = "turned_on",
	  .type = SETTING_BOOL,
	  .offset = offsetof(struct values, on),
	  .def = "0",
	  .help = "x" },
	{ .name = "worker_runner",
	  .type = SETTING_ENUM,
	  .offset = offsetof(struct values, runner),
	  .def = "zygote",
	  .choices = "exec|zygote|systemd",
	  .help = "x" },
	{ .name = "redis_password",
	  .type = SETTING_STR,
	  .offset = offsetof(struct values, password),
	  .secret = true,
	  .help = "x" },
};
static const char *const other_env[] = { "WARDEN_URL", NULL };
static const struct settings_program prog = {
	.name = "prog",
	.synopsis = "prog does things",
	.table = table,
	.table_n = ARRAY_LEN(table),
	.other_env = other_env,
};

/* Run with the given flags; what was printed on stderr goes to err_out. */
static enum settings_result load(struct values *v, char *err_out, size_t err_cap, int argc, ...)
{
	char *argv[16] = { (char *)(uintptr_t) "prog" };
	char name[] = "/tmp/warden-test-settings-XXXXXX";
	int fd = mkstemp(name), saved = dup(STDERR_FILENO);
	enum settings_result res;
	va_list ap;
	ssize_t n;

	va_start(ap, argc);
	for (int i = 1; i <= argc; i++)
		argv[i] = va_arg(ap, char *);
	va_end(ap);
	memset(v, 0, sizeof(*v));
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	res = settings_load(&prog, argc + 1, argv, v);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fd, err_out, err_cap - 1, 0);
	err_out[n < 0 ? 0 : n] = '\0';
	close(fd);
	unlink(name);
	return res;
}

static void test_defaults_then_environment_then_flag(void **state)
{
	struct values v;
	char err[512];

	(void)state;
	assert_int_equal(load(&v, err, sizeof(err), 0), SETTINGS_RUN);
	assert_string_equal(v.listen, "127.0.0.1:8080");
	assert_int_equal(v.limit, 100);
	assert_int_equal(v.runner, 1);
	settings_clear(&prog, &v);

	setenv("WARDEN_LIMIT_PER_MINUTE", "7", 1);
	setenv("WARDEN_TURNED_ON", "yes", 1);
	assert_int_equal(load(&v, err, sizeof(err), 0), SETTINGS_RUN);
	assert_int_equal(v.limit, 7);
	assert_true(v.on);
	settings_clear(&prog, &v);
	assert_int_equal(
	    load(&v, err, sizeof(err), 2, "--limit-per-minute=9", "--worker-runner=systemd"),
	    SETTINGS_RUN);
	assert_int_equal(v.limit, 9);
	assert_int_equal(v.runner, 2);
	settings_clear(&prog, &v);
	assert_int_equal(load(&v, err, sizeof(err), 2, "--listen", "[::1]:0"), SETTINGS_RUN);
	assert_string_equal(v.listen, "[::1]:0");
	settings_clear(&prog, &v);
	unsetenv("WARDEN_LIMIT_PER_MINUTE");
	unsetenv("WARDEN_TURNED_ON");
}

static void test_bad_value_says_which_what_and_where_from(void **state)
{
	struct values v;
	char err[512];

	(void)state;
	assert_int_equal(load(&v, err, sizeof(err), 1, "--limit-per-minute=0"), SETTINGS_EXIT_2);
	assert_string_equal(
	    err,
	    "prog: limit_per_minute is \"0\" (from --limit-per-minute); expected a whole number "
	    "from 1 to 1000\n");
	settings_clear(&prog, &v);
	setenv("WARDEN_WORKER_RUNNER", "docker", 1);
	assert_int_equal(load(&v, err, sizeof(err), 0), SETTINGS_EXIT_2);
	assert_string_equal(
	    err, "prog: worker_runner is \"docker\" (from WARDEN_WORKER_RUNNER); expected one of "
	         "exec|zygote|systemd\n");
	settings_clear(&prog, &v);
	unsetenv("WARDEN_WORKER_RUNNER");
	assert_int_equal(load(&v, err, sizeof(err), 1, "--listen=8080"), SETTINGS_EXIT_2);
	assert_non_null(strstr(err, "expected an address and a port"));
	settings_clear(&prog, &v);
}

static void test_numbers_are_whole_and_bounded(void **state)
{
	static const char *const bad[] = { "--limit-per-minute=",
		                           "--limit-per-minute= 5",
		                           "--limit-per-minute=5x",
		                           "--limit-per-minute=1001",
		                           "--limit-per-minute=99999999999999999999",
		                           "--limit-per-minute=-1" };
	struct values v;
	char err[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(load(&v, err, sizeof(err), 1, bad[i]), SETTINGS_EXIT_2);
		settings_clear(&prog, &v);
	}
}

static void test_secret_has_no_flag_and_leaves_the_environment(void **state)
{
	struct values v;
	char err[512];

	(void)state;
	assert_int_equal(load(&v, err, sizeof(err), 1, "--redis-password=hunter2"),
	                 SETTINGS_EXIT_2);
	assert_non_null(strstr(err, "WARDEN_REDIS_PASSWORD"));
	assert_null(strstr(err, "hunter2"));
	settings_clear(&prog, &v);
	setenv("WARDEN_REDIS_PASSWORD", "hunter2", 1);
	assert_int_equal(load(&v, err, sizeof(err), 0), SETTINGS_RUN);
	assert_string_equal(v.password, "hunter2");
	assert_null(getenv("WARDEN_REDIS_PASSWORD"));
	settings_clear(&prog, &v);
}

static void test_unknown_variable_is_named_and_unknown_flag_stops(void **state)
{
	struct values v;
	char err[512];

	(void)state;
	setenv("WARDEN_LIMITS", "1", 1);
	setenv("WARDEN_URL", "http://x", 1); /* another program's */
	assert_int_equal(load(&v, err, sizeof(err), 0), SETTINGS_RUN);
	assert_non_null(strstr(err, "WARDEN_LIMITS"));
	assert_null(strstr(err, "WARDEN_URL"));
	settings_clear(&prog, &v);
	unsetenv("WARDEN_LIMITS");
	unsetenv("WARDEN_URL");
	assert_int_equal(load(&v, err, sizeof(err), 1, "--limits=1"), SETTINGS_EXIT_2);
	settings_clear(&prog, &v);
	assert_int_equal(load(&v, err, sizeof(err), 1, "--listen"), SETTINGS_EXIT_2);
	assert_non_null(strstr(err, "a value is missing"));
	settings_clear(&prog, &v);
}

static void test_print_config_masks_secrets(void **state)
{
	struct values v;
	char err[512], text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	setenv("WARDEN_REDIS_PASSWORD", "hunter2", 1);
	assert_int_equal(load(&v, err, sizeof(err), 0), SETTINGS_RUN);
	settings_print(&prog, &v, out);
	fclose(out);
	assert_string_equal(
	    text, "listen=127.0.0.1:8080\nlimit_per_minute=100\nturned_on=0\nworker_runner=zygote\n"
	          "redis_password=********\n");
	settings_clear(&prog, &v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_then_environment_then_flag),
		cmocka_unit_test(test_bad_value_says_which_what_and_where_from),
		cmocka_unit_test(test_numbers_are_whole_and_bounded),
		cmocka_unit_test(test_secret_has_no_flag_and_leaves_the_environment),
		cmocka_unit_test(test_unknown_variable_is_named_and_unknown_flag_stops),
		cmocka_unit_test(test_print_config_masks_secrets),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
