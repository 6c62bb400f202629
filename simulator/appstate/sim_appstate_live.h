/*
 * simulator/appstate/sim_appstate_live.h - app state between phones, the server and companions
 *
 * A phone with chats has app state that fits them: contacts, mutes, pins, archived chats. Keys are
 * shared with each companion when it is first online. Source: protocol notes 08 sections 2, 4, 5.
 */
#ifndef SIM_APPSTATE_LIVE_H
#define SIM_APPSTATE_LIVE_H

#include <jansson.h>

#include "common/attr.h"
#include "simulator/appstate/sim_appstate.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_device.h"

struct sim;
struct sim_client;
struct wa_node;

/* Of the phone, made and filled when it is first needed. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_appstate_get(struct sim *s, struct sim_phone *phone,
                                    struct sim_appstate **as_out);

/* <iq xmlns="w:sync:app:state"> */
void sim_appstate_iq(struct sim_client *c, const struct wa_node *iq);
/* The account's devices but one (NULL: all) are told of a new version. */
void sim_appstate_tell(struct sim *s, const struct sim_phone *phone, enum sim_as_collection c,
                       const struct sim_device *but);
/* All keys to one device. 0 or as sim_peer_send_own(). */
ATTR_NODISCARD int sim_appstate_share(struct sim *s, struct sim_phone *phone,
                                      struct sim_device *device);
/* All keys to the devices that are online and had none: their phone had no app state so far. */
void sim_appstate_share_late(struct sim *s, struct sim_phone *phone);
/* A companion has asked for keys: request is an AppStateSyncKeyRequest. */
void sim_appstate_asked(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                        const uint8_t *request, size_t request_len);
/* It has asked, with message id, for a whole collection: request is a
 * SyncDCollectionFatalRecoveryRequest. */
void sim_appstate_lost(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                       const char *id, const uint8_t *request, size_t request_len);

/*
 * The person changes things on the phone: changes is an array of objects as POST
 * /phones/:number/appstate takes them; those of one collection become one patch. Nobody is told.
 * *touched_out: bits of the collections. 0; -EINVAL with *why_out (static text); others as
 * sim_as_change().
 */
ATTR_NODISCARD int sim_appstate_make(struct sim_appstate *as, const json_t *changes,
                                     int64_t unix_ms, bool external, enum sim_as_flaw flaw,
                                     unsigned *touched_out, const char **why_out);

#endif
