/* tests/unit/test_sim_rand.c - a seed gives the same choices again, and phones their lids */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "simulator/base/sim_rand.h"
#include "simulator/phone/sim_phone.h"

static void seeded(struct sim_rand *r, uint64_t seed)
{
	assert_int_equal(sim_rand_init(r, &seed), 0);
}

static void test_same_seed_same_bytes(void **state)
{
	uint8_t a[100], b[100], c[100];
	struct sim_rand r1, r2, r3;

	(void)state;
	seeded(&r1, 42);
	seeded(&r2, 42);
	seeded(&r3, 43);
	assert_int_equal(sim_rand_bytes(&r1, a, sizeof(a)), 0);
	assert_int_equal(sim_rand_bytes(&r2, b, sizeof(b)), 0);
	assert_int_equal(sim_rand_bytes(&r3, c, sizeof(c)), 0);
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(a));
	assert_memory_not_equal(a, a + 32, 32);
}

static void test_without_a_seed_never_the_same(void **state)
{
	struct sim_rand r1, r2;

	(void)state;
	assert_int_equal(sim_rand_init(&r1, NULL), 0);
	assert_int_equal(sim_rand_init(&r2, NULL), 0);
	assert_memory_not_equal(r1.key, r2.key, sizeof(r1.key));
}

static void test_a_fork_depends_on_label_and_index_only(void **state)
{
	struct sim_rand parent, early, late, other;
	uint8_t used[50];

	(void)state;
	seeded(&parent, 1);
	assert_int_equal(sim_rand_fork(&parent, "client", 7, &early), 0);
	assert_int_equal(sim_rand_bytes(&parent, used, sizeof(used)), 0);
	assert_int_equal(sim_rand_fork(&parent, "client", 7, &late), 0);
	assert_memory_equal(early.key, late.key, sizeof(early.key));
	assert_int_equal(sim_rand_fork(&parent, "client", 8, &other), 0);
	assert_memory_not_equal(early.key, other.key, sizeof(early.key));
	assert_int_equal(sim_rand_fork(&parent, "phone", 7, &other), 0);
	assert_memory_not_equal(early.key, other.key, sizeof(early.key));
}

static void test_digits(void **state)
{
	struct sim_rand r;
	char text[16];

	(void)state;
	seeded(&r, 3);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(sim_rand_digits(&r, text, 15), 0);
		assert_int_equal(strspn(text, "0123456789"), 15);
		assert_int_equal(text[15], '\0');
		assert_int_not_equal(text[0], '0');
	}
}

static const struct sim_phone *add(struct sim_phones *p, const struct sim_rand *rnd,
                                   const char *number, const char *lid, int expect)
{
	struct sim_phone *added = NULL;
	struct sim_phone phone = { .business = false };

	memcpy(phone.number, number, strlen(number) + 1);
	memcpy(phone.lid, lid, strlen(lid) + 1);
	assert_int_equal(sim_phones_add(p, &phone, rnd, &added), expect);
	return added;
}

static void test_a_number_has_the_same_lid_and_keys_in_any_order(void **state)
{
	struct sim_phones *p, *q;
	struct sim_rand r;
	const struct sim_phone *a, *b;

	(void)state;
	seeded(&r, 9);
	assert_int_equal(sim_phones_new(&p), 0);
	assert_int_equal(sim_phones_new(&q), 0);
	a = add(p, &r, "4915100000001", "", 0);
	add(q, &r, "4915100000002", "", 0);
	b = add(q, &r, "4915100000001", "", 0);
	assert_string_equal(a->lid, b->lid);
	assert_string_equal(a->jid, "4915100000001@s.whatsapp.net");
	assert_string_not_equal(a->lid, sim_phones_find(q, "4915100000002")->lid);
	assert_memory_equal(&a->account, &b->account, sizeof(a->account));
	assert_int_equal(a->registration_id, b->registration_id);
	assert_memory_not_equal(a->account.identity.pub,
	                        sim_phones_find(q, "4915100000002")->account.identity.pub,
	                        WA_KEY_LEN);
	sim_phones_free(p);
	sim_phones_free(q);
}

static void test_numbers_and_lids_are_unique(void **state)
{
	struct sim_phones *p;
	struct sim_rand r;

	(void)state;
	seeded(&r, 9);
	assert_int_equal(sim_phones_new(&p), 0);
	add(p, &r, "4915100000001", "77@lid", 0);
	add(p, &r, "4915100000001", "", -EEXIST);
	add(p, &r, "4915100000002", "77@lid", -EEXIST);
	assert_null(sim_phones_find(p, "4915100000002"));
	assert_int_equal(sim_phones_count(p), 1);
	sim_phones_free(p);
}

static void test_numbers_are_checked(void **state)
{
	(void)state;
	assert_true(sim_number_is_valid("4915112345678"));
	assert_true(sim_number_is_valid("1234567"));
	assert_true(sim_number_is_valid("123456789012345"));
	assert_false(sim_number_is_valid("123456"));
	assert_false(sim_number_is_valid("1234567890123456"));
	assert_false(sim_number_is_valid("0123456789"));
	assert_false(sim_number_is_valid("+4915112345678"));
	assert_false(sim_number_is_valid("49 15112345678"));
	assert_false(sim_number_is_valid(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed_same_bytes),
		cmocka_unit_test(test_without_a_seed_never_the_same),
		cmocka_unit_test(test_a_fork_depends_on_label_and_index_only),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_a_number_has_the_same_lid_and_keys_in_any_order),
		cmocka_unit_test(test_numbers_and_lids_are_unique),
		cmocka_unit_test(test_numbers_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
