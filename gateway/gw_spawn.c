/* gateway/gw_spawn.c - the zygote: one pre-initialised warden-worker that forks the others */
#include "gateway/gw_spawn.h"

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

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/gw_exec.h"
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

struct gw_spawn {
	struct gw *gw;
	const struct gw_spawn_ops *ops;
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

/* Nothing of our environment, but what test builds need. */
static void fill_env(char **envp, size_t max)
{
	static const char *const prefixes[] = {
#ifdef WARDEN_TEST_HOOKS
		"WARDEN_TEST_",
#endif
#ifdef WARDEN_SANITIZERS
		"ASAN_OPTIONS=",
		"UBSAN_OPTIONS=",
		"LSAN_OPTIONS=",
#endif
		NULL,
	};
	size_t n = 0;

	for (char **e = environ; *e != NULL; e++)
		for (const char *const *p = prefixes; *p != NULL; p++)
			if (strncmp(*e, *p, strlen(*p)) == 0 && n < max)
				envp[n++] = *e;
	envp[n] = NULL;
}

static int start_process(struct gw_spawn *sp, int channel_fd)
{
	struct gw_exec e = {
		.exe_fd = sp->exe_fd,
		.path = sp->gw->cfg.worker_path,
		.channel_fd = channel_fd,
		.null_fd = sp->null_fd,
	};

	e.argv[0] = (char *)(uintptr_t) "warden-worker";
	e.argv[1] = (char *)(uintptr_t) "--zygote";
	e.argv[2] = sp->padding;
	fill_env(e.envp, GW_EXEC_ENV_MAX);
	return gw_exec_start(&e, &sp->pid);
}

/* ---- its channel ------------------------------------------------------------ */

static struct request *request_find(struct gw_spawn *sp, uint32_t req_id)
{
	struct request *r;

	for (r = TAILQ_FIRST(&sp->waiting); r != NULL; r = TAILQ_NEXT(r, link))
		if (r->req_id == req_id)
			return r;
	return NULL;
}

static void request_answer(struct gw_spawn *sp, struct request *r, int rc, pid_t pid, int pidfd)
{
	uint32_t req_id = r->req_id;

	TAILQ_REMOVE(&sp->waiting, r, link);
	free(r);
	sp->ops->on_reply(req_id, rc, pid, pidfd, sp->arg);
}

static int on_zygote_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	const Ipc__SpawnReply *reply = (const Ipc__SpawnReply *)m->body;
	struct gw_spawn *sp = arg;
	struct request *r = request_find(sp, m->req_id);
	int pidfd = m->fd;

	(void)c;
	if (m->type != IPC_SPAWN_REPLY || r == NULL)
		return WA_EPROTO;
	if (reply->rc < 0) {
		request_answer(sp, r, reply->rc, 0, -1);
		return 0;
	}
	if (reply->rc > 0 || pidfd < 0 || reply->pid == 0 || reply->pid > INT32_MAX)
		return WA_EPROTO;
	m->fd = -1;
	request_answer(sp, r, 0, (pid_t)reply->pid, pidfd);
	return 0;
}

/* ---- start, death, start again ---------------------------------------------- */

static void on_zygote_close(struct ipc_chan *c, int rc, void *arg);

static int zygote_start(struct gw_spawn *sp)
{
	static const struct ipc_chan_ops ops = { on_zygote_msg, on_zygote_close };
	int sv[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	rc = start_process(sp, sv[1]);
	close(sv[1]);
	if (rc < 0) {
		close(sv[0]);
		return rc;
	}
	rc = ipc_chan_new(sp->gw->base, sv[0], IPC_FROM_ZYGOTE, &ops, sp, &sp->chan);
	if (rc < 0)
		return rc; /* the process is killed by the next zygote_end() */
	sp->started_ms = clock_ms();
	LOG(NULL, LOG_INFO, "zygote_started", LF_INT("pid", sp->pid));
	return 0;
}

/*
 * Kill it, if it has not ended, and fetch its status. It is our child: until then its pid is its
 * own. False: it is not gone yet (options with WNOHANG).
 */
static bool zygote_end(struct gw_spawn *sp, int options)
{
	int status = 0;

	ipc_chan_free(sp->chan);
	sp->chan = NULL;
	if (sp->pid == 0)
		return true;
	kill(sp->pid, SIGKILL);
	if (waitpid(sp->pid, &status, options) == 0)
		return false;
	LOG(NULL, LOG_INFO, "zygote_exit", LF_INT("pid", sp->pid),
	    LF_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	    LF_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	sp->pid = 0;
	return true;
}

/* It leaves by itself once its channel is closed: at the end of the program there is time for that.
 */
static void zygote_see_off(struct gw_spawn *sp)
{
	const struct timespec step = { .tv_nsec = 1000000L };
	siginfo_t si = { 0 };

	ipc_chan_free(sp->chan);
	sp->chan = NULL;
	for (int ms = 0; sp->pid != 0 && ms < LEAVE_MS && si.si_pid == 0; ms++) {
		if (waitid(P_PID, (id_t)sp->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
			break;
		if (si.si_pid == 0)
			nanosleep(&step, NULL);
	}
	(void)zygote_end(sp, 0);
}

static void retry_later(struct gw_spawn *sp)
{
	unsigned shift = sp->deaths_n > 6 ? 6 : sp->deaths_n - 1;
	unsigned ms = RETRY_FIRST_MS << shift;
	struct timeval tv;

	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	(void)!event_add(sp->ev_retry, &tv);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct gw_spawn *sp = arg;
	int rc;

	(void)fd;
	(void)what;
	rc = zygote_end(sp, WNOHANG) ? zygote_start(sp) : -EBUSY;
	if (rc == 0) {
		sp->ops->on_ready(sp->arg);
		return;
	}
	LOG(NULL, LOG_ERR, "zygote_start_failed", LF_ERR("err", rc));
	sp->deaths_n++;
	retry_later(sp);
}

/* Its end of the channel closes when it dies, and is closed by us when it talks nonsense. */
static void on_zygote_close(struct ipc_chan *c, int rc, void *arg)
{
	struct gw_spawn *sp = arg;
	struct request *r;

	(void)c;
	LOG(NULL, LOG_ERR, "zygote_died", LF_INT("pid", sp->pid), LF_ERR("err", rc));
	if (clock_ms() - sp->started_ms >= STABLE_MS)
		sp->deaths_n = 0;
	sp->deaths_n++;
	(void)zygote_end(sp, WNOHANG); /* on_retry() sees to the rest */
	retry_later(sp);
	while ((r = TAILQ_FIRST(&sp->waiting)) != NULL)
		request_answer(sp, r, -EPIPE, 0, -1);
}

/* ---- for the supervisor ----------------------------------------------------- */

bool gw_spawn_is_up(const struct gw_spawn *sp)
{
	return sp->chan != NULL;
}

bool gw_spawn_ok(const struct gw_spawn *sp)
{
	return sp->deaths_n <= DEATHS_OK ||
	       (sp->chan != NULL && clock_ms() - sp->started_ms >= STABLE_MS);
}

void gw_spawn_restart(struct gw_spawn *sp)
{
	if (sp->chan == NULL)
		return;
	LOG(NULL, LOG_ERR, "zygote_hangs", LF_INT("pid", sp->pid));
	kill(sp->pid, SIGKILL); /* its channel closes then */
}

int gw_spawn_send(struct gw_spawn *sp, const struct gw_spawn_request *req)
{
	const struct gw_config *cfg = &sp->gw->cfg;
	Ipc__Spawn msg = IPC__SPAWN__INIT;
	struct request *r;
	int rc;

	if (sp->chan == NULL)
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
	rc = ipc_chan_send(sp->chan, IPC_SPAWN, req->req_id, &msg.base, req->listen_fd);
	if (rc < 0) {
		free(r);
		return rc;
	}
	TAILQ_INSERT_TAIL(&sp->waiting, r, link);
	return 0;
}

static int open_binary(struct gw_spawn *sp)
{
	const char *path = sp->gw->cfg.worker_path;
	struct stat st;
	int rc = 0;

	sp->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (sp->exe_fd < 0 || fstat(sp->exe_fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EACCES;
	else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		rc = -errno;
	if (rc < 0)
		LOG(NULL, LOG_ERR, "worker_path_unusable", LF_STR("worker_path", path),
		    LF_ERR("err", rc));
	return rc;
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

int gw_spawn_new(struct gw *gw, const struct gw_spawn_ops *ops, void *arg,
                 struct gw_spawn **spawn_out)
{
	struct gw_spawn *sp = calloc(1, sizeof(*sp));
	int rc = -ENOMEM;

	if (sp == NULL)
		return rc;
	sp->gw = gw;
	sp->ops = ops;
	sp->arg = arg;
	sp->exe_fd = sp->null_fd = -1;
	TAILQ_INIT(&sp->waiting);
	sp->padding = make_padding(&gw->cfg);
	sp->ev_retry = evtimer_new(gw->base, on_retry, sp);
	if (sp->padding == NULL || sp->ev_retry == NULL)
		goto fail;
	sp->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	rc = sp->null_fd < 0 ? -errno : open_binary(sp);
	if (rc < 0)
		goto fail;
	rc = zygote_start(sp);
	if (rc < 0) {
		LOG(NULL, LOG_ERR, "zygote_start_failed",
		    LF_STR("worker_path", gw->cfg.worker_path), LF_ERR("err", rc));
		goto fail;
	}
	*spawn_out = sp;
	return 0;
fail:
	gw_spawn_free(sp);
	return rc;
}

void gw_spawn_free(struct gw_spawn *sp)
{
	struct request *r;

	if (sp == NULL)
		return;
	zygote_see_off(sp);
	while ((r = TAILQ_FIRST(&sp->waiting)) != NULL) {
		TAILQ_REMOVE(&sp->waiting, r, link);
		free(r);
	}
	if (sp->ev_retry != NULL)
		event_free(sp->ev_retry);
	if (sp->exe_fd >= 0)
		close(sp->exe_fd);
	if (sp->null_fd >= 0)
		close(sp->null_fd);
	free(sp->padding);
	free(sp);
}
