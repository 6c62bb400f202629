/* gateway/webhook/gw_hooks_priv.h - the lanes, for gw_hooks.c, gw_hook_lane.c and gw_hook_send.c */
#ifndef GW_HOOKS_PRIV_H
#define GW_HOOKS_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "gateway/events/gw_event.h"
#include "gateway/registry/gw_table.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hook_http.h"
#include "gateway/webhook/gw_hooks.h"

struct event;
struct gw_account;
struct gw_ask;
struct gw_events_read;
struct gw_events_watch;
struct gw_hook_queue;

#define GW_HOOK_BATCH_MAX 32

enum gw_hook_lane_state {
	GW_LANE_LOADING, /* its place is being read */
	GW_LANE_IDLE,    /* nothing to send */
	GW_LANE_READY,   /* waits for its turn */
	GW_LANE_RUNNING, /* reads or sends; holds one of the places for it */
	GW_LANE_WAITING, /* until its timer */
	GW_LANE_STOPPED, /* the receiver is gone: to be disabled */
	GW_LANE_CLOSED,  /* to be freed when no job has it any more */
};

struct gw_hook_lane {
	TAILQ_ENTRY(gw_hook_lane) in_ready;
	struct gw_hooks *hooks;
	struct gw_hook_queue *queue; /* NULL: closed */
	enum gw_hook_lane_state state;
	unsigned refs; /* jobs that have it */
	char label[GW_WEBHOOK_LABEL_MAX + 1];

	struct gw_hook_place place;
	uint64_t tried_seq; /* whose the tries are; 0: of whatever comes next */
	struct gw_hook_dead
	    bury;        /* to be saved with it before anything else is sent; seq 0: none */
	uint64_t unbury; /* likewise */
	bool loaded;
	uint64_t passed_n; /* events passed over since the cursor was saved */
	bool again;        /* dead letters are to be sent again */
	bool saving;
	bool dirty;
	uint64_t rewind_to; /* after the request under way; 0: no */
	bool changed;       /* the webhook was, while a request was under way */

	struct gw_event *batch; /* while it runs; owned, with the texts */
	size_t batch_n, batch_i;
	uint64_t after_batch; /* where to read on */
	uint64_t again_seq;   /* the batch is this dead letter; 0: it is not */

	struct gw_events_read *read; /* what is under way: one of these at most */
	struct gw_hook_call *call;
	struct gw_ask *ask;
	struct event *timer;

	int last_status;
	char last_why[GW_HOOK_WHY_CAP];
	int64_t last_unix_ms;
};
TAILQ_HEAD(gw_hook_lanes, gw_hook_lane);

/* The lanes of one account. */
struct gw_hook_tenant {
	TAILQ_ENTRY(gw_hook_tenant) link;
	TAILQ_ENTRY(gw_hook_tenant) in_turn;
	const struct gw_account *account;
	struct gw_hook_lanes ready;
	bool has_turn; /* it is in that list: has ready lanes */
	unsigned running_n;
	unsigned queues_n;
};
TAILQ_HEAD(gw_hook_tenants, gw_hook_tenant);

/* The lanes of one instance. */
struct gw_hook_queue {
	TAILQ_ENTRY(gw_hook_queue) link;
	struct gw_link by_instance;
	struct gw_hooks *hooks;
	struct gw_hook_tenant *tenant;
	struct gw_instance *inst;
	struct gw_events_watch *watch;
	uint64_t newest; /* as told last */
	struct gw_hook_lane *lanes[GW_WEBHOOKS_ENABLED_MAX];
};
TAILQ_HEAD(gw_hook_queues, gw_hook_queue);

struct gw_hooks {
	struct gw *gw;
	struct gw_hook_http *http;
	struct gw_hook_queues queues;
	struct gw_table by_instance;
	struct gw_hook_tenants tenants;
	struct gw_hook_tenants turns;
	struct gw_hook_lanes closed; /* jobs still have them */
	struct event *ev_pump;
	struct event *ev_tidy;
	unsigned running_n;
	unsigned media_n; /* files being fetched */
	unsigned speed;   /* waits are so many times shorter: 1 */
	bool started;
	struct gw_hooks_stats stats;
};

/* ---- gw_hook_turns.c ------------------------------------------------------------------------ */

/* Of ev_pump. */
void gw_hooks_on_pump(int fd, short what, void *arg);
/* One more instance, or one less. NULL without memory. */
struct gw_hook_tenant *gw_hook_tenant_join(struct gw_hooks *hooks,
                                           const struct gw_account *account);
void gw_hook_tenant_leave(struct gw_hooks *hooks, struct gw_hook_tenant *t);
/* It has something to send, and its turn will come. */
void gw_hooks_ready(struct gw_hook_lane *l);
/* Somebody waits for a turn. */
bool gw_hooks_others_wait(const struct gw_hooks *hooks);
/* It waits for a turn no more. */
void gw_hooks_unready(struct gw_hook_lane *l);
/* It no longer runs. */
void gw_hooks_left(struct gw_hook_lane *l);

/* ---- gw_hooks.c ----------------------------------------------------------------------------- */

/* NULL: it has no lanes. */
struct gw_hook_queue *gw_hook_queue_find(const struct gw_hooks *hooks,
                                         const struct gw_instance *inst);
/* NULL for a q of NULL, too. */
struct gw_hook_lane *gw_hook_lane_find(const struct gw_hook_queue *q, const char *label);
/* Its webhook; NULL: there is none, or it is not enabled. Good until the loop returns to its top.
 */
const struct gw_webhook *gw_hook_lane_webhook(const struct gw_hook_lane *l);
/* The receiver has said 410. */
void gw_hooks_disable(struct gw_hook_lane *l);

/* ---- gw_hook_lane.c ------------------------------------------------------------------------- */

/* NULL without memory. */
struct gw_hook_lane *gw_hook_lane_open(struct gw_hook_queue *q, const char *label);
void gw_hook_lane_close(struct gw_hook_lane *l);
/* It was closed, and the jobs that have it will not call back. */
void gw_hook_lane_abandon(struct gw_hook_lane *l);
/* From STOPPED: it goes on in a while. */
void gw_hook_lane_resume(struct gw_hook_lane *l);
/* Look whether there is something to do. */
void gw_hook_lane_kick(struct gw_hook_lane *l);
/* The webhook has changed: what waited is tried now, as if it were new. */
void gw_hook_lane_changed(struct gw_hook_lane *l);
void gw_hook_lane_rewind(struct gw_hook_lane *l, uint64_t sequence);
void gw_hook_lane_again(struct gw_hook_lane *l);
/* The state of its place goes to the disk. */
void gw_hook_lane_save(struct gw_hook_lane *l);
/* From RUNNING: something else is to come later, or now. */
void gw_hook_lane_idle(struct gw_hook_lane *l);
void gw_hook_lane_wait(struct gw_hook_lane *l, uint64_t ms);
void gw_hook_lane_stop(struct gw_hook_lane *l);
/* takes a reference that a job gives back with gw_hook_lane_unref(); false: it was closed
 * meanwhile. */
void gw_hook_lane_ref(struct gw_hook_lane *l);
bool gw_hook_lane_unref(struct gw_hook_lane *l);
void gw_hook_lane_drop_batch(struct gw_hook_lane *l);

/* ---- gw_hook_read.c ------------------------------------------------------------------------- */

/* It has its turn: read, and send what there is. */
void gw_hook_lane_run(struct gw_hook_lane *l);
/* What is next of that, or the end of the turn. */
void gw_hook_lane_next(struct gw_hook_lane *l);

/* ---- gw_hook_send.c ------------------------------------------------------------------------- */

/* The event at the head. */
void gw_hook_lane_send(struct gw_hook_lane *l, const struct gw_webhook *w);
/* Whatever is under way is cut off. */
void gw_hook_lane_cut(struct gw_hook_lane *l);

#endif
