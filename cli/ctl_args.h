/* cli/ctl_args.h - the command line as words and options; no I/O, no global state */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

enum ctl_opt {
	CTL_OPT_JSON,
	CTL_OPT_TOKEN_FILE,
	CTL_OPT_QUOTA,
	CTL_OPT_YES,
	CTL_OPT_HISTORY,
	CTL_OPT_NUMBER,
	CTL_OPT_FIRST,
	CTL_OPT_SHARE,
	CTL_OPT_EXPIRES,
	CTL_OPT_WATCH,
	CTL_OPT_PASSWORD_FILE,
	CTL_OPT_ACCOUNT,
	CTL_OPT_PER_MINUTE,
	CTL_OPT_FROM,
	CTL_OPT_EVENTS,
	CTL_OPT_WITH_HISTORY,
	CTL_OPT_HELP,
	CTL_OPT_VERSION,
	CTL_OPT_N
};

struct ctl_option {
	const char *name; /* without its dashes */
	const char *arg;  /* placeholder of its value; NULL: it takes none */
	const char *help;
};
extern const struct ctl_option ctl_options[CTL_OPT_N];

/* Why a password is no argument, and where else to put it. */
extern const char ctl_args_no_password[];

#define CTL_WORDS_MAX 16
#define CTL_ARGS_WHY_CAP 256

/* Borrowed from argv. */
struct ctl_args {
	const char *opt[CTL_OPT_N]; /* NULL: not given; "" for one without a value */
	const char *word[CTL_WORDS_MAX];
	size_t words_n;
};

/*
 * Options may stand before, between and after the words; "--" ends them; --name=value is the same
 * as --name value. No abbreviations: a longer program must not change what a script says.
 * 0, or -EINVAL with a sentence in why_out (CTL_ARGS_WHY_CAP bytes) that says what to do.
 */
ATTR_NODISCARD int ctl_args_parse(int argc, char *const *argv, struct ctl_args *args_out,
                                  char *why_out);

/* A whole number in min..max, digits only. 0 or -EINVAL. */
ATTR_NODISCARD int ctl_args_number(const char *text, int64_t min, int64_t max, int64_t *out);

/* "true" and "on", "false" and "off". 0 or -EINVAL. */
ATTR_NODISCARD int ctl_args_truth(const char *text, bool *out);

/* ^[A-Za-z0-9_-]{1,100}$: what accounts and instances can be called. */
bool ctl_args_name_valid(const char *name);

#define CTL_PHONE_CAP 16
/*
 * A phone number as WhatsApp takes it: "+55 (11) 99999-9999" to "5511999999999".
 * 0 or -EINVAL (not 7 to 15 digits, or a leading 0). out holds CTL_PHONE_CAP bytes.
 */
ATTR_NODISCARD int ctl_args_phone(const char *text, char *out);

#endif
