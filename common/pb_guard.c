/* common/pb_guard.c - depth, size and memory limits around protobuf-c */
#include "common/pb_guard.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/rd.h"
#include "common/secret.h"

const struct pb_limits pb_limits_small = {
	.bytes_max = 65536,
	.memory_max = 262144,
	.depth_max = 8,
};

/* ---- scan -------------------------------------------------------------------------------------
 */

static uint64_t rd_varint(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b = rd_u8(r);

		if (shift == 63 && b > 1) {
			r->err = r->err != 0 ? r->err : WA_EPROTO; /* more than 64 bits */
			return 0;
		}
		v |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) == 0)
			break;
	}
	return v;
}

/* Skip one value; for length-delimited ones hand out its bytes. */
static void rd_value(struct rd *r, unsigned wire_type, const uint8_t **p_out, size_t *len_out)
{
	uint64_t n;

	*p_out = NULL;
	*len_out = 0;
	switch (wire_type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		rd_varint(r);
		return;
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		rd_bytes(r, 8);
		return;
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		rd_bytes(r, 4);
		return;
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		n = rd_varint(r);
		if (r->err == 0 && n > r->left)
			r->err = WA_ETRUNC;
		*p_out = rd_bytes(r, (size_t)n);
		*len_out = *p_out == NULL ? 0 : (size_t)n;
		return;
	default:
		if (r->err == 0)
			r->err = WA_EPROTO; /* groups and unassigned types */
	}
}

/* Recursion is bounded by depth_left, at most PB_MAX_DEPTH. */
static int scan(const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t data_len,
                unsigned depth_left)
{
	struct rd r;

	if (depth_left == 0)
		return WA_ELIMIT;
	rd_init(&r, data, data_len);
	while (r.err == 0 && r.left > 0) {
		uint64_t tag = rd_varint(&r);
		const ProtobufCFieldDescriptor *f;
		const uint8_t *p;
		size_t len;

		if (r.err == 0 && (tag >> 3 == 0 || tag >> 3 > 536870911))
			return WA_EPROTO;
		rd_value(&r, (unsigned)(tag & 7), &p, &len);
		if (p == NULL)
			continue;
		f = protobuf_c_message_descriptor_get_field(desc, (unsigned)(tag >> 3));
		if (f != NULL && f->type == PROTOBUF_C_TYPE_MESSAGE) {
			int rc = scan(f->descriptor, p, len, depth_left - 1);

			if (rc < 0)
				return rc;
		}
	}
	return r.err;
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
