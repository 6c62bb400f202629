/* simulator/phone/sim_peer_priv.h - shared by sim_peer.c (pairwise) and sim_peer_group.c */
#ifndef SIM_PEER_PRIV_H
#define SIM_PEER_PRIV_H

#include "simulator/base/sim_rand.h"
#include "simulator/phone/sim_keep.h"
#include "simulator/phone/sim_peer.h"

/*
 * Records by name: "s ADDR" session, "i ADDR" identity, "p ID" one-time pre-key, "g GROUP ADDR"
 * sender key, "m GROUP ADDR" which of the own sender keys a device has got.
 */
struct sim_peer {
	struct sim_phone *phone;  /* borrowed */
	struct wa_signal *signal; /* owned */
	struct sim_keep keep;
	struct sim_rand rnd;
	uint32_t prekeys_made;
};

#define SIM_PEER_NAME_CAP 256
#define SIM_PEER_SIGNED_ID 1u

extern const struct wa_signal_store_ops sim_peer_store_ops;
/* Of a record as above; group NULL: none. */
void sim_peer_name(char out[SIM_PEER_NAME_CAP], char kind, const char *group,
                   const struct wa_signal_addr *addr);
void sim_peer_prekey_name(char out[SIM_PEER_NAME_CAP], uint32_t id);

/* Made when it is first asked for. 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int sim_peer_get(struct sim_phone *phone, struct sim_peer **peer_out);
/* Where sessions with the device are kept: under its LID. */
void sim_peer_addr(const struct sim_device *device, struct wa_signal_addr *addr_out);
/* Break a finished ciphertext. */
void sim_peer_spoil_after(enum sim_spoil_kind spoil, enum wa_enc type, struct buf *cipher);
void sim_peer_add_enc(struct wa_node *parent, enum wa_enc type, const struct sim_seal *how,
                      const struct buf *cipher);

#endif
