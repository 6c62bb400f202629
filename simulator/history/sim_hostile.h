/*
 * simulator/history/sim_hostile.h - history as a hostile or broken phone would send it (no I/O)
 *
 * Each kind has one thing wrong; what a client should make of them: refuse, say so to the phone,
 * and go on, in bounded memory and time.
 */
#ifndef SIM_HOSTILE_H
#define SIM_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/history/sim_history_part.h"
#include "simulator/history/sim_sync.h"

#define SIM_HOSTILE_SIZE_MAX (UINT64_C(4) << 30)

struct sim_hostile {
	const char *kind;
	enum sim_history_type type;        /* of the notice */
	uint64_t size;                     /* bytes, levels or things; 0: the kind's own */
	const struct sim_history *history; /* where a kind needs real content */
};

/*
 * Make it: zlib_out (appended; to be freed by the caller) is what *blob_out refers to.
 * 0; -ENOENT: no such kind; WA_ECRYPTO, -ENOMEM.
 */
ATTR_NODISCARD int sim_hostile_make(const struct sim_hostile *h, struct buf *zlib_out,
                                    struct sim_sync_blob *blob_out);
/* The name of each kind; NULL behind the last. */
const char *sim_hostile_name(size_t index);

#endif
