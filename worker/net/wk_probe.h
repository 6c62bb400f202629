/*
 * worker/net/wk_probe.h - is WhatsApp reached from here, the way a session goes?
 *
 * Dials through the proxy, TLS, WebSocket upgrade, Noise up to the server's certificate chain; then
 * the HTTP answer that the version look-up reads, for the time it carries. A fresh ephemeral key is
 * all that is ever sent: nothing of an account, and no store is opened.
 */
#ifndef WK_PROBE_H
#define WK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/session/wk_failure.h"
#include "worker/session/wk_session.h"

struct event_base;
struct wk_probe;
struct wk_target;
struct wk_tls;

#define WK_PROBE_MS 18000     /* for the way to the verified server, all steps together */
#define WK_PROBE_TIME_MS 6000 /* for the question what time it is there */

struct wk_probe_result {
	struct wk_failure failure; /* rc 0: it is reached */
	int step;                  /* Ipc__Step__Name where it failed; -1: nowhere */
	struct wk_timing timing;   /* since the start */
	int64_t server_unix_s;     /* 0: not known */
	int64_t unix_s;            /* ours at that moment */
};

/*
 * target is taken (emptied), also on failure. on_done: once, from the loop; result is borrowed.
 * speed divides every deadline. 0 or -ENOMEM.
 */
ATTR_NODISCARD int wk_probe_new(struct event_base *base, const struct wk_tls *tls,
                                struct wk_target *target, unsigned speed,
                                void (*on_done)(const struct wk_probe_result *r, void *arg),
                                void *arg, struct wk_probe **probe_out);
/* NULL is fine. Not from on_done. */
void wk_probe_free(struct wk_probe *p);

#endif
