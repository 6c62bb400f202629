/* tests/unit/gw_fake_clock.c - a clock that stands still: stands in for common/clock.c */
#include "gw_fake_clock.h"

#include <stdio.h>
#include <time.h>

#include "common/clock.h"

uint64_t now_ms = 1000000;

uint64_t clock_ms(void)
{
	return now_ms;
}

uint64_t clock_us(void)
{
	return now_ms * 1000;
}

int64_t clock_unix_ms(void)
{
	return (int64_t)now_ms + 1700000000000;
}

int64_t clock_unix_s(void)
{
	return clock_unix_ms() / 1000;
}

void clock_rfc3339(int64_t unix_ms, char *out)
{
	time_t t = (time_t)(unix_ms / 1000);
	struct tm tm;
	char date[sizeof("2026-11-22T19:42:15")];

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, RFC3339_CAP, "%s.%03uZ", date, (unsigned)(unix_ms % 1000));
}
