/*
 * gateway/supervision/gw_worker.h - one worker process: its control channel, its pidfd, its
 * deadlines
 *
 * A worker serves one pairing or one saved session, as long as that is wanted. It tells its
 * instance what happens through gw_instance_event() (gw_instance_priv.h), always from the event
 * loop: READY, STEP, CODE and so on; then BYE (it left by itself) or LOST (it crashed, hung, talked
 * nonsense or never started), and last of all GONE. Owned by the supervisor, freed after GONE.
 */
#ifndef GW_WORKER_H
#define GW_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct gw_instance;
struct gw_supervisor;
struct gw_worker;

/* Why a worker is told to leave; for its log and the gateway's. */
enum gw_stop_reason { GW_STOP_SHUTDOWN, GW_STOP_SUPERSEDED, GW_STOP_DELETED };

/*
 * Tell the worker to leave; after the leave time it is killed. One that waits for its start is
 * never started. Safe at any time, safe twice; the instance hears GONE later.
 */
void gw_worker_stop(struct gw_worker *w, enum gw_stop_reason reason);
/*
 * The worker has said that it is done: from now on the leave time runs, and it is released as soon
 * as what that means for its instance is on disk.
 */
void gw_worker_expect_exit(struct gw_worker *w);
/* The instance's state is on disk. */
void gw_worker_saved(struct gw_worker *w);

/* ---- what a worker that runs can be told; for one that leaves nothing happens ---------------- */

/* Try the saved session now. Sent when the host's dials admit it. */
void gw_worker_resume(struct gw_worker *w, const char *request_id);
/* Unlink, then leave. One that waits for its start is started for that alone. */
void gw_worker_logout(struct gw_worker *w, const char *request_id);
/* Its instance's settings have changed. */
void gw_worker_settings(struct gw_worker *w);
/* Its instance's proxy has changed: the worker's next dial takes it. */
void gw_worker_proxy(struct gw_worker *w);
/* Its events up to number are on disk; again: what it sent after that is lost. */
void gw_worker_event_commit(struct gw_worker *w, uint64_t store, uint64_t number, bool again);
/* The person's part of the passkey step. 0, -ENOMEM, WA_ESTATE (it leaves). */
ATTR_NODISCARD int gw_worker_passkey_answer(struct gw_worker *w, const char *credential,
                                            const char *request_id);
ATTR_NODISCARD int gw_worker_passkey_confirm(struct gw_worker *w, const char *request_id);

/* 0 while it has no process. */
pid_t gw_worker_pid(const struct gw_worker *w);

/*
 * What it takes, in bytes: its proportional share, or all that is resident where that can't be
 * read; -1: not known. As it was read last, or, with look, within the last 5 s.
 */
int64_t gw_worker_memory_bytes(struct gw_worker *w, bool look);

/* In KiB; -1: not known. */
struct gw_worker_memory {
	int64_t pss_kib;     /* from its smaps_rollup, which it has handed over */
	int64_t rss_kib;     /* counts shared pages in full */
	int64_t private_kib; /* the part shared with nobody (USS) */
};
/*
 * As it was read within the last max_age_ms; else it is read now, some 0.1 ms that the kernel takes
 * to walk all its pages.
 */
void gw_worker_memory(struct gw_worker *w, uint32_t max_age_ms, struct gw_worker_memory *out);

/* What `wardenctl worker list` shows. */
struct gw_worker_info {
	pid_t pid; /* 0: not started yet */
	struct gw_instance *inst;
	bool outdated;      /* not of the binary that the next worker runs */
	const char *state;  /* "queued", "starting", "ready", "leaving", "killed" */
	uint64_t uptime_ms; /* since its start was asked for */
	struct gw_worker_memory memory;
};
/* It runs, and not the binary that the next worker runs. */
bool gw_worker_is_outdated(const struct gw_worker *w);
struct gw_instance *gw_worker_instance(const struct gw_worker *w);
/* Its memory is read now. */
void gw_worker_info(struct gw_worker *w, struct gw_worker_info *info_out);

#endif
