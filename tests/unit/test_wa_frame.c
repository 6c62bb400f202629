/* tests/unit/test_wa_frame.c - frames from a stream cut anywhere */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/transport/wa_frame.h"

/* What came out: each payload with its length in front. */
struct seen {
	struct buf bytes;
	unsigned n;
	unsigned fail_at; /* 1: the first frame; 0: none */
};

static int on_frame(const uint8_t *payload, size_t payload_len, void *arg)
{
	struct seen *s = arg;

	assert_int_equal(wa_frame_append(&s->bytes, payload, payload_len), 0);
	return ++s->n == s->fail_at ? WA_EAUTH : 0;
}

static void make_stream(struct buf *out)
{
	static const size_t lens[] = { 1, 2, 3, 255, 256, 257, 1 };
	uint8_t payload[257];

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		memset(payload, (int)(i + 1), sizeof(payload));
		assert_int_equal(wa_frame_append(out, payload, lens[i]), 0);
	}
}

/* Feed from copies of exactly the piece's size, so that a sanitizer sees a read past it. */
static int feed_piece(struct wa_frame_reader *r, const uint8_t *p, size_t n, struct seen *s)
{
	uint8_t *copy = malloc(n + (n == 0));
	int rc;

	assert_non_null(copy);
	memcpy(copy, p, n);
	rc = wa_frame_feed(r, copy, n, on_frame, s);
	free(copy);
	return rc;
}

static void test_frames_are_the_same_wherever_the_stream_is_cut(void **state)
{
	struct buf stream = { 0 };

	(void)state;
	make_stream(&stream);
	for (size_t cut = 0; cut <= stream.len; cut++) {
		struct wa_frame_reader r = { 0 };
		struct seen s = { 0 };

		assert_int_equal(feed_piece(&r, stream.p, cut, &s), 0);
		assert_int_equal(feed_piece(&r, stream.p + cut, stream.len - cut, &s), 0);
		assert_int_equal(s.n, 7);
		assert_int_equal(s.bytes.len, stream.len);
		assert_memory_equal(s.bytes.p, stream.p, stream.len);
		assert_int_equal(r.buf.len, 0);
		buf_free(&s.bytes);
		wa_frame_reader_clear(&r);
	}
	buf_free(&stream);
}

static void test_frames_byte_by_byte(void **state)
{
	struct wa_frame_reader r = { 0 };
	struct buf stream = { 0 };
	struct seen s = { 0 };

	(void)state;
	make_stream(&stream);
	for (size_t i = 0; i < stream.len; i++)
		assert_int_equal(feed_piece(&r, stream.p + i, 1, &s), 0);
	assert_memory_equal(s.bytes.p, stream.p, stream.len);
	buf_free(&s.bytes);
	buf_free(&stream);
	wa_frame_reader_clear(&r);
}

static void test_empty_frame_is_refused(void **state)
{
	static const uint8_t stream[] = { 0, 0, 1, 9, 0, 0, 0, 0, 0, 1, 9 };

	(void)state;
	for (size_t cut = 0; cut <= sizeof(stream); cut++) {
		struct wa_frame_reader r = { 0 };
		struct seen s = { 0 };
		int rc = feed_piece(&r, stream, cut, &s);

		if (rc == 0)
			rc = feed_piece(&r, stream + cut, sizeof(stream) - cut, &s);
		assert_int_equal(rc, WA_EPROTO);
		assert_int_equal(s.n, 1);
		buf_free(&s.bytes);
		wa_frame_reader_clear(&r);
	}
}

static void test_long_frame_is_refused_at_its_head(void **state)
{
	static const uint8_t over[] = { 0x20, 0x00, 0x01 }, at[] = { 0x20, 0x00, 0x00 };
	struct wa_frame_reader r = { 0 };
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(feed_piece(&r, at, sizeof(at), &s), 0);
	assert_true(r.buf.cap < 4096); /* a claim costs nothing */
	wa_frame_reader_clear(&r);
	assert_int_equal(feed_piece(&r, over, sizeof(over), &s), WA_ELIMIT);
	wa_frame_reader_clear(&r);
	assert_int_equal(feed_piece(&r, over, 2, &s), 0);
	assert_int_equal(feed_piece(&r, over + 2, 1, &s), WA_ELIMIT);
	wa_frame_reader_clear(&r);

	r.max_len = 4;
	assert_int_equal(feed_piece(&r, (const uint8_t *)"\0\0\4abcd", 7, &s), 0);
	assert_int_equal(feed_piece(&r, (const uint8_t *)"\0\0\5", 3, &s), WA_ELIMIT);
	assert_int_equal(s.n, 1);
	buf_free(&s.bytes);
	wa_frame_reader_clear(&r);
}

static void test_failure_of_the_callback_stops_delivery(void **state)
{
	static const uint8_t stream[] = { 0, 0, 1, 'a', 0, 0, 1, 'b', 0, 0, 1, 'c' };

	(void)state;
	for (size_t cut = 0; cut <= sizeof(stream); cut++) {
		struct wa_frame_reader r = { 0 };
		struct seen s = { .fail_at = 2 };
		int rc = feed_piece(&r, stream, cut, &s);

		if (rc == 0)
			rc = feed_piece(&r, stream + cut, sizeof(stream) - cut, &s);
		assert_int_equal(rc, WA_EAUTH);
		assert_int_equal(s.n, 2);
		buf_free(&s.bytes);
		wa_frame_reader_clear(&r);
	}
}

static void test_large_buffer_is_given_back(void **state)
{
	struct wa_frame_reader r = { 0 };
	struct buf stream = { 0 };
	struct seen s = { 0 };
	uint8_t *payload = calloc(1, 100000);

	(void)state;
	assert_non_null(payload);
	assert_int_equal(wa_frame_append(&stream, payload, 100000), 0);
	assert_int_equal(feed_piece(&r, stream.p, 50000, &s), 0);
	assert_int_equal(r.buf.len, 50000);
	assert_int_equal(feed_piece(&r, stream.p + 50000, stream.len - 50000, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(r.buf.cap, 0);
	buf_free(&s.bytes);
	buf_free(&stream);
	free(payload);
}

static void test_append_refuses_what_the_format_cannot_say(void **state)
{
	struct buf out = { 0 };
	uint8_t *big = calloc(1, 1u << 24);

	(void)state;
	assert_non_null(big);
	assert_int_equal(wa_frame_append(&out, big, 0), WA_ELIMIT);
	assert_int_equal(wa_frame_append(&out, big, 1u << 24), WA_ELIMIT);
	assert_int_equal(out.len, 0);
	assert_int_equal(wa_frame_append(&out, big, (1u << 24) - 1), 0);
	assert_memory_equal(out.p, "\xff\xff\xff", 3);
	buf_free(&out);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_are_the_same_wherever_the_stream_is_cut),
		cmocka_unit_test(test_frames_byte_by_byte),
		cmocka_unit_test(test_empty_frame_is_refused),
		cmocka_unit_test(test_long_frame_is_refused_at_its_head),
		cmocka_unit_test(test_failure_of_the_callback_stops_delivery),
		cmocka_unit_test(test_large_buffer_is_given_back),
		cmocka_unit_test(test_append_refuses_what_the_format_cannot_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
