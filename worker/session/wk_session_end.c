/* worker/session/wk_session_end.c - closing, failing for good, ending */
#include <event2/event.h>

#include "common/err.h"
#include "common/secret.h"
#include "worker/events/wk_outbox.h"
#include "worker/net/wk_conn.h"
#include "worker/net/wk_version.h"
#include "worker/online/wk_online.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store.h"

void wk_session_drop(struct wk_session *s)
{
	wk_session_pair_drop(s);
	wk_session_asks_offline(s);
	wk_session_history_close(s);
	wk_online_free(s->online);
	s->online = NULL;
	if (s->outbox != NULL)
		wk_outbox_poke(s->outbox); /* its last batch was committed with it */
	s->online_ms = 0;
	s->paused = false;
	wk_dial_free(s->dial);
	s->dial = NULL;
	wk_conn_free(s->conn);
	s->conn = NULL;
	wk_version_free(s->lookup);
	s->lookup = NULL;
	if (s->pipe.fd >= 0 || s->pipe.bev != NULL)
		wk_pipe_close(&s->pipe);
	s->pipe = (struct wk_pipe){ .fd = -1 };
	if (s->alive_timer != NULL)
		(void)event_del(s->alive_timer);
}

const struct wk_creds *wk_session_creds(struct wk_session *s)
{
	if (s->store != NULL)
		s->creds.generation = wk_store_generation(s->store);
	return &s->creds;
}

uint64_t wk_session_left_generation(const struct wk_session *s)
{
	return s->left_generation;
}

/* Without a link in it, the file is what an attempt has left behind. */
void wk_session_leave_store(struct wk_session *s)
{
	if (s->store == NULL)
		return;
	wk_session_events_close(s);
	if (s->linked)
		s->left_generation = wk_store_generation(s->store);
	if (s->linked)
		wk_store_close(s->store);
	else if (wk_store_erase(s->store) < 0)
		LOG(s->p.log, LOG_WARNING, "session_not_erased");
	s->store = NULL;
}

static void tell(struct wk_session *s)
{
	const struct wk_failure *f = &s->failure;

	if (s->told)
		return;
	s->told = true;
	LOG(s->p.log, LOG_NOTICE, "attempt_failed", LF_ERR("code", f->rc),
	    LF_INT("reason", f->reason), LF_STR("detail", f->detail));
	s->p.ops->on_failed(f, s->p.arg);
}

int wk_act_end(struct wk_session *s)
{
	wk_session_drop(s);
	wk_session_leave_store(s);
	secret_wipe(&s->target.key, sizeof(s->target.key));
	wa_device_wipe(&s->creds.device);
	return wk_timer_set(s->end_timer, 0);
}

/* The disk is as it will stay before anybody is told. */
int wk_act_fail(struct wk_session *s)
{
	wk_session_drop(s);
	wk_session_leave_store(s);
	tell(s);
	return wk_act_end(s);
}

/* The stream is fine, so it is closed as it should be; the caller need not wait for that. */
int wk_act_refuse(struct wk_session *s)
{
	wk_session_pair_drop(s);
	wk_session_leave_store(s);
	tell(s);
	return wk_act_close(s);
}

int wk_act_close(struct wk_session *s)
{
	wk_session_pair_drop(s);
	wk_session_asks_offline(s);
	wk_session_history_close(s);
	wk_online_free(s->online);
	s->online = NULL;
	(void)event_del(s->alive_timer);
	if (s->conn != NULL && wk_conn_close(s->conn))
		return 0;
	return wk_session_event(s, WK_EV_CLOSED);
}
