/* gateway/gw_stream.h - a link attempt as server-sent events */
#ifndef GW_STREAM_H
#define GW_STREAM_H

struct gw_connect_params;
struct gw_instance;
struct gw_req;

#define GW_STREAM_COMMENT_S 15 /* a comment line this often keeps the connection open */

/*
 * Start or join the attempt of inst and answer req with its events until it ends: connecting, qr,
 * and last of all timeout or failed.
 */
void gw_stream_attempt(struct gw_req *req, struct gw_instance *inst,
                       const struct gw_connect_params *params);

/* Answer req with the one event that inst is connected. */
void gw_stream_connected(struct gw_req *req, struct gw_instance *inst);

#endif
