/*
 * worker/wk_tls.h - client side TLS: one context per process, streams made from connected sockets
 *
 * TLS 1.2 and later, SNI, the host name or address checked against the certificate, trust from
 * OpenSSL's CA directory (looked up by hash, so nothing is loaded that is not needed) or from a
 * PEM file. Verification can't be turned off.
 */
#ifndef WK_TLS_H
#define WK_TLS_H

#include "common/attr.h"
#include "worker/wk_url.h"

struct bufferevent;
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
 * A bufferevent over fd (taken, also on failure): TLS when url->tls, else plain. With TLS its event
 * callback gets BEV_EVENT_CONNECTED when the handshake is done; a plain one is ready at once.
 * ca_file: PEM, or NULL for the system's directory. 0, or a negative code with *f filled.
 */
ATTR_NODISCARD int wk_tls_open(const struct wk_tls *tls, struct event_base *base, int fd,
                               const struct wk_url *url, const char *ca_file, struct wk_failure *f,
                               struct bufferevent **bev_out);

/*
 * Why the stream ended, from the event callback (what: BEV_EVENT_EOF, _ERROR, ...): WA_ETLS for a
 * certificate or anything the TLS layer refused, else WA_ENETWORK.
 */
void wk_tls_explain(struct bufferevent *bev, short what, const struct wk_url *url,
                    struct wk_failure *f);

#endif
