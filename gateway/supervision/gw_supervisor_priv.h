/* gateway/supervision/gw_supervisor_priv.h - the inside of the supervisor, for its two files */
#ifndef GW_SUPERVISOR_PRIV_H
#define GW_SUPERVISOR_PRIV_H

#include <event2/util.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/instance/gw_dials.h"
#include "gateway/supervision/gw_survey.h"
#include "gateway/supervision/gw_worker_priv.h"

struct gw_supervisor {
	struct gw *gw;
	const struct gw_worker_times *times;
	struct gw_runner *runner;
	int run_dir_fd; /* holds the lock */
	struct gw_worker_list workers;
	struct gw_worker_list queue; /* waiting for a start slot */
	struct gw_survey_list surveys;
	size_t workers_n;
	unsigned starting_n;
	uint32_t last_spawn_id;
	struct gw_dial dial; /* of the next launch: CONNECT is the permission for a dial */
	bool may_dial;
	uint64_t searches_ms;  /* of /proc since then ... */
	unsigned searches_n;   /* ... so many */
	struct event *ev_work; /* starts from the queue, and on_empty */
	struct {
		size_t waiting_n; /* adopted workers that have not told all yet */
		struct event *ev; /* the end of our patience with them */
		void (*on_done)(void *arg);
		void *arg;
	} adopt;
	bool stopping;
	void (*on_empty)(void *arg);
	void *on_empty_arg;
};

/* No more patience with adopted workers that are silent. arg is the supervisor. */
void gw_supervisor_on_adopt_time(evutil_socket_t fd, short what, void *arg);

#endif
