/*
 * worker/send/wk_send.h - texts of our own to one person: from the wish to the server's word
 *
 * One at a time, in order: the devices of both accounts are asked for, sessions begun where there
 * are none, one stanza sealed for all of them. The stanza and the ratchets that made it are on disk
 * before it leaves; one whose answer never came leaves again byte for byte, so no key is used
 * twice. What the server has taken is stored and told of as messages of other own devices are. Who
 * can't open it and asks again is answered from what is kept (wk_store_sent.h). Source: protocol
 * notes 05 section 9, 06 section 3.
 */
#ifndef WK_SEND_H
#define WK_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/wa/node/wa_jid.h"

struct event_base;
struct wa_node;
struct wk_batch;
struct wk_creds;
struct wk_event_msg;
struct wk_send;
struct wk_sessions;
struct wk_signal;
struct wk_store;

#define WK_SEND_PERSON_GAP_S 3600 /* from one text to a person to the next */
#define WK_SEND_HOUR_MAX 30       /* texts in an hour, to anybody */
#define WK_SEND_FRESH_S 600       /* one that could not leave by then says nothing any more */

struct wk_send_params {
	struct event_base *base;
	struct wk_store *store; /* all borrowed */
	struct wk_batch *batch;
	struct wk_signal *signal;
	struct wk_sessions *sessions;
	const struct wk_creds *creds;
	const struct log_ctx *log;
	unsigned speed; /* divides every wait */
	/* Devices are wanted: make a request of wk_send_build() when that can be. */
	void (*on_ask)(void *arg);
	/* Our privacy token is to be given: make a request of wk_send_build_token(). */
	void (*on_give)(void *arg);
	/* An event of it; within the batch, codes as for wk_batch_leave(). */
	int (*on_message)(const struct wk_event_msg *m, void *arg);
	/* Around what begins here by itself; the object may be freed by what happens in between. */
	void (*enter)(void *arg);
	void (*leave)(void *arg);
	void *arg;
};

ATTR_NODISCARD int wk_send_new(const struct wk_send_params *params, struct wk_send **s_out);
void wk_send_free(struct wk_send *s); /* NULL is fine */

/*
 * Within a batch: a text is wanted. alt: the other identity of who it is for; NULL or server "":
 * not known. 0, also when it is one too many (see above) and none is sent; codes for
 * wk_batch_leave().
 */
ATTR_NODISCARD int wk_send_text(struct wk_send *s, const struct wa_jid *to,
                                const struct wa_jid *alt, const char *text);

/* Online: go on with what a former connection left. */
void wk_send_resume(struct wk_send *s);
/* A batch was committed: what is wanted may begin. */
void wk_send_committed(struct wk_send *s);

/* ---- requests and answers ------------------------------------------------------------------ */

bool wk_send_is_due(const struct wk_send *s);                     /* it wants devices */
struct wa_node *wk_send_build(struct wk_send *s, const char *id); /* NULL without memory */
/* NULL: an error, or no answer; it is the last word. */
void wk_send_devices(struct wk_send *s, const struct wa_node *result);
bool wk_send_gives(const struct wk_send *s); /* a token is to be given */
struct wa_node *wk_send_build_token(struct wk_send *s, const char *id);
/* Its answer; NULL: none. And a <notification type="privacy_token">, within a batch: 0 or a code.
 */
void wk_send_token_given(struct wk_send *s, const struct wa_node *result);
ATTR_NODISCARD int wk_send_token_told(struct wk_send *s, const struct wa_node *n);
/* Sessions that were wanted are there, or can't be had. */
void wk_send_sessions(struct wk_send *s);
/* <ack class="message">, of any message. */
void wk_send_ack(struct wk_send *s, const struct wa_node *n);
/* <receipt type="retry">: true when it is about a message that was sent here; it gets its ack. */
bool wk_send_retry(struct wk_send *s, const struct wa_node *n);

#endif
