/*
 * worker/net/wk_dial_proxy.h - from a connection to the proxy to a tunnel to the target
 *
 * Second half of a dial with a proxy; used by wk_dial.c only.
 */
#ifndef WK_DIAL_PROXY_H
#define WK_DIAL_PROXY_H

#include <stdint.h>

#include "common/attr.h"
#include "worker/net/wk_dial.h"

struct wk_dial_proxy;

/* Exactly one of them, once, from the event loop; the talk may be freed in it. */
struct wk_dial_proxy_ops {
	void (*on_tunnel)(struct wk_pipe pipe, void *arg);
	void (*on_failed)(const struct wk_failure *f, void *arg);
};

/*
 * fd: connected to the proxy; taken, also on failure. params: base, host, port, proxy, tls and
 * ca_file are used, borrowed for the talk. 0, or a negative code with *f filled.
 */
ATTR_NODISCARD int wk_dial_proxy_new(int fd, const struct wk_dial_params *params,
                                     const struct wk_dial_proxy_ops *ops, void *arg,
                                     struct wk_failure *f, struct wk_dial_proxy **talk_out);
/* NULL is fine. */
void wk_dial_proxy_free(struct wk_dial_proxy *t);

#endif
