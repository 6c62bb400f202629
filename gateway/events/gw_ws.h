/*
 * gateway/events/gw_ws.h - the server's side of a WebSocket (RFC 6455), on top of a request
 *
 * Texts go out; what the client says is read and dropped, but for ping, pong and close, which wslay
 * answers. A client that answers no ping is gone.
 */
#ifndef GW_WS_H
#define GW_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct gw_req;
struct gw_ws;

#define GW_WS_PING_S 30 /* one that was not answered until the next ends the connection */

enum gw_ws_close {
	GW_WS_GOING_AWAY = 1001, /* the gateway stops, or the instance is gone */
	GW_WS_PROTOCOL = 1002,   /* what came is no WebSocket frame */
	GW_WS_POLICY = 1008,     /* the token was replaced, or the WebSocket turned off */
};

struct gw_ws_ops {
	void (*on_room)(void *arg); /* what had to wait has left */
	void (*on_over)(void *arg); /* the client is gone; the socket is freed behind this call */
};

/*
 * A request without an origin, of a page of our own, or of an origin that may call (cors_origins):
 * a page of somebody else's may not use a token that a person has given it by mistake.
 */
bool gw_ws_origin_ok(const struct gw_req *req);
/* Is this request an upgrade that can be taken? NULL, or why not: one sentence, static. */
const char *gw_ws_why_not(const struct gw_req *req);
/*
 * Answer 101 and take req over. 0; -ENOMEM: req has been answered with 503; -EPIPE: the client is
 * gone already, and req. On failure on_over is not called.
 */
ATTR_NODISCARD int gw_ws_accept(struct gw_req *req, const struct gw_ws_ops *ops, void *arg,
                                struct gw_ws **ws_out);
/*
 * One text message, in UTF-8. 0: more may follow; 1: it waits for the client, until on_room;
 * -EPIPE: the socket is gone, on_over was called.
 */
ATTR_NODISCARD int gw_ws_text(struct gw_ws *ws, const void *text, size_t text_len);
/* Say goodbye; on_over is not called; ws is gone. why: ASCII, at most 100 bytes. */
void gw_ws_close(struct gw_ws *ws, enum gw_ws_close code, const char *why);

#endif
