/* tests/unit/test_sealed.c - envelopes of secrets at rest */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/sealed.h"

static const uint8_t master[SEALED_KEY_LEN] = { 1, 2, 3 };
static const struct sealed_place here = { "inst", "link", "noise_key", 1, 0 };

static struct sealed_key key_of(const char *owner, uint32_t epoch)
{
	struct sealed_key k;

	assert_int_equal(sealed_derive(master, owner, epoch, &k), 0);
	return k;
}

static void test_what_is_sealed_can_be_opened(void **state)
{
	const struct sealed_key k = key_of("inst", 1);
	struct buf env = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(sealed_seal(&k, &here, "secret", 6, &env), 0);
	assert_int_equal(env.len, 6 + SEALED_OVERHEAD);
	assert_int_equal(sealed_open(&k, &here, env.p, env.len, &out), 0);
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.p, "secret", 6);
	buf_free(&env);
	buf_wipe(&out);
}

static void test_an_empty_value_is_a_value(void **state)
{
	const struct sealed_key k = key_of("inst", 1);
	struct buf env = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(sealed_seal(&k, &here, "", 0, &env), 0);
	assert_int_equal(sealed_open(&k, &here, env.p, env.len, &out), 0);
	assert_int_equal(out.len, 0);
	buf_free(&env);
	buf_free(&out);
}

static void test_two_envelopes_of_one_value_differ(void **state)
{
	const struct sealed_key k = key_of("inst", 1);
	struct buf a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(sealed_seal(&k, &here, "secret", 6, &a), 0);
	assert_int_equal(sealed_seal(&k, &here, "secret", 6, &b), 0);
	assert_memory_not_equal(a.p, b.p, a.len);
	buf_free(&a);
	buf_free(&b);
}

static void test_every_flipped_bit_is_noticed(void **state)
{
	const struct sealed_key k = key_of("inst", 1);
	struct buf env = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(sealed_seal(&k, &here, "secret", 6, &env), 0);
	for (size_t bit = 0; bit < env.len * 8; bit++) {
		env.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_true(sealed_open(&k, &here, env.p, env.len, &out) < 0);
		assert_int_equal(out.len, 0);
		env.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t len = 0; len < env.len; len++)
		assert_true(sealed_open(&k, &here, env.p, len, &out) < 0);
	buf_free(&env);
	buf_wipe(&out);
}

static void test_a_value_can_not_be_moved(void **state)
{
	static const struct sealed_place others[] = {
		{ "other", "link", "noise_key", 1, 0 },   { "inst", "prekey", "noise_key", 1, 0 },
		{ "inst", "link", "identity_key", 1, 0 }, { "inst", "link", "noise_key", 2, 0 },
		{ "inst", "linknoise_key", "", 1, 0 },    { "inst", "link", "noise_key", 1, 2 },
	};
	const struct sealed_key k = key_of("inst", 1);
	struct buf env = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(sealed_seal(&k, &here, "secret", 6, &env), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(sealed_open(&k, &others[i], env.p, env.len, &out), WA_EAUTH);
	buf_free(&env);
	buf_wipe(&out);
}

static void test_keys_differ_by_owner_and_epoch(void **state)
{
	const struct sealed_key a = key_of("inst", 1), b = key_of("inst2", 1),
	                        c = key_of("inst", 2);
	struct buf env = { 0 }, out = { 0 };

	(void)state;
	assert_memory_not_equal(a.bytes, b.bytes, SEALED_KEY_LEN);
	assert_memory_not_equal(a.bytes, c.bytes, SEALED_KEY_LEN);
	assert_int_equal(sealed_seal(&a, &here, "secret", 6, &env), 0);
	assert_int_equal(sealed_open(&b, &here, env.p, env.len, &out), WA_EAUTH);
	assert_int_equal(sealed_open(&c, &here, env.p, env.len, &out), WA_ESTATE);
	buf_free(&env);
	buf_wipe(&out);
}

/* A run is the same, value by value, whatever the order of places. */
static void test_a_run_of_values(void **state)
{
	static const struct sealed_place places[] = {
		{ "inst", "message", "body", 1, 0 },
		{ "inst", "message", "body", INT64_MAX, 0 },
		{ "inst", "message", "body", -3, 2 },
		{ "inst", "name", "body", 1, 0 },
		{ "inst", "name", "own", 1, 0 },
		{ "other", "name", "own", 1, 0 },
		{ "inst", "a table whose name is longer than those kept", "body", 1, 0 },
		{ "inst", "message", "body", 1, 0 },
	};
	const struct sealed_key k = key_of("inst", 1);
	struct buf env[ARRAY_LEN(places)] = { { 0 } }, out = { 0 };
	struct sealed_run *run = NULL;

	(void)state;
	assert_int_equal(sealed_run_new(&k, &run), 0);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		assert_int_equal(sealed_run_seal(run, &places[i], "secret", 6, &env[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		buf_reset(&out);
		assert_int_equal(sealed_open(&k, &places[i], env[i].p, env[i].len, &out), 0);
		assert_int_equal(sealed_run_open(run, &places[i], env[i].p, env[i].len, &out), 0);
		assert_int_equal(out.len, 12);
		assert_memory_equal(out.p, "secretsecret", 12);
	}
	for (size_t i = 0; i + 2 < ARRAY_LEN(places); i++)
		assert_int_equal(sealed_run_open(run, &places[i + 1], env[i].p, env[i].len, &out),
		                 WA_EAUTH);
	env[0].p[env[0].len - 1] ^= 1;
	assert_int_equal(sealed_run_open(run, &places[0], env[0].p, env[0].len, &out), WA_EAUTH);
	assert_int_equal(out.len, 12);
	/* one that failed does no harm to the next */
	assert_int_equal(sealed_run_open(run, &places[1], env[1].p, env[1].len, &out), 0);
	env[0].p[1] ^= 1; /* epoch */
	assert_int_equal(sealed_run_open(run, &places[0], env[0].p, env[0].len, &out), WA_ESTATE);
	sealed_run_free(run);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		buf_free(&env[i]);
	buf_wipe(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_sealed_can_be_opened),
		cmocka_unit_test(test_an_empty_value_is_a_value),
		cmocka_unit_test(test_two_envelopes_of_one_value_differ),
		cmocka_unit_test(test_every_flipped_bit_is_noticed),
		cmocka_unit_test(test_a_value_can_not_be_moved),
		cmocka_unit_test(test_keys_differ_by_owner_and_epoch),
		cmocka_unit_test(test_a_run_of_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
