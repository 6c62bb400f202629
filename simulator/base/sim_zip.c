/* simulator/base/sim_zip.c - a zlib stream written piece by piece */
#include "simulator/base/sim_zip.h"

#include <errno.h>
#include <string.h>

#define ROOM 16384
#define MEM_LEVEL 8 /* zlib's usual one */
#define GZIP 16     /* added to the window's bits */

static int begin(struct sim_zip *zip, int level, int bits, struct buf *out)
{
	memset(zip, 0, sizeof(*zip));
	zip->out = out;
	return deflateInit2(&zip->z, level, Z_DEFLATED, bits, MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK
	           ? 0
	           : -ENOMEM;
}

int sim_zip_begin(struct sim_zip *zip, int level, struct buf *out)
{
	return begin(zip, level, MAX_WBITS, out);
}

int sim_zip_begin_gzip(struct sim_zip *zip, int level, struct buf *out)
{
	return begin(zip, level, MAX_WBITS + GZIP, out);
}

static int run(struct sim_zip *zip, const void *data, size_t len, int flush)
{
	int rc, zrc;

	zip->z.next_in = (Bytef *)(uintptr_t)data;
	zip->z.avail_in = (uInt)len;
	do {
		rc = buf_reserve(zip->out, ROOM);
		if (rc < 0)
			return rc;
		zip->z.next_out = zip->out->p + zip->out->len;
		zip->z.avail_out = ROOM;
		zrc = deflate(&zip->z, flush);
		zip->out->len += ROOM - zip->z.avail_out;
	} while (zip->z.avail_out == 0 || (flush == Z_FINISH && zrc == Z_OK));
	return zrc == Z_STREAM_ERROR ? -ENOMEM : 0;
}

int sim_zip_add(struct sim_zip *zip, const void *data, size_t len)
{
	const uint8_t *p = data;

	zip->len += len;
	while (len > 0) {
		size_t n = len < 1u << 30 ? len : 1u << 30;
		int rc = run(zip, p, n, Z_NO_FLUSH);

		if (rc < 0)
			return rc;
		p += n;
		len -= n;
	}
	return 0;
}

int sim_zip_end(struct sim_zip *zip)
{
	int rc = run(zip, "", 0, Z_FINISH);

	(void)deflateEnd(&zip->z);
	return rc;
}
