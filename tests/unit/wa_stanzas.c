/* tests/unit/wa_stanzas.c - stanzas in tests */
#include "test.h"

#include "wa_stanzas.h"

#include "wa_vectors.h"

struct wa_node *stanza_of_vector(const json_t *o, const char *key)
{
	struct buf bytes = { 0 };
	struct wa_node *n = NULL;

	vec_hex(o, key, &bytes);
	assert_int_equal(wa_stanza_decode(bytes.p, bytes.len, &n), 0);
	buf_free(&bytes);
	return n;
}

void stanza_assert_vector(const json_t *o, const char *key, struct wa_node *n)
{
	struct buf out = { 0 };

	assert_int_equal(wa_stanza_encode(n, &out), 0);
	vec_assert_hex(o, key, out.p, out.len);
	buf_free(&out);
	wa_node_free(n);
}

void stanza_assert_text(struct wa_node *n, const char *text)
{
	struct buf wire = { 0 }, got = { 0 };

	assert_non_null(n);
	assert_int_equal(wa_stanza_encode(n, &wire), 0);
	assert_int_equal(wa_node_print(n, &got), 0);
	assert_int_equal(buf_append_u8(&got, 0), 0);
	assert_string_equal((char *)got.p, text);
	buf_free(&wire);
	buf_free(&got);
	wa_node_free(n);
}

struct wa_node *stanza_result(void)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", "1");
	return n;
}

struct wa_node *stanza_notification(const char *type)
{
	struct wa_node *n = wa_node_new("notification");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", type);
	wa_node_set(n, "id", "77");
	return n;
}
