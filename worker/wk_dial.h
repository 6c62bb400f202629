/*
 * worker/wk_dial.h - host and port in, connected TCP socket out: the worker's one way out
 *
 * Everything the worker sends anywhere goes through here. Names are looked up by evdns
 * (/etc/hosts, then the nameservers of /etc/resolv.conf), so nothing ever blocks; addresses need
 * no look-up. Deadlines of the steps belong to the caller, who ends a dial with wk_dial_free();
 * an address that does not answer is left after a share of the connect deadline.
 */
#ifndef WK_DIAL_H
#define WK_DIAL_H

#include <stdint.h>

#include "common/attr.h"

struct event_base;
struct wk_dial;
struct wk_failure;

/* Each is called from the event loop, never from inside wk_dial_new(). */
struct wk_dial_ops {
	/* The addresses are known; the first one is being tried. */
	void (*on_resolved)(void *arg);
	/* Last call. fd is non-blocking with TCP_NODELAY and belongs to the callee. */
	void (*on_connected)(int fd, void *arg);
	/* Last call: WA_EDNS or WA_ENETWORK. */
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

/* connect_ms: for all addresses together. host is copied. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_dial_new(struct event_base *base, const char *host, uint16_t port,
                               uint32_t connect_ms, const struct wk_dial_ops *ops, void *arg,
                               struct wk_dial **dial_out);

/* Ends a dial that runs, releases one that is over. NULL is fine; safe from its callbacks. */
void wk_dial_free(struct wk_dial *d);

#endif
