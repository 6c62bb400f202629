/* tests/unit/gw_test.h - what the tests of the gateway's core share: a temporary directory, the
 * loop */
#ifndef GW_TEST_H
#define GW_TEST_H

#include "test.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/registry/gw_dir.h"

#define TEST_DIR_CAP 32

static inline void test_dir_make(char *dir)
{
	snprintf(dir, TEST_DIR_CAP, "/tmp/gw-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static inline void test_dir_remove(const char *dir)
{
	assert_int_equal(gw_dir_remove(AT_FDCWD, dir), 0);
}

static inline void on_test_overdue(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* Run the loop until cond(arg), woken by what is waited for; fails after a minute. */
static inline void test_run_until(struct event_base *base, bool (*cond)(void *), void *arg)
{
	const struct timeval limit = { .tv_sec = 60 };
	bool overdue = false;
	struct event *ev = evtimer_new(base, on_test_overdue, &overdue);

	assert_non_null(ev);
	assert_int_equal(event_add(ev, &limit), 0);
	while (!cond(arg) && !overdue)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(ev);
	assert_false(overdue);
}

/* What is due now, without waiting. */
static inline void test_run_due(struct event_base *base)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

#define TEST_TIMERS_MAX 64

struct test_timers {
	struct event *ev[TEST_TIMERS_MAX];
	unsigned n;
};

static inline int on_test_timer(const struct event_base *base, const struct event *ev, void *arg)
{
	struct test_timers *t = arg;

	(void)base;
	if (event_pending(ev, EV_TIMEOUT, NULL) && t->n < TEST_TIMERS_MAX)
		t->ev[t->n++] = (struct event *)(uintptr_t)ev;
	return 0;
}

/* Every timer runs out now: for code whose clock is the test's. */
static inline void test_fire_timers(struct event_base *base)
{
	struct test_timers t = { .n = 0 };

	event_base_foreach_event(base, on_test_timer, &t);
	for (unsigned i = 0; i < t.n; i++) {
		event_del(t.ev[i]);
		event_active(t.ev[i], EV_TIMEOUT, 0);
	}
	test_run_due(base);
}

#endif
