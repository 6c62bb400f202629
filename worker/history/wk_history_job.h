/*
 * worker/history/wk_history_job.h - a notice of the phone, as it waits in session.db and as it is
 * worked on
 */
#ifndef WK_HISTORY_JOB_H
#define WK_HISTORY_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct Wa__ProtocolMessage;
struct wk_store;

struct wk_history_job {
	int64_t id;                    /* in the store */
	char *message_id, *request_id; /* request_id NULL: unasked */
	bool by_lid;                   /* sent under the account's LID */
	int type;
	uint32_t chunk, progress;
	uint8_t *payload; /* inline; NULL: a file, or nothing at all */
	size_t payload_len;
	char *path; /* NULL: no file */
	uint8_t media_key[32], sha256[32], enc_sha256[32];
	uint64_t file_len;
};

/*
 * What waits in the store: message id, NUL, ProtocolMessage; appended. by_lid: it came under the
 * account's LID, which the message's own key says then. 0 or -ENOMEM.
 */
ATTR_NODISCARD int wk_history_job_pack(const char *message_id, bool by_lid,
                                       const struct Wa__ProtocolMessage *p, struct buf *out);
/* The first one that waits. -ENOENT: there is none; or a code of the store. Clear it in any case.
 */
ATTR_NODISCARD int wk_history_job_load(struct wk_store *st, struct wk_history_job *j);
/* All zero; its keys are wiped. */
void wk_history_job_clear(struct wk_history_job *j);

#endif
