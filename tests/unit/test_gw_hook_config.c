/* tests/unit/test_gw_hook_config.c - webhooks and WebSocket: URLs, bodies, patches, what is sealed
 * and what is shown */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "common/secret.h"
#include "gateway/events/gw_event.h"
#include "gateway/http/gw_body.h"
#include "gateway/webhook/gw_hook_body.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hook_url.h"

#define ID "aaaaaaaaaaaaaaaa"

/* ---- URLs --------------------------------------------------------------------------------------
 */

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		int rc, rc_private; /* rc_private: with webhook_allow_private */
	} cases[] = {
		{ "http://a.example", 0, 0 },
		{ "https://a.example:8443/in?k=v", 0, 0 },
		{ "HTTPS://A.EXAMPLE/", 0, 0 },
		{ "https://xn--bcher-kva.example/", 0, 0 },
		{ "https://8.8.8.8/x", 0, 0 },
		{ "https://[2606:4700:4700::1111]/", 0, 0 },
		{ "http://127.0.0.1:8080/x", -EINVAL, 0 },
		{ "http://127.1/x", -EINVAL, 0 },
		{ "http://0x7f000001/", -EINVAL, 0 },
		{ "http://2130706433/", -EINVAL, 0 },
		{ "http://017700000001/", -EINVAL, 0 },
		{ "http://[::1]/", -EINVAL, 0 },
		{ "http://[::ffff:10.0.0.1]/", -EINVAL, 0 },
		{ "http://localhost/", -EINVAL, 0 },
		{ "http://LOCALHOST:1/", -EINVAL, 0 },
		{ "http://169.254.169.254/latest", -EINVAL, 0 },
		{ "", -EINVAL, -EINVAL },
		{ "a.example", -EINVAL, -EINVAL },
		{ "//a.example/x", -EINVAL, -EINVAL },
		{ "http:///x", -EINVAL, -EINVAL },
		{ "http:/a.example", -EINVAL, -EINVAL },
		{ "http://a.example\\@b.example/", -EINVAL, -EINVAL },
		{ "http://", -EINVAL, -EINVAL },
		{ "ftp://a.example/", -EINVAL, -EINVAL },
		{ "file:///etc/passwd", -EINVAL, -EINVAL },
		{ "gopher://a.example/", -EINVAL, -EINVAL },
		{ "http://u@a.example/", -EINVAL, -EINVAL },
		{ "http://u:p@a.example/", -EINVAL, -EINVAL },
		{ "http://:p@a.example/", -EINVAL, -EINVAL },
		{ "http://@a.example/", -EINVAL, -EINVAL },
		{ "http://a.example/ x", -EINVAL, -EINVAL },
		{ "http://a.example/\n", -EINVAL, -EINVAL },
		{ "http://a.example/\xc3\xa9", -EINVAL, -EINVAL },
		{ "http://a.example:99999/", -EINVAL, -EINVAL },
		{ "http://[fe80::1%25eth0]/", -EINVAL, -EINVAL },
	};
	char lengthy[GW_HOOK_URL_MAX + 2];
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = gw_hook_url_check(cases[i].url, false, &why);
		int rc_private = gw_hook_url_check(cases[i].url, true, &why);

		if (rc != cases[i].rc || rc_private != cases[i].rc_private)
			fail_msg("%s: %d, %d", cases[i].url, rc, rc_private);
	}
	memset(lengthy, 'a', sizeof(lengthy));
	memcpy(lengthy, "http://a.example/", 17);
	lengthy[GW_HOOK_URL_MAX + 1] = '\0';
	assert_int_equal(gw_hook_url_check(lengthy, false, &why), -EINVAL);
	lengthy[GW_HOOK_URL_MAX] = '\0';
	assert_int_equal(gw_hook_url_check(lengthy, false, &why), 0);
}

static void test_the_kind_becomes_a_part_of_the_path(void **state)
{
	static const struct {
		const char *url, *made;
	} cases[] = {
		{ "http://a.example", "http://a.example/message-exchange" },
		{ "http://a.example/", "http://a.example/message-exchange" },
		{ "http://a.example/in", "http://a.example/in/message-exchange" },
		{ "http://a.example/in/", "http://a.example/in/message-exchange" },
		{ "http://a.example/in?k=v&l=%20",
		  "http://a.example/in/message-exchange?k=v&l=%20" },
		{ "http://a.example/a%2Fb", "http://a.example/a%2Fb/message-exchange" },
		{ "http://a.example#x/y", "http://a.example/message-exchange#x/y" },
		{ "https://a.example:8443/x", "https://a.example:8443/x/message-exchange" },
	};
	char *made = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(gw_hook_url_for(cases[i].url, "message.exchange", &made), 0);
		assert_string_equal(made, cases[i].made);
		free(made);
	}
}

/* ---- bodies ------------------------------------------------------------------------------------
 */

struct asked {
	json_t *body, *patch;
	struct gw_hook_wish wish;
	char why[GW_BODY_WHY_CAP];
	int rc;
};

static void ask(struct asked *a, const char *text, bool flat, const struct gw_hook_config *now)
{
	struct gw_hook_body in = { .flat = flat, .now = now };

	*a = (struct asked){ .body = json_loads(text, 0, NULL), .patch = json_object() };
	assert_non_null(a->body);
	in.body = a->body;
	a->rc = gw_hook_body_webhook(&in, a->patch, &a->wish, a->why);
}

static void asked_clear(struct asked *a)
{
	json_decref(a->body);
	json_decref(a->patch);
}

/* Lay what a body says over c. */
static void take(struct gw_hook_config **c, const char *text)
{
	struct asked a;

	ask(&a, text, false, *c);
	assert_int_equal(a.rc, 0);
	assert_int_equal(gw_hook_config_apply(c, a.patch), 0);
	asked_clear(&a);
}

static void test_bodies_that_are_refused(void **state)
{
	static const struct {
		const char *body, *why;
	} cases[] = {
		{ "{}", "an enabled webhook needs url" },
		{ "{\"enabled\":1}", "enabled has to be true or false" },
		{ "{\"url\":5}", "url has to be a string" },
		{ "{\"url\":\"http://10.0.0.1/\"}", "not public" },
		{ "{\"url\":\"http://a.example\",\"events\":\"message.exchange\"}", "array" },
		{ "{\"url\":\"http://a.example\",\"events\":[\"message.exchange\",\"x\"]}",
		  "\"x\" is no kind of event" },
		{ "{\"url\":\"http://a.example\",\"label\":\"a b\"}", "label" },
		{ "{\"url\":\"http://a.example\",\"label\":\"\"}", "label" },
		{ "{\"url\":\"http://a.example\",\"label\":7}", "label" },
		{ "{\"url\":\"http://a.example\",\"authorization\":\"a\\nb\"}", "authorization" },
		{ "{\"url\":\"http://a.example\",\"authorization\":\"\xc3\xa9\"}",
		  "authorization" },
		{ "{\"url\":\"http://a.example\",\"byEvents\":\"yes\"}", "byEvents" },
		{ "{\"url\":\"http://a.example\",\"mediaBase64\":0}", "mediaBase64" },
		{ "{\"url\":\"http://a.example\",\"rotateSecret\":0}", "rotateSecret" },
	};
	struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&a, cases[i].body, false, NULL);
		if (a.rc != -EINVAL || strstr(a.why, cases[i].why) == NULL)
			fail_msg("%s: %d %s", cases[i].body, a.rc, a.why);
		assert_int_equal(json_object_size(a.patch), 0);
		asked_clear(&a);
	}
}

static void test_a_webhook_is_made_with_a_secret_that_stays(void **state)
{
	struct gw_hook_config *c = NULL;
	const struct gw_webhook *w;
	uint8_t key[GW_WEBHOOK_KEY_LEN];
	struct asked a;

	(void)state;
	ask(&a, "{\"url\":\"http://a.example/\",\"authorization\":\"Bearer x\"}", false, NULL);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.wish.label, "default");
	assert_memory_equal(a.wish.secret, "whsec_", 6);
	assert_int_equal(strlen(a.wish.secret), 6 + 44);
	assert_int_equal(gw_hook_config_apply(&c, a.patch), 0);
	asked_clear(&a);
	w = gw_webhook_find(c, "default");
	assert_non_null(w);
	assert_true(w->enabled);
	assert_int_equal(w->filter.kinds, 0);
	assert_string_equal(w->authorization, "Bearer x");
	memcpy(key, w->key, sizeof(key));

	/* what is not named stays, and so does what is shown masked */
	ask(&a, "{\"events\":[\"call.update\"],\"authorization\":\"" GW_WEBHOOK_MASK "\"}", false,
	    c);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.wish.secret, "");
	assert_int_equal(gw_hook_config_apply(&c, a.patch), 0);
	asked_clear(&a);
	w = gw_webhook_find(c, "default");
	assert_int_equal(w->filter.kinds, 1 << GW_EVENT_CALL_UPDATE);
	assert_string_equal(w->url, "http://a.example/");
	assert_string_equal(w->authorization, "Bearer x");
	assert_memory_equal(w->key, key, sizeof(key));

	ask(&a, "{\"rotateSecret\":true}", false, c);
	assert_int_equal(a.rc, 0);
	assert_memory_equal(a.wish.secret, "whsec_", 6);
	assert_int_equal(gw_hook_config_apply(&c, a.patch), 0);
	asked_clear(&a);
	assert_memory_not_equal(gw_webhook_find(c, "default")->key, key, sizeof(key));
	gw_hook_config_free(c);
}

static void test_enabled_again_it_begins_anew(void **state)
{
	struct gw_hook_config *c = NULL;
	json_t *gone = json_pack("{s:{s:{s:b, s:i}}}", "webhooks", "default", "enabled", 0,
	                         "gone", 5);
	const struct gw_webhook *w;
	json_t *shown;

	(void)state;
	take(&c, "{\"url\":\"http://a.example/\"}");
	assert_int_equal(gw_hook_config_apply(&c, gone), 0);
	json_decref(gone);
	w = gw_webhook_find(c, "default");
	assert_false(w->enabled);
	shown = gw_webhook_json(w);
	assert_string_equal(
	    json_string_value(json_object_get(json_object_get(shown, "disabledBy"), "code")),
	    "gone");
	json_decref(shown);
	take(&c, "{\"url\":\"http://b.example/\"}"); /* a change that does not enable */
	assert_false(gw_webhook_find(c, "default")->enabled);
	take(&c, "{\"enabled\":true}");
	w = gw_webhook_find(c, "default");
	assert_true(w->enabled);
	assert_true(w->gone_unix_ms == 0);
	gw_hook_config_free(c);
}

static void test_the_body_of_new(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "{\"name\":\"x\",\"url\":\"nonsense\",\"label\":7}", true, NULL);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.wish.n, 0);
	assert_int_equal(json_object_size(a.patch), 0);
	asked_clear(&a);
	ask(&a,
	    "{\"webhookEnabled\":true,\"webhookURL\":\"http://a.example\","
	    "\"webhookEvents\":[\"group.flow\"],\"webhookByEvents\":true}",
	    true, NULL);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.wish.n, 4);
	assert_memory_equal(a.wish.secret, "whsec_", 6);
	asked_clear(&a);
	ask(&a, "{\"webhookEnabled\":true}", true, NULL);
	assert_int_equal(a.rc, -EINVAL);
	assert_non_null(strstr(a.why, "webhookURL"));
	asked_clear(&a);
}

/* ---- limits ------------------------------------------------------------------------------------
 */

static void test_changes_under_way_count(void **state)
{
	struct gw_hook_config *c = NULL;
	json_t *p[3] = {
		json_loads("{\"webhooks\":{\"c\":{\"enabled\":true},\"d\":{\"enabled\":false}}}", 0,
		           NULL),
		json_loads("{\"webhooks\":{\"d\":{\"enabled\":true},\"a\":null}}", 0, NULL),
		json_loads("{\"webhooks\":{\"b\":{\"url\":\"x\"},\"a\":{\"enabled\":true}}}", 0,
		           NULL),
	};
	const json_t *patches[3] = { p[0], p[1], p[2] };
	size_t labels_n, enabled_n;

	(void)state;
	take(&c, "{\"label\":\"a\",\"url\":\"http://a.example/\"}");
	take(&c, "{\"label\":\"b\",\"url\":\"http://a.example/\"}");
	gw_hook_config_count(c, patches, 0, &labels_n, &enabled_n);
	assert_int_equal(labels_n, 2);
	assert_int_equal(enabled_n, 2);
	gw_hook_config_count(c, patches, 1, &labels_n, &enabled_n);
	assert_int_equal(labels_n, 4);
	assert_int_equal(enabled_n, 3);
	gw_hook_config_count(c, patches, 2, &labels_n, &enabled_n);
	assert_int_equal(labels_n, 3);
	assert_int_equal(enabled_n, 3); /* b, c, d */
	gw_hook_config_count(c, patches, 3, &labels_n, &enabled_n);
	assert_int_equal(labels_n, 4);
	assert_int_equal(enabled_n, 4);
	gw_hook_config_count(NULL, patches, 2, &labels_n, &enabled_n);
	assert_int_equal(labels_n, 2);
	for (int i = 0; i < 3; i++)
		json_decref(p[i]);
	gw_hook_config_free(c);
}

/* ---- at rest -----------------------------------------------------------------------------------
 */

static void test_what_is_secret_is_sealed_and_comes_back(void **state)
{
	struct sealed_key key = { .bytes = { 1, 2, 3 }, .epoch = 1 },
	                  other = { .bytes = { 9 }, .epoch = 1 };
	struct gw_hook_config *c = NULL;
	const struct gw_webhook *w;
	struct asked a;
	char *text = NULL;

	(void)state;
	ask(&a,
	    "{\"label\":\"crm\",\"url\":\"http://a.example/?key=HIDDEN\","
	    "\"authorization\":\"Bearer HIDDEN\",\"events\":[\"history.sync\"],\"byEvents\":true}",
	    false, NULL);
	assert_int_equal(a.rc, 0);
	assert_int_equal(gw_hook_patch_seal(a.patch, &key, ID, &text), 0);
	assert_null(strstr(text, "HIDDEN"));
	assert_null(strstr(text, a.wish.secret + 6));

	assert_int_equal(gw_hook_config_load(text, &key, ID, &c), 0);
	w = gw_webhook_find(c, "crm");
	assert_non_null(w);
	assert_string_equal(w->url, "http://a.example/?key=HIDDEN");
	assert_string_equal(w->authorization, "Bearer HIDDEN");
	assert_true(w->by_events);
	assert_non_null(w->key);
	gw_hook_config_free(c);

	/* another key, another instance: nothing is delivered to what can't be read */
	assert_true(gw_hook_config_load(text, &other, ID, &c) < 0);
	assert_false(gw_webhook_find(c, "crm")->enabled);
	gw_hook_config_free(c);
	assert_true(gw_hook_config_load(text, &key, "bbbbbbbbbbbbbbbb", &c) < 0);
	assert_false(gw_webhook_find(c, "crm")->enabled);
	gw_hook_config_free(c);
	free(text);
	asked_clear(&a);
}

static void test_texts_that_no_one_wrote(void **state)
{
	static const char *const cases[] = {
		"[]",
		"x",
		"{\"webhooks\":{\"a\":5}}",
		"{\"webhooks\":{\"a\":{\"enabled\":\"yes\"}}}",
		"{\"webhooks\":{\"a\":{\"url\":\"AAAA\"}}}",
		"{\"webhooks\":{\"a\":{\"url\":\"!\"}}}",
		"{\"websocket\":[]}",
		"{\"websocket\":{\"events\":[\"later.kind\"]}}",
	};
	struct sealed_key key = { .bytes = { 1 }, .epoch = 1 };
	struct gw_hook_config *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_not_equal(gw_hook_config_load(cases[i], &key, ID, &c), 0);
		if (c != NULL && gw_webhook_find(c, "a") != NULL)
			assert_false(gw_webhook_find(c, "a")->enabled);
		/* a filter of unknown kinds alone is not "all" */
		if (c != NULL && i == ARRAY_LEN(cases) - 1)
			assert_false(
			    gw_event_wanted(&c->websocket.filter, GW_EVENT_CALL_UPDATE, 0));
		gw_hook_config_free(c);
	}
	assert_int_equal(gw_hook_config_load("{}", &key, ID, &c), 0);
	assert_null(c);
	assert_int_equal(gw_hook_config_load(NULL, &key, ID, &c), 0);
}

/* ---- shown -------------------------------------------------------------------------------------
 */

static void test_no_secret_is_shown(void **state)
{
	struct gw_hook_config *c = NULL;
	json_t *shown;
	char *text;

	(void)state;
	shown = gw_hook_config_brief_json(NULL);
	text = json_dumps(shown, JSON_COMPACT);
	assert_string_equal(text, "{\"enabled\":false}");
	free(text);
	json_decref(shown);
	take(&c, "{\"url\":\"http://a.example/\",\"authorization\":\"Bearer HIDDEN\","
	         "\"events\":[\"message.status\",\"instance.state\"]}");
	shown = gw_webhook_json(gw_webhook_find(c, "default"));
	text = json_dumps(shown, JSON_COMPACT);
	assert_string_equal(
	    text, "{\"label\":\"default\",\"enabled\":true,\"url\":\"http://a.example/\","
	          "\"authorization\":\"********\",\"byEvents\":false,"
	          "\"events\":[\"message.status\",\"instance.state\"],\"mediaBase64\":false,"
	          "\"fromHistory\":false,\"disabledBy\":null}");
	free(text);
	json_decref(shown);
	take(&c, "{\"authorization\":\"\"}");
	shown = gw_webhook_json(gw_webhook_find(c, "default"));
	assert_string_equal(json_string_value(json_object_get(shown, "authorization")), "");
	json_decref(shown);
	gw_hook_config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_the_kind_becomes_a_part_of_the_path),
		cmocka_unit_test(test_bodies_that_are_refused),
		cmocka_unit_test(test_a_webhook_is_made_with_a_secret_that_stays),
		cmocka_unit_test(test_enabled_again_it_begins_anew),
		cmocka_unit_test(test_the_body_of_new),
		cmocka_unit_test(test_changes_under_way_count),
		cmocka_unit_test(test_what_is_secret_is_sealed_and_comes_back),
		cmocka_unit_test(test_texts_that_no_one_wrote),
		cmocka_unit_test(test_no_secret_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
