/* tests/unit/test_log.c - log lines, read back from a pipe in place of stderr */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_journal.h"

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
	assert_true(json_is_true(json_object_get(obj, "cut")));
	json_decref(obj);
}

/* What is longer as JSON than it is, or of several bytes, so that a cut may fall into it. */
static const char *const pieces[] = {
	"\"", "\\", "\x01", "\x7f", "\xff", "\xc3\xbc", "\xf0\x9f\x98\x80"
};

/* A line whose text has pad characters in front of many of piece, and a number behind it. */
static void log_long(const char *piece, size_t pad, char *line, size_t cap)
{
	char big[5000];
	struct capture c;
	size_t n = pad;

	memset(big, 'a', pad);
	for (; n + strlen(piece) < sizeof(big); n += strlen(piece))
		memcpy(big + n, piece, strlen(piece));
	big[n] = '\0';
	capture_start(&c);
	LOG(NULL, LOG_ERR, "x", LF_INT("n", 7), LF_STR("big", big), LF_STR("behind", "b"));
	capture_end(&c, line, cap);
	assert_true(strlen(line) > 2000);
	assert_true(strlen(line) <= 2048);
	assert_true(line[strlen(line) - 1] == '\n');
}

static void test_a_line_is_cut_between_two_characters(void **state)
{
	char line[8192];
	json_t *obj;

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		for (size_t pad = 0; pad < 13; pad++) {
			log_init("prog", LOG_INFO, LOG_FMT_JSON);
			log_long(pieces[i], pad, line, sizeof(line));
			obj = json_loads(line, 0, NULL);
			assert_non_null(obj);
			assert_true(json_is_true(json_object_get(obj, "cut")));
			assert_true(json_string_length(json_object_get(obj, "big")) > 300);
			assert_int_equal(json_integer_value(json_object_get(obj, "n")), 7);
			assert_null(json_object_get(obj, "behind"));
			json_decref(obj);

			log_init("prog", LOG_INFO, LOG_FMT_TEXT);
			log_long(pieces[i], pad, line, sizeof(line));
			assert_non_null(strstr(line, "\" cut=true\n"));
			assert_null(strstr(line, "behind="));
			for (size_t at = 0; at < strlen(line); at += utf8_char_len(line + at))
				assert_true(utf8_char_len(line + at) > 0);
		}
	}
}

/* Whatever it is that does not fit any more: its name, a number, an id. */
static void test_a_field_that_finds_no_room_is_left_out(void **state)
{
	char big[2048], line[8192];
	struct capture c;
	json_t *obj;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JSON);
	for (size_t len = 1860; len < 2000; len++) {
		memset(big, 'a', len);
		big[len] = '\0';
		capture_start(&c);
		LOG(NULL, LOG_ERR, "x", LF_STR("big", big), LF_INT("number", -1234567890123456),
		    LF_ID("who", "x"), LF_BOOL("yes", true), LF_STR("none", NULL));
		capture_end(&c, line, sizeof(line));
		assert_true(strlen(line) <= 2048);
		obj = json_loads(line, 0, NULL);
		assert_non_null(obj);
		if (json_object_get(obj, "number") != NULL)
			assert_true(json_integer_value(json_object_get(obj, "number")) ==
			            -1234567890123456);
		assert_true((json_object_get(obj, "none") == NULL) ==
		            json_is_true(json_object_get(obj, "cut")));
		json_decref(obj);
	}
}

static void *log_ids(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 100; i++)
		LOG(NULL, LOG_ERR, "x", LF_ID("who", "somebody"));
	return NULL;
}

/* The first id of a process makes the salt: so this is the first test. */
static void test_threads_share_one_salt(void **state)
{
	static char text[65536];
	char first[16] = "", who[16];
	pthread_t threads[4];
	struct capture c;
	unsigned lines = 0;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_TEXT);
	capture_start(&c);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_ids, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	capture_end(&c, text, sizeof(text));
	for (char *rest, *l = strtok_r(text, "\n", &rest); l != NULL;
	     l = strtok_r(NULL, "\n", &rest), lines++) {
		assert_int_equal(sscanf(l, "%*s err prog[%*d] x who=%8s", who), 1);
		if (lines == 0)
			strcpy(first, who);
		assert_string_equal(who, first);
	}
	assert_int_equal(lines, 400);
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

/* ---- the journal ---------------------------------------------------------- */

static int journald_start(char dir[32])
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(dir, "/tmp/log-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/socket", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(log_journal_open(sun.sun_path, 1), 0);
	return fd;
}

static void journald_stop(int fd, const char *dir)
{
	char path[64];

	log_journal_close();
	close(fd);
	snprintf(path, sizeof(path), "%s/socket", dir);
	unlink(path);
	rmdir(dir);
}

static void test_journal_entry_has_its_fields(void **state)
{
	const struct log_ctx ctx = { .instance = "shop-3", .request_id = "req-7" };
	static const char want[] = "MESSAGE=worker_exit instance=shop-3 request=req-7 pid=4711 "
	                           "why=\"two\\u000alines\" err=handshake asked=true none=-\n"
	                           "PRIORITY=5\nSYSLOG_IDENTIFIER=prog\nEVENT=worker_exit\n"
	                           "INSTANCE=shop-3\nREQUEST_ID=req-7\nWARDEN_PID=4711\n"
	                           "WARDEN_WHY\n\x09\0\0\0\0\0\0\0two\nlines\n"
	                           "WARDEN_ERR=handshake\nWARDEN_ASKED=true\n";
	struct capture c;
	char dir[32], got[4096], line[256];
	int fd = journald_start(dir);

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JOURNAL);
	capture_start(&c);
	LOG(&ctx, LOG_NOTICE, "worker_exit", LF_INT("pid", 4711), LF_STR("why", "two\nlines"),
	    LF_ERR("err", WA_EHANDSHAKE), LF_BOOL("asked", true), LF_STR("none", NULL));
	capture_end(&c, line, sizeof(line));
	assert_string_equal(line, "");
	assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(want) - 1);
	assert_memory_equal(got, want, sizeof(want) - 1);
	journald_stop(fd, dir);
}

static void test_journal_entry_is_bounded(void **state)
{
	char dir[32], got[8192], text[3000], key[100];
	int fd = journald_start(dir);
	ssize_t n;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JOURNAL);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	LOG(NULL, LOG_ERR, "x", LF_STR("a", text), LF_STR(key, "v"), LF_INT("b-c", 1));
	n = recv(fd, got, sizeof(got) - 1, 0);
	assert_in_range(n, 1, sizeof(struct log_journal_entry));
	got[n] = '\0';
	assert_null(strstr(got, "WARDEN_A=")); /* no room beside the line */
	assert_null(strstr(got, "WARDEN_KKK"));
	assert_non_null(strstr(got, "\nWARDEN_B_C=1\n"));
	journald_stop(fd, dir);
}

static void test_without_journal_lines_go_to_stderr(void **state)
{
	struct capture c;
	char dir[32], line[256];
	int fd = journald_start(dir);

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JOURNAL);
	close(fd);
	capture_start(&c);
	LOG(NULL, LOG_WARNING, "gone");
	capture_end(&c, line, sizeof(line));
	assert_string_equal(line, "<4>gone\n");
	journald_stop(dup(STDERR_FILENO), dir);
	capture_start(&c);
	LOG(NULL, LOG_WARNING, "never");
	capture_end(&c, line, sizeof(line));
	assert_string_equal(line, "<4>never\n");
	assert_int_equal(log_journal_open("/nonexistent/socket", 1), -ENOENT);
	assert_false(log_journal_is_open());
}

static void test_a_full_journal_loses_lines_and_says_so(void **state)
{
	struct capture c;
	char dir[32], got[4096], line[256];
	int fd = journald_start(dir), heard = 0;
	bool told = false;
	ssize_t n;

	(void)state;
	log_init("prog", LOG_INFO, LOG_FMT_JOURNAL);
	capture_start(&c);
	for (int i = 0; i < 2000; i++)
		LOG(NULL, LOG_INFO, "flood");
	while (recv(fd, got, sizeof(got), 0) > 0)
		heard++;
	assert_in_range(heard, 1, 1999);
	LOG(NULL, LOG_INFO, "after");
	while ((n = recv(fd, got, sizeof(got) - 1, 0)) > 0) {
		got[n] = '\0';
		snprintf(line, sizeof(line), "MESSAGE=log_lines_lost n=%d\n", 2000 - heard);
		told |= strstr(got, line) != NULL;
	}
	assert_true(told);
	LOG(NULL, LOG_INFO, "once");
	assert_true(recv(fd, got, sizeof(got), 0) > 0);
	assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
	capture_end(&c, line, sizeof(line));
	assert_string_equal(line, "");
	journald_stop(fd, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_share_one_salt),
		cmocka_unit_test(test_text_line_quotes_what_needs_it),
		cmocka_unit_test(test_foreign_text_cannot_forge_a_line),
		cmocka_unit_test(test_foreign_bytes_that_are_no_utf8_leave_the_line_utf8),
		cmocka_unit_test(test_json_line_is_json_even_when_cut),
		cmocka_unit_test(test_a_line_is_cut_between_two_characters),
		cmocka_unit_test(test_a_field_that_finds_no_room_is_left_out),
		cmocka_unit_test(test_level_filters_before_arguments_are_read),
		cmocka_unit_test(test_id_is_stable_and_hides_its_text),
		cmocka_unit_test(test_journal_entry_has_its_fields),
		cmocka_unit_test(test_journal_entry_is_bounded),
		cmocka_unit_test(test_without_journal_lines_go_to_stderr),
		cmocka_unit_test(test_a_full_journal_loses_lines_and_says_so),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
