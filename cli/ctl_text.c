/* cli/ctl_text.c - text for people: tables, ages, foreign strings made harmless */
#include "cli/ctl_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int ctl_text_clean(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p != '\0'; p++) {
		unsigned char c = *p;
		int rc;

		/* C1 controls are 0xc2 0x80..0x9f in UTF-8 */
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)) {
			if (c == 0xc2)
				p++;
			c = '?';
		}
		rc = buf_append_u8(out, c);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void ctl_text_age(int64_t age_s, char *out)
{
	if (age_s < 1)
		snprintf(out, CTL_AGE_CAP, "now");
	else if (age_s < 60)
		snprintf(out, CTL_AGE_CAP, "%" PRId64 " s", age_s);
	else if (age_s < 3600)
		snprintf(out, CTL_AGE_CAP, "%" PRId64 " min", age_s / 60);
	else if (age_s < 86400)
		snprintf(out, CTL_AGE_CAP, "%" PRId64 " h %" PRId64 " min", age_s / 3600,
		         age_s % 3600 / 60);
	else
		snprintf(out, CTL_AGE_CAP, "%" PRId64 " d %" PRId64 " h", age_s / 86400,
		         age_s % 86400 / 3600);
}

int ctl_text_rfc3339(const char *text, int64_t *unix_s_out)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (rest == NULL)
		return -EINVAL;
	if (*rest == '.') {
		size_t digits = strspn(rest + 1, "0123456789");

		if (digits == 0)
			return -EINVAL;
		rest += 1 + digits;
	}
	if (strcmp(rest, "Z") != 0)
		return -EINVAL;
	*unix_s_out = timegm(&tm);
	return 0;
}

static int table_add(struct ctl_table *t, const char *text)
{
	struct buf cell = { 0 };
	int rc;

	if (t->cells_n == t->cells_cap) {
		size_t cap = t->cells_cap > 0 ? 2 * t->cells_cap : 64;
		char **cells = reallocarray(t->cells, cap, sizeof(*cells));

		if (cells == NULL)
			return -ENOMEM;
		t->cells = cells;
		t->cells_cap = cap;
	}
	rc = ctl_text_clean(&cell, text);
	if (rc == 0)
		rc = buf_append_u8(&cell, '\0');
	if (rc < 0) {
		buf_free(&cell);
		return rc;
	}
	t->cells[t->cells_n++] = (char *)cell.p; /* handed over */
	return 0;
}

int ctl_table_row(struct ctl_table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->cols_n; i++) {
		int rc = table_add(t, cells[i]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Columns on the screen, for text whose characters are one column wide. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* The first cols columns of a line of len bytes, in bytes. */
static size_t cut_line(const char *line, size_t len, size_t cols)
{
	size_t width = 0, i;

	for (i = 0; i < len; i++) {
		if (((unsigned char)line[i] & 0xc0) != 0x80 && width++ == cols)
			break;
	}
	return i;
}

int ctl_text_fit(struct buf *out, const char *text, size_t cols, size_t rows)
{
	size_t n = 0, all = 0;
	int rc = 0;

	for (const char *p = text; *p != '\0'; p++)
		all += *p == '\n';
	while (rc == 0 && *text != '\0') {
		size_t len = strcspn(text, "\n");

		if (all > rows && ++n == rows)
			return buf_appendf(out, "... and %zu more\n", all - rows + 1);
		rc = buf_append(out, text, cut_line(text, len, cols));
		if (rc == 0)
			rc = buf_append_u8(out, '\n');
		text += len + (text[len] == '\n');
	}
	return rc;
}

int ctl_table_draw(const struct ctl_table *t, struct buf *out)
{
	size_t width[CTL_TABLE_COLS_MAX] = { 0 };
	int rc = 0;

	for (size_t i = 0; i < t->cells_n; i++) {
		size_t w = text_width(t->cells[i]);

		if (w > width[i % t->cols_n])
			width[i % t->cols_n] = w;
	}
	for (size_t i = 0; i < t->cells_n && rc == 0; i++) {
		size_t col = i % t->cols_n;
		bool last = col + 1 == t->cols_n;
		size_t pad = width[col] - text_width(t->cells[i]) + 2;

		rc = buf_appendf(out, "%s%*s", t->cells[i], last ? 0 : (int)pad, last ? "\n" : "");
	}
	return rc;
}

void ctl_table_clear(struct ctl_table *t)
{
	for (size_t i = 0; i < t->cells_n; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct ctl_table){ .cols_n = t->cols_n };
}
