/* common/clock.h - time: monotonic for every deadline, wall clock for logs and protocol fields only
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_ms(void);     /* monotonic, ms */
uint64_t clock_us(void);     /* monotonic, us */
int64_t clock_unix_s(void);  /* wall clock, s */
int64_t clock_unix_ms(void); /* wall clock, ms */

#define RFC3339_CAP sizeof("2026-11-22T19:42:15.123Z")
/* UTC with milliseconds; out holds RFC3339_CAP bytes. */
void clock_rfc3339(int64_t unix_ms, char *out);

#endif
