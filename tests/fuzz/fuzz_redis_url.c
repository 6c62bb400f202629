/*
 * tests/fuzz/fuzz_redis_url.c - the setting redis_url
 *
 * Property: what is understood has one place to go to, a port, and nothing that could end a line.
 */
#include "fuzz.h"

#include <string.h>

#include "gateway/limit/gw_redis_url.h"

static void require_text(const char *text, size_t cap)
{
	FUZZ_REQUIRE(memchr(text, '\0', cap) != NULL);
	for (; *text != '\0'; text++)
		FUZZ_REQUIRE((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gw_redis_target t;
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (gw_redis_url_parse(text, &t) == 0) {
		require_text(t.host, sizeof(t.host));
		require_text(t.path, sizeof(t.path));
		require_text(t.user, sizeof(t.user));
		require_text(t.password, sizeof(t.password));
		FUZZ_REQUIRE((t.host[0] == '\0') != (t.path[0] == '\0'));
		FUZZ_REQUIRE(t.path[0] == '/' || t.port != 0);
		FUZZ_REQUIRE(t.db <= GW_REDIS_DB_MAX);
	}
	free(text);
	return 0;
}
