/*
 * cli/ctl_events.c - wardenctl events: an instance's events as they come, until Ctrl-C
 *
 * Follows GET /api/events/stream/NAME. A stream that breaks off is asked for again from the last
 * event on, so that none is missing and none comes twice.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "cli/ctl_command.h"
#include "cli/ctl_http.h"
#include "cli/ctl_sse.h"
#include "cli/ctl_text.h"
#include "common/err.h"
#include "common/json_text.h"

#define PATH_CAP 512
#define SILENCE_MS 50000 /* a comment comes every 15 s */
#define AGAIN_S 2
#define WAIT_MAX_S 60

struct follow {
	const struct ctl_call *call;
	struct ctl_api api;
	struct event_base *base;
	struct event *again_ev;
	struct ctl_http *http;
	struct ctl_sse sse;
	char filters[PATH_CAP / 2]; /* of the query, each behind an "&" */
	char path[PATH_CAP];        /* of the request that runs */
	int64_t from;               /* where to begin; 0: with what comes */
	int64_t last;               /* sequence of the last event; 0: none yet */
	bool begun;                 /* a stream has been opened */
	bool lost;
	bool over;
	enum ctl_exit result;
};

static void end(struct follow *f, enum ctl_exit result)
{
	f->over = true;
	f->result = result;
	event_base_loopbreak(f->base);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* "connected", or "disconnected network: Connection refused"; of other kinds the data as it is. */
static int describe(const json_t *event, struct buf *out)
{
	const json_t *data = json_object_get(event, "data");
	const json_t *reason = json_object_get(data, "reason");
	char *text = NULL;
	int rc;

	if (strcmp(ctl_json_str(event, "event"), "instance.state") != 0) {
		text = json_text(data);
		rc = text == NULL ? 0 : ctl_text_clean(out, text);
		free(text);
		return rc;
	}
	rc = ctl_text_clean(out, ctl_json_str(data, "state"));
	if (rc == 0 && json_is_object(reason)) {
		rc = buf_append_u8(out, ' ');
		if (rc == 0)
			rc = ctl_text_clean(out, ctl_json_str(reason, "code"));
		if (rc == 0 && ctl_json_str(reason, "detail")[0] != '\0')
			rc = buf_append_str(out, ": ");
		if (rc == 0)
			rc = ctl_text_clean(out, ctl_json_str(reason, "detail"));
	}
	return rc;
}

static enum ctl_exit print_event(const json_t *event)
{
	struct buf line = { 0 };
	enum ctl_exit rc;

	if (ctl_text_clean(&line, ctl_json_str(event, "timestamp")) < 0 ||
	    buf_append_u8(&line, ' ') < 0 ||
	    ctl_text_clean(&line, ctl_json_str(event, "event")) < 0 ||
	    buf_append_u8(&line, ' ') < 0 || describe(event, &line) < 0 ||
	    buf_append_u8(&line, '\n') < 0)
		rc = ctl_no_memory();
	else
		rc = ctl_print((const char *)line.p, line.len);
	buf_free(&line);
	return rc;
}

static int on_event(const char *name, const char *text, size_t text_len, void *arg)
{
	struct follow *f = arg;
	json_t *event = json_text_read(text, text_len, JSON_REJECT_DUPLICATES);
	const json_t *sequence = json_object_get(event, "sequence");
	enum ctl_exit rc = CTL_EXIT_OK;

	(void)name; /* the event says itself what it is */
	if (!json_is_object(event)) {
		json_decref(event);
		return WA_EPROTO;
	}
	/* what came before the break may come once more */
	if (!json_is_integer(sequence) || json_integer_value(sequence) > f->last)
		rc = ctl_wants_json(f->call) ? ctl_json_print(json_incref(event))
		                             : print_event(event);
	if (json_is_integer(sequence) && json_integer_value(sequence) > f->last)
		f->last = json_integer_value(sequence);
	json_decref(event);
	if (rc != CTL_EXIT_OK)
		end(f, rc);
	return f->over ? -ECANCELED : 0;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static int on_stream(const void *bytes, size_t bytes_len, void *arg)
{
	struct follow *f = arg;
	int rc;

	if (f->lost)
		fputs("wardenctl: the gateway answers again\n", stderr);
	f->lost = false;
	f->begun = true;
	rc = ctl_sse_feed(&f->sse, bytes, bytes_len, on_event, f);
	if (rc != 0 && !f->over) {
		fprintf(stderr,
		        "wardenctl: the gateway sent something that can't be understood (%s)\n",
		        wa_err_name(rc));
		end(f, CTL_EXIT_FAILED);
	}
	return rc;
}

/* wait_s: how long the gateway wants to be left alone; 0: it has not said */
static void ask_again(struct follow *f, const char *why, uint32_t wait_s)
{
	const struct timeval soon = { .tv_sec = wait_s < AGAIN_S      ? AGAIN_S
		                                : wait_s > WAIT_MAX_S ? WAIT_MAX_S
		                                                      : wait_s };

	if (!f->lost)
		fprintf(stderr, "wardenctl: the event stream of %s broke off (%s), trying again\n",
		        f->api.target.shown, why);
	f->lost = true;
	if (evtimer_add(f->again_ev, &soon) < 0)
		end(f, ctl_no_memory());
}

static void on_done(int rc, const char *why, const struct ctl_http_resp *resp, void *arg)
{
	struct follow *f = arg;
	struct ctl_fail fail = { .rc = rc };

	if (rc < 0) {
		snprintf(fail.why, sizeof(fail.why), "%s", why);
	} else {
		fail.status = resp->status;
		fail.retry_after_s = resp->retry_after_s;
	}
	if (rc == 0 && resp->body.len > 0)
		fail.answer = json_text_read((const char *)resp->body.p, resp->body.len,
		                             JSON_REJECT_DUPLICATES);
	if (f->begun && (fail.status == 200 || ctl_fail_may_pass(&fail)))
		ask_again(f, rc < 0 ? why : "it ended", fail.retry_after_s);
	else
		end(f, ctl_api_tell(&f->api, &fail));
	ctl_fail_clear(&fail);
}

static void ask(struct follow *f)
{
	static const struct ctl_http_cbs cbs = { .on_stream = on_stream, .on_done = on_done };
	const struct ctl_http_req req = {
		.method = "GET",
		.path = f->path,
		.accept = "text/event-stream",
		.token = f->api.token,
		.timeout_ms = SILENCE_MS,
	};
	int64_t from =
	    f->last > 0 ? f->last : f->from; /* the last one again: it shows that none is missing */
	int n = snprintf(f->path, sizeof(f->path), "/api/events/stream/%s", f->call->name);

	if (from > 0)
		snprintf(f->path + n, sizeof(f->path) - (size_t)n, "?from=%" PRId64 "%s", from,
		         f->filters);
	else if (f->filters[0] != '\0')
		snprintf(f->path + n, sizeof(f->path) - (size_t)n, "?%s", f->filters + 1);
	ctl_http_free(f->http);
	f->http = NULL;
	ctl_sse_clear(&f->sse);
	if (ctl_http_start(f->base, &f->api.target, &req, &cbs, f, &f->http) < 0)
		end(f, ctl_no_memory());
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask(arg);
}

/* Names of kinds hold nothing that a query could not. */
static bool is_list(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz._,") == strlen(text) &&
	       strlen(text) < PATH_CAP / 4;
}

static enum ctl_exit read_options(struct follow *f)
{
	const char *from = f->call->args->opt[CTL_OPT_FROM];
	const char *events = f->call->args->opt[CTL_OPT_EVENTS];

	if (from != NULL && ctl_args_number(from, 1, INT64_MAX - 1, &f->from) < 0) {
		fputs("wardenctl: --from has to be the sequence of an event\n", stderr);
		return CTL_EXIT_USAGE;
	}
	if (events != NULL && !is_list(events)) {
		fputs("wardenctl: --events has to be a list of kinds, separated by commas\n",
		      stderr);
		return CTL_EXIT_USAGE;
	}
	snprintf(f->filters, sizeof(f->filters), "%s%s%s", events != NULL ? "&events=" : "",
	         events != NULL ? events : "",
	         f->call->args->opt[CTL_OPT_WITH_HISTORY] != NULL ? "&history=true" : "");
	return CTL_EXIT_OK;
}

enum ctl_exit ctl_events(const struct ctl_call *call)
{
	struct follow f = { .call = call, .result = CTL_EXIT_FAILED };
	enum ctl_exit rc = read_options(&f);

	if (rc != CTL_EXIT_OK)
		return rc;
	rc = ctl_api_open(&f.api, call->args->opt[CTL_OPT_TOKEN_FILE]);
	if (rc != CTL_EXIT_OK)
		return rc;
	f.base = event_base_new();
	if (f.base != NULL)
		f.again_ev = evtimer_new(f.base, on_again, &f);
	if (f.again_ev == NULL) {
		f.result = ctl_no_memory();
	} else {
		ask(&f);
		if (!f.over)
			event_base_dispatch(f.base);
		event_free(f.again_ev);
	}
	ctl_http_free(f.http);
	if (f.base != NULL)
		event_base_free(f.base);
	ctl_sse_clear(&f.sse);
	ctl_api_clear(&f.api);
	return f.result;
}
