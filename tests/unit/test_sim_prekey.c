/* tests/unit/test_sim_prekey.c - what a device may put on the server, and what the digest says */
#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "simulator/server/sim_prekey.h"
#include "wa_vectors.h"

#define KEYS_MAX 8

/* An upload as a client sends it, in parts that a test can change. */
struct upload {
	uint8_t registration[4], type[2], identity[32];
	size_t registration_len, type_len, identity_len;
	struct {
		uint8_t id[3], pub[33];
		size_t id_len, pub_len;
	} keys[KEYS_MAX];
	size_t keys_n;
	uint8_t skey_id[3], skey[32], sig[64];
	size_t sig_len;
	const char *key_tag;
	bool no_list, no_skey, twice;
};

struct fixture {
	json_t *root;
	const json_t *v;
	struct sim_prekeys *keys;
	struct sim_prekey_device device;
	struct upload up;
	struct sim_prekey_error error;
};

static int setup(void **state)
{
	static struct fixture f;
	const json_t *list;

	memset(&f, 0, sizeof(f));
	f.root = vec_load("crypto.json");
	f.v = vec_get(f.root, "prekey_digest");
	assert_int_equal(sim_prekeys_new(&f.keys), 0);
	f.device.registration_id = 4660;
	vec_fixed(f.v, "identity_public", f.device.identity, 32);
	memcpy(f.up.registration, "\x00\x00\x12\x34", 4);
	f.up.registration_len = 4;
	f.up.type[0] = 5;
	f.up.type_len = 1;
	memcpy(f.up.identity, f.device.identity, 32);
	f.up.identity_len = 32;
	f.up.skey_id[2] = 1;
	vec_fixed(vec_get(f.v, "signed_prekey"), "public", f.up.skey, 32);
	vec_fixed(vec_get(f.v, "signed_prekey"), "signature", f.up.sig, 64);
	f.up.sig_len = 64;
	f.up.key_tag = "key";
	list = vec_get(f.v, "one_time_prekeys");
	f.up.keys_n = json_array_size(list);
	for (size_t i = 0; i < f.up.keys_n; i++) {
		f.up.keys[i].id[2] = (uint8_t)(i + 1);
		f.up.keys[i].id_len = 3;
		f.up.keys[i].pub_len = 32;
		vec_fixed(json_array_get(list, i), "public", f.up.keys[i].pub, 32);
	}
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sim_prekeys_free(f->keys);
	json_decref(f->root);
	return 0;
}

static void add(struct wa_node *n, const char *tag, const void *data, size_t len)
{
	wa_node_set_bytes(wa_node_add(n, tag), data, len);
}

static void add_skey(const struct upload *up, struct wa_node *n)
{
	struct wa_node *skey = wa_node_add(n, "skey");

	add(skey, "id", up->skey_id, 3);
	add(skey, "value", up->skey, 32);
	add(skey, "signature", up->sig, up->sig_len);
}

static struct wa_node *build(const struct upload *up)
{
	struct wa_node *iq = wa_node_new("iq");
	struct wa_node *list;

	add(iq, "registration", up->registration, up->registration_len);
	add(iq, "type", up->type, up->type_len);
	add(iq, "identity", up->identity, up->identity_len);
	if (up->twice)
		add(iq, "identity", up->identity, up->identity_len);
	if (!up->no_skey)
		add_skey(up, iq);
	if (up->no_list)
		return iq;
	list = wa_node_add(iq, "list");
	for (size_t i = 0; i < up->keys_n; i++) {
		struct wa_node *key = wa_node_add(list, up->key_tag);

		add(key, "id", up->keys[i].id, up->keys[i].id_len);
		add(key, "value", up->keys[i].pub, up->keys[i].pub_len);
	}
	return iq;
}

/* Through the wire form, as it comes from a client. */
static struct wa_node *sent(struct wa_node *n)
{
	struct buf wire = { 0 };
	struct wa_node *came = NULL;

	assert_int_equal(wa_stanza_encode(n, &wire), 0);
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &came), 0);
	buf_free(&wire);
	wa_node_free(n);
	return came;
}

static int upload(struct fixture *f)
{
	struct wa_node *iq = sent(build(&f->up));
	int rc = sim_prekeys_upload(f->keys, &f->device, iq, &f->error);

	wa_node_free(iq);
	return rc;
}

static void test_digest_of_the_vector(void **state)
{
	struct fixture *f = *state;
	struct wa_node *n = NULL;
	struct buf wire = { 0 }, out = { 0 };

	assert_int_equal(upload(f), 0);
	assert_int_equal(sim_prekeys_count(f->keys), 3);
	vec_hex(f->v, "result_stanza", &wire);
	/* the vector's answer without its content, filled in here */
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &n), 0);
	n->content = WA_CONTENT_NONE;
	n->first_child = n->last_child = NULL;
	n->children_n = 0;
	assert_int_equal(sim_prekeys_digest(f->keys, &f->device, n), 0);
	assert_int_equal(wa_stanza_encode(n, &out), 0);
	assert_int_equal(out.len, wire.len);
	assert_memory_equal(out.p, wire.p, out.len);
	buf_free(&wire);
	buf_free(&out);
	wa_node_free(n);
}

static void test_digest_of_nothing_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct wa_node *n = wa_node_new("iq");

	assert_int_equal(sim_prekeys_digest(f->keys, &f->device, n), WA_ESTATE);
	wa_node_free(n);
}

#define MUTATIONS(X) \
	X(registration_short, "registration", up->registration_len = 3) \
	X(registration_other, "registration", up->registration[3] ^= 1) \
	X(type_other, "type", up->type[0] = 6) \
	X(type_long, "type", up->type_len = 2) \
	X(identity_short, "identity", up->identity_len = 31) \
	X(identity_other, "identity", up->identity[5] ^= 1) \
	X(identity_twice, "identity", up->twice = true) \
	X(no_skey, "skey", up->no_skey = true) \
	X(skey_other, "skey", up->skey[5] ^= 1) \
	X(skey_sig_other, "skey", up->sig[5] ^= 1) \
	X(skey_sig_short, "skey", up->sig_len = 63) \
	X(skey_id_0, "skey", up->skey_id[2] = 0) \
	X(skey_id_max, "skey", memset(up->skey_id, 0xff, 3)) \
	X(no_list, "list", up->no_list = true) \
	X(empty_list, "list", up->keys_n = 0) \
	X(other_tag, "key", up->key_tag = "kay") \
	X(id_short, "key", up->keys[1].id_len = 2) \
	X(id_0, "key", up->keys[1].id[2] = 0) \
	X(id_max, "key", memset(up->keys[1].id, 0xff, 3)) \
	X(id_twice, "key", up->keys[1].id[2] = 1) \
	X(value_short, "key", up->keys[2].pub_len = 31) \
	X(value_long, "key", up->keys[2].pub_len = 33)

#define X(name, field, change) \
	static void mutate_##name(struct upload *up) \
	{ \
		change; \
	}
MUTATIONS(X)
#undef X

static const struct {
	const char *name, *field;
	void (*change)(struct upload *up);
} mutations[] = {
#define X(name, field, change) { #name, (field), mutate_##name },
	MUTATIONS(X)
#undef X
};

static void test_each_mutation_of_an_upload_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	const struct upload right = f->up;
	const struct sim_prekey_device before = f->device;

	for (size_t i = 0; i < ARRAY_LEN(mutations); i++) {
		f->up = right;
		mutations[i].change(&f->up);
		if (upload(f) != WA_EPROTO)
			fail_msg("%s was taken", mutations[i].name);
		assert_int_equal(f->error.code, 406);
		if (strcmp(f->error.field, mutations[i].field) != 0)
			fail_msg("%s: field %s", mutations[i].name, f->error.field);
		assert_int_equal(sim_prekeys_count(f->keys), 0);
		assert_false(sim_prekeys_has_upload(f->keys));
		assert_memory_equal(&f->device, &before, sizeof(before));
	}
}

static void test_the_largest_id_is_taken(void **state)
{
	struct fixture *f = *state;

	memcpy(f->up.keys[0].id, "\xff\xff\xfe", 3);
	assert_int_equal(upload(f), 0);
}

static void test_the_same_keys_may_be_sent_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(upload(f), 0);
	assert_int_equal(upload(f), 0);
	assert_int_equal(sim_prekeys_count(f->keys), 3);
}

static void test_an_id_never_comes_with_another_key(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(upload(f), 0);
	f->up.keys[0].pub[1] ^= 1;
	assert_int_equal(upload(f), WA_EPROTO);
	sim_prekeys_use_up(f->keys, 0);
	assert_int_equal(upload(f), WA_EPROTO); /* also when it was given out since */
	f->up.keys[0].pub[1] ^= 1;
	assert_int_equal(upload(f), 0);
	assert_int_equal(sim_prekeys_count(f->keys), 0); /* and is not given out twice */
}

static void test_a_bundle_uses_up_one_key(void **state)
{
	struct fixture *f = *state;
	const struct wa_node *key;
	struct wa_node *user;

	assert_int_equal(upload(f), 0);
	for (int i = 0; i < 4; i++) {
		user = wa_node_new("user");
		sim_prekeys_bundle(f->keys, &f->device, user);
		key = wa_node_child(user, "key");
		assert_int_equal(key != NULL, i < 3);
		if (key != NULL)
			assert_int_equal(wa_node_child(key, "id")->bytes[2], i + 1);
		assert_int_equal(wa_node_child(user, "registration")->bytes_len, 4);
		assert_int_equal(wa_node_child(wa_node_child(user, "skey"), "signature")->bytes_len,
		                 64);
		wa_node_free(user);
	}
	assert_int_equal(sim_prekeys_count(f->keys), 0);
}

static int rotate(struct fixture *f)
{
	struct wa_node *n = wa_node_new("rotate");
	int rc;

	add_skey(&f->up, n);
	n = sent(n);
	rc = sim_prekeys_rotate(&f->device, n, &f->error);
	wa_node_free(n);
	return rc;
}

static void test_rotation_is_checked_like_an_upload(void **state)
{
	struct fixture *f = *state;

	f->up.skey_id[2] = 9;
	assert_int_equal(rotate(f), 0);
	assert_int_equal(f->device.signed_id, 9);
	f->up.sig[7] ^= 1;
	assert_int_equal(rotate(f), WA_EPROTO);
	assert_int_equal(f->error.code, 406);
	f->up.sig[7] ^= 1;
	f->device.signed_pub[0] ^= 1; /* what lies here under that id is another key */
	assert_int_equal(rotate(f), WA_EPROTO);
	assert_int_equal(f->error.code, 409);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_digest_of_the_vector),
		WITH(test_digest_of_nothing_is_not_found),
		WITH(test_each_mutation_of_an_upload_is_refused_whole),
		WITH(test_the_largest_id_is_taken),
		WITH(test_the_same_keys_may_be_sent_again),
		WITH(test_an_id_never_comes_with_another_key),
		WITH(test_a_bundle_uses_up_one_key),
		WITH(test_rotation_is_checked_like_an_upload),
	};

	if (wa_keys_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
