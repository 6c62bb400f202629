/* gateway/webhook/gw_hook_query.c - webhooks: what routes and metrics ask of them */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/webhook/gw_hooks_priv.h"

const uint32_t gw_hooks_bucket_ms[GW_HOOKS_BUCKETS] = { 5,   10,  25,   50,   100,
	                                                250, 500, 1000, 5000, 15000 };

const char *gw_hooks_result_name(enum gw_hooks_result r)
{
	static const char *const names[GW_HOOKS_RESULT_N] = { [GW_HOOKS_DELIVERED] = "delivered",
		                                              [GW_HOOKS_FAILED] = "failed",
		                                              [GW_HOOKS_REFUSED] = "refused",
		                                              [GW_HOOKS_DEAD] = "dead",
		                                              [GW_HOOKS_GONE] = "gone" };

	return names[r];
}

/* ---- for the routes ----------------------------------------------------------------------------
 */

size_t gw_hooks_rewind(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                       uint64_t sequence)
{
	struct gw_hook_queue *q = gw_hook_queue_find(hooks, inst);
	size_t n = 0;

	for (size_t i = 0; q != NULL && i < GW_WEBHOOKS_ENABLED_MAX; i++) {
		if (q->lanes[i] == NULL ||
		    (label != NULL && strcmp(q->lanes[i]->label, label) != 0))
			continue;
		gw_hook_lane_rewind(q->lanes[i], sequence);
		n++;
	}
	return n;
}

struct again {
	struct gw_hooks *hooks;
	gw_hook_job_done *done;
	void *arg;
};

static void on_marked(int rc, struct gw_hook_job *j, void *arg)
{
	struct again a = *(struct again *)arg;
	struct gw_hook_queue *q;

	free(arg);
	for (q = TAILQ_FIRST(&a.hooks->queues); rc == 0 && q != NULL; q = TAILQ_NEXT(q, link)) {
		if (strcmp(gw_instance_id(q->inst), j->instance) != 0)
			continue;
		for (size_t i = 0; i < GW_WEBHOOKS_ENABLED_MAX; i++)
			if (q->lanes[i] != NULL)
				gw_hook_lane_again(q->lanes[i]);
	}
	a.done(rc, j, a.arg);
}

int gw_hooks_dead_again(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                        gw_hook_job_done *done, void *arg)
{
	struct gw_hook_job *j = gw_hook_job_new(GW_HOOK_DB_MARK, gw_instance_id(inst), label);
	struct again *a = malloc(sizeof(*a));

	if (j == NULL || a == NULL) {
		free(j);
		free(a);
		return -ENOMEM;
	}
	*a = (struct again){ hooks, done, arg };
	if (gw_hook_job_give(hooks->gw->events, j, on_marked, a) == 0)
		return 0;
	free(a);
	return -ENOMEM;
}

int gw_hooks_dead_list(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                       gw_hook_job_done *done, void *arg)
{
	struct gw_hook_job *j = gw_hook_job_new(GW_HOOK_DB_LIST, gw_instance_id(inst), label);

	return j == NULL ? -ENOMEM : gw_hook_job_give(hooks->gw->events, j, done, arg);
}

bool gw_hooks_lane(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                   struct gw_hooks_lane_info *info_out)
{
	struct gw_hook_queue *q = hooks == NULL ? NULL : gw_hook_queue_find(hooks, inst);
	const struct gw_hook_lane *l = gw_hook_lane_find(q, label);
	uint64_t newest;

	if (l == NULL || !l->loaded)
		return false;
	newest = gw_events_newest(hooks->gw->events, inst);
	*info_out = (struct gw_hooks_lane_info){
		.cursor = l->place.cursor,
		.behind = newest > l->place.cursor ? newest - l->place.cursor : 0,
		.tries = l->place.tries.n,
		.next_unix_ms = l->place.next_unix_ms,
		.last_status = l->last_status,
		.last_unix_ms = l->last_unix_ms,
	};
	memcpy(info_out->last_why, l->last_why, sizeof(info_out->last_why));
	return true;
}

static uint64_t behind_n(const struct gw_hooks *hooks)
{
	const struct gw_hook_queue *q;
	uint64_t n = 0;

	TAILQ_FOREACH(q, &hooks->queues, link)
	{
		for (size_t i = 0; i < GW_WEBHOOKS_ENABLED_MAX; i++) {
			const struct gw_hook_lane *l = q->lanes[i];

			if (l != NULL && l->loaded && q->newest > l->place.cursor)
				n += q->newest - l->place.cursor;
		}
	}
	return n;
}

void gw_hooks_stats(const struct gw_hooks *hooks, struct gw_hooks_stats *stats_out)
{
	*stats_out = (struct gw_hooks_stats){ .lanes_n = 0 };
	if (hooks == NULL)
		return;
	*stats_out = hooks->stats;
	stats_out->running_n = hooks->running_n;
	stats_out->behind_n = behind_n(hooks);
}
