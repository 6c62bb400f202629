/* worker/events/wk_emit_priv.h - an emitter's inside, shared by the wk_emit files */
#ifndef WK_EMIT_PRIV_H
#define WK_EMIT_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/secret.h"
#include "worker/events/wk_emit.h"
#include "worker/events/wk_event_priv.h"
#include "worker/wa/message/wa_msg_secret.h"
#include "worker/wa/message/wa_pool.h"

#define DATA_KEPT (64u * 1024) /* bytes of the buffer that stay from one event to the next */

struct wk_emit {
	struct wk_emit_params p;
	struct wk_event_lookup look;
	struct wa_pool *pool; /* quoted messages and so on; empty between calls */
	struct buf data;      /* the event that is being made */
	struct buf stored;    /* a message that a look-up found */
	uint8_t secret[WA_MSG_SECRET_LEN];
	bool lacks_group;  /* one was told of without its name */
	bool receipts_off; /* the account's privacy: nobody is told what was read */
};

/* A new event, to be written into e->data. */
struct wk_event_w wk_emit_begin(struct wk_emit *e);
/* An instant in seconds; 0, or one that is none: now. */
void wk_emit_time(struct wk_event_w *w, const char *name, uint64_t unix_s);
/* e->data is an event: into the outbox with it. */
ATTR_NODISCARD int wk_emit_add(struct wk_emit *e, int kind, uint32_t flags);

#endif
