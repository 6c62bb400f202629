/* gateway/webhook/gw_hook_read.c - one webhook's turn: what there is to send */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/webhook/gw_hooks_priv.h"

#define BROKEN_MS 1000  /* until the disk is asked again */
#define PASSED_MAX 1000 /* events passed over before the cursor is worth a write */

void gw_hook_lane_next(struct gw_hook_lane *l)
{
	const struct gw_webhook *w = gw_hook_lane_webhook(l);

	if (w == NULL) {
		gw_hook_lane_stop(l);
		return;
	}
	if (l->batch_i == l->batch_n) {
		if (l->batch_n == 0 && l->queue->newest == UINT64_MAX)
			l->queue->newest = l->after_batch - 1; /* that is known now */
		if (l->again_seq == 0 && l->after_batch > l->place.cursor + 1) {
			l->passed_n += l->after_batch - 1 - l->place.cursor;
			l->place.cursor = l->after_batch - 1;
		}
		if (l->passed_n >= PASSED_MAX) {
			l->passed_n = 0;
			gw_hook_lane_save(l);
		}
		gw_hook_lane_idle(l);
		return;
	}
	if (l->tried_seq != 0 && l->tried_seq != l->batch[l->batch_i].sequence) {
		l->place.tries =
		    (struct gw_hook_tries){ 0 }; /* that one is not kept, or not wanted */
		l->tried_seq = 0;
	}
	gw_hook_lane_send(l, w);
}

/* The lane's own copy, since its request outlives the read. False without memory. */
static bool copy_batch(struct gw_hook_lane *l, const struct gw_events_batch *b)
{
	gw_hook_lane_drop_batch(l);
	l->after_batch = b->next;
	if (b->n == 0)
		return true;
	l->batch = calloc(b->n, sizeof(*l->batch));
	if (l->batch == NULL)
		return false;
	for (size_t i = 0; i < b->n; i++) {
		struct gw_event *e = &l->batch[i];
		char *text = malloc(b->events[i].text_len + 1);

		if (text == NULL)
			return i > 0;
		memcpy(text, b->events[i].text, b->events[i].text_len);
		text[b->events[i].text_len] = '\0';
		*e = b->events[i];
		e->text = text;
		l->batch_n++;
		l->after_batch = i + 1 == b->n ? b->next : e->sequence + 1;
	}
	return true;
}

static void read_failed(struct gw_hook_lane *l, int rc)
{
	LOG(gw_instance_log(l->queue->inst), LOG_ERR, "webhook_events_not_read",
	    LF_STR("label", l->label), LF_ERR("err", rc));
	gw_hook_lane_wait(l, BROKEN_MS);
}

static void on_read(int rc, const struct gw_events_batch *b, void *arg)
{
	struct gw_hook_lane *l = arg;

	l->read = NULL;
	if (rc == 0 && !copy_batch(l, b))
		rc = -ENOMEM;
	if (rc < 0)
		read_failed(l, rc);
	else
		gw_hook_lane_next(l);
}

/* The dead letter itself, or its event is no longer kept. */
static void on_read_dead(int rc, const struct gw_events_batch *b, void *arg)
{
	struct gw_hook_lane *l = arg;
	uint64_t seq = l->again_seq;

	l->read = NULL;
	if (rc == 0 && b->n > 0 && b->events[0].sequence == seq) {
		rc = copy_batch(l, b) ? 0 : -ENOMEM;
		l->again_seq = seq;
		if (rc == 0) {
			gw_hook_lane_next(l);
			return;
		}
	}
	if (rc < 0) {
		read_failed(l, rc);
		return;
	}
	l->unbury = seq;
	gw_hook_lane_save(l);
	gw_hook_lane_idle(l);
}

static void read_events(struct gw_hook_lane *l, const struct gw_webhook *w)
{
	int rc = gw_events_read(l->hooks->gw->events, l->queue->inst, l->place.cursor + 1,
	                        GW_HOOK_BATCH_MAX, &w->filter, on_read, l, &l->read);

	if (rc < 0)
		read_failed(l, rc);
}

static void on_again(int rc, struct gw_hook_job *j, void *arg)
{
	static const struct gw_event_filter any = { .history = true };
	struct gw_hook_lane *l = arg;

	if (!gw_hook_lane_unref(l))
		return;
	if (rc < 0) {
		read_failed(l, rc);
		return;
	}
	if (j->seq == 0) {
		l->again = false;
		gw_hook_lane_idle(l);
		return;
	}
	l->again_seq = j->seq;
	rc = gw_events_read(l->hooks->gw->events, l->queue->inst, j->seq, 1, &any, on_read_dead, l,
	                    &l->read);
	if (rc < 0)
		read_failed(l, rc);
}

static void find_dead(struct gw_hook_lane *l)
{
	struct gw_hook_job *j =
	    gw_hook_job_new(GW_HOOK_DB_AGAIN, gw_instance_id(l->queue->inst), l->label);
	int rc = j == NULL ? -ENOMEM : gw_hook_job_give(l->hooks->gw->events, j, on_again, l);

	if (rc < 0)
		read_failed(l, rc);
	else
		gw_hook_lane_ref(l);
}

void gw_hook_lane_run(struct gw_hook_lane *l)
{
	const struct gw_webhook *w = gw_hook_lane_webhook(l);

	assert(l->state == GW_LANE_RUNNING);
	if (w == NULL)
		gw_hook_lane_stop(l);
	else if (l->again)
		find_dead(l);
	else
		read_events(l, w);
}
