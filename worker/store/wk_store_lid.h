/*
 * worker/store/wk_store_lid.h - one person, two identities: which LID user is which phone number user
 *
 * Users are the parts before "@", digits only; others are never paired. What is changed while a
 * stanza of a batch is worked on is part of the batch. Codes as in wk_store.h.
 * Source: protocol notes 05 sections 2.2 and 8.
 */
#ifndef WK_STORE_LID_H
#define WK_STORE_LID_H

#include <stdbool.h>

#include "common/attr.h"
#include "worker/wa/node/wa_jid.h"

struct wk_store;

#define WK_USER_CAP (WA_JID_USER_MAX + 1)

/* 0; -ENOENT: not known. */
ATTR_NODISCARD int wk_store_lid_of(struct wk_store *st, const char *pn, char lid_out[WK_USER_CAP]);
ATTR_NODISCARD int wk_store_pn_of(struct wk_store *st, const char *lid, char pn_out[WK_USER_CAP]);

/*
 * Remember a pair; the newest counts. A new one takes sessions, identities, sender keys, the chat
 * and what is known of it that are kept under the number along to the LID (those of the LID win;
 * of privacy tokens the newer). Users that are not digits are passed over. *new_out (may be NULL):
 * it was not known before.
 */
ATTR_NODISCARD int wk_store_lid_learn(struct wk_store *st, const char *pn, const char *lid,
                                      bool *new_out);

/*
 * The JID that things are kept under: without a device, c.us and hosted as the usual servers, the
 * LID of a number where it is known.
 */
ATTR_NODISCARD int wk_store_jid(struct wk_store *st, const struct wa_jid *jid,
                                struct wa_jid *jid_out);
/* Its other identity: the number of a LID, the LID of a number. 0; -ENOENT: none is known. */
ATTR_NODISCARD int wk_store_jid_alt(struct wk_store *st, const struct wa_jid *jid,
                                    struct wa_jid *alt_out);

#endif
