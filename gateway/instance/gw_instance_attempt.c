/* gateway/instance/gw_instance_attempt.c - what all actions of an instance's machine stand on */
#include "gateway/instance/gw_instance_act.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_numbers.h"
#include "gateway/registry/gw_invite.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_worker.h"

/* The attempt ends before its first caller's patience does, so that the caller learns why. */
#define DEADLINE_LEAD_MS 500

struct gw_reason gw_reason_make(int rc, const char *detail)
{
	struct gw_reason r = { .rc = rc, .at_unix_ms = clock_unix_ms() };

	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	return r;
}

bool gw_inst_has_session(const struct gw_instance *inst)
{
	return inst->link.linked || inst->unsure;
}

bool gw_inst_same_pairing(const struct gw_instance *inst, const char *number, uint32_t history_days)
{
	return strcmp(inst->attempt.number, number) == 0 &&
	       (history_days == 0 || history_days == inst->attempt.history_days);
}

/* ---- the account ------------------------------------------------------------ */

static void gw_inst_save(struct gw_instance *inst)
{
	if (inst->gw->registry != NULL)
		gw_registry_instance_save(inst->gw->registry, inst);
}

static bool reason_differs(const struct gw_reason *a, const struct gw_reason *b)
{
	return a->rc != b->rc || a->number != b->number || strcmp(a->detail, b->detail) != 0;
}

/* The same trouble again is not worth a write. */
void gw_inst_error_set(struct gw_instance *inst, const struct gw_reason *reason)
{
	bool differs = reason_differs(&inst->link.last_error, reason);

	if (reason->rc != 0 && !wa_err_is_outcome(reason->rc))
		return; /* not a word that clients know */
	inst->link.last_error = *reason;
	if (differs)
		gw_inst_save(inst);
}

void gw_inst_error_clear(struct gw_instance *inst)
{
	const struct gw_reason none = { 0 };

	gw_inst_error_set(inst, &none);
}

/* True when it was something else before. */
static bool text_take(char *to, size_t cap, const char *said)
{
	if (said == NULL || strcmp(to, said) == 0)
		return false;
	snprintf(to, cap, "%s", said);
	return true;
}

void gw_inst_link_take(struct gw_instance *inst, const struct gw_account_said *a)
{
	struct gw_device *l = &inst->link;
	bool changed = !l->linked || l->end != GW_END_NONE;

	if (!l->linked && inst->gw->registry != NULL)
		gw_registry_invite_used(inst->gw->registry, inst);

	if (a->jid != NULL && strcmp(l->jid, a->jid) != 0) {
		gw_device_jid_set(l, a->jid);
		changed = true;
	}
	changed |= text_take(l->lid, sizeof(l->lid), a->lid);
	changed |= text_take(l->platform, sizeof(l->platform), a->platform);
	changed |= text_take(l->push_name, sizeof(l->push_name), a->push_name);
	changed |= text_take(l->business_name, sizeof(l->business_name), a->business_name);
	l->linked = true;
	l->end = GW_END_NONE;
	inst->unsure = false;
	inst->goal = GW_GOAL_SESSION;
	if (changed)
		gw_inst_save(inst);
}

void gw_instance_stored(struct gw_instance *inst, int64_t generation)
{
	if (generation <= inst->link.store_generation)
		return;
	inst->link.store_generation = generation;
	gw_inst_save(inst);
}

void gw_inst_unlink(struct gw_instance *inst, enum gw_link_end end)
{
	bool changed = inst->link.linked || inst->link.end != end;

	inst->link.linked = false;
	inst->link.end = end;
	inst->unsure = false;
	inst->goal = GW_GOAL_NONE;
	if (changed)
		gw_inst_save(inst);
}

/* ---- an attempt ------------------------------------------------------------- */

void gw_inst_deadline(struct gw_instance *inst, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		              .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	/* without memory for the timer the callers' own limits still hold */
	(void)!event_add(inst->ev_deadline, &tv);
}

static void number_release(struct gw_instance *inst)
{
	if (!inst->attempt.holds_number)
		return;
	gw_numbers_end(inst->gw->numbers, inst->attempt.number);
	inst->attempt.holds_number = false;
}

void gw_inst_callers_end(struct gw_instance *inst, const struct gw_reason *reason)
{
	event_del(inst->ev_deadline);
	inst->attempt.called = false;
	number_release(inst);
	gw_instance_watches_end(inst, reason);
}

void gw_inst_request(struct gw_instance *inst, const char *request_id)
{
	inst->attempt.request_id[0] = '\0';
	if (request_id != NULL)
		snprintf(inst->attempt.request_id, sizeof(inst->attempt.request_id), "%s",
		         request_id);
	inst->attempt.began_ms = clock_ms();
	inst->attempt.step = NULL;
	inst->log.request_id =
	    inst->attempt.request_id[0] != '\0' ? inst->attempt.request_id : NULL;
}

void gw_inst_attempt_fill(struct gw_instance *inst, const struct gw_connect_params *p)
{
	const char *number = p->number != NULL ? p->number : "";

	number_release(inst);
	gw_inst_request(inst, p->request_id);
	snprintf(inst->attempt.number, sizeof(inst->attempt.number), "%s", number);
	inst->attempt.history_days = p->history_days;
	inst->attempt.codes_n = 0;
	inst->attempt.called = true;
	gw_inst_deadline(inst, (uint64_t)inst->gw->cfg.connect_timeout_s * 1000 - DEADLINE_LEAD_MS);
}

void gw_inst_attempt_end(struct gw_instance *inst, const struct gw_reason *reason)
{
	char code[GW_REASON_CODE_CAP];
	bool theirs = wa_err_is_outcome(reason->rc) && reason->rc != WA_ESUPERSEDED &&
	              reason->rc != WA_EDELETED;

	gw_reason_code(reason, code);
	LOG(&inst->log, LOG_NOTICE, "attempt_ended", LF_STR("code", code),
	    LF_STR("detail", reason->detail), LF_INT("codes", inst->attempt.codes_n),
	    LF_INT("ms", clock_ms() - inst->attempt.began_ms));
	if (theirs)
		gw_inst_error_set(inst, reason);
	gw_instance_code_clear(inst);
	gw_instance_passkey_clear(inst);
	gw_inst_callers_end(inst, reason);
}

void gw_inst_attempt_end_rc(struct gw_instance *inst, int rc, const char *detail)
{
	struct gw_reason r = gw_reason_make(rc, detail);

	gw_inst_attempt_end(inst, &r);
}

void gw_inst_attempt_again(struct gw_instance *inst)
{
	const struct gw_watch *first = TAILQ_FIRST(&inst->watches);
	char request_id[sizeof(inst->attempt.request_id)];
	struct gw_connect_params p = { .request_id = request_id };

	if (first == NULL)
		return;
	memcpy(request_id, inst->attempt.request_id, sizeof(request_id));
	p.number = first->number[0] != '\0' ? first->number : NULL;
	p.history_days = first->history_days;
	gw_inst_attempt_fill(inst, &p);
	inst->goal = GW_GOAL_PAIR;
	gw_inst_move(inst, GW_QUEUED);
}

/* ---- starting a worker ------------------------------------------------------ */

static int refused(struct gw_instance *inst, const struct gw_reason *reason)
{
	const struct gw_inst_input in = { .reason = reason };

	(void)!gw_instance_event(inst, GW_EV_REFUSED, &in);
	return reason->rc;
}

/* A number that was given a code less than a minute ago gets none. */
static int number_begin(struct gw_instance *inst)
{
	struct gw_reason r;
	int rc;

	if (inst->goal != GW_GOAL_PAIR || inst->attempt.number[0] == '\0' ||
	    inst->attempt.holds_number)
		return 0;
	rc = gw_numbers_begin(inst->gw->numbers, inst->attempt.number, clock_ms());
	if (rc == 0) {
		inst->attempt.holds_number = true;
		return 0;
	}
	r = gw_reason_make(rc, "this number was given a code less than a minute ago");
	r.retry_after_s = gw_instance_number_wait_s(inst, inst->attempt.number);
	return refused(inst, &r);
}

static int worker_start(struct gw_instance *inst, enum gw_mode mode)
{
	const char *number = inst->attempt.number;
	const struct gw_attempt at = { .mode = mode,
		                       .number = number[0] != '\0' ? number : NULL,
		                       .history_days = inst->attempt.history_days,
		                       .request_id = inst->log.request_id };

	inst->mode = mode;
	inst->retry.due = false;
	inst->retry.try_ms = clock_ms();
	return gw_supervisor_start(inst->gw->sup, inst, &at, &inst->worker);
}

void gw_inst_pairing_begins(struct gw_instance *inst)
{
	const struct gw_reason other =
	    gw_reason_make(WA_ESUPERSEDED, "another connect call asked for something else");

	gw_instance_watches_end_others(inst, &other);
	gw_instance_passkey_clear(inst);
	if (inst->link.end == GW_END_NONE)
		return;
	inst->link.end = GW_END_NONE; /* what comes of it is what counts from here on */
	gw_inst_save(inst);
}

int gw_inst_start(struct gw_instance *inst)
{
	bool pair = inst->goal == GW_GOAL_PAIR;
	enum gw_mode mode = pair || inst->attempt.called ? GW_MODE_LINK : GW_MODE_RESUME;
	struct gw_reason reason;
	int rc;

	gw_inst_move(inst, pair ? GW_STARTING : GW_RESUMING);
	rc = number_begin(inst);
	if (rc < 0)
		return rc;
	rc = worker_start(inst, mode);
	if (rc == 0) {
		if (pair)
			gw_inst_pairing_begins(inst);
		return 0;
	}
	reason = gw_reason_make(rc, "no worker could be started");
	return refused(inst, &reason);
}

int gw_inst_start_logout(struct gw_instance *inst)
{
	int rc = worker_start(inst, GW_MODE_LOGOUT);

	inst->unlinking = rc == 0;
	return rc;
}
