/* gateway/gw_instance_machine.c - the one state machine of an instance */
#include "gateway/gw_instance_priv.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_supervisor.h"
#include "gateway/gw_worker.h"

#define CODE_GRACE_MS 5000 /* how long the next code may be late */
/* The attempt ends before its first caller's patience does, so that the caller learns why. */
#define DEADLINE_LEAD_MS 500

static const char *const state_names[GW_INST_STATE_N] = {
	[GW_IDLE] = "idle",         [GW_STARTING] = "starting", [GW_DIALING] = "dialing",
	[GW_CODE] = "code",         [GW_LEAVING] = "leaving",   [GW_QUEUED] = "queued",
	[GW_DELETING] = "deleting", [GW_DELETED] = "deleted",
};

static const char *const event_names[GW_INST_EVENT_N] = {
	[GW_EV_CONNECT] = "connect",   [GW_EV_SUPERSEDE] = "supersede",
	[GW_EV_REFUSED] = "refused",   [GW_EV_READY] = "ready",
	[GW_EV_STEP] = "step",         [GW_EV_CODE] = "code",
	[GW_EV_FAILED] = "failed",     [GW_EV_BYE] = "bye",
	[GW_EV_LOST] = "lost",         [GW_EV_GONE] = "gone",
	[GW_EV_DEADLINE] = "deadline", [GW_EV_STOP] = "stop",
	[GW_EV_DELETE] = "delete",     [GW_EV_RESTORE] = "restore",
};

const char *gw_inst_state_name(enum gw_inst_state st)
{
	return state_names[st];
}

const char *gw_inst_event_name(enum gw_inst_event ev)
{
	return event_names[ev];
}

static struct gw_reason reason_make(int rc, const char *detail)
{
	struct gw_reason r = { .rc = rc, .at_unix_ms = clock_unix_ms() };

	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	return r;
}

/* ---- an attempt ------------------------------------------------------------- */

static void deadline_set(struct gw_instance *inst, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		              .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	/* without memory for the timer the callers' own limits still hold */
	(void)!event_add(inst->ev_deadline, &tv);
}

void gw_instance_on_deadline(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)!gw_instance_event(arg, GW_EV_DEADLINE, NULL);
}

static void attempt_fill(struct gw_instance *inst, const struct gw_connect_params *p)
{
	uint64_t ms = (uint64_t)inst->gw->cfg.connect_timeout_s * 1000;

	inst->attempt.history_days = p->history_days;
	inst->attempt.request_id[0] = '\0';
	if (p->request_id != NULL)
		snprintf(inst->attempt.request_id, sizeof(inst->attempt.request_id), "%s",
		         p->request_id);
	inst->attempt.began_ms = clock_ms();
	inst->attempt.step = NULL;
	inst->attempt.codes_n = 0;
	inst->log.request_id =
	    inst->attempt.request_id[0] != '\0' ? inst->attempt.request_id : NULL;
	deadline_set(inst, ms - DEADLINE_LEAD_MS);
}

/* Everyone who waits is told; what clients see as the last error is set. */
static void attempt_end(struct gw_instance *inst, const struct gw_reason *reason)
{
	char code[GW_REASON_CODE_CAP];
	bool theirs = wa_err_is_outcome(reason->rc) && reason->rc != WA_ESUPERSEDED &&
	              reason->rc != WA_EDELETED;

	gw_reason_code(reason, code);
	LOG(&inst->log, LOG_NOTICE, "attempt_ended", LF_STR("code", code),
	    LF_STR("detail", reason->detail), LF_INT("codes", inst->attempt.codes_n),
	    LF_INT("ms", clock_ms() - inst->attempt.began_ms));
	if (theirs)
		inst->last_error = *reason;
	event_del(inst->ev_deadline);
	gw_instance_code_clear(inst);
	gw_instance_watches_end(inst, reason);
}

static void attempt_end_rc(struct gw_instance *inst, int rc, const char *detail)
{
	struct gw_reason r = reason_make(rc, detail);

	attempt_end(inst, &r);
}

/* The worker of the attempt; on failure the event REFUSED takes the attempt back. */
static int attempt_start(struct gw_instance *inst)
{
	const struct gw_attempt at = { .history_days = inst->attempt.history_days,
		                       .request_id = inst->log.request_id };
	struct gw_inst_input in = { 0 };
	struct gw_reason reason;
	int rc = gw_supervisor_start(inst->gw->sup, inst, &at, &inst->worker);

	if (rc == 0)
		return 0;
	reason = reason_make(rc, "no worker could be started");
	in.reason = &reason;
	(void)!gw_instance_event(inst, GW_EV_REFUSED, &in);
	return rc;
}

/* Late callers of an attempt whose codes ran out get the next one. */
static void attempt_again(struct gw_instance *inst)
{
	char request_id[sizeof(inst->attempt.request_id)];
	const struct gw_connect_params p = { .history_days = inst->attempt.history_days,
		                             .request_id = request_id };
	const struct gw_inst_input in = { .params = &p };

	if (TAILQ_EMPTY(&inst->watches))
		return;
	memcpy(request_id, inst->attempt.request_id, sizeof(request_id));
	(void)!gw_instance_event(inst, GW_EV_CONNECT, &in);
}

/* ---- actions ---------------------------------------------------------------- */

/* A caller joins what runs; its watch is added by gw_instance_connect(). */
static int act_join(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)inst;
	(void)in;
	return 0;
}

/* A message that crossed ours on its way: nobody waits for it. */
static int act_drop(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)inst;
	(void)in;
	return 0;
}

static int act_begin(struct gw_instance *inst, const struct gw_inst_input *in)
{
	attempt_fill(inst, in->params);
	return attempt_start(inst);
}

static int act_enqueue(struct gw_instance *inst, const struct gw_inst_input *in)
{
	attempt_fill(inst, in->params);
	return 0;
}

static int act_replace(struct gw_instance *inst, const struct gw_inst_input *in)
{
	attempt_end_rc(inst, WA_ESUPERSEDED, "another connect call asked for something else");
	attempt_fill(inst, in->params);
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	return 0;
}

static int act_replace_queued(struct gw_instance *inst, const struct gw_inst_input *in)
{
	attempt_end_rc(inst, WA_ESUPERSEDED, "another connect call asked for something else");
	attempt_fill(inst, in->params);
	return 0;
}

static int act_start_queued(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	(void)!attempt_start(inst); /* its failure has been told to all who wait */
	return 0;
}

static int act_refused(struct gw_instance *inst, const struct gw_inst_input *in)
{
	attempt_end(inst, in->reason);
	return 0;
}

static int act_ready(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	LOG(&inst->log, LOG_DEBUG, "worker_ready",
	    LF_INT("ms", clock_ms() - inst->attempt.began_ms));
	return 0;
}

static int act_step(struct gw_instance *inst, const struct gw_inst_input *in)
{
	inst->attempt.step = in->step;
	return 0;
}

static void log_first_code(const struct gw_instance *inst, const struct gw_code_timing *t)
{
	LOG(&inst->log, LOG_INFO, "code_ready", LF_INT("ms", clock_ms() - inst->attempt.began_ms),
	    LF_INT("spawn_us", t->spawn_us), LF_INT("start_us", t->start_us),
	    LF_INT("tcp_us", t->tcp_us), LF_INT("tls_us", t->tls_us),
	    LF_INT("upgrade_us", t->upgrade_us), LF_INT("handshake_us", t->handshake_us),
	    LF_INT("code_us", t->code_us));
}

static int act_code(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_code *c = &inst->code;

	gw_instance_code_clear(inst);
	snprintf(c->text, sizeof(c->text), "%s", in->code.text);
	c->expires_at_ms = clock_ms() + in->code.valid_ms;
	c->expires_unix_ms = clock_unix_ms() + in->code.valid_ms;
	c->index = in->code.index;
	c->total = in->code.total;
	inst->code_seq++;
	if (inst->attempt.codes_n++ == 0)
		log_first_code(inst, &in->code.timing);
	inst->last_error = (struct gw_reason){ 0 }; /* what failed last time works now */
	deadline_set(inst, (uint64_t)in->code.valid_ms + CODE_GRACE_MS);
	gw_instance_notify(inst);
	return 0;
}

/* FAILED: the worker leaves by itself. */
static int act_failed(struct gw_instance *inst, const struct gw_inst_input *in)
{
	attempt_end(inst, in->reason);
	gw_worker_expect_exit(inst->worker);
	attempt_again(inst);
	return 0;
}

/* The worker leaves, or is lost, in the middle of the attempt. */
static int act_broken(struct gw_instance *inst, const struct gw_inst_input *in)
{
	struct gw_reason r = *in->reason;

	/* that the codes ran out is said by FAILED; in a BYE it would leave watches without an end
	 */
	if (r.rc == 0 || r.rc == WA_ECODE_TIMEOUT)
		r = reason_make(WA_EWORKER_CRASHED, "the worker left before the attempt was over");
	attempt_end(inst, &r);
	return 0;
}

static int act_gone(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	inst->log.request_id = NULL;
	return 0;
}

/* Before the first code. */
static int act_too_late(struct gw_instance *inst, const struct gw_inst_input *in)
{
	char detail[128];

	(void)in;
	snprintf(detail, sizeof(detail), "no code within %" PRId64 " s; last step: %s",
	         inst->gw->cfg.connect_timeout_s,
	         inst->attempt.step != NULL ? inst->attempt.step : "start of the worker");
	attempt_end_rc(inst, WA_ETIMEOUT, detail);
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	return 0;
}

/* While the worker of the attempt before has not left. */
static int act_too_late_queued(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	attempt_end_rc(inst, WA_ETIMEOUT, "the worker of the attempt before did not leave in time");
	return 0;
}

/* After the last code, without a word from the worker. */
static int act_codes_over(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	attempt_end_rc(inst, WA_ECODE_TIMEOUT, "nobody scanned the code in time");
	gw_worker_stop(inst->worker, GW_STOP_SUPERSEDED);
	attempt_again(inst);
	return 0;
}

static int act_stop(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	attempt_end_rc(inst, WA_ESHUTTING_DOWN, "the gateway is stopping");
	gw_worker_stop(inst->worker, GW_STOP_SHUTDOWN);
	return 0;
}

static int act_delete(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	attempt_end_rc(inst, WA_EDELETED, "the instance is being deleted");
	gw_worker_stop(inst->worker, GW_STOP_DELETED);
	return 0;
}

static int act_delete_leaving(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	gw_worker_stop(inst->worker, GW_STOP_DELETED);
	return 0;
}

static int act_deleted(struct gw_instance *inst, const struct gw_inst_input *in)
{
	gw_instance_gone_cb *cb = inst->on_gone;

	(void)in;
	inst->worker = NULL;
	inst->on_gone = NULL;
	cb(inst, inst->on_gone_arg);
	return 0;
}

/* ---- the table --------------------------------------------------------------
 *
 * An empty cell is an event that can't happen there: a worker that speaks out of turn, or a mistake
 * of ours. Exactly one of BYE or LOST comes before GONE.
 */
struct edge {
	enum gw_inst_state next;
	int (*act)(struct gw_instance *inst, const struct gw_inst_input *in);
};

static const struct edge edges[GW_INST_STATE_N][GW_INST_EVENT_N] = {
	[GW_IDLE] = {
		[GW_EV_CONNECT] = { GW_STARTING, act_begin },
		[GW_EV_STOP] = { GW_IDLE, act_drop },
		[GW_EV_DELETE] = { GW_DELETED, act_deleted },
	},
	[GW_STARTING] = {
		[GW_EV_CONNECT] = { GW_STARTING, act_join },
		[GW_EV_SUPERSEDE] = { GW_QUEUED, act_replace },
		[GW_EV_REFUSED] = { GW_IDLE, act_refused },
		[GW_EV_READY] = { GW_DIALING, act_ready },
		[GW_EV_BYE] = { GW_LEAVING, act_broken },
		[GW_EV_LOST] = { GW_LEAVING, act_broken },
		[GW_EV_DEADLINE] = { GW_LEAVING, act_too_late },
		[GW_EV_STOP] = { GW_LEAVING, act_stop },
		[GW_EV_DELETE] = { GW_DELETING, act_delete },
	},
	[GW_DIALING] = {
		[GW_EV_CONNECT] = { GW_DIALING, act_join },
		[GW_EV_SUPERSEDE] = { GW_QUEUED, act_replace },
		[GW_EV_STEP] = { GW_DIALING, act_step },
		[GW_EV_CODE] = { GW_CODE, act_code },
		[GW_EV_FAILED] = { GW_LEAVING, act_failed },
		[GW_EV_BYE] = { GW_LEAVING, act_broken },
		[GW_EV_LOST] = { GW_LEAVING, act_broken },
		[GW_EV_DEADLINE] = { GW_LEAVING, act_too_late },
		[GW_EV_STOP] = { GW_LEAVING, act_stop },
		[GW_EV_DELETE] = { GW_DELETING, act_delete },
	},
	[GW_CODE] = {
		[GW_EV_CONNECT] = { GW_CODE, act_join },
		[GW_EV_SUPERSEDE] = { GW_QUEUED, act_replace },
		[GW_EV_STEP] = { GW_CODE, act_step },
		[GW_EV_CODE] = { GW_CODE, act_code },
		[GW_EV_FAILED] = { GW_LEAVING, act_failed },
		[GW_EV_BYE] = { GW_LEAVING, act_broken },
		[GW_EV_LOST] = { GW_LEAVING, act_broken },
		[GW_EV_DEADLINE] = { GW_LEAVING, act_codes_over },
		[GW_EV_STOP] = { GW_LEAVING, act_stop },
		[GW_EV_DELETE] = { GW_DELETING, act_delete },
	},
	[GW_LEAVING] = {
		[GW_EV_CONNECT] = { GW_QUEUED, act_enqueue },
		[GW_EV_READY] = { GW_LEAVING, act_drop },
		[GW_EV_STEP] = { GW_LEAVING, act_drop },
		[GW_EV_CODE] = { GW_LEAVING, act_drop },
		[GW_EV_FAILED] = { GW_LEAVING, act_drop },
		[GW_EV_BYE] = { GW_LEAVING, act_drop },
		[GW_EV_LOST] = { GW_LEAVING, act_drop },
		[GW_EV_GONE] = { GW_IDLE, act_gone },
		[GW_EV_STOP] = { GW_LEAVING, act_drop },
		[GW_EV_DELETE] = { GW_DELETING, act_delete_leaving },
	},
	[GW_QUEUED] = {
		[GW_EV_CONNECT] = { GW_QUEUED, act_join },
		[GW_EV_SUPERSEDE] = { GW_QUEUED, act_replace_queued },
		[GW_EV_READY] = { GW_QUEUED, act_drop },
		[GW_EV_STEP] = { GW_QUEUED, act_drop },
		[GW_EV_CODE] = { GW_QUEUED, act_drop },
		[GW_EV_FAILED] = { GW_QUEUED, act_drop },
		[GW_EV_BYE] = { GW_QUEUED, act_drop },
		[GW_EV_LOST] = { GW_QUEUED, act_drop },
		[GW_EV_GONE] = { GW_STARTING, act_start_queued },
		[GW_EV_DEADLINE] = { GW_LEAVING, act_too_late_queued },
		[GW_EV_STOP] = { GW_LEAVING, act_stop },
		[GW_EV_DELETE] = { GW_DELETING, act_delete },
	},
	[GW_DELETING] = {
		[GW_EV_READY] = { GW_DELETING, act_drop },
		[GW_EV_STEP] = { GW_DELETING, act_drop },
		[GW_EV_CODE] = { GW_DELETING, act_drop },
		[GW_EV_FAILED] = { GW_DELETING, act_drop },
		[GW_EV_BYE] = { GW_DELETING, act_drop },
		[GW_EV_LOST] = { GW_DELETING, act_drop },
		[GW_EV_GONE] = { GW_DELETED, act_deleted },
		[GW_EV_STOP] = { GW_DELETING, act_drop },
	},
	[GW_DELETED] = {
		[GW_EV_STOP] = { GW_DELETED, act_drop },
		[GW_EV_RESTORE] = { GW_IDLE, act_gone },
	},
};

bool gw_instance_attempt_runs(enum gw_inst_state st)
{
	return st == GW_STARTING || st == GW_DIALING || st == GW_CODE || st == GW_QUEUED;
}

/* What clients see follows the machine. */
static void conn_update(struct gw_instance *inst)
{
	enum gw_conn_state now =
	    gw_instance_attempt_runs(inst->state) ? GW_CONNECTING : GW_DISCONNECTED;

	if (now == inst->conn)
		return;
	LOG(&inst->log, LOG_INFO, "instance_state", LF_STR("from", gw_conn_state_name(inst->conn)),
	    LF_STR("to", gw_conn_state_name(now)));
	inst->conn = now;
	inst->since_unix_ms = clock_unix_ms();
}

int gw_instance_event(struct gw_instance *inst, enum gw_inst_event ev,
                      const struct gw_inst_input *in)
{
	const struct edge *e = &edges[inst->state][ev];
	int rc;

	LOG(&inst->log, e->act != NULL ? LOG_DEBUG : LOG_WARNING, "instance_event",
	    LF_STR("state", state_names[inst->state]), LF_STR("got", event_names[ev]),
	    LF_STR("next", e->act != NULL ? state_names[e->next] : "refused"));
	if (e->act == NULL)
		return WA_ESTATE;
	inst->state = e->next;
	rc = e->act(inst, in);
	conn_update(inst);
	return rc;
}
