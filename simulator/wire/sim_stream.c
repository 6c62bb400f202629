/* simulator/wire/sim_stream.c - what is inside the WebSocket */
#include "simulator/wire/sim_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/transport/wa_frame.h"

#define MESSAGE_MAX (4u * 1024 * 1024)
#define ROUTING_MAX 1024
#define HEADER_LEN 4
#define ROUTING_HEAD_LEN 7

enum step { WANT_HEADER, WANT_HELLO, WANT_FINISH, OPEN };

struct sim_stream {
	wslay_event_context_ptr ws;
	enum step step;
	struct buf header; /* until the stream header is complete */
	struct wa_frame_reader frames;
	struct sim_noise *noise; /* until the handshake is done */
	enum sim_handshake handshake;
	struct buf routing; /* edge routing info of the header */
	struct sim_cipher from_client, to_client;
	struct sim_shaper shaper;
	bool each_byte;
	struct evbuffer *in; /* borrowed while sim_stream_feed() runs */
	struct buf out;      /* of wslay's, until a frame is whole: one record of TLS */
	int rc;              /* first failure inside a callback */
	const char *why;
	const struct sim_stream_ops *ops;
	void *arg;
};

static void fail(struct sim_stream *s, int rc, const char *why)
{
	if (s->rc != 0)
		return;
	s->rc = rc;
	s->why = why;
}

/* ---- WebSocket ------------------------------------------------------------------------------- */

static ssize_t on_ws_recv(wslay_event_context_ptr ws, uint8_t *data, size_t len, int flags,
                          void *arg)
{
	struct sim_stream *s = arg;
	int n;

	(void)flags;
	/* After a failure nothing more is of interest; last words can still be sent. */
	n = s->rc != 0 ? 0 : evbuffer_remove(s->in, data, len);
	if (n > 0)
		return n;
	wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static ssize_t on_ws_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags,
                          void *arg)
{
	struct sim_stream *s = arg;

	(void)flags;
	if (buf_append(&s->out, data, len) == 0)
		return (ssize_t)len;
	wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* What wslay has queued, and what a callback makes of it. */
static int send_queued(struct sim_stream *s)
{
	int rc = wslay_event_send(s->ws);
	struct buf out = s->out;

	s->out = (struct buf){ 0 };
	if (out.len > 0)
		s->ops->on_output(out.p, out.len, s->arg);
	buf_free(&out);
	return rc;
}

static void take_bytes(struct sim_stream *s, const uint8_t *data, size_t len);

static void on_ws_msg(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *msg,
                      void *arg)
{
	struct sim_stream *s = arg;

	(void)ws;
	switch (msg->opcode) {
	case WSLAY_BINARY_FRAME:
		take_bytes(s, msg->msg, msg->msg_length);
		break;
	case WSLAY_TEXT_FRAME:
		fail(s, WA_EPROTO, "text message");
		break;
	case WSLAY_CONNECTION_CLOSE:
		fail(s, WA_ENETWORK, "closed by the client");
		break;
	default: /* ping and pong: wslay answers by itself */
		break;
	}
}

int sim_stream_new(const struct wa_keypair *ephemeral, const struct sim_stream_ops *ops, void *arg,
                   struct sim_stream **stream_out)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_ws_recv,
		.send_callback = on_ws_send,
		.on_msg_recv_callback = on_ws_msg,
	};
	struct sim_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->ops = ops;
	s->arg = arg;
	if (wslay_event_context_server_init(&s->ws, &callbacks, s) != 0)
		s->ws = NULL;
	if (s->ws == NULL || sim_noise_new(ephemeral, &s->noise) < 0) {
		sim_stream_free(s);
		return -ENOMEM;
	}
	wslay_event_config_set_max_recv_msg_length(s->ws, MESSAGE_MAX);
	*stream_out = s;
	return 0;
}

void sim_stream_free(struct sim_stream *s)
{
	if (s == NULL)
		return;
	if (s->ws != NULL)
		wslay_event_context_free(s->ws);
	sim_noise_free(s->noise);
	wa_frame_reader_clear(&s->frames);
	buf_free(&s->header);
	buf_free(&s->routing);
	buf_free(&s->out);
	secret_wipe(&s->from_client, sizeof(s->from_client));
	secret_wipe(&s->to_client, sizeof(s->to_client));
	free(s);
}

int sim_stream_feed(struct sim_stream *s, struct evbuffer *in, const char **why_out)
{
	int rc;

	s->in = in;
	rc = wslay_event_recv(s->ws);
	s->in = NULL;
	if (s->rc == 0 && rc == WSLAY_ERR_NOMEM)
		fail(s, -ENOMEM, "memory");
	else if (s->rc == 0 && rc != 0)
		fail(s, WA_EPROTO, "WebSocket");
	if (s->rc == 0 && !wslay_event_get_read_enabled(s->ws))
		fail(s, WA_EPROTO, "WebSocket"); /* wslay has refused a frame and queued a close */
	if (wslay_event_want_write(s->ws))
		(void)send_queued(s); /* pong, or the answer to a close */
	*why_out = s->why;
	return s->rc;
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_message(struct sim_stream *s, uint8_t opcode, const void *data, size_t len)
{
	const struct wslay_event_msg msg = { .opcode = opcode, .msg = data, .msg_length = len };
	int rc = wslay_event_queue_msg(s->ws, &msg);

	if (rc == 0)
		rc = send_queued(s);
	if (rc == WSLAY_ERR_NO_MORE_MSG)
		return 0; /* the WebSocket is closing: nobody reads it */
	return rc == 0 ? 0 : -ENOMEM;
}

static int send_pieces(struct sim_stream *s, const uint8_t *data, size_t len)
{
	int rc = 0;

	if (!s->each_byte)
		return send_message(s, WSLAY_BINARY_FRAME, data, len);
	for (size_t i = 0; rc == 0 && i < len; i++)
		rc = send_message(s, WSLAY_BINARY_FRAME, data + i, 1);
	return rc;
}

static int send_shaped(struct sim_stream *s, uint8_t *data, size_t len)
{
	enum sim_shape shape = sim_shape(&s->shaper, data, &len);
	int rc = len > 0 ? send_pieces(s, data, len) : 0;

	if (rc == 0 && shape != SIM_SHAPE_PASS)
		s->ops->on_shaped(shape, s->arg);
	return rc;
}

int sim_stream_send_bytes(struct sim_stream *s, const void *data, size_t len)
{
	struct buf copy = { 0 };
	int rc = buf_append(&copy, data, len);

	if (rc == 0)
		rc = send_shaped(s, copy.p, copy.len);
	buf_free(&copy);
	return rc;
}

int sim_stream_send_frame(struct sim_stream *s, const void *payload, size_t len)
{
	struct buf frame = { 0 };
	int rc = wa_frame_append(&frame, payload, len);

	if (rc == 0)
		rc = send_shaped(s, frame.p, frame.len);
	buf_free(&frame);
	return rc;
}

int sim_stream_send(struct sim_stream *s, const void *stanza, size_t stanza_len)
{
	struct buf sealed = { 0 };
	int rc;

	if (s->step != OPEN)
		return WA_ESTATE;
	rc = sim_cipher_seal(&s->to_client, stanza, stanza_len, &sealed);
	if (rc == 0)
		rc = sim_stream_send_frame(s, sealed.p, sealed.len);
	buf_free(&sealed);
	return rc;
}

int sim_stream_send_text(struct sim_stream *s, const char *text)
{
	return send_message(s, WSLAY_TEXT_FRAME, text, strlen(text));
}

void sim_stream_shape(struct sim_stream *s, const struct sim_shaper *shaper, bool each_byte)
{
	s->shaper = *shaper;
	s->each_byte = each_byte;
}

void sim_stream_skip_counter(struct sim_stream *s)
{
	s->to_client.counter++;
}

enum sim_handshake sim_stream_handshake(const struct sim_stream *s)
{
	return s->handshake;
}

const uint8_t *sim_stream_routing(const struct sim_stream *s, size_t *len_out)
{
	*len_out = s->routing.len;
	return s->routing.p;
}

bool sim_stream_is_open(const struct sim_stream *s)
{
	return s->step == OPEN;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* The handshake is done: from here on stanzas. */
static int open_stream(struct sim_stream *s, const struct sim_noise_result *result,
                       const struct buf *payload)
{
	int rc;

	s->from_client = result->from_client;
	s->to_client = result->to_client;
	s->handshake = result->handshake;
	s->step = OPEN;
	sim_noise_free(s->noise);
	s->noise = NULL;
	rc = s->ops->on_payload(payload->p, payload->len, result->client_static, s->arg);
	if (rc < 0)
		fail(s, rc, "payload");
	return rc;
}

static int take_hello(struct sim_stream *s, const uint8_t *payload, size_t payload_len)
{
	struct sim_noise_server server = { .identity = NULL };
	struct sim_noise_result result;
	struct buf hello = { 0 }, plain = { 0 };
	int rc, sent;

	if (!s->ops->on_hello(&server, s->arg))
		return 0;
	rc = sim_noise_hello(s->noise, payload, payload_len, &server, &hello, &plain, &result);
	sent = rc < 0 ? rc : sim_stream_send_frame(s, hello.p, hello.len);
	if (sent < 0) {
		rc = sent;
		fail(s, rc, "ClientHello");
	}
	if (rc == 0)
		s->step = WANT_FINISH;
	if (rc == 1)
		rc = open_stream(s, &result, &plain);
	buf_free(&hello);
	buf_wipe(&plain);
	secret_wipe(&result, sizeof(result));
	return rc;
}

static int take_finish(struct sim_stream *s, const uint8_t *payload, size_t payload_len)
{
	struct sim_noise_result result;
	struct buf plain = { 0 };
	int rc;

	rc = sim_noise_finish(s->noise, payload, payload_len, &plain, &result);
	if (rc < 0)
		fail(s, rc, "ClientFinish");
	else
		rc = open_stream(s, &result, &plain);
	buf_wipe(&plain);
	secret_wipe(&result, sizeof(result));
	return rc;
}

static int take_stanza(struct sim_stream *s, const uint8_t *payload, size_t payload_len)
{
	struct buf plain = { 0 };
	int rc;

	rc = sim_cipher_open(&s->from_client, payload, payload_len, &plain);
	if (rc < 0) {
		fail(s, rc, "frame does not decrypt");
	} else {
		rc = s->ops->on_stanza(plain.p, plain.len, s->arg);
		if (rc < 0)
			fail(s, rc, "stanza");
	}
	buf_free(&plain);
	return rc;
}

static int on_frame(const uint8_t *payload, size_t payload_len, void *arg)
{
	struct sim_stream *s = arg;

	switch (s->step) {
	case WANT_HELLO:
		return take_hello(s, payload, payload_len);
	case WANT_FINISH:
		return take_finish(s, payload, payload_len);
	case OPEN:
		return take_stanza(s, payload, payload_len);
	case WANT_HEADER:
		break;
	}
	return WA_ESTATE;
}

/*
 * Length of the stream header with its routing block, 0: more bytes needed, WA_EPROTO: none.
 * *routing_len_out: the length of the routing info, which begins at ROUTING_HEAD_LEN.
 */
static int header_len(const uint8_t *p, size_t len, size_t *routing_len_out)
{
	static const uint8_t routing[4] = { 'E', 'D', 0, 1 };
	static const uint8_t header[HEADER_LEN] = { 'W', 'A', 6, 3 };
	size_t skip = 0, n;

	*routing_len_out = 0;
	if (len > 0 && p[0] == routing[0]) {
		n = len < sizeof(routing) ? len : sizeof(routing);
		if (memcmp(p, routing, n) != 0)
			return WA_EPROTO;
		if (len < ROUTING_HEAD_LEN)
			return 0;
		skip = (size_t)p[4] << 16 | (size_t)p[5] << 8 | p[6];
		if (skip == 0 || skip > ROUTING_MAX)
			return WA_EPROTO;
		*routing_len_out = skip;
		skip += ROUTING_HEAD_LEN;
	}
	if (len <= skip)
		return 0;
	n = len - skip < HEADER_LEN ? len - skip : HEADER_LEN;
	if (memcmp(p + skip, header, n) != 0)
		return WA_EPROTO;
	return n < HEADER_LEN ? 0 : (int)(skip + HEADER_LEN);
}

static int take_header(struct sim_stream *s, const uint8_t *data, size_t len)
{
	size_t routing_len = 0, used;
	int rc = buf_append(&s->header, data, len);

	if (rc == 0)
		rc = header_len(s->header.p, s->header.len, &routing_len);
	if (rc <= 0)
		return rc;
	used = (size_t)rc;
	rc = buf_append(&s->routing, s->header.p + ROUTING_HEAD_LEN * (routing_len > 0),
	                routing_len);
	if (rc < 0)
		return rc;
	s->step = WANT_HELLO;
	rc = wa_frame_feed(&s->frames, s->header.p + used, s->header.len - used, on_frame, s);
	buf_free(&s->header);
	return rc;
}

static void take_bytes(struct sim_stream *s, const uint8_t *data, size_t len)
{
	int rc;

	if (s->rc != 0 || len == 0)
		return;
	if (s->step == WANT_HEADER)
		rc = take_header(s, data, len);
	else
		rc = wa_frame_feed(&s->frames, data, len, on_frame, s);
	if (rc < 0)
		fail(s, rc, s->step == WANT_HEADER ? "stream header" : "frame");
}
