/*
 * worker/store/wk_store_sent.h - messages of our own: wanted, on their way, kept for who asks again
 *
 * A row lives from the moment a message is wanted until it is too old to be asked for again. What
 * leaves is here first, as it leaves: so nothing is sealed twice, and a stanza whose answer was
 * lost with its connection leaves again byte for byte. Contents are sealed. Everything is called
 * within a batch (reading need not be). Codes as in wk_store.h.
 */
#ifndef WK_STORE_SENT_H
#define WK_STORE_SENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/node/wa_jid.h"

struct wk_store;

#define WK_SENT_ID_CAP 33
#define WK_SENT_KEPT_S (7 * 24 * 3600)
#define WK_SENT_KEPT_N 256 /* the newest */

/* As they are written: never renumbered. */
enum wk_sent_state {
	WK_SENT_WANTED = 0,
	WK_SENT_LEFT = 1,  /* sealed, and on its way or about to be */
	WK_SENT_TAKEN = 2, /* by the server */
	WK_SENT_GIVEN_UP = 3
};

struct wk_sent {
	char id[WK_SENT_ID_CAP];
	struct wa_jid to; /* without a device, as addressed */
	enum wk_sent_state state;
	unsigned tries;     /* how often it has left */
	int64_t unix_s;     /* when it was wanted */
	struct buf message; /* serialized Message; owned */
	struct buf stanza;  /* LEFT: as it leaves; owned */
};

/* Wipes and releases. */
void wk_sent_clear(struct wk_sent *s);

/* A new one, WANTED; the oldest make room. */
ATTR_NODISCARD int wk_store_sent_add(struct wk_store *st, const struct wk_sent *s);
/* The oldest that is WANTED or LEFT. -ENOENT: none. s is to be cleared before; and after. */
ATTR_NODISCARD int wk_store_sent_next(struct wk_store *st, struct wk_sent *s);
ATTR_NODISCARD int wk_store_sent_find(struct wk_store *st, const char *id, struct wk_sent *s);
/* Who it is for, its state, tries and stanza are now these. */
ATTR_NODISCARD int wk_store_sent_save(struct wk_store *st, const struct wk_sent *s);

/* How many since then: to that person, to anybody. */
ATTR_NODISCARD int wk_store_sent_since(struct wk_store *st, const struct wa_jid *to, int64_t unix_s,
                                       unsigned *to_n_out, unsigned *all_n_out);

/* ---- devices that one was sealed for ------------------------------------------------------- */

struct wk_sent_device {
	unsigned served; /* retry receipts that were answered */
	bool has_base_key;
	uint8_t base_key[WA_KEY_LEN]; /* of the session, when it asked for the second time */
};

/* device: JID text. -ENOENT: not sealed for that one. */
ATTR_NODISCARD int wk_store_sent_device(struct wk_store *st, const char *id, const char *device,
                                        struct wk_sent_device *d_out);
ATTR_NODISCARD int wk_store_sent_device_save(struct wk_store *st, const char *id,
                                             const char *device, const struct wk_sent_device *d);

#endif
