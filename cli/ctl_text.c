/* cli/ctl_text.c - text for people: tables, ages, foreign strings made harmless */
#include "cli/ctl_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/codec.h"

#define NO_CHAR 0xfffd

/*
 * How many bytes the character has that text, which is not at its end, begins with. *control_out:
 * its number where a terminal would obey it, NO_CHAR where it is no UTF-8, 0 where it is only
 * shown.
 */
static size_t next_char(const char *text, unsigned *control_out)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = utf8_char_len(text);
	unsigned c = p[0];

	*control_out = 0;
	if (len == 0) {
		*control_out = NO_CHAR;
		return 1;
	}
	if (len == 2)
		c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	else if (len == 3)
		c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	/* C0, C1; line ends, embeddings and overrides of the direction; isolates */
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		*control_out = c;
	return len;
}

int ctl_text_clean(struct buf *out, const char *text)
{
	int rc = 0;

	while (rc == 0 && *text != '\0') {
		unsigned control;
		size_t len = next_char(text, &control);

		rc = control != 0 ? buf_append_u8(out, '?') : buf_append(out, text, len);
		text += len;
	}
	return rc;
}

void ctl_text_copy(char *out, size_t out_cap, const char *text)
{
	size_t n = 0;

	while (*text != '\0') {
		unsigned control;
		size_t len = next_char(text, &control), need = control != 0 ? 1 : len;

		if (need >= out_cap - n)
			break;
		memcpy(out + n, control != 0 ? "?" : text, need);
		n += need;
		text += len;
	}
	out[n] = '\0';
}

int ctl_text_json(struct buf *out, const char *json)
{
	int rc = 0;

	while (rc == 0 && *json != '\0') {
		unsigned control;
		size_t len = next_char(json, &control);

		rc = control != 0 ? buf_appendf(out, "\\u%04x", control)
		                  : buf_append(out, json, len);
		json += len;
	}
	return rc;
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
