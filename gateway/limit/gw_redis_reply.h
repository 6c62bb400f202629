/*
 * gateway/limit/gw_redis_reply.h - what hiredis reads, without asking for memory
 *
 * Only what a script of ours answers is understood: a list of a few integers, a word, an error.
 * Anything else ends the reading with an error, before memory is asked for it.
 */
#ifndef GW_REDIS_REPLY_H
#define GW_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "gateway/limit/gw_redis.h"

struct gw_redis_reply {
	enum { GW_REDIS_WORD, GW_REDIS_ERROR, GW_REDIS_VALUES } type;
	char text[64]; /* WORD, ERROR: its beginning */
	int64_t values[GW_REDIS_VALUES_MAX];
	size_t values_n;
};

/* The one reply that is being read, or was read last; a reply object of hiredis points to it. */
struct gw_redis_reading {
	redisReply r; /* first: hiredis looks at its type and its text */
	struct gw_redis_reply reply;
	bool expected; /* else only an error is read: a reply to nothing */
};

/* From now on reader builds its replies in g. */
void gw_redis_reply_read_into(redisReader *reader, struct gw_redis_reading *g);

#endif
