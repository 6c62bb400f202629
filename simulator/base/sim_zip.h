/* simulator/base/sim_zip.h - a zlib stream written piece by piece */
#ifndef SIM_ZIP_H
#define SIM_ZIP_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "common/attr.h"
#include "common/buf.h"

struct sim_zip {
	z_stream z;
	struct buf *out; /* borrowed */
	uint64_t len;    /* bytes that went in */
};

/* level as zlib's. 0 or -ENOMEM. End it in any case. */
ATTR_NODISCARD int sim_zip_begin(struct sim_zip *zip, int level, struct buf *out);
/* The same with a gzip head. */
ATTR_NODISCARD int sim_zip_begin_gzip(struct sim_zip *zip, int level, struct buf *out);
ATTR_NODISCARD int sim_zip_add(struct sim_zip *zip, const void *data, size_t len);
/* The end of the stream; frees, also after a failure. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_zip_end(struct sim_zip *zip);

#endif
