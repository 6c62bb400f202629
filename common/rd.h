/*
 * common/rd.h - bounded reader with a sticky error
 *
 * Read everything, check rd->err once at the end: the first failure stays, later reads return 0 or
 * NULL and move nothing.
 */
#ifndef RD_H
#define RD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"

struct rd {
	const uint8_t *p;
	size_t left;
	int err;
};

static inline void rd_init(struct rd *r, const void *data, size_t data_len)
{
	r->p = data;
	r->left = data_len;
	r->err = 0;
}

/* The next n bytes, borrowed from the input; NULL when there are fewer. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p;

	if (r->err == 0 && n > r->left)
		r->err = WA_ETRUNC;
	if (r->err != 0)
		return NULL;
	p = r->p;
	r->p += n;
	r->left -= n;
	return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p == NULL ? 0 : p[0];
}

static inline uint16_t rd_be16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return p == NULL ? 0 : (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rd_be24(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 3);

	return p == NULL ? 0 : (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t rd_be32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p == NULL ? 0
	                 : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t rd_le16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return p == NULL ? 0 : (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t rd_le32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p == NULL ? 0
	                 : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t rd_le64(struct rd *r)
{
	uint64_t low = rd_le32(r);

	return low | (uint64_t)rd_le32(r) << 32;
}

#endif
