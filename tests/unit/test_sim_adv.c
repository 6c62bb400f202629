/* tests/unit/test_sim_adv.c - a phone signs what the vectors say, and takes no answer that is wrong
 */
#include "test.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "simulator/base/sim_pb.h"
#include "simulator/pair/sim_adv.h"
#include "wa_vectors.h"

struct fixture {
	json_t *root;
	const json_t *v;
	struct sim_adv_account account;
	struct wa_keypair companion;
	uint8_t secret[32];
	struct sim_adv adv;
};

static void sign(struct fixture *f, enum sim_adv_flaw flaw)
{
	uint8_t rnd[SIM_ADV_RANDOM_LEN];

	vec_fixed(f->v, "account_signature_random", rnd, sizeof(rnd));
	assert_int_equal(sim_adv_sign(&f->account, f->companion.pub, f->secret,
	                              (uint32_t)json_integer_value(vec_get(f->v, "key_index")),
	                              json_integer_value(vec_get(f->v, "timestamp")), flaw, rnd,
	                              &f->adv),
	                 0);
}

static void begin(struct fixture *f, bool hosted)
{
	f->root = vec_load("crypto.json");
	f->v = vec_get(f->root, hosted ? "adv_pair_success_hosted" : "adv_pair_success");
	f->account.hosted = hosted;
	f->account.raw_id = (uint32_t)json_integer_value(vec_get(f->v, "raw_id"));
	vec_keypair(f->v, "account_identity", &f->account.identity);
	vec_keypair(f->v, "companion_identity", &f->companion);
	vec_fixed(f->v, "adv_secret", f->secret, sizeof(f->secret));
	sign(f, SIM_ADV_RIGHT);
}

static void end(struct fixture *f)
{
	json_decref(f->root);
}

static void check_vector(bool hosted)
{
	static const uint32_t valid[] = { 0, 1, 3 };
	uint8_t signature[WA_SIG_LEN];
	struct buf list = { 0 }, message = { 0 };
	struct fixture f;
	struct sim_pb_field field;
	struct rd r;

	begin(&f, hosted);
	vec_assert_hex(f.v, "device_identity_details", f.adv.details, f.adv.details_len);
	vec_assert_hex(f.v, "account_signature", f.adv.signature, WA_SIG_LEN);
	vec_assert_hex(f.v, "signed_device_identity_hmac", f.adv.message, f.adv.message_len);

	/* The vector does not tell the random bytes of this signature: the details must be the
	 * same, and the signature one of theirs. */
	assert_int_equal(sim_adv_key_list(&f.account, json_integer_value(vec_get(f.v, "timestamp")),
	                                  3, valid, 3, (const uint8_t[SIM_ADV_RANDOM_LEN]){ 1 },
	                                  &list),
	                 0);
	rd_init(&r, list.p, list.len);
	assert_true(sim_pb_next(&r, &field));
	vec_assert_hex(f.v, "key_index_list_details", field.data, field.len);
	assert_true(sim_pb_next(&r, &field) && sim_pb_is_bytes(&field, 2, WA_SIG_LEN));
	memcpy(signature, field.data, WA_SIG_LEN);
	assert_int_equal(r.left, 0);
	vec_hex(f.v, "key_index_list_signed_message", &message);
	assert_int_equal(
	    wa_xeddsa_verify(f.account.identity.pub, message.p, message.len, signature), 0);
	buf_free(&message);
	buf_free(&list);
	end(&f);
}

static void test_identity_and_key_list_of_the_vector(void **state)
{
	(void)state;
	check_vector(false);
}

static void test_hosted_identity_and_key_list_of_the_vector(void **state)
{
	(void)state;
	check_vector(true);
}

/* ADVSignedDeviceIdentityHMAC by hand. */
static void take_apart(const struct sim_adv *adv, struct sim_pb_field *details,
                       struct sim_pb_field *hmac)
{
	struct rd r;

	rd_init(&r, adv->message, adv->message_len);
	assert_true(sim_pb_next(&r, details));
	assert_true(sim_pb_next(&r, hmac));
}

static bool hmac_is_right(const struct fixture *f)
{
	struct sim_pb_field details, hmac;
	uint8_t expected[32];

	take_apart(&f->adv, &details, &hmac);
	assert_int_equal(wa_hmac_sha256(f->secret, 32, details.data, details.len, expected), 0);
	return memcmp(expected, hmac.data, 32) == 0;
}

static void test_each_flaw_is_the_only_one(void **state)
{
	struct sim_pb_field details, hmac;
	struct buf right = { 0 };
	struct fixture f;

	(void)state;
	begin(&f, false);
	vec_hex(f.v, "signed_device_identity", &right);

	sign(&f, SIM_ADV_BAD_HMAC);
	take_apart(&f.adv, &details, &hmac);
	assert_false(hmac_is_right(&f));
	assert_int_equal(details.len, right.len);
	assert_memory_equal(details.data, right.p, right.len);

	sign(&f, SIM_ADV_BAD_SIGNATURE);
	take_apart(&f.adv, &details, &hmac);
	assert_true(hmac_is_right(&f));
	assert_int_equal(details.len, right.len);
	assert_memory_not_equal(details.data, right.p, right.len);
	assert_memory_equal(details.data, right.p, right.len - WA_SIG_LEN);

	sign(&f, SIM_ADV_NO_PROTOBUF);
	take_apart(&f.adv, &details, &hmac);
	assert_true(hmac_is_right(&f));
	assert_memory_not_equal(details.data, right.p, details.len);
	buf_free(&right);
	end(&f);
}

static int check(const struct sim_adv *adv, const struct buf *answer, const char *index)
{
	struct buf full = { 0 };
	const char *why = NULL;
	int rc = sim_adv_check_answer(adv, answer->p, answer->len, index, &full, &why);

	assert_true(rc == 0 || (why != NULL && full.len == 0));
	buf_free(&full);
	return rc;
}

static void check_answer(bool hosted)
{
	struct buf answer = { 0 }, full = { 0 };
	struct fixture f;
	const char *why;

	begin(&f, hosted);
	vec_hex(f.v, "reply_device_identity", &answer);
	assert_int_equal(sim_adv_check_answer(&f.adv, answer.p, answer.len, "3", &full, &why), 0);
	assert_int_equal(full.len, answer.len + 2 + WA_KEY_LEN); /* with accountSignatureKey */
	assert_int_equal(check(&f.adv, &full, "3"), 0);          /* which may be in the answer */
	assert_int_equal(check(&f.adv, &answer, "2"), WA_EPROTO);
	assert_int_equal(check(&f.adv, &answer, NULL), WA_EPROTO);
	for (size_t i = 0; i < answer.len; i++) {
		answer.p[i] ^= 1;
		assert_int_equal(check(&f.adv, &answer, "3"), WA_EPROTO);
		answer.p[i] ^= 1;
	}
	for (size_t len = 0; len < answer.len; len++) {
		const struct buf cut = { .p = answer.p, .len = len };

		assert_int_equal(check(&f.adv, &cut, "3"), WA_EPROTO);
	}
	assert_int_equal(buf_append(&answer, answer.p, 4), 0);
	assert_int_equal(check(&f.adv, &answer, "3"), WA_EPROTO);
	buf_free(&full);
	buf_free(&answer);
	end(&f);
}

static void test_answer_of_the_vector_and_nothing_else(void **state)
{
	(void)state;
	check_answer(false);
}

static void test_hosted_answer_of_the_vector_and_nothing_else(void **state)
{
	(void)state;
	check_answer(true);
}

static void test_answer_signed_by_another_companion_is_refused(void **state)
{
	struct buf answer = { 0 };
	struct fixture f;

	(void)state;
	begin(&f, false);
	vec_hex(f.v, "reply_device_identity", &answer);
	f.adv.companion[0] ^= 1;
	assert_int_equal(check(&f.adv, &answer, "3"), WA_EPROTO);
	buf_free(&answer);
	end(&f);
}

static void test_long_key_lists_fit(void **state)
{
	uint32_t valid[1000];
	struct buf list = { 0 };
	struct fixture f;

	(void)state;
	begin(&f, false);
	for (uint32_t i = 0; i < 1000; i++)
		valid[i] = i == 0 ? 0 : UINT32_MAX - 1000 + i;
	assert_int_equal(sim_adv_key_list(&f.account, INT64_C(1787000001), UINT32_MAX, valid, 1000,
	                                  (const uint8_t[SIM_ADV_RANDOM_LEN]){ 1 }, &list),
	                 0);
	assert_true(list.len > 5 * 999);
	buf_free(&list);
	end(&f);
}

static void test_protobuf_reader_refuses_what_is_none(void **state)
{
	static const struct {
		uint8_t data[12];
		size_t len;
		int err;
	} cases[] = {
		{ { 0x0a, 0x05, 1 }, 3, WA_ETRUNC },    /* shorter than it says */
		{ { 0x08 }, 1, WA_ETRUNC },             /* no value */
		{ { 0x00, 0x01 }, 2, WA_EPROTO },       /* field 0 */
		{ { 0x0d, 1, 2, 3, 4 }, 5, WA_EPROTO }, /* fixed32 */
		{ { 0x0b }, 1, WA_EPROTO },             /* a group */
		{ { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		  11,
		  WA_EPROTO },
	};
	struct sim_pb_field f;
	struct rd r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rd_init(&r, cases[i].data, cases[i].len);
		assert_false(sim_pb_next(&r, &f));
		assert_int_equal(r.err, cases[i].err);
	}
	rd_init(&r, "\x18\xac\x02", 3);
	assert_true(sim_pb_next(&r, &f));
	assert_int_equal(f.number, 3);
	assert_int_equal(f.value, 300);
	assert_false(sim_pb_next(&r, &f));
	assert_int_equal(r.err, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_and_key_list_of_the_vector),
		cmocka_unit_test(test_hosted_identity_and_key_list_of_the_vector),
		cmocka_unit_test(test_each_flaw_is_the_only_one),
		cmocka_unit_test(test_answer_of_the_vector_and_nothing_else),
		cmocka_unit_test(test_hosted_answer_of_the_vector_and_nothing_else),
		cmocka_unit_test(test_answer_signed_by_another_companion_is_refused),
		cmocka_unit_test(test_long_key_lists_fit),
		cmocka_unit_test(test_protobuf_reader_refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
