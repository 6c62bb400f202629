/*
 * worker/wa/message/wa_pool.h - memory for decoded messages that is given back all at once
 *
 * protobuf-c allocates every field by itself; in history that would be most of the work. A pool
 * hands out pieces of one block, with a limit, and forgets them together. The limit is the byte
 * budget that foreign protobuf needs (see common/pb_guard.h).
 */
#ifndef WA_POOL_H
#define WA_POOL_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/pb_guard.h"

struct wa_pool;

/* first_cap: bytes that are kept from one reset to the next; max: of everything in between. NULL
 * without memory. */
ATTR_NODISCARD struct wa_pool *wa_pool_new(size_t first_cap, size_t max);
void wa_pool_free(struct wa_pool *a); /* NULL is fine */

/* Zeroed, aligned for anything, valid until the next reset. NULL over the limit, without memory. */
ATTR_NODISCARD void *wa_pool_alloc(struct wa_pool *a, size_t n);
/* Why something was refused since the last reset: WA_ELIMIT or -ENOMEM; 0: nothing was. */
int wa_pool_error(const struct wa_pool *a);
/* Forget all that was handed out; wipes it. */
void wa_pool_reset(struct wa_pool *a);

/*
 * pb_scan() within limits, then unpack into the pool; its own limit stands in for
 * limits->memory_max. *msg_out is valid until the next reset and is never freed by itself.
 * 0, WA_ETRUNC, WA_EPROTO, WA_ELIMIT (size, depth or the pool's limit) or -ENOMEM.
 */
ATTR_NODISCARD int wa_pool_unpack(struct wa_pool *a, const ProtobufCMessageDescriptor *desc,
                                  const uint8_t *data, size_t data_len,
                                  const struct pb_limits *limits, ProtobufCMessage **msg_out);

#endif
