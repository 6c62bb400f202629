/*
 * worker/history/wk_history.h - history from the phone: notices kept, blobs fetched, read and
 * stored
 *
 * wk_history_notice() keeps a notice within the batch of its message; from then on its blob is
 * worked on, one at a time: fetched into an unnamed file of the instance's folder (as it came:
 * closed), verified, then opened, inflated and decoded as a stream and stored in slices of some
 * milliseconds, so that nothing waits for it and memory is bounded. The last slice takes the notice
 * away, tells the user (history.sync) and the phone (hist_sync). Killed in between it begins that
 * blob anew: storing twice stores once.
 * Source: protocol notes 07.
 */
#ifndef WK_HISTORY_H
#define WK_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/wa/history/wa_history.h"

struct Wa__ProtocolMessage;
struct event_base;
struct wk_batch;
struct wk_creds;
struct wk_emit;
struct wk_history;
struct wk_history_state; /* wk_store_history.h */
struct wk_media;
struct wk_settings;
struct wk_store;

#define WK_HISTORY_FILE_MAX (128u * 1024 * 1024) /* a blob, as it is stored at WhatsApp */

struct wk_history_ops {
	/* How far it is: 0 to 100, messages stored so far. */
	void (*on_state)(uint32_t progress, uint64_t messages, void *arg);
	/* An answer to wk_history_ask... has been stored, or could not be. May be NULL. */
	void (*on_answer)(const char *request_id, void *arg);
	/* The store fails: the session can't go on. Last call. */
	void (*on_failed)(int rc, void *arg);
};

struct wk_history_params {
	struct event_base *base;
	const char *dir;           /* the instance's */
	const struct log_ctx *log; /* all borrowed for its life */
	struct wk_store *store;
	struct wk_batch *batch;
	struct wk_media *media;
	const struct wk_creds *creds; /* who we are; history_days */
	const struct wk_settings *settings;
	struct wk_emit *emit; /* messages are told of as they are stored; NULL: none */
	unsigned speed;       /* divides every wait */
	const struct wk_history_ops *ops;
	void *arg;
};

/* Reads how far it is. What waits is worked on from wk_history_start() on. */
ATTR_NODISCARD int wk_history_new(const struct wk_history_params *params,
                                  struct wk_history **h_out);
/* What runs is begun again by the next one. NULL is fine; safe from its callbacks. */
void wk_history_free(struct wk_history *h);
void wk_history_start(struct wk_history *h);

/*
 * A history notice from our own phone (07 section 2), within the batch: kept until its blob is
 * stored. message_id: of the message it came in; by_lid: under the account's LID. The peer_msg
 * receipt is the caller's; hist_sync or server-error is ours. 0, or a code of the store; a notice
 * that is none is passed over (0).
 */
ATTR_NODISCARD int wk_history_notice(struct wk_history *h, const char *message_id, bool by_lid,
                                     const struct Wa__ProtocolMessage *p);

/* How much of what is expected has come: 0 to 100. */
uint32_t wk_history_overall(const struct wk_history_state *s, const struct wk_creds *creds);
/* 0 to 100; messages stored so far. */
void wk_history_progress(const struct wk_history *h, uint32_t *progress_out,
                         uint64_t *messages_out);

#endif
