/* worker/wk_resolve.h - one name look-up through evdns, freed with everything that belongs to it */
#ifndef WK_RESOLVE_H
#define WK_RESOLVE_H

#include <stdint.h>

#include "common/attr.h"

struct addrinfo;
struct event_base;
struct wk_resolve;

/*
 * gai_rc: 0 or an EAI_* code; ai is borrowed for the call. Called once, from the event loop, never
 * from inside wk_resolve_new() and never after wk_resolve_free().
 */
typedef void wk_resolve_cb(int gai_rc, const struct addrinfo *ai, void *arg);

/* 0 or -ENOMEM. */
ATTR_NODISCARD int wk_resolve_new(struct event_base *base, const char *host, uint16_t port,
                                  wk_resolve_cb *cb, void *arg, struct wk_resolve **res_out);
/* Ends a look-up that runs. NULL is fine; safe from the callback. */
void wk_resolve_free(struct wk_resolve *r);

#endif
