/* gateway/http/gw_stream.h - a link attempt as server-sent events */
#ifndef GW_STREAM_H
#define GW_STREAM_H

#include "common/attr.h"

struct gw_connect_params;
struct gw_instance;
struct gw_req;

#define GW_STREAM_COMMENT_S 15 /* a comment line this often keeps the connection open */

/*
 * Start or join the attempt of inst and answer req with its events until it ends: connecting, qr,
 * pairing, passkey, passkey_confirm, and last of all connected, timeout or failed.
 * 0: req is being answered; WA_ERATE_LIMITED: it has not been. Other refusals are its only event.
 */
ATTR_NODISCARD int gw_stream_attempt(struct gw_req *req, struct gw_instance *inst,
                                     const struct gw_connect_params *params);

#endif
