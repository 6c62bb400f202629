/* worker/process/wk_zygote.c - serving SPAWN: check, clone, hand back the pidfd */
#include "worker/process/wk_zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/pb_guard.h"
#include "proto/ipc.pb-c.h"
#include "worker/process/wk_fds.h"
#include "worker/wk.h"

#define DIR_MAX_LEN 4000

/* What a child needs of the SPAWN message, in its own memory. */
struct job {
	char *instance_id, *dir;
	uint32_t memory_max_mb;
	int log_level;
	enum log_format log_format;
	int control_fd;
};

/* ---- the request ------------------------------------------------------------------------- */

static int job_init(struct job *job, const Ipc__Spawn *msg, int control_fd)
{
	int level = msg->log_level != NULL ? log_level_parse(msg->log_level) : LOG_INFO;

	if (msg->instance_id == NULL || !wk_instance_id_valid(msg->instance_id) ||
	    msg->dir == NULL || msg->dir[0] != '/' || strlen(msg->dir) > DIR_MAX_LEN || level < 0)
		return -EINVAL;
	job->instance_id = strdup(msg->instance_id);
	job->dir = strdup(msg->dir);
	job->memory_max_mb = msg->has_memory_max_mb ? msg->memory_max_mb : 0;
	job->log_level = level;
	if (msg->log_format == NULL || log_format_parse(msg->log_format, &job->log_format) < 0)
		job->log_format = LOG_FMT_AUTO;
	job->control_fd = control_fd;
	return job->instance_id == NULL || job->dir == NULL ? -ENOMEM : 0;
}

static void job_clear(struct job *job)
{
	free(job->instance_id);
	free(job->dir);
	if (job->control_fd >= 0)
		(void)close(job->control_fd);
}

/* ---- the child --------------------------------------------------------------------------- */

/*
 * Every descriptor but stdio and the control socket goes; that one becomes WK_CONTROL_FD.
 * life_fd: see fork_child(); -1: none.
 */
static int child_fds(int control_fd, int life_fd)
{
	int first = WK_CONTROL_FD + 1;

	if (control_fd != WK_CONTROL_FD && dup2(control_fd, WK_CONTROL_FD) < 0)
		return -errno;
	if (life_fd >= 0 && dup2(life_fd, first++) < 0)
		return -errno;
	wk_close_from(first);
	return 0;
}

static void child_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < SIGRTMIN; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_main(const struct wk_zygote *z, struct job *job, int life_fd)
{
	const char *const title[] = { "warden-worker", "--instance", job->instance_id,
		                      "--dir",         job->dir,     NULL };
	struct wk_params params = {
		.instance_id = job->instance_id,
		.dir = job->dir,
		.listen_fd = WK_CONTROL_FD,
		.tls = z->tls,
		.sandbox = z->sandbox,
		.memory_max_mb = job->memory_max_mb,
		.start_us = clock_us(),
		.speed = z->speed,
	};
	int rc = child_fds(job->control_fd, life_fd);

	job->control_fd = -1; /* the worker's now */
	if (rc < 0)
		return WK_EXIT_FAILED;
	child_signals();
	log_init("warden-worker", job->log_level, job->log_format);
	params.log_tail_fd = wk_log_tail_start();
	params.memory_fd = wk_memory_open();
	log_open_journal();
	(void)prctl(PR_SET_NAME, "warden-worker", 0, 0, 0);
	rc = wk_title_set(&z->title, title);
	if (rc < 0)
		LOG(NULL, LOG_WARNING, "no_room_for_title", LF_ERR("err", rc));
	return wk_run(&params);
}

/* ---- cloning ----------------------------------------------------------------------------- */

/*
 * The gateway becomes the parent: it gets SIGCHLD (exit_signal is the zygote's own with
 * CLONE_PARENT, so it must be 0 here) and the exit status. The C library is not told, which is fine
 * for a process with one thread: it asks the kernel for its pid, and no lock is held here.
 */
static pid_t clone_sibling(int *pidfd_out)
{
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd_out,
	};

	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

#ifndef __s390__ /* which has the stack first */
	/* Filters can't look into its arguments, so RestrictNamespaces= of a unit takes it away. */
	if (pid < 0 && errno == ENOSYS)
		pid = (pid_t)syscall(SYS_clone, (unsigned long)args.flags, NULL, pidfd_out, NULL,
		                     0UL);
#endif
	return pid;
}

/*
 * Where neither clone3 nor clone can do that (old container sandboxes, valgrind). The zygote is then the
 * parent, and nobody gets the exit status. Without pidfd_open a pipe whose other end only the child
 * holds stands in for the pidfd: it too becomes readable when the child is gone.
 */
static pid_t fork_child(int *pidfd_out)
{
	int probe = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int life[2] = { -1, -1 };
	pid_t pid;

	if (probe >= 0)
		(void)close(probe);
	else if (pipe2(life, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		*pidfd_out = life[1]; /* kept open as long as the child lives */
	else if (probe < 0)
		*pidfd_out = life[0];
	else if (pid > 0)
		*pidfd_out = (int)syscall(SYS_pidfd_open, pid, 0);
	if (life[pid == 0 ? 0 : 1] >= 0)
		(void)close(life[pid == 0 ? 0 : 1]);
	return pid;
}

static pid_t make_child(struct wk_zygote *z, int *pidfd_out)
{
	pid_t pid;

	if (!z->plain_fork) {
		pid = clone_sibling(pidfd_out);
		if (pid == 0)
			*pidfd_out = -1; /* the parent's, if anything */
		if (pid >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL))
			return pid;
		LOG(NULL, LOG_WARNING, "clone_refused", LF_ERR("err", -errno));
		z->plain_fork = true;
		(void)signal(SIGCHLD, SIG_IGN);
	}
	return fork_child(pidfd_out);
}

/* ---- serving ----------------------------------------------------------------------------- */

static int reply(const struct wk_zygote *z, uint32_t req_id, int rc, pid_t pid, int pidfd)
{
	Ipc__SpawnReply msg = IPC__SPAWN_REPLY__INIT;

	msg.has_rc = 1;
	msg.rc = rc;
	msg.has_pid = rc == 0;
	msg.pid = rc == 0 ? (uint32_t)pid : 0;
	return ipc_send_packet(z->sock, IPC_SPAWN_REPLY, req_id, &msg.base, pidfd);
}

/* What a served packet means for the loop. */
enum verdict { SERVED, CHILD_ENDED, GIVE_UP };

static enum verdict spawn(struct wk_zygote *z, struct job *job, uint32_t req_id, int *exit_out)
{
	int pidfd = -1;
	pid_t pid = make_child(z, &pidfd);
	int rc = pid < 0 ? -errno : 0;

	if (pid == 0) {
		*exit_out = child_main(z, job, pidfd);
		return CHILD_ENDED;
	}
	if (rc == 0 && pidfd < 0)
		rc = -ESRCH; /* it has ended already, or no descriptor is left to watch it */
	rc = reply(z, req_id, rc, pid, rc == 0 ? pidfd : -1);
	if (pidfd >= 0)
		(void)close(pidfd);
	return rc < 0 ? GIVE_UP : SERVED;
}

static enum verdict serve(struct wk_zygote *z, size_t packet_len, int fd, int *exit_out)
{
	struct job job = { .control_fd = -1 };
	const struct ipc_type_info *info;
	ProtobufCMessage *msg = NULL;
	struct ipc_header hdr;
	enum verdict v = GIVE_UP;
	int rc;

	rc = ipc_frame_check(z->packet, packet_len, IPC_FROM_GATEWAY, fd >= 0, &hdr, &info);
	if (rc == 0 && info->type != IPC_SPAWN)
		rc = WA_EPROTO;
	if (rc == 0)
		rc = pb_unpack(info->desc, z->packet + IPC_HDR_LEN, hdr.body_len, &pb_limits_small,
		               &msg);
	if (rc < 0) {
		LOG(NULL, LOG_ERR, "zygote_refused", LF_ERR("err", rc));
		goto out;
	}
	rc = job_init(&job, (const Ipc__Spawn *)msg, fd);
	fd = -1; /* the job's */
	pb_free(msg);
	msg = NULL;
	if (rc < 0)
		v = reply(z, hdr.req_id, rc, 0, -1) < 0 ? GIVE_UP : SERVED;
	else
		v = spawn(z, &job, hdr.req_id, exit_out);
out:
	pb_free(msg);
	job_clear(&job);
	if (fd >= 0)
		(void)close(fd);
	return v;
}

int wk_zygote_run(struct wk_zygote *z)
{
	int exit_code = WK_EXIT_FAILED;
	int fd, n;

	if (z->plain_fork)
		(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		n = ipc_recv_packet(z->sock, z->packet, IPC_HDR_LEN + IPC_BODY_MAX, &fd);
		if (n == 0)
			return WK_EXIT_DONE; /* the gateway is gone; the workers live on */
		if (n == -EINTR)
			continue;
		if (n < 0) {
			LOG(NULL, LOG_ERR, "zygote_channel", LF_ERR("err", n));
			return WK_EXIT_FAILED;
		}
		switch (serve(z, (size_t)n, fd, &exit_code)) {
		case SERVED:
			break;
		case CHILD_ENDED:
			return exit_code;
		case GIVE_UP:
			return WK_EXIT_FAILED;
		}
	}
}
