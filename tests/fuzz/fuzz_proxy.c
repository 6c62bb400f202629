/*
 * tests/fuzz/fuzz_proxy.c - what a proxy answers
 *
 * Input: one byte that says which proxy and where to cut, then its answers. Property: verdict, what
 * is sent and where the tunnel begins do not depend on how the bytes arrive, and little is sent.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/buf.h"
#include "worker/net/wk_proxy.h"

#define SENT_MAX 4096

struct result {
	int rc;
	size_t used;
	unsigned status;
	struct buf out;
};

static void talk(const struct wk_proxy *proxy, const uint8_t *data, size_t size, size_t step,
                 struct result *r)
{
	struct wk_proxy_talk t = { 0 };
	const char *why = NULL;
	size_t n, used;

	FUZZ_REQUIRE(wk_proxy_begin(&t, proxy, "chat.example", 443, &r->out) == 0);
	while (r->used < size && r->rc == 0) {
		n = size - r->used < step ? size - r->used : step;
		r->rc = wk_proxy_feed(&t, data + r->used, n, &used, &r->out, &why);
		FUZZ_REQUIRE(used <= n);
		FUZZ_REQUIRE(r->rc != 0 || used == n);
		FUZZ_REQUIRE(r->rc >= 0 || why != NULL);
		r->used += used;
	}
	FUZZ_REQUIRE(r->out.len <= SENT_MAX);
	r->status = t.status;
	wk_proxy_end(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char host[] = "proxy", text[] = "secret";
	struct wk_proxy proxy = {
		.kind = WK_PROXY_HTTP, .host = host, .port = 1, .hostport = host
	};
	struct result a = { 0 }, b = { 0 };

	if (size < 1)
		return 0;
	if (data[0] & 0x80)
		proxy.kind = WK_PROXY_SOCKS5;
	if (data[0] & 0x40)
		proxy.username = proxy.password = text;
	talk(&proxy, data + 1, size - 1, size, &a);
	talk(&proxy, data + 1, size - 1, 1 + (size_t)(data[0] & 0x3f), &b);
	FUZZ_REQUIRE(a.rc == b.rc && a.status == b.status);
	FUZZ_REQUIRE(a.rc < 0 || a.used == b.used);
	FUZZ_REQUIRE(a.out.len == b.out.len);
	FUZZ_REQUIRE(memcmp(a.out.p, b.out.p, a.out.len) == 0);
	buf_free(&a.out);
	buf_free(&b.out);
	return 0;
}

/* Answers of an HTTP proxy. */
bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 1 || (data[0] & 0x80) != 0)
		return false;
	mut_put(out, data, 1);
	mut_http(m, MUT_HTTP_RESPONSE, data + 1, size - 1, out);
	return true;
}
