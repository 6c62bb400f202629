/* gateway/api/gw_qr.h - a code as picture: PNG, data URL, SVG, text */
#ifndef GW_QR_H
#define GW_QR_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/buf.h"

struct gw_code;

#define GW_QR_SCALE 8 /* pixels a module in the PNG */

/* Append a PNG of text: 1 bit a pixel, quiet zone included. 0, -EINVAL (text can't be coded),
 * -ENOMEM. */
ATTR_NODISCARD int gw_qr_png(const char *text, struct buf *out);
/* Append an SVG document. Errors as above. */
ATTR_NODISCARD int gw_qr_svg(const char *text, struct buf *out);
/* Append the code drawn for a terminal, UTF-8 with half blocks. Errors as above. */
ATTR_NODISCARD int gw_qr_text(const char *text, struct buf *out);

/*
 * "data:image/png;base64,..." of a live code: drawn on first demand, kept in code->png_data_url.
 * NULL without memory. Borrowed from the code.
 */
const char *gw_qr_data_url(struct gw_code *code);

#endif
