/* tests/unit/test_gw_event.c - one event as clients see it: kinds, filters, its text */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "gateway/events/gw_event.h"

static void test_kinds_have_names_both_ways(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind < GW_EVENT_KIND_END; kind++) {
		const char *name = gw_event_kind_name(kind);

		assert_non_null(name);
		assert_int_equal(gw_event_kind_find(name, strlen(name)), kind);
		assert_int_equal(gw_event_kind_find(name, strlen(name) - 1), 0);
	}
	assert_null(gw_event_kind_name(0));
	assert_null(gw_event_kind_name(GW_EVENT_KIND_END));
	assert_int_equal(gw_event_kind_find("message.exchangf", 16), 0);
}

static void test_a_filter_wants_its_kinds_and_history_only_if_it_says_so(void **state)
{
	const struct gw_event_filter all = { .kinds = 0 };
	const struct gw_event_filter calls = { .kinds = 1u << GW_EVENT_CALL_UPDATE,
		                               .history = true };

	(void)state;
	assert_true(gw_event_wanted(&all, GW_EVENT_CALL_UPDATE, 0));
	assert_true(gw_event_wanted(&all, GW_EVENT_GROUP_FLOW, GW_EVENT_HAS_MEDIA));
	assert_false(gw_event_wanted(&all, GW_EVENT_CALL_UPDATE, GW_EVENT_FROM_HISTORY));
	assert_true(gw_event_wanted(&calls, GW_EVENT_CALL_UPDATE, GW_EVENT_FROM_HISTORY));
	assert_false(gw_event_wanted(&calls, GW_EVENT_GROUP_FLOW, 0));
}

static void test_a_list_of_kinds_is_read_whole_or_not_at_all(void **state)
{
	static const char *const bad[] = {
		"call", "call.update,", ",call.update", "call.update,,group.flow", "call.update ",
		",",
	};
	uint32_t kinds = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gw_event_kinds_parse(bad[i], &kinds), -EINVAL);
	assert_int_equal(kinds, 77); /* untouched */
	assert_int_equal(gw_event_kinds_parse("call.update,group.flow,call.update", &kinds), 0);
	assert_int_equal(kinds, 1u << GW_EVENT_CALL_UPDATE | 1u << GW_EVENT_GROUP_FLOW);
	assert_int_equal(gw_event_kinds_parse("", &kinds), 0);
	assert_int_equal(kinds, 0);
	assert_int_equal(gw_event_kinds_parse(NULL, &kinds), 0);
	assert_int_equal(kinds, 0);
}

static void test_kinds_as_json_are_their_names(void **state)
{
	json_t *a = gw_event_kinds_json(1u << GW_EVENT_CALL_UPDATE | 1u << GW_EVENT_INSTANCE_STATE);

	(void)state;
	assert_int_equal(json_array_size(a), 2);
	assert_string_equal(json_string_value(json_array_get(a, 0)), "call.update");
	assert_string_equal(json_string_value(json_array_get(a, 1)), "instance.state");
	json_decref(a);
	a = gw_event_kinds_json(0);
	assert_true(json_is_array(a));
	assert_int_equal(json_array_size(a), 0);
	json_decref(a);
}

static const struct gw_event_source source = {
	.sequence = 4711,
	.kind = GW_EVENT_MESSAGE_STATUS,
	.unix_ms = 1700000000123,
	.id = "evt_abcdefghijklmnopqrstuvwx",
	.base_url = "http://h\"\\\x01/x",
	.instance = "shop-3",
	.data = "{\"a\":1}",
	.data_len = 7,
};

static void test_the_text_is_json_whatever_the_operator_wrote(void **state)
{
	struct buf out = { 0 };
	size_t data_at = 0;
	const json_t *data;
	json_t *v;

	(void)state;
	assert_int_equal(gw_event_text(&source, &out, &data_at), 0);
	assert_memory_equal(out.p + data_at, "{\"a\":1}", 7);
	v = json_loadb((const char *)out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(v);
	assert_string_equal(json_string_value(json_object_get(v, "event")), "message.status");
	assert_string_equal(json_string_value(json_object_get(v, "timestamp")),
	                    "2023-11-14T22:13:20.123Z");
	data = json_object_get(v, "instanceData");
	assert_string_equal(json_string_value(json_object_get(data, "baseUrl")), source.base_url);
	assert_string_equal(json_string_value(json_object_get(data, "instance")), "shop-3");
	json_decref(v);
	buf_free(&out);
}

static const char *timestamp_of(int64_t unix_ms, struct buf *out)
{
	struct gw_event_source s = source;
	size_t data_at;

	s.unix_ms = unix_ms;
	buf_reset(out);
	assert_int_equal(gw_event_text(&s, out, &data_at), 0);
	assert_int_equal(buf_append_u8(out, 0), 0);
	return strstr((const char *)out->p, "\"timestamp\":");
}

static void test_a_time_beyond_four_digits_of_a_year_is_cut(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_memory_equal(timestamp_of(INT64_MIN, &out), "\"timestamp\":\"1970-01-01T00", 26);
	assert_memory_equal(timestamp_of(INT64_MAX, &out), "\"timestamp\":\"9999-12-31T23", 26);
	buf_free(&out);
}

static void test_one_member_more_of_data(void **state)
{
	static const char text[] = "{\"event\":\"x\",\"data\":{\"a\":1},\"instanceData\":{}}";
	static const char none[] = "{\"data\":{}}";
	struct gw_event e = {
		.text = text, .text_len = sizeof(text) - 1, .data_at = 20, .data_len = 7
	};
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(gw_event_text_with(&e, "codes", "[2]", &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_string_equal(
	    (const char *)out.p,
	    "{\"event\":\"x\",\"data\":{\"a\":1,\"codes\":[2]},\"instanceData\":{}}");
	buf_reset(&out);
	e = (struct gw_event){ .text = none, .text_len = 11, .data_at = 8, .data_len = 2 };
	assert_int_equal(gw_event_text_with(&e, "codes", "[2]", &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_string_equal((const char *)out.p, "{\"data\":{\"codes\":[2]}}");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_have_names_both_ways),
		cmocka_unit_test(test_a_filter_wants_its_kinds_and_history_only_if_it_says_so),
		cmocka_unit_test(test_a_list_of_kinds_is_read_whole_or_not_at_all),
		cmocka_unit_test(test_kinds_as_json_are_their_names),
		cmocka_unit_test(test_the_text_is_json_whatever_the_operator_wrote),
		cmocka_unit_test(test_a_time_beyond_four_digits_of_a_year_is_cut),
		cmocka_unit_test(test_one_member_more_of_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
