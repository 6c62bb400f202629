/*
 * worker/store/wk_store_signal.h - Signal records, identities and own keys of session.db, for wa_signal
 *
 * While a batch is open records that change stay in memory and are written once, when it commits:
 * a sender that sends a hundred messages costs one write. All of it is sealed at rest.
 */
#ifndef WK_STORE_SIGNAL_H
#define WK_STORE_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/signal/wa_signal.h"

struct wk_creds;
struct wk_store;

/* The arg of wk_store_signal_ops; both borrowed. */
struct wk_store_signal {
	struct wk_store *st;
	const struct wk_creds *creds; /* own signed pre-key; identity of the own phone */
};

extern const struct wa_signal_store_ops wk_store_signal_ops;

/* Sessions and identities of all devices of these Signal names; pn, lid: users, "" for none. */
ATTR_NODISCARD int wk_store_signal_forget(struct wk_store *st, const char *pn, const char *lid);
/* One device: its session, and where identity is true its identity. */
ATTR_NODISCARD int wk_store_signal_forget_one(struct wk_store *st,
                                              const struct wa_signal_addr *addr, bool identity);

#endif
