/* tests/unit/test_gw_version.c - one look-up of the client version serves the host */
#include "gw_test.h"

#include "common/err.h"
#include "common/log.h"
#include "gateway/instance/gw_version.h"
#include "gw_fake_clock.h"

#define ASKERS 5

struct asker {
	struct gw_version_asker a;
	unsigned told_n;
	uint32_t revision;
	bool look_up;
};

struct fixture {
	struct event_base *base;
	char dir[TEST_DIR_CAP];
	struct gw_version *v;
	struct asker w[ASKERS];
};

static void on_tell(struct gw_version_asker *a, uint32_t revision, bool look_up)
{
	struct asker *w = a->arg;

	w->told_n++;
	w->revision = revision;
	w->look_up = look_up;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_init("test", LOG_CRIT, LOG_FMT_TEXT);
	now_ms += 1000000;
	test_dir_make(f->dir);
	f->base = event_base_new();
	assert_int_equal(gw_version_new(f->base, f->dir, &f->v), 0);
	for (int i = 0; i < ASKERS; i++)
		f->w[i].a = (struct gw_version_asker){ .tell = on_tell, .arg = &f->w[i] };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gw_version_free(f->v);
	event_base_free(f->base);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void expect(const struct asker *w, unsigned told_n, uint32_t revision, bool look_up)
{
	assert_int_equal(w->told_n, told_n);
	assert_int_equal(w->revision, revision);
	assert_int_equal(w->look_up, look_up);
}

static void expect_known(const struct fixture *f, uint32_t revision, bool stale)
{
	uint32_t known;
	bool is_stale;

	gw_version_get(f->v, &known, &is_stale);
	assert_int_equal(known, revision);
	assert_int_equal(is_stale, stale);
}

/* The first worker looks it up and finds revision. */
static void know(struct fixture *f, uint32_t revision)
{
	gw_version_ask(f->v, &f->w[0].a, 0);
	assert_true(f->w[0].look_up);
	assert_int_equal(gw_version_found(f->v, &f->w[0].a, 0, revision), 0);
	f->w[0].told_n = 0;
}

static void reopen(struct fixture *f)
{
	gw_version_free(f->v);
	assert_int_equal(gw_version_new(f->base, f->dir, &f->v), 0);
}

static void write_file(const struct fixture *f, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/client_version.json", f->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_one_looks_and_the_others_wait_for_what_it_finds(void **state)
{
	struct fixture *f = *state;

	expect_known(f, 0, true);
	for (int i = 0; i < ASKERS; i++)
		gw_version_ask(f->v, &f->w[i].a, 0);
	expect(&f->w[0], 1, 0, true);
	for (int i = 1; i < ASKERS; i++)
		expect(&f->w[i], 0, 0, false);
	assert_int_equal(gw_version_found(f->v, &f->w[0].a, 0, 77), 0);
	expect(&f->w[0], 1, 0, true); /* it knows */
	for (int i = 1; i < ASKERS; i++)
		expect(&f->w[i], 1, 77, false);
	expect_known(f, 77, false);
}

static void test_what_was_found_is_kept_for_a_day(void **state)
{
	struct fixture *f = *state;

	know(f, 77);
	reopen(f);
	expect_known(f, 77, false);
	now_ms += (uint64_t)GW_VERSION_FRESH_MS - 1000;
	expect_known(f, 77, false);
	now_ms += 1001;
	expect_known(f, 77, true); /* still the best there is */
}

static void test_a_file_that_is_damaged_counts_as_none(void **state)
{
	static const char *const texts[] = { "",
		                             "{",
		                             "[]",
		                             "{\"revision\":0,\"foundAt\":5}",
		                             "{\"revision\":5000000000,\"foundAt\":5}",
		                             "{\"revision\":\"7\",\"foundAt\":5}",
		                             "{\"revision\":7}" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_file(f, texts[i]);
		reopen(f);
		expect_known(f, 0, true);
	}
}

static void test_a_worker_that_was_refused_with_an_old_one_is_told_the_new_one(void **state)
{
	struct fixture *f = *state;

	know(f, 77);
	gw_version_ask(f->v, &f->w[1].a, 70);
	expect(&f->w[1], 1, 77, false);
}

static void test_of_a_thousand_that_are_refused_one_looks(void **state)
{
	struct fixture *f = *state;

	know(f, 77);
	now_ms += 10000;
	for (int i = 0; i < ASKERS; i++)
		gw_version_ask(f->v, &f->w[i].a, 77);
	expect(&f->w[0], 1, 77, true);
	assert_int_equal(gw_version_found(f->v, &f->w[0].a, 0, 78), 0);
	for (int i = 1; i < ASKERS; i++)
		expect(&f->w[i], 1, 78, false);
}

static void test_after_a_refusal_it_is_looked_up_again_but_not_within_one_second(void **state)
{
	struct fixture *f = *state;

	know(f, 77);
	now_ms += 400;
	gw_version_ask(f->v, &f->w[1].a, 77);
	gw_version_ask(f->v, &f->w[2].a, 77);
	expect(&f->w[1], 0, 0, false); /* waits for its time */
	now_ms += 600;
	test_fire_timers(f->base);
	expect(&f->w[1], 1, 77, true);
	expect(&f->w[2], 0, 0, false);
	assert_int_equal(gw_version_found(f->v, &f->w[1].a, 0, 77), 0);
	expect(&f->w[2], 1, 77, false); /* no better one: the worker gives up */
}

static void test_a_look_up_that_failed_is_not_repeated_at_every_start(void **state)
{
	struct fixture *f = *state;

	gw_version_ask(f->v, &f->w[0].a, 0);
	gw_version_ask(f->v, &f->w[1].a, 0);
	assert_int_equal(gw_version_found(f->v, &f->w[0].a, WA_ENETWORK, 0), 0);
	expect(&f->w[1], 1, 0, false); /* none is known: built in */
	expect_known(f, 0, false);     /* so that the next one need not ask */
	gw_version_ask(f->v, &f->w[2].a, 0);
	expect(&f->w[2], 1, 0, false);
	now_ms += GW_VERSION_REST_MS;
	expect_known(f, 0, true);
	gw_version_ask(f->v, &f->w[3].a, 0);
	expect(&f->w[3], 1, 0, true);
}

static void test_when_the_one_that_looks_is_gone_the_next_one_looks(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		gw_version_ask(f->v, &f->w[i].a, 0);
	gw_version_leave(f->v, &f->w[1].a);
	gw_version_leave(f->v, &f->w[0].a);
	expect(&f->w[1], 0, 0, false);
	expect(&f->w[2], 1, 0, true);
	assert_int_equal(gw_version_found(f->v, &f->w[2].a, 0, 5), 0);
}

static void test_one_that_takes_too_long_has_failed(void **state)
{
	struct fixture *f = *state;

	gw_version_ask(f->v, &f->w[0].a, 0);
	gw_version_ask(f->v, &f->w[1].a, 0);
	test_fire_timers(f->base);
	expect(&f->w[1], 1, 0, false);
	assert_int_equal(gw_version_found(f->v, &f->w[0].a, 0, 5), WA_ESTATE);
	expect_known(f, 0, false);
}

static void test_who_was_not_asked_can_not_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gw_version_found(f->v, &f->w[0].a, 0, 666), WA_ESTATE);
	gw_version_ask(f->v, &f->w[1].a, 0);
	gw_version_ask(f->v, &f->w[2].a, 0);
	assert_int_equal(gw_version_found(f->v, &f->w[2].a, 0, 666), WA_ESTATE);
	expect_known(f, 0, true);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_looks_and_the_others_wait_for_what_it_finds),
		T(test_what_was_found_is_kept_for_a_day),
		T(test_a_file_that_is_damaged_counts_as_none),
		T(test_a_worker_that_was_refused_with_an_old_one_is_told_the_new_one),
		T(test_of_a_thousand_that_are_refused_one_looks),
		T(test_after_a_refusal_it_is_looked_up_again_but_not_within_one_second),
		T(test_a_look_up_that_failed_is_not_repeated_at_every_start),
		T(test_when_the_one_that_looks_is_gone_the_next_one_looks),
		T(test_one_that_takes_too_long_has_failed),
		T(test_who_was_not_asked_can_not_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
