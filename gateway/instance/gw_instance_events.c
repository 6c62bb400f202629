/*
 * gateway/instance/gw_instance_events.c - instance.state: what an instance has to say of itself
 * (contract 4.1)
 *
 * Follows what clients see (inst->conn), which never flaps faster than once a second; codes and
 * passkey steps are told at most once a second, the newest of them. A worker that was taken over is
 * no news.
 */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"

#define APART_MS 1000

enum { DUE_CODE = 1, DUE_PASSKEY = 2 };

static json_t *reason_json(const struct gw_reason *r)
{
	char code[GW_REASON_CODE_CAP], at[RFC3339_CAP];

	if (r == NULL || r->rc == 0)
		return json_null();
	gw_reason_code(r, code);
	clock_rfc3339(r->at_unix_ms, at);
	return json_pack("{s:s, s:s, s:s}", "code", code, "detail", r->detail, "at", at);
}

/* takes live. */
static void say(struct gw_instance *inst, const char *state, const struct gw_reason *reason,
                json_t *live, uint64_t live_ms)
{
	char now[RFC3339_CAP];
	json_t *data;

	if (inst->gw->events == NULL) {
		json_decref(live);
		return;
	}
	clock_rfc3339(clock_unix_ms(), now);
	data = json_pack("{s:s, s:o, s:s}", "state", state, "reason", reason_json(reason),
	                 "timestamp", now);
	(void)!gw_events_emit(inst->gw->events, inst, GW_EVENT_INSTANCE_STATE, data, live,
	                      (uint32_t)live_ms);
}

/* ---- what clients see ----------------------------------------------------------------------- */

static const char *down_word(const struct gw_instance *inst, int rc)
{
	switch (rc) {
	case WA_ECODE_TIMEOUT:
		return "code_timeout";
	case WA_ESTREAM_REPLACED:
		return "stream_replaced";
	case WA_ETEMP_BANNED:
		return "temp_banned";
	case WA_ECLIENT_OUTDATED:
		return "client_outdated";
	case WA_ECONNECT_FAILURE:
		return "connect_failure";
	case WA_EWORKER_CRASHED:
		return "worker_crashed";
	case 0:
		return "disconnected";
	default:
		return inst->told.conn == GW_CONNECTING && inst->told.pairing ? "pair_error"
		                                                              : "disconnected";
	}
}

/* A session that is being brought back; NULL: a pairing, of which the codes tell. */
static const char *connecting_word(struct gw_instance *inst, int rc)
{
	inst->told.pairing = !inst->link.linked;
	if (inst->told.pairing)
		return NULL;
	if (inst->told.conn != GW_CONNECTED)
		return "reconnecting";
	inst->told.silent = inst->retry.down_silent;
	if (inst->told.silent)
		return "keepalive_timeout";
	return rc == WA_EWORKER_CRASHED ? "worker_crashed" : "reconnecting";
}

static const char *word(struct gw_instance *inst, int rc)
{
	switch (inst->conn) {
	case GW_CONNECTED:
		return "connected";
	case GW_CONNECTING:
		return connecting_word(inst, rc);
	case GW_DISCONNECTED:
		return down_word(inst, rc);
	case GW_LOGGEDOUT:
		return "logged_out";
	case GW_BANNED:
		return "banned";
	case GW_CONN_STATE_N:
		break;
	}
	return NULL;
}

void gw_inst_tell_conn(struct gw_instance *inst)
{
	const struct gw_reason *reason = inst->conn == GW_CONNECTED ? NULL : &inst->link.last_error;
	bool first = !inst->told.known;
	const char *state;

	if (inst->state == GW_ADOPTING)
		inst->told.adopting = true;
	else if (inst->conn != GW_CONNECTING)
		inst->told.adopting = false;
	if (inst->told.adopting || (first && inst->state == GW_IDLE))
		return; /* nothing has happened, or nobody knows yet what has */
	if (inst->told.known && inst->told.conn == inst->conn)
		return;
	state = inst->no_news ? NULL : word(inst, inst->link.last_error.rc);
	if (inst->conn == GW_CONNECTED && inst->told.silent)
		say(inst, "keepalive_restored", NULL, NULL, 0);
	if (inst->conn != GW_CONNECTING)
		inst->told.silent = false;
	inst->told.conn = inst->conn;
	inst->told.known = true;
	if (state != NULL)
		say(inst, state, reason, NULL, 0);
}

/* ---- pairing -------------------------------------------------------------------------------- */

static void say_code(struct gw_instance *inst)
{
	const struct gw_code *c = gw_instance_code(inst);
	uint64_t now = clock_ms();
	json_t *codes;

	if (inst->state != GW_CODE || c == NULL || now >= c->expires_at_ms)
		return;
	codes = json_pack("[s]", c->text);
	if (codes != NULL)
		say(inst, "qr_ready", NULL, codes, c->expires_at_ms - now);
}

static void say_passkey(struct gw_instance *inst)
{
	if (inst->state != GW_PASSKEY)
		return;
	if (inst->passkey.status == GW_PASSKEY_REQUIRED)
		say(inst, "passkey_required", NULL, NULL, 0);
	else if (inst->passkey.status == GW_PASSKEY_CONFIRM)
		say(inst, "passkey_confirm", NULL, NULL, 0);
}

static void say_due(struct gw_instance *inst)
{
	unsigned due = inst->told.due;

	inst->told.due = 0;
	inst->told.at_ms = clock_ms();
	if ((due & DUE_CODE) != 0)
		say_code(inst);
	if ((due & DUE_PASSKEY) != 0)
		say_passkey(inst);
}

void gw_instance_on_told(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	say_due(arg);
}

static void tell(struct gw_instance *inst, unsigned what)
{
	uint64_t age = clock_ms() - inst->told.at_ms;
	const struct timeval tv = { .tv_usec = (suseconds_t)(APART_MS - age) * 1000 - 1 };

	inst->told.due |= what;
	if (inst->told.at_ms == 0 || age >= APART_MS)
		say_due(inst);
	else if (!event_pending(inst->ev_told, EV_TIMEOUT, NULL) &&
	         event_add(inst->ev_told, &tv) < 0)
		say_due(inst);
}

void gw_inst_tell_code(struct gw_instance *inst)
{
	tell(inst, DUE_CODE);
}

void gw_inst_tell_passkey(struct gw_instance *inst)
{
	tell(inst, DUE_PASSKEY);
}

void gw_inst_tell_linked(struct gw_instance *inst)
{
	inst->told.pairing = false;
	say(inst, "pair_success", NULL, NULL, 0);
}
