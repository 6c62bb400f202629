/*
 * simulator/phone/sim_peer.h - a phone as a Signal peer: its keys and sessions, what it seals and opens
 *
 * Every phone (device 0 of its account) has a store of its own in memory, made when it is first
 * needed. Its identity is the account's key, which companions know from their pairing. Sessions are
 * kept under the LID of the other side's device; what the other side does is its own affair.
 * Source: protocol notes 05.
 */
#ifndef SIM_PEER_H
#define SIM_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_device.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/signal/wa_signal.h"

struct sim;
struct sim_peer;

void sim_peer_free(struct sim_peer *peer); /* NULL is fine */

/* What is wrong with a ciphertext, for tests. */
#define SIM_SPOIL_LIST(X) \
	X(SIM_SPOIL_MAC, "mac")         /* one bit of the MAC or signature */ \
	X(SIM_SPOIL_SKIP, "skip")       /* n counters are left out before it */ \
	X(SIM_SPOIL_PREKEY, "prekey")   /* a new session, for a one-time pre-key nobody has */ \
	X(SIM_SPOIL_SIGNED, "signed")   /* likewise for a signed pre-key */ \
	X(SIM_SPOIL_PADDING, "padding") /* one that none can be */ \
	X(SIM_SPOIL_CIPHER, "cipher")   /* the ciphertext is cut to 20 bytes */ \
	X(SIM_SPOIL_TYPE, "type")       /* an unknown <enc type> */ \
	X(SIM_SPOIL_NO_SKDM, "no_skdm") /* groups: the sender key is not sent along */ \
	X(SIM_SPOIL_EMPTY, "empty")     /* no <enc> at all */ \
	X(SIM_SPOIL_UNAVAILABLE, "unavailable") /* <unavailable> in place of <enc> */ \
	X(SIM_SPOIL_DUPLICATE, "duplicate")     /* the stanza comes twice */

enum sim_spoil_kind {
	SIM_SPOIL_NO,
#define X(id, name) id,
	SIM_SPOIL_LIST(X)
#undef X
};

/* How a message is sealed; zero-initialised: as phones do. */
struct sim_seal {
	const char *mediatype; /* NULL: none */
	bool hide;             /* decrypt-fail="hide" */
	unsigned count;        /* of an answer to a retry receipt; 0: none */
	bool bare;             /* a msg also where the session was never answered */
	enum sim_spoil_kind spoil;
	uint32_t n; /* of SIM_SPOIL_SKIP */
};

/* The kind of that name; SIM_SPOIL_NO for none. */
enum sim_spoil_kind sim_spoil_parse(const char *name);

/*
 * Seal msg (a serialized Message without padding) for the device and add its <enc> to parent; a
 * session is begun with the device's keys on the server when there is none. 0, WA_SIG_*, -ENOMEM.
 */
ATTR_NODISCARD int sim_peer_seal(struct sim *s, struct sim_phone *from, struct sim_device *to,
                                 const void *msg, size_t msg_len, const struct sim_seal *how,
                                 struct wa_node *parent);
/*
 * What a companion has sealed for this phone; the plaintext is appended. from: the companion's
 * address. group NULL: pairwise. 0, WA_SIG_*, -ENOMEM.
 */
ATTR_NODISCARD int sim_peer_open(struct sim *s, struct sim_phone *phone,
                                 const struct sim_device *from, const char *group, enum wa_enc type,
                                 const uint8_t *data, size_t data_len, struct buf *out);
/* A sender key for the group from that device. 0, WA_SIG_*, -ENOMEM. */
ATTR_NODISCARD int sim_peer_take_skdm(struct sim *s, struct sim_phone *phone,
                                      const struct sim_device *from, const char *group,
                                      const uint8_t *skdm, size_t skdm_len);

/* Forget the session with the device; the next message begins another. */
void sim_peer_forget(struct sim_phone *phone, const struct sim_device *device);
/* Begin a new session with these keys. 0 or WA_SIG_*, -ENOMEM. */
ATTR_NODISCARD int sim_peer_take_bundle(struct sim *s, struct sim_phone *phone,
                                        const struct sim_device *device,
                                        const struct wa_prekey_bundle *bundle);
/* Add the phone's keys to a <user> that asks for them, with a one-time pre-key made for it. */
ATTR_NODISCARD int sim_peer_bundle(struct sim *s, struct sim_phone *phone, struct wa_node *user);
/* The same with the tags of a retry receipt: <type>, <identity>, <key>, <skey>. */
ATTR_NODISCARD int sim_peer_retry_keys(struct sim *s, struct sim_phone *phone,
                                       struct wa_node *keys);

/* ---- groups
 * --------------------------------------------------------------------------------------
 */

/*
 * The phone's sender key of the group, made when there is none: append its distribution message,
 * as it is before the next message. *key_id_out: which key it is.
 */
ATTR_NODISCARD int sim_peer_skdm(struct sim *s, struct sim_phone *phone, const char *group,
                                 struct buf *out, uint32_t *key_id_out);
/* Seal msg for the group; the same <enc> goes to all. */
ATTR_NODISCARD int sim_peer_seal_group(struct sim *s, struct sim_phone *phone, const char *group,
                                       const void *msg, size_t msg_len, const struct sim_seal *how,
                                       struct buf *out);
/* Forget the sender key: the next message has another. */
void sim_peer_rotate_group(struct sim_phone *phone, const char *group);
/* Has the device got that key? Marks it. */
bool sim_peer_mark_skdm(struct sim_phone *phone, const char *group, const struct sim_device *device,
                        uint32_t key_id);
void sim_peer_unmark_skdm(struct sim_phone *phone, const char *group,
                          const struct sim_device *device);

/* ---- reinstall
 * -----------------------------------------------------------------------------------
 */

/*
 * The phone has been installed anew: another identity, registration id and signed pre-key; all
 * sessions are gone. 0 or WA_ECRYPTO, -ENOMEM. Companions and others are not told here.
 */
ATTR_NODISCARD int sim_peer_reinstall(struct sim *s, struct sim_phone *phone);
/* Each account (LID user) that the phone has had a session with. */
void sim_peer_each_contact(struct sim_phone *phone,
                           void (*on_contact)(const char *lid_user, void *arg), void *arg);

#endif
