/* simulator/main.c - warden-sim: arguments, parts, loop, stop */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/log.h"
#include "common/pb_guard.h"
#include "simulator/sim.h"

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* A descriptor per client: as many as the system allows. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int log_level(void)
{
	const char *word = getenv("WARDEN_LOG_LEVEL");
	int level = word == NULL ? LOG_NOTICE : log_level_parse(word);

	return level < 0 ? LOG_NOTICE : level;
}

static int run(struct event_base *base, const struct sim_options *options)
{
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *intr = evsignal_new(base, SIGINT, on_signal, base);
	struct sim sim = { .base = base };
	int rc = 1;

	if (term == NULL || intr == NULL || evsignal_add(term, NULL) < 0 ||
	    evsignal_add(intr, NULL) < 0)
		goto out;
	if (sim_start(&sim, base, options) < 0 || sim_print_ready(&sim) < 0)
		goto out;
	rc = event_base_dispatch(base) < 0 ? 1 : 0;
out:
	sim_stop(&sim);
	if (term != NULL)
		event_free(term);
	if (intr != NULL)
		event_free(intr);
	return rc;
}

int main(int argc, char **argv)
{
	struct sim_options options;
	struct event_base *base;
	int rc;

	switch (sim_options_parse(&options, argc, argv)) {
	case SIM_EXIT_0:
		return 0;
	case SIM_EXIT_2:
		return 2;
	case SIM_RUN:
		break;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	log_init("warden-sim", log_level(), LOG_FMT_AUTO);
	pb_check_version();
	base = event_base_new();
	if (base == NULL) {
		fputs("warden-sim: no event loop\n", stderr);
		return 1;
	}
	rc = run(base, &options);
	event_base_free(base);
	return rc;
}
