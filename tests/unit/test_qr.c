/* tests/unit/test_qr.c - QR modules and their drawing */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/qr.h"

/* Read the half blocks of a drawing back into modules and compare. */
static void assert_drawing_equals(const struct qr *qr, const char *text, size_t text_len)
{
	const char *p = text, *end = text + text_len;
	int rows = qr->width + 2 * QR_QUIET;

	for (int y = 0; y < rows; y += 2) {
		for (int x = 0; x < rows; x++) {
			bool upper = true, lower = true; /* light */

			if (*p == ' ') {
				upper = lower = false;
				p++;
			} else {
				assert_memory_equal(p, "\xe2\x96", 2);
				lower = p[2] != '\x80';
				upper = p[2] != '\x84';
				p += 3;
			}
			for (int half = 0; half < 2; half++) {
				int my = y + half - QR_QUIET, mx = x - QR_QUIET;
				bool inside =
				    mx >= 0 && my >= 0 && mx < qr->width && my < qr->width;
				bool light = !inside || qr->modules[my * qr->width + mx] == 0;

				assert_int_equal(half == 0 ? upper : lower, light);
			}
		}
		assert_int_equal(*p++, '\n');
	}
	assert_ptr_equal(p, end);
}

static void test_drawing_shows_every_module_and_the_border(void **state)
{
	struct buf out = { 0 };
	struct qr qr;

	(void)state;
	assert_int_equal(qr_encode("https://wa.me/settings/linked_devices#2@abc", &qr), 0);
	assert_true(qr.width >= 21);
	assert_int_equal(qr.modules[0], 1); /* corner of a finder pattern */
	assert_int_equal(qr_draw_text(&qr, false, &out), 0);
	assert_drawing_equals(&qr, (const char *)out.p, out.len);
	buf_free(&out);
	qr_clear(&qr);
}

static void test_coloured_drawing_sets_and_resets_each_line(void **state)
{
	struct buf out = { 0 };
	struct qr qr;

	(void)state;
	assert_int_equal(qr_encode("x", &qr), 0);
	assert_int_equal(qr_draw_text(&qr, true, &out), 0);
	assert_memory_equal(out.p, "\x1b[97;40m", 8);
	assert_memory_equal(out.p + out.len - 5, "\x1b[0m\n", 5);
	buf_free(&out);
	qr_clear(&qr);
}

static void test_empty_and_oversize_text_are_refused(void **state)
{
	char *big = malloc(4001);
	struct qr qr;

	(void)state;
	memset(big, 'a', 4000);
	big[4000] = '\0';
	assert_int_equal(qr_encode("", &qr), -EINVAL);
	assert_true(qr_encode(big, &qr) < 0);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drawing_shows_every_module_and_the_border),
		cmocka_unit_test(test_coloured_drawing_sets_and_resets_each_line),
		cmocka_unit_test(test_empty_and_oversize_text_are_refused),
	};

	return cmocka_run_group_tests_name("qr", tests, NULL, NULL);
}
