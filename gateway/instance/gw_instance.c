/* gateway/instance/gw_instance.c - an instance: made, asked, connected to, deleted */
#include "gateway/instance/gw_instance.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_act.h"
#include "gateway/instance/gw_numbers.h"
#include "gateway/supervision/gw_worker.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hooks.h"

#define CREDENTIAL_MAX 30000 /* fits a PASSKEY_ANSWER */

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

/* ---- connect ---------------------------------------------------------------- */

static bool pairing_runs(const struct gw_instance *inst)
{
	switch (inst->state) {
	case GW_STARTING:
	case GW_DIALING:
	case GW_CODE:
	case GW_PASSKEY:
		return true;
	case GW_QUEUED:
	case GW_RESTARTING:
		return inst->goal == GW_GOAL_PAIR;
	default:
		return false;
	}
}

/* Would this call begin a pairing right now? */
static bool begins_pairing(const struct gw_instance *inst)
{
	return (inst->state == GW_IDLE || inst->state == GW_LEAVING) && !gw_inst_has_session(inst);
}

unsigned gw_instance_number_wait_s(const struct gw_instance *inst, const char *number)
{
	return (gw_numbers_wait_ms(inst->gw->numbers, number, clock_ms()) + 999) / 1000;
}

static int connect_event(struct gw_instance *inst, const struct gw_connect_params *params)
{
	const struct gw_inst_input in = { .params = params };
	const char *number = params->number != NULL ? params->number : "";
	bool other =
	    pairing_runs(inst) && !gw_inst_same_pairing(inst, number, params->history_days);
	int rc;

	if (number[0] != '\0' && (other || begins_pairing(inst)) &&
	    gw_instance_number_wait_s(inst, number) > 0)
		return WA_ERATE_LIMITED;
	rc = gw_instance_event(inst, other ? GW_EV_SUPERSEDE : GW_EV_CONNECT, &in);
	return rc == WA_ESTATE ? WA_EDELETED : rc;
}

static struct gw_watch *watch_new(struct gw_instance *inst, const struct gw_connect_params *params,
                                  gw_watch_cb *cb, void *arg)
{
	struct gw_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->inst = inst;
	w->cb = cb;
	w->arg = arg;
	if (params->number != NULL)
		snprintf(w->number, sizeof(w->number), "%s", params->number);
	w->history_days = params->history_days;
	return w;
}

int gw_instance_connect(struct gw_instance *inst, const struct gw_connect_params *params,
                        gw_watch_cb *cb, void *arg, struct gw_watch **watch_out)
{
	struct gw_watch *w;
	int rc;

	if (inst->gw->stopping)
		return WA_ESHUTTING_DOWN;
	w = watch_new(inst, params, cb, arg);
	if (w == NULL)
		return -ENOMEM;
	rc = connect_event(inst, params);
	if (rc < 0) {
		free(w);
		return rc;
	}
	gw_watch_put(w, &inst->watches);
	if (inst->state == GW_ONLINE)
		gw_instance_watches_end(inst, NULL);
	gw_instance_notify(inst);
	*watch_out = w;
	return 0;
}

/* ---- reconnect and logout --------------------------------------------------- */

int gw_instance_reconnect(struct gw_instance *inst, const char *request_id)
{
	const struct gw_inst_input in = { .request_id = request_id };
	int rc;

	if (inst->gw->stopping)
		return WA_ESHUTTING_DOWN;
	if (!gw_inst_has_session(inst) || inst->state == GW_LOGGING_OUT)
		return WA_ENO_SESSION;
	if (inst->state == GW_ONLINE)
		return 1;
	if (inst->state == GW_WAITING && inst->retry.down_rc == WA_ETEMP_BANNED &&
	    clock_unix_ms() < inst->retry.next_unix_ms)
		return WA_ETEMP_BANNED; /* kept to, whoever asks */
	rc = gw_instance_event(inst, GW_EV_RECONNECT, &in);
	return rc == WA_ESTATE ? WA_ENO_SESSION : rc;
}

int gw_instance_logout(struct gw_instance *inst, const char *request_id, gw_logout_cb *cb,
                       void *arg, struct gw_logout **logout_out)
{
	const struct gw_inst_input in = { .request_id = request_id };
	struct gw_logout *l;
	int rc;

	if (inst->gw->stopping)
		return WA_ESHUTTING_DOWN;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->cb = cb;
	l->arg = arg;
	TAILQ_INSERT_TAIL(&inst->logouts, l, link);
	rc = gw_instance_event(inst, GW_EV_LOGOUT, &in);
	if (rc == WA_ESTATE) {
		TAILQ_REMOVE(&inst->logouts, l, link);
		free(l);
		return WA_EDELETED;
	}
	*logout_out = l; /* where no worker can be had, its callback says so */
	return 0;
}

/* ---- the passkey step ------------------------------------------------------- */

int gw_instance_passkey_answer(struct gw_instance *inst, const char *credential,
                               const char *request_id)
{
	int rc;

	if (inst->state != GW_PASSKEY || inst->passkey.status != GW_PASSKEY_REQUIRED)
		return WA_ESTATE;
	if (strlen(credential) > CREDENTIAL_MAX)
		return WA_ELIMIT;
	rc = gw_worker_passkey_answer(inst->worker, credential, request_id);
	if (rc < 0)
		return rc;
	gw_instance_passkey_clear(inst);
	inst->passkey.status = GW_PASSKEY_CONFIRM; /* with a code, when the worker has it */
	inst->passkey_seq++;
	gw_instance_notify(inst);
	return 0;
}

int gw_instance_passkey_confirm(struct gw_instance *inst, const char *request_id)
{
	int rc;

	if (inst->state != GW_PASSKEY || inst->passkey.status != GW_PASSKEY_CONFIRM ||
	    inst->passkey.code[0] == '\0')
		return WA_ESTATE;
	rc = gw_worker_passkey_confirm(inst->worker, request_id);
	if (rc == 0)
		inst->passkey.code[0] = '\0'; /* once */
	return rc;
}

/* ---- reading ---------------------------------------------------------------- */

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

bool gw_instance_is_linked(const struct gw_instance *inst)
{
	return inst->link.linked;
}

const struct gw_proxy *gw_instance_proxy(const struct gw_instance *inst)
{
	static const struct gw_proxy none;

	return inst->proxy != NULL ? inst->proxy : &none;
}

const struct gw_hook_config *gw_instance_hooks(const struct gw_instance *inst)
{
	static const struct gw_hook_config none;

	return inst->hooks != NULL ? inst->hooks : &none;
}

const struct gw_websocket *gw_websocket_config(const struct gw_instance *inst)
{
	return &gw_instance_hooks(inst)->websocket;
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
		inst->settings = json_text_read(known, strlen(known), 0);
	free(known);
	return inst->settings != NULL ? 0 : -ENOMEM;
}

static int events_make(struct gw_instance *inst)
{
	struct event_base *base = inst->gw->base;

	inst->ev_notify = event_new(base, -1, 0, gw_instance_on_notify, inst);
	inst->ev_deadline = event_new(base, -1, 0, gw_instance_on_deadline, inst);
	inst->ev_retry = event_new(base, -1, 0, gw_instance_on_retry, inst);
	inst->ev_show = event_new(base, -1, 0, gw_instance_on_show, inst);
	inst->ev_told = event_new(base, -1, 0, gw_instance_on_told, inst);
	return inst->ev_notify != NULL && inst->ev_told != NULL && inst->ev_deadline != NULL &&
	               inst->ev_retry != NULL && inst->ev_show != NULL
	           ? 0
	           : -ENOMEM;
}

int gw_instance_new(struct gw *gw, struct gw_account *acc, const struct gw_instance_row *row,
                    const struct gw_proxy *proxy, struct gw_hook_config *hooks, void *owner,
                    struct gw_instance **inst_out)
{
	struct gw_instance *inst = calloc(1, sizeof(*inst));

	if (inst == NULL) {
		gw_hook_config_free(hooks);
		return -ENOMEM;
	}
	inst->hooks = hooks;
	TAILQ_INIT(&inst->watches);
	TAILQ_INIT(&inst->ended);
	TAILQ_INIT(&inst->logouts);
	TAILQ_INIT(&inst->logouts_ended);
	inst->gw = gw;
	inst->account = acc;
	inst->owner = owner;
	snprintf(inst->id, sizeof(inst->id), "%s", row->id);
	snprintf(inst->name, sizeof(inst->name), "%s", row->name);
	inst->log.instance = inst->id;
	inst->created_unix_ms = row->created_unix_ms;
	inst->updated_unix_ms = row->updated_unix_ms;
	inst->since_unix_ms = clock_unix_ms();
	inst->link = row->link;
	if (inst->link.key_epoch == 0)
		inst->link.key_epoch = 1;
	inst->unsure = row->has_session && !row->link.linked;
	if (proxy != NULL) {
		inst->proxy = secret_alloc(sizeof(*proxy));
		if (inst->proxy != NULL)
			*inst->proxy = *proxy;
	}
	if (events_make(inst) < 0 || settings_load(inst, row->settings) < 0 ||
	    (proxy != NULL && inst->proxy == NULL)) {
		gw_instance_free(inst);
		return -ENOMEM;
	}
	gw_inst_show(inst);
	*inst_out = inst;
	return 0;
}

static void event_drop(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void gw_instance_free(struct gw_instance *inst)
{
	struct gw_reason deleted;
	struct gw_watch *w;

	if (inst == NULL)
		return;
	if (inst->ev_notify != NULL) {
		deleted = gw_reason_make(WA_EDELETED, "the instance is gone");
		gw_instance_logouts_end(inst, &deleted);
		gw_instance_tell_ended(inst);
	}
	while ((w = TAILQ_FIRST(&inst->watches)) != NULL)
		gw_watch_cancel(w);
	gw_hooks_forget(inst->gw->hooks, inst);
	if (inst->events != NULL)
		gw_events_forget(inst->gw->events, inst);
	event_drop(inst->ev_notify);
	event_drop(inst->ev_deadline);
	event_drop(inst->ev_retry);
	event_drop(inst->ev_show);
	event_drop(inst->ev_told);
	gw_instance_code_clear(inst);
	gw_instance_passkey_clear(inst);
	secret_free(inst->proxy);
	gw_hook_config_free(inst->hooks);
	json_decref(inst->settings);
	free(inst->shown);
	free(inst->last_log);
	free(inst);
}

void *gw_instance_owner(const struct gw_instance *inst)
{
	return inst->owner;
}

void gw_instance_on_deadline(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)!gw_instance_event(arg, GW_EV_DEADLINE, NULL);
}

void gw_instance_autostart(struct gw_instance *inst)
{
	if (inst->state == GW_IDLE && gw_inst_has_session(inst))
		(void)!gw_instance_event(inst, GW_EV_RECONNECT, NULL); /* logged and retried */
}

void gw_instance_stop(struct gw_instance *inst)
{
	(void)!gw_instance_event(inst, GW_EV_STOP, NULL);
}

void gw_instance_delete(struct gw_instance *inst, gw_instance_gone_cb *on_gone, void *arg)
{
	const struct gw_reason deleted =
	    gw_reason_make(WA_EDELETED, "the instance is being deleted");

	inst->on_gone = on_gone;
	inst->on_gone_arg = arg;
	inst->unlink_tried = false;
	gw_inst_callers_end(inst, &deleted); /* whatever state it is in: nobody may wait on */
	(void)!gw_instance_event(inst, GW_EV_DELETE, NULL);
}

void gw_instance_restore(struct gw_instance *inst)
{
	(void)!gw_instance_event(inst, GW_EV_RESTORE, NULL);
}

const struct gw_device *gw_instance_link(const struct gw_instance *inst)
{
	return &inst->link;
}

void gw_instance_updated(struct gw_instance *inst, int64_t unix_ms)
{
	inst->updated_unix_ms = unix_ms;
	inst->changes_n++;
}

void gw_instance_settings_changed(struct gw_instance *inst, json_t *given, int64_t updated_unix_ms)
{
	int rc = json_object_update_existing(inst->settings, given);

	assert(rc == 0); /* gw_settings_begin(): a value takes another's place */
	gw_instance_updated(inst, updated_unix_ms);
	if (inst->worker != NULL)
		gw_worker_settings(inst->worker);
}

void gw_instance_hooks_changed(struct gw_instance *inst, const json_t *patch,
                               int64_t updated_unix_ms)
{
	int rc = gw_hook_config_apply(&inst->hooks, patch);

	if (rc < 0)
		LOG(&inst->log, LOG_ERR, "webhooks_not_taken", LF_ERR("err", rc),
		    LF_STR("hint", "they are on disk: in force with the gateway's next start"));
	gw_instance_updated(inst, updated_unix_ms);
	gw_hooks_changed(inst->gw->hooks, inst, patch);
}

void gw_instance_proxy_changed(struct gw_instance *inst, struct gw_proxy *proxy,
                               int64_t updated_unix_ms)
{
	secret_free(inst->proxy);
	inst->proxy = proxy;
	gw_instance_updated(inst, updated_unix_ms);
	if (inst->worker != NULL)
		gw_worker_proxy(inst->worker);
}
