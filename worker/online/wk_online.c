/* worker/online/wk_online.c - a live session put together: what it holds, how it fails, its one
 * timer */
#include "worker/online/wk_online.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/online/wk_online_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/wa/stanza/wa_stanza.h"

#define LOUD_MAX 5 /* warnings about foreign stanzas before they become quiet */

/* ---- one way in, one way out --------------------------------------------------------------------
 *
 * Callbacks may free the object: everything that comes in from outside runs between enter() and
 * leave(), and the memory goes with the last leave(). That it has failed is told by the event loop:
 * whoever holds the session closes the store then, which may be in use when it fails.
 */

bool wk_online_is_over(const struct wk_online *o)
{
	return o->phase == WK_PHASE_OVER;
}

static void destroy(struct wk_online *o)
{
	if (o->timer != NULL)
		event_free(o->timer);
	if (o->tells != NULL)
		event_free(o->tells);
	wk_online_in_clear(o);
	wk_prekeys_clear(&o->keys);
	free(o);
}

static uint64_t next_due_ms(const struct wk_online *o)
{
	uint64_t due_ms = wk_iq_next_ms(&o->iq);

	if (o->stall_ms != 0 && (due_ms == 0 || o->stall_ms < due_ms))
		due_ms = o->stall_ms;
	return due_ms;
}

/* The timer follows the nearest deadline; with none it is off, so an idle session never wakes. */
static void set_timer(struct wk_online *o)
{
	uint64_t due_ms = wk_online_is_over(o) ? 0 : next_due_ms(o);
	uint64_t now_ms;

	if (due_ms == o->timer_ms)
		return;
	o->timer_ms = due_ms;
	if (due_ms == 0) {
		(void)evtimer_del(o->timer);
		return;
	}
	now_ms = clock_ms();
	if (wk_timer_set(o->timer, due_ms > now_ms ? due_ms - now_ms : 0) < 0)
		wk_online_fail(o, -ENOMEM, "out of memory");
}

void wk_online_enter(struct wk_online *o)
{
	o->depth++;
}

void wk_online_leave(struct wk_online *o)
{
	if (o->depth == 1)
		set_timer(o);
	o->depth--;
	if (o->depth == 0 && o->freed)
		destroy(o);
}

static void on_failure(evutil_socket_t fd, short what, void *arg)
{
	struct wk_online *o = arg;

	(void)fd;
	(void)what;
	wk_online_enter(o);
	o->p.ops->on_failed(&o->failure, o->p.arg);
	wk_online_leave(o);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_online *o = arg;
	uint64_t now_ms = clock_ms();

	(void)fd;
	(void)what;
	wk_online_enter(o);
	o->timer_ms = 0;
	wk_online_overdue(o, now_ms);
	wk_online_queue_stalls(o, now_ms);
	wk_online_leave(o);
}

int wk_online_new(const struct wk_online_params *params, struct wk_online **online_out)
{
	struct wk_online *o = calloc(1, sizeof(*o));
	uint32_t tag;
	int rc = -ENOMEM;

	if (o == NULL)
		return rc;
	o->p = *params;
	rc = secret_random(&tag, sizeof(tag));
	if (rc < 0)
		goto fail;
	wk_iq_init(&o->iq, tag, params->speed);
	wk_prekeys_init(&o->keys, params->store, params->creds);
	o->timer = evtimer_new(params->base, on_timer, o);
	o->tells = evtimer_new(params->base, on_failure, o);
	rc = o->timer == NULL || o->tells == NULL ? -ENOMEM : wk_online_in_init(o);
	if (rc < 0) {
		wk_online_free(o);
		return rc;
	}
	*online_out = o;
	return 0;
fail:
	free(o);
	return rc;
}

void wk_online_free(struct wk_online *o)
{
	if (o == NULL)
		return;
	o->phase = WK_PHASE_OVER;
	o->freed = true;
	if (o->tells != NULL)
		(void)event_del(o->tells);
	/* Its file may be on its way: what fetches it is the session's. */
	wk_appstate_free(o->appstate);
	o->appstate = NULL;
	/* At once: the store may be gone before what is on the stack has returned. */
	wk_batch_free(o->batch);
	o->batch = NULL;
	if (o->depth == 0)
		destroy(o);
}

void wk_online_fail(struct wk_online *o, int rc, const char *fmt, ...)
{
	char why[WK_DETAIL_CAP];
	va_list ap;

	if (wk_online_is_over(o))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	LOG(o->p.log, LOG_WARNING, "session_failed", LF_ERR("err", rc), LF_STR("why", why));
	o->phase = WK_PHASE_OVER;
	wk_failure_set(&o->failure, rc, "%s", why);
	event_active(o->tells, EV_TIMEOUT, 1); /* needs no memory */
}

void wk_online_send(struct wk_online *o, struct wa_node *takes)
{
	int rc = -ENOMEM;

	if (!wk_online_is_over(o)) {
		if (takes != NULL)
			rc = o->p.ops->send(takes, o->p.arg);
		if (rc < 0)
			wk_online_fail(o, rc, "a stanza can't be sent");
	}
	wa_node_free(takes);
}

int wk_online_save(struct wk_online *o)
{
	int rc = wk_store_update(o->p.store, o->p.creds);

	if (rc < 0)
		wk_online_fail(o, rc, "the session can't be saved");
	return rc;
}

int wk_online_level(unsigned so_far)
{
	return so_far <= LOUD_MAX ? LOG_WARNING : LOG_DEBUG;
}

/* ---- from the session ---------------------------------------------------------------------------
 */

void wk_online_start(struct wk_online *o, const struct wa_node *success)
{
	wk_online_enter(o);
	/* A second <success> on one connection comes of routing inside WhatsApp: it says nothing.
	 */
	if (o->phase == WK_PHASE_NEW)
		wk_online_up(o, success);
	wk_online_leave(o);
}

void wk_online_stanza(struct wk_online *o, const struct wa_node *n)
{
	wk_online_enter(o);
	if (!wk_online_is_over(o) && o->phase != WK_PHASE_NEW)
		wk_online_take(o, n);
	wk_online_leave(o);
}

void wk_online_settings(struct wk_online *o)
{
	wk_online_enter(o);
	wk_online_show(o);
	wk_online_leave(o);
}

int wk_online_logout(struct wk_online *o)
{
	if (o->phase != WK_PHASE_ONLINE)
		return WA_ESTATE;
	wk_online_enter(o);
	wk_online_ask(o, WK_REQ_LOGOUT);
	wk_online_leave(o);
	return 0;
}

void wk_online_count(const struct wk_online *o, struct wk_online_counts *out)
{
	*out = o->counts;
}

bool wk_online_ask_media(struct wk_online *o)
{
	bool asked;

	if (o->phase != WK_PHASE_ONLINE)
		return false;
	wk_online_enter(o);
	wk_online_ask(o, WK_REQ_MEDIA);
	asked = !wk_online_is_over(o);
	wk_online_leave(o);
	return asked;
}
