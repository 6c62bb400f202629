/* gateway/api/gw_qr.c - a code as picture: PNG, data URL, SVG, text */
#include "gateway/api/gw_qr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "common/codec.h"
#include "common/qr.h"
#include "gateway/instance/gw_instance.h"

#define DATA_URL_PREFIX "data:image/png;base64,"
#define PNG_LEVEL 6

static bool is_dark(const struct qr *qr, int x, int y)
{
	x -= QR_QUIET;
	y -= QR_QUIET;
	if (x < 0 || y < 0 || x >= qr->width || y >= qr->width)
		return false;
	return qr->modules[y * qr->width + x] != 0;
}

static void on_png_write(png_structp png, png_bytep data, size_t len)
{
	if (buf_append(png_get_io_ptr(png), data, len) < 0)
		png_error(png, "out of memory");
}

static void on_png_flush(png_structp png)
{
	(void)png;
}

/* Nothing to say: the caller is told by a return code. */
static void on_png_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static void on_png_error(png_structp png, png_const_charp text)
{
	(void)text;
	png_longjmp(png, 1);
}

/* One row of pixels: palette entry 0 is white, 1 black. */
static void draw_row(const struct qr *qr, int y, png_byte *row, size_t row_len)
{
	int side = qr->width + 2 * QR_QUIET;

	memset(row, 0, row_len);
	for (int x = 0; x < side; x++) {
		if (is_dark(qr, x, y))
			row[x] = 0xff; /* GW_QR_SCALE is 8: a module is a byte */
	}
}

_Static_assert(GW_QR_SCALE == 8, "draw_row() writes a whole byte for a module");

static void write_png(png_structp png, png_infop info, const struct qr *qr, png_byte *row)
{
	static const png_color palette[2] = { { 255, 255, 255 }, { 0, 0, 0 } };
	int side = qr->width + 2 * QR_QUIET;
	png_uint_32 pixels = (png_uint_32)(side * GW_QR_SCALE);

	png_set_compression_level(png, PNG_LEVEL);
	png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
	png_set_IHDR(png, info, pixels, pixels, 1, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE,
	             PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_set_PLTE(png, info, palette, 2);
	png_write_info(png, info);
	for (int y = 0; y < side; y++) {
		draw_row(qr, y, row, (size_t)side);
		for (int i = 0; i < GW_QR_SCALE; i++)
			png_write_row(png, row);
	}
	png_write_end(png, info);
}

int gw_qr_png(const char *text, struct buf *out)
{
	struct qr qr = { 0 };
	png_structp png = NULL;
	png_infop info = NULL;
	png_byte *row = NULL;
	size_t before = out->len;
	volatile int rc;

	rc = qr_encode(text, &qr);
	if (rc < 0)
		return rc;
	rc = -ENOMEM;
	row = malloc((size_t)qr.width + 2 * QR_QUIET);
	png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_png_error, on_png_warning);
	if (png != NULL)
		info = png_create_info_struct(png);
	if (row == NULL || info == NULL)
		goto out;
	png_set_write_fn(png, out, on_png_write, on_png_flush);
	if (setjmp(png_jmpbuf(png)) == 0) {
		write_png(png, info, &qr, row);
		rc = 0;
	} else {
		out->len = before;
	}
out:
	png_destroy_write_struct(&png, &info);
	free(row);
	qr_clear(&qr);
	return rc;
}

/* The dark runs of one row as rectangles one module high. */
static int svg_row(const struct qr *qr, int y, struct buf *out)
{
	int side = qr->width + 2 * QR_QUIET;
	int rc = 0;

	for (int x = 0, run; rc == 0 && x < side; x += run) {
		run = 1;
		if (!is_dark(qr, x, y))
			continue;
		while (is_dark(qr, x + run, y))
			run++;
		rc = buf_appendf(out, "M%d %dh%dv1h-%dz", x, y, run, run);
	}
	return rc;
}

int gw_qr_svg(const char *text, struct buf *out)
{
	struct qr qr = { 0 };
	int rc, side;

	rc = qr_encode(text, &qr);
	if (rc < 0)
		return rc;
	side = qr.width + 2 * QR_QUIET;
	rc = buf_appendf(
	    out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
	    "height=\"%d\""
	    " shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
	    side, side, side * GW_QR_SCALE, side * GW_QR_SCALE, side, side);
	for (int y = 0; rc == 0 && y < side; y++)
		rc = svg_row(&qr, y, out);
	if (rc == 0)
		rc = buf_append_str(out, "\"/></svg>\n");
	qr_clear(&qr);
	return rc;
}

int gw_qr_text(const char *text, struct buf *out)
{
	struct qr qr = { 0 };
	int rc;

	rc = qr_encode(text, &qr);
	if (rc < 0)
		return rc;
	rc = qr_draw_text(&qr, false, out);
	qr_clear(&qr);
	return rc;
}

const char *gw_qr_data_url(struct gw_code *code)
{
	struct buf png = { 0 };
	char *url = NULL;

	if (code->png_data_url != NULL)
		return code->png_data_url;
	if (gw_qr_png(code->text, &png) == 0)
		url = malloc(sizeof(DATA_URL_PREFIX) - 1 + B64_CAP(png.len));
	if (url != NULL) {
		memcpy(url, DATA_URL_PREFIX, sizeof(DATA_URL_PREFIX) - 1);
		b64_encode(png.p, png.len, url + sizeof(DATA_URL_PREFIX) - 1);
		code->png_data_url = url;
	}
	buf_wipe(&png);
	return url;
}
