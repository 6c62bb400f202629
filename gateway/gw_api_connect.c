/* gateway/gw_api_connect.c - GET /api/instance/connect/:instance (contract section 2) */
#include "gateway/gw_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "gateway/gw.h"
#include "gateway/gw_instance.h"
#include "gateway/gw_outcome.h"
#include "gateway/gw_qr.h"
#include "gateway/gw_req.h"
#include "gateway/gw_stream.h"

#define NUMBER_CAP 64
#define NUMBER_DIGITS_MIN 7
#define NUMBER_DIGITS_MAX 15
#define HISTORY_CAP 16
#define HISTORY_DAYS_MAX 3650

/* ---- parameters ------------------------------------------------------------------------------ */

/* Seven to fifteen digits, not starting with 0, among "+", spaces, "-", "(" and ")". */
static bool number_ok(const char *text)
{
	size_t digits = 0;
	bool ok = true;

	for (; *text != '\0'; text++) {
		if (strchr("+ -()", *text) != NULL)
			continue;
		ok = ok && *text >= '0' && *text <= '9' && !(digits == 0 && *text == '0');
		digits++;
	}
	return ok && digits >= NUMBER_DIGITS_MIN && digits <= NUMBER_DIGITS_MAX;
}

/* A whole number of days, or 0. */
static uint32_t history_days(const char *text)
{
	size_t len = strspn(text, "0123456789");
	unsigned long days;

	if (len == 0 || text[len] != '\0')
		return 0;
	days = strtoul(text, NULL, 10); /* saturates */
	return days >= 1 && days <= HISTORY_DAYS_MAX ? (uint32_t)days : 0;
}

static const char number_rule[] =
    "number has 7 to 15 digits, country code first, and does not start with 0";
static const char history_rule[] = "history is a whole number of days from 1 to 3650";
static const char number_later[] =
    "linking by pairing code is not built yet; leave number out for a QR code";

/* False: the request has been answered. */
static bool read_params(struct gw_req *req, struct gw_connect_params *params_out)
{
	char number[NUMBER_CAP], history[HISTORY_CAP];
	int with_number = gw_req_param(req, "number", number, sizeof(number));
	int with_history = gw_req_param(req, "history", history, sizeof(history));
	enum gw_media media = gw_req_media(req);

	*params_out = (struct gw_connect_params){ .request_id = gw_req_id(req) };
	if (with_number < 0 || (with_number > 0 && !number_ok(number))) {
		gw_req_fail(req, GW_ERR_NUMBER, number_rule);
		return false;
	}
	if (with_history > 0)
		params_out->history_days = history_days(history);
	if (with_history != 0 && params_out->history_days == 0) {
		gw_req_fail(req, GW_ERR_HISTORY, history_rule);
		return false;
	}
	if (with_number > 0) {
		if (media == GW_MEDIA_PNG || media == GW_MEDIA_SVG)
			gw_req_fail(req, GW_ERR_NOT_ACCEPTABLE, "a pairing code has no picture");
		else
			gw_req_fail(req, GW_ERR_NOT_IMPLEMENTED, number_later);
		return false;
	}
	return true;
}

/* ---- the code, in the form that was asked for ------------------------------------------------ */

static void answer_drawn(struct gw_req *req, struct gw_code *code,
                         int (*draw)(const char *text, struct buf *out))
{
	struct buf out = { 0 };

	if (draw(code->text, &out) < 0)
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	else
		gw_req_reply_data(req, 200, gw_media_type(gw_req_media(req)), out.p, out.len);
	buf_wipe(&out);
}

static void answer_code(struct gw_req *req, struct gw_code *code)
{
	switch (gw_req_media(req)) {
	case GW_MEDIA_PNG:
		answer_drawn(req, code, gw_qr_png);
		break;
	case GW_MEDIA_SVG:
		answer_drawn(req, code, gw_qr_svg);
		break;
	case GW_MEDIA_TEXT:
		answer_drawn(req, code, gw_qr_text);
		break;
	case GW_MEDIA_JSON:
	case GW_MEDIA_EVENTS:
	case GW_MEDIA_N:
		gw_req_reply(req, 200, gw_outcome_qr(code));
		break;
	}
}

/* ---- waiting for it -------------------------------------------------------------------------- */

/* One caller that waits for the first code. Owned by its request. */
struct caller {
	struct gw_req *req;
	struct gw_watch *watch; /* NULL once it is over */
	struct event *ev_deadline;
};

static void caller_free(struct caller *c)
{
	if (c->watch != NULL)
		gw_watch_cancel(c->watch);
	if (c->ev_deadline != NULL)
		event_free(c->ev_deadline);
	free(c);
}

static void on_hangup(void *arg)
{
	caller_free(arg);
}

static void on_watch(struct gw_instance *inst, enum gw_watch_event ev,
                     const struct gw_reason *reason, void *arg)
{
	struct caller *c = arg;
	struct gw_req *req = c->req;
	struct gw_code *code;

	if (ev == GW_WATCH_QR) {
		code = gw_instance_code(inst);
		if (code == NULL)
			return; /* about to run out: the next one is for this caller */
		caller_free(c);
		answer_code(req, code);
		return;
	}
	c->watch = NULL;
	caller_free(c);
	gw_outcome_fail(req, reason);
}

static void on_caller_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct caller *c = arg;
	struct gw_req *req = c->req;
	struct gw_reason reason = { .rc = WA_ETIMEOUT };

	(void)fd;
	(void)what;
	snprintf(reason.detail, sizeof(reason.detail), "no code within %lld s",
	         (long long)gw_req_gw(req)->cfg.connect_timeout_s);
	caller_free(c);
	gw_outcome_fail(req, &reason);
}

/* The deadline counts from the request's arrival. */
static int caller_new(struct gw_req *req, struct caller **c_out)
{
	struct gw *gw = gw_req_gw(req);
	struct timeval wait = { .tv_sec = (time_t)gw->cfg.connect_timeout_s };
	struct caller *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->req = req;
	c->ev_deadline = evtimer_new(gw->base, on_caller_deadline, c);
	if (c->ev_deadline == NULL || evtimer_add(c->ev_deadline, &wait) < 0) {
		caller_free(c);
		return -ENOMEM;
	}
	*c_out = c;
	return 0;
}

static void wait_for_code(struct gw_req *req, struct gw_instance *inst,
                          const struct gw_connect_params *params)
{
	struct gw_reason reason = { .rc = 0 };
	struct caller *c;

	if (caller_new(req, &c) < 0) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	reason.rc = gw_instance_connect(inst, params, on_watch, c, &c->watch);
	if (reason.rc < 0) {
		caller_free(c);
		gw_outcome_fail(req, &reason);
		return;
	}
	gw_req_wait(req, false, on_hangup, c);
}

void gw_api_connect(struct gw_req *req)
{
	struct gw_instance *inst = gw_req_auth(req)->instance;
	bool events = gw_req_media(req) == GW_MEDIA_EVENTS;
	struct gw_connect_params params;

	if (!read_params(req, &params))
		return;
	if (gw_instance_state(inst) == GW_CONNECTED && events)
		gw_stream_connected(req, inst);
	else if (gw_instance_state(inst) == GW_CONNECTED)
		gw_req_reply(req, 200, gw_outcome_connected(inst));
	else if (events)
		gw_stream_attempt(req, inst, &params);
	else
		wait_for_code(req, inst, &params);
}
