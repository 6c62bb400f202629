/* gateway/events/gw_events_read.c - cursors over the event log: reads, watches, what goes out live only */
#include "gateway/events/gw_events_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"

/* ---- reads ---------------------------------------------------------------------------------- */

int gw_events_read(struct gw_events *ev, struct gw_instance *inst, uint64_t from, size_t max,
                   const struct gw_event_filter *f, gw_events_on_read *cb, void *arg,
                   struct gw_events_read **r_out)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);
	struct gw_events_job *j = s == NULL ? NULL : gw_events_job_new(GW_EVJOB_READ, s);

	if (j == NULL)
		return -ENOMEM;
	j->u.read.cb = cb;
	j->u.read.arg = arg;
	j->u.read.from = from > 0 ? from : 1;
	j->u.read.n_max = max < 1 ? 1 : max > GW_EVENTS_READ_MAX ? GW_EVENTS_READ_MAX : max;
	j->u.read.filter = *f;
	j->u.read.base_url = ev->gw->cfg.public_url; /* set once, when the listener is there */
	if (j->u.read.base_url == NULL)
		j->u.read.base_url = "";
	gw_events_give(ev, j);
	*r_out = &j->u.read;
	return 0;
}

void gw_events_read_cancel(struct gw_events_read *r)
{
	if (r != NULL)
		r->cb = NULL;
}

void gw_events_read_done(struct gw_events_job *j)
{
	const struct gw_events_batch b = {
		.events = j->u.read.found.events,
		.n = j->u.read.found.n,
		.next = j->u.read.found.next,
		.newest = j->u.read.found.newest,
	};
	gw_events_on_read *cb = j->u.read.cb;

	if (j->rc == 0 && b.newest > j->stream->newest)
		j->stream->newest = b.newest;
	if (cb != NULL)
		cb(j->rc, j->rc == 0 ? &b : NULL, j->u.read.arg);
}

/* ---- watches -------------------------------------------------------------------------------- */

uint64_t gw_events_newest(struct gw_events *ev, struct gw_instance *inst)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);

	return s == NULL ? 0 : s->newest;
}

int gw_events_watch(struct gw_events *ev, struct gw_instance *inst, gw_events_on_more *cb,
                    void *arg, struct gw_events_watch **w_out)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);
	struct gw_events_watch *w = s == NULL ? NULL : calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->stream = s;
	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&s->watches, w, link);
	*w_out = w;
	return 0;
}

void gw_events_unwatch(struct gw_events_watch *w)
{
	if (w == NULL)
		return;
	TAILQ_REMOVE(&w->stream->watches, w, link);
	free(w);
}

/* A callback may cancel any watch: each is taken from the list's head and put at its end. */
void gw_events_tell(struct gw_event_stream *s)
{
	struct gw_events_watch *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &s->watches, link)
	n++;
	while (n-- > 0 && (w = TAILQ_FIRST(&s->watches)) != NULL) {
		TAILQ_REMOVE(&s->watches, w, link);
		TAILQ_INSERT_TAIL(&s->watches, w, link);
		w->cb(s->inst, s->newest, w->arg);
	}
}

/* ---- live only ------------------------------------------------------------------------------ */

static void live_clear(struct gw_event_stream *s)
{
	if (s->live != NULL)
		secret_wipe(s->live, strlen(s->live));
	free(s->live);
	s->live = NULL;
}

void gw_events_live_set(struct gw_event_stream *s, struct gw_events_job *j)
{
	if (j->kind != GW_EVJOB_EMIT || j->u.event.kind != GW_EVENT_INSTANCE_STATE)
		return;
	live_clear(s); /* whatever it is now, that code is none any more */
	s->live = j->u.event.live;
	j->u.event.live = NULL;
	s->live_seq = j->u.event.seq;
	s->live_until_ms = j->u.event.live_until_ms;
}

const char *gw_events_live(struct gw_events *ev, struct gw_instance *inst, uint64_t sequence)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);

	if (s == NULL || s->live == NULL || s->live_seq != sequence)
		return NULL;
	if (clock_ms() < s->live_until_ms)
		return s->live;
	live_clear(s);
	return NULL;
}
