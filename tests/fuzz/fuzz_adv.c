/*
 * tests/fuzz/fuzz_adv.c - the device identity of a pair-success
 *
 * First byte: 0, the rest is the whole identity; 1, the rest is what the HMAC is over, sealed with
 * the right secret; 2, the rest is the details, signed and sealed as a phone does it. 0x10 added:
 * sealed as for a hosted account. Property: what is accepted carries an account signature that
 * holds over the details as they came, and our own; what is refused leaves nothing behind.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/attr.h"
#include "proto/wa_adv.pb-c.h"
#include "worker/wa/link/wa_adv.h"

#define HOSTED_FLAG 0x10
#define INPUT_MAX 4096

/* The keys of the published vector, so that its identities are accepted. */
static const uint8_t identity_priv[WA_KEY_LEN] = {
	0x78, 0x8d, 0x8e, 0xb7, 0xc8, 0x38, 0x8c, 0x65, 0xdf, 0x88, 0x17,
	0xcd, 0xb3, 0xc4, 0x30, 0x0c, 0x65, 0xaa, 0x58, 0x54, 0x7a, 0x8a,
	0xc5, 0x27, 0x02, 0x5d, 0xef, 0x72, 0xcb, 0x20, 0xaa, 0x5e,
};
static const uint8_t account_priv[WA_KEY_LEN] = {
	0x40, 0x63, 0xa6, 0x43, 0xe0, 0x37, 0xff, 0xb9, 0x7c, 0x02, 0x02,
	0x37, 0xcd, 0x1d, 0x6a, 0xc9, 0xb8, 0xf4, 0x89, 0xca, 0x7c, 0x8b,
	0x23, 0x4b, 0x06, 0xcd, 0x70, 0x44, 0x18, 0xe3, 0xcd, 0x4f,
};
static const uint8_t adv_secret[32] = {
	0x5b, 0x56, 0x8d, 0x6e, 0x69, 0x58, 0x66, 0x5f, 0x30, 0xae, 0x2b,
	0xdb, 0x0b, 0x83, 0x6c, 0x53, 0xcd, 0xfc, 0x4a, 0xa3, 0x94, 0x90,
	0x22, 0xbb, 0x40, 0x97, 0x81, 0xe5, 0xf6, 0xf3, 0x34, 0xc9,
};

static const uint8_t rnd[WA_SIG_LEN];

static void put(struct buf *b, const void *data, size_t data_len)
{
	FUZZ_REQUIRE(buf_append(b, data, data_len) == 0);
}

static void pack(const ProtobufCMessage *msg, struct buf *out)
{
	FUZZ_REQUIRE(buf_reserve(out, protobuf_c_message_get_packed_size(msg) + 1) == 0);
	out->len += protobuf_c_message_pack(msg, out->p + out->len);
}

/* prefix || details || identity, as an account signs it. */
static void put_signed(uint8_t prefix, const ProtobufCBinaryData *details,
                       const struct wa_device *d, struct buf *out)
{
	const uint8_t head[2] = { 0x06, prefix };

	put(out, head, sizeof(head));
	put(out, details->data, details->len);
	put(out, d->identity.pub, WA_KEY_LEN);
}

/* Append the outer message around signed_id, with a right HMAC. */
static void seal(const uint8_t *signed_id, size_t signed_id_len, int hosted, struct buf *out)
{
	Wa__AdvSignedDeviceIdentityHmac w = WA__ADV_SIGNED_DEVICE_IDENTITY_HMAC__INIT;
	struct buf text = { 0 };
	uint8_t hmac[32];

	if (hosted)
		put(&text, "\x06\x05", 2);
	put(&text, signed_id, signed_id_len);
	FUZZ_REQUIRE(wa_hmac_sha256(adv_secret, 32, text.p, text.len, hmac) == 0);
	w.has_details = w.has_hmac = 1;
	w.details.data = (uint8_t *)(uintptr_t)signed_id;
	w.details.len = signed_id_len;
	w.hmac.data = hmac;
	w.hmac.len = sizeof(hmac);
	w.has_account_type = hosted;
	w.account_type = 1;
	pack(&w.base, out);
	buf_free(&text);
}

/* Append an ADVSignedDeviceIdentity with a right signature over details. */
static void sign(const struct wa_device *d, const uint8_t *details, size_t details_len, int hosted,
                 struct buf *out)
{
	Wa__AdvSignedDeviceIdentity a = WA__ADV_SIGNED_DEVICE_IDENTITY__INIT;
	struct wa_keypair account;
	uint8_t sig[WA_SIG_LEN];
	struct buf msg = { 0 };

	FUZZ_REQUIRE(wa_keypair_from_priv(account_priv, &account) == 0);
	a.has_details = a.has_account_signature_key = a.has_account_signature = 1;
	a.details.data = (uint8_t *)(uintptr_t)details;
	a.details.len = details_len;
	put_signed(hosted ? 0x05 : 0x00, &a.details, d, &msg);
	FUZZ_REQUIRE(wa_xeddsa_sign(account.priv, msg.p, msg.len, rnd, sig) == 0);
	a.account_signature_key.data = account.pub;
	a.account_signature_key.len = WA_KEY_LEN;
	a.account_signature.data = sig;
	a.account_signature.len = WA_SIG_LEN;
	pack(&a.base, out);
	buf_free(&msg);
}

static void require_verifies(const struct wa_device *d, const struct wa_adv *a)
{
	static const uint8_t prefixes[] = { 0x00, 0x05 };
	Wa__AdvSignedDeviceIdentity *id;
	struct buf msg = { 0 };
	int right = 0;

	id = wa__adv_signed_device_identity__unpack(NULL, a->account.len, a->account.p);
	FUZZ_REQUIRE(id != NULL && id->account_signature_key.len == WA_KEY_LEN);
	FUZZ_REQUIRE(memcmp(id->account_signature_key.data, a->account_key, WA_KEY_LEN) == 0);
	FUZZ_REQUIRE(id->account_signature.len == WA_SIG_LEN);
	FUZZ_REQUIRE(id->device_signature.len == WA_SIG_LEN);
	for (size_t i = 0; i < sizeof(prefixes); i++) {
		buf_reset(&msg);
		put_signed(prefixes[i], &id->details, d, &msg);
		right += wa_xeddsa_verify(a->account_key, msg.p, msg.len,
		                          id->account_signature.data) == 0;
	}
	FUZZ_REQUIRE(right == 1);
	buf_reset(&msg);
	put_signed(0x01, &id->details, d, &msg);
	put(&msg, a->account_key, WA_KEY_LEN);
	FUZZ_REQUIRE(wa_xeddsa_verify(d->identity.pub, msg.p, msg.len, id->device_signature.data) ==
	             0);
	FUZZ_REQUIRE(a->answer.len == a->account.len - 2 - WA_KEY_LEN);
	buf_free(&msg);
	wa__adv_signed_device_identity__free_unpacked(id, NULL);
}

static int verify(const struct wa_device *d, const uint8_t *data, size_t size)
{
	static const struct wa_adv empty;
	const char *why = NULL;
	struct wa_node *answer;
	struct buf wire = { 0 };
	struct wa_adv a;
	int rc;

	rc = wa_adv_verify_rnd(d, data, size, rnd, &a, &why);
	if (rc < 0) {
		FUZZ_REQUIRE(memcmp(&a, &empty, sizeof(a)) == 0);
		return rc;
	}
	FUZZ_REQUIRE(why == NULL);
	require_verifies(d, &a);
	answer = wa_pair_device_sign("1", &a);
	FUZZ_REQUIRE(wa_stanza_encode(answer, &wire) == 0);
	wa_node_free(answer);
	buf_free(&wire);
	wa_adv_clear(&a);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf signed_id = { 0 }, identity = { 0 };
	int hosted;
	struct wa_device d = { .registration_id = 1 };

	if (size < 2 || size > INPUT_MAX || (data[0] & ~HOSTED_FLAG) > 2)
		return 0;
	hosted = (data[0] & HOSTED_FLAG) != 0;
	FUZZ_REQUIRE(wa_keypair_from_priv(identity_priv, &d.identity) == 0);
	memcpy(d.adv_secret, adv_secret, sizeof(adv_secret));
	switch (data[0] & ~HOSTED_FLAG) {
	case 0:
		verify(&d, data + 1, size - 1);
		break;
	case 1:
		seal(data + 1, size - 1, hosted, &identity);
		verify(&d, identity.p, identity.len);
		break;
	default:
		sign(&d, data + 1, size - 1, hosted, &signed_id);
		seal(signed_id.p, signed_id.len, hosted, &identity);
		verify(&d, identity.p, identity.len);
		break;
	}
	buf_free(&signed_id);
	buf_free(&identity);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const ProtobufCMessageDescriptor *const schemas[] = {
		&wa__adv_signed_device_identity_hmac__descriptor,
		&wa__adv_signed_device_identity__descriptor,
		&wa__adv_device_identity__descriptor,
	};
	size_t kind = size < 2 ? ARRAY_LEN(schemas) : (size_t)(data[0] & ~HOSTED_FLAG);

	if (kind >= ARRAY_LEN(schemas) || schemas[kind] == NULL)
		return false;
	mut_put(out, data, 1);
	mut_pb(m, schemas[kind], data + 1, size - 1, out);
	return true;
}
