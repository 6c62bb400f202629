/*
 * gateway/process/gw_reload.h - SIGHUP: this process becomes the binary on disk, with the settings of today
 *
 * Same pid, same listening sockets, same workers: requests that come meanwhile wait in the sockets'
 * queues, and the new program takes every worker over as after a crash. Before anything is given
 * up, the program on disk is asked whether it can run with these settings; if not, all stays as it
 * is.
 *
 *   gw_reload_init()   first of all: what we were started as
 *   gw_reload_begin()  SIGHUP: ask, then make way; the loop ends
 *   gw_reload_exec()   after the loop and all parts: no return
 *
 * SIGQUIT is the half of it: the process ends as for a reload, workers and callers let go alike, and
 * whoever starts the next one (systemctl restart) gives it settings of its own.
 */
#ifndef GW_RELOAD_H
#define GW_RELOAD_H

#include <stdbool.h>

#include "common/attr.h"

struct gw;
struct gw_reload;

/* argv is borrowed for good. 0 or -errno: there will be no reload then. */
ATTR_NODISCARD int gw_reload_init(struct gw *gw, char **argv, struct gw_reload **r_out);
void gw_reload_free(struct gw_reload *r); /* NULL is fine */

/* Does nothing while one is under way, or the gateway stops. */
void gw_reload_begin(struct gw_reload *r);
/* Make way without a successor of ours; the loop ends, gw_reload_is_due() stays false. */
void gw_reload_leave(struct gw_reload *r);
/* The loop has ended for it: the parts are to be released, then comes gw_reload_exec(). */
bool gw_reload_is_due(const struct gw_reload *r);
/* Only returns, with -errno, when the program could not be run. */
int gw_reload_exec(struct gw_reload *r);

#endif
