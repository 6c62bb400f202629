/* tests/unit/test_wa_link_code.c - pairing codes: the vector, the phone's side, refusals */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "common/codec.h"
#include "common/err.h"
#include "wa_fixture.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/link/wa_link_code.h"

#define REG "link_code_companion_reg"
#define REF "2@the-ref"
#define NUMBER "15550001111"

/* ---- the published vector -----------------------------------------------------------------------
 */

static void assert_code(const json_t *o, const char *bytes_key, const char *code_key)
{
	char code[WA_LINK_CODE_LEN + 1];
	uint8_t raw[5];

	vec_fixed(o, bytes_key, raw, sizeof(raw));
	wa_link_code_text(raw, code);
	assert_string_equal(code, vec_str(o, code_key));
}

static void test_codes_of_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "link_code"), *more;
	struct wa_link_code lc = { .ref_len = 0 };
	char shown[WA_LINK_CODE_SHOWN_CAP];
	size_t i;

	(void)state;
	assert_code(v, "code_random_bytes", "code_ascii");
	memcpy(lc.code, vec_str(v, "code_ascii"), sizeof(lc.code));
	wa_link_code_shown(&lc, shown);
	assert_string_equal(shown, vec_str(v, "code_shown_ascii"));
	json_array_foreach(vec_get(v, "more_codes"), i, more)
	    assert_code(more, "bytes", "code_ascii");
	assert_int_equal(i, 4);
	json_decref(crypto);
}

static void assert_wrap(const json_t *v, const char *kp_key, const char *salt_key,
                        const char *iv_key, const char *want_key)
{
	uint8_t salt[32], iv[16], wrapped[WA_LINK_CODE_WRAPPED_LEN], pub[WA_KEY_LEN];
	const char *code = vec_str(v, "code_ascii");
	struct wa_keypair kp;

	vec_keypair(v, kp_key, &kp);
	vec_fixed(v, salt_key, salt, sizeof(salt));
	vec_fixed(v, iv_key, iv, sizeof(iv));
	assert_int_equal(wa_link_code_wrap(code, salt, iv, kp.pub, wrapped), 0);
	vec_assert_hex(v, want_key, wrapped, sizeof(wrapped));
	assert_int_equal(wa_link_code_unwrap(code, wrapped, pub), 0);
	assert_memory_equal(pub, kp.pub, WA_KEY_LEN);
}

static void test_wrapped_keys_of_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "link_code");

	(void)state;
	assert_wrap(v, "companion_ephemeral", "companion_salt", "companion_iv",
	            "wrapped_companion_ephemeral_pub");
	assert_wrap(v, "primary_ephemeral", "primary_salt", "primary_iv",
	            "wrapped_primary_ephemeral_pub");
	json_decref(crypto);
}

static void test_bundle_and_secret_of_the_vector(void **state)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, "link_code");
	uint8_t s1[32], s2[32], salt[32], iv[WA_IV_LEN], random[32], adv[32];
	uint8_t plain[WA_LINK_CODE_BUNDLE_PLAIN_LEN], opened[WA_LINK_CODE_BUNDLE_PLAIN_LEN];
	uint8_t bundle[WA_LINK_CODE_BUNDLE_LEN];

	(void)state;
	vec_fixed(v, "ephemeral_shared_secret", s1, sizeof(s1));
	vec_fixed(v, "identity_shared_secret", s2, sizeof(s2));
	vec_fixed(v, "bundle_salt", salt, sizeof(salt));
	vec_fixed(v, "bundle_iv", iv, sizeof(iv));
	vec_fixed(v, "bundle_random", random, sizeof(random));
	vec_fixed(v, "bundle_plaintext", plain, sizeof(plain));
	assert_int_equal(wa_link_code_seal_bundle(s1, salt, iv, plain, bundle), 0);
	vec_assert_hex(v, "wrapped_key_bundle", bundle, sizeof(bundle));
	assert_int_equal(wa_link_code_open_bundle(s1, bundle, opened), 0);
	assert_memory_equal(opened, plain, sizeof(plain));
	assert_int_equal(wa_link_code_adv(s1, s2, random, adv), 0);
	vec_assert_hex(v, "adv_secret", adv, sizeof(adv));
	json_decref(crypto);
}

/* ---- a phone ------------------------------------------------------------------------------------
 */

struct flow {
	struct wa_device device;
	struct wa_link_code lc;
	struct wa_keypair primary_ephemeral, primary_identity;
	uint8_t wrapped[WA_LINK_CODE_WRAPPED_LEN];
};

static struct flow answered; /* a code that the server has answered, typed rightly */

/* The user of the phone types code. */
static void type_code(struct flow *f, const char *code, const uint8_t pub[WA_KEY_LEN])
{
	static const uint8_t salt[32] = { 1 }, iv[16] = { 2 };

	assert_int_equal(wa_link_code_wrap(code, salt, iv, pub, f->wrapped), 0);
}

/* Made once: every code costs 131072 rounds. */
static int setup(void **state)
{
	struct flow *f = &answered;

	(void)state;
	if (wa_device_init(&f->device) < 0 || wa_link_code_new(&f->lc) < 0)
		return -1;
	fixture_key(0x31, &f->primary_ephemeral);
	fixture_key(0x32, &f->primary_identity);
	type_code(f, f->lc.code, f->primary_ephemeral.pub);
	memcpy(f->lc.ref, REF, strlen(REF));
	f->lc.ref_len = strlen(REF);
	return 0;
}

static struct wa_node *notification(const char *stage)
{
	struct wa_node *n = stanza_notification(REG);

	wa_node_set(wa_node_add(n, REG), "stage", stage);
	return n;
}

static void add(struct wa_node *n, const char *tag, const void *data, size_t data_len)
{
	wa_node_set_bytes(wa_node_add(n->first_child, tag), data, data_len);
}

static struct wa_node *primary_hello(const struct flow *f)
{
	struct wa_node *n = notification("primary_hello");

	add(n, "link_code_pairing_wrapped_primary_ephemeral_pub", f->wrapped, sizeof(f->wrapped));
	add(n, "primary_identity_pub", f->primary_identity.pub, WA_KEY_LEN);
	add(n, "link_code_pairing_ref", REF, strlen(REF));
	return n;
}

/* Read hello, answer it; *finish_out may be NULL. */
static int answer(struct flow *f, struct wa_node *hello, struct wa_node **finish_out)
{
	struct wa_link_notice notice;
	struct wa_node *finish = NULL;
	int rc;

	assert_int_equal(wa_link_code_notice(hello, &notice), 0);
	rc = wa_link_code_finish(&f->lc, &f->device, &notice, "7", NUMBER, &finish);
	assert_int_equal(rc == 0, finish != NULL);
	if (finish_out != NULL)
		*finish_out = finish;
	else
		wa_node_free(finish);
	return rc;
}

static const uint8_t *content(const struct wa_node *reg, const char *tag, size_t want_len)
{
	const struct wa_node *n = wa_node_child(reg, tag);

	assert_non_null(n);
	assert_int_equal(n->bytes_len, want_len);
	return n->bytes;
}

/* What the phone makes of companion_finish. */
static int open_finish(const struct flow *f, const struct wa_node *finish, uint8_t adv[32])
{
	const struct wa_node *reg = wa_node_child(finish, REG);
	uint8_t plain[WA_LINK_CODE_BUNDLE_PLAIN_LEN], s1[32], s2[32];
	int rc;

	assert_int_equal(wa_dh(f->primary_ephemeral.priv, f->lc.ephemeral.pub, s1), 0);
	assert_int_equal(wa_dh(f->primary_identity.priv, f->device.identity.pub, s2), 0);
	rc = wa_link_code_open_bundle(
	    s1, content(reg, "link_code_pairing_wrapped_key_bundle", WA_LINK_CODE_BUNDLE_LEN),
	    plain);
	if (rc < 0)
		return rc;
	assert_memory_equal(plain, f->device.identity.pub, WA_KEY_LEN);
	assert_memory_equal(plain + 32, f->primary_identity.pub, WA_KEY_LEN);
	assert_memory_equal(content(reg, "companion_identity_public", WA_KEY_LEN),
	                    f->device.identity.pub, WA_KEY_LEN);
	assert_memory_equal(content(reg, "link_code_pairing_ref", strlen(REF)), REF, strlen(REF));
	assert_true(wa_node_attr_is(reg, "jid", NUMBER "@s.whatsapp.net"));
	assert_true(wa_node_attr_is(reg, "stage", "companion_finish"));
	return wa_link_code_adv(s1, s2, plain + 64, adv);
}

static void test_phone_and_companion_agree_on_the_secret(void **state)
{
	struct wa_node *hello, *finish;
	uint8_t adv[32], before[32];
	struct flow f = answered;

	(void)state;
	memcpy(before, f.device.adv_secret, 32);
	hello = primary_hello(&f);
	assert_int_equal(answer(&f, hello, &finish), 0);
	assert_int_equal(open_finish(&f, finish, adv), 0);
	assert_memory_equal(adv, f.device.adv_secret, 32);
	assert_memory_not_equal(adv, before, 32);
	wa_node_free(hello);
	wa_node_free(finish);
}

static void test_wrong_code_is_noticed_by_the_phone_and_can_be_typed_again(void **state)
{
	struct wa_node *hello, *finish;
	struct flow f = answered;
	uint8_t adv[32];

	(void)state;
	type_code(&f, "11111112", f.primary_ephemeral.pub);
	hello = primary_hello(&f);
	assert_int_equal(answer(&f, hello, &finish), 0);
	assert_int_equal(open_finish(&f, finish, adv), WA_EAUTH);
	wa_node_free(hello);
	wa_node_free(finish);

	memcpy(f.wrapped, answered.wrapped, sizeof(f.wrapped));
	hello = primary_hello(&f);
	assert_int_equal(answer(&f, hello, &finish), 0);
	assert_int_equal(open_finish(&f, finish, adv), 0);
	assert_memory_equal(adv, f.device.adv_secret, 32);
	assert_int_equal(f.lc.hellos, 2);
	wa_node_free(hello);
	wa_node_free(finish);
}

static void test_a_code_takes_three_hellos(void **state)
{
	struct wa_node *hello;
	uint8_t before[32];
	struct flow f = answered;

	(void)state;
	hello = primary_hello(&f);
	for (unsigned i = 0; i < WA_LINK_CODE_HELLOS_MAX; i++)
		assert_int_equal(answer(&f, hello, NULL), 0);
	memcpy(before, f.device.adv_secret, 32);
	assert_int_equal(answer(&f, hello, NULL), WA_ELIMIT);
	assert_memory_equal(before, f.device.adv_secret, 32);
	wa_node_free(hello);
}

static void test_hellos_for_another_code_are_refused(void **state)
{
	struct wa_node *hello;
	uint8_t before[32];
	struct flow f = answered;

	(void)state;
	hello = primary_hello(&f);
	memcpy(before, f.device.adv_secret, 32);
	f.lc.ref_len = 0; /* companion_hello unanswered */
	assert_int_equal(answer(&f, hello, NULL), WA_ESTATE);
	f.lc.ref_len = strlen(REF);
	for (size_t i = 0; i < strlen(REF); i++) {
		f.lc.ref[i] ^= 1;
		assert_int_equal(answer(&f, hello, NULL), WA_ESTATE);
		f.lc.ref[i] ^= 1;
	}
	f.lc.ref_len--;
	assert_int_equal(answer(&f, hello, NULL), WA_ESTATE);
	assert_int_equal(f.lc.hellos, 0);
	assert_memory_equal(before, f.device.adv_secret, 32);
	wa_node_free(hello);
	hello = notification("refresh_code");
	add(hello, "link_code_pairing_ref", REF, strlen(REF));
	f.lc.ref_len++;
	assert_int_equal(answer(&f, hello, NULL), WA_ESTATE);
	wa_node_free(hello);
}

static void test_low_order_keys_are_refused(void **state)
{
	static const uint8_t low[][WA_KEY_LEN] = {
		{ 0 },
		{ 1 },
		{ 0xec, [1 ... 30] = 0xff, 0x7f },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(low); i++) {
		struct flow f = answered;
		struct wa_node *hello;

		memcpy(f.primary_identity.pub, low[i], WA_KEY_LEN);
		hello = primary_hello(&f);
		assert_int_equal(answer(&f, hello, NULL), WA_EAUTH);
		wa_node_free(hello);

		f = answered;
		type_code(&f, f.lc.code, low[i]);
		hello = primary_hello(&f);
		assert_int_equal(answer(&f, hello, NULL), WA_EAUTH);
		assert_memory_equal(f.device.adv_secret, answered.device.adv_secret, 32);
		wa_node_free(hello);
	}
}

static void test_every_byte_of_the_bundle_counts(void **state)
{
	static const uint8_t s1[32] = { 5 }, salt[32] = { 6 }, iv[WA_IV_LEN] = { 7 };
	uint8_t plain[WA_LINK_CODE_BUNDLE_PLAIN_LEN] = { 8 }, out[WA_LINK_CODE_BUNDLE_PLAIN_LEN];
	uint8_t bundle[WA_LINK_CODE_BUNDLE_LEN];

	(void)state;
	assert_int_equal(wa_link_code_seal_bundle(s1, salt, iv, plain, bundle), 0);
	for (size_t i = 0; i < sizeof(bundle); i++) {
		bundle[i] ^= 0x40;
		assert_int_equal(wa_link_code_open_bundle(s1, bundle, out), WA_EAUTH);
		bundle[i] ^= 0x40;
	}
	assert_int_equal(wa_link_code_open_bundle(s1, bundle, out), 0);
}

/* ---- stanzas ------------------------------------------------------------------------------------
 */

static void test_companion_hello(void **state)
{
	struct wa_link_code lc = { .ref_len = 0 };
	char noise_hex[HEX_CAP(WA_KEY_LEN)], wrapped_hex[HEX_CAP(WA_NODE_PRINT_BYTES)];
	struct wa_device d = { .signed_prekey_id = 1 };
	char want[2048];

	(void)state;
	memset(lc.wrapped, 0xab, sizeof(lc.wrapped));
	memset(d.noise.pub, 0xcd, WA_KEY_LEN);
	hex_encode(d.noise.pub, WA_KEY_LEN, noise_hex);
	hex_encode(lc.wrapped, WA_NODE_PRINT_BYTES, wrapped_hex);
	snprintf(want, sizeof(want),
	         "<iq to=\"s.whatsapp.net\" type=\"set\" id=\"5\" xmlns=\"md\">"
	         "<link_code_companion_reg jid=\"15550001111@s.whatsapp.net\""
	         " stage=\"companion_hello\" should_show_push_notification=\"true\">"
	         "<link_code_pairing_wrapped_companion_ephemeral_pub>[%s... 80 bytes]"
	         "</link_code_pairing_wrapped_companion_ephemeral_pub>"
	         "<companion_server_auth_key_pub>[%s]</companion_server_auth_key_pub>"
	         "<companion_platform_id>[31]</companion_platform_id>"
	         "<companion_platform_display>[4368726f6d6520284c696e757829]"
	         "</companion_platform_display>"
	         "<link_code_pairing_nonce>[00]</link_code_pairing_nonce>"
	         "</link_code_companion_reg></iq>",
	         wrapped_hex, noise_hex);
	stanza_assert_text(wa_link_code_hello(&lc, &d, "5", NUMBER), want);
}

static void test_new_codes_differ_and_hide_their_key(void **state)
{
	struct wa_link_code a, b;
	uint8_t pub[WA_KEY_LEN];

	(void)state;
	assert_int_equal(wa_link_code_new(&a), 0);
	assert_int_equal(wa_link_code_new(&b), 0);
	assert_string_not_equal(a.code, b.code);
	assert_memory_not_equal(a.wrapped, b.wrapped, 48);
	assert_memory_not_equal(a.ephemeral.pub, b.ephemeral.pub, WA_KEY_LEN);
	assert_int_equal(wa_link_code_unwrap(a.code, a.wrapped, pub), 0);
	assert_memory_equal(pub, a.ephemeral.pub, WA_KEY_LEN);
	assert_int_equal(wa_link_code_unwrap(b.code, a.wrapped, pub), 0);
	assert_memory_not_equal(pub, a.ephemeral.pub, WA_KEY_LEN);
	assert_int_equal(a.ref_len, 0);
	wa_link_code_wipe(&a);
	assert_string_equal(a.code, "");
}

static int take_ref(size_t ref_len)
{
	static const uint8_t ref[WA_REF_MAX_LEN + 1] = "ref";
	struct wa_link_code lc = { .ref_len = 0 };
	struct wa_node *n = stanza_result();
	int rc;

	wa_node_set_bytes(wa_node_add(wa_node_add(n, REG), "link_code_pairing_ref"), ref, ref_len);
	rc = wa_link_code_take_ref(&lc, n);
	assert_int_equal(lc.ref_len, rc == 0 ? ref_len : 0);
	assert_memory_equal(lc.ref, ref, lc.ref_len);
	wa_node_free(n);
	return rc;
}

static void test_ref_of_the_answer(void **state)
{
	struct wa_link_code lc = { .ref_len = 0 };
	struct wa_node *n = stanza_result();

	(void)state;
	assert_int_equal(wa_link_code_take_ref(&lc, n), WA_EPROTO);
	wa_node_add(n, REG);
	assert_int_equal(wa_link_code_take_ref(&lc, n), WA_EPROTO);
	wa_node_free(n);
	assert_int_equal(take_ref(0), WA_EPROTO);
	assert_int_equal(take_ref(1), 0);
	assert_int_equal(take_ref(WA_REF_MAX_LEN), 0);
	assert_int_equal(take_ref(WA_REF_MAX_LEN + 1), WA_EPROTO);
}

static int notice_and_free(struct wa_node *n, struct wa_link_notice *out)
{
	int rc = wa_link_code_notice(n, out);

	wa_node_free(n);
	return rc;
}

static void test_refresh_code(void **state)
{
	struct wa_node *n = notification("refresh_code");
	struct wa_link_notice notice;

	(void)state;
	assert_int_equal(wa_link_code_notice(n, &notice), WA_EPROTO); /* for which code? */
	add(n, "link_code_pairing_ref", REF, strlen(REF));
	assert_int_equal(wa_link_code_notice(n, &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_REFRESH);
	assert_int_equal(notice.ref_len, strlen(REF));
	assert_memory_equal(notice.ref, REF, strlen(REF));
	wa_node_set(n->first_child, "force_manual_refresh", "false");
	assert_int_equal(wa_link_code_notice(n, &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_REFRESH);
	wa_node_set(n->first_child, "force_manual_refresh", "true");
	assert_int_equal(wa_link_code_notice(n, &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_REFRESH_MANUAL);
	wa_node_free(n);
}

static void test_notices_without_meaning_are_passed_over(void **state)
{
	struct wa_link_notice notice;

	(void)state;
	assert_int_equal(notice_and_free(notification("primary_hello"), &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_OTHER);
	assert_int_equal(notice_and_free(notification("something_new"), &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_OTHER);
	assert_int_equal(notice_and_free(notification(NULL), &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_OTHER);
	assert_int_equal(notice_and_free(stanza_notification(REG), &notice), 0);
	assert_int_equal(notice.stage, WA_LINK_OTHER);
	assert_int_equal(notice_and_free(stanza_notification("encrypt"), &notice), WA_ESTATE);
	assert_int_equal(notice_and_free(stanza_result(), &notice), WA_ESTATE);
}

static void test_malformed_primary_hello_is_refused(void **state)
{
	static const uint8_t zeros[WA_REF_MAX_LEN + 1];
	static const struct {
		size_t wrapped_len, identity_len, ref_len;
		int want;
	} cases[] = {
		{ 80, 32, 1, 0 },
		{ 80, 32, WA_REF_MAX_LEN, 0 },
		{ 79, 32, 9, WA_EPROTO },
		{ 81, 32, 9, WA_EPROTO },
		{ 0, 32, 9, WA_EPROTO },
		{ 80, 31, 9, WA_EPROTO },
		{ 80, 33, 9, WA_EPROTO },
		{ 80, 32, 0, WA_EPROTO },
		{ 80, 32, WA_REF_MAX_LEN + 1, WA_EPROTO },
	};
	struct wa_link_notice notice;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wa_node *n = notification("primary_hello");

		add(n, "link_code_pairing_wrapped_primary_ephemeral_pub", zeros,
		    cases[i].wrapped_len);
		add(n, "primary_identity_pub", zeros, cases[i].identity_len);
		add(n, "link_code_pairing_ref", zeros, cases[i].ref_len);
		assert_int_equal(notice_and_free(n, &notice), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_of_the_vector),
		cmocka_unit_test(test_wrapped_keys_of_the_vector),
		cmocka_unit_test(test_bundle_and_secret_of_the_vector),
		cmocka_unit_test(test_phone_and_companion_agree_on_the_secret),
		cmocka_unit_test(test_wrong_code_is_noticed_by_the_phone_and_can_be_typed_again),
		cmocka_unit_test(test_a_code_takes_three_hellos),
		cmocka_unit_test(test_hellos_for_another_code_are_refused),
		cmocka_unit_test(test_low_order_keys_are_refused),
		cmocka_unit_test(test_every_byte_of_the_bundle_counts),
		cmocka_unit_test(test_companion_hello),
		cmocka_unit_test(test_new_codes_differ_and_hide_their_key),
		cmocka_unit_test(test_ref_of_the_answer),
		cmocka_unit_test(test_refresh_code),
		cmocka_unit_test(test_notices_without_meaning_are_passed_over),
		cmocka_unit_test(test_malformed_primary_hello_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
