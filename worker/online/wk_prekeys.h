/*
 * worker/online/wk_prekeys.h - keeping one-time pre-keys on the server: how many, which, are they ours
 *
 * Reads counts and digests, builds uploads from the store, and marks keys as uploaded only once
 * the server has said so: an upload whose answer is lost is made again with the same keys. No I/O
 * but the store. Source: protocol notes 04 sections 4.2 to 4.5.
 */
#ifndef WK_PREKEYS_H
#define WK_PREKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store.h"

struct wa_node;

#define WK_PREKEYS_ALL 812 /* uploaded when the server has none */
#define WK_PREKEYS_MORE 50 /* uploaded when it has few */
#define WK_PREKEYS_LOW 5   /* fewer than this are few */

struct wk_prekeys {
	struct wk_store *store;       /* borrowed */
	const struct wk_creds *creds; /* borrowed */
	struct wk_prekey *sent;       /* keys of the upload on its way; NULL: none */
	size_t sent_n;
	uint32_t sent_signed_id; /* the signed one that went with it */
	unsigned want; /* keys of the next upload; 0: none is needed */
};

void wk_prekeys_init(struct wk_prekeys *p, struct wk_store *store, const struct wk_creds *creds);
void wk_prekeys_clear(struct wk_prekeys *p);

/* The server has said how many it has: sets want when an upload is due. */
void wk_prekeys_told(struct wk_prekeys *p, uint32_t count);
/* The answer to a count. 0 or WA_EPROTO. */
ATTR_NODISCARD int wk_prekeys_counted(struct wk_prekeys *p, const struct wa_node *result);

/* One is due for the sake of the signed pre-key. */
void wk_prekeys_want_upload(struct wk_prekeys *p);

/*
 * An upload of want keys, made and committed first. 0, -ENOMEM or as wk_store_prekeys(); the
 * caller frees *upload_out after sending. The keys are kept until one of the two below.
 */
ATTR_NODISCARD int wk_prekeys_upload(struct wk_prekeys *p, const char *id,
                                     struct wa_node **upload_out);
/* The server has taken them. 0 or as wk_store_prekeys_uploaded(). May set want again. */
ATTR_NODISCARD int wk_prekeys_uploaded(struct wk_prekeys *p, const struct wa_node *result);
/* It has not, or did not say: want stays, and the same keys go next time. */
void wk_prekeys_lost(struct wk_prekeys *p);

/*
 * The answer to a digest request; NULL: the server has no keys of ours (404). 1 when it does not
 * match ours: want is set, for keys that it never had, as it may have given those away that it
 * lost. 0: it does. WA_EPROTO or WA_ESTATE: no digest, or of an unknown type, which
 * asks for nothing; otherwise as wk_store_prekey_pub(), or WA_ECRYPTO.
 */
ATTR_NODISCARD int wk_prekeys_digest(struct wk_prekeys *p, const struct wa_node *result);

/* ---- the signed pre-key ------------------------------------------------------------------------
 */

#define WK_SIGNED_AGE_S (27 * 24 * 3600) /* as official clients do */

/* How long until another one is due, in seconds; 0: now. */
int64_t wk_prekeys_signed_due_s(const struct wk_creds *creds, int64_t now_unix_s);

#endif
