/* tests/unit/test_ctl_sse.c - the server-sent events parser of wardenctl */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_sse.h"
#include "common/err.h"

/* Each event as "name=data|". */
static int collect(const char *event, const char *data, size_t data_len, void *arg)
{
	struct buf *out = arg;

	assert_int_equal(strlen(data), data_len);
	assert_int_equal(buf_appendf(out, "%s=%s|", event, data), 0);
	return 0;
}

/* The whole stream cut in two at `at`; the events as text, owned by the caller. */
static char *parse_cut(const char *stream, size_t stream_len, size_t at)
{
	struct ctl_sse sse = { 0 };
	struct buf out = { 0 };

	assert_int_equal(ctl_sse_feed(&sse, stream, at, collect, &out), 0);
	assert_int_equal(ctl_sse_feed(&sse, stream + at, stream_len - at, collect, &out), 0);
	assert_int_equal(buf_append_u8(&out, '\0'), 0);
	ctl_sse_clear(&sse);
	return (char *)out.p;
}

static void expect_events(const char *stream, const char *events)
{
	size_t len = strlen(stream);

	for (size_t at = 0; at <= len; at++) {
		char *got = parse_cut(stream, len, at);

		assert_string_equal(got, events);
		free(got);
	}
}

static void test_events_are_the_same_wherever_the_stream_is_cut(void **state)
{
	(void)state;
	expect_events("event: qr\ndata: {\"a\":1}\n\nevent: connected\ndata: {}\n\n",
	              "qr={\"a\":1}|connected={}|");
}

static void test_all_three_line_ends_are_taken(void **state)
{
	(void)state;
	expect_events("event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n",
	              "a=1|b=2|c=3|");
}

static void test_comments_and_unknown_fields_are_skipped(void **state)
{
	(void)state;
	expect_events(": keep\n\nid: 7\nretry: 9\nfoo: x\nbar\ndata: y\n\n", "message=y|");
}

static void test_data_lines_are_joined_by_lf(void **state)
{
	(void)state;
	expect_events("data: a\ndata:b\ndata\ndata:  c\n\n", "message=a\nb\n\n c|");
}

static void test_an_event_without_data_is_dropped_with_its_name(void **state)
{
	(void)state;
	expect_events("event: qr\n\ndata: x\n\n", "message=x|");
}

static void test_an_unfinished_event_is_not_given(void **state)
{
	(void)state;
	expect_events("event: qr\ndata: x\n", "");
}

static void test_a_byte_order_mark_is_only_skipped_at_the_start(void **state)
{
	(void)state;
	expect_events("\xef\xbb\xbf"
	              "data: x\n\n\xef\xbb\xbf"
	              "data: y\n\n",
	              "message=x|");
}

static void test_a_long_event_name_is_cut(void **state)
{
	char stream[256], want[256];

	(void)state;
	snprintf(stream, sizeof(stream), "event: %0100d\ndata: x\n\n", 0);
	snprintf(want, sizeof(want), "%0*d=x|", CTL_SSE_NAME_CAP - 1, 0);
	expect_events(stream, want);
}

static void test_a_line_over_the_bound_is_refused(void **state)
{
	struct ctl_sse sse = { 0 };
	char *big = malloc(CTL_SSE_LINE_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', CTL_SSE_LINE_MAX + 1);
	assert_int_equal(ctl_sse_feed(&sse, big, CTL_SSE_LINE_MAX, collect, NULL), 0);
	assert_int_equal(ctl_sse_feed(&sse, big, 1, collect, NULL), WA_ELIMIT);
	ctl_sse_clear(&sse);
	free(big);
}

static void test_many_data_lines_over_the_bound_are_refused(void **state)
{
	struct ctl_sse sse = { 0 };
	char line[1024];
	int rc = 0;
	size_t fed = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "data: ", 6);
	line[sizeof(line) - 1] = '\n';
	while (rc == 0 && fed < 2 * CTL_SSE_DATA_MAX) {
		rc = ctl_sse_feed(&sse, line, sizeof(line), collect, NULL);
		fed += sizeof(line);
	}
	assert_int_equal(rc, WA_ELIMIT);
	assert_true(fed > CTL_SSE_DATA_MAX - sizeof(line));
	ctl_sse_clear(&sse);
}

static int stop_at_once(const char *event, const char *data, size_t data_len, void *arg)
{
	(void)event;
	(void)data;
	(void)data_len;
	++*(int *)arg;
	return -42;
}

static void test_a_callback_can_end_the_parse(void **state)
{
	static const char stream[] = "data: 1\n\ndata: 2\n\n";
	struct ctl_sse sse = { 0 };
	int calls = 0;

	(void)state;
	assert_int_equal(ctl_sse_feed(&sse, stream, sizeof(stream) - 1, stop_at_once, &calls), -42);
	assert_int_equal(calls, 1);
	ctl_sse_clear(&sse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_are_the_same_wherever_the_stream_is_cut),
		cmocka_unit_test(test_all_three_line_ends_are_taken),
		cmocka_unit_test(test_comments_and_unknown_fields_are_skipped),
		cmocka_unit_test(test_data_lines_are_joined_by_lf),
		cmocka_unit_test(test_an_event_without_data_is_dropped_with_its_name),
		cmocka_unit_test(test_an_unfinished_event_is_not_given),
		cmocka_unit_test(test_a_byte_order_mark_is_only_skipped_at_the_start),
		cmocka_unit_test(test_a_long_event_name_is_cut),
		cmocka_unit_test(test_a_line_over_the_bound_is_refused),
		cmocka_unit_test(test_many_data_lines_over_the_bound_are_refused),
		cmocka_unit_test(test_a_callback_can_end_the_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
