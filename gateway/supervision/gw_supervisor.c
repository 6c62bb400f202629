/* gateway/supervision/gw_supervisor.c - all workers of this gateway: starts in a bounded number,
 * counts, the end */
#include "gateway/supervision/gw_supervisor.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/doctor/gw_probe.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_room.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/registry/gw_dir.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_runner.h"
#include "gateway/supervision/gw_supervisor_priv.h"
#include "gateway/supervision/gw_survey.h"
#include "gateway/supervision/gw_worker_priv.h"

const struct gw_worker_times gw_worker_times_default = {
	.ready = 10000,
	.ping = 10000,
	.ping_lost = 3,
	.leave = 3000,
	.die = 1000,
	.shutdown = 5000,
};

#define SHUTDOWN_EACH_MS 10
#define SHUTDOWN_MORE_MAX_MS 20000 /* under TimeoutStopSec= of the unit */
#define SEARCHES_PER_S 32

/* ---- for the workers -------------------------------------------------------- */

const struct gw_worker_times *gw_supervisor_times(const struct gw_supervisor *sup)
{
	return sup->times;
}

struct gw_runner *gw_supervisor_runner(const struct gw_supervisor *sup)
{
	return sup->runner;
}

struct gw_survey_list *gw_supervisor_surveys(struct gw_supervisor *sup)
{
	return &sup->surveys;
}

/* All leave at once, and each writes its log back into its database: the more, the longer. */
uint32_t gw_supervisor_shutdown_ms(const struct gw_supervisor *sup)
{
	size_t more = sup->workers_n * SHUTDOWN_EACH_MS;

	return sup->times->shutdown +
	       (uint32_t)(more < SHUTDOWN_MORE_MAX_MS ? more : SHUTDOWN_MORE_MAX_MS);
}

uint32_t gw_supervisor_spawn_id(struct gw_supervisor *sup)
{
	return ++sup->last_spawn_id;
}

bool gw_supervisor_may_search(struct gw_supervisor *sup)
{
	uint64_t now = clock_ms();

	if (now - sup->searches_ms >= 1000) {
		sup->searches_ms = now;
		sup->searches_n = 0;
	}
	return sup->searches_n++ < SEARCHES_PER_S;
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
	struct gw_survey *s;

	for (s = TAILQ_FIRST(&sup->surveys); s != NULL; s = TAILQ_NEXT(s, link))
		gw_survey_skip(s, w);
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
	if (sup->starting_n >= GW_STARTS_MAX || !gw_runner_is_up(sup->runner))
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
	if (!gw_prober_on_spawned(sup->gw->prober, req_id, rc, pid, pidfd) && pidfd >= 0)
		close(pidfd); /* can't be: a worker waits for its answer */
}

static void on_runner_ready(void *arg)
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
	if (attempt->mode == GW_MODE_LINK && !gw_instance_is_linked(inst) && !gw_room_for_more())
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
	/* gw_metrics.h has its reasons in the order of enum gw_mode */
	gw_metrics_worker_start(sup->gw->metrics, (enum gw_metrics_start)attempt->mode);
	*worker_out = w;
	return 0;
}

/* ---- reading ---------------------------------------------------------------- */

bool gw_supervisor_ok(const struct gw_supervisor *sup)
{
	return gw_runner_is_ok(sup->runner);
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

bool gw_supervisor_outlives(const struct gw_supervisor *sup)
{
	return gw_runner_outlives(sup->runner);
}

void gw_supervisor_part(struct gw_supervisor *sup)
{
	struct gw_survey *s;
	struct gw_worker *w;

	for (s = TAILQ_FIRST(&sup->surveys); s != NULL; s = TAILQ_NEXT(s, link))
		s->next = NULL;
	while ((w = TAILQ_FIRST(&sup->workers)) != NULL) {
		TAILQ_REMOVE(&sup->workers, w, in_all);
		gw_instance_part(w->inst); /* also of one that is being deleted: nobody lists it */
		gw_worker_part(w);
	}
	TAILQ_INIT(&sup->queue); /* they are gone, too */
	sup->workers_n = 0;
}

void gw_supervisor_stop(struct gw_supervisor *sup, void (*on_empty)(void *arg), void *arg)
{
	bool again = sup->stopping;
	struct gw_worker *w;

	sup->stopping = true;
	if (!again) {
		sup->on_empty = on_empty;
		sup->on_empty_arg = arg;
	}
	if (gw_runner_outlives(sup->runner))
		gw_supervisor_part(sup);
	for (w = TAILQ_FIRST(&sup->workers); w != NULL; w = TAILQ_NEXT(w, in_all)) {
		if (again)
			gw_worker_kill(w);
		else
			gw_worker_stop(w, GW_STOP_SHUTDOWN);
	}
	work_later(sup);
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
	static const struct gw_runner_ops ops = { on_spawn_reply, on_runner_ready };
	struct gw_supervisor *sup = calloc(1, sizeof(*sup));
	int rc = -ENOMEM;

	if (sup == NULL)
		return rc;
	sup->gw = gw;
	sup->times = times != NULL ? times : &gw_worker_times_default;
	sup->run_dir_fd = -1;
	TAILQ_INIT(&sup->workers);
	TAILQ_INIT(&sup->queue);
	TAILQ_INIT(&sup->surveys);
	sup->dial = (struct gw_dial){ .go = on_dial, .arg = sup, .lane = GW_DIAL_START };
	sup->ev_work = event_new(gw->base, -1, 0, on_work, sup);
	sup->adopt.ev = evtimer_new(gw->base, gw_supervisor_on_adopt_time, sup);
	if (sup->ev_work == NULL || sup->adopt.ev == NULL)
		goto fail;
	rc = take_run_dir(sup);
	if (rc < 0)
		goto fail;
	rc = gw_runner_new(gw, &ops, sup, &sup->runner);
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
	gw_runner_free(sup->runner);
	if (sup->ev_work != NULL)
		event_free(sup->ev_work);
	if (sup->adopt.ev != NULL)
		event_free(sup->adopt.ev);
	if (sup->run_dir_fd >= 0)
		close(sup->run_dir_fd);
	free(sup);
}
