/*
 * worker/store/wk_store_name.h - how people and groups are called
 *
 * Two names for a JID: the one in the phone's address book (for groups: nothing), and the one its
 * owner chose (push name; a group's subject). Kept under the JID they came with, sealed; who looks
 * one up tries both identities. What is changed while a stanza of a batch is worked on is part of
 * the batch. Codes as in wk_store.h.
 */
#ifndef WK_STORE_NAME_H
#define WK_STORE_NAME_H

#include "common/attr.h"
#include "worker/wa/node/wa_jid.h"

struct wk_store;

#define WK_STORE_NAME_CAP 256 /* longer ones are cut at a character */

enum wk_name_kind {
	WK_NAME_BOOK, /* address book */
	WK_NAME_OWN,  /* push name, subject */
};

/*
 * The name of a user or group (its device does not matter): address book before own. alt: its other
 * identity; NULL or server "": none. *name_out is borrowed until the next call of a function of
 * this file. 0; -ENOENT: none is known.
 */
ATTR_NODISCARD int wk_store_name(struct wk_store *st, const struct wa_jid *jid,
                                 const struct wa_jid *alt, const char **name_out);
/* Remember it; NULL or "": forget it. Nothing is written when it is known already. */
ATTR_NODISCARD int wk_store_name_learn(struct wk_store *st, const struct wa_jid *jid,
                                       enum wk_name_kind kind, const char *name);

#endif
