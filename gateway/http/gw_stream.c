/* gateway/http/gw_stream.c - a link attempt as server-sent events */
#include "gateway/http/gw_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/secret.h"
#include "gateway/api/gw_outcome.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/metrics/gw_metrics.h"

/* One caller that follows an attempt. Owned by its request: gone with the answer or the caller. */
struct stream {
	struct gw_req *req;
	struct gw_watch *watch; /* NULL once it is over */
	struct event *ev_comment;
	bool connecting; /* the last event said so already */
	bool coded;      /* a code has been sent */
};

static void stream_free(struct stream *s)
{
	if (s->watch != NULL)
		gw_watch_cancel(s->watch);
	if (s->ev_comment != NULL)
		event_free(s->ev_comment);
	free(s);
}

static void on_hangup(void *arg)
{
	stream_free(arg);
}

/* takes data. Negative: the caller is gone, and with it the stream. */
static int write_event(struct gw_req *req, const char *event, json_t *data)
{
	char *text = json_text(data);
	struct buf piece = { 0 };
	int rc = 0;

	/* Without memory the event is left out; the attempt goes on. */
	if (text != NULL && buf_appendf(&piece, "event: %s\ndata: %s\n\n", event, text) == 0)
		rc = gw_req_stream_piece(req, piece.p, piece.len);
	buf_wipe(&piece); /* held a code */
	if (text != NULL)
		secret_wipe(text, strlen(text));
	free(text);
	json_decref(data);
	return rc;
}

static void on_comment(evutil_socket_t fd, short what, void *arg)
{
	static const char comment[] = ": waiting\n\n";
	struct stream *s = arg;

	(void)fd;
	(void)what;
	(void)!gw_req_stream_piece(s->req, comment, sizeof(comment) - 1);
}

/* As write_event(), for an event with more to come. */
static void send_event(struct stream *s, const char *event, json_t *data)
{
	s->connecting = false;
	(void)!write_event(s->req, event, data);
}

static void send_connecting(struct stream *s)
{
	json_t *data;

	if (s->connecting)
		return;
	data = json_pack("{s:b, s:s, s:s}", "success", 1, "message", "Connecting", "status",
	                 "connecting");
	s->connecting = true;
	(void)!write_event(s->req, "connecting", data);
}

static void send_passkey(struct stream *s, const struct gw_passkey *passkey)
{
	if (gw_outcome_passkey_waits(passkey))
		send_event(s, passkey->status == GW_PASSKEY_CONFIRM ? "passkey_confirm" : "passkey",
		           gw_outcome_passkey(passkey));
}

/* takes data. The last event; the watch is over. */
static void finish(struct stream *s, const char *event, json_t *data)
{
	struct gw_req *req = s->req;

	s->watch = NULL;
	if (write_event(req, event, data) < 0)
		return;
	gw_req_stream_end(req);
	stream_free(s);
}

static void send_code(struct stream *s, struct gw_code *code)
{
	if (code == NULL)
		return;
	if (gw_outcome_link_over(s->req)) {
		gw_watch_cancel(s->watch);
		finish(s, "failed", gw_outcome_link_over_json());
		return;
	}
	if (!s->coded)
		gw_metrics_connect(gw_req_gw(s->req)->metrics, gw_req_age_ms(s->req));
	s->coded = true;
	send_event(s, code->pairing ? "pairing" : "qr", gw_outcome_code(code));
}

/* Each case is the last use of s: the caller may be gone with what it is sent. */
static void on_watch(struct gw_instance *inst, enum gw_watch_event ev,
                     const struct gw_reason *reason, void *arg)
{
	struct stream *s = arg;

	switch (ev) {
	case GW_WATCH_CODE:
		send_code(s, gw_instance_code(inst));
		break;
	case GW_WATCH_PASSKEY:
		send_passkey(s, gw_instance_passkey(inst));
		break;
	case GW_WATCH_CONNECTING:
		send_connecting(s);
		break;
	case GW_WATCH_CONNECTED:
		finish(s, "connected", gw_outcome_connected(s->req, inst));
		break;
	case GW_WATCH_TIMEOUT:
		finish(s, "timeout", gw_outcome_failed(s->req, reason));
		break;
	case GW_WATCH_FAILED:
		finish(s, "failed", gw_outcome_failed(s->req, reason));
		break;
	}
}

static int stream_new(struct gw_req *req, struct stream **s_out)
{
	static const struct timeval every = { .tv_sec = GW_STREAM_COMMENT_S };
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->req = req;
	s->ev_comment = event_new(gw_req_gw(req)->base, -1, EV_PERSIST, on_comment, s);
	if (s->ev_comment == NULL || event_add(s->ev_comment, &every) < 0) {
		stream_free(s);
		return -ENOMEM;
	}
	*s_out = s;
	return 0;
}

int gw_stream_attempt(struct gw_req *req, struct gw_instance *inst,
                      const struct gw_connect_params *params)
{
	struct gw_reason reason = { .rc = 0 };
	struct stream *s;

	if (stream_new(req, &s) < 0) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return 0;
	}
	reason.rc = gw_instance_connect(inst, params, on_watch, s, &s->watch);
	if (reason.rc == WA_ERATE_LIMITED) {
		stream_free(s);
		return reason.rc;
	}
	gw_req_wait(req, true, on_hangup, s);
	if (gw_req_stream_start(req, gw_media_type(GW_MEDIA_EVENTS)) < 0)
		return 0;
	if (reason.rc < 0)
		finish(s, "failed", gw_outcome_failed(req, &reason));
	else if (gw_instance_state(inst) != GW_CONNECTED)
		send_connecting(s); /* else it comes with the next pass of the loop, if it is so */
	return 0;
}
