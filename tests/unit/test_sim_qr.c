/* tests/unit/test_sim_qr.c - a phone of today reads the newest form of the code and nothing else */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "simulator/pair/sim_qr.h"
#include "wa_vectors.h"

#define P "https://wa.me/settings/linked_devices#"
#define K1 "f9ZS5dnkrg2O9Yd4WhPxspsNVcfUW2RqGv5nzgJ1gHU="
#define K2 "lkaZWq6igbGNOAF10qfcFXrYqYK6hkyQZ5RpxsKSBy0="
#define K3 "W1aNbmlYZl8wrivbC4NsU838SqOUkCK7QJeB5fbzNMk="
#define ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void test_newest_form_of_the_vector(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "qr");
	struct sim_qr_error e;
	struct sim_qr qr;

	(void)state;
	assert_int_equal(sim_qr_parse(vec_str(v, "newest_ascii"), &qr, &e), 0);
	assert_string_equal(qr.ref, vec_str(v, "ref_ascii"));
	vec_assert_hex(v, "noise_public", qr.noise, 32);
	vec_assert_hex(v, "identity_public", qr.identity, 32);
	vec_assert_hex(v, "adv_secret", qr.adv, 32);
	assert_int_equal(qr.type, '1');
	json_decref(root);
}

static void test_older_forms_of_the_vector_are_refused(void **state)
{
	json_t *root = vec_load("crypto.json");
	const json_t *v = vec_get(root, "qr");
	struct sim_qr_error e;
	struct sim_qr qr;

	(void)state;
	assert_int_equal(sim_qr_parse(vec_str(v, "plain_five_fields_ascii"), &qr, &e), WA_EPROTO);
	assert_string_equal(e.code, "qr_prefix");
	assert_int_equal(sim_qr_parse(vec_str(v, "legacy_four_fields_ascii"), &qr, &e), WA_EPROTO);
	assert_string_equal(e.code, "qr_prefix");
	json_decref(root);
}

static void test_commas_belong_to_the_ref(void **state)
{
	struct sim_qr_error e;
	struct sim_qr qr;

	(void)state;
	assert_int_equal(sim_qr_parse(P "2@a,b,c," K1 "," K2 "," K3 ",m", &qr, &e), 0);
	assert_string_equal(qr.ref, "2@a,b,c");
	assert_int_equal(qr.type, 'm');
}

static void test_each_wrong_part_is_named(void **state)
{
	static const struct {
		const char *text, *code;
	} cases[] = {
		{ "", "qr_form" },
		{ P "2@a," K1 "," K2 "," K3 ",1\n", "qr_form" },
		{ P "2@\xc3\xa4," K1 "," K2 "," K3 ",1", "qr_form" },
		{ "http://wa.me/settings/linked_devices#2@a," K1 "," K2 "," K3 ",1", "qr_prefix" },
		{ P "2@a," K1 "," K2 "," K3, "qr_fields" },
		{ P, "qr_fields" },
		{ P "," K1 "," K2 "," K3 ",1", "qr_ref" },
		{ P "2@a,AAAA," K2 "," K3 ",1", "qr_noise_key" },
		{ P "2@a," K1 "," K2 "," K3 ",", "qr_type" },
		{ P "2@a," K1 "," K2 "," K3 ",11", "qr_type" },
		{ P "2@a," K1 "," K2 "," K3 ",0", "qr_type" },
		{ P "2@a," K1 "," K2 "," K3 ",n", "qr_type" },
		{ P "2@a," K1 "," K2 "," K3 ",A", "qr_type" },
		{ P "2@a," K1 "," K2 "," ZERO ",1", "qr_adv_secret" },
		/* without padding */
		{ P "2@a," K1 ",lkaZWq6igbGNOAF10qfcFXrYqYK6hkyQZ5RpxsKSBy0," K3 ",1",
		  "qr_identity_key" },
		/* the alphabet of URLs */
		{ P "2@a,-9ZS5dnkrg2O9Yd4WhPxspsNVcfUW2RqGv5nzgJ1gHU=," K2 "," K3 ",1",
		  "qr_noise_key" },
		/* bits beyond the last byte */
		{ P "2@a," K1 "," K2 ",W1aNbmlYZl8wrivbC4NsU838SqOUkCK7QJeB5fbzNMl=,1",
		  "qr_adv_secret" },
		/* 33 bytes */
		{ P "2@a," K1 "," K2 ",W1aNbmlYZl8wrivbC4NsU838SqOUkCK7QJeB5fbzNMkA,1",
		  "qr_adv_secret" },
	};
	struct sim_qr_error e;
	struct sim_qr qr;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		e.code = "accepted";
		assert_int_equal(sim_qr_parse(cases[i].text, &qr, &e), WA_EPROTO);
		assert_string_equal(e.code, cases[i].code);
	}
}

static void test_a_long_ref_is_refused(void **state)
{
	char text[1000];
	struct sim_qr_error e;
	struct sim_qr qr;
	int n = snprintf(text, sizeof(text), "%s%0513d,%s,%s,%s,1", P, 0, K1, K2, K3);

	(void)state;
	assert_in_range(n, 600, sizeof(text) - 1);
	assert_int_equal(sim_qr_parse(text, &qr, &e), WA_EPROTO);
	assert_string_equal(e.code, "qr_ref");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_form_of_the_vector),
		cmocka_unit_test(test_older_forms_of_the_vector_are_refused),
		cmocka_unit_test(test_commas_belong_to_the_ref),
		cmocka_unit_test(test_each_wrong_part_is_named),
		cmocka_unit_test(test_a_long_ref_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
