/* gateway/instance/gw_instance_session.c - what an instance does with a saved session */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/supervision/gw_worker.h"

/* ---- wanted ----------------------------------------------------------------- */

/* RECONNECT, or the gateway's start: nobody waits. */
int gw_act_session_begin(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_request(inst, in->request_id);
	inst->goal = GW_GOAL_SESSION;
	inst->retry.held_n = 0;
	return gw_inst_start(inst);
}

int gw_act_session_queue(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_request(inst, in->request_id);
	inst->goal = GW_GOAL_SESSION;
	return 0;
}

/* A caller, or RECONNECT, while the worker waits for its next try. */
static void request_take(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (in->params != NULL)
		gw_inst_attempt_fill(inst, in->params);
	else
		gw_inst_request(inst, in->request_id);
}

int gw_act_session_now(struct gw_instance *inst, const struct gw_inst_input *in)
{
	request_take(inst, in);
	inst->retry.next_unix_ms = 0;
	inst->retry.try_ms = clock_ms();
	gw_worker_resume(inst->worker, inst->log.request_id);
	return 0;
}

int gw_act_session_join(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (!inst->attempt.called)
		gw_inst_attempt_fill(inst, in->params);
	return 0;
}

/* No waiting for the timer; but for the last worker, if it is still there. */
int gw_act_session_restart_now(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (inst->goal == GW_GOAL_PAIR)
		return 0; /* joins */
	request_take(inst, in);
	gw_inst_restart_cancel(inst);
	inst->retry.held_n = 0;
	if (inst->worker == NULL)
		return gw_inst_start(inst);
	inst->retry.due = true;
	return 0;
}

/* What was to run once the last worker is gone. */
int gw_act_start_goal(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	if (inst->goal == GW_GOAL_NONE)
		gw_inst_move(inst, GW_IDLE);
	else
		(void)!gw_inst_start(inst); /* its failure has been told to all who wait */
	return 0;
}

int gw_act_retry(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->retry.next_unix_ms = 0;
	if (inst->worker == NULL)
		(void)!gw_inst_start(inst);
	else
		inst->retry.due = true;
	return 0;
}

int gw_act_gone_restart(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	if (inst->retry.due)
		(void)!gw_inst_start(inst);
	return 0;
}

/* No worker can be had now. Callers are told; the session goes on being wanted. */
int gw_act_session_refused(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_callers_end(inst, in->reason);
	if (inst->gw->stopping || in->reason->rc == WA_ESHUTTING_DOWN) {
		inst->goal = GW_GOAL_NONE;
		gw_inst_move(inst, GW_IDLE);
		return 0;
	}
	gw_inst_crashed(inst, GW_RESUMING, in->reason);
	return 0;
}

/* ---- on its way ------------------------------------------------------------- */

int gw_act_session_step(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_account_said nothing = { 0 };

	inst->attempt.step = in->step;
	inst->told.adopting = false;
	inst->retry.next_unix_ms = 0;
	if (inst->from == GW_WAITING)
		inst->retry.try_ms = clock_ms();
	if (in->step_is_login && inst->unsure) {
		gw_inst_link_take(inst, &nothing);
		gw_instance_notify(inst);
	}
	return 0;
}

/* There was no session after all, and the worker pairs, as it was told to in this case. */
int gw_act_session_code(struct gw_instance *inst, const struct gw_inst_input *in)
{
	int rc;

	if (inst->mode != GW_MODE_LINK)
		return WA_ESTATE;
	rc = gw_act_code(inst, in);
	if (rc < 0)
		return rc;
	gw_inst_unlink(inst, GW_END_NONE);
	inst->goal = GW_GOAL_PAIR;
	gw_inst_pairing_begins(inst);
	return 0;
}

int gw_act_online(struct gw_instance *inst, const struct gw_inst_input *in)
{
	bool was = in->since_ms > 0; /* and only we did not know: no news, of thousands at once */

	LOG(&inst->log, was ? LOG_DEBUG : LOG_INFO, "online",
	    LF_INT("ms", clock_ms() - inst->retry.try_ms), LF_INT("attempt", inst->retry.attempt));
	gw_inst_link_take(inst, &in->account);
	gw_inst_error_clear(inst);
	inst->retry.down_rc = 0;
	inst->retry.down_at_once = false;
	inst->retry.down_silent = false;
	inst->retry.attempt = 0;
	inst->retry.next_unix_ms = 0;
	inst->retry.held_n = 0;
	inst->retry.online_ms = clock_ms();
	gw_inst_callers_end(inst, NULL);
	if (was) {
		inst->no_news = true;
		gw_inst_show(inst);
		inst->no_news = false;
		inst->since_unix_ms = clock_unix_ms() - (int64_t)in->since_ms;
		inst->retry.online_ms -= in->since_ms;
	}
	inst->log.request_id = NULL; /* from here on it is nobody's request */
	return 0;
}

int gw_act_profile(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_link_take(inst, &in->account);
	return 0;
}

/* What the backoff of restarts wants to know of a session that is online no more. */
static void online_over(struct gw_instance *inst)
{
	if (inst->from == GW_ONLINE && clock_ms() - inst->retry.online_ms >= 60000)
		inst->retry.restarts_n = 0;
	inst->retry.online_ms = 0;
}

/* The worker goes on by itself; who waits for this try has its answer. */
int gw_act_down(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_account_said nothing = { 0 };
	const struct gw_reason *r = in->reason;
	char code[GW_REASON_CODE_CAP];

	gw_reason_code(r, code);
	LOG(&inst->log, LOG_NOTICE, "down", LF_STR("code", code), LF_STR("detail", r->detail),
	    LF_INT("attempt", in->attempt), LF_INT("retry_ms", in->retry_ms));
	gw_inst_link_take(inst, &nothing);
	online_over(inst);
	inst->retry.down_rc = r->rc;
	inst->retry.attempt = in->attempt;
	inst->retry.down_at_once = in->retry_ms == 0;
	inst->retry.down_silent = in->silent;
	inst->told.adopting = false;
	if (r->rc != 0)
		gw_inst_error_set(inst, r);
	if (in->retry_ms == 0) {
		inst->retry.next_unix_ms = 0;
		inst->retry.try_ms = clock_ms();
		gw_inst_move(inst, GW_RESUMING);
		return 0;
	}
	inst->retry.next_unix_ms = clock_unix_ms() + (int64_t)in->retry_ms;
	gw_inst_move(inst, GW_WAITING);
	if (r->rc != 0)
		gw_inst_callers_end(inst, r);
	return 0;
}

/* This try's callers have waited long enough; the session is tried on. */
int gw_act_callers_late(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_reason r = gw_reason_make(WA_ETIMEOUT, "");

	(void)in;
	snprintf(r.detail, sizeof(r.detail), "not online within %" PRId64 " s; last step: %s",
	         inst->gw->cfg.connect_timeout_s,
	         inst->attempt.step != NULL ? inst->attempt.step : "start of the worker");
	if (inst->goal != GW_GOAL_PAIR) {
		gw_inst_callers_end(inst, &r);
		return 0;
	}
	gw_inst_attempt_end(inst, &r);
	gw_inst_restart_cancel(inst);
	inst->goal = GW_GOAL_NONE;
	gw_inst_move(inst, inst->worker != NULL ? GW_LEAVING : GW_IDLE);
	return 0;
}

/* ---- over ------------------------------------------------------------------- */

/* Which ends mean that there is no session any more. */
static bool ends_link(int rc)
{
	return rc == WA_ELOGGED_OUT || rc == WA_EBANNED || rc == WA_EPAIRING_REFUSED ||
	       rc == WA_ENO_SESSION;
}

static enum gw_link_end end_of(int rc)
{
	return rc == WA_ELOGGED_OUT ? GW_END_LOGGEDOUT
	       : rc == WA_EBANNED   ? GW_END_BANNED
	                            : GW_END_NONE;
}

/* WhatsApp did not take the link: whose it would have been is nobody's business any more. */
static void forget_device(struct gw_device *l)
{
	gw_device_jid_set(l, "");
	l->lid[0] = '\0';
	l->platform[0] = '\0';
	l->push_name[0] = '\0';
	l->business_name[0] = '\0';
}

/* What the end of a saved session leaves behind. True: who waits is to be paired anew. */
static bool session_over(struct gw_instance *inst, const struct gw_reason *said)
{
	bool was_linked = inst->link.linked;
	bool pair = (said->rc == WA_ELOGGED_OUT || said->rc == WA_ENO_SESSION) &&
	            inst->attempt.called && !inst->gw->stopping;
	struct gw_reason r = *said;

	inst->goal = GW_GOAL_NONE;
	inst->retry.next_unix_ms = 0;
	inst->retry.attempt = 0;
	online_over(inst);
	if (r.rc == WA_EPAIRING_REFUSED)
		forget_device(&inst->link);
	if (ends_link(r.rc))
		gw_inst_unlink(inst, end_of(r.rc));
	if (r.rc == WA_ENO_SESSION)
		r = gw_reason_make(WA_ESTORE_CORRUPT, "the saved session is gone from the disk");
	if (said->rc != WA_ENO_SESSION || was_linked)
		gw_inst_error_set(inst, &r);
	if (!pair)
		gw_inst_callers_end(inst, &r);
	return pair;
}

int gw_act_session_failed(struct gw_instance *inst, const struct gw_inst_input *in)
{
	char code[GW_REASON_CODE_CAP];

	gw_reason_code(in->reason, code);
	gw_worker_expect_exit(inst->worker);
	if (in->reason->rc == WA_EALREADY_RUNNING && gw_inst_held_again(inst))
		return 0;
	LOG(&inst->log, LOG_NOTICE, "session_over", LF_STR("code", code),
	    LF_STR("detail", in->reason->detail));
	if (!session_over(inst, in->reason))
		return 0;
	inst->attempt.codes_n = 0;
	inst->goal = GW_GOAL_PAIR;
	gw_inst_move(inst, GW_QUEUED);
	return 0;
}

/* The same, heard when the worker was on its way out already. */
int gw_act_late_failed(struct gw_instance *inst, const struct gw_inst_input *in)
{
	bool queued = inst->state == GW_QUEUED;

	if (!inst->link.linked || !ends_link(in->reason->rc))
		return 0;
	gw_inst_unlink(inst, end_of(in->reason->rc));
	if (queued && inst->attempt.called)
		inst->goal = GW_GOAL_PAIR;
	return 0;
}

/* It said that it unlinked, but nobody waits for that any more. */
int gw_act_unlinked_by_itself(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_reason r = gw_reason_make(WA_ELOGGED_OUT, "the link was ended from here");
	const struct gw_inst_input over = { .reason = &r };

	if (in->reason->rc == 0)
		return gw_act_session_failed(inst, &over);
	gw_inst_move(inst, inst->from);
	return 0;
}

static int broken(struct gw_instance *inst, const struct gw_reason *reason)
{
	gw_inst_error_set(inst, reason);
	gw_inst_callers_end(inst, reason);
	if (inst->gw->stopping) {
		inst->goal = GW_GOAL_NONE;
		gw_inst_move(inst, GW_LEAVING);
		return 0;
	}
	gw_inst_crashed(inst, inst->from, reason);
	return 0;
}

/* LOST. */
int gw_act_session_broken(struct gw_instance *inst, const struct gw_inst_input *in)
{
	return broken(inst, in->reason);
}

/* It left, in order, but not because it was told to. */
int gw_act_session_bye(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_reason r = *in->reason;

	if (r.rc == 0)
		r = gw_reason_make(WA_EWORKER_CRASHED, "the worker left unexpectedly");
	return broken(inst, &r);
}
