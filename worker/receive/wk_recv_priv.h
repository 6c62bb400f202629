/* worker/receive/wk_recv_priv.h - the receive path's inside, shared by its files */
#ifndef WK_RECV_PRIV_H
#define WK_RECV_PRIV_H

#include "common/buf.h"
#include "worker/receive/wk_recv.h"
#include "worker/receive/wk_recv_budget.h"
#include "worker/receive/wk_retry_ask.h"
#include "worker/receive/wk_signal.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/message/wa_pool.h"
#include "worker/wa/node/wa_node.h"

struct event;

#define WK_RECV_BASES 8   /* sessions of the phone that it could not use */
#define WK_RECV_RETRIES 4 /* its retry receipts that wait for a session */

struct wk_recv {
	struct wk_recv_params p;
	struct wa_own_users own;
	struct wk_signal signal;
	struct wa_pool *pool; /* NULL: not made, or let go */
	struct wk_recv_handler handlers[WK_OWN_N];
	struct wk_recv_budget budget;
	struct wk_recv_held held; /* stanzas of those who spent theirs */
	struct wk_retry_asks asks;
	struct event *idle; /* nothing came for a while: memory goes back */
	struct event *held_timer;
	struct wk_recv_counts counts;
	struct {
		int64_t key; /* of the message; 0: none */
		uint8_t base_key[WA_KEY_LEN];
	} bases[WK_RECV_BASES];
	unsigned bases_next;
	struct buf retries[WK_RECV_RETRIES]; /* their stanzas */
	size_t retries_n;
	unsigned loud; /* lines logged in this minute */
	uint64_t loud_ms;
};

/* A message on its way through. */
struct wk_recv_in {
	struct wk_recv *r;
	const struct wa_node *node;
	struct wa_source src;
	struct wa_signal_addr addr; /* the sender's device */
	size_t place;               /* its receipt goes in front of what its event lets leave */
};

/* A warning about foreign messages, at most 10 a minute; beyond that LOG_DEBUG. */
int wk_recv_level(struct wk_recv *r);

/* Own users, from the credentials as they are now. */
void wk_recv_know_self(struct wk_recv *r);

/* wk_recv_open.c: decrypt one <enc>; plain is appended to. 0, a code of wa_signal.h, WA_EAUTH
 * (msmsg that does not open), -ENOENT (msmsg: its secret is missing), or a fatal code. */
ATTR_NODISCARD int wk_recv_open(struct wk_recv_in *in, const struct wa_node *enc,
                                struct buf *plain);
/* Two identities of one person, in either order; others, and our own, are passed over. 0 or fatal.
 */
ATTR_NODISCARD int wk_recv_learn(struct wk_recv *r, const struct wa_jid *a, const struct wa_jid *b);
/* The address of its sender; pairs of identities are learned. 0, WA_EPROTO, or fatal. */
ATTR_NODISCARD int wk_recv_address(struct wk_recv_in *in);

/* wk_recv_take.c: what a plaintext says. 0; WA_EPROTO: nothing that can be read; or fatal. */
ATTR_NODISCARD int wk_recv_take(struct wk_recv_in *in, const struct buf *plain);
/* An event that says: there was a message, and it can't be opened. 0 or fatal. */
ATTR_NODISCARD int wk_recv_tell_unopened(struct wk_recv *r, const struct wa_source *src);
/* A message that the phone sent again, as it has it. 0 or fatal. */
ATTR_NODISCARD int wk_recv_take_resent(struct wk_recv *r, const uint8_t *info, size_t info_len);
/* wk_recv_phone.c: what a former process wanted to send the phone. 0 or fatal. */
ATTR_NODISCARD int wk_recv_phone_resume(struct wk_recv *r);
/* As the store has it: chat, sender, id, FROM_ME, time, name. */
void wk_recv_row(const struct wa_source *src, struct wk_msg *row);

#endif
