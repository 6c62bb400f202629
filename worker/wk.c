/* worker/wk.c - one worker: channel and session put together, and when to leave */
#include "worker/wk.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_tail.h"
#include "common/secret.h"
#include "worker/control/wk_ipc.h"
#include "worker/control/wk_ipc_tell.h"
#include "worker/net/wk_probe.h"
#include "worker/process/wk_hand.h"
#include "worker/process/wk_sandbox.h"
#include "worker/session/wk_session.h"
#include "worker/session/wk_timer.h"

struct wk {
	const struct wk_params *p;
	struct log_ctx log;
	char *request_id; /* of the attempt, for the log */
	struct event_base *base;
	struct wk_ipc *ipc;
	struct wk_session *session;
	struct wk_probe *probe; /* instead of a session's work; NULL: none */
	struct event *lonely;   /* nobody wants us: leave */
	struct event *alone;    /* nobody answers: decide */
	struct event *parting;  /* done, but for the last events' way to the gateway */
	struct event *term;     /* SIGTERM, through signalfd */
	int term_fd;
	struct wk_tell tell;
	bool attempt;  /* CONNECT was accepted */
	bool released; /* STOP came: nobody has to hear more of us */
	bool ended;    /* the session has; a gateway has yet to hear how */
	int exit_code;
};

_Bool wk_instance_id_valid(const char *id)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n <= WK_INSTANCE_ID_MAX && id[n] == '\0';
}

unsigned wk_test_speed(void)
{
#ifdef WARDEN_TEST_HOOKS
	const char *text = getenv("WARDEN_TEST_SPEED");
	long v = text != NULL ? strtol(text, NULL, 10) : 1;

	return v >= 1 && v <= 1000 ? (unsigned)v : 1;
#else
	return 1;
#endif
}

int wk_log_tail_start(void)
{
	struct log_tail *tail = NULL;
	int fd = -1;

	if (log_tail_new(&tail, &fd) == 0) {
		log_set_tail(tail);
		wk_hand_init(tail);
	}
	return fd;
}

int wk_memory_open(void)
{
	return open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
}

static void leave(struct wk *w, int exit_code)
{
	w->exit_code = exit_code;
	(void)event_base_loopexit(w->base, NULL);
}

/* ---- from the session ---------------------------------------------------------------------- */

/* The log's lines belong to a request until it has what it wanted. */
static void set_request(struct wk *w, const char *request_id)
{
	free(w->request_id);
	w->request_id = request_id != NULL && *request_id != '\0' ? strdup(request_id) : NULL;
	w->log.request_id = w->request_id;
}

static void on_online(void *arg)
{
	set_request(arg, NULL);
}

static void say_bye(struct wk *w)
{
	wk_ipc_bye(w->ipc, 0, NULL, wk_session_left_generation(w->session));
	leave(w, WK_EXIT_DONE);
}

/* The last events of a link that is over are the gateway's to keep: they have a moment. */
static void part(struct wk *w)
{
	if (wk_session_events_heard(w->session) || !wk_ipc_is_heard(w->ipc, WK_SILENT_MS) ||
	    wk_timer_set(w->parting, WK_PART_MS / w->p->speed) < 0)
		say_bye(w);
}

static void on_parted(evutil_socket_t fd, short what, void *arg)
{
	struct wk *w = arg;

	(void)fd;
	(void)what;
	if (!wk_session_events_heard(w->session))
		LOG(&w->log, LOG_ERR, "events_not_heard");
	say_bye(w);
}

static void set_lonely(struct wk *w);

/*
 * The session's end is the worker's end, once a gateway has it on its disk: STOP says so. What was
 * told to one that dies before that is told again to the next.
 */
static void on_session_end(void *arg)
{
	struct wk *w = arg;

	w->ended = true;
	if (w->released || w->tell.last.kind == WK_WORD_NONE)
		part(w);
	else if (!wk_ipc_is_heard(w->ipc, WK_SILENT_MS))
		set_lonely(w);
}

/* ---- without a gateway ------------------------------------------------------------------- */

/* What only a gateway can answer, and it may be away, or hang. */
static void on_ask(void *arg)
{
	struct wk *w = arg;
	uint32_t rnd = 0;

	(void)!secret_random(&rnd, sizeof(rnd)); /* else all workers of a host decide at once */
	if (wk_timer_set(w->alone, (WK_ANSWER_MS + rnd % WK_ANSWER_MS) / w->p->speed) < 0)
		LOG(&w->log, LOG_WARNING, "no_time_limit");
}

static void on_alone(evutil_socket_t fd, short what, void *arg)
{
	struct wk *w = arg;

	(void)fd;
	(void)what;
	if (wk_ipc_is_heard(w->ipc, WK_SILENT_MS / w->p->speed))
		on_ask(w); /* it has others to serve as well */
	else if (wk_session_alone(w->session))
		LOG(&w->log, LOG_INFO, "decided_alone");
}

/* How long we are of use without a gateway; a session that lives has no such limit. */
static void set_lonely(struct wk *w)
{
	uint64_t ms = w->ended && wk_session_had_link(w->session) ? WK_UNHEARD_MS : WK_LONELY_MS;

	if (w->attempt && !w->ended)
		return;
	if (wk_timer_set(w->lonely, ms / w->p->speed) < 0)
		leave(w, WK_EXIT_FAILED);
}

static void on_lonely(evutil_socket_t fd, short what, void *arg)
{
	struct wk *w = arg;

	(void)fd;
	(void)what;
	LOG(&w->log, LOG_NOTICE, "no_gateway");
	leave(w, WK_EXIT_NO_GATEWAY);
}

/* ---- from the gateway to the session ----------------------------------------------------- */

static void on_presence(bool present, void *arg)
{
	struct wk *w = arg;

	if (present)
		(void)event_del(w->lonely);
	else
		set_lonely(w);
	wk_session_asks_drop(w->session); /* who asked is not there any more */
}

/* A gateway that comes later is told what is true now. */
static void on_hello(void *arg)
{
	struct wk *w = arg;

	wk_session_tell(w->session);
	wk_session_history_tell(w->session);
	wk_tell_last(&w->tell);
	wk_session_events_tell(w->session);
}

static void refuse_connect(struct wk *w, int rc, const char *why)
{
	struct wk_failure f;

	wk_failure_set(&f, rc == -EINVAL ? WA_EPROTO : rc, "the setting %s can't be used", why);
	LOG(&w->log, LOG_WARNING, "connect_refused", LF_STR("setting", why));
	wk_tell_failed(&f, &w->tell);
	(void)wk_session_stop(w->session);
}

static void on_probed(const struct wk_probe_result *r, void *arg)
{
	struct wk *w = arg;

	LOG(&w->log, LOG_INFO, "probed", LF_ERR("rc", r->failure.rc),
	    LF_STR("detail", r->failure.detail));
	wk_tell_probe(r, wk_sandbox_layers(w->p->sandbox), &w->tell);
	say_bye(w);
}

static void start_probe(struct wk *w, struct wk_target *target)
{
	struct wk_probe_result none = { .step = -1 };
	int rc = wk_probe_new(w->base, w->p->tls, target, w->p->speed, on_probed, w, &w->probe);

	if (rc == 0)
		return;
	wk_failure_set(&none.failure, rc, "out of memory");
	on_probed(&none, w);
}

static void on_connect(const Ipc__Connect *msg, int ca_fd, void *arg)
{
	struct wk *w = arg;
	uint64_t now_us = clock_us();
	struct wk_target target;
	const char *why = NULL;
	int rc;

	if (w->attempt) {
		LOG(&w->log, LOG_WARNING, "connect_again");
		if (ca_fd >= 0)
			(void)close(ca_fd);
		return;
	}
	w->attempt = true;
	rc = wk_target_init(&target, msg, &why);
	if (rc == 0)
		rc = wk_target_take_ca(&target, ca_fd);
	else if (ca_fd >= 0)
		(void)close(ca_fd);
	if (rc < 0) {
		refuse_connect(w, rc, why != NULL ? why : "(memory)");
		return;
	}
	if (target.mode == IPC__CONNECT__MODE__PROBE) {
		start_probe(w, &target);
		return;
	}
	wk_hand_set_aside(target.aside, target.aside_n);
	set_request(w, target.request_id);
	w->tell.connect_us = now_us;
	LOG(&w->log, LOG_INFO, "attempt", LF_STR("server", target.url.hostport),
	    LF_INT("mode", target.mode));
	if (wk_session_connect(w->session, &target, now_us) < 0)
		LOG(&w->log, LOG_WARNING, "connect_again");
}

static void on_resume(const Ipc__Resume *msg, void *arg)
{
	struct wk *w = arg;

	set_request(w, msg->request_id);
	LOG(&w->log, LOG_INFO, "resume");
	wk_session_resume(w->session);
}

static void on_logout(const Ipc__Logout *msg, void *arg)
{
	struct wk *w = arg;

	set_request(w, msg->request_id);
	LOG(&w->log, LOG_INFO, "logout_asked");
	wk_session_logout(w->session);
}

static void on_dial_go(void *arg)
{
	struct wk *w = arg;

	wk_session_dial_go(w->session);
}

static void on_version_tell(const Ipc__VersionTell *msg, void *arg)
{
	struct wk *w = arg;

	wk_session_version(w->session, msg->has_revision ? msg->revision : 0,
	                   msg->has_look_up && msg->look_up);
}

static void on_passkey_answer(const Ipc__PasskeyAnswer *msg, void *arg)
{
	struct wk *w = arg;

	set_request(w, msg->request_id);
	wk_session_passkey_answer(w->session, msg->credential != NULL ? msg->credential : "");
}

static void on_passkey_confirm(const Ipc__PasskeyConfirm *msg, void *arg)
{
	struct wk *w = arg;

	set_request(w, msg->request_id);
	wk_session_passkey_confirm(w->session);
}

static void on_settings(const Ipc__SessionSettings *msg, void *arg)
{
	struct wk *w = arg;

	wk_session_settings(w->session, msg);
}

static void on_event_commit(const Ipc__EventCommit *msg, void *arg)
{
	struct wk *w = arg;

	wk_session_event_commit(w->session, msg);
	if (event_pending(w->parting, EV_TIMEOUT, NULL) && wk_session_events_heard(w->session)) {
		(void)event_del(w->parting);
		say_bye(w);
	}
}

/* Without the new proxy nothing may be dialled: the next worker gets it with CONNECT. */
static void on_route(const Ipc__Route *msg, void *arg)
{
	struct wk *w = arg;
	int rc = wk_session_route(w->session, msg->proxy);

	if (rc == 0)
		return;
	LOG(&w->log, LOG_ERR, "proxy_not_taken", LF_ERR("err", rc));
	(void)wk_session_stop(w->session);
}

static void on_question(uint32_t id, const Ipc__Ask *msg, void *arg)
{
	struct wk *w = arg;

	wk_session_ask(w->session, id, msg);
}

static void stop(struct wk *w)
{
	w->released = true;
	if (w->ended)
		part(w);
	else
		(void)wk_session_stop(w->session);
}

static void on_stop(const Ipc__Stop *msg, void *arg)
{
	struct wk *w = arg;

	LOG(&w->log, LOG_INFO, "stop", LF_INT("reason", msg->has_reason ? (int)msg->reason : 0));
	stop(w);
}

static void on_wrong_instance(void *arg)
{
	leave(arg, WK_EXIT_FAILED);
}

static void fill_reply(Ipc__HelloReply *reply, void *arg)
{
	struct wk *w = arg;
	int step = wk_session_step(w->session);
	const char *number = wk_session_number(w->session);

	reply->has_step = step >= 0;
	reply->step = step >= 0 ? (Ipc__Step__Name)step : IPC__STEP__NAME__DNS;
	reply->has_connected = reply->has_linked = 1;
	reply->connected = w->attempt;
	reply->linked = wk_session_had_link(w->session);
	reply->number = *number != '\0' ? (char *)(uintptr_t)number : NULL;
	reply->history_days = wk_session_history_days(w->session);
	reply->has_history_days = reply->history_days > 0;
}

/* ---- the process ------------------------------------------------------------------------- */

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	struct wk *w = arg;
	struct signalfd_siginfo info;

	(void)what;
	(void)!read(fd, &info, sizeof(info));
	LOG(&w->log, LOG_INFO, "sigterm");
	stop(w);
}

/* SIGTERM asks to leave; what a terminal sends is for the gateway; a lost peer is an errno. */
static int setup_signals(struct wk *w)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	w->term_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (w->term_fd < 0)
		return -errno;
	w->term = event_new(w->base, w->term_fd, EV_READ | EV_PERSIST, on_term, w);
	return w->term == NULL || event_add(w->term, NULL) < 0 ? -ENOMEM : 0;
}

/* No locks: one thread. */
static struct event_base *make_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;

	if (cfg != NULL && event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return base;
}

static int setup(struct wk *w)
{
	static const struct wk_ipc_ops ipc_ops = {
		.on_hello = on_hello,
		.on_connect = on_connect,
		.on_stop = on_stop,
		.on_resume = on_resume,
		.on_logout = on_logout,
		.on_dial_go = on_dial_go,
		.on_version_tell = on_version_tell,
		.on_passkey_answer = on_passkey_answer,
		.on_passkey_confirm = on_passkey_confirm,
		.on_settings = on_settings,
		.on_event_commit = on_event_commit,
		.on_route = on_route,
		.on_ask = on_question,
		.on_wrong_instance = on_wrong_instance,
		.on_presence = on_presence,
		.fill_reply = fill_reply,
	};
	struct wk_session_params session_params = {
		.tls = w->p->tls,
		.log = &w->log,
		.instance_id = w->p->instance_id,
		.dir = w->p->dir,
		.speed = w->p->speed,
		.ops = &wk_tell_ops,
		.arg = &w->tell,
	};
	int rc;

	w->base = make_base();
	if (w->base == NULL) {
		(void)close(w->p->listen_fd);
		return -ENOMEM;
	}
	rc = wk_ipc_new(w->base, w->p->listen_fd, w->p->instance_id, w->p->dir, &w->log, &ipc_ops,
	                w, &w->ipc);
	if (rc < 0)
		return rc;
	wk_ipc_set_log_tail(w->ipc, w->p->log_tail_fd);
	wk_ipc_set_memory(w->ipc, w->p->memory_fd);
	w->tell.ipc = w->ipc;
	session_params.base = w->base;
	rc = wk_session_new(&session_params, &w->session);
	if (rc < 0)
		return rc;
	w->lonely = evtimer_new(w->base, on_lonely, w);
	w->alone = evtimer_new(w->base, on_alone, w);
	w->parting = evtimer_new(w->base, on_parted, w);
	if (w->lonely == NULL || w->alone == NULL || w->parting == NULL)
		return -ENOMEM;
	on_presence(false, w);
	return setup_signals(w);
}

/* All that is opened by path, but the store, is open; no byte of a peer has been read. */
static int enter_sandbox(struct wk *w)
{
	const char *why = "";
	int rc = wk_sandbox_enter(w->p->sandbox, w->p->dir, w->p->memory_max_mb, &why);

	if (rc == 0)
		return 0;
	LOG(&w->log, LOG_ERR, "sandbox_refused", LF_STR("step", why), LF_ERR("err", rc));
	w->exit_code = WK_EXIT_SANDBOX;
	return rc;
}

static void cleanup(struct wk *w)
{
	wk_probe_free(w->probe);
	wk_session_free(w->session);
	wk_ipc_free(w->ipc);
	if (w->lonely != NULL)
		event_free(w->lonely);
	if (w->alone != NULL)
		event_free(w->alone);
	if (w->parting != NULL)
		event_free(w->parting);
	if (w->term != NULL)
		event_free(w->term);
	if (w->term_fd >= 0)
		(void)close(w->term_fd);
	if (w->base != NULL)
		event_base_free(w->base);
	free(w->request_id);
}

int wk_run(const struct wk_params *params)
{
	struct wk w = {
		.p = params,
		.log = { .instance = params->instance_id },
		.term_fd = -1,
		.exit_code = WK_EXIT_FAILED,
	};
	int rc;

	w.tell = (struct wk_tell){
		.log = &w.log,
		.start_us = params->start_us,
		.on_online = on_online,
		.on_ask = on_ask,
		.on_end = on_session_end,
		.arg = &w,
	};
	rc = setup(&w);
	if (rc == 0)
		rc = enter_sandbox(&w);
	if (rc < 0) {
		LOG(&w.log, LOG_ERR, "worker_start", LF_ERR("err", rc));
	} else {
		LOG(&w.log, LOG_DEBUG, "worker_ready");
		(void)event_base_dispatch(w.base);
		LOG(&w.log, LOG_INFO, "worker_leaves", LF_INT("status", w.exit_code));
	}
	cleanup(&w);
	return w.exit_code;
}
