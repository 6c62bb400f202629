/*
 * worker/wa/wa_arena.h - memory for decoded messages that is given back all at once
 *
 * protobuf-c allocates every field by itself; in history that would be most of the work. An arena
 * hands out pieces of one block, with a limit, and forgets them together. The limit is the byte
 * budget that foreign protobuf needs (see common/pb_guard.h).
 */
#ifndef WA_ARENA_H
#define WA_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/pb_guard.h"

struct wa_arena;

/* first_cap: bytes that are kept from one reset to the next; max: of everything in between. NULL
 * without memory. */
ATTR_NODISCARD struct wa_arena *wa_arena_new(size_t first_cap, size_t max);
void wa_arena_free(struct wa_arena *a); /* NULL is fine */

/* Zeroed, aligned for anything, valid until the next reset. NULL over the limit, without memory. */
ATTR_NODISCARD void *wa_arena_alloc(struct wa_arena *a, size_t n);
/* Forget all that was handed out; wipes it. */
void wa_arena_reset(struct wa_arena *a);

/*
 * pb_scan() within limits, then unpack into the arena; its own limit stands in for
 * limits->memory_max. *msg_out is valid until the next reset and is never freed by itself.
 * 0, WA_ETRUNC, WA_EPROTO or WA_ELIMIT (size, depth or memory).
 */
ATTR_NODISCARD int wa_arena_unpack(struct wa_arena *a, const ProtobufCMessageDescriptor *desc,
                                   const uint8_t *data, size_t data_len,
                                   const struct pb_limits *limits, ProtobufCMessage **msg_out);

#endif
