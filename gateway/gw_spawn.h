/*
 * gateway/gw_spawn.h - the zygote: one pre-initialised warden-worker that forks the others
 *
 * The binary is opened once, at start, and run by descriptor, so that all workers of one gateway
 * are of one generation even when the file on disk is replaced. A zygote that dies is started
 * again, with backoff; the workers it made don't notice. Owned by the supervisor.
 */
#ifndef GW_SPAWN_H
#define GW_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct gw;
struct gw_spawn;

struct gw_spawn_ops {
	/*
	 * The answer to one request, exactly once each. rc 0: a worker runs as pid, pidfd is taken
	 * over. Else -errno of the fork, or -EPIPE: the zygote died or talked nonsense.
	 */
	void (*on_reply)(uint32_t req_id, int rc, pid_t pid, int pidfd, void *arg);
	/* The zygote is up (again): requests are taken. */
	void (*on_ready)(void *arg);
};

struct gw_spawn_request {
	uint32_t req_id; /* unique among those unanswered */
	const char *instance_id;
	const char *dir; /* absolute */
	int listen_fd;   /* the worker's control socket; borrowed */
};

/*
 * Open gw->cfg.worker_path and start the zygote. Failures are logged with the setting's name.
 * 0 or -errno.
 */
ATTR_NODISCARD int gw_spawn_new(struct gw *gw, const struct gw_spawn_ops *ops, void *arg,
                                struct gw_spawn **spawn_out);
/* Ends the zygote. NULL is fine. No callback comes any more. */
void gw_spawn_free(struct gw_spawn *sp);

/* 0, and on_reply will come; -EAGAIN while no zygote runs; or another -errno. */
ATTR_NODISCARD int gw_spawn_send(struct gw_spawn *sp, const struct gw_spawn_request *req);
bool gw_spawn_is_up(const struct gw_spawn *sp);
/* The zygote hangs: kill it. Its unanswered requests end with -EPIPE, and it is started again. */
void gw_spawn_restart(struct gw_spawn *sp);
/* False once it has died several times in a row. */
bool gw_spawn_ok(const struct gw_spawn *sp);

#endif
