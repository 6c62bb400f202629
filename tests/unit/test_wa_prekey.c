/* tests/unit/test_wa_prekey.c - counting, uploading and comparing pre-keys */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/stanza/wa_prekey.h"

static void device_of_vector(const json_t *v, struct wa_device *d)
{
	const json_t *skey = vec_get(v, "signed_prekey");

	memset(d, 0, sizeof(*d));
	d->registration_id = (uint32_t)json_integer_value(vec_get(v, "registration_id"));
	vec_fixed(v, "identity_public", d->identity.pub, WA_KEY_LEN);
	d->signed_prekey_id = (uint32_t)json_integer_value(vec_get(skey, "id"));
	vec_fixed(skey, "public", d->signed_prekey.pub, WA_KEY_LEN);
	vec_fixed(skey, "signature", d->signed_prekey_sig, WA_SIG_LEN);
}

/* Our keys are those of the vector. */
static int pub_of_vector(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg)
{
	const json_t *v = arg, *key;
	size_t i;

	json_array_foreach(vec_get(v, "one_time_prekeys"), i, key)
	{
		if (json_integer_value(vec_get(key, "id")) != id)
			continue;
		vec_fixed(key, "public", pub, WA_KEY_LEN);
		return 0;
	}
	return -ENOENT;
}

struct check {
	json_t *crypto;
	json_t *v;
	struct wa_device d;
	struct wa_node *answer;
};

static void check_open(struct check *c)
{
	c->crypto = vec_load("crypto.json");
	c->v = json_object_get(c->crypto, "prekey_digest");
	assert_non_null(c->v);
	device_of_vector(c->v, &c->d);
	c->answer = stanza_of_vector(c->v, "result_stanza");
}

static int check_run(struct check *c)
{
	return wa_prekey_digest_check(c->answer, &c->d, pub_of_vector, c->v);
}

static void check_close(struct check *c)
{
	wa_node_free(c->answer);
	json_decref(c->crypto);
}

static struct wa_node *find(struct wa_node *parent, const char *tag)
{
	struct wa_node *n = parent->first_child;

	while (n != NULL && !wa_node_is(n, tag))
		n = n->next;
	assert_non_null(n);
	return n;
}

static void test_digest_of_the_vector_is_ours(void **state)
{
	struct check c;

	(void)state;
	check_open(&c);
	assert_int_equal(check_run(&c), 0);
	check_close(&c);
}

/* The content changed by a bit, then cut by a byte: each alone is a difference. */
static void assert_matters(struct check *c, struct wa_node *n)
{
	uint8_t bytes[64];
	size_t len = n->bytes_len;

	assert_in_range(len, 1, sizeof(bytes));
	memcpy(bytes, n->bytes, len);
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 0x20;
		wa_node_set_bytes(n, bytes, len);
		assert_int_equal(check_run(c), WA_EAUTH);
		bytes[i] ^= 0x20;
	}
	wa_node_set_bytes(n, bytes, len - 1);
	assert_int_equal(check_run(c), WA_EAUTH);
	wa_node_set_bytes(n, bytes, len);
	assert_int_equal(check_run(c), 0);
}

static void test_every_byte_of_the_digest_matters(void **state)
{
	struct wa_node *digest, *skey;
	struct check c;

	(void)state;
	check_open(&c);
	digest = find(c.answer, "digest");
	skey = find(digest, "skey");
	assert_matters(&c, find(digest, "registration"));
	assert_matters(&c, find(digest, "identity"));
	assert_matters(&c, find(digest, "hash"));
	assert_matters(&c, find(skey, "id"));
	assert_matters(&c, find(skey, "value"));
	assert_matters(&c, find(skey, "signature"));
	assert_matters(&c, find(find(digest, "list"), "id"));
	check_close(&c);
}

static void test_listed_keys_must_be_ours_and_in_order(void **state)
{
	struct wa_node *list, *id;
	struct check c;

	(void)state;
	check_open(&c);
	list = find(find(c.answer, "digest"), "list");
	id = wa_node_add(list, "id");
	wa_node_set_bytes(id, "\x00\x00\x04", 3); /* one we do not have */
	assert_int_equal(check_run(&c), WA_EAUTH);
	wa_node_set_bytes(id, "\x00\x00\x03", 3); /* one twice */
	assert_int_equal(check_run(&c), WA_EAUTH);
	check_close(&c);
	check_open(&c);
	list = find(find(c.answer, "digest"), "list");
	wa_node_set_bytes(list->first_child, "\x00\x00\x02", 3);
	wa_node_set_bytes(list->first_child->next, "\x00\x00\x01", 3);
	assert_int_equal(check_run(&c), WA_EAUTH);
	check_close(&c);
}

static void test_digests_that_say_nothing(void **state)
{
	struct wa_node *digest, *list;
	struct check c;

	(void)state;
	check_open(&c);
	digest = find(c.answer, "digest");
	wa_node_set_bytes(find(digest, "type"), "\x06", 1);
	assert_int_equal(check_run(&c), WA_ESTATE);
	wa_node_set_bytes(find(digest, "type"), "\x05", 1);
	list = find(digest, "list");
	for (size_t i = list->children_n; i < WA_PREKEY_DIGEST_MAX; i++)
		wa_node_add(list, "other");
	assert_int_equal(check_run(&c), 0);
	wa_node_add(list, "other");
	assert_int_equal(check_run(&c), WA_EPROTO);
	wa_node_free(c.answer);
	c.answer = stanza_result();
	assert_int_equal(check_run(&c), WA_EPROTO);
	wa_node_add(c.answer, "digest");
	assert_int_equal(check_run(&c), WA_ESTATE);
	check_close(&c);
}

static void test_upload_on_the_wire(void **state)
{
	struct wa_device d = { .registration_id = 0x1234, .signed_prekey_id = 1 };
	uint8_t pub[WA_KEY_LEN];
	struct wa_node *n = wa_prekey_upload(&d, "9");

	(void)state;
	memset(pub, 0xab, sizeof(pub));
	wa_prekey_upload_add(n, 1, pub);
	wa_prekey_upload_add(n, WA_PREKEY_ID_MAX, pub);
	wa_prekey_upload_add(NULL, 1, pub);
#define Z32 "0000000000000000000000000000000000000000000000000000000000000000"
#define AB32 "abababababababababababababababababababababababababababababababab"
	stanza_assert_text(n,
	                   "<iq to=\"s.whatsapp.net\" type=\"set\" id=\"9\" xmlns=\"encrypt\">"
	                   "<registration>[00001234]</registration><type>[05]</type><identity>[" Z32
	                   "]</identity>"
	                   "<list><key><id>[000001]</id><value>[" AB32 "]</value></key>"
	                   "<key><id>[fffffe]</id><value>[" AB32 "]</value></key></list>"
	                   "<skey><id>[000001]</id><value>[" Z32 "]</value><signature>[" Z32 Z32
	                   "]</signature></skey></iq>");
}

static void test_count(void **state)
{
	struct wa_node *n = stanza_result(), *count;
	uint32_t v = 99;

	(void)state;
	stanza_assert_text(wa_prekey_count_get("1"),
	                   "<iq to=\"s.whatsapp.net\" type=\"get\" id=\"1\" xmlns=\"encrypt\">"
	                   "<count/></iq>");
	stanza_assert_text(wa_prekey_digest_get("2"),
	                   "<iq to=\"s.whatsapp.net\" type=\"get\" id=\"2\" xmlns=\"encrypt\">"
	                   "<digest/></iq>");
	assert_int_equal(wa_prekey_count_read(n, &v), WA_EPROTO);
	count = wa_node_add(n, "count");
	assert_int_equal(wa_prekey_count_read(n, &v), WA_EPROTO);
	wa_node_set(count, "value", "-1");
	assert_int_equal(wa_prekey_count_read(n, &v), WA_EPROTO);
	wa_node_set(count, "value", "4294967296");
	assert_int_equal(wa_prekey_count_read(n, &v), WA_EPROTO);
	assert_int_equal(v, 99);
	wa_node_set(count, "value", "0");
	assert_int_equal(wa_prekey_count_read(n, &v), 0);
	assert_int_equal(v, 0);
	wa_node_set(count, "value", "812");
	assert_int_equal(wa_prekey_count_read(n, &v), 0);
	assert_int_equal(v, 812);
	wa_node_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest_of_the_vector_is_ours),
		cmocka_unit_test(test_every_byte_of_the_digest_matters),
		cmocka_unit_test(test_listed_keys_must_be_ours_and_in_order),
		cmocka_unit_test(test_digests_that_say_nothing),
		cmocka_unit_test(test_upload_on_the_wire),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
