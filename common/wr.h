/*
 * common/wr.h - bounded writer into memory of a fixed size, with a sticky error
 *
 * The counterpart of rd.h: write everything, check w->err once. Nothing is ever written past the
 * end. For output whose size is not known use struct buf.
 */
#ifndef WR_H
#define WR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"

struct wr {
	uint8_t *p;
	size_t left;
	size_t len; /* bytes written so far */
	int err;
};

static inline void wr_init(struct wr *w, void *out, size_t out_cap)
{
	w->p = out;
	w->left = out_cap;
	w->len = 0;
	w->err = 0;
}

static inline void wr_bytes(struct wr *w, const void *data, size_t n)
{
	if (w->err == 0 && n > w->left)
		w->err = WA_ELIMIT;
	if (w->err != 0 || n == 0)
		return;
	memcpy(w->p, data, n);
	w->p += n;
	w->left -= n;
	w->len += n;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_bytes(w, &v, 1);
}

static inline void wr_be16(struct wr *w, uint16_t v)
{
	const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_be24(struct wr *w, uint32_t v)
{
	const uint8_t b[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_be32(struct wr *w, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
		               (uint8_t)v };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_le16(struct wr *w, uint16_t v)
{
	const uint8_t b[2] = { (uint8_t)v, (uint8_t)(v >> 8) };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_le32(struct wr *w, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
		               (uint8_t)(v >> 24) };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_le64(struct wr *w, uint64_t v)
{
	wr_le32(w, (uint32_t)v);
	wr_le32(w, (uint32_t)(v >> 32));
}

#endif
