/*
 * gateway/events/gw_events.h - the events of all instances: data_dir/events.db behind a thread of its own
 *
 * One thread owns the database. What is to be written is gathered into transactions (at most
 * GW_EVENTS_GROUP jobs, whatever came while the last one was being committed); each instance's
 * events get the next sequence, without gaps, in the order in which they were given. Callbacks come
 * from the event loop after the commit is durable. Readers have cursors of their own and are told
 * by a watch that there is more: a slow one delays nobody.
 *
 * While nothing can be written (disk full, read-only, I/O error) no EVENT_COMMIT is sent, so the
 * workers keep their events; the gateway's own wait here. Both go on when the disk is well again.
 */
#ifndef GW_EVENTS_H
#define GW_EVENTS_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "gateway/events/gw_event.h"
#include "proto/ipc.pb-c.h"

struct gw;
struct gw_events;
struct gw_instance;

#define GW_EVENTS_GROUP 256         /* jobs of one transaction */
#define GW_EVENTS_READ_MAX 256      /* events of one read */
#define GW_EVENTS_READ_BYTES 262144 /* ... and about how many bytes */
#define GW_EVENTS_NEW UINT64_MAX    /* to read from: nothing that is there already */

/*
 * Open data_dir/events.db and start its thread. Blocking, before the loop; the registry is loaded.
 * 0 also where the file can't be used: then nothing is kept, gw_events_health() says why, and
 * the workers keep their events. -ENOMEM, -errno.
 */
ATTR_NODISCARD int gw_events_new(struct gw *gw, struct gw_events **ev_out);
/* Wait for everything given so far and call its callbacks: for the end of the program. */
void gw_events_drain(struct gw_events *ev);
/* Jobs that wait are done, their callbacks are not called. NULL is fine. */
void gw_events_free(struct gw_events *ev);
/* "ok", or "fail: ..." for /health. Static. */
const char *gw_events_health(const struct gw_events *ev);

/* ---- what happens -------------------------------------------------------------------------- */

/*
 * Something the gateway itself has to say. data: a JSON object; live: JSON that is sent as "codes"
 * to those who receive the event within live_ms, and kept nowhere else; NULL: none. Takes both.
 * 0; -ENOMEM; WA_ELIMIT (too many wait for the disk).
 */
ATTR_NODISCARD int gw_events_emit(struct gw_events *ev, struct gw_instance *inst,
                                  enum gw_event_kind kind, json_t *data, json_t *live,
                                  uint32_t live_ms);
/*
 * A worker's EVENT; *fd is taken (set to -1). EVENT_COMMIT follows after the commit.
 * 0, or why this worker is to be ended: WA_EPROTO, WA_ELIMIT (more than it may have on the way).
 */
ATTR_NODISCARD int gw_events_take(struct gw_events *ev, struct gw_instance *inst,
                                  const Ipc__Event *m, int *fd);
/* A worker has answered HELLO: it sends again what none has acknowledged. */
void gw_events_worker_met(struct gw_events *ev, struct gw_instance *inst);
/* The instance's memory goes; what is on disk stays. */
void gw_events_forget(struct gw_events *ev, struct gw_instance *inst);
/* The instance is deleted: all its events go, in small steps, and what jobs of others keep by its
 * id is theirs to remove. */
void gw_events_erase(struct gw_events *ev, const char *instance_id);

/* ---- reading ------------------------------------------------------------------------------- */

struct gw_events_batch {
	const struct gw_event *events; /* by sequence; borrowed for the call, with their texts */
	size_t n;
	uint64_t next;   /* where to read on; greater than from also when nothing was wanted */
	uint64_t newest; /* sequence of the newest durable event */
};
/* rc: 0, or WA_ESTORAGE, WA_ESTORE_CORRUPT, -ENOMEM: then b is NULL. From the loop, once. */
typedef void gw_events_on_read(int rc, const struct gw_events_batch *b, void *arg);

struct gw_events_read;
/*
 * Durable events from a sequence on that f wants, at most max (GW_EVENTS_READ_MAX) of them. What is
 * older than what is kept is passed over. from GW_EVENTS_NEW: no events, but where new ones will
 * begin (next). 0, or -ENOMEM.
 */
ATTR_NODISCARD int gw_events_read(struct gw_events *ev, struct gw_instance *inst, uint64_t from,
                                  size_t max, const struct gw_event_filter *f,
                                  gw_events_on_read *cb, void *arg, struct gw_events_read **r_out);
/* cb is not called any more. Not after it was called. NULL is fine. */
void gw_events_read_cancel(struct gw_events_read *r);

/* Sequence of the newest durable event; 0: there never was one. */
uint64_t gw_events_newest(struct gw_events *ev, struct gw_instance *inst);

/*
 * There are events up to newest. From the loop; may cancel any watch. inst NULL: the instance is
 * gone, and the watch with it.
 */
typedef void gw_events_on_more(struct gw_instance *inst, uint64_t newest, void *arg);
struct gw_events_watch;
/* 0 or -ENOMEM. */
ATTR_NODISCARD int gw_events_watch(struct gw_events *ev, struct gw_instance *inst,
                                   gw_events_on_more *cb, void *arg,
                                   struct gw_events_watch **w_out);
void gw_events_unwatch(struct gw_events_watch *w); /* NULL is fine */

/*
 * The JSON text to be sent as "codes" with this event now (gw_event_text_with()), to a receiver for
 * whom it is the first try; NULL: none, or no longer. Borrowed until the loop returns to its top.
 */
const char *gw_events_live(struct gw_events *ev, struct gw_instance *inst, uint64_t sequence);

/* ---- others' tables in events.db ------------------------------------------------------------ */

/* What a job sees of the transaction that it is part of. */
struct gw_events_tx;
sqlite3 *gw_events_tx_db(struct gw_events_tx *tx);
/*
 * A statement for this text, which is static: prepared once, to be left reset and without bindings.
 * 0, WA_ESTORAGE, -ENOMEM, ...
 */
ATTR_NODISCARD int gw_events_tx_stmt(struct gw_events_tx *tx, const char *sql,
                                     sqlite3_stmt **stmt_out);
/*
 * run is called on the thread, once, within a transaction shared with other jobs and a savepoint of
 * its own: a negative return takes back what it did. done is called from the loop after the commit,
 * rc: what run returned when that was negative, else 0 or why the commit failed. No callback of one
 * job ever runs beside another's. Tables are made by a step of the schema in gw_events_db.c.
 * 0 (done will be called), or -ENOMEM.
 */
typedef int gw_events_run(struct gw_events_tx *tx, void *arg);
typedef void gw_events_done(int rc, void *arg);
ATTR_NODISCARD int gw_events_job(struct gw_events *ev, gw_events_run *run, gw_events_done *done,
                                 void *arg);

/* ---- for metrics ---------------------------------------------------------------------------- */

struct gw_events_stats {
	uint64_t kept[GW_EVENT_KIND_END]; /* committed since the start, by kind */
	uint64_t again_n;                 /* came a second time, and were not kept twice */
	size_t waiting_n;                 /* jobs that wait for their commit */
	uint64_t outbox_n;                /* events that workers keep, as they told last */
};
void gw_events_stats(const struct gw_events *ev, struct gw_events_stats *stats_out);

#endif
