/* tests/unit/test_wa_passkey.c - the passkey step: the vector, the phone's side, refusals */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "common/codec.h"
#include "common/err.h"
#include "proto/wa_passkey.pb-c.h"
#include "wa_fixture.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/link/wa_passkey.h"

#define REF "2@shortcakeref"

/* ---- the published vector -----------------------------------------------------------------------
 */

static void step_of_vector(const json_t *v, struct wa_passkey *p, struct wa_device *d)
{
	memset(p, 0, sizeof(*p));
	vec_keypair(v, "companion_ephemeral", &p->ephemeral);
	vec_fixed(v, "companion_nonce", p->nonce, sizeof(p->nonce));
	vec_fixed(vec_get(v, "handoff"), "handoff_key", p->handoff, sizeof(p->handoff));
	snprintf(p->ref, sizeof(p->ref), "%s", vec_str(v, "ref_ascii"));
	p->device_type = (int32_t)json_integer_value(vec_get(v, "device_type"));
	memset(d, 0, sizeof(*d));
	vec_fixed(v, "companion_noise_public", d->noise.pub, WA_KEY_LEN);
	vec_fixed(v, "companion_identity_public", d->identity.pub, WA_KEY_LEN);
	vec_fixed(v, "adv_secret", d->adv_secret, sizeof(d->adv_secret));
}

static struct wa_node *continuation(const void *data, size_t data_len)
{
	struct wa_node *n = stanza_notification("crsc_continuation");

	wa_node_set_bytes(wa_node_add(n, "primary_ephemeral_identity"), data, data_len);
	return n;
}

static int continue_with(struct wa_passkey *p, const void *data, size_t data_len)
{
	struct wa_node *n = continuation(data, data_len);
	int rc = wa_passkey_continue(p, n);

	wa_node_free(n);
	return rc;
}

static void assert_child(const json_t *v, const char *key, const struct wa_node *parent,
                         const char *tag)
{
	const struct wa_node *n = wa_node_child(parent, tag);

	assert_non_null(n);
	vec_assert_hex(v, key, n->bytes, n->bytes_len);
}

static void test_prologue_of_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "passkey");
	struct wa_node *n = NULL, *prologue;
	struct wa_passkey p;
	struct wa_device d;

	(void)state;
	step_of_vector(v, &p, &d);
	assert_int_equal(wa_passkey_prologue(&p, "3", (const uint8_t *)"raw", 3, "{}", true, &n),
	                 0);
	prologue = n->first_child;
	assert_child(v, "prologue_payload", prologue, "prologue_payload");
	assert_child(vec_get(v, "handoff"), "pairing_handoff_proof", prologue,
	             "pairing_handoff_proof");
	assert_true(p.handoff_sent);
	wa_node_free(n);
	json_decref(crypto);
}

static void test_code_and_request_of_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "passkey");
	struct buf primary = { 0 }, sealed = { 0 };
	char code[WA_LINK_CODE_SHOWN_CAP], want[WA_LINK_CODE_SHOWN_CAP];
	uint8_t iv[WA_IV_LEN];
	struct wa_passkey p;
	struct wa_device d;

	(void)state;
	step_of_vector(v, &p, &d);
	vec_hex(v, "primary_ephemeral_identity", &primary);
	vec_fixed(v, "iv", iv, sizeof(iv));
	assert_int_equal(continue_with(&p, primary.p, primary.len), 0);
	assert_int_equal(wa_passkey_code(&p, code), 0);
	wa_link_code_hyphen(vec_str(v, "verification_code_ascii"), want);
	assert_string_equal(code, want);
	assert_int_equal(wa_passkey_seal_request(&p, &d, iv, &sealed), 0);
	vec_assert_hex(v, "encrypted_pairing_request", sealed.p, sealed.len);
	buf_free(&primary);
	buf_free(&sealed);
	json_decref(crypto);
}

static void test_begin_derives_the_handoff_key_and_replaces_the_secret(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *handoff = vec_get(vec_get(crypto, "passkey"), "handoff");
	struct wa_passkey p, other;
	uint8_t old[32];
	struct wa_device d;

	(void)state;
	assert_int_equal(wa_device_init(&d), 0);
	vec_fixed(handoff, "old_adv_secret", old, sizeof(old));
	memcpy(d.adv_secret, old, sizeof(old));
	assert_int_equal(wa_passkey_begin(&p, &d), 0);
	vec_assert_hex(handoff, "handoff_key", p.handoff, sizeof(p.handoff));
	assert_memory_not_equal(d.adv_secret, old, sizeof(old));
	assert_int_equal(p.device_type, 1);
	assert_string_equal(p.ref, "");
	assert_int_equal(wa_passkey_begin(&other, &d), 0);
	assert_memory_not_equal(p.nonce, other.nonce, sizeof(p.nonce));
	assert_memory_not_equal(p.handoff, other.handoff, sizeof(p.handoff));
	assert_memory_not_equal(p.ephemeral.pub, other.ephemeral.pub, WA_KEY_LEN);
	json_decref(crypto);
}

/* ---- stanzas ------------------------------------------------------------------------------------
 */

static void test_questions_on_the_wire(void **state)
{
	struct wa_passkey p = { .device_type = 1 };

	(void)state;
	memset(p.nonce, 0x5a, sizeof(p.nonce));
	stanza_assert_text(wa_passkey_options_get("1"),
	                   "<iq to=\"s.whatsapp.net\" type=\"get\" id=\"1\" xmlns=\"md\">"
	                   "<passkey_request_options/></iq>");
	stanza_assert_text(wa_passkey_ref_get("2"),
	                   "<iq to=\"s.whatsapp.net\" type=\"get\" id=\"2\" xmlns=\"md\">"
	                   "<ref/></iq>");
	stanza_assert_text(wa_passkey_nonce(&p, "3"),
	                   "<iq to=\"s.whatsapp.net\" type=\"set\" id=\"3\" xmlns=\"md\">"
	                   "<companion_nonce>[5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
	                   "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a]</companion_nonce></iq>");
}

static int options_of(struct wa_node *n, size_t json_len)
{
	static char json[WA_PASSKEY_OPTIONS_MAX + 1];
	const char *got = NULL;
	size_t got_len = 0;
	int rc;

	memset(json, '{', sizeof(json));
	wa_node_set_bytes(wa_node_add(n, "passkey_request_options"), json, json_len);
	rc = wa_passkey_options(n, &got, &got_len);
	if (rc == 0) {
		assert_int_equal(got_len, json_len);
		assert_memory_equal(got, json, json_len);
	}
	wa_node_free(n);
	return rc;
}

static void test_options(void **state)
{
	struct wa_node *n = stanza_notification("passkey_prologue_request");
	const char *json;
	size_t json_len;

	(void)state;
	assert_int_equal(wa_passkey_options(n, &json, &json_len), -ENOENT);
	wa_node_set_bytes(wa_node_add(n, "passkey_request_options"), "{\0}", 3);
	assert_int_equal(wa_passkey_options(n, &json, &json_len), WA_EPROTO);
	wa_node_free(n);
	assert_int_equal(options_of(stanza_notification("passkey_prologue_request"), 1), 0);
	assert_int_equal(options_of(stanza_result(), WA_PASSKEY_OPTIONS_MAX), 0);
	assert_int_equal(options_of(stanza_result(), WA_PASSKEY_OPTIONS_MAX + 1), WA_EPROTO);
	assert_int_equal(options_of(stanza_result(), 0), WA_EPROTO);
}

static int take_ref(struct wa_passkey *p, const void *ref, size_t ref_len)
{
	struct wa_node *n = stanza_result();
	int rc;

	wa_node_set_bytes(wa_node_add(n, "ref"), ref, ref_len);
	rc = wa_passkey_take_ref(p, n);
	wa_node_free(n);
	return rc;
}

static void test_ref_of_the_answer(void **state)
{
	struct wa_node *n = stanza_result();
	struct wa_passkey p = { .device_type = 1 };
	char longest[WA_REF_MAX_LEN + 1];

	(void)state;
	memset(longest, 'r', sizeof(longest));
	assert_int_equal(wa_passkey_take_ref(&p, n), WA_EPROTO);
	wa_node_free(n);
	assert_int_equal(take_ref(&p, "", 0), WA_EPROTO);
	assert_int_equal(take_ref(&p, "a\0b", 3), WA_EPROTO);
	assert_int_equal(take_ref(&p, "a\xc3\xa4", 3), WA_EPROTO);
	assert_int_equal(take_ref(&p, longest, sizeof(longest)), WA_EPROTO);
	assert_string_equal(p.ref, "");
	assert_int_equal(take_ref(&p, longest, WA_REF_MAX_LEN), 0);
	assert_int_equal(strlen(p.ref), WA_REF_MAX_LEN);
	assert_int_equal(take_ref(&p, REF, strlen(REF)), 0);
	assert_string_equal(p.ref, REF);
}

static void start_step(struct wa_passkey *p, struct wa_device *d)
{
	assert_int_equal(wa_device_init(d), 0);
	assert_int_equal(wa_passkey_begin(p, d), 0);
}

static void test_prologue_needs_a_ref(void **state)
{
	struct wa_node *n = NULL;
	struct wa_passkey p;
	struct wa_device d;

	(void)state;
	start_step(&p, &d);
	assert_int_equal(wa_passkey_prologue(&p, "1", (const uint8_t *)"c", 1, "{}", true, &n),
	                 WA_ESTATE);
	assert_null(n);
	assert_false(p.handoff_sent);
}

/* With a proof or without; and never twice with one. */
static bool has_proof(struct wa_passkey *p, bool with_proof)
{
	struct wa_node *n = NULL, *prologue;
	bool has;

	assert_int_equal(
	    wa_passkey_prologue(p, "1", (const uint8_t *)"\0id", 3, "{\"a\":1}", with_proof, &n),
	    0);
	prologue = n->first_child;
	assert_memory_equal(wa_node_child(prologue, "credential_id")->bytes, "\0id", 3);
	assert_int_equal(wa_node_child(prologue, "webauthn_assertion")->bytes_len, 7);
	assert_memory_equal(wa_node_child(prologue, "webauthn_assertion")->bytes, "{\"a\":1}", 7);
	has = wa_node_child(prologue, "pairing_handoff_proof") != NULL;
	assert_int_equal(p->handoff_sent, has);
	wa_node_free(n);
	return has;
}

static void test_handoff_key_is_used_once(void **state)
{
	static const uint8_t none[32];
	struct wa_passkey p;
	struct wa_device d;

	(void)state;
	start_step(&p, &d);
	assert_int_equal(take_ref(&p, REF, strlen(REF)), 0);
	assert_true(has_proof(&p, true));
	assert_memory_equal(p.handoff, none, sizeof(none));
	assert_false(has_proof(&p, true));

	start_step(&p, &d);
	assert_int_equal(take_ref(&p, REF, strlen(REF)), 0);
	assert_false(has_proof(&p, false)); /* too old: forgotten all the same */
	assert_false(has_proof(&p, true));
}

static void test_malformed_continuation_is_refused(void **state)
{
	static const struct {
		size_t key_len, nonce_len;
		int want;
	} cases[] = {
		{ 31, 32, WA_EPROTO }, { 33, 32, WA_EPROTO }, { 0, 32, WA_EPROTO },
		{ 32, 31, WA_EPROTO }, { 32, 33, WA_EPROTO }, { 32, 0, WA_EPROTO },
		{ 32, 32, 0 },
	};
	struct wa_passkey p = { .device_type = 1 }, before = p;
	struct wa_node *n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Wa__PrimaryEphemeralIdentity m = WA__PRIMARY_EPHEMERAL_IDENTITY__INIT;
		uint8_t bytes[33] = { 9 }, packed[128];

		m.has_public_key = cases[i].key_len > 0;
		m.public_key.data = bytes;
		m.public_key.len = cases[i].key_len;
		m.has_nonce = cases[i].nonce_len > 0;
		m.nonce.data = bytes;
		m.nonce.len = cases[i].nonce_len;
		assert_memory_equal(&p, &before, sizeof(p));
		assert_int_equal(
		    continue_with(&p, packed, wa__primary_ephemeral_identity__pack(&m, packed)),
		    cases[i].want);
	}
	assert_int_equal(continue_with(&before, "\x0a\x20", 2), WA_EPROTO);
	assert_int_equal(continue_with(&before, "", 0), WA_EPROTO);
	n = stanza_notification("crsc_continuation");
	assert_int_equal(wa_passkey_continue(&before, n), WA_EPROTO);
	wa_node_free(n);
	n = stanza_notification("encrypt");
	assert_int_equal(wa_passkey_continue(&before, n), WA_ESTATE);
	wa_node_free(n);
}

/* After our nonce is out, a second key could be searched for that shows the same code. */
static void test_a_second_continuation_is_refused(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "passkey");
	struct wa_passkey p, before;
	struct buf primary = { 0 };
	struct wa_device d;

	(void)state;
	step_of_vector(v, &p, &d);
	vec_hex(v, "primary_ephemeral_identity", &primary);
	assert_int_equal(continue_with(&p, primary.p, primary.len), 0);
	before = p;
	primary.p[10] ^= 1;
	assert_int_equal(continue_with(&p, primary.p, primary.len), WA_ESTATE);
	assert_memory_equal(&p, &before, sizeof(p));
	buf_free(&primary);
	json_decref(crypto);
}

/* What the phone makes of our request. */
static void open_request(const struct wa_passkey *p, const struct wa_keypair *primary,
                         const struct wa_node *iq, const struct wa_device *d)
{
	const struct wa_node *n = wa_node_child(iq, "encrypted_pairing_request");
	static const char info[] = "Pairing Information Encryption Key";
	Wa__EncryptedPairingRequest *sealed;
	Wa__PairingRequest *request;
	uint8_t shared[32], key[32], plain[256];
	char salt[256];

	assert_non_null(n);
	sealed = wa__encrypted_pairing_request__unpack(NULL, n->bytes_len, n->bytes);
	assert_non_null(sealed);
	snprintf(salt, sizeof(salt), "Companion Pairing 1 with ref %s", REF);
	assert_int_equal(wa_dh(primary->priv, p->ephemeral.pub, shared), 0);
	assert_int_equal(wa_hkdf(shared, 32, salt, strlen(salt), info, strlen(info), key, 32), 0);
	assert_in_range(sealed->encrypted_payload.len, WA_TAG_LEN + 1, sizeof(plain));
	assert_int_equal(sealed->iv.len, WA_IV_LEN);
	assert_int_equal(wa_gcm_open_iv(key, sealed->iv.data, NULL, 0,
	                                sealed->encrypted_payload.data,
	                                sealed->encrypted_payload.len, plain),
	                 0);
	request =
	    wa__pairing_request__unpack(NULL, sealed->encrypted_payload.len - WA_TAG_LEN, plain);
	assert_non_null(request);
	assert_memory_equal(request->companion_public_key.data, d->noise.pub, WA_KEY_LEN);
	assert_memory_equal(request->companion_identity_key.data, d->identity.pub, WA_KEY_LEN);
	assert_memory_equal(request->adv_secret.data, d->adv_secret, 32);
	wa__pairing_request__free_unpacked(request, NULL);
	wa__encrypted_pairing_request__free_unpacked(sealed, NULL);
}

static void test_request_can_be_opened_by_the_phone(void **state)
{
	struct wa_node *n = NULL;
	struct wa_keypair primary;
	struct wa_passkey p;
	struct wa_device d;

	(void)state;
	start_step(&p, &d);
	assert_int_equal(take_ref(&p, REF, strlen(REF)), 0);
	fixture_key(0x31, &primary);
	memcpy(p.primary_pub, primary.pub, WA_KEY_LEN);
	assert_int_equal(wa_passkey_request(&p, &d, "1", &n), 0);
	open_request(&p, &primary, n, &d);
	wa_node_free(n);
}

static void test_low_order_key_of_the_phone_is_refused(void **state)
{
	struct wa_node *n = NULL;
	struct wa_passkey p;
	struct wa_device d;

	(void)state;
	start_step(&p, &d);
	assert_int_equal(take_ref(&p, REF, strlen(REF)), 0);
	assert_int_equal(wa_passkey_request(&p, &d, "1", &n), WA_EAUTH); /* none has come */
	p.primary_pub[0] = 1;
	assert_int_equal(wa_passkey_request(&p, &d, "1", &n), WA_EAUTH);
	assert_null(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prologue_of_the_vector),
		cmocka_unit_test(test_code_and_request_of_the_vector),
		cmocka_unit_test(test_begin_derives_the_handoff_key_and_replaces_the_secret),
		cmocka_unit_test(test_questions_on_the_wire),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_ref_of_the_answer),
		cmocka_unit_test(test_prologue_needs_a_ref),
		cmocka_unit_test(test_handoff_key_is_used_once),
		cmocka_unit_test(test_malformed_continuation_is_refused),
		cmocka_unit_test(test_a_second_continuation_is_refused),
		cmocka_unit_test(test_request_can_be_opened_by_the_phone),
		cmocka_unit_test(test_low_order_key_of_the_phone_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
