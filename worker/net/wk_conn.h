/*
 * worker/net/wk_conn.h - from a connected socket to decoded stanzas, and back
 *
 * TLS (for wss), WebSocket upgrade, stream header and Noise handshake, then transport ciphers. Each
 * layer reports when it is up; deadlines belong to the caller. Keys are wiped when it is freed.
 * Source: protocol notes 01.
 */
#ifndef WK_CONN_H
#define WK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/net/wk_dial.h"
#include "worker/net/wk_url.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/transport/wa_noise.h"

struct event_base;
struct wa_node;
struct wk_conn;
struct wk_failure;
struct wk_tls;

#define WK_ROUTING_MAX_LEN 1024
#define WK_UNSENT_MAX (4u * 1024 * 1024)

struct wk_conn_params {
	const struct wk_tls *tls;
	const struct wk_url *url; /* borrowed for the life of the connection */
	const char *origin;
	const char *ca_file;            /* NULL: the system's directory */
	const struct wa_keypair *noise; /* the device's static key; copied */
	const struct wa_root *root;     /* signs the server's certificate chain; copied */
	const struct buf *payload;      /* serialized ClientPayload; copied */
	const uint8_t *routing;         /* edge routing info for the stream header; copied */
	size_t routing_len;             /* 0: none; over WK_ROUTING_MAX_LEN: left out */
	const uint8_t *server_static;   /* Noise IK with this key; NULL: Noise XX; copied */
	bool look_only; /* on_ready() once the server is verified, and nothing is sent any more */
};

/* Called from the event loop; the connection may be freed in any of them. */
struct wk_conn_ops {
	void (*on_tls)(void *arg);  /* not for a plain connection */
	void (*on_open)(void *arg); /* the WebSocket is open, ClientHello is sent */
	/* The server is verified, the handshake is done; key: what its chain vouches for. */
	void (*on_ready)(const struct wa_server_key *key, void *arg);
	/* One stanza; borrowed. */
	void (*on_stanza)(const struct wa_node *n, void *arg);
	/* A stanza that could not be decoded (rc); the connection goes on. */
	void (*on_bad_stanza)(int rc, void *arg);
	/*
	 * Last call. f is NULL when wk_conn_close() ran its course, else WA_ENETWORK, WA_ETLS,
	 * WA_EHANDSHAKE (upgrade, Noise), or WA_EPROTO (what came afterwards was not the protocol).
	 */
	void (*on_end)(const struct wk_failure *f, void *arg);
};

/* pipe is taken, also on failure. 0, or a negative code with *f filled. */
ATTR_NODISCARD int wk_conn_new(struct event_base *base, struct wk_pipe pipe,
                               const struct wk_conn_params *params, const struct wk_conn_ops *ops,
                               void *arg, struct wk_failure *f, struct wk_conn **conn_out);

/* Drops the connection as it is. NULL is fine. */
void wk_conn_free(struct wk_conn *c);

/*
 * Seal and send a stanza. 0, WA_ESTATE (not ready, closing, or over), or why it can't be encoded. A
 * peer that has not read WK_UNSENT_MAX bytes is left: on_end() with WA_ENETWORK follows soon.
 */
ATTR_NODISCARD int wk_conn_send(struct wk_conn *c, const struct wa_node *n);

/*
 * Stop reading, or go on: what was read is still worked on. The peer's end is noticed when reading
 * goes on.
 */
void wk_conn_pause(struct wk_conn *c, _Bool stop);

/*
 * Say goodbye: close frame 1000, then wait for the peer's; on_end(NULL) follows. False when there
 * is no open WebSocket to close: nothing happens then.
 */
_Bool wk_conn_close(struct wk_conn *c);

#endif
