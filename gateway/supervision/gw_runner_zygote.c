/*
 * gateway/supervision/gw_runner_zygote.c - the zygote: one pre-initialised warden-worker that forks the others
 *
 * The binary is opened once, at start, and run by descriptor, so that all workers of one gateway
 * are of one generation even when the file on disk is replaced. A zygote that dies is started
 * again, with backoff; the workers it made don't notice.
 */
#include "gateway/supervision/gw_runner.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/binary_id.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/supervision/gw_exec.h"
#include "proto/ipc.pb-c.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 5000
#define LEAVE_MS 500
#define STABLE_MS 60000 /* up for so long: earlier deaths are forgotten */
#define DEATHS_OK 2     /* in a row; more, and /health tells */

struct request {
	TAILQ_ENTRY(request) link;
	uint32_t req_id;
};
TAILQ_HEAD(request_list, request);

struct zygote {
	struct gw *gw;
	const struct gw_runner_ops *ops;
	void *arg;
	int exe_fd; /* the worker's binary */
	int null_fd;
	char *padding; /* argument that makes room for the workers' command lines */
	struct ipc_chan *chan;
	pid_t pid; /* our child; 0: none */
	struct event *ev_retry;
	struct request_list waiting; /* sent and not answered */
	uint64_t started_ms;
	unsigned deaths_n; /* in a row */
};

/* ---- the new process -------------------------------------------------------- */

static int start_process(struct zygote *z, int channel_fd)
{
	struct gw_exec e = {
		.exe_fd = z->exe_fd,
		.path = z->gw->cfg.worker_path,
		.channel_fd = channel_fd,
		.null_fd = z->null_fd,
	};
	char level[32], format[32];

	e.argv[0] = (char *)(uintptr_t) "warden-worker";
	e.argv[1] = (char *)(uintptr_t) "--zygote";
	/* what it has to say itself, of its kernel for one */
	snprintf(level, sizeof(level), "--log-level=%s", gw_config_log_level_word(&z->gw->cfg));
	snprintf(format, sizeof(format), "--log-format=%s", gw_config_log_format_word(&z->gw->cfg));
	e.argv[2] = level;
	e.argv[3] = format;
	e.argv[4] = z->padding;
	gw_exec_env(&e);
	return gw_exec_start(&e, &z->pid);
}

/* ---- its channel ------------------------------------------------------------ */

static struct request *request_find(struct zygote *z, uint32_t req_id)
{
	struct request *r;

	for (r = TAILQ_FIRST(&z->waiting); r != NULL; r = TAILQ_NEXT(r, link))
		if (r->req_id == req_id)
			return r;
	return NULL;
}

static void request_answer(struct zygote *z, struct request *r, int rc, pid_t pid, int pidfd)
{
	uint32_t req_id = r->req_id;

	TAILQ_REMOVE(&z->waiting, r, link);
	free(r);
	z->ops->on_reply(req_id, rc, pid, pidfd, z->arg);
}

static int on_zygote_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	const Ipc__SpawnReply *reply = (const Ipc__SpawnReply *)m->body;
	struct zygote *z = arg;
	struct request *r = request_find(z, m->req_id);
	int pidfd = m->fd;

	(void)c;
	if (m->type != IPC_SPAWN_REPLY || r == NULL)
		return WA_EPROTO;
	if (reply->rc < 0) {
		request_answer(z, r, reply->rc, 0, -1);
		return 0;
	}
	if (reply->rc > 0 || pidfd < 0 || reply->pid == 0 || reply->pid > INT32_MAX)
		return WA_EPROTO;
	m->fd = -1;
	request_answer(z, r, 0, (pid_t)reply->pid, pidfd);
	return 0;
}

/* ---- start, death, start again ---------------------------------------------- */

static void on_zygote_close(struct ipc_chan *c, int rc, void *arg);

static int zygote_start(struct zygote *z)
{
	static const struct ipc_chan_ops ops = { on_zygote_msg, on_zygote_close };
	int sv[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	rc = start_process(z, sv[1]);
	close(sv[1]);
	if (rc < 0) {
		close(sv[0]);
		return rc;
	}
	rc = ipc_chan_new(z->gw->base, sv[0], IPC_FROM_ZYGOTE, &ops, z, &z->chan);
	if (rc < 0)
		return rc; /* the process is killed by the next zygote_end() */
	z->started_ms = clock_ms();
	LOG(NULL, LOG_INFO, "zygote_started", LF_INT("pid", z->pid));
	return 0;
}

/*
 * Kill it, if it has not ended, and fetch its status. It is our child: until then its pid is its
 * own. False: it is not gone yet (options with WNOHANG).
 */
static bool zygote_end(struct zygote *z, int options)
{
	int status = 0;

	ipc_chan_free(z->chan);
	z->chan = NULL;
	if (z->pid == 0)
		return true;
	kill(z->pid, SIGKILL);
	if (waitpid(z->pid, &status, options) == 0)
		return false;
	LOG(NULL, LOG_INFO, "zygote_exit", LF_INT("pid", z->pid),
	    LF_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	    LF_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	z->pid = 0;
	return true;
}

/* It leaves by itself once its channel is closed: at the end of the program there is time for that.
 */
static void zygote_see_off(struct zygote *z)
{
	const struct timespec step = { .tv_nsec = 1000000L };
	siginfo_t si = { 0 };

	ipc_chan_free(z->chan);
	z->chan = NULL;
	for (int ms = 0; z->pid != 0 && ms < LEAVE_MS && si.si_pid == 0; ms++) {
		if (waitid(P_PID, (id_t)z->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
			break;
		if (si.si_pid == 0)
			nanosleep(&step, NULL);
	}
	(void)zygote_end(z, 0);
}

static void retry_later(struct zygote *z)
{
	unsigned shift = z->deaths_n > 6 ? 6 : z->deaths_n - 1;
	unsigned ms = RETRY_FIRST_MS << shift;
	struct timeval tv;

	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (event_add(z->ev_retry, &tv) < 0) /* no memory: at once, rather than never */
		event_active(z->ev_retry, EV_TIMEOUT, 0);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct zygote *z = arg;
	int rc;

	(void)fd;
	(void)what;
	rc = zygote_end(z, WNOHANG) ? zygote_start(z) : -EBUSY;
	if (rc == 0) {
		z->ops->on_ready(z->arg);
		return;
	}
	LOG(NULL, LOG_ERR, "zygote_start_failed", LF_ERR("err", rc));
	z->deaths_n++;
	retry_later(z);
}

/* Its end of the channel closes when it dies, and is closed by us when it talks nonsense. */
static void on_zygote_close(struct ipc_chan *c, int rc, void *arg)
{
	struct zygote *z = arg;
	struct request *r;

	(void)c;
	LOG(NULL, LOG_ERR, "zygote_died", LF_INT("pid", z->pid), LF_ERR("err", rc));
	if (clock_ms() - z->started_ms >= STABLE_MS)
		z->deaths_n = 0;
	z->deaths_n++;
	(void)zygote_end(z, WNOHANG); /* on_retry() sees to the rest */
	retry_later(z);
	while ((r = TAILQ_FIRST(&z->waiting)) != NULL)
		request_answer(z, r, -EPIPE, 0, -1);
}

/* ---- what a runner does ----------------------------------------------------- */

static bool zygote_is_up(const void *self)
{
	const struct zygote *z = self;

	return z->chan != NULL;
}

static bool zygote_is_ok(const void *self)
{
	const struct zygote *z = self;

	return z->deaths_n <= DEATHS_OK ||
	       (z->chan != NULL && clock_ms() - z->started_ms >= STABLE_MS);
}

/* It hangs: without another one, no answer ever comes. */
static void zygote_unstick(void *self)
{
	struct zygote *z = self;

	if (z->chan == NULL)
		return;
	LOG(NULL, LOG_ERR, "zygote_hangs", LF_INT("pid", z->pid));
	kill(z->pid, SIGKILL); /* its channel closes then */
}

static uint64_t zygote_binary(const void *self)
{
	const struct zygote *z = self;

	return binary_id_of_fd(z->exe_fd);
}

static int zygote_spawn(void *self, const struct gw_runner_request *req)
{
	struct zygote *z = self;
	const struct gw_config *cfg = &z->gw->cfg;
	Ipc__Spawn msg = IPC__SPAWN__INIT;
	struct request *r;
	int rc;

	if (z->chan == NULL)
		return -EAGAIN;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->req_id = req->req_id;
	msg.instance_id = (char *)(uintptr_t)req->instance_id;
	msg.dir = (char *)(uintptr_t)req->dir;
	msg.has_memory_max_mb = true;
	msg.memory_max_mb = (uint32_t)cfg->worker_memory_max_mb; /* the table bounds it */
	msg.log_level = (char *)(uintptr_t)gw_config_log_level_word(cfg);
	msg.log_format = (char *)(uintptr_t)gw_config_log_format_word(cfg);
	rc = ipc_chan_send(z->chan, IPC_SPAWN, req->req_id, &msg.base, req->listen_fd);
	if (rc < 0) {
		free(r);
		return rc;
	}
	TAILQ_INSERT_TAIL(&z->waiting, r, link);
	return 0;
}

/* Room for "warden-worker --instance ID --dir DATA_DIR/instances/ID" in the zygote's arguments. */
static char *make_padding(const struct gw_config *cfg)
{
	size_t n = strlen(cfg->data_dir) + 640;
	char *p = malloc(n + 1);

	if (p != NULL) {
		memset(p, ' ', n);
		p[n] = '\0';
	}
	return p;
}

static void zygote_close(void *self)
{
	struct zygote *z = self;
	struct request *r;

	zygote_see_off(z);
	while ((r = TAILQ_FIRST(&z->waiting)) != NULL) {
		TAILQ_REMOVE(&z->waiting, r, link);
		free(r);
	}
	if (z->ev_retry != NULL)
		event_free(z->ev_retry);
	if (z->exe_fd >= 0)
		close(z->exe_fd);
	if (z->null_fd >= 0)
		close(z->null_fd);
	free(z->padding);
	free(z);
}

static int zygote_open(struct gw *gw, const struct gw_runner_ops *ops, void *arg, void **self_out)
{
	struct zygote *z = calloc(1, sizeof(*z));
	int rc = -ENOMEM;

	if (z == NULL)
		return rc;
	z->gw = gw;
	z->ops = ops;
	z->arg = arg;
	z->exe_fd = z->null_fd = -1;
	TAILQ_INIT(&z->waiting);
	z->padding = make_padding(&gw->cfg);
	z->ev_retry = evtimer_new(gw->base, on_retry, z);
	if (z->padding == NULL || z->ev_retry == NULL)
		goto fail;
	z->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	z->exe_fd = z->null_fd < 0 ? -errno : gw_runner_open_binary(gw);
	rc = z->exe_fd < 0 ? z->exe_fd : 0;
	if (rc < 0)
		goto fail;
	rc = zygote_start(z);
	if (rc < 0) {
		LOG(NULL, LOG_ERR, "zygote_start_failed",
		    LF_STR("worker_path", gw->cfg.worker_path), LF_ERR("err", rc));
		goto fail;
	}
	*self_out = z;
	return 0;
fail:
	zygote_close(z);
	return rc;
}

const struct gw_runner_class gw_runner_zygote = {
	.name = "zygote",
	.open = zygote_open,
	.close = zygote_close,
	.start = zygote_spawn,
	.is_up = zygote_is_up,
	.is_ok = zygote_is_ok,
	.unstick = zygote_unstick,
	.binary = zygote_binary,
};
