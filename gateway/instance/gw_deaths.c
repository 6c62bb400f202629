/* gateway/instance/gw_deaths.c - which pieces of work an instance's workers died of */
#include "gateway/instance/gw_deaths.h"

#include <string.h>

/* The entry of key; else a free one, or the one that was heard of least recently. */
static size_t find(const struct gw_deaths *d, uint64_t key)
{
	size_t oldest = 0;

	for (size_t i = 0; i < GW_DEATHS_KEPT; i++) {
		if (d->of[i].key == key)
			return i;
		if (d->of[i].key == 0 || d->of[i].at_ms < d->of[oldest].at_ms)
			oldest = i;
	}
	return oldest;
}

static void set_aside(struct gw_deaths *d, uint64_t key)
{
	if (d->aside_n == GW_DEATHS_KEPT) {
		memmove(d->aside, d->aside + 1, sizeof(d->aside) - sizeof(d->aside[0]));
		d->aside_n--;
	}
	d->aside[d->aside_n++] = key;
}

bool gw_deaths_note(struct gw_deaths *d, uint64_t key, uint64_t now_ms)
{
	size_t i;

	if (key == 0)
		return false;
	for (i = 0; i < d->aside_n; i++)
		if (d->aside[i] == key) /* not by this, then */
			return false;
	i = find(d, key);
	if (d->of[i].key != key || now_ms - d->of[i].at_ms >= GW_DEATHS_MS)
		d->of[i].n = 0;
	d->of[i].key = key;
	d->of[i].at_ms = now_ms;
	if (++d->of[i].n < GW_DEATHS_MAX)
		return false;
	memset(&d->of[i], 0, sizeof(d->of[i]));
	set_aside(d, key);
	return true;
}
