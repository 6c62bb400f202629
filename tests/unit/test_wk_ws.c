/* tests/unit/test_wk_ws.c - WebSocket frames in and out */
#include "test.h"

#include <event2/buffer.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "worker/net/wk_ws.h"

struct fixture {
	struct evbuffer *in, *out;
	struct wk_ws *ws;
	struct buf got;
	int rc; /* what on_data returns */
};

static int on_data(const uint8_t *data, size_t data_len, void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(buf_append(&f->got, data, data_len), 0);
	return f->rc;
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->in = evbuffer_new();
	f->out = evbuffer_new();
	assert_int_equal(wk_ws_new(f->in, f->out, on_data, f, &f->ws), 0);
}

static void teardown(struct fixture *f)
{
	wk_ws_free(f->ws);
	evbuffer_free(f->in);
	evbuffer_free(f->out);
	buf_free(&f->got);
}

static int feed(struct fixture *f, const char *bytes, size_t n)
{
	assert_int_equal(evbuffer_add(f->in, bytes, n), 0);
	return wk_ws_recv(f->ws);
}
#define FEED(f, s) feed(f, s, sizeof(s) - 1)

static void test_message_bytes_are_handed_on_as_they_come(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(FEED(&f, "\x82\x05he"), 0);
	assert_int_equal(f.got.len, 2);
	assert_int_equal(FEED(&f, "llo\x02\x01 \x80\x05world"), 0); /* a fragmented one behind it */
	assert_int_equal(f.got.len, 11);
	assert_memory_equal(f.got.p, "hello world", 11);
	teardown(&f);
}

static void test_ping_is_answered_even_between_fragments(void **state)
{
	uint8_t out[32];
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(FEED(&f, "\x02\x01"
	                          "a"
	                          "\x89\x02hi"
	                          "\x80\x01"
	                          "b"),
	                 0);
	assert_memory_equal(f.got.p, "ab", 2);
	assert_int_equal(evbuffer_remove(f.out, out, sizeof(out)), 2 + 4 + 2);
	assert_int_equal(out[0], 0x8a);
	assert_int_equal(out[1], 0x82); /* masked, two bytes */
	assert_int_equal(out[6] ^ out[2], 'h');
	teardown(&f);
}

static void test_what_breaks_the_protocol_is_refused(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} bad[] = {
		{ "\x81\x02hi", 4 },                   /* text */
		{ "\x82\x82\0\0\0\0hi", 8 },           /* masked by a server */
		{ "\xc2\x01x", 3 },                    /* reserved bit */
		{ "\x83\x01x", 3 },                    /* unknown opcode */
		{ "\x80\x01x", 3 },                    /* continues nothing */
		{ "\x09\x01x", 3 },                    /* fragmented control frame */
		{ "\x89\x7e\x00\x80", 4 },             /* control frame over 125 bytes */
		{ "\x82\x7f\x80\0\0\0\0\0\0\0", 10 },  /* length with its top bit set */
		{ "\x82\x7f\0\0\0\0\x10\0\0\0x", 11 }, /* far too long */
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		setup(&f);
		assert_int_equal(feed(&f, bad[i].p, bad[i].n), WA_EPROTO);
		assert_int_equal(FEED(&f, "\x82\x01x"), WA_EPROTO);
		assert_int_equal(f.got.len, 0);
		teardown(&f);
	}
}

static void test_failure_of_the_reader_comes_back_and_stays(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	f.rc = WA_EAUTH;
	assert_int_equal(FEED(&f, "\x82\x01x\x82\x01y"), WA_EAUTH);
	assert_int_equal(f.got.len, 1);
	assert_int_equal(FEED(&f, "\x82\x01z"), WA_EAUTH);
	assert_int_equal(f.got.len, 1);
	teardown(&f);
}

static void test_close_of_the_peer_is_seen_with_its_code(void **state)
{
	unsigned code = 0;
	struct fixture f;

	(void)state;
	setup(&f);
	assert_false(wk_ws_peer_closed(f.ws, &code));
	assert_int_equal(FEED(&f, "\x88\x02\x03\xe9"), 0);
	assert_true(wk_ws_peer_closed(f.ws, &code));
	assert_int_equal(code, 1001);
	assert_true(evbuffer_get_length(f.out) > 0); /* answered */
	assert_int_equal(wk_ws_send(f.ws, "x", 1), WA_ESTATE);
	teardown(&f);
}

static void test_sent_messages_are_masked_binary_frames(void **state)
{
	uint8_t out[16];
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(wk_ws_send(f.ws, "abc", 3), 0);
	assert_int_equal(evbuffer_remove(f.out, out, sizeof(out)), 2 + 4 + 3);
	assert_int_equal(out[0], 0x82);
	assert_int_equal(out[1], 0x83);
	for (int i = 0; i < 3; i++)
		assert_int_equal(out[6 + i] ^ out[2 + i], "abc"[i]);
	wk_ws_close(f.ws, 1000);
	assert_int_equal(evbuffer_remove(f.out, out, sizeof(out)), 2 + 4 + 2);
	assert_int_equal(out[0], 0x88);
	assert_int_equal(wk_ws_send(f.ws, "x", 1), WA_ESTATE);
	teardown(&f);
	wk_ws_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_bytes_are_handed_on_as_they_come),
		cmocka_unit_test(test_ping_is_answered_even_between_fragments),
		cmocka_unit_test(test_what_breaks_the_protocol_is_refused),
		cmocka_unit_test(test_failure_of_the_reader_comes_back_and_stays),
		cmocka_unit_test(test_close_of_the_peer_is_seen_with_its_code),
		cmocka_unit_test(test_sent_messages_are_masked_binary_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
