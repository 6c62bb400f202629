/*
 * tests/fuzz/fuzz_http_answer.c - an HTTP answer of a media server
 *
 * Input: one byte that says where to cut, then the answer. Property: verdict, head and body do not
 * depend on how the bytes arrive, and a body whose length was told is no longer than that.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/buf.h"
#include "worker/net/wk_http_reader.h"

struct result {
	int rc;
	struct wk_http_reader r;
	struct buf body;
};

static int on_body(const uint8_t *data, size_t data_len, void *arg)
{
	struct result *r = arg;

	return buf_append(&r->body, data, data_len);
}

static void feed(struct result *r, const uint8_t *data, size_t size, size_t step)
{
	static const struct wk_http_reader_ops ops = { .on_body = on_body };
	size_t n;

	for (size_t i = 0; i < size && r->rc == 0; i += n) {
		n = size - i < step ? size - i : step;
		r->rc = wk_http_reader_feed(&r->r, data + i, n, &ops, r);
	}
	if (r->rc == 0)
		r->rc = wk_http_reader_eof(&r->r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result a = { 0 }, b = { 0 };

	if (size < 1)
		return 0;
	feed(&a, data + 1, size - 1, size);
	feed(&b, data + 1, size - 1, 1 + data[0]);
	FUZZ_REQUIRE(a.rc == b.rc && a.r.status == b.r.status);
	FUZZ_REQUIRE(a.r.retry_after_s == b.r.retry_after_s && a.r.date_unix_s == b.r.date_unix_s);
	if (a.rc == 0) {
		FUZZ_REQUIRE(a.body.len == b.body.len);
		FUZZ_REQUIRE(a.body.len == 0 || memcmp(a.body.p, b.body.p, a.body.len) == 0);
		FUZZ_REQUIRE(!a.r.has_len || a.body.len == a.r.len);
	}
	wk_http_reader_clear(&a.r);
	wk_http_reader_clear(&b.r);
	buf_free(&a.body);
	buf_free(&b.body);
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
