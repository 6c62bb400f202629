/* gateway/events/gw_events_give.c - the event log on the loop's side: streams, and what is given to
 * the thread */
#include "gateway/events/gw_events_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/json_text.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/registry/gw_master_key.h"

#define EMITS_MAX 20000 /* of our own that wait for the disk */
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
	     (j->kind == GW_EVJOB_READ || ev->todo_n >= GW_EVENTS_GROUP))) {
		ev->sleep = GW_EVSLEEP_NOT; /* once is enough */
		pthread_cond_signal(&ev->more);
	}
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
	j->u.event.data = json_text(data);
	if (live != NULL)
		j->u.event.live = json_text(live);
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
void gw_events_lose(struct gw_events *ev, struct gw_event_stream *s)
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
	if (rc == 0 && ev->take_bytes + j->u.event.data_len > GW_EVENTS_TAKE_BYTES)
		rc = -ENOMEM;
	if (rc == 0) {
		take_job(ev, s, j, m);
		return 0;
	}
	if (j != NULL)
		gw_events_job_free(j);
	if (rc == WA_EPROTO || rc == WA_ELIMIT)
		return rc;
	gw_events_lose(ev, s);
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
