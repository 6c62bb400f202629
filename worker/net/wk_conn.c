/* worker/net/wk_conn.c - TLS, WebSocket, Noise and stanzas on one bufferevent */
#include "worker/net/wk_conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/net/wk_tls.h"
#include "worker/net/wk_upgrade.h"
#include "worker/net/wk_ws.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/transport/wa_frame.h"

#define READ_MAX (64 * 1024) /* bytes held, and so handled, per wake-up */
#define READ_STEP 4032       /* of them read at a time: 4 KiB with what libevent adds */
#define CLOSE_NORMAL 1000
#define CLOSE_NO_STATUS 1005

/* With flag byte and tag: a longer frame can't hold a stanza that we take. */
#define FRAME_MAX (WA_STANZA_MAX_LEN + 1 + WA_TAG_LEN)

enum phase {
	PHASE_TLS,
	PHASE_UPGRADE,
	PHASE_HELLO,
	PHASE_OPEN,
	PHASE_CLOSING,
	PHASE_STUCK, /* the peer does not read: the end is on its way */
	PHASE_OVER
};

struct wk_conn {
	const struct wk_url *url;
	const struct wk_conn_ops *ops;
	void *arg;
	enum phase phase;
	struct bufferevent *bev;
	struct evbuffer *out; /* leaves in one go, in few records, at the end of the callback ... */
	struct event *ev_out; /* ... by this one */
	char *origin;
	struct wk_upgrade upgrade;
	struct wk_ws *ws;
	struct wa_frame_reader frames;
	struct wa_noise_client *noise; /* until the handshake is done */
	struct buf payload;            /* ClientPayload, until then */
	struct buf routing;            /* edge routing info, until ClientHello is sent */
	uint8_t server_static[WA_KEY_LEN];
	bool ik;        /* with server_static */
	bool look_only; /* ClientFinish, with our static key and payload, stays here */
	struct wa_transport keys;
	struct wk_failure failure; /* filled where a callback can only return a code */
	unsigned busy;             /* callbacks on the stack: freeing waits for them */
	bool freed;
};

static void destroy(struct wk_conn *c)
{
	wk_ws_free(c->ws);
	wa_frame_reader_clear(&c->frames);
	wa_noise_client_free(c->noise);
	buf_wipe(&c->payload);
	buf_free(&c->routing);
	free(c->origin);
	if (c->ev_out != NULL)
		event_free(c->ev_out);
	if (c->out != NULL)
		evbuffer_free(c->out);
	secret_free(c);
}

static void enter(struct wk_conn *c)
{
	c->busy++;
}

static void leave(struct wk_conn *c)
{
	if (--c->busy == 0 && c->freed)
		destroy(c);
}

void wk_conn_free(struct wk_conn *c)
{
	if (c == NULL || c->freed)
		return;
	c->phase = PHASE_OVER;
	c->freed = true;
	if (c->bev != NULL && c->out != NULL && evbuffer_get_length(c->out) > 0) {
		(void)bufferevent_write_buffer(c->bev, c->out); /* last words */
		wk_tls_push(c->bev);
	}
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	c->bev = NULL;
	enter(c);
	leave(c);
}

/* The end, told once. f NULL: as wished. */
static void end(struct wk_conn *c, const struct wk_failure *f)
{
	if (c->phase == PHASE_OVER)
		return;
	c->phase = PHASE_OVER;
	(void)bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	c->ops->on_end(f, c->arg);
}

/* ---- sending ----------------------------------------------------------------------------- */

static void on_out(evutil_socket_t fd, short what, void *arg)
{
	struct wk_conn *c = arg;

	(void)fd;
	(void)what;
	(void)bufferevent_write_buffer(c->bev, c->out);
}

/* What is written to TLS leaves at once, as a record and a system call of its own. */
static void on_out_grows(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	struct wk_conn *c = arg;

	(void)out;
	if (info->orig_size == 0 && info->n_added > 0)
		event_active(c->ev_out, EV_TIMEOUT, 0);
}

/* True: nothing more can be sent. on_event() tells the end, since a sender expects no callback. */
static bool is_stuck(struct wk_conn *c)
{
	if (c->phase == PHASE_STUCK)
		return true;
	if (wk_tls_unsent(c->bev) + evbuffer_get_length(c->out) <= WK_UNSENT_MAX)
		return false;
	c->phase = PHASE_STUCK;
	wk_failure_set(&c->failure, WA_ENETWORK, "%s does not read what it is sent",
	               c->url->hostport);
	bufferevent_trigger_event(c->bev, BEV_EVENT_WRITING | BEV_EVENT_ERROR,
	                          BEV_TRIG_DEFER_CALLBACKS);
	return true;
}

/* What stands in front of the first frame; the routing block is not part of the Noise prologue. */
static int append_header(const struct buf *routing, struct buf *out)
{
	const uint8_t head[] = {
		'E', 'D', 0, 1, 0, (uint8_t)(routing->len >> 8), (uint8_t)routing->len
	};
	int rc = 0;

	if (routing->len > 0)
		rc = buf_append(out, head, sizeof(head));
	if (rc == 0 && routing->len > 0)
		rc = buf_append(out, routing->p, routing->len);
	return rc == 0 ? buf_append(out, wa_stream_header, WA_STREAM_HEADER_LEN) : rc;
}

/* One frame as one WebSocket message; the stream header goes in front of the first. */
static int send_frame(struct wk_conn *c, const struct buf *payload, bool first)
{
	struct buf msg = { 0 };
	int rc = 0;

	if (first)
		rc = append_header(&c->routing, &msg);
	if (rc == 0)
		rc = wa_frame_append(&msg, payload->p, payload->len);
	if (rc == 0)
		rc = wk_ws_send(c->ws, msg.p, msg.len);
	buf_free(&msg);
	return rc;
}

int wk_conn_send(struct wk_conn *c, const struct wa_node *n)
{
	struct buf plain = { 0 }, sealed = { 0 };
	int rc;

	if (c->phase != PHASE_OPEN)
		return WA_ESTATE;
	rc = wa_stanza_encode(n, &plain);
	if (rc == 0)
		rc = wa_cipher_seal(&c->keys.send, plain.p, plain.len, &sealed);
	if (rc == 0)
		rc = send_frame(c, &sealed, false);
	buf_wipe(&plain);
	buf_free(&sealed);
	(void)is_stuck(c);
	return rc;
}

void wk_conn_pause(struct wk_conn *c, _Bool stop)
{
	if (c->phase != PHASE_OPEN)
		return;
	if (stop)
		(void)bufferevent_disable(c->bev, EV_READ);
	else
		(void)bufferevent_enable(c->bev, EV_READ);
}

_Bool wk_conn_close(struct wk_conn *c)
{
	if (c->phase != PHASE_OPEN)
		return false;
	c->phase = PHASE_CLOSING;
	wk_ws_close(c->ws, CLOSE_NORMAL);
	return true;
}

/* ---- Noise ------------------------------------------------------------------------------- */

static int send_hello(struct wk_conn *c)
{
	struct buf hello = { 0 };
	int rc;

	if (c->ik)
		rc = wa_noise_client_hello_ik(c->noise, c->server_static, c->payload.p,
		                              c->payload.len, &hello);
	else
		rc = wa_noise_client_hello(c->noise, &hello);
	if (rc == 0)
		rc = send_frame(c, &hello, true);
	buf_free(&hello);
	buf_free(&c->routing);
	return rc;
}

static void explain_noise(struct wk_conn *c, int rc, const char *why)
{
	if (rc == -ENOMEM)
		wk_failure_set(&c->failure, rc, "out of memory in the Noise handshake");
	else if (rc == WA_ECERT)
		wk_failure_set(&c->failure, WA_EHANDSHAKE,
		               "the Noise certificate chain of %s was refused: %s",
		               c->url->hostport, why != NULL ? why : "invalid");
	else
		wk_failure_set(&c->failure, WA_EHANDSHAKE,
		               "the Noise handshake of %s was refused: %s", c->url->hostport,
		               wa_err_name(rc));
}

/* The server's one handshake message. After an accepted IK there is nothing to answer. */
static int on_server_hello(struct wk_conn *c, const uint8_t *data, size_t data_len)
{
	struct wa_server_key key = { 0 };
	struct buf finish = { 0 };
	const char *why = NULL;
	int rc;

	rc = wa_noise_client_finish(c->noise, data, data_len, c->payload.p, c->payload.len,
	                            clock_unix_s(), &finish, &c->keys, &key, &why);
	if (rc < 0)
		explain_noise(c, rc, why);
	else if (finish.len > 0 && !c->look_only)
		rc = send_frame(c, &finish, false);
	buf_free(&finish);
	if (rc < 0)
		return rc;
	wa_noise_client_free(c->noise);
	c->noise = NULL;
	buf_wipe(&c->payload);
	c->phase = PHASE_OPEN;
	c->ops->on_ready(&key, c->arg);
	return 0;
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

static int on_sealed(struct wk_conn *c, const uint8_t *data, size_t data_len)
{
	struct buf plain = { 0 };
	struct wa_node *n = NULL;
	int rc;

	rc = wa_cipher_open(&c->keys.recv, data, data_len, &plain);
	if (rc < 0) {
		wk_failure_set(&c->failure, rc == -ENOMEM ? rc : WA_EPROTO,
		               "a frame from %s could not be decrypted", c->url->hostport);
		goto out;
	}
	rc = wa_stanza_decode(plain.p, plain.len, &n);
	if (rc == -ENOMEM) { /* nothing is wrong with it: the next login brings it again */
		wk_failure_set(&c->failure, rc, "no memory for a stanza");
		goto out;
	}
	if (rc == 0)
		c->ops->on_stanza(n, c->arg);
	else
		c->ops->on_bad_stanza(rc, c->arg);
	rc = 0; /* a bad stanza is refused, the stream goes on */
out:
	wa_node_free(n);
	buf_wipe(&plain);
	return rc;
}

/* A negative return stops the reader: also when the connection was freed or is over. */
static int on_frame(const uint8_t *payload, size_t payload_len, void *arg)
{
	struct wk_conn *c = arg;
	int rc = 0;

	if (c->phase == PHASE_HELLO)
		rc = on_server_hello(c, payload, payload_len);
	else if (c->phase == PHASE_OPEN)
		rc = on_sealed(c, payload, payload_len);
	return rc == 0 && c->phase >= PHASE_STUCK ? WA_ESTATE : rc;
}

static int on_ws_data(const uint8_t *data, size_t data_len, void *arg)
{
	struct wk_conn *c = arg;

	return wa_frame_feed(&c->frames, data, data_len, on_frame, c);
}

/* Something that is not the protocol: which words depend on how far we were. */
static void fail_stream(struct wk_conn *c, int rc)
{
	if (c->failure.rc == 0)
		wk_failure_set(&c->failure,
		               rc == -ENOMEM             ? rc
		               : c->phase == PHASE_HELLO ? WA_EHANDSHAKE
		                                         : WA_EPROTO,
		               "%s sent what is not the protocol: %s", c->url->hostport,
		               wa_err_name(rc));
	end(c, &c->failure);
}

static void read_ws(struct wk_conn *c)
{
	unsigned code = 0;
	int rc = wk_ws_recv(c->ws);

	/* Pings are answered while reading. */
	if (c->phase == PHASE_OVER || is_stuck(c))
		return;
	if (rc < 0 && c->phase != PHASE_CLOSING) {
		fail_stream(c, rc);
		return;
	}
	if (!wk_ws_peer_closed(c->ws, &code) && rc == 0)
		return;
	if (c->phase == PHASE_CLOSING) {
		end(c, NULL);
		return;
	}
	if (code == 0 || code == CLOSE_NO_STATUS)
		wk_failure_set(&c->failure, WA_ENETWORK, "%s closed the WebSocket",
		               c->url->hostport);
	else
		wk_failure_set(&c->failure, WA_ENETWORK, "%s closed the WebSocket with code %u",
		               c->url->hostport, code);
	end(c, &c->failure);
}

static void read_upgrade(struct wk_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in);
	size_t head_len = 0;
	const char *why = NULL;
	unsigned status = 0;
	const void *data;
	int rc;

	if (len > WK_HEAD_MAX_LEN)
		len = WK_HEAD_MAX_LEN;
	data = evbuffer_pullup(in, (ev_ssize_t)len);
	if (data == NULL)
		return;
	rc = wk_upgrade_check(&c->upgrade, data, len, &head_len, &why, &status);
	if (rc == -EAGAIN)
		return;
	if (rc == 0) {
		(void)evbuffer_drain(in, head_len);
		c->phase = PHASE_HELLO;
		rc = send_hello(c);
		if (rc < 0) {
			fail_stream(c, rc);
			return;
		}
		c->ops->on_open(c->arg);
		return;
	}
	if (status != 0 && status != 101)
		wk_failure_set(&c->failure, rc,
		               "%s answered the WebSocket upgrade with HTTP status %u",
		               c->url->hostport, status);
	else
		wk_failure_set(&c->failure, rc, "the WebSocket upgrade of %s was refused: %s",
		               c->url->hostport, why);
	end(c, &c->failure);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct wk_conn *c = arg;

	(void)bev;
	enter(c);
	if (c->phase == PHASE_UPGRADE)
		read_upgrade(c);
	if (c->phase == PHASE_HELLO || c->phase == PHASE_OPEN || c->phase == PHASE_CLOSING)
		read_ws(c);
	leave(c);
}

/* ---- opening ----------------------------------------------------------------------------- */

static int send_upgrade(struct wk_conn *c)
{
	uint8_t nonce[WK_UPGRADE_NONCE_LEN];
	struct buf request = { 0 };
	int rc = secret_random(nonce, sizeof(nonce));

	if (rc == 0)
		rc = wk_upgrade_init(&c->upgrade, nonce);
	if (rc == 0)
		rc = wk_upgrade_request(&c->upgrade, c->url->authority, c->url->path, c->origin,
		                        &request);
	if (rc == 0 && bufferevent_write(c->bev, request.p, request.len) < 0)
		rc = -ENOMEM;
	buf_free(&request);
	c->phase = PHASE_UPGRADE;
	return rc;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct wk_conn *c = arg;
	int rc;

	enter(c);
	if (what & BEV_EVENT_CONNECTED) {
		rc = send_upgrade(c);
		if (rc < 0)
			fail_stream(c, rc);
		else
			c->ops->on_tls(c->arg);
	} else if (c->phase == PHASE_CLOSING) {
		end(c, NULL);
	} else if (c->phase != PHASE_OVER) {
		if (c->phase != PHASE_STUCK)
			wk_tls_explain(bev, what, c->url, &c->failure);
		end(c, &c->failure);
	}
	leave(c);
}

/* Everything that needs no socket. */
static int prepare(struct wk_conn *c, const struct wk_conn_params *p)
{
	int rc;

	c->origin = strdup(p->origin);
	if (c->origin == NULL)
		return -ENOMEM;
	c->frames.max_len = FRAME_MAX;
	c->look_only = p->look_only;
	c->ik = p->server_static != NULL;
	if (c->ik)
		memcpy(c->server_static, p->server_static, sizeof(c->server_static));
	rc = buf_append(&c->payload, p->payload->p, p->payload->len);
	if (rc == 0 && p->routing_len > 0 && p->routing_len <= WK_ROUTING_MAX_LEN)
		rc = buf_append(&c->routing, p->routing, p->routing_len);
	if (rc == 0)
		rc = wa_noise_client_new(p->noise, NULL, p->root, &c->noise);
	return rc;
}

static int attach(struct wk_conn *c, struct event_base *base)
{
	int rc;

	c->out = evbuffer_new();
	c->ev_out = event_new(base, -1, 0, on_out, c);
	if (c->out == NULL || c->ev_out == NULL || evbuffer_add_cb(c->out, on_out_grows, c) == NULL)
		return -ENOMEM;
	rc = wk_ws_new(bufferevent_get_input(c->bev), c->out, on_ws_data, c, &c->ws);
	if (rc < 0)
		return rc;
	(void)bufferevent_set_max_single_read(c->bev, READ_STEP);
	rc = wk_tls_start(c->bev, on_read, on_event, c, READ_MAX);
	if (rc < 0)
		return rc;
	return c->url->tls ? 0 : send_upgrade(c);
}

/*
 * Over a bufferevent of the socket's own TLS is fed what the socket has, many records at a time;
 * over the socket itself it reads each record's head and body by themselves.
 */
static int read_ahead(struct event_base *base, struct wk_pipe *pipe)
{
	if (pipe->bev != NULL)
		return 0;
	pipe->bev = bufferevent_socket_new(base, pipe->fd, BEV_OPT_CLOSE_ON_FREE);
	if (pipe->bev == NULL)
		return -ENOMEM;
	pipe->fd = -1;
	return 0;
}

int wk_conn_new(struct event_base *base, struct wk_pipe pipe, const struct wk_conn_params *params,
                const struct wk_conn_ops *ops, void *arg, struct wk_failure *f,
                struct wk_conn **conn_out)
{
	struct wk_conn *c = secret_alloc(sizeof(*c)); /* the transport's keys */
	int rc;

	if (c == NULL || (params->url->tls && read_ahead(base, &pipe) < 0)) {
		wk_pipe_close(&pipe);
		secret_free(c);
		goto nomem;
	}
	c->url = params->url;
	c->ops = ops;
	c->arg = arg;
	rc = wk_tls_open(params->tls, base, pipe, c->url, params->ca_file, f, &c->bev);
	if (rc < 0) {
		wk_conn_free(c);
		return rc;
	}
	rc = prepare(c, params);
	if (rc == 0)
		rc = attach(c, base);
	if (rc < 0) {
		wk_conn_free(c);
		goto nomem;
	}
	*conn_out = c;
	return 0;
nomem:
	wk_failure_set(f, -ENOMEM, "out of memory");
	return f->rc;
}
