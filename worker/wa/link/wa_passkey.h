/*
 * worker/wa/link/wa_passkey.h - the passkey step before a link completes
 *
 * One struct is one step. Source: protocol notes 03 section 8.
 */
#ifndef WA_PASSKEY_H
#define WA_PASSKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/link/wa_link_code.h"
#include "worker/wa/node/wa_node.h"

#define WA_PASSKEY_OPTIONS_MAX 4096
#define WA_PASSKEY_HANDOFF_MS 300000 /* how long the handoff key may be used */

struct wa_passkey {
	struct wa_keypair ephemeral;
	uint8_t nonce[32];   /* the companion's */
	uint8_t handoff[32]; /* derived from the adv secret the phone has read */
	uint8_t primary_pub[WA_KEY_LEN];
	uint8_t primary_nonce[32];
	char ref[WA_REF_MAX_LEN + 1];
	int32_t device_type; /* DeviceProps.PlatformType, as registered */
	bool handoff_sent;   /* with a proof no codes are compared */
	bool continued;      /* primary_pub and primary_nonce have come */
};

/*
 * passkey_prologue_request has come: derive the handoff key from d's adv secret, then give d a new
 * one. 0 or WA_ECRYPTO.
 */
ATTR_NODISCARD int wa_passkey_begin(struct wa_passkey *p, struct wa_device *d);
void wa_passkey_wipe(struct wa_passkey *p);

/*
 * The request options in a notification or in the answer to wa_passkey_options_get(): JSON text,
 * borrowed. 0; -ENOENT: none there; WA_EPROTO: empty or over WA_PASSKEY_OPTIONS_MAX.
 */
ATTR_NODISCARD int wa_passkey_options(const struct wa_node *n, const char **json_out,
                                      size_t *json_len_out);
struct wa_node *wa_passkey_options_get(const char *id); /* NULL without memory, as all below */
struct wa_node *wa_passkey_ref_get(const char *id);
/* The ref in its answer. 0 or WA_EPROTO. */
ATTR_NODISCARD int wa_passkey_take_ref(struct wa_passkey *p, const struct wa_node *result);

/*
 * passkey_prologue. credential_id: the raw id; assertion: WebAuthn JSON. with_proof: the handoff
 * key is not older than WA_PASSKEY_HANDOFF_MS; it is forgotten afterwards.
 * 0; WA_ESTATE (no ref yet); WA_ECRYPTO; -ENOMEM. Caller frees *out.
 */
ATTR_NODISCARD int wa_passkey_prologue(struct wa_passkey *p, const char *id,
                                       const uint8_t *credential_id, size_t credential_id_len,
                                       const char *assertion, bool with_proof,
                                       struct wa_node **out);

/*
 * crsc_continuation: keeps key and nonce of the phone. 0; WA_ESTATE: something else, or a second
 * one: once our nonce is known, a key could be chosen to show the same code; WA_EPROTO.
 */
ATTR_NODISCARD int wa_passkey_continue(struct wa_passkey *p, const struct wa_node *notification);
struct wa_node *wa_passkey_nonce(const struct wa_passkey *p, const char *id);
/* The code both sides show, "XXXX-XXXX". 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wa_passkey_code(const struct wa_passkey *p, char out[WA_LINK_CODE_SHOWN_CAP]);
/* encrypted_pairing_request. 0; WA_EAUTH (low-order key); WA_ECRYPTO; -ENOMEM. */
ATTR_NODISCARD int wa_passkey_request(const struct wa_passkey *p, const struct wa_device *d,
                                      const char *id, struct wa_node **out);
/* Its content, appended: the serialized EncryptedPairingRequest. iv: random, given for vectors. */
ATTR_NODISCARD int wa_passkey_seal_request(const struct wa_passkey *p, const struct wa_device *d,
                                           const uint8_t iv[WA_IV_LEN], struct buf *out);

#endif
