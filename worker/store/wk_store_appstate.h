/*
 * worker/store/wk_store_appstate.h - app state in session.db: keys, how far each collection is,
 * what it says
 *
 * Collections are numbers here (enum wk_collection). What is changed while a stanza of a batch is
 * worked on is part of the batch. Codes as in wk_store.h. Source: protocol notes 08.
 */
#ifndef WK_STORE_APPSTATE_H
#define WK_STORE_APPSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/appstate/wa_appstate.h"

struct wa_jid;
struct wk_store;

/* In the order of a first synchronisation. */
#define WK_COLLECTION_LIST(X) \
	X(WK_CRITICAL_BLOCK, "critical_block")             /* push name */ \
	X(WK_CRITICAL_UNBLOCK_LOW, "critical_unblock_low") /* contacts */ \
	X(WK_REGULAR_HIGH, "regular_high")                 /* mute */ \
	X(WK_REGULAR, "regular")                           /* labels */ \
	X(WK_REGULAR_LOW, "regular_low")                   /* pin, archive, read marks */

enum wk_collection {
#define X(id, name) id,
	WK_COLLECTION_LIST(X)
#undef X
	    WK_COLLECTION_N
};

const char *wk_collection_name(enum wk_collection c);
int wk_collection_of(const char *name); /* -1: none of these */

/* ---- keys ---------------------------------------------------------------------------------------
 */

/* A newer one takes the place of an older one with the same id. *new_out: it was stored. */
ATTR_NODISCARD int wk_store_appstate_key_put(struct wk_store *st, struct wa_bytes id,
                                             const uint8_t data[WA_APPSTATE_KEY_LEN],
                                             int64_t unix_ms, bool *new_out);
/* 0, -ENOENT. Wipe it. */
ATTR_NODISCARD int wk_store_appstate_key(struct wk_store *st, struct wa_bytes id,
                                         uint8_t data_out[WA_APPSTATE_KEY_LEN]);
/* Is there any key? 1, 0 or a code. */
ATTR_NODISCARD int wk_store_appstate_has_keys(struct wk_store *st);
/* A key that is missing is to be asked for, and that is noted: 1; 0: it was, less than a day ago.
 */
ATTR_NODISCARD int wk_store_appstate_key_ask(struct wk_store *st, struct wa_bytes id,
                                             int64_t now_unix_s);

/* ---- collections --------------------------------------------------------------------------------
 */

struct wk_appstate_row {
	uint64_t version; /* 0: nothing yet */
	bool synced;      /* as far as the server had it, once */
	uint8_t hash[WA_APPSTATE_HASH_LEN];
	uint64_t told;                         /* version that the server spoke of */
	uint8_t waits[WA_APPSTATE_KEY_ID_MAX]; /* for this key */
	size_t waits_len;                      /* 0: for none */
};

/* Of a collection that was never synchronised: all zero. */
ATTR_NODISCARD int wk_store_appstate_load(struct wk_store *st, enum wk_collection c,
                                          struct wk_appstate_row *row_out);
ATTR_NODISCARD int wk_store_appstate_save(struct wk_store *st, enum wk_collection c,
                                          const struct wk_appstate_row *row);

/* The map of a collection. */
ATTR_NODISCARD int wk_store_appstate_mac(struct wk_store *st, enum wk_collection c,
                                         const uint8_t index_mac[WA_APPSTATE_MAC_LEN],
                                         uint8_t out[WA_APPSTATE_MAC_LEN]); /* or -ENOENT */
/* round: what is not set again in the present one is dropped by wk_store_appstate_mac_end(). */
ATTR_NODISCARD int wk_store_appstate_mac_set(struct wk_store *st, enum wk_collection c,
                                             const uint8_t index_mac[WA_APPSTATE_MAC_LEN],
                                             const uint8_t value_mac[WA_APPSTATE_MAC_LEN],
                                             int64_t round);
ATTR_NODISCARD int wk_store_appstate_mac_del(struct wk_store *st, enum wk_collection c,
                                             const uint8_t index_mac[WA_APPSTATE_MAC_LEN]);
ATTR_NODISCARD int wk_store_appstate_mac_end(struct wk_store *st, enum wk_collection c,
                                             int64_t round);

/*
 * What is asked of the phone: a collection that not even a snapshot of the server's helps. From the
 * moment it is given up until it is sound again.
 */
#define WK_APPSTATE_ASK_ID_CAP 48

struct wk_appstate_ask {
	bool wanted;                             /* there is one */
	bool has_left;                           /* WhatsApp has acknowledged the last request */
	unsigned tries;                          /* requests */
	int64_t asked_unix_s;                    /* of the last */
	char message_id[WK_APPSTATE_ASK_ID_CAP]; /* likewise */
};

ATTR_NODISCARD int wk_store_appstate_ask_put(struct wk_store *st, enum wk_collection c,
                                             const struct wk_appstate_ask *ask);
ATTR_NODISCARD int wk_store_appstate_ask_drop(struct wk_store *st, enum wk_collection c);
/* Of all collections. */
ATTR_NODISCARD int wk_store_appstate_asks(struct wk_store *st,
                                          struct wk_appstate_ask asks_out[WK_COLLECTION_N]);

/* ---- what it says -------------------------------------------------------------------------------
 */

/* name NULL: deleted. */
ATTR_NODISCARD int wk_store_label_put(struct wk_store *st, const char *label, const char *name);
/* Append its name. 0, -ENOENT. */
ATTR_NODISCARD int wk_store_label(struct wk_store *st, const char *label, struct buf *name_out);

enum wk_chat_mark {
	WK_CHAT_MUTED,    /* until, Unix ms; -1: for ever; 0: not */
	WK_CHAT_PINNED,   /* 1 or 0 */
	WK_CHAT_ARCHIVED, /* likewise */
	WK_CHAT_UNREAD,   /* marked unread */
	WK_CHAT_MARK_N
};

ATTR_NODISCARD int wk_store_chat_mark(struct wk_store *st, const struct wa_jid *chat,
                                      enum wk_chat_mark mark, int64_t v);
/* All of them; 0 where nothing is known. */
ATTR_NODISCARD int wk_store_chat_marks(struct wk_store *st, const struct wa_jid *chat,
                                       int64_t out[WK_CHAT_MARK_N]);

#endif
