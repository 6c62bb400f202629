/*
 * worker/store/wk_store.h - session.db: one instance's session on disk, opened by its worker alone
 *
 * Every call that changes something returns after its commit is durable; on failure nothing has
 * changed. Secrets are sealed with the instance key. The one door to the session's storage, so
 * that another store can stand beside SQLite.
 *
 * Codes of every call: 0; WA_ESTORE_CORRUPT (damaged, or sealed with another key: never written
 * over); WA_ESTORAGE (disk full, read-only, I/O error); -ENOMEM; WA_ECRYPTO; others as said.
 */
#ifndef WK_STORE_H
#define WK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "worker/store/wk_creds.h"

struct wk_store;

/*
 * Once in a process, before any store is open; without it stores work, but take more memory. Pages
 * are allocated as they are needed: by default each cache takes 20 at once, and touches them. What
 * SQLite sets up once is shared with the zygote's children.
 */
ATTR_NODISCARD int wk_store_init(void);

/*
 * dir: the instance's directory. key is copied into secret memory. create: make the file when it
 * is missing. Removes what was set aside more than 7 days ago.
 * Also -ENOENT (no file, and create is false); WA_EALREADY_RUNNING (another process holds it);
 * WA_ESTATE (written by a newer version).
 */
ATTR_NODISCARD int wk_store_open(const char *dir, const char *instance_id,
                                 const struct sealed_key *key, bool create,
                                 struct wk_store **store_out);
/* Closes; wipes the key. NULL is fine. */
void wk_store_close(struct wk_store *st);
/* Give back all memory that need not be held. Safe at any time; NULL is fine. */
void wk_store_trim(struct wk_store *st);

/*
 * Which state the file is in: grows with every commit, so that an old copy that was put back shows.
 * Of the link that was loaded or made; before that 0, or what it was told to follow.
 */
uint64_t wk_store_generation(const struct wk_store *st);
/* A link that is made from now on is newer than this. */
void wk_store_follow(struct wk_store *st, uint64_t generation);

/* ---- the link ------------------------------------------------------------------------------ */

/* The saved link; -ENOENT: there is none. On failure c is cleared. */
ATTR_NODISCARD int wk_store_load(struct wk_store *st, struct wk_creds *c);

/* A new link: all of c, in place of whatever was there. */
ATTR_NODISCARD int wk_store_link(struct wk_store *st, const struct wk_creds *c);

/* What changes in the life of a link: everything of c but device, account, account_key. */
ATTR_NODISCARD int wk_store_update(struct wk_store *st, const struct wk_creds *c);

/* ---- one-time pre-keys --------------------------------------------------------------------- */

struct wk_prekey {
	uint32_t id;
	uint8_t pub[WA_KEY_LEN];
};

/*
 * n pre-keys that the server does not have yet, oldest first: those of a lost upload again, new
 * ones made for the rest. out holds n.
 */
ATTR_NODISCARD int wk_store_prekeys(struct wk_store *st, size_t n, struct wk_prekey *out);
/* The server has them: every pre-key made so far with an id among these. */
ATTR_NODISCARD int wk_store_prekeys_uploaded(struct wk_store *st, const struct wk_prekey *keys,
                                             size_t n);
/* A new one that is handed out by ourselves, never uploaded; of those only the newest are kept. */
ATTR_NODISCARD int wk_store_prekey_give(struct wk_store *st, struct wk_prekey *out);
/* Public half of a pre-key we still have; -ENOENT: used up, or never ours. */
ATTR_NODISCARD int wk_store_prekey_pub(struct wk_store *st, uint32_t id, uint8_t pub[WA_KEY_LEN]);

/* ---- the signed pre-key -------------------------------------------------------------------- */

#define WK_SIGNED_KEPT_S (60 * 24 * 3600) /* a former one: peers may have had it from the server */

/*
 * Another one in the place of the device's, which is kept as a former one; c is changed with it,
 * signed_prekey_waits set. Former ones of too long ago are forgotten.
 */
ATTR_NODISCARD int wk_store_rotate_signed(struct wk_store *st, struct wk_creds *c,
                                          int64_t now_unix_s);

/* ---- the end of a link --------------------------------------------------------------------- */

/*
 * The link is over by WhatsApp's will: close, and move the file aside as
 * session.db.<word>-<Unix s>, kept 7 days, never used again. word: "logged_out", "banned".
 * st is closed in any case.
 */
ATTR_NODISCARD int wk_store_set_aside(struct wk_store *st, const char *word);
/* The link is over by the user's will, or there never was one: close and delete the file. */
ATTR_NODISCARD int wk_store_erase(struct wk_store *st);

#endif
