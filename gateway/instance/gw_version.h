/*
 * gateway/instance/gw_version.h - which client version to be: one look-up serves the whole host
 *
 * With wa_version=auto workers ask here. The newest revision is kept in
 * data_dir/client_version.json and is fresh for 24 h. One worker at a time looks it up, through its
 * own proxy; the others wait for what it finds. Where nothing is known a worker has a revision of
 * its own built in.
 */
#ifndef GW_VERSION_H
#define GW_VERSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"

struct event_base;
struct gw_version;

#define GW_VERSION_FRESH_MS (24 * 3600 * INT64_C(1000))
#define GW_VERSION_REST_MS 60000    /* after a look-up that failed, unless WhatsApp refuses ours */
#define GW_VERSION_REFUSED_MS 1000  /* between look-ups then */
#define GW_VERSION_LOOK_UP_MS 15000 /* after this long, the worker that looks has failed */

/* One who asks; embedded. Zero-initialised but for tell and arg. */
struct gw_version_asker {
	TAILQ_ENTRY(gw_version_asker) link;
	/* revision 0: none is known. look_up: find out, then gw_version_found(). May come from
	 * inside gw_version_ask(). */
	void (*tell)(struct gw_version_asker *a, uint32_t revision, bool look_up);
	void *arg;
	enum { GW_VERSION_QUIET, GW_VERSION_WAITS, GW_VERSION_LOOKS } state;
};

/* data_dir: borrowed for good. Reads the file; one that is damaged counts as none. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_version_new(struct event_base *base, const char *data_dir,
                                  struct gw_version **v_out);
/* Nobody may ask any more. NULL is fine. */
void gw_version_free(struct gw_version *v);

/* What CONNECT carries. revision 0: none is known. stale: the worker is to ask before it dials. */
void gw_version_get(const struct gw_version *v, uint32_t *revision_out, bool *stale_out);

/* used: the revision that WhatsApp refused; 0: none was tried. Only while it is QUIET. */
void gw_version_ask(struct gw_version *v, struct gw_version_asker *a, uint32_t used);
/* The outcome of its look-up; revision counts when rc is 0. WA_ESTATE when it was not asked to. */
ATTR_NODISCARD int gw_version_found(struct gw_version *v, struct gw_version_asker *a, int rc,
                                    uint32_t revision);
/* It is gone: another one looks, when somebody waits. Fine in every state. */
void gw_version_leave(struct gw_version *v, struct gw_version_asker *a);

#endif
