/* gateway/webhook/gw_hook_schedule.h - what an answer means for the event at the head of a webhook's queue
 */
#ifndef GW_HOOK_SCHEDULE_H
#define GW_HOOK_SCHEDULE_H

#include <stdint.h>

#define GW_HOOK_TRIES_MAX 10                /* and as many waits less one */
#define GW_HOOK_REFUSED_MAX 3               /* answers 4xx that end it */
#define GW_HOOK_RETRY_AFTER_MAX_MS 3600000u /* what a receiver may ask for */

enum gw_hook_verdict {
	GW_HOOK_DONE,  /* it has it */
	GW_HOOK_RETRY, /* once more, after the wait */
	GW_HOOK_DEAD,  /* a dead letter; the next one is the head */
	GW_HOOK_GONE,  /* the webhook is to be disabled */
};

/* How often the head has been tried; all zero for a new one. Stored. */
struct gw_hook_tries {
	uint32_t n;       /* so far */
	uint32_t refused; /* of these, answered 4xx: the receiver does not want it */
};

/*
 * A try has ended. status: of the answer, 0 where there was none; retry_after_s: asked for with it,
 * 0: not; random: any number, for the jitter of a fifth to both sides. tries is brought up to date,
 * *wait_ms_out is set for RETRY.
 */
enum gw_hook_verdict gw_hook_judge(int status, uint64_t retry_after_s, uint32_t random,
                                   struct gw_hook_tries *tries, uint64_t *wait_ms_out);

#endif
