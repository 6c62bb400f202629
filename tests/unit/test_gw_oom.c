/*
 * tests/unit/test_gw_oom.c - memory running out at each allocation in turn, the gateway's readers
 * and writers
 *
 * Each operation is repeated with its first allocation failing, then its second, until it succeeds
 * (starve.h); before that it says -ENOMEM and leaves what it was given as it was.
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_text.h"
#include "gateway/events/gw_event.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_body.h"
#include "starve.h"

static const char data[] = "{\"text\":\"a message of some length, so that room has to be made\"}";

/* Longer than a first reserve, and with something to escape in every place. */
static char base_url[600];

static void make_base_url(void)
{
	static const char part[] = "http://h\"\\\x01/";

	for (size_t i = 0; i < sizeof(base_url) - 1; i++)
		base_url[i] = part[i % (sizeof(part) - 1)];
}

/* The buffer is as full as it can be, so that any byte more is an allocation. */
static void fill(struct buf *out, size_t room)
{
	assert_int_equal(buf_reserve(out, 4096), 0);
	while (out->cap - out->len > room)
		out->p[out->len++] = '.';
}

static void test_an_event_without_memory_is_no_event(void **state)
{
	const struct gw_event_source s = { .sequence = 1,
		                           .kind = GW_EVENT_CALL_UPDATE,
		                           .unix_ms = 1,
		                           .id = "evt_abcdefghijklmnopqrstuvwx",
		                           .base_url = base_url,
		                           .instance = base_url,
		                           .data = data,
		                           .data_len = sizeof(data) - 1 };

	(void)state;
	/* wherever in the text the room ends */
	for (size_t room = 0; room < 3000; room += 7) {
		struct buf out = { 0 };
		size_t data_at = 77;
		bool more = true;

		for (long n = 0; more; n++) {
			int rc;

			buf_free(&out);
			fill(&out, room);
			starve_at(n);
			rc = gw_event_text(&s, &out, &data_at);
			more = starve_end();
			assert_int_equal(rc, more ? -ENOMEM : 0);
			if (more)
				assert_int_equal(data_at, 77);
		}
		assert_memory_equal(out.p + data_at, data, sizeof(data) - 1);
		buf_free(&out);
	}
}

static void test_one_member_more_needs_memory(void **state)
{
	static const char text[] = "{\"data\":{\"a\":1},\"instanceData\":{}}";
	const struct gw_event e = {
		.text = text, .text_len = sizeof(text) - 1, .data_at = 8, .data_len = 7
	};

	(void)state;
	for (size_t room = 0; room < sizeof(text) + 16; room++) {
		struct buf out = { 0 };
		bool more = true;

		for (long n = 0; more; n++) {
			int rc;

			buf_free(&out);
			fill(&out, room);
			starve_at(n);
			rc = gw_event_text_with(&e, "codes", "[2]", &out);
			more = starve_end();
			assert_int_equal(rc, more ? -ENOMEM : 0);
		}
		buf_free(&out);
	}
}

static void test_kinds_as_json_or_not_at_all(void **state)
{
	json_t *a = NULL;
	bool more = true;

	(void)state;
	for (long n = 0; more; n++) {
		json_decref(a);
		starve_at(n);
		a = gw_event_kinds_json(~UINT32_C(0));
		more = starve_end();
		assert_true(more ? a == NULL : a != NULL);
	}
	assert_int_equal(json_array_size(a), GW_EVENT_KIND_END - 1);
	json_decref(a);
}

static void test_settings_are_kept_whole_or_not_at_all(void **state)
{
	static const char body[] = "{\"autoRejectCalls\":true,\"callRejectMessage\":\"later\","
	                           "\"ignoreStatus\":false}";
	json_t *v = json_loads(body, 0, NULL);
	char why[GW_BODY_WHY_CAP] = "", *text = NULL;
	bool more = true;

	(void)state;
	for (long n = 0; more; n++) {
		int rc;

		starve_at(n);
		rc = gw_body_settings(v, &text, why);
		more = starve_end();
		assert_int_equal(rc, more ? -ENOMEM : 3);
		if (more)
			assert_null(text);
	}
	assert_non_null(strstr(text, "\"later\""));
	free(text);
	json_decref(v);
}

static void test_a_list_of_networks_whole_or_not_at_all(void **state)
{
	struct gw_addr_list *list = NULL;
	bool more = true;

	(void)state;
	for (long n = 0; more; n++) {
		int rc;

		starve_at(n);
		rc = gw_addr_list_parse("10.0.0.0/8, ::1, unix", &list);
		more = starve_end();
		assert_int_equal(rc, more ? -ENOMEM : 0);
		if (more)
			assert_null(list);
	}
	gw_addr_list_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_without_memory_is_no_event),
		cmocka_unit_test(test_one_member_more_needs_memory),
		cmocka_unit_test(test_kinds_as_json_or_not_at_all),
		cmocka_unit_test(test_settings_are_kept_whole_or_not_at_all),
		cmocka_unit_test(test_a_list_of_networks_whole_or_not_at_all),
	};

	make_base_url();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
