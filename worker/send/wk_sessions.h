/*
 * worker/send/wk_sessions.h - Signal sessions that are to be begun: keys of devices fetched and
 * taken
 *
 * Whoever needs a session with a device says so; all that are wanted are asked for at once, and
 * when the server has answered, whoever waits looks for what there is now. A device without a
 * session after that has none to be had. Taken within a batch. Source: protocol notes 05
 * section 6.1.
 */
#ifndef WK_SESSIONS_H
#define WK_SESSIONS_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/wa/node/wa_jid.h"

struct wa_node;
struct wk_batch;
struct wk_sessions;
struct wk_signal;

#define WK_SESSIONS_MAX 512 /* devices that wait */

struct wk_sessions_params {
	struct wk_batch *batch; /* all borrowed */
	struct wk_signal *signal;
	const struct log_ctx *log;
	void (*on_ask)(void *arg); /* something is due: make a request of it when that can be */
	void *arg;
};

ATTR_NODISCARD int wk_sessions_new(const struct wk_sessions_params *params,
                                   struct wk_sessions **ws_out);
void wk_sessions_free(struct wk_sessions *ws); /* NULL is fine */

/* A session with that device is wanted. 0, -ENOMEM, WA_ELIMIT. Then wk_sessions_ask(). */
ATTR_NODISCARD int wk_sessions_want(struct wk_sessions *ws, const struct wa_jid *device);
void wk_sessions_ask(struct wk_sessions *ws);

bool wk_sessions_is_due(const struct wk_sessions *ws);
/* The request for all that are wanted; NULL without memory. */
struct wa_node *wk_sessions_build(struct wk_sessions *ws, const char *id);
/* Its answer; NULL: an error, or none. Failures of the store end the batch. */
void wk_sessions_answer(struct wk_sessions *ws, const struct wa_node *result);

#endif
