/* gateway/process/gw_stop.c - the end in order: callers first, then workers, then the loop */
#include <event2/event.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/http/gw_http.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/process/gw_notify.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"

#define ANSWERS_MAX_MS 2000 /* for the last answers to leave, once the workers are gone */
#define ANSWERS_LOOK_MS 10

static void wait_for_answers(struct gw *gw);

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wait_for_answers(arg);
}

static void wait_for_answers(struct gw *gw)
{
	const struct timeval soon = { .tv_usec = ANSWERS_LOOK_MS * 1000L };

	if (gw_http_is_busy(gw->http) && clock_ms() < gw->answers_until_ms &&
	    event_base_once(gw->base, -1, EV_TIMEOUT, on_look, gw, &soon) == 0)
		return;
	event_base_loopbreak(gw->base);
}

static void on_workers_gone(void *arg)
{
	struct gw *gw = arg;

	gw->answers_until_ms = clock_ms() + ANSWERS_MAX_MS;
	wait_for_answers(gw);
}

void gw_stop(struct gw *gw)
{
	struct gw_instance *inst = NULL;

	if (gw->stopping)
		return;
	gw->stopping = true;
	LOG(NULL, LOG_NOTICE, "stopping", LF_INT("workers", gw_supervisor_count(gw->sup)));
	gw_notify_stopping(gw->notify);
	gw_http_stop_accepting(gw->http);
	while ((inst = gw_registry_next_any(gw->registry, inst)) != NULL) {
		if (gw_supervisor_outlives(gw->sup))
			gw_instance_part(inst);
		else
			gw_instance_stop(inst);
	}
	gw_supervisor_stop(gw->sup, on_workers_gone, gw);
}
