/* gateway/supervision/gw_worker_msg.c - what a worker says: checked, and passed on to its instance
 */
#include "gateway/supervision/gw_worker_priv.h"

#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/supervision/gw_worker_check.h"
#include "proto/ipc.pb-c.h"

#define CODE_VALID_MAX_MS 600000
#define RETRY_MAX_MS (400 * 86400 * UINT64_C(1000)) /* a ban may last a year */
#define ATTEMPT_MAX 1000000
#define SINCE_MAX_MS (10 * 365 * 86400 * UINT64_C(1000))

/* One that says more in a second than a sound one in minutes is to be ended. */
#define RATE_MS 1000
#define RATE_MAX 500
#define RATE_OF_CODE 10 /* one code counts for so many: it is drawn for those who wait */

static const struct {
	const char *name;
	bool is_login; /* only a saved session comes to it */
} steps[] = {
	[IPC__STEP__NAME__DNS] = { "dns", false },
	[IPC__STEP__NAME__TCP] = { "tcp", false },
	[IPC__STEP__NAME__TLS] = { "tls", false },
	[IPC__STEP__NAME__HANDSHAKE] = { "handshake", false },
	[IPC__STEP__NAME__REGISTRATION] = { "registration", false },
	[IPC__STEP__NAME__PAIRING] = { "pairing", false },
	[IPC__STEP__NAME__LOGIN] = { "login", true },
	[IPC__STEP__NAME__SYNCING] = { "syncing", true },
	[IPC__STEP__NAME__VERSION] = { "version", false },
};

/* rc 0 stays 0. */
static struct gw_reason reason_take(int rc, uint32_t number, const char *detail)
{
	struct gw_reason r = { .rc = rc, .number = number, .at_unix_ms = clock_unix_ms() };

	if (rc != 0 && !wa_err_is_outcome(rc) && rc != WA_ENO_SESSION)
		r.rc = WA_EPROTO; /* not a word that clients know */
	gw_check_detail(detail, r.detail, sizeof(r.detail));
	return r;
}

/* What it is at, for an instance that has just met it. */
static int hello_take(const Ipc__HelloReply *m, struct gw_inst_hello *h)
{
	if (m->has_step && (m->step < 0 || (size_t)m->step >= ARRAY_LEN(steps)))
		return WA_EPROTO;
	if (m->number != NULL && !gw_check_number(m->number))
		return WA_EPROTO;
	h->connected = m->has_connected && m->connected;
	h->linked = m->has_linked && m->linked;
	h->number = m->number;
	h->history_days = m->has_history_days ? m->history_days : 0;
	h->step = m->has_step ? steps[m->step].name : NULL;
	h->shows_code = m->has_step && m->step == IPC__STEP__NAME__PAIRING;
	return h->history_days <= GW_HISTORY_DAYS_MAX ? 0 : WA_EPROTO;
}

static int on_hello_reply(struct gw_worker *w, struct ipc_msg *msg)
{
	const Ipc__HelloReply *m = (const Ipc__HelloReply *)msg->body;
	struct gw_inst_input in = { 0 };
	int rc;

	if (w->phase == GW_W_READY || w->memory_fd >= 0) /* said once */
		return WA_EPROTO;
	rc = hello_take(m, &in.hello);
	w->memory_fd = msg->fd; /* looked at when it is read */
	msg->fd = -1;

	if (rc == 0 && w->proc == GW_P_NONE)
		rc = gw_worker_identify(w, m);
	if (rc == 0)
		rc = gw_instance_event(w->inst, GW_EV_READY, &in);
	if (rc < 0 || w->phase != GW_W_STARTING)
		return rc;
	LOG(gw_worker_log(w), LOG_DEBUG, w->adopted ? "worker_adopted" : "worker_hello",
	    LF_INT("pid", m->pid), LF_STR("version", m->worker_version),
	    LF_INT("ms", (clock_us() - w->born_us) / 1000));
	w->binary = m->has_binary ? m->binary : 0;
	w->spawn_us = clock_us() - w->born_us;
	gw_supervisor_release(w->sup, w);
	w->phase = GW_W_READY;
	if (w->gw->events != NULL)
		gw_events_worker_met(w->gw->events, w->inst);
	gw_worker_timer(w, gw_supervisor_times(w->sup)->ping);
	return 0;
}

static int on_step(struct gw_worker *w, const Ipc__Step *m)
{
	struct gw_inst_input in = { 0 };

	if (!m->has_name || m->name < 0 || (size_t)m->name >= ARRAY_LEN(steps))
		return WA_EPROTO;
	in.step = steps[m->name].name;
	in.step_is_login = steps[m->name].is_login;
	return gw_instance_event(w->inst, GW_EV_STEP, &in);
}

/* ---- pairing ---------------------------------------------------------------- */

static struct gw_code_timing timing_take(const struct gw_worker *w, const Ipc__Timing *t)
{
	if (t == NULL)
		return (struct gw_code_timing){ 0 };
	return (struct gw_code_timing){
		.spawn_us = w->spawn_us,
		.start_us = t->start_us,
		.tcp_us = t->tcp_us,
		.tls_us = t->tls_us,
		.upgrade_us = t->upgrade_us,
		.handshake_us = t->handshake_us,
		.code_us = t->code_us,
	};
}

static bool valid_ms_ok(bool has, uint32_t valid_ms)
{
	return has && valid_ms > 0 && valid_ms <= CODE_VALID_MAX_MS;
}

static int on_qr(struct gw_worker *w, const Ipc__Qr *m)
{
	struct gw_inst_input in = { 0 };

	if (!gw_check_printable(m->code, sizeof(((struct gw_code *)0)->text) - 1) ||
	    !valid_ms_ok(m->has_valid_ms, m->valid_ms))
		return WA_EPROTO;
	in.code.text = m->code;
	in.code.valid_ms = m->valid_ms;
	in.code.index = m->index;
	in.code.total = m->total;
	in.code.timing = timing_take(w, m->timing);
	return gw_instance_event(w->inst, GW_EV_CODE, &in);
}

static int on_pairing_code(struct gw_worker *w, const Ipc__PairingCode *m)
{
	struct gw_inst_input in = { 0 };

	if (!gw_check_pairing_code(m->code) || !valid_ms_ok(m->has_valid_ms, m->valid_ms))
		return WA_EPROTO;
	in.code.pairing = true;
	in.code.text = m->code;
	in.code.valid_ms = m->valid_ms;
	in.code.timing = timing_take(w, m->timing);
	return gw_instance_event(w->inst, GW_EV_CODE, &in);
}

static int on_passkey(struct gw_worker *w, const Ipc__Passkey *m)
{
	static const enum gw_passkey_status states[] = {
		[IPC__PASSKEY__STATE__REQUIRED] = GW_PASSKEY_REQUIRED,
		[IPC__PASSKEY__STATE__CONFIRM] = GW_PASSKEY_CONFIRM,
		[IPC__PASSKEY__STATE__DONE] = GW_PASSKEY_DONE,
	};
	struct gw_inst_input in = { 0 };
	int rc;

	if (!m->has_state || m->state < 0 || (size_t)m->state >= ARRAY_LEN(states) ||
	    (m->has_valid_ms && !valid_ms_ok(true, m->valid_ms)))
		return WA_EPROTO;
	if (m->code != NULL &&
	    !gw_check_printable(m->code, sizeof(((struct gw_passkey *)0)->code) - 1))
		return WA_EPROTO;
	in.passkey.status = states[m->state];
	in.passkey.valid_ms = m->valid_ms;
	in.passkey.code = m->code;
	if (in.passkey.status == GW_PASSKEY_REQUIRED) {
		in.passkey.public_key = gw_check_passkey_options(m->public_key);
		if (in.passkey.public_key == NULL)
			return WA_EPROTO;
	}
	rc = gw_instance_event(w->inst, GW_EV_PASSKEY, &in);
	json_decref(in.passkey.public_key);
	return rc;
}

/* ---- the account and its session -------------------------------------------- */

/* Names with what a terminal or a log could mistake for more taken out. */
struct account_text {
	char push_name[GW_PROFILE_CAP], business_name[GW_PROFILE_CAP];
};

static int account_take(const Ipc__Account *m, struct account_text *t, struct gw_account_said *a)
{
	*a = (struct gw_account_said){ .jid = NULL };
	if (m == NULL)
		return 0;
	if ((m->jid != NULL && !gw_check_jid(m->jid, "s.whatsapp.net")) ||
	    (m->lid != NULL && !gw_check_jid(m->lid, "lid")) ||
	    (m->platform != NULL && m->platform[0] != '\0' &&
	     !gw_check_printable(m->platform, GW_PLATFORM_CAP - 1)) ||
	    !gw_check_name(m->push_name, t->push_name, sizeof(t->push_name)) ||
	    !gw_check_name(m->business_name, t->business_name, sizeof(t->business_name)))
		return WA_EPROTO;
	a->jid = m->jid;
	a->lid = m->lid;
	a->platform = m->platform;
	a->push_name = m->push_name != NULL ? t->push_name : NULL;
	a->business_name = m->business_name != NULL ? t->business_name : NULL;
	return 0;
}

/* The session's store has come to a new state, which is its newest one from now on. */
static void generation_take(struct gw_worker *w, bool said, uint64_t generation)
{
	if (said && generation <= INT64_MAX)
		gw_instance_stored(w->inst, (int64_t)generation);
}

static int on_account(struct gw_worker *w, enum gw_inst_event ev, const Ipc__Account *m,
                      uint64_t since_ms)
{
	struct gw_inst_input in = { .since_ms = since_ms };
	struct account_text t;
	int rc = account_take(m, &t, &in.account);

	if (since_ms > SINCE_MAX_MS)
		return WA_EPROTO;

	if (rc == 0 && ev == GW_EV_LINKED && in.account.jid == NULL)
		rc = WA_EPROTO;
	if (rc == 0 && m != NULL)
		generation_take(w, m->has_store_generation, m->store_generation);
	return rc < 0 ? rc : gw_instance_event(w->inst, ev, &in);
}

static int on_online(struct gw_worker *w, const Ipc__Online *m)
{
	return on_account(w, GW_EV_ONLINE, m->account, m->has_since_ms ? m->since_ms : 0);
}

static int on_down(struct gw_worker *w, const Ipc__Down *m)
{
	struct gw_reason r = reason_take(m->rc, m->reason, m->detail);
	const struct gw_inst_input in = { .reason = &r,
		                          .attempt = m->attempt,
		                          .silent = m->has_silent && m->silent,
		                          .retry_ms = m->retry_ms };

	if (m->attempt > ATTEMPT_MAX || m->retry_ms > RETRY_MAX_MS)
		return WA_EPROTO;
	return gw_instance_event(w->inst, GW_EV_DOWN, &in);
}

/* What it meant for the instance may be on disk already: then it may go. */
static int said_last(struct gw_worker *w, int rc)
{
	if (rc == 0 && gw_instance_is_saved(w->inst))
		gw_worker_saved(w);
	return rc;
}

static int on_logout_done(struct gw_worker *w, const Ipc__LogoutDone *m)
{
	struct gw_reason r = reason_take(m->rc, 0, m->detail);
	const struct gw_inst_input in = { .reason = &r };

	return said_last(w, gw_instance_event(w->inst, GW_EV_LOGOUT_DONE, &in));
}

/* ---- the host's ------------------------------------------------------------- */

static int on_dial_ask(struct gw_worker *w)
{
	if (w->phase != GW_W_READY)
		return w->phase == GW_W_STARTING ? WA_ESTATE : 0;
	return gw_worker_dial_ask(w);
}

static int on_version_ask(struct gw_worker *w, const Ipc__VersionAsk *m)
{
	if (w->phase != GW_W_READY)
		return w->phase == GW_W_STARTING ? WA_ESTATE : 0;
	if (w->version.state != GW_VERSION_QUIET)
		return WA_ESTATE;
	gw_version_ask(w->gw->version, &w->version, m->used);
	return 0;
}

/* One that comes after its time is of no use to anybody, but no crime either. */
static int on_version_found(struct gw_worker *w, const Ipc__VersionFound *m)
{
	bool ok = m->rc == 0 && m->has_revision && m->revision > 0;

	if (m->rc == 0 && !ok)
		return WA_EPROTO;
	if (gw_version_found(w->gw->version, &w->version, ok ? 0 : reason_take(m->rc, 0, NULL).rc,
	                     m->revision) < 0)
		LOG(gw_worker_log(w), LOG_DEBUG, "version_found_late");
	return 0;
}

/* ---- events ------------------------------------------------------------------ */

static int on_events(struct gw_worker *w, Ipc__Event *const *events, size_t n, int *fd)
{
	int rc = 0;

	if (w->phase != GW_W_READY && w->phase != GW_W_LEAVING)
		return w->phase == GW_W_STARTING ? WA_ESTATE : 0;
	if (w->gw->events == NULL)
		return 0; /* without an answer, it keeps them */
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = gw_events_take(w->gw->events, w->inst, events[i], fd);
	return rc;
}

static int on_event(struct gw_worker *w, struct ipc_msg *m)
{
	Ipc__Event *one = (Ipc__Event *)m->body;

	return on_events(w, &one, 1, &m->fd);
}

static int on_many_events(struct gw_worker *w, const Ipc__Events *m)
{
	int none = -1;

	if (m->n_events == 0 || m->n_events > IPC_EVENTS_MAX_N)
		return WA_EPROTO;
	return on_events(w, m->events, m->n_events, &none);
}

/* ---- its log ---------------------------------------------------------------- */

/* Read only when it has crashed; a descriptor that is no such ring is refused then. */
static int on_log_tail(struct gw_worker *w, struct ipc_msg *m)
{
	if (w->tail_fd >= 0)
		return WA_EPROTO;
	w->tail_fd = m->fd;
	m->fd = -1;
	return 0;
}

/* ---- the end ---------------------------------------------------------------- */

static int on_failed(struct gw_worker *w, const Ipc__Failed *m)
{
	struct gw_reason r = reason_take(m->rc, m->reason, m->detail);
	const struct gw_inst_input in = { .reason = &r };

	if (m->rc == 0)
		return WA_EPROTO;
	return said_last(w, gw_instance_event(w->inst, GW_EV_FAILED, &in));
}

static int on_bye(struct gw_worker *w, const Ipc__Bye *m)
{
	struct gw_reason r = reason_take(m->rc, 0, m->detail);
	const struct gw_inst_input in = { .reason = &r };

	if (w->end_said)
		return WA_EPROTO;
	LOG(gw_worker_log(w), LOG_DEBUG, "worker_bye", LF_INT("pid", w->pid), LF_ERR("err", m->rc));
	w->end_said = true;
	generation_take(w, m->has_store_generation, m->store_generation);
	if (w->phase != GW_W_LEAVING)
		gw_worker_leaving(w, gw_supervisor_times(w->sup)->leave);
	return gw_instance_event(w->inst, GW_EV_BYE, &in);
}

/* ---- its history ------------------------------------------------------------ */

static int on_history_state(struct gw_worker *w, const Ipc__HistoryState *m)
{
	if (m->requested_days > GW_HISTORY_DAYS_MAX || m->progress > 100 || m->messages > INT64_MAX)
		return WA_EPROTO;
	gw_instance_history(w->inst, m->requested_days, m->progress, m->messages);
	return 0;
}

static bool talks_too_much(struct gw_worker *w, enum ipc_type type)
{
	uint64_t now = clock_ms();

	if (now - w->rate_ms >= RATE_MS) {
		w->rate_ms = now;
		w->rate_n = 0;
	}
	w->rate_n += type == IPC_QR ? RATE_OF_CODE : 1;
	return w->rate_n > RATE_MAX;
}

int gw_worker_on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	struct gw_worker *w = arg;

	(void)c;
	if (m->type != IPC_EVENT && m->type != IPC_EVENTS && /* they have their window */
	    talks_too_much(w, m->type))
		return WA_ELIMIT;
	switch (m->type) {
	case IPC_HELLO_REPLY:
		return on_hello_reply(w, m);
	case IPC_PONG:
		gw_worker_settled(w);
		return 0;
	case IPC_LOG_TAIL:
		return on_log_tail(w, m);
	case IPC_STEP:
		return on_step(w, (const Ipc__Step *)m->body);
	case IPC_QR:
		return on_qr(w, (const Ipc__Qr *)m->body);
	case IPC_PAIRING_CODE:
		return on_pairing_code(w, (const Ipc__PairingCode *)m->body);
	case IPC_PASSKEY:
		return on_passkey(w, (const Ipc__Passkey *)m->body);
	case IPC_LINKED:
		return on_account(w, GW_EV_LINKED, (const Ipc__Account *)m->body, 0);
	case IPC_ONLINE:
		return on_online(w, (const Ipc__Online *)m->body);
	case IPC_PROFILE:
		return on_account(w, GW_EV_PROFILE, (const Ipc__Account *)m->body, 0);
	case IPC_DOWN:
		return on_down(w, (const Ipc__Down *)m->body);
	case IPC_LOGOUT_DONE:
		return on_logout_done(w, (const Ipc__LogoutDone *)m->body);
	case IPC_DIAL_ASK:
		return on_dial_ask(w);
	case IPC_VERSION_ASK:
		return on_version_ask(w, (const Ipc__VersionAsk *)m->body);
	case IPC_VERSION_FOUND:
		return on_version_found(w, (const Ipc__VersionFound *)m->body);
	case IPC_EVENT:
		return on_event(w, m);
	case IPC_EVENTS:
		return on_many_events(w, (const Ipc__Events *)m->body);
	case IPC_FAILED:
		return on_failed(w, (const Ipc__Failed *)m->body);
	case IPC_BYE:
		return on_bye(w, (const Ipc__Bye *)m->body);
	case IPC_ANSWER:
		return gw_worker_on_answer(w, m);
	case IPC_HISTORY_STATE:
		return on_history_state(w, (const Ipc__HistoryState *)m->body);
	case IPC_HELLO:
	case IPC_PING:
	case IPC_CONNECT:
	case IPC_STOP:
	case IPC_DIAL_GO:
	case IPC_VERSION_TELL:
	case IPC_RESUME:
	case IPC_LOGOUT:
	case IPC_PASSKEY_ANSWER:
	case IPC_PASSKEY_CONFIRM:
	case IPC_SETTINGS:
	case IPC_ROUTE:
	case IPC_ASK:
	case IPC_PROBE_DONE: /* from a probe's process only */
	case IPC_SPAWN:
	case IPC_SPAWN_REPLY:
	case IPC_EVENT_COMMIT:
		break; /* never from a worker: the channel refuses them */
	}
	return WA_EPROTO;
}
