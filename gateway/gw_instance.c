/* gateway/gw_instance.c - an instance: made, asked, connected to, deleted */
#include "gateway/gw_instance.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_instance_priv.h"

static const char *const conn_names[GW_CONN_STATE_N] = {
	[GW_DISCONNECTED] = "disconnected",
	[GW_CONNECTING] = "connecting",
	[GW_CONNECTED] = "connected",
	[GW_LOGGEDOUT] = "loggedout",
	[GW_BANNED] = "banned",
};

const char *gw_conn_state_name(enum gw_conn_state st)
{
	return conn_names[st];
}

void gw_reason_code(const struct gw_reason *r, char *out)
{
	if (r->rc == WA_ECONNECT_FAILURE)
		snprintf(out, GW_REASON_CODE_CAP, "%s_%" PRIu32, wa_err_name(r->rc), r->number);
	else
		snprintf(out, GW_REASON_CODE_CAP, "%s", wa_err_name(r->rc));
}

/* ---- for callers ------------------------------------------------------------ */

static int connect_event(struct gw_instance *inst, const struct gw_connect_params *params)
{
	const struct gw_inst_input in = { .params = params };
	/* asking for no history in particular is content with the attempt that runs */
	bool other = gw_instance_attempt_runs(inst->state) && params->history_days != 0 &&
	             inst->attempt.history_days != params->history_days;
	int rc = gw_instance_event(inst, other ? GW_EV_SUPERSEDE : GW_EV_CONNECT, &in);

	return rc == WA_ESTATE ? WA_EDELETED : rc;
}

int gw_instance_connect(struct gw_instance *inst, const struct gw_connect_params *params,
                        gw_watch_cb *cb, void *arg, struct gw_watch **watch_out)
{
	struct gw_watch *w;
	int rc;

	if (inst->gw->stopping)
		return WA_ESHUTTING_DOWN;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	rc = connect_event(inst, params);
	if (rc < 0) {
		free(w);
		return rc;
	}
	w->inst = inst;
	w->cb = cb;
	w->arg = arg;
	gw_watch_put(w, &inst->watches);
	if (gw_instance_code(inst) != NULL)
		gw_instance_notify(inst);
	*watch_out = w;
	return 0;
}

const char *gw_instance_id(const struct gw_instance *inst)
{
	return inst->id;
}

const char *gw_instance_name(const struct gw_instance *inst)
{
	return inst->name;
}

struct gw_account *gw_instance_account(const struct gw_instance *inst)
{
	return inst->account;
}

enum gw_conn_state gw_instance_state(const struct gw_instance *inst)
{
	return inst->conn;
}

const struct log_ctx *gw_instance_log(const struct gw_instance *inst)
{
	return &inst->log;
}

/* ---- for the registry ------------------------------------------------------- */

static int settings_load(struct gw_instance *inst, const char *text)
{
	char *known = NULL;
	int rc = gw_settings_normalise(text, &known);

	if (rc == -EINVAL) /* a row that someone edited: the defaults are better than no start */
		rc = gw_settings_normalise(NULL, &known);
	if (rc == 0)
		inst->settings = json_loads(known, 0, NULL);
	free(known);
	return inst->settings != NULL ? 0 : -ENOMEM;
}

int gw_instance_new(struct gw *gw, struct gw_account *acc, const struct gw_instance_row *row,
                    void *owner, struct gw_instance **inst_out)
{
	struct gw_instance *inst = calloc(1, sizeof(*inst));

	if (inst == NULL)
		return -ENOMEM;
	TAILQ_INIT(&inst->watches);
	TAILQ_INIT(&inst->ended);
	inst->gw = gw;
	inst->account = acc;
	inst->owner = owner;
	snprintf(inst->id, sizeof(inst->id), "%s", row->id);
	snprintf(inst->name, sizeof(inst->name), "%s", row->name);
	inst->log.instance = inst->id;
	inst->created_unix_ms = row->created_unix_ms;
	inst->updated_unix_ms = row->updated_unix_ms;
	inst->since_unix_ms = clock_unix_ms();
	inst->ev_notify = event_new(gw->base, -1, 0, gw_instance_on_notify, inst);
	inst->ev_deadline = event_new(gw->base, -1, 0, gw_instance_on_deadline, inst);
	if (inst->ev_notify == NULL || inst->ev_deadline == NULL ||
	    settings_load(inst, row->settings) < 0) {
		gw_instance_free(inst);
		return -ENOMEM;
	}
	*inst_out = inst;
	return 0;
}

void gw_instance_free(struct gw_instance *inst)
{
	struct gw_watch *w;

	if (inst == NULL)
		return;
	gw_instance_tell_ended(inst);
	while ((w = TAILQ_FIRST(&inst->watches)) != NULL)
		gw_watch_cancel(w);
	if (inst->ev_notify != NULL)
		event_free(inst->ev_notify);
	if (inst->ev_deadline != NULL)
		event_free(inst->ev_deadline);
	gw_instance_code_clear(inst);
	json_decref(inst->settings);
	free(inst);
}

void *gw_instance_owner(const struct gw_instance *inst)
{
	return inst->owner;
}

void gw_instance_stop(struct gw_instance *inst)
{
	(void)!gw_instance_event(inst, GW_EV_STOP, NULL);
}

void gw_instance_delete(struct gw_instance *inst, gw_instance_gone_cb *on_gone, void *arg)
{
	const struct gw_reason deleted = { .rc = WA_EDELETED,
		                           .detail = "the instance is being deleted",
		                           .at_unix_ms = clock_unix_ms() };

	inst->on_gone = on_gone;
	inst->on_gone_arg = arg;
	gw_instance_watches_end(inst, &deleted); /* whatever state it is in: nobody may wait on */
	(void)!gw_instance_event(inst, GW_EV_DELETE, NULL);
}

void gw_instance_restore(struct gw_instance *inst)
{
	(void)!gw_instance_event(inst, GW_EV_RESTORE, NULL);
}
