/*
 * worker/events/wk_event_msg.h - a message as the data of a message.exchange event
 *
 * Pure: a message and what is known about its people go in, JSON comes out (the contract's
 * section 4.1; every field is listed in docs/events.md). Texts are foreign: repaired where they are
 * no UTF-8, cut where an event would not fit. Media is described, never given: no key, no address.
 */
#ifndef WK_EVENT_MSG_H
#define WK_EVENT_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/message/wa_pool.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/stanza/wa_source.h"

struct Wa__WebMessageInfo; /* proto/wa_msg.pb-c.h */
struct wk_settings;

/* An event's data is no longer: a message that would be is cut, and says "truncated". */
#define WK_EVENT_DATA_MAX (4u * 1024 * 1024)

/* ---- what is looked up --------------------------------------------------------------------------
 *
 * Each function may be NULL: nothing of the kind is known. What they give is borrowed until the
 * next call of the same function.
 */

/* A message of the store that another one is about. */
struct wk_event_stored {
	const uint8_t *message; /* serialized Message; NULL: only the secret is known */
	size_t message_len;
	const uint8_t
	    *secret; /* WA_MSG_SECRET_LEN bytes; NULL: it stands in the message, if at all */
	struct wa_jid author; /* under the identity it was stored with; server "": as asked for */
};

struct wk_event_lookup {
	struct wa_own_users own;
	const char *own_name; /* push name; NULL or "": not known */
	/* How a person or group is called: address book, else push name or subject. NULL: unknown.
	 * alt: the other identity; server "": not known. */
	const char *(*name)(void *arg, const struct wa_jid *jid, const struct wa_jid *alt);
	/* The other identity of a user: LID of a PN, PN of a LID; without device. */
	bool (*other)(void *arg, const struct wa_jid *jid, struct wa_jid *out);
	/* author: server "" where it is not known, or not needed (private chats). */
	bool (*stored)(void *arg, const struct wa_jid *chat, const char *id,
	               const struct wa_jid *author, struct wk_event_stored *out);
	void *arg;
};

/* ---- the message --------------------------------------------------------------------------------
 */

/* Borrows everything. A JID with an empty server is absent; devices don't matter. */
struct wk_event_msg {
	const char *id;
	enum wa_chat_kind kind;
	struct wa_jid chat, chat_alt;     /* alt: the same under its other identity */
	struct wa_jid sender, sender_alt; /* as above */
	bool from_me, is_status;
	bool from_history;
	int64_t unix_s;                        /* 0: not told */
	const char *push_name;                 /* the sender's, as it came; NULL: none */
	const struct wa_msg_view *view;        /* NULL: it could not be decrypted */
	const struct Wa__WebMessageInfo *info; /* of history: delivery, reactions; else NULL */
};

/* One that has just come. view as above. */
void wk_event_msg_of_source(struct wk_event_msg *m, const struct wa_source *s,
                            const struct wa_msg_view *view);
/*
 * One that is stored: chat and sender as JID text; sender NULL or "": the chat's partner, or we.
 * from_history is false. 0, or WA_EPROTO (chat is no JID).
 */
ATTR_NODISCARD int wk_event_msg_of_row(struct wk_event_msg *m, const char *chat, const char *sender,
                                       bool from_me, const char *id, int64_t unix_s,
                                       const struct wa_msg_view *view);
/*
 * One of history; chat: the conversation's id. view: of info->message, NULL when there is none.
 * 0, or WA_EPROTO (no key or id, chat is no JID).
 */
ATTR_NODISCARD int wk_event_msg_of_info(struct wk_event_msg *m, const char *chat,
                                        const struct Wa__WebMessageInfo *info,
                                        const struct wa_msg_view *view,
                                        const struct wa_own_users *own);

/*
 * Does it become an event at all? Not what devices tell each other, keys alone, and what the
 * settings (NULL: none) keep out.
 */
bool wk_event_msg_shows(const struct wk_event_msg *m, const struct wk_settings *settings);

/*
 * Append the data object. What is sealed under the secret of a stored message (votes, reactions,
 * edits) is opened when that is known. look: NULL: nothing is. pool: for parts that are decoded
 * besides (quoted messages); may be the one the view lives in; NULL: those are left out.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int wk_event_message(const struct wk_event_msg *m,
                                    const struct wk_event_lookup *look, struct wa_pool *pool,
                                    struct buf *out);

#endif
