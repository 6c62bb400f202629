/*
 * worker/wk_emit.h - what happens in a session becomes events in its outbox
 *
 * Knows the people (wk_store_name, wk_store_lid) and the stored messages that an event speaks of,
 * and the settings that keep it silent. Everything is called between wk_batch_enter() and
 * wk_batch_leave(): the event is in the transaction of what it tells of. Codes are for
 * wk_batch_leave(): 0, or what keeps the batch from being committed.
 */
#ifndef WK_EMIT_H
#define WK_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wk_event_msg.h"

struct log_ctx;
struct wa_node;
struct wk_batch;
struct wk_creds;
struct wk_emit;
struct wk_settings;
struct wk_store;

struct wk_emit_params {
	struct wk_store *store; /* all borrowed for its life */
	struct wk_batch *batch; /* NULL: nothing is sent */
	const struct wk_creds *creds;
	const struct wk_settings *settings;
	const struct log_ctx *log;
};

ATTR_NODISCARD int wk_emit_new(const struct wk_emit_params *params, struct wk_emit **e_out);
void wk_emit_free(struct wk_emit *e); /* NULL is fine */

/* For rendering stored messages without an event: names, identities, stored messages. Borrowed. */
const struct wk_event_lookup *wk_emit_lookup(struct wk_emit *e);

/* The account's privacy settings: with read receipts off only its own devices are told. */
void wk_emit_read_receipts(struct wk_emit *e, bool off);

/*
 * A message, live or (from_history) of history: its push name is learned, and message.exchange goes
 * into the outbox where the settings let it. Live ones of others are marked read when the settings
 * say so: call it when the delivery receipt has been handed to the batch. Not for duplicates.
 */
ATTR_NODISCARD int wk_emit_message(struct wk_emit *e, const struct wk_event_msg *m);

#endif
