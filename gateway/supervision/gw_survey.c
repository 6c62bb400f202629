/* gateway/supervision/gw_survey.c - every worker looked at in turn, a few a loop pass */
#include "gateway/supervision/gw_survey.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "gateway/gw.h"
#include "gateway/supervision/gw_supervisor.h"

#define WORKERS_A_PASS 8

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = { 0 };
	struct gw_survey *s = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < WORKERS_A_PASS && s->next != NULL; i++) {
		struct gw_worker *w = s->next;

		s->next = gw_supervisor_next(s->sup, s->next);
		s->ops->on_worker(w, s->arg);
	}
	if (s->next == NULL || event_add(s->ev, &now) < 0)
		s->ops->on_done(s->arg);
}

int gw_survey_new(struct gw *gw, const struct gw_survey_ops *ops, void *arg,
                  struct gw_survey **s_out)
{
	static const struct timeval now = { 0 };
	struct gw_survey *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->sup = gw->sup;
	s->ops = ops;
	s->arg = arg;
	s->next = gw_supervisor_next(gw->sup, NULL);
	s->ev = evtimer_new(gw->base, on_pass, s);
	if (s->ev == NULL || event_add(s->ev, &now) < 0) {
		if (s->ev != NULL)
			event_free(s->ev);
		free(s);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(gw_supervisor_surveys(gw->sup), s, link);
	*s_out = s;
	return 0;
}

void gw_survey_free(struct gw_survey *s)
{
	if (s == NULL)
		return;
	TAILQ_REMOVE(gw_supervisor_surveys(s->sup), s, link);
	event_free(s->ev);
	free(s);
}

void gw_survey_skip(struct gw_survey *s, const struct gw_worker *w)
{
	if (s->next == w)
		s->next = gw_supervisor_next(s->sup, s->next);
}
