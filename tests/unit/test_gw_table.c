/* tests/unit/test_gw_table.c - the hash table of objects that carry their own link */
#include "test.h"

#include <stdlib.h>

#include "gateway/registry/gw_table.h"

struct thing {
	int key;
	struct gw_link link;
};

static uint64_t hash_of(int key)
{
	return gw_hash(1, &key, sizeof(key));
}

static struct thing *find(const struct gw_table *t, uint64_t hash, int key)
{
	struct gw_link *l = NULL;

	while ((l = gw_table_next(t, hash, l)) != NULL) {
		struct thing *th = GW_LINK_OWNER(l, struct thing, link);

		if (th->key == key)
			return th;
	}
	return NULL;
}

static void test_an_empty_table_finds_nothing(void **state)
{
	struct gw_table t = { 0 };

	(void)state;
	assert_null(gw_table_next(&t, 7, NULL));
	gw_table_clear(&t);
}

static void test_finds_all_while_growing_and_shrinking(void **state)
{
	enum { N = 5000 };
	struct thing *things = calloc(N, sizeof(*things));
	struct gw_table t = { 0 };

	(void)state;
	assert_non_null(things);
	for (int i = 0; i < N; i++) {
		things[i].key = i;
		assert_int_equal(gw_table_add(&t, &things[i].link, hash_of(i)), 0);
	}
	assert_int_equal(t.n, N);
	for (int i = 0; i < N; i += 2)
		gw_table_del(&t, &things[i].link);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(find(&t, hash_of(i), i), i % 2 == 0 ? NULL : &things[i]);
	gw_table_clear(&t);
	free(things);
}

static void test_equal_hashes_are_all_offered(void **state)
{
	struct thing a = { .key = 1 }, b = { .key = 2 };
	struct gw_table t = { 0 };

	(void)state;
	assert_int_equal(gw_table_add(&t, &a.link, 42), 0);
	assert_int_equal(gw_table_add(&t, &b.link, 42), 0);
	assert_ptr_equal(find(&t, 42, 1), &a);
	assert_ptr_equal(find(&t, 42, 2), &b);
	assert_null(find(&t, 42 + 64, 1)); /* same slot, other hash */
	gw_table_clear(&t);
}

static void test_hash_depends_on_the_seed(void **state)
{
	(void)state;
	assert_true(gw_hash(1, "abc", 3) == gw_hash(1, "abc", 3));
	assert_true(gw_hash(1, "abc", 3) != gw_hash(2, "abc", 3));
	assert_true(gw_hash(1, "abc", 3) != gw_hash(1, "abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_table_finds_nothing),
		cmocka_unit_test(test_finds_all_while_growing_and_shrinking),
		cmocka_unit_test(test_equal_hashes_are_all_offered),
		cmocka_unit_test(test_hash_depends_on_the_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
