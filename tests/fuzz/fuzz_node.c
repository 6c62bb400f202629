/*
 * tests/fuzz/fuzz_node.c - a decrypted stanza
 *
 * Property: what decodes, encodes, and decodes back to the same tree. (Content that came as a token
 * or JID goes out as bytes: the text is the same, the mark is not.)
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/err.h"
#include "worker/wa/node/wa_node.h"

static void require_same_attrs(const struct wa_node *a, const struct wa_node *b)
{
	FUZZ_REQUIRE(a->attrs_n == b->attrs_n);
	for (size_t i = 0; i < a->attrs_n; i++) {
		const struct wa_attr *x = &a->attrs[i], *y = &b->attrs[i];

		FUZZ_REQUIRE(strcmp(x->name, y->name) == 0 && x->name[0] != '\0');
		FUZZ_REQUIRE(x->is_jid == y->is_jid && x->value_len == y->value_len);
		FUZZ_REQUIRE(memcmp(x->value, y->value, x->value_len + 1) == 0);
	}
}

/* Recursion is bounded by the decoder's depth limit. */
static void require_same(const struct wa_node *a, const struct wa_node *b)
{
	const struct wa_node *ca, *cb;
	size_t children_n = 0;

	FUZZ_REQUIRE(strcmp(a->tag, b->tag) == 0 && a->tag[0] != '\0');
	require_same_attrs(a, b);
	FUZZ_REQUIRE(a->content == b->content && a->children_n == b->children_n);
	FUZZ_REQUIRE(a->bytes_len == b->bytes_len);
	if (a->bytes_len > 0)
		FUZZ_REQUIRE(memcmp(a->bytes, b->bytes, a->bytes_len) == 0);
	ca = a->first_child;
	cb = b->first_child;
	for (; ca != NULL && cb != NULL; ca = ca->next, cb = cb->next, children_n++)
		require_same(ca, cb);
	FUZZ_REQUIRE(ca == NULL && cb == NULL && children_n == a->children_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_node *n = NULL, *again = NULL;
	struct buf out = { 0 }, text = { 0 };
	int rc;

	rc = wa_stanza_decode(data, size, &n);
	FUZZ_REQUIRE((rc == 0) == (n != NULL));
	if (rc < 0) {
		FUZZ_REQUIRE(rc == WA_ETRUNC || rc == WA_EPROTO || rc == WA_ELIMIT);
		return 0;
	}
	FUZZ_REQUIRE(wa_stanza_encode(n, &out) == 0);
	FUZZ_REQUIRE(wa_stanza_decode(out.p, out.len, &again) == 0);
	require_same(n, again);
	FUZZ_REQUIRE(wa_node_print(n, &text) == 0);
	buf_free(&text);
	buf_free(&out);
	wa_node_free(again);
	wa_node_free(n);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	return mut_node(m, data, size, out);
}
