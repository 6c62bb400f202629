/*
 * tests/fuzz/fuzz_hook_body.c - webhooks as bodies ask for them, their URLs, and as the registry
 * keeps them
 *
 * Input: a body, taken for a registry's text as well. Properties: what is accepted can be laid over
 * nothing, keeps to its bounds, comes back from the registry as it was, and leads to the same
 * server with byEvents as without.
 */
#include "fuzz.h"
#include "mutate.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_json.h"
#include "gateway/webhook/gw_hook_body.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hook_url.h"

#define ID "aaaaaaaaaaaaaaaa"
static const struct sealed_key key = { .bytes = { 1, 2, 3 }, .epoch = 1 };

static void same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = NULL, *y = NULL;
	CURLUcode rc = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT);

	FUZZ_REQUIRE(curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == rc);
	FUZZ_REQUIRE(rc != CURLUE_OK || strcmp(x, y) == 0);
	curl_free(x);
	curl_free(y);
}

static void check_url(const char *url)
{
	CURLU *plain = curl_url(), *with = curl_url();
	char *made = NULL;

	if (gw_hook_url_for(url, "message.exchange", &made) == 0 && plain != NULL && with != NULL) {
		FUZZ_REQUIRE(curl_url_set(plain, CURLUPART_URL, url, 0) == CURLUE_OK);
		FUZZ_REQUIRE(curl_url_set(with, CURLUPART_URL, made, 0) == CURLUE_OK);
		same_part(plain, with, CURLUPART_SCHEME);
		same_part(plain, with, CURLUPART_USER);
		same_part(plain, with, CURLUPART_HOST);
		same_part(plain, with, CURLUPART_PORT);
		same_part(plain, with, CURLUPART_QUERY);
		FUZZ_REQUIRE(strstr(made, "/message-exchange") != NULL);
	}
	free(made);
	curl_url_cleanup(plain);
	curl_url_cleanup(with);
}

static void check_webhook(const struct gw_webhook *w)
{
	const char *why;

	FUZZ_REQUIRE(gw_webhook_label_valid(w->label));
	FUZZ_REQUIRE(!w->enabled || w->url[0] != '\0');
	FUZZ_REQUIRE(w->key != NULL);
	FUZZ_REQUIRE(strlen(w->authorization) <= GW_WEBHOOK_AUTH_MAX);
	FUZZ_REQUIRE(strpbrk(w->authorization, "\r\n") == NULL);
	if (w->url[0] == '\0')
		return;
	FUZZ_REQUIRE(gw_hook_url_check(w->url, false, &why) == 0);
	check_url(w->url);
}

static char *shown(const struct gw_webhook *w)
{
	json_t *o = gw_webhook_json(w);
	char *text;

	fuzz_own_begin();
	text = json_dumps(o, JSON_COMPACT);
	fuzz_own_end();
	json_decref(o);
	return text;
}

static void check_kept(const struct gw_webhook *w, const json_t *patch)
{
	struct gw_hook_config *again = NULL;
	char *text = NULL, *a, *b;

	if (gw_hook_patch_seal(patch, &key, ID, &text) < 0)
		return;
	FUZZ_REQUIRE(gw_hook_config_load(text, &key, ID, &again) == 0);
	a = shown(w);
	b = shown(gw_webhook_find(again, w->label));
	FUZZ_REQUIRE(a != NULL && b != NULL && strcmp(a, b) == 0);
	FUZZ_REQUIRE(memcmp(w->key, gw_webhook_find(again, w->label)->key, GW_WEBHOOK_KEY_LEN) ==
	             0);
	free(a);
	free(b);
	free(text);
	gw_hook_config_free(again);
}

static void check_body(const json_t *body, bool flat)
{
	const struct gw_hook_body in = { .body = body, .flat = flat };
	json_t *patch = json_object();
	struct gw_hook_config *c = NULL;
	struct gw_hook_wish wish;
	char why[GW_BODY_WHY_CAP] = "";
	size_t websocket_n = 0;
	int rc = gw_hook_body_webhook(&in, patch, &wish, why);

	FUZZ_REQUIRE(rc == 0 ? why[0] == '\0' : why[0] != '\0');
	FUZZ_REQUIRE(rc == 0 || json_object_size(patch) == 0);
	if (rc == 0)
		rc = gw_hook_body_websocket(&in, patch, &websocket_n, why);
	if (rc == 0) {
		FUZZ_REQUIRE(gw_hook_config_apply(&c, patch) == 0);
		FUZZ_REQUIRE(c->webhooks_n == json_object_size(json_object_get(patch, "webhooks")));
		for (size_t i = 0; i < c->webhooks_n; i++) {
			check_webhook(c->webhooks[i]);
			check_kept(c->webhooks[i], patch);
		}
	}
	gw_hook_config_free(c);
	secret_wipe(&wish, sizeof(wish));
	json_decref(patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gw_hook_config *c = NULL;
	json_t *body = NULL;
	char *text = strndup((const char *)data, size);

	if (text != NULL) {
		(void)!gw_hook_config_load(text, &key, ID, &c);
		for (size_t i = 0; c != NULL && i < c->webhooks_n; i++)
			FUZZ_REQUIRE(strlen(c->webhooks[i]->label) <= GW_WEBHOOK_LABEL_MAX);
		gw_hook_config_free(c);
	}
	free(text);
	if (gw_json_object(data, size, &body) == 0) {
		check_body(body, false);
		check_body(body, true);
		json_decref(body);
	}
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const char *const names[] = {
		"webhookEnabled",
		"webhookURL",
		"webhookByEvents",
		"webhookEvents",
		"webhookFromHistory",
		"webhookAuthorization",
		"websocketEnabled",
		"websocketEvents",
		"websocketFromHistory",
		"enabled",
		"url",
		"byEvents",
		"events",
		"fromHistory",
		"authorization",
		"label",
		"rotateSecret",
		"secret",
		"webhooks",
		"websocket",
		"gone",
		"disabledBy",
		"code",
		"detail",
		"at",
	};

	mut_json(m, names, sizeof(names) / sizeof(names[0]), data, size, out);
	return true;
}
