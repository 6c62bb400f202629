/* tests/unit/test_wk_passkey.c - the passkey step, and the JSON that goes through it */
#include "test.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/pair/wk_passkey.h"
#include "worker/pair/wk_passkey_json.h"
#include "worker/wa/link/wa_passkey.h"
#include "worker/wa/node/wa_node.h"

#define OPTIONS "{\"challenge\":\"AAAA\",\"rpId\":\"whatsapp.com\"}"
#define CREDENTIAL \
	"{\"id\":\"AQID\",\"rawId\":\"AQID\",\"type\":\"public-key\",\"extra\":{\"a\":1}," \
	"\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AA\"," \
	"\"signature\":\"AQ\",\"userHandle\":null}}"

/* ---- JSON -------------------------------------------------------------------------------- */

static void test_options_are_a_json_object(void **state)
{
	(void)state;
	assert_true(wk_passkey_options_valid(OPTIONS, strlen(OPTIONS)));
	assert_false(wk_passkey_options_valid("[1]", 3));
	assert_false(wk_passkey_options_valid("", 0));
	assert_false(wk_passkey_options_valid("{\"a\":1", 6));
	assert_false(wk_passkey_options_valid("{\"a\":\"\xff\"}", 9));
	assert_false(wk_passkey_options_valid("{}x", 3));
}

static void test_only_known_members_of_a_credential_are_passed_on(void **state)
{
	struct wk_credential c;
	const char *why;

	(void)state;
	assert_int_equal(wk_credential_read(CREDENTIAL, &c, &why), 0);
	assert_int_equal(c.id_len, 3);
	assert_memory_equal(c.id, "\x01\x02\x03", 3);
	assert_string_equal(c.assertion,
	                    "{\"id\":\"AQID\",\"rawId\":\"AQID\",\"type\":\"public-key\","
	                    "\"response\":{\"clientDataJSON\":\"e30\",\"authenticatorData\":\"AA\","
	                    "\"signature\":\"AQ\"}}");
	wk_credential_clear(&c);
	assert_null(c.assertion);
}

static void test_credential_that_can_not_be_used_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{",
		"{}",
		"{\"id\":\"AQID\"}",
		"{\"id\":\"A*\",\"response\":{\"clientDataJSON\":\"a\",\"authenticatorData\":\"b\","
		"\"signature\":\"c\"}}",
		"{\"id\":\"\",\"response\":{\"clientDataJSON\":\"a\",\"authenticatorData\":\"b\","
		"\"signature\":\"c\"}}",
		"{\"id\":\"AQID\",\"response\":{\"clientDataJSON\":\"a\",\"authenticatorData\":"
		"\"b\"}}",
		"{\"id\":\"AQID\",\"response\":[]}",
		"{\"id\":1,\"rawId\":2,\"response\":{\"clientDataJSON\":\"a\","
		"\"authenticatorData\":\"b\",\"signature\":\"c\"}}",
	};
	struct wk_credential c;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why = NULL;
		assert_int_equal(wk_credential_read(bad[i], &c, &why), WA_EPROTO);
		assert_non_null(why);
		assert_null(c.assertion);
		assert_int_equal(c.id_len, 0);
	}
}

static void test_credential_that_is_too_long_or_too_deep_is_refused(void **state)
{
	char *text = malloc(WK_CREDENTIAL_MAX + 2);
	struct wk_credential c;
	const char *why;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', WK_CREDENTIAL_MAX + 1);
	text[WK_CREDENTIAL_MAX + 1] = '\0';
	assert_int_equal(wk_credential_read(text, &c, &why), WA_ELIMIT);
	memset(text, '[', WK_CREDENTIAL_MAX);
	text[WK_CREDENTIAL_MAX] = '\0';
	assert_int_equal(wk_credential_read(text, &c, &why), WA_EPROTO);
	free(text);
}

/* ---- the step ---------------------------------------------------------------------------- */

struct fixture {
	struct event_base *base;
	struct wa_device dev;
	uint8_t first_secret[32], secret_when_acked[32];
	struct wk_passkey *pk;
	unsigned sent, acks, stages, failed;
	char id[64], child[64]; /* of the last IQ */
	bool proof;             /* it had one */
	struct wk_failure failure;
};

static int on_send(const struct wa_node *n, void *arg)
{
	const struct wa_node *child = wa_node_child(n, NULL);
	struct fixture *f = arg;

	if (wa_node_is(n, "ack")) {
		f->acks++;
		memcpy(f->secret_when_acked, f->dev.adv_secret, sizeof(f->secret_when_acked));
		return 0;
	}
	f->sent++;
	f->proof = wa_node_child(child, "pairing_handoff_proof") != NULL;
	(void)snprintf(f->id, sizeof(f->id), "%s", wa_node_attr(n, "id"));
	(void)snprintf(f->child, sizeof(f->child), "%s", child->tag);
	return 0;
}

static void on_stage(void *arg)
{
	((struct fixture *)arg)->stages++;
}

static void on_failed(const struct wk_failure *failure, void *arg)
{
	struct fixture *f = arg;

	f->failed++;
	f->failure = *failure;
	(void)event_base_loopbreak(f->base);
}

static const struct wk_passkey_ops ops = {
	.send = on_send,
	.on_stage = on_stage,
	.on_failed = on_failed,
};

static struct wa_node *request(const char *options)
{
	struct wa_node *n = wa_node_new("notification");

	wa_node_set(n, "id", "n-1");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "passkey_prologue_request");
	if (options != NULL)
		wa_node_set_bytes(wa_node_add(n, "passkey_request_options"), options,
		                  strlen(options));
	return n;
}

static void begin(struct fixture *f, const char *options, uint32_t proof_ms, unsigned speed)
{
	struct wk_passkey_params params = { .proof_ms = proof_ms, .speed = speed, .tag = 9 };
	struct wa_node *n = request(options);

	memset(f, 0, sizeof(*f));
	assert_int_equal(wa_keys_init(), 0);
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(wa_device_init(&f->dev), 0);
	memcpy(f->first_secret, f->dev.adv_secret, sizeof(f->first_secret));
	params.base = f->base;
	params.dev = &f->dev;
	params.ops = &ops;
	params.arg = f;
	assert_int_equal(wk_passkey_new(&params, n, &f->pk), 0);
	wa_node_free(n);
}

static void teardown(struct fixture *f)
{
	wk_passkey_free(f->pk);
	wa_device_wipe(&f->dev);
	event_base_free(f->base);
}

static void answer(struct fixture *f, const char *child, const char *bytes)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", f->id);
	if (child != NULL)
		wa_node_set_bytes(wa_node_add(n, child), bytes, strlen(bytes));
	assert_true(wk_passkey_iq(f->pk, n));
	assert_false(wk_passkey_iq(f->pk, n)); /* once */
	wa_node_free(n);
}

static void phone_continues(struct fixture *f)
{
	struct wa_node *n = wa_node_new("notification");
	uint8_t identity[2 * (2 + 32)] = { 0x0a, 32 };
	struct wa_keypair kp;

	assert_int_equal(wa_keypair_new(&kp), 0);
	memcpy(identity + 2, kp.pub, 32);
	identity[34] = 0x12;
	identity[35] = 32;
	memset(identity + 36, 5, 32);
	wa_node_set(n, "id", "n-2");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "crsc_continuation");
	wa_node_set_bytes(wa_node_add(n, "primary_ephemeral_identity"), identity, sizeof(identity));
	wk_passkey_continuation(f->pk, n);
	wa_node_free(n);
}

static enum wk_passkey_stage stage(const struct fixture *f)
{
	struct wk_passkey_view view;

	wk_passkey_look(f->pk, &view);
	assert_int_equal(view.options != NULL, view.stage == WK_PASSKEY_REQUIRED);
	assert_int_equal(view.code != NULL, view.stage == WK_PASSKEY_CONFIRM);
	return view.stage;
}

static void test_secret_is_new_before_the_request_is_acknowledged(void **state)
{
	struct wk_passkey_view view;
	struct fixture f;

	(void)state;
	begin(&f, OPTIONS, WA_PASSKEY_HANDOFF_MS, 1);
	assert_int_equal(f.acks, 1);
	assert_int_equal(f.sent, 0);
	assert_memory_not_equal(f.first_secret, f.secret_when_acked, 32);
	assert_memory_equal(f.dev.adv_secret, f.secret_when_acked, 32);
	assert_int_equal(f.stages, 1);
	wk_passkey_look(f.pk, &view);
	assert_int_equal(view.stage, WK_PASSKEY_REQUIRED);
	assert_string_equal(view.options, OPTIONS);
	assert_in_range(view.valid_ms, 299000, 300000);
	teardown(&f);
}

static void test_options_that_are_missing_or_unreadable_are_asked_for(void **state)
{
	static const char *const cases[] = { NULL, "no json", "[]" };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&f, cases[i], WA_PASSKEY_HANDOFF_MS, 1);
		assert_int_equal(f.sent, 1);
		assert_string_equal(f.child, "passkey_request_options");
		assert_int_equal(stage(&f), WK_PASSKEY_NONE);
		assert_int_equal(wk_passkey_answer(f.pk, CREDENTIAL), WA_ESTATE);
		answer(&f, "passkey_request_options", OPTIONS);
		assert_int_equal(stage(&f), WK_PASSKEY_REQUIRED);
		teardown(&f);
	}
	begin(&f, NULL, WA_PASSKEY_HANDOFF_MS, 1);
	answer(&f, "passkey_request_options", "garbage");
	assert_int_equal(f.failure.rc, WA_EPROTO);
	teardown(&f);
}

static void test_proof_spares_the_comparison(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, OPTIONS, WA_PASSKEY_HANDOFF_MS, 1);
	assert_int_equal(wk_passkey_answer(f.pk, CREDENTIAL), 0);
	assert_string_equal(f.child, "ref");
	assert_int_equal(wk_passkey_answer(f.pk, CREDENTIAL), WA_ESTATE); /* once */
	answer(&f, "ref", "2@ref");
	assert_string_equal(f.child, "passkey_prologue");
	assert_true(f.proof);
	answer(&f, NULL, NULL);
	assert_int_equal(f.sent, 2); /* the phone's turn */
	phone_continues(&f);
	assert_string_equal(f.child, "companion_nonce");
	answer(&f, NULL, NULL);
	assert_string_equal(f.child, "encrypted_pairing_request");
	assert_int_equal(wk_passkey_confirm(f.pk), WA_ESTATE);
	answer(&f, NULL, NULL);
	assert_int_equal(stage(&f), WK_PASSKEY_DONE);
	assert_int_equal(f.failed, 0);
	teardown(&f);
}

static void test_without_a_proof_the_user_compares_codes(void **state)
{
	struct wk_passkey_view view;
	struct fixture f;

	(void)state;
	begin(&f, OPTIONS, 0, 1);
	assert_int_equal(wk_passkey_answer(f.pk, CREDENTIAL), 0);
	answer(&f, "ref", "2@ref");
	assert_false(f.proof);
	phone_continues(&f); /* before the answer */
	phone_continues(&f); /* and again: ignored */
	answer(&f, NULL, NULL);
	assert_string_equal(f.child, "companion_nonce");
	assert_int_equal(wk_passkey_confirm(f.pk), WA_ESTATE);
	answer(&f, NULL, NULL);
	wk_passkey_look(f.pk, &view);
	assert_int_equal(view.stage, WK_PASSKEY_CONFIRM);
	assert_int_equal(strlen(view.code), 9);
	assert_int_equal(wk_passkey_confirm(f.pk), 0);
	assert_string_equal(f.child, "encrypted_pairing_request");
	assert_int_equal(wk_passkey_confirm(f.pk), WA_ESTATE);
	answer(&f, NULL, NULL);
	assert_int_equal(stage(&f), WK_PASSKEY_DONE);
	assert_int_equal(f.stages, 3);
	teardown(&f);
}

static void test_credential_that_can_not_be_used_is_asked_for_again(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, OPTIONS, WA_PASSKEY_HANDOFF_MS, 1);
	assert_int_equal(wk_passkey_answer(f.pk, "{}"), 0);
	assert_int_equal(f.sent, 0);
	assert_int_equal(f.stages, 2);
	assert_int_equal(stage(&f), WK_PASSKEY_REQUIRED);
	assert_int_equal(wk_passkey_answer(f.pk, CREDENTIAL), 0);
	assert_int_equal(f.sent, 1);
	teardown(&f);
}

static void test_refusal_ends_the_step(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	struct wa_node *error = wa_node_add(n, "error");
	struct fixture f;

	(void)state;
	begin(&f, OPTIONS, WA_PASSKEY_HANDOFF_MS, 1);
	assert_int_equal(wk_passkey_answer(f.pk, CREDENTIAL), 0);
	wa_node_set(n, "type", "error");
	wa_node_set(n, "id", f.id);
	wa_node_set(error, "code", "403");
	wa_node_set(error, "text", "forbidden");
	assert_true(wk_passkey_iq(f.pk, n));
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_EPAIRING_REFUSED);
	assert_int_equal(f.failure.reason, 403);
	wa_node_free(n);
	teardown(&f);
}

static void test_step_that_nobody_finishes_runs_out(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, OPTIONS, WA_PASSKEY_HANDOFF_MS, 100000);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_ETIMEOUT);
	assert_non_null(strstr(f.failure.detail, "not finished"));
	teardown(&f);
}

static void test_request_that_is_not_answered_is_a_timeout(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL, WA_PASSKEY_HANDOFF_MS, 10000);
	(void)event_base_dispatch(f.base);
	assert_int_equal(f.failed, 1);
	assert_int_equal(f.failure.rc, WA_ETIMEOUT);
	assert_non_null(strstr(f.failure.detail, "did not answer"));
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_a_json_object),
		cmocka_unit_test(test_only_known_members_of_a_credential_are_passed_on),
		cmocka_unit_test(test_credential_that_can_not_be_used_is_refused),
		cmocka_unit_test(test_credential_that_is_too_long_or_too_deep_is_refused),
		cmocka_unit_test(test_secret_is_new_before_the_request_is_acknowledged),
		cmocka_unit_test(test_options_that_are_missing_or_unreadable_are_asked_for),
		cmocka_unit_test(test_proof_spares_the_comparison),
		cmocka_unit_test(test_without_a_proof_the_user_compares_codes),
		cmocka_unit_test(test_credential_that_can_not_be_used_is_asked_for_again),
		cmocka_unit_test(test_refusal_ends_the_step),
		cmocka_unit_test(test_step_that_nobody_finishes_runs_out),
		cmocka_unit_test(test_request_that_is_not_answered_is_a_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
