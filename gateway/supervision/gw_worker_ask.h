/*
 * gateway/supervision/gw_worker_ask.h - questions to an instance's worker: a file, stored messages
 *
 * What is stored is in the worker's session.db, and only the worker can fetch and open a file. An
 * ask is answered once, from the event loop, or cancelled; never from inside the call that asks.
 */
#ifndef GW_WORKER_ASK_H
#define GW_WORKER_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct gw_ask;
struct gw_instance;

#define GW_ASK_PER_INSTANCE 16             /* that wait at a time */
#define GW_ASK_MEDIA_MAX (16u << 20)       /* bytes of a file, before base64 */
#define GW_ASK_MEDIA_MS 60000              /* how long a file may take, */
#define GW_ASK_MESSAGES_MS 50000           /* or messages, with a phone that is asked */
#define GW_ASK_MESSAGES_MAX 500            /* in one answer */
#define GW_ASK_MESSAGES_LEN_MAX (8u << 20) /* bytes of their JSON */
#define GW_ASK_ID_MAX 128                  /* bytes of a message id */
#define GW_ASK_CHAT_MAX 128                /* bytes of a chat's JID or number */

/*
 * rc: 0; -ENOENT: no such message, or it has no file; WA_EMEDIA_GONE: WhatsApp no longer has the
 * file; WA_ELIMIT: it is too large; WA_EAUTH: it is not what the message says; WA_ETIMEOUT;
 * WA_ENETWORK and the other words for a connection that fails; WA_EWORKER_CRASHED; WA_EAT_CAPACITY;
 * -EINVAL: chat is none.
 */
struct gw_ask_result {
	int rc;
	const char *detail; /* one sentence for a person; NULL: none */
	/* rc 0; all borrowed for the call */
	const char *data; /* file: base64; messages: a JSON array, UTF-8, oldest first. No NUL */
	size_t data_len;
	const char *mime_type, *file_name; /* file; NULL: not told */
	const char *chat;                  /* messages */
	uint32_t count;                    /* messages in the array */
	bool has_more;                     /* there are older ones */
};
typedef void gw_ask_cb(const struct gw_ask_result *r, void *arg);

/*
 * 0: cb will be called; *ask_out (may be NULL) is for gw_ask_cancel() until then. WA_ENO_SESSION:
 * no worker runs for the instance; -EINVAL: an id or chat that is too long; WA_EAT_CAPACITY: too
 * many asks wait already; -ENOMEM. len_max: of the file, at most GW_ASK_MEDIA_MAX.
 */
ATTR_NODISCARD int gw_worker_ask_media(struct gw_instance *inst, const char *message_id,
                                       uint64_t len_max, gw_ask_cb *cb, void *arg,
                                       struct gw_ask **ask_out);

struct gw_ask_messages {
	const char *chat;      /* a JID, or the digits of a number */
	bool has_from, has_to; /* both inclusive */
	int64_t from_unix_s, to_unix_s;
	uint32_t count; /* 1 to GW_ASK_MESSAGES_MAX: the newest of them */
	bool ask_phone; /* where the store has fewer */
};
ATTR_NODISCARD int gw_worker_ask_messages(struct gw_instance *inst, const struct gw_ask_messages *q,
                                          gw_ask_cb *cb, void *arg, struct gw_ask **ask_out);

/* Nobody waits any more; NULL is fine. Not from inside or after its callback. */
void gw_ask_cancel(struct gw_ask *a);

/* ---- for the worker's own files ----------------------------------------------------------------
 */

struct gw_worker;
struct ipc_msg;

/* An Answer has come. 0, or WA_EPROTO and the like: the worker is to be ended. */
ATTR_NODISCARD int gw_worker_on_answer(struct gw_worker *w, struct ipc_msg *m);
/*
 * The worker says no more: all that wait get rc, in a later call from the loop, so that nobody is
 * called from the middle of what ends a worker. detail is a literal, or NULL.
 */
void gw_worker_asks_fail(struct gw_worker *w, int rc, const char *detail);

#endif
