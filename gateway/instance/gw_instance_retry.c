/* gateway/instance/gw_instance_retry.c - the next worker after one that crashed, and when there is none */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"

#define FIRST_MS 100
#define SPREAD_MIN_MS 1000
#define SPREAD_MAX_MS 60000
#define STEADY_MS 60000 /* online for this long: the next restart is a first one again */

#define CRASHES_MAX 5 /* in the same state, within ... */
#define CRASHES_MS 600000

#define HELD_MAX 10 /* a worker without its gateway leaves within 5 s */
#define HELD_MS 1000

uint32_t gw_restart_delay_ms(unsigned n, uint32_t rnd)
{
	uint32_t most = SPREAD_MAX_MS;

	if (n == 0)
		return FIRST_MS;
	if (n < 6)
		most = SPREAD_MIN_MS << n; /* 2, 4, ... 32 s */
	return SPREAD_MIN_MS + rnd % (most - SPREAD_MIN_MS + 1);
}

void gw_instance_on_retry(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)!gw_instance_event(arg, GW_EV_RETRY, NULL);
}

void gw_inst_restart_in(struct gw_instance *inst, uint32_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	inst->retry.due = false;
	inst->retry.next_unix_ms = clock_unix_ms() + ms;
	gw_inst_move(inst, GW_RESTARTING);
	LOG(&inst->log, LOG_INFO, "restart_planned", LF_INT("ms", ms),
	    LF_INT("restarts", inst->retry.restarts_n));
	/* without memory for the timer: at once is better than never */
	if (event_add(inst->ev_retry, &tv) < 0)
		event_active(inst->ev_retry, EV_TIMEOUT, 0);
}

void gw_inst_restart_cancel(struct gw_instance *inst)
{
	event_del(inst->ev_retry);
	inst->retry.due = false;
	inst->retry.next_unix_ms = 0;
}

/* Notes this crash: is it one too many? */
static bool crash_note(struct gw_instance *inst, enum gw_inst_state where)
{
	uint64_t now = clock_ms();
	unsigned n = 0;

	inst->retry.crash[inst->retry.crash_i].at_ms = now;
	inst->retry.crash[inst->retry.crash_i].state = where;
	inst->retry.crash_i = (inst->retry.crash_i + 1) % GW_CRASHES_KEPT;
	for (unsigned i = 0; i < GW_CRASHES_KEPT; i++)
		n += inst->retry.crash[i].at_ms != 0 && inst->retry.crash[i].state == where &&
		     now - inst->retry.crash[i].at_ms < CRASHES_MS;
	return n >= CRASHES_MAX;
}

static void crashes_forget(struct gw_instance *inst)
{
	for (unsigned i = 0; i < GW_CRASHES_KEPT; i++)
		inst->retry.crash[i].at_ms = 0;
}

/* Backoff goes on from where it was, unless the session was online for long. */
static uint32_t next_delay_ms(struct gw_instance *inst)
{
	uint32_t rnd = 0;

	if (inst->retry.online_ms != 0 && clock_ms() - inst->retry.online_ms >= STEADY_MS)
		inst->retry.restarts_n = 0;
	inst->retry.online_ms = 0;
	(void)!secret_random(&rnd, sizeof(rnd)); /* without it, all wait the least time */
	return gw_restart_delay_ms(inst->retry.restarts_n++, rnd);
}

void gw_inst_crashed(struct gw_instance *inst, enum gw_inst_state where,
                     const struct gw_reason *reason)
{
	bool counts = reason->rc == WA_EWORKER_CRASHED || reason->rc == WA_EWORKER_START;

	inst->retry.down_rc = reason->rc;
	inst->retry.down_at_once = false;
	inst->retry.attempt = inst->retry.restarts_n + 1;
	if (counts && crash_note(inst, where)) {
		LOG(&inst->log, LOG_ERR, "crash_loop", LF_STR("state", gw_inst_state_name(where)),
		    LF_STR("detail", reason->detail));
		crashes_forget(inst); /* whoever asks next gets as many tries */
		inst->retry.restarts_n = 0;
		inst->retry.online_ms = 0;
		inst->retry.attempt = 0;
		inst->goal = GW_GOAL_NONE;
		gw_inst_move(inst, inst->worker != NULL ? GW_LEAVING : GW_IDLE);
		return;
	}
	inst->goal = GW_GOAL_SESSION;
	gw_inst_restart_in(inst, next_delay_ms(inst));
}

bool gw_inst_held_again(struct gw_instance *inst)
{
	if (inst->retry.held_n >= HELD_MAX || inst->gw->stopping)
		return false;
	inst->retry.held_n++;
	gw_inst_restart_in(inst, HELD_MS);
	return true;
}
