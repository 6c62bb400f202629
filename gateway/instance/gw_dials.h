/*
 * gateway/instance/gw_dials.h - admission of dials to WhatsApp: at most so many in any second, in turn
 *
 * After a network outage every session of a host wants to dial at once. Who asks gets its turn in
 * order of asking; starts of workers and dials of those that run take turns, so that neither waits
 * for all of the other.
 */
#ifndef GW_DIALS_H
#define GW_DIALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"

struct event_base;
struct gw_dials;

#define GW_DIALS_PER_S 50

enum gw_dial_lane { GW_DIAL_START, GW_DIAL_AGAIN, GW_DIAL_LANES };

/* One who asks; embedded. Zero-initialised but for go and arg. */
struct gw_dial {
	TAILQ_ENTRY(gw_dial) link;
	void (*go)(struct gw_dial *d, void *arg); /* from the loop, once for each that waited */
	void *arg;
	enum gw_dial_lane lane;
	bool waits;
};

/* per_s: at least 1. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_dials_new(struct event_base *base, unsigned per_s, struct gw_dials **d_out);
/* Nobody may wait any more. NULL is fine. */
void gw_dials_free(struct gw_dials *ds);

/* True: dial now. False: go will be called. Not while it waits already. */
ATTR_NODISCARD bool gw_dials_ask(struct gw_dials *ds, struct gw_dial *d);
/* It does not want to dial any more; fine when it does not wait. */
void gw_dials_cancel(struct gw_dials *ds, struct gw_dial *d);

#endif
