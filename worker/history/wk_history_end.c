/* worker/history/wk_history_end.c - the end of a notice: stored, of no interest, or broken */
#include "common/clock.h"
#include "common/err.h"
#include "worker/history/wk_history_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/wa/node/wa_node.h"

#define BROKEN_MAX 3 /* times that a chunk is asked for again */

/* In the batch: what the chunk means for the whole, and the notice is gone. */
static int settle(struct wk_history *h, bool stored)
{
	struct wk_history_state *s = &h->state;
	const struct wa_history_counts *c = NULL;
	const char *phase = wk_history_phase(h->job.type);
	uint64_t messages = 0;
	int rc = 0;

	if (stored && h->blob != NULL) {
		c = wk_history_blob_counts(h->blob);
		messages = wk_history_blob_stored(h->blob);
		s->conversations += c->conversations;
		s->last_unix_s = clock_unix_s();
		if (h->job.type == WA_HISTORY_INITIAL_BOOTSTRAP)
			s->initial = true;
		if (h->job.type == WA_HISTORY_RECENT && h->job.progress > s->recent)
			s->recent = h->job.progress;
		if (h->job.type == WA_HISTORY_FULL && h->job.progress > s->full)
			s->full = h->job.progress;
	}
	if (c != NULL && phase != NULL)
		rc = wk_history_add_event(h, phase, h->job.progress, h->job.chunk, c->conversations,
		                          messages);
	if (rc == 0 && !s->done &&
	    (wk_history_is_complete(h) || h->job.type == WA_HISTORY_NO_HISTORY))
		rc = wk_history_say_done(h);
	if (rc == 0)
		rc = wk_store_history_save(h->p.store, s);
	if (rc == 0)
		rc = wk_store_history_drop(h->p.store, h->job.id);
	return rc;
}

/* Within the batch of the last slice, which the caller leaves. */
int wk_history_finish(struct wk_history *h, bool stored, bool ask_again)
{
	int rc = settle(h, stored);

	if (rc == 0 && !ask_again)
		rc = wk_store_history_told_put(h->p.store, h->job.message_id, h->job.by_lid);
	if (rc == 0)
		wk_batch_after(h->p.batch, ask_again ? wk_history_broken_receipt(h)
		                                     : wk_history_stored_receipt(
		                                           h, h->job.message_id, h->job.by_lid));
	LOG(h->p.log, LOG_INFO, "history_chunk", LF_STR("type", wa_history_type_name(h->job.type)),
	    LF_INT("chunk", h->job.chunk), LF_INT("progress", h->job.progress),
	    LF_BOOL("stored", stored), LF_BOOL("asked_again", ask_again),
	    LF_INT("messages", h->blob != NULL ? (int64_t)wk_history_blob_stored(h->blob) : 0),
	    LF_INT("too_old",
	           h->blob != NULL ? (int64_t)wk_history_blob_counts(h->blob)->dropped_old : 0),
	    LF_ERR("err", rc));
	return rc;
}

/* After the batch was left: on to the next one. */
void wk_history_finished(struct wk_history *h)
{
	if (h->freed || h->failed)
		return;
	wk_history_tell_state(h);
	if (h->job.request_id != NULL && h->p.ops->on_answer != NULL)
		h->p.ops->on_answer(h->job.request_id, h->p.arg);
	if (h->freed)
		return;
	wk_history_drop_work(h);
	h->tries = 0;
	wk_history_quiet_soon(h);
	wk_history_soon(h, 0);
}

/* A notice whose blob is of no interest, or beyond repair. */
void wk_history_finish_unread(struct wk_history *h, bool ask_again)
{
	int rc = wk_batch_enter(h->p.batch);

	if (rc < 0)
		return;
	wk_batch_leave(h->p.batch, wk_history_finish(h, false, ask_again));
	wk_history_finished(h);
}

/* The phone sends it again, if it is asked; but not for ever. */
static bool may_ask_again(struct wk_history *h)
{
	unsigned i;

	if (h->job.path == NULL)
		return false;
	for (i = 0; i < WK_HISTORY_BROKEN_KEPT; i++)
		if (h->broken[i].n > 0 && h->broken[i].type == h->job.type &&
		    h->broken[i].chunk == h->job.chunk)
			break;
	if (i == WK_HISTORY_BROKEN_KEPT) {
		i = h->broken_at++ % WK_HISTORY_BROKEN_KEPT;
		h->broken[i].type = h->job.type;
		h->broken[i].chunk = h->job.chunk;
		h->broken[i].n = 0;
	}
	return ++h->broken[i].n <= BROKEN_MAX;
}

void wk_history_broken(struct wk_history *h, int rc)
{
	LOG(h->p.log, LOG_WARNING, "history_broken",
	    LF_STR("type", wa_history_type_name(h->job.type)), LF_INT("chunk", h->job.chunk),
	    LF_ERR("err", rc));
	wk_history_finish_unread(h, may_ask_again(h));
}
