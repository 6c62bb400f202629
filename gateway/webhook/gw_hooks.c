/* gateway/webhook/gw_hooks.c - webhooks: whose lanes there are, and whose turn it is */
#include "gateway/webhook/gw_hooks.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/webhook/gw_hooks_priv.h"

#define TIDY_S 3600
#define DAY_MS (24 * INT64_C(3600000))
#define TIMEOUT_MIN_MS 1000 /* with a test clock */

/* ---- accounts and instances --------------------------------------------------------------------
 */

struct gw_hook_queue *gw_hook_queue_find(const struct gw_hooks *hooks,
                                         const struct gw_instance *inst)
{
	uint64_t hash = gw_hash(0, &inst, sizeof(inst));
	struct gw_link *l = NULL;

	while ((l = gw_table_next(&hooks->by_instance, hash, l)) != NULL) {
		struct gw_hook_queue *q = GW_LINK_OWNER(l, struct gw_hook_queue, by_instance);

		if (q->inst == inst)
			return q;
	}
	return NULL;
}

struct gw_hook_lane *gw_hook_lane_find(const struct gw_hook_queue *q, const char *label)
{
	for (size_t i = 0; q != NULL && i < GW_WEBHOOKS_ENABLED_MAX; i++)
		if (q->lanes[i] != NULL && strcmp(q->lanes[i]->label, label) == 0)
			return q->lanes[i];
	return NULL;
}

static void on_more(struct gw_instance *inst, uint64_t newest, void *arg)
{
	struct gw_hook_queue *q = arg;

	(void)inst;
	q->newest = newest;
	for (size_t i = 0; i < GW_WEBHOOKS_ENABLED_MAX; i++)
		if (q->lanes[i] != NULL)
			gw_hook_lane_kick(q->lanes[i]);
}

/* Once at the start nobody knows what the newest is: it is looked for then. */
static uint64_t newest_of(const struct gw_hooks *hooks, struct gw_instance *inst)
{
	uint64_t newest = gw_events_newest(hooks->gw->events, inst);

	return newest != 0 ? newest : UINT64_MAX;
}

static struct gw_hook_queue *queue_make(struct gw_hooks *hooks, struct gw_instance *inst)
{
	struct gw_hook_queue *q = calloc(1, sizeof(*q));
	struct gw_hook_tenant *t;

	if (q == NULL)
		return NULL;
	t = gw_hook_tenant_join(hooks, gw_instance_account(inst));
	if (t == NULL)
		goto fail;
	q->hooks = hooks;
	q->tenant = t;
	q->inst = inst;
	q->newest = newest_of(hooks, inst);
	if (gw_events_watch(hooks->gw->events, inst, on_more, q, &q->watch) < 0 ||
	    gw_table_add(&hooks->by_instance, &q->by_instance, gw_hash(0, &inst, sizeof(inst))) <
	        0) {
		gw_events_unwatch(q->watch);
		gw_hook_tenant_leave(hooks, t);
		goto fail;
	}
	TAILQ_INSERT_TAIL(&hooks->queues, q, link);
	return q;
fail:
	free(q);
	return NULL;
}

static void queue_end(struct gw_hook_queue *q)
{
	struct gw_hooks *hooks = q->hooks;

	for (size_t i = 0; i < GW_WEBHOOKS_ENABLED_MAX; i++)
		if (q->lanes[i] != NULL)
			gw_hook_lane_close(q->lanes[i]);
	gw_events_unwatch(q->watch);
	TAILQ_REMOVE(&hooks->queues, q, link);
	gw_table_del(&hooks->by_instance, &q->by_instance);
	gw_hook_tenant_leave(hooks, q->tenant);
	free(q);
}

const struct gw_webhook *gw_hook_lane_webhook(const struct gw_hook_lane *l)
{
	const struct gw_webhook *w = gw_webhook_find(gw_instance_hooks(l->queue->inst), l->label);

	return w != NULL && w->enabled ? w : NULL;
}

/* ---- changes -----------------------------------------------------------------------------------
 */

static bool is_enabled(const struct gw_instance *inst, const char *label)
{
	const struct gw_webhook *w = gw_webhook_find(gw_instance_hooks(inst), label);

	return w != NULL && w->enabled;
}

static void close_ended(struct gw_hook_queue *q)
{
	for (size_t i = 0; q != NULL && i < GW_WEBHOOKS_ENABLED_MAX; i++) {
		if (q->lanes[i] == NULL || is_enabled(q->inst, q->lanes[i]->label))
			continue;
		gw_hook_lane_close(q->lanes[i]);
		q->lanes[i] = NULL;
	}
}

static void open_lane(struct gw_hook_queue *q, const char *label)
{
	for (size_t i = 0; i < GW_WEBHOOKS_ENABLED_MAX; i++) {
		if (q->lanes[i] != NULL)
			continue;
		q->lanes[i] = gw_hook_lane_open(q, label);
		if (q->lanes[i] != NULL)
			return;
		break;
	}
	LOG(gw_instance_log(q->inst), LOG_ERR, "webhook_not_opened", LF_STR("label", label));
}

/* Nothing that could make a difference to who is asked, and how. */
static bool says_nothing(const json_t *o)
{
	static const char *const keys[] = { "enabled", "url", "authorization", "byEvents",
		                            "secret" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(o, keys[i]) != NULL)
			return false;
	return true;
}

static void forget_label(struct gw_hooks *hooks, const struct gw_instance *inst, const char *label)
{
	struct gw_hook_job *j = gw_hook_job_new(GW_HOOK_DB_DROP, gw_instance_id(inst), label);

	if (j == NULL || gw_hook_job_give(hooks->gw->events, j, NULL, NULL) < 0)
		LOG(gw_instance_log(inst), LOG_WARNING, "webhook_place_left",
		    LF_STR("label", label)); /* made again, it begins anew all the same */
}

void gw_hooks_changed(struct gw_hooks *hooks, struct gw_instance *inst, const json_t *patch)
{
	const struct gw_hook_config *c = gw_instance_hooks(inst);
	struct gw_hook_queue *q = hooks == NULL ? NULL : gw_hook_queue_find(hooks, inst);
	const char *label;
	json_t *o;

	if (hooks == NULL || !hooks->started)
		return;
	close_ended(q);
	json_object_foreach(json_object_get(patch, "webhooks"), label, o)
	{
		if (json_is_null(o))
			forget_label(hooks, inst, label);
		else if (!says_nothing(o) && gw_hook_lane_find(q, label) != NULL)
			gw_hook_lane_changed(gw_hook_lane_find(q, label));
	}
	for (size_t i = 0; i < c->webhooks_n; i++) {
		if (!c->webhooks[i]->enabled || gw_hook_lane_find(q, c->webhooks[i]->label) != NULL)
			continue;
		if (q == NULL)
			q = queue_make(hooks, inst);
		if (q == NULL)
			LOG(gw_instance_log(inst), LOG_ERR, "webhook_not_opened",
			    LF_STR("label", c->webhooks[i]->label));
		else
			open_lane(q, c->webhooks[i]->label);
	}
}

void gw_hooks_forget(struct gw_hooks *hooks, struct gw_instance *inst)
{
	struct gw_hook_queue *q = hooks == NULL ? NULL : gw_hook_queue_find(hooks, inst);

	if (q != NULL)
		queue_end(q);
}

void gw_hooks_erase(struct gw_hooks *hooks, const char *instance_id)
{
	struct gw_hook_job *j;

	if (hooks == NULL)
		return;
	j = gw_hook_job_new(GW_HOOK_DB_ERASE, instance_id, NULL);
	if (j == NULL || gw_hook_job_give(hooks->gw->events, j, NULL, NULL) < 0)
		LOG(NULL, LOG_WARNING, "webhook_place_left", LF_STR("instance", instance_id));
}

/* ---- prepared ----------------------------------------------------------------------------------
 */

struct prepare {
	gw_hooks_done *done;
	void *arg;
};

static void on_prepared(int rc, struct gw_hook_job *j, void *arg)
{
	struct prepare p = *(struct prepare *)arg;

	(void)j;
	free(arg);
	p.done(rc, p.arg);
}

int gw_hooks_prepare(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                     gw_hooks_done *done, void *arg)
{
	struct gw_hook_job *j = gw_hook_job_new(GW_HOOK_DB_NEW, gw_instance_id(inst), label);
	struct prepare *p = malloc(sizeof(*p));

	if (j == NULL || p == NULL) {
		free(j);
		free(p);
		return -ENOMEM;
	}
	*p = (struct prepare){ done, arg };
	j->place.cursor = gw_events_newest(hooks->gw->events, inst);
	if (gw_hook_job_give(hooks->gw->events, j, on_prepared, p) == 0)
		return 0;
	free(p);
	return -ENOMEM;
}

/* ---- a receiver that is gone -------------------------------------------------------------------
 */

static void on_disabled(int rc, struct gw_instance *inst, void *arg)
{
	struct gw_hook_lane *l = arg;

	(void)inst;
	if (gw_hook_lane_unref(l) && rc < 0)
		gw_hook_lane_resume(l); /* it will say so again */
}

void gw_hooks_disable(struct gw_hook_lane *l)
{
	json_t *patch = json_pack("{s:{s:{s:b, s:I}}}", "webhooks", l->label, "enabled", 0, "gone",
	                          (json_int_t)clock_unix_ms());
	int rc = -ENOMEM;

	gw_hook_lane_ref(l);
	if (patch != NULL)
		rc = gw_registry_instance_hooks(l->hooks->gw->registry, l->queue->inst, patch,
		                                on_disabled, l);
	json_decref(patch);
	if (rc < 0)
		on_disabled(rc, NULL, l);
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct gw_hooks *hooks = arg;
	struct gw_hook_job *j = gw_hook_job_new(GW_HOOK_DB_TIDY, "", NULL);

	(void)fd;
	(void)what;
	if (j == NULL)
		return;
	j->unix_ms = clock_unix_ms() - hooks->gw->cfg.event_retention_days * DAY_MS;
	(void)!gw_hook_job_give(hooks->gw->events, j, NULL, NULL); /* or in an hour */
}

static unsigned test_speed(void)
{
#ifdef WARDEN_TEST_HOOKS
	const char *text = getenv("WARDEN_TEST_HOOK_SPEED");
	int speed = text != NULL ? atoi(text) : 1;

	return speed > 1 ? (unsigned)speed : 1;
#else
	return 1;
#endif
}

int gw_hooks_new(struct gw *gw, struct gw_hooks **hooks_out)
{
	struct gw_hooks *hooks = calloc(1, sizeof(*hooks));
	uint64_t timeout_ms;
	int rc = -ENOMEM;

	if (hooks == NULL)
		return rc;
	TAILQ_INIT(&hooks->queues);
	TAILQ_INIT(&hooks->tenants);
	TAILQ_INIT(&hooks->turns);
	TAILQ_INIT(&hooks->closed);
	hooks->gw = gw;
	hooks->speed = test_speed();
	timeout_ms = GW_HOOK_TIMEOUT_MS / hooks->speed;
	if (timeout_ms < TIMEOUT_MIN_MS)
		timeout_ms = TIMEOUT_MIN_MS;
	hooks->ev_pump = event_new(gw->base, -1, 0, gw_hooks_on_pump, hooks);
	hooks->ev_tidy = event_new(gw->base, -1, EV_PERSIST, on_tidy, hooks);
	if (hooks->ev_pump != NULL && hooks->ev_tidy != NULL)
		rc = gw_hook_http_new(gw->base, gw->cfg.webhook_allow_private, timeout_ms,
		                      &hooks->http);
	if (rc < 0) {
		gw_hooks_free(hooks);
		return rc;
	}
	*hooks_out = hooks;
	return 0;
}

void gw_hooks_start(struct gw_hooks *hooks)
{
	const struct timeval tidy = { .tv_sec = TIDY_S };
	struct gw_instance *inst = NULL;

	hooks->started = true;
	if (event_add(hooks->ev_tidy, &tidy) < 0)
		LOG(NULL, LOG_WARNING, "webhook_tidy");
	while ((inst = gw_registry_next_any(hooks->gw->registry, inst)) != NULL)
		gw_hooks_changed(hooks, inst, NULL);
}

void gw_hooks_stop(struct gw_hooks *hooks)
{
	struct gw_hook_queue *q;

	if (hooks == NULL)
		return;
	hooks->started = false;
	while ((q = TAILQ_FIRST(&hooks->queues)) != NULL)
		queue_end(q);
}

void gw_hooks_free(struct gw_hooks *hooks)
{
	struct gw_hook_lane *l;

	if (hooks == NULL)
		return;
	gw_hooks_stop(hooks);
	while ((l = TAILQ_FIRST(&hooks->closed)) != NULL)
		gw_hook_lane_abandon(l);
	gw_hook_http_free(hooks->http);
	gw_table_clear(&hooks->by_instance);
	if (hooks->ev_pump != NULL)
		event_free(hooks->ev_pump);
	if (hooks->ev_tidy != NULL)
		event_free(hooks->ev_tidy);
	free(hooks);
}
