/* gateway/supervision/gw_worker.c - one worker process: its control channel, its pidfd, its deadlines */
#include "gateway/supervision/gw_worker.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/supervision/gw_proc.h"
#include "gateway/supervision/gw_runner.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/supervision/gw_worker_priv.h"
#include "proto/ipc.pb-c.h"

#define STATUS_RETRY_MS 5

static const char *const phase_names[] = {
	[GW_W_WAITING] = "queued",  [GW_W_STARTING] = "starting", [GW_W_READY] = "ready",
	[GW_W_LEAVING] = "leaving", [GW_W_KILLED] = "killed",
};

int gw_worker_start_rc(int sys_rc)
{
	switch (sys_rc) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
	case -EAGAIN:
		return WA_EAT_CAPACITY;
	default:
		return WA_EWORKER_START;
	}
}

const char *gw_worker_phase_name(enum gw_worker_phase phase)
{
	return phase_names[phase];
}

const struct log_ctx *gw_worker_log(const struct gw_worker *w)
{
	return gw_instance_log(w->inst);
}

void gw_worker_timer(struct gw_worker *w, uint32_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		              .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	/* without memory for a timer the worker's own deadlines still hold */
	(void)!event_add(w->ev_timer, &tv);
}

static void process_kill(struct gw_worker *w)
{
	int rc = w->proc == GW_P_RUNS ? gw_proc_kill(w->pidfd, w->pid) : 0;

	if (rc == -EPERM)
		rc = gw_runner_kill(gw_supervisor_runner(w->sup), gw_instance_id(w->inst));
	if (rc < 0 && rc != -ESRCH)
		LOG(gw_worker_log(w), LOG_ERR, "worker_not_killed", LF_INT("pid", w->pid),
		    LF_ERR("err", rc));
}

/* ---- how it ends ------------------------------------------------------------
 *
 * A worker is over when its process has ended and its channel is read to the end. Whatever it still
 * had to say was then said. The instance hears BYE or LOST once, and GONE last.
 */

static void say_lost(struct gw_worker *w)
{
	struct gw_inst_input in = { .reason = &w->lost };

	if (w->end_said)
		return;
	w->end_said = true;
	gw_instance_keep_log(w->inst, w->tail_fd);
	if (w->lost.rc == 0)
		w->lost.rc = WA_EWORKER_CRASHED;
	if (w->lost_by_end && w->how[0] != '\0') {
		size_t n = strlen(w->lost.detail);

		snprintf(w->lost.detail + n, sizeof(w->lost.detail) - n, ": %s", w->how);
	}
	(void)!gw_instance_event(w->inst, GW_EV_LOST, &in);
}

static enum gw_metrics_exit how_it_ended(const struct gw_worker *w)
{
	if (w->lost.rc == 0 && (w->end_said || w->phase == GW_W_LEAVING))
		return GW_EXIT_LEFT;
	return w->lost.rc == WA_EWORKER_START || w->lost.rc == WA_EAT_CAPACITY ? GW_EXIT_NOT_STARTED
	                                                                       : GW_EXIT_CRASHED;
}

/* Frees w when it is over. Only from the loop, never from inside a call of the instance. */
static void settle(struct gw_worker *w)
{
	struct gw_instance *inst = w->inst;

	if (w->proc == GW_P_ASKED || w->proc == GW_P_RUNS || w->chan != NULL)
		return;
	gw_metrics_worker_exit(w->gw->metrics, how_it_ended(w));
	say_lost(w);
	gw_supervisor_forget(w->sup, w);
	gw_worker_free(
	    w); /* its socket is gone before the next worker of this instance makes one */
	(void)!gw_instance_event(inst, GW_EV_GONE, NULL);
}

/* Others are not to wait for its turns. */
static void wants_nothing(struct gw_worker *w)
{
	gw_dials_cancel(w->gw->dials, &w->dial);
	gw_version_leave(w->gw->version, &w->version);
}

static void lost(struct gw_worker *w, int rc, const char *detail)
{
	if (w->phase == GW_W_KILLED)
		return;
	if (!w->end_said) {
		w->lost = (struct gw_reason){ .rc = rc, .at_unix_ms = clock_unix_ms() };
		snprintf(w->lost.detail, sizeof(w->lost.detail), "%s", detail);
		LOG(gw_worker_log(w), LOG_WARNING, "worker_lost", LF_INT("pid", w->pid),
		    LF_ERR("err", rc), LF_STR("why", detail),
		    LF_STR("state", phase_names[w->phase]));
	}
	gw_supervisor_release(w->sup, w);
	wants_nothing(w);
	gw_worker_settled(w);
	if (w->proc == GW_P_NONE && w->chan != NULL)
		gw_worker_track_down(w); /* it never said who it is, but it may run */
	w->phase = GW_W_KILLED;
	ipc_chan_free(w->chan);
	w->chan = NULL;
	process_kill(w);
	gw_worker_timer(w, gw_supervisor_times(w->sup)->die);
	gw_worker_asks_fail(w, WA_EWORKER_CRASHED, "the worker ended before it answered");
}

void gw_worker_leaving(struct gw_worker *w, uint32_t ms)
{
	gw_supervisor_release(w->sup, w);
	wants_nothing(w);
	w->phase = GW_W_LEAVING;
	gw_worker_timer(w, ms);
	gw_worker_asks_fail(w, WA_ENO_SESSION, "the session has ended");
}

void gw_worker_channel_over(struct gw_worker *w, int rc)
{
	char why[80];

	ipc_chan_free(w->chan);
	w->chan = NULL;
	if (w->proc == GW_P_NONE)
		gw_worker_track_down(w); /* it closed the channel, but did it end? */
	if (w->phase == GW_W_STARTING || w->phase == GW_W_READY) {
		bool by_end = rc == 0 || rc == -EPIPE || rc == -ECONNRESET;

		w->lost_by_end = by_end;
		if (!by_end) {
			snprintf(why, sizeof(why), "the worker broke the protocol: %s",
			         wa_err_name(rc));
			lost(w, WA_EWORKER_CRASHED, why);
		} else if (w->phase == GW_W_STARTING) {
			lost(w, WA_EWORKER_START, "the worker ended at its start");
		} else {
			lost(w, WA_EWORKER_CRASHED, "the worker ended unexpectedly");
		}
	}
	settle(w);
}

/* False: it has ended, but its status can't be fetched yet (a debugger, say, has it first). */
static bool fetch_status(struct gw_worker *w)
{
	siginfo_t si = { 0 };

	if (waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED | WNOHANG | __WALL) < 0)
		return errno != EINTR; /* not our child (a plain-fork zygote's) */
	if (si.si_pid == 0)
		return false;
	if (si.si_code == CLD_EXITED)
		snprintf(w->how, sizeof(w->how), "exit status %d", si.si_status);
	else
		snprintf(w->how, sizeof(w->how), "signal %d (SIG%s)", si.si_status,
		         sigabbrev_np(si.si_status) != NULL ? sigabbrev_np(si.si_status) : "?");
	return true;
}

static void on_exit_ready(evutil_socket_t fd, short what, void *arg);

/* Look again in a moment; the descriptor stays readable, so waiting for that would spin. */
static bool exit_later(struct gw_worker *w)
{
	static const struct timeval tv = { .tv_usec = STATUS_RETRY_MS * 1000 };

	event_free(w->ev_exit);
	w->ev_exit = evtimer_new(w->gw->base, on_exit_ready, w);
	return w->ev_exit != NULL && evtimer_add(w->ev_exit, &tv) == 0;
}

static void on_exit_ready(evutil_socket_t fd, short what, void *arg)
{
	struct gw_worker *w = arg;

	(void)fd;
	(void)what;
	if (!fetch_status(w) && exit_later(w))
		return;
	w->proc = GW_P_EXITED;
	LOG(gw_worker_log(w), LOG_INFO, "worker_exit", LF_INT("pid", w->pid), LF_STR("how", w->how),
	    LF_STR("state", phase_names[w->phase]), LF_INT("ms", (clock_us() - w->born_us) / 1000));
	if (w->ev_exit != NULL)
		event_free(w->ev_exit);
	w->ev_exit = NULL;
	close(w->pidfd);
	w->pidfd = -1;
	if (w->chan != NULL) /* its last words; the end of the channel follows */
		gw_worker_timer(w, gw_supervisor_times(w->sup)->die);
	settle(w);
}

/* ---- deadlines -------------------------------------------------------------- */

static void ping(struct gw_worker *w)
{
	const struct gw_worker_times *t = gw_supervisor_times(w->sup);
	uint64_t heard = ipc_chan_last_rx_ms(w->chan);
	Ipc__Ping msg = IPC__PING__INIT;

	if (heard != w->heard_ms)
		w->pings_n = 0;
	w->heard_ms = heard;
	if (w->pings_n >= t->ping_lost) {
		lost(w, WA_EWORKER_CRASHED, "the worker did not answer any more");
		settle(w);
		return;
	}
	if (clock_ms() - heard >= t->ping) {
		w->pings_n++;
		(void)!ipc_chan_send(w->chan, IPC_PING, w->pings_n, &msg.base, -1);
	}
	gw_worker_timer(w, t->ping);
}

/* Out of time while the runner still owes an answer. */
static void not_spawned(struct gw_worker *w)
{
	if (w->proc == GW_P_ASKED)
		gw_runner_unstick(gw_supervisor_runner(w->sup));
}

static void start_too_late(struct gw_worker *w)
{
	char why[80];

	snprintf(why, sizeof(why), "the worker was not ready within %" PRIu32 " ms",
	         gw_supervisor_times(w->sup)->ready);
	lost(w, WA_EWORKER_START, why);
	not_spawned(w);
	settle(w);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gw_worker *w = arg;

	(void)fd;
	(void)what;
	if (w->proc == GW_P_EXITED) {
		gw_worker_channel_over(w, 0); /* a child of the worker holds the other end open */
		return;
	}
	switch (w->phase) {
	case GW_W_WAITING:
		/* its turn comes as long as there is who can make it */
		if (gw_runner_is_up(gw_supervisor_runner(w->sup)))
			gw_worker_timer(w, gw_supervisor_times(w->sup)->ready);
		else
			start_too_late(w);
		break;
	case GW_W_STARTING:
		start_too_late(w);
		break;
	case GW_W_READY:
		ping(w);
		break;
	case GW_W_LEAVING:
		lost(w, WA_EWORKER_CRASHED, "the worker did not leave in time");
		not_spawned(w);
		settle(w);
		break;
	case GW_W_KILLED: /* even a process that can't die now must not keep anyone waiting */
		not_spawned(w);
		say_lost(w);
		gw_worker_timer(w, gw_supervisor_times(w->sup)->die);
		settle(w);
		break;
	}
}

int gw_worker_watch(struct gw_worker *w, pid_t pid, int pidfd)
{
	w->ev_exit = event_new(w->gw->base, pidfd, EV_READ, on_exit_ready, w);
	w->pid = pid;
	w->pidfd = pidfd;
	w->proc = GW_P_RUNS;
	if (w->ev_exit != NULL && event_add(w->ev_exit, NULL) == 0) {
		gw_worker_note_pid(w);
		return 0;
	}
	process_kill(w); /* nobody would see it end: end it here */
	if (w->ev_exit != NULL)
		event_free(w->ev_exit);
	w->ev_exit = NULL;
	close(pidfd);
	w->pidfd = -1;
	w->proc = GW_P_NONE;
	return -ENOMEM;
}

/* The runner has made its socket; which process serves it, HELLO_REPLY tells. */
static void socket_made(struct gw_worker *w)
{
	int rc = w->phase == GW_W_STARTING ? gw_worker_greet_late(w) : 0;

	if (rc < 0)
		lost(w, gw_worker_start_rc(rc), "the worker's socket could not be connected to");
	else if (w->phase == GW_W_LEAVING)
		gw_worker_timer(w, 0);
	settle(w);
}

void gw_worker_on_spawned(struct gw_worker *w, int rc, pid_t pid, int pidfd)
{
	w->proc = GW_P_NONE;
	if (rc == 0 && pidfd < 0) {
		socket_made(w);
		return;
	}
	if (rc < 0) {
		LOG(gw_worker_log(w), LOG_WARNING, "worker_spawn_failed", LF_ERR("err", rc));
		lost(w, gw_worker_start_rc(rc), "the worker's process could not be made");
	} else if (gw_worker_watch(w, pid, pidfd) < 0) {
		lost(w, WA_EAT_CAPACITY, "no memory to watch the worker");
	} else {
		if (w->phase == GW_W_KILLED)
			process_kill(w);
		return;
	}
	settle(w);
}

/* ---- for instance and supervisor -------------------------------------------- */

void gw_worker_stop(struct gw_worker *w, enum gw_stop_reason reason)
{
	static const Ipc__Stop__Reason reasons[] = {
		[GW_STOP_SHUTDOWN] = IPC__STOP__REASON__SHUTDOWN,
		[GW_STOP_SUPERSEDED] = IPC__STOP__REASON__SUPERSEDED,
		[GW_STOP_DELETED] = IPC__STOP__REASON__DELETED,
	};
	Ipc__Stop m = IPC__STOP__INIT;

	switch (w->phase) {
	case GW_W_WAITING:
		gw_worker_leaving(w, 0); /* nothing to wait for: the timer ends it in the loop */
		break;
	case GW_W_STARTING:
	case GW_W_READY:
		m.has_reason = true;
		m.reason = reasons[reason];
		(void)!ipc_chan_send(w->chan, IPC_STOP, 0, &m.base, -1);
		gw_worker_leaving(w, reason == GW_STOP_SHUTDOWN
		                         ? gw_supervisor_shutdown_ms(w->sup)
		                         : gw_supervisor_times(w->sup)->leave);
		break;
	case GW_W_LEAVING:
		gw_worker_saved(
		    w); /* should it wait to be released: nothing is worth the wait now */
		break;
	case GW_W_KILLED:
		break;
	}
}

void gw_worker_expect_exit(struct gw_worker *w)
{
	if (w->phase != GW_W_STARTING && w->phase != GW_W_READY)
		return;
	gw_worker_leaving(w, gw_supervisor_times(w->sup)->leave);
	w->done = true;
}

void gw_worker_saved(struct gw_worker *w)
{
	Ipc__Stop m = IPC__STOP__INIT;

	if (!w->done || w->chan == NULL)
		return;
	w->done = false;
	m.has_reason = true;
	m.reason = IPC__STOP__REASON__HEARD;
	(void)!ipc_chan_send(w->chan, IPC_STOP, 0, &m.base, -1);
}

void gw_worker_kill(struct gw_worker *w)
{
	lost(w, WA_EWORKER_CRASHED, "killed: the gateway does not wait any longer");
	if (w->proc != GW_P_RUNS)
		gw_worker_timer(w, 0);
}

void gw_worker_fail(struct gw_worker *w, int rc)
{
	lost(w, gw_worker_start_rc(rc), "the worker could not be started");
	settle(w);
}

int gw_worker_new(struct gw_supervisor *sup, struct gw *gw, struct gw_instance *inst,
                  const struct gw_attempt *attempt, uint32_t spawn_id, struct gw_worker **w_out)
{
	struct gw_worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->sup = sup;
	w->gw = gw;
	w->inst = inst;
	w->pidfd = w->tail_fd = w->memory_fd = -1;
	TAILQ_INIT(&w->asks);
	w->spawn_id = spawn_id;
	w->born_us = clock_us();
	w->dial = (struct gw_dial){ .go = gw_worker_on_dial, .arg = w, .lane = GW_DIAL_AGAIN };
	w->version = (struct gw_version_asker){ .tell = gw_worker_on_version, .arg = w };
	w->mode = attempt->mode;
	w->history_days = attempt->history_days;
	if (attempt->number != NULL)
		snprintf(w->number, sizeof(w->number), "%s", attempt->number);
	if (attempt->request_id != NULL)
		snprintf(w->request_id, sizeof(w->request_id), "%s", attempt->request_id);
	w->ev_timer = evtimer_new(gw->base, on_timer, w);
	if (w->ev_timer == NULL) {
		free(w);
		return -ENOMEM;
	}
	if (snprintf(w->sock_path, sizeof(w->sock_path), "%s/w-%s.sock", gw->cfg.run_dir,
	             gw_instance_id(inst)) >= (int)sizeof(w->sock_path)) {
		gw_worker_free(w);
		return -ENAMETOOLONG;
	}
	gw_worker_timer(w, gw_supervisor_times(sup)->ready);
	*w_out = w;
	return 0;
}

static void release(struct gw_worker *w)
{
	gw_worker_asks_fail(w, WA_ESHUTTING_DOWN, NULL);
	gw_dials_cancel(w->gw->dials, &w->dial);
	gw_version_leave(w->gw->version, &w->version);
	ipc_chan_free(w->chan);
	if (w->ev_exit != NULL)
		event_free(w->ev_exit);
	event_free(w->ev_timer);
	if (w->pidfd >= 0)
		close(w->pidfd);
	if (w->tail_fd >= 0)
		close(w->tail_fd);
	if (w->memory_fd >= 0)
		close(w->memory_fd);
	free(w);
}

void gw_worker_free(struct gw_worker *w)
{
	struct gw_runner *runner;

	if (w == NULL)
		return;
	runner = gw_supervisor_runner(w->sup);
	process_kill(w);
	if (w->pid != 0)
		gw_worker_forget_pid(w);
	if (runner != NULL && gw_runner_makes_sockets(runner))
		gw_runner_release(runner, gw_instance_id(w->inst));
	else if (w->sock_path[0] != '\0')
		unlink(w->sock_path);
	release(w);
}

void gw_worker_part(struct gw_worker *w)
{
	release(w);
}
