/*
 * worker/net/wk_tls.h - client side TLS: one context per process, streams made from connected
 * sockets
 *
 * TLS 1.2 and later, SNI, the host name or address checked against the certificate, trust from
 * OpenSSL's CA directory (looked up by hash, so nothing is loaded that is not needed) or from a
 * PEM file. Verification can't be turned off.
 */
#ifndef WK_TLS_H
#define WK_TLS_H

#include <event2/bufferevent.h>
#include <stddef.h>

#include "common/attr.h"
#include "worker/net/wk_dial.h"
#include "worker/net/wk_url.h"

#define WK_TLS_FD_PREFIX "/dev/fd/"

struct event_base;
struct wk_failure;
struct wk_tls;

/*
 * OpenSSL without its config file, and the context. The zygote makes it before it forks; its
 * children share it. 0, WA_ECRYPTO or -ENOMEM.
 */
ATTR_NODISCARD int wk_tls_new(struct wk_tls **tls_out);
void wk_tls_free(struct wk_tls *tls);

/*
 * A throw-away handshake in memory, so that everything OpenSSL loads at its first use is there and
 * shared by all children. Failure costs speed only. 0 or WA_ECRYPTO.
 */
int wk_tls_warm(struct wk_tls *tls);

/*
 * A bufferevent over the pipe (taken, also on failure): TLS when url->tls, else plain. It is given
 * its callbacks by wk_tls_start().
 * ca_file: PEM; "/dev/fd/N": what is open as descriptor N, from its beginning; or NULL for the
 * system's directory. 0, or a negative code with *f filled.
 */
ATTR_NODISCARD int wk_tls_open(const struct wk_tls *tls, struct event_base *base,
                               struct wk_pipe pipe, const struct wk_url *url, const char *ca_file,
                               struct wk_failure *f, struct bufferevent **bev_out);

/*
 * Set the callbacks and begin to read and write; at most read_max bytes are held at a time. With
 * TLS on_event gets BEV_EVENT_CONNECTED when the handshake is done; a plain one is ready at once.
 * With TLS both are called from the loop itself, and the end behind the data before it. 0 or
 * -ENOMEM.
 */
ATTR_NODISCARD int wk_tls_start(struct bufferevent *bev, bufferevent_data_cb on_read,
                                bufferevent_event_cb on_event, void *arg, size_t read_max);

/* Bytes that wait to be sent, on every layer of ours. */
size_t wk_tls_unsent(struct bufferevent *bev);
/* Give what waits to the socket now, as far as it takes it: freeing follows. */
void wk_tls_push(struct bufferevent *bev);

/*
 * Why the stream ended, from the event callback (what: BEV_EVENT_EOF, _ERROR, ...): WA_ETLS for a
 * certificate or anything the TLS layer refused, else WA_ENETWORK.
 */
void wk_tls_explain(struct bufferevent *bev, short what, const struct wk_url *url,
                    struct wk_failure *f);

#endif
