/*
 * worker/events/wk_emit.h - what happens in a session becomes events in its outbox
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
#include "worker/events/wk_event_msg.h"

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
	/* A call was declined here: may its caller (alt: under his other identity) be told? Within
	 * the batch, codes as above. NULL: nobody is. */
	int (*on_declined)(const struct wa_jid *caller, const struct wa_jid *alt, void *arg);
	void *arg;
};

ATTR_NODISCARD int wk_emit_new(const struct wk_emit_params *params, struct wk_emit **e_out);
void wk_emit_free(struct wk_emit *e); /* NULL is fine */

/* For rendering stored messages without an event: names, identities, stored messages. Borrowed. */
const struct wk_event_lookup *wk_emit_lookup(struct wk_emit *e);

/* Was a group told of whose name is not known? */
bool wk_emit_lacks_group(const struct wk_emit *e);

/* The account's privacy settings: with read receipts off only its own devices are told. */
void wk_emit_read_receipts(struct wk_emit *e, bool off);

/*
 * A message, live or (from_history) of history: its push name is learned, and message.exchange goes
 * into the outbox where the settings let it. Live ones of others are marked read when the settings
 * say so: call it when the delivery receipt has been handed to the batch. Not for duplicates.
 */
ATTR_NODISCARD int wk_emit_message(struct wk_emit *e, const struct wk_event_msg *m);

/* A label, or something that was labelled. */
struct wk_emit_label {
	const char *label;      /* its id */
	const char *name;       /* NULL: not known */
	struct wa_jid chat;     /* labelled; server "": it is about the label itself */
	const char *message_id; /* NULL: the chat as a whole */
	bool added;             /* or taken off; of the label itself: it is there, or deleted */
	bool has_color;
	int32_t color;
	int64_t unix_ms; /* 0: not told */
	bool first;      /* how it stood when we came: not news */
};

/* label.update. */
ATTR_NODISCARD int wk_emit_label(struct wk_emit *e, const struct wk_emit_label *l);

/* Stanzas; one that can't be read, or says nothing to a user, is passed over. Not their acks. */

/* <receipt>: message.status for each who got or read it. */
ATTR_NODISCARD int wk_emit_receipt(struct wk_emit *e, const struct wa_node *n);
/* <call>: call.update; one that rings is declined through the batch when the settings say so. */
ATTR_NODISCARD int wk_emit_call(struct wk_emit *e, const struct wa_node *n);
/* <notification type="w:gp2">: group.flow for each change; subjects and identities are learned. */
ATTR_NODISCARD int wk_emit_group(struct wk_emit *e, const struct wa_node *n);
/* Is it a change of a group? */
bool wk_emit_is_group_stub(const struct Wa__WebMessageInfo *info);
/* A group's change as history has it: group.flow. Stubs of other kinds are passed over. */
ATTR_NODISCARD int wk_emit_stub(struct wk_emit *e, const struct wa_jid *chat,
                                const struct Wa__WebMessageInfo *info);
/* <groups> that we take part in: their subjects are learned. */
ATTR_NODISCARD int wk_emit_groups(struct wk_emit *e, const struct wa_node *result);

#endif
