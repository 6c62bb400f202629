/* gateway/events/gw_events_thread.c - the thread that owns events.db: groups of jobs, one commit
 * each */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json_check.h"
#include "common/log.h"
#include "gateway/events/gw_events_priv.h"

#define READS_MAX 8    /* after each group: each may hold much memory */
#define GATHER_US 2000 /* between two groups, when there is much: fewer commits, and larger */
#define PROBE_S 1      /* after a failure: is the disk well again? */
#define DEPTH_MAX 32   /* of an event's data */

/* Is this a JSON object that may be an event's data? */
static bool gw_events_data_ok(const char *data, size_t len)
{
	return len >= 2 && data[0] == '{' && data[len - 1] == '}' &&
	       json_check(data, len, DEPTH_MAX) == 0;
}

/* ---- one event ------------------------------------------------------------------------------ */

static void mark_dirty(struct gw_events *ev, struct gw_event_stream *s)
{
	if (s->t.is_dirty)
		return;
	s->t.is_dirty = true;
	TAILQ_INSERT_TAIL(&ev->dirty, s, t.in_dirty);
}

static int know_place(struct gw_events *ev, struct gw_event_stream *s)
{
	int rc = 0;

	if (!s->t.known) {
		rc = gw_events_db_place(&ev->tx, s->id, &s->t.saved);
		s->t.place = s->t.saved;
		s->t.known = rc == 0;
	}
	return rc;
}

static int add_event(struct gw_events *ev, struct gw_events_job *j)
{
	struct gw_event_stream *s = j->stream;
	struct gw_events_row row = {
		.place = &s->t.place,
		.owner = s->id,
		.seq = s->t.place.seq + 1,
		.kind = j->u.event.kind,
		.flags = j->u.event.flags,
		.unix_ms = j->u.event.unix_ms,
		.kept_ms = clock_unix_ms(),
		.data = j->u.event.data,
		.data_len = j->u.event.data_len,
	};
	int rc = 0;

	mark_dirty(ev, s);
	if (s->t.place.key == 0)
		rc = gw_events_db_place_new(&ev->tx, s->id, &s->t.place);
	if (rc == 0 && s->t.sealer == NULL)
		rc = sealed_run_new(s->key, &s->t.sealer);
	row.sealer = s->t.sealer;
	if (rc == 0)
		rc = gw_events_db_add(&ev->tx, &row);
	if (rc == 0)
		s->t.place.seq = j->u.event.seq = row.seq;
	return rc;
}

static int emit(struct gw_events *ev, struct gw_events_job *j)
{
	int rc = know_place(ev, j->stream);

	return rc < 0 ? rc : add_event(ev, j);
}

static int take(struct gw_events *ev, struct gw_events_job *j)
{
	struct gw_event_stream *s = j->stream;
	int rc;

	if (j->u.event.fresh)
		s->t.broken = false;
	if (s->t.broken)
		return WA_ESTORAGE;
	rc = know_place(ev, s);
	if (rc < 0)
		return rc;
	j->u.event.again =
	    gw_events_place_number(&s->t.place, j->u.event.store) >= j->u.event.number;
	if (j->u.event.again)
		return 0;
	j->u.event.refused = gw_event_kind_name(j->u.event.kind) == NULL ||
	                     !gw_events_data_ok(j->u.event.data, j->u.event.data_len);
	if (!j->u.event.refused)
		rc = add_event(ev, j);
	if (rc < 0)
		return rc;
	if (s->t.place.key == 0) {
		rc = gw_events_db_place_new(&ev->tx, s->id, &s->t.place);
		if (rc < 0)
			return rc;
	}
	mark_dirty(ev, s);
	gw_events_place_set(&s->t.place, j->u.event.store, j->u.event.number);
	return 0;
}

/* ---- a group -------------------------------------------------------------------------------- */

/* What it does, it does wholly or not at all, and harms no other of the group. */
static int run_job(struct gw_events *ev, struct gw_events_job *j)
{
	static const char begin[] = "SAVEPOINT job", end[] = "RELEASE job",
	                  undo[] = "ROLLBACK TO job";
	int rc = gw_events_db_exec(&ev->tx, begin);

	if (rc < 0)
		return rc;
	rc = j->u.job.run(&ev->tx, j->u.job.arg);
	if (!gw_events_db_in_transaction(&ev->tx))
		return rc < 0 ? rc : WA_ESTORAGE;
	if (rc < 0)
		(void)!gw_events_db_exec(&ev->tx, undo);
	if (gw_events_db_exec(&ev->tx, end) < 0 && rc >= 0)
		rc = WA_ESTORAGE;
	return rc < 0 ? rc : 0;
}

/* As the functions of gw_events_db.h; 1: there is more to do. */
static int job_run(struct gw_events *ev, struct gw_events_job *j)
{
	switch (j->kind) {
	case GW_EVJOB_EMIT:
		return emit(ev, j);
	case GW_EVJOB_TAKE:
		return take(ev, j);
	case GW_EVJOB_RUN:
		return run_job(ev, j);
	case GW_EVJOB_ERASE:
		return gw_events_db_erase(&ev->tx, j->u.erase.ids[0]);
	case GW_EVJOB_ERASE_UNKNOWN:
		return gw_events_db_erase_unknown(&ev->tx, j->u.erase.ids, j->u.erase.n);
	case GW_EVJOB_TIDY:
		return gw_events_db_tidy(&ev->tx, j->u.before_ms);
	case GW_EVJOB_READ:
		break;
	}
	return WA_ESTATE;
}

/* All places as they are on disk from now on, or as they were. */
static int save_places(struct gw_events *ev)
{
	struct gw_event_stream *s;
	int rc = 0;

	TAILQ_FOREACH(s, &ev->dirty, t.in_dirty)
	if (rc == 0 && s->t.place.key != 0)
		rc = gw_events_db_place_save(&ev->tx, &s->t.place);
	return rc;
}

static void settle_places(struct gw_events *ev, bool kept)
{
	struct gw_event_stream *s;

	while ((s = TAILQ_FIRST(&ev->dirty)) != NULL) {
		TAILQ_REMOVE(&ev->dirty, s, t.in_dirty);
		s->t.is_dirty = false;
		sealed_run_free(s->t.sealer);
		s->t.sealer = NULL;
		for (unsigned i = 0; i < s->t.place.pos_n; i++)
			s->t.place.pos[i].changed = false;
		if (kept)
			s->t.saved = s->t.place;
		else
			s->t.place = s->t.saved;
	}
}

static int open_again(struct gw_events *ev)
{
	int rc = gw_events_db_open(&ev->tx, ev->data_dir);

	if (rc == 0)
		LOG(NULL, LOG_NOTICE, "events_db_opened");
	return rc;
}

static int group_write(struct gw_events *ev, struct gw_events_jobs *group)
{
	int rc = ev->tx.db == NULL ? open_again(ev) : 0;
	struct gw_events_job *j;

	if (rc == 0)
		rc = gw_events_db_begin(&ev->tx);
	STAILQ_FOREACH(j, group, link)
	{
		j->rc = rc < 0 ? rc : job_run(ev, j);
		if (rc == 0 && !gw_events_db_in_transaction(&ev->tx))
			rc = j->rc < 0 ? j->rc : WA_ESTORAGE;
		/* of events in a row, none is kept that comes behind one that is not */
		if (rc == 0 && j->rc < 0 && j->kind == GW_EVJOB_TAKE)
			j->stream->t.broken = true;
	}
	if (rc == 0)
		rc = save_places(ev);
	if (rc == 0)
		rc = gw_events_db_commit(&ev->tx);
	else
		gw_events_db_rollback(&ev->tx);
	settle_places(ev, rc == 0);
	return rc;
}

/* rc: of the group's commit. Jobs with more to do, and events of ours, stay with the thread. */
static void group_end(struct gw_events *ev, struct gw_events_jobs *group, int rc,
                      struct gw_events_jobs *again, struct gw_events_jobs *over)
{
	struct gw_events_job *j;

	while ((j = STAILQ_FIRST(group)) != NULL) {
		STAILQ_REMOVE_HEAD(group, link);
		if (rc < 0)
			j->rc = rc;
		if (j->rc < 0 && j->kind == GW_EVJOB_TAKE)
			j->stream->t.broken = true;
		if (j->rc < 0 && j->kind == GW_EVJOB_EMIT)
			STAILQ_INSERT_TAIL(&ev->retry, j, link);
		else if (j->rc > 0)
			STAILQ_INSERT_TAIL(again, j, link);
		else
			STAILQ_INSERT_TAIL(over, j, link);
	}
}

static void group_run(struct gw_events *ev, struct gw_events_jobs *group)
{
	struct gw_events_jobs over = STAILQ_HEAD_INITIALIZER(over);
	struct gw_events_jobs again = STAILQ_HEAD_INITIALIZER(again);
	const uint64_t one = 1;
	struct gw_events_job *j;
	unsigned again_n = 0;
	int rc;

	if (STAILQ_EMPTY(group) && atomic_load(&ev->failed) == 0)
		return;
	rc = STAILQ_EMPTY(group) && ev->tx.db != NULL ? gw_events_db_probe(&ev->tx)
	                                              : group_write(ev, group);
	group_end(ev, group, rc, &again, &over);
	STAILQ_FOREACH(j, &again, link)
	again_n++;
	atomic_store(&ev->failed, rc < 0 ? rc : 0);
	pthread_mutex_lock(&ev->lock);
	ev->todo_n += again_n;
	STAILQ_CONCAT(&ev->todo, &again);
	STAILQ_CONCAT(&ev->done, &over);
	pthread_cond_signal(&ev->finished);
	pthread_mutex_unlock(&ev->lock);
	(void)!write(ev->done_fd, &one,
	             sizeof(one)); /* full only when the loop is due to read it */
}

/* ---- reads ---------------------------------------------------------------------------------- */

static void read_run(struct gw_events *ev, struct gw_events_job *j)
{
	struct gw_event_stream *s = j->stream;
	struct gw_events_query q = {
		.place = &s->t.saved,
		.owner = s->id,
		.base_url = j->u.read.base_url,
		.instance = s->name,
		.key = s->key,
		.from = j->u.read.from,
		.filter = j->u.read.filter,
		.n_max = j->u.read.n_max,
		.bytes_max = GW_EVENTS_READ_BYTES,
	};

	j->rc = ev->tx.db == NULL ? WA_ESTORAGE : know_place(ev, s);
	if (j->rc == 0)
		j->rc = gw_events_db_read(&ev->tx, &q, &j->u.read.found);
}

static void reads_run(struct gw_events *ev, struct gw_events_jobs *reads)
{
	struct gw_events_job *j;
	const uint64_t one = 1;

	if (STAILQ_EMPTY(reads))
		return;
	STAILQ_FOREACH(j, reads, link)
	read_run(ev, j);
	pthread_mutex_lock(&ev->lock);
	STAILQ_CONCAT(&ev->done, reads);
	pthread_cond_signal(&ev->finished);
	pthread_mutex_unlock(&ev->lock);
	(void)!write(ev->done_fd, &one, sizeof(one));
}

/* ---- the thread ----------------------------------------------------------------------------- */

static unsigned move(struct gw_events_jobs *from, struct gw_events_jobs *to, unsigned n)
{
	unsigned moved = 0;

	while (moved < n && !STAILQ_EMPTY(from)) {
		struct gw_events_job *j = STAILQ_FIRST(from);

		STAILQ_REMOVE_HEAD(from, link);
		STAILQ_INSERT_TAIL(to, j, link);
		moved++;
	}
	return moved;
}

static struct timespec instant(uint64_t us)
{
	return (struct timespec){ .tv_sec = (time_t)(us / 1000000),
		                  .tv_nsec = (long)(us % 1000000) * 1000 };
}

static bool has_work(const struct gw_events *ev)
{
	return !STAILQ_EMPTY(&ev->todo) || !STAILQ_EMPTY(&ev->reads) || ev->stop ||
	       (ev->draining && !STAILQ_EMPTY(&ev->retry));
}

/* Until there is something to do; after a failure not for long. */
static void wait_for_work(struct gw_events *ev)
{
	bool failing = atomic_load(&ev->failed) != 0;
	struct timespec until = instant(clock_us() + PROBE_S * 1000000);

	ev->sleep = GW_EVSLEEP_IDLE;
	while (!has_work(ev))
		if (!failing)
			pthread_cond_wait(&ev->more, &ev->lock);
		else if (pthread_cond_timedwait(&ev->more, &ev->lock, &until) == ETIMEDOUT)
			break;
	ev->sleep = GW_EVSLEEP_NOT;
}

/* A group so soon after the last one waits for company. True: it may be written now. */
static bool gather(struct gw_events *ev)
{
	struct timespec until = instant(ev->group_us + GATHER_US);
	int rc = 0;

	ev->sleep = GW_EVSLEEP_GATHERING;
	while (rc == 0 && !ev->stop && !ev->draining && ev->todo_n < GW_EVENTS_GROUP &&
	       STAILQ_EMPTY(&ev->reads))
		rc = pthread_cond_timedwait(&ev->more, &ev->lock, &until);
	ev->sleep = GW_EVSLEEP_NOT;
	return rc != 0 || ev->stop || ev->draining || ev->todo_n >= GW_EVENTS_GROUP ||
	       clock_us() - ev->group_us >= GATHER_US;
}

/* What is to be done next. False: the end. */
static bool jobs_take(struct gw_events *ev, struct gw_events_jobs *group,
                      struct gw_events_jobs *reads)
{
	bool go_on;

	pthread_mutex_lock(&ev->lock);
	wait_for_work(ev);
	go_on = !ev->stop || !STAILQ_EMPTY(&ev->todo) || !STAILQ_EMPTY(&ev->reads);
	if (STAILQ_EMPTY(&ev->todo) || gather(ev)) {
		STAILQ_CONCAT(group, &ev->retry); /* first, or their order would change */
		ev->todo_n -= move(&ev->todo, group, GW_EVENTS_GROUP);
		if (!STAILQ_EMPTY(group))
			ev->group_us = clock_us();
	}
	(void)move(&ev->reads, reads, READS_MAX);
	pthread_mutex_unlock(&ev->lock);
	return go_on;
}

/* The gateway ends and the disk is not well: what could not be kept is lost, and said so. */
static void give_up(struct gw_events *ev, struct gw_events_jobs *group)
{
	struct gw_events_job *j;
	unsigned n = 0;

	STAILQ_FOREACH(j, group, link)
	{
		j->rc = WA_ESTORAGE;
		n++;
	}
	if (n > 0)
		LOG(NULL, LOG_ERR, "events_lost", LF_INT("n", n));
	pthread_mutex_lock(&ev->lock);
	STAILQ_CONCAT(&ev->done, group);
	pthread_cond_signal(&ev->finished);
	pthread_mutex_unlock(&ev->lock);
}

void *gw_events_thread(void *arg)
{
	struct gw_events *ev = arg;
	bool go_on = true;

	while (go_on) {
		struct gw_events_jobs group = STAILQ_HEAD_INITIALIZER(group);
		struct gw_events_jobs reads = STAILQ_HEAD_INITIALIZER(reads);

		go_on = jobs_take(ev, &group, &reads);
		group_run(ev, &group);
		reads_run(ev, &reads);
		pthread_mutex_lock(&ev->lock);
		if (ev->draining && !STAILQ_EMPTY(&ev->retry))
			STAILQ_CONCAT(&group, &ev->retry);
		pthread_mutex_unlock(&ev->lock);
		if (!STAILQ_EMPTY(&group))
			give_up(ev, &group);
	}
	return NULL;
}
