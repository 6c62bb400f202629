/*
 * worker/net/wk_proxy.h - the instance's proxy: what CONNECT carried, and the talk with it
 *
 * The talk is bytes in, bytes out: HTTP CONNECT (RFC 9110, section 9.3.6) and SOCKS5 (RFC 1928,
 * RFC 1929). A target's name goes to the proxy as it is: the proxy resolves it.
 */
#ifndef WK_PROXY_H
#define WK_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "proto/ipc.pb-c.h"

enum wk_proxy_kind { WK_PROXY_NONE, WK_PROXY_HTTP, WK_PROXY_HTTPS, WK_PROXY_SOCKS5 };

struct wk_proxy {
	enum wk_proxy_kind kind; /* NONE: dial directly */
	char *host;              /* owned, as all below; an IPv6 address without brackets */
	uint16_t port;
	char *username; /* NULL: none; in secret memory, as the password */
	char *password; /* NULL: none */
	char *hostport; /* for failure texts, without credentials */
};

/*
 * msg NULL: no proxy. 0; -ENOMEM; -EINVAL (no host, port 0, kind unknown, a user name or password
 * that the protocol can't carry). On failure p is empty.
 */
ATTR_NODISCARD int wk_proxy_init(struct wk_proxy *p, const Ipc__Proxy *msg);
/* Wipes and releases. */
void wk_proxy_clear(struct wk_proxy *p);

/* ---- the talk ------------------------------------------------------------------------------ */

/* Zeroed, it is empty; one talk at a time. */
struct wk_proxy_talk {
	const struct wk_proxy *proxy;
	const char *host; /* target; borrowed for the talk */
	uint16_t port;
	unsigned status; /* of an HTTP proxy's answer; 0: none yet, or SOCKS5 */
	int step;        /* internal, as below */
	struct buf in;   /* an answer that is not complete */
};

/* Begin: appends what is to be sent first. 0, -ENOMEM, -EINVAL (host does not fit). */
ATTR_NODISCARD int wk_proxy_begin(struct wk_proxy_talk *t, const struct wk_proxy *proxy,
                                  const char *host, uint16_t port, struct buf *out);
/*
 * Bytes from the proxy: *used_out of them are taken, out gets what is to be sent next (it may hold
 * the password). While more is needed all are taken; with 1 exactly the proxy's answer is, and what
 * follows belongs to the tunnel.
 * 1: the tunnel stands; 0: more is needed; WA_EPROXY_AUTH (407 or 401, or SOCKS5 credentials
 * wanted or refused); WA_EPROXY_UNREACHABLE (refused otherwise, or not the protocol): *why_out says
 * which, a predicate for "proxy HOST:PORT ...", static text; -ENOMEM.
 */
ATTR_NODISCARD int wk_proxy_feed(struct wk_proxy_talk *t, const uint8_t *data, size_t data_len,
                                 size_t *used_out, struct buf *out, const char **why_out);
/* Releases; also of a talk that never began. */
void wk_proxy_end(struct wk_proxy_talk *t);

#endif
