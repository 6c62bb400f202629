/* common/resolve.h - one name look-up through evdns, freed with everything that belongs to it */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stdint.h>

#include "common/attr.h"

struct addrinfo;
struct event_base;
struct resolve;

/*
 * gai_rc: 0 or an EAI_* code; ai is borrowed for the call. Called once, from the event loop, never
 * from inside resolve_new() and never after resolve_free().
 */
typedef void resolve_cb(int gai_rc, const struct addrinfo *ai, void *arg);

/*
 * 0; -ENOMEM; or -ESTALE: in a sandbox that lets us read the resolver's file of earlier, and it has
 * been replaced since. No look-up of this process succeeds any more.
 */
ATTR_NODISCARD int resolve_new(struct event_base *base, const char *host, uint16_t port,
                               resolve_cb *cb, void *arg, struct resolve **res_out);
/* Ends a look-up that runs. NULL is fine; safe from the callback. */
void resolve_free(struct resolve *r);

#endif
