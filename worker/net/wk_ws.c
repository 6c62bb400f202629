/* worker/net/wk_ws.c - wslay between two evbuffers */
#include "worker/net/wk_ws.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "common/err.h"
#include "common/secret.h"

#define MESSAGE_MAX \
	(1u << 25) /* what is inside has limits of its own, and nothing is stored here \
	            */

struct wk_ws {
	wslay_event_context_ptr ctx;
	struct evbuffer *in, *out;
	wk_ws_data_cb *on_data;
	void *arg;
	int rc;          /* first failure; reading stops */
	bool is_control; /* of the frame being read */
	bool closing;    /* we have sent a close frame of our own accord */
	uint8_t masks[64];
	size_t masks_len; /* of them, not used yet */
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *arg)
{
	struct wk_ws *ws = arg;
	int n;

	(void)flags;
	if (ws->rc < 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
		return -1;
	}
	n = evbuffer_remove(ws->in, buf, len);
	if (n <= 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	return n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *arg)
{
	struct wk_ws *ws = arg;

	(void)flags;
	if (evbuffer_add(ws->out, data, len) < 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
		return -1;
	}
	return (ssize_t)len;
}

/* Drawn many at a time: for four bytes the way to them costs more than they do. */
static int on_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *arg)
{
	struct wk_ws *ws = arg;

	(void)ctx;
	if (len > sizeof(ws->masks))
		return -1;
	if (len > ws->masks_len) {
		if (secret_random(ws->masks, sizeof(ws->masks)) < 0)
			return -1;
		ws->masks_len = sizeof(ws->masks);
	}
	ws->masks_len -= len; /* never again */
	memcpy(buf, ws->masks + ws->masks_len, len);
	return 0;
}

static void on_frame_start(wslay_event_context_ptr ctx,
                           const struct wslay_event_on_frame_recv_start_arg *frame, void *arg)
{
	struct wk_ws *ws = arg;

	(void)ctx;
	ws->is_control = wslay_is_ctrl_frame(frame->opcode);
	if (frame->opcode == WSLAY_TEXT_FRAME && ws->rc == 0)
		ws->rc = WA_EPROTO;
}

static void on_frame_chunk(wslay_event_context_ptr ctx,
                           const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *arg)
{
	struct wk_ws *ws = arg;

	(void)ctx;
	if (ws->is_control || ws->rc < 0 || chunk->data_length == 0)
		return;
	ws->rc = ws->on_data(chunk->data, chunk->data_length, ws->arg);
}

int wk_ws_new(struct evbuffer *in, struct evbuffer *out, wk_ws_data_cb *on_data, void *arg,
              struct wk_ws **ws_out)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_frame_recv_start_callback = on_frame_start,
		.on_frame_recv_chunk_callback = on_frame_chunk,
	};
	struct wk_ws *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return -ENOMEM;
	ws->in = in;
	ws->out = out;
	ws->on_data = on_data;
	ws->arg = arg;
	if (wslay_event_context_client_init(&ws->ctx, &callbacks, ws) != 0) {
		free(ws);
		return -ENOMEM;
	}
	wslay_event_config_set_no_buffering(ws->ctx, 1);
	wslay_event_config_set_max_recv_msg_length(ws->ctx, MESSAGE_MAX);
	*ws_out = ws;
	return 0;
}

void wk_ws_free(struct wk_ws *ws)
{
	if (ws == NULL)
		return;
	wslay_event_context_free(ws->ctx);
	free(ws);
}

/* wslay queues answers (pong, close) by itself: write them out. */
static int flush(struct wk_ws *ws)
{
	if (!wslay_event_want_write(ws->ctx))
		return 0;
	return wslay_event_send(ws->ctx) == 0 ? 0 : -ENOMEM;
}

int wk_ws_recv(struct wk_ws *ws)
{
	int rc = wslay_event_recv(ws->ctx);
	bool broken;

	if (ws->rc < 0)
		return ws->rc;
	if (rc == WSLAY_ERR_NOMEM)
		return ws->rc = -ENOMEM;
	if (rc != 0)
		return ws->rc = WA_EPROTO;
	/* A frame that breaks the rules only shows as "reading is over, and nobody closed". */
	broken = !wslay_event_get_read_enabled(ws->ctx) && !wslay_event_get_close_received(ws->ctx);
	rc = flush(ws);
	if (broken && !ws->closing)
		return ws->rc = WA_EPROTO;
	return rc;
}

int wk_ws_send(struct wk_ws *ws, const void *data, size_t data_len)
{
	const struct wslay_event_msg msg = {
		.opcode = WSLAY_BINARY_FRAME,
		.msg = data,
		.msg_length = data_len,
	};

	if (wslay_event_queue_msg(ws->ctx, &msg) != 0)
		return ws->closing || wslay_event_get_close_sent(ws->ctx) ? WA_ESTATE : -ENOMEM;
	return flush(ws);
}

void wk_ws_close(struct wk_ws *ws, uint16_t code)
{
	ws->closing = true;
	if (wslay_event_queue_close(ws->ctx, code, NULL, 0) == 0)
		(void)flush(ws);
}

bool wk_ws_peer_closed(const struct wk_ws *ws, unsigned *code_out)
{
	if (!wslay_event_get_close_received(ws->ctx))
		return false;
	*code_out = wslay_event_get_status_code_received(ws->ctx);
	return true;
}
