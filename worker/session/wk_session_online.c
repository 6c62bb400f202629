/* worker/session/wk_session_online.c - logged in: the bring-up, being online, unlinking */
#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/history/wk_history.h"
#include "worker/net/wk_conn.h"
#include "worker/online/wk_online.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store.h"
#include "worker/wa/node/wa_node.h"

#define TRIM_MS 2000 /* the questions after the login are answered by then */

/* ---- what the online part tells ---------------------------------------------------------- */

static int on_send(const struct wa_node *n, void *arg)
{
	struct wk_session *s = arg;

	return wk_conn_send(s->conn, n);
}

static void on_online(void *arg)
{
	wk_session_raise(arg, WK_EV_ONLINE);
}

static void on_profile(void *arg)
{
	struct wk_session *s = arg;

	s->p.ops->on_profile(wk_session_creds(s), s->p.arg);
}

/* Not at once: this connection goes on with the version it has. */
static void on_client_expires(int64_t unix_s, void *arg)
{
	struct wk_session *s = arg;

	LOG(s->p.log, LOG_WARNING, "client_expires", LF_INT("version", s->target.version.tertiary),
	    LF_INT("at_unix_s", unix_s));
	s->target.version_stale = s->target.version_auto;
}

/* What is not read stays at WhatsApp, until the outbox has room (wk_session_events.c). */
static void on_full(void *arg)
{
	struct wk_session *s = arg;

	s->paused = true;
	if (s->conn != NULL)
		wk_conn_pause(s->conn, true);
}

static void on_media_retry(const struct wa_node *n, void *arg)
{
	wk_session_asks_retry(arg, n);
}

static void on_media_hosts(const struct wa_node *iq, void *arg)
{
	wk_session_on_media_hosts(arg, iq);
}

static void on_failed(const struct wk_failure *f, void *arg)
{
	wk_session_fail(arg, f);
}

static void on_logout(const struct wk_failure *f, void *arg)
{
	struct wk_session *s = arg;

	wk_session_logout_done(s, f);
	if (s->state == WK_UNLINKING)
		wk_session_raise(s, WK_EV_KEPT);
}

/* ---- login ------------------------------------------------------------------------------- */

/* What a login proves; committed with it by wk_online_start(). */
static void note_success(struct wk_session *s)
{
	s->version_asked = false;
	s->refused = 0;
	s->no_lookup.rc = 0;
	s->creds.not_before_unix_s = 0;
	s->creds.not_before_rc = 0;
	if (s->server_key.until_unix_s != 0) {
		memcpy(s->creds.server_static, s->server_key.pub, sizeof(s->creds.server_static));
		s->creds.server_static_until = s->server_key.until_unix_s;
	}
}

void wk_session_on_success(struct wk_session *s, const struct wa_node *n)
{
	static const struct wk_online_ops ops = {
		.send = on_send,
		.on_online = on_online,
		.on_profile = on_profile,
		.on_client_expires = on_client_expires,
		.on_logout = on_logout,
		.on_full = on_full,
		.on_media_hosts = on_media_hosts,
		.on_media_retry = on_media_retry,
		.on_failed = on_failed,
	};
	const struct wk_online_params params = {
		.base = s->p.base,
		.store = s->store,
		.creds = &s->creds,
		.outbox = s->outbox,
		.media = wk_session_media(s),
		.settings = &s->target.settings,
		.log = s->p.log,
		.speed = s->p.speed,
		.ops = &ops,
		.arg = s,
	};
	struct wk_failure f;
	int rc;

	if (s->state != WK_LOGIN)
		return; /* a second one on the same stream */
	rc = wk_online_new(&params, &s->online);
	if (rc == 0)
		rc = wk_session_history_open(s);
	if (rc < 0) {
		wk_failure_set(&f, rc, "the login could not go on: %s", wa_err_name(rc));
		wk_session_fail(s, &f);
		return;
	}
	note_success(s);
	wk_session_raise(s, WK_EV_SUCCESS);
	if (s->online != NULL)
		wk_online_start(s->online, n);
}

int wk_act_online(struct wk_session *s)
{
	LOG(s->p.log, LOG_NOTICE, "online", LF_INT("after_us", clock_us() - s->dial_us));
	s->online_ms = clock_ms();
	s->p.ops->on_online(wk_session_creds(s), clock_us() - s->dial_us, 0, s->p.arg);
	wk_history_start(s->history);
	if (s->logging_out)
		wk_session_raise(s, WK_EV_UNLINK);
	return wk_timer_set(s->later, TRIM_MS);
}

void wk_session_settings(struct wk_session *s, const Ipc__SessionSettings *settings)
{
	if (wk_settings_take(&s->target.settings, settings) < 0)
		LOG(s->p.log, LOG_WARNING, "settings_not_taken", LF_ERR("err", -ENOMEM));
	else if (s->online != NULL)
		wk_online_settings(s->online);
}

/* ---- unlinking --------------------------------------------------------------------------- */

int wk_act_unlink(struct wk_session *s)
{
	return wk_online_logout(s->online);
}

/* Dials at once when there is nothing to unlink over. */
void wk_session_logout(struct wk_session *s)
{
	struct wk_failure f;

	if (s->logging_out)
		return;
	if (!s->linked && s->state != WK_IDLE) {
		wk_failure_set(&f, WA_ENO_SESSION, "there is no saved session");
		s->p.ops->on_logout_done(&f, s->p.arg);
		return;
	}
	s->logging_out = true;
	s->logout_dials = 0;
	if (wk_timer_set(s->logout_timer, wk_session_ms(s, WK_LOGOUT_MS)) < 0)
		LOG(s->p.log, LOG_WARNING, "no_logout_deadline");
	if (s->state == WK_ONLINE)
		wk_session_raise(s, WK_EV_UNLINK);
	else if (s->state == WK_BACKOFF && s->failure.rc == WA_ETEMP_BANNED)
		wk_session_logout_done(s, &s->failure);
	else
		wk_session_resume(s);
}

/* Unlinked: nothing of it is kept. */
static void erase(struct wk_session *s, struct wk_failure *f_out)
{
	int rc;

	wk_session_events_outlive(s);
	rc = s->store != NULL ? wk_store_erase(s->store) : 0;
	s->store = NULL;
	s->linked = false;
	if (rc < 0)
		wk_failure_set(f_out, rc, "unlinked, but the saved session could not be erased: %s",
		               wa_err_name(rc));
}

void wk_session_logout_done(struct wk_session *s, const struct wk_failure *f)
{
	struct wk_failure mine = { .rc = 0 };
	bool gone = f == NULL;

	if (!s->logging_out)
		return;
	s->logging_out = false;
	(void)event_del(s->logout_timer);
	if (gone)
		erase(s, &mine);
	else
		mine = *f;
	LOG(s->p.log, LOG_NOTICE, "logout", LF_ERR("code", mine.rc), LF_STR("detail", mine.detail));
	s->p.ops->on_logout_done(mine.rc != 0 ? &mine : NULL, s->p.arg);
	if (gone || s->target.mode == IPC__CONNECT__MODE__LOGOUT)
		wk_session_raise(s, WK_EV_STOP);
}

void wk_session_on_logout_timer(int fd, short what, void *session)
{
	struct wk_session *s = session;
	struct wk_failure f;

	(void)fd;
	(void)what;
	wk_failure_set(&f, WA_ETIMEOUT, "WhatsApp could not be told in time");
	wk_session_logout_done(s, &f);
	if (s->state == WK_UNLINKING)
		wk_session_raise(s, WK_EV_KEPT);
}

/* ---- the present truth ------------------------------------------------------------------- */

void wk_session_tell(struct wk_session *s)
{
	uint64_t now = clock_ms();

	if (s->state == WK_PAIRING)
		wk_session_tell_pairing(s);
	else if (s->state == WK_ONLINE || s->state == WK_UNLINKING)
		s->p.ops->on_online(wk_session_creds(s), 0, now - s->online_ms, s->p.arg);
	else if (s->state == WK_BACKOFF)
		s->p.ops->on_down(&s->failure, s->retry.attempt,
		                  now < s->until_ms ? s->until_ms - now : 0, s->p.arg);
	else if (s->state == WK_ASKING)
		s->p.ops->on_dial_ask(s->p.arg);
	else if (s->state == WK_VERSION && s->lookup == NULL)
		s->p.ops->on_version_ask(s->refused, s->p.arg);
}
