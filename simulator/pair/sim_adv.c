/* simulator/pair/sim_adv.c - what a phone signs for a companion, and what the companion answers */
#include "simulator/pair/sim_adv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "simulator/base/sim_pb.h"

#define HOSTED 1 /* ADVEncryptionType */
#define SIGNED_CAP 256

/* What a signature is over begins with one of these. */
static const uint8_t prefix_account[2] = { 6, 0 };
static const uint8_t prefix_device[2] = { 6, 1 };
static const uint8_t prefix_list[2] = { 6, 2 };
static const uint8_t prefix_account_hosted[2] = { 6, 5 };
static const uint8_t prefix_device_hosted[2] = { 6, 6 };
static const uint8_t prefix_list_hosted[2] = { 6, 7 };

/* ---- signing -----------------------------------------------------------------------------------
 */

static int write_details(const struct sim_adv_account *account, int64_t now_unix_s, uint32_t index,
                         struct sim_adv *adv)
{
	struct wr w;

	wr_init(&w, adv->details, sizeof(adv->details));
	sim_pb_uint(&w, 1, account->raw_id);
	sim_pb_uint(&w, 2, (uint64_t)now_unix_s);
	sim_pb_uint(&w, 3, index);
	if (account->hosted) {
		sim_pb_uint(&w, 4, HOSTED);
		sim_pb_uint(&w, 5, HOSTED);
	}
	adv->details_len = w.len;
	return w.err;
}

static int sign_details(const struct sim_adv_account *account, const uint8_t *rnd,
                        struct sim_adv *adv)
{
	uint8_t text[SIGNED_CAP];
	struct wr w;

	wr_init(&w, text, sizeof(text));
	wr_bytes(&w, account->hosted ? prefix_account_hosted : prefix_account, 2);
	wr_bytes(&w, adv->details, adv->details_len);
	wr_bytes(&w, adv->companion, WA_KEY_LEN);
	if (w.err != 0)
		return w.err;
	return wa_xeddsa_sign(account->identity.priv, text, w.len, rnd, adv->signature);
}

/* ADVSignedDeviceIdentity without a device signature, or junk. Returns its length; w.err in *err.
 */
static size_t write_signed(const struct sim_adv *adv, enum sim_adv_flaw flaw, uint8_t *out,
                           size_t cap, int *err)
{
	static const uint8_t junk[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		                        0xff, 0xff, 0xff, 0xff, 0x01, 0x02, 0x03 };
	uint8_t signature[WA_SIG_LEN];
	struct wr w;

	memcpy(signature, adv->signature, sizeof(signature));
	if (flaw == SIM_ADV_BAD_SIGNATURE)
		signature[10] ^= 0x40;
	wr_init(&w, out, cap);
	if (flaw == SIM_ADV_NO_PROTOBUF) {
		wr_bytes(&w, junk, sizeof(junk));
	} else {
		sim_pb_bytes(&w, 1, adv->details, adv->details_len);
		sim_pb_bytes(&w, 2, adv->account_key, WA_KEY_LEN);
		sim_pb_bytes(&w, 3, signature, sizeof(signature));
	}
	*err = w.err;
	return w.len;
}

static int write_message(const uint8_t *secret, enum sim_adv_flaw flaw, struct sim_adv *adv)
{
	uint8_t text[SIGNED_CAP + 2], hmac[32];
	size_t skip = adv->hosted ? 0 : 2, len;
	struct wr w;
	int rc;

	memcpy(text, prefix_account_hosted, 2);
	len = write_signed(adv, flaw, text + 2, sizeof(text) - 2, &rc);
	if (rc == 0)
		rc = wa_hmac_sha256(secret, SIM_ADV_SECRET_LEN, text + skip, len + 2 - skip, hmac);
	if (rc < 0)
		return rc;
	if (flaw == SIM_ADV_BAD_HMAC)
		hmac[10] ^= 0x40;
	wr_init(&w, adv->message, sizeof(adv->message));
	sim_pb_bytes(&w, 1, text + 2, len);
	sim_pb_bytes(&w, 2, hmac, sizeof(hmac));
	if (adv->hosted)
		sim_pb_uint(&w, 3, HOSTED);
	adv->message_len = w.len;
	return w.err;
}

int sim_adv_sign(const struct sim_adv_account *account, const uint8_t companion[WA_KEY_LEN],
                 const uint8_t secret[SIM_ADV_SECRET_LEN], uint32_t key_index, int64_t now_unix_s,
                 enum sim_adv_flaw flaw, const uint8_t *rnd, struct sim_adv *adv_out)
{
	struct sim_adv adv = { .hosted = account->hosted, .key_index = key_index };
	int rc;

	memcpy(adv.account_key, account->identity.pub, WA_KEY_LEN);
	memcpy(adv.companion, companion, WA_KEY_LEN);
	rc = write_details(account, now_unix_s, key_index, &adv);
	if (rc == 0)
		rc = sign_details(account, rnd, &adv);
	if (rc == 0)
		rc = write_message(secret, flaw, &adv);
	if (rc == 0)
		*adv_out = adv;
	return rc;
}

/* ---- the companion's answer --------------------------------------------------------------------
 */

struct answer {
	struct sim_pb_field details, key, account_signature, device_signature;
};

static int refuse(const char **why_out, const char *why)
{
	*why_out = why;
	return WA_EPROTO;
}

static int read_answer(const uint8_t *data, size_t len, struct answer *a, const char **why_out)
{
	struct sim_pb_field f,
	    *slots[] = { &a->details, &a->key, &a->account_signature, &a->device_signature };
	struct rd r;

	rd_init(&r, data, len);
	while (sim_pb_next(&r, &f)) {
		if (f.number > 4 || f.type != SIM_PB_BYTES)
			return refuse(why_out, "device-identity has a field that is none of its");
		if (slots[f.number - 1]->number != 0)
			return refuse(why_out, "device-identity has a field twice");
		*slots[f.number - 1] = f;
	}
	if (r.err != 0)
		return refuse(why_out, "device-identity is no ADVSignedDeviceIdentity");
	return 0;
}

static bool device_signature_fits(const struct sim_adv *adv, const uint8_t *signature,
                                  const uint8_t prefix[2])
{
	uint8_t text[SIGNED_CAP];
	struct wr w;

	wr_init(&w, text, sizeof(text));
	wr_bytes(&w, prefix, 2);
	wr_bytes(&w, adv->details, adv->details_len);
	wr_bytes(&w, adv->companion, WA_KEY_LEN);
	wr_bytes(&w, adv->account_key, WA_KEY_LEN);
	return w.err == 0 && wa_xeddsa_verify(adv->companion, text, w.len, signature) == 0;
}

static int check_fields(const struct sim_adv *adv, const struct answer *a, const char **why_out)
{
	if (!sim_pb_is_bytes(&a->details, 1, adv->details_len) ||
	    memcmp(a->details.data, adv->details, adv->details_len) != 0)
		return refuse(why_out, "details are not those that were signed");
	if (a->key.number != 0 && (!sim_pb_is_bytes(&a->key, 2, WA_KEY_LEN) ||
	                           memcmp(a->key.data, adv->account_key, WA_KEY_LEN) != 0))
		return refuse(why_out, "accountSignatureKey is not the account's");
	if (!sim_pb_is_bytes(&a->account_signature, 3, WA_SIG_LEN) ||
	    memcmp(a->account_signature.data, adv->signature, WA_SIG_LEN) != 0)
		return refuse(why_out, "accountSignature is not the one that was sent");
	if (!sim_pb_is_bytes(&a->device_signature, 4, WA_SIG_LEN))
		return refuse(why_out, "deviceSignature is missing or not 64 bytes");
	/* Most clients sign hosted identities with the common prefix, one with its own. */
	if (!device_signature_fits(adv, a->device_signature.data, prefix_device) &&
	    !(adv->hosted &&
	      device_signature_fits(adv, a->device_signature.data, prefix_device_hosted)))
		return refuse(why_out, "deviceSignature does not verify");
	return 0;
}

int sim_adv_check_answer(const struct sim_adv *adv, const uint8_t *data, size_t len,
                         const char *key_index, struct buf *full, const char **why_out)
{
	struct answer a = { .details.number = 0 };
	char expected[12];
	uint8_t text[SIM_ADV_CAP];
	struct wr w;
	int rc = read_answer(data, len, &a, why_out);

	if (rc == 0)
		rc = check_fields(adv, &a, why_out);
	if (rc < 0)
		return rc;
	snprintf(expected, sizeof(expected), "%u", adv->key_index);
	if (key_index == NULL || strcmp(key_index, expected) != 0)
		return refuse(why_out, "key-index is not the one of the details");
	wr_init(&w, text, sizeof(text));
	sim_pb_bytes(&w, 1, adv->details, adv->details_len);
	sim_pb_bytes(&w, 2, adv->account_key, WA_KEY_LEN);
	sim_pb_bytes(&w, 3, adv->signature, WA_SIG_LEN);
	sim_pb_bytes(&w, 4, a.device_signature.data, WA_SIG_LEN);
	return w.err != 0 ? w.err : buf_append(full, text, w.len);
}

/* ---- key index list ----------------------------------------------------------------------------
 */

/* text: prefix and ADVKeyIndexList; packed: room for the indexes. */
static int write_list(const struct sim_adv_account *account, int64_t now_unix_s, uint32_t current,
                      const uint32_t *valid, size_t valid_n, struct wr *text, struct wr *packed)
{
	uint8_t *start = packed->p;

	for (size_t i = 0; i < valid_n; i++)
		sim_pb_varint(packed, valid[i]);
	wr_bytes(text, account->hosted ? prefix_list_hosted : prefix_list, 2);
	sim_pb_uint(text, 1, account->raw_id);
	sim_pb_uint(text, 2, (uint64_t)now_unix_s);
	sim_pb_uint(text, 3, current);
	sim_pb_bytes(text, 4, start, packed->len);
	if (account->hosted)
		sim_pb_uint(text, 5, HOSTED);
	return packed->err != 0 ? packed->err : text->err;
}

int sim_adv_key_list(const struct sim_adv_account *account, int64_t now_unix_s, uint32_t current,
                     const uint32_t *valid, size_t valid_n, const uint8_t *rnd, struct buf *out)
{
	size_t packed_cap = valid_n * 5, text_cap = packed_cap + 64, out_cap = text_cap + 96;
	uint8_t *memory = malloc(packed_cap + text_cap + out_cap), signature[WA_SIG_LEN];
	struct wr packed, text, w;
	int rc;

	if (memory == NULL)
		return -ENOMEM;
	wr_init(&packed, memory, packed_cap);
	wr_init(&text, memory + packed_cap, text_cap);
	wr_init(&w, memory + packed_cap + text_cap, out_cap);
	rc = write_list(account, now_unix_s, current, valid, valid_n, &text, &packed);
	if (rc == 0)
		rc = wa_xeddsa_sign(account->identity.priv, memory + packed_cap, text.len, rnd,
		                    signature);
	if (rc == 0) {
		sim_pb_bytes(&w, 1, memory + packed_cap + 2, text.len - 2);
		sim_pb_bytes(&w, 2, signature, sizeof(signature));
		rc = w.err;
	}
	if (rc == 0)
		rc = buf_append(out, memory + packed_cap + text_cap, w.len);
	free(memory);
	return rc;
}
