/*
 * gateway/supervision/gw_runner_systemd.c - every worker a unit of its own: own cgroup, own uid, systemd's
 * sandbox
 *
 * Asks systemd over the system bus to start warden-worker@ID.socket, waits for the end of that job,
 * and leaves the rest to who connects to the socket: that starts the service. Nothing here waits:
 * the bus is served from the loop, and made anew when it is lost. The workers notice none of it.
 *
 *   start    StartUnit of the socket; answered when its job is over
 *   release  StopUnit of the socket, which takes the service along; a start that comes meanwhile
 *            waits for the end of it
 *   kill     KillUnit of the service: its uid is not ours
 */
#include "gateway/supervision/gw_runner.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "common/binary_id.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/registry/gw_registry.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

/* What the units are made for. */
#define UNITS_DATA_DIR "/var/lib/warden"
#define UNITS_RUN_DIR "/run/warden"
#define UNITS_MEMORY_MB 64

#define UNIT_CAP (sizeof("warden-worker@.service") + GW_ID_LEN)
#define PROCESS_BURST 64 /* messages a pass of the loop */
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 5000
#define AWAY_OK_MS 10000 /* longer without the bus, and /health tells */
#define CALL_TIMEOUT_US (20 * UINT64_C(1000000))
#define STOPPED_LATE_MS 30000 /* a stop that takes longer is not waited for */

enum job_kind { JOB_START, JOB_STOP };

/* A start or a stop of one instance's socket, on its way. */
struct job {
	TAILQ_ENTRY(job) link;
	struct systemd_runner *sd;
	enum job_kind kind;
	bool asked;       /* a start may wait for a stop */
	uint32_t req_id;  /* JOB_START */
	uint64_t born_ms; /* monotonic */
	char id[GW_ID_LEN + 1];
	char *path;        /* of systemd's job, once it is known */
	sd_bus_slot *slot; /* of the call, until it is answered */
};
TAILQ_HEAD(job_list, job);

struct systemd_runner {
	struct gw *gw;
	const struct gw_runner_ops *ops;
	void *arg;
	sd_bus *bus;         /* NULL: away */
	struct event *ev_io; /* also: something to do in the next pass */
	struct event *ev_time;
	bool up;   /* systemd tells us of its jobs */
	bool sick; /* to be made anew in the next pass */
	bool in_process;
	unsigned fails_n;
	uint64_t away_ms; /* since when it is not up */
	struct job_list jobs;
};

static void serve(struct systemd_runner *sd);

/* ---- jobs ----------------------------------------------------------------------------------- */

static struct job *job_new(struct systemd_runner *sd, enum job_kind kind, const char *id)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->sd = sd;
	j->kind = kind;
	j->born_ms = clock_ms();
	snprintf(j->id, sizeof(j->id), "%s", id);
	TAILQ_INSERT_TAIL(&sd->jobs, j, link);
	return j;
}

static void job_free(struct job *j)
{
	TAILQ_REMOVE(&j->sd->jobs, j, link);
	sd_bus_slot_unref(j->slot);
	free(j->path);
	free(j);
}

static struct job *job_find(const struct systemd_runner *sd, enum job_kind kind, const char *id)
{
	struct job *j;

	TAILQ_FOREACH(j, &sd->jobs, link)
	if (j->kind == kind && strcmp(j->id, id) == 0)
		return j;
	return NULL;
}

static void ask_waiting(struct systemd_runner *sd, const char *id);

/* The end of a job, from the loop. rc: of a start. */
static void job_over(struct job *j, int rc)
{
	struct systemd_runner *sd = j->sd;
	enum job_kind kind = j->kind;
	uint32_t req_id = j->req_id;
	char id[GW_ID_LEN + 1];

	memcpy(id, j->id, sizeof(id));
	job_free(j);
	if (kind == JOB_START)
		sd->ops->on_reply(req_id, rc, 0, -1, sd->arg);
	else
		ask_waiting(sd, id);
}

static void unit_name(const char *id, const char *suffix, char out[UNIT_CAP])
{
	snprintf(out, UNIT_CAP, "warden-worker@%s.%s", id, suffix);
}

/* ---- what is asked of systemd --------------------------------------------------------------- */

/* What it says, as -errno for the log and for who asked. */
static int error_of(sd_bus_message *m, const char *what, const char *id)
{
	const sd_bus_error *e = sd_bus_message_get_error(m);
	int rc;

	if (e == NULL)
		return 0;
	rc = -sd_bus_message_get_errno(m);
	LOG(NULL, LOG_WARNING, "systemd_refused", LF_STR("call", what), LF_STR("id", id),
	    LF_STR("error", e->name), LF_STR("why", e->message));
	return rc < 0 ? rc : -EIO;
}

static int on_job_made(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct job *j = arg;
	const char *path;
	int rc = error_of(m, j->kind == JOB_START ? "StartUnit" : "StopUnit", j->id);

	(void)ret;
	j->slot = sd_bus_slot_unref(j->slot);
	if (rc == 0 && sd_bus_message_read(m, "o", &path) < 0)
		rc = -EBADMSG;
	if (rc == 0 && (j->path = strdup(path)) == NULL)
		rc = -ENOMEM;
	if (rc < 0)
		job_over(j, rc);
	return 0;
}

/* JobRemoved: id, job, unit, result */
static int on_job_removed(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct systemd_runner *sd = arg;
	const char *path, *unit, *result;
	struct job *j;
	uint32_t number;
	bool done;

	(void)ret;
	if (sd_bus_message_read(m, "uoss", &number, &path, &unit, &result) < 0)
		return 0;
	TAILQ_FOREACH(j, &sd->jobs, link)
	if (j->path != NULL && strcmp(j->path, path) == 0)
		break;
	if (j == NULL)
		return 0;
	done = strcmp(result, "done") == 0;
	if (!done)
		LOG(NULL, LOG_WARNING, "unit_job_failed", LF_STR("unit", unit),
		    LF_STR("result", result));
	job_over(j, done ? 0 : -EIO);
	return 0;
}

static int call_job(struct job *j, const char *method)
{
	sd_bus_message *m = NULL;
	char unit[UNIT_CAP];
	int rc = j->sd->bus == NULL ? -EAGAIN : 0;

	unit_name(j->id, "socket", unit);
	if (rc == 0)
		rc = sd_bus_message_new_method_call(j->sd->bus, &m, SYSTEMD, MANAGER_PATH, MANAGER,
		                                    method);
	if (rc >= 0)
		rc = sd_bus_message_append(m, "ss", unit, "replace");
	if (rc >= 0)
		rc = sd_bus_call_async(j->sd->bus, &j->slot, m, on_job_made, j, CALL_TIMEOUT_US);
	sd_bus_message_unref(m);
	j->asked = rc >= 0;
	return rc < 0 ? rc : 0;
}

static int on_done(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	(void)ret;
	(void)error_of(m, arg, "-");
	return 0;
}

/* RLIMIT_DATA is the worker's own to set; MemoryMax is of the unit. */
static int set_memory(struct systemd_runner *sd, const char *id)
{
	int64_t mb = sd->gw->cfg.worker_memory_max_mb;
	char unit[UNIT_CAP];
	int rc;

	if (mb == UNITS_MEMORY_MB)
		return 0;
	unit_name(id, "service", unit);
	rc = sd_bus_call_method_async(sd->bus, NULL, SYSTEMD, MANAGER_PATH, MANAGER,
	                              "SetUnitProperties", on_done,
	                              (void *)(uintptr_t) "SetUnitProperties", "sba(sv)", unit, 1,
	                              1, "MemoryMax", "t", (uint64_t)mb * 1024 * 1024);
	return rc < 0 ? rc : 0;
}

static int ask_start(struct job *j)
{
	int rc = set_memory(j->sd, j->id);

	return rc < 0 ? rc : call_job(j, "StartUnit");
}

/* The stop that a start of this instance has waited for is over. From the loop. */
static void ask_waiting(struct systemd_runner *sd, const char *id)
{
	struct job *j = job_find(sd, JOB_START, id);
	int rc;

	if (j == NULL || j->asked)
		return;
	rc = sd->up ? ask_start(j) : -EPIPE;
	if (rc < 0)
		job_over(j, rc);
}

/* ---- the bus --------------------------------------------------------------------------------- */

static void timer_in(struct event *ev, uint64_t us)
{
	const struct timeval tv = { .tv_sec = (time_t)(us / 1000000),
		                    .tv_usec = (suseconds_t)(us % 1000000) };

	if (event_add(ev, &tv) < 0) /* no memory: at once, rather than never */
		event_active(ev, EV_TIMEOUT, 0);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve(arg);
}

/* Wait for what the bus waits for. */
static int rearm(struct systemd_runner *sd)
{
	int fd = sd_bus_get_fd(sd->bus), events = sd_bus_get_events(sd->bus);
	uint64_t until_us = UINT64_MAX, now_us = clock_us();

	if (fd < 0 || events < 0 || sd_bus_get_timeout(sd->bus, &until_us) < 0)
		return -ENOTCONN;
	(void)event_del(sd->ev_io);
	if (event_assign(sd->ev_io, sd->gw->base, fd,
	                 (short)(EV_READ | ((events & POLLOUT) != 0 ? EV_WRITE : 0)), on_io,
	                 sd) < 0 ||
	    event_add(sd->ev_io, NULL) < 0)
		return -ENOMEM;
	if (until_us != UINT64_MAX)
		timer_in(sd->ev_time, until_us > now_us ? until_us - now_us : 0);
	return 0;
}

static void be_sick(struct systemd_runner *sd)
{
	sd->sick = true;
	event_active(sd->ev_io, EV_TIMEOUT, 0);
}

/* After every call from outside the loop's own serve(). */
static void poke(struct systemd_runner *sd)
{
	if (!sd->in_process && sd->bus != NULL && !sd->sick && rearm(sd) < 0)
		be_sick(sd);
}

static void bus_drop(struct systemd_runner *sd)
{
	struct job *j;

	TAILQ_FOREACH(j, &sd->jobs, link)
	j->slot = sd_bus_slot_unref(j->slot);
	(void)event_del(sd->ev_io);
	sd->bus = sd_bus_close_unref(sd->bus);
	if (sd->up)
		sd->away_ms = clock_ms();
	sd->up = sd->sick = false;
}

static void bus_lost(struct systemd_runner *sd, int rc)
{
	unsigned shift = sd->fails_n > 6 ? 6 : sd->fails_n;
	unsigned ms = RETRY_FIRST_MS << shift;
	struct job *j;

	LOG(NULL, LOG_WARNING, "system_bus_lost", LF_ERR("err", rc));
	bus_drop(sd);
	sd->fails_n++;
	timer_in(sd->ev_time, (ms > RETRY_MAX_MS ? RETRY_MAX_MS : ms) * UINT64_C(1000));
	/* what became of them nobody will tell; a stop is asked for again by the next start's end
	 */
	while ((j = TAILQ_FIRST(&sd->jobs)) != NULL) {
		if (j->kind == JOB_STOP)
			job_free(j);
		else
			job_over(j, -EPIPE);
	}
}

static int on_subscribed(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct systemd_runner *sd = arg;

	(void)ret;
	if (error_of(m, "Subscribe", "-") < 0) {
		be_sick(sd);
		return 0;
	}
	sd->up = true;
	sd->fails_n = 0;
	LOG(NULL, LOG_INFO, "system_bus_up");
	sd->ops->on_ready(sd->arg);
	return 0;
}

/* systemd was started anew: it has forgotten that we listen. */
static int on_owner_changed(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct systemd_runner *sd = arg;

	(void)m;
	(void)ret;
	if (sd->up)
		be_sick(sd);
	return 0;
}

static int bus_dial(struct systemd_runner *sd)
{
	int rc = sd_bus_open_system(&sd->bus);

	if (rc >= 0)
		rc = sd_bus_match_signal_async(sd->bus, NULL, SYSTEMD, MANAGER_PATH, MANAGER,
		                               "JobRemoved", on_job_removed, NULL, sd);
	if (rc >= 0)
		rc = sd_bus_add_match_async(
		    sd->bus, NULL,
		    "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		    "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SYSTEMD "'",
		    on_owner_changed, NULL, sd);
	if (rc >= 0)
		rc = sd_bus_call_method_async(sd->bus, NULL, SYSTEMD, MANAGER_PATH, MANAGER,
		                              "Subscribe", on_subscribed, sd, NULL);
	if (rc >= 0)
		rc = rearm(sd);
	return rc < 0 ? rc : 0;
}

/* What the bus has for us, a bounded number at a time; then wait for more. */
static void serve(struct systemd_runner *sd)
{
	int rc = 1;

	if (sd->bus == NULL)
		return;
	sd->in_process = true;
	for (int i = 0; i < PROCESS_BURST && rc > 0 && !sd->sick; i++)
		rc = sd_bus_process(sd->bus, NULL);
	sd->in_process = false;
	if (rc >= 0 && sd->sick)
		rc = -EPIPE;
	if (rc > 0)
		event_active(sd->ev_io, EV_TIMEOUT, 0); /* there may be more */
	else if (rc == 0)
		rc = rearm(sd);
	if (rc < 0)
		bus_lost(sd, rc);
}

/* A time limit of the bus, or time to look for it again. */
static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct systemd_runner *sd = arg;
	int rc;

	(void)fd;
	(void)what;
	if (sd->bus != NULL) {
		serve(sd);
		return;
	}
	rc = bus_dial(sd);
	if (rc < 0)
		bus_lost(sd, rc);
}

/* ---- what a runner does ---------------------------------------------------------------------- */

static int systemd_start(void *self, const struct gw_runner_request *req)
{
	struct systemd_runner *sd = self;
	struct job *stop, *j;
	int rc;

	if (!sd->up || sd->sick)
		return -EAGAIN;
	stop = job_find(sd, JOB_STOP, req->instance_id);
	if (stop != NULL && clock_ms() - stop->born_ms > STOPPED_LATE_MS) {
		job_free(stop);
		stop = NULL;
	}
	j = job_new(sd, JOB_START, req->instance_id);
	if (j == NULL)
		return -ENOMEM;
	j->req_id = req->req_id;
	if (stop != NULL)
		return 0; /* asked when that is over */
	rc = ask_start(j);
	if (rc < 0)
		job_free(j);
	poke(sd);
	return rc;
}

static void systemd_release(void *self, const char *instance_id)
{
	struct systemd_runner *sd = self;
	struct job *j;

	if (!sd->up || sd->sick || job_find(sd, JOB_STOP, instance_id) != NULL)
		return;
	j = job_new(sd, JOB_STOP, instance_id);
	if (j != NULL && call_job(j, "StopUnit") < 0)
		job_free(j);
	poke(sd);
}

static int systemd_kill(void *self, const char *instance_id)
{
	struct systemd_runner *sd = self;
	char unit[UNIT_CAP];
	int rc;

	if (sd->bus == NULL || sd->sick)
		return -ENOTCONN;
	unit_name(instance_id, "service", unit);
	rc = sd_bus_call_method_async(sd->bus, NULL, SYSTEMD, MANAGER_PATH, MANAGER, "KillUnit",
	                              on_done, (void *)(uintptr_t) "KillUnit", "ssi", unit, "all",
	                              SIGKILL);
	poke(sd);
	return rc < 0 ? rc : 0;
}

static bool systemd_is_up(const void *self)
{
	const struct systemd_runner *sd = self;

	return sd->up && !sd->sick;
}

static bool systemd_is_ok(const void *self)
{
	const struct systemd_runner *sd = self;

	return sd->up || clock_ms() - sd->away_ms < AWAY_OK_MS;
}

/* systemd or the bus owes an answer: nothing that was asked counts any more. */
static void systemd_unstick(void *self)
{
	struct systemd_runner *sd = self;

	if (sd->bus != NULL)
		be_sick(sd);
}

/* The units name the program that the setting names, or somebody has changed one of the two. */
static uint64_t systemd_binary(const void *self)
{
	const struct systemd_runner *sd = self;
	int fd = open(sd->gw->cfg.worker_path, O_RDONLY | O_CLOEXEC);
	uint64_t id = fd < 0 ? 0 : binary_id_of_fd(fd);

	if (fd >= 0)
		close(fd);
	return id;
}

static void systemd_close(void *self)
{
	struct systemd_runner *sd = self;
	struct job *j;

	if (sd->bus != NULL)
		bus_drop(sd);
	while ((j = TAILQ_FIRST(&sd->jobs)) != NULL)
		job_free(j);
	if (sd->ev_io != NULL)
		event_free(sd->ev_io);
	if (sd->ev_time != NULL)
		event_free(sd->ev_time);
	free(sd);
}

static bool units_fit(const struct gw_config *cfg)
{
	if (strcmp(cfg->data_dir, UNITS_DATA_DIR) == 0 && strcmp(cfg->run_dir, UNITS_RUN_DIR) == 0)
		return true;
	LOG(NULL, LOG_ERR, "worker_units_elsewhere", LF_STR("data_dir", cfg->data_dir),
	    LF_STR("run_dir", cfg->run_dir),
	    LF_STR("why", "the units of worker_runner=systemd are made for " UNITS_DATA_DIR
	                  " and " UNITS_RUN_DIR));
	return false;
}

static int systemd_open(struct gw *gw, const struct gw_runner_ops *ops, void *arg, void **self_out)
{
	struct systemd_runner *sd;

	if (!units_fit(&gw->cfg))
		return -EINVAL;
	sd = calloc(1, sizeof(*sd));
	if (sd == NULL)
		return -ENOMEM;
	sd->gw = gw;
	sd->ops = ops;
	sd->arg = arg;
	sd->away_ms = clock_ms();
	TAILQ_INIT(&sd->jobs);
	sd->ev_io = event_new(gw->base, -1, 0, on_io, sd);
	sd->ev_time = evtimer_new(gw->base, on_time, sd);
	if (sd->ev_io == NULL || sd->ev_time == NULL) {
		systemd_close(sd);
		return -ENOMEM;
	}
	timer_in(sd->ev_time, 0); /* from the loop, as ever */
	*self_out = sd;
	return 0;
}

const struct gw_runner_class gw_runner_systemd = {
	.name = "systemd",
	.makes_sockets = true,
	.outlives = true,
	.open = systemd_open,
	.close = systemd_close,
	.start = systemd_start,
	.is_up = systemd_is_up,
	.is_ok = systemd_is_ok,
	.unstick = systemd_unstick,
	.kill = systemd_kill,
	.release = systemd_release,
	.binary = systemd_binary,
};
