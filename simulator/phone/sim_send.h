/*
 * simulator/phone/sim_send.h - a phone sends: sealed for each device, into the devices' queues
 *
 * A message for an account is sealed for each of its companions; its phone, which lives in this
 * process, gets the plaintext. The sender's own companions get a deviceSentMessage. Who is offline
 * finds it in the queue. Source: protocol notes 05 section 9, 06 sections 2 and 3.
 */
#ifndef SIM_SEND_H
#define SIM_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_peer.h"

struct sim;

/* One message of a phone. Zero-initialised but for from, msg and type: the usual. */
struct sim_out {
	struct sim_phone *from;
	char id[SIM_MSG_ID_CAP]; /* "": one is made */
	const uint8_t *msg;      /* serialized Message; borrowed */
	size_t msg_len;
	const char *type; /* of the stanza: "text", "media", ... */
	const char *edit; /* NULL: none */
	bool pn;          /* addressed by phone number, not by LID */
	bool silent;      /* the sender's own companions do not get it */
	bool no_retry;    /* who asks for it again gets nothing */
	int64_t unix_s;   /* 0: now */
	struct sim_seal seal;
};

/*
 * What simhist and others need: phone sends msg, a serialized Message (a protocolMessage), to one
 * of its own companions (category="peer"): history notifications, app state keys, answers to peer
 * data requests. Queued while the device is offline. id NULL: one is made; id_out (may be NULL) is
 * told which. The companion's receipts (peer_msg, hist_sync, retry) are recorded with the phone. 0,
 * WA_SIG_*, WA_ELIMIT (its queue is full) or -ENOMEM.
 */
ATTR_NODISCARD int sim_peer_send_own(struct sim *s, struct sim_phone *phone,
                                     struct sim_device *device, const char *id, const uint8_t *msg,
                                     size_t msg_len, char id_out[SIM_MSG_ID_CAP]);

/*
 * Who is called when a companion has sent its phone a peer message (category="peer"): requests for
 * app state keys, for history, for a placeholder's content. msg: the serialized Message, borrowed.
 */
typedef void sim_on_own(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                        const char *id, const uint8_t *msg, size_t msg_len);

/* An id as a phone makes it. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_send_make_id(struct sim_phone *phone, char out[SIM_MSG_ID_CAP]);

/* o->id is filled in when it was "". 0, WA_SIG_*, -ENOMEM. What did not fit a full queue is lost.
 */
ATTR_NODISCARD int sim_send_direct(struct sim *s, struct sim_out *o, struct sim_phone *to);

/*
 * A device asks for a message of phone again: sealed anew for it alone, with new keys where it
 * sends its own. node: the retry receipt.
 */
void sim_send_again(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                    const struct wa_node *receipt);

struct sim_pbw;

/*
 * The fields of a WebMessageInfo: a message that the phone has got, or sent, for a companion that
 * could not open it. 0, or -ENOENT: it has none of that id, or it shall never come (no_retry).
 */
ATTR_NODISCARD int sim_send_put_web(const struct sim_phone *phone, const char *id,
                                    struct sim_pbw *w);

/* ---- for sim_send*.c, sim_group*.c --------------------------------------------------------------
 */

/* <message> with id, from, t, type, notify, edit: from the phone (bare), the other form beside it.
 */
struct wa_node *sim_send_stanza(const struct sim_out *o);
/* Push, and once more for a spoilt one that wants it. Takes node. */
int sim_send_push(struct sim_device *device, struct wa_node *node, const struct sim_out *o);
/* Append Message{31 deviceSentMessage{1 chat, 2 msg}}. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_send_wrap(const char *chat, const uint8_t *msg, size_t msg_len,
                                 struct buf *out);
/* Append Message{2 senderKeyDistributionMessage} of the phone's key for the chat as it is now.
 * 0, WA_SIG_*, -ENOMEM. (sim_group_send.c) */
ATTR_NODISCARD int sim_send_skdm(struct sim *s, struct sim_phone *from, const char *chat,
                                 struct buf *out, uint32_t *key_id_out);
/* The phone's record of what it sent, and the recipient's of what it got; to NULL: a group's chat.
 */
ATTR_NODISCARD int sim_send_record(struct sim_out *o, const char *chat);
ATTR_NODISCARD int sim_send_to_phone(const struct sim_out *o, struct sim_phone *to,
                                     const char *chat);
ATTR_NODISCARD int sim_send_to_inbox(struct sim_phone *to, const char *from, const char *chat,
                                     const char *id, int64_t unix_s, const uint8_t *msg,
                                     size_t msg_len);

#endif
