/* common/pb_guard.c - depth, size and memory limits around protobuf-c */
#include "common/pb_guard.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"

const struct pb_limits pb_limits_small = {
	.bytes_max = 65536,
	.memory_max = 262144,
	.depth_max = 8,
};

/* ---- scan -------------------------------------------------------------------------------------
 */

/* Most are of one byte. */
static inline int read_varint(const uint8_t **p, const uint8_t *end, uint64_t *v_out)
{
	uint64_t v = 0;

	if (*p < end && **p < 0x80) {
		*v_out = *(*p)++;
		return 0;
	}
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b;

		if (*p == end)
			return WA_ETRUNC;
		b = *(*p)++;
		if (shift == 63 && b > 1)
			return WA_EPROTO; /* more than 64 bits */
		v |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			break;
	}
	*v_out = v;
	return 0;
}

/* How long the value at *p is; of bytes without their length, which is read. */
static int value_len(unsigned wire_type, const uint8_t **p, const uint8_t *end, uint64_t *n_out)
{
	uint64_t v;

	*n_out = 0;
	switch (wire_type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		return read_varint(p, end, &v);
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		*n_out = 8;
		break;
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		*n_out = 4;
		break;
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: {
		int rc = read_varint(p, end, n_out);

		if (rc < 0)
			return rc;
		break;
	}
	default:
		return WA_EPROTO; /* groups and unassigned types */
	}
	return *n_out > (uint64_t)(end - *p) ? WA_ETRUNC : 0;
}

/* Recursion is bounded by depth_left, at most PB_MAX_DEPTH. */
static int scan(const ProtobufCMessageDescriptor *desc, const uint8_t *p, size_t len,
                unsigned depth_left)
{
	const uint8_t *end = len == 0 ? p : p + len;

	if (depth_left == 0)
		return WA_ELIMIT;
	while (p < end) {
		const ProtobufCFieldDescriptor *f;
		uint64_t tag, n;
		int rc = read_varint(&p, end, &tag);

		if (rc < 0)
			return rc;
		if (tag >> 3 == 0 || tag >> 3 > 536870911)
			return WA_EPROTO;
		rc = value_len((unsigned)(tag & 7), &p, end, &n);
		if (rc < 0)
			return rc;
		if ((tag & 7) == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
			f = protobuf_c_message_descriptor_get_field(desc, (unsigned)(tag >> 3));
			if (f != NULL && f->type == PROTOBUF_C_TYPE_MESSAGE)
				rc = scan(f->descriptor, p, (size_t)n, depth_left - 1);
			if (rc < 0)
				return rc;
		}
		p += n;
	}
	return 0;
}

int pb_scan(const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t data_len,
            const struct pb_limits *limits)
{
	unsigned depth = limits->depth_max > PB_MAX_DEPTH ? PB_MAX_DEPTH : limits->depth_max;

	if (data_len > limits->bytes_max)
		return WA_ELIMIT;
	return scan(desc, data, data_len, depth);
}

/* ---- allocator with a budget --------------------------------------------------------------------
 */

struct budget {
	size_t left;
	bool spent; /* an allocation was refused: the failure is a limit, not bad bytes */
};

/* In front of every allocation, so that it can be counted, and wiped when it is released. */
struct block {
	alignas(max_align_t) size_t len;
};

static void *budget_alloc(void *arg, size_t n)
{
	struct budget *b = arg;
	struct block *blk;

	if (n > b->left) {
		b->spent = true;
		return NULL;
	}
	blk = malloc(sizeof(*blk) + n);
	if (blk == NULL) {
		b->spent = true;
		return NULL;
	}
	blk->len = n;
	b->left -= n;
	return blk + 1;
}

static void budget_free(void *arg, void *p)
{
	struct block *blk;

	(void)arg; /* what is released is not given back: the budget bounds all of one unpack */
	if (p == NULL)
		return;
	blk = (struct block *)p - 1;
	secret_wipe(blk + 1, blk->len);
	free(blk);
}

int pb_unpack(const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t data_len,
              const struct pb_limits *limits, ProtobufCMessage **msg_out)
{
	struct budget budget = { .left = limits->memory_max };
	ProtobufCAllocator alloc = { budget_alloc, budget_free, &budget };
	ProtobufCMessage *msg;
	int rc;

	rc = pb_scan(desc, data, data_len, limits);
	if (rc < 0)
		return rc;
	msg = protobuf_c_message_unpack(desc, &alloc, data_len, data);
	if (msg == NULL)
		return budget.spent ? WA_ELIMIT : WA_EPROTO;
	*msg_out = msg;
	return 0;
}

void pb_free(ProtobufCMessage *msg)
{
	ProtobufCAllocator alloc = { budget_alloc, budget_free, NULL };

	if (msg != NULL)
		protobuf_c_message_free_unpacked(msg, &alloc);
}

void pb_check_version(void)
{
	if (protobuf_c_version_number() >= 1004001)
		return;
	fprintf(stderr,
	        "linked against protobuf-c %s, need 1.4.1 or later: "
	        "-lprotobuf-c must stand before -lsignal-protocol-c\n",
	        protobuf_c_version());
	exit(1);
}
