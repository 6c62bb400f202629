/* gateway/doctor/gw_probe.c - a worker process that finds out whether WhatsApp is reached */
#include "gateway/doctor/gw_probe.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/instance/gw_dials.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_proc.h"
#include "gateway/supervision/gw_runner.h"
#include "gateway/supervision/gw_worker_priv.h"
#include "proto/ipc.pb-c.h"

#define LEAVE_MS 2000 /* to end by itself, once it has answered or is told to */
#define RETRY_MS 100  /* while the runner takes no requests */

struct gw_probe {
	TAILQ_ENTRY(gw_probe) link;
	struct gw_prober *prober;
	enum { PROBE_WAITS, PROBE_RUNS, PROBE_DONE } state;
	struct gw_proxy proxy; /* a secret: the whole is in secret memory */
	void (*on_done)(const struct gw_probe_result *r, void *arg);
	void *arg;
};
TAILQ_HEAD(probe_list, gw_probe);

struct gw_prober {
	struct gw *gw;
	struct probe_list queue;
	struct gw_probe *current; /* whose process runs; NULL: it was answered, or has left */
	bool asked;               /* the runner has not answered */
	uint32_t req_id;
	uint32_t limit_ms;
	pid_t pid;
	int pidfd;
	struct ipc_chan *chan;
	struct event *ev_exit;
	struct event *ev_timer; /* what it has left; while nothing runs: try to begin */
	struct gw_dial dial;
	char sock_path[GW_WORKER_SOCK_CAP];
};

static void begin(struct gw_prober *p);

static bool is_idle(const struct gw_prober *p)
{
	return !p->asked && p->pidfd < 0 && p->chan == NULL;
}

static void set_timer(struct gw_prober *p, uint32_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	(void)!event_add(p->ev_timer, &tv); /* without it the worker's own deadlines still hold */
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static void answer(struct gw_prober *p, const struct gw_probe_result *r)
{
	struct gw_probe *probe = p->current;

	if (probe == NULL)
		return;
	p->current = NULL;
	probe->state = PROBE_DONE;
	set_timer(p, LEAVE_MS);
	probe->on_done(r, probe->arg); /* may free the probe */
}

static void fail(struct gw_prober *p, int rc, const char *detail)
{
	struct gw_probe_result r = { .rc = rc };

	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	answer(p, &r);
}

/* ---- its process -------------------------------------------------------------------------------
 */

static void kill_it(struct gw_prober *p)
{
	if (p->pidfd >= 0 && gw_proc_kill(p->pidfd, p->pid) == 0)
		return;
	(void)!gw_runner_kill(gw_supervisor_runner(p->gw->sup), GW_PROBE_ID);
}

/* Nothing is left of it: the next may begin. */
static void settle(struct gw_prober *p)
{
	struct gw_runner *runner = gw_supervisor_runner(p->gw->sup);

	if (!is_idle(p))
		return;
	fail(p, WA_EWORKER_CRASHED, "the process that was to find out has ended");
	if (gw_runner_makes_sockets(runner))
		gw_runner_release(runner, GW_PROBE_ID);
	else
		(void)unlink(p->sock_path);
	set_timer(p, 0);
}

static void close_channel(struct gw_prober *p)
{
	ipc_chan_free(p->chan);
	p->chan = NULL;
}

static void on_exit_ready(evutil_socket_t fd, short what, void *arg)
{
	struct gw_prober *p = arg;
	siginfo_t si = { 0 };

	(void)what;
	(void)!waitid(P_PIDFD, (id_t)fd, &si,
	              WEXITED | WNOHANG | __WALL); /* when it is our child */
	event_free(p->ev_exit);
	p->ev_exit = NULL;
	close(p->pidfd);
	p->pidfd = -1;
	if (p->chan != NULL) /* its last words; the end of the channel follows */
		set_timer(p, LEAVE_MS);
	settle(p);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gw_prober *p = arg;

	(void)fd;
	(void)what;
	if (is_idle(p)) {
		begin(p);
		return;
	}
	fail(p, WA_ETIMEOUT, "the process that was to find out did not answer in time");
	close_channel(p);
	kill_it(p);
	if (p->asked)
		gw_runner_unstick(gw_supervisor_runner(p->gw->sup));
	settle(p);
}

static int watch(struct gw_prober *p, int pidfd)
{
	p->pidfd = pidfd;
	p->ev_exit = event_new(p->gw->base, pidfd, EV_READ, on_exit_ready, p);
	return p->ev_exit == NULL || event_add(p->ev_exit, NULL) < 0 ? -ENOMEM : 0;
}

/* ---- what it says ------------------------------------------------------------------------------
 */

static uint64_t us(protobuf_c_boolean has, uint64_t v)
{
	return has ? v : 0;
}

static int on_probe_done(struct gw_prober *p, const Ipc__ProbeDone *m)
{
	struct gw_probe_result r = { .rc = m->has_rc ? m->rc : WA_EPROTO };

	if (r.rc != 0 && !wa_err_is_outcome(r.rc))
		return WA_EPROTO;
	snprintf(r.detail, sizeof(r.detail), "%s", m->detail != NULL ? m->detail : "");
	if (m->timing != NULL) {
		r.tcp_us = us(m->timing->has_tcp_us, m->timing->tcp_us);
		r.tls_us = us(m->timing->has_tls_us, m->timing->tls_us);
		r.upgrade_us = us(m->timing->has_upgrade_us, m->timing->upgrade_us);
		r.handshake_us = us(m->timing->has_handshake_us, m->timing->handshake_us);
	}
	if (m->sandbox != NULL && m->sandbox->has_uid) {
		r.sandbox.known = true;
		r.sandbox.limits = m->sandbox->limits;
		r.sandbox.rights = m->sandbox->rights;
		r.sandbox.landlock = m->sandbox->landlock;
		r.sandbox.seccomp = m->sandbox->seccomp;
		r.sandbox.uid = m->sandbox->uid;
	}
	if (m->has_server_unix_s && m->has_unix_s) {
		r.server_unix_s = m->server_unix_s;
		r.unix_s = m->unix_s;
	}
	answer(p, &r);
	return 0;
}

static int on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	struct gw_prober *p = arg;

	(void)c;
	switch ((int)m->type) {
	case IPC_PROBE_DONE:
		return on_probe_done(p, (const Ipc__ProbeDone *)m->body);
	case IPC_HELLO_REPLY:
	case IPC_LOG_TAIL:
	case IPC_PONG:
	case IPC_BYE:
		return 0;
	default:
		return WA_EPROTO; /* it has nothing else to say */
	}
}

static void on_close(struct ipc_chan *c, int rc, void *arg)
{
	struct gw_prober *p = arg;

	(void)c;
	close_channel(p);
	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET) {
		fail(p, WA_EWORKER_CRASHED, "the process that was to find out talked nonsense");
		kill_it(p);
	}
	settle(p);
}

/* ---- what it is told ---------------------------------------------------------------------------
 */

static int say_hello(struct gw_prober *p)
{
	Ipc__Hello m = IPC__HELLO__INIT;

	m.instance_id = (char *)(uintptr_t)GW_PROBE_ID;
	m.gateway_version = (char *)(uintptr_t)WARDEN_VERSION;
	m.log_level = (char *)(uintptr_t)gw_config_log_level_word(&p->gw->cfg);
	m.log_format = (char *)(uintptr_t)gw_config_log_format_word(&p->gw->cfg);
	return ipc_chan_send(p->chan, IPC_HELLO, 0, &m.base, -1);
}

static int say_connect(struct gw_prober *p)
{
	const struct gw_proxy *proxy = &p->current->proxy;
	Ipc__Connect m = IPC__CONNECT__INIT;
	Ipc__Proxy via = IPC__PROXY__INIT;
	int ca_fd = gw_worker_open_ca_file(&p->gw->cfg);
	int rc;

	gw_worker_fill_target(&p->gw->cfg, &m);
	m.has_mode = true;
	m.mode = IPC__CONNECT__MODE__PROBE;
	if (proxy->enabled) {
		gw_worker_fill_proxy(proxy, &via);
		m.proxy = &via;
	}
	rc = ipc_chan_send(p->chan, IPC_CONNECT, 1, &m.base, ca_fd);
	if (ca_fd >= 0)
		close(ca_fd);
	return rc;
}

static int greet(struct gw_prober *p)
{
	static const struct ipc_chan_ops ops = { on_msg, on_close };
	int fd = gw_worker_connect_to(p->sock_path);
	int rc = fd < 0 ? fd : 0;

	if (rc == 0)
		rc = ipc_chan_new(p->gw->base, fd, IPC_FROM_WORKER, &ops, p, &p->chan);
	if (rc == 0)
		rc = say_hello(p);
	if (rc == 0)
		rc = say_connect(p);
	if (rc < 0)
		close_channel(p);
	return rc;
}

/* ---- its start ---------------------------------------------------------------------------------
 */

static int ask_runner(struct gw_prober *p, int listen_fd)
{
	char dir[PATH_MAX];
	const struct gw_runner_request req = {
		.instance_id = GW_PROBE_ID, .dir = dir, .listen_fd = listen_fd, .req_id = p->req_id
	};

	if (snprintf(dir, sizeof(dir), "%s/instances/" GW_PROBE_ID, p->gw->cfg.data_dir) >=
	    (int)sizeof(dir))
		return -ENAMETOOLONG;
	return gw_runner_start(gw_supervisor_runner(p->gw->sup), &req);
}

static const char not_started[] = "no worker could be started to find out";

static int launch(struct gw_prober *p)
{
	int listen_fd = -1, rc = 0;

	p->req_id = gw_supervisor_spawn_id(p->gw->sup);
	if (!gw_runner_makes_sockets(gw_supervisor_runner(p->gw->sup))) {
		listen_fd = gw_worker_listen_at(p->sock_path);
		rc = listen_fd < 0 ? listen_fd : greet(p);
	}
	if (rc == 0)
		rc = ask_runner(p, listen_fd);
	if (listen_fd >= 0)
		close(listen_fd);
	if (rc == 0)
		p->asked = true;
	else
		close_channel(p);
	return rc;
}

_Bool gw_prober_on_spawned(struct gw_prober *p, uint32_t req_id, int rc, pid_t pid, int pidfd)
{
	if (p == NULL || !p->asked || req_id != p->req_id)
		return false;
	p->asked = false;
	p->pid = pid;
	if (rc == 0)
		LOG(NULL, LOG_INFO, "probe_started", LF_INT("pid", pid));
	if (rc == 0 && pidfd >= 0)
		rc = watch(p, pidfd);
	if (rc == 0 && p->current == NULL)
		rc = -ECANCELED; /* nobody asks any more */
	/* its socket is there now; without a channel to another's it has died already */
	if (rc == 0 && p->chan == NULL && gw_runner_makes_sockets(gw_supervisor_runner(p->gw->sup)))
		rc = greet(p);
	if (rc < 0) {
		LOG(NULL, rc == -ECANCELED ? LOG_DEBUG : LOG_WARNING, "probe_not_started",
		    LF_ERR("err", rc));
		fail(p, gw_worker_start_rc(rc), not_started);
		close_channel(p);
		kill_it(p);
	}
	settle(p);
	return true;
}

/* The first in the queue, which may dial. */
static void go(struct gw_prober *p)
{
	int rc;

	p->current = TAILQ_FIRST(&p->queue);
	if (p->current == NULL)
		return;
	TAILQ_REMOVE(&p->queue, p->current, link);
	p->current->state = PROBE_RUNS;
	set_timer(p, p->limit_ms);
	rc = launch(p);
	if (rc == 0)
		return;
	LOG(NULL, LOG_WARNING, "probe_not_started", LF_ERR("err", rc));
	fail(p, gw_worker_start_rc(rc), not_started);
	settle(p);
}

static void on_dial(struct gw_dial *d, void *arg)
{
	(void)d;
	go(arg);
}

/* When nothing runs and somebody asks. */
static void begin(struct gw_prober *p)
{
	if (TAILQ_EMPTY(&p->queue) || p->dial.waits)
		return;
	if (!gw_runner_is_up(gw_supervisor_runner(p->gw->sup)))
		set_timer(p, RETRY_MS);
	else if (gw_dials_ask(p->gw->dials, &p->dial))
		go(p);
}

/* ---- asking ------------------------------------------------------------------------------------
 */

int gw_probe_start(struct gw_prober *p, const struct gw_proxy *proxy,
                   void (*on_done)(const struct gw_probe_result *r, void *arg), void *arg,
                   struct gw_probe **probe_out)
{
	struct gw_probe *probe = secret_alloc(sizeof(*probe));

	if (probe == NULL)
		return -ENOMEM;
	probe->prober = p;
	if (proxy != NULL)
		probe->proxy = *proxy;
	probe->on_done = on_done;
	probe->arg = arg;
	TAILQ_INSERT_TAIL(&p->queue, probe, link);
	if (is_idle(p))
		set_timer(p, 0); /* from the loop, like every answer */
	*probe_out = probe;
	return 0;
}

void gw_probe_free(struct gw_probe *probe)
{
	struct gw_prober *p;

	if (probe == NULL)
		return;
	p = probe->prober;
	if (probe->state == PROBE_WAITS) {
		TAILQ_REMOVE(&p->queue, probe, link);
	} else if (probe->state == PROBE_RUNS) {
		p->current = NULL;
		close_channel(p);
		kill_it(p);
		set_timer(p, LEAVE_MS);
		settle(p);
	}
	secret_free(probe);
}

int gw_prober_new(struct gw *gw, uint32_t limit_ms, struct gw_prober **p_out)
{
	struct gw_prober *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->gw = gw;
	p->limit_ms = limit_ms;
	p->pidfd = -1;
	TAILQ_INIT(&p->queue);
	p->dial = (struct gw_dial){ .go = on_dial, .arg = p, .lane = GW_DIAL_START };
	p->ev_timer = evtimer_new(gw->base, on_timer, p);
	if (p->ev_timer == NULL ||
	    snprintf(p->sock_path, sizeof(p->sock_path), "%s/w-" GW_PROBE_ID ".sock",
	             gw->cfg.run_dir) >= (int)sizeof(p->sock_path)) {
		gw_prober_free(p);
		return -ENOMEM;
	}
	*p_out = p;
	return 0;
}

void gw_prober_free(struct gw_prober *p)
{
	if (p == NULL)
		return;
	if (!is_idle(p)) {
		kill_it(p);
		(void)unlink(p->sock_path);
	}
	close_channel(p);
	gw_dials_cancel(p->gw->dials, &p->dial);
	if (p->ev_exit != NULL)
		event_free(p->ev_exit);
	if (p->pidfd >= 0)
		close(p->pidfd);
	if (p->ev_timer != NULL)
		event_free(p->ev_timer);
	free(p);
}
