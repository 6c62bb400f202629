/* gateway/api/gw_api_connect.c - GET /api/instance/connect/:instance (contract section 2) */
#include "gateway/api/gw_api_connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/buf.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "gateway/api/gw_api.h"
#include "gateway/api/gw_outcome.h"
#include "gateway/api/gw_qr.h"
#include "gateway/gw.h"
#include "gateway/http/gw_req.h"
#include "gateway/http/gw_stream.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/metrics/gw_metrics.h"

#define NUMBER_CAP 64
#define NUMBER_DIGITS_MIN 7
#define NUMBER_DIGITS_MAX (GW_CONNECT_NUMBER_CAP - 1)
#define HISTORY_CAP 16

/* ---- parameters ------------------------------------------------------------------------------ */

struct params {
	char digits[GW_CONNECT_NUMBER_CAP];
	struct gw_connect_params connect; /* number points to digits */
};

bool gw_connect_number(const char *text, char digits_out[GW_CONNECT_NUMBER_CAP])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (strchr("+ -()", *text) != NULL)
			continue;
		if (*text < '0' || *text > '9' || n == NUMBER_DIGITS_MAX)
			return false;
		digits_out[n++] = *text;
	}
	digits_out[n] = '\0';
	return n >= NUMBER_DIGITS_MIN && digits_out[0] != '0';
}

/* A whole number of days, or 0. */
static uint32_t history_days(const char *text)
{
	uint64_t days;

	return dec_decode(text, GW_HISTORY_DAYS_MAX, &days) == 0 ? (uint32_t)days : 0;
}

static const char number_rule[] =
    "number has 7 to 15 digits, country code first, and does not start with 0";
static const char history_rule[] = "history is a whole number of days from 1 to 3650";

/* False: the request has been answered. */
static bool read_params(struct gw_req *req, struct params *p)
{
	char number[NUMBER_CAP], history[HISTORY_CAP];
	int with_number = gw_req_param(req, "number", number, sizeof(number));
	int with_history = gw_req_param(req, "history", history, sizeof(history));

	p->connect = (struct gw_connect_params){ .request_id = gw_req_id(req) };
	if (with_number < 0 || (with_number > 0 && !gw_connect_number(number, p->digits))) {
		gw_req_fail(req, GW_ERR_NUMBER, number_rule);
		return false;
	}
	if (with_number > 0)
		p->connect.number = p->digits;
	if (with_history > 0)
		p->connect.history_days = history_days(history);
	if (with_history != 0 && p->connect.history_days == 0) {
		gw_req_fail(req, GW_ERR_HISTORY, history_rule);
		return false;
	}
	return true;
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* Why gw_instance_connect() refused at once. */
static struct gw_reason refusal(const struct gw_instance *inst,
                                const struct gw_connect_params *params, int rc)
{
	struct gw_reason reason = { .rc = rc };

	if (rc == WA_ERATE_LIMITED) {
		reason.retry_after_s = gw_instance_number_wait_s(inst, params->number);
		snprintf(reason.detail, sizeof(reason.detail),
		         "a number gets one new pairing code per minute");
	}
	return reason;
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

/* A pairing code for a terminal. */
static void answer_pairing_text(struct gw_req *req, const struct gw_code *code)
{
	char line[sizeof(code->text) + 1];
	int len = snprintf(line, sizeof(line), "%s\n", code->text);

	gw_req_reply_data(req, 200, gw_media_type(GW_MEDIA_TEXT), line, (size_t)len);
	secret_wipe(line, sizeof(line));
}

static void answer_code(struct gw_req *req, struct gw_code *code)
{
	enum gw_media media = gw_req_media(req);

	if (media == GW_MEDIA_TEXT && code->pairing)
		answer_pairing_text(req, code);
	else if (media == GW_MEDIA_TEXT)
		answer_drawn(req, code, gw_qr_text);
	else if (media == GW_MEDIA_PNG && !code->pairing)
		answer_drawn(req, code, gw_qr_png);
	else if (media == GW_MEDIA_SVG && !code->pairing)
		answer_drawn(req, code, gw_qr_svg);
	else
		gw_req_reply(req, 200, gw_outcome_code(code));
}

/* ---- waiting for it -------------------------------------------------------------------------- */

/* One caller that waits for the first code. Owned by its request. */
struct caller {
	struct gw_req *req;
	struct gw_watch *watch; /* NULL once it is over */
	struct event *ev_deadline;
	bool resuming; /* a saved session was there when it came */
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

static void on_code(struct caller *c, struct gw_instance *inst)
{
	struct gw_code *code = gw_instance_code(inst);
	struct gw_req *req = c->req;

	if (code == NULL)
		return; /* about to run out: the next one is for this caller */
	caller_free(c);
	if (gw_outcome_link_over(req)) {
		gw_req_fail(req, GW_ERR_LINK_OVER, NULL);
		return;
	}
	gw_metrics_connect(gw_req_gw(req)->metrics, gw_req_age_ms(req));
	answer_code(req, code);
}

static void on_passkey(struct caller *c, struct gw_instance *inst)
{
	const struct gw_passkey *passkey = gw_instance_passkey(inst);
	struct gw_req *req = c->req;

	if (!gw_outcome_passkey_waits(passkey))
		return; /* answered or done: what comes of it is this caller's answer */
	caller_free(c);
	gw_req_reply(req, 200, gw_outcome_passkey(passkey));
}

static void on_watch(struct gw_instance *inst, enum gw_watch_event ev,
                     const struct gw_reason *reason, void *arg)
{
	struct caller *c = arg;
	struct gw_req *req = c->req;

	switch (ev) {
	case GW_WATCH_CODE:
		on_code(c, inst);
		break;
	case GW_WATCH_PASSKEY:
		on_passkey(c, inst);
		break;
	case GW_WATCH_CONNECTING:
		break;
	case GW_WATCH_CONNECTED:
		c->watch = NULL;
		caller_free(c);
		gw_req_reply(req, 200, gw_outcome_connected(req, inst));
		break;
	case GW_WATCH_TIMEOUT:
	case GW_WATCH_FAILED:
		c->watch = NULL;
		caller_free(c);
		gw_outcome_fail(req, GW_OUTCOME_CONNECT, reason);
		break;
	}
}

static void on_caller_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct caller *c = arg;
	struct gw_req *req = c->req;
	struct gw_reason reason = { .rc = WA_ETIMEOUT };

	(void)fd;
	(void)what;
	snprintf(reason.detail, sizeof(reason.detail), "%s within %lld s",
	         c->resuming ? "not online" : "no code",
	         (long long)gw_req_gw(req)->cfg.connect_timeout_s);
	caller_free(c);
	gw_outcome_fail(req, GW_OUTCOME_CONNECT, &reason);
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
	struct gw_reason reason;
	struct caller *c;
	int rc;

	if (caller_new(req, &c) < 0) {
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
		return;
	}
	c->resuming = gw_instance_is_linked(inst);
	rc = gw_instance_connect(inst, params, on_watch, c, &c->watch);
	if (rc < 0) {
		caller_free(c);
		reason = refusal(inst, params, rc);
		gw_outcome_fail(req, GW_OUTCOME_CONNECT, &reason);
		return;
	}
	gw_req_wait(req, false, on_hangup, c);
}

static void stream(struct gw_req *req, struct gw_instance *inst,
                   const struct gw_connect_params *params)
{
	struct gw_reason reason;
	int rc = gw_stream_attempt(req, inst, params);

	if (rc < 0) {
		reason = refusal(inst, params, rc);
		gw_outcome_fail(req, GW_OUTCOME_CONNECT, &reason);
	}
}

void gw_connect_answer(struct gw_req *req, struct gw_instance *inst,
                       const struct gw_connect_params *params)
{
	enum gw_media media = gw_req_media(req);

	if (params->number != NULL && (media == GW_MEDIA_PNG || media == GW_MEDIA_SVG))
		gw_req_fail(req, GW_ERR_NOT_ACCEPTABLE, "a pairing code has no picture");
	else if (media == GW_MEDIA_EVENTS)
		stream(req, inst, params);
	else
		wait_for_code(req, inst, params);
}

void gw_api_connect(struct gw_req *req)
{
	struct params p;

	if (read_params(req, &p))
		gw_connect_answer(req, gw_req_auth(req)->instance, &p.connect);
}
