/* worker/control/wk_ipc_tell.c - the session's news as messages */
#include "worker/control/wk_ipc_tell.h"

#include <unistd.h>

#include "worker/net/wk_probe.h"
#include "worker/process/wk_sandbox.h"

#define TEXT(s) ((char *)(s)) /* generated code wants no const; it only reads */

/* NULL where there is nothing to say. */
static char *text_or_null(const char *s)
{
	return s != NULL && *s != '\0' ? TEXT(s) : NULL;
}

static void on_step(int step, uint64_t elapsed_us, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__Step msg = IPC__STEP__INIT;

	msg.has_name = 1;
	msg.name = (Ipc__Step__Name)step;
	msg.has_elapsed_us = 1;
	msg.elapsed_us = elapsed_us;
	wk_ipc_send(t->ipc, IPC_STEP, &msg.base);
}

/* ---- codes ------------------------------------------------------------------------------- */

static void fill_timing(const struct wk_tell *t, const struct wk_timing *timing, Ipc__Timing *msg)
{
	msg->has_tcp_us = msg->has_tls_us = msg->has_upgrade_us = 1;
	msg->has_handshake_us = msg->has_code_us = msg->has_start_us = 1;
	msg->tcp_us = timing->tcp_us;
	msg->tls_us = timing->tls_us;
	msg->upgrade_us = timing->upgrade_us;
	msg->handshake_us = timing->handshake_us;
	msg->code_us = timing->code_us;
	msg->start_us = t->connect_us - t->start_us;
	LOG(t->log, LOG_INFO, "first_code", LF_INT("tcp_us", timing->tcp_us),
	    LF_INT("tls_us", timing->tls_us), LF_INT("handshake_us", timing->handshake_us),
	    LF_INT("code_us", timing->code_us));
}

static void on_code(const struct wk_code *code, const struct wk_timing *timing, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__Qr msg = IPC__QR__INIT;
	Ipc__Timing timing_msg = IPC__TIMING__INIT;

	msg.code = TEXT(code->text);
	msg.has_valid_ms = msg.has_index = msg.has_total = 1;
	msg.valid_ms = code->valid_ms;
	msg.index = code->index;
	msg.total = code->total;
	if (timing != NULL) {
		fill_timing(t, timing, &timing_msg);
		msg.timing = &timing_msg;
	}
	wk_ipc_send(t->ipc, IPC_QR, &msg.base);
}

static void on_pairing_code(const char *code, uint32_t valid_ms, const struct wk_timing *timing,
                            void *arg)
{
	struct wk_tell *t = arg;
	Ipc__PairingCode msg = IPC__PAIRING_CODE__INIT;
	Ipc__Timing timing_msg = IPC__TIMING__INIT;

	msg.code = TEXT(code);
	msg.has_valid_ms = 1;
	msg.valid_ms = valid_ms;
	if (timing != NULL) {
		fill_timing(t, timing, &timing_msg);
		msg.timing = &timing_msg;
	}
	wk_ipc_send(t->ipc, IPC_PAIRING_CODE, &msg.base);
}

static void on_passkey(const struct wk_passkey_view *view, void *arg)
{
	static const Ipc__Passkey__State states[] = {
		[WK_PASSKEY_NONE] = IPC__PASSKEY__STATE__DONE,
		[WK_PASSKEY_REQUIRED] = IPC__PASSKEY__STATE__REQUIRED,
		[WK_PASSKEY_CONFIRM] = IPC__PASSKEY__STATE__CONFIRM,
		[WK_PASSKEY_DONE] = IPC__PASSKEY__STATE__DONE,
	};
	struct wk_tell *t = arg;
	Ipc__Passkey msg = IPC__PASSKEY__INIT;

	msg.has_state = 1;
	msg.state = states[view->stage];
	msg.public_key = TEXT(view->options);
	msg.code = TEXT(view->code);
	msg.has_valid_ms = view->valid_ms > 0; /* 0: its limit fires in this pass of the loop */
	msg.valid_ms = view->valid_ms;
	wk_ipc_send(t->ipc, IPC_PASSKEY, &msg.base);
}

/* ---- the account ------------------------------------------------------------------------- */

static void fill_account(const struct wk_creds *creds, Ipc__Account *msg)
{
	msg->jid = text_or_null(creds->jid);
	msg->lid = text_or_null(creds->lid);
	msg->platform = text_or_null(creds->platform);
	msg->push_name = text_or_null(creds->push_name);
	msg->business_name = text_or_null(creds->business_name);
	msg->has_store_generation = creds->generation != 0;
	msg->store_generation = creds->generation;
}

static void send_account(struct wk_tell *t, enum ipc_type type, const struct wk_creds *creds)
{
	Ipc__Account msg = IPC__ACCOUNT__INIT;

	fill_account(creds, &msg);
	wk_ipc_send(t->ipc, type, &msg.base);
}

static void on_linked(const struct wk_creds *creds, void *arg)
{
	send_account(arg, IPC_LINKED, creds);
}

static void on_profile(const struct wk_creds *creds, void *arg)
{
	send_account(arg, IPC_PROFILE, creds);
}

static void on_online(const struct wk_creds *creds, uint64_t elapsed_us, uint64_t since_ms,
                      void *arg)
{
	struct wk_tell *t = arg;
	Ipc__Account account = IPC__ACCOUNT__INIT;
	Ipc__Online msg = IPC__ONLINE__INIT;

	fill_account(creds, &account);
	msg.account = &account;
	msg.has_elapsed_us = 1;
	msg.elapsed_us = elapsed_us;
	msg.has_since_ms = since_ms > 0;
	msg.since_ms = since_ms;
	wk_ipc_send(t->ipc, IPC_ONLINE, &msg.base);
	t->on_online(t->arg);
}

/* ---- not online -------------------------------------------------------------------------- */

static void on_down(const struct wk_failure *f, unsigned attempt, uint64_t retry_ms, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__Down msg = IPC__DOWN__INIT;

	msg.has_rc = msg.has_attempt = msg.has_retry_ms = 1;
	msg.rc = f->rc;
	msg.has_reason = f->reason != 0;
	msg.reason = f->reason;
	msg.detail = text_or_null(f->detail);
	msg.has_silent = f->silent;
	msg.silent = f->silent;
	msg.attempt = attempt;
	msg.retry_ms = retry_ms;
	wk_ipc_send(t->ipc, IPC_DOWN, &msg.base);
}

static void send_logout_done(const struct wk_tell *t, const struct wk_failure *f)
{
	Ipc__LogoutDone msg = IPC__LOGOUT_DONE__INIT;

	msg.has_rc = 1;
	msg.rc = f->rc;
	msg.detail = text_or_null(f->detail);
	wk_ipc_send(t->ipc, IPC_LOGOUT_DONE, &msg.base);
}

static void send_failed(const struct wk_tell *t, const struct wk_failure *f)
{
	Ipc__Failed msg = IPC__FAILED__INIT;

	msg.has_rc = 1;
	msg.rc = f->rc;
	msg.has_reason = f->reason != 0;
	msg.reason = f->reason;
	msg.detail = text_or_null(f->detail);
	wk_ipc_send(t->ipc, IPC_FAILED, &msg.base);
}

/* That it could not be unlinked is no end: the session goes on, or says how it ended. */
static void on_logout_done(const struct wk_failure *f, void *arg)
{
	static const struct wk_failure done = { .rc = 0 };
	struct wk_tell *t = arg;

	if (f == NULL)
		t->last = (struct wk_last_word){ .kind = WK_WORD_LOGOUT };
	send_logout_done(t, f != NULL ? f : &done);
}

void wk_tell_failed(const struct wk_failure *f, void *tell)
{
	struct wk_tell *t = tell;

	t->last = (struct wk_last_word){ .kind = WK_WORD_FAILED, .f = *f };
	send_failed(t, f);
}

void wk_tell_last(const struct wk_tell *t)
{
	switch (t->last.kind) {
	case WK_WORD_NONE:
		break;
	case WK_WORD_FAILED:
		send_failed(t, &t->last.f);
		break;
	case WK_WORD_LOGOUT:
		send_logout_done(t, &t->last.f);
		break;
	}
}

static int on_event(const Ipc__Event *msg, int fd, void *arg)
{
	struct wk_tell *t = arg;

	return wk_ipc_send_fd(t->ipc, IPC_EVENT, &msg->base, fd);
}

static int on_events(const Ipc__Events *msg, void *arg)
{
	struct wk_tell *t = arg;

	return wk_ipc_send_events(t->ipc, msg);
}

/* ---- questions --------------------------------------------------------------------------- */

static void on_dial_ask(void *arg)
{
	struct wk_tell *t = arg;
	Ipc__DialAsk msg = IPC__DIAL_ASK__INIT;

	wk_ipc_send(t->ipc, IPC_DIAL_ASK, &msg.base);
	t->on_ask(t->arg);
}

static void on_version_ask(uint32_t used, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__VersionAsk msg = IPC__VERSION_ASK__INIT;

	msg.has_used = 1;
	msg.used = used;
	wk_ipc_send(t->ipc, IPC_VERSION_ASK, &msg.base);
	t->on_ask(t->arg);
}

static void on_version_found(const struct wk_failure *f, uint32_t revision, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__VersionFound msg = IPC__VERSION_FOUND__INIT;

	msg.has_rc = 1;
	msg.rc = f != NULL ? f->rc : 0;
	msg.detail = f != NULL ? text_or_null(f->detail) : NULL;
	msg.has_revision = f == NULL;
	msg.revision = revision;
	wk_ipc_send(t->ipc, IPC_VERSION_FOUND, &msg.base);
}

static void on_end(void *arg)
{
	struct wk_tell *t = arg;

	t->on_end(t->arg);
}

/* ---- answers and history ----------------------------------------------------------------- */

static void on_answer(uint32_t id, const Ipc__Answer *answer, int fd, void *arg)
{
	struct wk_tell *t = arg;

	wk_ipc_answer(t->ipc, id, answer, fd);
}

static void on_history(uint32_t days, uint32_t progress, uint64_t messages, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__HistoryState msg = IPC__HISTORY_STATE__INIT;

	msg.has_requested_days = msg.has_progress = msg.has_messages = 1;
	msg.requested_days = days;
	msg.progress = progress;
	msg.messages = messages;
	wk_ipc_send(t->ipc, IPC_HISTORY_STATE, &msg.base);
}

const struct wk_session_ops wk_tell_ops = {
	.on_step = on_step,
	.on_code = on_code,
	.on_pairing_code = on_pairing_code,
	.on_passkey = on_passkey,
	.on_linked = on_linked,
	.on_online = on_online,
	.on_profile = on_profile,
	.on_down = on_down,
	.on_logout_done = on_logout_done,
	.on_dial_ask = on_dial_ask,
	.on_version_ask = on_version_ask,
	.on_version_found = on_version_found,
	.on_answer = on_answer,
	.on_history = on_history,
	.on_event = on_event,
	.on_events = on_events,
	.on_failed = wk_tell_failed,
	.on_end = on_end,
};

/* ---- a probe ----------------------------------------------------------------------------- */

void wk_tell_probe(const struct wk_probe_result *r, unsigned layers, void *arg)
{
	struct wk_tell *t = arg;
	Ipc__ProbeDone msg = IPC__PROBE_DONE__INIT;
	Ipc__Timing timing = IPC__TIMING__INIT;
	Ipc__Sandbox sandbox = IPC__SANDBOX__INIT;

	msg.has_rc = 1;
	msg.rc = r->failure.rc;
	msg.detail = text_or_null(r->failure.detail);
	msg.has_step = r->step >= 0;
	msg.step = r->step >= 0 ? (Ipc__Step__Name)r->step : IPC__STEP__NAME__DNS;
	timing.has_tcp_us = timing.has_tls_us = timing.has_upgrade_us = timing.has_handshake_us = 1;
	timing.tcp_us = r->timing.tcp_us;
	timing.tls_us = r->timing.tls_us;
	timing.upgrade_us = r->timing.upgrade_us;
	timing.handshake_us = r->timing.handshake_us;
	msg.timing = &timing;
	msg.has_server_unix_s = msg.has_unix_s = r->server_unix_s != 0;
	msg.server_unix_s = r->server_unix_s;
	msg.unix_s = r->unix_s;
	sandbox.has_limits = sandbox.has_rights = sandbox.has_landlock = 1;
	sandbox.has_seccomp = sandbox.has_uid = 1;
	sandbox.limits = (layers & WK_SANDBOX_LIMITS) != 0;
	sandbox.rights = (layers & WK_SANDBOX_RIGHTS) != 0;
	sandbox.landlock = (layers & WK_SANDBOX_LANDLOCK) != 0;
	sandbox.seccomp = (layers & WK_SANDBOX_SECCOMP) != 0;
	sandbox.uid = geteuid();
	msg.sandbox = &sandbox;
	wk_ipc_send(t->ipc, IPC_PROBE_DONE, &msg.base);
}
