/* gateway/registry/gw_secrets.h - the master key at start: found, or made, and known to be the right one */
#ifndef GW_SECRETS_H
#define GW_SECRETS_H

#include "common/attr.h"

struct gw;

/*
 * Loads gw->master_key (see gw_master_key.h). The registry keeps a check value that only the right
 * key opens, so that a wrong one is noticed here and not by sessions that can't be read. After
 * gw_store_open(), before gw_store_load(). 0; negative after an error in the log.
 */
ATTR_NODISCARD int gw_secrets_start(struct gw *gw);

#endif
