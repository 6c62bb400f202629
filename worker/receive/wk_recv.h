/*
 * worker/receive/wk_recv.h - <message> stanzas: opened, stored, told of, answered; each exactly
 * once
 *
 * What a stanza changes (ratchet, used pre-key, LID pairs, stored message, event) is one part of a
 * batch (wk_batch.h); its receipt, or its ack, leaves when that is durable. Redelivered ones get
 * their receipt and nothing else. One that can't be opened is asked for again (wk_retry_ask.h).
 * Source: protocol notes 05 sections 5 and 9, 06 sections 2, 4, 6 and 7.
 */
#ifndef WK_RECV_H
#define WK_RECV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/stanza/wa_source.h"

struct Wa__ProtocolMessage;
struct Wa__WebMessageInfo;
struct event_base;
struct wa_node;
struct wk_batch;
struct wk_creds;
struct wk_event_msg;
struct wk_recv;
struct wk_settings;
struct wk_store;

/*
 * What the account's own devices tell each other. Called within the batch; codes are for
 * wk_batch_leave(): 0, or what must not be acknowledged. All borrowed for the call.
 */
struct wk_recv_own {
	const struct wa_source *source;
	const struct Wa__ProtocolMessage *protocol;
	bool from_phone; /* device 0 */
};

struct wk_recv_handler {
	int (*take)(void *arg, const struct wk_recv_own *own);
	void *arg;
};

/* Kinds of those that somebody can be there for: enum wa_protocol_type. */
enum wk_recv_own_kind {
	WK_OWN_HISTORY,   /* HISTORY_SYNC_NOTIFICATION; of device 0 only */
	WK_OWN_KEY_SHARE, /* APP_STATE_SYNC_KEY_SHARE */
	WK_OWN_APPSTATE,  /* PEER_DATA_RESPONSE of type WA_APPSTATE_PEER_TYPE; of device 0 only */
	WK_OWN_FATAL,     /* APP_STATE_FATAL_EXCEPTION */
	WK_OWN_N
};

struct wk_recv_params {
	struct event_base *base;
	struct wk_store *store; /* all borrowed */
	struct wk_batch *batch;
	const struct wk_creds *creds;
	const struct wk_settings *settings;
	const struct log_ctx *log;
	unsigned speed; /* divides every wait */
	/* Make an event of it; within the batch, codes as above. */
	int (*on_message)(const struct wk_event_msg *m, void *arg);
	/* Are we shown as available? Then messages count as delivered. NULL: never. */
	bool (*is_shown)(void *arg);
	/* A session with our own phone is wanted: wk_recv_sessions() follows. 0 or a code; called
	 * within the batch. NULL: it can't be had. */
	int (*want_phone)(void *arg);
	void *arg;
};

ATTR_NODISCARD int wk_recv_new(const struct wk_recv_params *params, struct wk_recv **r_out);
void wk_recv_free(struct wk_recv *r); /* NULL is fine */

void wk_recv_handle(struct wk_recv *r, enum wk_recv_own_kind kind, struct wk_recv_handler handler);

/* Online: go on with what a former process owed. */
void wk_recv_resume(struct wk_recv *r);
/* A <message>. */
void wk_recv_message(struct wk_recv *r, const struct wa_node *n);
/*
 * A <message> that three workers died of (wk_hand.h): kept sealed as it came, told of as one that
 * could not be opened, and acknowledged. Nothing in it is looked at.
 */
void wk_recv_set_aside(struct wk_recv *r, const struct wa_node *n, uint64_t key);
/* A <receipt type="retry">: true when it was about a message to our phone, and is answered. */
bool wk_recv_retry(struct wk_recv *r, const struct wa_node *n);
/* Sessions that were wanted are there, or can't be had: what waited for them goes, or is let go. */
void wk_recv_sessions(struct wk_recv *r);
/* The Signal state, for those who send. Borrowed. */
struct wk_signal;
struct wk_signal *wk_recv_signal(struct wk_recv *r);
/* <notification type="encrypt"><identity/>: that user has registered anew; its sessions are void.
 */
void wk_recv_identity(struct wk_recv *r, const struct wa_node *n);
/* A notification that names both identities of whom it is from: they are learned, and it is acked.
 */
void wk_recv_pairs(struct wk_recv *r, const struct wa_node *n);
/* The same within a batch, without an answer: 0 or a code. */
ATTR_NODISCARD int wk_recv_learn_pairs(struct wk_recv *r, const struct wa_node *n);

/* ---- to our own phone --------------------------------------------------------------------------
 */

#define WK_MSG_ID_CAP 33

/* A message id of ours: "3EB0" and 18 hex digits. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wk_msg_id_new(char out[WK_MSG_ID_CAP]);

/*
 * Within the batch: seal a Message for the phone and send it when the batch is durable. It is kept
 * for the phone's asking again. priority: "high", "high_force"; NULL: none. id_out: of the message,
 * which an answer names. It waits, on disk, while there is no session. 0; WA_SIG_ENOSESSION: there
 * is none, and nobody fetches keys; others are for wk_batch_leave().
 */
ATTR_NODISCARD int wk_recv_send_phone(struct wk_recv *r, const void *message, size_t message_len,
                                      const char *priority, char id_out[WK_MSG_ID_CAP]);

struct wk_recv_counts {
	unsigned messages;   /* stanzas in all */
	unsigned unopened;   /* that could not be opened */
	unsigned refused;    /* malformed: nacked, or without an answer */
	unsigned duplicates; /* redelivered */
	unsigned waiting;    /* of senders that cost too much; now */
	unsigned dropped;    /* of those: left to WhatsApp, which sends them again */
};
void wk_recv_count(const struct wk_recv *r, struct wk_recv_counts *out);

#endif
