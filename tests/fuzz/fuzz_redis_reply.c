/*
 * tests/fuzz/fuzz_redis_reply.c - what a Redis, or whoever stands in its place, may say
 *
 * Input: one byte that says where to cut and whether a reply is expected, then the bytes.
 * Property: what is read does not depend on how it arrives, and is never more than there is room
 * for; without a call only an error is read.
 */
#include "fuzz.h"

#include <string.h>

#include "gateway/limit/gw_redis_reply.h"

#define REPLIES_MAX 64

struct said {
	struct gw_redis_reply replies[REPLIES_MAX];
	size_t n;
	int err;
};

static void check(const struct gw_redis_reading *g, bool expected)
{
	FUZZ_REQUIRE(g->reply.values_n <= GW_REDIS_VALUES_MAX);
	FUZZ_REQUIRE(memchr(g->reply.text, '\0', sizeof(g->reply.text)) != NULL);
	FUZZ_REQUIRE(expected || g->reply.type == GW_REDIS_ERROR);
	FUZZ_REQUIRE(g->reply.type == GW_REDIS_VALUES || g->reply.values_n == 0);
}

static void hear(const uint8_t *data, size_t size, size_t step, bool expected, struct said *said)
{
	redisReader *reader = redisReaderCreate();
	struct gw_redis_reading g = { .expected = expected };
	void *obj = NULL;

	FUZZ_REQUIRE(reader != NULL);
	gw_redis_reply_read_into(reader, &g);
	for (size_t at = 0; at < size && said->err == 0; at += step) {
		size_t n = size - at < step ? size - at : step;

		said->err = redisReaderFeed(reader, (const char *)data + at, n);
		while (said->err == 0 && said->n < REPLIES_MAX) {
			said->err = redisReaderGetReply(reader, &obj);
			if (said->err != 0 || obj == NULL)
				break;
			FUZZ_REQUIRE(obj == &g);
			check(&g, expected);
			said->replies[said->n++] = g.reply;
		}
	}
	redisReaderFree(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct said whole, pieces;
	bool expected;

	if (size < 2)
		return 0;
	expected = (data[0] & 1) == 0;
	memset(&whole, 0, sizeof(whole));
	memset(&pieces, 0, sizeof(pieces));
	hear(data + 1, size - 1, size, expected, &whole);
	hear(data + 1, size - 1, 1 + (size_t)(data[0] >> 1), expected, &pieces);
	if (whole.n == REPLIES_MAX || pieces.n == REPLIES_MAX)
		return 0;
	FUZZ_REQUIRE(whole.n == pieces.n && whole.err == pieces.err);
	FUZZ_REQUIRE(memcmp(whole.replies, pieces.replies, sizeof(whole.replies)) == 0);
	return 0;
}
