/* worker/wk_session.c - states, events and the table between them */
#include "worker/wk_session.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/wk_session_priv.h"
#include "worker/wk_timer.h"

#define NO_STEP (-1)

static const struct wk_state_info infos[WK_STATE_N] = {
	[WK_IDLE] = { "idle", NO_STEP, WK_NO_DEADLINE, "start" },
	[WK_RESOLVING] = { "resolving", IPC__STEP__NAME__DNS, 5000, "dns" },
	[WK_CONNECTING] = { "connecting", IPC__STEP__NAME__TCP, 10000, "tcp" },
	[WK_TLS] = { "tls", IPC__STEP__NAME__TLS, 10000, "tls" },
	[WK_UPGRADING] = { "upgrading", IPC__STEP__NAME__TLS, WK_SAME_DEADLINE, "upgrade" },
	[WK_HANDSHAKE] = { "handshake", IPC__STEP__NAME__HANDSHAKE, 10000, "handshake" },
	[WK_REGISTERING] = { "registering", IPC__STEP__NAME__REGISTRATION, 20000, "registration" },
	[WK_LOOKING_UP] = { "looking_up", NO_STEP, 10000, "version look-up" },
	[WK_PAIRING] = { "pairing", IPC__STEP__NAME__PAIRING, WK_NO_DEADLINE, "pairing" },
	[WK_CLOSING] = { "closing", NO_STEP, 500, "closing" },
	[WK_ENDED] = { "ended", NO_STEP, WK_NO_DEADLINE, "end" },
};

static const char *const event_names[WK_EVENT_N] = {
	[WK_EV_CONNECT] = "connect", [WK_EV_RESOLVED] = "resolved", [WK_EV_DIALLED] = "dialled",
	[WK_EV_TLS_UP] = "tls_up",   [WK_EV_OPEN] = "open",         [WK_EV_READY] = "ready",
	[WK_EV_REFS] = "refs",       [WK_EV_OUTDATED] = "outdated", [WK_EV_VERSION] = "version",
	[WK_EV_FAILED] = "failed",   [WK_EV_REFUSED] = "refused",   [WK_EV_TIMEOUT] = "timeout",
	[WK_EV_STOP] = "stop",       [WK_EV_CLOSED] = "closed",
};

struct edge {
	enum wk_state next;
	int (*act)(struct wk_session *s); /* NULL: the event is not expected here */
};

/* What can happen in every state with something under way. */
#define ENDINGS(st) \
	[st][WK_EV_FAILED] = { WK_ENDED, wk_act_fail }, \
	[st][WK_EV_TIMEOUT] = { WK_ENDED, wk_act_timeout }, \
	[st][WK_EV_STOP] = { WK_ENDED, wk_act_end }

static const struct edge edges[WK_STATE_N][WK_EVENT_N] = {
	[WK_IDLE][WK_EV_CONNECT] = { WK_RESOLVING, wk_act_dial },
	[WK_IDLE][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	ENDINGS(WK_RESOLVING),
	[WK_RESOLVING][WK_EV_RESOLVED] = { WK_CONNECTING, wk_act_none },

	ENDINGS(WK_CONNECTING),
	[WK_CONNECTING][WK_EV_DIALLED] = { WK_TLS, wk_act_open },

	ENDINGS(WK_TLS),
	[WK_TLS][WK_EV_TLS_UP] = { WK_UPGRADING, wk_act_opening },

	ENDINGS(WK_UPGRADING),
	[WK_UPGRADING][WK_EV_OPEN] = { WK_HANDSHAKE, wk_act_upgraded },

	ENDINGS(WK_HANDSHAKE),
	[WK_HANDSHAKE][WK_EV_READY] = { WK_REGISTERING, wk_act_ready },

	ENDINGS(WK_REGISTERING),
	[WK_REGISTERING][WK_EV_REFS] = { WK_PAIRING, wk_act_offer },
	[WK_REGISTERING][WK_EV_OUTDATED] = { WK_LOOKING_UP, wk_act_look_up },
	[WK_REGISTERING][WK_EV_REFUSED] = { WK_CLOSING, wk_act_refuse },

	[WK_LOOKING_UP][WK_EV_VERSION] = { WK_RESOLVING, wk_act_redial },
	[WK_LOOKING_UP][WK_EV_FAILED] = { WK_ENDED, wk_act_fail_lookup },
	[WK_LOOKING_UP][WK_EV_TIMEOUT] = { WK_ENDED, wk_act_timeout_lookup },
	[WK_LOOKING_UP][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	[WK_PAIRING][WK_EV_REFS] = { WK_PAIRING, wk_act_offer },
	[WK_PAIRING][WK_EV_FAILED] = { WK_ENDED, wk_act_fail },
	[WK_PAIRING][WK_EV_REFUSED] = { WK_CLOSING, wk_act_refuse },
	[WK_PAIRING][WK_EV_STOP] = { WK_CLOSING, wk_act_close },

	[WK_CLOSING][WK_EV_CLOSED] = { WK_ENDED, wk_act_end },
	[WK_CLOSING][WK_EV_FAILED] = { WK_ENDED, wk_act_end },
	[WK_CLOSING][WK_EV_TIMEOUT] = { WK_ENDED, wk_act_end },
	[WK_CLOSING][WK_EV_STOP] = { WK_CLOSING, wk_act_none },
};

const char *wk_state_name(enum wk_state st)
{
	return infos[st].name;
}

const char *wk_event_name(enum wk_event ev)
{
	return event_names[ev];
}

const struct wk_state_info *wk_state_info(enum wk_state st)
{
	return &infos[st];
}

uint32_t wk_session_ms(const struct wk_session *s, uint32_t ms)
{
	return s->p.speed > 1 ? ms / s->p.speed : ms;
}

/* The new state's deadline, then its step for the gateway. */
static int enter_state(struct wk_session *s, enum wk_state next)
{
	const struct wk_state_info *info = &infos[next];
	int rc = 0;

	s->from = s->state;
	s->state = next;
	if (info->deadline_ms == WK_NO_DEADLINE)
		(void)event_del(s->deadline);
	else if (info->deadline_ms != WK_SAME_DEADLINE)
		rc = wk_timer_set(s->deadline, wk_session_ms(s, (uint32_t)info->deadline_ms));
	if (info->step != NO_STEP && info->step != s->step) {
		s->step = info->step;
		s->p.ops->on_step(s->step, clock_us() - s->connect_us, s->p.arg);
	}
	return rc;
}

int wk_session_event(struct wk_session *s, enum wk_event ev)
{
	const struct edge *e = &edges[s->state][ev];
	enum wk_state before = s->state;
	int rc;

	LOG(s->p.log, e->act != NULL ? LOG_DEBUG : LOG_WARNING, "session_event",
	    LF_STR("state", wk_state_name(s->state)), LF_STR("got", wk_event_name(ev)));
	if (e->act == NULL)
		return WA_ESTATE;
	/* A closing that is under way keeps its deadline. */
	rc = e->next == before ? 0 : enter_state(s, e->next);
	return rc < 0 ? rc : e->act(s);
}

/* An action that failed by itself, not by the peer. */
static void fail_self(struct wk_session *s, int rc)
{
	struct wk_failure f;

	if (rc == 0 || rc == WA_ESTATE || s->state == WK_ENDED)
		return;
	wk_failure_set(&f, rc, "the worker could not go on: %s", wa_err_name(rc));
	wk_session_fail(s, &f);
}

void wk_session_raise(struct wk_session *s, enum wk_event ev)
{
	fail_self(s, wk_session_event(s, ev));
}

void wk_session_fail(struct wk_session *s, const struct wk_failure *f)
{
	if (f != &s->failure)
		s->failure = *f;
	wk_failure_add(&s->failure, " (step: %s)", infos[s->state].doing);
	(void)wk_session_event(s, WK_EV_FAILED);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wk_session_raise(arg, WK_EV_TIMEOUT);
}

static void on_end_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_session *s = arg;

	(void)fd;
	(void)what;
	s->p.ops->on_end(s->p.arg);
}

int wk_session_new(const struct wk_session_params *params, struct wk_session **session_out)
{
	struct wk_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->p = *params;
	s->fd = -1;
	s->step = NO_STEP;
	s->deadline = evtimer_new(params->base, on_deadline, s);
	s->alive_timer = evtimer_new(params->base, wk_session_on_alive_timer, s);
	s->end_timer = evtimer_new(params->base, on_end_timer, s);
	if (s->deadline == NULL || s->alive_timer == NULL || s->end_timer == NULL) {
		wk_session_free(s);
		return -ENOMEM;
	}
	*session_out = s;
	return 0;
}

void wk_session_free(struct wk_session *s)
{
	if (s == NULL)
		return;
	wk_session_drop(s);
	if (s->deadline != NULL)
		event_free(s->deadline);
	if (s->alive_timer != NULL)
		event_free(s->alive_timer);
	if (s->end_timer != NULL)
		event_free(s->end_timer);
	wk_target_clear(&s->target);
	secret_wipe(s, sizeof(*s));
	free(s);
}

int wk_session_connect(struct wk_session *s, struct wk_target *target, uint64_t received_us)
{
	if (s->state != WK_IDLE) {
		wk_target_clear(target);
		return WA_ESTATE;
	}
	s->target = *target;
	memset(target, 0, sizeof(*target));
	s->connect_us = received_us;
	wk_session_raise(s, WK_EV_CONNECT);
	return 0;
}

int wk_session_stop(struct wk_session *s)
{
	return wk_session_event(s, WK_EV_STOP);
}

int wk_session_step(const struct wk_session *s)
{
	return s->step;
}

int wk_session_code(const struct wk_session *s, struct wk_code *code_out)
{
	return s->state == WK_PAIRING && s->pair != NULL ? wk_pair_code(s->pair, code_out)
	                                                 : WA_ESTATE;
}
