/*
 * gateway/supervision/gw_runner.h - how workers are started: by the zygote, one by one, or by systemd
 *
 * One worker program, three ways (setting worker_runner). A runner gets a request and answers it
 * once; everything else about a worker (its channel, its deadlines, its end) is the same for all
 * and lives in gw_worker*.c. Owned by the supervisor.
 *
 *   zygote    one pre-initialised process forks them: least memory (gw_runner_zygote.c)
 *   exec      each is a fresh program: own address-space layout (gw_runner_exec.c)
 *   systemd   each is a unit of its own: own cgroup, own uid (gw_runner_systemd.c)
 */
#ifndef GW_RUNNER_H
#define GW_RUNNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct gw;
struct gw_runner;

struct gw_runner_ops {
	/*
	 * The answer to one request, exactly once each, never from inside gw_runner_start(). rc 0:
	 * a worker runs as pid, pidfd is taken over; where the runner makes the sockets pid is 0
	 * and pidfd -1, and the worker's socket can be connected to. Else -errno: no process;
	 * -EPIPE: the runner itself failed.
	 */
	void (*on_reply)(uint32_t req_id, int rc, pid_t pid, int pidfd, void *arg);
	/* The runner is up (again): requests are taken. */
	void (*on_ready)(void *arg);
};

struct gw_runner_request {
	uint32_t req_id; /* unique among those unanswered */
	const char *instance_id;
	const char *dir; /* absolute */
	int listen_fd;   /* the worker's control socket; borrowed; -1 where the runner makes it */
};

/* One way; what a runner's file defines. self is what open() made. */
struct gw_runner_class {
	const char *name;
	bool makes_sockets; /* run_dir/w-ID.sock comes from it, not from us */
	bool outlives;      /* its workers go on when the gateway is told to stop */
	int (*open)(struct gw *gw, const struct gw_runner_ops *ops, void *arg, void **self_out);
	void (*close)(void *self);
	int (*start)(void *self, const struct gw_runner_request *req);
	bool (*is_up)(const void *self);
	bool (*is_ok)(const void *self);
	void (*unstick)(void *self); /* a request was not answered in time; NULL: nothing helps */
	/* Kill what serves this instance, where a pidfd won't do; NULL: a pidfd does. */
	int (*kill)(void *self, const char *instance_id);
	/* The worker is gone: what was set up for it goes too; NULL: nothing was. */
	void (*release)(void *self, const char *instance_id);
	/* common/binary_id.h of the program that the next worker runs; 0: not known. */
	uint64_t (*binary)(const void *self);
};
extern const struct gw_runner_class gw_runner_zygote;
extern const struct gw_runner_class gw_runner_exec;
extern const struct gw_runner_class gw_runner_systemd; /* where the build has libsystemd */

/*
 * The runner of cfg.worker_runner. Failures are logged with the setting's name. 0, or -errno;
 * -ENOSYS: this build has none.
 */
ATTR_NODISCARD int gw_runner_new(struct gw *gw, const struct gw_runner_ops *ops, void *arg,
                                 struct gw_runner **runner_out);
/* What it needed for itself ends; the workers don't. NULL is fine. No callback comes any more. */
void gw_runner_free(struct gw_runner *r);

/* 0, and on_reply will come; -EAGAIN while it is not up; or another -errno. */
ATTR_NODISCARD int gw_runner_start(struct gw_runner *r, const struct gw_runner_request *req);
bool gw_runner_is_up(const struct gw_runner *r);
/* False once it has failed several times in a row. */
bool gw_runner_is_ok(const struct gw_runner *r);
/* A request was not answered in time: unanswered ones end with -EPIPE. */
void gw_runner_unstick(struct gw_runner *r);
bool gw_runner_makes_sockets(const struct gw_runner *r);
bool gw_runner_outlives(const struct gw_runner *r);
/* 0; -ENOSYS: kill it by its pidfd; or another -errno. */
ATTR_NODISCARD int gw_runner_kill(struct gw_runner *r, const char *instance_id);
void gw_runner_release(struct gw_runner *r, const char *instance_id);
uint64_t gw_runner_binary(const struct gw_runner *r);

/* ---- for runners that start a file ------------------------------------------------------------
 */

/* Opens cfg.worker_path, which must be a program. Logged. A descriptor or -errno. */
ATTR_NODISCARD int gw_runner_open_binary(const struct gw *gw);

#endif
