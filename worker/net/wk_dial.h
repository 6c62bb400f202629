/*
 * worker/net/wk_dial.h - host and port in, connection out: the worker's one way out
 *
 * Everything the worker sends anywhere goes through here: chat, version look-up, later media. With
 * a proxy the proxy's address is what is looked up and dialled, and the target's name goes to the
 * proxy as it is: nothing is ever sent around it. Names are looked up by evdns (/etc/hosts, then
 * the nameservers of /etc/resolv.conf), so nothing ever blocks; addresses need no look-up.
 * Deadlines of the steps belong to the caller, who ends a dial with wk_dial_free(); an address that
 * does not answer is left after a share of the connect deadline.
 */
#ifndef WK_DIAL_H
#define WK_DIAL_H

#include <stdint.h>

#include "common/attr.h"

struct bufferevent;
struct event_base;
struct wk_dial;
struct wk_failure;
struct wk_proxy;
struct wk_tls;

/* A connection to the target; exactly one of the two is set, and belongs to the callee. */
struct wk_pipe {
	int fd;                  /* non-blocking with TCP_NODELAY; -1: none */
	struct bufferevent *bev; /* through an https proxy: TLS to the proxy, the tunnel inside */
};
/* Close whichever is set. */
void wk_pipe_close(struct wk_pipe *p);

/* Each is called from the event loop, never from inside wk_dial_new(). */
struct wk_dial_ops {
	/* The addresses (of the proxy, if there is one) are known; the first one is being tried. */
	void (*on_resolved)(void *arg);
	/* Last call. */
	void (*on_connected)(struct wk_pipe pipe, void *arg);
	/* Last call: WA_EDNS, WA_ENETWORK, WA_EPROXY_UNREACHABLE, WA_EPROXY_AUTH. */
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

struct wk_dial_params {
	struct event_base *base;
	const char *host; /* copied */
	uint16_t port;
	const struct wk_proxy *proxy; /* borrowed for the dial; NULL or kind NONE: directly */
	const struct wk_tls *tls;     /* for an https proxy; borrowed */
	const char *ca_file;          /* for it; NULL: the system's directory; borrowed */
	/*
	 * For all addresses together. With a proxy it includes the talk, and the dial fails by
	 * itself shortly before, so that the failure names the proxy.
	 */
	uint32_t connect_ms;
};

/* 0 or -ENOMEM. */
ATTR_NODISCARD int wk_dial_new(const struct wk_dial_params *params, const struct wk_dial_ops *ops,
                               void *arg, struct wk_dial **dial_out);

/* Ends a dial that runs, releases one that is over. NULL is fine; safe from its callbacks. */
void wk_dial_free(struct wk_dial *d);

#endif
