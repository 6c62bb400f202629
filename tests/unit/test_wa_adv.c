/* tests/unit/test_wa_adv.c - pair-success: the published vectors, and everything that is refused */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "proto/wa_adv.pb-c.h"
#include "wa_fixture.h"
#include "wa_stanzas.h"
#include "wa_vectors.h"
#include "worker/wa/link/wa_adv.h"

/* ---- the published vectors ----------------------------------------------------------------------
 */

static void device_of_vector(const json_t *v, struct wa_device *d)
{
	memset(d, 0, sizeof(*d));
	vec_keypair(v, "companion_identity", &d->identity);
	vec_fixed(v, "adv_secret", d->adv_secret, sizeof(d->adv_secret));
}

static void assert_account(const json_t *v, const struct wa_adv *a)
{
	struct buf want = { 0 };

	vec_hex(v, "signed_device_identity", &want);
	assert_int_equal(buf_append(&want, "\x22\x40", 2), 0);
	vec_hex(v, "device_signature", &want);
	assert_int_equal(a->account.len, want.len);
	assert_memory_equal(a->account.p, want.p, want.len);
	vec_assert_hex(vec_get(v, "account_identity"), "pub", a->account_key, WA_KEY_LEN);
	buf_free(&want);
}

static void play_vector(const char *name)
{
	json_t *crypto = vec_load("crypto.json");
	const json_t *v = vec_get(crypto, name);
	struct wa_node *n = stanza_of_vector(v, "pair_success_stanza");
	struct wa_pair_success ps;
	uint8_t rnd[WA_SIG_LEN];
	const char *why = "unset";
	struct wa_device d;
	struct wa_adv a;

	device_of_vector(v, &d);
	vec_fixed(v, "device_signature_random", rnd, sizeof(rnd));
	assert_int_equal(wa_pair_success_read(n, &ps), 0);
	assert_string_equal(ps.jid, "15550001111:7@s.whatsapp.net");
	assert_string_equal(ps.lid, "100000000000001:7@lid");
	assert_string_equal(ps.platform, "android");
	assert_null(ps.business_name);
	assert_int_equal(ps.server_unix_s, 1787000001);
	vec_assert_hex(v, "signed_device_identity_hmac", ps.device_identity,
	               ps.device_identity_len);

	assert_int_equal(
	    wa_adv_verify_rnd(&d, ps.device_identity, ps.device_identity_len, rnd, &a, &why), 0);
	assert_null(why);
	assert_int_equal(a.key_index, json_integer_value(vec_get(v, "key_index")));
	assert_account(v, &a);
	vec_assert_hex(v, "reply_device_identity", a.answer.p, a.answer.len);
	stanza_assert_vector(v, "reply_stanza", wa_pair_device_sign(ps.id, &a));
	wa_adv_clear(&a);
	assert_int_equal(a.key_index, 0);
	wa_node_free(n);
	json_decref(crypto);
}

static void test_pair_success_of_the_vector(void **state)
{
	(void)state;
	play_vector("adv_pair_success");
}

static void test_pair_success_of_a_hosted_account(void **state)
{
	(void)state;
	play_vector("adv_pair_success_hosted");
}

/* ---- a phone that can be wrong in one thing -----------------------------------------------------
 */

struct phone {
	struct wa_device device; /* the companion it was shown */
	struct wa_keypair account;
	Wa__AdvDeviceIdentity id;
	struct buf details; /* used instead of id when it is not empty */
	uint8_t account_prefix[2];
	size_t hmac_prefix_len; /* 0 or 2 */
	int outer_type;         /* below 0: left out */
	const uint8_t *key;     /* accountSignatureKey when it is not account's */
	/* Lengths as they are sent; 0: left out. */
	size_t key_len, signature_len, hmac_len;
	size_t flip; /* 1 to 64: that byte of the signature, changed before the HMAC */
};

static void phone_init(struct phone *p)
{
	memset(p, 0, sizeof(*p));
	fixture_key(0x21, &p->device.identity);
	fixture_key(0x42, &p->account);
	memset(p->device.adv_secret, 0x63, sizeof(p->device.adv_secret));
	wa__adv_device_identity__init(&p->id);
	p->id.has_raw_id = p->id.has_timestamp = p->id.has_key_index = 1;
	p->id.raw_id = 12345;
	p->id.timestamp = 1787000001;
	p->id.key_index = 2;
	p->account_prefix[0] = 0x06;
	p->outer_type = -1;
	p->key_len = WA_KEY_LEN;
	p->signature_len = WA_SIG_LEN;
	p->hmac_len = 32;
}

static void hosted(struct phone *p)
{
	p->id.has_account_type = p->id.has_device_type = 1;
	p->id.account_type = p->id.device_type = 1;
	p->account_prefix[1] = 0x05;
	p->hmac_prefix_len = 2;
	p->outer_type = 1;
}

static void put(struct buf *b, const void *data, size_t data_len)
{
	assert_int_equal(buf_append(b, data, data_len), 0);
}

static void pack(const ProtobufCMessage *msg, struct buf *out)
{
	assert_int_equal(buf_reserve(out, protobuf_c_message_get_packed_size(msg) + 1), 0);
	out->len += protobuf_c_message_pack(msg, out->p + out->len);
}

static void sign(const struct phone *p, const struct buf *details, uint8_t sig[WA_SIG_LEN])
{
	struct buf msg = { 0 };

	put(&msg, p->account_prefix, 2);
	put(&msg, details->p, details->len);
	put(&msg, p->device.identity.pub, WA_KEY_LEN);
	assert_int_equal(wa_xeddsa_sign(p->account.priv, msg.p, msg.len, NULL, sig), 0);
	buf_free(&msg);
}

static void pack_signed(const struct phone *p, struct buf *out)
{
	Wa__AdvSignedDeviceIdentity a = WA__ADV_SIGNED_DEVICE_IDENTITY__INIT;
	uint8_t sig[WA_SIG_LEN + 1] = { 0 }, key[WA_KEY_LEN + 1] = { 0 };
	struct buf details = { 0 };

	if (p->details.len > 0)
		put(&details, p->details.p, p->details.len);
	else
		pack(&p->id.base, &details);
	sign(p, &details, sig);
	if (p->flip > 0)
		sig[p->flip - 1] ^= 1;
	memcpy(key, p->key != NULL ? p->key : p->account.pub, WA_KEY_LEN);
	a.has_details = 1;
	a.details.data = details.p;
	a.details.len = details.len;
	a.has_account_signature_key = p->key_len > 0;
	a.account_signature_key.data = key;
	a.account_signature_key.len = p->key_len;
	a.has_account_signature = p->signature_len > 0;
	a.account_signature.data = sig;
	a.account_signature.len = p->signature_len;
	pack(&a.base, out);
	buf_free(&details);
}

static void pack_identity(const struct phone *p, struct buf *out)
{
	Wa__AdvSignedDeviceIdentityHmac w = WA__ADV_SIGNED_DEVICE_IDENTITY_HMAC__INIT;
	struct buf signed_id = { 0 }, text = { 0 };
	uint8_t hmac[33] = { 0 };

	pack_signed(p, &signed_id);
	put(&text, "\x06\x05", p->hmac_prefix_len);
	put(&text, signed_id.p, signed_id.len);
	assert_int_equal(wa_hmac_sha256(p->device.adv_secret, 32, text.p, text.len, hmac), 0);
	w.has_details = 1;
	w.details.data = signed_id.p;
	w.details.len = signed_id.len;
	w.has_hmac = p->hmac_len > 0;
	w.hmac.data = hmac;
	w.hmac.len = p->hmac_len;
	w.has_account_type = p->outer_type >= 0;
	w.account_type = p->outer_type;
	pack(&w.base, out);
	buf_free(&signed_id);
	buf_free(&text);
}

/* A copy of exactly the right size, so that the sanitizer sees a byte too far. */
static int verify_bytes(const struct wa_device *d, const uint8_t *data, size_t data_len,
                        const char **why)
{
	static const struct wa_adv empty;
	uint8_t *copy = malloc(data_len + (data_len == 0));
	struct wa_adv a;
	int rc;

	assert_non_null(copy);
	if (data_len > 0)
		memcpy(copy, data, data_len);
	rc = wa_adv_verify(d, copy, data_len, &a, why);
	if (rc < 0)
		assert_memory_equal(&a, &empty, sizeof(a));
	wa_adv_clear(&a);
	free(copy);
	return rc;
}

static int verify(const struct phone *p, const char **why)
{
	struct buf bytes = { 0 };
	int rc;

	pack_identity(p, &bytes);
	rc = verify_bytes(&p->device, bytes.p, bytes.len, why);
	buf_free(&bytes);
	return rc;
}

static void assert_refused(const struct phone *p, const char *want)
{
	const char *why = NULL;

	assert_int_equal(verify(p, &why), WA_EAUTH);
	assert_string_equal(why, want);
}

static void test_every_byte_is_vouched_for(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct buf bytes = { 0 };
		struct phone p;

		phone_init(&p);
		if (kind == 1)
			hosted(&p);
		pack_identity(&p, &bytes);
		assert_int_equal(verify_bytes(&p.device, bytes.p, bytes.len, NULL), 0);
		for (size_t n = 0; n < bytes.len; n++)
			assert_true(verify_bytes(&p.device, bytes.p, n, NULL) < 0);
		for (size_t i = 0; i < 8 * bytes.len; i++) {
			bytes.p[i / 8] ^= (uint8_t)(1u << i % 8);
			assert_true(verify_bytes(&p.device, bytes.p, bytes.len, NULL) < 0);
			bytes.p[i / 8] ^= (uint8_t)(1u << i % 8);
		}
		buf_free(&bytes);
	}
}

static void test_wrong_secret_is_refused(void **state)
{
	struct buf bytes = { 0 };
	const char *why = NULL;
	struct phone p;

	(void)state;
	phone_init(&p);
	pack_identity(&p, &bytes);
	p.device.adv_secret[31] ^= 1;
	assert_int_equal(verify_bytes(&p.device, bytes.p, bytes.len, &why), WA_EAUTH);
	assert_string_equal(why, "hmac");
	buf_free(&bytes);
}

static void test_wrong_account_signature_under_a_right_hmac_is_refused(void **state)
{
	struct phone p;

	(void)state;
	phone_init(&p);
	for (p.flip = 1; p.flip <= WA_SIG_LEN; p.flip++)
		assert_refused(&p, "account signature");
}

static void test_signature_for_another_device_is_refused(void **state)
{
	struct buf bytes = { 0 };
	const char *why = NULL;
	struct phone p;

	(void)state;
	phone_init(&p);
	pack_identity(&p, &bytes);
	fixture_key(0x22, &p.device.identity);
	assert_int_equal(verify_bytes(&p.device, bytes.p, bytes.len, &why), WA_EAUTH);
	assert_string_equal(why, "account signature");
	buf_free(&bytes);
}

static void test_signature_of_another_account_is_refused(void **state)
{
	struct wa_keypair other;
	struct phone p;

	(void)state;
	phone_init(&p);
	fixture_key(0x43, &other);
	p.key = other.pub;
	assert_refused(&p, "account signature");
}

static void test_degenerate_account_keys_are_refused(void **state)
{
	static const uint8_t keys[][WA_KEY_LEN] = {
		{ 0 },
		{ 1 },
		{ 0xec, [1 ... 30] = 0xff, 0x7f }, /* u = -1 */
		{ 0xed, [1 ... 30] = 0xff, 0x7f }, /* 0, not reduced */
	};
	struct phone p;

	(void)state;
	phone_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		p.key = keys[i];
		assert_refused(&p, "account signature");
	}
}

static void test_prefixes_follow_the_kind_of_account(void **state)
{
	struct phone p;

	(void)state;
	phone_init(&p);
	p.account_prefix[1] = 0x05; /* hosted signature, plain device */
	assert_refused(&p, "account signature");
	for (unsigned prefix = 1; prefix < 8; prefix++) {
		p.account_prefix[1] = (uint8_t)prefix;
		assert_refused(&p, "account signature");
	}

	phone_init(&p);
	hosted(&p);
	assert_int_equal(verify(&p, NULL), 0);
	p.account_prefix[1] = 0x00;
	assert_refused(&p, "account signature");

	phone_init(&p);
	hosted(&p);
	p.hmac_prefix_len = 0;
	assert_refused(&p, "hmac");
	phone_init(&p);
	p.hmac_prefix_len = 2;
	assert_refused(&p, "hmac");
	phone_init(&p);
	p.outer_type = 1; /* says hosted, is not signed so */
	assert_refused(&p, "hmac");
	p.outer_type = 0; /* E2EE written out is the same as left out */
	assert_int_equal(verify(&p, NULL), 0);

	/* The outer type says how the HMAC is made, the inner device type how it is signed. */
	phone_init(&p);
	hosted(&p);
	p.id.device_type = 0;
	assert_refused(&p, "account signature");
	p.account_prefix[1] = 0x00;
	assert_int_equal(verify(&p, NULL), 0);
}

static void test_wrong_lengths_are_malformed(void **state)
{
	static const size_t hmac_lens[] = { 0, 31, 33 }, key_lens[] = { 0, 31, 33 };
	static const size_t sig_lens[] = { 0, 63, 65 };
	struct phone p;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		phone_init(&p);
		p.hmac_len = hmac_lens[i];
		assert_int_equal(verify(&p, NULL), WA_EPROTO);
		phone_init(&p);
		p.key_len = key_lens[i];
		assert_int_equal(verify(&p, NULL), WA_EPROTO);
		phone_init(&p);
		p.signature_len = sig_lens[i];
		assert_int_equal(verify(&p, NULL), WA_EPROTO);
	}
	phone_init(&p);
	put(&p.details, "\x0f\xff", 2); /* signed, but no protobuf */
	assert_int_equal(verify(&p, NULL), WA_EPROTO);
	buf_free(&p.details);
}

static void test_too_long_an_identity_is_refused(void **state)
{
	uint8_t bytes[WA_DEVICE_IDENTITY_MAX_LEN + 1] = { 0 };
	struct phone p;

	(void)state;
	phone_init(&p);
	assert_int_equal(verify_bytes(&p.device, bytes, sizeof(bytes), NULL), WA_ELIMIT);
	assert_true(verify_bytes(&p.device, bytes, sizeof(bytes) - 1, NULL) < 0);
	assert_int_equal(verify_bytes(&p.device, bytes, 0, NULL), WA_EPROTO);
}

/* Details written in another way than ours, with a field unknown to us: the bytes go on as they
 * are, for the signatures are over them. */
static void test_details_are_never_written_anew(void **state)
{
	static const char odd[] = "\x18\x85\x00\xa2\x06\x02hi\x08\x01";
	struct buf bytes = { 0 };
	const size_t odd_len = sizeof(odd) - 1;
	struct phone p;
	struct wa_adv a;

	(void)state;
	phone_init(&p);
	put(&p.details, odd, odd_len);
	pack_identity(&p, &bytes);
	assert_int_equal(wa_adv_verify(&p.device, bytes.p, bytes.len, &a, NULL), 0);
	assert_int_equal(a.key_index, 5);
	assert_memory_equal(a.answer.p + 2, odd, odd_len);
	assert_memory_equal(a.account.p + 2, odd, odd_len);
	wa_adv_clear(&a);
	buf_free(&bytes);
	buf_free(&p.details);
}

static void test_device_signature_is_fresh_and_verifies(void **state)
{
	struct buf bytes = { 0 }, msg = { 0 };
	struct wa_adv a, b;
	struct phone p;

	(void)state;
	phone_init(&p);
	pack_identity(&p, &bytes);
	assert_int_equal(wa_adv_verify(&p.device, bytes.p, bytes.len, &a, NULL), 0);
	assert_int_equal(wa_adv_verify(&p.device, bytes.p, bytes.len, &b, NULL), 0);
	assert_int_equal(a.answer.len, b.answer.len);
	assert_memory_not_equal(a.answer.p, b.answer.p, a.answer.len);
	put(&msg, "\x06\x01", 2);
	pack(&p.id.base, &msg);
	put(&msg, p.device.identity.pub, WA_KEY_LEN);
	put(&msg, p.account.pub, WA_KEY_LEN);
	assert_int_equal(wa_xeddsa_verify(p.device.identity.pub, msg.p, msg.len,
	                                  a.answer.p + a.answer.len - WA_SIG_LEN),
	                 0);
	wa_adv_clear(&a);
	wa_adv_clear(&b);
	buf_free(&bytes);
	buf_free(&msg);
}

/* ---- the stanza ---------------------------------------------------------------------------------
 */

static struct wa_node *pair_success(const char *jid, const char *lid, size_t identity_len)
{
	static const uint8_t bytes[WA_DEVICE_IDENTITY_MAX_LEN + 1];
	struct wa_node *iq = wa_node_new("iq"), *pair, *device;

	wa_node_set_jid(iq, "from", WA_SERVER_JID);
	wa_node_set(iq, "type", "set");
	wa_node_set(iq, "id", "1");
	pair = wa_node_add(iq, "pair-success");
	wa_node_set_bytes(wa_node_add(pair, "device-identity"), bytes, identity_len);
	device = wa_node_add(pair, "device");
	wa_node_set(device, "jid", jid);
	wa_node_set(device, "lid", lid);
	return iq;
}

static int read_and_free(struct wa_node *iq)
{
	struct wa_pair_success ps;
	int rc = wa_pair_success_read(iq, &ps);

	wa_node_free(iq);
	return rc;
}

static void test_optional_parts_of_pair_success(void **state)
{
	struct wa_node *iq = pair_success("49123:7@s.whatsapp.net", NULL, 1);
	struct wa_node *pair = iq->first_child;
	struct wa_pair_success ps;

	(void)state;
	assert_int_equal(wa_pair_success_read(iq, &ps), 0);
	assert_null(ps.lid);
	assert_null(ps.platform);
	assert_null(ps.business_name);
	assert_int_equal(ps.server_unix_s, 0);
	wa_node_set(wa_node_add(pair, "platform"), "name", "smba");
	wa_node_set(wa_node_add(pair, "biz"), "name", "A business");
	wa_node_add(pair, "later-addition");
	wa_node_set(iq, "t", "no number");
	assert_int_equal(wa_pair_success_read(iq, &ps), 0);
	assert_string_equal(ps.platform, "smba");
	assert_string_equal(ps.business_name, "A business");
	assert_int_equal(ps.server_unix_s, 0);
	wa_node_free(iq);
}

static void test_malformed_pair_success_is_refused(void **state)
{
	static const char pn[] = "49123:7@s.whatsapp.net", lid[] = "5:7@lid";
	static const char *const jids[] = {
		"49123@s.whatsapp.net", "49123:0@s.whatsapp.net",
		"49123:7@lid",          "s.whatsapp.net",
		"abc:7@s.whatsapp.net", "0123:7@s.whatsapp.net",
		"nonsense@:7@@x",       "",
	};
	static const char *const lids[] = { "5@lid", "a:7@lid", "5:7@s.whatsapp.net", "lid", "" };
	struct wa_node *iq;

	(void)state;
	assert_int_equal(read_and_free(pair_success(pn, lid, WA_DEVICE_IDENTITY_MAX_LEN)), 0);
	assert_int_equal(read_and_free(pair_success(pn, lid, WA_DEVICE_IDENTITY_MAX_LEN + 1)),
	                 WA_EPROTO);
	assert_int_equal(read_and_free(pair_success(pn, lid, 0)), WA_EPROTO);
	assert_int_equal(read_and_free(pair_success(NULL, lid, 1)), WA_EPROTO);
	for (size_t i = 0; i < ARRAY_LEN(jids); i++)
		assert_int_equal(read_and_free(pair_success(jids[i], lid, 1)), WA_EPROTO);
	for (size_t i = 0; i < ARRAY_LEN(lids); i++)
		assert_int_equal(read_and_free(pair_success(pn, lids[i], 1)), WA_EPROTO);
	iq = pair_success(pn, lid, 1);
	wa_node_set(iq, "id", "");
	assert_int_equal(read_and_free(iq), WA_EPROTO);
	iq = pair_success(pn, lid, 1);
	wa_node_set_text(iq->first_child, "no children");
	assert_int_equal(read_and_free(iq), WA_EPROTO);
}

static void test_other_stanzas_are_not_pair_success(void **state)
{
	struct wa_node *iq;

	(void)state;
	assert_int_equal(read_and_free(stanza_result()), WA_ESTATE);
	iq = pair_success("49123:7@s.whatsapp.net", NULL, 1);
	wa_node_set(iq, "type", "result");
	assert_int_equal(read_and_free(iq), WA_ESTATE);
	iq = pair_success("49123:7@s.whatsapp.net", NULL, 1);
	wa_node_set_jid(iq, "from", "49123@s.whatsapp.net");
	assert_int_equal(read_and_free(iq), WA_ESTATE);
	iq = stanza_result();
	wa_node_set(iq, "type", "set");
	assert_int_equal(read_and_free(iq), WA_ESTATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_success_of_the_vector),
		cmocka_unit_test(test_pair_success_of_a_hosted_account),
		cmocka_unit_test(test_every_byte_is_vouched_for),
		cmocka_unit_test(test_wrong_secret_is_refused),
		cmocka_unit_test(test_wrong_account_signature_under_a_right_hmac_is_refused),
		cmocka_unit_test(test_signature_for_another_device_is_refused),
		cmocka_unit_test(test_signature_of_another_account_is_refused),
		cmocka_unit_test(test_degenerate_account_keys_are_refused),
		cmocka_unit_test(test_prefixes_follow_the_kind_of_account),
		cmocka_unit_test(test_wrong_lengths_are_malformed),
		cmocka_unit_test(test_too_long_an_identity_is_refused),
		cmocka_unit_test(test_details_are_never_written_anew),
		cmocka_unit_test(test_device_signature_is_fresh_and_verifies),
		cmocka_unit_test(test_optional_parts_of_pair_success),
		cmocka_unit_test(test_malformed_pair_success_is_refused),
		cmocka_unit_test(test_other_stanzas_are_not_pair_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
