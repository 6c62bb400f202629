/* tests/unit/gw_fake_clock.h - a clock that stands still: stands in for common/clock.c */
#ifndef GW_FAKE_CLOCK_H
#define GW_FAKE_CLOCK_H

#include <stdint.h>

/* Monotonic; the wall clock goes with it. */
extern uint64_t now_ms;

#endif
