/* simulator/history/sim_sync_priv.h - shared by sim_sync.c (the order of parts), sim_sync_note.c (notices)
 * and sim_sync_own.c (what companions ask their phone) */
#ifndef SIM_SYNC_PRIV_H
#define SIM_SYNC_PRIV_H

#include "simulator/base/sim_pbw.h"
#include "simulator/history/sim_sync.h"
#include "simulator/sim.h"

struct sim_sync {
	struct sim_history history;
	struct sim_history_part next; /* what is told next */
	unsigned stage;               /* place in the order of types */
	bool begun, all_sent;
	int64_t recent_from, full_from; /* unix s; full_from INT64_MAX: no FULL */
	struct sim_sync_note *notes;    /* owned; oldest first */
	size_t notes_n, notes_cap;
	uint32_t bad_receipts;
};

/* The state of a device, made when there is none. 0, WA_ECRYPTO, -ENOMEM. */
ATTR_NODISCARD int sim_sync_get(const struct sim_phone *phone, struct sim_device *device,
                                struct sim_sync **sync_out);
struct sim_sync_note *sim_sync_find(struct sim_sync *sync, const char *id);

/*
 * Put zlib on the media host, or inside, and send the notice; n is filled in and kept.
 * 0 or the code of what failed.
 */
ATTR_NODISCARD int sim_sync_tell(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                                 struct sim_sync_note *n, const struct sim_sync_blob *blob);
/* The same part under a new file and notice. */
ATTR_NODISCARD int sim_sync_tell_again(struct sim *s, struct sim_phone *phone,
                                       struct sim_device *device, size_t index);
/* Its file has been read (some say so before they read), or is replaced. */
void sim_sync_spare_file(struct sim *s, struct sim_sync_note *n);
/* Its file is gone. */
void sim_sync_forget_file(struct sim *s, struct sim_sync_note *n);

/* s->on_own (sim_sync_own.c). */
void sim_sync_own(struct sim *s, struct sim_phone *phone, struct sim_device *device, const char *id,
                  const uint8_t *msg, size_t msg_len);
/* A server-error receipt: of a notice, or of a message's file. */
void sim_sync_server_error(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                           const struct wa_node *receipt);

#endif
