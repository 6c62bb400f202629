/* tests/unit/test_gw_hook_sign.c - signatures, and when what is tried again */
#include "test.h"

#include <string.h>

#include "common/attr.h"
#include "common/codec.h"
#include "gateway/webhook/gw_hook_schedule.h"
#include "gateway/webhook/gw_hook_sign.h"

static void sign(const char *secret, const char *id, int64_t at, const char *body, char *out)
{
	uint8_t key[64];
	size_t key_len;

	assert_int_equal(b64_decode(secret, strlen(secret), key, sizeof(key), &key_len), 0);
	assert_int_equal(gw_hook_sign(key, key_len, id, at, body, strlen(body), out), 0);
}

/* From the Standard Webhooks specification and its reference libraries. */
static void test_signatures_are_those_of_the_specification(void **state)
{
	char out[GW_HOOK_SIGNATURE_CAP], other[GW_HOOK_SIGNATURE_CAP];
	static const char secret[] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	static const char id[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";

	(void)state;
	sign(secret, id, 1614265330, "{\"test\": 2432232314}", out);
	assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	sign(secret, id, 1614265331, "{\"test\": 2432232314}", other);
	assert_string_not_equal(out, other);
	sign(secret, "msg_x", 1614265330, "{\"test\": 2432232314}", other);
	assert_string_not_equal(out, other);
	sign(secret, id, 1614265330, "{\"test\": 2432232315}", other);
	assert_string_not_equal(out, other);
}

#define HALF (UINT32_MAX / 2)

static void test_the_waits_are_the_contracts(void **state)
{
	static const uint64_t waits_s[] = { 5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800 };
	struct gw_hook_tries low = { 0 }, mid = { 0 }, high = { 0 };
	uint64_t wait = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		uint64_t ms = waits_s[i] * 1000;

		assert_int_equal(gw_hook_judge(500, 0, 0, &low, &wait), GW_HOOK_RETRY);
		assert_true(wait == ms * 4 / 5);
		assert_int_equal(gw_hook_judge(0, 0, HALF, &mid, &wait), GW_HOOK_RETRY);
		assert_true(wait + 1 >= ms && wait <= ms);
		assert_int_equal(gw_hook_judge(302, 0, UINT32_MAX, &high, &wait), GW_HOOK_RETRY);
		assert_true(wait == ms * 6 / 5);
	}
	assert_int_equal(gw_hook_judge(500, 0, 0, &low, &wait), GW_HOOK_DEAD);
}

static void test_what_an_answer_means(void **state)
{
	static const struct {
		int status;
		enum gw_hook_verdict first, third;
	} cases[] = {
		{ 200, GW_HOOK_DONE, GW_HOOK_DONE },   { 204, GW_HOOK_DONE, GW_HOOK_DONE },
		{ 299, GW_HOOK_DONE, GW_HOOK_DONE },   { 410, GW_HOOK_GONE, GW_HOOK_GONE },
		{ 400, GW_HOOK_RETRY, GW_HOOK_DEAD },  { 401, GW_HOOK_RETRY, GW_HOOK_DEAD },
		{ 404, GW_HOOK_RETRY, GW_HOOK_DEAD },  { 422, GW_HOOK_RETRY, GW_HOOK_DEAD },
		{ 499, GW_HOOK_RETRY, GW_HOOK_DEAD },  { 408, GW_HOOK_RETRY, GW_HOOK_RETRY },
		{ 425, GW_HOOK_RETRY, GW_HOOK_RETRY }, { 429, GW_HOOK_RETRY, GW_HOOK_RETRY },
		{ 500, GW_HOOK_RETRY, GW_HOOK_RETRY }, { 503, GW_HOOK_RETRY, GW_HOOK_RETRY },
		{ 301, GW_HOOK_RETRY, GW_HOOK_RETRY }, { 307, GW_HOOK_RETRY, GW_HOOK_RETRY },
		{ 0, GW_HOOK_RETRY, GW_HOOK_RETRY },   { 999, GW_HOOK_RETRY, GW_HOOK_RETRY },
		{ 101, GW_HOOK_RETRY, GW_HOOK_RETRY },
	};
	uint64_t wait;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gw_hook_tries t = { 0 };

		if (gw_hook_judge(cases[i].status, 0, HALF, &t, &wait) != cases[i].first)
			fail_msg("%d", cases[i].status);
		(void)gw_hook_judge(cases[i].status, 0, HALF, &t, &wait);
		if (gw_hook_judge(cases[i].status, 0, HALF, &t, &wait) != cases[i].third)
			fail_msg("%d, the third time", cases[i].status);
	}
}

static void test_three_refusals_need_not_be_in_a_row(void **state)
{
	struct gw_hook_tries t = { 0 };
	uint64_t wait;

	(void)state;
	assert_int_equal(gw_hook_judge(404, 0, 0, &t, &wait), GW_HOOK_RETRY);
	assert_int_equal(gw_hook_judge(500, 0, 0, &t, &wait), GW_HOOK_RETRY);
	assert_int_equal(gw_hook_judge(404, 0, 0, &t, &wait), GW_HOOK_RETRY);
	assert_int_equal(gw_hook_judge(0, 0, 0, &t, &wait), GW_HOOK_RETRY);
	assert_int_equal(gw_hook_judge(404, 0, 0, &t, &wait), GW_HOOK_DEAD);
}

static void test_retry_after_lengthens_within_reason(void **state)
{
	struct gw_hook_tries t = { 0 };
	uint64_t wait;

	(void)state;
	assert_int_equal(gw_hook_judge(429, 60, HALF, &t, &wait), GW_HOOK_RETRY);
	assert_true(wait == 60000);
	assert_int_equal(gw_hook_judge(503, 1, HALF, &t, &wait), GW_HOOK_RETRY);
	assert_true(wait > 29000); /* never sooner than the schedule */
	assert_int_equal(gw_hook_judge(503, UINT64_MAX, HALF, &t, &wait), GW_HOOK_RETRY);
	assert_true(wait == GW_HOOK_RETRY_AFTER_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures_are_those_of_the_specification),
		cmocka_unit_test(test_the_waits_are_the_contracts),
		cmocka_unit_test(test_what_an_answer_means),
		cmocka_unit_test(test_three_refusals_need_not_be_in_a_row),
		cmocka_unit_test(test_retry_after_lengthens_within_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
