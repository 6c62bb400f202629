/*
 * tests/fuzz/fuzz_ctl_sse.c - wardenctl's server-sent events parser
 *
 * Input: one byte that says where to cut, then the stream. Property: the events and the result do
 * not depend on how the bytes arrive.
 */
#include "fuzz.h"

#include <string.h>

#include "cli/ctl_sse.h"

/* Leaves every event in arg, each part ended by NUL. */
static int collect(const char *event, const char *data, size_t data_len, void *arg)
{
	struct buf *out = arg;

	FUZZ_REQUIRE(data[data_len] == '\0');
	FUZZ_REQUIRE(strlen(event) < CTL_SSE_NAME_CAP);
	FUZZ_REQUIRE(buf_append(out, event, strlen(event) + 1) == 0);
	FUZZ_REQUIRE(buf_append(out, data, data_len + 1) == 0);
	return 0;
}

/* In pieces of step bytes. */
static int parse(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
	struct ctl_sse sse = { 0 };
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = ctl_sse_feed(&sse, data + at, size - at < step ? size - at : step, collect,
		                  out);
	ctl_sse_clear(&sse);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, pieces = { 0 };

	if (size < 2)
		return 0;
	FUZZ_REQUIRE(parse(data + 1, size - 1, size, &whole) ==
	             parse(data + 1, size - 1, 1 + (size_t)data[0] % 16, &pieces));
	FUZZ_REQUIRE(whole.len == pieces.len);
	FUZZ_REQUIRE(whole.len == 0 || memcmp(whole.p, pieces.p, whole.len) == 0);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
