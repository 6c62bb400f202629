/* tests/unit/test_wk_pair.c - codes, their clock, and what is answered for them */
#include "test.h"

#include <event2/event.h>
#include <string.h>

#include "common/err.h"
#include "worker/pair/wk_codes.h"
#include "worker/pair/wk_pair.h"
#include "worker/wa/node/wa_node.h"

static void fill(struct wa_pair_device *pd, size_t n)
{
	static const char *const refs[WA_REFS_MAX] = { "2@a", "2@b", "2@c", "2@d", "2@e", "2@f" };

	memset(pd, 0, sizeof(*pd));
	pd->id = "id-1";
	pd->refs_n = n;
	for (size_t i = 0; i < n; i++) {
		pd->refs[i].p = (const uint8_t *)refs[i];
		pd->refs[i].len = strlen(refs[i]);
	}
}

/* ---- wk_codes: the clock is ours ---------------------------------------------------------- */

static void test_six_codes_live_60_s_and_then_20_s_each(void **state)
{
	struct wk_codes c = { 0 };
	struct wa_pair_device pd;
	uint64_t now = 5000;

	(void)state;
	assert_false(wk_codes_live(&c));
	assert_int_equal(wk_codes_left_ms(&c, now), 0);
	fill(&pd, 6);
	assert_int_equal(wk_codes_set(&c, &pd, now), 0);
	assert_int_equal(wk_codes_left_ms(&c, now), 60000);
	assert_int_equal(wk_codes_left_ms(&c, now + 59999), 1);
	assert_int_equal(wk_codes_left_ms(&c, now + 60000), 0);
	now += 60000;
	for (size_t i = 1; i < 6; i++) {
		assert_true(wk_codes_next(&c, now));
		assert_int_equal(c.index, i);
		assert_int_equal(wk_codes_left_ms(&c, now), 20000);
		now += 20000;
	}
	assert_false(wk_codes_next(&c, now));
	assert_false(wk_codes_live(&c));
	assert_false(wk_codes_next(&c, now));
	wk_codes_clear(&c);
}

static void test_another_pair_device_replaces_all_refs(void **state)
{
	struct wk_codes c = { 0 };
	struct wa_pair_device pd;

	(void)state;
	fill(&pd, 6);
	assert_int_equal(wk_codes_set(&c, &pd, 0), 0);
	assert_true(wk_codes_next(&c, 60000));
	fill(&pd, 2);
	assert_int_equal(wk_codes_set(&c, &pd, 61000), 0);
	assert_int_equal(c.index, 0);
	assert_int_equal(c.n, 2);
	assert_int_equal(wk_codes_left_ms(&c, 61000), wa_pair_code_valid_ms(0, 2));
	wk_codes_clear(&c);
}

/* ---- wk_pair --------------------------------------------------------------------------------- */

struct fixture {
	struct event_base *base;
	struct wa_device dev;
	struct wk_pair *pair;
	unsigned codes, sent, out;
	uint8_t adv_when_sent[32]; /* the secret at the moment of the answer */
	char sent_tag[32];
	int send_rc;
};

static int on_send(const struct wa_node *n, void *arg)
{
	struct fixture *f = arg;

	f->sent++;
	memcpy(f->adv_when_sent, f->dev.adv_secret, sizeof(f->adv_when_sent));
	(void)snprintf(f->sent_tag, sizeof(f->sent_tag), "%s", n->tag);
	return f->send_rc;
}

static void on_code(void *arg)
{
	((struct fixture *)arg)->codes++;
}

static void on_out(void *arg)
{
	struct fixture *f = arg;

	f->out++;
	(void)event_base_loopbreak(f->base);
}

static void on_error(int rc, void *arg)
{
	(void)rc;
	(void)arg;
	fail();
}

static const struct wk_pair_ops ops = {
	.send = on_send,
	.on_code = on_code,
	.on_out = on_out,
	.on_error = on_error,
};

static void setup(struct fixture *f, unsigned speed)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(wa_keys_init(), 0);
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(wa_device_init(&f->dev), 0);
	assert_int_equal(wk_pair_new(f->base, &f->dev, speed, &ops, f, &f->pair), 0);
}

static void teardown(struct fixture *f)
{
	wk_pair_free(f->pair);
	wa_device_wipe(&f->dev);
	event_base_free(f->base);
}

static void test_secret_is_new_before_pair_device_is_answered(void **state)
{
	struct wa_pair_device pd;
	uint8_t before[32];
	struct wk_code code;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	assert_int_equal(wk_pair_code(f.pair, &code), WA_ESTATE);
	memcpy(before, f.dev.adv_secret, sizeof(before));
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	assert_int_equal(f.sent, 1);
	assert_string_equal(f.sent_tag, "iq");
	assert_memory_not_equal(before, f.adv_when_sent, sizeof(before));
	assert_memory_equal(f.dev.adv_secret, f.adv_when_sent, sizeof(before));
	assert_int_equal(f.codes, 1);
	assert_int_equal(wk_pair_code(f.pair, &code), 0);
	assert_non_null(strstr(code.text, "#2@a,"));
	assert_int_equal(code.index, 0);
	assert_int_equal(code.total, 6);
	assert_in_range(code.valid_ms, 59000, 60000);
	teardown(&f);
}

static void test_refresh_shows_the_same_ref_with_a_new_secret(void **state)
{
	struct wa_node *n = wa_node_new("notification");
	struct wk_code before, after;
	struct wa_pair_device pd;
	struct fixture f;

	(void)state;
	assert_non_null(n);
	wa_node_set(n, "id", "77");
	wa_node_set(n, "type", "companion_reg_refresh");
	setup(&f, 1);
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	assert_int_equal(wk_pair_code(f.pair, &before), 0);
	assert_int_equal(wk_pair_refresh(f.pair, n), 0);
	assert_string_equal(f.sent_tag, "ack");
	assert_memory_equal(f.dev.adv_secret, f.adv_when_sent, 32);
	assert_int_equal(f.codes, 2);
	assert_int_equal(wk_pair_code(f.pair, &after), 0);
	assert_non_null(strstr(after.text, "#2@a,"));
	assert_string_not_equal(before.text, after.text);
	assert_int_equal(after.index, 0);
	assert_true(after.valid_ms <= before.valid_ms);
	wa_node_free(n);
	teardown(&f);
}

static void test_nothing_is_shown_when_the_answer_can_not_be_sent(void **state)
{
	struct wa_pair_device pd;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	f.send_rc = WA_ESTATE;
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), WA_ESTATE);
	assert_int_equal(f.codes, 0);
	teardown(&f);
}

static void test_codes_follow_each_other_until_the_last_runs_out(void **state)
{
	struct wa_pair_device pd;
	struct fixture f;

	(void)state;
	setup(&f, 60000); /* 1 ms, then less than one */
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.codes, 6);
	assert_int_equal(f.out, 1);
	teardown(&f);
}

static void test_held_secret_survives_refresh_and_another_pair_device(void **state)
{
	struct wa_node *n = wa_node_new("notification");
	struct wa_pair_device pd;
	uint8_t before[32];
	struct fixture f;

	(void)state;
	wa_node_set(n, "id", "77");
	wa_node_set(n, "type", "companion_reg_refresh");
	setup(&f, 1);
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	wk_pair_hold(f.pair);
	memcpy(before, f.dev.adv_secret, sizeof(before));
	assert_int_equal(wk_pair_refresh(f.pair, n), 0);
	assert_string_equal(f.sent_tag, "ack");
	assert_int_equal(f.codes, 1);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	assert_memory_equal(before, f.dev.adv_secret, sizeof(before));
	wa_node_free(n);
	teardown(&f);
}

static void test_paused_clock_shows_nothing_and_never_runs_out(void **state)
{
	struct wa_pair_device pd;
	struct wk_code code;
	struct fixture f;

	(void)state;
	setup(&f, 60000);
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	wk_pair_pause(f.pair);
	assert_int_equal(wk_pair_code(f.pair, &code), WA_ESTATE);
	(void)event_base_dispatch(f.base); /* no timer is left: returns */
	assert_int_equal(f.out, 0);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0); /* answered all the same */
	assert_int_equal(f.sent, 2);
	assert_int_equal(f.codes, 1);
	teardown(&f);
}

static void test_all_codes_together_last_160_s(void **state)
{
	struct wa_pair_device pd;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	assert_int_equal(wk_pair_left_ms(f.pair), 0);
	fill(&pd, 6);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	assert_in_range(wk_pair_left_ms(f.pair), 159000, 160000);
	teardown(&f);
}

static void test_end_can_be_put_off(void **state)
{
	struct wa_pair_device pd;
	struct fixture f;

	(void)state;
	setup(&f, 60000);
	fill(&pd, 1);
	assert_int_equal(wk_pair_offer(f.pair, &pd), 0);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.out, 1);
	assert_int_equal(wk_pair_extend(f.pair, 1), 0);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.out, 2);
	teardown(&f);
}

static void test_ref_that_can_not_be_shown_is_refused(void **state)
{
	struct wa_pair_device pd;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	fill(&pd, 1);
	pd.refs[0].p = (const uint8_t *)"2@\n";
	assert_int_equal(wk_pair_offer(f.pair, &pd), WA_EPROTO);
	assert_int_equal(f.codes, 0);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_six_codes_live_60_s_and_then_20_s_each),
		cmocka_unit_test(test_another_pair_device_replaces_all_refs),
		cmocka_unit_test(test_secret_is_new_before_pair_device_is_answered),
		cmocka_unit_test(test_refresh_shows_the_same_ref_with_a_new_secret),
		cmocka_unit_test(test_nothing_is_shown_when_the_answer_can_not_be_sent),
		cmocka_unit_test(test_codes_follow_each_other_until_the_last_runs_out),
		cmocka_unit_test(test_held_secret_survives_refresh_and_another_pair_device),
		cmocka_unit_test(test_paused_clock_shows_nothing_and_never_runs_out),
		cmocka_unit_test(test_all_codes_together_last_160_s),
		cmocka_unit_test(test_end_can_be_put_off),
		cmocka_unit_test(test_ref_that_can_not_be_shown_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
