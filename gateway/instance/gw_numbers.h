/*
 * gateway/instance/gw_numbers.h - one new pairing code per phone number and minute, over the whole host
 *
 * A code is counted when it is given; while an attempt for a number has not come to its first code,
 * no other may begin. Numbers are kept as salted hashes, in bounded memory. No I/O, no clock.
 */
#ifndef GW_NUMBERS_H
#define GW_NUMBERS_H

#include <stdint.h>

#include "common/attr.h"

#define GW_NUMBER_REST_MS 60000
#define GW_NUMBERS_MAX 16384 /* numbers at once; more are refused rather than forgotten */

struct gw_numbers;

/* 0, -ENOMEM or WA_ECRYPTO (no salt). */
ATTR_NODISCARD int gw_numbers_new(struct gw_numbers **n_out);
/* NULL is fine. */
void gw_numbers_free(struct gw_numbers *n);

/* Milliseconds until an attempt for this number may begin; 0: now. */
uint32_t gw_numbers_wait_ms(const struct gw_numbers *n, const char *number, uint64_t now_ms);
/* An attempt begins: 0; WA_ERATE_LIMITED (gw_numbers_wait_ms() says for how long); -ENOMEM. */
ATTR_NODISCARD int gw_numbers_begin(struct gw_numbers *n, const char *number, uint64_t now_ms);
/* It has given a code, its first or a later one; from here on the minute counts. */
void gw_numbers_issued(struct gw_numbers *n, const char *number, uint64_t now_ms);
/* It is over without a code: the next may begin at once. */
void gw_numbers_end(struct gw_numbers *n, const char *number);

#endif
