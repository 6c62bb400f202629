/* worker/session/wk_session_history.c - a session's files and history: there as long as it is
 * logged in */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/history/wk_age.h"
#include "worker/history/wk_history.h"
#include "worker/history/wk_media.h"
#include "worker/online/wk_online.h"
#include "worker/receive/wk_recv.h"
#include "worker/session/wk_session_priv.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_history.h"
#include "worker/wa/stanza/wa_source.h"

/* ---- files -------------------------------------------------------------------------------------
 */

/* The one that the next dial would take: never an older one. */
static const struct wk_proxy *proxy_now(void *arg)
{
	const struct wk_session *s = arg;

	return s->proxy_changed ? &s->next_proxy : &s->target.proxy;
}

static bool ask_hosts(void *arg)
{
	struct wk_session *s = arg;

	return s->online != NULL && wk_online_ask_media(s->online);
}

struct wk_media *wk_session_media(struct wk_session *s)
{
	const struct wk_media_params params = {
		.base = s->p.base,
		.tls = s->p.tls,
		.log = s->p.log,
		.chat = &s->target.url,
		.ca_file = s->target.ca_file,
		.origin = s->target.origin,
		.speed = s->p.speed,
		.proxy = proxy_now,
		.ask_hosts = ask_hosts,
		.arg = s,
	};

	if (s->media == NULL && wk_media_new(&params, &s->media) < 0)
		LOG(s->p.log, LOG_ERR, "no_media", LF_ERR("err", -ENOMEM));
	return s->media;
}

void wk_session_on_media_hosts(struct wk_session *s, const struct wa_node *iq)
{
	if (s->media != NULL)
		wk_media_hosts(s->media, iq);
}

/* ---- history -----------------------------------------------------------------------------------
 */

static void on_state(uint32_t progress, uint64_t messages, void *arg)
{
	struct wk_session *s = arg;

	if (s->p.ops->on_history != NULL)
		s->p.ops->on_history(s->creds.history_days, progress, messages, s->p.arg);
}

static void on_answer(const char *request_id, void *arg)
{
	wk_session_asks_answered(arg, request_id);
}

static void on_failed(int rc, void *arg)
{
	struct wk_failure f;

	wk_failure_set(&f, rc, "history could not be kept: %s", wa_err_name(rc));
	wk_session_fail(arg, &f);
}

/* Within the batch. */
static int on_notice(void *arg, const struct wk_recv_own *own)
{
	struct wk_session *s = arg;

	bool by_lid = strcmp(own->source->sender.server, "lid") == 0;

	return s->history == NULL
	           ? 0
	           : wk_history_notice(s->history, own->source->id, by_lid, own->protocol);
}

/* What was asked for with the link is kept as long as it reaches back. */
static int age_open(struct wk_session *s)
{
	const uint32_t days = s->target.message_days, history = s->creds.history_days;
	const struct wk_age_params params = {
		.base = s->p.base,
		.log = s->p.log,
		.store = s->store,
		.days = days != 0 && days < history ? history : days,
		.speed = s->p.speed,
	};

	return wk_age_new(&params, &s->age);
}

int wk_session_history_open(struct wk_session *s)
{
	static const struct wk_history_ops ops = {
		.on_state = on_state,
		.on_answer = on_answer,
		.on_failed = on_failed,
	};
	const struct wk_history_params params = {
		.base = s->p.base,
		.dir = s->p.dir,
		.log = s->p.log,
		.store = s->store,
		.batch = wk_online_batch(s->online),
		.media = wk_session_media(s),
		.creds = &s->creds,
		.settings = &s->target.settings,
		.emit = wk_online_emit(s->online),
		.speed = s->p.speed,
		.ops = &ops,
		.arg = s,
	};
	int rc = params.media == NULL ? -ENOMEM : wk_history_new(&params, &s->history);

	if (rc == 0)
		rc = age_open(s);
	if (rc == 0)
		wk_recv_handle(wk_online_recv(s->online), WK_OWN_HISTORY,
		               (struct wk_recv_handler){ on_notice, s });
	return rc;
}

void wk_session_history_close(struct wk_session *s)
{
	wk_age_free(s->age);
	s->age = NULL;
	wk_history_free(s->history);
	s->history = NULL;
}

/* To a gateway that has just come; a link without history has nothing to say. */
void wk_session_history_tell(struct wk_session *s)
{
	struct wk_history_state h;

	if (!s->linked || s->store == NULL)
		return;
	if (s->history != NULL) {
		uint32_t progress;
		uint64_t messages;

		wk_history_progress(s->history, &progress, &messages);
		on_state(progress, messages, s);
	} else if (wk_store_history_load(s->store, &h) == 0) {
		on_state(wk_history_overall(&h, &s->creds), h.messages, s);
	}
}
