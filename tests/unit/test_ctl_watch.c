/* tests/unit/test_ctl_watch.c - wardenctl status --watch: what is worth a line, and how it reads */
#include "test.h"

#include <string.h>

#include "cli/ctl_status.h"
#include "common/attr.h"

#define AT "2026-11-29T18:20:15.123Z"
#define ERROR \
	"{\"code\":\"network\",\"detail\":\"Connection\\u001b " \
	"refused\",\"at\":\"2026-11-29T18:20:14Z\"}"

static json_t *instance(const char *state, const char *since, const char *error, int attempt)
{
	json_t *i =
	    json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:o, s:i, s:n}}", "id", "a", "name", "shop",
	              "connection", "state", state, "numberJid", "1@x", "since", since, "lastError",
	              json_loads(error, JSON_DECODE_ANY, NULL), "attempt", attempt, "nextRetryAt");

	assert_non_null(i);
	return i;
}

/* takes both; want NULL: not worth a line */
static void expect(json_t *was, json_t *is, const char *want)
{
	struct buf line = { 0 };
	json_t *change = NULL;
	int rc = ctl_watch_change(was, is, AT, &change);

	assert_int_equal(rc, want != NULL);
	if (want != NULL) {
		assert_int_equal(ctl_watch_line(change, &line), 0);
		assert_int_equal(buf_append_u8(&line, '\0'), 0);
		assert_string_equal((const char *)line.p, want);
	}
	buf_free(&line);
	json_decref(change);
	json_decref(was);
	json_decref(is);
}

static void test_a_line_for_each_instance_then_for_each_change(void **state)
{
	(void)state;
	expect(NULL, instance("connected", "1", "null", 0),
	       "2026-11-29T18:20:15Z shop connected\n");
	expect(instance("connected", "1", "null", 0), instance("connected", "1", "null", 0), NULL);
	expect(instance("connected", "1", "null", 0), instance("connecting", "2", ERROR, 1),
	       "2026-11-29T18:20:15Z shop connecting (was connected) network: Connection? "
	       "refused\n");
	expect(instance("connecting", "2", ERROR, 1), instance("connecting", "2", ERROR, 2),
	       "2026-11-29T18:20:15Z shop connecting network: Connection? refused\n");
	expect(instance("connecting", "2", ERROR, 2), instance("connected", "3", ERROR, 0),
	       "2026-11-29T18:20:15Z shop connected (was connecting)\n");
	expect(instance("connected", "3", "null", 0), NULL,
	       "2026-11-29T18:20:15Z shop deleted (was connected)\n");
	expect(instance("\033[2J", "1", "null", 0), instance("banned", "2", "null", 0),
	       "2026-11-29T18:20:15Z shop banned (was ?[2J)\n");
}

/* Between two looks it has gone and come back. */
static void test_a_flap_between_two_looks_is_seen(void **state)
{
	(void)state;
	expect(instance("connected", "1", "null", 0), instance("connected", "9", "null", 0),
	       "2026-11-29T18:20:15Z shop connected\n");
	expect(instance("disconnected", "1", "null", 0), instance("disconnected", "9", "null", 0),
	       NULL);
}

static void test_a_change_has_its_fields_for_programs(void **state)
{
	json_t *is = instance("connecting", "2", ERROR, 1), *change = NULL;

	(void)state;
	assert_int_equal(ctl_watch_change(NULL, is, AT, &change), 1);
	assert_string_equal(json_string_value(json_object_get(change, "at")), AT);
	assert_true(json_is_null(json_object_get(change, "was")));
	assert_true(json_is_null(json_object_get(change, "nextRetryAt")));
	assert_int_equal(json_integer_value(json_object_get(change, "attempt")), 1);
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(change, "lastError"), "code")),
	    "network");
	json_decref(change);
	json_decref(is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_for_each_instance_then_for_each_change),
		cmocka_unit_test(test_a_flap_between_two_looks_is_seen),
		cmocka_unit_test(test_a_change_has_its_fields_for_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
