/* tests/unit/test_wa_pair.c - stanzas of the pairing phase */
#include "test.h"

#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/link/wa_pair.h"

/* A pair-device stanza with refs_n refs. */
static struct wa_node *pair_device(size_t refs_n)
{
	struct wa_node *iq = wa_node_new("iq"), *pair;

	wa_node_set_jid(iq, "from", WA_SERVER_JID);
	wa_node_set(iq, "type", "set");
	wa_node_set(iq, "id", "2451234567");
	wa_node_set(iq, "xmlns", "md");
	pair = wa_node_add(iq, "pair-device");
	for (size_t i = 0; i < refs_n; i++)
		wa_node_set_bytes(wa_node_add(pair, "ref"), "2@ref,x", 7);
	return iq;
}

static int read_and_free(struct wa_node *iq)
{
	struct wa_pair_device pd;
	int rc = wa_pair_device_read(iq, &pd);

	wa_node_free(iq);
	return rc;
}

static void test_pair_device_gives_id_and_refs(void **state)
{
	struct wa_node *iq = pair_device(6);
	struct wa_pair_device pd;

	(void)state;
	assert_int_equal(wa_pair_device_read(iq, &pd), 0);
	assert_string_equal(pd.id, "2451234567");
	assert_int_equal(pd.refs_n, 6);
	assert_int_equal(pd.refs[5].len, 7);
	assert_memory_equal(pd.refs[5].p, "2@ref,x", 7);
	wa_node_free(iq);
}

static void test_pair_device_from_the_plain_token(void **state)
{
	struct wa_node *iq = pair_device(1);

	(void)state;
	wa_node_set(iq, "from", WA_SERVER_JID);
	assert_int_equal(read_and_free(iq), 0);
}

static void test_other_stanzas_are_not_pair_device(void **state)
{
	struct wa_node *iq;

	(void)state;
	assert_int_equal(read_and_free(wa_node_new("iq")), WA_ESTATE);
	assert_int_equal(read_and_free(wa_iq_result("1")), WA_ESTATE);
	iq = pair_device(1);
	wa_node_set(iq, "type", "get");
	assert_int_equal(read_and_free(iq), WA_ESTATE);
	iq = pair_device(1);
	wa_node_set_jid(iq, "from", "1@s.whatsapp.net");
	assert_int_equal(read_and_free(iq), WA_ESTATE);
	iq = wa_node_new("iq");
	wa_node_set(iq, "type", "set");
	wa_node_set(iq, "id", "1");
	wa_node_add(iq, "pair-device");
	assert_int_equal(read_and_free(iq), WA_ESTATE); /* no from */
	iq = wa_node_new("notification");
	wa_node_set_jid(iq, "from", WA_SERVER_JID);
	wa_node_set(iq, "type", "set");
	wa_node_add(iq, "pair-device");
	assert_int_equal(read_and_free(iq), WA_ESTATE);
}

static void test_malformed_pair_device_is_refused(void **state)
{
	uint8_t ref[WA_REF_MAX_LEN + 1];
	struct wa_node *iq;

	(void)state;
	memset(ref, 'r', sizeof(ref));
	assert_int_equal(read_and_free(pair_device(0)), WA_EPROTO);
	assert_int_equal(read_and_free(pair_device(WA_REFS_MAX)), 0);
	assert_int_equal(read_and_free(pair_device(WA_REFS_MAX + 1)), WA_EPROTO);
	iq = pair_device(1);
	wa_node_set(iq, "id", "");
	assert_int_equal(read_and_free(iq), WA_EPROTO);
	iq = pair_device(1);
	wa_node_add(iq, "other");
	assert_int_equal(read_and_free(iq), WA_EPROTO);
	iq = pair_device(1);
	wa_node_add(iq->first_child, "ref"); /* without content */
	assert_int_equal(read_and_free(iq), WA_EPROTO);
	iq = pair_device(1);
	wa_node_set_bytes(wa_node_add(iq->first_child, "ref"), ref, 0);
	assert_int_equal(read_and_free(iq), WA_EPROTO);
	iq = pair_device(1);
	wa_node_set_bytes(wa_node_add(iq->first_child, "ref"), ref, WA_REF_MAX_LEN);
	assert_int_equal(read_and_free(iq), 0);
	iq = pair_device(1);
	wa_node_set_bytes(wa_node_add(iq->first_child, "ref"), ref, sizeof(ref));
	assert_int_equal(read_and_free(iq), WA_EPROTO);
	iq = pair_device(1);
	wa_node_set_text(wa_node_add(iq->first_child, "later-addition"), "x");
	assert_int_equal(read_and_free(iq), 0);
}

static void assert_encodes(struct wa_node *n, const char *want)
{
	struct buf out = { 0 };
	char hex[513];

	assert_int_equal(wa_stanza_encode(n, &out), 0);
	assert_in_range(out.len, 1, 256);
	hex_encode(out.p, out.len, hex);
	assert_string_equal(hex, want);
	buf_free(&out);
	wa_node_free(n);
}

static void test_answers_on_the_wire(void **state)
{
	struct wa_node *n = wa_node_new("notification");
	struct buf text = { 0 };
	struct wa_node *error = wa_iq_error("7", 500, "internal-server-error");

	(void)state;
	assert_encodes(wa_ping("12345.678-1"), "00f8091908ff8612345b678a1f11fa000304291657");
	assert_encodes(wa_iq_result("2451234567"), "00f8071911fa000308ff0524512345670414");

	assert_null(wa_notification_ack(n));
	wa_node_set(n, "id", "99991");
	wa_node_set(n, "type", "companion_reg_refresh");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	assert_encodes(
	    wa_notification_ack(n),
	    "00f8091b150908ff8399991f11fa000304fc15636f6d70616e696f6e5f7265675f7265667265"
	    "7368");
	wa_node_free(n);

	assert_int_equal(wa_node_print(error, &text), 0);
	assert_int_equal(buf_append_u8(&text, 0), 0);
	assert_string_equal((char *)text.p, "<iq to=\"s.whatsapp.net\" type=\"error\" id=\"7\">"
	                                    "<error code=\"500\" text=\"internal-server-error\"/>"
	                                    "</iq>");
	buf_free(&text);
	wa_node_free(error);
}

static void test_how_long_codes_live(void **state)
{
	(void)state;
	assert_int_equal(wa_pair_code_valid_ms(0, 6), 60000);
	for (size_t i = 1; i < 6; i++)
		assert_int_equal(wa_pair_code_valid_ms(i, 6), 20000);
	assert_int_equal(wa_pair_code_valid_ms(0, 5), 20000);
	assert_int_equal(wa_pair_code_valid_ms(0, 1), 20000);
	assert_int_equal(wa_pair_code_valid_ms(0, 12), 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_device_gives_id_and_refs),
		cmocka_unit_test(test_pair_device_from_the_plain_token),
		cmocka_unit_test(test_other_stanzas_are_not_pair_device),
		cmocka_unit_test(test_malformed_pair_device_is_refused),
		cmocka_unit_test(test_answers_on_the_wire),
		cmocka_unit_test(test_how_long_codes_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
