/* gateway/gw_worker_adopt.c - the process of a worker that this gateway did not start */
#include "gateway/gw_worker_priv.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/gw_proc.h"

int gw_worker_identify(struct gw_worker *w, const Ipc__HelloReply *m)
{
	int fd;

	if (!m->has_pid || m->pid == 0 || m->pid > INT32_MAX)
		return WA_EPROTO;
	fd = gw_proc_open_worker((pid_t)m->pid, gw_instance_id(w->inst),
	                         m->has_start_ticks ? m->start_ticks : 0);
	if (fd < 0) {
		LOG(gw_worker_log(w), LOG_WARNING, "worker_not_identified", LF_INT("pid", m->pid),
		    LF_ERR("err", fd));
		return fd == -ESRCH ? WA_EPROTO : fd;
	}
	return gw_worker_watch(w, (pid_t)m->pid, fd);
}

void gw_worker_track_down(struct gw_worker *w)
{
	pid_t pid =
	    gw_supervisor_may_search(w->sup) ? gw_proc_find_worker(gw_instance_id(w->inst)) : 0;
	int fd = pid > 0 ? gw_proc_open_worker(pid, gw_instance_id(w->inst), 0) : -ESRCH;

	if (fd >= 0 && gw_worker_watch(w, pid, fd) < 0)
		LOG(gw_worker_log(w), LOG_WARNING, "worker_not_watched", LF_INT("pid", pid));
}

void gw_worker_settled(struct gw_worker *w)
{
	if (!w->settling)
		return;
	w->settling = false;
	gw_supervisor_settled(w->sup);
}
