/*
 * worker/receive/wk_signal.h - the session's Signal state: made when it is first needed, over session.db
 */
#ifndef WK_SIGNAL_H
#define WK_SIGNAL_H

#include <stdbool.h>

#include "common/attr.h"
#include "worker/store/wk_store_signal.h"
#include "worker/wa/signal/wa_signal.h"

struct wa_jid;

struct wk_signal {
	struct wk_store_signal store;
	struct wa_signal *signal; /* NULL: not made, or let go */
};

/* Both borrowed. */
void wk_signal_init(struct wk_signal *s, struct wk_store *st, const struct wk_creds *creds);
/* Let go of its memory; it comes back when it is needed. Outside of batches too. */
void wk_signal_idle(struct wk_signal *s);

/* 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int wk_signal_get(struct wk_signal *s, struct wa_signal **signal_out);
/*
 * The address of a device: under its LID where that is known. alt: its other identity as the
 * stanza has it; NULL or server "": not told. 0; WA_EPROTO: no session peer; or as wk_store.h.
 */
ATTR_NODISCARD int wk_signal_addr(struct wk_signal *s, const struct wa_jid *device,
                                  const struct wa_jid *alt, struct wa_signal_addr *addr_out);
/* That of our own phone. */
ATTR_NODISCARD int wk_signal_own_phone(struct wk_signal *s, struct wa_signal_addr *addr_out);

#endif
