/* worker/history/wk_age.c - once a day, stored messages that are too old are removed */
#include "worker/history/wk_age.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_store_age.h"

#define FIRST_MS (10 * 60 * 1000)
#define DAILY_MS (24 * 3600 * 1000)
#define PAUSE_MS 200
#define STEP_N 100 /* messages removed in one transaction */

struct wk_age {
	struct wk_age_params p;
	struct event *timer;
};

static int later(struct wk_age *a, uint64_t ms)
{
	return wk_timer_set(a->timer, ms / a->p.speed);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_age *a = arg;
	bool more = false;
	int rc = wk_store_age(a->p.store, clock_unix_s(), a->p.days, STEP_N, &more);

	(void)fd;
	(void)what;
	if (rc < 0) /* the disk is full, say: it is tried again, and others report it */
		LOG(a->p.log, LOG_WARNING, "messages_not_aged", LF_ERR("err", rc));
	if (later(a, rc == 0 && more ? PAUSE_MS : DAILY_MS) < 0)
		LOG(a->p.log, LOG_WARNING, "messages_not_aged", LF_ERR("err", -ENOMEM));
}

int wk_age_new(const struct wk_age_params *params, struct wk_age **age_out)
{
	struct wk_age *a;

	*age_out = NULL;
	if (params->days == 0)
		return 0;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	a->p = *params;
	a->timer = evtimer_new(params->base, on_timer, a);
	if (a->timer == NULL || later(a, FIRST_MS) < 0) {
		wk_age_free(a);
		return -ENOMEM;
	}
	*age_out = a;
	return 0;
}

void wk_age_free(struct wk_age *a)
{
	if (a == NULL)
		return;
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}
