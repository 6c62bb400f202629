/* worker/session/wk_timer.h - libevent timers in milliseconds */
#ifndef WK_TIMER_H
#define WK_TIMER_H

#include <errno.h>
#include <event2/event.h>
#include <stdint.h>

#include "common/attr.h"

/* (Re)start a timer made with evtimer_new(). 0 or -ENOMEM. */
ATTR_NODISCARD static inline int wk_timer_set(struct event *timer, uint64_t ms)
{
	const struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	return event_add(timer, &tv) < 0 ? -ENOMEM : 0;
}

#endif
