/* worker/wa/link/wa_passkey.c - the passkey step: commitment, handoff proof, code, sealed request */
#include "worker/wa/link/wa_passkey.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_passkey.pb-c.h"
#include "worker/wa/stanza/wa_stanza.h"

#define NONCE_LEN 32
#define CODE_RAW_LEN 5

#define PB_BYTES(msg, field, bytes, n) \
	((msg)->has_##field = 1, (msg)->field.data = (uint8_t *)(uintptr_t)(bytes), \
	 (msg)->field.len = (n))

static int append_msg(const ProtobufCMessage *msg, struct buf *out)
{
	int rc;

	rc = buf_reserve(out, protobuf_c_message_get_packed_size(msg));
	if (rc == 0)
		out->len += protobuf_c_message_pack(msg, out->p + out->len);
	return rc;
}

/* ---- begin --------------------------------------------------------------------------------------
 */

int wa_passkey_begin(struct wa_passkey *p, struct wa_device *d)
{
	static const char info[] = "shortcake-passkey-handoff-v1";
	int rc;

	memset(p, 0, sizeof(*p));
	p->device_type = WA_DEVICE_TYPE;
	rc = wa_keypair_new(&p->ephemeral);
	if (rc == 0)
		rc = secret_random(p->nonce, sizeof(p->nonce));
	if (rc == 0)
		rc = wa_hkdf(d->adv_secret, sizeof(d->adv_secret), NULL, 0, info, strlen(info),
		             p->handoff, sizeof(p->handoff));
	if (rc == 0)
		rc = wa_device_rotate_adv(d);
	if (rc < 0)
		wa_passkey_wipe(p);
	return rc;
}

void wa_passkey_wipe(struct wa_passkey *p)
{
	secret_wipe(p, sizeof(*p));
}

int wa_passkey_options(const struct wa_node *n, const char **json_out, size_t *json_len_out)
{
	const uint8_t *json;
	size_t json_len;
	int rc;

	rc = wa_child_bytes(n, "passkey_request_options", 1, WA_PASSKEY_OPTIONS_MAX, &json,
	                    &json_len);
	if (rc < 0)
		return rc;
	if (memchr(json, '\0', json_len) != NULL)
		return WA_EPROTO;
	*json_out = (const char *)json;
	*json_len_out = json_len;
	return 0;
}

struct wa_node *wa_passkey_options_get(const char *id)
{
	struct wa_node *iq = wa_iq("get", "md", id);

	wa_node_add(iq, "passkey_request_options");
	return iq;
}

struct wa_node *wa_passkey_ref_get(const char *id)
{
	struct wa_node *iq = wa_iq("get", "md", id);

	wa_node_add(iq, "ref");
	return iq;
}

int wa_passkey_take_ref(struct wa_passkey *p, const struct wa_node *result)
{
	const uint8_t *ref;
	size_t ref_len;

	if (wa_child_bytes(result, "ref", 1, WA_REF_MAX_LEN, &ref, &ref_len) < 0)
		return WA_EPROTO;
	for (size_t i = 0; i < ref_len; i++) {
		if (ref[i] < ' ' || ref[i] > '~')
			return WA_EPROTO; /* it becomes a string of a message */
	}
	memcpy(p->ref, ref, ref_len);
	p->ref[ref_len] = '\0';
	return 0;
}

/* ---- prologue -----------------------------------------------------------------------------------
 */

/* Append the ProloguePayload: who we are, and what we commit ourselves to. */
static int append_prologue(const struct wa_passkey *p, struct buf *out)
{
	Wa__CompanionEphemeralIdentity identity = WA__COMPANION_EPHEMERAL_IDENTITY__INIT;
	Wa__CompanionCommitment commitment = WA__COMPANION_COMMITMENT__INIT;
	Wa__ProloguePayload payload = WA__PROLOGUE_PAYLOAD__INIT;
	struct buf bytes = { 0 };
	uint8_t hash[32];
	int rc;

	PB_BYTES(&identity, public_key, p->ephemeral.pub, WA_KEY_LEN);
	identity.has_device_type = 1;
	identity.device_type = p->device_type;
	identity.ref = (char *)(uintptr_t)p->ref; /* only read */
	rc = append_msg(&identity.base, &bytes);
	if (rc == 0)
		rc = wa_sha256_pair(bytes.p, bytes.len, p->nonce, sizeof(p->nonce), hash);
	if (rc == 0) {
		PB_BYTES(&commitment, hash, hash, sizeof(hash));
		PB_BYTES(&payload, companion_ephemeral_identity, bytes.p, bytes.len);
		payload.commitment = &commitment;
		rc = append_msg(&payload.base, out);
	}
	buf_free(&bytes);
	return rc;
}

static bool has_handoff(const struct wa_passkey *p)
{
	static const uint8_t none[sizeof(p->handoff)];

	return !secret_eq(p->handoff, none, sizeof(none));
}

int wa_passkey_prologue(struct wa_passkey *p, const char *id, const uint8_t *credential_id,
                        size_t credential_id_len, const char *assertion, bool with_proof,
                        struct wa_node **out)
{
	bool proves = with_proof && has_handoff(p);
	struct wa_node *iq, *prologue;
	struct buf payload = { 0 };
	uint8_t proof[32];
	int rc;

	if (p->ref[0] == '\0')
		return WA_ESTATE;
	rc = append_prologue(p, &payload);
	if (rc == 0 && proves)
		rc = wa_hmac_sha256(p->handoff, sizeof(p->handoff), payload.p, payload.len, proof);
	if (rc < 0)
		goto out;
	iq = wa_iq("set", "md", id);
	if (iq == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	prologue = wa_node_add(iq, "passkey_prologue");
	wa_node_set_bytes(wa_node_add(prologue, "credential_id"), credential_id, credential_id_len);
	wa_node_set_text(wa_node_add(prologue, "webauthn_assertion"), assertion);
	wa_node_set_bytes(wa_node_add(prologue, "prologue_payload"), payload.p, payload.len);
	if (proves)
		wa_node_set_bytes(wa_node_add(prologue, "pairing_handoff_proof"), proof,
		                  sizeof(proof));
	p->handoff_sent = proves;
	secret_wipe(p->handoff, sizeof(p->handoff));
	*out = iq;
out:
	buf_free(&payload);
	return rc;
}

/* ---- continuation -------------------------------------------------------------------------------
 */

int wa_passkey_continue(struct wa_passkey *p, const struct wa_node *notification)
{
	const Wa__PrimaryEphemeralIdentity *primary;
	ProtobufCMessage *base = NULL;
	const uint8_t *data;
	size_t data_len;
	int rc;

	if (!wa_is_notification(notification, "crsc_continuation") || p->continued)
		return WA_ESTATE;
	if (wa_child_bytes(notification, "primary_ephemeral_identity", 1, pb_limits_small.bytes_max,
	                   &data, &data_len) < 0)
		return WA_EPROTO;
	rc = pb_unpack(&wa__primary_ephemeral_identity__descriptor, data, data_len,
	               &pb_limits_small, &base);
	if (rc < 0)
		return WA_EPROTO;
	primary = (const Wa__PrimaryEphemeralIdentity *)base;
	if (primary->has_public_key && primary->public_key.len == WA_KEY_LEN &&
	    primary->has_nonce && primary->nonce.len == NONCE_LEN) {
		memcpy(p->primary_pub, primary->public_key.data, WA_KEY_LEN);
		memcpy(p->primary_nonce, primary->nonce.data, NONCE_LEN);
		p->continued = true;
	} else {
		rc = WA_EPROTO;
	}
	pb_free(base);
	return rc;
}

struct wa_node *wa_passkey_nonce(const struct wa_passkey *p, const char *id)
{
	struct wa_node *iq = wa_iq("set", "md", id);

	wa_node_set_bytes(wa_node_add(iq, "companion_nonce"), p->nonce, sizeof(p->nonce));
	return iq;
}

int wa_passkey_code(const struct wa_passkey *p, char out[WA_LINK_CODE_SHOWN_CAP])
{
	char code[WA_LINK_CODE_LEN + 1];
	uint8_t hash[32];
	int rc;

	rc = wa_sha256_pair(p->nonce, sizeof(p->nonce), p->primary_pub, WA_KEY_LEN, hash);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < CODE_RAW_LEN; i++)
		hash[i] ^= p->primary_nonce[i];
	wa_link_code_text(hash, code);
	wa_link_code_hyphen(code, out);
	secret_wipe(hash, sizeof(hash));
	secret_wipe(code, sizeof(code));
	return 0;
}

/* ---- pairing request ----------------------------------------------------------------------------
 */

static int request_key(const struct wa_passkey *p, uint8_t key_out[32])
{
	static const char info[] = "Pairing Information Encryption Key";
	char salt[64 + WA_REF_MAX_LEN];
	uint8_t shared[WA_KEY_LEN];
	int rc, salt_len;

	salt_len = snprintf(salt, sizeof(salt), "Companion Pairing %d with ref %s",
	                    (int)p->device_type, p->ref);
	rc = wa_dh(p->ephemeral.priv, p->primary_pub, shared);
	if (rc == 0)
		rc = wa_hkdf(shared, sizeof(shared), salt, (size_t)salt_len, info, strlen(info),
		             key_out, 32);
	secret_wipe(shared, sizeof(shared));
	return rc;
}

/* Append the serialized PairingRequest, with room for the tag behind it. */
static int append_request(const struct wa_device *d, struct buf *out)
{
	Wa__PairingRequest request = WA__PAIRING_REQUEST__INIT;
	int rc;

	PB_BYTES(&request, companion_public_key, d->noise.pub, WA_KEY_LEN);
	PB_BYTES(&request, companion_identity_key, d->identity.pub, WA_KEY_LEN);
	PB_BYTES(&request, adv_secret, d->adv_secret, sizeof(d->adv_secret));
	/* All of it at once: a buffer that grew would leave a copy behind. */
	rc = buf_reserve(out, protobuf_c_message_get_packed_size(&request.base) + WA_TAG_LEN);
	return rc < 0 ? rc : append_msg(&request.base, out);
}

int wa_passkey_seal_request(const struct wa_passkey *p, const struct wa_device *d,
                            const uint8_t iv[WA_IV_LEN], struct buf *out)
{
	Wa__EncryptedPairingRequest sealed = WA__ENCRYPTED_PAIRING_REQUEST__INIT;
	struct buf request = { 0 };
	uint8_t key[32];
	int rc;

	rc = append_request(d, &request);
	if (rc == 0)
		rc = request_key(p, key);
	if (rc == 0)
		rc = wa_gcm_seal_iv(key, iv, NULL, 0, request.p, request.len, request.p);
	if (rc == 0) {
		PB_BYTES(&sealed, encrypted_payload, request.p, request.len + WA_TAG_LEN);
		PB_BYTES(&sealed, iv, iv, WA_IV_LEN);
		rc = append_msg(&sealed.base, out);
	}
	secret_wipe(key, sizeof(key));
	buf_wipe(&request);
	return rc;
}

int wa_passkey_request(const struct wa_passkey *p, const struct wa_device *d, const char *id,
                       struct wa_node **out)
{
	uint8_t iv[WA_IV_LEN];
	struct buf sealed = { 0 };
	struct wa_node *iq;
	int rc;

	rc = secret_random(iv, sizeof(iv));
	if (rc == 0)
		rc = wa_passkey_seal_request(p, d, iv, &sealed);
	if (rc < 0)
		goto out;
	iq = wa_iq("set", "md", id);
	if (iq == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	wa_node_set_bytes(wa_node_add(iq, "encrypted_pairing_request"), sealed.p, sealed.len);
	*out = iq;
out:
	buf_free(&sealed);
	return rc;
}
