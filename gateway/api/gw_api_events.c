/*
 * gateway/api/gw_api_events.c - events as they happen: server-sent events and WebSocket
 * (contract 4.3)
 *
 * Both read the stored events at their client's pace (gw_feed.h). An event's place in the stream is
 * its sequence, so a client that comes back goes on where it was.
 */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/codec.h"
#include "gateway/events/gw_event_media.h"
#include "gateway/events/gw_events.h"
#include "gateway/events/gw_feed.h"
#include "gateway/events/gw_ws.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/webhook/gw_hook_config.h"

#define COMMENT_S 15 /* a comment this often keeps an event stream open */
#define LIST_CAP 256

/* One client. Owned by its request, or by its WebSocket. */
struct listener {
	struct gw_req *req; /* an event stream's; NULL: a WebSocket's */
	struct gw_ws *ws;
	struct gw_instance *inst;
	struct gw_feed *feed;
	struct event *ev_comment;
	bool media;   /* files come along */
	bool in_call; /* the request may end in what is called */
	bool over;

	/* an event that waits for its file */
	struct gw_ask *ask; /* NULL: none does */
	struct gw_event held;
	char *held_text;
};

/* ---- what is asked for ---------------------------------------------------------------------- */

static int parse_from(const struct gw_req *req, uint64_t *from_out)
{
	const char *last = gw_req_header(req, "last-event-id");
	char text[24];
	uint64_t v = 0;
	int rc;

	*from_out = GW_EVENTS_NEW;
	/* a browser that reconnects repeats the parameter it began with */
	if (last != NULL && *last != '\0') {
		if (dec_decode(last, INT64_MAX - 1, &v) < 0)
			return -EINVAL;
		*from_out = v + 1;
		return 0;
	}
	rc = gw_req_param(req, "from", text, sizeof(text));
	if (rc <= 0)
		return rc;
	if (dec_decode(text, INT64_MAX - 1, &v) < 0)
		return -EINVAL;
	*from_out = v > 0 ? v : 1;
	return 0;
}

static int parse_flag(const struct gw_req *req, const char *name, bool *out)
{
	char text[8];
	int rc = gw_req_param(req, name, text, sizeof(text));

	if (rc <= 0)
		return rc;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -EINVAL;
	*out = strcmp(text, "true") == 0;
	return 0;
}

/* NULL, or what can't be taken. */
static const char *parse(const struct gw_req *req, uint64_t *from_out, struct gw_event_filter *f)
{
	char list[LIST_CAP];
	int rc;

	if (parse_from(req, from_out) < 0)
		return "from and Last-Event-ID are sequences of events";
	rc = gw_req_param(req, "events", list, sizeof(list));
	if (rc < 0 || (rc > 0 && gw_event_kinds_parse(list, &f->kinds) < 0))
		return "events is a list of event kinds, separated by commas";
	if (parse_flag(req, "history", &f->history) < 0)
		return "history is true or false";
	return NULL;
}

/* ---- a file that comes along ----------------------------------------------------------------- */

static enum gw_feed_took send_text(struct listener *l, const struct gw_event *e, const void *text,
                                   size_t text_len);

static void drop_held(struct listener *l)
{
	if (l->held_text == NULL)
		return;
	gw_ask_cancel(l->ask);
	l->ask = NULL;
	free(l->held_text);
	l->held_text = NULL;
	gw_feed_file_end(l->feed);
}

static enum gw_feed_took send_held(struct listener *l, const struct gw_ask_result *r)
{
	struct gw_event e = l->held;
	struct buf text = { 0 };
	enum gw_feed_took took;
	int rc = gw_event_text_with_media(&e, r, &text);

	took = rc < 0 ? send_text(l, &e, e.text, e.text_len) : send_text(l, &e, text.p, text.len);
	buf_wipe(&text);
	if (took != GW_FEED_OVER)
		drop_held(l);
	return took;
}

static void on_file(const struct gw_ask_result *r, void *arg)
{
	struct listener *l = arg;

	l->ask = NULL;
	if (send_held(l, r) == GW_FEED_MORE)
		gw_feed_go(l->feed);
}

/* The event waits here for its file, and the feed for the event. */
static enum gw_feed_took hold(struct listener *l, const struct gw_event *e)
{
	struct gw_ask_result none = { .rc = 0 };
	char id[GW_ASK_ID_MAX + 1];

	if (!gw_feed_file_begin(l->feed))
		return GW_FEED_LATER;
	l->held = *e;
	l->held_text = malloc(e->text_len + 1);
	if (l->held_text == NULL) {
		gw_feed_file_end(l->feed);
		return GW_FEED_LATER;
	}
	memcpy(l->held_text, e->text, e->text_len);
	l->held.text = l->held_text;
	none.rc = gw_event_message_id(e, id, sizeof(id));
	if (none.rc == 0)
		none.rc = gw_worker_ask_media(l->inst, id, GW_ASK_MEDIA_MAX, on_file, l, &l->ask);
	return none.rc < 0 ? send_held(l, &none) : GW_FEED_WAIT;
}

static enum gw_feed_took deliver(struct listener *l, const struct gw_event *e, const char *codes)
{
	struct buf text = { 0 };
	enum gw_feed_took took;

	if (l->media && (e->flags & GW_EVENT_HAS_MEDIA) != 0)
		return hold(l, e);
	if (codes == NULL || gw_event_text_with(e, "codes", codes, &text) < 0)
		took = send_text(l, e, e->text, e->text_len);
	else
		took = send_text(l, e, text.p, text.len);
	buf_wipe(&text);
	return took;
}

/* ---- server-sent events --------------------------------------------------------------------- */

static void listener_free(struct listener *l)
{
	drop_held(l);
	gw_feed_free(l->feed);
	if (l->ev_comment != NULL)
		event_free(l->ev_comment);
	free(l);
}

/* The client is gone, and its request. */
static void on_stream_hangup(void *arg)
{
	struct listener *l = arg;

	l->over = true;
	if (!l->in_call)
		listener_free(l);
}

/* Negative: it is over. */
static int stream_write(struct listener *l, const void *data, size_t len)
{
	int rc;

	l->in_call = true;
	rc = gw_req_stream_piece(l->req, data, len);
	l->in_call = false;
	return l->over ? -EPIPE : rc;
}

static int put_event(struct buf *b, const struct gw_event *e, const void *text, size_t text_len)
{
	int rc = buf_reserve(b, text_len + 128);

	if (rc == 0)
		rc = buf_append_str(b, "id: ");
	if (rc == 0)
		rc = buf_append_dec(b, e->sequence);
	if (rc == 0)
		rc = buf_append_str(b, "\nevent: ");
	if (rc == 0)
		rc = buf_append_str(b, gw_event_kind_name(e->kind));
	if (rc == 0)
		rc = buf_append_str(b, "\ndata: ");
	if (rc == 0)
		rc = buf_append(b, text, text_len);
	return rc < 0 ? rc : buf_append_str(b, "\n\n");
}

static enum gw_feed_took stream_send(struct listener *l, const struct gw_event *e, const void *text,
                                     size_t text_len)
{
	struct buf piece = { 0 };
	int rc = put_event(&piece, e, text, text_len);

	/* without memory it ends: the client comes again, and nothing is left out */
	if (rc == 0)
		rc = stream_write(l, piece.p, piece.len);
	else
		gw_req_stream_end(l->req);
	buf_wipe(&piece);
	if (rc < 0) {
		listener_free(l);
		return GW_FEED_OVER;
	}
	return gw_req_has_room(l->req) ? GW_FEED_MORE : GW_FEED_WAIT;
}

static void on_stream_begin(void *arg)
{
	struct listener *l = arg;

	gw_req_stream_cork(l->req);
}

static enum gw_feed_took on_stream_done(void *arg)
{
	struct listener *l = arg;
	int rc;

	l->in_call = true;
	rc = gw_req_stream_flush(l->req);
	l->in_call = false;
	if (rc < 0 || l->over) {
		listener_free(l);
		return GW_FEED_OVER;
	}
	return gw_req_has_room(l->req) ? GW_FEED_MORE : GW_FEED_WAIT;
}

static enum gw_feed_took on_stream_event(const struct gw_event *e, const char *codes, void *arg)
{
	return deliver(arg, e, codes);
}

static void on_stream_end(enum gw_feed_end why, void *arg)
{
	struct listener *l = arg;
	struct gw_req *req = l->req;

	(void)why;
	listener_free(l);
	gw_req_stream_end(req);
}

static void on_stream_room(void *arg)
{
	struct listener *l = arg;

	if (l->feed != NULL && !l->over && l->held_text == NULL)
		gw_feed_go(l->feed);
}

static void on_comment(evutil_socket_t fd, short what, void *arg)
{
	static const char comment[] = ": waiting\n\n";
	struct listener *l = arg;

	(void)fd;
	(void)what;
	if (gw_req_has_room(l->req) && stream_write(l, comment, sizeof(comment) - 1) < 0)
		listener_free(l);
}

static int start_comments(struct listener *l)
{
	static const struct timeval every = { .tv_sec = COMMENT_S };

	l->ev_comment = event_new(gw_req_gw(l->req)->base, -1, EV_PERSIST, on_comment, l);
	return l->ev_comment == NULL || event_add(l->ev_comment, &every) < 0 ? -ENOMEM : 0;
}

void gw_api_events_stream(struct gw_req *req)
{
	static const struct gw_feed_ops ops = { .on_event = on_stream_event,
		                                .on_begin = on_stream_begin,
		                                .on_done = on_stream_done,
		                                .on_end = on_stream_end };
	static const char hello[] = "retry: 2000\n: open\n\n";
	struct gw *gw = gw_req_gw(req);
	struct gw_instance *inst = gw_req_auth(req)->instance;
	struct gw_event_filter filter = { 0 };
	uint64_t from;
	const char *why = parse(req, &from, &filter);
	bool media = false;
	struct listener *l;
	int rc;

	if (why == NULL && parse_flag(req, "mediaBase64", &media) < 0)
		why = "mediaBase64 is true or false";
	if (why != NULL) {
		gw_req_fail(req, GW_ERR_BAD_REQUEST, why);
		return;
	}
	l = gw->events == NULL ? NULL : calloc(1, sizeof(*l));
	if (l != NULL) {
		l->req = req;
		l->inst = inst;
		l->media = media;
	}
	if (l == NULL || start_comments(l) < 0 ||
	    gw_feed_new(gw, inst, from, &filter, &ops, l, &l->feed) < 0) {
		if (l != NULL)
			listener_free(l);
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	gw_req_wait(req, true, on_stream_hangup, l);
	gw_req_stream_pace(req, on_stream_room);
	l->in_call = true;
	rc = gw_req_stream_start(req, gw_media_type(GW_MEDIA_EVENTS));
	if (rc == 0 && !l->over)
		rc = gw_req_stream_piece(req, hello, sizeof(hello) - 1);
	l->in_call = false;
	if (rc < 0 || l->over)
		listener_free(l);
}

/* ---- WebSocket ------------------------------------------------------------------------------ */

static void ws_end(struct listener *l, enum gw_ws_close code, const char *why)
{
	struct gw_ws *ws = l->ws;

	listener_free(l);
	gw_ws_close(ws, code, why);
}

static enum gw_feed_took ws_send(struct listener *l, const void *text, size_t text_len)
{
	int rc;

	l->in_call = true;
	rc = gw_ws_text(l->ws, text, text_len);
	l->in_call = false;
	if (rc < 0) {
		listener_free(l);
		return GW_FEED_OVER;
	}
	return rc == 0 ? GW_FEED_MORE : GW_FEED_WAIT;
}

static enum gw_feed_took send_text(struct listener *l, const struct gw_event *e, const void *text,
                                   size_t text_len)
{
	return l->ws != NULL ? ws_send(l, text, text_len) : stream_send(l, e, text, text_len);
}

static enum gw_feed_took on_ws_event(const struct gw_event *e, const char *codes, void *arg)
{
	struct listener *l = arg;
	const struct gw_websocket *ws = gw_websocket_config(l->inst);

	if (!ws->enabled) {
		ws_end(l, GW_WS_POLICY, "the WebSocket was turned off");
		return GW_FEED_OVER;
	}
	l->media = ws->media_base64;
	/* as it is configured now, on top of what was asked for */
	if (ws->filter.kinds != 0 && (ws->filter.kinds >> e->kind & 1) == 0)
		return GW_FEED_MORE;
	return deliver(l, e, codes);
}

static void on_ws_end(enum gw_feed_end why, void *arg)
{
	ws_end(arg, GW_WS_GOING_AWAY,
	       why == GW_FEED_DELETED ? "the instance was deleted" : "the gateway is stopping");
}

/* One that was turned off is not left waiting for the next event. */
static void on_ws_settings(void *arg)
{
	struct listener *l = arg;

	if (!gw_websocket_config(l->inst)->enabled)
		ws_end(l, GW_WS_POLICY, "the WebSocket was turned off");
}

static void on_ws_room(void *arg)
{
	struct listener *l = arg;

	if (l->feed != NULL && l->held_text == NULL)
		gw_feed_go(l->feed);
}

static void on_ws_over(void *arg)
{
	struct listener *l = arg;

	if (!l->in_call)
		listener_free(l);
}

static bool ws_may_open(struct gw_req *req, struct gw_instance *inst, uint64_t *from,
                        struct gw_event_filter *filter)
{
	const char *why;

	if (!gw_websocket_config(inst)->enabled) {
		gw_req_fail_with(req, 400,
		                 "WebSocket is not enabled for this instance. Configure it first "
		                 "using POST /api/events/websocket/:instance",
		                 "websocket_not_enabled", NULL);
		return false;
	}
	why = parse(req, from, filter);
	if (why == NULL)
		why = gw_ws_why_not(req);
	if (why == NULL && gw_ws_origin_ok(req))
		return true;
	if (why == NULL) {
		gw_req_fail(req, GW_ERR_FORBIDDEN, "this origin may not call");
		return false;
	}
	gw_req_add_text(req, "Sec-WebSocket-Version", "13");
	gw_req_fail(req, GW_ERR_BAD_REQUEST, why);
	return false;
}

void gw_api_ws(struct gw_req *req)
{
	static const struct gw_ws_ops ws_ops = { .on_room = on_ws_room, .on_over = on_ws_over };
	static const struct gw_feed_ops ops = { .on_event = on_ws_event,
		                                .on_end = on_ws_end,
		                                .on_settings = on_ws_settings };
	struct gw *gw = gw_req_gw(req);
	struct gw_instance *inst = gw_req_auth(req)->instance;
	struct gw_event_filter filter = { 0 };
	struct listener *l;
	uint64_t from;

	if (!ws_may_open(req, inst, &from, &filter))
		return;
	filter.history |= gw_websocket_config(inst)->filter.history;
	l = gw->events == NULL ? NULL : calloc(1, sizeof(*l));
	if (l == NULL) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	l->inst = inst;
	if (gw_ws_accept(req, &ws_ops, l, &l->ws) < 0)
		listener_free(l);
	else if (gw_feed_new(gw, inst, from, &filter, &ops, l, &l->feed) < 0)
		ws_end(l, GW_WS_GOING_AWAY, "no memory");
}
