/* worker/wa/node/wa_inflate.c - a whole zlib or gzip stream, inflated up to a limit */
#include "worker/wa/node/wa_inflate.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#include "common/err.h"

#define STEP_MIN 1024
#define GZIP_ALONE 16 /* added to the window's bits: a gzip head is expected */

/* All of z's input into out, in steps and to at most max_len bytes. */
static int inflate_to(z_stream *z, size_t max_len, struct buf *out)
{
	size_t step = 4 * (size_t)z->avail_in;
	int zrc, rc;

	do {
		if (step < STEP_MIN)
			step = STEP_MIN;
		if (step > max_len - out->len)
			step = max_len - out->len;
		rc = buf_reserve(out, step);
		if (rc < 0)
			return rc;
		z->next_out = out->p + out->len;
		z->avail_out = (uInt)step;
		zrc = inflate(z, Z_NO_FLUSH);
		out->len += step - z->avail_out;
		step = out->len;
	} while (zrc == Z_OK && z->avail_out == 0 && out->len < max_len);
	if (out->len == max_len)
		return WA_ELIMIT;
	if (zrc == Z_STREAM_END)
		return z->avail_in > 0 ? WA_EPROTO : 0;
	if (zrc == Z_MEM_ERROR)
		return -ENOMEM;
	return zrc == Z_OK || zrc == Z_BUF_ERROR ? WA_ETRUNC : WA_EPROTO;
}

int wa_inflate(enum wa_inflate_format format, const uint8_t *data, size_t data_len, size_t max_len,
               struct buf *out)
{
	const int bits = format == WA_INFLATE_GZIP ? MAX_WBITS + GZIP_ALONE : MAX_WBITS;
	z_stream z = { 0 };
	int rc;

	if (data_len > INT_MAX || out->len >= max_len)
		return WA_ELIMIT;
	z.next_in = (z_const Bytef *)data;
	z.avail_in = (uInt)data_len;
	if (inflateInit2(&z, bits) != Z_OK)
		return -ENOMEM;
	rc = inflate_to(&z, max_len, out);
	(void)inflateEnd(&z);
	return rc;
}
