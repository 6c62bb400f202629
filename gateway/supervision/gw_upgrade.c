/* gateway/supervision/gw_upgrade.c - one worker after the other */
#include "gateway/supervision/gw_upgrade.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_worker.h"

#define BACK_MS 20000 /* within this time a session is to be online again */

struct gw_upgrade {
	struct gw *gw;
	struct event *ev;
	unsigned per_minute;
	size_t done_n;
	char last[GW_ID_LEN + 1]; /* the one that is to come back; "": none */
	uint64_t last_ms;
};

static struct gw_instance *by_id(const struct gw_upgrade *u, const char *id)
{
	struct gw_instance *inst = NULL;

	while ((inst = gw_registry_next_any(u->gw->registry, inst)) != NULL)
		if (strcmp(gw_instance_id(inst), id) == 0)
			break;
	return inst;
}

static void over(struct gw_upgrade *u, int level, const char *how)
{
	u->per_minute = 0;
	u->last[0] = '\0';
	LOG(NULL, level, "workers_upgraded", LF_INT("workers", u->done_n), LF_STR("how", how));
}

/* True when the next one may go. */
static bool last_is_back(struct gw_upgrade *u)
{
	const struct gw_instance *inst = u->last[0] != '\0' ? by_id(u, u->last) : NULL;

	/* a new worker whose session is online; or it was unlinked or deleted meanwhile */
	if (inst == NULL || !gw_instance_is_linked(inst) ||
	    (gw_instance_state(inst) == GW_CONNECTED && !gw_instance_is_renewing(inst)))
		return true;
	if (clock_ms() - u->last_ms < BACK_MS)
		return false;
	LOG(gw_instance_log(inst), LOG_ERR, "upgrade_stopped",
	    LF_STR("why", "its session did not come back with the new worker"));
	over(u, LOG_ERR, "stopped: one session did not come back");
	return false;
}

/* One more. False: there is none left that can be replaced now. */
static bool replace_one(struct gw_upgrade *u)
{
	struct gw_worker *w = NULL;

	while ((w = gw_supervisor_next(u->gw->sup, w)) != NULL) {
		struct gw_instance *inst = gw_worker_instance(w);
		bool online = gw_instance_state(inst) == GW_CONNECTED;

		if (!gw_worker_is_outdated(w) || !gw_instance_renew(inst))
			continue;
		LOG(gw_instance_log(inst), LOG_INFO, "worker_upgrade");
		u->done_n++;
		u->last_ms = clock_ms();
		snprintf(u->last, sizeof(u->last), "%s", online ? gw_instance_id(inst) : "");
		return true;
	}
	return false;
}

static void next_in_time(struct gw_upgrade *u)
{
	uint32_t ms = 60000 / u->per_minute;
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (event_add(u->ev, &tv) < 0)
		over(u, LOG_ERR, "stopped: no memory");
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct gw_upgrade *u = arg;

	(void)fd;
	(void)what;
	if (u->gw->stopping || u->per_minute == 0)
		return;
	if (last_is_back(u) && !replace_one(u))
		over(u, LOG_NOTICE, "all that can be");
	if (u->per_minute > 0)
		next_in_time(u);
}

size_t gw_upgrade_start(struct gw_upgrade *u, unsigned per_minute)
{
	struct gw_worker *w = NULL;
	size_t n = 0;

	while ((w = gw_supervisor_next(u->gw->sup, w)) != NULL)
		n += gw_worker_is_outdated(w);
	if (u->per_minute == 0)
		u->done_n = 0;
	u->per_minute = per_minute;
	event_active(u->ev, EV_TIMEOUT, 0);
	return n;
}

int gw_upgrade_new(struct gw *gw, struct gw_upgrade **u_out)
{
	struct gw_upgrade *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return -ENOMEM;
	u->gw = gw;
	u->ev = evtimer_new(gw->base, on_turn, u);
	if (u->ev == NULL) {
		free(u);
		return -ENOMEM;
	}
	*u_out = u;
	return 0;
}

void gw_upgrade_free(struct gw_upgrade *u)
{
	if (u == NULL)
		return;
	event_free(u->ev);
	free(u);
}
