/*
 * common/settings.h - one table defines every setting
 *
 * A program describes its settings in one const table: name, type, where the value goes, default,
 * range, help. Environment variable (WARDEN_ + the name in capitals), flag (--name-with-dashes),
 * --help, --print-config and every error text follow from it. The flag wins over the variable.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attr.h"

enum setting_type {
	SETTING_STR,  /* char *, owned; NULL for "none" */
	SETTING_INT,  /* int64_t within min..max */
	SETTING_BOOL, /* bool: 0|1|no|yes|false|true|off|on */
	SETTING_ENUM, /* int: index into choices ("a|b|c") */
};

struct setting {
	const char *name; /* "limit_per_minute" */
	enum setting_type type;
	size_t offset;       /* of the value inside the caller's struct */
	const char *def;     /* default as text; NULL: none */
	int64_t min, max;    /* SETTING_INT */
	const char *choices; /* SETTING_ENUM: "auto|text|json" */
	bool secret;         /* may hold a secret: no flag, masked when printed, in secret memory */
	const char *arg;     /* placeholder in --help: "ADDR:PORT" */
	const char *help;    /* one line */
	/* Further check of a given (not default) text; false with what was expected, in static
	 * text. */
	bool (*check)(const char *text, const char **expected_out);
};

enum settings_result {
	SETTINGS_RUN,    /* go on */
	SETTINGS_EXIT_0, /* --help, --version or --print-config was printed */
	SETTINGS_EXIT_2, /* a bad value or flag; one line on stderr says which, what and where from
	                  */
};

struct settings_program {
	const char *name;     /* "wardend" */
	const char *synopsis; /* what --help prints above the table */
	const struct setting *table;
	size_t table_n;
	/*
	 * Check and complete the values as a whole, before they are printed or used; may be NULL.
	 * False: it has said on stderr what is wrong.
	 */
	bool (*finish)(void *values);
	const char *const
	    *other_env; /* known WARDEN_* variables of other programs; NULL-terminated */
};

/*
 * Fill values (a zeroed struct the table's offsets point into) from defaults, environ and argv.
 * Unknown WARDEN_* variables are named in a warning on stderr. Variables of secret settings are
 * removed from the environment and their bytes wiped.
 */
ATTR_NODISCARD enum settings_result settings_load(const struct settings_program *prog, int argc,
                                                  char **argv, void *values);

/*
 * The variables of secret settings that were given, "WARDEN_NAME=value", as they were before
 * settings_load() took them away: for a program that is to have them, too. env has room for one
 * more than there are secret settings; ends with NULL; each is the caller's to wipe and free(). 0
 * or -ENOMEM (then it ends early).
 */
int settings_secret_env(const struct settings_program *prog, const void *values, char **env);

/* Release the strings (secret ones wiped). */
void settings_clear(const struct settings_program *prog, void *values);

void settings_print(const struct settings_program *prog, const void *values, FILE *out);

#endif
