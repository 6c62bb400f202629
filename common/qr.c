/* common/qr.c - a QR code as modules, and as text for a terminal */
#include "common/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

int qr_encode(const char *text, struct qr *qr_out)
{
	QRcode *code;
	struct qr qr = { 0 };
	size_t n;

	code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (code == NULL)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;
	qr.width = code->width;
	n = (size_t)code->width * (size_t)code->width;
	qr.modules = malloc(n);
	if (qr.modules != NULL)
		for (size_t i = 0; i < n; i++)
			qr.modules[i] = code->data[i] & 1;
	QRcode_free(code);
	if (qr.modules == NULL)
		return -ENOMEM;
	*qr_out = qr;
	return 0;
}

void qr_clear(struct qr *qr)
{
	free(qr->modules);
	*qr = (struct qr){ 0 };
}

/* The border is light, and so is what lies below the last row of an odd number. */
static bool is_light(const struct qr *qr, int x, int y)
{
	if (x < 0 || y < 0 || x >= qr->width || y >= qr->width)
		return true;
	return qr->modules[y * qr->width + x] == 0;
}

static int draw_line(const struct qr *qr, int y, bool ansi, struct buf *out)
{
	static const char *const cell[2][2] = {
		{ " ", "\xe2\x96\x84" },            /* dark above: nothing, lower half */
		{ "\xe2\x96\x80", "\xe2\x96\x88" }, /* light above: upper half, full block */
	};
	int rc = ansi ? buf_append_str(out, "\x1b[97;40m") : 0;

	for (int x = -QR_QUIET; rc == 0 && x < qr->width + QR_QUIET; x++)
		rc = buf_append_str(out, cell[is_light(qr, x, y)][is_light(qr, x, y + 1)]);
	if (rc == 0)
		rc = buf_append_str(out, ansi ? "\x1b[0m\n" : "\n");
	return rc;
}

int qr_draw_text(const struct qr *qr, bool ansi, struct buf *out)
{
	int rc = 0;

	for (int y = -QR_QUIET; rc == 0 && y < qr->width + QR_QUIET; y += 2)
		rc = draw_line(qr, y, ansi, out);
	return rc;
}
