/*
 * gateway/events/gw_events_priv.h - the event log's inside: what its loop side and its thread share
 *
 * A job is made on the loop, worked on by the thread and called back on the loop; whoever has it
 * may touch it. Of a stream, the part named t is the thread's, all else the loop's.
 */
#ifndef GW_EVENTS_PRIV_H
#define GW_EVENTS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/ipc_memfd.h"
#include "gateway/events/gw_events.h"
#include "gateway/events/gw_events_db.h"
#include "gateway/registry/gw_registry.h"

struct event;
struct gw_feed;
TAILQ_HEAD(gw_feeds, gw_feed);

#define GW_EVENTS_TAKE_BYTES (64 * 1024 * 1024) /* of all workers, on their way to the disk */

enum gw_events_kind {
	GW_EVJOB_EMIT, /* an event of the gateway's own */
	GW_EVJOB_TAKE, /* a worker's */
	GW_EVJOB_RUN,
	GW_EVJOB_ERASE,
	GW_EVJOB_ERASE_UNKNOWN,
	GW_EVJOB_TIDY,
	GW_EVJOB_READ, /* the only one that is not part of a transaction */
};

struct gw_events_watch {
	TAILQ_ENTRY(gw_events_watch) link;
	struct gw_event_stream *stream;
	gw_events_on_more *cb;
	void *arg;
};
TAILQ_HEAD(gw_events_watches, gw_events_watch);

/* All that is known of one instance's events. Lives until no job has it any more. */
struct gw_event_stream {
	TAILQ_ENTRY(gw_event_stream) link;
	TAILQ_ENTRY(gw_event_stream) in_touched;
	bool is_touched; /* it is in that list: something was committed in this pass */
	struct gw_events *ev;
	struct gw_instance *inst; /* NULL: forgotten */
	unsigned refs;            /* the instance's, and one of each job */
	char id[GW_ID_LEN + 1];
	char name[GW_NAME_MAX + 1];
	struct sealed_key *key; /* in secret memory */
	uint64_t newest;        /* durable; 0: not known, or none */
	struct gw_events_watches watches;

	/* the worker's */
	uint64_t store, committed; /* acknowledged, or to be in this pass */
	uint64_t outbox_newest;    /* as it told last */
	unsigned life;             /* counts its workers */
	unsigned way_n;            /* of this worker's events, that wait for their commit */
	size_t way_bytes;
	bool lost;  /* some were dropped: to be sent again, what comes until then is dropped, too */
	bool fresh; /* the next one is the first after that */

	/* codes that go out live only */
	char *live; /* JSON; NULL: none */
	uint64_t live_seq, live_until_ms;

	struct {
		TAILQ_ENTRY(gw_event_stream) in_dirty;
		bool is_dirty, known;
		bool broken; /* an event of its worker was not kept: no later one may be */
		struct gw_events_place place; /* as it is within the transaction */
		struct gw_events_place saved; /* as it is on disk */
		struct sealed_run *sealer;    /* of the group; NULL: none yet */
	} t;
};
TAILQ_HEAD(gw_event_streams, gw_event_stream);

struct gw_events_job {
	STAILQ_ENTRY(gw_events_job) link;
	enum gw_events_kind kind;
	struct gw_event_stream *stream; /* a reference; NULL: none */
	int rc;
	union {
		struct {
			unsigned kind;
			uint32_t flags;
			int64_t unix_ms;
			char *data; /* owned, or in map */
			size_t data_len;
			struct ipc_memfd_map map;
			uint64_t seq; /* once it is kept */
			/* EMIT */
			char *live; /* owned; NULL: none */
			uint64_t live_until_ms;
			/* TAKE */
			uint64_t store, number;
			unsigned life;
			bool fresh;
			bool again;   /* it had been kept before */
			bool refused; /* it is no event: passed over, once and for all */
		} event;
		struct {
			gw_events_run *run;
			gw_events_done *done;
			void *arg;
		} job;
		struct {
			char **ids; /* ERASE: one; ERASE_UNKNOWN: all that are known; owned */
			size_t n;
		} erase;
		int64_t before_ms; /* TIDY */
		struct gw_events_read {
			gw_events_on_read *cb; /* NULL: cancelled */
			void *arg;
			uint64_t from;
			size_t n_max;
			const char *base_url;
			struct gw_event_filter filter;
			struct gw_events_found found;
			struct gw_events_job *job;
		} read;
	} u;
};
STAILQ_HEAD(gw_events_jobs, gw_events_job);

struct gw_events {
	/* the loop's */
	struct gw *gw;
	struct event *ev_done;
	struct event *ev_tidy;
	struct gw_event_streams streams;
	struct gw_event_streams touched;
	struct gw_feeds feeds;
	unsigned files_n;  /* that feeds' receivers hold */
	bool tidying;      /* a TIDY has been given */
	size_t waiting_n;  /* jobs given whose callback is due */
	size_t emits_n;    /* of these, EMIT */
	size_t take_bytes; /* of these, data of TAKE */
	size_t lost_n;     /* streams that are lost */
	uint64_t kept[GW_EVENT_KIND_END], again_n;
	uint64_t refused_log_ms;
	bool told_failing;

	/* the thread's */
	struct gw_events_tx tx;
	struct gw_event_streams dirty;
	struct gw_events_jobs retry; /* EMIT that could not be kept: first of all, again */
	const char *data_dir;        /* borrowed */
	uint64_t group_us;           /* monotonic: when the last group was begun */

	/* shared, under the lock */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;     /* todo or reads have grown, or stop */
	pthread_cond_t finished; /* done has grown, or the thread has ended */
	struct gw_events_jobs todo, reads, done;
	unsigned todo_n;
	enum { GW_EVSLEEP_NOT, GW_EVSLEEP_IDLE, GW_EVSLEEP_GATHERING } sleep; /* what more is for */
	bool stop, draining, started;
	int done_fd;       /* eventfd */
	atomic_int failed; /* 0, or why nothing can be written */
};

/* The thread. */
void *gw_events_thread(void *arg);

/* Loop's side, among its files. */
struct gw_event_stream *gw_events_stream(struct gw_events *ev, struct gw_instance *inst);
void gw_events_stream_unref(struct gw_event_stream *s);
struct gw_events_job *gw_events_job_new(enum gw_events_kind kind, struct gw_event_stream *s);
void gw_events_give(struct gw_events *ev, struct gw_events_job *j);
void gw_events_job_free(struct gw_events_job *j);
/* A worker's event was dropped: it is asked for it again when there is room, or the disk is well.
 */
void gw_events_lose(struct gw_events *ev, struct gw_event_stream *s);
/* gw_events_read.c: a READ is done; watchers hear of what is new. */
void gw_events_read_done(struct gw_events_job *j);
void gw_events_tell(struct gw_event_stream *s);
void gw_events_live_set(struct gw_event_stream *s, struct gw_events_job *j);

#endif
