/* tests/unit/test_wa_receipt.c - receipts, retry receipts and bundles as nodes */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "wa_stanzas.h"
#include "worker/wa/stanza/wa_receipt.h"

static struct wa_node *message(bool peer)
{
	struct wa_node *m = wa_node_new("message");

	wa_node_set(m, "id", "3EB0");
	wa_node_set_jid(m, "from", "120363021033254949@g.us");
	wa_node_set_jid(m, "participant", "9:3@lid");
	wa_node_set(m, "t", "1700000000");
	if (peer)
		wa_node_set(m, "category", "peer");
	return m;
}

/* ---- outgoing -----------------------------------------------------------------------------------
 */

static void test_receipts_of_messages(void **state)
{
	struct wa_node *m = message(false), *bare = wa_node_new("message");
	static const char *const ids[] = { "A", "B", "C" };

	(void)state;
	stanza_assert_text(wa_receipt_for(m, WA_RECEIPT_DELIVERED),
	                   "<receipt id=\"3EB0\" to=\"120363021033254949@g.us\" "
	                   "participant=\"9:3@lid\"/>");
	stanza_assert_text(wa_receipt_for(m, WA_RECEIPT_INACTIVE),
	                   "<receipt type=\"inactive\" id=\"3EB0\" to=\"120363021033254949@g.us\" "
	                   "participant=\"9:3@lid\"/>");
	wa_node_set(bare, "id", "1");
	assert_null(wa_receipt_for(bare, WA_RECEIPT_DELIVERED));
	stanza_assert_text(
	    wa_receipt_to_self("3EB0", "15550001111@s.whatsapp.net", WA_RECEIPT_HIST_SYNC),
	    "<receipt type=\"hist_sync\" id=\"3EB0\" to=\"15550001111@s.whatsapp.net\"/>");
	stanza_assert_text(wa_receipt_read("9@lid", NULL, ids, 1, 1700000000, WA_RECEIPT_READ),
	                   "<receipt type=\"read\" id=\"A\" to=\"9@lid\" t=\"1700000000\"/>");
	stanza_assert_text(
	    wa_receipt_read("1@g.us", "9@lid", ids, 3, 1700000000, WA_RECEIPT_PLAYED),
	    "<receipt type=\"played\" id=\"A\" to=\"1@g.us\" participant=\"9@lid\" "
	    "t=\"1700000000\"><list><item id=\"B\"/><item id=\"C\"/></list></receipt>");
	wa_node_free(m);
	wa_node_free(bare);
}

/* ---- incoming -----------------------------------------------------------------------------------
 */

struct seen {
	char text[512];
	int fail_after;
};

static int on_item(void *arg, const struct wa_receipt_item *item)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	if (s->fail_after-- == 0)
		return -EIO;
	snprintf(s->text + n, sizeof(s->text) - n, "%s,%s,%u;", item->message_id,
	         item->participant == NULL ? "-" : item->participant, (unsigned)item->unix_s);
	return 0;
}

static void assert_items(const struct wa_node *n, const char *text)
{
	struct seen s = { .fail_after = -1 };

	assert_int_equal(wa_receipt_each(n, on_item, &s), 0);
	assert_string_equal(s.text, text);
}

static void test_receipts_are_read(void **state)
{
	struct wa_node *r = wa_node_new("receipt"), *list, *p;
	struct seen stop = { .fail_after = 1 };
	struct wa_receipt got;

	(void)state;
	assert_int_equal(wa_receipt_read_node(r, &got), WA_EPROTO);
	wa_node_set(r, "id", "A");
	wa_node_set_jid(r, "from", "9:3@lid");
	wa_node_set(r, "t", "1700000000");
	assert_int_equal(wa_receipt_read_node(r, &got), 0);
	assert_int_equal(got.type, WA_RECEIPT_DELIVERED);
	assert_int_equal(got.unix_s, 1700000000);
	assert_items(r, "A,-,1700000000;");
	wa_node_set(r, "type", "read");
	list = wa_node_add(r, "list");
	wa_node_set(wa_node_add(list, "item"), "id", "B");
	wa_node_add(list, "item"); /* without an id */
	wa_node_set(wa_node_add(list, "item"), "id", "C");
	assert_int_equal(wa_receipt_read_node(r, &got), 0);
	assert_int_equal(got.type, WA_RECEIPT_READ);
	assert_items(r, "A,-,1700000000;B,-,1700000000;C,-,1700000000;");
	assert_int_equal(wa_receipt_each(r, on_item, &stop), -EIO);
	wa_node_set(r, "type", "something");
	assert_int_equal(wa_receipt_read_node(r, &got), 0);
	assert_int_equal(got.type, WA_RECEIPT_UNKNOWN);
	wa_node_free(r);

	r = wa_node_new("receipt"); /* a group's members together */
	wa_node_set(r, "id", "A");
	wa_node_set_jid(r, "from", "1@g.us");
	for (unsigned i = 0; i < 2; i++) {
		p = wa_node_add(r, "participants");
		wa_node_set(p, "key", i == 0 ? "X" : "Y");
		list = wa_node_add(p, "user");
		wa_node_set_jid(list, "jid", "9@lid");
		wa_node_set(list, "t", "5");
		wa_node_add(p, "user");
	}
	assert_items(r, "X,9@lid,5;Y,9@lid,5;");
	wa_node_free(r);
}

/* ---- retries ------------------------------------------------------------------------------------
 */

static void bundle_fill(struct wa_prekey_bundle *b)
{
	memset(b, 0, sizeof(*b));
	b->registration_id = 0x01020304;
	memset(b->identity, 1, sizeof(b->identity));
	b->signed_prekey_id = 0x010203;
	memset(b->signed_prekey, 2, sizeof(b->signed_prekey));
	memset(b->signed_prekey_sig, 3, sizeof(b->signed_prekey_sig));
	b->has_prekey = true;
	b->prekey_id = 0xfffffe;
	memset(b->prekey, 4, sizeof(b->prekey));
}

/* The other side reads what we send, from being from instead of to. */
static struct wa_node *turned(struct wa_node *r)
{
	wa_node_set_jid(r, "from", "9:3@lid");
	wa_node_set(r, "to", NULL);
	return r;
}

static void test_retry_there_and_back(void **state)
{
	struct wa_node *m = message(true), *r;
	struct wa_prekey_bundle keys;
	struct wa_retry_ask ask = { .count = 1, .registration_id = 0x01020304 };
	struct wa_retry got;

	(void)state;
	r = wa_retry_receipt(m, &ask);
	assert_non_null(r);
	assert_string_equal(wa_node_attr(r, "category"), "peer");
	assert_int_equal(wa_retry_read(turned(r), &got), 0);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.error, 0);
	assert_int_equal(got.registration_id, 0x01020304);
	assert_int_equal(got.message_unix_s, 1700000000);
	assert_string_equal(got.message_id, "3EB0");
	assert_string_equal(got.receipt.participant, "9:3@lid");
	assert_false(got.has_keys);
	wa_node_free(r);

	bundle_fill(&keys);
	ask.count = 2;
	ask.error = 7;
	ask.keys = &keys;
	ask.device_identity = (const uint8_t *)"adv";
	ask.device_identity_len = 3;
	r = wa_retry_receipt(m, &ask);
	assert_non_null(r);
	assert_int_equal(wa_retry_read(turned(r), &got), 0);
	assert_int_equal(got.error, 7);
	assert_true(got.has_keys);
	assert_memory_equal(&got.keys, &keys, sizeof(keys));
	assert_int_equal(got.device_identity_len, 3);
	wa_node_free(r);
	wa_node_free(m);
}

static void test_bad_retries_are_refused(void **state)
{
	static const char *const without[] = { "retry", "registration" };
	struct wa_retry_ask ask = { .count = 1, .registration_id = 5 };
	struct wa_retry got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		struct wa_node *m = message(false), *r = turned(wa_retry_receipt(m, &ask));

		for (struct wa_node *c = r->first_child; c != NULL; c = c->next) {
			if (strcmp(c->tag, without[i]) == 0)
				c->tag = "other";
		}
		assert_int_equal(wa_retry_read(r, &got), WA_EPROTO);
		wa_node_free(r);
		wa_node_free(m);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct wa_node *m = message(false), *r = turned(wa_retry_receipt(m, &ask));
		struct wa_node *c = r->first_child;

		if (i == 0)
			wa_node_set(c, "count", "many");
		else if (i == 1)
			wa_node_set_bytes(c->next, "abc", 3);
		else if (i == 2)
			wa_node_add(r, "keys");
		else
			wa_node_set(r, "type", "read");
		assert_int_equal(wa_retry_read(r, &got), WA_EPROTO);
		wa_node_free(r);
		wa_node_free(m);
	}
}

/* ---- bundles ------------------------------------------------------------------------------------
 */

static void test_fetch(void **state)
{
	struct wa_node *f = wa_bundle_fetch("7");

	(void)state;
	wa_bundle_fetch_add(f, "9:3@lid", true);
	wa_bundle_fetch_add(f, "8@lid", false);
	wa_bundle_fetch_add(NULL, "8@lid", false);
	stanza_assert_text(f, "<iq to=\"s.whatsapp.net\" type=\"get\" id=\"7\" xmlns=\"encrypt\">"
	                      "<key><user jid=\"9:3@lid\" reason=\"identity\"/>"
	                      "<user jid=\"8@lid\"/></key></iq>");
}

static void add_be(struct wa_node *n, const char *tag, uint32_t v, size_t len)
{
	uint8_t b[4];

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(v >> 8 * (len - 1 - i));
	wa_node_set_bytes(wa_node_add(n, tag), b, len);
}

static void add_user(struct wa_node *list, const char *jid, const struct wa_prekey_bundle *b)
{
	struct wa_node *u = wa_node_add(list, "user"), *k;

	wa_node_set_jid(u, "jid", jid);
	k = wa_node_add(u, "skey"); /* in any order */
	wa_node_set_bytes(wa_node_add(k, "signature"), b->signed_prekey_sig, WA_SIG_LEN);
	wa_node_set_bytes(wa_node_add(k, "value"), b->signed_prekey, WA_KEY_LEN);
	add_be(k, "id", b->signed_prekey_id, 3);
	add_be(u, "registration", b->registration_id, 4);
	add_be(u, "type", 5, 1);
	wa_node_set_bytes(wa_node_add(u, "identity"), b->identity, WA_KEY_LEN);
	if (b->has_prekey) {
		k = wa_node_add(u, "key");
		add_be(k, "id", b->prekey_id, 3);
		wa_node_set_bytes(wa_node_add(k, "value"), b->prekey, WA_KEY_LEN);
	}
}

struct answers {
	struct wa_bundle_answer a[8];
	size_t n;
};

static int on_answer(void *arg, const struct wa_bundle_answer *a)
{
	struct answers *all = arg;

	all->a[all->n++] = *a;
	return 0;
}

static void test_answers(void **state)
{
	struct wa_node *r = stanza_result(), *list, *u;
	struct wa_prekey_bundle b;
	struct answers all = { 0 };

	(void)state;
	assert_int_equal(wa_bundle_each(r, on_answer, &all), WA_EPROTO);
	list = wa_node_add(r, "list");
	bundle_fill(&b);
	add_user(list, "9:3@lid", &b);
	u = wa_node_add(list, "user");
	wa_node_set_jid(u, "jid", "8@lid");
	wa_node_set_int(wa_node_add(u, "error"), "code", 406);
	wa_node_set_jid(wa_node_add(list, "user"), "jid", "7@lid");
	b.has_prekey = false;
	b.prekey_id = 0;
	memset(b.prekey, 0, sizeof(b.prekey));
	add_user(list, "6@lid", &b);
	wa_node_add(list, "user"); /* no jid: nobody's */
	assert_int_equal(wa_bundle_each(r, on_answer, &all), 0);
	assert_int_equal(all.n, 4);
	assert_string_equal(all.a[0].jid, "9:3@lid");
	assert_int_equal(all.a[0].error, 0);
	assert_true(all.a[0].bundle.has_prekey);
	assert_int_equal(all.a[0].bundle.prekey_id, 0xfffffe);
	assert_int_equal(all.a[1].error, 406);
	assert_int_equal(all.a[2].error, 1);
	assert_memory_equal(&all.a[3].bundle, &b, sizeof(b));
	wa_node_free(r);
}

static void test_bad_bundles_are_refused(void **state)
{
	static const char *const tags[] = { "identity", "skey", "key", "type", "registration" };
	struct wa_prekey_bundle b, got;

	(void)state;
	bundle_fill(&b);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		struct wa_node *list = wa_node_new("list"), *c;

		add_user(list, "9@lid", &b);
		assert_int_equal(wa_bundle_read(list->first_child, &got), 0);
		for (c = list->first_child->first_child; strcmp(c->tag, tags[i]) != 0;)
			c = c->next;
		wa_node_set_bytes(c, "\x07", 1); /* a key of type 7, or of one byte, or no key */
		assert_int_equal(wa_bundle_read(list->first_child, &got), WA_EPROTO);
		wa_node_free(list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receipts_of_messages),
		cmocka_unit_test(test_receipts_are_read),
		cmocka_unit_test(test_retry_there_and_back),
		cmocka_unit_test(test_bad_retries_are_refused),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bad_bundles_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
