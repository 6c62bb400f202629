/*
 * common/pb_guard.h - protobuf-c made safe for foreign bytes
 *
 * protobuf-c recurses once per nested message without a limit (a 74 KB message overflows the stack)
 * and can need 400 times the input's size in memory. So every unpack of bytes from outside goes
 * through here: a scan along the schema bounds depth and size before anything is decoded, and an
 * allocator with a budget bounds the memory, and with it how many fields there are.
 */
#ifndef PB_GUARD_H
#define PB_GUARD_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define PB_MAX_DEPTH 64

struct pb_limits {
	size_t bytes_max;   /* input size */
	size_t memory_max;  /* heap the decoded message may take, in bytes */
	unsigned depth_max; /* 1: the outer message only; at most PB_MAX_DEPTH */
};

/* Enough for every handshake and pairing message: 64 KiB in, 256 KiB heap, 8 levels. */
extern const struct pb_limits pb_limits_small;

/*
 * Check data along desc's schema without allocating: well-formed tags and lengths, depth, sizes,
 * no group wire types.
 * 0, WA_ETRUNC, WA_EPROTO, or WA_ELIMIT (size or depth).
 */
ATTR_NODISCARD int pb_scan(const ProtobufCMessageDescriptor *desc, const uint8_t *data,
                           size_t data_len, const struct pb_limits *limits);

/*
 * pb_scan(), then unpack within the memory budget. *msg_out: caller frees it with pb_free().
 * 0, WA_ETRUNC, WA_EPROTO, or WA_ELIMIT (size, depth or memory). msg_out is untouched on failure.
 */
ATTR_NODISCARD int pb_unpack(const ProtobufCMessageDescriptor *desc, const uint8_t *data,
                             size_t data_len, const struct pb_limits *limits,
                             ProtobufCMessage **msg_out);

/* NULL is fine. Every byte of the message's memory is wiped before it is released. */
void pb_free(ProtobufCMessage *msg);

/*
 * Ends the process when the protobuf-c that was linked is older than 1.4.1: libsignal-protocol-c
 * exports its own copy of 1.1.1, which wins when the libraries are linked in the wrong order.
 */
void pb_check_version(void);

#endif
