/* worker/wk.c - one worker: channel and session put together, and when to leave */
#include "worker/wk.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "worker/wk_ipc.h"
#include "worker/wk_session.h"
#include "worker/wk_timer.h"

struct wk {
	const struct wk_params *p;
	struct log_ctx log;
	char *request_id; /* of the attempt, for the log */
	struct event_base *base;
	struct wk_ipc *ipc;
	struct wk_session *session;
	struct event *lonely; /* nobody wants us: leave */
	struct event *term;   /* SIGTERM, through signalfd */
	int term_fd;
	uint64_t connect_us;
	bool attempt; /* CONNECT was accepted */
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

static void leave(struct wk *w, int exit_code)
{
	w->exit_code = exit_code;
	(void)event_base_loopexit(w->base, NULL);
}

/* ---- from the session to the gateway ----------------------------------------------------- */

static void on_step(int step, uint64_t elapsed_us, void *arg)
{
	struct wk *w = arg;
	Ipc__Step msg = IPC__STEP__INIT;

	msg.has_name = 1;
	msg.name = (Ipc__Step__Name)step;
	msg.has_elapsed_us = 1;
	msg.elapsed_us = elapsed_us;
	wk_ipc_send(w->ipc, IPC_STEP, &msg.base);
}

static void fill_timing(const struct wk *w, const struct wk_timing *t, Ipc__Timing *msg)
{
	msg->has_tcp_us = msg->has_tls_us = msg->has_upgrade_us = 1;
	msg->has_handshake_us = msg->has_code_us = msg->has_start_us = 1;
	msg->tcp_us = t->tcp_us;
	msg->tls_us = t->tls_us;
	msg->upgrade_us = t->upgrade_us;
	msg->handshake_us = t->handshake_us;
	msg->code_us = t->code_us;
	msg->start_us = w->connect_us - w->p->start_us;
}

static void on_code(const struct wk_code *code, const struct wk_timing *timing, void *arg)
{
	struct wk *w = arg;
	Ipc__Qr msg = IPC__QR__INIT;
	Ipc__Timing timing_msg = IPC__TIMING__INIT;

	msg.code = (char *)code->text;
	msg.has_valid_ms = msg.has_index = msg.has_total = 1;
	msg.valid_ms = code->valid_ms;
	msg.index = code->index;
	msg.total = code->total;
	if (timing != NULL) {
		fill_timing(w, timing, &timing_msg);
		msg.timing = &timing_msg;
		LOG(&w->log, LOG_INFO, "first_code", LF_INT("tcp_us", timing->tcp_us),
		    LF_INT("tls_us", timing->tls_us), LF_INT("handshake_us", timing->handshake_us),
		    LF_INT("code_us", timing->code_us));
	}
	wk_ipc_send(w->ipc, IPC_QR, &msg.base);
}

static void on_failed(const struct wk_failure *f, void *arg)
{
	struct wk *w = arg;
	Ipc__Failed msg = IPC__FAILED__INIT;

	msg.has_rc = 1;
	msg.rc = f->rc;
	msg.has_reason = f->reason != 0;
	msg.reason = f->reason;
	msg.detail = (char *)f->detail;
	wk_ipc_send(w->ipc, IPC_FAILED, &msg.base);
}

/* The attempt's end is the worker's end. */
static void on_session_end(void *arg)
{
	struct wk *w = arg;

	wk_ipc_bye(w->ipc, 0, NULL);
	leave(w, WK_EXIT_DONE);
}

/* ---- from the gateway to the session ----------------------------------------------------- */

static void on_presence(bool present, void *arg)
{
	struct wk *w = arg;

	uint32_t wait_ms = w->attempt ? WK_ABANDONED_MS : WK_LONELY_MS;

	if (present)
		(void)event_del(w->lonely);
	else if (wk_timer_set(w->lonely, wait_ms / w->p->speed) < 0)
		leave(w, WK_EXIT_FAILED);
}

/* A gateway that comes later is told the code that is being shown. */
static void on_hello(void *arg)
{
	struct wk *w = arg;
	struct wk_code code;

	if (wk_session_code(w->session, &code) == 0)
		on_code(&code, NULL, w);
	secret_wipe(&code, sizeof(code));
}

static void refuse_connect(struct wk *w, int rc, const char *why)
{
	struct wk_failure f;

	wk_failure_set(&f, rc == -EINVAL ? WA_EPROTO : rc, "the setting %s can't be used", why);
	LOG(&w->log, LOG_WARNING, "connect_refused", LF_STR("setting", why));
	on_failed(&f, w);
	(void)wk_session_stop(w->session);
}

static void on_connect(const Ipc__Connect *msg, void *arg)
{
	struct wk *w = arg;
	uint64_t now_us = clock_us();
	struct wk_target target;
	const char *why = NULL;
	int rc;

	if (w->attempt) {
		LOG(&w->log, LOG_WARNING, "connect_again");
		return;
	}
	w->attempt = true;
	rc = wk_target_init(&target, msg, &why);
	if (rc < 0) {
		refuse_connect(w, rc, why != NULL ? why : "(memory)");
		return;
	}
	if (target.request_id != NULL)
		w->request_id = strdup(target.request_id);
	w->log.request_id = w->request_id;
	w->connect_us = now_us;
	LOG(&w->log, LOG_INFO, "attempt", LF_STR("server", target.url.hostport));
	if (wk_session_connect(w->session, &target, now_us) < 0)
		LOG(&w->log, LOG_WARNING, "connect_again");
}

static void on_stop(const Ipc__Stop *msg, void *arg)
{
	struct wk *w = arg;

	LOG(&w->log, LOG_INFO, "stop", LF_INT("reason", msg->has_reason ? (int)msg->reason : 0));
	(void)wk_session_stop(w->session);
}

static void on_wrong_instance(void *arg)
{
	leave(arg, WK_EXIT_FAILED);
}

static int get_step(void *arg)
{
	struct wk *w = arg;

	return wk_session_step(w->session);
}

/* ---- the process ------------------------------------------------------------------------- */

static void on_lonely(evutil_socket_t fd, short what, void *arg)
{
	struct wk *w = arg;

	(void)fd;
	(void)what;
	LOG(&w->log, LOG_NOTICE, "no_gateway");
	/* a code that nobody shows: the attempt is closed as it should be, and we leave at its end
	 */
	if (w->attempt)
		(void)wk_session_stop(w->session);
	else
		leave(w, WK_EXIT_NO_GATEWAY);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	struct wk *w = arg;
	struct signalfd_siginfo info;

	(void)what;
	(void)!read(fd, &info, sizeof(info));
	LOG(&w->log, LOG_INFO, "sigterm");
	(void)wk_session_stop(w->session);
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
	static const struct wk_session_ops session_ops = {
		.on_step = on_step,
		.on_code = on_code,
		.on_failed = on_failed,
		.on_end = on_session_end,
	};
	static const struct wk_ipc_ops ipc_ops = {
		.on_hello = on_hello,
		.on_connect = on_connect,
		.on_stop = on_stop,
		.on_wrong_instance = on_wrong_instance,
		.on_presence = on_presence,
		.get_step = get_step,
	};
	struct wk_session_params session_params = {
		.tls = w->p->tls,
		.log = &w->log,
		.speed = w->p->speed,
		.ops = &session_ops,
		.arg = w,
	};
	int rc;

	w->base = make_base();
	if (w->base == NULL) {
		(void)close(w->p->listen_fd);
		return -ENOMEM;
	}
	rc = wk_ipc_new(w->base, w->p->listen_fd, w->p->instance_id, &w->log, &ipc_ops, w, &w->ipc);
	if (rc < 0)
		return rc;
	session_params.base = w->base;
	rc = wk_session_new(&session_params, &w->session);
	if (rc < 0)
		return rc;
	w->lonely = evtimer_new(w->base, on_lonely, w);
	if (w->lonely == NULL)
		return -ENOMEM;
	on_presence(false, w);
	return setup_signals(w);
}

static void cleanup(struct wk *w)
{
	wk_session_free(w->session);
	wk_ipc_free(w->ipc);
	if (w->lonely != NULL)
		event_free(w->lonely);
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
	int rc = setup(&w);

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
