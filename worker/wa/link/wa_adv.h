/*
 * worker/wa/link/wa_adv.h - pair-success: is this phone really the one that was shown our code?
 *
 * Source: protocol notes 03 section 6.
 */
#ifndef WA_ADV_H
#define WA_ADV_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/node/wa_node.h"

#define WA_DEVICE_IDENTITY_MAX_LEN 500

/* Everything is borrowed from the node; strings are NULL where the stanza has none. */
struct wa_pair_success {
	const char *id;
	const uint8_t *device_identity; /* ADVSignedDeviceIdentityHMAC, serialized */
	size_t device_identity_len;
	const char *jid, *lid;
	const char *platform;
	const char *business_name;
	int64_t server_unix_s; /* 0: not said */
};

/*
 * 0; WA_ESTATE: the node is something else; WA_EPROTO: it is one, but malformed (no id, no
 * device-identity of 1 to 500 bytes, jid that is no device JID of s.whatsapp.net, lid that is
 * given and no device JID of lid).
 */
ATTR_NODISCARD int wa_pair_success_read(const struct wa_node *n, struct wa_pair_success *out);

/* The verified identity. Release with wa_adv_clear(). */
struct wa_adv {
	uint32_t key_index;
	uint8_t account_key[WA_KEY_LEN]; /* accountSignatureKey */
	struct buf account; /* ADVSignedDeviceIdentity: details, key, both signatures */
	struct buf answer;  /* the same without the key, for pair-device-sign */
};
void wa_adv_clear(struct wa_adv *a);

/*
 * Verify HMAC and account signature, make the device signature. hosted accounts have their own
 * prefixes. 0; WA_EAUTH (*why_out, may be NULL, says what: "hmac", "account signature"); WA_EPROTO
 * (not the protobufs, wrong lengths), WA_ELIMIT; WA_ECRYPTO, -ENOMEM. out is empty on failure.
 */
ATTR_NODISCARD int wa_adv_verify(const struct wa_device *d, const uint8_t *device_identity,
                                 size_t device_identity_len, struct wa_adv *out,
                                 const char **why_out);
/* The same with the 64 random bytes of the device signature given: for vectors. NULL: drawn. */
ATTR_NODISCARD int wa_adv_verify_rnd(const struct wa_device *d, const uint8_t *device_identity,
                                     size_t device_identity_len, const uint8_t *rnd,
                                     struct wa_adv *out, const char **why_out);

/* <iq to=SRV type="result" id><pair-device-sign><device-identity key-index>..; caller frees. */
struct wa_node *wa_pair_device_sign(const char *id, const struct wa_adv *a);

#endif
