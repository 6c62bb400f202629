/*
 * tests/fuzz/fuzz_upgrade.c - the answer to the WebSocket's opening handshake, and addresses as
 * text
 *
 * First byte: 0 the rest is the answer; else it is a URL, and HOST[:PORT]. Property: an answer that
 * is taken is taken at the same length when more follows and not when it is cut; what is taken of a
 * URL makes the same URL again.
 */
#include "fuzz.h"
#include "mutate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "worker/net/wk_upgrade.h"
#include "worker/net/wk_url.h"

static const uint8_t nonce[WK_UPGRADE_NONCE_LEN] = { 0 };

static void answer(const uint8_t *data, size_t size)
{
	struct wk_upgrade u;
	const char *why = NULL;
	size_t len = 0, again = 0;
	unsigned status = 0;
	int rc;

	FUZZ_REQUIRE(wk_upgrade_init(&u, nonce) == 0);
	rc = wk_upgrade_check(&u, data, size, &len, &why, &status);
	FUZZ_REQUIRE(rc == 0 || rc == -EAGAIN || rc == WA_EHANDSHAKE);
	FUZZ_REQUIRE((rc == WA_EHANDSHAKE) == (why != NULL));
	if (rc != 0)
		return;
	FUZZ_REQUIRE(len > 0 && len <= size);
	FUZZ_REQUIRE(wk_upgrade_check(&u, data, len, &again, &why, &status) == 0 && again == len);
	FUZZ_REQUIRE(wk_upgrade_check(&u, data, len - 1, &again, &why, &status) == -EAGAIN);
}

static void address(const char *text, size_t len)
{
	char whole[WK_HOSTPORT_CAP + WK_PATH_CAP + 8];
	struct wk_url url, again;

	if (wk_url_authority(text, len, true, &url) == 0)
		FUZZ_REQUIRE(url.host[0] != '\0' && strcmp(url.path, "/") == 0);
	if (wk_url_parse(text, &url) < 0)
		return;
	FUZZ_REQUIRE(url.host[0] != '\0' && url.path[0] == '/' && url.port != 0);
	snprintf(whole, sizeof(whole), "%s://%s%s", url.tls ? "wss" : "ws", url.hostport, url.path);
	FUZZ_REQUIRE(wk_url_parse(whole, &again) == 0);
	FUZZ_REQUIRE(again.tls == url.tls && again.port == url.port);
	FUZZ_REQUIRE(strcmp(again.host, url.host) == 0 && strcmp(again.path, url.path) == 0);
	FUZZ_REQUIRE(strcmp(again.authority, url.authority) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 2)
		return 0;
	if (data[0] == 0) {
		answer(data + 1, size - 1);
		return 0;
	}
	text = strndup((const char *)data + 1, size - 1);
	FUZZ_REQUIRE(text != NULL);
	address(text, strlen(text));
	free(text);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 2 || data[0] != 0)
		return false;
	mut_put(out, data, 1);
	mut_http(m, MUT_HTTP_RESPONSE, data + 1, size - 1, out);
	return true;
}
