/* cli/ctl_args.c - the command line as words and options */
#include "cli/ctl_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct ctl_option ctl_options[CTL_OPT_N] = {
	[CTL_OPT_JSON] = { "json", NULL, "print JSON, one value a line, for programs" },
	[CTL_OPT_TOKEN_FILE] = { "token-file", "FILE",
	                         "read the token from FILE instead of WARDEN_TOKEN" },
	[CTL_OPT_QUOTA] = { "quota", "N", "at most N instances (default: no limit)" },
	[CTL_OPT_YES] = { "yes", NULL, "do not ask, also on a terminal" },
	[CTL_OPT_HISTORY] = { "history", "D", "ask the phone for D days of history (1 to 3650)" },
	[CTL_OPT_NUMBER] = { "number", "N",
	                     "link with a pairing code for this phone number instead of a QR" },
	[CTL_OPT_FIRST] = { "first", NULL,
	                    "print the first code and end, without waiting for the link" },
	[CTL_OPT_SHARE] = { "share", NULL, "print a one-time link for somebody else instead" },
	[CTL_OPT_EXPIRES] = { "expires", "S",
	                      "with --share: seconds it is good for (default 3600)" },
	[CTL_OPT_WATCH] = { "watch", NULL, "stay and show every change, until Ctrl-C" },
	[CTL_OPT_PASSWORD_FILE] = { "password-file", "FILE",
	                            "read the proxy's password from FILE; - is stdin" },
	[CTL_OPT_ACCOUNT] = { "account", "NAME",
	                      "whose instance, where several accounts have one of the name" },
	[CTL_OPT_PER_MINUTE] = { "per-minute", "N", "replace at most N a minute" },
	[CTL_OPT_FROM] = { "from", "N",
	                   "begin with the event of sequence N (default: what comes)" },
	[CTL_OPT_EVENTS] = { "events", "LIST",
	                     "these kinds only, such as message.exchange,instance.state" },
	[CTL_OPT_WITH_HISTORY] = { "with-history", NULL, "messages from history, too" },
	[CTL_OPT_HELP] = { "help", NULL, "show help" },
	[CTL_OPT_VERSION] = { "version", NULL, "show the version" },
};

const char ctl_args_no_password[] =
    "a password is not taken as an argument, because every user of this machine can read "
    "arguments. Put it into a file and name that with --password-file, or pipe it to "
    "--password-file -";

static bool is_option(const char *arg, const char *name, const char **value_out)
{
	size_t len = strlen(name);

	if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '='))
		return false;
	*value_out = arg[len] == '=' ? arg + len + 1 : NULL;
	return true;
}

static enum ctl_opt find_option(const char *arg, const char **value_out)
{
	int i;

	for (i = 0; i < CTL_OPT_N; i++)
		if (is_option(arg, ctl_options[i].name, value_out))
			break;
	return (enum ctl_opt)i;
}

static int refuse_option(const char *arg, char *why_out)
{
	const char *value;

	if (strncmp(arg, "--", 2) == 0 && is_option(arg + 2, "token", &value))
		snprintf(
		    why_out, CTL_ARGS_WHY_CAP,
		    "a token is not taken as an argument, because every user of this machine can "
		    "read arguments. Put it into WARDEN_TOKEN, or into a file and name that with "
		    "--token-file");
	else if (strncmp(arg, "--", 2) == 0 && is_option(arg + 2, "password", &value))
		snprintf(why_out, CTL_ARGS_WHY_CAP, "%s", ctl_args_no_password);
	else
		snprintf(why_out, CTL_ARGS_WHY_CAP, "unknown option %.60s", arg);
	return -EINVAL;
}

/* *i is at the option; moved on when its value is the next argument. */
static int take_option(int argc, char *const *argv, int *i, struct ctl_args *args, char *why_out)
{
	const char *arg = argv[*i], *value = NULL;
	enum ctl_opt id = CTL_OPT_N;

	if (strncmp(arg, "--", 2) == 0)
		id = find_option(arg + 2, &value);
	else if (strcmp(arg, "-h") == 0)
		id = CTL_OPT_HELP;
	if (id == CTL_OPT_N)
		return refuse_option(arg, why_out);
	if (ctl_options[id].arg == NULL) {
		if (value != NULL) {
			snprintf(why_out, CTL_ARGS_WHY_CAP, "--%s takes no value",
			         ctl_options[id].name);
			return -EINVAL;
		}
		args->opt[id] = "";
		return 0;
	}
	if (value == NULL && *i + 1 < argc)
		value = argv[++*i];
	if (value == NULL || value[0] == '\0') {
		snprintf(why_out, CTL_ARGS_WHY_CAP, "--%s needs a value: --%s %s",
		         ctl_options[id].name, ctl_options[id].name, ctl_options[id].arg);
		return -EINVAL;
	}
	args->opt[id] = value;
	return 0;
}

int ctl_args_parse(int argc, char *const *argv, struct ctl_args *args_out, char *why_out)
{
	struct ctl_args args = { .words_n = 0 };
	bool options = true;

	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			int rc = take_option(argc, argv, &i, &args, why_out);

			if (rc < 0)
				return rc;
		} else if (args.words_n == CTL_WORDS_MAX) {
			snprintf(why_out, CTL_ARGS_WHY_CAP, "too many arguments");
			return -EINVAL;
		} else {
			args.word[args.words_n++] = argv[i];
		}
	}
	*args_out = args;
	return 0;
}

int ctl_args_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	int64_t v = 0;

	if (text[0] == '\0')
		return -EINVAL;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		if (v > (INT64_MAX - (*p - '0')) / 10)
			return -EINVAL;
		v = v * 10 + (*p - '0');
	}
	if (v < min || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

int ctl_args_truth(const char *text, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "on", true }, { "false", false }, { "off", false } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i].word) != 0)
			continue;
		*out = words[i].value;
		return 0;
	}
	return -EINVAL;
}

bool ctl_args_name_valid(const char *name)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strspn(name, allowed);

	return len >= 1 && len <= 100 && name[len] == '\0';
}

int ctl_args_phone(const char *text, char *out)
{
	char digits[CTL_PHONE_CAP];
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (strchr("+ -()", *p) != NULL)
			continue;
		if (*p < '0' || *p > '9' || n == CTL_PHONE_CAP - 1)
			return -EINVAL;
		digits[n++] = *p;
	}
	if (n < 7 || digits[0] == '0')
		return -EINVAL;
	memcpy(out, digits, n);
	out[n] = '\0';
	return 0;
}
