/* tests/unit/test_wa_keys.c - the primitives against the protocol's vectors */
#include "test.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/err.h"
#include "wa_vectors.h"

static void test_xeddsa_signs_as_the_vectors(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *list = vec_get(vec_get(root, "xeddsa"), "valid"), *v;
	size_t i;

	(void)state;
	assert_true(json_array_size(list) >= 6);
	json_array_foreach(list, i, v)
	{
		struct wa_keypair kp, derived;
		uint8_t rnd[64], sig[WA_SIG_LEN], own[WA_SIG_LEN];
		struct buf msg = { 0 };

		vec_fixed(v, "priv", kp.priv, WA_KEY_LEN);
		vec_fixed(v, "pub", kp.pub, WA_KEY_LEN);
		vec_fixed(v, "random", rnd, sizeof(rnd));
		vec_fixed(v, "signature", sig, sizeof(sig));
		vec_hex(v, "message", &msg);
		assert_int_equal(wa_keypair_from_priv(kp.priv, &derived), 0);
		assert_memory_equal(derived.pub, kp.pub, WA_KEY_LEN);
		assert_int_equal((sig[63] & 0x80) != 0,
		                 json_is_true(vec_get(v, "sign_bit_in_byte_63")));

		assert_int_equal(wa_xeddsa_verify(kp.pub, msg.p, msg.len, sig), 0);
		assert_int_equal(wa_xeddsa_sign(kp.priv, msg.p, msg.len, rnd, own), 0);
		assert_memory_equal(own, sig, sizeof(sig));
		assert_int_equal(wa_xeddsa_sign(kp.priv, msg.p, msg.len, NULL, own), 0);
		assert_memory_not_equal(own, sig, sizeof(sig));
		assert_int_equal(wa_xeddsa_verify(kp.pub, msg.p, msg.len, own), 0);
		buf_free(&msg);
	}
	json_decref(root);
}

static void test_xeddsa_refuses_the_invalid_vectors(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *list = vec_get(vec_get(root, "xeddsa"), "invalid"), *v;
	size_t i;

	(void)state;
	assert_true(json_array_size(list) >= 5);
	json_array_foreach(list, i, v)
	{
		uint8_t pub[WA_KEY_LEN], sig[WA_SIG_LEN];
		struct buf msg = { 0 };

		vec_fixed(v, "pub", pub, sizeof(pub));
		vec_fixed(v, "signature", sig, sizeof(sig));
		vec_hex(v, "message", &msg);
		if (wa_xeddsa_verify(pub, msg.p, msg.len, sig) != WA_EAUTH)
			fail_msg("accepted: %s", vec_str(v, "why"));
		buf_free(&msg);
	}
	json_decref(root);
}

static void test_xeddsa_refuses_every_changed_bit(void **state)
{
	uint8_t sig[WA_SIG_LEN], msg[] = "message";
	struct wa_keypair kp;

	(void)state;
	assert_int_equal(wa_keypair_new(&kp), 0);
	assert_int_equal(wa_xeddsa_sign(kp.priv, msg, sizeof(msg), NULL, sig), 0);
	for (unsigned bit = 0; bit < 8 * WA_SIG_LEN; bit++) {
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(wa_xeddsa_verify(kp.pub, msg, sizeof(msg), sig), WA_EAUTH);
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(wa_xeddsa_verify(kp.pub, msg, sizeof(msg), sig), 0);
}

/* S + L satisfies the same equation, so it would be a second signature over the same message. */
static void test_xeddsa_refuses_s_beyond_the_group_order(void **state)
{
	static const char order[] =
	    "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
	uint8_t l[32], sig[WA_SIG_LEN], sign;
	struct wa_keypair kp;
	unsigned carry = 0;

	(void)state;
	assert_int_equal(hex_decode(order, l, sizeof(l)), 0);
	assert_int_equal(wa_keypair_new(&kp), 0);
	assert_int_equal(wa_xeddsa_sign(kp.priv, "m", 1, NULL, sig), 0);
	sign = sig[63] & 0x80;
	sig[63] &= 0x7f;
	for (unsigned i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + l[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(sig[63] & 0xe0, 0); /* or another rule would refuse it */
	sig[63] |= sign;
	assert_int_equal(wa_xeddsa_verify(kp.pub, "m", 1, sig), WA_EAUTH);
}

/*
 * Taken for y = 0 that key is a point of order 4, under which the signature R = 1, S = 0 holds for
 * every fourth message.
 */
static void test_xeddsa_refuses_the_key_without_edwards_form(void **state)
{
	uint8_t pub[WA_KEY_LEN], sig[WA_SIG_LEN] = { 1 };

	(void)state;
	memset(pub, 0xff, sizeof(pub));
	pub[0] = 0xec;
	for (unsigned i = 0; i < 128; i++) {
		uint8_t msg = (uint8_t)i;

		pub[31] = i % 2 ? 0xff : 0x7f;
		assert_int_equal(wa_xeddsa_verify(pub, &msg, 1, sig), WA_EAUTH);
	}
}

static void test_hkdf_vectors(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *list = vec_get(root, "hkdf_sha256"), *v;
	size_t i;

	(void)state;
	json_array_foreach(list, i, v)
	{
		struct buf ikm = { 0 }, salt = { 0 }, okm = { 0 };
		const char *info = vec_str(v, "info_ascii");
		uint8_t out[255];

		vec_hex(v, "ikm", &ikm);
		vec_hex(v, "salt", &salt);
		vec_hex(v, "okm", &okm);
		assert_int_equal(json_integer_value(vec_get(v, "length")), okm.len);
		assert_int_equal(
		    wa_hkdf(ikm.p, ikm.len, salt.p, salt.len, info, strlen(info), out, okm.len), 0);
		assert_memory_equal(out, okm.p, okm.len);
		buf_free(&ikm);
		buf_free(&salt);
		buf_free(&okm);
	}
	json_decref(root);
}

static void test_hkdf_lengths(void **state)
{
	static uint8_t longest[255 * 32 + 1], part[100];

	(void)state;
	assert_int_equal(wa_hkdf("k", 1, NULL, 0, NULL, 0, longest, 255 * 32), 0);
	assert_int_equal(wa_hkdf("k", 1, NULL, 0, NULL, 0, longest, 255 * 32 + 1), WA_ECRYPTO);
	assert_int_equal(wa_hkdf("k", 1, NULL, 0, NULL, 0, part, sizeof(part)), 0);
	assert_memory_equal(part, longest, sizeof(part));
}

static void assert_hex(const void *data, size_t n, const char *want)
{
	char hex[129];

	assert_in_range(n, 1, 64);
	hex_encode(data, n, hex);
	assert_string_equal(hex, want);
}

/* RFC 4231 cases 2 and 6, FIPS 180-2 "abc", RFC 1321 "abc". */
static void test_known_hashes(void **state)
{
	uint8_t out[32], key[131];

	(void)state;
	assert_int_equal(wa_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out), 0);
	assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	assert_int_equal(wa_hmac_sha256(key, sizeof(key),
	                                "Test Using Larger Than Block-Size Key - Hash Key First",
	                                54, out),
	                 0);
	assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(wa_hmac_sha256(NULL, 0, NULL, 0, out), 0);
	assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	assert_int_equal(wa_sha256("abc", 3, out), 0);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(wa_sha256_pair("a", 1, "bc", 2, out), 0);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(wa_sha256(NULL, 0, out), 0);
	assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(wa_md5("abc", 3, out), 0);
	assert_hex(out, 16, "900150983cd24fb0d6963f7d28e17f72");
}

static void test_dh_vectors(void **state)
{
	static const char *const pairs[][2] = {
		{ "server_ephemeral", "client_ephemeral" },
		{ "server_static", "client_ephemeral" },
		{ "server_ephemeral", "client_static" },
	};
	json_t *root = vec_load("crypto.json");
	const json_t *xx = vec_get(root, "noise_xx"), *step;
	size_t i, k = 0;

	(void)state;
	json_array_foreach(vec_get(xx, "steps"), i, step)
	{
		struct wa_keypair a, b;
		uint8_t out[WA_KEY_LEN];

		if (json_object_get(step, "dh") == NULL)
			continue;
		assert_true(k < ARRAY_LEN(pairs));
		vec_keypair(xx, pairs[k][0], &a);
		vec_keypair(xx, pairs[k][1], &b);
		assert_int_equal(wa_dh(a.priv, b.pub, out), 0);
		vec_assert_hex(step, "dh", out, sizeof(out));
		assert_int_equal(wa_dh(b.priv, a.pub, out), 0);
		vec_assert_hex(step, "dh", out, sizeof(out));
		k++;
	}
	assert_int_equal(k, ARRAY_LEN(pairs));
	json_decref(root);
}

static void test_private_keys_are_clamped(void **state)
{
	uint8_t priv[WA_KEY_LEN];
	struct wa_keypair kp, again;

	(void)state;
	memset(priv, 0xff, sizeof(priv));
	assert_int_equal(wa_keypair_from_priv(priv, &kp), 0);
	assert_int_equal(kp.priv[0], 0xf8);
	assert_int_equal(kp.priv[31], 0x7f);
	assert_int_equal(wa_keypair_from_priv(kp.priv, &again), 0);
	assert_memory_equal(&kp, &again, sizeof(kp));
}

static void test_dh_refuses_low_order_points(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct wa_keypair kp;
	uint8_t pub[WA_KEY_LEN], out[WA_KEY_LEN];

	(void)state;
	assert_int_equal(wa_keypair_new(&kp), 0);
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		assert_int_equal(hex_decode(points[i], pub, sizeof(pub)), 0);
		assert_int_equal(wa_dh(kp.priv, pub, out), WA_EAUTH);
	}
	assert_int_equal(ERR_peek_error(), 0); /* nothing left behind for the TLS connection */
}

static void test_gcm_opens_only_what_was_sealed(void **state)
{
	uint8_t key[32] = { 1 }, text[5] = "hello", sealed[sizeof(text) + WA_TAG_LEN];
	uint8_t out[sizeof(text)];

	(void)state;
	assert_int_equal(wa_gcm_seal(key, 7, "aad", 3, text, sizeof(text), sealed), 0);
	assert_int_equal(wa_gcm_open(key, 7, "aad", 3, sealed, sizeof(sealed), out), 0);
	assert_memory_equal(out, text, sizeof(text));
	assert_int_equal(wa_gcm_open(key, 8, "aad", 3, sealed, sizeof(sealed), out), WA_EAUTH);
	assert_int_equal(wa_gcm_open(key, 7, "aae", 3, sealed, sizeof(sealed), out), WA_EAUTH);
	assert_int_equal(wa_gcm_open(key, 7, NULL, 0, sealed, sizeof(sealed), out), WA_EAUTH);
	assert_int_equal(wa_gcm_open(key, 7, "aad", 3, sealed, WA_TAG_LEN - 1, out), WA_ETRUNC);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 1;
		assert_int_equal(wa_gcm_open(key, 7, "aad", 3, sealed, sizeof(sealed), out),
		                 WA_EAUTH);
		sealed[i] ^= 1;
	}
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_gcm_in_place_and_empty(void **state)
{
	uint8_t key[32] = { 2 }, b[4 + WA_TAG_LEN] = "abcd", empty[WA_TAG_LEN];

	(void)state;
	assert_int_equal(wa_gcm_seal(key, 0, NULL, 0, b, 4, b), 0);
	assert_memory_not_equal(b, "abcd", 4);
	assert_int_equal(wa_gcm_open(key, 0, NULL, 0, b, sizeof(b), b), 0);
	assert_memory_equal(b, "abcd", 4);
	assert_int_equal(wa_gcm_seal(key, 0, NULL, 0, NULL, 0, empty), 0);
	assert_int_equal(wa_gcm_open(key, 0, NULL, 0, empty, sizeof(empty), empty), 0);
}

static void test_gcm_with_an_iv_of_the_callers(void **state)
{
	uint8_t key[32] = { 3 }, iv[WA_IV_LEN] = { 0 }, text[5] = "hello", out[sizeof(text)];
	uint8_t sealed[sizeof(text) + WA_TAG_LEN], counted[sizeof(sealed)];

	(void)state;
	iv[11] = 7; /* what counter 7 is */
	assert_int_equal(wa_gcm_seal_iv(key, iv, NULL, 0, text, sizeof(text), sealed), 0);
	assert_int_equal(wa_gcm_seal(key, 7, NULL, 0, text, sizeof(text), counted), 0);
	assert_memory_equal(sealed, counted, sizeof(sealed));
	for (size_t i = 0; i < sizeof(iv); i++) {
		iv[i] ^= 1;
		assert_int_equal(wa_gcm_open_iv(key, iv, NULL, 0, sealed, sizeof(sealed), out),
		                 WA_EAUTH);
		iv[i] ^= 1;
	}
	assert_int_equal(wa_gcm_open_iv(key, iv, NULL, 0, sealed, sizeof(sealed), out), 0);
	assert_memory_equal(out, text, sizeof(text));
}

/* NIST SP 800-38A, F.5.5; the counter runs over from its last byte. */
static void test_aes_ctr(void **state)
{
	static const char key_hex[] =
	    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
	static const char text_hex[] =
	    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
	static const char want_hex[] =
	    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5";
	uint8_t key[32], iv[16], text[32], want[32], out[32];

	(void)state;
	assert_int_equal(hex_decode(key_hex, key, 32), 0);
	assert_int_equal(hex_decode("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv, 16), 0);
	assert_int_equal(hex_decode(text_hex, text, 32), 0);
	assert_int_equal(hex_decode(want_hex, want, 32), 0);
	assert_int_equal(wa_aes_ctr(key, iv, text, 32, out), 0);
	assert_memory_equal(out, want, 32);
	assert_int_equal(wa_aes_ctr(key, iv, out, 32, out), 0);
	assert_memory_equal(out, text, 32);
}

/* RFC 7914, section 11. */
static void test_pbkdf2(void **state)
{
	static const char want_hex[] =
	    "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	    "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
	uint8_t want[64], out[64];

	(void)state;
	assert_int_equal(hex_decode(want_hex, want, sizeof(want)), 0);
	assert_int_equal(wa_pbkdf2_sha256("passwd", 6, "salt", 4, 1, out, sizeof(out)), 0);
	assert_memory_equal(out, want, sizeof(want));
}

/* FIPS 180-4's first example. */
static void test_sha1(void **state)
{
	uint8_t want[20], out[20];

	(void)state;
	assert_int_equal(hex_decode("a9993e364706816aba3e25717850c26c9cd0d89d", want, 20), 0);
	assert_int_equal(wa_sha1("abc", 3, out), 0);
	assert_memory_equal(out, want, 20);
}

static void test_all_works_in_a_forked_child(void **state)
{
	struct wa_keypair parent, child;
	uint8_t sig[WA_SIG_LEN];
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(wa_keys_init(), 0);
	assert_int_equal(wa_keys_init(), 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int rc = wa_keypair_new(&child);

		if (rc == 0)
			rc = wa_xeddsa_sign(child.priv, "m", 1, NULL, sig);
		if (rc == 0)
			rc = wa_xeddsa_verify(child.pub, "m", 1, sig);
		if (write(fds[1], &child, sizeof(child)) != (ssize_t)sizeof(child))
			rc = -1;
		_exit(rc == 0 ? 0 : 1);
	}
	assert_int_equal(wa_keypair_new(&parent), 0);
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_memory_not_equal(parent.priv, child.priv, WA_KEY_LEN);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xeddsa_signs_as_the_vectors),
		cmocka_unit_test(test_xeddsa_refuses_the_invalid_vectors),
		cmocka_unit_test(test_xeddsa_refuses_every_changed_bit),
		cmocka_unit_test(test_xeddsa_refuses_s_beyond_the_group_order),
		cmocka_unit_test(test_xeddsa_refuses_the_key_without_edwards_form),
		cmocka_unit_test(test_hkdf_vectors),
		cmocka_unit_test(test_hkdf_lengths),
		cmocka_unit_test(test_known_hashes),
		cmocka_unit_test(test_dh_vectors),
		cmocka_unit_test(test_private_keys_are_clamped),
		cmocka_unit_test(test_dh_refuses_low_order_points),
		cmocka_unit_test(test_gcm_opens_only_what_was_sealed),
		cmocka_unit_test(test_gcm_in_place_and_empty),
		cmocka_unit_test(test_gcm_with_an_iv_of_the_callers),
		cmocka_unit_test(test_aes_ctr),
		cmocka_unit_test(test_pbkdf2),
		cmocka_unit_test(test_sha1),
		cmocka_unit_test(test_all_works_in_a_forked_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
