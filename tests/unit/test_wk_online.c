/* tests/unit/test_wk_online.c - from <success> to online, stanza by stanza */
#include "test.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/err.h"
#include "online_fixture.h"
#include "worker/wa/stanza/wa_stanza.h"

#define DAY_MS 86400000LL

/* ---- the order of things ------------------------------------------------------------------------
 */

static void test_first_login_runs_the_bring_up_in_order(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_expect(f, "count");
	fx_count(f, "0");
	fx_expect(f, "upload:812");
	fx_ok(f, "upload:812");
	fx_expect(f, "active");
	fx_ib(f, "offline_preview");
	fx_expect(f, "");
	fx_ok(f, "active");
	fx_expect(f, "unified_session offline_batch");
	fx_ib(f, "offline");
	fx_expect(f, FX_BRINGUP_END);
}

static void test_login_with_enough_keys_uploads_none(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "5");
	fx_expect(f, "count active");
}

static void test_login_with_few_keys_uploads_fifty(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "4");
	fx_expect(f, "count upload:50");
}

static void test_requests_say_what_the_protocol_wants(void **state)
{
	struct fx *f = *state;
	const struct wa_node *n;

	fx_online(f, 1);
	n = fx_sent(f, "props");
	assert_string_equal(wa_node_attr(n, "xmlns"), "abt");
	assert_true(wa_node_attr_is(wa_node_child(n, "props"), "protocol", "1"));
	assert_null(wa_node_attr(wa_node_child(n, "props"), "hash"));
	n = fx_sent(f, "blocklist");
	assert_string_equal(wa_node_attr(n, "type"), "get");
	assert_int_equal(n->content, WA_CONTENT_NONE);
	n = fx_sent(f, "privacy");
	assert_string_equal(wa_node_attr(n, "xmlns"), "privacy");
	n = fx_sent(f, "active");
	assert_string_equal(wa_node_attr(n, "to"), WA_SERVER_JID);
}

static void test_unified_session_follows_the_servers_clock(void **state)
{
	struct fx *f = *state;
	const struct wa_node *n;
	uint64_t id = 0;
	int64_t expected, off;

	fx_online(f, 1); /* the fixture's server is an hour ahead */
	n = wa_node_child(fx_sent(f, "unified_session"), "unified_session");
	assert_int_equal(wa_node_attr_u64(n, "id", 7 * DAY_MS - 1, &id), 0);
	expected = (clock_unix_ms() + 3600000 + 3 * DAY_MS) % (7 * DAY_MS);
	off = (expected - (int64_t)id + 7 * DAY_MS) % (7 * DAY_MS);
	assert_true(off < 5000 || off > 7 * DAY_MS - 5000);
}

/* ---- <success> ----------------------------------------------------------------------------------
 */

static void test_login_is_on_disk_before_anything_is_sent(void **state)
{
	struct fx *f = *state;

	f->creds.lid[0] = '\0';
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_expect(f, "PROFILE count");
	assert_true(f->saved_when_count);
	assert_int_equal(f->creds.logins, 1);
	assert_true(f->creds.confirmed);
	assert_string_equal(f->creds.lid, FX_LID);
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_expect(f, "count");
	assert_true(f->saved_when_count);
	assert_int_equal(f->creds.logins, 2);
}

static void test_name_from_the_login_stands_in_for_a_push_name(void **state)
{
	struct fx *f = *state;

	f->creds.push_name[0] = '\0';
	f->display_name = "Ana \xc3\xa9\xff";
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_expect(f, "PROFILE count");
	assert_string_equal(f->creds.push_name, "Ana \xc3\xa9?");
	f->display_name = "Another";
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_expect(f, "count");
	assert_string_equal(f->creds.push_name, "Ana \xc3\xa9?");
}

static void test_login_that_can_not_be_saved_sends_nothing(void **state)
{
	struct fx *f = *state;

	f->creds.lid[0] = '\0';
	fx_new(f, 1);
	fx_disk_full(true);
	fx_start(f, FX_LID);
	fx_disk_full(false);
	fx_expect(f, "FAILED");
	assert_int_equal(f->failure.rc, WA_ESTORAGE);
	assert_int_equal(f->creds.logins, 0);
	assert_false(f->creds.confirmed);
	assert_string_equal(f->creds.lid, "");
	fx_give(f, fx_stanza("notification", "1", NULL, "devices"));
	fx_expect(f, ""); /* nothing is acked after it */
}

static void test_lid_that_differs_is_not_believed(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, "987:3@lid");
	fx_expect(f, "count");
	assert_string_equal(f->creds.lid, FX_LID);
}

static void test_second_success_changes_nothing(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_start(f, FX_LID);
	fx_expect(f, "count");
	assert_int_equal(f->creds.logins, 1);
	fx_give(f, wa_node_new("success"));
	fx_expect(f, "");
}

static void test_stanza_before_success_is_not_looked_at(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_give(f, fx_stanza("notification", "1", NULL, "devices"));
	fx_ib(f, "offline");
	fx_expect(f, "");
	assert_int_equal(wk_online_logout(f->online), WA_ESTATE);
}

static void test_what_is_no_success_ends_the_stream(void **state)
{
	struct fx *f = *state;
	struct wa_node *n = wa_node_new("failure");

	fx_new(f, 1);
	wk_online_start(f->online, n);
	wa_node_free(n);
	fx_expect(f, "FAILED");
	assert_int_equal(f->failure.rc, WA_EPROTO);
}

/* ---- requests that go wrong ---------------------------------------------------------------------
 */

static void test_refused_count_does_not_keep_from_online(void **state)
{
	static const int codes[] = { 400, 404, 429, 500, 503 };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		fx_new(f, 1);
		fx_start(f, FX_LID);
		fx_error(f, "count", codes[i]);
		fx_expect(f, "count active");
	}
}

static void test_unreadable_count_does_not_keep_from_online(void **state)
{
	struct wk_online_counts counts;
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_ok(f, "count");
	fx_expect(f, "count active");
	wk_online_count(f->online, &counts);
	assert_int_equal(counts.bad, 1);
}

static void test_count_refused_for_a_while_is_asked_again(void **state)
{
	struct fx *f = *state;

	fx_new(f, 200);
	fx_start(f, FX_LID);
	fx_error(f, "count", 503);
	fx_expect(f, "count active");
	fx_wait(f);
	fx_expect(f, "count");
	fx_count(f, "3");
	fx_expect(f, "upload:50"); /* beside the bring-up, which goes on with active */
	fx_ok(f, "upload:50");
	fx_ok(f, "active");
	fx_expect(f, "unified_session");
}

static void test_refused_upload_does_not_keep_from_online(void **state)
{
	static const int codes[] = { 406, 500, 503 };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		fx_new(f, 1);
		fx_start(f, FX_LID);
		fx_count(f, "0");
		fx_error(f, "upload:812", codes[i]);
		fx_expect(f, "count upload:812 active");
		fx_ok(f, "active");
		fx_ib(f, "offline");
		/* The digest can only differ until the upload has succeeded. */
		fx_expect(f, "unified_session ONLINE props blocklist privacy unavailable");
	}
}

static void test_refused_upload_is_made_again_with_the_same_keys(void **state)
{
	struct fx *f = *state;
	unsigned first, last;

	fx_new(f, 1000);
	fx_start(f, FX_LID);
	fx_count(f, "0");
	first = fx_key_id(fx_sent(f, "upload:812"), 0);
	last = fx_key_id(fx_sent(f, "upload:812"), 811);
	fx_error(f, "upload:812", 406);
	fx_ok(f, "active");
	fx_ib(f, "offline");
	fx_ok(f, "props");
	fx_ok(f, "blocklist");
	fx_ok(f, "privacy");
	for (unsigned i = 0; i < 6; i++) { /* as often as it takes */
		f->trace[0] = '\0';
		fx_wait(f);
		fx_expect(f, "upload:812");
		assert_int_equal(fx_key_id(fx_sent(f, "upload:812"), 0), first);
		assert_int_equal(fx_key_id(fx_sent(f, "upload:812"), 811), last);
		if (i < 5)
			fx_error(f, "upload:812", 406);
	}
	fx_ok(f, "upload:812");
	fx_expect(f, "digest"); /* it had waited for the upload */
}

static void test_upload_with_lost_answer_is_made_again_at_the_next_login(void **state)
{
	struct fx *f = *state;
	unsigned first;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "0");
	first = fx_key_id(fx_sent(f, "upload:812"), 0);
	fx_new(f, 1); /* the connection broke */
	fx_start(f, FX_LID);
	fx_count(f, "0");
	fx_expect(f, "count upload:812 count upload:812");
	assert_int_equal(fx_key_id(fx_sent(f, "upload:812"), 0), first);
	fx_ok(f, "upload:812");
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "1");
	assert_int_equal(fx_key_id(fx_sent(f, "upload:50"), 0), first + 812);
}

static void test_refused_active_does_not_keep_from_online(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "9");
	fx_error(f, "active", 400);
	fx_ib(f, "offline");
	fx_expect(f, "count active unified_session " FX_BRINGUP_END);
}

/* answered: how many requests get their answer before one does not. */
static void expect_timeout(struct fx *f, unsigned answered, const char *name)
{
	fx_new(f, 1000);
	fx_start(f, FX_LID);
	if (answered > 0)
		fx_count(f, "0");
	if (answered > 1)
		fx_ok(f, "upload:812");
	f->trace[0] = '\0';
	fx_wait(f);
	fx_expect(f, "FAILED");
	assert_int_equal(f->failure.rc, WA_ETIMEOUT);
	assert_non_null(strstr(f->failure.detail, name));
}

static void test_request_of_the_bring_up_without_answer_ends_the_stream(void **state)
{
	struct fx *f = *state;

	expect_timeout(f, 0, "\"prekey count\"");
	expect_timeout(f, 1, "\"prekey upload\"");
	expect_timeout(f, 2, "\"active\"");
}

static void test_stanza_that_can_not_be_sent_ends_the_stream_once(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	f->send_rc = WA_ENETWORK;
	fx_count(f, "9");
	fx_expect(f, "count FAILED");
	assert_int_equal(f->failure.rc, WA_ENETWORK);
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	fx_give(f, fx_stanza("receipt", "1", NULL, NULL));
	fx_ib(f, "offline");
	wk_online_settings(f->online);
	fx_expect(f, "");
	assert_int_equal(wk_online_logout(f->online), WA_ESTATE);
}

static void test_keys_that_can_not_be_noted_as_uploaded_end_the_stream(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "0");
	fx_disk_full(true);
	fx_ok(f, "upload:812");
	fx_disk_full(false);
	fx_expect(f, "count upload:812 FAILED");
	assert_int_equal(f->failure.rc, WA_ESTORAGE);
}

static void test_answers_twice_late_and_of_others_change_nothing(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_give(f, fx_stanza("iq", "1.1-1", NULL, "result"));
	fx_give(f, fx_stanza("iq", NULL, NULL, "result"));
	fx_expect(f, "count");
	fx_count(f, "9");
	fx_count(f, "0");
	fx_error(f, "count", 500);
	fx_expect(f, "active");
	fx_ok(f, "active");
	fx_ok(f, "active");
	fx_expect(f, "unified_session");
}

static void test_answer_counts_whoever_it_is_from(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	n = fx_result(f, "count");
	wa_node_set_jid(n, "from", "1@s.whatsapp.net");
	wa_node_set(wa_node_add(n, "count"), "value", "9");
	fx_give(f, n);
	fx_expect(f, "count active");
}

/* ---- the offline queue --------------------------------------------------------------------------
 */

static void to_queue(struct fx *f, unsigned speed)
{
	fx_new(f, speed);
	fx_start(f, FX_LID);
	fx_count(f, "9");
	fx_ok(f, "active");
	fx_expect(f, "count active unified_session");
}

static void test_end_of_the_queue_may_come_before_active_is_answered(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_ib(f, "offline");
	fx_count(f, "9");
	fx_ok(f, "active");
	fx_expect(f, "count active unified_session " FX_BRINGUP_END);
}

static void test_late_preview_is_asked_for_once(void **state)
{
	struct fx *f = *state;

	to_queue(f, 1);
	fx_ib(f, "offline_preview");
	fx_expect(f, "offline_batch");
	assert_true(wa_node_attr_is(wa_node_child(fx_sent(f, "offline_batch"), "offline_batch"),
	                            "count", "100"));
	fx_ib(f, "offline_preview");
	fx_expect(f, "");
}

static void give_queued(struct fx *f, unsigned n)
{
	while (n-- > 0) {
		struct wa_node *r = wa_node_new("receipt");

		wa_node_set(r, "id", "R");
		wa_node_set_jid(r, "from", WA_SERVER_JID);
		wa_node_set(r, "offline", "0");
		f->trace[0] = '\0';
		fx_give(f, r);
	}
}

static void test_queue_longer_than_a_batch_is_asked_for_again(void **state)
{
	struct fx *f = *state;

	to_queue(f, 1);
	fx_ib(f, "offline_preview");
	give_queued(f, 99);
	fx_expect(f, "ack:receipt");
	give_queued(f, 1);
	fx_expect(f, "offline_batch ack:receipt");
	give_queued(f, 100);
	fx_expect(f, "offline_batch ack:receipt");
	fx_ib(f, "offline");
	fx_expect(f, FX_BRINGUP_END);
	give_queued(f, 101);
	fx_expect(f, "ack:receipt");
}

static void test_queue_that_stalls_counts_as_over(void **state)
{
	struct fx *f = *state;

	to_queue(f, 2000);
	fx_wait(f);
	fx_expect(f, FX_BRINGUP_END);
	fx_ib(f, "offline"); /* after all */
	fx_expect(f, "");
}

static void test_each_stanza_of_the_queue_gives_it_60_s_more(void **state)
{
	const unsigned speed = 100; /* 600 ms, of which a busy machine may take some */
	uint64_t begin, last;
	struct fx *f = *state;

	to_queue(f, speed);
	begin = clock_ms();
	do {
		struct wa_node *n = fx_stanza("presence", "P1", "2@s.whatsapp.net", NULL);

		wa_node_set(n, "offline", "1");
		last = clock_ms(); /* not after it: a busy machine may take a while to come back */
		fx_give(f, n);
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
		fx_expect(f, "");
	} while (clock_ms() < begin + 1000);
	fx_wait(f);
	assert_true(clock_ms() >= last + 575);
	fx_expect(f, FX_BRINGUP_END);
}

static void test_second_end_of_the_queue_changes_nothing(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	fx_ib(f, "offline");
	fx_ib(f, "offline_preview");
	fx_expect(f, "");
}

/* ---- the object ---------------------------------------------------------------------------------
 */

static void test_may_be_freed_in_any_callback(void **state)
{
	static const char *const words[] = { "PROFILE",       "count",  "upload:812",
		                             "active",        "ONLINE", "unified_session",
		                             "offline_batch", "digest", "unavailable" };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		f->creds.lid[0] = '\0';
		fx_new(f, 1);
		f->free_at = words[i];
		fx_start(f, FX_LID);
		if (f->online != NULL)
			fx_count(f, "0");
		if (f->online != NULL)
			fx_ok(f, "upload:812");
		if (f->online != NULL)
			fx_ib(f, "offline_preview");
		if (f->online != NULL)
			fx_ok(f, "active");
		if (f->online != NULL)
			fx_ib(f, "offline");
		assert_null(f->online);
		assert_string_equal(f->trace + strlen(f->trace) - strlen(words[i]), words[i]);
		f->trace[0] = '\0';
	}
}

static void test_may_be_freed_when_it_fails(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1000);
	f->free_at = "FAILED";
	fx_start(f, FX_LID);
	f->trace[0] = '\0';
	fx_wait(f);
	fx_expect(f, "FAILED");
	assert_null(f->online);
}

static void test_idle_session_has_no_timer(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 1);
	fx_settle(f);
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
}

static void test_signed_pre_key_is_rotated_when_it_is_old(void **state)
{
	struct fx *f = *state;
	struct wk_creds saved;
	const struct wa_node *skey, *again;
	uint32_t id = f->creds.device.signed_prekey_id;

	f->creds.linked_unix_s -= 28 * 24 * 3600;
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "812");
	fx_ok(f, "active");
	fx_ib(f, "offline");
	/* the digest waits: it could only differ */
	fx_expect(f,
	          "count active unified_session ONLINE props blocklist privacy rotate unavailable");
	assert_int_equal(f->creds.device.signed_prekey_id, id + 1);
	skey = wa_node_child(wa_node_child(fx_sent(f, "rotate"), "rotate"), "skey");
	assert_memory_equal(wa_node_child(skey, "value")->bytes, f->creds.device.signed_prekey.pub,
	                    WA_KEY_LEN);
	assert_memory_equal(wa_node_child(skey, "signature")->bytes,
	                    f->creds.device.signed_prekey_sig, WA_SIG_LEN);
	memset(&saved, 0, sizeof(saved));
	assert_int_equal(wk_store_load(f->store, &saved), 0); /* on disk before it left */
	assert_int_equal(saved.device.signed_prekey_id, id + 1);
	assert_true(saved.signed_prekey_waits);
	wk_creds_clear(&saved);
	/* the answer is lost with the connection: the same key again */
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "812");
	fx_ok(f, "active");
	fx_ib(f, "offline");
	fx_expect(f,
	          "count active unified_session ONLINE props blocklist privacy rotate unavailable");
	again = wa_node_child(wa_node_child(fx_sent(f, "rotate"), "rotate"), "skey");
	assert_memory_equal(wa_node_child(again, "value")->bytes, f->creds.device.signed_prekey.pub,
	                    WA_KEY_LEN);
	assert_int_equal(f->creds.device.signed_prekey_id, id + 1);
	fx_ok(f, "rotate");
	fx_expect(f, "digest");
	assert_false(f->creds.signed_prekey_waits);
	fx_online(f, 1); /* young again */
}

static void test_refused_rotation_becomes_an_upload(void **state)
{
	struct fx *f = *state;

	f->creds.linked_unix_s -= 28 * 24 * 3600;
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "812");
	fx_ok(f, "active");
	fx_ib(f, "offline");
	fx_expect(f,
	          "count active unified_session ONLINE props blocklist privacy rotate unavailable");
	fx_error(f, "rotate", 406);
	fx_expect(f, "upload:50");
	assert_true(f->creds.signed_prekey_waits);
	fx_ok(f, "upload:50");
	fx_expect(f, "digest");
	assert_false(f->creds.signed_prekey_waits);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_first_login_runs_the_bring_up_in_order),
		TEST(test_login_with_enough_keys_uploads_none),
		TEST(test_login_with_few_keys_uploads_fifty),
		TEST(test_requests_say_what_the_protocol_wants),
		TEST(test_unified_session_follows_the_servers_clock),
		TEST(test_login_is_on_disk_before_anything_is_sent),
		TEST(test_login_that_can_not_be_saved_sends_nothing),
		TEST(test_name_from_the_login_stands_in_for_a_push_name),
		TEST(test_lid_that_differs_is_not_believed),
		TEST(test_second_success_changes_nothing),
		TEST(test_stanza_before_success_is_not_looked_at),
		TEST(test_what_is_no_success_ends_the_stream),
		TEST(test_refused_count_does_not_keep_from_online),
		TEST(test_unreadable_count_does_not_keep_from_online),
		TEST(test_count_refused_for_a_while_is_asked_again),
		TEST(test_refused_upload_does_not_keep_from_online),
		TEST(test_refused_upload_is_made_again_with_the_same_keys),
		TEST(test_upload_with_lost_answer_is_made_again_at_the_next_login),
		TEST(test_refused_active_does_not_keep_from_online),
		TEST(test_request_of_the_bring_up_without_answer_ends_the_stream),
		TEST(test_stanza_that_can_not_be_sent_ends_the_stream_once),
		TEST(test_keys_that_can_not_be_noted_as_uploaded_end_the_stream),
		TEST(test_answers_twice_late_and_of_others_change_nothing),
		TEST(test_answer_counts_whoever_it_is_from),
		TEST(test_end_of_the_queue_may_come_before_active_is_answered),
		TEST(test_late_preview_is_asked_for_once),
		TEST(test_queue_longer_than_a_batch_is_asked_for_again),
		TEST(test_queue_that_stalls_counts_as_over),
		TEST(test_each_stanza_of_the_queue_gives_it_60_s_more),
		TEST(test_second_end_of_the_queue_changes_nothing),
		TEST(test_may_be_freed_in_any_callback),
		TEST(test_may_be_freed_when_it_fails),
		TEST(test_idle_session_has_no_timer),
		TEST(test_signed_pre_key_is_rotated_when_it_is_old),
		TEST(test_refused_rotation_becomes_an_upload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
