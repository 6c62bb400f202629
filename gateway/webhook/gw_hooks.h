/*
 * gateway/webhook/gw_hooks.h - webhooks: each event to each receiver that wants it, in order, until it is
 * taken
 *
 * Each enabled webhook has a lane: a cursor into the instance's events, how often what comes next
 * has been tried, and when it is due. A lane has one request under way at most, and goes on only
 * when that one is taken or given up, so a receiver gets events in order and a slow one delays
 * nobody but itself. All lanes together have GW_HOOKS_RUNNING_MAX requests under way, those of one
 * account a quarter of that; accounts take turns. Where a lane is, is kept in events.db
 * (gw_hook_db.h): after a kill the last event may be sent again, none is left out. Owned by struct
 * gw.
 */
#ifndef GW_HOOKS_H
#define GW_HOOKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/webhook/gw_hook_db.h"

struct gw;
struct gw_hooks;
struct gw_instance;

#define GW_HOOKS_RUNNING_MAX 128
#define GW_HOOKS_RUNNING_ACCOUNT_MAX 32

/* Registry and events are there. Nothing is sent before gw_hooks_start(). 0 or -ENOMEM. */
ATTR_NODISCARD int gw_hooks_new(struct gw *gw, struct gw_hooks **hooks_out);
void gw_hooks_start(struct gw_hooks *hooks);
/* Requests under way are cut off, to be sent again, and where each lane is, is given to events,
 * which has to be drained before the rest is freed. NULL is fine. */
void gw_hooks_stop(struct gw_hooks *hooks);
void gw_hooks_free(struct gw_hooks *hooks);

/* ---- from the registry; hooks NULL: nobody delivers ---------------------------------------- */

typedef void gw_hooks_done(int rc, void *arg);
/*
 * A label is about to be made: it begins after the events there are. 0 (done will be called, from
 * the loop) or -ENOMEM.
 */
ATTR_NODISCARD int gw_hooks_prepare(struct gw_hooks *hooks, struct gw_instance *inst,
                                    const char *label, gw_hooks_done *done, void *arg);
/* Its webhooks are others now. patch: what was laid over them; NULL: all of it is new. */
void gw_hooks_changed(struct gw_hooks *hooks, struct gw_instance *inst, const json_t *patch);
/* The instance's memory goes. */
void gw_hooks_forget(struct gw_hooks *hooks, struct gw_instance *inst);
/* It has been deleted: what is kept of its webhooks goes, too. */
void gw_hooks_erase(struct gw_hooks *hooks, const char *instance_id);

/* ---- for the routes ------------------------------------------------------------------------- */

/*
 * Enabled webhooks (label, or all of them: NULL) go back to this sequence, unless they have not
 * come that far. How many there are.
 */
size_t gw_hooks_rewind(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                       uint64_t sequence);
/* All dead letters (of label, or of each webhook: NULL) are sent again, the oldest first, before
 * anything else. done's arg is that of the job. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_hooks_dead_again(struct gw_hooks *hooks, struct gw_instance *inst,
                                       const char *label, gw_hook_job_done *done, void *arg);
/* job->dead, job->n: the newest of them. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_hooks_dead_list(struct gw_hooks *hooks, struct gw_instance *inst,
                                      const char *label, gw_hook_job_done *done, void *arg);

/* How an enabled webhook is doing. */
struct gw_hooks_lane_info {
	uint64_t cursor;
	uint64_t behind;                /* events since then, wanted or not */
	uint32_t tries;                 /* of what comes next */
	int64_t next_unix_ms;           /* when that is due; 0: now, or nothing is */
	int last_status;                /* of the last answer that was no 2xx; 0: none */
	char last_why[GW_HOOK_WHY_CAP]; /* where there was no answer; "": there was, or all is well
	                                 */
	int64_t last_unix_ms;           /* when that was; 0: never since the start */
};
/* False: it is not enabled. */
bool gw_hooks_lane(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                   struct gw_hooks_lane_info *info_out);

/* ---- for metrics ---------------------------------------------------------------------------- */

enum gw_hooks_result {
	GW_HOOKS_DELIVERED,
	GW_HOOKS_FAILED,  /* no answer, 3xx, 5xx, 408, 425, 429: tried again */
	GW_HOOKS_REFUSED, /* 4xx: tried again, twice */
	GW_HOOKS_DEAD,    /* the try that made a dead letter */
	GW_HOOKS_GONE,
	GW_HOOKS_RESULT_N
};
const char *gw_hooks_result_name(enum gw_hooks_result r);

#define GW_HOOKS_BUCKETS 10
extern const uint32_t gw_hooks_bucket_ms[GW_HOOKS_BUCKETS];
struct gw_hooks_stats {
	uint64_t results_n[GW_HOOKS_RESULT_N];
	uint64_t buckets[GW_HOOKS_BUCKETS + 1]; /* of the time a request took; not cumulative */
	uint64_t sum_ms;
	size_t lanes_n;   /* enabled webhooks */
	size_t waiting_n; /* of these, between two tries */
	size_t running_n; /* requests under way */
	uint64_t behind_n; /* events that webhooks have yet to come to, wanted or not */
};
void gw_hooks_stats(const struct gw_hooks *hooks, struct gw_hooks_stats *stats_out);

#endif
