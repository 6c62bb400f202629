/* gateway/registry/gw_store.c - one writer thread: jobs go in, commits happen, callbacks come out
 */
#include "gateway/registry/gw_store.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/registry/gw_store_db.h"
#include "gateway/registry/gw_store_priv.h"

#define GROUP_MAX 256      /* jobs of one transaction */
#define PROBE_S 1          /* after a failure: is the disk well again? */
#define PROBE_NAME "probe" /* of the meta value that is written for it */

STAILQ_HEAD(job_list, gw_store_job);

struct gw_store {
	/* the loop's */
	struct event *ev_done;
	struct event *ev_probe; /* pending: after a failure */
	bool probing;           /* a probe has been given */
	void (*on_healed)(void *arg);
	void *on_healed_arg;
	size_t waiting_n; /* jobs given whose callback has not been called */
	bool started;

	/* the writer thread's, once it runs */
	struct gw_store_db db;

	/* shared, under the lock */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;     /* todo has grown, or stop */
	pthread_cond_t finished; /* done has grown */
	struct job_list todo;
	struct job_list done;
	bool stop;
	int done_fd; /* eventfd: done is not empty */
	atomic_bool failed;
};

/* ---- the writer thread ------------------------------------------------------ */

static int job_run(struct gw_store *st, const struct gw_store_job *j)
{
	switch (j->kind) {
	case GW_JOB_ACCOUNT_PUT:
		return gw_store_db_account_put(&st->db, &j->row.account);
	case GW_JOB_ACCOUNT_TOKEN:
		return gw_store_db_account_token(&st->db, &j->row.account);
	case GW_JOB_ACCOUNT_QUOTA:
		return gw_store_db_account_quota(&st->db, &j->row.account);
	case GW_JOB_ACCOUNT_DEL:
		return gw_store_db_account_del(&st->db, j->row.account.name);
	case GW_JOB_INVITE_PUT:
		return gw_store_db_invite_put(&st->db, &j->row.invite);
	case GW_JOB_INSTANCE_ADD:
		return gw_store_db_instance_add(&st->db, &j->row.instance);
	case GW_JOB_INSTANCE_TOKEN:
		return gw_store_db_instance_token(&st->db, &j->row.instance);
	case GW_JOB_INSTANCE_SETTINGS:
		return gw_store_db_instance_settings(&st->db, &j->row.instance);
	case GW_JOB_INSTANCE_PROXY:
		return gw_store_db_instance_proxy(&st->db, &j->row.instance);
	case GW_JOB_INSTANCE_HOOKS:
		return gw_store_db_instance_hooks(&st->db, &j->row.instance);
	case GW_JOB_INSTANCE_LINK:
		return gw_store_db_instance_link(&st->db, &j->row.instance);
	case GW_JOB_INSTANCE_DEL:
		return gw_store_db_instance_del(&st->db, j->row.instance.id);
	case GW_JOB_PROBE:
		return gw_store_db_meta_put(&st->db, PROBE_NAME, &j->row.probe,
		                            sizeof(j->row.probe));
	}
	return WA_ESTATE;
}

/* The row is gone for good; files that stay behind are somebody's to remove. */
static void erase(struct gw_store *st, const char *id)
{
	int rc = gw_store_db_instance_erase(&st->db, id);

	if (rc < 0)
		LOG(NULL, LOG_ERR, "instance_dir_left", LF_STR("id", id), LF_ERR("err", rc));
}

/*
 * One transaction for the whole group. Each job is one statement, so one that is refused changes
 * nothing and harms no other; but where SQLite gives up the whole transaction (disk full, I/O
 * error, no memory) none of the group is done, and what comes behind must not be committed by
 * itself.
 */
static void group_run(struct gw_store *st, struct job_list *group)
{
	int rc = gw_store_db_begin(&st->db);
	struct gw_store_job *j;

	for (j = STAILQ_FIRST(group); j != NULL; j = STAILQ_NEXT(j, link)) {
		j->rc = rc < 0 ? rc : job_run(st, j);
		if (rc == 0 && !gw_store_db_in_transaction(&st->db))
			rc = j->rc < 0 ? j->rc : WA_ESTORAGE;
	}
	if (rc == 0)
		rc = gw_store_db_commit(&st->db);
	for (j = STAILQ_FIRST(group); j != NULL; j = STAILQ_NEXT(j, link)) {
		if (j->rc == 0)
			j->rc = rc;
		if (j->rc < 0 && j->kind == GW_JOB_INSTANCE_ADD)
			gw_store_db_instance_undo(&st->db, j->row.instance.id);
		if (j->rc == 0 && j->kind == GW_JOB_INSTANCE_DEL)
			erase(st, j->row.instance.id);
		atomic_store(&st->failed, j->rc < 0);
	}
}

/* Up to GROUP_MAX of the jobs that wait; empty: the end. Waits for some. */
static void group_take(struct gw_store *st, struct job_list *group)
{
	pthread_mutex_lock(&st->lock);
	while (STAILQ_EMPTY(&st->todo) && !st->stop)
		pthread_cond_wait(&st->more, &st->lock);
	for (int n = 0; n < GROUP_MAX && !STAILQ_EMPTY(&st->todo); n++) {
		struct gw_store_job *j = STAILQ_FIRST(&st->todo);

		STAILQ_REMOVE_HEAD(&st->todo, link);
		STAILQ_INSERT_TAIL(group, j, link);
	}
	pthread_mutex_unlock(&st->lock);
}

static void group_give_back(struct gw_store *st, struct job_list *group)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&st->lock);
	STAILQ_CONCAT(&st->done, group);
	pthread_cond_signal(&st->finished);
	pthread_mutex_unlock(&st->lock);
	/* full only when the loop is due to read it */
	(void)!write(st->done_fd, &one, sizeof(one));
}

static void *writer(void *arg)
{
	struct gw_store *st = arg;

	for (;;) {
		struct job_list group = STAILQ_HEAD_INITIALIZER(group);

		group_take(st, &group);
		if (STAILQ_EMPTY(&group))
			return NULL;
		group_run(st, &group);
		group_give_back(st, &group);
	}
}

/* ---- the loop's side -------------------------------------------------------- */

void gw_store_job_free(struct gw_store_job *j)
{
	if (j->kind >= GW_JOB_INSTANCE_ADD) {
		free((void *)(uintptr_t)j->row.instance.settings);
		free((void *)(uintptr_t)j->row.instance.proxy);
		free((void *)(uintptr_t)j->row.instance.hooks);
	}
	free(j);
}

static void probe_later(struct gw_store *st)
{
	const struct timeval tv = { .tv_sec = PROBE_S };

	if (!gw_store_ok(st) && !st->probing && !event_pending(st->ev_probe, EV_TIMEOUT, NULL))
		(void)!event_add(st->ev_probe, &tv); /* else the next change tells */
}

static void call_done(struct gw_store *st)
{
	struct job_list done = STAILQ_HEAD_INITIALIZER(done);
	struct gw_store_job *j;

	pthread_mutex_lock(&st->lock);
	STAILQ_CONCAT(&done, &st->done);
	pthread_mutex_unlock(&st->lock);
	while ((j = STAILQ_FIRST(&done)) != NULL) {
		STAILQ_REMOVE_HEAD(&done, link);
		st->waiting_n--;
		if (j->rc < 0 && j->kind != GW_JOB_PROBE)
			LOG(NULL, LOG_ERR, "registry_write_failed", LF_ERR("err", j->rc));
		j->done(j->rc, j->arg);
		gw_store_job_free(j);
	}
	probe_later(st);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof(n)); /* only the wake-up matters */
	call_done(arg);
}

struct gw_store_job *gw_store_job_new(enum gw_store_job_kind kind, gw_store_done *done, void *arg)
{
	struct gw_store_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->kind = kind;
	j->done = done;
	j->arg = arg;
	return j;
}

int gw_store_job_give(struct gw_store *st, struct gw_store_job *j)
{
	st->waiting_n++;
	pthread_mutex_lock(&st->lock);
	STAILQ_INSERT_TAIL(&st->todo, j, link);
	pthread_cond_signal(&st->more);
	pthread_mutex_unlock(&st->lock);
	return 0;
}

/* Nobody may ask for a change for hours: what was not written by then has to be. */
static void on_probed(int rc, void *arg)
{
	struct gw_store *st = arg;

	st->probing = false;
	if (rc < 0)
		return; /* and again */
	LOG(NULL, LOG_NOTICE, "registry_writes_again");
	if (st->on_healed != NULL)
		st->on_healed(st->on_healed_arg);
}

static void on_probe_due(evutil_socket_t fd, short what, void *arg)
{
	struct gw_store *st = arg;
	struct gw_store_job *j = gw_store_job_new(GW_JOB_PROBE, on_probed, st);

	(void)fd;
	(void)what;
	if (j == NULL) {
		probe_later(st);
		return;
	}
	j->row.probe = clock_us();
	st->probing = true;
	(void)!gw_store_job_give(st, j);
}

void gw_store_on_healed(struct gw_store *st, void (*cb)(void *arg), void *arg)
{
	st->on_healed = cb;
	st->on_healed_arg = arg;
}

bool gw_store_ok(const struct gw_store *st)
{
	return !atomic_load(&st->failed);
}

void gw_store_drain(struct gw_store *st)
{
	while (st->waiting_n > 0) {
		pthread_mutex_lock(&st->lock);
		while (STAILQ_EMPTY(&st->done))
			pthread_cond_wait(&st->finished, &st->lock);
		pthread_mutex_unlock(&st->lock);
		call_done(st);
	}
}

int gw_store_meta_get(struct gw_store *st, const char *name, uint8_t *out, size_t out_cap,
                      size_t *len_out)
{
	return gw_store_db_meta_get(&st->db, name, out, out_cap, len_out);
}

int gw_store_meta_put(struct gw_store *st, const char *name, const void *data, size_t data_len)
{
	return gw_store_db_meta_put(&st->db, name, data, data_len);
}

/* Signals are the loop's alone. */
static int start_thread(struct gw_store *st)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&st->thread, NULL, writer, st);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	st->started = rc == 0;
	return rc;
}

int gw_store_load(struct gw_store *st, const struct gw_store_loader *loader, void *arg)
{
	int rc = gw_store_db_load(&st->db, loader, arg);

	return rc < 0 ? rc : start_thread(st);
}

int gw_store_open(struct event_base *base, const char *data_dir, struct gw_store **store_out)
{
	struct gw_store *st = calloc(1, sizeof(*st));
	int rc = -ENOMEM;

	if (st == NULL)
		return rc;
	STAILQ_INIT(&st->todo);
	STAILQ_INIT(&st->done);
	pthread_mutex_init(&st->lock, NULL);
	pthread_cond_init(&st->more, NULL);
	pthread_cond_init(&st->finished, NULL);
	gw_store_db_init(&st->db);
	st->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (st->done_fd < 0)
		goto fail;
	st->ev_done = event_new(base, st->done_fd, EV_READ | EV_PERSIST, on_done, st);
	if (st->ev_done == NULL || event_add(st->ev_done, NULL) < 0)
		goto fail;
	st->ev_probe = evtimer_new(base, on_probe_due, st);
	if (st->ev_probe == NULL)
		goto fail;
	rc = gw_store_db_open(&st->db, data_dir);
	if (rc < 0)
		goto fail;
	*store_out = st;
	return 0;
fail:
	gw_store_free(st);
	return rc;
}

static void stop_thread(struct gw_store *st)
{
	if (!st->started)
		return;
	pthread_mutex_lock(&st->lock);
	st->stop = true;
	pthread_cond_signal(&st->more);
	pthread_mutex_unlock(&st->lock);
	pthread_join(st->thread, NULL);
}

void gw_store_free(struct gw_store *st)
{
	struct gw_store_job *j;

	if (st == NULL)
		return;
	stop_thread(st);
	while ((j = STAILQ_FIRST(&st->done)) != NULL) {
		STAILQ_REMOVE_HEAD(&st->done, link);
		gw_store_job_free(j);
	}
	gw_store_db_clear(&st->db);
	if (st->ev_done != NULL)
		event_free(st->ev_done);
	if (st->ev_probe != NULL)
		event_free(st->ev_probe);
	if (st->done_fd >= 0)
		close(st->done_fd);
	pthread_cond_destroy(&st->finished);
	pthread_cond_destroy(&st->more);
	pthread_mutex_destroy(&st->lock);
	free(st);
}
