/* gateway/supervision/gw_worker_adopt.c - the process of a worker that this gateway did not start
 */
#include "gateway/supervision/gw_worker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/supervision/gw_proc.h"

int gw_worker_identify(struct gw_worker *w, const Ipc__HelloReply *m)
{
	int fd;

	if (!m->has_pid || m->pid == 0 || m->pid > INT32_MAX)
		return WA_EPROTO;
	fd = gw_proc_open_worker((pid_t)m->pid, gw_instance_id(w->inst),
	                         m->has_start_ticks ? m->start_ticks : 0,
	                         ipc_chan_sender(w->chan) == (pid_t)m->pid);
	if (fd < 0) {
		LOG(gw_worker_log(w), LOG_WARNING, "worker_not_identified", LF_INT("pid", m->pid),
		    LF_ERR("err", fd));
		return fd == -ESRCH ? WA_EPROTO : fd;
	}
	return gw_worker_watch(w, (pid_t)m->pid, fd);
}

/* ---- the pid, for a gateway after us -------------------------------------------
 *
 * A worker that hangs does not say who it is, and /proc may be closed to us. Only a worker that has
 * not said a word is looked for by this note, and while its socket is held by somebody.
 */

#define PID_PATH_CAP (GW_WORKER_SOCK_CAP + 8)

/* run_dir/w-ID.pid, beside the socket */
static void pid_path(const struct gw_worker *w, char out[PID_PATH_CAP])
{
	snprintf(out, PID_PATH_CAP, "%s/w-%s.pid", w->gw->cfg.run_dir, gw_instance_id(w->inst));
}

void gw_worker_note_pid(const struct gw_worker *w)
{
	char path[PID_PATH_CAP], text[16];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)w->pid);
	int fd;

	pid_path(w, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		LOG(gw_worker_log(w), LOG_DEBUG, "pid_not_noted", LF_ERR("err", -errno));
	if (fd >= 0)
		close(fd);
}

void gw_worker_forget_pid(const struct gw_worker *w)
{
	char path[PID_PATH_CAP];

	pid_path(w, path);
	unlink(path);
}

/* 0: there is no note. */
static pid_t noted_pid(const struct gw_worker *w)
{
	char path[PID_PATH_CAP], text[16];
	uint64_t pid = 0;
	ssize_t n;
	int fd;

	pid_path(w, path);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return dec_decode(text, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}

/* A pidfd, or negative. */
static int find_process(const struct gw_worker *w, pid_t *pid_out)
{
	pid_t pid =
	    gw_supervisor_may_search(w->sup) ? gw_proc_find_worker(gw_instance_id(w->inst)) : 0;

	if (pid <= 0)
		pid = noted_pid(w);
	*pid_out = pid;
	return pid > 0 ? gw_proc_open_worker(pid, gw_instance_id(w->inst), 0, true) : -ESRCH;
}

void gw_worker_track_down(struct gw_worker *w)
{
	pid_t pid;
	int fd = find_process(w, &pid);

	if (fd >= 0 && gw_worker_watch(w, pid, fd) < 0)
		LOG(gw_worker_log(w), LOG_WARNING, "worker_not_watched", LF_INT("pid", pid));
}

void gw_worker_oust(const struct gw_worker *w)
{
	int sock = gw_worker_connect_to(w->sock_path);
	pid_t pid = 0;
	int fd;

	if (sock < 0 && sock != -EAGAIN) /* which one that hangs gives, its queue full */
		return;                  /* nobody listens */
	if (sock >= 0)
		close(sock);
	fd = find_process(w, &pid);
	if (fd >= 0) {
		(void)!gw_proc_kill(fd, pid);
		close(fd);
	}
	LOG(gw_worker_log(w), LOG_WARNING, "worker_ousted", LF_INT("pid", pid),
	    LF_ERR("err", fd < 0 ? fd : 0));
}

void gw_worker_settled(struct gw_worker *w)
{
	if (!w->settling)
		return;
	w->settling = false;
	gw_supervisor_settled(w->sup);
}
