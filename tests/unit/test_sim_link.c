/* tests/unit/test_sim_link.c - the phone's side of a pairing code, and of the passkey step */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/pair/sim_link.h"
#include "simulator/pair/sim_passkey.h"
#include "wa_vectors.h"

/* ---- pairing code -----------------------------------------------------------------------------
 */

static void test_code_is_read_as_people_type_it(void **state)
{
	static const char *const wrong[] = { "",           "29EK-RGB",  "29EK-RGBFF", "29EKR-GBF",
		                             "29EK--RGBF", "29EK RGBF", "29EK-RGB0",  "29EK-RGBI",
		                             "29EK-RGBO",  "29EK-RGBU", "-29EKRGBF" };
	char code[SIM_LINK_CODE_CAP];

	(void)state;
	assert_true(sim_link_code_parse("29EK-RGBF", code));
	assert_string_equal(code, "29EKRGBF");
	assert_true(sim_link_code_parse("29ekrgbf", code));
	assert_string_equal(code, "29EKRGBF");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(sim_link_code_parse(wrong[i], code));
}

static void check_shown(const json_t *v, const char *bytes, const char *text)
{
	char shown[SIM_LINK_SHOWN_CAP], code[SIM_LINK_CODE_CAP];
	uint8_t raw[5];

	vec_fixed(v, bytes, raw, sizeof(raw));
	sim_link_code_show(raw, shown);
	assert_true(sim_link_code_parse(shown, code));
	assert_string_equal(code, vec_str(v, text));
}

static void test_codes_of_the_vector_are_shown(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "link_code"), *more = vec_get(v, "more_codes");
	char shown[SIM_LINK_SHOWN_CAP];
	uint8_t raw[5];
	json_t *each;
	size_t i;

	(void)state;
	vec_fixed(v, "code_random_bytes", raw, sizeof(raw));
	sim_link_code_show(raw, shown);
	assert_string_equal(shown, vec_str(v, "code_shown_ascii"));
	check_shown(v, "code_random_bytes", "code_ascii");
	json_array_foreach(more, i, each)
	{
		check_shown(each, "bytes", "code_ascii");
	}
	json_decref(root);
}

static void test_keys_of_the_vector_are_wrapped_and_unwrapped(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "link_code");
	uint8_t salt[32], iv[16], wrapped[SIM_LINK_WRAPPED_LEN], pub[32];
	struct wa_keypair primary, companion;

	(void)state;
	vec_keypair(v, "primary_ephemeral", &primary);
	vec_keypair(v, "companion_ephemeral", &companion);
	vec_fixed(v, "primary_salt", salt, sizeof(salt));
	vec_fixed(v, "primary_iv", iv, sizeof(iv));
	assert_int_equal(sim_link_wrap(vec_str(v, "code_ascii"), salt, iv, primary.pub, wrapped),
	                 0);
	vec_assert_hex(v, "wrapped_primary_ephemeral_pub", wrapped, sizeof(wrapped));

	vec_fixed(v, "wrapped_companion_ephemeral_pub", wrapped, sizeof(wrapped));
	assert_int_equal(sim_link_unwrap(vec_str(v, "code_ascii"), wrapped, pub), 0);
	assert_memory_equal(pub, companion.pub, sizeof(pub));
	assert_int_equal(sim_link_unwrap("29EKRGBG", wrapped, pub), 0);
	assert_memory_not_equal(pub, companion.pub, sizeof(pub));
	json_decref(root);
}

static void test_bundle_of_the_vector_opens_to_its_secret(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "link_code");
	struct wa_keypair primary, identity, companion, companion_identity;
	uint8_t bundle[SIM_LINK_BUNDLE_LEN], secret[32];
	struct sim_link_keys keys = {
		.ephemeral = &primary,
		.identity = &identity,
		.companion_ephemeral = companion.pub,
		.companion_identity = companion_identity.pub,
	};

	(void)state;
	vec_keypair(v, "primary_ephemeral", &primary);
	vec_keypair(v, "primary_identity", &identity);
	vec_keypair(v, "companion_ephemeral", &companion);
	vec_keypair(v, "companion_identity", &companion_identity);
	vec_fixed(v, "wrapped_key_bundle", bundle, sizeof(bundle));
	assert_int_equal(sim_link_open(&keys, bundle, secret), 0);
	vec_assert_hex(v, "adv_secret", secret, sizeof(secret));

	for (size_t i = 0; i < sizeof(bundle); i++) {
		bundle[i] ^= 1;
		assert_int_equal(sim_link_open(&keys, bundle, secret), WA_EAUTH);
		bundle[i] ^= 1;
	}
	/* A wrong code leaves another key than the companion's. */
	keys.companion_ephemeral = identity.pub;
	assert_int_equal(sim_link_open(&keys, bundle, secret), WA_EAUTH);
	/* Both identities are named inside. */
	keys.companion_ephemeral = companion.pub;
	keys.companion_identity = companion.pub;
	assert_int_equal(sim_link_open(&keys, bundle, secret), WA_EPROTO);
	keys.companion_identity = companion_identity.pub;
	keys.identity = &primary;
	assert_int_equal(sim_link_open(&keys, bundle, secret), WA_EPROTO);
	json_decref(root);
}

/* ---- passkey ----------------------------------------------------------------------------------
 */

static void load_prologue(const json_t *v, struct sim_prologue *p, struct buf *payload)
{
	vec_hex(v, "prologue_payload", payload);
	assert_int_equal(sim_prologue_parse(payload->p, payload->len, p), 0);
}

static void test_prologue_of_the_vector(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "passkey");
	uint8_t secret[32], proof[32], nonce[32];
	struct buf payload = { 0 };
	struct sim_prologue p;

	(void)state;
	load_prologue(v, &p, &payload);
	assert_string_equal(p.ref, vec_str(v, "ref_ascii"));
	assert_int_equal(p.device_type, 1);
	vec_assert_hex(vec_get(v, "companion_ephemeral"), "pub", p.companion, 32);
	vec_assert_hex(v, "commitment_hash", p.commitment, 32);

	vec_fixed(vec_get(v, "handoff"), "old_adv_secret", secret, sizeof(secret));
	vec_fixed(vec_get(v, "handoff"), "pairing_handoff_proof", proof, sizeof(proof));
	assert_int_equal(sim_passkey_check_proof(secret, payload.p, payload.len, proof), 0);
	proof[31] ^= 1;
	assert_int_equal(sim_passkey_check_proof(secret, payload.p, payload.len, proof), WA_EAUTH);

	vec_fixed(v, "companion_nonce", nonce, sizeof(nonce));
	assert_int_equal(sim_passkey_check_nonce(&p, nonce), 0);
	nonce[0] ^= 1;
	assert_int_equal(sim_passkey_check_nonce(&p, nonce), WA_EAUTH);
	for (size_t len = 0; len < payload.len; len++)
		assert_int_equal(sim_prologue_parse(payload.p, len, &p), WA_EPROTO);
	buf_free(&payload);
	json_decref(root);
}

static void test_both_sides_show_the_code_of_the_vector(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "passkey");
	uint8_t primary_nonce[32], companion_nonce[32], message[SIM_PASSKEY_PRIMARY_LEN];
	char shown[SIM_LINK_SHOWN_CAP], code[SIM_LINK_CODE_CAP];
	struct wa_keypair primary;

	(void)state;
	vec_keypair(v, "primary_ephemeral", &primary);
	vec_fixed(v, "primary_nonce", primary_nonce, sizeof(primary_nonce));
	vec_fixed(v, "companion_nonce", companion_nonce, sizeof(companion_nonce));
	sim_passkey_primary(primary.pub, primary_nonce, message);
	vec_assert_hex(v, "primary_ephemeral_identity", message, sizeof(message));
	assert_int_equal(sim_passkey_code(primary_nonce, companion_nonce, primary.pub, shown), 0);
	assert_true(sim_link_code_parse(shown, code));
	assert_string_equal(code, vec_str(v, "verification_code_ascii"));
	json_decref(root);
}

static void test_pairing_request_of_the_vector_opens(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "passkey");
	struct sim_pairing_request request;
	struct buf payload = { 0 }, sealed = { 0 };
	struct wa_keypair primary;
	struct sim_prologue p;

	(void)state;
	load_prologue(v, &p, &payload);
	vec_keypair(v, "primary_ephemeral", &primary);
	vec_hex(v, "encrypted_pairing_request", &sealed);
	assert_int_equal(sim_passkey_open(&primary, &p, sealed.p, sealed.len, &request), 0);
	vec_assert_hex(v, "companion_noise_public", request.noise, 32);
	vec_assert_hex(v, "companion_identity_public", request.identity, 32);
	vec_assert_hex(v, "adv_secret", request.secret, 32);

	for (size_t i = 0; i < sealed.len; i++) {
		sealed.p[i] ^= 1;
		assert_true(sim_passkey_open(&primary, &p, sealed.p, sealed.len, &request) < 0);
		sealed.p[i] ^= 1;
	}
	p.device_type = 2; /* part of the key */
	assert_int_equal(sim_passkey_open(&primary, &p, sealed.p, sealed.len, &request), WA_EAUTH);
	buf_free(&sealed);
	buf_free(&payload);
	json_decref(root);
}

/* 32 zero bytes are the challenge; "YWJj" is "abc". client_data: JSON text, encoded here. */
static const char *assertion(const char *client_data, const char *raw_id, const char *type)
{
	static const uint8_t challenge[SIM_CHALLENGE_LEN];
	char encoded[512], json[1024];
	int len;

	b64_encode(client_data, strlen(client_data), encoded);
	len =
	    snprintf(json, sizeof(json),
	             "{\"id\":\"%s\",\"rawId\":\"%s\",\"type\":\"%s\",\"response\":{"
	             "\"clientDataJSON\":\"%s\",\"authenticatorData\":\"AA\",\"signature\":\"AA\","
	             "\"userHandle\":null}}",
	             raw_id, raw_id, type, encoded);
	return sim_passkey_check_assertion((const uint8_t *)json, (size_t)len,
	                                   (const uint8_t *)"abc", 3, challenge);
}

#define ZEROES "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_assertion_must_be_for_the_challenge(void **state)
{
	static const char right[] =
	    "{\"type\":\"webauthn.get\",\"challenge\":\"" ZEROES "\",\"origin\":\"x\"}";
	static const uint8_t challenge[SIM_CHALLENGE_LEN];
	char options[SIM_PASSKEY_OPTIONS_CAP];
	size_t len;

	(void)state;
	len = sim_passkey_options(challenge, options);
	assert_int_equal(len, strlen(options));
	assert_non_null(strstr(options, "\"challenge\":\"" ZEROES "\""));
	assert_null(assertion(right, "YWJj", "public-key"));
	assert_non_null(assertion(right, "YWJk", "public-key"));
	assert_non_null(assertion(right, "", "public-key"));
	assert_non_null(assertion(right, "YWJj", "password"));
	assert_non_null(assertion("{\"type\":\"webauthn.create\",\"challenge\":\"" ZEROES "\"}",
	                          "YWJj", "public-key"));
	assert_non_null(
	    assertion("{\"type\":\"webauthn.get\",\"challenge\":\"BBBB\"}", "YWJj", "public-key"));
	assert_non_null(assertion("no JSON", "YWJj", "public-key"));
	assert_non_null(sim_passkey_check_assertion((const uint8_t *)"{}", 2,
	                                            (const uint8_t *)"abc", 3, challenge));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_is_read_as_people_type_it),
		cmocka_unit_test(test_codes_of_the_vector_are_shown),
		cmocka_unit_test(test_keys_of_the_vector_are_wrapped_and_unwrapped),
		cmocka_unit_test(test_bundle_of_the_vector_opens_to_its_secret),
		cmocka_unit_test(test_prologue_of_the_vector),
		cmocka_unit_test(test_both_sides_show_the_code_of_the_vector),
		cmocka_unit_test(test_pairing_request_of_the_vector_opens),
		cmocka_unit_test(test_assertion_must_be_for_the_challenge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
