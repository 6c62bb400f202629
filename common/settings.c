/* common/settings.c - defaults, environment and flags into a struct, along one table */
#include "common/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"

#define NAME_CAP 96
#define ENV_PREFIX "WARDEN_"

static void env_name(const struct setting *s, char *out)
{
	size_t n = strlen(ENV_PREFIX);

	memcpy(out, ENV_PREFIX, n);
	for (const char *p = s->name; *p != '\0' && n < NAME_CAP - 1; p++)
		out[n++] = (char)toupper((unsigned char)*p);
	out[n] = '\0';
}

static void flag_name(const struct setting *s, char *out)
{
	size_t n = 2;

	out[0] = out[1] = '-';
	for (const char *p = s->name; *p != '\0' && n < NAME_CAP - 1; p++)
		out[n++] = (char)(*p == '_' ? '-' : *p);
	out[n] = '\0';
}

static void *slot(const struct setting *s, void *values)
{
	return (char *)values + s->offset;
}

/* ---- one value
 * ------------------------------------------------------------------------------------ */

static bool parse_int(const struct setting *s, const char *text, int64_t *out)
{
	char *end;

	if (*text == '\0' || isspace((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *out >= s->min && *out <= s->max;
}

static bool parse_bool(const char *text, bool *out)
{
	static const char *const words[] = { "0", "1", "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], text) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	return false;
}

static bool parse_enum(const struct setting *s, const char *text, int *out)
{
	size_t len = strlen(text);
	int index = 0;

	for (const char *p = s->choices;; p++, index++) {
		size_t n = strcspn(p, "|");

		if (n == len && strncmp(p, text, n) == 0) {
			*out = index;
			return true;
		}
		p += n;
		if (*p == '\0')
			return false;
	}
}

/* What a value of this setting may be, for error texts. */
static void describe(const struct setting *s, const char *from_check, char *out, size_t cap)
{
	if (from_check != NULL)
		snprintf(out, cap, "%s", from_check);
	else if (s->type == SETTING_INT)
		snprintf(out, cap, "a whole number from %" PRId64 " to %" PRId64, s->min, s->max);
	else if (s->type == SETTING_BOOL)
		snprintf(out, cap, "0 or 1");
	else if (s->type == SETTING_ENUM)
		snprintf(out, cap, "one of %s", s->choices);
	else
		snprintf(out, cap, "a text");
}

static void free_text(const struct setting *s, char *text)
{
	if (s->secret)
		secret_free(text);
	else
		free(text);
}

static bool set_value(const struct setting *s, const char *text, void *values,
                      const char **expected)
{
	char **str;

	if (s->check != NULL && !s->check(text, expected))
		return false;
	switch (s->type) {
	case SETTING_INT:
		return parse_int(s, text, slot(s, values));
	case SETTING_BOOL:
		return parse_bool(text, slot(s, values));
	case SETTING_ENUM:
		return parse_enum(s, text, slot(s, values));
	case SETTING_STR:
		break;
	}
	str = slot(s, values);
	free_text(s, *str);
	*str = *text == '\0' ? NULL : s->secret ? secret_strdup(text) : strdup(text);
	if (*text != '\0' && *str == NULL)
		abort(); /* before the loop starts; see style: allocation at start-up */
	return true;
}

/* A value goes into a message of one line: control characters don't. */
static void printable(const char *text, char *out, size_t cap)
{
	size_t n = 0;

	for (; n < cap - 1 && text[n] != '\0'; n++)
		out[n] = (char)((unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n]);
	out[n] = '\0';
}

static bool take(const struct settings_program *prog, const struct setting *s, const char *text,
                 const char *from, void *values)
{
	const char *from_check = NULL;
	char expected[160], shown[256];

	if (set_value(s, text, values, &from_check))
		return true;
	describe(s, from_check, expected, sizeof(expected));
	printable(s->secret ? "(hidden)" : text, shown, sizeof(shown));
	fprintf(stderr, "%s: %s is \"%s\" (from %s); expected %s\n", prog->name, s->name, shown,
	        from, expected);
	return false;
}

/* ---- environment
 * ------------------------------------------------------------------------------------ */

extern char **environ;

static bool env_known(const struct settings_program *prog, const char *name, size_t name_len)
{
	char want[NAME_CAP];

	for (size_t i = 0; i < prog->table_n; i++) {
		env_name(&prog->table[i], want);
		if (strlen(want) == name_len && strncmp(want, name, name_len) == 0)
			return true;
	}
	for (const char *const *o = prog->other_env; o != NULL && *o != NULL; o++)
		if (strlen(*o) == name_len && strncmp(*o, name, name_len) == 0)
			return true;
	return false;
}

static void warn_unknown_env(const struct settings_program *prog)
{
	for (char **e = environ; *e != NULL; e++) {
		size_t n = strcspn(*e, "=");

		if (strncmp(*e, ENV_PREFIX, strlen(ENV_PREFIX)) == 0 && !env_known(prog, *e, n))
			fprintf(stderr,
			        "%s: warning: unknown setting %.*s in the environment; "
			        "%s --help lists them\n",
			        prog->name, (int)n, *e, prog->name);
	}
}

static bool load_env(const struct settings_program *prog, void *values)
{
	char name[NAME_CAP];
	bool ok = true;

	for (size_t i = 0; i < prog->table_n; i++) {
		const struct setting *s = &prog->table[i];
		char *text;

		env_name(s, name);
		text = getenv(name);
		if (text == NULL)
			continue;
		ok = take(prog, s, text, name, values) && ok;
		if (s->secret) {
			secret_wipe(text, strlen(text)); /* /proc/PID/environ shows this memory */
			unsetenv(name);
		}
	}
	return ok;
}

int settings_secret_env(const struct settings_program *prog, const void *values, char **env)
{
	char name[NAME_CAP];
	size_t n = 0;

	for (size_t i = 0; i < prog->table_n; i++) {
		const struct setting *s = &prog->table[i];
		const char *value;

		if (!s->secret || s->type != SETTING_STR)
			continue;
		memcpy(&value, (const char *)values + s->offset, sizeof(value));
		if (value == NULL)
			continue;
		env_name(s, name);
		if (asprintf(&env[n], "%s=%s", name, value) < 0) {
			env[n] = NULL;
			return -ENOMEM;
		}
		n++;
	}
	env[n] = NULL;
	return 0;
}

/* ---- flags
 * -------------------------------------------------------------------------------------------- */

static const struct setting *find_flag(const struct settings_program *prog, const char *arg,
                                       size_t n)
{
	char want[NAME_CAP];

	for (size_t i = 0; i < prog->table_n; i++) {
		flag_name(&prog->table[i], want);
		if (strlen(want) == n && strncmp(want, arg, n) == 0)
			return &prog->table[i];
	}
	return NULL;
}

static bool flag_error(const struct settings_program *prog, const char *what, const char *arg,
                       size_t n)
{
	fprintf(stderr, "%s: %s %.*s; %s --help lists the flags\n", prog->name, what, (int)n, arg,
	        prog->name);
	return false;
}

static bool load_flags(const struct settings_program *prog, int argc, char **argv, void *values)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		size_t n = strcspn(arg, "=");
		const struct setting *s = find_flag(prog, arg, n);
		char from[NAME_CAP];
		const char *text;

		if (s == NULL)
			return flag_error(prog, "unknown argument", arg, n);
		flag_name(s, from);
		if (s->secret) {
			char env[NAME_CAP];

			env_name(s, env);
			fprintf(stderr,
			        "%s: %s may hold a secret and has no flag (others can read a "
			        "command line); set %s in the environment\n",
			        prog->name, from, env);
			return false;
		}
		if (arg[n] == '=')
			text = arg + n + 1;
		else if (i + 1 < argc)
			text = argv[++i];
		else
			return flag_error(prog, "a value is missing behind", arg, n);
		if (!take(prog, s, text, from, values))
			return false;
	}
	return true;
}

/* ---- help and print-config
 * ------------------------------------------------------------------------------ */

static void print_help(const struct settings_program *prog)
{
	printf("%s\n\nSettings (flag, environment variable, default):\n", prog->synopsis);
	for (size_t i = 0; i < prog->table_n; i++) {
		const struct setting *s = &prog->table[i];
		char env[NAME_CAP], flag[NAME_CAP];

		env_name(s, env);
		flag_name(s, flag);
		if (s->secret)
			printf("\n  %s\n", env);
		else
			printf("\n  %s %s, %s\n", flag,
			       s->type == SETTING_ENUM ? s->choices
			       : s->arg != NULL        ? s->arg
			                               : "VALUE",
			       env);
		printf("      %s\n      default: %s\n", s->help,
		       s->def == NULL ? "(none)" : s->def);
	}
	printf("\nOther flags:\n\n  --help            print this\n"
	       "  --version         print the version\n"
	       "  --print-config    print the settings in force, secrets masked\n");
}

static void print_value(const struct setting *s, const void *values, FILE *out)
{
	const char *p = (const char *)values + s->offset;
	const char *choice;
	int64_t i64;
	char *str;
	int index;

	switch (s->type) {
	case SETTING_INT:
		memcpy(&i64, p, sizeof(i64));
		fprintf(out, "%" PRId64 "\n", i64);
		break;
	case SETTING_BOOL:
		fprintf(out, "%d\n", *p != 0);
		break;
	case SETTING_ENUM:
		memcpy(&index, p, sizeof(index));
		choice = s->choices;
		while (index-- > 0)
			choice += strcspn(choice, "|") + 1;
		fprintf(out, "%.*s\n", (int)strcspn(choice, "|"), choice);
		break;
	case SETTING_STR:
		memcpy(&str, p, sizeof(str));
		fprintf(out, "%s\n", str == NULL ? "" : s->secret ? "********" : str);
		break;
	}
}

void settings_print(const struct settings_program *prog, const void *values, FILE *out)
{
	for (size_t i = 0; i < prog->table_n; i++) {
		fprintf(out, "%s=", prog->table[i].name);
		print_value(&prog->table[i], values, out);
	}
}

/* ---- all of it
 * -------------------------------------------------------------------------------------------- */

static bool load_defaults(const struct settings_program *prog, void *values)
{
	bool ok = true;

	for (size_t i = 0; i < prog->table_n; i++)
		if (prog->table[i].def != NULL)
			ok = take(prog, &prog->table[i], prog->table[i].def, "default", values) &&
			     ok;
	return ok;
}

/* argv without --print-config; true when it was there */
static bool cut_print_config(int *argc, char **argv)
{
	int n = 1;

	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], "--print-config") != 0)
			argv[n++] = argv[i];
	if (n == *argc)
		return false;
	*argc = n;
	return true;
}

enum settings_result settings_load(const struct settings_program *prog, int argc, char **argv,
                                   void *values)
{
	bool print, ok;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			print_help(prog);
			return SETTINGS_EXIT_0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("%s %s\n", prog->name, WARDEN_VERSION);
			return SETTINGS_EXIT_0;
		}
	}
	print = cut_print_config(&argc, argv);
	warn_unknown_env(prog);
	ok = load_defaults(prog, values);
	ok = load_env(prog, values) && ok;
	if (!ok || !load_flags(prog, argc, argv, values))
		return SETTINGS_EXIT_2;
	if (prog->finish != NULL && !prog->finish(values))
		return SETTINGS_EXIT_2;
	if (!print)
		return SETTINGS_RUN;
	settings_print(prog, values, stdout);
	return SETTINGS_EXIT_0;
}

void settings_clear(const struct settings_program *prog, void *values)
{
	for (size_t i = 0; i < prog->table_n; i++) {
		const struct setting *s = &prog->table[i];
		char **str = slot(s, values);

		if (s->type != SETTING_STR || *str == NULL)
			continue;
		free_text(s, *str);
		*str = NULL;
	}
}
