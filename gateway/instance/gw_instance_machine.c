/* gateway/instance/gw_instance_machine.c - the one state machine of an instance, and what clients see of it
 */
#include "gateway/instance/gw_instance_act.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define FLAP_MS 1000 /* "connected" is shown for at least this long */
#define BLIP_MS 900  /* a session that is back within this time was never away */

static const char *const state_names[GW_INST_STATE_N] = {
	[GW_IDLE] = "idle",
	[GW_STARTING] = "starting",
	[GW_DIALING] = "dialing",
	[GW_CODE] = "code",
	[GW_PASSKEY] = "passkey",
	[GW_ADOPTING] = "adopting",
	[GW_RESUMING] = "resuming",
	[GW_ONLINE] = "online",
	[GW_WAITING] = "waiting",
	[GW_RESTARTING] = "restarting",
	[GW_LEAVING] = "leaving",
	[GW_QUEUED] = "queued",
	[GW_LOGGING_OUT] = "logging_out",
	[GW_DELETING] = "deleting",
	[GW_DELETED] = "deleted",
};

static const char *const event_names[GW_INST_EVENT_N] = {
	[GW_EV_CONNECT] = "connect",
	[GW_EV_SUPERSEDE] = "supersede",
	[GW_EV_RECONNECT] = "reconnect",
	[GW_EV_LOGOUT] = "logout",
	[GW_EV_RENEW] = "renew",
	[GW_EV_STOP] = "stop",
	[GW_EV_DELETE] = "delete",
	[GW_EV_RESTORE] = "restore",
	[GW_EV_ADOPT] = "adopt",
	[GW_EV_REFUSED] = "refused",
	[GW_EV_READY] = "ready",
	[GW_EV_BYE] = "bye",
	[GW_EV_LOST] = "lost",
	[GW_EV_GONE] = "gone",
	[GW_EV_STEP] = "step",
	[GW_EV_CODE] = "code",
	[GW_EV_PASSKEY] = "passkey",
	[GW_EV_LINKED] = "linked",
	[GW_EV_ONLINE] = "online",
	[GW_EV_DOWN] = "down",
	[GW_EV_PROFILE] = "profile",
	[GW_EV_FAILED] = "failed",
	[GW_EV_LOGOUT_DONE] = "logout_done",
	[GW_EV_DEADLINE] = "deadline",
	[GW_EV_RETRY] = "retry",
};

const char *gw_inst_state_name(enum gw_inst_state st)
{
	return state_names[st];
}

const char *gw_inst_event_name(enum gw_inst_event ev)
{
	return event_names[ev];
}

/* A message that crossed ours on its way, or a request for what is the case already. */
int gw_act_drop(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)inst;
	(void)in;
	return 0;
}

int gw_act_gone(struct gw_instance *inst, const struct gw_inst_input *in)
{
	(void)in;
	inst->worker = NULL;
	inst->log.request_id = NULL;
	return 0;
}

/* ---- the table --------------------------------------------------------------
 *
 * An empty cell is an event that can't happen there: a worker that speaks out of turn, or a mistake
 * of ours. Exactly one of BYE or LOST comes before GONE. Actions that decide where it goes call
 * gw_inst_move(); the table then names where it goes most of the time.
 */
struct edge {
	enum gw_inst_state next;
	gw_act *act;
};

/* What a worker may still say when it has been told to leave. */
#define LAST_WORDS(st) \
	[GW_EV_READY] = { (st), gw_act_drop }, [GW_EV_STEP] = { (st), gw_act_drop }, \
	[GW_EV_CODE] = { (st), gw_act_drop }, [GW_EV_PASSKEY] = { (st), gw_act_drop }, \
	[GW_EV_ONLINE] = { (st), gw_act_drop }, [GW_EV_DOWN] = { (st), gw_act_drop }, \
	[GW_EV_PROFILE] = { (st), gw_act_drop }, [GW_EV_LINKED] = { (st), gw_act_late_linked }

/* Of a pairing, from the start of its worker to the end. */
#define PAIRING(st) \
	[GW_EV_CONNECT] = { (st), gw_act_join }, \
	[GW_EV_SUPERSEDE] = { GW_QUEUED, gw_act_replace }, \
	[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_logout_pairing }, \
	[GW_EV_BYE] = { GW_LEAVING, gw_act_pair_broken }, \
	[GW_EV_LOST] = { GW_LEAVING, gw_act_pair_broken }, \
	[GW_EV_STOP] = { GW_LEAVING, gw_act_stop }, \
	[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_pairing }

/* Of a saved session with a worker. */
#define SESSION(st) \
	[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_logout_session }, \
	[GW_EV_PROFILE] = { (st), gw_act_profile }, [GW_EV_DOWN] = { GW_WAITING, gw_act_down }, \
	[GW_EV_FAILED] = { GW_LEAVING, gw_act_session_failed }, \
	[GW_EV_LOGOUT_DONE] = { GW_LEAVING, gw_act_unlinked_by_itself }, \
	[GW_EV_BYE] = { GW_RESTARTING, gw_act_session_bye }, \
	[GW_EV_LOST] = { GW_RESTARTING, gw_act_session_broken }, \
	[GW_EV_STOP] = { GW_LEAVING, gw_act_stop }, \
	[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_session }

static const struct edge edges[GW_INST_STATE_N][GW_INST_EVENT_N] = {
	[GW_IDLE] = {
		[GW_EV_ADOPT] = { GW_ADOPTING, gw_act_adopt },
		[GW_EV_CONNECT] = { GW_STARTING, gw_act_begin },
		[GW_EV_RECONNECT] = { GW_RESUMING, gw_act_session_begin },
		[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_logout_idle },
		[GW_EV_STOP] = { GW_IDLE, gw_act_drop },
		[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_idle },
	},
	[GW_STARTING] = {
		PAIRING(GW_STARTING),
		[GW_EV_REFUSED] = { GW_IDLE, gw_act_pair_refused },
		[GW_EV_READY] = { GW_DIALING, gw_act_ready },
		[GW_EV_DEADLINE] = { GW_LEAVING, gw_act_too_late },
	},
	[GW_DIALING] = {
		PAIRING(GW_DIALING),
		[GW_EV_STEP] = { GW_DIALING, gw_act_pair_step },
		[GW_EV_CODE] = { GW_CODE, gw_act_code },
		[GW_EV_ONLINE] = { GW_ONLINE, gw_act_online }, /* a session was there after all */
		[GW_EV_DOWN] = { GW_WAITING, gw_act_down },
		[GW_EV_FAILED] = { GW_LEAVING, gw_act_pair_failed },
		[GW_EV_DEADLINE] = { GW_LEAVING, gw_act_too_late },
	},
	[GW_CODE] = {
		PAIRING(GW_CODE),
		[GW_EV_STEP] = { GW_CODE, gw_act_pair_step },
		[GW_EV_CODE] = { GW_CODE, gw_act_code },
		[GW_EV_PASSKEY] = { GW_PASSKEY, gw_act_passkey },
		[GW_EV_LINKED] = { GW_RESUMING, gw_act_linked },
		[GW_EV_FAILED] = { GW_LEAVING, gw_act_pair_failed },
		[GW_EV_DEADLINE] = { GW_LEAVING, gw_act_codes_over },
	},
	[GW_PASSKEY] = {
		PAIRING(GW_PASSKEY),
		[GW_EV_STEP] = { GW_PASSKEY, gw_act_pair_step },
		[GW_EV_CODE] = { GW_CODE, gw_act_code },
		[GW_EV_PASSKEY] = { GW_PASSKEY, gw_act_passkey },
		[GW_EV_LINKED] = { GW_RESUMING, gw_act_linked },
		[GW_EV_FAILED] = { GW_LEAVING, gw_act_pair_failed },
		[GW_EV_DEADLINE] = { GW_LEAVING, gw_act_codes_over },
	},
	[GW_ADOPTING] = {
		[GW_EV_READY] = { GW_ADOPTING, gw_act_adopted },
		[GW_EV_BYE] = { GW_QUEUED, gw_act_adopt_broken },
		[GW_EV_LOST] = { GW_QUEUED, gw_act_adopt_broken },
		[GW_EV_CONNECT] = { GW_ADOPTING, gw_act_adopt_join },
		[GW_EV_RECONNECT] = { GW_ADOPTING, gw_act_drop },
		[GW_EV_DEADLINE] = { GW_ADOPTING, gw_act_callers_late },
		[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_adopt_logout },
		[GW_EV_STOP] = { GW_LEAVING, gw_act_stop },
		[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_session },
	},
	[GW_RESUMING] = {
		SESSION(GW_RESUMING),
		[GW_EV_CONNECT] = { GW_RESUMING, gw_act_session_join },
		[GW_EV_RECONNECT] = { GW_RESUMING, gw_act_drop },
		[GW_EV_REFUSED] = { GW_RESTARTING, gw_act_session_refused },
		[GW_EV_READY] = { GW_RESUMING, gw_act_ready },
		[GW_EV_STEP] = { GW_RESUMING, gw_act_session_step },
		[GW_EV_CODE] = { GW_CODE, gw_act_session_code },
		[GW_EV_ONLINE] = { GW_ONLINE, gw_act_online },
		[GW_EV_DEADLINE] = { GW_RESUMING, gw_act_callers_late },
	},
	[GW_ONLINE] = {
		SESSION(GW_ONLINE),
		[GW_EV_RENEW] = { GW_QUEUED, gw_act_renew },
		[GW_EV_CONNECT] = { GW_ONLINE, gw_act_join },
		[GW_EV_RECONNECT] = { GW_ONLINE, gw_act_drop },
		[GW_EV_STEP] = { GW_ONLINE, gw_act_session_step },
		[GW_EV_DEADLINE] = { GW_ONLINE, gw_act_drop },
	},
	[GW_WAITING] = {
		SESSION(GW_WAITING),
		[GW_EV_RENEW] = { GW_QUEUED, gw_act_renew },
		[GW_EV_CONNECT] = { GW_RESUMING, gw_act_session_now },
		[GW_EV_RECONNECT] = { GW_RESUMING, gw_act_session_now },
		[GW_EV_STEP] = { GW_RESUMING, gw_act_session_step },
		[GW_EV_ONLINE] = { GW_ONLINE, gw_act_online },
		[GW_EV_DEADLINE] = { GW_WAITING, gw_act_callers_late },
	},
	[GW_RESTARTING] = {
		LAST_WORDS(GW_RESTARTING),
		[GW_EV_FAILED] = { GW_RESTARTING, gw_act_drop },
		[GW_EV_LOGOUT_DONE] = { GW_RESTARTING, gw_act_drop },
		[GW_EV_BYE] = { GW_RESTARTING, gw_act_drop },
		[GW_EV_LOST] = { GW_RESTARTING, gw_act_drop },
		[GW_EV_GONE] = { GW_RESTARTING, gw_act_gone_restart },
		[GW_EV_CONNECT] = { GW_RESTARTING, gw_act_session_restart_now },
		[GW_EV_RECONNECT] = { GW_RESTARTING, gw_act_session_restart_now },
		[GW_EV_SUPERSEDE] = { GW_RESTARTING, gw_act_replace_queued },
		[GW_EV_RETRY] = { GW_RESTARTING, gw_act_retry },
		[GW_EV_DEADLINE] = { GW_RESTARTING, gw_act_callers_late },
		[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_logout_restarting },
		[GW_EV_STOP] = { GW_LEAVING, gw_act_stop },
		[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_idle },
	},
	[GW_LEAVING] = {
		LAST_WORDS(GW_LEAVING),
		[GW_EV_FAILED] = { GW_LEAVING, gw_act_late_failed },
		[GW_EV_LOGOUT_DONE] = { GW_LEAVING, gw_act_drop },
		[GW_EV_BYE] = { GW_LEAVING, gw_act_drop },
		[GW_EV_LOST] = { GW_LEAVING, gw_act_drop },
		[GW_EV_GONE] = { GW_IDLE, gw_act_gone },
		[GW_EV_CONNECT] = { GW_QUEUED, gw_act_enqueue },
		[GW_EV_RECONNECT] = { GW_QUEUED, gw_act_session_queue },
		[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_logout_leaving },
		[GW_EV_STOP] = { GW_LEAVING, gw_act_stop },
		[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_leaving },
	},
	[GW_QUEUED] = {
		LAST_WORDS(GW_QUEUED),
		[GW_EV_FAILED] = { GW_QUEUED, gw_act_late_failed },
		[GW_EV_LOGOUT_DONE] = { GW_QUEUED, gw_act_drop },
		[GW_EV_BYE] = { GW_QUEUED, gw_act_drop },
		[GW_EV_LOST] = { GW_QUEUED, gw_act_drop },
		[GW_EV_GONE] = { GW_QUEUED, gw_act_start_goal },
		[GW_EV_CONNECT] = { GW_QUEUED, gw_act_session_join },
		[GW_EV_RECONNECT] = { GW_QUEUED, gw_act_drop },
		[GW_EV_SUPERSEDE] = { GW_QUEUED, gw_act_replace_queued },
		[GW_EV_DEADLINE] = { GW_LEAVING, gw_act_too_late_queued },
		[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_logout_leaving },
		[GW_EV_STOP] = { GW_LEAVING, gw_act_stop },
		[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_pairing },
	},
	[GW_LOGGING_OUT] = {
		[GW_EV_READY] = { GW_LOGGING_OUT, gw_act_drop },
		[GW_EV_STEP] = { GW_LOGGING_OUT, gw_act_drop },
		[GW_EV_CODE] = { GW_LOGGING_OUT, gw_act_drop },
		[GW_EV_PASSKEY] = { GW_LOGGING_OUT, gw_act_drop },
		[GW_EV_LINKED] = { GW_LOGGING_OUT, gw_act_late_linked },
		[GW_EV_ONLINE] = { GW_LOGGING_OUT, gw_act_logout_online },
		[GW_EV_DOWN] = { GW_LOGGING_OUT, gw_act_logout_down },
		[GW_EV_PROFILE] = { GW_LOGGING_OUT, gw_act_drop },
		[GW_EV_LOGOUT_DONE] = { GW_LOGGING_OUT, gw_act_logout_done },
		[GW_EV_FAILED] = { GW_LOGGING_OUT, gw_act_logout_failed },
		[GW_EV_BYE] = { GW_LOGGING_OUT, gw_act_logout_broken },
		[GW_EV_LOST] = { GW_LOGGING_OUT, gw_act_logout_broken },
		[GW_EV_GONE] = { GW_LOGGING_OUT, gw_act_logout_gone },
		[GW_EV_CONNECT] = { GW_LOGGING_OUT, gw_act_logout_connect },
		[GW_EV_LOGOUT] = { GW_LOGGING_OUT, gw_act_join },
		[GW_EV_DEADLINE] = { GW_LOGGING_OUT, gw_act_logout_late },
		[GW_EV_STOP] = { GW_LEAVING, gw_act_stop },
		[GW_EV_DELETE] = { GW_DELETING, gw_act_delete_logout },
	},
	[GW_DELETING] = {
		LAST_WORDS(GW_DELETING),
		[GW_EV_LOGOUT_DONE] = { GW_DELETING, gw_act_delete_over },
		[GW_EV_FAILED] = { GW_DELETING, gw_act_delete_over },
		[GW_EV_DEADLINE] = { GW_DELETING, gw_act_delete_over },
		[GW_EV_BYE] = { GW_DELETING, gw_act_delete_broken },
		[GW_EV_LOST] = { GW_DELETING, gw_act_delete_broken },
		[GW_EV_GONE] = { GW_DELETING, gw_act_delete_gone },
		[GW_EV_STOP] = { GW_DELETING, gw_act_drop },
	},
	[GW_DELETED] = {
		[GW_EV_STOP] = { GW_DELETED, gw_act_drop },
		[GW_EV_RESTORE] = { GW_IDLE, gw_act_restore },
	},
};

/* ---- what clients see ------------------------------------------------------- */

static enum gw_conn_state conn_at_rest(const struct gw_instance *inst)
{
	switch (inst->link.end) {
	case GW_END_LOGGEDOUT:
		return GW_LOGGEDOUT;
	case GW_END_BANNED:
		return GW_BANNED;
	case GW_END_NONE:
		break;
	}
	return GW_DISCONNECTED;
}

static enum gw_conn_state conn_of(const struct gw_instance *inst)
{
	int why = inst->retry.down_rc;

	switch (inst->state) {
	case GW_STARTING:
	case GW_DIALING:
	case GW_CODE:
	case GW_PASSKEY:
	case GW_QUEUED:
		return GW_CONNECTING;
	case GW_RESUMING:
	case GW_RESTARTING:
		/* whether there is a session to be connected is what is being found out */
		return inst->unsure && !inst->attempt.called ? conn_at_rest(inst) : GW_CONNECTING;
	case GW_ONLINE:
		return GW_CONNECTED;
	case GW_ADOPTING: /* it has not told yet */
		return inst->link.linked ? GW_CONNECTING : conn_at_rest(inst);
	case GW_WAITING:
		return why == WA_ESTREAM_REPLACED || why == WA_ETEMP_BANNED ? GW_DISCONNECTED
		                                                            : GW_CONNECTING;
	case GW_LOGGING_OUT:
	case GW_DELETING:
	case GW_DELETED:
		return inst->conn; /* until it is done, nothing has changed */
	case GW_IDLE:
	case GW_LEAVING:
	case GW_INST_STATE_N:
		break;
	}
	return conn_at_rest(inst);
}

static void show_now(struct gw_instance *inst, enum gw_conn_state now)
{
	event_del(inst->ev_show);
	if (now == inst->conn) {
		gw_inst_tell_conn(inst);
		return;
	}
	LOG(&inst->log, inst->no_news ? LOG_DEBUG : LOG_INFO, "instance_state",
	    LF_STR("from", gw_conn_state_name(inst->conn)), LF_STR("to", gw_conn_state_name(now)));
	inst->conn = now;
	inst->conn_at_ms = clock_ms();
	inst->since_unix_ms = clock_unix_ms();
	gw_inst_tell_conn(inst);
}

/* How much longer "connected" is shown of a session that is just being brought back. */
static uint64_t hold_ms(const struct gw_instance *inst, enum gw_conn_state now)
{
	uint64_t age = clock_ms() - inst->conn_at_ms;
	uint64_t hold = 0;

	if (inst->conn != GW_CONNECTED || now != GW_CONNECTING)
		return 0;
	if (age < FLAP_MS)
		hold = FLAP_MS - age;
	if (inst->retry.down_at_once && hold < BLIP_MS)
		hold = BLIP_MS;
	return hold;
}

void gw_inst_show(struct gw_instance *inst)
{
	enum gw_conn_state now = conn_of(inst);
	uint64_t hold = hold_ms(inst, now);
	const struct timeval tv = { .tv_sec = (time_t)(hold / 1000),
		                    .tv_usec = (suseconds_t)(hold % 1000 * 1000) };

	if (hold == 0 ||
	    (!event_pending(inst->ev_show, EV_TIMEOUT, NULL) && event_add(inst->ev_show, &tv) < 0))
		show_now(inst, now);
}

void gw_instance_on_show(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	show_now(arg, conn_of(arg));
}

/* ---- moving ----------------------------------------------------------------- */

void gw_inst_move(struct gw_instance *inst, enum gw_inst_state next)
{
	if (next == inst->state)
		return;
	LOG(&inst->log, LOG_DEBUG, "instance_moves", LF_STR("state", state_names[inst->state]),
	    LF_STR("next", state_names[next]));
	inst->state = next;
}

int gw_instance_event(struct gw_instance *inst, enum gw_inst_event ev,
                      const struct gw_inst_input *in)
{
	static const struct gw_inst_input nothing = { 0 };
	const struct edge *e = &edges[inst->state][ev];
	int rc;

	LOG(&inst->log, e->act != NULL ? LOG_DEBUG : LOG_WARNING, "instance_event",
	    LF_STR("state", state_names[inst->state]), LF_STR("got", event_names[ev]),
	    LF_STR("next", e->act != NULL ? state_names[e->next] : "refused"));
	if (e->act == NULL)
		return WA_ESTATE;
	inst->from = inst->state;
	inst->state = e->next;
	rc = e->act(inst, in != NULL ? in : &nothing);
	if (rc == WA_ESTATE)
		inst->state = inst->from; /* refused by the action */
	gw_inst_show(inst);
	return rc;
}
