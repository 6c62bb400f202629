/* gateway/gw_events.c - the event log on the loop's side: what is given, and what comes back */
#include "gateway/gw_events_priv.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/gw_instance_priv.h"
#include "gateway/gw_master_key.h"
#include "gateway/gw_worker.h"

#define TIDY_S 60
#define EMITS_MAX 20000                   /* of our own that wait for the disk */
#define TAKE_BYTES_MAX (64 * 1024 * 1024) /* of all workers, on their way to the disk */
#define REFUSED_LOG_MS 60000
#define KEY_EPOCH 1

/* ---- streams -------------------------------------------------------------------------------- */

static int derive_key(struct gw_events *ev, const char *id, struct sealed_key *key)
{
	char owner[GW_ID_LEN + sizeof("events ")];

	(void)snprintf(owner, sizeof(owner), "events %s", id);
	return gw_master_key_derive(ev->gw->master_key, owner, KEY_EPOCH, key);
}

static struct gw_event_stream *stream_new(struct gw_events *ev, struct gw_instance *inst)
{
	struct gw_event_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->key = secret_alloc(sizeof(*s->key));
	if (s->key == NULL || derive_key(ev, inst->id, s->key) < 0) {
		secret_free(s->key);
		free(s);
		return NULL;
	}
	s->ev = ev;
	s->inst = inst;
	s->refs = 1;
	memcpy(s->id, inst->id, sizeof(s->id));
	memcpy(s->name, inst->name, sizeof(s->name));
	TAILQ_INIT(&s->watches);
	TAILQ_INSERT_TAIL(&ev->streams, s, link);
	return s;
}

struct gw_event_stream *gw_events_stream(struct gw_events *ev, struct gw_instance *inst)
{
	if (inst->events == NULL)
		inst->events = stream_new(ev, inst);
	return inst->events;
}

void gw_events_stream_unref(struct gw_event_stream *s)
{
	if (--s->refs > 0)
		return;
	TAILQ_REMOVE(&s->ev->streams, s, link);
	if (s->is_touched)
		TAILQ_REMOVE(&s->ev->touched, s, in_touched);
	if (s->lost)
		s->ev->lost_n--;
	secret_free(s->key);
	if (s->live != NULL)
		secret_wipe(s->live, strlen(s->live));
	free(s->live);
	free(s);
}

void gw_events_forget(struct gw_events *ev, struct gw_instance *inst)
{
	struct gw_event_stream *s = inst->events;
	struct gw_events_watch *w;

	(void)ev;
	if (s == NULL)
		return;
	inst->events = NULL;
	s->inst = NULL;
	while ((w = TAILQ_FIRST(&s->watches)) != NULL) {
		gw_events_on_more *cb = w->cb;
		void *arg = w->arg;

		TAILQ_REMOVE(&s->watches, w, link);
		free(w);
		cb(NULL, 0, arg);
	}
	gw_events_stream_unref(s);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

struct gw_events_job *gw_events_job_new(enum gw_events_kind kind, struct gw_event_stream *s)
{
	struct gw_events_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->kind = kind;
	j->stream = s;
	if (s != NULL)
		s->refs++;
	return j;
}

void gw_events_job_free(struct gw_events_job *j)
{
	switch (j->kind) {
	case GW_EVJOB_EMIT:
	case GW_EVJOB_TAKE:
		if (j->u.event.map.p != NULL)
			ipc_memfd_unmap(&j->u.event.map);
		else
			free(j->u.event.data);
		if (j->u.event.live != NULL)
			secret_wipe(j->u.event.live, strlen(j->u.event.live));
		free(j->u.event.live);
		break;
	case GW_EVJOB_ERASE:
	case GW_EVJOB_ERASE_UNKNOWN:
		for (size_t i = 0; i < j->u.erase.n; i++)
			free(j->u.erase.ids[i]);
		free(j->u.erase.ids);
		break;
	case GW_EVJOB_READ:
		gw_events_found_clear(&j->u.read.found);
		break;
	case GW_EVJOB_RUN:
	case GW_EVJOB_TIDY:
		break;
	}
	if (j->stream != NULL)
		gw_events_stream_unref(j->stream);
	free(j);
}

void gw_events_give(struct gw_events *ev, struct gw_events_job *j)
{
	ev->waiting_n++;
	ev->emits_n += j->kind == GW_EVJOB_EMIT;
	pthread_mutex_lock(&ev->lock);
	if (j->kind == GW_EVJOB_READ) {
		STAILQ_INSERT_TAIL(&ev->reads, j, link);
	} else {
		STAILQ_INSERT_TAIL(&ev->todo, j, link);
		ev->todo_n++;
	}
	if (ev->sleep == GW_EVSLEEP_IDLE ||
	    (ev->sleep == GW_EVSLEEP_GATHERING &&
	     (j->kind == GW_EVJOB_READ || ev->todo_n >= GW_EVENTS_GROUP)))
		pthread_cond_signal(&ev->more);
	pthread_mutex_unlock(&ev->lock);
}

int gw_events_job(struct gw_events *ev, gw_events_run *run, gw_events_done *done, void *arg)
{
	struct gw_events_job *j = gw_events_job_new(GW_EVJOB_RUN, NULL);

	if (j == NULL)
		return -ENOMEM;
	j->u.job.run = run;
	j->u.job.done = done;
	j->u.job.arg = arg;
	gw_events_give(ev, j);
	return 0;
}

void gw_events_erase(struct gw_events *ev, const char *instance_id)
{
	struct gw_events_job *j = gw_events_job_new(GW_EVJOB_ERASE, NULL);

	if (j == NULL)
		return; /* found to be nobody's at the next start */
	j->u.erase.ids = calloc(1, sizeof(char *));
	if (j->u.erase.ids != NULL)
		j->u.erase.ids[0] = strdup(instance_id);
	if (j->u.erase.ids == NULL || j->u.erase.ids[0] == NULL) {
		gw_events_job_free(j);
		return;
	}
	j->u.erase.n = 1;
	gw_events_give(ev, j);
}

/* ---- what the gateway says ------------------------------------------------------------------ */

int gw_events_emit(struct gw_events *ev, struct gw_instance *inst, enum gw_event_kind kind,
                   json_t *data, json_t *live, uint32_t live_ms)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);
	struct gw_events_job *j =
	    s == NULL || data == NULL ? NULL : gw_events_job_new(GW_EVJOB_EMIT, s);
	int rc = -ENOMEM;

	if (j == NULL)
		goto out;
	j->u.event.kind = kind;
	j->u.event.unix_ms = clock_unix_ms();
	j->u.event.data = json_dumps(data, JSON_COMPACT);
	if (live != NULL)
		j->u.event.live = json_dumps(live, JSON_COMPACT);
	j->u.event.live_until_ms = clock_ms() + live_ms;
	if (j->u.event.data == NULL || (live != NULL && j->u.event.live == NULL))
		goto out;
	j->u.event.data_len = strlen(j->u.event.data);
	rc = WA_ELIMIT;
	if (ev->emits_n >= EMITS_MAX)
		goto out;
	gw_events_give(ev, j);
	j = NULL;
	rc = 0;
out:
	if (rc < 0)
		LOG(&inst->log, LOG_ERR, "event_not_kept", LF_STR("kind", gw_event_kind_name(kind)),
		    LF_ERR("err", rc));
	if (j != NULL)
		gw_events_job_free(j);
	json_decref(data);
	json_decref(live);
	return rc;
}

/* ---- what workers say ----------------------------------------------------------------------- */

/* Dropped: the worker is asked for it again when there is room, or the disk is well. */
static void lose(struct gw_events *ev, struct gw_event_stream *s)
{
	if (!s->lost)
		ev->lost_n++;
	s->lost = true;
}

void gw_events_worker_met(struct gw_events *ev, struct gw_instance *inst)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);

	if (s == NULL)
		return;
	s->life++;
	s->way_n = 0;
	s->way_bytes = 0;
	s->store = s->committed = s->outbox_newest = 0;
	s->fresh = true;
	if (s->lost)
		ev->lost_n--;
	s->lost = false;
}

/* The data of m into the job: a copy, or the mapping of fd. */
static int take_data(struct gw_events_job *j, const Ipc__Event *m, int fd)
{
	int rc;

	if ((fd >= 0) == (m->has_data != 0))
		return WA_EPROTO;
	if (fd >= 0) {
		rc = ipc_memfd_map(fd, IPC_EVENT_MAX, &j->u.event.map);
		j->u.event.data = (char *)(uintptr_t)j->u.event.map.p;
		j->u.event.data_len = j->u.event.map.len;
		return rc;
	}
	if (m->data.len > IPC_EVENT_INLINE_MAX)
		return WA_ELIMIT;
	j->u.event.data = malloc(m->data.len + 1);
	if (j->u.event.data == NULL)
		return -ENOMEM;
	memcpy(j->u.event.data, m->data.data, m->data.len);
	j->u.event.data_len = m->data.len;
	return 0;
}

static bool window_is_full(const struct gw_event_stream *s, size_t bytes)
{
	return s->way_n > 0 &&
	       (s->way_n >= IPC_EVENT_WINDOW_N || s->way_bytes + bytes > IPC_EVENT_WINDOW_BYTES);
}

static void take_job(struct gw_events *ev, struct gw_event_stream *s, struct gw_events_job *j,
                     const Ipc__Event *m)
{
	j->u.event.kind = (unsigned)m->kind;
	j->u.event.flags = m->flags & GW_EVENT_FLAGS;
	j->u.event.unix_ms = m->unix_ms;
	j->u.event.store = m->store;
	j->u.event.number = m->number;
	j->u.event.life = s->life;
	j->u.event.fresh = s->fresh;
	s->fresh = false;
	s->outbox_newest = m->newest > m->number ? m->newest : m->number;
	s->way_n++;
	s->way_bytes += j->u.event.data_len;
	ev->take_bytes += j->u.event.data_len;
	gw_events_give(ev, j);
}

static int take(struct gw_events *ev, struct gw_instance *inst, const Ipc__Event *m, int fd)
{
	struct gw_event_stream *s = gw_events_stream(ev, inst);
	struct gw_events_job *j;
	int rc;

	if (!m->has_store || !m->has_number || m->number == 0 || m->number > INT64_MAX ||
	    m->kind <= 0)
		return WA_EPROTO;
	if (s != NULL && s->store != m->store) {
		s->store = m->store; /* also of what is dropped now and asked for again */
		s->committed = 0;
	}
	if (s == NULL || s->lost)
		return 0;
	j = gw_events_job_new(GW_EVJOB_TAKE, s);
	rc = j == NULL ? -ENOMEM : take_data(j, m, fd);
	if (rc == 0 && window_is_full(s, j->u.event.data_len))
		rc = WA_ELIMIT;
	if (rc == 0 && ev->take_bytes + j->u.event.data_len > TAKE_BYTES_MAX)
		rc = -ENOMEM;
	if (rc == 0) {
		take_job(ev, s, j, m);
		return 0;
	}
	if (j != NULL)
		gw_events_job_free(j);
	if (rc == WA_EPROTO || rc == WA_ELIMIT)
		return rc;
	lose(ev, s);
	return 0;
}

int gw_events_take(struct gw_events *ev, struct gw_instance *inst, const Ipc__Event *m, int *fd)
{
	int rc = take(ev, inst, m, *fd);

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	return rc;
}

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
			lose(ev, s);
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

	if (ev->lost_n == 0 || atomic_load(&ev->failed) != 0 || ev->take_bytes > TAKE_BYTES_MAX / 2)
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
