/* worker/session/wk_session.c - states, events and the table between them */
#include "worker/session/wk_session.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/history/wk_media.h"
#include "worker/process/wk_heap.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store.h"

#define NO_STEP (-1)   /* the one announced last goes on */
#define STEP_OVER (-2) /* nothing is under way any more */
#define TRIM_MS 200    /* after a peak: what it took goes back to the kernel */

static const struct wk_state_info infos[WK_STATE_N] = {
	[WK_IDLE] = { "idle", NO_STEP, WK_NO_DEADLINE, "start" },
	[WK_OPENING] = { "opening", NO_STEP, WK_NO_DEADLINE, "saved session" },
	[WK_VERSION] = { "version", IPC__STEP__NAME__VERSION, 15000, "version look-up" },
	[WK_ASKING] = { "asking", NO_STEP, WK_NO_DEADLINE, "admission" },
	[WK_RESOLVING] = { "resolving", IPC__STEP__NAME__DNS, 5000, "dns" },
	[WK_CONNECTING] = { "connecting", IPC__STEP__NAME__TCP, 10000, "tcp" },
	[WK_TLS] = { "tls", IPC__STEP__NAME__TLS, 10000, "tls" },
	[WK_UPGRADING] = { "upgrading", IPC__STEP__NAME__TLS, WK_SAME_DEADLINE, "upgrade" },
	[WK_HANDSHAKE] = { "handshake", IPC__STEP__NAME__HANDSHAKE, 10000, "handshake" },
	[WK_REGISTERING] = { "registering", IPC__STEP__NAME__REGISTRATION, 20000, "registration" },
	[WK_PAIRING] = { "pairing", IPC__STEP__NAME__PAIRING, WK_NO_DEADLINE, "pairing" },
	[WK_LINKING] = { "linking", NO_STEP, 10000, "linking" },
	[WK_LOGIN] = { "login", IPC__STEP__NAME__LOGIN, 20000, "login" },
	[WK_SYNCING] = { "syncing", IPC__STEP__NAME__SYNCING, WK_NO_DEADLINE, "syncing" },
	[WK_ONLINE] = { "online", STEP_OVER, WK_NO_DEADLINE, "online" },
	[WK_UNLINKING] = { "unlinking", STEP_OVER, WK_NO_DEADLINE, "logout" },
	[WK_BACKOFF] = { "backoff", STEP_OVER, WK_NO_DEADLINE, "waiting" },
	[WK_CLOSING] = { "closing", STEP_OVER, 500, "closing" },
	[WK_ENDED] = { "ended", STEP_OVER, WK_NO_DEADLINE, "end" },
};

static const char *const event_names[WK_EVENT_N] = {
	[WK_EV_CONNECT] = "connect", [WK_EV_STALE] = "stale",       [WK_EV_ASK] = "ask",
	[WK_EV_DIAL] = "dial",       [WK_EV_RESOLVED] = "resolved", [WK_EV_DIALLED] = "dialled",
	[WK_EV_TLS_UP] = "tls_up",   [WK_EV_OPEN] = "open",         [WK_EV_READY] = "ready",
	[WK_EV_KNOWN] = "known",     [WK_EV_REFS] = "refs",         [WK_EV_LINKED] = "linked",
	[WK_EV_SUCCESS] = "success", [WK_EV_ONLINE] = "online",     [WK_EV_UNLINK] = "unlink",
	[WK_EV_KEPT] = "kept",       [WK_EV_LOST] = "lost",         [WK_EV_FAILED] = "failed",
	[WK_EV_REFUSED] = "refused", [WK_EV_TIMEOUT] = "timeout",   [WK_EV_RESUME] = "resume",
	[WK_EV_STOP] = "stop",       [WK_EV_CLOSED] = "closed",
};

struct edge {
	enum wk_state next;
	int (*act)(struct wk_session *s); /* NULL: the event is not expected here */
};

/* On to a dial, from every state that can lead there. */
#define DIALS(st) \
	[st][WK_EV_STALE] = { WK_VERSION, wk_act_version }, \
	[st][WK_EV_ASK] = { WK_ASKING, wk_act_ask }, \
	[st][WK_EV_DIAL] = { WK_RESOLVING, wk_act_dial }

/* Failing; tried again, or not. */
#define FAILS(st) \
	[st][WK_EV_LOST] = { WK_BACKOFF, wk_act_wait }, [st][WK_EV_FAILED] = { WK_ENDED, \
		                                                               wk_act_fail }

/* On the way to an open WebSocket. */
#define ON_THE_WAY(st) \
	FAILS(st), [st][WK_EV_TIMEOUT] = { st, wk_act_timeout }, \
	           [st][WK_EV_STOP] = { WK_ENDED, wk_act_end }

/* With an open WebSocket, which is closed as it should be. */
#define STREAMING(st) \
	FAILS(st), [st][WK_EV_REFUSED] = { WK_CLOSING, wk_act_refuse }, \
	           [st][WK_EV_STOP] = { WK_CLOSING, wk_act_close }

static const struct edge edges[WK_STATE_N][WK_EVENT_N] = {
	[WK_IDLE][WK_EV_CONNECT] = { WK_OPENING, wk_act_open_store },
	[WK_IDLE][WK_EV_FAILED] = { WK_ENDED, wk_act_fail },
	[WK_IDLE][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	DIALS(WK_OPENING),
	FAILS(WK_OPENING),
	[WK_OPENING][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	DIALS(WK_VERSION),
	FAILS(WK_VERSION),
	[WK_VERSION][WK_EV_TIMEOUT] = { WK_VERSION, wk_act_version_late },
	[WK_VERSION][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	[WK_ASKING][WK_EV_DIAL] = { WK_RESOLVING, wk_act_dial },
	FAILS(WK_ASKING),
	[WK_ASKING][WK_EV_RESUME] = { WK_ASKING, wk_act_go },
	[WK_ASKING][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	ON_THE_WAY(WK_RESOLVING),
	[WK_RESOLVING][WK_EV_RESOLVED] = { WK_CONNECTING, wk_act_none },

	ON_THE_WAY(WK_CONNECTING),
	[WK_CONNECTING][WK_EV_DIALLED] = { WK_TLS, wk_act_open },

	ON_THE_WAY(WK_TLS),
	[WK_TLS][WK_EV_TLS_UP] = { WK_UPGRADING, wk_act_opening },

	ON_THE_WAY(WK_UPGRADING),
	[WK_UPGRADING][WK_EV_OPEN] = { WK_HANDSHAKE, wk_act_upgraded },

	ON_THE_WAY(WK_HANDSHAKE),
	[WK_HANDSHAKE][WK_EV_READY] = { WK_REGISTERING, wk_act_ready },
	[WK_HANDSHAKE][WK_EV_KNOWN] = { WK_LOGIN, wk_act_ready },

	STREAMING(WK_REGISTERING),
	[WK_REGISTERING][WK_EV_TIMEOUT] = { WK_REGISTERING, wk_act_timeout },
	[WK_REGISTERING][WK_EV_REFS] = { WK_PAIRING, wk_act_offer },
	[WK_REGISTERING][WK_EV_STALE] = { WK_VERSION, wk_act_version },

	STREAMING(WK_PAIRING),
	[WK_PAIRING][WK_EV_REFS] = { WK_PAIRING, wk_act_offer },
	[WK_PAIRING][WK_EV_LINKED] = { WK_LINKING, wk_act_linking },

	STREAMING(WK_LINKING),
	DIALS(WK_LINKING),
	[WK_LINKING][WK_EV_TIMEOUT] = { WK_LINKING, wk_act_relogin },

	STREAMING(WK_LOGIN),
	[WK_LOGIN][WK_EV_TIMEOUT] = { WK_LOGIN, wk_act_timeout },
	[WK_LOGIN][WK_EV_STALE] = { WK_VERSION, wk_act_version },
	[WK_LOGIN][WK_EV_SUCCESS] = { WK_SYNCING, wk_act_none },

	STREAMING(WK_SYNCING),
	[WK_SYNCING][WK_EV_ONLINE] = { WK_ONLINE, wk_act_online },

	STREAMING(WK_ONLINE),
	[WK_ONLINE][WK_EV_UNLINK] = { WK_UNLINKING, wk_act_unlink },

	STREAMING(WK_UNLINKING),
	[WK_UNLINKING][WK_EV_KEPT] = { WK_ONLINE, wk_act_none },

	DIALS(WK_BACKOFF),
	FAILS(WK_BACKOFF),
	[WK_BACKOFF][WK_EV_CONNECT] = { WK_OPENING, wk_act_open_store },
	[WK_BACKOFF][WK_EV_TIMEOUT] = { WK_BACKOFF, wk_act_go },
	[WK_BACKOFF][WK_EV_RESUME] = { WK_BACKOFF, wk_act_resume },
	[WK_BACKOFF][WK_EV_STOP] = { WK_ENDED, wk_act_end },

	[WK_CLOSING][WK_EV_CLOSED] = { WK_ENDED, wk_act_end },
	[WK_CLOSING][WK_EV_FAILED] = { WK_ENDED, wk_act_end },
	[WK_CLOSING][WK_EV_TIMEOUT] = { WK_ENDED, wk_act_end },
	[WK_CLOSING][WK_EV_STOP] = { WK_CLOSING, wk_act_none },
};

static const char *state_name(enum wk_state st)
{
	return infos[st].name;
}

static const char *event_name(enum wk_event ev)
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

int wk_act_none(struct wk_session *s)
{
	(void)s;
	return 0;
}

static void announce(struct wk_session *s, int step)
{
	if (step == STEP_OVER)
		s->step = NO_STEP;
	if (step < 0 || step == s->step)
		return;
	s->step = step;
	s->p.ops->on_step(s->step, clock_us() - s->connect_us, s->p.arg);
}

/* The new state's deadline, then its step for the gateway. */
static int enter_state(struct wk_session *s, enum wk_state next)
{
	const struct wk_state_info *info = &infos[next];
	int rc = 0;

	s->state = next;
	if (info->deadline_ms == WK_NO_DEADLINE)
		(void)event_del(s->deadline);
	else if (info->deadline_ms != WK_SAME_DEADLINE)
		rc = wk_timer_set(s->deadline, wk_session_ms(s, (uint32_t)info->deadline_ms));
	announce(s, info->step);
	return rc;
}

int wk_session_event(struct wk_session *s, enum wk_event ev)
{
	const struct edge *e = &edges[s->state][ev];
	enum wk_state before = s->state;
	int rc;

	LOG(s->p.log, e->act != NULL ? LOG_DEBUG : LOG_WARNING, "session_event",
	    LF_STR("state", state_name(s->state)), LF_STR("got", event_name(ev)));
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

/* ---- timers ------------------------------------------------------------------------------ */

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

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct wk_session *s = arg;
	int rc = 0;

	(void)fd;
	(void)what;
	if (s->state == WK_PAIRING && s->store == NULL) {
		rc = wk_session_make_store(s);
		if (rc == 0)
			rc = wk_timer_set(s->later, TRIM_MS);
		fail_self(s, rc);
	} else {
		wk_store_trim(s->store);
		wk_heap_give_back();
	}
}

/* ---- life -------------------------------------------------------------------------------- */

int wk_session_new(const struct wk_session_params *params, struct wk_session **session_out)
{
	struct wk_session *s = secret_alloc(sizeof(*s)); /* private keys */

	if (s == NULL)
		return -ENOMEM;
	s->p = *params;
	TAILQ_INIT(&s->asks);
	s->pipe.fd = -1;
	s->step = NO_STEP;
	s->deadline = evtimer_new(params->base, on_deadline, s);
	s->alive_timer = evtimer_new(params->base, wk_session_on_alive_timer, s);
	s->end_timer = evtimer_new(params->base, on_end_timer, s);
	s->later = evtimer_new(params->base, on_later, s);
	s->logout_timer = evtimer_new(params->base, wk_session_on_logout_timer, s);
	if (s->deadline == NULL || s->alive_timer == NULL || s->end_timer == NULL ||
	    s->later == NULL || s->logout_timer == NULL) {
		wk_session_free(s);
		return -ENOMEM;
	}
	*session_out = s;
	return 0;
}

void wk_session_free(struct wk_session *s)
{
	struct event *timers[] = { NULL, NULL, NULL, NULL, NULL };

	if (s == NULL)
		return;
	timers[0] = s->deadline;
	timers[1] = s->alive_timer;
	timers[2] = s->end_timer;
	timers[3] = s->later;
	timers[4] = s->logout_timer;
	wk_session_drop(s);
	wk_session_leave_store(s);
	wk_session_events_end(s); /* what has outlived the store */
	wk_session_asks_drop(s);
	wk_media_free(s->media);
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		if (timers[i] != NULL)
			event_free(timers[i]);
	wk_creds_clear(&s->creds);
	wk_target_clear(&s->target);
	wk_proxy_clear(&s->next_proxy);
	secret_free(s);
}

int wk_session_connect(struct wk_session *s, struct wk_target *target, uint64_t received_us)
{
	if (s->state != WK_IDLE) {
		wk_target_clear(target);
		return WA_ESTATE;
	}
	s->target = *target;
	secret_wipe(target, sizeof(*target));
	s->connect_us = received_us;
	s->may_dial = true;
	if (s->target.mode == IPC__CONNECT__MODE__LOGOUT)
		wk_session_logout(s);
	wk_session_raise(s, WK_EV_CONNECT);
	return 0;
}

int wk_session_stop(struct wk_session *s)
{
	if (s->state == WK_ENDED)
		return WA_ESTATE; /* it crossed the end on its way */
	return wk_session_event(s, WK_EV_STOP);
}

int wk_session_step(const struct wk_session *s)
{
	return s->step;
}

bool wk_session_had_link(const struct wk_session *s)
{
	return s->had_link;
}

const char *wk_session_number(const struct wk_session *s)
{
	return s->target.number;
}

uint32_t wk_session_history_days(const struct wk_session *s)
{
	return s->target.history_days;
}
