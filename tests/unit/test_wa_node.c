/* tests/unit/test_wa_node.c - binary nodes: vectors, limits, round trips */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/attr.h"
#include "common/codec.h"
#include "common/err.h"
#include "wa_vectors.h"
#include "worker/wa/node/wa_node.h"

/* ---- vectors ------------------------------------------------------------------------------------
 */

static void bytes_of(const json_t *content, struct buf *out)
{
	const json_t *repeat = json_object_get(content, "repeat");
	uint8_t byte;

	if (repeat == NULL) {
		vec_hex(content, "hex", out);
		return;
	}
	vec_fixed(repeat, "byte", &byte, 1);
	for (json_int_t n = json_integer_value(vec_get(repeat, "count")); n > 0; n--)
		assert_int_equal(buf_append_u8(out, byte), 0);
}

static void build(struct wa_node *n, const json_t *v)
{
	const json_t *content = json_object_get(v, "content"), *item;
	struct buf bytes = { 0 };
	size_t i;

	json_array_foreach(vec_get(v, "attrs"), i, item)
	{
		const char *name = json_string_value(json_array_get(item, 0));
		const json_t *value = json_array_get(item, 1);

		if (json_is_object(value))
			wa_node_set_jid(n, name, vec_str(value, "jid"));
		else
			wa_node_set(n, name, json_string_value(value));
	}
	if (content == NULL)
		return;
	if (json_object_get(content, "children") == NULL) {
		bytes_of(content, &bytes);
		wa_node_set_bytes(n, bytes.p, bytes.len);
		buf_free(&bytes);
		return;
	}
	if (json_array_size(vec_get(content, "children")) == 0)
		n->content = WA_CONTENT_NODES; /* "no children" as against "no content" */
	json_array_foreach(vec_get(content, "children"), i, item)
	    build(wa_node_add(n, vec_str(item, "tag")), item);
}

static void assert_content(const struct wa_node *n, const json_t *content)
{
	const json_t *text = json_object_get(content, "string");
	const json_t *jid = json_object_get(content, "jid");
	struct buf bytes = { 0 };

	assert_int_equal(n->content, WA_CONTENT_BYTES);
	assert_int_equal(n->content_is_text, text != NULL || jid != NULL);
	assert_int_equal(n->content_is_jid, jid != NULL);
	if (jid != NULL)
		text = jid;
	if (text != NULL)
		assert_int_equal(buf_append_str(&bytes, json_string_value(text)), 0);
	else
		bytes_of(content, &bytes);
	assert_int_equal(n->bytes_len, bytes.len);
	assert_memory_equal(n->bytes, bytes.p, bytes.len);
	buf_free(&bytes);
}

static void assert_node(const struct wa_node *n, const json_t *v)
{
	const json_t *content = json_object_get(v, "content"), *attrs = vec_get(v, "attrs"), *item;
	const struct wa_node *child;
	size_t i;

	assert_string_equal(n->tag, vec_str(v, "tag"));
	assert_int_equal(n->attrs_n, json_array_size(attrs));
	json_array_foreach(attrs, i, item)
	{
		const struct wa_attr *a = &n->attrs[i];
		const json_t *value = json_array_get(item, 1);

		assert_string_equal(a->name, json_string_value(json_array_get(item, 0)));
		assert_int_equal(a->is_jid, json_is_object(value));
		if (json_is_object(value))
			value = vec_get(value, "jid");
		assert_int_equal(a->value_len, json_string_length(value));
		assert_memory_equal(a->value, json_string_value(value), a->value_len + 1);
	}
	if (content == NULL) {
		assert_int_equal(n->content, WA_CONTENT_NONE);
		return;
	}
	if (json_object_get(content, "children") == NULL) {
		assert_content(n, content);
		return;
	}
	assert_int_equal(n->content, WA_CONTENT_NODES);
	assert_int_equal(n->children_n, json_array_size(vec_get(content, "children")));
	child = wa_node_child(n, NULL);
	json_array_foreach(vec_get(content, "children"), i, item)
	{
		assert_non_null(child);
		assert_node(child, item);
		child = wa_node_next(child, NULL);
	}
	assert_null(child);
}

/* Decode a copy of exactly that size, so that a sanitizer sees a read past it. */
static int decode(const uint8_t *p, size_t n, struct wa_node **node_out)
{
	uint8_t *copy = malloc(n + (n == 0));
	int rc;

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, p, n);
	rc = wa_stanza_decode(copy, n, node_out);
	free(copy);
	return rc;
}

static void assert_stanza(const json_t *v, const struct buf *got)
{
	uint8_t prefix[16], hash[32];

	if (json_object_get(v, "hex") != NULL) {
		vec_assert_hex(v, "hex", got->p, got->len);
		return;
	}
	vec_fixed(v, "hex_prefix", prefix, sizeof(prefix));
	assert_int_equal(got->len, json_integer_value(vec_get(v, "length")));
	assert_memory_equal(got->p, prefix, sizeof(prefix));
	assert_int_equal(wa_sha256(got->p, got->len, hash), 0);
	vec_assert_hex(v, "sha256", hash, sizeof(hash));
}

static void test_valid_vectors(void **state)
{
	json_t *root = vec_load("binary-nodes.json");
	const json_t *list = vec_get(root, "vectors"), *v;
	size_t i, encoded_n = 0;

	(void)state;
	assert_int_equal(json_array_size(list), 67);
	json_array_foreach(list, i, v)
	{
		struct wa_node *n = NULL;
		struct buf bytes = { 0 };

		if (json_is_true(vec_get(v, "encode"))) {
			n = wa_node_new(vec_str(vec_get(v, "node"), "tag"));
			build(n, vec_get(v, "node"));
			assert_int_equal(wa_stanza_encode(n, &bytes), 0);
			assert_stanza(v, &bytes);
			wa_node_free(n);
			n = NULL;
			encoded_n++;
		} else {
			vec_hex(v, "hex", &bytes);
		}
		if (decode(bytes.p, bytes.len, &n) != 0)
			fail_msg("%s does not decode", vec_str(v, "id"));
		assert_node(n, vec_get(v, "node"));
		wa_node_free(n);
		buf_free(&bytes);
	}
	assert_true(encoded_n >= 47);
	json_decref(root);
}

static void test_invalid_vectors(void **state)
{
	json_t *root = vec_load("binary-nodes.json");
	const json_t *list = vec_get(root, "invalid"), *v;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(list), 15);
	json_array_foreach(list, i, v)
	{
		struct wa_node *n = NULL;
		struct buf bytes = { 0 };

		vec_hex(v, "hex", &bytes);
		if (decode(bytes.p, bytes.len, &n) >= 0)
			fail_msg("accepted: %s", vec_str(v, "why"));
		assert_null(n);
		buf_free(&bytes);
	}
	json_decref(root);
}

static void test_vectors_cut_short_are_refused(void **state)
{
	json_t *root = vec_load("binary-nodes.json");
	const json_t *v;
	size_t i;

	(void)state;
	json_array_foreach(vec_get(root, "vectors"), i, v)
	{
		struct buf bytes = { 0 };

		if (json_object_get(v, "hex") == NULL)
			continue;
		vec_hex(v, "hex", &bytes);
		for (size_t n = 0; n < bytes.len; n++) {
			struct wa_node *node = NULL;

			if (n == 1 && bytes.p[0] == 2)
				continue; /* alone it is the end of the stream */
			if (decode(bytes.p, n, &node) != WA_ETRUNC)
				fail_msg("%s cut at %zu", vec_str(v, "id"), n);
		}
		buf_free(&bytes);
	}
	json_decref(root);
}

/* ---- single rules -------------------------------------------------------------------------------
 */

static int decode_hex(const char *hex, struct wa_node **node_out)
{
	uint8_t b[256];
	size_t n = strlen(hex) / 2;

	assert_int_equal(hex_decode(hex, b, n), 0);
	return decode(b, n, node_out);
}

static void assert_refused(const char *hex, int want)
{
	struct wa_node *n = NULL;

	if (decode_hex(hex, &n) != want)
		fail_msg("%s: not %s", hex, wa_err_name(want));
	assert_null(n);
}

static void test_names_must_be_plain_text(void **state)
{
	(void)state;
	assert_refused("00f801fa0003", WA_EPROTO);               /* a JID as tag */
	assert_refused("00f801f70000ff8112", WA_EPROTO);         /* another */
	assert_refused("00f801f801", WA_EPROTO);                 /* a list as tag */
	assert_refused("00f801fc00", WA_EPROTO);                 /* empty */
	assert_refused("00f801ff00", WA_EPROTO);                 /* empty, packed */
	assert_refused("00f801fc03610062", WA_EPROTO);           /* NUL inside */
	assert_refused("00f803190003", WA_EPROTO);               /* LIST_EMPTY as a name */
	assert_refused("00f80319fa000304", WA_EPROTO);           /* a JID as a name */
	assert_refused("00f80319fc0004", WA_EPROTO);             /* an empty name */
	assert_refused("00f80319fc0361006204", WA_EPROTO);       /* NUL in a name */
	assert_refused("00f8031904f80104", WA_EPROTO);           /* a list as a value */
	assert_refused("00f8051904290429", WA_EPROTO);           /* the same name twice */
	assert_refused("00f805190429fc047479706529", WA_EPROTO); /* as token and as text */
}

static void test_jid_parts_must_mean_what_the_text_means(void **state)
{
	(void)state;
	assert_refused("00f803fc017851fa0000", WA_EPROTO);         /* no server */
	assert_refused("00f803fc017851fafa000303", WA_EPROTO);     /* a JID as user */
	assert_refused("00f803fc017851fafc0361406203", WA_EPROTO); /* user "a@b" */
	assert_refused("00f803fc017851fafc03613a3103", WA_EPROTO); /* user "a:1" */
	assert_refused("00f803fc017851fafc03613a3003", WA_EPROTO); /* user "a:0" */
	assert_refused("00f803fc017851f70100fc03613a30", WA_EPROTO);
	assert_refused("00f803fc017851fafc0361006203", WA_EPROTO);     /* user "a\0b" */
	assert_refused("00f803fc017851faff8112fc0361406c", WA_EPROTO); /* server "a@l" */
	assert_refused("00f803fc017851f7000000", WA_EPROTO);           /* AD_JID without user */
	assert_refused("00f803fc017851f70001fc00", WA_EPROTO);         /* with an empty one */
	assert_refused("00f803fc017851f6ff8112000103", WA_EPROTO);     /* FB_JID, not msgr */
	assert_refused("00f803fc017851f5ff81120001000303", WA_EPROTO); /* not interop */
	assert_refused("00f803fc017851faff8112fc07696e7465726f70", WA_EPROTO); /* no integrator */
}

static void assert_value(const char *hex, const char *want)
{
	struct wa_node *n = NULL;

	assert_int_equal(decode_hex(hex, &n), 0);
	assert_string_equal(n->attrs[0].value, want);
	wa_node_free(n);
}

static void test_unusual_values_that_are_accepted(void **state)
{
	(void)state;
	assert_value("00f803fc01785100", "");                             /* LIST_EMPTY */
	assert_value("00f803fc017851ff00", "");                           /* packed, nothing */
	assert_value("00f803fc017851fafc0003", "s.whatsapp.net");         /* empty user */
	assert_value("00f803fc017851f70205ff8112", "1:5@s.whatsapp.net"); /* domain 2 */
	assert_value("00f803fc017851f78205ff8112", "1:5@hosted");         /* domain 0x82 */
	assert_value("00f803fc017851f78305ff8112", "1:5@s.whatsapp.net");
	assert_value("01f803fc01785129", "get"); /* flag bits without a meaning */
}

static void test_value_with_a_nul_counts_as_absent(void **state)
{
	struct wa_node *n = NULL;

	(void)state;
	assert_int_equal(decode_hex("00f80304fc0178fc03610062", &n), 0);
	assert_int_equal(n->attrs[0].value_len, 3);
	assert_null(wa_node_attr(n, "x"));
	assert_false(wa_node_attr_is(n, "x", "a"));
	wa_node_free(n);
}

static void test_end_of_stream(void **state)
{
	struct wa_node *n = NULL;

	(void)state;
	assert_int_equal(decode_hex("02", &n), 0);
	assert_true(wa_node_is(n, "xmlstreamend"));
	assert_int_equal(n->attrs_n, 0);
	assert_int_equal(n->content, WA_CONTENT_NONE);
	wa_node_free(n);
	n = NULL;
	assert_int_equal(decode_hex("00f80102", &n), 0);
	assert_true(wa_node_is(n, "xmlstreamend"));
	wa_node_free(n);
	n = NULL;
	assert_int_equal(decode(NULL, 0, &n), WA_ETRUNC);
	assert_null(n);
}

/* ---- limits -------------------------------------------------------------------------------------
 */

static void put(struct buf *b, const char *hex)
{
	uint8_t bytes[64];
	size_t n = strlen(hex) / 2;

	assert_int_equal(hex_decode(hex, bytes, n), 0);
	assert_int_equal(buf_append(b, bytes, n), 0);
}

static int decode_buf(struct buf *b)
{
	struct wa_node *n = NULL;
	int rc = decode(b->p, b->len, &n);

	assert_int_equal(rc == 0, n != NULL);
	wa_node_free(n);
	buf_free(b);
	return rc;
}

static int decode_depth(unsigned depth)
{
	struct buf b = { 0 };

	put(&b, "00");
	for (unsigned i = 1; i < depth; i++)
		put(&b, "f80219f801");
	put(&b, "f80119");
	return decode_buf(&b);
}

static void test_depth_limit(void **state)
{
	(void)state;
	assert_int_equal(decode_depth(WA_NODE_MAX_DEPTH), 0);
	assert_int_equal(decode_depth(WA_NODE_MAX_DEPTH + 1), WA_ELIMIT);
	assert_int_equal(decode_depth(100000), WA_ELIMIT);
}

static int encode_depth(unsigned depth)
{
	struct wa_node *root = wa_node_new("iq"), *n = root;
	struct buf out = { 0 };
	int rc;

	for (unsigned i = 1; i < depth; i++)
		n = wa_node_add(n, "iq");
	assert_int_equal(buf_append_str(&out, "before"), 0);
	rc = wa_stanza_encode(root, &out);
	assert_int_equal(rc == 0, out.len > 6);
	assert_memory_equal(out.p, "before", 6);
	buf_free(&out);
	wa_node_free(root);
	return rc;
}

static void test_encoder_depth_limit(void **state)
{
	(void)state;
	assert_int_equal(encode_depth(WA_NODE_MAX_DEPTH), 0);
	assert_int_equal(encode_depth(WA_NODE_MAX_DEPTH + 1), WA_ELIMIT);
}

/* A root with n children, which come in as many lists as it takes. */
static int decode_children(unsigned n)
{
	struct buf b = { 0 };
	unsigned lists = n / 60000 + 1;

	put(&b, "00f80219f8");
	assert_int_equal(buf_append_u8(&b, (uint8_t)lists), 0);
	for (unsigned i = 0; i < lists; i++) {
		unsigned here = i + 1 == lists ? n % 60000 : 60000;
		const uint8_t size[] = { (uint8_t)(here >> 8), (uint8_t)here };

		put(&b, "f80219f9");
		assert_int_equal(buf_append(&b, size, 2), 0);
		while (here-- > 0)
			put(&b, "f80119");
	}
	return decode_buf(&b);
}

static void test_node_count_limit(void **state)
{
	(void)state;
	assert_int_equal(decode_children(WA_NODE_MAX_NODES - 2), 0);
	assert_int_equal(decode_children(WA_NODE_MAX_NODES - 1), WA_ELIMIT);
}

/* Nodes with 30000 attributes each. */
static void append_wide_node(struct buf *b, bool twice)
{
	put(b, "f9ea6119"); /* 60001 = tag + 30000 attributes */
	for (unsigned i = 0; i < 30000; i++) {
		const uint8_t name[] = { 0xfc, 3, (uint8_t)(1 + i % 200), (uint8_t)(1 + i / 200),
			                 'n' };

		if (twice && i == 29999)
			put(b, "fc0301016e");
		else
			assert_int_equal(buf_append(b, name, sizeof(name)), 0);
		put(b, "29");
	}
}

static void test_item_count_limit(void **state)
{
	struct buf b = { 0 };

	(void)state;
	put(&b, "00f80219f804");
	for (unsigned i = 0; i < 4; i++)
		append_wide_node(&b, false);
	assert_int_equal(decode_buf(&b), 0); /* 4 + 120000 */
	put(&b, "00f80219f805");
	for (unsigned i = 0; i < 5; i++)
		append_wide_node(&b, false);
	assert_int_equal(decode_buf(&b), WA_ELIMIT);
}

static void test_duplicate_among_many_attributes(void **state)
{
	struct buf b = { 0 };

	(void)state;
	put(&b, "00");
	append_wide_node(&b, true);
	assert_int_equal(decode_buf(&b), WA_EPROTO);
}

/* A count that the bytes can't hold is refused before memory is taken for it. */
static void test_counts_beyond_the_data(void **state)
{
	(void)state;
	assert_refused("00f9ffff19", WA_ETRUNC);
	assert_refused("00f80219f9ffff", WA_ETRUNC);
	assert_refused("00f80219fe7fffffff", WA_ETRUNC);
	assert_refused("00f80219feffffffff", WA_ETRUNC);
}

static void deflate_to(const uint8_t *data, size_t n, struct buf *out)
{
	uLongf z_len = compressBound((uLong)n);

	assert_int_equal(buf_append_u8(out, 2), 0);
	assert_int_equal(buf_reserve(out, z_len), 0);
	assert_int_equal(compress2(out->p + out->len, &z_len, data, (uLong)n, 9), Z_OK);
	out->len += z_len;
}

/* <iq>[zeros]</iq>, total bytes when inflated */
static int decode_inflated(size_t total)
{
	uint8_t *plain = calloc(1, total);
	uint32_t n = (uint32_t)(total - 8);
	struct buf b = { 0 };

	assert_non_null(plain);
	memcpy(plain, "\xf8\x02\x19\xfe", 4);
	for (unsigned i = 0; i < 4; i++)
		plain[4 + i] = (uint8_t)(n >> (24 - 8 * i));
	deflate_to(plain, total, &b);
	free(plain);
	assert_true(b.len < 100000);
	return decode_buf(&b);
}

static void test_inflated_size_limit(void **state)
{
	(void)state;
	assert_int_equal(decode_inflated(100), 0);
	assert_int_equal(decode_inflated(WA_STANZA_MAX_LEN), 0);
	assert_int_equal(decode_inflated(WA_STANZA_MAX_LEN + 1), WA_ELIMIT);
	assert_int_equal(decode_inflated(64u * 1024 * 1024), WA_ELIMIT);
}

static void test_plain_size_limit(void **state)
{
	uint8_t *big = calloc(1, WA_STANZA_MAX_LEN + 1);
	struct wa_node *n = NULL;

	(void)state;
	assert_non_null(big);
	assert_int_equal(wa_stanza_decode(big, WA_STANZA_MAX_LEN + 1, &n), WA_ELIMIT);
	free(big);
}

static void test_bytes_behind_the_compressed_stream(void **state)
{
	struct buf b = { 0 };

	(void)state;
	deflate_to((const uint8_t *)"\xf8\x01\x19", 3, &b);
	assert_int_equal(buf_append_u8(&b, 0), 0);
	assert_int_equal(decode_buf(&b), WA_EPROTO);
	deflate_to((const uint8_t *)"\xf8\x01\x19\x00", 4, &b); /* and inside */
	assert_int_equal(decode_buf(&b), WA_EPROTO);
	deflate_to((const uint8_t *)"", 0, &b);
	assert_int_equal(decode_buf(&b), WA_ETRUNC);
	deflate_to((const uint8_t *)"\xf8\x01\x19", 3, &b);
	b.p[b.len - 1] ^= 1; /* the checksum */
	assert_int_equal(decode_buf(&b), WA_EPROTO);
}

/* ---- building -----------------------------------------------------------------------------------
 */

static void test_builder_replaces_and_leaves_out(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	struct buf out = { 0 };

	(void)state;
	wa_node_set(n, "type", "get");
	wa_node_set_int(n, "t", -5);
	wa_node_set(n, "type", "set");
	wa_node_set(n, "left-out", NULL);
	assert_int_equal(n->attrs_n, 2);
	assert_true(wa_node_attr_is(n, "type", "set"));
	assert_true(wa_node_attr_is(n, "t", "-5"));
	assert_null(wa_node_attr(n, "left-out"));

	wa_node_add(n, "a");
	wa_node_set_text(n, "text");
	assert_null(wa_node_child(n, NULL));
	assert_memory_equal(n->bytes, "text", 5);
	wa_node_add(n, "b");
	assert_int_equal(n->children_n, 1);
	assert_int_equal(wa_node_print(n, &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_string_equal((char *)out.p, "<iq type=\"set\" t=\"-5\"><b/></iq>");
	buf_free(&out);
	wa_node_free(n);
}

static void test_builder_takes_null(void **state)
{
	struct buf out = { 0 };

	(void)state;
	wa_node_set(NULL, "a", "b");
	wa_node_set_int(NULL, "a", 1);
	wa_node_set_jid(NULL, "a", WA_SERVER_JID);
	wa_node_set_bytes(NULL, "x", 1);
	wa_node_set_text(NULL, "x");
	assert_null(wa_node_add(NULL, "x"));
	assert_null(wa_node_attr(NULL, "x"));
	assert_false(wa_node_is(NULL, "x"));
	assert_null(wa_node_child(NULL, NULL));
	assert_null(wa_node_next(NULL, NULL));
	wa_node_free(NULL);
	assert_int_equal(wa_stanza_encode(NULL, &out), -ENOMEM);
	assert_int_equal(out.len, 0);
}

static int encode_jid(const char *jid)
{
	struct wa_node *n = wa_node_new("iq");
	struct buf out = { 0 };
	int rc;

	wa_node_set_jid(n, "to", jid);
	rc = wa_stanza_encode(n, &out);
	assert_int_equal(rc == 0, out.len > 0);
	buf_free(&out);
	wa_node_free(n);
	return rc;
}

static void test_encoder_refuses_what_the_format_cannot_say(void **state)
{
	struct wa_node *n = wa_node_new("");
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(wa_stanza_encode(n, &out), WA_EPROTO);
	wa_node_free(n);
	n = wa_node_new("iq");
	wa_node_set(n, "", "value");
	assert_int_equal(wa_stanza_encode(n, &out), WA_EPROTO);
	wa_node_free(n);
	assert_int_equal(out.len, 0);
	buf_free(&out);
	assert_int_equal(encode_jid("15550002222"), WA_EPROTO);
	assert_int_equal(encode_jid("a@b@c"), WA_EPROTO);
	assert_int_equal(encode_jid("1:256@lid"), WA_EPROTO);
	assert_int_equal(encode_jid("1:5@g.us"), WA_EPROTO);
	assert_int_equal(encode_jid("1:255@lid"), 0);
	assert_int_equal(encode_jid("1:65535@msgr"), 0);
}

static void test_encoder_list_limit(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	struct buf out = { 0 };

	(void)state;
	for (unsigned i = 0; i < 65535; i++)
		wa_node_add(n, "iq");
	assert_int_equal(wa_stanza_encode(n, &out), 0);
	wa_node_add(n, "iq");
	buf_reset(&out);
	assert_int_equal(wa_stanza_encode(n, &out), WA_ELIMIT);
	assert_int_equal(out.len, 0);
	buf_free(&out);
	wa_node_free(n);
}

static void test_siblings_by_tag(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	const struct wa_node *c;

	(void)state;
	wa_node_set(wa_node_add(n, "ref"), "v", "1");
	wa_node_add(n, "other");
	wa_node_set(wa_node_add(n, "ref"), "v", "2");
	c = wa_node_child(n, "ref");
	assert_true(wa_node_attr_is(c, "v", "1"));
	c = wa_node_next(c, "ref");
	assert_true(wa_node_attr_is(c, "v", "2"));
	assert_null(wa_node_next(c, "ref"));
	assert_null(wa_node_child(n, "none"));
	wa_node_free(n);
}

static void test_print_cuts_bytes_and_escapes(void **state)
{
	struct wa_node *n = wa_node_new("x");
	uint8_t bytes[WA_NODE_PRINT_BYTES + 1] = { 0xab };
	struct buf out = { 0 };

	(void)state;
	wa_node_set(n, "v", "a\"<\n");
	wa_node_set_bytes(n, bytes, 2);
	assert_int_equal(wa_node_print(n, &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_string_equal((char *)out.p, "<x v=\"a&#34;&#60;&#10;\">[ab00]</x>");
	wa_node_set_bytes(n, bytes, sizeof(bytes));
	buf_reset(&out);
	assert_int_equal(wa_node_print(n, &out), 0);
	assert_int_equal(buf_append_u8(&out, 0), 0);
	assert_non_null(strstr((char *)out.p, "... 65 bytes]"));
	buf_free(&out);
	wa_node_free(n);
}

/* ---- random trees -------------------------------------------------------------------------------
 */

static uint32_t rnd(uint32_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % below;
}

static const char *random_text(uint32_t *seed, char *out, size_t max_len)
{
	static const char *const alphabets[] = { "0123456789", "0123456789-.", "0123456789ABCDEF",
		                                 "abcdefgh <>\"\xc3\xa4@:" };
	static const char *const tokens[] = { "iq",        "type", "s.whatsapp.net",
		                              "read-self", "0",    "1724" };
	const char *alphabet = alphabets[rnd(seed, ARRAY_LEN(alphabets))];
	size_t len = 1 + rnd(seed, rnd(seed, 8) == 0 ? (uint32_t)max_len : 12);

	if (rnd(seed, 3) == 0)
		return strcpy(out, tokens[rnd(seed, ARRAY_LEN(tokens))]);
	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[rnd(seed, (uint32_t)strlen(alphabet))];
	out[len] = '\0';
	return out;
}

static void random_node(uint32_t *seed, struct wa_node *n, unsigned depth)
{
	static const char *const jids[] = {
		"s.whatsapp.net",
		"15550002222@s.whatsapp.net",
		"15550002222:7@s.whatsapp.net",
		"1:255@lid",
		"1@hosted",
		"1:99@hosted.lid",
		"12-34@g.us",
		"status@broadcast",
		"12:300@msgr",
		"65535-9:65535@interop",
		"a.b_c@newsletter",
	};
	char name[400], value[400] = { 0 };

	for (unsigned i = rnd(seed, 6); i > 0; i--) {
		random_text(seed, name, 300);
		if (rnd(seed, 4) == 0)
			wa_node_set_jid(n, name, jids[rnd(seed, ARRAY_LEN(jids))]);
		else
			wa_node_set(n, name, random_text(seed, value, 300));
	}
	if (rnd(seed, 3) == 0)
		wa_node_set_bytes(n, value, rnd(seed, sizeof(value)));
	else if (depth < 6)
		for (unsigned i = rnd(seed, 5); i > 0; i--)
			random_node(seed, wa_node_add(n, random_text(seed, name, 300)), depth + 1);
}

static void assert_same(const struct wa_node *a, const struct wa_node *b)
{
	const struct wa_node *ca, *cb;

	assert_string_equal(a->tag, b->tag);
	assert_int_equal(a->attrs_n, b->attrs_n);
	for (size_t i = 0; i < a->attrs_n; i++) {
		assert_string_equal(a->attrs[i].name, b->attrs[i].name);
		assert_string_equal(a->attrs[i].value, b->attrs[i].value);
		assert_int_equal(a->attrs[i].is_jid, b->attrs[i].is_jid);
	}
	assert_int_equal(a->content, b->content);
	assert_int_equal(a->bytes_len, b->bytes_len);
	if (a->bytes_len > 0)
		assert_memory_equal(a->bytes, b->bytes, a->bytes_len);
	assert_int_equal(a->children_n, b->children_n);
	ca = a->first_child;
	cb = b->first_child;
	for (; ca != NULL && cb != NULL; ca = ca->next, cb = cb->next)
		assert_same(ca, cb);
	assert_true(ca == NULL && cb == NULL);
}

static void test_random_trees_come_back_the_same(void **state)
{
	uint32_t seed = 20240817;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct wa_node *n, *again = NULL;
		struct buf out = { 0 };
		char tag[400];

		n = wa_node_new(random_text(&seed, tag, 300));
		random_node(&seed, n, 0);
		assert_int_equal(wa_stanza_encode(n, &out), 0);
		assert_int_equal(decode(out.p, out.len, &again), 0);
		assert_same(n, again);
		wa_node_free(again);
		again = NULL;
		out.p[rnd(&seed, (uint32_t)out.len)] ^= (uint8_t)(1u << rnd(&seed, 8));
		if (decode(out.p, out.len, &again) == 0)
			wa_node_free(again);
		buf_free(&out);
		wa_node_free(n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_vectors),
		cmocka_unit_test(test_invalid_vectors),
		cmocka_unit_test(test_vectors_cut_short_are_refused),
		cmocka_unit_test(test_names_must_be_plain_text),
		cmocka_unit_test(test_jid_parts_must_mean_what_the_text_means),
		cmocka_unit_test(test_unusual_values_that_are_accepted),
		cmocka_unit_test(test_value_with_a_nul_counts_as_absent),
		cmocka_unit_test(test_end_of_stream),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_encoder_depth_limit),
		cmocka_unit_test(test_node_count_limit),
		cmocka_unit_test(test_item_count_limit),
		cmocka_unit_test(test_duplicate_among_many_attributes),
		cmocka_unit_test(test_counts_beyond_the_data),
		cmocka_unit_test(test_inflated_size_limit),
		cmocka_unit_test(test_plain_size_limit),
		cmocka_unit_test(test_bytes_behind_the_compressed_stream),
		cmocka_unit_test(test_builder_replaces_and_leaves_out),
		cmocka_unit_test(test_builder_takes_null),
		cmocka_unit_test(test_encoder_refuses_what_the_format_cannot_say),
		cmocka_unit_test(test_encoder_list_limit),
		cmocka_unit_test(test_siblings_by_tag),
		cmocka_unit_test(test_print_cuts_bytes_and_escapes),
		cmocka_unit_test(test_random_trees_come_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
