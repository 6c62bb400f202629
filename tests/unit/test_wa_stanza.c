/* tests/unit/test_wa_stanza.c - acks, pings, bulletins, numbers, hashes */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/codec.h"
#include "common/err.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/stanza/wa_stanza.h"

#define IQ(type, id, xmlns) \
	"<iq to=\"s.whatsapp.net\" type=\"" type "\" id=\"" id "\" xmlns=\"" xmlns "\">"

/* ---- reading ------------------------------------------------------------------------------------
 */

static void test_numbers_in_attributes(void **state)
{
	static const char *const bad[] = { "",
		                           "-1",
		                           "+1",
		                           " 1",
		                           "1 ",
		                           "0x1",
		                           "1.0",
		                           "one",
		                           "18446744073709551616",
		                           "99999999999999999999999" };
	struct wa_node *n = wa_node_new("x");
	uint64_t v = 7;

	(void)state;
	assert_int_equal(wa_node_attr_u64(NULL, "n", UINT64_MAX, &v), WA_EPROTO);
	assert_int_equal(wa_node_attr_u64(n, "n", UINT64_MAX, &v), WA_EPROTO);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		wa_node_set(n, "n", bad[i]);
		assert_int_equal(wa_node_attr_u64(n, "n", UINT64_MAX, &v), WA_EPROTO);
	}
	assert_int_equal(v, 7);
	wa_node_set(n, "n", "18446744073709551615");
	assert_int_equal(wa_node_attr_u64(n, "n", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(wa_node_attr_u64(n, "n", UINT64_MAX - 1, &v), WA_EPROTO);
	wa_node_set(n, "n", "0");
	assert_int_equal(wa_node_attr_u64(n, "n", 0, &v), 0);
	assert_int_equal(v, 0);
	wa_node_free(n);
}

static void test_content_of_a_child(void **state)
{
	struct wa_node *n = wa_node_new("x");
	const uint8_t *p = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(wa_child_bytes(NULL, "c", 0, 9, &p, &len), -ENOENT);
	assert_int_equal(wa_child_bytes(n, "c", 0, 9, &p, &len), -ENOENT);
	wa_node_add(n, "c");
	assert_int_equal(wa_child_bytes(n, "c", 0, 9, &p, &len), WA_EPROTO);
	wa_node_set_text(n->first_child, "abc");
	assert_int_equal(wa_child_bytes(n, "c", 4, 9, &p, &len), WA_EPROTO);
	assert_int_equal(wa_child_bytes(n, "c", 0, 2, &p, &len), WA_EPROTO);
	assert_null(p);
	assert_int_equal(wa_child_bytes(n, "c", 3, 3, &p, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(p, "abc", 3);
	wa_node_free(n);
}

static void test_iq_errors(void **state)
{
	struct wa_node *n = stanza_result(), *error;
	const char *text = "unset";

	(void)state;
	assert_int_equal(wa_iq_error_code(n, &text), 0);
	assert_null(text);
	wa_node_set(n, "type", "error");
	assert_int_equal(wa_iq_error_code(n, &text), 1);
	assert_null(text);
	error = wa_node_add(n, "error");
	wa_node_set(error, "text", "rate-overlimit");
	assert_int_equal(wa_iq_error_code(n, &text), 1);
	assert_string_equal(text, "rate-overlimit");
	wa_node_set(error, "code", "429");
	assert_int_equal(wa_iq_error_code(n, NULL), 429);
	wa_node_set(error, "code", "0");
	assert_int_equal(wa_iq_error_code(n, NULL), 1);
	wa_node_set(error, "code", "many");
	assert_int_equal(wa_iq_error_code(n, NULL), 1);

	wa_node_free(n);
	n = wa_node_new("iq"); /* neither result nor error */
	assert_int_equal(wa_iq_error_code(n, NULL), 1);
	wa_node_free(n);
}

static void test_notifications_come_from_the_server(void **state)
{
	struct wa_node *n = stanza_notification("encrypt");

	(void)state;
	assert_true(wa_is_notification(n, "encrypt"));
	assert_false(wa_is_notification(n, "devices"));
	wa_node_set_jid(n, "from", "49123@s.whatsapp.net");
	assert_false(wa_is_notification(n, "encrypt"));
	wa_node_free(n);
}

/* ---- acks ---------------------------------------------------------------------------------------
 */

static struct wa_node *incoming(const char *tag)
{
	struct wa_node *n = wa_node_new(tag);

	wa_node_set(n, "id", "3EB0");
	wa_node_set_jid(n, "from", "123@g.us");
	wa_node_set_jid(n, "participant", "456:3@lid");
	wa_node_set(n, "type", "text");
	wa_node_set(n, "t", "1787000001");
	wa_node_set(n, "offline", "0");
	return n;
}

static void test_acks(void **state)
{
	struct wa_node *n = incoming("message");

	(void)state;
	stanza_assert_text(wa_ack(n, "49:7@s.whatsapp.net", 0),
	                   "<ack class=\"message\" id=\"3EB0\" to=\"123@g.us\""
	                   " participant=\"456:3@lid\" type=\"text\""
	                   " from=\"49:7@s.whatsapp.net\"/>");
	stanza_assert_text(wa_ack(n, NULL, 487),
	                   "<ack class=\"message\" id=\"3EB0\" to=\"123@g.us\""
	                   " participant=\"456:3@lid\" type=\"text\" error=\"487\"/>");
	wa_node_free(n);
	n = incoming("receipt");
	wa_node_set_jid(n, "recipient", "789@s.whatsapp.net");
	stanza_assert_text(wa_ack(n, "49:7@s.whatsapp.net", 0),
	                   "<ack class=\"receipt\" id=\"3EB0\" to=\"123@g.us\""
	                   " participant=\"456:3@lid\" recipient=\"789@s.whatsapp.net\""
	                   " type=\"text\"/>");
	wa_node_free(n);
	n = stanza_notification("encrypt");
	stanza_assert_text(wa_ack(n, "49:7@s.whatsapp.net", 0),
	                   "<ack class=\"notification\" id=\"77\" to=\"s.whatsapp.net\""
	                   " type=\"encrypt\"/>");
	wa_node_free(n);
}

static void test_no_ack_without_id_or_from(void **state)
{
	struct wa_node *n = wa_node_new("message");

	(void)state;
	assert_null(wa_ack(n, "49:7@s.whatsapp.net", 0));
	wa_node_set(n, "id", "1");
	assert_null(wa_ack(n, "49:7@s.whatsapp.net", 0));
	wa_node_free(n);
	n = wa_node_new("message");
	wa_node_set_jid(n, "from", "1@lid");
	assert_null(wa_ack(n, "49:7@s.whatsapp.net", 0));
	wa_node_free(n);
}

/* What came as text is answered as text: a JID form might not be able to carry it. */
static void test_acks_of_odd_senders_can_be_written(void **state)
{
	struct wa_node *n = wa_node_new("call");

	(void)state;
	wa_node_set(n, "id", "1");
	wa_node_set(n, "from", "no @ jid @ at all");
	stanza_assert_text(wa_ack(n, NULL, 0),
	                   "<ack class=\"call\" id=\"1\" to=\"no @ jid @ at all\"/>");
	wa_node_free(n);
}

/* ---- builders -----------------------------------------------------------------------------------
 */

static void test_pong_copies_the_id_when_there_is_one(void **state)
{
	struct wa_node *n = wa_node_new("iq");

	(void)state;
	stanza_assert_text(wa_pong(n), "<iq to=\"s.whatsapp.net\" type=\"result\"/>");
	wa_node_set(n, "id", "5");
	stanza_assert_text(wa_pong(n), "<iq to=\"s.whatsapp.net\" type=\"result\" id=\"5\"/>");
	wa_node_free(n);
}

static void test_requests_on_the_wire(void **state)
{
	(void)state;
	stanza_assert_text(wa_active("1"), IQ("set", "1", "passive") "<active/></iq>");
	stanza_assert_text(wa_remove_companion("2", "49:7@s.whatsapp.net"),
	                   IQ("set", "2", "md") "<remove-companion-device"
	                                        " jid=\"49:7@s.whatsapp.net\""
	                                        " reason=\"user_initiated\"/></iq>");
	stanza_assert_text(wa_offline_batch(100), "<ib><offline_batch count=\"100\"/></ib>");
	stanza_assert_text(wa_unified_session(UINT64_MAX),
	                   "<ib><unified_session id=\"18446744073709551615\"/></ib>");
}

static void test_presence(void **state)
{
	(void)state;
	stanza_assert_text(wa_presence(true, "Name"),
	                   "<presence type=\"available\" name=\"Name\"/>");
	stanza_assert_text(wa_presence(false, "Name"),
	                   "<presence type=\"unavailable\" name=\"Name\"/>");
	stanza_assert_text(wa_presence(false, NULL), "<presence type=\"unavailable\"/>");
	assert_null(wa_presence(true, NULL));
	assert_null(wa_presence(true, ""));
}

static void test_unified_session_of_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "unified_session");
	int64_t now = json_integer_value(vec_get(v, "now_ms"));
	int64_t offset = json_integer_value(vec_get(v, "server_offset_ms"));
	const uint64_t week = 7 * 24 * 3600 * 1000ULL;

	(void)state;
	assert_int_equal(wa_unified_session_id(now, offset),
	                 strtoull(vec_str(v, "id_ascii"), NULL, 10));
	assert_int_equal(wa_unified_session_id(now - 5, offset + 5),
	                 wa_unified_session_id(now, offset));
	assert_int_equal(wa_unified_session_id(-3 * 24 * 3600 * 1000LL, 0), 0);
	assert_int_equal(wa_unified_session_id(-3 * 24 * 3600 * 1000LL, -1), week - 1);
	assert_true(wa_unified_session_id(INT64_MIN, INT64_MIN) < week);
	assert_true(wa_unified_session_id(INT64_MAX, INT64_MAX) < week);
	json_decref(crypto);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_in_attributes),
		cmocka_unit_test(test_content_of_a_child),
		cmocka_unit_test(test_iq_errors),
		cmocka_unit_test(test_notifications_come_from_the_server),
		cmocka_unit_test(test_acks),
		cmocka_unit_test(test_no_ack_without_id_or_from),
		cmocka_unit_test(test_acks_of_odd_senders_can_be_written),
		cmocka_unit_test(test_pong_copies_the_id_when_there_is_one),
		cmocka_unit_test(test_requests_on_the_wire),
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_unified_session_of_the_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
