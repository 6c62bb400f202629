/*
 * worker/wk.h - the worker process: one instance, one event loop, one context
 *
 * struct wk (wk.c) owns the channel to the gateway and the session, and is the only state of the
 * process. A worker serves one session for as long as it is wanted: linking it, holding it, coming
 * back after failures; the session's end is the worker's end.
 */
#ifndef WK_H
#define WK_H

#include <stdint.h>

#include "common/attr.h"

#define WK_CONTROL_FD 3          /* the listening control socket, whoever started the worker */
#define WK_INSTANCE_ID_MAX 64    /* characters */
#define WK_LONELY_MS (60 * 1000) /* without a gateway and anything to do for this long: leave */
#define WK_UNHEARD_MS \
	(24 * 3600 * 1000)       /* how the end of a link waits to be heard by a gateway \
	                          */
#define WK_ANSWER_MS (5 * 1000)  /* a question that no gateway answers is ours to decide */
#define WK_PART_MS (3 * 1000)   /* the last events, once nothing else is to be done */
#define WK_SILENT_MS (35 * 1000) /* a gateway says something every 10 s; else it hangs */

/* How a worker left; a signal is a crash. */
enum wk_exit {
	WK_EXIT_DONE = 0,       /* asked to leave, or the session has ended */
	WK_EXIT_FAILED = 1,     /* could not start, or the gateway asked for another instance */
	WK_EXIT_USAGE = 2,      /* bad arguments */
	WK_EXIT_NO_GATEWAY = 3, /* nobody connected to the control socket for WK_LONELY_MS */
	WK_EXIT_SANDBOX = 4,    /* the sandbox could not be entered */
};

struct wk_sandbox;
struct wk_tls;

struct wk_params {
	const char *instance_id;
	const char *dir;                  /* the instance's data directory */
	int listen_fd;                    /* taken by wk_run() */
	const struct wk_tls *tls;         /* borrowed; made once per process or zygote */
	const struct wk_sandbox *sandbox; /* borrowed; entered before the gateway is listened to */
	uint32_t memory_max_mb;           /* RLIMIT_DATA; 0: none */
	int log_tail_fd;                  /* taken by wk_run(); of log_tail_new(); -1: none */
	int memory_fd;                    /* taken by wk_run(); of wk_memory_open(); -1: none */
	uint64_t start_us;                /* monotonic instant at which this process began */
	unsigned speed; /* 1; more: deadlines run out that many times sooner (test hooks) */
};

/* The instance id as the gateway makes it: 1 to WK_INSTANCE_ID_MAX of A-Z a-z 0-9 _ -. */
_Bool wk_instance_id_valid(const char *id);

/*
 * A ring for the last log lines of this process, whose descriptor is for wk_params; -1: without
 * one, the worker runs as well.
 */
int wk_log_tail_start(void);
/*
 * What this process costs, to be read by a gateway that may not look into /proc/PID of a worker. To
 * be opened before the sandbox closes /proc; a descriptor, or -1: without one it runs as well.
 */
int wk_memory_open(void);

/* Serve until the end. Returns enum wk_exit; everything is released and every key wiped. */
ATTR_NODISCARD int wk_run(const struct wk_params *params);

/* WARDEN_TEST_SPEED of a build with test hooks, 1 in every other build. */
unsigned wk_test_speed(void);

#endif
