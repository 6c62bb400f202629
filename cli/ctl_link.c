/*
 * cli/ctl_link.c - wardenctl link: one attempt to link an instance, followed from code to code
 *
 * The gateway sends the attempt as server-sent events. A QR takes the place of the one before it; a
 * line below counts down to the next. Ends with the attempt, or at Ctrl-C, which does not end it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "cli/ctl_command.h"
#include "cli/ctl_http.h"
#include "cli/ctl_link.h"
#include "cli/ctl_sse.h"
#include "cli/ctl_term.h"
#include "cli/ctl_text.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/qr.h"

#define PATH_CAP 224
/* The gateway sends a comment every 15 s; a stream silent for longer than this has broken off. */
#define SILENCE_MS 50000

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP };

struct link {
	const struct ctl_call *call;
	struct ctl_api api;
	struct event_base *base;
	struct ctl_http *http;
	struct event *signal_ev[ARRAY_LEN(end_signals)];
	struct event *tick_ev;
	struct ctl_sse sse;
	struct ctl_screen screen;
	uint64_t expires_at_ms; /* monotonic, of the code on the screen; 0: no countdown */
	const char *tail;       /* what the line below says after the countdown */
	int signal;             /* that ended it; 0: none */
	bool typed;             /* the code is one to be typed, not scanned */
	bool told_size;         /* that the terminal is too small */
	bool over;              /* the last event was seen */
	enum ctl_exit result;
};

static void end_link(struct link *l, enum ctl_exit result)
{
	l->over = true;
	l->result = result;
	l->expires_at_ms = 0;
	event_base_loopbreak(l->base);
}

/* A code that can't be used any more is taken off the screen. */
static void clear_code(struct link *l)
{
	if (l->screen.terminal)
		ctl_screen_block(&l->screen, "", 0);
	l->expires_at_ms = 0;
}

/* A line below everything: our words, then text from outside. */
static void say(struct link *l, const char *words, const char *foreign)
{
	struct buf text = { 0 };

	if (ctl_text_clean(&text, foreign) == 0 && buf_append_u8(&text, '\0') == 0) {
		ctl_screen_end(&l->screen);
		printf("%s%s\n", words, (const char *)text.p);
		fflush(stdout);
	}
	buf_free(&text);
}

/* ---- the line below the code ----------------------------------------------------------------- */

static void show_countdown(struct link *l)
{
	uint64_t now_ms = clock_ms();
	char line[160];

	if (l->expires_at_ms == 0)
		return;
	if (now_ms >= l->expires_at_ms)
		snprintf(line, sizeof(line), "Waiting for a new code");
	else
		snprintf(line, sizeof(line), "New code in %" PRIu64 " s. %s",
		         (l->expires_at_ms - now_ms + 999) / 1000, l->tail);
	ctl_screen_status(&l->screen, line);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	show_countdown(arg);
}

static void start_countdown(struct link *l, const json_t *data, const char *tail)
{
	const json_t *expires_in = json_object_get(data, "expiresIn");
	double expires_in_s = json_number_value(expires_in);

	if (!json_is_number(expires_in) || expires_in_s <= 0 || expires_in_s > 3600)
		return;
	l->expires_at_ms = clock_ms() + (uint64_t)(expires_in_s * 1000);
	l->tail = tail;
	show_countdown(l);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void code_is_shown(struct link *l, const json_t *data, const char *tail)
{
	if (ferror(stdout)) {
		fputs("wardenctl: can't write to stdout\n", stderr);
		end_link(l, CTL_EXIT_FAILED);
	} else if (l->call->args->opt[CTL_OPT_FIRST] != NULL) {
		end_link(l, CTL_EXIT_OK);
	} else {
		start_countdown(l, data, tail);
	}
}

/* A QR of cols columns is half as many lines high; what does not fit can't be scanned. */
static void check_room(struct link *l, size_t need_cols)
{
	size_t cols, rows, need_rows = (need_cols + 1) / 2 + 1;

	ctl_screen_size(&cols, &rows);
	if (!l->screen.terminal || l->told_size || (cols >= need_cols && rows >= need_rows))
		return;
	l->told_size = true;
	ctl_screen_end(&l->screen);
	fprintf(stderr,
	        "The QR needs %zu columns and %zu lines, this terminal has %zu and %zu: make it "
	        "larger, "
	        "or its letters smaller.\n",
	        need_cols, need_rows, cols, rows);
}

static void on_qr(struct link *l, const json_t *data)
{
	struct buf text = { 0 };
	struct qr qr = { 0 };
	size_t need_cols = 0;
	int rc;

	rc = qr_encode(ctl_json_str(data, "qrCode"), &qr);
	if (rc == 0) {
		need_cols = (size_t)qr.width + 2 * QR_QUIET;
		rc = qr_draw_text(&qr, l->screen.terminal, &text);
	}
	if (rc == 0)
		rc = buf_append_u8(&text, '\0');
	if (rc < 0) {
		fprintf(stderr, "wardenctl: can't draw the code: %s\n", wa_err_name(rc));
		end_link(l, CTL_EXIT_FAILED);
	} else {
		check_room(l, need_cols);
		ctl_screen_block(&l->screen, (const char *)text.p, need_cols);
		code_is_shown(l, data, "WhatsApp: Linked devices, Link a device. Ctrl-C leaves.");
	}
	qr_clear(&qr);
	buf_wipe(&text);
}

static void on_pairing(struct link *l, const json_t *data)
{
	struct buf text = { 0 };
	int rc = buf_append_str(&text, "Pairing code: ");

	if (rc == 0)
		rc = ctl_text_clean(&text, ctl_json_str(data, "pairingCode"));
	if (rc == 0)
		rc = buf_append(&text, "\n", 2); /* with its NUL */
	l->typed = true;
	if (rc < 0) {
		end_link(l, ctl_no_memory());
	} else {
		ctl_screen_block(&l->screen, (const char *)text.p, text.len);
		code_is_shown(l, data, "WhatsApp: Linked devices, Link with phone number instead.");
	}
	buf_wipe(&text);
}

/* How to answer: a browser that has the account's passkey does it, and the gateway takes it on. */
static void on_passkey(struct link *l, const json_t *data)
{
	(void)data;
	clear_code(l);
	say(l, "WhatsApp asks for a passkey of this account, and waits 5 minutes for it.", "");
	printf(
	    "1. GET %s/api/instance/passkey/%s shows the request, publicKey.\n"
	    "2. A browser that has the passkey answers it: navigator.credentials.get({publicKey})\n"
	    "3. POST what its toJSON() gives to the same address.\n",
	    l->api.target.shown, l->call->name);
	fflush(stdout);
}

static void on_passkey_confirm(struct link *l, const json_t *data)
{
	say(l, "Compare with what the phone shows: ",
	    ctl_json_str(json_object_get(data, "passkey"), "confirmationCode"));
	printf("When it is the same: POST %s/api/instance/passkey/%s/confirm\n",
	       l->api.target.shown, l->call->name);
	fflush(stdout);
}

static void on_connecting(struct link *l, const json_t *data)
{
	(void)data;
	if (l->expires_at_ms != 0) { /* a code was on the screen: it has been used */
		clear_code(l);
		say(l, l->typed ? "The code was typed, linking." : "The code was scanned, linking.",
		    "");
	}
}

static void on_connected(struct link *l, const json_t *data)
{
	const char *jid = ctl_json_str(data, "numberJid");

	clear_code(l);
	say(l, jid[0] != '\0' ? "Linked as " : "Linked", jid);
	end_link(l, CTL_EXIT_OK);
}

static void on_timeout(struct link *l, const json_t *data)
{
	(void)data;
	clear_code(l);
	ctl_screen_end(&l->screen);
	fprintf(stderr,
	        "wardenctl: nobody scanned a code in time, and WhatsApp gives no more for this "
	        "attempt\n\"wardenctl link %s\" starts another.\n",
	        l->call->name);
	end_link(l, CTL_EXIT_FAILED);
}

static void on_failed(struct link *l, const json_t *data)
{
	clear_code(l);
	ctl_screen_end(&l->screen);
	end_link(l, ctl_api_refused(&l->api, 200, 0, data));
}

static const struct {
	const char *name;
	void (*show)(struct link *l, const json_t *data);
	bool last; /* the stream's end */
	enum ctl_exit result;
} link_events[] = {
	{ "qr", on_qr, false, CTL_EXIT_OK },
	{ "pairing", on_pairing, false, CTL_EXIT_OK },
	{ "passkey", on_passkey, false, CTL_EXIT_OK },
	{ "passkey_confirm", on_passkey_confirm, false, CTL_EXIT_OK },
	{ "connecting", on_connecting, false, CTL_EXIT_OK },
	{ "connected", on_connected, true, CTL_EXIT_OK },
	{ "failed", on_failed, true, CTL_EXIT_FAILED },
	{ "timeout", on_timeout, true, CTL_EXIT_FAILED },
};

static bool is_code(const char *event)
{
	return strcmp(event, "qr") == 0 || strcmp(event, "pairing") == 0;
}

static void print_event(struct link *l, size_t i, json_t *data)
{
	enum ctl_exit rc =
	    ctl_json_print(json_pack("{s:s, s:O}", "event", link_events[i].name, "data", data));

	if (rc != CTL_EXIT_OK)
		end_link(l, rc);
	else if (link_events[i].last)
		end_link(l, link_events[i].result);
	else if (l->call->args->opt[CTL_OPT_FIRST] != NULL && is_code(link_events[i].name))
		end_link(l, CTL_EXIT_OK);
}

static int on_event(const char *event, const char *text, size_t text_len, void *arg)
{
	struct link *l = arg;
	json_t *data;
	size_t i = 0;

	while (i < ARRAY_LEN(link_events) && strcmp(link_events[i].name, event) != 0)
		i++;
	if (i == ARRAY_LEN(link_events))
		return 0; /* a later gateway may tell more */
	data = json_text_read(text, text_len, JSON_REJECT_DUPLICATES);
	if (!json_is_object(data)) {
		json_decref(data);
		return WA_EPROTO;
	}
	if (ctl_wants_json(l->call))
		print_event(l, i, data);
	else
		link_events[i].show(l, data);
	json_decref(data);
	return l->over ? -ECANCELED : 0;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static int on_stream(const void *bytes, size_t bytes_len, void *arg)
{
	struct link *l = arg;
	int rc = ctl_sse_feed(&l->sse, bytes, bytes_len, on_event, l);

	if (rc != 0 && !l->over) {
		clear_code(l);
		ctl_screen_end(&l->screen);
		fprintf(stderr,
		        "wardenctl: the gateway sent something that can't be understood (%s)\n",
		        wa_err_name(rc));
		end_link(l, CTL_EXIT_FAILED);
	}
	return rc;
}

/* The stream ended without a last event, or it was no stream: an error, or an answer at once. */
static void on_done(int rc, const char *why, const struct ctl_http_resp *resp, void *arg)
{
	struct link *l = arg;
	json_t *answer = NULL;

	clear_code(l);
	ctl_screen_end(&l->screen);
	if (rc == 0 && resp->body.len > 0)
		answer = json_text_read((const char *)resp->body.p, resp->body.len,
		                        JSON_REJECT_DUPLICATES);
	if (rc < 0)
		end_link(l, ctl_api_unreachable(&l->api, rc, why));
	else if (resp->status != 200)
		end_link(l, ctl_api_refused(&l->api, resp->status, resp->retry_after_s, answer));
	else if (strcmp(ctl_json_str(answer, "status"), "connected") == 0)
		on_connected(l, answer);
	else
		end_link(l, ctl_api_unreachable(&l->api, WA_ETRUNC,
		                                "the connection ended before the attempt did"));
	json_decref(answer);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct link *l = arg;

	(void)what;
	l->signal = (int)sig;
	clear_code(l);
	end_link(l, CTL_EXIT_FAILED);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

enum ctl_exit ctl_link_terms(const struct ctl_call *call, struct ctl_link_terms *terms_out)
{
	const char *history = call->args->opt[CTL_OPT_HISTORY];
	const char *number = call->args->opt[CTL_OPT_NUMBER];
	struct ctl_link_terms t = { .history_days = 0 };

	if (history != NULL && ctl_args_number(history, 1, 3650, &t.history_days) < 0) {
		fputs("wardenctl: --history has to be a whole number of days, 1 to 3650\n", stderr);
		return CTL_EXIT_USAGE;
	}
	if (number != NULL && ctl_args_phone(number, t.number) < 0) {
		fputs("wardenctl: --number has to be a phone number with its country code: 7 to 15 "
		      "digits, for instance +5511999999999\n",
		      stderr);
		return CTL_EXIT_USAGE;
	}
	*terms_out = t;
	return CTL_EXIT_OK;
}

static enum ctl_exit make_path(const struct ctl_call *call, char *path)
{
	struct ctl_link_terms t;
	enum ctl_exit rc = ctl_link_terms(call, &t);
	char days[32] = "";

	if (rc != CTL_EXIT_OK)
		return rc;
	if (t.history_days > 0)
		snprintf(days, sizeof(days), "history=%" PRId64, t.history_days);
	snprintf(path, PATH_CAP, "/api/instance/connect/%s%s%s%s%s%s", call->name,
	         days[0] != '\0' || t.number[0] != '\0' ? "?" : "", days,
	         days[0] != '\0' && t.number[0] != '\0' ? "&" : "",
	         t.number[0] != '\0' ? "number=" : "", t.number);
	return CTL_EXIT_OK;
}

static bool add_events(struct link *l)
{
	const struct timeval second = { .tv_sec = 1 };

	for (size_t i = 0; i < ARRAY_LEN(end_signals); i++) {
		l->signal_ev[i] = evsignal_new(l->base, end_signals[i], on_signal, l);
		if (l->signal_ev[i] == NULL || evsignal_add(l->signal_ev[i], NULL) < 0)
			return false;
	}
	l->tick_ev = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	return l->tick_ev != NULL && event_add(l->tick_ev, &second) == 0;
}

static enum ctl_exit run(struct link *l, const char *path)
{
	static const struct ctl_http_cbs cbs = { .on_stream = on_stream, .on_done = on_done };
	const struct ctl_http_req req = {
		.method = "GET",
		.path = path,
		.accept = "text/event-stream",
		.token = l->api.token,
		.timeout_ms = SILENCE_MS,
	};

	l->base = event_base_new();
	if (l->base == NULL || ctl_http_start(l->base, &l->api.target, &req, &cbs, l, &l->http) < 0)
		return ctl_no_memory();
	if (l->screen.terminal && !ctl_wants_json(l->call))
		ctl_screen_status(&l->screen, "Waiting for a code");
	/* The first pass looks the gateway's name up, which blocks: so long Ctrl-C ends us as ever.
	 */
	event_base_loop(l->base, EVLOOP_ONCE);
	if (l->over)
		return l->result;
	if (!add_events(l))
		return ctl_no_memory();
	event_base_dispatch(l->base);
	return l->result;
}

static void clear(struct link *l)
{
	ctl_screen_end(&l->screen);
	ctl_http_free(l->http);
	for (size_t i = 0; i < ARRAY_LEN(end_signals); i++)
		if (l->signal_ev[i] != NULL)
			event_free(l->signal_ev[i]);
	if (l->tick_ev != NULL)
		event_free(l->tick_ev);
	if (l->base != NULL)
		event_base_free(l->base);
	ctl_sse_clear(&l->sse);
	ctl_api_clear(&l->api);
}

enum ctl_exit ctl_link(const struct ctl_call *call)
{
	struct link l = { .call = call, .result = CTL_EXIT_FAILED };
	char path[PATH_CAP];
	enum ctl_exit rc;

	if (call->args->opt[CTL_OPT_SHARE] != NULL)
		return ctl_link_share(call);
	rc = make_path(call, path);
	if (rc == CTL_EXIT_OK)
		rc = ctl_api_open(&l.api, call->args->opt[CTL_OPT_TOKEN_FILE]);
	if (rc != CTL_EXIT_OK)
		return rc;
	ctl_screen_init(&l.screen);
	rc = run(&l, path);
	clear(&l);
	if (l.signal != 0) { /* now that all is put away: end as the sender expects */
		signal(l.signal, SIG_DFL);
		raise(l.signal);
	}
	return rc;
}
