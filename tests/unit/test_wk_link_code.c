/* tests/unit/test_wk_link_code.c - the pairing code: asked for, shown, answered, withdrawn */
#include "test.h"

#include <event2/event.h>
#include <string.h>

#include "common/err.h"
#include "worker/pair/wk_link_code.h"
#include "worker/wa/link/wa_link_code.h"
#include "worker/wa/node/wa_node.h"

#define NUMBER "5511999999999"
#define REF "2@ref"
#define ID_CAP 64

struct fixture {
	struct event_base *base;
	struct wa_device dev;
	struct wk_link_code *lc;
	uint32_t left_ms;
	int send_rc;
	unsigned sent, codes, failed;
	char id[ID_CAP];    /* of the last request */
	char stage[ID_CAP]; /* of the last request */
	struct wk_failure failure;
};

static int on_send(const struct wa_node *n, void *arg)
{
	const struct wa_node *reg = wa_node_child(n, "link_code_companion_reg");
	struct fixture *f = arg;

	assert_true(wa_node_is(n, "iq"));
	assert_non_null(reg);
	assert_string_equal(wa_node_attr(reg, "jid"), NUMBER "@s.whatsapp.net");
	f->sent++;
	(void)snprintf(f->id, sizeof(f->id), "%s", wa_node_attr(n, "id"));
	(void)snprintf(f->stage, sizeof(f->stage), "%s", wa_node_attr(reg, "stage"));
	return f->send_rc;
}

static uint32_t on_left_ms(void *arg)
{
	return ((struct fixture *)arg)->left_ms;
}

static void on_code(void *arg)
{
	((struct fixture *)arg)->codes++;
}

static void on_failed(const struct wk_failure *failure, void *arg)
{
	struct fixture *f = arg;

	f->failed++;
	f->failure = *failure;
	(void)event_base_loopbreak(f->base);
}

static const struct wk_link_code_ops ops = {
	.send = on_send,
	.left_ms = on_left_ms,
	.on_code = on_code,
	.on_failed = on_failed,
};

static void setup(struct fixture *f, unsigned speed)
{
	struct wk_link_code_params params = { .number = NUMBER, .tag = 7, .speed = speed };

	memset(f, 0, sizeof(*f));
	assert_int_equal(wa_keys_init(), 0);
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(wa_device_init(&f->dev), 0);
	f->left_ms = 160000;
	params.base = f->base;
	params.dev = &f->dev;
	params.ops = &ops;
	params.arg = f;
	assert_int_equal(wk_link_code_new(&params, &f->lc), 0);
	assert_int_equal(f->sent, 0);
}

static void teardown(struct fixture *f)
{
	wk_link_code_free(f->lc);
	wa_device_wipe(&f->dev);
	event_base_free(f->base);
}

/* ---- what the server says ---------------------------------------------------------------- */

static void answer_ref(struct fixture *f)
{
	struct wa_node *n = wa_node_new("iq");
	struct wa_node *reg = wa_node_add(n, "link_code_companion_reg");

	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", f->id);
	wa_node_set(reg, "stage", "companion_hello");
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_ref"), REF, strlen(REF));
	assert_true(wk_link_code_answer(f->lc, n));
	assert_false(wk_link_code_answer(f->lc, n)); /* once */
	wa_node_free(n);
}

static void answer_error(struct fixture *f, const char *code, const char *text)
{
	struct wa_node *n = wa_node_new("iq");
	struct wa_node *error = wa_node_add(n, "error");

	wa_node_set(n, "type", "error");
	wa_node_set(n, "id", f->id);
	wa_node_set(error, "code", code);
	wa_node_set(error, "text", text);
	assert_true(wk_link_code_answer(f->lc, n));
	wa_node_free(n);
}

static struct wa_node *notice(const char *stage, const char *ref)
{
	struct wa_node *n = wa_node_new("notification");
	struct wa_node *reg = wa_node_add(n, "link_code_companion_reg");

	wa_node_set(n, "id", "n-1");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "link_code_companion_reg");
	wa_node_set(reg, "stage", stage);
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_ref"), ref, strlen(ref));
	return n;
}

/* The phone's user has typed this code. */
static void primary_hello(struct fixture *f, const char *code)
{
	static const uint8_t salt[32] = { 1 }, iv[16] = { 2 };
	struct wa_node *n = notice("primary_hello", REF);
	struct wa_node *reg = (struct wa_node *)wa_node_child(n, "link_code_companion_reg");
	uint8_t wrapped[WA_LINK_CODE_WRAPPED_LEN];
	struct wa_keypair ephemeral, identity;

	assert_int_equal(wa_keypair_new(&ephemeral), 0);
	assert_int_equal(wa_keypair_new(&identity), 0);
	assert_int_equal(wa_link_code_wrap(code, salt, iv, ephemeral.pub, wrapped), 0);
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_wrapped_primary_ephemeral_pub"),
	                  wrapped, sizeof(wrapped));
	wa_node_set_bytes(wa_node_add(reg, "primary_identity_pub"), identity.pub,
	                  sizeof(identity.pub));
	wk_link_code_notice(f->lc, n);
	wa_node_free(n);
}

static void shown(const struct fixture *f, char code[WA_LINK_CODE_SHOWN_CAP], uint32_t *valid_ms)
{
	assert_int_equal(wk_link_code_shown(f->lc, code, valid_ms), 0);
	assert_int_equal(strlen(code), 9);
	assert_int_equal(code[4], '-');
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_code_is_shown_when_the_server_has_given_its_ref(void **state)
{
	char code[WA_LINK_CODE_SHOWN_CAP];
	uint32_t valid_ms;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	wk_link_code_start(f.lc);
	wk_link_code_start(f.lc); /* another pair-device: no second code */
	assert_int_equal(f.sent, 1);
	assert_string_equal(f.stage, "companion_hello");
	assert_int_equal(wk_link_code_shown(f.lc, code, &valid_ms), WA_ESTATE);
	answer_ref(&f);
	assert_int_equal(f.codes, 1);
	shown(&f, code, &valid_ms);
	assert_in_range(valid_ms, 159000, 160000); /* the refs run out first */
	teardown(&f);
}

static void test_code_lives_180_s_at_most(void **state)
{
	char code[WA_LINK_CODE_SHOWN_CAP];
	uint32_t valid_ms;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	f.left_ms = 400000;
	wk_link_code_start(f.lc);
	answer_ref(&f);
	shown(&f, code, &valid_ms);
	assert_in_range(valid_ms, 179000, 180000);
	teardown(&f);
}

static void test_refusals_are_typed(void **state)
{
	static const struct {
		const char *code, *text;
		int rc;
		const char *word;
	} cases[] = {
		{ "429", "rate-overlimit", WA_ETHROTTLED, "no more pairing codes" },
		{ "400", "bad-request", WA_EPAIRING_REFUSED, "number is wrong or throttled" },
		{ "403", "forbidden", WA_EPAIRING_REFUSED, "403 forbidden" },
		{ "500", "internal-server-error", WA_EPAIRING_REFUSED, "internal-server-error" },
		{ "418", "teapot", WA_EPAIRING_REFUSED, "418 teapot" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		setup(&f, 1);
		wk_link_code_start(f.lc);
		answer_error(&f, cases[i].code, cases[i].text);
		assert_int_equal(f.failed, 1);
		assert_int_equal(f.failure.rc, cases[i].rc);
		assert_non_null(strstr(f.failure.detail, cases[i].word));
		assert_null(strstr(f.failure.detail, NUMBER));
		assert_int_equal(f.codes, 0);
		teardown(&f);
	}
}

static void test_answer_that_never_comes_is_a_timeout(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 20000);
	wk_link_code_start(f.lc);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_ETIMEOUT);
	teardown(&f);
}

static void test_answer_without_a_ref_is_refused(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	struct fixture f;

	(void)state;
	setup(&f, 1);
	wk_link_code_start(f.lc);
	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", f.id);
	assert_true(wk_link_code_answer(f.lc, n));
	assert_int_equal(f.failure.rc, WA_EPROTO);
	wa_node_free(n);
	teardown(&f);
}

static void test_typed_code_is_answered_with_a_derived_secret(void **state)
{
	char code[WA_LINK_CODE_SHOWN_CAP];
	uint8_t before[32];
	uint32_t valid_ms;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	wk_link_code_start(f.lc);
	answer_ref(&f);
	shown(&f, code, &valid_ms);
	memmove(code + 4, code + 5, 5); /* without the hyphen */
	memcpy(before, f.dev.adv_secret, sizeof(before));
	assert_int_equal(wk_link_code_grace_ms(f.lc), 0);
	primary_hello(&f, code);
	assert_int_equal(f.sent, 2);
	assert_string_equal(f.stage, "companion_finish");
	assert_memory_not_equal(before, f.dev.adv_secret, sizeof(before));
	assert_in_range(wk_link_code_grace_ms(f.lc), 59000, 60000);
	assert_int_equal(f.failed, 0);
	teardown(&f);
}

static void test_fourth_hello_and_a_foreign_ref_are_ignored(void **state)
{
	struct wa_node *n;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	primary_hello(&f, "ABCDEFGH"); /* before there is a code */
	assert_int_equal(f.sent, 0);
	wk_link_code_start(f.lc);
	answer_ref(&f);
	n = notice("refresh_code", "2@another");
	wk_link_code_notice(f.lc, n);
	wa_node_free(n);
	assert_int_equal(f.sent, 1);
	for (int i = 0; i < 4; i++)
		primary_hello(&f, "ABCDEFGH"); /* mistyped: a garbage key, which may be refused */
	assert_in_range(f.sent, 1, 4);
	assert_int_equal(f.failed, 0);
	teardown(&f);
}

static void test_withdrawn_code_is_replaced_at_once(void **state)
{
	char before[WA_LINK_CODE_SHOWN_CAP], after[WA_LINK_CODE_SHOWN_CAP];
	struct wa_node *n = notice("refresh_code", REF);
	uint8_t secret[32];
	uint32_t valid_ms;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	wk_link_code_start(f.lc);
	answer_ref(&f);
	shown(&f, before, &valid_ms);
	memcpy(secret, f.dev.adv_secret, sizeof(secret));
	wk_link_code_notice(f.lc, n);
	assert_int_equal(f.sent, 2);
	assert_string_equal(f.stage, "companion_hello");
	assert_memory_not_equal(secret, f.dev.adv_secret, sizeof(secret));
	assert_int_equal(wk_link_code_shown(f.lc, after, &valid_ms), WA_ESTATE);
	answer_ref(&f);
	assert_int_equal(f.codes, 2);
	shown(&f, after, &valid_ms);
	assert_string_not_equal(before, after);
	wa_node_free(n);
	teardown(&f);
}

static void test_manual_refresh_ends_the_attempt(void **state)
{
	struct wa_node *n = notice("refresh_code", REF);
	struct fixture f;

	(void)state;
	setup(&f, 1);
	wk_link_code_start(f.lc);
	answer_ref(&f);
	wa_node_set((struct wa_node *)wa_node_child(n, NULL), "force_manual_refresh", "true");
	wk_link_code_notice(f.lc, n);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_ECODE_TIMEOUT);
	assert_int_equal(f.sent, 1);
	wa_node_free(n);
	teardown(&f);
}

static void test_code_that_nobody_types_runs_out(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 20000);
	f.left_ms = 3;
	wk_link_code_start(f.lc);
	answer_ref(&f);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_ECODE_TIMEOUT);
	teardown(&f);
}

static void test_nothing_runs_out_during_the_passkey_step(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 20000);
	f.left_ms = 3;
	wk_link_code_start(f.lc);
	answer_ref(&f);
	wk_link_code_pause(f.lc);
	(void)event_base_dispatch(f.base); /* no timer is left: returns */
	assert_int_equal(f.failed, 0);
	primary_hello(&f, "ABCDEFGH");
	assert_int_equal(f.sent, 1);
	teardown(&f);
}

static void test_request_that_can_not_be_sent_ends_the_attempt(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1);
	f.send_rc = WA_ESTATE;
	wk_link_code_start(f.lc);
	assert_int_equal(f.failed, 1);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_is_shown_when_the_server_has_given_its_ref),
		cmocka_unit_test(test_code_lives_180_s_at_most),
		cmocka_unit_test(test_refusals_are_typed),
		cmocka_unit_test(test_answer_that_never_comes_is_a_timeout),
		cmocka_unit_test(test_answer_without_a_ref_is_refused),
		cmocka_unit_test(test_typed_code_is_answered_with_a_derived_secret),
		cmocka_unit_test(test_fourth_hello_and_a_foreign_ref_are_ignored),
		cmocka_unit_test(test_withdrawn_code_is_replaced_at_once),
		cmocka_unit_test(test_manual_refresh_ends_the_attempt),
		cmocka_unit_test(test_code_that_nobody_types_runs_out),
		cmocka_unit_test(test_nothing_runs_out_during_the_passkey_step),
		cmocka_unit_test(test_request_that_can_not_be_sent_ends_the_attempt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
