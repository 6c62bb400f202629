/*
 * worker/history/wk_ask_messages.h - the gateway asks for stored messages of a chat
 *
 * Read back as the data of message.exchange events, oldest first. Where the store has fewer than
 * were asked for, the phone may be asked for older ones (07 section 7.1); what it sends is stored
 * like all history, and the answer is made of what is there then. A phone that stays silent costs
 * WK_PHONE_MS, no more.
 */
#ifndef WK_ASK_MESSAGES_H
#define WK_ASK_MESSAGES_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/log.h"
#include "proto/ipc.pb-c.h"
#include "worker/history/wk_ask_media.h"

struct event_base;
struct wk_ask_messages;
struct wk_creds;
struct wk_online;
struct wk_settings;
struct wk_store;

#define WK_PHONE_MS 30000

struct wk_ask_messages_params {
	struct event_base *base;
	const struct log_ctx *log; /* all borrowed for its life */
	struct wk_store *store;
	const struct wk_creds *creds;
	const struct wk_settings *settings;
	struct wk_online *online; /* NULL: the phone can't be asked */
	unsigned speed;           /* divides every wait */
};

/* As wk_ask_media_new(); but on_answer may be called from inside, and *ask_out is set before. */
ATTR_NODISCARD int wk_ask_messages_new(const struct wk_ask_messages_params *params,
                                       const Ipc__Ask *m, wk_ask_answer_fn *on_answer, void *arg,
                                       struct wk_ask_messages **ask_out);
void wk_ask_messages_free(struct wk_ask_messages *a); /* NULL is fine */

/* Is it this one that the phone's answer to request_id is for? */
bool wk_ask_messages_is(const struct wk_ask_messages *a, const char *request_id);
/* The phone was asked, and has not answered. */
bool wk_ask_messages_waits(const struct wk_ask_messages *a);
/* What the phone sent is stored. */
void wk_ask_messages_answered(struct wk_ask_messages *a);
/* The connection is going: the phone won't answer. */
void wk_ask_messages_offline(struct wk_ask_messages *a);

#endif
