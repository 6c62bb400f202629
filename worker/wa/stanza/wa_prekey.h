/*
 * worker/wa/stanza/wa_prekey.h - stanzas about our pre-keys on the server
 *
 * Source: protocol notes 04 sections 4.2 to 4.5.
 */
#ifndef WA_PREKEY_H
#define WA_PREKEY_H

#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/node/wa_node.h"

#define WA_PREKEY_ID_MAX 0xFFFFFEu
#define WA_PREKEY_DIGEST_MAX 20000 /* keys listed in a digest */

/* <iq type="get" xmlns="encrypt"><count/></iq>; NULL without memory, as all below */
struct wa_node *wa_prekey_count_get(const char *id);
/* Its answer. 0 or WA_EPROTO. */
ATTR_NODISCARD int wa_prekey_count_read(const struct wa_node *result, uint32_t *count_out);

/* An upload: begin, one add for each key, then send. */
struct wa_node *wa_prekey_upload(const struct wa_device *d, const char *id);
void wa_prekey_upload_add(struct wa_node *upload, uint32_t key_id, const uint8_t pub[WA_KEY_LEN]);

/* <rotate>: the device's signed pre-key in place of the one the server has. */
struct wa_node *wa_prekey_rotate(const struct wa_device *d, const char *id);

struct wa_node *wa_prekey_digest_get(const char *id);
/*
 * Compare a digest with ours. pub_of: the public half of a listed key, 0 or a negative code when we
 * do not have it. 0: equal; WA_EAUTH: something differs, or is not ours any more: upload again;
 * WA_EPROTO: no digest; WA_ESTATE: of a type we do not know: do nothing; WA_ECRYPTO; -ENOMEM.
 */
ATTR_NODISCARD int
wa_prekey_digest_check(const struct wa_node *result, const struct wa_device *d,
                       int (*pub_of)(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg), void *arg);

#endif
