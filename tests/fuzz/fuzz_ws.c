/*
 * tests/fuzz/fuzz_ws.c - WebSocket frames from the server
 *
 * First byte: the size of the pieces. Property: verdict, bytes and what the close frame says are
 * the same as when all comes at once.
 */
#include "fuzz.h"

#include <event2/buffer.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "worker/net/wk_ws.h"

struct seen {
	struct buf bytes;
	size_t answered; /* bytes sent back */
	unsigned code;
	bool closed;
	int rc;
};

static int on_data(const uint8_t *data, size_t data_len, void *arg)
{
	struct seen *s = arg;

	return buf_append(&s->bytes, data, data_len);
}

static void feed(const uint8_t *data, size_t size, size_t step, struct seen *s)
{
	struct evbuffer *in = evbuffer_new(), *out = evbuffer_new();
	struct wk_ws *ws;

	FUZZ_REQUIRE(in != NULL && out != NULL);
	FUZZ_REQUIRE(wk_ws_new(in, out, on_data, s, &ws) == 0);
	for (size_t at = 0, n; at < size && s->rc == 0; at += n) {
		n = size - at < step ? size - at : step;
		FUZZ_REQUIRE(evbuffer_add(in, data + at, n) == 0);
		s->rc = wk_ws_recv(ws);
	}
	FUZZ_REQUIRE(s->rc == 0 || s->rc == WA_EPROTO);
	s->closed = wk_ws_peer_closed(ws, &s->code);
	s->answered = evbuffer_get_length(out);
	wk_ws_free(ws);
	evbuffer_free(in);
	evbuffer_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };

	if (size < 2)
		return 0;
	feed(data + 1, size - 1, size, &whole);
	feed(data + 1, size - 1, (size_t)data[0] + 1, &cut);
	if (memchr(data + 1, 0x88, size - 1) == NULL) {
		FUZZ_REQUIRE(whole.rc == cut.rc && !whole.closed && !cut.closed);
		FUZZ_REQUIRE(whole.rc < 0 || whole.answered == cut.answered);
	}
	FUZZ_REQUIRE(whole.rc < 0 || cut.rc < 0 || whole.closed == cut.closed);
	FUZZ_REQUIRE(!whole.closed || !cut.closed || whole.code == cut.code);
	FUZZ_REQUIRE(whole.bytes.len == cut.bytes.len);
	FUZZ_REQUIRE(whole.bytes.len == 0 ||
	             memcmp(whole.bytes.p, cut.bytes.p, whole.bytes.len) == 0);
	buf_free(&whole.bytes);
	buf_free(&cut.bytes);
	return 0;
}
