/*
 * worker/wa/message/wa_msg_secret.h - what is sealed under a message's secret, and hashes that sends carry
 *
 * JIDs are text without a device. Source: protocol notes 06 section 4.4, 05 sections 7 and 10.
 */
#ifndef WA_MSG_SECRET_H
#define WA_MSG_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"

#define WA_MSG_SECRET_LEN 32
#define WA_PHASH_CAP 11 /* "2:" and 8 characters, NUL */

/* A poll vote, reaction, edit, ... of `modifier` about the message `id` that `author` sent. */
struct wa_msg_secret {
	const uint8_t *secret; /* WA_MSG_SECRET_LEN bytes, of the message it is about */
	const char *id, *author, *modifier;
	const char *use_case; /* "Poll Vote", "Event Response", "Enc Reaction", ... */
};

/*
 * Append the plaintext. 0, WA_EAUTH (try author and modifier under their other identity),
 * WA_ETRUNC, WA_EPROTO (an IV that is not 12 bytes), -ENOMEM.
 */
ATTR_NODISCARD int wa_msg_secret_open(const struct wa_msg_secret *s, const uint8_t *iv,
                                      size_t iv_len, const uint8_t *sealed, size_t sealed_len,
                                      struct buf *out);
/* Append ciphertext and tag. */
ATTR_NODISCARD int wa_msg_secret_seal(const struct wa_msg_secret *s, const uint8_t iv[WA_IV_LEN],
                                      const void *plain, size_t plain_len, struct buf *out);

/* HMAC-SHA256 under the key of that use: of "Report Token" the first 16 bytes count. 0, -ENOMEM or
 * WA_ECRYPTO. */
ATTR_NODISCARD int wa_msg_secret_token(const struct wa_msg_secret *s, const void *data,
                                       size_t data_len, uint8_t out[32]);

/*
 * Participant hash of devices ("user:7@lid" or "user@lid"), in any order.
 * 0, WA_EPROTO (not a device JID), -ENOMEM, WA_ECRYPTO.
 */
ATTR_NODISCARD int wa_phash(const char *const *devices, size_t devices_n, char out[WA_PHASH_CAP]);

/* <cstoken> for a recipient. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wa_cstoken(const uint8_t *nct_salt, size_t nct_salt_len,
                              const char *recipient_lid, uint8_t out[32]);

#endif
