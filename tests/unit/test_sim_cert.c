/* tests/unit/test_sim_cert.c - the chain holds, and each flaw breaks exactly what it names */
#include "test.h"

#include <string.h>

#include "common/err.h"
#include "simulator/wire/sim_cert.h"
#include "worker/wa/transport/wa_noise.h"

#define NOW 1790000000

struct fixture {
	struct sim_rand rnd;
	struct wa_keypair root, identity;
	struct wa_root trusted;
	struct sim_chain chain;
};

static void begin(struct fixture *f)
{
	const uint64_t seed = 11;

	memset(f, 0, sizeof(*f));
	assert_int_equal(sim_rand_init(&f->rnd, &seed), 0);
	assert_int_equal(sim_rand_keypair(&f->rnd, &f->root), 0);
	assert_int_equal(sim_rand_keypair(&f->rnd, &f->identity), 0);
	memcpy(f->trusted.key, f->root.pub, WA_KEY_LEN);
}

static int make_and_verify(struct fixture *f, enum sim_flaw flaw)
{
	assert_int_equal(sim_chain_make(&f->root, f->identity.pub, &f->rnd, NOW, flaw, &f->chain),
	                 0);
	return wa_cert_verify(f->chain.data, f->chain.len, &f->trusted, f->identity.pub, NOW, NULL,
	                      NULL);
}

static void test_the_right_chain_verifies(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(make_and_verify(&f, SIM_FLAW_NONE), 0);
}

static void test_every_flaw_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (int flaw = SIM_FLAW_NONE + 1; flaw <= SIM_FLAW_NO_INTERMEDIATE; flaw++)
		assert_int_equal(make_and_verify(&f, (enum sim_flaw)flaw), WA_ECERT);
}

/* Dates are the only thing wrong: at another time the chain is right. */
static void test_a_date_flaw_is_nothing_but_the_date(void **state)
{
	static const struct {
		enum sim_flaw flaw;
		int64_t fine_at;
	} cases[] = {
		{ SIM_FLAW_LEAF_NOT_BEFORE, NOW + 2 * 86400 },
		{ SIM_FLAW_LEAF_NOT_AFTER, NOW - 86400 },
		{ SIM_FLAW_INTERMEDIATE_NOT_BEFORE, NOW + 2 * 86400 },
		{ SIM_FLAW_INTERMEDIATE_NOT_AFTER, NOW - 86400 },
	};
	struct fixture f;

	(void)state;
	begin(&f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(make_and_verify(&f, cases[i].flaw), WA_ECERT);
		assert_int_equal(wa_cert_verify(f.chain.data, f.chain.len, &f.trusted,
		                                f.identity.pub, cases[i].fine_at, NULL, NULL),
		                 0);
	}
}

/* The real server writes the intermediate's issuer serial although it is 0. */
static void test_the_zero_serial_is_written(void **state)
{
	static const uint8_t details[] = { 0x08, 0x01, 0x10, 0x00, 0x1a, 0x20 };
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(make_and_verify(&f, SIM_FLAW_NONE), 0);
	assert_non_null(memmem(f.chain.data, f.chain.len, details, sizeof(details)));
}

static void test_flaws_have_names(void **state)
{
	(void)state;
	assert_int_equal(sim_flaw_parse("leaf_key"), SIM_FLAW_LEAF_KEY);
	assert_int_equal(sim_flaw_parse("none"), SIM_FLAW_NONE);
	assert_true(sim_flaw_parse("leaf") < 0);
	assert_true(sim_flaw_parse("") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_right_chain_verifies),
		cmocka_unit_test(test_every_flaw_is_refused),
		cmocka_unit_test(test_a_date_flaw_is_nothing_but_the_date),
		cmocka_unit_test(test_the_zero_serial_is_written),
		cmocka_unit_test(test_flaws_have_names),
	};

	if (wa_keys_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
