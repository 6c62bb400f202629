/*
 * simulator/pair/sim_passkey.h - the phone's side of the passkey step: what is signed, committed to and
 * compared (no I/O)
 *
 * Source: protocol notes 03 section 8.
 */
#ifndef SIM_PASSKEY_H
#define SIM_PASSKEY_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/pair/sim_link.h"
#include "worker/wa/crypto/wa_keys.h"

#define SIM_CHALLENGE_LEN 32
#define SIM_NONCE_LEN 32
#define SIM_PROOF_LEN 32
#define SIM_PASSKEY_OPTIONS_CAP 256
#define SIM_PASSKEY_REF_CAP 128
#define SIM_PASSKEY_IDENTITY_CAP 192
#define SIM_PASSKEY_PRIMARY_LEN 68

/* A ProloguePayload, taken apart. */
struct sim_prologue {
	uint8_t companion[WA_KEY_LEN]; /* its ephemeral key */
	uint32_t device_type;
	char ref[SIM_PASSKEY_REF_CAP];
	uint8_t commitment[32];
	uint8_t identity[SIM_PASSKEY_IDENTITY_CAP]; /* CompanionEphemeralIdentity as it came */
	size_t identity_len;
};

/* A PairingRequest. */
struct sim_pairing_request {
	uint8_t noise[WA_KEY_LEN];
	uint8_t identity[WA_KEY_LEN];
	uint8_t secret[32];
};

/* The WebAuthn request options, JSON. Returns the length. */
size_t sim_passkey_options(const uint8_t challenge[SIM_CHALLENGE_LEN],
                           char out[SIM_PASSKEY_OPTIONS_CAP]);
/*
 * Is this an assertion for the challenge, with this credential? The signature itself is not looked
 * at. NULL, or what is wrong (static text).
 */
const char *sim_passkey_check_assertion(const uint8_t *json, size_t json_len,
                                        const uint8_t *credential_id, size_t credential_id_len,
                                        const uint8_t challenge[SIM_CHALLENGE_LEN]);

/* 0 or WA_EPROTO. */
ATTR_NODISCARD int sim_prologue_parse(const uint8_t *data, size_t len,
                                      struct sim_prologue *prologue_out);
/* Was payload authenticated by who has seen the code with this adv secret? 0, WA_EAUTH, WA_ECRYPTO.
 */
ATTR_NODISCARD int sim_passkey_check_proof(const uint8_t secret[32], const uint8_t *payload,
                                           size_t payload_len, const uint8_t proof[SIM_PROOF_LEN]);
/* Is nonce what the prologue has committed to? 0, WA_EAUTH, WA_ECRYPTO. */
ATTR_NODISCARD int sim_passkey_check_nonce(const struct sim_prologue *p,
                                           const uint8_t nonce[SIM_NONCE_LEN]);

/* PrimaryEphemeralIdentity. */
void sim_passkey_primary(const uint8_t pub[WA_KEY_LEN], const uint8_t nonce[SIM_NONCE_LEN],
                         uint8_t out[SIM_PASSKEY_PRIMARY_LEN]);
/* The code that both sides show. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_passkey_code(const uint8_t primary_nonce[SIM_NONCE_LEN],
                                    const uint8_t companion_nonce[SIM_NONCE_LEN],
                                    const uint8_t primary_pub[WA_KEY_LEN],
                                    char out[SIM_LINK_SHOWN_CAP]);
/* An EncryptedPairingRequest. 0; WA_EPROTO; WA_EAUTH (does not open); WA_ECRYPTO. */
ATTR_NODISCARD int sim_passkey_open(const struct wa_keypair *primary, const struct sim_prologue *p,
                                    const uint8_t *data, size_t len,
                                    struct sim_pairing_request *request_out);

#endif
