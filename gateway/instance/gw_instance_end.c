/* gateway/instance/gw_instance_end.c - the end of a link, of an instance, of the gateway */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/supervision/gw_worker.h"

#define LOGOUT_MS 30000
#define DELETE_LOGOUT_MS 10000
#define DELETE_AFTER_LOGOUT_MS 60000 /* a logout that failed just now is not tried again */
#define RESTART_MS 100

/* ---- time ------------------------------------------------------------------- */

static void logout_within(struct gw_instance *inst, uint64_t ms)
{
	inst->logout_until_ms = clock_ms() + ms;
	gw_inst_deadline(inst, ms);
}

/* Callers that came while the link was being ended wait on for what follows. */
static void callers_deadline(struct gw_instance *inst)
{
	uint64_t all = (uint64_t)inst->gw->cfg.connect_timeout_s * 1000;
	uint64_t used = clock_ms() - inst->attempt.began_ms;

	if (inst->attempt.called)
		gw_inst_deadline(inst, used < all ? all - used : 0);
}

static const char asked[] = "the instance is being logged out";

/* ---- logout: begin ---------------------------------------------------------- */

static void back_to_work(struct gw_instance *inst, bool alive);

/* Nothing runs: a worker for it, or it is done already. */
static int logout_start(struct gw_instance *inst)
{
	struct gw_reason r;
	int rc;

	if (!gw_inst_has_session(inst)) {
		event_del(inst->ev_deadline);
		gw_inst_unlink(inst, GW_END_LOGGEDOUT);
		gw_instance_logouts_end(inst, NULL);
		callers_deadline(inst);
		inst->goal = inst->attempt.called ? GW_GOAL_PAIR : GW_GOAL_NONE;
		return gw_act_start_goal(inst, NULL);
	}
	rc = gw_inst_start_logout(inst);
	if (rc == 0) {
		logout_within(inst, LOGOUT_MS);
		return 0;
	}
	r = gw_reason_make(rc, "no worker could be started");
	gw_instance_logouts_end(inst, &r);
	back_to_work(inst, false);
	return rc;
}

int gw_act_logout_idle(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_request(inst, in->request_id);
	inst->back = GW_IDLE;
	return logout_start(inst);
}

/* The pairing ends; should it have come to a link in the last moment, that is ended next. */
int gw_act_logout_pairing(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	gw_inst_attempt_end_rc(inst, WA_ELOGGED_OUT, asked);
	gw_inst_error_clear(inst); /* it was asked for */
	inst->goal = GW_GOAL_NONE;
	inst->back = GW_IDLE;
	inst->unlinking = false;
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	logout_within(inst, LOGOUT_MS);
	return 0;
}

int gw_act_logout_session(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_reason r = gw_reason_make(WA_ELOGGED_OUT, asked);

	gw_inst_callers_end(inst, &r);
	gw_inst_request(inst, in->request_id);
	inst->back = inst->from;
	inst->unlinking = true;
	gw_worker_logout(inst->worker, in->request_id);
	logout_within(inst, LOGOUT_MS);
	return 0;
}

/* The last worker is on its way out. */
int gw_act_logout_leaving(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_reason r = gw_reason_make(WA_ELOGGED_OUT, asked);

	gw_inst_callers_end(inst, &r);
	gw_inst_request(inst, in->request_id);
	inst->back = inst->goal == GW_GOAL_SESSION ? GW_RESTARTING : GW_IDLE;
	inst->goal = GW_GOAL_NONE;
	inst->unlinking = false;
	logout_within(inst, LOGOUT_MS);
	return 0;
}

int gw_act_logout_restarting(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_restart_cancel(inst);
	(void)!gw_act_logout_leaving(inst, in);
	return inst->worker == NULL ? logout_start(inst) : 0;
}

/* A caller while the link is being ended: it waits for what follows. */
int gw_act_logout_connect(struct gw_instance *inst, const struct gw_inst_input *in)
{
	uint64_t now = clock_ms();

	if (inst->attempt.called)
		return 0;
	gw_inst_attempt_fill(inst, in->params);
	gw_inst_deadline(inst, inst->logout_until_ms > now ? inst->logout_until_ms - now : 0);
	return 0;
}

/* ---- logout: outcome -------------------------------------------------------- */

/* What ran before, in the worker that did it. */
static void back_alive(struct gw_instance *inst)
{
	gw_inst_move(inst, inst->back);
	if (inst->back == GW_ONLINE) {
		inst->retry.online_ms = clock_ms();
		gw_inst_callers_end(inst, NULL);
	} else if (inst->attempt.called && inst->back == GW_WAITING) {
		gw_worker_resume(inst->worker, inst->log.request_id);
		gw_inst_move(inst, GW_RESUMING);
	}
}

/* It did not work out: what ran before goes on, in the worker that is alive or in another. */
static void back_to_work(struct gw_instance *inst, bool alive)
{
	bool wanted = (inst->back != GW_IDLE || inst->attempt.called) &&
	              gw_inst_has_session(inst) && !inst->gw->stopping;

	event_del(inst->ev_deadline);
	callers_deadline(inst);
	inst->unlinking = false;
	inst->unlink_failed_ms = clock_ms();
	inst->goal = wanted ? GW_GOAL_SESSION : GW_GOAL_NONE;
	if (alive && inst->back != GW_IDLE && inst->back != GW_RESTARTING)
		back_alive(inst);
	else if (wanted)
		gw_inst_restart_in(inst, RESTART_MS);
	else
		gw_inst_move(inst, inst->worker != NULL ? GW_LEAVING : GW_IDLE);
}

/* WhatsApp knows, or has known before. */
static void logout_succeeds(struct gw_instance *inst, enum gw_link_end end)
{
	event_del(inst->ev_deadline);
	inst->unlinking = false;
	LOG(&inst->log, LOG_NOTICE, "logged_out");
	gw_inst_unlink(inst, end);
	gw_inst_error_clear(inst);
	inst->retry.attempt = 0;
	inst->retry.online_ms = 0;
	inst->retry.next_unix_ms = 0;
	gw_instance_logouts_end(inst, NULL);
	gw_worker_expect_exit(inst->worker);
	gw_inst_move(inst, GW_LEAVING);
	if (!inst->attempt.called || inst->gw->stopping)
		return;
	inst->goal = GW_GOAL_PAIR;
	callers_deadline(inst);
	gw_inst_move(inst, GW_QUEUED);
}

int gw_act_logout_done(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (!inst->unlinking)
		return 0;
	if (in->reason->rc == 0 || in->reason->rc == WA_ENO_SESSION) {
		logout_succeeds(inst, GW_END_LOGGEDOUT);
		return 0;
	}
	gw_instance_logouts_end(inst, in->reason);
	if (inst->mode == GW_MODE_LOGOUT)
		gw_worker_expect_exit(inst->worker);
	back_to_work(inst, inst->mode != GW_MODE_LOGOUT);
	return 0;
}

/* The session has ended for another reason, which may be as good. */
int gw_act_logout_failed(struct gw_instance *inst, const struct gw_inst_input *in)
{
	int rc = in->reason->rc;

	if (!inst->unlinking)
		return gw_act_late_failed(inst, in);
	if (rc == WA_ELOGGED_OUT || rc == WA_ENO_SESSION || rc == WA_EPAIRING_REFUSED ||
	    rc == WA_EBANNED) {
		logout_succeeds(inst, rc == WA_EBANNED ? GW_END_BANNED : GW_END_LOGGEDOUT);
		return 0;
	}
	gw_inst_error_set(inst, in->reason);
	gw_instance_logouts_end(inst, in->reason);
	gw_worker_expect_exit(inst->worker);
	inst->back = GW_IDLE;
	back_to_work(inst, false);
	return 0;
}

/* BYE or LOST. */
int gw_act_logout_broken(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_reason r = *in->reason;

	if (!inst->unlinking)
		return 0; /* it was told to leave */
	if (r.rc == 0)
		r = gw_reason_make(WA_EWORKER_CRASHED, "the worker left before it was done");
	gw_instance_logouts_end(inst, &r);
	back_to_work(inst, false);
	return 0;
}

int gw_act_logout_gone(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	(void)!logout_start(inst); /* its failure has been told */
	return 0;
}

int gw_act_logout_late(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_reason r =
	    gw_reason_make(WA_ETIMEOUT, "WhatsApp did not confirm within 30 s");

	(void)in;
	gw_instance_logouts_end(inst, &r);
	if (inst->worker != NULL)
		gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	back_to_work(inst, false);
	return 0;
}

/* The worker's session goes its way meanwhile. */
int gw_act_logout_online(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_link_take(inst, &in->account);
	inst->goal = GW_GOAL_NONE;
	if (inst->mode != GW_MODE_LOGOUT && inst->back != GW_IDLE)
		inst->back = GW_ONLINE;
	return 0;
}

int gw_act_logout_down(struct gw_instance *inst, const struct gw_inst_input *in)
{
	inst->retry.down_rc = in->reason->rc;
	inst->retry.online_ms = 0;
	if (inst->mode != GW_MODE_LOGOUT && inst->back != GW_IDLE)
		inst->back = in->retry_ms == 0 ? GW_RESUMING : GW_WAITING;
	return 0;
}

/* ---- the gateway's end ------------------------------------------------------ */

void gw_inst_drop_wishes(struct gw_instance *inst)
{
	const struct gw_reason r = gw_reason_make(WA_ESHUTTING_DOWN, "the gateway is stopping");

	if (inst->goal == GW_GOAL_PAIR)
		gw_inst_attempt_end(inst, &r);
	else
		gw_inst_callers_end(inst, &r);
	gw_instance_logouts_end(inst, &r);
	gw_inst_restart_cancel(inst);
	inst->goal = GW_GOAL_NONE;
	inst->unlinking = false;
}

int gw_act_stop(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	gw_inst_drop_wishes(inst);
	if (inst->worker == NULL) {
		gw_inst_move(inst, GW_IDLE);
		return 0;
	}
	gw_worker_stop(inst->worker, GW_STOP_SHUTDOWN);
	return 0;
}

/* ---- deletion --------------------------------------------------------------- */

int gw_act_deleted(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_instance_gone_cb *cb = inst->on_gone;

	(void)in;
	event_del(inst->ev_deadline);
	inst->worker = NULL;
	inst->on_gone = NULL;
	gw_inst_move(inst, GW_DELETED);
	cb(inst, inst->on_gone_arg);
	return 0;
}

/* Worth a try, or a try more? */
static bool delete_unlinks(const struct gw_instance *inst)
{
	bool failed = inst->unlink_failed_ms != 0 &&
	              clock_ms() - inst->unlink_failed_ms < DELETE_AFTER_LOGOUT_MS;

	return gw_inst_has_session(inst) && !inst->unlink_tried && !failed && !inst->gw->stopping;
}

/* No worker is there: one to unlink, or the end. */
static int delete_next(struct gw_instance *inst)
{
	inst->worker = NULL;
	if (delete_unlinks(inst) && gw_inst_start_logout(inst) == 0) {
		inst->unlink_tried = true;
		logout_within(inst, DELETE_LOGOUT_MS);
		return 0;
	}
	return gw_act_deleted(inst, NULL);
}

int gw_act_delete_idle(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	gw_inst_restart_cancel(inst);
	return inst->worker == NULL ? delete_next(inst) : 0;
}

int gw_act_delete_pairing(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	gw_inst_attempt_end_rc(inst, WA_EDELETED, "the instance is being deleted");
	gw_worker_stop(inst->worker, GW_STOP_DELETED);
	return 0;
}

int gw_act_delete_session(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	if (!delete_unlinks(inst)) {
		gw_worker_stop(inst->worker, GW_STOP_DELETED);
		inst->unlink_tried = true;
		return 0;
	}
	inst->unlink_tried = true;
	inst->unlinking = true;
	gw_worker_logout(inst->worker, NULL);
	logout_within(inst, DELETE_LOGOUT_MS);
	return 0;
}

int gw_act_delete_leaving(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->goal = GW_GOAL_NONE;
	gw_worker_stop(inst->worker, GW_STOP_DELETED);
	return 0;
}

/* A logout runs already: its callers learn how it ends. */
int gw_act_delete_logout(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	if (inst->unlinking)
		inst->unlink_tried = true;
	logout_within(inst, DELETE_LOGOUT_MS);
	return 0;
}

/* However unlinking has ended: the worker is to leave now. */
int gw_act_delete_over(struct gw_instance *inst, const struct gw_inst_input *in)
{
	static const char late[] = "WhatsApp did not confirm before the deletion";
	const struct gw_reason timeout = gw_reason_make(WA_ETIMEOUT, late);
	const struct gw_reason *r = in->reason != NULL ? in->reason : &timeout; /* DEADLINE */

	event_del(inst->ev_deadline);
	if (inst->unlinking && (r->rc == 0 || r->rc == WA_ELOGGED_OUT)) {
		gw_inst_unlink(inst, GW_END_LOGGEDOUT);
		r = NULL;
	}
	gw_instance_logouts_end(inst, r);
	inst->unlinking = false;
	if (inst->worker != NULL)
		gw_worker_stop(inst->worker, GW_STOP_DELETED);
	return 0;
}

/* BYE or LOST. A worker that was to leave, not to unlink, has done nothing wrong. */
int gw_act_delete_broken(struct gw_instance *inst, const struct gw_inst_input *in)
{
	const struct gw_reason left =
	    inst->unlinking
	        ? gw_reason_make(WA_EWORKER_CRASHED, "the worker left before it was done")
	        : gw_reason_make(WA_EDELETED, "the instance is being deleted");
	const struct gw_inst_input lost = { .reason = in->reason->rc != 0 ? in->reason : &left };

	return gw_act_delete_over(inst, &lost);
}

int gw_act_delete_gone(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	return delete_next(inst);
}

int gw_act_restore(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	inst->log.request_id = NULL;
	inst->unlink_tried = false;
	inst->goal = GW_GOAL_NONE;
	if (!gw_inst_has_session(inst) || inst->gw->stopping)
		return 0;
	inst->goal = GW_GOAL_SESSION;
	gw_inst_restart_in(inst, RESTART_MS);
	return 0;
}
