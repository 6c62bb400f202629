/* simulator/pair/sim_passkey.c - the phone's side of the passkey step */
#include "simulator/pair/sim_passkey.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/secret.h"
#include "simulator/base/sim_pb.h"

#define RP_ID "whatsapp.com"
#define HANDOFF_INFO "shortcake-passkey-handoff-v1"
#define REQUEST_INFO "Pairing Information Encryption Key"
#define REQUEST_CAP 128
#define CLIENT_DATA_CAP 2048
#define CREDENTIAL_CAP 1024

/* ---- WebAuthn ----------------------------------------------------------------------------------
 */

/* base64url without padding. */
static void b64url(const uint8_t *data, size_t n, char *out)
{
	b64_encode(data, n, out);
	for (; *out != '\0' && *out != '='; out++) {
		if (*out == '+')
			*out = '-';
		if (*out == '/')
			*out = '_';
	}
	*out = '\0';
}

size_t sim_passkey_options(const uint8_t challenge[SIM_CHALLENGE_LEN],
                           char out[SIM_PASSKEY_OPTIONS_CAP])
{
	char text[B64_CAP(SIM_CHALLENGE_LEN)];

	b64url(challenge, SIM_CHALLENGE_LEN, text);
	return (size_t)snprintf(out, SIM_PASSKEY_OPTIONS_CAP,
	                        "{\"challenge\":\"%s\",\"timeout\":600000,\"rpId\":\"" RP_ID "\","
	                        "\"allowCredentials\":[],\"userVerification\":\"required\","
	                        "\"extensions\":{\"uvm\":true}}",
	                        text);
}

/* clientDataJSON says what was asked for and where. */
static const char *check_client_data(const char *encoded, const uint8_t *challenge)
{
	char expected[B64_CAP(SIM_CHALLENGE_LEN)];
	uint8_t text[CLIENT_DATA_CAP];
	const char *type = "", *got = "", *why = NULL;
	json_t *j;
	size_t len;

	if (b64_decode(encoded, strlen(encoded), text, sizeof(text), &len) < 0)
		return "response.clientDataJSON is not base64url";
	j = json_text_read((const char *)text, len, 0);
	b64url(challenge, SIM_CHALLENGE_LEN, expected);
	if (json_unpack(j, "{s:s, s:s}", "type", &type, "challenge", &got) < 0)
		why = "clientDataJSON is not JSON with type and challenge";
	else if (strcmp(type, "webauthn.get") != 0)
		why = "clientDataJSON.type is not webauthn.get";
	else if (strcmp(got, expected) != 0)
		why = "clientDataJSON.challenge is not the one that was issued";
	json_decref(j);
	return why;
}

static bool is_credential(const char *raw_id, const uint8_t *id, size_t id_len)
{
	uint8_t raw[CREDENTIAL_CAP];
	size_t len;

	return id_len > 0 && b64_decode(raw_id, strlen(raw_id), raw, sizeof(raw), &len) == 0 &&
	       len == id_len && memcmp(raw, id, len) == 0;
}

const char *sim_passkey_check_assertion(const uint8_t *json, size_t json_len,
                                        const uint8_t *credential_id, size_t credential_id_len,
                                        const uint8_t challenge[SIM_CHALLENGE_LEN])
{
	const char *id, *raw_id, *type, *client_data, *authenticator_data, *signature, *why = NULL;
	json_t *j = json_text_read((const char *)json, json_len, 0);

	if (json_unpack(j, "{s:s, s:s, s:s, s:{s:s, s:s, s:s}}", "id", &id, "rawId", &raw_id,
	                "type", &type, "response", "clientDataJSON", &client_data,
	                "authenticatorData", &authenticator_data, "signature", &signature) < 0)
		why = "webauthn_assertion is not the JSON of an assertion";
	else if (strcmp(type, "public-key") != 0)
		why = "type is not public-key";
	else if (!is_credential(raw_id, credential_id, credential_id_len))
		why = "credential_id is not rawId";
	else if (authenticator_data[0] == '\0' || signature[0] == '\0')
		why = "response.authenticatorData or signature is empty";
	else
		why = check_client_data(client_data, challenge);
	json_decref(j);
	return why;
}

/* ---- prologue ----------------------------------------------------------------------------------
 */

static bool parse_identity(struct sim_prologue *p)
{
	struct sim_pb_field f;
	struct rd r;
	bool key = false;

	rd_init(&r, p->identity, p->identity_len);
	while (sim_pb_next(&r, &f)) {
		if (sim_pb_is_bytes(&f, 1, WA_KEY_LEN)) {
			memcpy(p->companion, f.data, WA_KEY_LEN);
			key = true;
		} else if (f.number == 2 && f.type == SIM_PB_VARINT && f.value <= INT32_MAX) {
			p->device_type = (uint32_t)f.value;
		} else if (f.number == 3 && f.type == SIM_PB_BYTES && f.len < sizeof(p->ref)) {
			memcpy(p->ref, f.data, f.len);
			p->ref[f.len] = '\0';
		} else {
			return false;
		}
	}
	return r.err == 0 && key && p->ref[0] != '\0';
}

static bool parse_commitment(const struct sim_pb_field *outer, struct sim_prologue *p)
{
	struct sim_pb_field f;
	struct rd r;

	rd_init(&r, outer->data, outer->len);
	if (!sim_pb_next(&r, &f) || !sim_pb_is_bytes(&f, 1, sizeof(p->commitment)) || r.left != 0)
		return false;
	memcpy(p->commitment, f.data, f.len);
	return true;
}

int sim_prologue_parse(const uint8_t *data, size_t len, struct sim_prologue *prologue_out)
{
	struct sim_prologue p = { .identity_len = 0 };
	struct sim_pb_field f;
	bool committed = false;
	struct rd r;

	rd_init(&r, data, len);
	while (sim_pb_next(&r, &f)) {
		if (f.number == 1 && f.type == SIM_PB_BYTES && f.len <= sizeof(p.identity)) {
			memcpy(p.identity, f.data, f.len);
			p.identity_len = f.len;
		} else if (f.number == 2 && f.type == SIM_PB_BYTES) {
			committed = parse_commitment(&f, &p);
		} else {
			return WA_EPROTO;
		}
	}
	if (r.err != 0 || !committed || !parse_identity(&p))
		return WA_EPROTO;
	*prologue_out = p;
	return 0;
}

int sim_passkey_check_proof(const uint8_t secret[32], const uint8_t *payload, size_t payload_len,
                            const uint8_t proof[SIM_PROOF_LEN])
{
	uint8_t key[32], hmac[32];
	int rc = wa_hkdf(secret, 32, NULL, 0, HANDOFF_INFO, strlen(HANDOFF_INFO), key, sizeof(key));

	if (rc == 0)
		rc = wa_hmac_sha256(key, sizeof(key), payload, payload_len, hmac);
	if (rc == 0 && !secret_eq(hmac, proof, sizeof(hmac)))
		rc = WA_EAUTH;
	secret_wipe(key, sizeof(key));
	return rc;
}

int sim_passkey_check_nonce(const struct sim_prologue *p, const uint8_t nonce[SIM_NONCE_LEN])
{
	uint8_t hash[32];
	int rc = wa_sha256_pair(p->identity, p->identity_len, nonce, SIM_NONCE_LEN, hash);

	if (rc == 0 && memcmp(hash, p->commitment, sizeof(hash)) != 0)
		rc = WA_EAUTH;
	return rc;
}

/* ---- continuation ------------------------------------------------------------------------------
 */

void sim_passkey_primary(const uint8_t pub[WA_KEY_LEN], const uint8_t nonce[SIM_NONCE_LEN],
                         uint8_t out[SIM_PASSKEY_PRIMARY_LEN])
{
	struct wr w;

	wr_init(&w, out, SIM_PASSKEY_PRIMARY_LEN);
	sim_pb_bytes(&w, 1, pub, WA_KEY_LEN);
	sim_pb_bytes(&w, 2, nonce, SIM_NONCE_LEN);
}

int sim_passkey_code(const uint8_t primary_nonce[SIM_NONCE_LEN],
                     const uint8_t companion_nonce[SIM_NONCE_LEN],
                     const uint8_t primary_pub[WA_KEY_LEN], char out[SIM_LINK_SHOWN_CAP])
{
	uint8_t hash[32];
	int rc = wa_sha256_pair(companion_nonce, SIM_NONCE_LEN, primary_pub, WA_KEY_LEN, hash);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 5; i++)
		hash[i] ^= primary_nonce[i];
	sim_link_code_show(hash, out);
	return 0;
}

static int request_key(const struct wa_keypair *primary, const struct sim_prologue *p,
                       uint8_t key[32])
{
	char salt[SIM_PASSKEY_REF_CAP + 48];
	uint8_t shared[32];
	int rc = wa_dh(primary->priv, p->companion, shared);

	snprintf(salt, sizeof(salt), "Companion Pairing %" PRIu32 " with ref %s", p->device_type,
	         p->ref);
	if (rc == 0)
		rc = wa_hkdf(shared, sizeof(shared), salt, strlen(salt), REQUEST_INFO,
		             strlen(REQUEST_INFO), key, 32);
	secret_wipe(shared, sizeof(shared));
	return rc;
}

static int parse_request(const uint8_t *data, size_t len, struct sim_pairing_request *out)
{
	uint8_t *slots[] = { out->noise, out->identity, out->secret };
	struct sim_pb_field f;
	unsigned seen = 0;
	struct rd r;

	rd_init(&r, data, len);
	while (sim_pb_next(&r, &f)) {
		if (f.number > 3 || f.type != SIM_PB_BYTES || f.len != 32)
			return WA_EPROTO;
		memcpy(slots[f.number - 1], f.data, 32);
		seen |= 1u << f.number;
	}
	return r.err == 0 && seen == (1u << 1 | 1u << 2 | 1u << 3) ? 0 : WA_EPROTO;
}

int sim_passkey_open(const struct wa_keypair *primary, const struct sim_prologue *p,
                     const uint8_t *data, size_t len, struct sim_pairing_request *request_out)
{
	struct sim_pb_field f, sealed = { .number = 0 }, iv = { .number = 0 };
	struct sim_pairing_request request;
	uint8_t key[32], plain[REQUEST_CAP];
	struct rd r;
	int rc;

	rd_init(&r, data, len);
	while (sim_pb_next(&r, &f)) {
		if (f.number == 1 && f.type == SIM_PB_BYTES)
			sealed = f;
		else if (sim_pb_is_bytes(&f, 2, WA_IV_LEN))
			iv = f;
		else
			return WA_EPROTO;
	}
	if (r.err != 0 || iv.number == 0 || sealed.len < WA_TAG_LEN ||
	    sealed.len - WA_TAG_LEN > sizeof(plain))
		return WA_EPROTO;
	rc = request_key(primary, p, key);
	if (rc == 0)
		rc = wa_gcm_open_iv(key, iv.data, NULL, 0, sealed.data, sealed.len, plain);
	if (rc == 0)
		rc = parse_request(plain, sealed.len - WA_TAG_LEN, &request);
	if (rc == 0)
		*request_out = request;
	secret_wipe(key, sizeof(key));
	secret_wipe(plain, sizeof(plain));
	secret_wipe(&request, sizeof(request));
	return rc;
}
