/* common/clock.c - time */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_ms(void)
{
	return clock_us() / 1000u;
}

int64_t clock_unix_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_unix_s(void)
{
	return clock_unix_ms() / 1000;
}

void clock_rfc3339(int64_t unix_ms, char *out)
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;
	char day[sizeof("2026-11-22T19:42:15")];

	/* years of other than four digits would not fit; nothing we show is that far away */
	if (unix_ms < 0 || unix_ms > 253402300799999 || gmtime_r(&s, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		snprintf(out, RFC3339_CAP, "1970-01-01T00:00:00.000Z");
		return;
	}
	snprintf(out, RFC3339_CAP, "%s.%03dZ", day, (int)(unix_ms % 1000));
}
