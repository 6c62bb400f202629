/* tests/unit/test_sim_noise.c - the server's side of the handshake against the vectors */
#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "simulator/wire/sim_noise.h"
#include "wa_vectors.h"

struct fixture {
	json_t *root;
	const json_t *v;
	struct wa_keypair identity;
	struct sim_noise *noise;
	bool no_ik;
	struct buf hello, chain, out, payload;
	struct sim_noise_result result;
};

static void begin(struct fixture *f, const char *vector, const char *static_key)
{
	struct wa_keypair ephemeral;

	memset(f, 0, sizeof(*f));
	f->root = vec_load("crypto.json");
	f->v = vec_get(f->root, vector);
	vec_keypair(f->v, static_key, &f->identity);
	vec_keypair(vec_get(f->root, "noise_xx"), "server_ephemeral", &ephemeral);
	assert_int_equal(sim_noise_new(&ephemeral, &f->noise), 0);
	vec_hex(f->v, "message_1_client_hello", &f->hello);
}

static void end(struct fixture *f)
{
	sim_noise_free(f->noise);
	buf_free(&f->hello);
	buf_free(&f->chain);
	buf_free(&f->out);
	buf_free(&f->payload);
	json_decref(f->root);
}

static int hello(struct fixture *f)
{
	const struct sim_noise_server server = {
		.identity = &f->identity,
		.chain = f->chain.p,
		.chain_len = f->chain.len,
		.no_ik = f->no_ik,
	};

	return sim_noise_hello(f->noise, f->hello.p, f->hello.len, &server, &f->out, &f->payload,
	                       &f->result);
}

static int finish(struct fixture *f)
{
	struct buf msg = { 0 };
	int rc;

	vec_hex(f->v, "message_3_client_finish", &msg);
	rc = sim_noise_finish(f->noise, msg.p, msg.len, &f->payload, &f->result);
	buf_free(&msg);
	return rc;
}

static void test_xx_gives_the_vectors_bytes(void **state)
{
	uint8_t client_static[32];
	struct fixture f;

	(void)state;
	begin(&f, "noise_xx", "server_static");
	vec_hex(vec_get(f.v, "certificate_chain"), "encoded", &f.chain);
	assert_int_equal(hello(&f), 0);
	vec_assert_hex(f.v, "message_2_server_hello", f.out.p, f.out.len);
	assert_int_equal(finish(&f), 0);
	vec_assert_hex(f.v, "client_payload", f.payload.p, f.payload.len);
	vec_assert_hex(f.v, "client_write_key", f.result.from_client.key, 32);
	vec_assert_hex(f.v, "client_read_key", f.result.to_client.key, 32);
	vec_fixed(vec_get(f.v, "client_static"), "pub", client_static, 32);
	assert_memory_equal(f.result.client_static, client_static, 32);
	end(&f);
}

/* The vectors' frames have a length in front. */
static void check_transport(struct fixture *f)
{
	const json_t *t = vec_get(f->v, "transport");
	struct buf frame = { 0 }, stanza = { 0 }, out = { 0 };

	vec_hex(t, "client_frame_counter_0", &frame);
	assert_int_equal(sim_cipher_open(&f->result.from_client, frame.p + 3, frame.len - 3, &out),
	                 0);
	vec_assert_hex(t, "client_plaintext", out.p, out.len);
	buf_reset(&frame);
	buf_reset(&out);
	vec_hex(t, "client_frame_counter_1", &frame);
	frame.p[10] ^= 1;
	assert_int_equal(sim_cipher_open(&f->result.from_client, frame.p + 3, frame.len - 3, &out),
	                 WA_EAUTH);
	frame.p[10] ^= 1;
	assert_int_equal(sim_cipher_open(&f->result.from_client, frame.p + 3, frame.len - 3, &out),
	                 0);
	assert_int_equal(sim_cipher_open(&f->result.from_client, frame.p + 3, 16, &out), WA_ETRUNC);
	buf_reset(&out);
	vec_hex(t, "server_plaintext", &stanza);
	assert_int_equal(sim_cipher_seal(&f->result.to_client, stanza.p, stanza.len, &out), 0);
	buf_reset(&frame);
	vec_hex(t, "server_frame_counter_0", &frame);
	assert_int_equal(out.len, frame.len - 3);
	assert_memory_equal(out.p, frame.p + 3, out.len);
	buf_free(&frame);
	buf_free(&stanza);
	buf_free(&out);
}

static void test_transport_frames_of_the_vectors(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "noise_xx", "server_static");
	vec_hex(vec_get(f.v, "certificate_chain"), "encoded", &f.chain);
	assert_int_equal(hello(&f), 0);
	assert_int_equal(finish(&f), 0);
	check_transport(&f);
	end(&f);
}

static void test_ik_for_a_key_we_lost_gets_xxfallback(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "noise_xxfallback", "new_server_static");
	vec_hex(f.v, "certificate_chain", &f.chain);
	assert_int_equal(hello(&f), 0);
	vec_assert_hex(f.v, "message_2_server_hello", f.out.p, f.out.len);
	assert_int_equal(f.payload.len, 0);
	assert_int_equal(finish(&f), 0);
	vec_assert_hex(f.v, "client_payload", f.payload.p, f.payload.len);
	assert_string_equal(sim_handshake_name(f.result.handshake), "XXfallback");
	end(&f);
}

/* The IK vector has the keys and the chain of the XX one. */
static void begin_ik(struct fixture *f)
{
	const json_t *ik;

	begin(f, "noise_xx", "server_static");
	vec_hex(vec_get(f->v, "certificate_chain"), "encoded", &f->chain);
	ik = vec_get(f->root, "noise_ik");
	f->v = ik;
	buf_reset(&f->hello);
	vec_hex(ik, "message_1_client_hello", &f->hello);
}

static void test_ik_for_our_key_is_done_in_one_message(void **state)
{
	uint8_t client_static[32];
	struct fixture f;

	(void)state;
	begin_ik(&f);
	assert_int_equal(hello(&f), 1);
	vec_assert_hex(f.v, "message_2_server_hello", f.out.p, f.out.len);
	vec_assert_hex(f.v, "client_payload", f.payload.p, f.payload.len);
	vec_assert_hex(f.v, "client_write_key", f.result.from_client.key, 32);
	vec_assert_hex(f.v, "client_read_key", f.result.to_client.key, 32);
	vec_fixed(vec_get(vec_get(f.root, "noise_xx"), "client_static"), "pub", client_static, 32);
	assert_memory_equal(f.result.client_static, client_static, 32);
	assert_string_equal(sim_handshake_name(f.result.handshake), "IK");
	end(&f);
}

static void test_ik_switched_off_gets_xxfallback(void **state)
{
	struct fixture f;

	(void)state;
	begin_ik(&f);
	f.no_ik = true;
	assert_int_equal(hello(&f), 0);
	assert_int_equal(f.payload.len, 0);
	end(&f);
}

static void test_ik_payload_that_does_not_open_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	begin_ik(&f);
	f.hello.p[f.hello.len - 1] ^= 1;
	assert_int_equal(hello(&f), WA_EAUTH);
	assert_int_equal(f.out.len, 0);
	end(&f);
}

/* One flipped bit in the sealed static key looks like a key that is not for us. */
static void test_ik_static_that_does_not_open_gets_xxfallback(void **state)
{
	struct fixture f;

	(void)state;
	begin_ik(&f);
	f.hello.p[50] ^= 1;
	assert_int_equal(hello(&f), 0);
	assert_true(f.out.len > 0);
	end(&f);
}

static void test_hello_refuses_what_is_no_client_hello(void **state)
{
	static const struct {
		uint8_t bytes[40];
		size_t len;
		int rc;
	} cases[] = {
		{ { 0 }, 0, WA_EPROTO },                            /* an empty message */
		{ { 0x12, 0x00 }, 2, WA_EPROTO },                   /* no key */
		{ { 0x12, 0x03, 0x0a, 0x01, 0x05 }, 5, WA_EPROTO }, /* one byte of key */
		{ { 0x12, 0x22, 0x0a, 0x20 }, 4, WA_ETRUNC },
		{ { 0x12, 0x22, 0x0a, 0x20 }, 36, WA_EAUTH }, /* the key 0: every DH with it is 0 */
		{ { 0x1a, 0x22, 0x0a, 0x20 }, 36, WA_EPROTO }, /* a ServerHello */
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&f, "noise_xx", "server_static");
		buf_reset(&f.hello);
		assert_int_equal(buf_append(&f.hello, cases[i].bytes, cases[i].len), 0);
		assert_int_equal(hello(&f), cases[i].rc);
		assert_int_equal(f.out.len, 0);
		end(&f);
	}
}

static void test_finish_refuses_one_flipped_bit(void **state)
{
	static const size_t at[] = { 10, 60, 200 }; /* static, payload, payload */
	struct fixture f;
	struct buf msg = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		begin(&f, "noise_xx", "server_static");
		vec_hex(vec_get(f.v, "certificate_chain"), "encoded", &f.chain);
		assert_int_equal(hello(&f), 0);
		buf_reset(&msg);
		vec_hex(f.v, "message_3_client_finish", &msg);
		msg.p[at[i]] ^= 1;
		assert_int_equal(sim_noise_finish(f.noise, msg.p, msg.len, &f.payload, &f.result),
		                 WA_EAUTH);
		end(&f);
	}
	buf_free(&msg);
}

static void test_order_of_messages_is_kept(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "noise_xx", "server_static");
	vec_hex(vec_get(f.v, "certificate_chain"), "encoded", &f.chain);
	assert_int_equal(finish(&f), WA_ESTATE);
	assert_int_equal(hello(&f), 0);
	assert_int_equal(hello(&f), WA_ESTATE);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xx_gives_the_vectors_bytes),
		cmocka_unit_test(test_transport_frames_of_the_vectors),
		cmocka_unit_test(test_ik_for_a_key_we_lost_gets_xxfallback),
		cmocka_unit_test(test_ik_for_our_key_is_done_in_one_message),
		cmocka_unit_test(test_ik_switched_off_gets_xxfallback),
		cmocka_unit_test(test_ik_payload_that_does_not_open_is_refused),
		cmocka_unit_test(test_ik_static_that_does_not_open_gets_xxfallback),
		cmocka_unit_test(test_hello_refuses_what_is_no_client_hello),
		cmocka_unit_test(test_finish_refuses_one_flipped_bit),
		cmocka_unit_test(test_order_of_messages_is_kept),
	};

	if (wa_keys_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
