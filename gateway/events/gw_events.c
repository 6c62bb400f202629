/* gateway/events/gw_events.c - the event log on the loop's side: what comes back from the thread; life */
#include "gateway/events/gw_events_priv.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/supervision/gw_worker.h"

#define TIDY_S 60
#define REFUSED_LOG_MS 60000

/* ---- what comes back ------------------------------------------------------------------------ */

static void touch(struct gw_events *ev, struct gw_event_stream *s)
{
	if (!s->is_touched)
		TAILQ_INSERT_TAIL(&ev->touched, s, in_touched);
	s->is_touched = true;
}

static void kept(struct gw_events *ev, struct gw_events_job *j)
{
	struct gw_event_stream *s = j->stream;

	ev->kept[j->u.event.kind]++;
	s->newest = j->u.event.seq;
	gw_events_live_set(s, j);
	touch(ev, s);
}

static void tell_refused(struct gw_events *ev, const struct gw_event_stream *s)
{
	uint64_t now = clock_ms();

	if (ev->refused_log_ms != 0 && now - ev->refused_log_ms < REFUSED_LOG_MS)
		return;
	ev->refused_log_ms = now;
	if (s->inst != NULL)
		LOG(&s->inst->log, LOG_ERR, "event_refused",
		    LF_STR("why", "its worker sent what is no event"));
}

static void take_done(struct gw_events *ev, struct gw_events_job *j)
{
	struct gw_event_stream *s = j->stream;
	bool current = j->u.event.life == s->life;

	ev->take_bytes -= j->u.event.data_len;
	if (current) {
		s->way_n--;
		s->way_bytes -= j->u.event.data_len;
	}
	if (j->rc < 0) {
		if (current)
			gw_events_lose(ev, s);
		return;
	}
	if (j->u.event.refused)
		tell_refused(ev, s);
	else if (j->u.event.again)
		ev->again_n++;
	else
		kept(ev, j);
	if (current && j->u.event.store == s->store && j->u.event.number > s->committed)
		s->committed = j->u.event.number;
	touch(ev, s);
}

static void job_done(struct gw_events *ev, struct gw_events_job *j)
{
	switch (j->kind) {
	case GW_EVJOB_EMIT:
		ev->emits_n--;
		if (j->rc == 0)
			kept(ev, j);
		break;
	case GW_EVJOB_TAKE:
		take_done(ev, j);
		break;
	case GW_EVJOB_RUN:
		j->u.job.done(j->rc, j->u.job.arg);
		break;
	case GW_EVJOB_TIDY:
		ev->tidying = false;
		break;
	case GW_EVJOB_READ:
		gw_events_read_done(j);
		break;
	case GW_EVJOB_ERASE:
	case GW_EVJOB_ERASE_UNKNOWN:
		if (j->rc < 0)
			LOG(NULL, LOG_WARNING, "events_not_erased", LF_ERR("err", j->rc));
		break;
	}
}

static void say_commit(struct gw_event_stream *s, bool again)
{
	if (s->inst != NULL && s->inst->worker != NULL && s->store != 0)
		gw_worker_event_commit(s->inst->worker, s->store, s->committed, again);
}

/* What was dropped is asked for again, once nothing of it is on its way any more. */
static void ask_again(struct gw_events *ev)
{
	struct gw_event_stream *s;

	if (ev->lost_n == 0 || atomic_load(&ev->failed) != 0 ||
	    ev->take_bytes > GW_EVENTS_TAKE_BYTES / 2)
		return;
	TAILQ_FOREACH(s, &ev->streams, link)
	{
		if (!s->lost || s->way_n > 0)
			continue;
		s->lost = false;
		ev->lost_n--;
		s->fresh = true;
		say_commit(s, true);
	}
}

static void tell_touched(struct gw_events *ev)
{
	struct gw_event_stream *s;

	while ((s = TAILQ_FIRST(&ev->touched)) != NULL) {
		TAILQ_REMOVE(&ev->touched, s, in_touched);
		s->is_touched = false;
		s->refs++; /* a watcher may end the instance */
		say_commit(s, false);
		gw_events_tell(s);
		gw_events_stream_unref(s);
	}
}

static void tell_health(struct gw_events *ev)
{
	int failed = atomic_load(&ev->failed);

	if ((failed != 0) == ev->told_failing)
		return;
	ev->told_failing = failed != 0;
	if (failed != 0)
		LOG(NULL, LOG_ERR, "events_write_failed", LF_ERR("err", failed));
	else
		LOG(NULL, LOG_NOTICE, "events_written_again");
}

static void call_done(struct gw_events *ev)
{
	struct gw_events_jobs done = STAILQ_HEAD_INITIALIZER(done);
	struct gw_events_job *j;

	pthread_mutex_lock(&ev->lock);
	STAILQ_CONCAT(&done, &ev->done);
	pthread_mutex_unlock(&ev->lock);
	while ((j = STAILQ_FIRST(&done)) != NULL) {
		STAILQ_REMOVE_HEAD(&done, link);
		ev->waiting_n--;
		job_done(ev, j);
		gw_events_job_free(j);
	}
	tell_touched(ev);
	tell_health(ev);
	ask_again(ev);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof(n)); /* only the wake-up matters */
	call_done(arg);
}

/* ---- what is old ---------------------------------------------------------------------------- */

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct gw_events *ev = arg;
	struct gw_events_job *j;

	(void)fd;
	(void)what;
	if (ev->tidying || atomic_load(&ev->failed) != 0)
		return;
	j = gw_events_job_new(GW_EVJOB_TIDY, NULL);
	if (j == NULL)
		return;
	j->u.before_ms = clock_unix_ms() - ev->gw->cfg.event_retention_days * 86400000;
	ev->tidying = true;
	gw_events_give(ev, j);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Events of instances that were deleted, and the gateway ended before these were gone. */
static void erase_unknown(struct gw_events *ev)
{
	struct gw_events_job *j = gw_events_job_new(GW_EVJOB_ERASE_UNKNOWN, NULL);
	struct gw_instance *inst = NULL;
	size_t n = 0;

	if (j == NULL)
		return;
	while ((inst = gw_registry_next_any(ev->gw->registry, inst)) != NULL)
		n++;
	j->u.erase.ids = calloc(n + 1, sizeof(char *));
	for (n = 0; j->u.erase.ids != NULL &&
	            (inst = gw_registry_next_any(ev->gw->registry, inst)) != NULL;) {
		char *id = strdup(inst->id);

		if (id == NULL)
			break;
		j->u.erase.ids[n++] = id;
	}
	j->u.erase.n = n;
	if (j->u.erase.ids == NULL || inst != NULL) {
		gw_events_job_free(j); /* at the next start */
		return;
	}
	qsort(j->u.erase.ids, n, sizeof(char *), compare_ids);
	gw_events_give(ev, j);
}

/* ---- asked by others ------------------------------------------------------------------------ */

const char *gw_events_health(const struct gw_events *ev)
{
	switch (atomic_load(&ev->failed)) {
	case 0:
		return "ok";
	case WA_ESTORE_CORRUPT:
		return "fail: events.db is damaged; events wait";
	case WA_ESTATE:
		return "fail: a newer version wrote events.db; events wait";
	default:
		return "fail: events can't be stored; they wait";
	}
}

void gw_events_stats(const struct gw_events *ev, struct gw_events_stats *stats_out)
{
	const struct gw_event_stream *s;

	*stats_out = (struct gw_events_stats){ .again_n = ev->again_n, .waiting_n = ev->waiting_n };
	memcpy(stats_out->kept, ev->kept, sizeof(ev->kept));
	TAILQ_FOREACH(s, &ev->streams, link)
	if (s->outbox_newest > s->committed)
		stats_out->outbox_n += s->outbox_newest - s->committed;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Signals are the loop's alone. */
static int start_thread(struct gw_events *ev)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&ev->thread, NULL, gw_events_thread, ev);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	ev->started = rc == 0;
	return rc;
}

static void init_shared(struct gw_events *ev)
{
	pthread_condattr_t attr;

	TAILQ_INIT(&ev->streams);
	TAILQ_INIT(&ev->touched);
	TAILQ_INIT(&ev->feeds);
	TAILQ_INIT(&ev->dirty);
	STAILQ_INIT(&ev->retry);
	STAILQ_INIT(&ev->todo);
	STAILQ_INIT(&ev->reads);
	STAILQ_INIT(&ev->done);
	(void)pthread_mutex_init(&ev->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&ev->more, &attr);
	(void)pthread_condattr_destroy(&attr);
	(void)pthread_cond_init(&ev->finished, NULL);
	ev->done_fd = -1;
}

static int make_events(struct gw_events *ev)
{
	static const struct timeval every = { .tv_sec = TIDY_S };

	ev->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ev->done_fd < 0)
		return -errno;
	ev->ev_done = event_new(ev->gw->base, ev->done_fd, EV_READ | EV_PERSIST, on_done, ev);
	ev->ev_tidy = event_new(ev->gw->base, -1, EV_PERSIST, on_tidy, ev);
	return ev->ev_done == NULL || ev->ev_tidy == NULL || event_add(ev->ev_done, NULL) < 0 ||
	               event_add(ev->ev_tidy, &every) < 0
	           ? -ENOMEM
	           : 0;
}

int gw_events_new(struct gw *gw, struct gw_events **ev_out)
{
	struct gw_events *ev = calloc(1, sizeof(*ev));
	int rc;

	if (ev == NULL)
		return -ENOMEM;
	ev->gw = gw;
	ev->data_dir = gw->cfg.data_dir;
	init_shared(ev);
	rc = make_events(ev);
	if (rc < 0)
		goto fail;
	rc = gw_events_db_open(&ev->tx, ev->data_dir);
	atomic_store(&ev->failed, rc);
	tell_health(ev);
	rc = start_thread(ev);
	if (rc < 0)
		goto fail;
	erase_unknown(ev);
	on_tidy(-1, 0, ev);
	*ev_out = ev;
	return 0;
fail:
	gw_events_free(ev);
	return rc;
}

void gw_events_drain(struct gw_events *ev)
{
	pthread_mutex_lock(&ev->lock);
	ev->draining = true;
	pthread_cond_signal(&ev->more);
	pthread_mutex_unlock(&ev->lock);
	while (ev->waiting_n > 0) {
		pthread_mutex_lock(&ev->lock);
		while (STAILQ_EMPTY(&ev->done))
			pthread_cond_wait(&ev->finished, &ev->lock);
		pthread_mutex_unlock(&ev->lock);
		call_done(ev);
	}
}

static void free_jobs(struct gw_events_jobs *jobs)
{
	struct gw_events_job *j;

	while ((j = STAILQ_FIRST(jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(jobs, link);
		gw_events_job_free(j);
	}
}

void gw_events_free(struct gw_events *ev)
{
	if (ev == NULL)
		return;
	if (ev->started) {
		pthread_mutex_lock(&ev->lock);
		ev->stop = true;
		ev->draining = true;
		pthread_cond_signal(&ev->more);
		pthread_mutex_unlock(&ev->lock);
		(void)pthread_join(ev->thread, NULL);
	}
	free_jobs(&ev->todo);
	free_jobs(&ev->reads);
	free_jobs(&ev->done);
	free_jobs(&ev->retry);
	gw_events_db_close(&ev->tx);
	if (ev->ev_done != NULL)
		event_free(ev->ev_done);
	if (ev->ev_tidy != NULL)
		event_free(ev->ev_tidy);
	if (ev->done_fd >= 0)
		(void)close(ev->done_fd);
	(void)pthread_cond_destroy(&ev->finished);
	(void)pthread_cond_destroy(&ev->more);
	(void)pthread_mutex_destroy(&ev->lock);
	free(ev);
}
