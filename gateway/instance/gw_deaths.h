/*
 * gateway/instance/gw_deaths.h - which pieces of work an instance's workers died of
 *
 * By the key that a worker wrote down before it began (worker/process/wk_hand.h). What three workers died
 * of within ten minutes is to be set aside by the next. No clock: the caller passes the time in.
 * Source: fault table, H3.
 */
#ifndef GW_DEATHS_H
#define GW_DEATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_DEATHS_KEPT 8
#define GW_DEATHS_MAX 3
#define GW_DEATHS_MS 600000

struct gw_deaths {
	struct {
		uint64_t key; /* 0: free */
		uint64_t at_ms;
		unsigned n;
	} of[GW_DEATHS_KEPT];
	uint64_t aside[GW_DEATHS_KEPT]; /* oldest first */
	size_t aside_n;
};

/* A worker died with key in hand (0: nothing). True: from now on key is set aside. */
bool gw_deaths_note(struct gw_deaths *d, uint64_t key, uint64_t now_ms);

#endif
