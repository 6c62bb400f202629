/*
 * tests/fuzz/fuzz_frame.c - a byte stream cut into pieces of any size
 *
 * First byte: the size of the pieces. Property: the frames and the result are the same as when the
 * stream comes as one piece, and they make up the stream again.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/err.h"
#include "worker/wa/transport/wa_frame.h"

#define MAX_LEN 300 /* soon reached */

struct seen {
	struct buf bytes;
	size_t n;
};

static int on_frame(const uint8_t *payload, size_t payload_len, void *arg)
{
	struct seen *s = arg;

	FUZZ_REQUIRE(payload_len > 0 && payload_len <= MAX_LEN);
	s->n++;
	return wa_frame_append(&s->bytes, payload, payload_len);
}

static int feed_pieces(const uint8_t *data, size_t size, size_t piece, struct seen *s,
                       size_t *unfinished_out)
{
	struct wa_frame_reader r = { .max_len = MAX_LEN };
	int rc = 0;

	while (size > 0 && rc == 0) {
		size_t n = piece < size ? piece : size;
		uint8_t *copy = malloc(n);

		FUZZ_REQUIRE(copy != NULL);
		memcpy(copy, data, n);
		rc = wa_frame_feed(&r, copy, n, on_frame, s);
		free(copy);
		data += n;
		size -= n;
	}
	*unfinished_out = r.buf.len;
	wa_frame_reader_clear(&r);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };
	size_t left_whole, left_cut;
	int rc;

	if (size < 2)
		return 0;
	rc = feed_pieces(data + 1, size - 1, size, &whole, &left_whole);
	FUZZ_REQUIRE(rc == 0 || rc == WA_ELIMIT || rc == WA_EPROTO);
	FUZZ_REQUIRE(rc == feed_pieces(data + 1, size - 1, (size_t)data[0] + 1, &cut, &left_cut));
	FUZZ_REQUIRE(whole.n == cut.n && whole.bytes.len == cut.bytes.len);
	if (whole.bytes.len > 0) {
		FUZZ_REQUIRE(memcmp(whole.bytes.p, cut.bytes.p, cut.bytes.len) == 0);
		FUZZ_REQUIRE(memcmp(whole.bytes.p, data + 1, whole.bytes.len) == 0);
	}
	if (rc == 0)
		FUZZ_REQUIRE(left_whole == left_cut && whole.bytes.len + left_whole == size - 1);
	buf_free(&whole.bytes);
	buf_free(&cut.bytes);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 2)
		return false;
	mut_put(out, data, 1);
	mut_frames(m, MAX_LEN, data + 1, size - 1, out);
	return true;
}
