/* worker/send/wk_sessions.c - sessions that are to be begun */
#include "worker/send/wk_sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/receive/wk_signal.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store.h"
#include "worker/wa/stanza/wa_bundle.h"

struct wk_sessions {
	struct wk_sessions_params p;
	struct wa_jid *wanted;
	size_t n, cap;
	size_t asked; /* the first of them are on their way */
};

int wk_sessions_new(const struct wk_sessions_params *params, struct wk_sessions **ws_out)
{
	struct wk_sessions *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return -ENOMEM;
	ws->p = *params;
	*ws_out = ws;
	return 0;
}

void wk_sessions_free(struct wk_sessions *ws)
{
	if (ws == NULL)
		return;
	free(ws->wanted);
	free(ws);
}

static bool same(const struct wa_jid *a, const struct wa_jid *b)
{
	return a->device == b->device && wa_jid_same_user(a, b);
}

int wk_sessions_want(struct wk_sessions *ws, const struct wa_jid *device)
{
	struct wa_jid *more;
	size_t cap;

	for (size_t i = 0; i < ws->n; i++) {
		if (same(&ws->wanted[i], device))
			return 0;
	}
	if (ws->n == WK_SESSIONS_MAX)
		return WA_ELIMIT;
	if (ws->n == ws->cap) {
		cap = ws->cap == 0 ? 8 : ws->cap * 2;
		more = realloc(ws->wanted, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		ws->wanted = more;
		ws->cap = cap;
	}
	ws->wanted[ws->n++] = *device;
	return 0;
}

bool wk_sessions_is_due(const struct wk_sessions *ws)
{
	return ws->n > ws->asked;
}

void wk_sessions_ask(struct wk_sessions *ws)
{
	if (wk_sessions_is_due(ws))
		ws->p.on_ask(ws->p.arg);
}

struct wa_node *wk_sessions_build(struct wk_sessions *ws, const char *id)
{
	struct wa_node *iq = wa_bundle_fetch(id);
	char text[WA_JID_TEXT_CAP];

	ws->asked = ws->n;
	for (size_t i = 0; i < ws->n; i++) {
		(void)wa_jid_format(&ws->wanted[i], text);
		wa_bundle_fetch_add(iq, text, true);
	}
	return iq;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static bool was_asked(const struct wk_sessions *ws, const struct wa_jid *jid)
{
	for (size_t i = 0; i < ws->asked; i++) {
		if (same(&ws->wanted[i], jid))
			return true;
	}
	return false;
}

/* Keys that nobody asked for, or that are not signed as they should be, begin nothing. */
static int on_bundle(void *arg, const struct wa_bundle_answer *a)
{
	struct wk_sessions *ws = arg;
	struct wa_signal_addr addr;
	struct wa_signal *s;
	struct wa_jid jid;
	int rc = wa_jid_parse(a->jid, strlen(a->jid), &jid);

	if (rc < 0 || !was_asked(ws, &jid))
		return 0;
	if (a->error != 0) {
		LOG(ws->p.log, LOG_INFO, "no_prekeys", LF_INT("code", a->error));
		return 0;
	}
	rc = wk_signal_addr(ws->p.signal, &jid, NULL, &addr);
	if (rc == 0)
		rc = wk_signal_get(ws->p.signal, &s);
	if (rc == 0)
		rc = wa_signal_take_bundle(s, &addr, &a->bundle, NULL);
	if (rc < 0 && !wk_batch_is_fatal(rc)) {
		LOG(ws->p.log, LOG_WARNING, "prekeys_refused",
		    LF_STR("err", wa_signal_err_name(rc)));
		rc = 0;
	}
	return rc;
}

void wk_sessions_answer(struct wk_sessions *ws, const struct wa_node *result)
{
	int rc = 0;

	if (result != NULL && ws->asked > 0) {
		rc = wk_batch_enter(ws->p.batch);
		if (rc < 0)
			return;
		rc = wa_bundle_each(result, on_bundle, ws);
		wk_batch_leave(ws->p.batch, wk_batch_is_fatal(rc) ? rc : 0);
	}
	ws->n -= ws->asked;
	memmove(ws->wanted, ws->wanted + ws->asked, ws->n * sizeof(*ws->wanted));
	ws->asked = 0;
}
