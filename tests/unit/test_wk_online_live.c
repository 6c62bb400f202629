/* tests/unit/test_wk_online_live.c - what comes by itself while a session is online */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/err.h"
#include "online_fixture.h"
#include "worker/events/wk_emit.h"
#include "worker/receive/wk_recv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_appstate.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/stanza/wa_stanza.h"

#define USER "5521888888888@s.whatsapp.net"

static unsigned bad_of(const struct fx *f)
{
	struct wk_online_counts c;

	wk_online_count(f->online, &c);
	return c.bad;
}

static unsigned unknown_of(const struct fx *f)
{
	struct wk_online_counts c;

	wk_online_count(f->online, &c);
	return c.unknown;
}

static struct wa_node *notification(const char *type, const char *child)
{
	struct wa_node *n = fx_stanza("notification", "N1", NULL, type);

	if (child != NULL)
		wa_node_add(n, child);
	return n;
}

/* ---- acks ---------------------------------------------------------------------------------------
 */

static void test_stanzas_get_the_ack_of_their_class(void **state)
{
	static const struct {
		const char *tag, *type, *word;
	} rows[] = {
		{ "notification", "account_sync", "ack:notification" },
		{ "notification", "devices", "ack:notification" },
		{ "notification", "registration", "ack:notification" },
		{ "notification", "server_sync", "ack:notification" },
		{ "notification", "w:gp2", "ack:notification" },
		{ "notification", "never heard of", "ack:notification" },
		{ "notification", NULL, "ack:notification" },
		{ "receipt", "read", "ack:receipt" },
		{ "receipt", NULL, "ack:receipt" },
		{ "call", NULL, "ack:call" },
	};
	struct fx *f = *state;

	fx_online(f, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wa_node *n = fx_stanza(rows[i].tag, "ID1", USER, rows[i].type);
		const struct wa_node *ack;

		wa_node_set_jid(n, "participant", "77:2@lid");
		wa_node_set_jid(n, "recipient", "88@lid");
		fx_give(f, n);
		fx_expect(f, rows[i].word);
		ack = fx_sent(f, rows[i].word);
		assert_string_equal(wa_node_attr(ack, "class"), rows[i].tag);
		assert_string_equal(wa_node_attr(ack, "id"), "ID1");
		assert_string_equal(wa_node_attr(ack, "to"), USER);
		assert_string_equal(wa_node_attr(ack, "participant"), "77:2@lid");
		assert_string_equal(wa_node_attr(ack, "recipient"), "88@lid");
		assert_null(wa_node_attr(ack, "from"));
		assert_null(wa_node_attr(ack, "error"));
		if (rows[i].type != NULL)
			assert_string_equal(wa_node_attr(ack, "type"), rows[i].type);
		else
			assert_null(wa_node_attr(ack, "type"));
	}
	assert_int_equal(bad_of(f) + unknown_of(f), 0);
}

static void test_stanza_of_the_queue_is_acked_before_online(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_give(f, fx_stanza("receipt", "1", USER, NULL));
	fx_expect(f, "count ack:receipt");
}

static void test_message_is_answered_after_the_commit(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	f->batches = true;
	fx_give(f, fx_stanza("message", "M1", USER, "text"));
	fx_give(f, fx_stanza("message", NULL, NULL, NULL));
	fx_expect(f, "");
	fx_wait(f);
	fx_expect(f, "ack:message!488"); /* nothing is in it */
	fx_disk_full(true);
	fx_give(f, fx_stanza("message", "M1", USER, "text"));
	fx_wait(f);
	fx_disk_full(false);
	fx_expect(f, "FAILED");
	assert_int_equal(f->failure.rc, WA_ESTORAGE);
}

static void test_malformed_stanza_is_counted_and_not_acked(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	fx_online(f, 1);
	fx_give(f, fx_stanza("notification", NULL, NULL, "devices"));
	fx_give(f, fx_stanza("receipt", "", NULL, NULL));
	n = wa_node_new("call");
	wa_node_set(n, "id", "1");
	fx_give(f, n);
	fx_give(f, wa_node_new("notification"));
	fx_expect(f, "");
	assert_int_equal(bad_of(f), 4);
	fx_give(f, fx_stanza("receipt", "1", NULL, NULL));
	fx_expect(f, "ack:receipt");
}

static void test_stanza_whose_ack_no_node_can_carry_does_not_end_the_stream(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	f->send_rc = WA_EPROTO;
	fx_give(f, fx_stanza("receipt", "1", NULL, NULL));
	f->send_rc = 0;
	fx_expect(f, "");
	assert_int_equal(bad_of(f), 1);
}

static void test_unknown_stanza_is_refused_and_counted(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	fx_give(f, fx_stanza("frobnicate", "F1", NULL, NULL));
	fx_expect(f, "ack:frobnicate!488");
	fx_give(f, wa_node_new("frobnicate"));
	fx_give(f, fx_stanza("iq", "Q1", NULL, "get"));
	fx_give(f, fx_stanza("iq", "Q1", NULL, NULL));
	fx_expect(f, "");
	assert_int_equal(unknown_of(f), 4);
	for (unsigned i = 0; i < 1000; i++)
		fx_give(f, wa_node_new("frobnicate"));
	assert_int_equal(unknown_of(f), 1004);
	fx_give(f, fx_stanza("receipt", "1", NULL, NULL));
	fx_expect(f, "ack:receipt"); /* the session goes on */
}

static void test_what_needs_no_answer_gets_none(void **state)
{
	static const char *const tags[] = { "ack", "presence", "chatstate", "success" };
	struct fx *f = *state;
	struct wa_node *n;

	fx_online(f, 1);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		fx_give(f, fx_stanza(tags[i], "1", USER, NULL));
	fx_ib(f, "thread_metadata");
	fx_ib(f, "downgrade_webclient");
	fx_ib(f, "tos");
	fx_give(f, wa_node_new("ib"));
	fx_expect(f, "");
	assert_int_equal(bad_of(f) + unknown_of(f), 0);
	n = wa_node_new("error");
	wa_node_set(n, "code", "479");
	fx_give(f, n);
	fx_expect(f, "");
	assert_int_equal(bad_of(f), 1);
}

/* ---- pre-keys -----------------------------------------------------------------------------------
 */

static void give_left(struct fx *f, const char *value)
{
	struct wa_node *n = notification("encrypt", NULL);

	wa_node_set(wa_node_add(n, "count"), "value", value);
	fx_give(f, n);
}

static void test_few_prekeys_are_refilled(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	fx_settle(f);
	give_left(f, "5");
	fx_expect(f, "ack:notification");
	give_left(f, "4");
	fx_expect(f, "ack:notification upload:50");
	give_left(f, "3"); /* while it is on its way */
	fx_expect(f, "ack:notification");
	fx_ok(f, "upload:50");
	fx_expect(f, "");
	give_left(f, "many");
	fx_expect(f, "ack:notification");
	assert_int_equal(bad_of(f), 1);
}

static void test_server_that_is_never_satisfied_does_not_fill_the_disk(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	fx_settle(f);
	for (unsigned i = 0; i < 3; i++) {
		give_left(f, "0");
		fx_expect(f, "ack:notification upload:812");
		fx_ok(f, "upload:812");
	}
	give_left(f, "0");
	fx_expect(f, "ack:notification"); /* the next one waits */
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 1);
}

static void test_refill_that_waited_is_made(void **state)
{
	struct fx *f = *state;

	fx_online(f, 300);
	fx_settle(f);
	for (unsigned i = 0; i < 3; i++) {
		give_left(f, "1");
		fx_ok(f, "upload:50");
	}
	give_left(f, "1");
	fx_expect(f, "ack:notification upload:50 ack:notification upload:50 "
	             "ack:notification upload:50 ack:notification");
	fx_wait(f);
	fx_expect(f, "upload:50");
}

static void test_unanswered_refill_is_made_again(void **state)
{
	struct fx *f = *state;
	unsigned first;

	fx_online(f, 5000);
	fx_settle(f);
	give_left(f, "1");
	first = fx_key_id(fx_sent(f, "upload:50"), 0);
	fx_expect(f, "ack:notification upload:50");
	fx_wait(f);
	fx_expect(f, "upload:50");
	assert_int_equal(fx_key_id(fx_sent(f, "upload:50"), 0), first);
}

static void test_refill_without_disk_ends_the_stream(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	fx_disk_full(true);
	give_left(f, "1");
	fx_disk_full(false);
	fx_expect(f, "ack:notification FAILED");
	assert_int_equal(f->failure.rc, WA_ESTORAGE);
	fx_give(f, fx_stanza("receipt", "1", NULL, NULL));
	fx_expect(f, "");
}

static void up_with_upload(struct fx *f)
{
	fx_new(f, 1);
	fx_start(f, FX_LID);
	fx_count(f, "0");
	fx_ok(f, "upload:812");
	fx_ok(f, "active");
	fx_ib(f, "offline");
	f->trace[0] = '\0';
}

static void test_digest_of_our_keys_asks_for_nothing(void **state)
{
	struct fx *f = *state;

	up_with_upload(f);
	fx_give(f, fx_digest(f, fx_sent(f, "upload:812"), "\x05"));
	fx_expect(f, "");
}

static void test_digest_that_differs_uploads_keys_never_given_away(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;
	unsigned first;

	up_with_upload(f);
	first = fx_key_id(fx_sent(f, "upload:812"), 0);
	n = fx_digest(f, fx_sent(f, "upload:812"), "\x05");
	wa_node_set_bytes((struct wa_node *)wa_node_child(wa_node_child(n, "digest"), "hash"),
	                  "01234567890123456789", 20);
	fx_give(f, n);
	fx_expect(f, "upload:812");
	assert_int_equal(fx_key_id(fx_sent(f, "upload:812"), 0), first + 812);
	fx_ok(f, "upload:812");
	fx_expect(f, "");
}

static void test_digest_with_a_key_that_is_not_ours_uploads_all_anew(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	up_with_upload(f);
	n = fx_digest(f, fx_sent(f, "upload:812"), "\x05");
	wa_node_set_bytes(
	    wa_node_add((struct wa_node *)wa_node_child(wa_node_child(n, "digest"), "list"), "id"),
	    "\x7f\xff\xff", 3);
	fx_give(f, n);
	fx_expect(f, "upload:812");
}

static void test_server_that_has_no_keys_gets_them_all(void **state)
{
	struct fx *f = *state;

	up_with_upload(f);
	fx_error(f, "digest", 404);
	fx_expect(f, "upload:812");
}

static void test_digest_of_an_unknown_type_or_none_asks_for_nothing(void **state)
{
	struct fx *f = *state;

	up_with_upload(f);
	fx_give(f, fx_digest(f, fx_sent(f, "upload:812"), "\x09"));
	fx_expect(f, "");
	fx_give(f, notification("encrypt", "digest"));
	fx_expect(f, "ack:notification digest");
	fx_ok(f, "digest");
	fx_expect(f, "");
}

static void test_identity_notification_is_acked_after_the_commit(void **state)
{
	struct fx *f = *state;
	struct wa_node *n = fx_stanza("notification", "N1", USER, "encrypt");

	fx_online(f, 1);
	f->batches = true;
	wa_node_add(n, "identity");
	fx_give(f, n);
	fx_expect(f, "");
	fx_wait(f);
	fx_expect(f, "ack:notification");
}

/* ---- requests after online ----------------------------------------------------------------------
 */

static void test_unanswered_request_is_given_up(void **state)
{
	struct fx *f = *state;

	fx_online(f, 5000);
	for (unsigned i = 0; i < 100; i++) {
		if (event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED) == 0)
			break;
		(void)event_base_loop(f->base, EVLOOP_ONCE);
	}
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	fx_expect(f, "");
}

static void test_only_errors_that_pass_are_asked_again(void **state)
{
	static const struct {
		int code;
		bool again;
	} rows[] = { { 400, false }, { 404, false }, { 429, true },
		     { 500, true },  { 501, false }, { 503, true } };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fx_online(f, 1);
		fx_settle(f);
		fx_give(f, notification("server", "abprops"));
		fx_expect(f, "ack:notification props");
		fx_error(f, "props", rows[i].code);
		fx_expect(f, "");
		assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED),
		                 rows[i].again);
	}
}

static void test_request_is_repeated_a_few_times_only(void **state)
{
	unsigned again = 0;
	struct fx *f = *state;

	fx_online(f, 500);
	f->trace[0] = '\0';
	fx_ok(f, "props");
	fx_ok(f, "privacy");
	fx_error(f, "digest", 400);
	for (;;) {
		fx_error(f, "blocklist", 503);
		if (event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED) == 0)
			break;
		fx_wait(f);
		fx_expect(f, "blocklist");
		again++;
	}
	assert_int_equal(again, 5);
}

static void test_server_may_wish_a_longer_rest(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;
	uint64_t begin;

	fx_online(f, 500); /* a first rest is at most 2 ms then, the wished one 1.2 s */
	fx_settle(f);
	fx_give(f, notification("server", "abprops"));
	fx_expect(f, "ack:notification props");
	n = fx_stanza("iq", wa_node_attr(fx_sent(f, "props"), "id"), NULL, "error");
	wa_node_set(n, "type", "error");
	wa_node_set_int(wa_node_add(n, "error"), "code", 429);
	wa_node_set((struct wa_node *)wa_node_child(n, "error"), "backoff", "600");
	fx_give(f, n);
	for (begin = clock_ms(); clock_ms() < begin + 20;)
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	fx_expect(f, "");
	fx_give(f, notification("server", "abprops")); /* resting: not asked in between */
	fx_expect(f, "ack:notification");
}

static void test_properties_are_asked_for_by_their_hash(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	fx_online(f, 1);
	n = fx_result(f, "props");
	wa_node_set(wa_node_add(n, "props"), "hash", "h4sh");
	fx_give(f, n);
	fx_give(f, notification("server", "abprops"));
	fx_expect(f, "ack:notification props");
	assert_true(wa_node_attr_is(wa_node_child(fx_sent(f, "props"), "props"), "hash", "h4sh"));
	fx_give(f, notification("server", "log"));
	fx_expect(f, "ack:notification");
}

/* ---- bulletins ----------------------------------------------------------------------------------
 */

static void give_routing(struct fx *f, const void *info, size_t len)
{
	struct wa_node *ib = fx_stanza("ib", NULL, NULL, NULL);

	wa_node_set_bytes(wa_node_add(wa_node_add(ib, "edge_routing"), "routing_info"), info, len);
	fx_give(f, ib);
}

static void assert_saved_routing(struct fx *f, const char *info)
{
	struct wk_creds c;

	memset(&c, 0, sizeof(c));
	assert_int_equal(wk_store_load(f->store, &c), 0);
	assert_int_equal(c.routing_len, strlen(info));
	assert_memory_equal(c.routing, info, c.routing_len);
	wk_creds_clear(&c);
}

static void test_edge_routing_is_saved_for_the_next_login(void **state)
{
	static const uint8_t large[1025] = { 1 };
	struct fx *f = *state;

	fx_online(f, 1);
	give_routing(f, "atn", 3);
	assert_saved_routing(f, "atn");
	assert_int_equal(f->creds.routing_len, 3);
	fx_disk_full(true); /* no news: nothing is written */
	give_routing(f, "atn", 3);
	fx_disk_full(false);
	give_routing(f, "", 0);
	give_routing(f, large, sizeof(large));
	fx_ib(f, "edge_routing");
	fx_expect(f, "");
	assert_int_equal(bad_of(f), 3);
	assert_saved_routing(f, "atn");
	give_routing(f, large, 1024);
	assert_int_equal(f->creds.routing_len, 1024);
}

static void test_edge_routing_that_can_not_be_saved_ends_the_stream(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	fx_disk_full(true);
	give_routing(f, "frc", 3);
	fx_disk_full(false);
	fx_expect(f, "FAILED");
	assert_int_equal(f->failure.rc, WA_ESTORAGE);
	assert_int_equal(f->creds.routing_len, 0);
}

static void test_end_of_this_version_is_told_once(void **state)
{
	struct fx *f = *state;
	struct wa_node *ib = fx_stanza("ib", NULL, NULL, NULL);

	fx_online(f, 1);
	wa_node_set(wa_node_add(ib, "client_expiration"), "t", "1800000000");
	fx_give(f, ib);
	fx_ib(f, "client_expiration");
	fx_expect(f, "EXPIRES");
	assert_int_equal(f->expires_unix_s, 1800000000);
	fx_online(f, 1);
	fx_ib(f, "client_expiration");
	fx_expect(f, "EXPIRES");
	assert_int_equal(f->expires_unix_s, 0);
}

/* ---- dirty bits ---------------------------------------------------------------------------------
 */

static void give_dirty(struct fx *f, const char *type, const char *timestamp, const char *part)
{
	struct wa_node *ib = fx_stanza("ib", NULL, NULL, NULL);
	struct wa_node *dirty = wa_node_add(ib, "dirty");

	wa_node_set(dirty, "type", type);
	wa_node_set(dirty, "timestamp", timestamp);
	if (part != NULL)
		wa_node_add(dirty, part);
	fx_give(f, ib);
}

static void settled(struct fx *f)
{
	fx_online(f, 1);
	fx_settle(f);
}

static void assert_cleaned(struct fx *f, const char *type, const char *timestamp)
{
	const struct wa_node *iq = fx_sent(f, "clean:1");
	const struct wa_node *clean = wa_node_child(iq, "clean");

	assert_string_equal(wa_node_attr(iq, "xmlns"), "urn:xmpp:whatsapp:dirty");
	assert_string_equal(wa_node_attr(clean, "type"), type);
	if (timestamp != NULL)
		assert_string_equal(wa_node_attr(clean, "timestamp"), timestamp);
	else
		assert_null(wa_node_attr(clean, "timestamp"));
}

static void test_dirty_account_is_renewed_then_cleaned(void **state)
{
	struct fx *f = *state;
	const struct wa_node *usync, *user;

	settled(f);
	give_dirty(f, "account_sync", "1700000000", NULL);
	fx_expect(f, "blocklist privacy usync");
	usync = wa_node_child(fx_sent(f, "usync"), "usync");
	assert_true(wa_node_attr_is(usync, "context", "notification"));
	assert_true(wa_node_attr_is(wa_node_child(wa_node_child(usync, "query"), "devices"),
	                            "version", "2"));
	user = wa_node_child(wa_node_child(usync, "list"), "user");
	assert_string_equal(wa_node_attr(user, "jid"), "5511999999999@s.whatsapp.net");
	user = wa_node_next(user, "user");
	assert_string_equal(wa_node_attr(user, "jid"), "123456789@lid");
	fx_ok(f, "privacy");
	fx_ok(f, "usync");
	fx_expect(f, "");
	fx_ok(f, "blocklist");
	fx_expect(f, "clean:1");
	assert_cleaned(f, "account_sync", "1700000000");
	give_dirty(f, "account_sync", "1700000001", NULL); /* said again: too early */
	fx_expect(f, "");
	fx_ok(f, "clean:1");
	give_dirty(f, "account_sync", "1700000001", "picture");
	fx_expect(f, "clean:1");
	assert_cleaned(f, "account_sync", "1700000001");
}

static void test_dirty_bit_names_the_parts_to_renew(void **state)
{
	static const struct {
		const char *part, *words;
	} rows[] = { { "devices", "usync" },       { "privacy", "privacy" },
		     { "blocklist", "blocklist" }, { "picture", "clean:1" },
		     { "notice", "clean:1" },      { "never heard of", "clean:1" } };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		settled(f);
		give_dirty(f, "account_sync", NULL, rows[i].part);
		fx_expect(f, rows[i].words);
	}
	assert_cleaned(f, "account_sync", NULL);
}

static void test_dirty_bit_whose_work_failed_is_not_cleaned(void **state)
{
	struct fx *f = *state;

	settled(f);
	give_dirty(f, "account_sync", "1", NULL);
	fx_expect(f, "blocklist privacy usync");
	fx_ok(f, "blocklist");
	fx_error(f, "usync", 404);
	fx_ok(f, "privacy");
	fx_expect(f, "");
	give_dirty(f, "account_sync", "2", "devices"); /* said again */
	fx_expect(f, "usync");
	fx_ok(f, "usync");
	fx_expect(f, "clean:1");
}

static void test_devices_that_could_not_be_looked_up_are_not_cleaned(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	settled(f);
	give_dirty(f, "account_sync", "1", "devices");
	fx_expect(f, "usync");
	n = fx_result(f, "usync");
	wa_node_set_int(
	    wa_node_add(wa_node_add(wa_node_add(wa_node_add(n, "usync"), "result"), "devices"),
	                "error"),
	    "code", 500);
	fx_give(f, n);
	fx_expect(f, "");
}

static void test_dirty_bits_wait_until_online(void **state)
{
	struct fx *f = *state;
	const struct wa_node *iq;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	give_dirty(f, "groups", "7", NULL);
	give_dirty(f, "account_sync", "8", "privacy");
	fx_count(f, "9");
	fx_ok(f, "active");
	fx_expect(f, "count active unified_session");
	fx_ib(f, "offline");
	fx_expect(f, FX_BRINGUP_END " participating"); /* privacy is asked for anyway */
	iq = fx_sent(f, "participating");
	assert_string_equal(wa_node_attr(iq, "to"), "g.us");
	assert_string_equal(wa_node_attr(iq, "xmlns"), "w:g2");
	assert_non_null(wa_node_child(wa_node_child(iq, "participating"), "participants"));
	fx_ok(f, "participating");
	fx_expect(f, "clean:1");
	assert_cleaned(f, "groups", "7");
	fx_ok(f, "privacy");
	fx_expect(f, ""); /* one clean at a time */
	fx_ok(f, "clean:1");
	fx_expect(f, "clean:1");
	assert_cleaned(f, "account_sync", "8");
}

static void test_dirty_bits_that_are_done_together_are_cleaned_together(void **state)
{
	struct fx *f = *state;

	settled(f);
	give_dirty(f, "native_contact_restore", "1", NULL);
	give_dirty(f, "groups", "2", NULL);
	give_dirty(f, "account_sync", "3", "notice");
	fx_expect(f, "clean:1 participating");
	assert_cleaned(f, "native_contact_restore", "1");
	fx_ok(f, "participating");
	fx_ok(f, "clean:1");
	fx_expect(f, "clean:2");
}

static void test_dirty_bits_of_what_is_not_kept_yet_stay(void **state)
{
	struct fx *f = *state;

	settled(f);
	give_dirty(f, "syncd_app_state", "1", NULL);
	give_dirty(f, "newsletter_metadata", "1", NULL);
	fx_expect(f, "");
	assert_int_equal(bad_of(f), 0);
}

static void test_malformed_dirty_bit_is_counted(void **state)
{
	struct fx *f = *state;

	settled(f);
	give_dirty(f, NULL, "1", NULL);
	give_dirty(f, "", "1", NULL);
	give_dirty(f, "groups", "yesterday", NULL);
	give_dirty(f, "a type whose name is far too long for one", "1", NULL);
	fx_expect(f, "");
	assert_int_equal(bad_of(f), 4);
}

static void test_clean_is_repeated_after_trouble(void **state)
{
	struct fx *f = *state;

	fx_online(f, 500);
	fx_settle(f);
	give_dirty(f, "account_sync", "1", "notice");
	fx_expect(f, "clean:1");
	fx_error(f, "clean:1", 500);
	fx_wait(f);
	fx_expect(f, "clean:1");
	assert_cleaned(f, "account_sync", "1");
	fx_error(f, "clean:1", 400); /* then it is left to the next login */
	fx_expect(f, "");
	give_dirty(f, "account_sync", "2", "notice");
	fx_expect(f, "clean:1");
}

/* ---- presence -----------------------------------------------------------------------------------
 */

static void test_presence_follows_the_setting_and_needs_a_name(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	wk_online_settings(f->online); /* nothing has changed */
	fx_expect(f, "");
	f->settings.keep_online_status = true;
	wk_online_settings(f->online);
	fx_expect(f, "unified_session available");
	assert_string_equal(wa_node_attr(fx_sent(f, "available"), "name"), "Ana");
	f->settings.keep_online_status = false;
	wk_online_settings(f->online);
	fx_expect(f, "unified_session unavailable");
	f->settings.keep_online_status = true;
	f->creds.push_name[0] = '\0';
	wk_online_settings(f->online);
	fx_expect(f, "");
	fx_online(f, 1); /* "unavailable", although online is wished */
	assert_null(wa_node_attr(fx_sent(f, "unavailable"), "name"));
}

static void test_settings_before_online_send_nothing(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	f->settings.keep_online_status = true;
	wk_online_settings(f->online);
	fx_start(f, FX_LID);
	wk_online_settings(f->online);
	fx_expect(f, "count");
	fx_count(f, "9");
	fx_ok(f, "active");
	fx_ib(f, "offline");
	fx_expect(f, "active unified_session ONLINE props blocklist privacy digest available");
}

/* ---- logout -------------------------------------------------------------------------------------
 */

static void test_logout_unlinks_this_device(void **state)
{
	struct fx *f = *state;
	const struct wa_node *remove;

	fx_online(f, 1);
	assert_int_equal(wk_online_logout(f->online), 0);
	assert_int_equal(wk_online_logout(f->online), 0); /* joins the first */
	fx_expect(f, "logout");
	remove = wa_node_child(fx_sent(f, "logout"), "remove-companion-device");
	assert_string_equal(wa_node_attr(remove, "jid"), FX_JID);
	assert_string_equal(wa_node_attr(remove, "reason"), "user_initiated");
	fx_ok(f, "logout");
	fx_expect(f, "LOGGED_OUT");
	fx_ok(f, "logout");
	fx_expect(f, "");
}

static void test_refused_logout_says_so_and_may_be_asked_again(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1);
	assert_int_equal(wk_online_logout(f->online), 0);
	fx_error(f, "logout", 500);
	fx_expect(f, "logout LOGOUT_FAILED");
	assert_int_equal(f->failure.rc, WA_EPROTO);
	assert_int_equal(f->failure.reason, 500);
	assert_int_equal(wk_online_logout(f->online), 0);
	fx_expect(f, "logout");
}

static void test_unanswered_logout_says_so(void **state)
{
	struct fx *f = *state;

	fx_online(f, 1000);
	assert_int_equal(wk_online_logout(f->online), 0);
	fx_expect(f, "logout");
	fx_wait(f);
	fx_expect(f, "LOGOUT_FAILED");
	assert_int_equal(f->failure.rc, WA_ETIMEOUT);
}

static void test_logout_before_online_is_refused(void **state)
{
	struct fx *f = *state;

	fx_new(f, 1);
	fx_start(f, FX_LID);
	assert_int_equal(wk_online_logout(f->online), WA_ESTATE);
	fx_expect(f, "count");
}

static void test_may_be_freed_in_any_callback_of_a_live_session(void **state)
{
	static const char *const words[] = { "LOGGED_OUT", "EXPIRES", "ack:notification",
		                             "clean:1" };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		settled(f);
		f->free_at = words[i];
		assert_int_equal(wk_online_logout(f->online), 0);
		if (i == 0)
			fx_ok(f, "logout");
		if (f->online != NULL)
			fx_ib(f, "client_expiration");
		if (f->online != NULL)
			give_left(f, "1");
		if (f->online != NULL)
			give_dirty(f, "account_sync", "1", "notice");
		assert_null(f->online);
		f->trace[0] = '\0';
		f->free_at = NULL;
	}
}

/* ---- what the account's devices share -----------------------------------------------------------
 */

static void keep_key(struct fx *f)
{
	const struct wa_bytes id = { (const uint8_t *)"\0\1\0\0\0\1", 6 };
	uint8_t data[WA_APPSTATE_KEY_LEN] = { 7 };
	bool is_new;

	assert_int_equal(wk_store_appstate_key_put(f->store, id, data, 1, &is_new), 0);
}

static void test_app_state_is_fetched_once_there_is_a_key(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	keep_key(f);
	fx_online(f, 1);
	fx_settle(f);
	fx_wait(f);
	fx_expect(f, "sync");
	n = fx_result(f, "sync");
	wa_node_add(n, "sync");
	fx_give(f, n);
	/* the server speaks of a change: kept, then acked, then fetched */
	n = notification("server_sync", "collection");
	wa_node_set(n->first_child, "name", "regular");
	wa_node_set(n->first_child, "version", "5");
	fx_give(f, n);
	fx_expect(f, "ack:notification");
	fx_wait(f);
	fx_expect(f, "sync");
}

static void test_dirty_app_state_is_fetched_then_cleaned(void **state)
{
	struct fx *f = *state;
	struct wa_node *n;

	keep_key(f);
	fx_online(f, 1);
	fx_settle(f);
	fx_wait(f);
	fx_expect(f, "sync");
	n = fx_result(f, "sync");
	wa_node_add(n, "sync");
	fx_give(f, n);
	for (unsigned i = 0; i < 5; i++) /* its end is worked on */
		(void)event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	give_dirty(f, "syncd_app_state", "1", NULL);
	fx_expect(f, "sync");
	n = fx_result(f, "sync");
	wa_node_add(n, "sync");
	fx_give(f, n);
	fx_expect(f, "clean:1");
}

static void test_names_of_groups_are_asked_for_once(void **state)
{
	struct fx *f = *state;
	struct wa_jid jid;
	const char *name;
	struct wa_node *n, *group;

	fx_online(f, 1);
	fx_settle(f);
	fx_give(f, fx_stanza("receipt", "R1", "1@g.us", NULL));
	fx_expect(f, "participating ack:receipt");
	fx_give(f, fx_stanza("receipt", "R2", "2@g.us", NULL));
	fx_expect(f, "ack:receipt");
	n = fx_result(f, "participating");
	group = wa_node_add(wa_node_add(n, "groups"), "group");
	wa_node_set(group, "id", "1");
	wa_node_set(group, "subject", "One");
	fx_give(f, n);
	assert_int_equal(wa_jid_parse("1@g.us", 6, &jid), 0);
	assert_int_equal(wk_store_name(f->store, &jid, NULL, &name), 0);
	assert_string_equal(name, "One");
}

static void test_stanza_that_comes_again_is_only_acked(void **state)
{
	struct fx *f = *state;
	struct wk_outbox_stock stock;

	fx_online(f, 1);
	fx_settle(f);
	for (unsigned i = 0; i < 3; i++) {
		fx_give(f, fx_stanza("receipt", "R1", USER, NULL));
		fx_expect(f, "ack:receipt");
	}
	assert_int_equal(wk_store_outbox_stock(f->store, &stock), 0);
	assert_int_equal(stock.n, 1);
	fx_give(f, fx_stanza("receipt", "R1", USER, "read"));
	fx_expect(f, "ack:receipt");
	assert_int_equal(wk_store_outbox_stock(f->store, &stock), 0);
	assert_int_equal(stock.n, 2);
}

static void test_identities_are_learned_from_notifications(void **state)
{
	static const char *const kinds[][2] = { { "devices", "lid" },
		                                { "privacy_token", "sender_lid" } };
	struct fx *f = *state;
	char lid[WK_USER_CAP];
	struct wa_node *n;

	fx_online(f, 1);
	for (unsigned i = 0; i < 2; i++) {
		n = fx_stanza("notification", "N",
		              i == 0 ? "5511@s.whatsapp.net" : "5522@s.whatsapp.net", kinds[i][0]);
		wa_node_set_jid(n, kinds[i][1], i == 0 ? "71:3@lid" : "72@lid");
		fx_give(f, n);
		fx_expect(f, "ack:notification");
	}
	assert_int_equal(wk_store_lid_of(f->store, "5511", lid), 0);
	assert_string_equal(lid, "71");
	assert_int_equal(wk_store_lid_of(f->store, "5522", lid), 0);
	assert_string_equal(lid, "72");
	/* neither is a number, or nobody is named */
	n = fx_stanza("notification", "N", "73@lid", "devices");
	wa_node_set_jid(n, "lid", "74@lid");
	fx_give(f, n);
	n = fx_stanza("notification", "N", "5533@s.whatsapp.net", "devices");
	wa_node_set(n, "lid", "no JID");
	fx_give(f, n);
	fx_expect(f, "ack:notification ack:notification");
	assert_int_equal(wk_store_lid_of(f->store, "5533", lid), -ENOENT);
}

/* That a chunk of history is stored: what another receipt of that id says does not count. */
static void test_history_receipts_are_kept_until_acknowledged(void **state)
{
	static const char *const types[] = { "peer_msg", NULL, "hist_sync" };
	struct fx *f = *state;
	struct wk_history_told told;
	int64_t seq;

	fx_online(f, 1);
	assert_int_equal(wk_store_history_told_put(f->store, "H1", false), 0);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct wa_node *n = wa_node_new("ack");

		assert_int_equal(wk_store_history_told_next(f->store, 0, &seq, &told), 0);
		wa_node_set(n, "class", "receipt");
		wa_node_set(n, "id", "H1");
		wa_node_set(n, "type", types[i]);
		wa_node_set_jid(n, "from", USER);
		fx_give(f, n);
	}
	assert_int_equal(wk_store_history_told_next(f->store, 0, &seq, &told), -ENOENT);
}

/* A request that can't be sent, while a stanza is worked on or a file waits: whoever asked for it
 * goes on, and what holds the session is told afterwards. */
static void test_failing_waits_for_whoever_runs(void **state)
{
	struct fx *f = *state;
	char id[WK_MSG_ID_CAP];
	struct wk_batch *b;

	for (int i = 0; i < 2; i++) {
		f->send_rc = 0;
		fx_online(f, 1);
		b = wk_online_batch(f->online);
		f->send_rc = WA_ESTATE;
		f->free_at = "FAILED";
		if (i == 0) {
			assert_false(wk_online_ask_media(f->online));
		} else {
			assert_int_equal(wk_batch_enter(b), 0);
			assert_int_equal(
			    wk_recv_send_phone(wk_online_recv(f->online), "m", 1, NULL, id), 0);
			wk_batch_leave(b, 0);
		}
		assert_non_null(f->online);
		fx_expect(f, "FAILED");
		assert_null(f->online);
	}
}

static void test_read_receipts_follow_the_accounts_privacy(void **state)
{
	const struct wa_msg_view v = { .type = WA_MSG_TEXT, .text = "hi" };
	struct wk_event_msg m = { .id = "M1", .view = &v };
	struct fx *f = *state;
	struct wa_node *n, *c;

	fx_online(f, 1);
	f->settings.auto_read_messages = true;
	assert_int_equal(wa_jid_parse(USER, strlen(USER), &m.chat), 0);
	m.sender = m.chat;
	for (unsigned off = 0; off < 2; off++) {
		if (off) {
			n = fx_result(f, "privacy");
			c = wa_node_add(wa_node_add(n, "privacy"), "category");
			wa_node_set(c, "name", "readreceipts");
			wa_node_set(c, "value", "none");
			fx_give(f, n);
		}
		assert_int_equal(wk_batch_enter(wk_online_batch(f->online)), 0);
		assert_int_equal(wk_emit_message(wk_online_emit(f->online), &m), 0);
		wk_batch_leave(wk_online_batch(f->online), 0);
		assert_int_equal(wk_batch_flush(wk_online_batch(f->online)), 0);
		fx_expect(f, off ? "read-self" : "read");
	}
	/* it has been changed on the phone: asked for again */
	n = fx_stanza("notification", "N1", USER, "account_sync");
	(void)wa_node_add(n, "devices");
	fx_give(f, n);
	fx_expect(f, "ack:notification");
	n = fx_stanza("notification", "N2", USER, "account_sync");
	(void)wa_node_add(n, "privacy");
	fx_give(f, n);
	fx_expect(f, "ack:notification privacy");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_stanzas_get_the_ack_of_their_class),
		TEST(test_stanza_of_the_queue_is_acked_before_online),
		TEST(test_message_is_answered_after_the_commit),
		TEST(test_malformed_stanza_is_counted_and_not_acked),
		TEST(test_stanza_whose_ack_no_node_can_carry_does_not_end_the_stream),
		TEST(test_unknown_stanza_is_refused_and_counted),
		TEST(test_what_needs_no_answer_gets_none),
		TEST(test_few_prekeys_are_refilled),
		TEST(test_server_that_is_never_satisfied_does_not_fill_the_disk),
		TEST(test_refill_that_waited_is_made),
		TEST(test_unanswered_refill_is_made_again),
		TEST(test_refill_without_disk_ends_the_stream),
		TEST(test_digest_of_our_keys_asks_for_nothing),
		TEST(test_digest_that_differs_uploads_keys_never_given_away),
		TEST(test_digest_with_a_key_that_is_not_ours_uploads_all_anew),
		TEST(test_server_that_has_no_keys_gets_them_all),
		TEST(test_digest_of_an_unknown_type_or_none_asks_for_nothing),
		TEST(test_identity_notification_is_acked_after_the_commit),
		TEST(test_unanswered_request_is_given_up),
		TEST(test_only_errors_that_pass_are_asked_again),
		TEST(test_request_is_repeated_a_few_times_only),
		TEST(test_server_may_wish_a_longer_rest),
		TEST(test_properties_are_asked_for_by_their_hash),
		TEST(test_edge_routing_is_saved_for_the_next_login),
		TEST(test_edge_routing_that_can_not_be_saved_ends_the_stream),
		TEST(test_end_of_this_version_is_told_once),
		TEST(test_dirty_account_is_renewed_then_cleaned),
		TEST(test_dirty_bit_names_the_parts_to_renew),
		TEST(test_dirty_bit_whose_work_failed_is_not_cleaned),
		TEST(test_devices_that_could_not_be_looked_up_are_not_cleaned),
		TEST(test_dirty_bits_wait_until_online),
		TEST(test_dirty_bits_that_are_done_together_are_cleaned_together),
		TEST(test_dirty_bits_of_what_is_not_kept_yet_stay),
		TEST(test_malformed_dirty_bit_is_counted),
		TEST(test_clean_is_repeated_after_trouble),
		TEST(test_presence_follows_the_setting_and_needs_a_name),
		TEST(test_settings_before_online_send_nothing),
		TEST(test_logout_unlinks_this_device),
		TEST(test_refused_logout_says_so_and_may_be_asked_again),
		TEST(test_unanswered_logout_says_so),
		TEST(test_logout_before_online_is_refused),
		TEST(test_may_be_freed_in_any_callback_of_a_live_session),
		TEST(test_app_state_is_fetched_once_there_is_a_key),
		TEST(test_dirty_app_state_is_fetched_then_cleaned),
		TEST(test_names_of_groups_are_asked_for_once),
		TEST(test_stanza_that_comes_again_is_only_acked),
		TEST(test_identities_are_learned_from_notifications),
		TEST(test_history_receipts_are_kept_until_acknowledged),
		TEST(test_failing_waits_for_whoever_runs),
		TEST(test_read_receipts_follow_the_accounts_privacy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
