/* tests/unit/test_wk_prekeys.c - how many pre-keys go to the server, and which, with a real store
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "online_fixture.h"
#include "worker/online/wk_prekeys.h"

static struct wa_node *answer(const char *child, const char *name, const char *value)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set(n, "type", "result");
	if (child != NULL)
		wa_node_set(wa_node_add(n, child), name, value);
	return n;
}

static struct wa_node *upload(struct wk_prekeys *p, size_t n)
{
	struct wa_node *up = NULL;

	assert_int_equal(wk_prekeys_upload(p, "1", &up), 0);
	assert_int_equal(wa_node_child(up, "list")->children_n, n);
	return up;
}

static void test_few_ask_for_fifty_none_for_all(void **state)
{
	static const struct {
		const char *told;
		unsigned want;
	} rows[] = { { "0", 812 }, { "1", 50 }, { "4", 50 }, { "5", 0 }, { "812", 0 } };
	struct fx *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wa_node *n = answer("count", "value", rows[i].told);
		struct wk_prekeys p;

		wk_prekeys_init(&p, f->store, &f->creds);
		assert_int_equal(wk_prekeys_counted(&p, n), 0);
		assert_int_equal(p.want, rows[i].want);
		wa_node_free(n);
	}
}

static void test_count_that_is_none_asks_for_nothing(void **state)
{
	static const char *const values[] = { "", "-1", "x", "4294967296" };
	struct fx *f = *state;
	struct wk_prekeys p;

	wk_prekeys_init(&p, f->store, &f->creds);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct wa_node *n = answer("count", "value", values[i]);

		assert_int_equal(wk_prekeys_counted(&p, n), WA_EPROTO);
		assert_int_equal(p.want, 0);
		wa_node_free(n);
	}
}

static void test_lost_upload_is_made_again_with_the_same_keys(void **state)
{
	struct fx *f = *state;
	struct wa_node *first, *second, *third, *ok = answer(NULL, NULL, NULL);
	struct wk_prekeys p;

	wk_prekeys_init(&p, f->store, &f->creds);
	wk_prekeys_told(&p, 2);
	first = upload(&p, 50);
	wk_prekeys_lost(&p);
	assert_int_equal(p.want, 50);
	second = upload(&p, 50);
	assert_int_equal(fx_key_id(first, 0), fx_key_id(second, 0));
	assert_int_equal(fx_key_id(first, 49), fx_key_id(second, 49));
	assert_int_equal(wk_prekeys_uploaded(&p, ok), 0);
	assert_int_equal(p.want, 0);
	assert_null(p.sent);
	wk_prekeys_told(&p, 2);
	third = upload(&p, 50);
	assert_int_equal(fx_key_id(third, 0), fx_key_id(first, 49) + 1);
	wk_prekeys_clear(&p);
	wa_node_free(first);
	wa_node_free(second);
	wa_node_free(third);
	wa_node_free(ok);
}

static void test_count_from_before_an_upload_is_not_believed(void **state)
{
	struct fx *f = *state;
	struct wa_node *up, *ok = answer(NULL, NULL, NULL);
	struct wk_prekeys p;

	wk_prekeys_init(&p, f->store, &f->creds);
	wk_prekeys_told(&p, 3);
	up = upload(&p, 50);
	wk_prekeys_told(&p, 0);
	assert_int_equal(wk_prekeys_uploaded(&p, ok), 0);
	assert_int_equal(p.want, 0);
	wa_node_free(up);
	wa_node_free(ok);
}

static void test_server_may_ask_for_more_with_its_result(void **state)
{
	struct fx *f = *state;
	struct wa_node *up, *low = answer("list", "count_low", "true");
	struct wk_prekeys p;

	wk_prekeys_init(&p, f->store, &f->creds);
	wk_prekeys_told(&p, 3);
	up = upload(&p, 50);
	assert_int_equal(wk_prekeys_uploaded(&p, low), 0);
	assert_int_equal(p.want, 50);
	wa_node_free(up);
	wa_node_free(low);
}

static void test_server_without_keys_gets_none_that_it_may_have_given_away(void **state)
{
	struct fx *f = *state;
	struct wa_node *first, *again, *ok = answer(NULL, NULL, NULL);
	struct wk_prekeys p;

	wk_prekeys_init(&p, f->store, &f->creds);
	wk_prekeys_told(&p, 3);
	first = upload(&p, 50);
	assert_int_equal(wk_prekeys_uploaded(&p, ok), 0);
	assert_int_equal(wk_prekeys_digest(&p, NULL), 1);
	assert_int_equal(p.want, 812);
	again = upload(&p, 812);
	assert_int_equal(fx_key_id(again, 0), fx_key_id(first, 49) + 1);
	assert_int_equal(wk_prekeys_uploaded(&p, ok), 0);
	assert_int_equal(p.want, 0);
	wa_node_free(first);
	wa_node_free(again);
	wa_node_free(ok);
}

static void test_full_disk_makes_no_upload(void **state)
{
	struct fx *f = *state;
	struct wa_node *up = NULL;
	struct wk_prekeys p;

	wk_prekeys_init(&p, f->store, &f->creds);
	wk_prekeys_told(&p, 0);
	fx_disk_full(true);
	assert_int_equal(wk_prekeys_upload(&p, "1", &up), WA_ESTORAGE);
	fx_disk_full(false);
	assert_null(up);
	assert_null(p.sent);
	up = upload(&p, 812);
	wk_prekeys_clear(&p);
	wa_node_free(up);
}

static void test_signed_pre_key_is_due_after_27_days(void **state)
{
	struct wk_creds c = { .linked_unix_s = 1000 };
	const int64_t due = 1000 + WK_SIGNED_AGE_S;

	(void)state;
	assert_int_equal(wk_prekeys_signed_due_s(&c, 1000), WK_SIGNED_AGE_S);
	assert_int_equal(wk_prekeys_signed_due_s(&c, due - 1), 1);
	assert_int_equal(wk_prekeys_signed_due_s(&c, due), 0);
	assert_int_equal(wk_prekeys_signed_due_s(&c, due + 1000000000), 0);
	assert_int_equal(wk_prekeys_signed_due_s(&c, -due), WK_SIGNED_AGE_S);
	c.signed_prekey_unix_s = due;
	assert_int_equal(wk_prekeys_signed_due_s(&c, due), WK_SIGNED_AGE_S);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_few_ask_for_fifty_none_for_all),
		TEST(test_count_that_is_none_asks_for_nothing),
		TEST(test_lost_upload_is_made_again_with_the_same_keys),
		TEST(test_count_from_before_an_upload_is_not_believed),
		TEST(test_server_may_ask_for_more_with_its_result),
		TEST(test_server_without_keys_gets_none_that_it_may_have_given_away),
		TEST(test_full_disk_makes_no_upload),
		TEST(test_signed_pre_key_is_due_after_27_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
