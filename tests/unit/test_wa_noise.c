/* tests/unit/test_wa_noise.c - the XX handshake and the transport against the vectors */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "wa_fixture.h"
#include "wa_vectors.h"
#include "worker/wa/transport/wa_frame.h"

#define XX_NAME "Noise_XX_25519_AESGCM_SHA256"
#define VECTOR_NOW 1767225600   /* within the validity of the vector's certificates */
#define VECTOR_UNTIL 2082758400 /* its end */

/* ---- the symmetric state, step by step ----------------------------------------------------------
 */

struct walk {
	const json_t *steps;
	size_t i;
	struct wa_noise_state s;
};

/* The state after each step is that of the next entry. */
static void assert_step(struct walk *w)
{
	const json_t *step = json_array_get(w->steps, w->i++);

	assert_non_null(step);
	vec_assert_hex(step, "h", w->s.h, 32);
	vec_assert_hex(step, "ck", w->s.ck, 32);
	vec_assert_hex(step, "k", w->s.k, 32);
	assert_int_equal(w->s.n, json_integer_value(vec_get(step, "n")));
}

static void step_hash(struct walk *w, const void *d, size_t d_len)
{
	assert_int_equal(wa_noise_mix_hash(&w->s, d, d_len), 0);
	assert_step(w);
}

static void step_key(struct walk *w, const struct wa_keypair *own, const struct wa_keypair *peer)
{
	uint8_t shared[WA_KEY_LEN];

	assert_int_equal(wa_dh(own->priv, peer->pub, shared), 0);
	assert_int_equal(wa_noise_mix_key(&w->s, shared), 0);
	assert_step(w);
}

static void step_encrypt(struct walk *w, const void *in, size_t in_len)
{
	const json_t *step = json_array_get(w->steps, w->i);
	uint8_t *out = malloc(in_len + WA_TAG_LEN);

	assert_non_null(out);
	assert_int_equal(wa_noise_encrypt(&w->s, in, in_len, out), 0);
	if (json_object_get(step, "ciphertext") != NULL)
		vec_assert_hex(step, "ciphertext", out, in_len + WA_TAG_LEN);
	assert_step(w);
	free(out);
}

static void test_every_step_of_the_vector(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *xx = vec_get(root, "noise_xx");
	struct wa_keypair ce, cs, se, ss;
	struct walk w = { .steps = vec_get(xx, "steps") };
	struct buf chain = { 0 }, payload = { 0 };
	struct wa_transport t;

	(void)state;
	vec_keypair(xx, "client_ephemeral", &ce);
	vec_keypair(xx, "client_static", &cs);
	vec_keypair(xx, "server_ephemeral", &se);
	vec_keypair(xx, "server_static", &ss);
	vec_hex(vec_get(xx, "certificate_chain"), "encoded", &chain);
	vec_hex(xx, "client_payload", &payload);

	assert_int_equal(wa_noise_state_init(&w.s, XX_NAME), 0);
	assert_step(&w); /* the start itself */
	step_hash(&w, wa_stream_header, WA_STREAM_HEADER_LEN);
	step_hash(&w, ce.pub, WA_KEY_LEN);
	step_hash(&w, se.pub, WA_KEY_LEN);
	step_key(&w, &se, &ce);
	step_encrypt(&w, ss.pub, WA_KEY_LEN);
	step_key(&w, &ss, &ce);
	step_encrypt(&w, chain.p, chain.len);
	step_encrypt(&w, cs.pub, WA_KEY_LEN);
	step_key(&w, &se, &cs);
	step_encrypt(&w, payload.p, payload.len);
	assert_int_equal(w.i, json_array_size(w.steps));

	assert_int_equal(wa_noise_split(&w.s, &t), 0);
	vec_assert_hex(xx, "client_write_key", t.send.key, 32);
	vec_assert_hex(xx, "client_read_key", t.recv.key, 32);
	buf_free(&chain);
	buf_free(&payload);
	json_decref(root);
}

static void test_decrypt_follows_encrypt_also_in_place(void **state)
{
	struct wa_noise_state a, b;
	uint8_t box[5 + WA_TAG_LEN] = "hello";

	(void)state;
	assert_int_equal(wa_noise_state_init(&a, XX_NAME), 0);
	b = a;
	assert_int_equal(wa_noise_encrypt(&a, box, 5, box), 0);
	assert_int_equal(wa_noise_decrypt(&b, box, sizeof(box), box), 0);
	assert_memory_equal(box, "hello", 5);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void test_failed_decrypt_changes_nothing(void **state)
{
	struct wa_noise_state s, before;
	uint8_t box[5 + WA_TAG_LEN] = "hello", out[5];

	(void)state;
	assert_int_equal(wa_noise_state_init(&s, XX_NAME), 0);
	before = s;
	assert_int_equal(wa_noise_decrypt(&s, box, sizeof(box), out), WA_EAUTH);
	assert_int_equal(wa_noise_decrypt(&s, box, WA_TAG_LEN - 1, out), WA_ETRUNC);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void test_long_names_are_hashed(void **state)
{
	static const char name[] = "Noise_XXfallback_25519_AESGCM_SHA256";
	struct wa_noise_state s;
	uint8_t hash[32];

	(void)state;
	assert_int_equal(wa_noise_state_init(&s, name), 0);
	assert_int_equal(wa_sha256(name, strlen(name), hash), 0);
	assert_memory_equal(s.h, hash, 32);
	assert_memory_equal(s.ck, hash, 32);
}

/* ---- the client ---------------------------------------------------------------------------------
 */

/* header (first message only), u24 length, payload */
static void assert_wire(const json_t *xx, const char *key, bool with_header, const struct buf *msg)
{
	struct buf wire = { 0 };

	if (with_header)
		assert_int_equal(buf_append(&wire, wa_stream_header, WA_STREAM_HEADER_LEN), 0);
	assert_int_equal(wa_frame_append(&wire, msg->p, msg->len), 0);
	vec_assert_hex(xx, key, wire.p, wire.len);
	buf_free(&wire);
}

static void assert_transport(const json_t *xx, struct wa_transport *client)
{
	const json_t *v = vec_get(xx, "transport");
	struct wa_transport server = { .send = client->recv, .recv = client->send };
	struct buf up = { 0 }, down = { 0 };
	static const char *const up_keys[] = { "client_frame_counter_0", "client_frame_counter_1" };
	static const char *const down_keys[] = { "server_frame_counter_0",
		                                 "server_frame_counter_1" };

	vec_hex(v, "client_plaintext", &up);
	vec_hex(v, "server_plaintext", &down);
	for (size_t i = 0; i < 2; i++) {
		struct buf sealed = { 0 }, frame = { 0 }, opened = { 0 };

		assert_int_equal(wa_cipher_seal(&client->send, up.p, up.len, &sealed), 0);
		assert_int_equal(wa_frame_append(&frame, sealed.p, sealed.len), 0);
		vec_assert_hex(v, up_keys[i], frame.p, frame.len);
		assert_int_equal(wa_cipher_open(&server.recv, sealed.p, sealed.len, &opened), 0);
		assert_int_equal(opened.len, up.len);
		assert_memory_equal(opened.p, up.p, up.len);

		buf_reset(&frame);
		buf_reset(&opened);
		vec_hex(v, down_keys[i], &frame);
		assert_int_equal(wa_cipher_open(&client->recv, frame.p + 3, frame.len - 3, &opened),
		                 0);
		assert_int_equal(opened.len, down.len);
		assert_memory_equal(opened.p, down.p, down.len);
		buf_free(&sealed);
		buf_free(&frame);
		buf_free(&opened);
	}
	buf_free(&up);
	buf_free(&down);
}

static void test_client_plays_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *xx = vec_get(crypto, "noise_xx");
	const json_t *steps = vec_get(xx, "steps");
	const json_t *last = json_array_get(steps, json_array_size(steps) - 1);
	struct buf hello = { 0 }, server = { 0 }, payload = { 0 }, finish = { 0 };
	struct wa_noise_client *c = NULL;
	struct wa_keypair ce, cs, ca;
	struct wa_root root = { .serial = 0 };
	struct wa_transport t;
	struct wa_server_key key;
	const char *why = "unset";

	(void)state;
	vec_keypair(xx, "client_ephemeral", &ce);
	vec_keypair(xx, "client_static", &cs);
	vec_keypair(xx, "root_certificate_authority", &ca);
	memcpy(root.key, ca.pub, WA_KEY_LEN);
	vec_hex(xx, "message_2_server_hello", &server);
	vec_hex(xx, "client_payload", &payload);

	assert_int_equal(wa_noise_client_new(&cs, &ce, &root, &c), 0);
	assert_int_equal(wa_noise_client_hello(c, &hello), 0);
	vec_assert_hex(xx, "message_1_client_hello", hello.p, hello.len);
	assert_wire(xx, "wire_1", true, &hello);
	assert_wire(xx, "wire_2", false, &server);
	assert_int_equal(wa_noise_client_finish(c, server.p, server.len, payload.p, payload.len,
	                                        VECTOR_NOW, &finish, &t, &key, &why),
	                 0);
	assert_null(why);
	vec_assert_hex(xx, "message_3_client_finish", finish.p, finish.len);
	assert_wire(xx, "wire_3", false, &finish);
	vec_assert_hex(last, "h", wa_noise_client_state(c)->h, 32);
	vec_assert_hex(last, "ck", wa_noise_client_state(c)->ck, 32);
	vec_assert_hex(xx, "client_write_key", t.send.key, 32);
	vec_assert_hex(xx, "client_read_key", t.recv.key, 32);
	assert_transport(xx, &t);
	vec_assert_hex(vec_get(xx, "server_static"), "pub", key.pub, WA_KEY_LEN);
	assert_int_equal(key.until_unix_s, VECTOR_UNTIL);

	wa_noise_client_free(c);
	buf_free(&hello);
	buf_free(&server);
	buf_free(&payload);
	buf_free(&finish);
	json_decref(crypto);
}

static void test_calls_out_of_order_are_refused(void **state)
{
	struct wa_noise_client *c = NULL;
	struct buf out = { 0 };
	struct wa_transport t;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(wa_noise_client_new(&f.client_static, NULL, &f.root, &c), 0);
	assert_int_equal(wa_noise_client_finish(c, (const uint8_t *)"x", 1, "p", 1, FIXTURE_NOW,
	                                        &out, &t, NULL, NULL),
	                 WA_ESTATE);
	assert_int_equal(wa_noise_client_hello(c, &out), 0);
	assert_int_equal(wa_noise_client_hello(c, &out), WA_ESTATE);
	wa_noise_client_free(c);
	wa_noise_client_free(NULL);
	buf_free(&out);
}

static void test_own_ephemeral_keys_are_fresh(void **state)
{
	struct buf a = { 0 }, b = { 0 };
	struct wa_noise_client *c = NULL;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(wa_noise_client_new(&f.client_static, NULL, &f.root, &c), 0);
	assert_int_equal(wa_noise_client_hello(c, &a), 0);
	wa_noise_client_free(c);
	assert_int_equal(wa_noise_client_new(&f.client_static, NULL, &f.root, &c), 0);
	assert_int_equal(wa_noise_client_hello(c, &b), 0);
	wa_noise_client_free(c);
	assert_int_equal(a.len, b.len);
	assert_memory_not_equal(a.p, b.p, a.len);
	buf_free(&a);
	buf_free(&b);
}

static int finish_with(const struct fixture *f, const uint8_t *hello, size_t hello_len)
{
	struct wa_noise_client *c = fixture_client(f);
	struct buf out = { 0 };
	struct wa_transport t;
	uint8_t *copy = malloc(hello_len + (hello_len == 0));
	int rc;

	assert_non_null(copy);
	memcpy(copy, hello, hello_len);
	rc = wa_noise_client_finish(c, copy, hello_len, "payload", 7, FIXTURE_NOW, &out, &t, NULL,
	                            NULL);
	assert_int_equal(rc == 0, out.len > 0);
	free(copy);
	buf_free(&out);
	wa_noise_client_free(c);
	return rc;
}

static void make_hello(const struct fixture *f, struct buf *out)
{
	struct chain_spec spec;
	struct buf chain = { 0 };

	fixture_chain_spec(f, &spec);
	fixture_chain_pack(&spec, &chain);
	fixture_server_hello(f, chain.p, chain.len, out);
	buf_free(&chain);
}

static void test_server_hello_cut_or_changed_is_refused(void **state)
{
	struct buf hello = { 0 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	make_hello(&f, &hello);
	assert_int_equal(finish_with(&f, hello.p, hello.len), 0);
	for (size_t n = 0; n < hello.len; n++)
		assert_true(finish_with(&f, hello.p, n) < 0);
	for (size_t i = 0; i < hello.len; i++) {
		hello.p[i] ^= 0x10;
		assert_true(finish_with(&f, hello.p, hello.len) < 0);
		hello.p[i] ^= 0x10;
	}
	buf_free(&hello);
}

/* change: one thing about a ServerHello; want: what the client says. */
static void assert_hello_refused(void (*change)(Wa__HandshakeMessage *m), int want)
{
	struct buf hello = { 0 }, changed = { 0 };
	ProtobufCMessage *base = NULL;
	Wa__HandshakeMessage *m;
	Wa__ServerHello *kept;
	Wa__ServerHello copy;
	struct fixture f;

	fixture_init(&f);
	make_hello(&f, &hello);
	assert_int_equal(pb_unpack(&wa__handshake_message__descriptor, hello.p, hello.len,
	                           &pb_limits_small, &base),
	                 0);
	m = (Wa__HandshakeMessage *)base;
	kept = m->server_hello;
	copy = *kept;
	change(m);
	assert_int_equal(buf_reserve(&changed, wa__handshake_message__get_packed_size(m) + 1), 0);
	changed.len = wa__handshake_message__pack(m, changed.p);
	m->client_hello = NULL;
	m->server_hello = kept;
	*kept = copy;
	pb_free(base);
	assert_int_equal(finish_with(&f, changed.p, changed.len), want);
	buf_free(&hello);
	buf_free(&changed);
}

static void no_server_hello(Wa__HandshakeMessage *m)
{
	m->server_hello = NULL;
}

static void no_ephemeral(Wa__HandshakeMessage *m)
{
	m->server_hello->has_ephemeral = 0;
}

static void short_ephemeral(Wa__HandshakeMessage *m)
{
	m->server_hello->ephemeral.len--;
}

static void no_static(Wa__HandshakeMessage *m)
{
	m->server_hello->has_static_ = 0;
}

static void short_static(Wa__HandshakeMessage *m)
{
	m->server_hello->static_.len--;
}

static void no_payload(Wa__HandshakeMessage *m)
{
	m->server_hello->has_payload = 0;
}

static void bare_tag(Wa__HandshakeMessage *m)
{
	m->server_hello->payload.len = WA_TAG_LEN;
}

static void low_order(Wa__HandshakeMessage *m)
{
	static uint8_t zeros[WA_KEY_LEN];

	m->server_hello->ephemeral.data = zeros;
}

static void wrong_static_tag(Wa__HandshakeMessage *m)
{
	static uint8_t changed[WA_KEY_LEN + WA_TAG_LEN];

	memcpy(changed, m->server_hello->static_.data, sizeof(changed));
	changed[sizeof(changed) - 1] ^= 1;
	m->server_hello->static_.data = changed;
}

static void test_server_hello_of_another_shape_is_refused(void **state)
{
	(void)state;
	assert_hello_refused(no_server_hello, WA_EPROTO);
	assert_hello_refused(no_ephemeral, WA_EPROTO);
	assert_hello_refused(short_ephemeral, WA_EPROTO);
	assert_hello_refused(no_static, WA_EPROTO);
	assert_hello_refused(short_static, WA_EPROTO);
	assert_hello_refused(no_payload, WA_EPROTO);
	assert_hello_refused(bare_tag, WA_EPROTO);
	assert_hello_refused(low_order, WA_EAUTH);
	assert_hello_refused(wrong_static_tag, WA_EAUTH);
}

static void test_oversized_server_hello_is_refused(void **state)
{
	struct fixture f;
	uint8_t *big = calloc(1, pb_limits_small.bytes_max + 1);

	(void)state;
	assert_non_null(big);
	fixture_init(&f);
	assert_int_equal(finish_with(&f, big, pb_limits_small.bytes_max + 1), WA_ELIMIT);
	free(big);
}

/* ---- transport ----------------------------------------------------------------------------------
 */

static void test_transport_refuses_short_changed_and_repeated_frames(void **state)
{
	struct wa_cipher a = { .key = { 1 } }, b = a;
	struct buf sealed = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(wa_cipher_seal(&a, "x", 1, &sealed), 0);
	assert_int_equal(wa_cipher_open(&b, sealed.p, 16, &out), WA_ETRUNC);
	sealed.p[0] ^= 1;
	assert_int_equal(wa_cipher_open(&b, sealed.p, sealed.len, &out), WA_EAUTH);
	sealed.p[0] ^= 1;
	assert_int_equal(out.len, 0);
	assert_int_equal(wa_cipher_open(&b, sealed.p, sealed.len, &out), 0);
	assert_int_equal(wa_cipher_open(&b, sealed.p, sealed.len, &out), WA_EAUTH);
	assert_int_equal(out.len, 1);
	buf_free(&sealed);
	buf_free(&out);
}

static void test_transport_never_uses_a_counter_twice(void **state)
{
	struct wa_cipher a = { .key = { 1 }, .counter = UINT32_MAX - 1 }, b = a;
	struct buf sealed = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(wa_cipher_seal(&a, "x", 1, &sealed), 0);
	assert_int_equal(wa_cipher_seal(&a, "y", 1, &sealed), WA_ELIMIT);
	assert_int_equal(sealed.len, 17);
	assert_int_equal(wa_cipher_open(&b, sealed.p, sealed.len, &out), 0);
	assert_int_equal(wa_cipher_open(&b, sealed.p, sealed.len, &out), WA_ELIMIT);
	buf_free(&sealed);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step_of_the_vector),
		cmocka_unit_test(test_decrypt_follows_encrypt_also_in_place),
		cmocka_unit_test(test_failed_decrypt_changes_nothing),
		cmocka_unit_test(test_long_names_are_hashed),
		cmocka_unit_test(test_client_plays_the_vector),
		cmocka_unit_test(test_calls_out_of_order_are_refused),
		cmocka_unit_test(test_own_ephemeral_keys_are_fresh),
		cmocka_unit_test(test_server_hello_cut_or_changed_is_refused),
		cmocka_unit_test(test_server_hello_of_another_shape_is_refused),
		cmocka_unit_test(test_oversized_server_hello_is_refused),
		cmocka_unit_test(test_transport_refuses_short_changed_and_repeated_frames),
		cmocka_unit_test(test_transport_never_uses_a_counter_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
