/*
 * worker/store/wk_store_msg_priv.h - the inside of wk_store_msg, shared by its files
 *
 *	wk_store_msg.c       rows put, marked, read
 *	wk_store_msg_key.c   which row a message is
 *	wk_store_msg_body.c  what is sealed in it
 */
#ifndef WK_STORE_MSG_PRIV_H
#define WK_STORE_MSG_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/store/wk_store_msg.h"

struct wk_msg_chat {
	int64_t id;
	int64_t old_id; /* of the chat that was merged into it; 0: none */
};

/* make: where there is none yet. 0, -ENOENT or a failure. */
ATTR_NODISCARD int wk_msg_chat_of(struct wk_store *st, const struct wa_jid *jid, bool make,
                                  struct wk_msg_chat *c_out);
/* keys[1]: under the chat that was merged into this one; 0: there is none. Also WA_ELIMIT: its id.
 */
ATTR_NODISCARD int wk_msg_keys_of(struct wk_store *st, const struct wk_msg *m, bool make,
                                  struct wk_msg_chat *c, int64_t keys[2]);
bool wk_msg_id_fits(const char *id);
/* The keys of all messages of that id, in one chat: both ends are in it. */
void wk_msg_id_range(const struct wk_store *st, const char *id, int64_t *from_out, int64_t *to_out);

/* A text of at most 255 bytes, in memory of its own. */
struct wk_msg_text {
	char s[256];
};

/* Appended. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_msg_body_write(const struct wk_msg *m, struct buf *b);
/* texts: the memory of id and name; the rest is borrowed from b. 0 or WA_ESTORE_CORRUPT. */
ATTR_NODISCARD int wk_msg_body_read(const struct buf *b, struct wk_msg_text texts[2],
                                    struct wk_msg *m);

#endif
