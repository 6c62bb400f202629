/* gateway/events/gw_ws.c - the server's side of a WebSocket */
#include "gateway/events/gw_ws.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#include "common/buf.h"
#include "common/secret.h"
#include "common/ws_accept.h"
#include "gateway/gw.h"
#include "gateway/http/gw_gate.h"
#include "gateway/http/gw_req.h"

struct gw_ws {
	struct gw_req *req; /* NULL: it is over */
	const struct gw_ws_ops *ops;
	void *arg;
	wslay_event_context_ptr ctx;
	struct event *ev_ping;
	const uint8_t *in; /* what the client has sent, during on_data */
	size_t in_len;
	struct buf out; /* frames, for one write */
	bool heard;     /* since the last ping */
	unsigned in_call;
};

/* ---- the upgrade ---------------------------------------------------------------------------- */

static bool same_origin(const struct gw_req *req, const char *origin)
{
	const char *host = gw_req_header(req, "host"), *at = strstr(origin, "://");

	return host != NULL && at != NULL && strcasecmp(at + 3, host) == 0;
}

bool gw_ws_origin_ok(const struct gw_req *req)
{
	const char *origin = gw_req_header(req, "origin");
	char *const *o = gw_req_env(req)->origins;

	if (origin == NULL || same_origin(req, origin))
		return true;
	for (; o != NULL && *o != NULL; o++)
		if (strcmp(*o, "*") == 0 || strcmp(*o, origin) == 0)
			return true;
	return false;
}

const char *gw_ws_why_not(const struct gw_req *req)
{
	const char *version = gw_req_header(req, "sec-websocket-version");
	const char *key = gw_req_header(req, "sec-websocket-key");
	char accept[WS_ACCEPT_CAP];

	if (!gw_gate_list_has(gw_req_header(req, "upgrade"), "websocket") ||
	    !gw_gate_list_has(gw_req_header(req, "connection"), "upgrade"))
		return "a WebSocket is expected here (RFC 6455)";
	if (version == NULL || strcmp(version, "13") != 0)
		return "only version 13 of WebSocket is spoken here";
	if (key == NULL || ws_accept(key, strlen(key), accept) < 0)
		return "Sec-WebSocket-Key must be 16 bytes in base64";
	return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void ws_free(struct gw_ws *ws)
{
	if (ws->ev_ping != NULL)
		event_free(ws->ev_ping);
	wslay_event_context_free(ws->ctx);
	buf_wipe(&ws->out);
	free(ws);
}

static void enter(struct gw_ws *ws)
{
	ws->in_call++;
}

/* False: it is over, and gone. */
static bool leave(struct gw_ws *ws)
{
	if (--ws->in_call > 0 || ws->req != NULL)
		return ws->req != NULL;
	ws_free(ws);
	return false;
}

/* The connection is over; its request is gone. */
static void on_hangup(void *arg)
{
	struct gw_ws *ws = arg;

	enter(ws);
	ws->req = NULL;
	if (ws->ops != NULL)
		ws->ops->on_over(ws->arg);
	(void)leave(ws);
}

/* Nobody hears of it any more. */
static void end(struct gw_ws *ws)
{
	struct gw_req *req = ws->req;

	ws->req = NULL;
	gw_req_upgrade_end(req);
}

static void end_and_tell(struct gw_ws *ws)
{
	if (ws->req == NULL)
		return;
	end(ws);
	if (ws->ops != NULL)
		ws->ops->on_over(ws->arg);
}

/* ---- wslay ---------------------------------------------------------------------------------- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *out, size_t len, int flags, void *arg)
{
	struct gw_ws *ws = arg;

	(void)flags;
	if (ws->in_len == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (len > ws->in_len)
		len = ws->in_len;
	memcpy(out, ws->in, len);
	ws->in += len;
	ws->in_len -= len;
	return (ssize_t)len;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *arg)
{
	struct gw_ws *ws = arg;

	(void)flags;
	if (buf_append(&ws->out, data, len) == 0)
		return (ssize_t)len;
	wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* What wslay has to say leaves. False: the socket is over. */
static bool flush(struct gw_ws *ws)
{
	int rc = 0;

	if (ws->req != NULL && wslay_event_send(ws->ctx) != 0)
		end_and_tell(ws);
	if (ws->req != NULL && ws->out.len > 0)
		rc = gw_req_write(ws->req, ws->out.p, ws->out.len);
	if (ws->out.cap > 4096)
		buf_wipe(&ws->out);
	else
		buf_reset(&ws->out);
	return rc == 0 && ws->req != NULL;
}

/* What came is no frame. wslay would close without a code; nothing of ours is half sent. */
static void refuse(struct gw_ws *ws)
{
	static const uint8_t goodbye[] = { 0x88, 2, GW_WS_PROTOCOL >> 8, GW_WS_PROTOCOL & 0xff };

	if (ws->req != NULL)
		(void)!gw_req_write(ws->req, goodbye, sizeof(goodbye));
	end_and_tell(ws);
}

static void on_data(const uint8_t *data, size_t data_len, void *arg)
{
	struct gw_ws *ws = arg;

	enter(ws);
	ws->heard = true;
	ws->in = data;
	ws->in_len = data_len;
	if (wslay_event_recv(ws->ctx) != 0)
		refuse(ws);
	ws->in_len = 0;
	if (flush(ws) &&
	    (wslay_event_get_close_received(ws->ctx) || !wslay_event_get_read_enabled(ws->ctx)))
		end_and_tell(ws);
	(void)leave(ws);
}

static void on_room(void *arg)
{
	struct gw_ws *ws = arg;

	enter(ws);
	if (ws->ops != NULL)
		ws->ops->on_room(ws->arg);
	(void)leave(ws);
}

static void on_token_end(void *arg)
{
	struct gw_ws *ws = arg;

	enter(ws);
	(void)!wslay_event_queue_close(ws->ctx, GW_WS_POLICY, (const uint8_t *)"token replaced",
	                               14);
	(void)flush(ws);
	end_and_tell(ws);
	(void)leave(ws);
}

static void on_ping(evutil_socket_t fd, short what, void *arg)
{
	const struct wslay_event_msg ping = { .opcode = WSLAY_PING };
	struct gw_ws *ws = arg;

	(void)fd;
	(void)what;
	enter(ws);
	/* one that is slow to read has the ping before it still */
	if (gw_req_has_room(ws->req)) {
		if (!ws->heard)
			end_and_tell(ws);
		ws->heard = false;
		if (ws->req != NULL && wslay_event_queue_msg(ws->ctx, &ping) == 0)
			(void)flush(ws);
	}
	(void)leave(ws);
}

/* ---- for others ----------------------------------------------------------------------------- */

static int ws_new(struct gw_req *req, struct gw_ws **ws_out)
{
	static const struct wslay_event_callbacks cbs = { .recv_callback = on_recv,
		                                          .send_callback = on_send };
	static const struct timeval every = { .tv_sec = GW_WS_PING_S };
	struct gw_ws *ws = calloc(1, sizeof(*ws));

	if (ws == NULL || wslay_event_context_server_init(&ws->ctx, &cbs, ws) != 0) {
		free(ws);
		return -ENOMEM;
	}
	wslay_event_config_set_no_buffering(ws->ctx, 1); /* nothing of what it says is kept */
	ws->req = req;
	ws->heard = true;
	ws->ev_ping = event_new(gw_req_gw(req)->base, -1, EV_PERSIST, on_ping, ws);
	if (ws->ev_ping == NULL || event_add(ws->ev_ping, &every) < 0) {
		ws_free(ws);
		return -ENOMEM;
	}
	*ws_out = ws;
	return 0;
}

int gw_ws_accept(struct gw_req *req, const struct gw_ws_ops *ops, void *arg, struct gw_ws **ws_out)
{
	const char *key = gw_req_header(req, "sec-websocket-key");
	char accept[WS_ACCEPT_CAP];
	struct gw_ws *ws;
	int rc;

	if (ws_accept(key, strlen(key), accept) < 0 || ws_new(req, &ws) < 0) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return -ENOMEM;
	}
	gw_req_add_text(req, "Upgrade", "websocket");
	gw_req_add_text(req, "Connection", "Upgrade");
	gw_req_add_text(req, "Sec-WebSocket-Accept", accept);
	gw_req_wait(req, true, on_hangup, ws);
	gw_req_stream_pace(req, on_room);
	enter(ws);
	ws->ops = NULL; /* the caller hears of its end by what this returns */
	ws->arg = arg;
	rc = gw_req_upgrade(req, on_data, on_token_end);
	if (ws->req == NULL)
		rc = -EPIPE;
	ws->ops = ops;
	if (!leave(ws))
		return -EPIPE;
	*ws_out = ws;
	return rc;
}

int gw_ws_text(struct gw_ws *ws, const void *text, size_t text_len)
{
	const struct wslay_event_msg msg = { .opcode = WSLAY_TEXT_FRAME,
		                             .msg = text,
		                             .msg_length = text_len };

	enter(ws);
	if (wslay_event_queue_msg(ws->ctx, &msg) != 0)
		end_and_tell(ws); /* no memory: it comes again and reads on */
	else
		(void)flush(ws);
	if (!leave(ws))
		return -EPIPE;
	return gw_req_has_room(ws->req) ? 0 : 1;
}

void gw_ws_close(struct gw_ws *ws, enum gw_ws_close code, const char *why)
{
	enter(ws);
	(void)!wslay_event_queue_close(ws->ctx, (uint16_t)code, (const uint8_t *)why, strlen(why));
	ws->ops = NULL;
	(void)flush(ws);
	if (ws->req != NULL)
		end(ws);
	(void)leave(ws);
}
