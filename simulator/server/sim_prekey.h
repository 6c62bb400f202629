/*
 * simulator/server/sim_prekey.h - the prekeys that a device has put on the server (no I/O)
 *
 * Source: protocol notes 04 sections 4.2 to 4.4.
 */
#ifndef SIM_PREKEY_H
#define SIM_PREKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/signal/wa_signal.h"

#define SIM_PREKEY_ID_MAX 0xFFFFFEu
#define SIM_PREKEYS_MAX 20000 /* one device's */

/* What of a device's keys is not used up. */
struct sim_prekey_device {
	uint32_t registration_id;
	uint8_t identity[WA_KEY_LEN];
	uint32_t signed_id;
	uint8_t signed_pub[WA_KEY_LEN];
	uint8_t signed_sig[WA_SIG_LEN];
};

struct sim_prekeys; /* one-time prekeys, oldest first; NULL is an empty store for readers */

/* Why a request was refused: an <error/> of an IQ. */
struct sim_prekey_error {
	int code;
	const char *text;
	const char *field;  /* NULL: none */
	const char *reason; /* of the field; also for the log */
};

ATTR_NODISCARD int sim_prekeys_new(struct sim_prekeys **prekeys_out);
void sim_prekeys_free(struct sim_prekeys *p);
size_t sim_prekeys_count(const struct sim_prekeys *p);
/* Has anything ever been uploaded? */
bool sim_prekeys_has_upload(const struct sim_prekeys *p);

/*
 * <iq xmlns="encrypt"> of an upload: registration, type, identity, list, skey, each exactly as the
 * notes say. All or nothing: keys that lie there already with the same value count as sent again.
 * 0; WA_EPROTO with *error_out; -ENOMEM.
 */
ATTR_NODISCARD int sim_prekeys_upload(struct sim_prekeys *p, struct sim_prekey_device *device,
                                      const struct wa_node *iq, struct sim_prekey_error *error_out);
/* <rotate><skey/></rotate>. As above. */
ATTR_NODISCARD int sim_prekeys_rotate(struct sim_prekey_device *device,
                                      const struct wa_node *rotate,
                                      struct sim_prekey_error *error_out);
/* Append <digest/> to result. 0, WA_ESTATE (nothing stored: 404) or WA_ECRYPTO. */
ATTR_NODISCARD int sim_prekeys_digest(const struct sim_prekeys *p,
                                      const struct sim_prekey_device *device,
                                      struct wa_node *result);
/*
 * Add what a session with the device begins with to user: registration, type, identity, one key
 * (used up by this; none left: left out; p NULL: left out), skey.
 */
void sim_prekeys_bundle(struct sim_prekeys *p, const struct sim_prekey_device *device,
                        struct wa_node *user);
/*
 * A retry receipt's <registration> and <keys>, each part as strictly as an upload's. keys NULL:
 * only the registration id. 0 or WA_EPROTO.
 */
ATTR_NODISCARD int sim_prekeys_read_retry(const struct wa_node *receipt, const struct wa_node *keys,
                                          struct wa_prekey_bundle *b_out);
/* Take a one-time prekey off, as for a bundle. False: none is left. */
bool sim_prekeys_take(struct sim_prekeys *p, uint32_t *id_out, uint8_t pub_out[WA_KEY_LEN]);
/* As if others had begun sessions until only so many keys are left. */
void sim_prekeys_use_up(struct sim_prekeys *p, size_t left);

#endif
