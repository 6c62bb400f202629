/* gateway/webhook/gw_hook_lane.c - one webhook's way through the events: where it is, and when it goes on
 */
#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/webhook/gw_hooks_priv.h"

#define BROKEN_MS 1000 /* until the disk is asked again */

/* ---- references --------------------------------------------------------------------------------
 */

static void lane_free(struct gw_hook_lane *l)
{
	TAILQ_REMOVE(&l->hooks->closed, l, in_ready);
	if (l->timer != NULL)
		event_free(l->timer);
	free(l);
}

void gw_hook_lane_abandon(struct gw_hook_lane *l)
{
	lane_free(l);
}

void gw_hook_lane_ref(struct gw_hook_lane *l)
{
	l->refs++;
}

bool gw_hook_lane_unref(struct gw_hook_lane *l)
{
	l->refs--;
	if (l->state != GW_LANE_CLOSED)
		return true;
	if (l->refs == 0)
		lane_free(l);
	return false;
}

void gw_hook_lane_drop_batch(struct gw_hook_lane *l)
{
	for (size_t i = 0; i < l->batch_n; i++)
		free((char *)(uintptr_t)l->batch[i].text);
	free(l->batch);
	l->batch = NULL;
	l->batch_n = l->batch_i = 0;
	l->again_seq = 0;
}

static void arm(struct gw_hook_lane *l, uint64_t ms);

/* ---- saved -------------------------------------------------------------------------------------
 */

/* A dead letter has come or gone: nothing goes on before that is kept. */
static bool owes_letter(const struct gw_hook_lane *l)
{
	return l->bury.seq != 0 || l->unbury != 0;
}

static void on_saved(int rc, struct gw_hook_job *j, void *arg)
{
	struct gw_hook_lane *l = arg;

	if (!gw_hook_lane_unref(l))
		return;
	l->saving = false;
	if (rc < 0) {
		LOG(gw_instance_log(l->queue->inst), LOG_ERR, "webhook_place_not_saved",
		    LF_STR("label", l->label), LF_ERR("err", rc));
		l->dirty = true; /* it goes with the next */
		if (owes_letter(l) && l->state == GW_LANE_IDLE)
			arm(l, BROKEN_MS);
		return;
	}
	if (j->bury.seq == l->bury.seq)
		l->bury.seq = 0;
	if (j->unbury == l->unbury)
		l->unbury = 0;
	if (l->dirty)
		gw_hook_lane_save(l);
	gw_hook_lane_kick(l);
}

/* One write at a time: what happens meanwhile goes with the next. */
void gw_hook_lane_save(struct gw_hook_lane *l)
{
	struct gw_hook_job *j;

	l->dirty = true;
	if (l->saving)
		return;
	j = gw_hook_job_new(GW_HOOK_DB_SAVE, gw_instance_id(l->queue->inst), l->label);
	if (j == NULL)
		return; /* with the next */
	j->place = l->place;
	j->bury = l->bury;
	j->unbury = l->unbury;
	if (gw_hook_job_give(l->hooks->gw->events, j, on_saved, l) < 0)
		return;
	l->dirty = false;
	l->saving = true;
	gw_hook_lane_ref(l);
}

/* ---- where it is -------------------------------------------------------------------------------
 */

static bool has_more(const struct gw_hook_lane *l)
{
	return l->again || l->place.cursor < l->queue->newest;
}

static void arm(struct gw_hook_lane *l, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	l->state = GW_LANE_WAITING;
	l->hooks->stats.waiting_n++;
	if (event_add(l->timer, &tv) < 0)
		LOG(gw_instance_log(l->queue->inst), LOG_ERR, "webhook_timer",
		    LF_STR("label", l->label));
}

static void disarm(struct gw_hook_lane *l)
{
	if (l->state != GW_LANE_WAITING)
		return;
	event_del(l->timer);
	l->hooks->stats.waiting_n--;
	l->state = GW_LANE_IDLE;
}

void gw_hook_lane_kick(struct gw_hook_lane *l)
{
	int64_t wait_ms;

	if (l->state != GW_LANE_IDLE || !l->hooks->started)
		return;
	if (owes_letter(l)) {
		if (!l->saving)
			gw_hook_lane_save(l);
		if (!l->saving)
			arm(l, BROKEN_MS);
		return;
	}
	if (!has_more(l))
		return;
	wait_ms = l->place.next_unix_ms == 0 ? 0 : l->place.next_unix_ms - clock_unix_ms();
	if (wait_ms > 0)
		arm(l, (uint64_t)wait_ms);
	else
		gw_hooks_ready(l);
}

static void load(struct gw_hook_lane *l);

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct gw_hook_lane *l = arg;

	(void)fd;
	(void)what;
	disarm(l);
	if (l->loaded)
		gw_hook_lane_kick(l);
	else
		load(l);
}

void gw_hook_lane_idle(struct gw_hook_lane *l)
{
	assert(l->state == GW_LANE_RUNNING);
	gw_hook_lane_drop_batch(l);
	l->state = GW_LANE_IDLE;
	gw_hooks_left(l);
	gw_hook_lane_kick(l);
}

void gw_hook_lane_wait(struct gw_hook_lane *l, uint64_t ms)
{
	assert(l->state == GW_LANE_RUNNING);
	gw_hook_lane_drop_batch(l);
	arm(l, ms);
	gw_hooks_left(l);
}

void gw_hook_lane_stop(struct gw_hook_lane *l)
{
	assert(l->state == GW_LANE_RUNNING);
	gw_hook_lane_drop_batch(l);
	l->state = GW_LANE_STOPPED;
	gw_hooks_left(l);
}

void gw_hook_lane_resume(struct gw_hook_lane *l)
{
	if (l->state == GW_LANE_STOPPED)
		arm(l, BROKEN_MS);
}

/* What comes next is tried as if it were new, now. */
static void afresh(struct gw_hook_lane *l)
{
	l->place.tries = (struct gw_hook_tries){ 0 };
	l->place.next_unix_ms = 0;
	gw_hook_lane_save(l);
	disarm(l);
	gw_hook_lane_kick(l);
}

static bool may_go_on(const struct gw_hook_lane *l)
{
	return l->loaded && (l->state == GW_LANE_WAITING || l->state == GW_LANE_IDLE);
}

void gw_hook_lane_changed(struct gw_hook_lane *l)
{
	if (l->state == GW_LANE_RUNNING)
		l->changed = true;
	else if (may_go_on(l))
		afresh(l);
}

void gw_hook_lane_rewind(struct gw_hook_lane *l, uint64_t sequence)
{
	if (sequence == 0)
		sequence = 1;
	if (l->state == GW_LANE_RUNNING || !l->loaded) {
		if (l->rewind_to == 0 || sequence < l->rewind_to)
			l->rewind_to = sequence;
		return;
	}
	if (sequence > l->place.cursor)
		return;
	l->place.cursor = sequence - 1;
	afresh(l);
}

void gw_hook_lane_again(struct gw_hook_lane *l)
{
	l->again = true;
	if (may_go_on(l))
		afresh(l);
}

/* ---- opened and closed -------------------------------------------------------------------------
 */

static void on_loaded(int rc, struct gw_hook_job *j, void *arg)
{
	struct gw_hook_lane *l = arg;

	if (!gw_hook_lane_unref(l))
		return;
	l->state = GW_LANE_IDLE;
	if (rc < 0) {
		LOG(gw_instance_log(l->queue->inst), LOG_ERR, "webhook_place_not_read",
		    LF_STR("label", l->label), LF_ERR("err", rc));
		arm(l, BROKEN_MS);
		return;
	}
	l->place = j->place;
	l->again = l->again || j->again;
	l->loaded = true;
	if (l->rewind_to != 0 && l->rewind_to <= l->place.cursor) {
		l->place.cursor = l->rewind_to - 1;
		afresh(l);
	}
	l->rewind_to = 0;
	gw_hook_lane_kick(l);
}

static void load(struct gw_hook_lane *l)
{
	struct gw_hook_job *j =
	    gw_hook_job_new(GW_HOOK_DB_LOAD, gw_instance_id(l->queue->inst), l->label);

	l->state = GW_LANE_LOADING;
	if (j != NULL && gw_hook_job_give(l->hooks->gw->events, j, on_loaded, l) == 0)
		gw_hook_lane_ref(l);
	else
		arm(l, BROKEN_MS);
}

struct gw_hook_lane *gw_hook_lane_open(struct gw_hook_queue *q, const char *label)
{
	struct gw_hook_lane *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->hooks = q->hooks;
	l->queue = q;
	snprintf(l->label, sizeof(l->label), "%s", label);
	l->timer = event_new(q->hooks->gw->base, -1, 0, on_due, l);
	if (l->timer == NULL) {
		free(l);
		return NULL;
	}
	q->hooks->stats.lanes_n++;
	load(l);
	return l;
}

void gw_hook_lane_close(struct gw_hook_lane *l)
{
	struct gw_hooks *hooks = l->hooks;

	gw_hook_lane_cut(l);
	gw_hook_lane_drop_batch(l);
	l->saving = false; /* one write behind another is fine: nothing follows */
	if (l->dirty)
		gw_hook_lane_save(l);
	disarm(l);
	if (l->state == GW_LANE_READY)
		gw_hooks_unready(l);
	if (l->state == GW_LANE_RUNNING)
		gw_hooks_left(l);
	hooks->stats.lanes_n--;
	l->state = GW_LANE_CLOSED;
	l->queue = NULL;
	TAILQ_INSERT_TAIL(&hooks->closed, l, in_ready);
	if (l->refs == 0)
		lane_free(l);
}
