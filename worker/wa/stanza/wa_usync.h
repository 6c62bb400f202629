/*
 * worker/wa/stanza/wa_usync.h - which devices a user has: asking the server, reading what it says
 *
 * Source: protocol notes 05 section 7, 10 section 1.
 */
#ifndef WA_USYNC_H
#define WA_USYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_node.h"

#define WA_USYNC_DEVICES_MAX 64 /* of one user; more are passed over */

/* Devices, and the LID. context: "message", "notification". Then one add for each user. NULL
 * without memory. */
struct wa_node *wa_usync_devices(const char *id, const char *context);
/* user_jid: its device does not matter; what is no JID of a user is left out. */
void wa_usync_devices_add(struct wa_node *iq, const char *user_jid);

struct wa_usync_user {
	struct wa_jid user;                          /* as the server calls it, without a device */
	struct wa_jid lid;                           /* server "": not told */
	bool known;                                  /* the server has a list of its devices */
	struct wa_jid devices[WA_USYNC_DEVICES_MAX]; /* hosted ones under their own server */
	size_t devices_n;
};

/*
 * Each <user> of an answer, in order; u is borrowed for the call. A device that is not the phone
 * and has no key index is none. Stops at a negative code of on_user and returns it. 0, WA_EPROTO
 * (no list), -ENOMEM.
 */
ATTR_NODISCARD int wa_usync_each(const struct wa_node *result,
                                 int (*on_user)(void *arg, const struct wa_usync_user *u),
                                 void *arg);

#endif
