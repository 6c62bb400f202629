/*
 * simulator/server/sim_online.h - logins, what a device online asks for, and devices that come and
 * go
 *
 * Source: protocol notes 04.
 */
#ifndef SIM_ONLINE_H
#define SIM_ONLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/server/sim_device.h"

struct sim;
struct sim_client;
struct wa_jid;
struct wa_node;

#define SIM_ID_CAP 24

/* What a connection is from <success> on. */
struct sim_session {
	struct sim_device *device; /* borrowed; NULL: not logged in, or no longer */
	bool active;               /* takes stanzas that were queued */
	bool flushing;             /* the offline queue is being handed out */
	uint32_t flushed;          /* how many were */
	const char *routing; /* "ok", "wrong": what its edge routing info was; NULL: it had none */
	char ping_id[SIM_ID_CAP]; /* a ping of ours that was not answered; "": none */
};

/*
 * A device has been linked: put it into the registry and tell the account's others (account_sync,
 * queued for those that are offline). Returns as sim_device_add().
 */
ATTR_NODISCARD int sim_online_link(struct sim *s, const struct sim_device_new *params,
                                   struct sim_device **device_out);
/*
 * The person unlinks it on the phone: the device is gone at once; its connection, if there is one,
 * gets the stream error device_removed and is closed; the others are told.
 */
void sim_online_unlink(struct sim *s, struct sim_device *device);
/*
 * A stanza for the device (notification, message, receipt, call; with an id): sent now when it is
 * online and takes traffic, and kept until it is acked. Takes node. 0 or as sim_queue_push().
 */
ATTR_NODISCARD int sim_online_push(struct sim_device *device, struct wa_node *node);

/* Ask the client for a sign of life; kick_ms > 0: without an answer in time it is thrown out. */
void sim_online_ping(struct sim_client *c, uint32_t kick_ms);

/* ---- for sim_client.c --------------------------------------------------------------------------
 */

/* A login payload was accepted: serve the device, or refuse it. */
void sim_online_begin(struct sim_client *c);
/* One stanza of a client that is online. 0, or a negative code that ends the connection. */
ATTR_NODISCARD int sim_online_on_stanza(struct sim_client *c, const uint8_t *stanza, size_t len);
/* The socket takes more. */
void sim_online_on_drained(struct sim_client *c);
/* The deadline of a ping is over. */
void sim_online_on_deadline(struct sim_client *c);
/* The connection is over; its device is offline from now on. Safe twice. */
void sim_online_gone(struct sim_client *c);

/* ---- for sim_online*.c --------------------------------------------------------------------------
 */

/* An id that no other stanza of this server has. */
void sim_online_id(struct sim *s, char out[SIM_ID_CAP]);
/* <active/> or <passive/>: begin to hand out the queue, or hold it back. */
void sim_online_set_active(struct sim_client *c, bool active);
/* <iq> with an id and a type (sim_online_iq.c). */
void sim_online_iq(struct sim_client *c, const struct wa_node *iq);
/* An answer to iq, to be filled and sent. */
struct wa_node *sim_online_answer(const struct wa_node *iq, const char *type);
void sim_online_error(struct sim_client *c, const struct wa_node *iq, int code, const char *text);
/* xmlns="encrypt" and "usync" (sim_online_keys.c, sim_online_usync.c) */
void sim_online_keys(struct sim_client *c, const struct wa_node *iq);
void sim_online_usync(struct sim_client *c, const struct wa_node *iq);
/* <message> and <receipt> of a client (sim_online_msg.c, sim_online_receipt.c): acked, opened,
 * handed on. */
void sim_online_message(struct sim_client *c, const struct wa_node *n);
void sim_online_receipt(struct sim_client *c, const struct wa_node *n);
/* <call> of a client: the caller's phone notes what it says ("call:reject"). */
void sim_online_call(struct sim_client *c, const struct wa_node *n);
/* <ack class="message">: the phone that sent it notes it, and a nack's code. */
void sim_online_acked(struct sim_client *c, const struct wa_node *n);
/* What the client sent has arrived here. error 0: and is taken. */
void sim_online_send_ack(struct sim_client *c, const struct wa_node *of, int error);
/* Taken, but for other devices than there are: phash is of those; NULL: it is not so. */
void sim_online_send_ack_phash(struct sim_client *c, const struct wa_node *of, const char *phash);
/* Parts that both need (sim_online_receipt.c): the phone of a person's JID, which is parsed into
 * *jid_out; a device's JID in one form; a node with all it has; what of a <message> each device
 * gets beside its <enc>. */
struct sim_phone *sim_online_find(const struct sim *s, const char *jid_text,
                                  struct wa_jid *jid_out);
const char *sim_online_jid(const struct sim_device *d, bool lid);
void sim_online_copy(struct wa_node *to, const struct wa_node *from);
void sim_online_copy_rest(struct wa_node *to, const struct wa_node *from);
/* Tell the device when few of its prekeys are left. */
void sim_online_check_prekeys(struct sim *s, struct sim_device *device);
/* Add <key-index-list> as the phone signs it now; without a signer nothing. */
void sim_online_add_key_index_list(const struct sim *s, const struct sim_account *a,
                                   struct wa_node *parent);

#endif
