/* gateway/webhook/gw_hook_turns.c - whose turn it is: accounts one after the other, lanes in order */
#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "gateway/webhook/gw_hooks_priv.h"

/* ---- turns -------------------------------------------------------------------------------------
 */

static void take_turn(struct gw_hooks *hooks, struct gw_hook_tenant *t)
{
	if (t->has_turn || TAILQ_EMPTY(&t->ready))
		return;
	t->has_turn = true;
	TAILQ_INSERT_TAIL(&hooks->turns, t, in_turn);
}

static void lose_turn(struct gw_hooks *hooks, struct gw_hook_tenant *t)
{
	if (!t->has_turn)
		return;
	t->has_turn = false;
	TAILQ_REMOVE(&hooks->turns, t, in_turn);
}

/* The next account that may have one more. */
static struct gw_hook_tenant *next_tenant(const struct gw_hooks *hooks)
{
	struct gw_hook_tenant *t;

	if (hooks->running_n >= GW_HOOKS_RUNNING_MAX)
		return NULL;
	for (t = TAILQ_FIRST(&hooks->turns); t != NULL; t = TAILQ_NEXT(t, in_turn))
		if (t->running_n < GW_HOOKS_RUNNING_ACCOUNT_MAX)
			return t;
	return NULL;
}

void gw_hooks_on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct gw_hooks *hooks = arg;
	struct gw_hook_tenant *t;
	struct gw_hook_lane *l;

	(void)fd;
	(void)what;
	while ((t = next_tenant(hooks)) != NULL) {
		l = TAILQ_FIRST(&t->ready);
		TAILQ_REMOVE(&t->ready, l, in_ready);
		lose_turn(hooks, t);
		take_turn(hooks, t); /* behind the others */
		l->state = GW_LANE_RUNNING;
		t->running_n++;
		hooks->running_n++;
		gw_hook_lane_run(l);
	}
}

static void pump(struct gw_hooks *hooks)
{
	event_active(hooks->ev_pump, EV_TIMEOUT, 0);
}

void gw_hooks_ready(struct gw_hook_lane *l)
{
	struct gw_hook_tenant *t = l->queue->tenant;

	l->state = GW_LANE_READY;
	TAILQ_INSERT_TAIL(&t->ready, l, in_ready);
	take_turn(l->hooks, t);
	pump(l->hooks);
}

void gw_hooks_unready(struct gw_hook_lane *l)
{
	struct gw_hook_tenant *t = l->queue->tenant;

	TAILQ_REMOVE(&t->ready, l, in_ready);
	if (TAILQ_EMPTY(&t->ready))
		lose_turn(l->hooks, t);
}

void gw_hooks_left(struct gw_hook_lane *l)
{
	assert(l->hooks->running_n > 0 && l->queue->tenant->running_n > 0);
	l->hooks->running_n--;
	l->queue->tenant->running_n--;
	pump(l->hooks);
}

bool gw_hooks_others_wait(const struct gw_hooks *hooks)
{
	return !TAILQ_EMPTY(&hooks->turns);
}

/* ---- accounts ---------------------------------------------------------------------------------
 */

struct gw_hook_tenant *gw_hook_tenant_join(struct gw_hooks *hooks, const struct gw_account *account)
{
	struct gw_hook_tenant *t;

	for (t = TAILQ_FIRST(&hooks->tenants); t != NULL; t = TAILQ_NEXT(t, link))
		if (t->account == account)
			break;
	if (t != NULL) {
		t->queues_n++;
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->account = account;
	t->queues_n = 1;
	TAILQ_INIT(&t->ready);
	TAILQ_INSERT_TAIL(&hooks->tenants, t, link);
	return t;
}

void gw_hook_tenant_leave(struct gw_hooks *hooks, struct gw_hook_tenant *t)
{
	if (--t->queues_n > 0)
		return;
	lose_turn(hooks, t);
	TAILQ_REMOVE(&hooks->tenants, t, link);
	free(t);
}
