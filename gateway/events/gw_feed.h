/*
 * gateway/events/gw_feed.h - an instance's events for one receiver, at the receiver's pace
 *
 * A cursor over the event log: reads a few stored events at a time, hands them over one by one, and
 * waits when the receiver has no room or there is nothing more. Nothing is kept for a slow receiver
 * but its cursor.
 */
#ifndef GW_FEED_H
#define GW_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/events/gw_event.h"

struct gw;
struct gw_events;
struct gw_feed;
struct gw_instance;

enum gw_feed_took {
	GW_FEED_MORE,  /* taken; the next one, please */
	GW_FEED_WAIT,  /* taken; no more until gw_feed_go() */
	GW_FEED_LATER, /* not taken: the same one in a second */
	GW_FEED_OVER,  /* the feed has been freed */
};

enum gw_feed_end { GW_FEED_DELETED, GW_FEED_STOPPING };

struct gw_feed_ops {
	/* e: borrowed. codes: JSON to be sent as "codes" with it (gw_event_text_with()); NULL:
	 * none. */
	enum gw_feed_took (*on_event)(const struct gw_event *e, const char *codes, void *arg);
	/*
	 * Around several in a row; NULL: not of interest. What is sent within them may leave at the
	 * end of them: MORE, WAIT or OVER. Not called when one of them was the feed's last.
	 */
	void (*on_begin)(void *arg);
	enum gw_feed_took (*on_done)(void *arg);
	/* No more will come; the feed is to be freed in it. */
	void (*on_end)(enum gw_feed_end why, void *arg);
	/* The instance's stream settings have changed; the feed may be freed in it. NULL: no
	 * matter. */
	void (*on_settings)(void *arg);
};

/*
 * Events from a sequence on (GW_EVENTS_NEW: those that come from now on) that f wants. Callbacks
 * come from the loop, never from inside this call. 0, or -ENOMEM.
 */
ATTR_NODISCARD int gw_feed_new(struct gw *gw, struct gw_instance *inst, uint64_t from,
                               const struct gw_event_filter *f, const struct gw_feed_ops *ops,
                               void *arg, struct gw_feed **feed_out);
void gw_feed_go(struct gw_feed *f);
/* NULL is fine. */
void gw_feed_free(struct gw_feed *f);

/* One of the few files that receivers may hold in memory at a time. False: not now. */
bool gw_feed_file_begin(struct gw_feed *f);
void gw_feed_file_end(struct gw_feed *f);

/* What inst's streams are told has changed. */
void gw_feeds_settings(struct gw_events *ev, const struct gw_instance *inst);
/* The gateway goes: every feed ends. */
void gw_feeds_end(struct gw_events *ev);

#endif
