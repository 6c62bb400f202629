/* gateway/instance/gw_dials.c - admission of dials to WhatsApp: at most so many in any second, in turn */
#include "gateway/instance/gw_dials.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "common/clock.h"

#define WINDOW_MS 1000

TAILQ_HEAD(dial_list, gw_dial);

struct gw_dials {
	struct dial_list lanes[GW_DIAL_LANES];
	unsigned turn; /* the lane that is served next */
	struct event *ev_turn;
	unsigned per_s;
	unsigned next;    /* the oldest of at_ms */
	uint64_t at_ms[]; /* of the last per_s dials; 0: none yet */
};

/*
 * A ring of the last dials instead of a bucket: a bucket lets its whole content through on top of
 * what flows in within the same second.
 */
static uint64_t wait_ms(const struct gw_dials *ds)
{
	uint64_t oldest = ds->at_ms[ds->next];
	uint64_t age = clock_ms() - oldest;

	return oldest == 0 || age >= WINDOW_MS ? 0 : WINDOW_MS - age;
}

static void take(struct gw_dials *ds)
{
	ds->at_ms[ds->next] = clock_ms();
	ds->next = (ds->next + 1) % ds->per_s;
}

static void turn_in(struct gw_dials *ds, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	/* without memory for the timer: too early is better than never */
	if (event_add(ds->ev_turn, &tv) < 0)
		event_active(ds->ev_turn, EV_TIMEOUT, 0);
}

static bool is_empty(const struct gw_dials *ds)
{
	for (unsigned i = 0; i < GW_DIAL_LANES; i++)
		if (!TAILQ_EMPTY(&ds->lanes[i]))
			return false;
	return true;
}

static struct gw_dial *next_one(struct gw_dials *ds)
{
	struct gw_dial *d;

	if (TAILQ_EMPTY(&ds->lanes[ds->turn]))
		ds->turn = (ds->turn + 1) % GW_DIAL_LANES;
	d = TAILQ_FIRST(&ds->lanes[ds->turn]);
	ds->turn = (ds->turn + 1) % GW_DIAL_LANES;
	return d;
}

/* go() may ask again, or cancel others. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct gw_dials *ds = arg;

	(void)fd;
	(void)what;
	while (!is_empty(ds) && wait_ms(ds) == 0) {
		struct gw_dial *d = next_one(ds);

		TAILQ_REMOVE(&ds->lanes[d->lane], d, link);
		d->waits = false;
		take(ds);
		d->go(d, d->arg);
	}
	if (!is_empty(ds))
		turn_in(ds, wait_ms(ds));
}

bool gw_dials_ask(struct gw_dials *ds, struct gw_dial *d)
{
	if (is_empty(ds) && wait_ms(ds) == 0) {
		take(ds);
		return true;
	}
	d->waits = true;
	TAILQ_INSERT_TAIL(&ds->lanes[d->lane], d, link);
	if (!event_pending(ds->ev_turn, EV_TIMEOUT, NULL))
		turn_in(ds, wait_ms(ds));
	return false;
}

void gw_dials_cancel(struct gw_dials *ds, struct gw_dial *d)
{
	if (!d->waits)
		return;
	TAILQ_REMOVE(&ds->lanes[d->lane], d, link);
	d->waits = false;
}

int gw_dials_new(struct event_base *base, unsigned per_s, struct gw_dials **d_out)
{
	struct gw_dials *ds = calloc(1, sizeof(*ds) + per_s * sizeof(ds->at_ms[0]));

	if (ds == NULL)
		return -ENOMEM;
	ds->per_s = per_s;
	for (unsigned i = 0; i < GW_DIAL_LANES; i++)
		TAILQ_INIT(&ds->lanes[i]);
	ds->ev_turn = evtimer_new(base, on_turn, ds);
	if (ds->ev_turn == NULL) {
		free(ds);
		return -ENOMEM;
	}
	*d_out = ds;
	return 0;
}

void gw_dials_free(struct gw_dials *ds)
{
	if (ds == NULL)
		return;
	event_free(ds->ev_turn);
	free(ds);
}
