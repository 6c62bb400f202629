/* tests/unit/test_gw_dials.c - at most so many dials in any second, in turn */
#include "gw_test.h"

#include "gateway/instance/gw_dials.h"
#include "gw_fake_clock.h"

#define PER_S 3
#define WAITING 8

struct fixture {
	struct event_base *base;
	struct gw_dials *ds;
	struct gw_dial d[WAITING];
	unsigned order[WAITING]; /* who has dialled, by its place in d */
	unsigned n;
};

static void on_go(struct gw_dial *d, void *arg)
{
	struct fixture *f = arg;

	assert_false(d->waits);
	f->order[f->n++] = (unsigned)(d - f->d);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base = event_base_new();
	assert_int_equal(gw_dials_new(f->base, PER_S, &f->ds), 0);
	for (unsigned i = 0; i < WAITING; i++)
		f->d[i] = (struct gw_dial){ .go = on_go, .arg = f, .lane = GW_DIAL_AGAIN };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_dials_free(f->ds);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void use_up(struct fixture *f)
{
	struct gw_dial one = { .lane = GW_DIAL_START };

	for (int i = 0; i < PER_S; i++)
		assert_true(gw_dials_ask(f->ds, &one));
}

static void test_the_first_of_a_second_go_at_once_and_the_others_in_order(void **state)
{
	struct fixture *f = *state;

	use_up(f);
	for (unsigned i = 0; i < 5; i++)
		assert_false(gw_dials_ask(f->ds, &f->d[i]));
	test_fire_timers(f->base); /* too early */
	assert_int_equal(f->n, 0);
	now_ms += 999;
	test_fire_timers(f->base);
	assert_int_equal(f->n, 0);
	now_ms += 1;
	test_fire_timers(f->base);
	assert_int_equal(f->n, PER_S);
	now_ms += 1000;
	test_fire_timers(f->base);
	assert_int_equal(f->n, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(f->order[i], i);
}

/* What a bucket would let through: its content, and what flows in within the same second. */
static void test_no_second_has_more_dials_wherever_it_begins(void **state)
{
	struct fixture *f = *state;
	struct gw_dial one = { .lane = GW_DIAL_START };

	now_ms += 10000;
	assert_true(gw_dials_ask(f->ds, &one));
	now_ms += 900;
	assert_true(gw_dials_ask(f->ds, &one));
	assert_true(gw_dials_ask(f->ds, &one));
	now_ms += 100;
	assert_true(gw_dials_ask(f->ds, &one)); /* the first is a second old */
	assert_false(gw_dials_ask(f->ds, &f->d[0]));
	now_ms += 899;
	test_fire_timers(f->base);
	assert_int_equal(f->n, 0);
	now_ms += 1; /* the second and the third are a second old */
	test_fire_timers(f->base);
	assert_int_equal(f->n, 1);
}

static void test_who_comes_later_waits_though_a_place_is_free(void **state)
{
	struct fixture *f = *state;

	use_up(f);
	assert_false(gw_dials_ask(f->ds, &f->d[0]));
	now_ms += 1000;
	assert_false(gw_dials_ask(f->ds, &f->d[1]));
	test_fire_timers(f->base);
	assert_int_equal(f->n, 2);
	assert_int_equal(f->order[0], 0);
}

static void test_starts_and_dials_of_those_that_run_take_turns(void **state)
{
	static const unsigned want[] = { 4, 0, 5, 1, 2, 3 };
	struct fixture *f = *state;

	use_up(f);
	f->d[4].lane = f->d[5].lane = GW_DIAL_START;
	for (unsigned i = 0; i < 6; i++)
		assert_false(gw_dials_ask(f->ds, &f->d[i]));
	now_ms += 1000;
	test_fire_timers(f->base);
	now_ms += 1000;
	test_fire_timers(f->base);
	assert_int_equal(f->n, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(f->order[i], want[i]);
}

static void test_who_leaves_gives_its_turn_to_the_next(void **state)
{
	struct fixture *f = *state;

	use_up(f);
	assert_false(gw_dials_ask(f->ds, &f->d[0]));
	assert_false(gw_dials_ask(f->ds, &f->d[1]));
	gw_dials_cancel(f->ds, &f->d[0]);
	gw_dials_cancel(f->ds, &f->d[0]); /* fine twice */
	now_ms += 1000;
	test_fire_timers(f->base);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->order[0], 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_first_of_a_second_go_at_once_and_the_others_in_order),
		T(test_no_second_has_more_dials_wherever_it_begins),
		T(test_who_comes_later_waits_though_a_place_is_free),
		T(test_starts_and_dials_of_those_that_run_take_turns),
		T(test_who_leaves_gives_its_turn_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
