/* worker/wa/node/wa_inflate.h - a whole zlib or gzip stream, inflated up to a limit */
#ifndef WA_INFLATE_H
#define WA_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

enum wa_inflate_format {
	WA_INFLATE_ZLIB,
	WA_INFLATE_GZIP, /* of one member */
};

/*
 * Append what data, a whole stream, inflates to: fewer than max_len bytes. Memory grows with what
 * comes out, not with what is promised.
 * 0; WA_ELIMIT; WA_ETRUNC; WA_EPROTO (no such stream, bytes behind it); -ENOMEM. Wipe out in any
 * case.
 */
ATTR_NODISCARD int wa_inflate(enum wa_inflate_format format, const uint8_t *data, size_t data_len,
                              size_t max_len, struct buf *out);

#endif
