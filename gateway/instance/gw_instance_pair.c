/* gateway/instance/gw_instance_pair.c - what an instance does while a link is being made */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_numbers.h"
#include "gateway/supervision/gw_worker.h"

#define GRACE_MS 5000         /* how long the next code, or the worker's own limit, may be late */
#define PASSKEY_MS 300000     /* the step's own limit */
#define PAIR_SUCCESS_MS 60000 /* after the passkey step */
#define CRASH_LOOK_MS 100

/* ---- begin ------------------------------------------------------------------ */

int gw_act_begin(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_attempt_fill(inst, in->params);
	inst->goal = gw_inst_has_session(inst) ? GW_GOAL_SESSION : GW_GOAL_PAIR;
	inst->retry.held_n = 0;
	return gw_inst_start(inst);
}

/* A caller joins what runs; its watch is added by gw_instance_connect(). */
int gw_act_join(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)inst;
	(void)in;
	return 0;
}

int gw_act_enqueue(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_attempt_fill(inst, in->params);
	inst->goal = gw_inst_has_session(inst) ? GW_GOAL_SESSION : GW_GOAL_PAIR;
	inst->retry.held_n = 0;
	return 0;
}

/* The one that waits gives way; a worker that runs has been told so already. */
int gw_act_replace_queued(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_attempt_end_rc(inst, WA_ESUPERSEDED,
	                       "another connect call asked for something else");
	gw_inst_attempt_fill(inst, in->params);
	return 0;
}

int gw_act_replace(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)!gw_act_replace_queued(inst, in);
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	return 0;
}

int gw_act_pair_refused(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_inst_attempt_end(inst, in->reason);
	inst->goal = GW_GOAL_NONE;
	return 0;
}

int gw_act_ready(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	LOG(&inst->log, LOG_DEBUG, "worker_ready",
	    LF_INT("ms", clock_ms() - inst->attempt.began_ms));
	return 0;
}

/* A login instead of a pairing: there was a saved session after all. */
int gw_act_pair_step(struct gw_instance *inst, const struct gw_inst_input *in)
{
	if (in->step_is_login && inst->from != GW_DIALING)
		return WA_ESTATE;
	inst->attempt.step = in->step;
	if (!in->step_is_login)
		return 0;
	inst->unsure = true;
	inst->goal = GW_GOAL_SESSION;
	gw_inst_move(inst, GW_RESUMING);
	gw_instance_notify(inst);
	return 0;
}

/* ---- codes and the passkey step --------------------------------------------- */

static void log_first_code(const struct gw_instance *inst, const struct gw_code_timing *t)
{
	LOG(&inst->log, LOG_INFO, "code_ready", LF_INT("ms", clock_ms() - inst->attempt.began_ms),
	    LF_INT("spawn_us", t->spawn_us), LF_INT("start_us", t->start_us),
	    LF_INT("tcp_us", t->tcp_us), LF_INT("tls_us", t->tls_us),
	    LF_INT("upgrade_us", t->upgrade_us), LF_INT("handshake_us", t->handshake_us),
	    LF_INT("code_us", t->code_us));
}

int gw_act_code(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_code *c = &inst->code;

	if (in->code.pairing != (inst->attempt.number[0] != '\0'))
		return WA_ESTATE; /* not what it was asked for */
	gw_instance_code_clear(inst);
	gw_instance_passkey_clear(inst);
	c->pairing = in->code.pairing;
	snprintf(c->text, sizeof(c->text), "%s", in->code.text);
	c->expires_at_ms = clock_ms() + in->code.valid_ms;
	c->expires_unix_ms = clock_unix_ms() + in->code.valid_ms;
	c->index = in->code.index;
	c->total = in->code.total;
	inst->code_seq++;
	if (inst->attempt.codes_n++ == 0)
		log_first_code(inst, &in->code.timing);
	if (in->code.pairing) {
		gw_numbers_issued(inst->gw->numbers, inst->attempt.number, clock_ms());
		inst->attempt.holds_number = false;
	}
	inst->goal = GW_GOAL_PAIR;
	gw_inst_error_clear(inst); /* what failed last time works now */
	gw_inst_deadline(inst, (uint64_t)in->code.valid_ms + GRACE_MS);
	gw_inst_tell_code(inst);
	gw_instance_notify(inst);
	return 0;
}

int gw_act_passkey(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_passkey *p = &inst->passkey;
	uint64_t valid_ms = in->passkey.valid_ms != 0 ? in->passkey.valid_ms : PASSKEY_MS;

	gw_instance_code_clear(inst); /* it has been scanned */
	gw_instance_passkey_clear(inst);
	p->status = in->passkey.status;
	if (p->status == GW_PASSKEY_REQUIRED)
		p->public_key = json_incref(in->passkey.public_key);
	if (p->status == GW_PASSKEY_CONFIRM && in->passkey.code != NULL)
		snprintf(p->code, sizeof(p->code), "%s", in->passkey.code);
	if (p->status == GW_PASSKEY_DONE)
		valid_ms = PAIR_SUCCESS_MS;
	inst->passkey_seq++;
	gw_inst_tell_passkey(inst);
	gw_inst_deadline(inst, valid_ms + GRACE_MS);
	gw_instance_notify(inst);
	return 0;
}

/* ---- the link --------------------------------------------------------------- */

/* Committed; the first login follows. The callers' patience begins anew. */
int gw_act_linked(struct gw_instance *inst, const struct gw_inst_input *in)
{
	LOG(&inst->log, LOG_NOTICE, "linked", LF_INT("ms", clock_ms() - inst->attempt.began_ms));
	inst->link.history_days = inst->attempt.history_days;
	inst->history.progress = 0;
	inst->history.messages = 0;
	inst->link.business_name[0] = inst->link.push_name[0] = inst->link.lid[0] = '\0';
	gw_inst_link_take(inst, &in->account);
	gw_inst_tell_linked(inst);
	gw_instance_code_clear(inst);
	if (inst->passkey.status != GW_PASSKEY_NONE)
		inst->passkey.status = GW_PASSKEY_DONE;
	gw_inst_deadline(inst, (uint64_t)inst->gw->cfg.connect_timeout_s * 1000);
	gw_instance_notify(inst);
	return 0;
}

/* The worker was told to leave, but the link was made before it heard that: it counts. */
int gw_act_late_linked(struct gw_instance *inst, const struct gw_inst_input *in)
{
	enum gw_goal goal = inst->goal;

	inst->link.history_days = inst->attempt.history_days;
	gw_inst_link_take(inst, &in->account);
	gw_inst_tell_linked(inst);
	if (inst->state == GW_LEAVING && !inst->gw->stopping)
		gw_inst_move(inst, GW_QUEUED);
	else if (inst->state != GW_QUEUED)
		inst->goal = goal;
	return 0;
}

void gw_instance_history(struct gw_instance *inst, uint32_t days, uint32_t progress,
                         uint64_t messages)
{
	if (days != 0) /* of a link that was found: the registry may not know */
		inst->link.history_days = days;
	inst->history.progress = progress;
	inst->history.messages = messages;
}

/* ---- the end ---------------------------------------------------------------- */

/* FAILED: the worker leaves by itself. */
int gw_act_pair_failed(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_worker_expect_exit(inst->worker);
	if (in->reason->rc == WA_EALREADY_RUNNING && inst->from == GW_DIALING &&
	    gw_inst_held_again(inst))
		return 0;
	gw_inst_attempt_end(inst, in->reason);
	inst->goal = GW_GOAL_NONE;
	gw_inst_attempt_again(inst);
	return 0;
}

/* A crash may have come between the commit of a link and our hearing of it. */
static bool may_be_linked(const struct gw_instance *inst)
{
	char *path;
	bool there;

	if ((inst->from != GW_CODE && inst->from != GW_PASSKEY) || inst->gw->stopping)
		return false;
	if (asprintf(&path, "%s/instances/%s/session.db", inst->gw->cfg.data_dir, inst->id) < 0)
		return false;
	there = access(path, F_OK) == 0;
	free(path);
	return there;
}

/* The worker leaves, or is lost, in the middle of the attempt. */
int gw_act_pair_broken(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_reason r = *in->reason;

	/* that the codes ran out is said by FAILED; in a BYE it would leave watches without an end
	 */
	if (r.rc == 0 || r.rc == WA_ECODE_TIMEOUT)
		r = gw_reason_make(WA_EWORKER_CRASHED,
		                   "the worker left before the attempt was over");
	gw_inst_attempt_end(inst, &r);
	inst->goal = GW_GOAL_NONE;
	if (!may_be_linked(inst))
		return 0;
	inst->unsure = true;
	inst->goal = GW_GOAL_SESSION;
	gw_inst_restart_in(inst, CRASH_LOOK_MS);
	return 0;
}

static void too_late(struct gw_instance *inst, int rc, const char *detail)
{
	gw_inst_attempt_end_rc(inst, rc, detail);
	inst->goal = GW_GOAL_NONE;
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
}

/* Before the first code. */
int gw_act_too_late(struct gw_instance *inst, const struct gw_inst_input *in)
{
	char detail[128];

	(void)in;
	snprintf(detail, sizeof(detail), "no code within %" PRId64 " s; last step: %s",
	         inst->gw->cfg.connect_timeout_s,
	         inst->attempt.step != NULL ? inst->attempt.step : "start of the worker");
	too_late(inst, WA_ETIMEOUT, detail);
	return 0;
}

/* While the worker of the attempt before has not left. */
int gw_act_too_late_queued(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	gw_inst_attempt_end_rc(inst, WA_ETIMEOUT,
	                       "the worker of the attempt before did not leave in time");
	if (inst->goal == GW_GOAL_SESSION) {
		gw_inst_move(inst, GW_QUEUED); /* the session is wanted all the same */
		return 0;
	}
	inst->goal = GW_GOAL_NONE;
	return 0;
}

/* After the last code, or an open passkey step, without a word from the worker. */
int gw_act_codes_over(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	if (inst->from == GW_PASSKEY) {
		too_late(inst, WA_ETIMEOUT, "the passkey step was not completed in time");
		return 0;
	}
	too_late(inst, WA_ECODE_TIMEOUT, "nobody used the code in time");
	gw_inst_attempt_again(inst);
	return 0;
}
