/* common/buf.h - a growable byte buffer; zero-initialised is empty and valid */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf {
	uint8_t *p; /* owned; NULL while empty */
	size_t len; /* bytes used */
	size_t cap; /* bytes allocated */
};

/* Make room for add_len more bytes. 0 or -ENOMEM; nothing changes on failure. */
ATTR_NODISCARD int buf_reserve(struct buf *b, size_t add_len);
ATTR_NODISCARD int buf_append(struct buf *b, const void *data, size_t data_len);
ATTR_NODISCARD int buf_append_u8(struct buf *b, uint8_t v);
ATTR_NODISCARD int buf_append_str(struct buf *b, const char *s); /* without its NUL */
ATTR_NODISCARD int buf_append_dec(struct buf *b, uint64_t v);    /* in decimal digits */
ATTR_NODISCARD int buf_appendf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Remove the first drop_len bytes (at most len). What leaves is overwritten, here and below. */
void buf_drop(struct buf *b, size_t drop_len);
/* Empty, keeping the memory. */
void buf_reset(struct buf *b);
/* Release; the buffer is empty and reusable afterwards. */
void buf_free(struct buf *b);
/* As buf_free(), with the bytes overwritten first: for keys and plaintext. */
void buf_wipe(struct buf *b);

#endif
