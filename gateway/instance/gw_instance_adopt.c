/* gateway/instance/gw_instance_adopt.c - a worker that ran before the gateway did, and the next after it */
#include "gateway/instance/gw_instance_act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_tail.h"
#include "gateway/gw.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_worker.h"

#define CODE_MS 65000 /* within this time one that shows codes shows one, or says how it ended */

/* ---- taken over -------------------------------------------------------------- */

int gw_instance_adopt(struct gw_instance *inst, struct gw_worker *w)
{
	const struct gw_inst_input in = { .worker = w };

	return gw_instance_event(inst, GW_EV_ADOPT, &in);
}

int gw_act_adopt(struct gw_instance *inst, const struct gw_inst_input *in)
{
	inst->worker = in->worker;
	inst->mode = GW_MODE_RESUME;
	inst->retry.try_ms = clock_ms();
	return 0;
}

/* A caller before it is known what the worker is at: it waits for that, in any case. */
int gw_act_adopt_join(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (!inst->attempt.called)
		gw_inst_attempt_fill(inst, in->params);
	return 0;
}

/* What runs next, once this worker is gone; nothing: LEAVING. */
static void then(struct gw_instance *inst)
{
	inst->goal = gw_inst_has_session(inst) ? GW_GOAL_SESSION
	             : inst->attempt.called    ? GW_GOAL_PAIR
	                                       : GW_GOAL_NONE;
	gw_inst_move(inst, inst->goal == GW_GOAL_NONE ? GW_LEAVING : GW_QUEUED);
}

static void adopt_session(struct gw_instance *inst, const struct gw_inst_hello *h)
{
	const struct gw_account_said nothing = { 0 };

	gw_inst_link_take(inst, &nothing);
	inst->attempt.step = h->step;
	gw_inst_move(inst, GW_RESUMING);
}

/* Callers may want to pair another way by now: theirs is the attempt then. */
static void adopt_pairing(struct gw_instance *inst, const struct gw_inst_hello *h)
{
	const struct gw_connect_params p = { .number = h->number, .history_days = h->history_days };
	const char *number = h->number != NULL ? h->number : "";

	inst->unsure = false; /* its session.db is the worker's, and has no link in it */
	if (inst->attempt.called && !gw_inst_same_pairing(inst, number, h->history_days)) {
		gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
		then(inst);
		return;
	}
	if (!inst->attempt.called) {
		gw_inst_attempt_fill(inst, &p);
		inst->attempt.called = false;
		gw_inst_deadline(inst, CODE_MS);
	}
	inst->attempt.step = h->step;
	inst->attempt.codes_n = h->shows_code;
	inst->goal = GW_GOAL_PAIR;
	inst->mode = GW_MODE_LINK;
	gw_inst_move(inst, h->shows_code ? GW_CODE : GW_DIALING);
}

int gw_act_adopted(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_inst_hello *h = &in->hello;

	LOG(&inst->log, LOG_DEBUG, "adopted", LF_BOOL("connected", h->connected),
	    LF_BOOL("linked", h->linked), LF_STR("step", h->step));
	if (!h->connected) { /* whoever started it died before it could say what for */
		gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
		then(inst);
		return 0;
	}
	if (h->linked)
		adopt_session(inst, h);
	else
		adopt_pairing(inst, h);
	/* what has changed while nobody told it */
	gw_worker_settings(inst->worker);
	gw_worker_proxy(inst->worker);
	return 0;
}

int gw_act_adopt_logout(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (!gw_inst_has_session(inst))
		return gw_act_logout_pairing(inst, in);
	(void)!gw_act_logout_session(inst, in);
	inst->back = GW_RESUMING; /* should it fail: READY will have come and gone by then */
	return 0;
}

/* It was about to go, or is gone: nobody's fault, and the next one is due. */
int gw_act_adopt_broken(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	then(inst);
	return 0;
}

/* ---- left behind ------------------------------------------------------------- */

void gw_instance_part(struct gw_instance *inst)
{
	gw_inst_drop_wishes(inst);
	inst->worker = NULL;
	if (inst->state != GW_DELETED)
		gw_inst_move(inst, GW_IDLE);
}

/* ---- replaced ---------------------------------------------------------------- */

bool gw_instance_renew(struct gw_instance *inst)
{
	return (inst->state == GW_ONLINE || inst->state == GW_WAITING) && !inst->gw->stopping &&
	       gw_instance_event(inst, GW_EV_RENEW, NULL) == 0;
}

bool gw_instance_is_renewing(const struct gw_instance *inst)
{
	return inst->state != GW_ONLINE; /* clients are shown what it was for a moment longer */
}

int gw_act_renew(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->goal = GW_GOAL_SESSION;
	inst->retry.down_rc = 0;
	inst->retry.down_at_once = true; /* clients need not see the blip */
	inst->retry.next_unix_ms = 0;
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	return 0;
}

/* ---- what is left of it ------------------------------------------------------ */

/* What it worked on last, and whether that is to be set aside from now on. */
static void note_hand(struct gw_instance *inst, int tail_fd)
{
	uint64_t key;

	if (log_tail_read_hand(tail_fd, &key) < 0 || key == 0)
		return;
	if (!gw_deaths_note(&inst->deaths, key, clock_ms()))
		return;
	LOG(&inst->log, LOG_ERR, "set_aside", LF_INT("deaths", GW_DEATHS_MAX));
	inst->retry.restarts_n = 0; /* it is mended: the next one need not wait */
}

const struct gw_deaths *gw_instance_deaths(const struct gw_instance *inst)
{
	return &inst->deaths;
}

void gw_instance_keep_log(struct gw_instance *inst, int tail_fd)
{
	char text[LOG_TAIL_LEN + 1];
	char *kept;

	if (tail_fd >= 0)
		note_hand(inst, tail_fd);
	if (tail_fd < 0 || log_tail_read(tail_fd, text) < 0 || text[0] == '\0')
		return;
	kept = strdup(text);
	if (kept == NULL)
		return;
	free(inst->last_log);
	inst->last_log = kept;
}

const char *gw_instance_last_log(const struct gw_instance *inst)
{
	return inst->last_log;
}

bool gw_instance_is_saved(const struct gw_instance *inst)
{
	return inst->gw->registry == NULL || gw_registry_instance_is_saved(inst);
}

void gw_instance_saved(struct gw_instance *inst)
{
	if (inst->worker != NULL)
		gw_worker_saved(inst->worker);
}
