/*
 * worker/online/wk_online.h - a session after <success>: bring-up, acks, bulletins, pre-keys, logout
 *
 * Knows stanzas and the store; no socket. The session hands it every stanza that does not end the
 * stream (failure, stream:error, xmlstreamend and keepalive pings are the session's own).
 * Bring-up: offset, LID, pre-key count and upload, active, unified session, end of the offline
 * queue (or 60 s without a stanza of it), then properties, block list, privacy, digest, presence.
 * Messages go through a batch into the store and the outbox (wk_recv.h, wk_emit.h).
 * Source: protocol notes 04.
 */
#ifndef WK_ONLINE_H
#define WK_ONLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/control/wk_settings.h"
#include "worker/session/wk_failure.h"
#include "worker/store/wk_creds.h"

struct event_base;
struct wa_node;
struct wk_batch;
struct wk_emit;
struct wk_media;
struct wk_online;
struct wk_outbox;
struct wk_recv;
struct wk_store;

struct wk_online_ops {
	int (*send)(const struct wa_node *n, void *arg); /* 0 or a negative code */
	/* Bring-up is done: the session is online. Once. */
	void (*on_online)(void *arg);
	/* Names or addresses in the credentials have changed (and are on disk). */
	void (*on_profile)(void *arg);
	/* <ib><client_expiration/>: this client version ends at t (Unix s; 0: not said). */
	void (*on_client_expires)(int64_t unix_s, void *arg);
	/* How wk_online_logout() ended: f NULL: WhatsApp has taken it. Once. */
	void (*on_logout)(const struct wk_failure *f, void *arg);
	/* So much waits for the gateway that nothing more should be read. May be NULL. */
	void (*on_full)(void *arg);
	/* The answer to wk_online_ask_media(); NULL: none came, or an error. May be NULL. */
	void (*on_media_hosts)(const struct wa_node *iq, void *arg);
	/* <notification type="mediaretry">, acked. May be NULL. */
	void (*on_media_retry)(const struct wa_node *n, void *arg);
	/*
	 * The stream can't go on: the store failed (WA_ESTORAGE, WA_ESTORE_CORRUPT), send failed,
	 * or the server leaves a request of the bring-up unanswered (WA_ETIMEOUT). Once, last call;
	 * from the event loop, never from within a function of wk_online.
	 */
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

struct wk_online_params {
	struct event_base *base;
	struct wk_store *store;             /* borrowed */
	struct wk_creds *creds;             /* borrowed; changed, and saved when it is */
	struct wk_outbox *outbox;           /* borrowed; NULL: events stay where they are */
	struct wk_media *media;             /* borrowed; NULL: files of app state can't be had */
	const struct wk_settings *settings; /* borrowed; wk_online_settings() says it has changed */
	const struct log_ctx *log;
	unsigned speed; /* divides every deadline */
	const struct wk_online_ops *ops;
	void *arg;
};

/* Stanzas are sent from wk_online_start() on, never from here. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_online_new(const struct wk_online_params *params,
                                 struct wk_online **online_out);
/* NULL is fine; safe from each of its callbacks. What still waits for an answer ends with it. */
void wk_online_free(struct wk_online *o);

/* <success> has come: it is committed (creds.confirmed, logins, LID), then the bring-up begins. */
void wk_online_start(struct wk_online *o, const struct wa_node *success);
/* Any other stanza: IQ (also answers), message, receipt, notification, call, ib, presence, ... */
void wk_online_stanza(struct wk_online *o, const struct wa_node *n);

/* creds' routing, names and so on may be read at any time; settings have changed: presence. */
void wk_online_settings(struct wk_online *o);

/*
 * Unlink at WhatsApp: remove-companion-device, 10 s. 0: on_logout (or on_failed) tells how it
 * ended, once for all calls that came meanwhile. WA_ESTATE before on_online.
 */
ATTR_NODISCARD int wk_online_logout(struct wk_online *o);

/* Ask for the media servers: on_media_hosts follows. False: not online. */
bool wk_online_ask_media(struct wk_online *o);

/* For those who take part in the session: valid as long as it is. */
struct wk_batch *wk_online_batch(struct wk_online *o);
struct wk_emit *wk_online_emit(struct wk_online *o);
struct wk_recv *wk_online_recv(struct wk_online *o);

/* Stanzas so far that were malformed, that nobody knows. */
struct wk_online_counts {
	unsigned bad, unknown;
};
void wk_online_count(const struct wk_online *o, struct wk_online_counts *out);

#endif
