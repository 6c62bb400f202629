/*
 * worker/net/wk_ws.h - an open WebSocket: wslay between two evbuffers
 *
 * Message bytes are handed on as they come (message boundaries mean nothing to the protocol above);
 * pings are answered here. Source: protocol notes 01 section 2.
 */
#ifndef WK_WS_H
#define WK_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct evbuffer;
struct wk_ws;

/* A piece of a binary message. A negative return ends wk_ws_recv() with that code. */
typedef int wk_ws_data_cb(const uint8_t *data, size_t data_len, void *arg);

/* in and out are borrowed for the life of the object. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_ws_new(struct evbuffer *in, struct evbuffer *out, wk_ws_data_cb *on_data,
                             void *arg, struct wk_ws **ws_out);
/* NULL is fine. Not from on_data. */
void wk_ws_free(struct wk_ws *ws);

/*
 * Take everything in the input buffer. 0; WA_EPROTO (bad frame or a text message); -ENOMEM; or what
 * on_data returned.
 */
ATTR_NODISCARD int wk_ws_recv(struct wk_ws *ws);

/* Send one binary message. Allowed from on_data. 0, -ENOMEM, or WA_ESTATE after a close. */
ATTR_NODISCARD int wk_ws_send(struct wk_ws *ws, const void *data, size_t data_len);

/* Send a close frame; nothing can be sent afterwards. */
void wk_ws_close(struct wk_ws *ws, uint16_t code);

/* The peer has sent its close frame; *code_out its code (1005: it gave none). */
bool wk_ws_peer_closed(const struct wk_ws *ws, unsigned *code_out);

#endif
