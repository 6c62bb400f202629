/* tests/unit/test_sim_fault.c - which connection a fault happens to, and what it does to bytes */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "simulator/server/sim_fault.h"

static int setup(void **state)
{
	struct sim_faults *f;

	if (sim_faults_new(&f) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	sim_faults_free(*state);
	return 0;
}

static void add(struct sim_faults *f, enum sim_fault_kind kind, enum sim_stage stage, uint32_t nth,
                const char *number)
{
	struct sim_fault_match match = { .nth = nth };
	const struct sim_fault fault = { .kind = kind, .stage = stage, .offset = -1 };
	uint32_t id;

	snprintf(match.number, sizeof(match.number), "%s", number);
	assert_int_equal(sim_faults_add(f, &match, &fault, &id), 0);
	assert_int_equal(id, sim_faults_count(f));
}

static enum sim_fault_kind arm(struct sim_faults *f, enum sim_stage stage, const char *number)
{
	struct sim_fault fault = { .kind = SIM_F_NONE };

	return sim_faults_arm(f, stage, number, &fault) ? fault.kind : SIM_F_NONE;
}

static void test_without_nth_every_connection(void **state)
{
	add(*state, SIM_F_CLOSE, SIM_TCP, 0, "");
	for (int i = 0; i < 3; i++)
		assert_int_equal(arm(*state, SIM_TCP, NULL), SIM_F_CLOSE);
	assert_int_equal(sim_faults_at(*state, 0)->hit, 3);
}

static void test_nth_counts_from_one_and_happens_once(void **state)
{
	add(*state, SIM_F_RESET, SIM_HANDSHAKE, 2, "");
	assert_int_equal(arm(*state, SIM_HANDSHAKE, NULL), SIM_F_NONE);
	assert_int_equal(arm(*state, SIM_HANDSHAKE, NULL), SIM_F_RESET);
	assert_int_equal(arm(*state, SIM_HANDSHAKE, NULL), SIM_F_NONE);
	assert_int_equal(sim_faults_at(*state, 0)->seen, 3);
}

static void test_other_stages_do_not_count(void **state)
{
	add(*state, SIM_F_CLOSE, SIM_HANDSHAKE, 1, "");
	assert_int_equal(arm(*state, SIM_TCP, NULL), SIM_F_NONE);
	assert_int_equal(arm(*state, SIM_UPGRADE, NULL), SIM_F_NONE);
	assert_int_equal(arm(*state, SIM_HANDSHAKE, NULL), SIM_F_CLOSE);
}

static void test_a_number_is_known_only_after_login(void **state)
{
	add(*state, SIM_F_FAILURE, SIM_LOGIN, 0, "4915100000001");
	assert_int_equal(arm(*state, SIM_LOGIN, NULL), SIM_F_NONE);
	assert_int_equal(arm(*state, SIM_LOGIN, "4915100000002"), SIM_F_NONE);
	assert_int_equal(sim_faults_at(*state, 0)->seen, 0);
	assert_int_equal(arm(*state, SIM_LOGIN, "4915100000001"), SIM_F_FAILURE);
}

static void test_a_number_that_becomes_known_late(void **state)
{
	struct sim_fault fault = { .kind = SIM_F_NONE };

	add(*state, SIM_F_DUPLICATE, SIM_PAIRING, 2, "");
	add(*state, SIM_F_BAD_HMAC, SIM_PAIRING, 1, "4915100000001");
	assert_int_equal(arm(*state, SIM_PAIRING, NULL), SIM_F_NONE);
	assert_false(sim_faults_arm_number(*state, SIM_PAIRING, "4915100000002", &fault));
	assert_true(sim_faults_arm_number(*state, SIM_PAIRING, "4915100000001", &fault));
	assert_int_equal(fault.kind, SIM_F_BAD_HMAC);
	assert_int_equal(sim_faults_at(*state, 0)->seen, 1); /* counted when it came */
}

static void test_first_defined_wins_and_the_others_count_on(void **state)
{
	add(*state, SIM_F_CLOSE, SIM_TCP, 1, "");
	add(*state, SIM_F_RESET, SIM_TCP, 2, "");
	add(*state, SIM_F_STALL, SIM_TCP, 0, "");
	assert_int_equal(arm(*state, SIM_TCP, NULL), SIM_F_CLOSE);
	assert_int_equal(arm(*state, SIM_TCP, NULL), SIM_F_RESET);
	assert_int_equal(arm(*state, SIM_TCP, NULL), SIM_F_STALL);
}

static void test_faults_about_refs_are_armed_at_registration(void **state)
{
	add(*state, SIM_F_NO_REFS, SIM_PAIRING, 0, "");
	add(*state, SIM_F_NO_PONG, SIM_REGISTRATION, 0, "");
	assert_int_equal(arm(*state, SIM_REGISTRATION, NULL), SIM_F_NO_REFS);
	assert_int_equal(arm(*state, SIM_PAIRING, NULL), SIM_F_NO_PONG);
}

static void test_clear_forgets_all(void **state)
{
	add(*state, SIM_F_CLOSE, SIM_TCP, 0, "");
	assert_int_equal(sim_faults_clear(*state), 1);
	assert_int_equal(arm(*state, SIM_TCP, NULL), SIM_F_NONE);
}

static void test_the_number_of_faults_is_bounded(void **state)
{
	const struct sim_fault fault = { .kind = SIM_F_CLOSE };
	const struct sim_fault_match match = { .nth = 1 };
	uint32_t id;

	for (int i = 0; i < SIM_FAULTS_MAX; i++)
		assert_int_equal(sim_faults_add(*state, &match, &fault, &id), 0);
	assert_int_equal(sim_faults_add(*state, &match, &fault, &id), WA_ELIMIT);
}

static void test_every_word_of_the_contract_is_known(void **state)
{
	static const char words[][16] = {
		"refuse",        "close",        "reset",   "stall",    "slow",     "corrupt",
		"truncate",      "split",        "garbage", "oversize", "bad_cert", "expired_cert",
		"failure",       "stream_error", "no_pong", "refs_end", "no_refs",  "bad_hmac",
		"bad_signature", "duplicate",    "reorder", "unknown"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		int kind = sim_fault_parse(words[i]);

		assert_true(kind > SIM_F_NONE);
		assert_string_equal(sim_fault_name((enum sim_fault_kind)kind), words[i]);
		assert_true(sim_fault_fits((enum sim_fault_kind)kind,
		                           sim_fault_default_stage((enum sim_fault_kind)kind)));
	}
	assert_true(sim_fault_parse("none") < 0);
	assert_true(sim_stage_parse("online") == SIM_ONLINE);
	assert_true(sim_stage_parse("offline") < 0);
}

static void test_each_stage_has_the_faults_of_the_contract(void **state)
{
	static const struct {
		enum sim_fault_kind kind;
		const char *stages; /* T tcp, S tls, U upgrade, H handshake, R, P, L, O */
	} rows[] = {
		{ SIM_F_REFUSE, "T" },          { SIM_F_CLOSE, "TSUHRPLO" },
		{ SIM_F_RESET, "TSUHRPLO" },    { SIM_F_STALL, "TSUHRPLO" },
		{ SIM_F_SLOW, "TSUHRPLO" },     { SIM_F_CORRUPT, "TSUHRPLO" },
		{ SIM_F_TRUNCATE, "TSUHRPLO" }, { SIM_F_SPLIT, "TSUHRPLO" },
		{ SIM_F_GARBAGE, "TSUHRPLO" },  { SIM_F_OVERSIZE, "SUHRPLO" },
		{ SIM_F_BAD_CERT, "SH" },       { SIM_F_EXPIRED_CERT, "SH" },
		{ SIM_F_FAILURE, "URPLO" },     { SIM_F_STREAM_ERROR, "RPLO" },
		{ SIM_F_NO_PONG, "RPO" },       { SIM_F_REFS_END, "RP" },
		{ SIM_F_NO_REFS, "RP" },        { SIM_F_BAD_HMAC, "P" },
		{ SIM_F_BAD_SIGNATURE, "P" },   { SIM_F_DUPLICATE, "RPLO" },
		{ SIM_F_REORDER, "RPLO" },      { SIM_F_UNKNOWN, "RPLO" },
	};
	static const char letters[] = "TSUHRPLO";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int stage = SIM_TCP; stage <= SIM_ONLINE; stage++) {
			bool wanted = strchr(rows[i].stages, letters[stage]) != NULL;

			if (sim_fault_fits(rows[i].kind, (enum sim_stage)stage) != wanted)
				fail_msg("%s at %s", sim_fault_name(rows[i].kind),
				         sim_stage_name((enum sim_stage)stage));
		}
	}
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum sim_shape shape(struct sim_shaper *s, const char *text, char *out)
{
	size_t len = strlen(text);
	enum sim_shape result;

	memcpy(out, text, len);
	result = sim_shape(s, (uint8_t *)out, &len);
	out[len] = '\0';
	return result;
}

static void test_corrupt_flips_one_byte_at_the_offset(void **state)
{
	struct sim_shaper s = { .kind = SIM_F_CORRUPT, .offset = 5 };
	char out[16];

	(void)state;
	assert_int_equal(shape(&s, "abcd", out), SIM_SHAPE_PASS);
	assert_string_equal(out, "abcd");
	assert_int_equal(shape(&s, "efgh", out), SIM_SHAPE_PASS);
	assert_string_equal(out, "eFgh");
	assert_false(sim_shaper_is_active(&s));
	assert_int_equal(shape(&s, "abcdefghij", out), SIM_SHAPE_PASS);
	assert_string_equal(out, "abcdefghij");
}

static void test_truncate_and_stall_cut_at_the_offset(void **state)
{
	struct sim_shaper cut = { .kind = SIM_F_TRUNCATE, .offset = 6 };
	struct sim_shaper mute = { .kind = SIM_F_STALL, .offset = 0 };
	char out[16];

	(void)state;
	assert_int_equal(shape(&cut, "abcd", out), SIM_SHAPE_PASS);
	assert_int_equal(shape(&cut, "efgh", out), SIM_SHAPE_CUT);
	assert_string_equal(out, "ef");
	assert_int_equal(shape(&mute, "abcd", out), SIM_SHAPE_MUTE);
	assert_string_equal(out, "");
}

static void test_without_an_offset_the_middle_of_the_first_piece(void **state)
{
	struct sim_shaper s = { .kind = SIM_F_TRUNCATE, .offset = -1 };
	char out[16];

	(void)state;
	assert_int_equal(shape(&s, "abcdef", out), SIM_SHAPE_CUT);
	assert_string_equal(out, "abc");
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_without_nth_every_connection),
		WITH(test_nth_counts_from_one_and_happens_once),
		WITH(test_other_stages_do_not_count),
		WITH(test_a_number_is_known_only_after_login),
		WITH(test_a_number_that_becomes_known_late),
		WITH(test_first_defined_wins_and_the_others_count_on),
		WITH(test_faults_about_refs_are_armed_at_registration),
		WITH(test_clear_forgets_all),
		WITH(test_the_number_of_faults_is_bounded),
		cmocka_unit_test(test_every_word_of_the_contract_is_known),
		cmocka_unit_test(test_each_stage_has_the_faults_of_the_contract),
		cmocka_unit_test(test_corrupt_flips_one_byte_at_the_offset),
		cmocka_unit_test(test_truncate_and_stall_cut_at_the_offset),
		cmocka_unit_test(test_without_an_offset_the_middle_of_the_first_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
