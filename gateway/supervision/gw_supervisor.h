/*
 * gateway/supervision/gw_supervisor.h - all workers of this gateway: starts in a bounded number,
 * counts, the end
 *
 * Owned by struct gw. Holds run_dir for this gateway alone (a lock on the directory).
 */
#ifndef GW_SUPERVISOR_H
#define GW_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct gw;
struct gw_instance;
struct gw_supervisor;
struct gw_survey_list;
struct gw_worker;

#define GW_STARTS_MAX 8 /* workers being started at once */

/* What a worker is started for. */
enum gw_mode {
	GW_MODE_LINK,   /* resume the saved session; where there is none, pair */
	GW_MODE_RESUME, /* resume the saved session, else leave */
	GW_MODE_LOGOUT, /* resume it only to unlink */
};

/* What CONNECT carries besides the settings; all borrowed for the call. */
struct gw_attempt {
	enum gw_mode mode;
	const char *number;     /* pair by code; NULL: by QR */
	uint32_t history_days;  /* 0: not asked for */
	const char *request_id; /* NULL: nobody's request */
};

/* Every wait of a worker's life, in ms. Tests choose shorter ones. */
struct gw_worker_times {
	uint32_t ready;     /* from the launch to HELLO_REPLY; looked at while it waits for that */
	uint32_t ping;      /* silence after which a PING is sent, and between PINGs */
	unsigned ping_lost; /* PINGs without any answer that make it dead */
	uint32_t leave;     /* from STOP or FAILED to SIGKILL */
	uint32_t die;       /* from SIGKILL or the end of its process until it is given up */
	uint32_t shutdown;  /* as leave, when the gateway ends; 10 ms more for each worker */
};
extern const struct gw_worker_times gw_worker_times_default;

/*
 * Make run_dir (0700) if it is missing, lock it, open the runner.
 * Failures are logged. 0; WA_EALREADY_RUNNING when another wardend uses run_dir; -errno.
 * times: borrowed for good; NULL for the default.
 */
ATTR_NODISCARD int gw_supervisor_new(struct gw *gw, const struct gw_worker_times *times,
                                     struct gw_supervisor **sup_out);
/* Kills what still runs. NULL is fine. */
void gw_supervisor_free(struct gw_supervisor *sup);

/*
 * Take over every worker that a gateway before this one has left: connect to each control socket in
 * run_dir, all at once. Sockets that nobody listens on are removed; workers whose instance is not
 * known are told to leave. on_done: called once from the loop, when each has said what it is at, or
 * after at_most_ms; one that takes longer than that is dealt with as a start that is late.
 */
void gw_supervisor_adopt(struct gw_supervisor *sup, uint32_t at_most_ms, void (*on_done)(void *arg),
                         void *arg);

/*
 * Start a worker for inst and let it begin. Those that somebody waits for (LINK, LOGOUT) are
 * launched before those that are only resumed. The instance hears of it through
 * gw_instance_event(), never from inside this call. *worker_out is borrowed until GONE.
 * 0; WA_EAT_CAPACITY (max_workers, no descriptors, processes or memory left);
 * WA_ESHUTTING_DOWN; WA_EWORKER_START.
 */
ATTR_NODISCARD int gw_supervisor_start(struct gw_supervisor *sup, struct gw_instance *inst,
                                       const struct gw_attempt *attempt,
                                       struct gw_worker **worker_out);

/* False when workers can't be started: /health says so. */
bool gw_supervisor_ok(const struct gw_supervisor *sup);
size_t gw_supervisor_count(const struct gw_supervisor *sup);
/* Every worker; prev NULL first. Valid until the loop returns to its top. */
struct gw_worker *gw_supervisor_next(struct gw_supervisor *sup, struct gw_worker *prev);

/* Those who are looking at one after the other (gw_survey.h). */
struct gw_survey_list *gw_supervisor_surveys(struct gw_supervisor *sup);

/* Workers go on when the gateway is told to stop: they are not ours to end. */
bool gw_supervisor_outlives(const struct gw_supervisor *sup);

/* Let go of all workers, which go on without a gateway; then only gw_supervisor_free() is left. */
void gw_supervisor_part(struct gw_supervisor *sup);

/*
 * No more starts; all workers are told to leave and killed when they don't within the shutdown
 * time; those of a runner that outlives us are let go instead. on_empty: called once from the loop,
 * when the last is gone. A second call kills at once.
 */
void gw_supervisor_stop(struct gw_supervisor *sup, void (*on_empty)(void *arg), void *arg);

#endif
