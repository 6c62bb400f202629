/* worker/history/wk_history.c - history: one notice after the other, from the phone into the store
 */
#include "worker/history/wk_history.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "worker/control/wk_settings.h"
#include "worker/history/wk_history_priv.h"
#include "worker/history/wk_media.h"
#include "worker/process/wk_hand.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"

#define QUIET_MS (120 * 1000) /* without a chunk: the phone pauses, or has no more */

/* ---- life --------------------------------------------------------------------------------------
 */

void wk_history_drop_work(struct wk_history *h)
{
	wk_media_cancel(h->get);
	h->get = NULL;
	wk_history_drop_reader(h);
	if (h->fd >= 0)
		(void)close(h->fd);
	h->fd = -1;
	wk_history_job_clear(&h->job);
	h->work = WK_HISTORY_IDLE;
}

void wk_history_set_bulk(struct wk_history *h, bool on)
{
	if (h->bulk != on)
		wk_store_bulk(h->p.store, on);
	h->bulk = on;
}

static void destroy(struct wk_history *h)
{
	wk_history_drop_work(h);
	if (h->timer != NULL)
		event_free(h->timer);
	if (h->quiet != NULL)
		event_free(h->quiet);
	free(h);
}

void wk_history_free(struct wk_history *h)
{
	if (h == NULL)
		return;
	/* At once: the store may be gone before what is on the stack has returned. */
	h->freed = true;
	wk_history_set_bulk(h, false);
	wk_media_cancel(h->get);
	h->get = NULL;
	if (h->depth == 0)
		destroy(h);
}

void wk_history_enter(struct wk_history *h)
{
	h->depth++;
}

void wk_history_leave(struct wk_history *h)
{
	if (--h->depth == 0 && h->freed)
		destroy(h);
}

uint64_t wk_history_scaled(const struct wk_history *h, uint64_t ms)
{
	return ms / h->p.speed;
}

/* The session can't go on. */
void wk_history_fail(struct wk_history *h, int rc)
{
	if (h->failed || h->freed)
		return;
	h->failed = true;
	h->p.ops->on_failed(rc, h->p.arg);
}

void wk_history_soon(struct wk_history *h, uint64_t ms)
{
	if (wk_timer_set(h->timer, ms) < 0)
		wk_history_fail(h, -ENOMEM);
}

void wk_history_quiet_soon(struct wk_history *h)
{
	if (!h->state.done && h->state.initial &&
	    wk_timer_set(h->quiet, wk_history_scaled(h, QUIET_MS)) < 0)
		wk_history_fail(h, -ENOMEM);
}

/* ---- who wants it ------------------------------------------------------------------------------
 */

/* Blobs are worth fetching: days were asked for, or the setting does not keep history out. */
static bool is_wanted(const struct wk_creds *creds, const struct wk_settings *settings)
{
	return creds->history_days > 0 || !settings->disable_history_sync;
}

static bool has_content(const struct wk_history *h)
{
	switch (h->job.type) {
	case WA_HISTORY_INITIAL_BOOTSTRAP:
	case WA_HISTORY_FULL:
	case WA_HISTORY_RECENT:
	case WA_HISTORY_PUSH_NAME:
	case WA_HISTORY_NON_BLOCKING_DATA:
		return is_wanted(h->p.creds, h->p.settings);
	case WA_HISTORY_ON_DEMAND:
		return true; /* we have asked for it */
	default:
		return false; /* others' status, or nothing at all: acknowledged alone */
	}
}

/* ---- the next one ------------------------------------------------------------------------------
 */

static void begin(struct wk_history *h)
{
	if (wk_hand_is_aside(h->hand)) {
		LOG(h->p.log, LOG_WARNING, "history_set_aside");
		wk_history_finish_unread(h, false);
	} else if (!has_content(h) || (h->job.payload == NULL && h->job.path == NULL)) {
		wk_history_finish_unread(h, false);
	} else if (h->job.payload != NULL) {
		wk_history_read(h);
	} else {
		wk_history_fetch(h);
	}
}

static void next(struct wk_history *h)
{
	int rc = wk_history_job_load(h->p.store, &h->job);
	uint64_t before;

	if (rc == -ENOENT) {
		wk_history_job_clear(&h->job);
		wk_history_set_bulk(h, false);
		return;
	}
	if (rc < 0) {
		wk_history_fail(h, rc);
		return;
	}
	(void)event_del(h->quiet);
	h->hand = wk_hand_key_of("history", h->job.message_id);
	before = wk_hand_take(h->hand); /* a notice is tried again at every start */
	begin(h);
	(void)wk_hand_take(before);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_history *h = arg;
	uint64_t before;

	(void)fd;
	(void)what;
	if (h->failed)
		return;
	wk_history_enter(h);
	switch (h->work) {
	case WK_HISTORY_IDLE:
		next(h);
		break;
	case WK_HISTORY_READING:
		before = wk_hand_take(h->hand);
		wk_history_slice(h);
		(void)wk_hand_take(before);
		break;
	case WK_HISTORY_RESTING:
		wk_history_fetch(h);
		break;
	case WK_HISTORY_FETCHING:
		break;
	}
	wk_history_leave(h);
}

/* Nothing has come for so long: what there was is all, or more comes when the phone likes. */
static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct wk_history *h = arg;
	bool over = h->state.recent == 0 || h->state.recent == 100;
	int rc;

	(void)fd;
	(void)what;
	if (h->work != WK_HISTORY_IDLE || h->state.done || !over || h->failed)
		return;
	wk_history_enter(h);
	if (wk_batch_enter(h->p.batch) == 0) {
		rc = wk_history_say_done(h);
		if (rc == 0)
			rc = wk_store_history_save(h->p.store, &h->state);
		wk_batch_leave(h->p.batch, rc);
		if (rc == 0 && !h->freed)
			wk_history_tell_state(h);
	}
	wk_history_leave(h);
}

/* ---- from outside ------------------------------------------------------------------------------
 */

int wk_history_new(const struct wk_history_params *params, struct wk_history **h_out)
{
	struct wk_history *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return -ENOMEM;
	h->p = *params;
	h->fd = -1;
	h->timer = evtimer_new(params->base, on_timer, h);
	h->quiet = evtimer_new(params->base, on_quiet, h);
	rc = h->timer == NULL || h->quiet == NULL ? -ENOMEM
	                                          : wk_store_history_load(params->store, &h->state);
	if (rc < 0) {
		destroy(h);
		return rc;
	}
	*h_out = h;
	return 0;
}

/* Receipts that were on their way when the last connection or worker ended. */
static void tell_again(struct wk_history *h)
{
	struct wk_history_told told;
	int64_t seq = 0;
	int rc = wk_store_history_told_next(h->p.store, 0, &seq, &told);

	if (rc == -ENOENT || wk_batch_enter(h->p.batch) < 0)
		return;
	for (; rc == 0; rc = wk_store_history_told_next(h->p.store, seq, &seq, &told))
		wk_batch_after(h->p.batch,
		               wk_history_stored_receipt(h, told.message_id, told.by_lid));
	wk_batch_leave(h->p.batch, rc == -ENOENT ? 0 : rc);
}

void wk_history_start(struct wk_history *h)
{
	h->started = true;
	wk_history_enter(h);
	tell_again(h); /* which may be the session's end */
	if (!h->freed)
		wk_history_tell_state(h);
	if (!h->freed)
		wk_history_quiet_soon(h);
	if (!h->freed)
		wk_history_soon(h, 0);
	wk_history_leave(h);
}

int wk_history_notice(struct wk_history *h, const char *message_id, bool by_lid,
                      const struct Wa__ProtocolMessage *p)
{
	struct wa_history_notice n;
	struct buf body = { 0 };
	int rc = wa_history_notice_read(p, &n);

	if (rc < 0) {
		LOG(h->p.log, LOG_WARNING, "history_notice_bad", LF_ERR("err", rc));
		return 0;
	}
	rc = wk_history_job_pack(message_id, by_lid, p, &body);
	if (rc == 0)
		rc = wk_store_history_add(h->p.store, body.p, body.len);
	buf_wipe(&body);
	if (rc == WA_ELIMIT) {
		LOG(h->p.log, LOG_WARNING, "history_notice_too_much");
		return 0;
	}
	if (rc == 0 && h->started && h->work == WK_HISTORY_IDLE)
		wk_history_soon(h, 0);
	return rc;
}
