/* tests/unit/test_gw_qr.c - the pictures of a code hold its modules, and nothing else */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "common/buf.h"
#include "common/codec.h"
#include "common/qr.h"
#include "gateway/api/gw_qr.h"
#include "gateway/instance/gw_instance.h"

static const char text[] =
    "2@AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAA,BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=,"
    "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC=,DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD=,1";

/* Dark pixels of a decoded picture: 1, light: 0. */
static uint8_t *decode_png(const struct buf *png, unsigned *side_out)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t *grey;

	assert_true(png_image_begin_read_from_memory(&image, png->p, png->len));
	image.format = PNG_FORMAT_GRAY;
	assert_int_equal(image.width, image.height);
	grey = malloc(PNG_IMAGE_SIZE(image));
	assert_non_null(grey);
	assert_true(png_image_finish_read(&image, NULL, grey, 0, NULL));
	for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
		assert_true(grey[i] == 0 || grey[i] == 255);
		grey[i] = grey[i] == 0;
	}
	*side_out = image.width;
	png_image_free(&image);
	return grey;
}

static bool dark(const struct qr *qr, int x, int y)
{
	x -= QR_QUIET;
	y -= QR_QUIET;
	return x >= 0 && y >= 0 && x < qr->width && y < qr->width &&
	       qr->modules[y * qr->width + x] != 0;
}

static void test_every_pixel_of_the_png_is_its_module(void **state)
{
	struct buf png = { 0 };
	struct qr qr = { 0 };
	uint8_t *pixels;
	unsigned side;

	(void)state;
	assert_int_equal(qr_encode(text, &qr), 0);
	assert_int_equal(gw_qr_png(text, &png), 0);
	assert_in_range(png.len, 1, 2048);
	/* bit depth 1, palette */
	assert_int_equal(png.p[24], 1);
	assert_int_equal(png.p[25], 3);
	pixels = decode_png(&png, &side);
	assert_int_equal(side, (qr.width + 2 * QR_QUIET) * GW_QR_SCALE);
	for (unsigned y = 0; y < side; y++) {
		for (unsigned x = 0; x < side; x++)
			assert_int_equal(pixels[y * side + x],
			                 dark(&qr, (int)x / GW_QR_SCALE, (int)y / GW_QR_SCALE));
	}
	free(pixels);
	qr_clear(&qr);
	buf_free(&png);
}

/* Paint the rectangles of the path again. */
static void paint(const char *path, int side, uint8_t *modules)
{
	int x, y, w, w2, n;

	for (; *path == 'M'; path += n) {
		assert_int_equal(sscanf(path, "M%d %dh%dv1h-%dz%n", &x, &y, &w, &w2, &n), 4);
		assert_int_equal(w, w2);
		assert_true(x >= 0 && y >= 0 && w > 0 && x + w <= side && y < side);
		memset(modules + y * side + x, 1, (size_t)w);
	}
	assert_int_equal(*path, '"');
}

static void test_the_svg_paints_the_same_modules(void **state)
{
	struct buf svg = { 0 };
	struct qr qr = { 0 };
	uint8_t *modules;
	const char *path;
	int side;

	(void)state;
	assert_int_equal(qr_encode(text, &qr), 0);
	assert_int_equal(gw_qr_svg(text, &svg), 0);
	assert_int_equal(buf_append_u8(&svg, 0), 0);
	side = qr.width + 2 * QR_QUIET;
	modules = calloc((size_t)side, (size_t)side);
	assert_non_null(modules);
	path = strstr((const char *)svg.p, "<path d=\"");
	assert_non_null(path);
	paint(path + 9, side, modules);
	for (int y = 0; y < side; y++) {
		for (int x = 0; x < side; x++)
			assert_int_equal(modules[y * side + x], dark(&qr, x, y));
	}
	free(modules);
	qr_clear(&qr);
	buf_free(&svg);
}

static void test_the_data_url_is_the_png_and_is_drawn_once(void **state)
{
	static const char prefix[] = "data:image/png;base64,";
	struct gw_code code = { .png_data_url = NULL };
	struct buf png = { 0 };
	uint8_t decoded[4096];
	const char *url;
	size_t len;

	(void)state;
	snprintf(code.text, sizeof(code.text), "%s", text);
	url = gw_qr_data_url(&code);
	assert_non_null(url);
	assert_ptr_equal(gw_qr_data_url(&code), url);
	assert_memory_equal(url, prefix, sizeof(prefix) - 1);
	url += sizeof(prefix) - 1;
	assert_int_equal(b64_decode(url, strlen(url), decoded, sizeof(decoded), &len), 0);
	assert_int_equal(gw_qr_png(text, &png), 0);
	assert_int_equal(len, png.len);
	assert_memory_equal(decoded, png.p, len);
	buf_free(&png);
	free(code.png_data_url);
}

static void test_what_can_not_be_coded_is_said_so(void **state)
{
	struct buf out = { 0 };
	char *huge = malloc(5000);

	(void)state;
	assert_non_null(huge);
	memset(huge, 'a', 4999);
	huge[4999] = '\0';
	assert_int_equal(gw_qr_png("", &out), -EINVAL);
	assert_int_equal(gw_qr_svg(huge, &out), -EINVAL);
	assert_int_equal(gw_qr_text(huge, &out), -EINVAL);
	assert_int_equal(out.len, 0);
	free(huge);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pixel_of_the_png_is_its_module),
		cmocka_unit_test(test_the_svg_paints_the_same_modules),
		cmocka_unit_test(test_the_data_url_is_the_png_and_is_drawn_once),
		cmocka_unit_test(test_what_can_not_be_coded_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
