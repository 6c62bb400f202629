/*
 * worker/history/wk_history_blob.h - one history blob: zlib bytes in, messages and names into the
 * store
 *
 * Read twice: the first time only who is who (which LID is which number) is learnt, so that the
 * second finds every chat under the one JID that it is kept under; else whole chats would have to
 * be moved afterwards. Everything within a batch. Storing something again changes nothing.
 */
#ifndef WK_HISTORY_BLOB_H
#define WK_HISTORY_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/history/wa_history.h"

struct wk_creds;
struct wk_emit;
struct wk_history_blob;
struct wk_settings;
struct wk_store;

enum wk_history_pass { WK_HISTORY_WHO, WK_HISTORY_ALL };

struct wk_history_blob_params {
	struct wk_store *store;       /* all borrowed for its life */
	const struct wk_creds *creds; /* who we are */
	enum wk_history_pass pass;
	struct wk_emit *emit;               /* new messages are told of; NULL: none */
	const struct wk_settings *settings; /* what they leave out is not stored; NULL: nothing */
	bool asked;                         /* it answers a request of ours */
	int64_t oldest_unix_s;              /* older messages are passed over; 0: none are */
};

/* 0 or -ENOMEM. */
ATTR_NODISCARD int wk_history_blob_new(const struct wk_history_blob_params *params,
                                       struct wk_history_blob **b_out);
void wk_history_blob_free(struct wk_history_blob *b); /* NULL is fine */

/* The next bytes. 0; wa_history_feed()'s codes: the blob is broken; or a code of the store. */
ATTR_NODISCARD int wk_history_blob_feed(struct wk_history_blob *b, const uint8_t *data,
                                        size_t data_len);
/* There are no more. As wa_history_end(). */
ATTR_NODISCARD int wk_history_blob_end(struct wk_history_blob *b);

/* Messages that were looked at so far, and those that are new in the store. */
uint64_t wk_history_blob_seen(const struct wk_history_blob *b);
uint64_t wk_history_blob_stored(const struct wk_history_blob *b);
const struct wa_history_counts *wk_history_blob_counts(const struct wk_history_blob *b);

/* Is it the store (or memory) that failed, and not the blob? */
bool wk_history_store_failed(int rc);

#endif
