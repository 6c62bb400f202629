/* cli/ctl_term.c - a block of text that is redrawn in place on a terminal, and questions */
#include "cli/ctl_term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48 control sequences that every terminal emulator knows */
#define CLEAR_TO_END "\033[J"
#define CLEAR_LINE "\r\033[K"

void ctl_screen_init(struct ctl_screen *s)
{
	const char *term = getenv("TERM");

	memset(s, 0, sizeof(*s));
	s->terminal = isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

void ctl_screen_size(size_t *cols_out, size_t *rows_out)
{
	struct winsize ws;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 && ws.ws_row > 0;

	*cols_out = known ? ws.ws_col : 80;
	*rows_out = known ? ws.ws_row : 24;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n')) != NULL) {
		n++;
		text++;
	}
	return n;
}

void ctl_screen_block(struct ctl_screen *s, const char *text, size_t cols)
{
	size_t term_cols, term_rows, lines = count_lines(text);

	if (!s->terminal) {
		fputs(text, stdout);
		fflush(stdout);
		return;
	}
	ctl_screen_size(&term_cols, &term_rows);
	if (s->status)
		fputs(CLEAR_LINE, stdout);
	if (s->block_n > 0)
		printf("\033[%zuA" CLEAR_TO_END, s->block_n);
	s->status = false;
	fputs(text, stdout);
	/* What has scrolled off or is wrapped can't be reached again: let it stand. */
	s->block_n = lines < term_rows && cols <= term_cols ? lines : 0;
	fflush(stdout);
}

void ctl_screen_status(struct ctl_screen *s, const char *line)
{
	size_t cols, rows;

	if (!s->terminal)
		return;
	ctl_screen_size(&cols, &rows);
	printf(CLEAR_LINE "%.*s", (int)cols - 1, line);
	s->status = true;
	fflush(stdout);
}

void ctl_screen_end(struct ctl_screen *s)
{
	if (s->status)
		fputs(CLEAR_LINE, stdout);
	s->status = false;
	s->block_n = 0;
	fflush(stdout);
}

bool ctl_term_confirm(const char *question)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
		return true;
	fprintf(stderr, "%s [y/N] ", question);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}
