/*
 * simulator/history/sim_sync.h - what a phone tells its companions of itself: history
 *
 * When a companion is online for the first time its phone begins: INITIAL_BOOTSTRAP, statuses, push
 * names, other data, RECENT and, when asked for at registration, FULL, part after part; the next
 * one when the companion has said hist_sync. What was not acknowledged is told again at the next
 * login. Source: protocol notes 07 sections 2, 5, 7 and 9.
 */
#ifndef SIM_SYNC_H
#define SIM_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/history/sim_history_part.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_device.h"

struct sim;
struct sim_sync;
struct wa_node;

/* Listen to peer messages of companions, and make files of history again. */
void sim_sync_start(struct sim *s);
void sim_sync_free(struct sim_sync *sync); /* NULL is fine */

/* The device takes traffic from now on. */
void sim_sync_online(struct sim *s, struct sim_device *device);
/* A receipt of the device. True: it was for its phone alone. */
ATTR_NODISCARD bool sim_sync_receipt(struct sim *s, struct sim_device *device,
                                     const struct wa_node *receipt);

/* ---- for the control API -----------------------------------------------------------------------
 */

enum sim_sync_state {
	SIM_SYNC_SENT,      /* on its way */
	SIM_SYNC_DELIVERED, /* peer_msg has come */
	SIM_SYNC_DONE,      /* hist_sync has come */
	SIM_SYNC_REPLACED,  /* another notice was sent for it */
};

/* One notice of the phone. */
struct sim_sync_note {
	char id[SIM_MSG_ID_CAP];
	char request[SIM_MSG_ID_CAP]; /* ON_DEMAND: what it answers; "": nothing */
	struct sim_history_part part;
	struct sim_history_written written;
	enum sim_sync_state state;
	bool is_inline, hostile;
	uint64_t file; /* of the media host; 0: inline */
	uint8_t key[SIM_MEDIA_KEY_LEN];
	uint64_t zlib_len;
	uint32_t attempts; /* server-error receipts so far */
};

size_t sim_sync_count(const struct sim_sync *sync); /* NULL: 0 */
const struct sim_sync_note *sim_sync_at(const struct sim_sync *sync, size_t index);
/* Everything was sent and acknowledged. */
bool sim_sync_is_done(const struct sim_sync *sync);
uint32_t sim_sync_bad_receipts(const struct sim_sync *sync); /* server-error that do not open */

/* Begin now (options.manual), or once more from the start. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_sync_begin(struct sim *s, struct sim_phone *phone,
                                  struct sim_device *device);
/* Tell one part out of order. As above, or what sim_peer_send_own() says. */
ATTR_NODISCARD int sim_sync_send(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                                 const struct sim_history_part *part, const char *request,
                                 char id_out[SIM_MSG_ID_CAP]);

/* A blob that is not as it should be (sim_hostile.c makes them): these zlib bytes, told with a
 * notice of that type. */
struct sim_sync_blob {
	enum sim_history_type type;
	uint32_t order, progress;
	enum sim_media_flaw flaw;
	bool is_inline;
	bool gone;            /* the file is removed again: 404 */
	uint64_t claimed_len; /* fileLength; 0: as it is */
	const uint8_t *zlib;
	size_t zlib_len;
};

ATTR_NODISCARD int sim_sync_send_blob(struct sim *s, struct sim_phone *phone,
                                      struct sim_device *device, const struct sim_sync_blob *blob,
                                      char id_out[SIM_MSG_ID_CAP]);

#endif
