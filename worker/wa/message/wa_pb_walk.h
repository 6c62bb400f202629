/*
 * worker/wa/message/wa_pb_walk.h - protobuf field by field, without decoding or memory
 *
 * For what is too large to be decoded as a whole, and for looking at a field before that. Groups
 * are refused; a field that comes twice is seen twice.
 */
#ifndef WA_PB_WALK_H
#define WA_PB_WALK_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define WA_PB_VARINT 0
#define WA_PB_FIXED64 1
#define WA_PB_BYTES 2
#define WA_PB_FIXED32 5
#define WA_PB_HEAD_MAX 20 /* tag and length, or tag and varint */

/* More bytes are needed. Positive, so that no code of a callback is taken for it. */
#define WA_PB_MORE 1

struct wa_pb_field {
	uint32_t number;
	unsigned wire_type;
	uint64_t value;  /* of a varint */
	size_t head_len; /* tag, and the length of bytes */
	uint64_t len;    /* of what follows the head: bytes, or the scalar itself */
};

/* 0 with *v_out and *n_out (bytes it takes), WA_PB_MORE, or WA_EPROTO. */
static inline int wa_pb_varint(const uint8_t *p, size_t left, uint64_t *v_out, size_t *n_out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 10; i++) {
		if (i == left)
			return WA_PB_MORE;
		v |= (uint64_t)(p[i] & 0x7f) << 7 * i;
		if ((p[i] & 0x80) == 0) {
			*v_out = v;
			*n_out = i + 1;
			return 0;
		}
	}
	return WA_EPROTO;
}

/* The head of the next field. As wa_pb_varint(). The content need not be there; a varint must. */
static inline int wa_pb_head(const uint8_t *p, size_t left, struct wa_pb_field *f)
{
	uint64_t tag = 0, v = 0;
	size_t n = 0, m = 0;
	int rc;

	rc = wa_pb_varint(p, left, &tag, &n);
	if (rc != 0)
		return rc;
	if (tag >> 3 == 0 || tag >> 3 > 536870911)
		return WA_EPROTO;
	f->number = (uint32_t)(tag >> 3);
	f->wire_type = (unsigned)(tag & 7);
	f->head_len = n;
	f->value = 0;
	switch (f->wire_type) {
	case WA_PB_VARINT:
		rc = wa_pb_varint(p + n, left - n, &v, &m);
		f->value = v;
		f->len = m;
		return rc;
	case WA_PB_FIXED64:
		f->len = 8;
		return 0;
	case WA_PB_BYTES:
		rc = wa_pb_varint(p + n, left - n, &v, &m);
		f->len = v;
		f->head_len += m;
		return rc;
	case WA_PB_FIXED32:
		f->len = 4;
		return 0;
	}
	return WA_EPROTO; /* groups and unassigned types */
}

/* The next field of a whole message, moving on: 0 with *content_out, -ENOENT at the end, WA_EPROTO.
 */
static inline int wa_pb_next(const uint8_t **p, size_t *left, struct wa_pb_field *f,
                             const uint8_t **content_out)
{
	int rc;

	if (*left == 0)
		return -ENOENT;
	rc = wa_pb_head(*p, *left, f);
	if (rc != 0 || f->len > *left - f->head_len)
		return WA_EPROTO;
	*content_out = *p + f->head_len;
	*p += f->head_len + f->len;
	*left -= f->head_len + (size_t)f->len;
	return 0;
}

#endif
