/* gateway/gw_supervisor.c - all workers of this gateway: starts in a bounded number, counts, the
 * end */
#include "gateway/gw_supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/gw_dir.h"
#include "gateway/gw_spawn.h"
#include "gateway/gw_worker_priv.h"

const struct gw_worker_times gw_worker_times_default = {
	.ready = 10000,
	.ping = 10000,
	.ping_lost = 3,
	.leave = 3000,
	.die = 1000,
	.shutdown = 5000,
};

struct gw_supervisor {
	struct gw *gw;
	const struct gw_worker_times *times;
	struct gw_spawn *spawn;
	int run_dir_fd; /* holds the lock */
	struct gw_worker_list workers;
	struct gw_worker_list queue; /* waiting for a start slot */
	size_t workers_n;
	unsigned starting_n;
	uint32_t last_spawn_id;
	struct gw_dial dial; /* of the next launch: CONNECT is the permission for a dial */
	bool may_dial;
	struct event *ev_work; /* starts from the queue, and on_empty */
	bool stopping;
	void (*on_empty)(void *arg);
	void *on_empty_arg;
};

/* ---- for the workers -------------------------------------------------------- */

const struct gw_worker_times *gw_supervisor_times(const struct gw_supervisor *sup)
{
	return sup->times;
}

int gw_supervisor_spawn(struct gw_supervisor *sup, const struct gw_spawn_request *req)
{
	return gw_spawn_send(sup->spawn, req);
}

void gw_supervisor_zygote_hangs(struct gw_supervisor *sup)
{
	gw_spawn_restart(sup->spawn);
}

bool gw_supervisor_can_spawn(const struct gw_supervisor *sup)
{
	return gw_spawn_is_up(sup->spawn);
}

static void work_later(struct gw_supervisor *sup)
{
	event_active(sup->ev_work, EV_TIMEOUT, 0);
}

void gw_supervisor_release(struct gw_supervisor *sup, struct gw_worker *w)
{
	if (w->phase == GW_W_WAITING)
		TAILQ_REMOVE(&sup->queue, w, in_queue);
	if (!w->has_slot)
		return;
	w->has_slot = false;
	sup->starting_n--;
	work_later(sup);
}

void gw_supervisor_forget(struct gw_supervisor *sup, struct gw_worker *w)
{
	TAILQ_REMOVE(&sup->workers, w, in_all);
	sup->workers_n--;
	work_later(sup);
}

/* ---- starts ----------------------------------------------------------------- */

static int launch(struct gw_supervisor *sup, struct gw_worker *w)
{
	int rc;

	sup->may_dial = false;
	TAILQ_REMOVE(&sup->queue, w, in_queue);
	rc = gw_worker_launch(w);
	if (rc < 0) {
		TAILQ_INSERT_HEAD(&sup->queue, w, in_queue); /* it is WAITING as before */
		return rc;
	}
	w->has_slot = true;
	sup->starting_n++;
	return 0;
}

static void on_dial(struct gw_dial *d, void *arg)
{
	struct gw_supervisor *sup = arg;

	(void)d;
	sup->may_dial = true;
	work_later(sup);
}

/* A slot, a zygote and the permission for its first dial; asks for that when it is missing. */
static bool can_launch(struct gw_supervisor *sup)
{
	if (sup->starting_n >= GW_STARTS_MAX || !gw_spawn_is_up(sup->spawn))
		return false;
	if (!sup->may_dial && !sup->dial.waits)
		sup->may_dial = gw_dials_ask(sup->gw->dials, &sup->dial);
	return sup->may_dial;
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct gw_supervisor *sup = arg;
	struct gw_worker *w;

	(void)fd;
	(void)what;
	while ((w = TAILQ_FIRST(&sup->queue)) != NULL && can_launch(sup)) {
		int rc = launch(sup, w);

		if (rc < 0)
			gw_worker_fail(w, rc);
	}
	if (sup->stopping && sup->workers_n == 0 && sup->on_empty != NULL) {
		void (*on_empty)(void *) = sup->on_empty;

		sup->on_empty = NULL;
		on_empty(sup->on_empty_arg);
	}
}

static void on_spawn_reply(uint32_t req_id, int rc, pid_t pid, int pidfd, void *arg)
{
	struct gw_supervisor *sup = arg;
	struct gw_worker *w;

	for (w = TAILQ_FIRST(&sup->workers); w != NULL; w = TAILQ_NEXT(w, in_all))
		if (w->spawn_id == req_id) {
			gw_worker_on_spawned(w, rc, pid, pidfd);
			return;
		}
	if (pidfd >= 0)
		close(pidfd); /* can't be: a worker waits for its answer */
}

static void on_zygote_ready(void *arg)
{
	work_later(arg);
}

/* Who is waited for goes before those that nobody waits for. */
static void enqueue(struct gw_supervisor *sup, struct gw_worker *w)
{
	struct gw_worker *other = NULL;

	if (w->mode != GW_MODE_RESUME)
		TAILQ_FOREACH(other, &sup->queue, in_queue)
	if (other->mode == GW_MODE_RESUME)
		break;
	if (other != NULL)
		TAILQ_INSERT_BEFORE(other, w, in_queue);
	else
		TAILQ_INSERT_TAIL(&sup->queue, w, in_queue);
}

int gw_supervisor_start(struct gw_supervisor *sup, struct gw_instance *inst,
                        const struct gw_attempt *attempt, struct gw_worker **worker_out)
{
	int64_t max = sup->gw->cfg.max_workers;
	struct gw_worker *w;
	int rc;

	if (sup->stopping)
		return WA_ESHUTTING_DOWN;
	if (max > 0 && sup->workers_n >= (size_t)max)
		return WA_EAT_CAPACITY;
	rc = gw_worker_new(sup, sup->gw, inst, attempt, ++sup->last_spawn_id, &w);
	if (rc < 0)
		return gw_worker_start_rc(rc);
	TAILQ_INSERT_TAIL(&sup->workers, w, in_all);
	enqueue(sup, w);
	sup->workers_n++;
	if (TAILQ_FIRST(&sup->queue) == w && can_launch(sup))
		rc = launch(sup, w);
	if (rc < 0) {
		gw_supervisor_release(sup, w);
		gw_supervisor_forget(sup, w);
		gw_worker_free(w);
		return gw_worker_start_rc(rc);
	}
	*worker_out = w;
	return 0;
}

/* ---- reading ---------------------------------------------------------------- */

bool gw_supervisor_ok(const struct gw_supervisor *sup)
{
	return gw_spawn_ok(sup->spawn);
}

size_t gw_supervisor_count(const struct gw_supervisor *sup)
{
	return sup->workers_n;
}

struct gw_worker *gw_supervisor_next(struct gw_supervisor *sup, struct gw_worker *prev)
{
	return prev == NULL ? TAILQ_FIRST(&sup->workers) : TAILQ_NEXT(prev, in_all);
}

/* ---- begin and end ---------------------------------------------------------- */

void gw_supervisor_stop(struct gw_supervisor *sup, void (*on_empty)(void *arg), void *arg)
{
	bool again = sup->stopping;
	struct gw_worker *w;

	sup->stopping = true;
	if (!again) {
		sup->on_empty = on_empty;
		sup->on_empty_arg = arg;
	}
	for (w = TAILQ_FIRST(&sup->workers); w != NULL; w = TAILQ_NEXT(w, in_all)) {
		if (again)
			gw_worker_kill(w);
		else
			gw_worker_stop(w, GW_STOP_SHUTDOWN);
	}
	work_later(sup);
}

/* Sockets of workers that a gateway before us had: we don't take them over. */
static void remove_stale(const struct gw_supervisor *sup)
{
	int fd = fcntl(sup->run_dir_fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(dir);
	while ((e = readdir(dir)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n > 7 && strncmp(e->d_name, "w-", 2) == 0 &&
		    strcmp(e->d_name + n - 5, ".sock") == 0)
			unlinkat(sup->run_dir_fd, e->d_name, 0);
	}
	closedir(dir);
}

static int take_run_dir(struct gw_supervisor *sup)
{
	const char *path = sup->gw->cfg.run_dir;
	int rc = gw_dir_make(path);

	if (rc == 0) {
		sup->run_dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = sup->run_dir_fd < 0 ? -errno : 0;
	}
	if (rc == 0 && flock(sup->run_dir_fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? WA_EALREADY_RUNNING : -errno;
	if (rc == WA_EALREADY_RUNNING)
		LOG(NULL, LOG_ERR, "run_dir_in_use", LF_STR("run_dir", path),
		    LF_STR("why", "another wardend uses it"));
	else if (rc < 0)
		LOG(NULL, LOG_ERR, "run_dir_unusable", LF_STR("run_dir", path), LF_ERR("err", rc));
	return rc;
}

int gw_supervisor_new(struct gw *gw, const struct gw_worker_times *times,
                      struct gw_supervisor **sup_out)
{
	static const struct gw_spawn_ops ops = { on_spawn_reply, on_zygote_ready };
	struct gw_supervisor *sup = calloc(1, sizeof(*sup));
	int rc = -ENOMEM;

	if (sup == NULL)
		return rc;
	sup->gw = gw;
	sup->times = times != NULL ? times : &gw_worker_times_default;
	sup->run_dir_fd = -1;
	TAILQ_INIT(&sup->workers);
	TAILQ_INIT(&sup->queue);
	sup->dial = (struct gw_dial){ .go = on_dial, .arg = sup, .lane = GW_DIAL_START };
	sup->ev_work = event_new(gw->base, -1, 0, on_work, sup);
	if (sup->ev_work == NULL)
		goto fail;
	rc = take_run_dir(sup);
	if (rc < 0)
		goto fail;
	remove_stale(sup);
	rc = gw_spawn_new(gw, &ops, sup, &sup->spawn);
	if (rc < 0)
		goto fail;
	*sup_out = sup;
	return 0;
fail:
	gw_supervisor_free(sup);
	return rc;
}

void gw_supervisor_free(struct gw_supervisor *sup)
{
	struct gw_worker *w;

	if (sup == NULL)
		return;
	while ((w = TAILQ_FIRST(&sup->workers)) != NULL) {
		TAILQ_REMOVE(&sup->workers, w, in_all);
		gw_worker_free(w);
	}
	gw_dials_cancel(sup->gw->dials, &sup->dial);
	gw_spawn_free(sup->spawn);
	if (sup->ev_work != NULL)
		event_free(sup->ev_work);
	if (sup->run_dir_fd >= 0)
		close(sup->run_dir_fd);
	free(sup);
}
