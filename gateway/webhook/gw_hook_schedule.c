/* gateway/webhook/gw_hook_schedule.c - what an answer means for the event at the head of a webhook's queue
 */
#include "gateway/webhook/gw_hook_schedule.h"

#include <stdbool.h>
#include <stddef.h>

#define S 1000u
#define MIN (60 * S)
#define H (60 * MIN)

/* After the first try, the second, ... */
static const uint32_t waits_ms[GW_HOOK_TRIES_MAX - 1] = { 5 * S,    30 * S,   2 * MIN,
	                                                  10 * MIN, 30 * MIN, 1 * H,
	                                                  2 * H,    4 * H,    8 * H };

/* Too slow, too early, too often: says nothing of the event itself. */
static bool is_refusal(int status)
{
	return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

/* 0.8 to 1.2 times ms. */
static uint64_t jittered(uint32_t ms, uint32_t random)
{
	return ms - ms / 5 + (uint64_t)random * (ms / 5 * 2) / UINT32_MAX;
}

enum gw_hook_verdict gw_hook_judge(int status, uint64_t retry_after_s, uint32_t random,
                                   struct gw_hook_tries *tries, uint64_t *wait_ms_out)
{
	uint64_t asked_ms = retry_after_s > GW_HOOK_RETRY_AFTER_MAX_MS / S
	                        ? GW_HOOK_RETRY_AFTER_MAX_MS
	                        : retry_after_s * S;

	if (status >= 200 && status < 300)
		return GW_HOOK_DONE;
	if (status == 410)
		return GW_HOOK_GONE;
	tries->n++;
	tries->refused += is_refusal(status);
	if (tries->refused >= GW_HOOK_REFUSED_MAX || tries->n >= GW_HOOK_TRIES_MAX)
		return GW_HOOK_DEAD;
	*wait_ms_out = jittered(waits_ms[tries->n - 1], random);
	if (*wait_ms_out < asked_ms)
		*wait_ms_out = asked_ms;
	return GW_HOOK_RETRY;
}
