/* worker/send/wk_send_priv.h - sending's inside, shared by its files */
#ifndef WK_SEND_PRIV_H
#define WK_SEND_PRIV_H

#include "common/buf.h"
#include "worker/send/wk_send.h"
#include "worker/store/wk_store_sent.h"

struct event;

#define WK_SEND_AGAIN_MAX 16 /* retry receipts that wait for a session */

enum wk_send_step {
	WK_SEND_IDLE,
	WK_SEND_DEVICES,  /* asked for */
	WK_SEND_SESSIONS, /* being begun */
	WK_SEND_ACK       /* it has left */
};

/* A device that it is sealed for. */
struct wk_send_target {
	struct wa_jid jid;
	bool own; /* of our account */
};

struct wk_send {
	struct wk_send_params p;
	struct event *timer; /* of WK_SEND_ACK; of WK_SEND_IDLE: look */
	enum wk_send_step step;
	bool online;
	bool maybe; /* something may be waiting in the store */
	struct wk_sent cur;
	bool extra;    /* it is taken: only devices that were missed get it now */
	bool told_own; /* what the server said of the two accounts */
	bool told_peer;
	struct wk_send_target *targets;
	size_t targets_n, targets_cap;
	struct wa_jid give_to;               /* our token; server "": nobody */
	char phash[16];                      /* of those, and us */
	struct buf again[WK_SEND_AGAIN_MAX]; /* their stanzas */
	size_t again_n;
	unsigned refused; /* that could not be answered, so far */
};

/* A code that must undo the batch. */
bool wk_send_is_fatal(int rc);

/* wk_send_seal.c: cur, sealed for its targets, is in the store and leaves with the batch. 0;
 * WA_SIG_ENOSESSION: for nobody of who it is for; or fatal. */
ATTR_NODISCARD int wk_send_seal(struct wk_send *s);
/* Seal what is kept of a message for one device. own: of our account. */
ATTR_NODISCARD int wk_send_seal_one(struct wk_send *s, const struct wk_sent *m,
                                    const struct wa_jid *device, bool own, int *type_out,
                                    struct buf *out);
/* wk_send_devices.c: what the server says of them; whom it is to may change, to his LID. 0,
 * WA_EPROTO, or fatal. */
ATTR_NODISCARD int wk_send_read_devices(struct wk_send *s, const struct wa_node *result);
/* Then: their hash; of them those that are to get it. 0 or fatal. */
ATTR_NODISCARD int wk_send_pick(struct wk_send *s);
/* The account in the addressing of `to`, without a device. */
int wk_send_self(const struct wk_send *s, const struct wa_jid *to, struct wa_jid *out);
bool wk_send_is_own(const struct wk_send *s, const struct wa_jid *jid);

/* wk_send_again.c: retry receipts that waited for a session. */
void wk_send_again_go(struct wk_send *s);
void wk_send_again_clear(struct wk_send *s);

#endif
