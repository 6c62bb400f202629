/*
 * tests/unit/test_wk_powercut.c - messages outlive power cuts: none answered is lost, none comes
 * twice
 *
 * A seeded sample; tests/bench/powercuts makes 100,000. The control: with synchronous=NORMAL the
 * same comparison finds harm.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "powercut_vfs.h"
#include "receive_world.h"

#define STEPS_MAX 60 /* of one life */

static char dir[64];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/warden-test-cut-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/session.db", dir);
	unlink(path);
	return rmdir(dir);
}

/* One life after another, each ended by a cut. True: harm was done. */
static bool lives(unsigned seed, unsigned n, const char *pragma, struct rworld_harm *harm_out)
{
	struct rworld *w;
	bool harmed;

	powercut_reset(seed);
	w = rworld_new(dir, seed);
	rworld_die(w);
	for (unsigned i = 0; i < n && !rworld_harmed(w); i++) {
		bool up = rworld_start(w, pragma);

		if (up && i > 0)
			rworld_check(w);
		powercut_after(1 + (seed * 31 + i * 7919) % 90);
		for (unsigned k = 0; up && k < STEPS_MAX; k++)
			up = rworld_step(w);
		powercut_now();
		rworld_die(w);
		powercut_power_on();
	}
	if (!rworld_harmed(w) && rworld_start(w, pragma))
		rworld_finish(w);
	*harm_out = *rworld_harm(w);
	harmed = rworld_harmed(w);
	rworld_free(w);
	return harmed;
}

static void test_nothing_that_was_answered_is_lost(void **state)
{
	struct rworld_harm h;

	(void)state;
	for (unsigned seed = 1; seed <= 10; seed++) {
		if (lives(seed, 15, NULL, &h))
			fail_msg("seed %u: lost %u, doubled %u, reused %u, unopened %u, broken %u",
			         seed, h.acked_lost, h.events_doubled, h.keys_reused, h.unopened,
			         h.broken);
	}
}

static void test_without_syncs_it_would_be(void **state)
{
	struct rworld_harm h;
	unsigned harmed = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++)
		harmed += lives(seed, 15, "PRAGMA synchronous=NORMAL", &h);
	assert_in_range(harmed, 3, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_that_was_answered_is_lost, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_without_syncs_it_would_be, setup, teardown),
	};

	powercut_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
