/* common/qr.h - a QR code as modules, and as text for a terminal */
#ifndef QR_H
#define QR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

#define QR_QUIET 4 /* modules of light border on every side */

struct qr {
	int width;        /* modules a side, without border */
	uint8_t *modules; /* width * width, row by row; 1: dark. Owned */
};

/* 8-bit mode, error correction L, smallest version that fits. 0, -EINVAL (empty or too long),
 * -ENOMEM. */
ATTR_NODISCARD int qr_encode(const char *text, struct qr *qr_out);
void qr_clear(struct qr *qr);

/*
 * Append the code drawn with half-block characters (UTF-8), two rows a line, light modules filled:
 * reads well on a dark terminal. ansi: colours are set explicitly, so it reads on any terminal.
 */
ATTR_NODISCARD int qr_draw_text(const struct qr *qr, bool ansi, struct buf *out);

#endif
