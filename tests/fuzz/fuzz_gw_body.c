/*
 * tests/fuzz/fuzz_gw_body.c - JSON bodies, and what the routes take from them
 *
 * Input: a body. Properties: what is accepted reads the same again as we write it, and what was
 * taken from it is within its bounds and is taken again.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "gateway/http/gw_body.h"
#include "gateway/http/gw_json.h"
#include "gateway/instance/gw_instance.h"

static void check_proxy(const json_t *body, bool flat)
{
	char why[GW_BODY_WHY_CAP] = "";
	struct gw_proxy proxy = { 0 }, again = { 0 };
	int n = gw_body_proxy(body, flat, &proxy, why);

	FUZZ_REQUIRE(n >= 0 ? why[0] == '\0' : why[0] != '\0');
	if (n < 0)
		return;
	FUZZ_REQUIRE(!proxy.enabled || (proxy.host[0] != '\0' && proxy.port != 0));
	FUZZ_REQUIRE(strpbrk(proxy.host, " /@[]\r\n") == NULL);
	FUZZ_REQUIRE(strpbrk(proxy.username, "\r\n") == NULL);
	FUZZ_REQUIRE(strpbrk(proxy.password, "\r\n") == NULL);
	FUZZ_REQUIRE(gw_body_proxy(body, flat, &again, why) == n);
	FUZZ_REQUIRE(memcmp(&proxy, &again, sizeof(proxy)) == 0);
}

static void check_settings(const json_t *body)
{
	char why[GW_BODY_WHY_CAP] = "", *text = NULL, *text_again = NULL;
	int n = gw_body_settings(body, &text, why);
	json_t *kept;

	FUZZ_REQUIRE(n >= 0 ? why[0] == '\0' : why[0] != '\0');
	if (n < 0)
		return;
	FUZZ_REQUIRE(gw_json_object(text, strlen(text), &kept) == 0);
	FUZZ_REQUIRE(json_object_size(kept) == (size_t)n);
	FUZZ_REQUIRE(gw_body_settings(kept, &text_again, why) == n);
	FUZZ_REQUIRE(strcmp(text, text_again) == 0);
	json_decref(kept);
	free(text);
	free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body, *again;
	char *text;

	if (size == 0 || gw_json_object(data, size, &body) < 0)
		return 0;
	FUZZ_REQUIRE(json_is_object(body));
	check_proxy(body, false);
	check_proxy(body, true);
	check_settings(body);
	fuzz_own_begin();
	text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17));
	fuzz_own_end();
	FUZZ_REQUIRE(text != NULL);
	FUZZ_REQUIRE(gw_json_object(text, strlen(text), &again) == 0);
	FUZZ_REQUIRE(json_equal(body, again));
	json_decref(again);
	free(text);
	json_decref(body);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const char *const names[] = {
		"proxyEnabled",
		"proxyHost",
		"proxyPort",
		"proxyProtocol",
		"proxyUsername",
		"proxyPassword",
		"enabled",
		"host",
		"port",
		"protocol",
		"username",
		"password",
		"autoReadMessages",
		"autoRejectCalls",
		"callRejectMessage",
		"disableHistorySync",
		"ignoreGroupMessages",
		"ignoreStatus",
		"keepOnlineStatus",
	};

	mut_json(m, names, sizeof(names) / sizeof(names[0]), data, size, out);
	return true;
}
