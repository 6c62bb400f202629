/*
 * simulator/pair/sim_adv.h - what a phone signs for a companion, and what the companion answers (no I/O)
 *
 * Source: protocol notes 03 sections 6.2, 6.3 and 9.1.
 */
#ifndef SIM_ADV_H
#define SIM_ADV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

#define SIM_ADV_SECRET_LEN 32
#define SIM_ADV_RANDOM_LEN 64 /* random bytes of one signature */
#define SIM_ADV_DETAILS_CAP 40
#define SIM_ADV_CAP 320

/* The account as its phone knows it. */
struct sim_adv_account {
	struct wa_keypair identity;
	uint32_t raw_id;
	bool hosted;
};

/* The single thing that is wrong with a signed identity. */
enum sim_adv_flaw {
	SIM_ADV_RIGHT,
	SIM_ADV_BAD_HMAC,
	SIM_ADV_BAD_SIGNATURE, /* the account's; the HMAC is right */
	SIM_ADV_NO_PROTOBUF,   /* bytes that are no protobuf; the HMAC is right */
};

/* A companion's identity as its phone has signed it. */
struct sim_adv {
	bool hosted;
	uint32_t key_index;
	uint8_t account_key[WA_KEY_LEN];
	uint8_t companion[WA_KEY_LEN]; /* its identity */
	uint8_t details[SIM_ADV_DETAILS_CAP];
	size_t details_len; /* ADVDeviceIdentity */
	uint8_t signature[WA_SIG_LEN];
	uint8_t message[SIM_ADV_CAP];
	size_t message_len; /* ADVSignedDeviceIdentityHMAC: goes into pair-success */
};

/*
 * Sign companion (identity key) under the secret of its code. 0, WA_ECRYPTO, -ENOMEM.
 * rnd: SIM_ADV_RANDOM_LEN bytes.
 */
ATTR_NODISCARD int sim_adv_sign(const struct sim_adv_account *account,
                                const uint8_t companion[WA_KEY_LEN],
                                const uint8_t secret[SIM_ADV_SECRET_LEN], uint32_t key_index,
                                int64_t now_unix_s, enum sim_adv_flaw flaw, const uint8_t *rnd,
                                struct sim_adv *adv_out);

/*
 * The ADVSignedDeviceIdentity of pair-device-sign, its key-index attribute as text (NULL: none).
 * Details and account signature must be those that were signed, accountSignatureKey may be left
 * out, the device signature must verify. On success the complete message, with accountSignatureKey,
 * is appended to full. 0; WA_EPROTO with *why_out (static text); -ENOMEM.
 */
ATTR_NODISCARD int sim_adv_check_answer(const struct sim_adv *adv, const uint8_t *data, size_t len,
                                        const char *key_index, struct buf *full,
                                        const char **why_out);

/*
 * Append an ADVSignedKeyIndexList. valid: sorted, with the phone's own 0; current: the highest ever
 * used. 0, WA_ECRYPTO, -ENOMEM.
 */
ATTR_NODISCARD int sim_adv_key_list(const struct sim_adv_account *account, int64_t now_unix_s,
                                    uint32_t current, const uint32_t *valid, size_t valid_n,
                                    const uint8_t *rnd, struct buf *out);

#endif
