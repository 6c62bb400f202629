/*
 * gateway/supervision/gw_uids.h - where the gateway is root: a user of its own for each instance's folder
 *
 * A worker that starts as root becomes the owner of its folder (worker/process/wk_sandbox.h), so the
 * folders' owners are all the record there is: no table, no setting, nothing to lose. The range is
 * systemd's for users without a name; beyond its 4,336 uids instances share the ones that are
 * shared least.
 *
 * Where the gateway is not root, or other users can't pass the folders above data_dir, every worker
 * keeps the gateway's uid.
 */
#ifndef GW_UIDS_H
#define GW_UIDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

#define GW_UID_FIRST 61184
#define GW_UID_LAST 65519

struct gw_uids {
	bool root; /* folders can be given away, and are taken back where they must not be */
	bool on;
	uint32_t next; /* offset at which the search for a free one begins */
	uint16_t used[GW_UID_LAST - GW_UID_FIRST + 1]; /* folders that have it */
};

/*
 * Find out what can be done, open the way to the folders (0711: to be passed, not to be listed),
 * and count who has what. Why it can't be done is warned about here, once.
 */
void gw_uids_init(struct gw_uids *u, const char *data_dir, int instances_fd);

/*
 * The folder id, with all files in it, belongs to a uid of its own from now on, or to the gateway
 * where that can't be. One that has a uid keeps it; a file that came from elsewhere (a copy put
 * back, an older version) is given the same. 0 or -errno.
 */
ATTR_NODISCARD int gw_uids_settle(struct gw_uids *u, int instances_fd, const char *id);
/* The folder is about to be removed: its uid is free for another. */
void gw_uids_release(struct gw_uids *u, int instances_fd, const char *id);

#endif
