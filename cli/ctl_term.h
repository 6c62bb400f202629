/* cli/ctl_term.h - a block of text that is redrawn in place on a terminal, and questions */
#ifndef CTL_TERM_H
#define CTL_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* Zero-initialised but for what ctl_screen_init() sets. Writes to stdout. */
struct ctl_screen {
	bool terminal;  /* stdout is one that moves its cursor; else all is just printed */
	size_t block_n; /* lines of the block on the screen */
	bool status;    /* a status line stands below it, without its line end */
};

void ctl_screen_init(struct ctl_screen *s);
/* Columns and rows; 80 x 24 where that can't be asked. */
void ctl_screen_size(size_t *cols_out, size_t *rows_out);

/*
 * Replace the block by text, whose lines all end in LF. Where the terminal has fewer than its
 * lines or cols columns (the widest line), the block is printed below the old one instead.
 */
void ctl_screen_block(struct ctl_screen *s, const char *text, size_t cols);
/* The line below the block, rewritten in place; nothing where stdout is no terminal. */
void ctl_screen_status(struct ctl_screen *s, const char *line);
/*
 * End: the status line is removed, the block stays, the cursor is on a line of its own. A program
 * that is killed before leaves nothing else behind: no mode of the terminal is ever changed.
 */
void ctl_screen_end(struct ctl_screen *s);

/*
 * On a terminal ask question and read the answer: true for y or yes. true without asking where
 * stdin is no terminal: a script has decided already.
 */
ATTR_NODISCARD bool ctl_term_confirm(const char *question);

#endif
