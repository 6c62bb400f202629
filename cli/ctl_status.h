/* cli/ctl_status.h - wardenctl status: what is shown once, and what is followed */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include <jansson.h>
#include <stdint.h>

#include "cli/ctl_api.h"
#include "common/attr.h"
#include "common/buf.h"

struct ctl_call;

/* The instances as a table, with ages as of now_s (Unix). 0 or -ENOMEM. */
ATTR_NODISCARD int ctl_status_draw(json_t *instances, int64_t now_s, struct buf *out);

/* status --watch: redrawn in place on a terminal, one line per change elsewhere. ctl_watch.c */
enum ctl_exit ctl_status_watch(const struct ctl_call *call);

/*
 * What has happened to an instance between two answers of the gateway, as {"at", "name", "state",
 * "was", "numberJid", "lastError", "attempt", "nextRetryAt"}; state is "deleted" where it is gone.
 * was, is   as in the list; NULL: not there; one of them is
 * at        RFC 3339
 * 1: *change_out, a new reference; 0: nothing worth a line; -ENOMEM.
 */
ATTR_NODISCARD int ctl_watch_change(const json_t *was, const json_t *is, const char *at,
                                    json_t **change_out);
/* One as a line for people, with its LF. 0 or -ENOMEM. */
ATTR_NODISCARD int ctl_watch_line(const json_t *change, struct buf *out);

#endif
