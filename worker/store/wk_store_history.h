/*
 * worker/store/wk_store_history.h - what session.db knows of history: notices to be worked on, how
 * far it is, tokens that came with it
 *
 * A notice is here from the moment its message was stored until its blob is: a crash in between
 * begins it again. What is written while a stanza of a batch is worked on is part of the batch.
 * Codes as in wk_store.h.
 */
#ifndef WK_STORE_HISTORY_H
#define WK_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/node/wa_jid.h"

struct wk_store;

#define WK_HISTORY_NOTICE_MAX (4u * 1024 * 1024)
#define WK_HISTORY_JOBS_MAX 4096

/* body: message id, NUL, ProtocolMessage. Also WA_ELIMIT: too long, or too many wait. */
ATTR_NODISCARD int wk_store_history_add(struct wk_store *st, const void *body, size_t body_len);
/* The first one after id; its body is appended, wipe it after use. -ENOENT: there is none. */
ATTR_NODISCARD int wk_store_history_next(struct wk_store *st, int64_t after, int64_t *id_out,
                                         struct buf *body);
ATTR_NODISCARD int wk_store_history_drop(struct wk_store *st, int64_t id);

/*
 * Notices that are done while the phone may not have heard it: the message's id from the commit
 * that stored its chunk until WhatsApp has acknowledged the receipt. The newest TOLD_MAX are kept.
 * next: -ENOENT: there is none.
 */
#define WK_HISTORY_TOLD_MAX 32
struct wk_history_told {
	char message_id[WK_MSG_ID_MAX + 1];
	bool by_lid; /* the phone sent it under the account's LID */
};
ATTR_NODISCARD int wk_store_history_told_put(struct wk_store *st, const char *message_id,
                                             bool by_lid);
ATTR_NODISCARD int wk_store_history_told_drop(struct wk_store *st, const char *message_id);
ATTR_NODISCARD int wk_store_history_told_next(struct wk_store *st, int64_t after, int64_t *seq_out,
                                              struct wk_history_told *out);

/* Of the link; all zero before the first notice. */
struct wk_history_state {
	uint64_t messages, conversations; /* stored so far */
	uint32_t recent, full;            /* progress, 0 to 100 */
	bool initial;                     /* the list of chats came */
	bool done;                        /* said to be complete */
	int64_t last_unix_s;              /* of the newest chunk */
};
ATTR_NODISCARD int wk_store_history_load(struct wk_store *st, struct wk_history_state *s_out);
ATTR_NODISCARD int wk_store_history_save(struct wk_store *st, const struct wk_history_state *s);

/* What is known of older messages of a chat than those that are stored. */
enum wk_chat_older {
	WK_OLDER_UNSAID = -1, /* as it was */
	WK_OLDER_MAYBE = 0,
	WK_OLDER_NONE = 1,    /* the phone has no more, or gives none */
	WK_OLDER_DROPPED = 2, /* it sent some that were too old */
	WK_OLDER_ASKED = 3,   /* NONE, in answer to a request: whatever was dropped before */
};

/*
 * What the phone says of a chat: how it names it, and what is known of older messages.
 * get: -ENOENT: it has said nothing.
 */
ATTR_NODISCARD int wk_store_history_chat_put(struct wk_store *st, const struct wa_jid *phone_jid,
                                             enum wk_chat_older older);
ATTR_NODISCARD int wk_store_history_chat_get(struct wk_store *st, const struct wa_jid *chat,
                                             char phone_jid_out[WA_JID_TEXT_CAP],
                                             bool *none_older_out);

/*
 * A lot is about to be stored, or was: with more memory and fewer checkpoints pages are written
 * once instead of many times. Costs speed alone where it does not work.
 */
void wk_store_bulk(struct wk_store *st, bool on);

#define WK_TOKEN_MAX 1024

/* A privacy token of a user; an older one than is known changes nothing. */
ATTR_NODISCARD int wk_store_tc_token_put(struct wk_store *st, const struct wa_jid *user,
                                         const uint8_t *token, size_t token_len, int64_t unix_s);
/* 0; -ENOENT. */
ATTR_NODISCARD int wk_store_tc_token_get(struct wk_store *st, const struct wa_jid *user,
                                         struct buf *token, int64_t *unix_s_out);
/* The account's salt. From history: one that is there stays. */
ATTR_NODISCARD int wk_store_nct_salt_put(struct wk_store *st, const uint8_t *salt, size_t salt_len);
/* From app state: in the place of the one that is there; salt_len 0: there is none any more. */
ATTR_NODISCARD int wk_store_nct_salt_set(struct wk_store *st, const uint8_t *salt, size_t salt_len);
ATTR_NODISCARD int wk_store_nct_salt_get(struct wk_store *st, struct buf *salt);

#endif
