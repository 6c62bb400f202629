/*
 * worker/wa/stanza/wa_bundle.h - pre-key bundles on the wire: fetching those of others
 *
 * Source: protocol notes 05 section 6.1.
 */
#ifndef WA_BUNDLE_H
#define WA_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/signal/wa_signal.h"

#define WA_DEVICE_IDENTITY_MAX 4096 /* ADVSignedDeviceIdentity */

/* <iq xmlns="encrypt" type="get"><key/></iq>; then one add for each device. NULL without memory. */
struct wa_node *wa_bundle_fetch(const char *id);
/* identity_changed: asks because its identity may have changed. */
void wa_bundle_fetch_add(struct wa_node *fetch, const char *device_jid, bool identity_changed);

/*
 * The keys in n: a <user> of an answer (with its <registration>), or the <keys> of a retry receipt
 * (registration_id then stays 0). Without a <key> has_prekey is false.
 * 0, or WA_EPROTO (something missing, of the wrong length or type, an id out of range).
 */
ATTR_NODISCARD int wa_bundle_read(const struct wa_node *n, struct wa_prekey_bundle *b_out);

struct wa_bundle_answer {
	const char *jid; /* of the device; borrowed */
	unsigned error;  /* 0: bundle is set; else the server's code (404, 406), 1: unreadable */
	struct wa_prekey_bundle bundle;
};

/* Each <user> of the answer, in order. Stops at a negative code of on_answer and returns it. 0, or
 * WA_EPROTO (no <list>). */
ATTR_NODISCARD int wa_bundle_each(const struct wa_node *result,
                                  int (*on_answer)(void *arg, const struct wa_bundle_answer *a),
                                  void *arg);

#endif
