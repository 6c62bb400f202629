/* tests/unit/test_wa_noise_ik.c - resuming with Noise IK, and the fallback from it */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "wa_fixture.h"
#include "wa_vectors.h"

#define VECTOR_NOW 1767225600   /* within the validity of the vector's certificates */
#define VECTOR_UNTIL 2082758400 /* its end */

/* ---- the published vectors ----------------------------------------------------------------------
 */

struct vector {
	json_t *crypto;
	const json_t *xx, *v; /* the keys are those of xx */
	struct wa_keypair server_static;
	struct buf payload, server_hello;
	struct wa_noise_client *c; /* has sent its hello */
};

static void vector_open(struct vector *x, const char *name)
{
	struct wa_keypair ce, cs, ca;
	struct wa_root root = { .serial = 0 };
	struct buf hello = { 0 };

	memset(x, 0, sizeof(*x));
	x->crypto = vec_load("crypto.json");
	x->xx = vec_get(x->crypto, "noise_xx");
	x->v = vec_get(x->crypto, name);
	vec_keypair(x->xx, "client_ephemeral", &ce);
	vec_keypair(x->xx, "client_static", &cs);
	vec_keypair(x->xx, "server_static", &x->server_static);
	vec_keypair(x->xx, "root_certificate_authority", &ca);
	memcpy(root.key, ca.pub, WA_KEY_LEN);
	vec_hex(x->v, "client_payload", &x->payload);
	vec_hex(x->v, "message_2_server_hello", &x->server_hello);

	assert_int_equal(wa_noise_client_new(&cs, &ce, &root, &x->c), 0);
	assert_int_equal(wa_noise_client_hello_ik(x->c, x->server_static.pub, x->payload.p,
	                                          x->payload.len, &hello),
	                 0);
	vec_assert_hex(x->v, "message_1_client_hello", hello.p, hello.len);
	buf_free(&hello);
}

static void vector_close(struct vector *x)
{
	wa_noise_client_free(x->c);
	buf_free(&x->payload);
	buf_free(&x->server_hello);
	json_decref(x->crypto);
}

/* The state is that of the step named so. */
static void assert_state_after(const struct vector *x, const char *step)
{
	const json_t *steps = vec_get(x->v, "steps"), *s;
	size_t i;

	json_array_foreach(steps, i, s)
	{
		if (strcmp(vec_str(s, "step"), step) != 0)
			continue;
		vec_assert_hex(s, "h", wa_noise_client_state(x->c)->h, 32);
		vec_assert_hex(s, "ck", wa_noise_client_state(x->c)->ck, 32);
		return;
	}
	fail_msg("no step %s", step);
}

static void finish_vector(struct vector *x, struct buf *finish, struct wa_server_key *key)
{
	const char *why = "unset";
	struct wa_transport t;

	assert_int_equal(wa_noise_client_finish(x->c, x->server_hello.p, x->server_hello.len,
	                                        x->payload.p, x->payload.len, VECTOR_NOW, finish,
	                                        &t, key, &why),
	                 0);
	assert_null(why);
	vec_assert_hex(x->v, "client_write_key", t.send.key, 32);
	vec_assert_hex(x->v, "client_read_key", t.recv.key, 32);
	assert_int_equal(t.send.counter, 0);
	assert_int_equal(t.recv.counter, 0);
}

static void test_ik_plays_the_vector(void **state)
{
	struct wa_server_key key = { .until_unix_s = 0 };
	struct buf finish = { 0 };
	struct vector x;

	(void)state;
	vector_open(&x, "noise_ik");
	assert_state_after(&x, "DecryptAndHash(client payload)");
	finish_vector(&x, &finish, &key);
	assert_int_equal(finish.len, 0); /* there is no third message */
	assert_state_after(&x, "EncryptAndHash(certificate chain)");
	assert_memory_equal(key.pub, x.server_static.pub, WA_KEY_LEN);
	assert_int_equal(key.until_unix_s, VECTOR_UNTIL);
	vector_close(&x);
}

static void test_fallback_plays_the_vector(void **state)
{
	struct wa_server_key key = { .until_unix_s = 0 };
	struct buf finish = { 0 };
	struct vector x;

	(void)state;
	vector_open(&x, "noise_xxfallback");
	finish_vector(&x, &finish, &key);
	vec_assert_hex(x.v, "message_3_client_finish", finish.p, finish.len);
	assert_state_after(&x, "DecryptAndHash(client payload)");
	vec_assert_hex(vec_get(x.v, "new_server_static"), "pub", key.pub, WA_KEY_LEN);
	assert_int_equal(key.until_unix_s, VECTOR_UNTIL);
	buf_free(&finish);
	vector_close(&x);
}

/* ---- refusals -----------------------------------------------------------------------------------
 */

enum answer { ANSWER_IK, ANSWER_FALLBACK };

static void make_answer(const struct fixture *f, enum answer kind, const struct chain_spec *spec,
                        const struct buf *client_hello, struct buf *out)
{
	struct buf chain = { 0 };

	fixture_chain_pack(spec, &chain);
	if (kind == ANSWER_IK)
		fixture_ik_answer(f, client_hello, chain.p, chain.len, out);
	else
		fixture_fallback_hello(f, chain.p, chain.len, out);
	buf_free(&chain);
}

/* What the client says to hello; nothing may be appended or handed out when it refuses. */
static int finish_ik(const struct fixture *f, const uint8_t *hello, size_t hello_len,
                     const char **why)
{
	struct wa_server_key key = { .until_unix_s = 0 };
	struct buf client_hello = { 0 }, out = { 0 };
	struct wa_transport t = { 0 }, zero = { 0 };
	struct wa_noise_client *c = fixture_client_ik(f, f->server_static.pub, &client_hello);
	int rc;

	rc = wa_noise_client_finish(c, hello, hello_len, FIXTURE_PAYLOAD, strlen(FIXTURE_PAYLOAD),
	                            FIXTURE_NOW, &out, &t, &key, why);
	if (rc < 0) {
		assert_int_equal(out.len, 0);
		assert_memory_equal(&t, &zero, sizeof(t));
		assert_int_equal(key.until_unix_s, 0);
	}
	wa_noise_client_free(c);
	buf_free(&client_hello);
	buf_free(&out);
	return rc;
}

static void with_answer(enum answer kind, void (*change)(struct chain_spec *spec),
                        void (*check)(const struct fixture *f, struct buf *hello))
{
	struct buf client_hello = { 0 }, hello = { 0 };
	struct chain_spec spec;
	struct fixture f;

	fixture_init(&f);
	wa_noise_client_free(fixture_client_ik(&f, f.server_static.pub, &client_hello));
	fixture_chain_spec(&f, &spec);
	if (change != NULL)
		change(&spec);
	make_answer(&f, kind, &spec, &client_hello, &hello);
	check(&f, &hello);
	buf_free(&client_hello);
	buf_free(&hello);
}

static void every_byte_counts(const struct fixture *f, struct buf *hello)
{
	assert_int_equal(finish_ik(f, hello->p, hello->len, NULL), 0);
	for (size_t n = 0; n < hello->len; n++)
		assert_true(finish_ik(f, hello->p, n, NULL) < 0);
	for (size_t i = 0; i < hello->len; i++) {
		hello->p[i] ^= 0x10;
		assert_true(finish_ik(f, hello->p, hello->len, NULL) < 0);
		hello->p[i] ^= 0x10;
	}
}

static void test_answers_cut_or_changed_are_refused(void **state)
{
	(void)state;
	with_answer(ANSWER_IK, NULL, every_byte_counts);
	with_answer(ANSWER_FALLBACK, NULL, every_byte_counts);
}

static void other_leaf(struct chain_spec *spec)
{
	struct wa_keypair other;

	fixture_key(0x99, &other);
	memcpy(spec->leaf_key, other.pub, WA_KEY_LEN);
}

static void expired(struct chain_spec *spec)
{
	spec->leaf.not_after = FIXTURE_NOW - 1;
}

static void foreign_root(struct chain_spec *spec)
{
	fixture_key(0x99, &spec->inter_signer);
}

static void is_not_the_key(const struct fixture *f, struct buf *hello)
{
	const char *why = NULL;

	assert_int_equal(finish_ik(f, hello->p, hello->len, &why), WA_ECERT);
	assert_string_equal(why, "leaf key is not the server's");
}

static void is_expired(const struct fixture *f, struct buf *hello)
{
	const char *why = NULL;

	assert_int_equal(finish_ik(f, hello->p, hello->len, &why), WA_ECERT);
	assert_string_equal(why, "leaf expired");
}

static void is_foreign(const struct fixture *f, struct buf *hello)
{
	const char *why = NULL;

	assert_int_equal(finish_ik(f, hello->p, hello->len, &why), WA_ECERT);
	assert_string_equal(why, "intermediate signature");
}

static void test_the_chain_is_verified_again(void **state)
{
	(void)state;
	for (int kind = ANSWER_IK; kind <= ANSWER_FALLBACK; kind++) {
		with_answer(kind, other_leaf, is_not_the_key);
		with_answer(kind, expired, is_expired);
		with_answer(kind, foreign_root, is_foreign);
	}
}

/* A server that does not know the key we sealed for can't pretend that it took our hello. */
static void test_another_server_key_is_refused(void **state)
{
	struct buf client_hello = { 0 }, hello = { 0 };
	struct chain_spec spec;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_chain_spec(&f, &spec);
	wa_noise_client_free(fixture_client_ik(&f, f.server_static.pub, &client_hello));
	make_answer(&f, ANSWER_IK, &spec, &client_hello, &hello);
	fixture_key(0x99, &f.server_static);
	assert_int_equal(finish_ik(&f, hello.p, hello.len, NULL), WA_EAUTH);
	buf_free(&client_hello);
	buf_free(&hello);
}

/* An answer to XX has a static key; without one it is none, and the fallback is none either. */
static void test_shapes_are_told_apart(void **state)
{
	struct buf client_hello = { 0 }, hello = { 0 }, out = { 0 };
	struct wa_transport t;
	struct wa_noise_client *c;
	struct chain_spec spec;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_chain_spec(&f, &spec);
	wa_noise_client_free(fixture_client_ik(&f, f.server_static.pub, &client_hello));
	make_answer(&f, ANSWER_IK, &spec, &client_hello, &hello);
	c = fixture_client(&f);
	assert_int_equal(wa_noise_client_finish(c, hello.p, hello.len, "p", 1, FIXTURE_NOW, &out,
	                                        &t, NULL, NULL),
	                 WA_EPROTO);
	wa_noise_client_free(c);

	buf_reset(&hello);
	make_answer(&f, ANSWER_FALLBACK, &spec, &client_hello, &hello);
	c = fixture_client(&f); /* the fallback is no answer to XX either: another name */
	assert_int_equal(wa_noise_client_finish(c, hello.p, hello.len, "p", 1, FIXTURE_NOW, &out,
	                                        &t, NULL, NULL),
	                 WA_EAUTH);
	wa_noise_client_free(c);
	assert_int_equal(out.len, 0);
	buf_free(&client_hello);
	buf_free(&hello);
}

static void test_low_order_server_key_is_refused_and_xx_still_possible(void **state)
{
	static const uint8_t zeros[WA_KEY_LEN];
	struct wa_noise_client *c = NULL;
	struct buf out = { 0 }, chain = { 0 }, hello = { 0 };
	struct wa_transport t;
	struct chain_spec spec;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(wa_noise_client_new(&f.client_static, &f.client_ephemeral, &f.root, &c),
	                 0);
	assert_int_equal(wa_noise_client_hello_ik(c, zeros, "p", 1, &out), WA_EAUTH);
	assert_int_equal(out.len, 0);
	assert_int_equal(wa_noise_client_hello(c, &out), 0);
	fixture_chain_spec(&f, &spec);
	fixture_chain_pack(&spec, &chain);
	fixture_server_hello(&f, chain.p, chain.len, &hello);
	assert_int_equal(wa_noise_client_finish(c, hello.p, hello.len, "p", 1, FIXTURE_NOW, &out,
	                                        &t, NULL, NULL),
	                 0);
	wa_noise_client_free(c);
	buf_free(&out);
	buf_free(&chain);
	buf_free(&hello);
}

static void test_one_hello_per_client(void **state)
{
	struct buf hello = { 0 };
	struct wa_noise_client *c;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	c = fixture_client_ik(&f, f.server_static.pub, &hello);
	assert_int_equal(wa_noise_client_hello(c, &hello), WA_ESTATE);
	assert_int_equal(wa_noise_client_hello_ik(c, f.server_static.pub, "p", 1, &hello),
	                 WA_ESTATE);
	wa_noise_client_free(c);
	buf_free(&hello);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ik_plays_the_vector),
		cmocka_unit_test(test_fallback_plays_the_vector),
		cmocka_unit_test(test_answers_cut_or_changed_are_refused),
		cmocka_unit_test(test_the_chain_is_verified_again),
		cmocka_unit_test(test_another_server_key_is_refused),
		cmocka_unit_test(test_shapes_are_told_apart),
		cmocka_unit_test(test_low_order_server_key_is_refused_and_xx_still_possible),
		cmocka_unit_test(test_one_hello_per_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
