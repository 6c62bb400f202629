/* gateway/events/gw_feed.c - an instance's events for one receiver */
#include "gateway/events/gw_feed.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/events/gw_events_priv.h"
#include "gateway/gw.h"

#define READ_N 64
#define AGAIN_S 1   /* after a read that failed */
#define FILES_MAX 8 /* each may be 22 MB of base64 */

struct gw_feed {
	TAILQ_ENTRY(gw_feed) link;
	struct gw_events *ev;
	struct gw_instance *inst;
	const struct gw_feed_ops *ops;
	void *arg;
	struct gw_event_filter filter;
	uint64_t next;       /* where to read on; GW_EVENTS_NEW: not known yet */
	uint64_t live_after; /* events beyond are new to this receiver */
	struct gw_events_watch *watch;
	struct gw_events_read *read; /* NULL: none is on its way */
	struct event *ev_again;
	bool waits; /* for gw_feed_go() */
	bool later; /* or for ev_again */
	bool dry;   /* all was read */
};

static void read_on(struct gw_feed *f);

static void again_later(struct gw_feed *f)
{
	static const struct timeval soon = { .tv_sec = AGAIN_S };

	if (event_add(f->ev_again, &soon) == 0)
		return;
	f->dry = true; /* the next event brings it on */
	if (f->later)
		f->waits = f->later = false;
}

/* False: it is over. */
static bool hand_over(struct gw_feed *f, const struct gw_events_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct gw_event *e = &b->events[i];
		const char *codes = e->sequence > f->live_after
		                        ? gw_events_live(f->ev, f->inst, e->sequence)
		                        : NULL;

		switch (f->ops->on_event(e, codes, f->arg)) {
		case GW_FEED_MORE:
			break;
		case GW_FEED_WAIT:
			f->next = e->sequence + 1;
			f->waits = true;
			return true;
		case GW_FEED_LATER:
			f->next = e->sequence;
			f->waits = f->later = true;
			again_later(f);
			return true;
		case GW_FEED_OVER:
			return false;
		}
	}
	/* A place beyond all there is, of an instance that was made anew: it would hear nothing. */
	f->next = b->next > b->newest + 1 ? b->newest + 1 : b->next;
	return true;
}

static void on_read(int rc, const struct gw_events_batch *b, void *arg)
{
	struct gw_feed *f = arg;

	f->read = NULL;
	if (rc < 0) {
		again_later(f);
		return;
	}
	if (f->ops->on_begin != NULL && b->n > 1)
		f->ops->on_begin(f->arg);
	if (!hand_over(f, b))
		return;
	if (f->ops->on_done != NULL && b->n > 1) {
		enum gw_feed_took took = f->ops->on_done(f->arg);

		if (took == GW_FEED_OVER)
			return;
		f->waits |= took == GW_FEED_WAIT;
	}
	if (!f->waits)
		read_on(f);
}

static void read_on(struct gw_feed *f)
{
	if (f->waits || f->read != NULL)
		return;
	/* what is not known to be there is looked for once */
	f->dry = f->dry && f->next > gw_events_newest(f->ev, f->inst);
	if (f->dry)
		return;
	f->dry = true;
	if (gw_events_read(f->ev, f->inst, f->next, READ_N, &f->filter, on_read, f, &f->read) < 0)
		again_later(f);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct gw_feed *f = arg;

	(void)fd;
	(void)what;
	if (f->later)
		f->waits = f->later = false;
	f->dry = false;
	read_on(f);
}

static void on_more(struct gw_instance *inst, uint64_t newest, void *arg)
{
	struct gw_feed *f = arg;

	(void)newest;
	if (inst != NULL) {
		read_on(f);
		return;
	}
	f->watch = NULL;
	f->ops->on_end(GW_FEED_DELETED, f->arg);
}

int gw_feed_new(struct gw *gw, struct gw_instance *inst, uint64_t from,
                const struct gw_event_filter *filter, const struct gw_feed_ops *ops, void *arg,
                struct gw_feed **feed_out)
{
	struct gw_feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->ev = gw->events;
	f->inst = inst;
	f->ops = ops;
	f->arg = arg;
	f->filter = *filter;
	f->next = from;
	f->live_after = gw_events_newest(f->ev, inst);
	TAILQ_INSERT_TAIL(&f->ev->feeds, f, link);
	f->ev_again = evtimer_new(gw->base, on_again, f);
	if (f->ev_again == NULL || gw_events_watch(f->ev, inst, on_more, f, &f->watch) < 0) {
		gw_feed_free(f);
		return -ENOMEM;
	}
	read_on(f);
	*feed_out = f;
	return 0;
}

void gw_feed_go(struct gw_feed *f)
{
	if (!f->waits)
		return;
	f->waits = f->later = false;
	f->dry = false;
	read_on(f);
}

void gw_feed_free(struct gw_feed *f)
{
	if (f == NULL)
		return;
	TAILQ_REMOVE(&f->ev->feeds, f, link);
	gw_events_unwatch(f->watch);
	gw_events_read_cancel(f->read);
	if (f->ev_again != NULL)
		event_free(f->ev_again);
	free(f);
}

bool gw_feed_file_begin(struct gw_feed *f)
{
	if (f->ev->files_n >= FILES_MAX)
		return false;
	f->ev->files_n++;
	return true;
}

void gw_feed_file_end(struct gw_feed *f)
{
	f->ev->files_n--;
}

void gw_feeds_settings(struct gw_events *ev, const struct gw_instance *inst)
{
	struct gw_feed *f, *next;

	for (f = TAILQ_FIRST(&ev->feeds); f != NULL; f = next) {
		next = TAILQ_NEXT(f, link);
		if (f->inst == inst && f->ops->on_settings != NULL)
			f->ops->on_settings(f->arg);
	}
}

void gw_feeds_end(struct gw_events *ev)
{
	struct gw_feed *f;

	while ((f = TAILQ_FIRST(&ev->feeds)) != NULL)
		f->ops->on_end(GW_FEED_STOPPING, f->arg);
}
