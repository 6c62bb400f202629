/* cli/ctl_text.h - text for people: tables, ages, foreign strings made harmless; no I/O */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

/*
 * Append text that came from outside: control characters, which could move the cursor or worse, and
 * those that turn the order of letters around become '?'. UTF-8 passes. 0 or -ENOMEM.
 */
ATTR_NODISCARD int ctl_text_clean(struct buf *out, const char *text);
/* The same into out, which holds out_cap bytes, at least one: cut there, at a whole character. */
void ctl_text_copy(char *out, size_t out_cap, const char *text);
/*
 * Append JSON with the same characters, which it has only inside of strings, written as \uXXXX: the
 * same to a program, and harmless on a terminal. 0 or -ENOMEM.
 */
ATTR_NODISCARD int ctl_text_json(struct buf *out, const char *json);

#define CTL_AGE_CAP 32
/* "now", "12 s", "3 min", "2 h 5 min", "4 d 3 h". out holds CTL_AGE_CAP bytes. */
void ctl_text_age(int64_t age_s, char *out);

/* "2026-11-22T19:42:15.123Z" (fraction optional, UTC only) to Unix seconds. 0 or -EINVAL. */
ATTR_NODISCARD int ctl_text_rfc3339(const char *text, int64_t *unix_s_out);

/*
 * Append text cut to a screen: lines of at most cols columns, at most rows lines, the last of which
 * then says how many more there are. cols and rows above 0. 0 or -ENOMEM.
 */
ATTR_NODISCARD int ctl_text_fit(struct buf *out, const char *text, size_t cols, size_t rows);

#define CTL_TABLE_COLS_MAX 8

/* Rows of cells, aligned when drawn. Zero-initialise, set cols_n; end with ctl_table_clear(). */
struct ctl_table {
	size_t cols_n;
	char **cells; /* owned, row by row */
	size_t cells_n, cells_cap;
};

/* One row of cols_n cells, copied and cleaned. 0 or -ENOMEM. */
ATTR_NODISCARD int ctl_table_row(struct ctl_table *t, const char *const *cells);
/* Append it, each column as wide as its widest cell, two spaces between. 0 or -ENOMEM. */
ATTR_NODISCARD int ctl_table_draw(const struct ctl_table *t, struct buf *out);
void ctl_table_clear(struct ctl_table *t);

#endif
