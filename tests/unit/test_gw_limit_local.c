/* tests/unit/test_gw_limit_local.c - exactly so many in any 60 s, and headers that say so */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/limit/gw_limit_local.h"

#define WINDOW GW_LIMIT_WINDOW_MS
#define T0 1000000
#define UNIX0 1700000000000

struct clocked {
	struct gw_limit_local *l;
	uint64_t now;
};

static struct gw_limit_key key_of(int by, uint32_t n)
{
	struct gw_limit_key key;

	memset(&key, 0, sizeof(key));
	key.by = by;
	memcpy(key.bytes, &n, sizeof(n));
	return key;
}

static struct gw_limit_result take(struct clocked *c, enum gw_limit_class class,
                                   const struct gw_limit_key *key)
{
	struct gw_limit_view views[2];
	struct gw_limit_result res;
	int rc = gw_limit_local_take(c->l, class, key, c->now, views);

	assert_in_range(rc, 0, 1);
	gw_limit_judge(views, class == GW_LIMIT_CREATE ? 2 : 1, rc == 1,
	               (int64_t)(c->now - T0) + UNIX0, &res);
	return res;
}

static void open_limit(struct clocked *c, uint32_t minute, uint32_t create, size_t addresses)
{
	const struct gw_limit_local_params params = {
		.per_minute = minute,
		.create_per_minute = create,
		.window_ms = WINDOW,
		.addresses_max = addresses,
	};

	c->now = T0;
	assert_int_equal(gw_limit_local_new(&params, &c->l), 0);
}

static void test_hundred_pass_and_the_next_waits_for_the_first_to_age(void **state)
{
	struct gw_limit_key key = key_of(GW_LIMIT_BY_TOKEN, 1);
	struct gw_limit_result res;
	struct clocked c;

	(void)state;
	open_limit(&c, 100, 20, 10);
	for (uint32_t i = 0; i < 100; i++) {
		res = take(&c, GW_LIMIT_MINUTE, &key);
		assert_true(res.allowed);
		assert_int_equal(res.limit, 100);
		assert_int_equal(res.remaining, 99 - i);
		assert_int_equal(res.reset_unix_s, UNIX0 / 1000 + 60);
		c.now += 10;
	}
	c.now = T0 + WINDOW - 1;
	res = take(&c, GW_LIMIT_MINUTE, &key);
	assert_false(res.allowed);
	assert_int_equal(res.remaining, 0);
	assert_int_equal(res.retry_after_s, 1);
	c.now = T0 + WINDOW;
	assert_true(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	assert_false(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	c.now = T0 + WINDOW + 10;
	assert_true(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	gw_limit_local_free(c.l);
}

static void test_a_refused_request_consumes_nothing(void **state)
{
	struct gw_limit_key key = key_of(GW_LIMIT_BY_TOKEN, 1);
	struct clocked c;

	(void)state;
	open_limit(&c, 3, 3, 10);
	for (int i = 0; i < 3; i++)
		assert_true(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	for (int i = 0; i < 50; i++) {
		c.now += 1000;
		assert_false(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	}
	c.now = T0 + WINDOW;
	for (int i = 0; i < 3; i++)
		assert_true(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	gw_limit_local_free(c.l);
}

/* Against the definition, over random instants: never more than the limit in any window, never
 * fewer. */
static void test_window_slides_exactly(void **state)
{
	struct gw_limit_key key = key_of(GW_LIMIT_BY_TOKEN, 1);
	static uint64_t admitted[20000];
	size_t n = 0, in_window;
	struct gw_limit_result res;
	unsigned seed = 7;
	struct clocked c;

	(void)state;
	open_limit(&c, 25, 20, 10);
	for (int i = 0; i < 20000; i++) {
		c.now += (uint64_t)(rand_r(&seed) % 3000);
		in_window = 0;
		while (in_window < n && c.now - admitted[n - 1 - in_window] < WINDOW)
			in_window++;
		res = take(&c, GW_LIMIT_MINUTE, &key);
		assert_int_equal(res.allowed, in_window < 25);
		if (res.allowed)
			admitted[n++] = c.now;
		assert_int_equal(res.remaining, 25 - (in_window + res.allowed));
	}
	gw_limit_local_free(c.l);
}

static void test_reset_is_when_remaining_grows(void **state)
{
	struct gw_limit_key key = key_of(GW_LIMIT_BY_TOKEN, 1);
	struct gw_limit_result res;
	struct clocked c;
	uint64_t at;

	(void)state;
	open_limit(&c, 2, 2, 10);
	c.now += 250;
	(void)take(&c, GW_LIMIT_MINUTE, &key);
	c.now += 30000;
	(void)take(&c, GW_LIMIT_MINUTE, &key);
	res = take(&c, GW_LIMIT_MINUTE, &key);
	assert_false(res.allowed);
	assert_int_equal(res.retry_after_s, 30);
	at = T0 + (uint64_t)(res.reset_unix_s * 1000 - UNIX0);
	assert_in_range(at, T0 + 250 + WINDOW, T0 + 250 + WINDOW + 999);
	c.now = at;
	assert_true(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	gw_limit_local_free(c.l);
}

static void test_creating_counts_twice_and_shows_the_nearer_limit(void **state)
{
	struct gw_limit_key key = key_of(GW_LIMIT_BY_TOKEN, 1);
	struct gw_limit_result res;
	struct clocked c;

	(void)state;
	open_limit(&c, 10, 4, 10);
	for (uint32_t i = 0; i < 4; i++) {
		res = take(&c, GW_LIMIT_CREATE, &key);
		assert_true(res.allowed);
		assert_int_equal(res.limit, 4);
		assert_int_equal(res.remaining, 3 - i);
	}
	res = take(&c, GW_LIMIT_CREATE, &key);
	assert_false(res.allowed);
	assert_int_equal(res.limit, 4);
	for (uint32_t i = 0; i < 6; i++) {
		res = take(&c, GW_LIMIT_MINUTE, &key);
		assert_true(res.allowed);
		assert_int_equal(res.limit, 10);
		assert_int_equal(res.remaining, 5 - i);
	}
	assert_false(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	gw_limit_local_free(c.l);
}

static void test_the_minute_limit_shows_on_create_when_it_is_nearer(void **state)
{
	struct gw_limit_key key = key_of(GW_LIMIT_BY_TOKEN, 1);
	struct gw_limit_result res;
	struct clocked c;

	(void)state;
	open_limit(&c, 5, 4, 10);
	for (int i = 0; i < 4; i++)
		(void)take(&c, GW_LIMIT_MINUTE, &key);
	res = take(&c, GW_LIMIT_CREATE, &key);
	assert_true(res.allowed);
	assert_int_equal(res.limit, 5);
	assert_int_equal(res.remaining, 0);
	res = take(&c, GW_LIMIT_CREATE, &key);
	assert_false(res.allowed);
	assert_int_equal(res.limit, 5);
	gw_limit_local_free(c.l);
}

static void test_keys_do_not_share(void **state)
{
	struct gw_limit_key a = key_of(GW_LIMIT_BY_TOKEN, 1), b = key_of(GW_LIMIT_BY_TOKEN, 2);
	struct gw_limit_key addr = key_of(GW_LIMIT_BY_ADDRESS, 1);
	struct clocked c;

	(void)state;
	open_limit(&c, 1, 1, 10);
	assert_true(take(&c, GW_LIMIT_MINUTE, &a).allowed);
	assert_false(take(&c, GW_LIMIT_MINUTE, &a).allowed);
	assert_true(take(&c, GW_LIMIT_MINUTE, &b).allowed);
	assert_true(take(&c, GW_LIMIT_MINUTE, &addr).allowed);
	gw_limit_local_free(c.l);
}

static void test_addresses_are_bounded_and_tokens_stay(void **state)
{
	struct gw_limit_key token = key_of(GW_LIMIT_BY_TOKEN, 1), key;
	struct clocked c;

	(void)state;
	open_limit(&c, 1, 1, 1000);
	assert_true(take(&c, GW_LIMIT_MINUTE, &token).allowed);
	for (uint32_t i = 0; i < 50000; i++) {
		key = key_of(GW_LIMIT_BY_ADDRESS, i);
		assert_true(take(&c, GW_LIMIT_MINUTE, &key).allowed);
		assert_in_range(gw_limit_local_keys_n(c.l), 1, 1001);
	}
	assert_false(take(&c, GW_LIMIT_MINUTE, &key).allowed);
	assert_false(take(&c, GW_LIMIT_MINUTE, &token).allowed);
	gw_limit_local_free(c.l);
}

static void test_idle_keys_are_forgotten(void **state)
{
	struct gw_limit_key key;
	struct clocked c;

	(void)state;
	open_limit(&c, 5, 5, 100000);
	for (uint32_t i = 0; i < 3000; i++) {
		key = key_of(i % 2 ? GW_LIMIT_BY_ADDRESS : GW_LIMIT_BY_TOKEN, i);
		(void)take(&c, GW_LIMIT_MINUTE, &key);
	}
	assert_int_equal(gw_limit_local_keys_n(c.l), 3000);
	c.now += WINDOW;
	key = key_of(GW_LIMIT_BY_TOKEN, 1000000);
	for (int i = 0; i < 1000; i++)
		(void)take(&c, GW_LIMIT_MINUTE, &key);
	assert_int_equal(gw_limit_local_keys_n(c.l), 1);
	gw_limit_local_free(c.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hundred_pass_and_the_next_waits_for_the_first_to_age),
		cmocka_unit_test(test_a_refused_request_consumes_nothing),
		cmocka_unit_test(test_window_slides_exactly),
		cmocka_unit_test(test_reset_is_when_remaining_grows),
		cmocka_unit_test(test_creating_counts_twice_and_shows_the_nearer_limit),
		cmocka_unit_test(test_the_minute_limit_shows_on_create_when_it_is_nearer),
		cmocka_unit_test(test_keys_do_not_share),
		cmocka_unit_test(test_addresses_are_bounded_and_tokens_stay),
		cmocka_unit_test(test_idle_keys_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
