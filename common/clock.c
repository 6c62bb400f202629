/* common/clock.c - time */
#include "common/clock.h"

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

static char *digits(char *out, int64_t v, unsigned n)
{
	for (unsigned i = n; i-- > 0; v /= 10)
		out[i] = (char)('0' + v % 10);
	return out + n;
}

/* The day of an era of 400 years, which begin with 1 March, as year, month and day. */
static char *date(char *out, int64_t days)
{
	int64_t since = days + 719468; /* since 0000-03-01 */
	int64_t era = since / 146097, doe = since % 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;

	out = digits(out, yoe + era * 400 + (month <= 2), 4);
	*out++ = '-';
	out = digits(out, month, 2);
	*out++ = '-';
	return digits(out, doy - (153 * mp + 2) / 5 + 1, 2);
}

/* By hand: this is done for each event, several times. */
void clock_rfc3339(int64_t unix_ms, char *out)
{
	int64_t s;

	/* years of other than four digits would not fit; nothing we show is that far away */
	if (unix_ms < 0 || unix_ms > 253402300799999)
		unix_ms = 0;
	s = unix_ms / 1000;
	out = date(out, s / 86400);
	*out++ = 'T';
	out = digits(out, s / 3600 % 24, 2);
	*out++ = ':';
	out = digits(out, s / 60 % 60, 2);
	*out++ = ':';
	out = digits(out, s % 60, 2);
	*out++ = '.';
	out = digits(out, unix_ms % 1000, 3);
	*out++ = 'Z';
	*out = '\0';
}
