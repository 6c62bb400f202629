/*
 * gateway/limit/gw_redis_io.h - hiredis on the gateway's loop: bytes out, small replies in
 *
 * One connection, from its name to its end. Anything but the small replies of gw_redis_reply.h ends
 * it.
 */
#ifndef GW_REDIS_IO_H
#define GW_REDIS_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/limit/gw_redis.h"

struct event_base;
struct gw_redis_io;
struct gw_redis_reply; /* gw_redis_reply.h */

/*
 * Look the name up and connect; nth chooses among its addresses.
 * on_reply(reply, arg)   each reply, in the order of what was sent
 * on_end(rc, why, arg)   the connection is over, or never came about: io is gone with it. why is
 *                        for a person and static.
 * Both from the loop, never from inside a call here; both may call gw_redis_io_free().
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_redis_io_new(struct event_base *base, const struct gw_redis_target *target,
                                   unsigned nth,
                                   void (*on_reply)(const struct gw_redis_reply *reply, void *arg),
                                   void (*on_end)(int rc, const char *why, void *arg), void *arg,
                                   struct gw_redis_io **io_out);
/* No callback comes any more. NULL is fine. */
void gw_redis_io_free(struct gw_redis_io *io);

/* One whole command; leaves with others of this loop pass, or when the connection is there.
 * 0 or -ENOMEM. */
ATTR_NODISCARD int gw_redis_io_send(struct gw_redis_io *io, const void *cmd, size_t cmd_len);

#endif
