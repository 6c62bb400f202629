/*
 * tests/fuzz/fuzz_ctl_resp.c - wardenctl's HTTP response parser
 *
 * Input: one byte that says where to cut, then the response. Property: status, body and result do
 * not depend on how the bytes arrive.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "cli/ctl_resp.h"

static int collect(const void *bytes, size_t bytes_len, void *arg)
{
	FUZZ_REQUIRE(buf_append(arg, bytes, bytes_len) == 0);
	return 0;
}

/* In pieces of step bytes, then the end of the connection. */
static int parse(const uint8_t *data, size_t size, size_t step, struct ctl_resp *resp,
                 struct buf *body)
{
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = ctl_resp_feed(resp, data + at, size - at < step ? size - at : step, collect,
		                   body);
	return rc == 0 ? ctl_resp_end(resp) : rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, pieces = { 0 };
	struct ctl_resp a = { 0 }, b = { 0 };

	if (size < 2)
		return 0;
	FUZZ_REQUIRE(parse(data + 1, size - 1, size, &a, &whole) ==
	             parse(data + 1, size - 1, 1 + (size_t)data[0] % 16, &b, &pieces));
	FUZZ_REQUIRE(a.status == b.status && a.state == b.state);
	FUZZ_REQUIRE(strcmp(a.content_type, b.content_type) == 0);
	FUZZ_REQUIRE(whole.len == pieces.len);
	FUZZ_REQUIRE(whole.len == 0 || memcmp(whole.p, pieces.p, whole.len) == 0);
	ctl_resp_clear(&a);
	ctl_resp_clear(&b);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 1)
		return false;
	mut_put(out, data, 1);
	mut_http(m, MUT_HTTP_RESPONSE, data + 1, size - 1, out);
	return true;
}
