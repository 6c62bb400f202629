/*
 * gateway/supervision/gw_runner_exec.c - every worker a fresh program
 *
 * The binary is opened once, at start, and run by descriptor, as the zygote's: all workers of one
 * gateway are of one generation. Each has an address-space layout of its own, at the price of its
 * own copy of what the zygote's children share.
 */
#include "gateway/supervision/gw_runner.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/binary_id.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/supervision/gw_exec.h"

/* An answer on its way to the loop. */
struct reply {
	STAILQ_ENTRY(reply) link;
	uint32_t req_id;
	pid_t pid;
	int pidfd;
};

struct exec_runner {
	struct gw *gw;
	const struct gw_runner_ops *ops;
	void *arg;
	int exe_fd, null_fd;
	struct event *ev_replies;
	STAILQ_HEAD(, reply) replies;
};

static void on_replies(evutil_socket_t fd, short what, void *arg)
{
	struct exec_runner *x = arg;
	struct reply *r;

	(void)fd;
	(void)what;
	while ((r = STAILQ_FIRST(&x->replies)) != NULL) {
		struct reply said = *r;

		STAILQ_REMOVE_HEAD(&x->replies, link);
		free(r);
		x->ops->on_reply(said.req_id, 0, said.pid, said.pidfd, x->arg);
	}
}

static int exec_program(struct exec_runner *x, const struct gw_runner_request *req, pid_t *pid_out)
{
	struct gw_exec e = {
		.exe_fd = x->exe_fd,
		.path = x->gw->cfg.worker_path,
		.channel_fd = req->listen_fd,
		.null_fd = x->null_fd,
		.argv = { (char *)(uintptr_t) "warden-worker", (char *)(uintptr_t) "--instance",
		          (char *)(uintptr_t)req->instance_id, (char *)(uintptr_t) "--dir",
		          (char *)(uintptr_t)req->dir, NULL },
	};

#ifndef WARDEN_SANITIZERS /* they reserve memory by the terabyte */
	e.data_max = (size_t)x->gw->cfg.worker_memory_max_mb * 1024 * 1024;
#endif
	gw_exec_env(&e);
	return gw_exec_start(&e, pid_out);
}

static int exec_start(void *self, const struct gw_runner_request *req)
{
	struct exec_runner *x = self;
	struct reply *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->req_id = req->req_id;
	rc = exec_program(x, req, &r->pid);
	if (rc < 0) {
		free(r);
		return rc;
	}
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd < 0) { /* nobody could watch it */
		rc = -errno;
		(void)kill(r->pid, SIGKILL);
		(void)waitpid(r->pid, NULL, 0);
		free(r);
		return rc;
	}
	STAILQ_INSERT_TAIL(&x->replies, r, link);
	event_active(x->ev_replies, EV_TIMEOUT, 0);
	return 0;
}

static bool exec_is_up(const void *self)
{
	(void)self;
	return true;
}

static uint64_t exec_binary(const void *self)
{
	const struct exec_runner *x = self;

	return binary_id_of_fd(x->exe_fd);
}

static void exec_close(void *self)
{
	struct exec_runner *x = self;
	struct reply *r;

	while ((r = STAILQ_FIRST(&x->replies)) != NULL) {
		STAILQ_REMOVE_HEAD(&x->replies, link);
		close(r->pidfd);
		free(r);
	}
	if (x->ev_replies != NULL)
		event_free(x->ev_replies);
	if (x->exe_fd >= 0)
		close(x->exe_fd);
	if (x->null_fd >= 0)
		close(x->null_fd);
	free(x);
}

static int exec_open(struct gw *gw, const struct gw_runner_ops *ops, void *arg, void **self_out)
{
	struct exec_runner *x = calloc(1, sizeof(*x));
	int rc = 0;

	if (x == NULL)
		return -ENOMEM;
	x->gw = gw;
	x->ops = ops;
	x->arg = arg;
	STAILQ_INIT(&x->replies);
	x->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	x->exe_fd = x->null_fd < 0 ? -errno : gw_runner_open_binary(gw);
	x->ev_replies = event_new(gw->base, -1, 0, on_replies, x);
	if (x->exe_fd < 0)
		rc = x->exe_fd;
	else if (x->ev_replies == NULL)
		rc = -ENOMEM;
	if (rc < 0) {
		exec_close(x);
		return rc;
	}
	*self_out = x;
	return 0;
}

const struct gw_runner_class gw_runner_exec = {
	.name = "exec",
	.open = exec_open,
	.close = exec_close,
	.start = exec_start,
	.is_up = exec_is_up,
	.is_ok = exec_is_up,
	.binary = exec_binary,
};
