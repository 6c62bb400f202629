/*
 * worker/wa/crypto/wa_keys.h - key pairs and the primitives of the protocol
 *
 * X25519, the hashes, key derivation and AES come from OpenSSL, XEdDSA from libsignal-protocol-c.
 * Source: protocol notes 01 section 6 (rules) and 7.1 (XEdDSA).
 */
#ifndef WA_KEYS_H
#define WA_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define WA_KEY_LEN 32
#define WA_SIG_LEN 64
#define WA_TAG_LEN 16 /* of AES-GCM */
#define WA_IV_LEN 12  /* of AES-GCM */

struct wa_keypair {
	uint8_t priv[WA_KEY_LEN]; /* clamped */
	uint8_t pub[WA_KEY_LEN];  /* X25519, without the 0x05 type byte */
};

/*
 * Once per process (the zygote does it before it forks): fetches every algorithm used here and
 * loads what OpenSSL loads lazily. 0 or WA_ECRYPTO. Safe twice; the functions below call it
 * themselves, so leaving it out costs time, not correctness.
 */
ATTR_NODISCARD int wa_keys_init(void);

ATTR_NODISCARD int wa_keypair_new(struct wa_keypair *kp_out);
/* From 32 private bytes (clamped here); computes pub. */
ATTR_NODISCARD int wa_keypair_from_priv(const uint8_t priv[WA_KEY_LEN], struct wa_keypair *kp_out);
void wa_keypair_wipe(struct wa_keypair *kp);

/* X25519. 0, WA_ECRYPTO, or WA_EAUTH when the result is all zero (a low-order point). */
ATTR_NODISCARD int wa_dh(const uint8_t priv[WA_KEY_LEN], const uint8_t pub[WA_KEY_LEN],
                         uint8_t out[WA_KEY_LEN]);

/* salt_len 0: 32 zero bytes. info may be NULL with info_len 0. out_len <= 255 * 32. */
ATTR_NODISCARD int wa_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len,
                           const void *info, size_t info_len, void *out, size_t out_len);

/* PBKDF2-HMAC-SHA256. */
ATTR_NODISCARD int wa_pbkdf2_sha256(const void *password, size_t password_len, const void *salt,
                                    size_t salt_len, unsigned rounds, void *out, size_t out_len);

ATTR_NODISCARD int wa_hmac_sha256(const void *key, size_t key_len, const void *data,
                                  size_t data_len, uint8_t out[32]);
ATTR_NODISCARD int wa_sha256(const void *data, size_t data_len, uint8_t out[32]);
/* SHA-256 of a, then b. */
ATTR_NODISCARD int wa_sha256_pair(const void *a, size_t a_len, const void *b, size_t b_len,
                                  uint8_t out[32]);
/* Not for security: the digest of our pre-keys on the server is SHA-1, the build hash MD5. */
ATTR_NODISCARD int wa_sha1(const void *data, size_t data_len, uint8_t out[20]);
ATTR_NODISCARD int wa_md5(const void *data, size_t data_len, uint8_t out[16]);

/*
 * XEdDSA over Curve25519. Verify: 0, or WA_EAUTH. Refused beyond the equation: a set bit 5 or 6 of
 * the last byte, S not below the group order, the one key without an Edwards form (u = -1).
 */
ATTR_NODISCARD int wa_xeddsa_verify(const uint8_t pub[WA_KEY_LEN], const void *msg, size_t msg_len,
                                    const uint8_t sig[WA_SIG_LEN]);
/* rnd: 64 random bytes; NULL: drawn here. 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int wa_xeddsa_sign(const uint8_t priv[WA_KEY_LEN], const void *msg, size_t msg_len,
                                  const uint8_t *rnd, uint8_t sig_out[WA_SIG_LEN]);

/*
 * AES-256-GCM with the 16-byte tag behind the ciphertext; iv is the protocol's: 8 zero bytes and
 * counter big-endian. seal: out holds in_len + 16; open: out holds in_len - 16, in_len >= 16.
 * open: 0, WA_EAUTH, WA_ETRUNC. in == out is allowed.
 */
ATTR_NODISCARD int wa_gcm_seal(const uint8_t key[32], uint32_t counter, const void *aad,
                               size_t aad_len, const void *in, size_t in_len, uint8_t *out);
ATTR_NODISCARD int wa_gcm_open(const uint8_t key[32], uint32_t counter, const void *aad,
                               size_t aad_len, const void *in, size_t in_len, uint8_t *out);
/* The same with an iv of the caller's, never used twice with one key. */
ATTR_NODISCARD int wa_gcm_seal_iv(const uint8_t key[32], const uint8_t iv[WA_IV_LEN],
                                  const void *aad, size_t aad_len, const void *in, size_t in_len,
                                  uint8_t *out);
ATTR_NODISCARD int wa_gcm_open_iv(const uint8_t key[32], const uint8_t iv[WA_IV_LEN],
                                  const void *aad, size_t aad_len, const void *in, size_t in_len,
                                  uint8_t *out);

/* AES-256-CTR, the whole iv counting big-endian; both directions. in == out is allowed. */
ATTR_NODISCARD int wa_aes_ctr(const uint8_t key[32], const uint8_t iv[16], const void *in,
                              size_t in_len, uint8_t *out);

#endif
