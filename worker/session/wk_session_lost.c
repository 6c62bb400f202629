/* worker/session/wk_session_lost.c - a failure: the end, another try, or the end of the link */
#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/net/wk_conn.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store.h"

/* A ban may be said to last longer, and a clock may be years off: then it is seen again anyway. */
#define WAIT_MAX_MS (365 * 86400 * UINT64_C(1000))

static unsigned speed(const struct wk_session *s)
{
	return s->p.speed > 1 ? s->p.speed : 1;
}

/* ---- on to a dial ------------------------------------------------------------------------ */

void wk_session_go(struct wk_session *s)
{
	if (!s->opened)
		wk_session_raise(s, WK_EV_CONNECT);
	else if (s->target.version_stale && s->state != WK_VERSION)
		wk_session_raise(s, WK_EV_STALE);
	else
		wk_session_raise(s, s->may_dial ? WK_EV_DIAL : WK_EV_ASK);
}

int wk_act_go(struct wk_session *s)
{
	wk_session_go(s);
	return 0;
}

/* A temporary ban is kept to, whoever asks. */
int wk_act_resume(struct wk_session *s)
{
	uint64_t now = clock_ms();

	if (s->failure.rc == WA_ETEMP_BANNED && now < s->until_ms) {
		s->p.ops->on_down(&s->failure, s->retry.attempt, s->until_ms - now, s->p.arg);
		return 0;
	}
	wk_session_go(s);
	return 0;
}

void wk_session_resume(struct wk_session *s)
{
	if (s->state != WK_BACKOFF && s->state != WK_ASKING)
		return;
	s->may_dial = true;
	wk_session_raise(s, WK_EV_RESUME);
}

void wk_session_dial_go(struct wk_session *s)
{
	if (s->state != WK_ASKING)
		return; /* it was asked twice, or is not needed any more */
	s->may_dial = true;
	wk_session_raise(s, WK_EV_DIAL);
}

/* ---- what a failure teaches -------------------------------------------------------------- */

/* What earlier logins left is not used again when a stream that began with it did not open. */
static void forget_hints(struct wk_session *s)
{
	if (s->state != WK_UPGRADING && s->state != WK_HANDSHAKE)
		return;
	if (s->used_routing)
		s->creds.routing_len = 0;
	if (s->state == WK_HANDSHAKE && s->used_ik)
		s->creds.server_static_until = 0;
}

static struct wk_retry_plan plan(struct wk_session *s, const struct wk_retry_cause *hint)
{
	struct wk_retry_cause cause = { .rc = 0 };
	uint64_t now = clock_ms();
	uint64_t rnd = 0;

	if (hint != NULL)
		cause = *hint;
	cause.rc = s->failure.rc;
	cause.reason = s->failure.reason;
	cause.transient = s->state == WK_UPGRADING; /* an HTTP error, not a wrong peer */
	cause.online_ms = s->online_ms != 0 ? (now - s->online_ms) * speed(s) + 1 : 0;
	(void)!secret_random(&rnd, sizeof(rnd)); /* only spreads the tries */
	return wk_retry_next(&s->retry, &cause, &s->creds, now * speed(s), clock_unix_s(), rnd);
}

/* ---- what follows ------------------------------------------------------------------------ */

/* Never a link: a login that was refused before one had ever succeeded. */
static bool was_no_link(const struct wk_session *s)
{
	return s->failure.rc == WA_ELOGGED_OUT && !s->creds.confirmed;
}

static void close_link(struct wk_session *s)
{
	int rc;

	wk_session_events_outlive(s);
	if (was_no_link(s)) {
		rc = wk_store_erase(s->store);
		wk_failure_set(&s->failure, WA_EPAIRING_REFUSED,
		               "WhatsApp did not complete the link");
	} else {
		rc = wk_store_set_aside(s->store,
		                        s->failure.rc == WA_EBANNED ? "banned" : "logged_out");
	}
	s->store = NULL;
	s->linked = false;
	if (rc < 0)
		LOG(s->p.log, LOG_ERR, "session_not_set_aside", LF_ERR("err", rc));
	wk_session_raise(s, WK_EV_FAILED);
}

/* Kept to after a restart as well. */
static void remember_wait(struct wk_session *s, int64_t unix_s)
{
	int64_t left_s = unix_s - clock_unix_s();
	int rc;

	s->creds.not_before_unix_s = unix_s;
	s->creds.not_before_rc = s->failure.rc;
	rc = wk_store_update(s->store, &s->creds);
	if (rc < 0)
		LOG(s->p.log, LOG_WARNING, "wait_not_saved", LF_ERR("err", rc));
	s->wait_ms = left_s > 0 ? (uint64_t)left_s * 1000 / speed(s) : 0;
}

/*
 * While somebody waits for the unlinking: refused means unlinked already; two dials are tried, and
 * at once. True when the failure has been dealt with.
 */
static bool lose_logout(struct wk_session *s, struct wk_retry_plan *p)
{
	if (p->kind == WK_RETRY_SET_ASIDE) {
		LOG(s->p.log, LOG_NOTICE, "unlinked_already");
		wk_session_logout_done(s, NULL);
		return true;
	}
	if (p->kind == WK_RETRY_AFTER && s->logout_dials < 2) {
		p->wait_ms = 0;
		return false;
	}
	wk_session_logout_done(s, &s->failure);
	return s->state == WK_ENDED || s->state == WK_CLOSING;
}

static void follow(struct wk_session *s, struct wk_retry_plan p)
{
	if (s->logging_out && lose_logout(s, &p))
		return;
	switch (p.kind) {
	case WK_RETRY_AFTER:
		s->wait_ms = p.wait_ms / speed(s);
		wk_session_raise(s, WK_EV_LOST);
		break;
	case WK_RETRY_AT:
		remember_wait(s, p.unix_s);
		wk_session_raise(s, WK_EV_LOST);
		break;
	case WK_RETRY_NEVER:
		wk_session_raise(s, WK_EV_FAILED);
		break;
	case WK_RETRY_SET_ASIDE:
		close_link(s);
		break;
	}
}

/* The session is saved, but the disk does not give it: not the end, a disk heals. */
static bool may_open_again(const struct wk_session *s)
{
	return s->state == WK_OPENING && s->failure.rc == WA_ESTORAGE &&
	       s->target.mode == IPC__CONNECT__MODE__RESUME;
}

void wk_session_lose(struct wk_session *s, const struct wk_failure *f,
                     const struct wk_retry_cause *hint)
{
	if (s->state == WK_ENDED)
		return;
	if (s->state == WK_LINKING) { /* as expected: the next login tells */
		wk_session_drop(s);
		wk_session_raise(s, WK_EV_TIMEOUT);
		return;
	}
	if (f != &s->failure)
		s->failure = *f;
	wk_failure_add(&s->failure, " (step: %s)", wk_state_info(s->state)->doing);
	forget_hints(s);
	if (s->state != WK_CLOSING && (s->linked || may_open_again(s))) {
		follow(s, plan(s, hint));
		return;
	}
	if (s->logging_out)
		wk_session_logout_done(s, &s->failure);
	if (s->state != WK_ENDED)
		wk_session_raise(s, WK_EV_FAILED);
}

/* ---- waiting ----------------------------------------------------------------------------- */

int wk_act_timeout(struct wk_session *s)
{
	struct wk_failure f;

	wk_failure_set(&f, WA_ETIMEOUT, "%s did not answer in time", s->target.url.hostport);
	wk_session_fail(s, &f);
	return 0;
}

int wk_act_wait(struct wk_session *s)
{
	wk_session_drop(s);
	if (s->wait_ms > WAIT_MAX_MS)
		s->wait_ms = WAIT_MAX_MS;
	LOG(s->p.log, s->failure.rc == 0 ? LOG_INFO : LOG_NOTICE, "down",
	    LF_ERR("code", s->failure.rc), LF_INT("reason", s->failure.reason),
	    LF_STR("detail", s->failure.detail), LF_INT("attempt", s->retry.attempt),
	    LF_INT("retry_ms", s->wait_ms));
	s->until_ms = clock_ms() + s->wait_ms;
	s->p.ops->on_down(&s->failure, s->retry.attempt, s->wait_ms, s->p.arg);
	return wk_timer_set(s->deadline, s->wait_ms);
}
