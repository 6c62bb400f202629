/*
 * worker/store/wk_store_msg.h - stored messages: what came, live or from history, and what was seen
 *
 * One row for each message (chat, id, sender). A chat is known by one JID: the LID of a person
 * where it is known; looking under the number finds it too. Bodies are sealed. What is written
 * while a stanza of a batch is worked on is part of the batch. Codes as in wk_store.h.
 */
#ifndef WK_STORE_MSG_H
#define WK_STORE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/message/wa_msg_secret.h"
#include "worker/wa/node/wa_jid.h"

struct wk_store;

#define WK_MSG_ID_MAX 255
#define WK_MSG_NAME_MAX 255 /* of a push name: longer ones are cut at a character */

/* wk_msg.flags */
#define WK_MSG_FROM_ME (1u << 0)
#define WK_MSG_HISTORY (1u << 1) /* came with history */
/* About another message (reaction, vote, edit, revoke, pin): not one of the chat's own. */
#define WK_MSG_ADDON (1u << 2)
#define WK_MSG_EDITED (1u << 3)
#define WK_MSG_REVOKED (1u << 4)
/* Not opened (yet): message is empty. A message that comes after all takes its place. */
#define WK_MSG_PLACEHOLDER (1u << 5)
#define WK_MSG_MEDIA (1u << 6) /* there is something to download */

struct wk_msg {
	struct wa_jid chat;   /* without a device */
	struct wa_jid sender; /* without a device; of one's own: one's own */
	const char *id;
	const char *push_name; /* NULL: none came */
	int64_t unix_s;
	uint64_t order; /* history's order number; 0: none */
	unsigned flags;
	const uint8_t *message; /* serialised Message, as it came but for wrappers of transport */
	size_t message_len;
	const uint8_t *secret; /* WA_MSG_SECRET_LEN bytes; NULL: none */
};

/*
 * Store it, unless it is there already. *new_out: it was not (or was a placeholder, and this is
 * none). A message that is marked revoked stays so. 0; WA_ELIMIT: no id, or too long a one.
 */
ATTR_NODISCARD int wk_store_msg_put(struct wk_store *st, const struct wk_msg *m, bool *new_out);
/* Is it there (and no placeholder)? 1, 0 or a negative code. Only chat, sender, id, FROM_ME count.
 */
ATTR_NODISCARD int wk_store_msg_has(struct wk_store *st, const struct wk_msg *m);

/* Rows are handed over one by one, m borrowed for the call. Not 0: no more, and it is returned. */
struct wk_store_msg_each {
	int (*on_msg)(void *arg, const struct wk_msg *m);
	void *arg;
};

/* Every message of that id in a chat. 0, or what on_msg returned. */
ATTR_NODISCARD int wk_store_msg_in(struct wk_store *st, const struct wa_jid *chat, const char *id,
                                   const struct wk_store_msg_each *each);
/* ... whatever the chat: every chat is looked into, so only for what a person asks. */
ATTR_NODISCARD int wk_store_msg_by_id(struct wk_store *st, const char *id,
                                      const struct wk_store_msg_each *each);
/*
 * Messages of a chat from from_unix_s up to and with to_unix_s, newest first, at most limit. What
 * is no message of its own (WK_MSG_ADDON) or a placeholder is left out.
 */
ATTR_NODISCARD int wk_store_msg_list(struct wk_store *st, const struct wa_jid *chat,
                                     int64_t from_unix_s, int64_t to_unix_s, size_t limit,
                                     const struct wk_store_msg_each *each);
/* The oldest message of a chat. -ENOENT: there is none. */
ATTR_NODISCARD int wk_store_msg_oldest(struct wk_store *st, const struct wa_jid *chat,
                                       const struct wk_store_msg_each *each);
/* Set flags (EDITED, REVOKED) of the message with m's chat, sender, id and FROM_ME, if it is there.
 */
ATTR_NODISCARD int wk_store_msg_mark(struct wk_store *st, const struct wk_msg *m, unsigned flags);
/* The secret of a message, by chat and id. 0; -ENOENT. */
ATTR_NODISCARD int wk_store_msg_secret(struct wk_store *st, const struct wa_jid *chat,
                                       const char *id, uint8_t out[WA_MSG_SECRET_LEN]);
/* How many are stored in all, placeholders and add-ons too. */
ATTR_NODISCARD int wk_store_msg_count(struct wk_store *st, uint64_t *n_out);

/*
 * The key of a message: of id, chat and sender, for tables beside this one. Not negative. 0; or
 * -ENOENT: its chat is not known (and make is false).
 */
ATTR_NODISCARD int wk_store_msg_key(struct wk_store *st, const struct wk_msg *m, bool make,
                                    int64_t *key_out, int64_t *chat_out);

#endif
