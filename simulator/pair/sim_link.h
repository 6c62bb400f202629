/*
 * simulator/pair/sim_link.h - the phone's side of a pairing code: keys wrapped with what the person
 * types (no I/O)
 *
 * Source: protocol notes 03 sections 7.2, 7.4 and 9.3.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/crypto/wa_keys.h"

#define SIM_LINK_CODE_LEN 8
#define SIM_LINK_CODE_CAP 9
#define SIM_LINK_SHOWN_CAP 10 /* "ABCD-EFGH" and a NUL */
#define SIM_LINK_SALT_LEN 32
#define SIM_LINK_IV_LEN 16
#define SIM_LINK_WRAPPED_LEN 80
#define SIM_LINK_BUNDLE_LEN 156

/* "29EK-RGBF" or "29EKRGBF", small letters too. False: it can't be a code. */
bool sim_link_code_parse(const char *text, char code_out[SIM_LINK_CODE_CAP]);
/* Five bytes as they are shown to people. */
void sim_link_code_show(const uint8_t raw[5], char out[SIM_LINK_SHOWN_CAP]);

/* Both take some 40 ms (PBKDF2). 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_link_wrap(const char *code, const uint8_t salt[SIM_LINK_SALT_LEN],
                                 const uint8_t iv[SIM_LINK_IV_LEN], const uint8_t pub[WA_KEY_LEN],
                                 uint8_t out[SIM_LINK_WRAPPED_LEN]);
/* A wrong code gives a wrong key, which nothing tells here. */
ATTR_NODISCARD int sim_link_unwrap(const char *code, const uint8_t wrapped[SIM_LINK_WRAPPED_LEN],
                                   uint8_t pub_out[WA_KEY_LEN]);

/* What the phone knows when companion_finish comes. */
struct sim_link_keys {
	const struct wa_keypair *ephemeral; /* the phone's */
	const struct wa_keypair *identity;  /* the account's */
	const uint8_t *companion_ephemeral; /* as unwrapped */
	const uint8_t *companion_identity;  /* as companion_finish says */
};

/*
 * Open the key bundle and derive the adv secret. 0; WA_EAUTH: it does not open, the code was wrong;
 * WA_EPROTO: it opens but holds other keys; WA_ECRYPTO.
 */
ATTR_NODISCARD int sim_link_open(const struct sim_link_keys *k,
                                 const uint8_t bundle[SIM_LINK_BUNDLE_LEN], uint8_t secret_out[32]);

#endif
