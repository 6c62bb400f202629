/* tests/unit/test_log.c - log lines, read back from a pipe in place of stderr */
#include "test.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

struct capture {
	int saved, rd;
};

static void capture_start(struct capture *c)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	c->saved = dup(STDERR_FILENO);
	c->rd = fds[0];
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
}

static void capture_end(struct capture *c, char *out, size_t cap)
{
	ssize_t n;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	n = read(c->rd, out, cap - 1);
	out[n < 0 ? 0 : n] = '\0';
	close(c->rd);
}

static void test_text_line_quotes_what_needs_it(void **state)
{
	const struct log_ctx ctx = { .instance = "shop-3" };
	struct capture c;
	char line[4096];

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_TEXT);
	capture_start(&c);
	LOG(&ctx, LOG_NOTICE, "worker_exit", LF_INT("pid", 4711), LF_STR("why", "store locked"),
	    LF_STR("plain", "abc"), LF_ERR("err", WA_EHANDSHAKE), LF_BOOL("asked", true));
	capture_end(&c, line, sizeof(line));
	assert_non_null(strstr(line, " notice prog["));
	assert_non_null(strstr(line, "worker_exit instance=shop-3 pid=4711 why=\"store locked\" "
	                             "plain=abc err=handshake asked=true\n"));
}

static void test_foreign_text_cannot_forge_a_line(void **state)
{
	struct capture c;
	char line[4096];

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_TEXT);
	capture_start(&c);
	LOG(NULL, LOG_NOTICE, "x", LF_STR("path", "/a\nerr forged=1\x1b[2J \"q\""));
	capture_end(&c, line, sizeof(line));
	assert_null(strstr(line, "\nerr"));
	assert_null(strchr(line, '\x1b'));
	assert_non_null(strstr(line, "path=\"/a\\u000aerr forged=1\\u001b[2J \\\"q\\\"\"\n"));
}

static void test_foreign_bytes_that_are_no_utf8_leave_the_line_utf8(void **state)
{
	static const char foreign[] = "a\xffz\xc3(\xed\xa0\x80 \xc2\x9b"
	                              "2J \xc3\xbc";
	struct capture c;
	char line[4096];
	json_t *obj;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JSON);
	capture_start(&c);
	LOG(NULL, LOG_NOTICE, "x", LF_STR("tag", foreign));
	capture_end(&c, line, sizeof(line));
	obj = json_loads(line, 0, NULL);
	assert_non_null(obj);
	assert_non_null(
	    strstr(line, "\"a\\ufffdz\\ufffd(\\ufffd\\ufffd\\ufffd \\u009b2J \xc3\xbc\""));
	json_decref(obj);

	log_init("prog", LOG_INFO, LOG_FMT_TEXT);
	capture_start(&c);
	LOG(NULL, LOG_NOTICE, "x", LF_STR("bad", "a\xff"), LF_STR("c1", "a\xc2\x9b"),
	    LF_STR("plain", "\xc3\xbc"));
	capture_end(&c, line, sizeof(line));
	assert_non_null(strstr(line, "bad=\"a\\ufffd\" c1=\"a\\u009b\" plain=\xc3\xbc\n"));
}

static void test_json_line_is_json_even_when_cut(void **state)
{
	char big[5000], line[8192];
	struct capture c;
	json_t *obj;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JSON);
	capture_start(&c);
	LOG(NULL, LOG_ERR, "x", LF_STR("a", "b\"c"), LF_INT("n", -5), LF_STR("none", NULL));
	capture_end(&c, line, sizeof(line));
	obj = json_loads(line, 0, NULL);
	assert_non_null(obj);
	assert_string_equal(json_string_value(json_object_get(obj, "a")), "b\"c");
	assert_int_equal(json_integer_value(json_object_get(obj, "n")), -5);
	assert_true(json_is_null(json_object_get(obj, "none")));
	json_decref(obj);

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	capture_start(&c);
	LOG(NULL, LOG_ERR, "x", LF_STR("big", big));
	capture_end(&c, line, sizeof(line));
	assert_true(strlen(line) <= 2048);
	obj = json_loads(line, 0, NULL);
	assert_non_null(obj);
	json_decref(obj);
}

static void test_level_filters_before_arguments_are_read(void **state)
{
	struct capture c;
	char line[64];
	int evaluated = 0;

	(void)state;
	log_init("prog", LOG_NOTICE, LOG_FMT_TEXT);
	capture_start(&c);
	LOG(NULL, LOG_DEBUG, "x", LF_INT("n", ++evaluated));
	capture_end(&c, line, sizeof(line));
	assert_string_equal(line, "");
	assert_int_equal(evaluated, 0);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
	assert_true(log_level_parse("loud") < 0);
}

static void test_id_is_stable_and_hides_its_text(void **state)
{
	struct capture c;
	char line[4096], *a, *b;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_TEXT);
	capture_start(&c);
	LOG(NULL, LOG_INFO, "x", LF_ID("a", "5511999999999"), LF_ID("b", "5511999999999"),
	    LF_ID("c", "other"));
	capture_end(&c, line, sizeof(line));
	assert_null(strstr(line, "5511"));
	a = strstr(line, "a=");
	b = strstr(line, "b=");
	assert_memory_equal(a + 2, b + 2, 8);
	assert_memory_not_equal(a + 2, strstr(line, "c=") + 2, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_line_quotes_what_needs_it),
		cmocka_unit_test(test_foreign_text_cannot_forge_a_line),
		cmocka_unit_test(test_foreign_bytes_that_are_no_utf8_leave_the_line_utf8),
		cmocka_unit_test(test_json_line_is_json_even_when_cut),
		cmocka_unit_test(test_level_filters_before_arguments_are_read),
		cmocka_unit_test(test_id_is_stable_and_hides_its_text),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
