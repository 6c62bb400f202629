/*
 * worker/appstate/wk_appstate.h - app state: contacts, names, labels and marks that the account's
 * devices share
 *
 * Keys come from the phone, collections from the server: a snapshot first, then patches, each
 * verified and applied in one piece with its version, hash and map. What can't be opened for want
 * of a key waits for it, and the phone is asked, once a day; what does not fit what is here is
 * replaced by a snapshot; where even that does not fit, the phone is asked for its own copy. How
 * far each collection is, what the server spoke of and what was asked of the phone is in the store:
 * what a former process owed is fetched by the next.
 * Source: protocol notes 08.
 */
#ifndef WK_APPSTATE_H
#define WK_APPSTATE_H

#include <stdbool.h>

#include "common/attr.h"
#include "worker/store/wk_store_appstate.h"

struct Wa__ProtocolMessage;
struct event_base;
struct log_ctx;
struct wa_node;
struct wk_appstate;
struct wk_batch;
struct wk_emit;
struct wk_media;
struct wk_store;

#define WK_APPSTATE_FILE_MAX (16u * 1024 * 1024) /* of a snapshot, or a patch's file */

struct wk_appstate_ops {
	/* Send wk_appstate_build() to the server, and give wk_appstate_answer() what comes. It may
	 * have to wait; asked twice it is sent once. */
	void (*ask)(void *arg);
	/* Within the batch: a Message for the phone, of that push priority (NULL: none). 0 with its
	 * id, WK_APPSTATE_ASK_ID_CAP bytes;
	 * WA_SIG_ENOSESSION or another reason why it can't be sent now; or a code of the store. */
	int (*send_phone)(const void *message, size_t message_len, const char *priority,
	                  char *id_out, void *arg);
	/* Within the batch: the account's own name. 0 or a code of the store. */
	int (*on_push_name)(const char *name, void *arg);
	/* The store fails: the session can't go on. */
	void (*on_failed)(int rc, void *arg);
};

struct wk_appstate_params {
	struct event_base *base;
	struct wk_store *store; /* all borrowed for its life */
	struct wk_batch *batch;
	struct wk_emit *emit;   /* labels are told of; NULL: nobody */
	struct wk_media *media; /* files; NULL: none can be had */
	const struct log_ctx *log;
	unsigned speed; /* divides every wait */
	const struct wk_appstate_ops *ops;
	void *arg;
};

ATTR_NODISCARD int wk_appstate_new(const struct wk_appstate_params *params,
                                   struct wk_appstate **a_out);
/* NULL is fine; safe from its callbacks. */
void wk_appstate_free(struct wk_appstate *a);

/* The session is online: what is behind is fetched from now on. */
void wk_appstate_start(struct wk_appstate *a);

/* Within the batch: keys that a device of ours sent. 0 or a code for wk_batch_leave(). */
ATTR_NODISCARD int wk_appstate_keys(struct wk_appstate *a, const struct Wa__ProtocolMessage *p);
/* Within the batch: the phone's answer to a peer data request of type WA_APPSTATE_PEER_TYPE. As
 * above. */
ATTR_NODISCARD int wk_appstate_whole(struct wk_appstate *a, const struct Wa__ProtocolMessage *p);
/* WhatsApp has a message to the phone. */
void wk_appstate_has_left(struct wk_appstate *a, const char *message_id);
/* Within the batch: <notification type="server_sync">. As above. */
ATTR_NODISCARD int wk_appstate_told(struct wk_appstate *a, const struct wa_node *notification);
/* Everything may have changed (a dirty bit). False: there is no key, nothing can be fetched. */
bool wk_appstate_renew(struct wk_appstate *a);

/* Is there something to be asked for now? */
bool wk_appstate_is_due(struct wk_appstate *a);
/* The request for all that is wanted; NULL: nothing is, or no memory. */
struct wa_node *wk_appstate_build(struct wk_appstate *a, const char *id);
/* Its answer; NULL: an error, or none came; it is asked again later. */
void wk_appstate_answer(struct wk_appstate *a, const struct wa_node *result);

/* Is a request on its way, or an answer being worked on? */
bool wk_appstate_is_busy(const struct wk_appstate *a);

#endif
