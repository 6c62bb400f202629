/* cli/ctl_command.c - the commands: one table from which dispatch, help and usage errors follow */
#include "cli/ctl_command.h"

#include <stdio.h>
#include <string.h>

#include "cli/ctl_term.h"
#include "cli/ctl_text.h"
#include "common/attr.h"

#define TOKEN CTL_OPT_BIT(CTL_OPT_TOKEN_FILE)
#define HELP_LEFT 24 /* columns of the commands in --help */

const struct ctl_command ctl_commands[] = {
	{ "account", "create", "NAME", true, true, 0, CTL_OPT_BIT(CTL_OPT_QUOTA), false,
	  "make an account and print its token, once",
	  "The token alone goes to stdout, so that it can be captured. The gateway keeps only a "
	  "hash\nof it and can't show it again.\n",
	  "umask 077; wardenctl account create sales --quota 20 > sales.token",
	  ctl_account_create },
	{ "account", "list", "", false, false, 0, 0, false, "list the accounts", NULL,
	  "wardenctl account list", ctl_account_list },
	{ "account", "rotate", "NAME", true, true, 0, 0, false,
	  "give an account a new token; the old one stops working at once",
	  "What the old one has opened ends with it: streams and callers that wait for a code.\n",
	  "umask 077; wardenctl account rotate sales > sales.token", ctl_account_rotate },
	{ "account", "quota", "NAME N|none", true, true, 1, 0, false,
	  "change how many instances an account may have",
	  "None of those it has already goes: with a lower quota there are just no new ones.\n",
	  "wardenctl account quota sales 50", ctl_account_quota },
	{ "account", "delete", "NAME", true, true, 0, CTL_OPT_BIT(CTL_OPT_YES), false,
	  "delete an account that has no instances", NULL, "wardenctl account delete sales",
	  ctl_account_delete },
	{ "instance", "create", "NAME", true, true, 0, TOKEN, true,
	  "make an instance and print its own token, once",
	  "The instance's token works for this one instance only; the account's token goes on\n"
	  "working for all of them. It goes to stdout alone.\n",
	  "wardenctl instance create shop", ctl_instance_create },
	{ "instance", "list", "[NAME]", false, true, 0, TOKEN, true, "list the instances", NULL,
	  "wardenctl instance list --json", ctl_instance_list },
	{ "instance", "delete", "NAME", true, true, 0, TOKEN | CTL_OPT_BIT(CTL_OPT_YES), true,
	  "unlink an instance and delete everything it has stored", NULL,
	  "wardenctl instance delete shop --yes", ctl_instance_delete },
	{ "instance", "logout", "NAME", true, true, 0, TOKEN | CTL_OPT_BIT(CTL_OPT_YES), true,
	  "unlink an instance; it stays and can be linked again",
	  "WhatsApp is told, and the session is erased. Where WhatsApp can't be told, nothing is\n"
	  "erased and the command fails.\n",
	  "wardenctl instance logout shop", ctl_instance_logout },
	{ "instance", "token", "NAME", true, true, 0, TOKEN, true,
	  "give an instance a new token of its own; the old one stops working at once",
	  "Takes the account's token. The new one goes to stdout alone.\n",
	  "wardenctl instance token shop", ctl_instance_token },
	{ "instance", "settings", "NAME [SETTING=VALUE...]", true, true, CTL_WORDS_MAX, TOKEN, true,
	  "show an instance's settings, or change some",
	  "VALUE is true or false (on and off, too); of callRejectMessage, a text.\n",
	  "wardenctl instance settings shop autoRejectCalls=true \"callRejectMessage=No calls\"",
	  ctl_instance_settings },
	{ "instance", "proxy", "NAME [URL|on|off]", true, true, 1,
	  TOKEN | CTL_OPT_BIT(CTL_OPT_PASSWORD_FILE), true,
	  "show the proxy an instance goes through, or change it",
	  "URL is http://[USER@]HOST:PORT, https://... or socks5://... and turns the proxy on; off "
	  "and\n"
	  "on keep the rest. It counts from the next connection on, so \"wardenctl reconnect "
	  "NAME\"\n"
	  "may follow. The password is never an argument, and never shown.\n",
	  "wardenctl instance proxy shop socks5://me@10.0.0.5:1080 --password-file proxy.pass",
	  ctl_instance_proxy },
	{ "webhook", "list", "NAME", true, true, 0, TOKEN, true,
	  "list an instance's webhooks and how each is doing",
	  "BEHIND counts the events that have not been taken, or passed over, yet.\n",
	  "wardenctl webhook list shop", ctl_webhook_list },
	{ "webhook", "set", "NAME [URL] [KEY=VALUE...]", true, true, CTL_WORDS_MAX, TOKEN, true,
	  "make a webhook, or change one",
	  "KEY is label (default), enabled, events (kinds with commas between), byEvents,\n"
	  "mediaBase64, fromHistory or rotateSecret. A new secret goes to stdout alone. An\n"
	  "Authorization header for the receiver is set over HTTP: it is no argument.\n",
	  "wardenctl webhook set shop https://hooks.example/in events=message.exchange",
	  ctl_webhook_set },
	{ "webhook", "delete", "NAME [LABEL]", true, true, 1, TOKEN | CTL_OPT_BIT(CTL_OPT_YES),
	  true, "delete a webhook, with what waits for it", NULL,
	  "wardenctl webhook delete shop crm --yes", ctl_webhook_delete },
	{ "webhook", "dead", "NAME [LABEL]", true, true, 1, TOKEN, true,
	  "list the events that no receiver took", NULL, "wardenctl webhook dead shop",
	  ctl_webhook_dead },
	{ "webhook", "replay", "NAME dead|SEQUENCE [LABEL]", true, true, 2, TOKEN, true,
	  "send dead letters, or all from a sequence on, again", NULL,
	  "wardenctl webhook replay shop dead", ctl_webhook_replay },
	{ "link", NULL, "NAME", true, true, 0,
	  TOKEN | CTL_OPT_BIT(CTL_OPT_HISTORY) | CTL_OPT_BIT(CTL_OPT_NUMBER) |
	      CTL_OPT_BIT(CTL_OPT_FIRST) | CTL_OPT_BIT(CTL_OPT_SHARE) |
	      CTL_OPT_BIT(CTL_OPT_EXPIRES),
	  true, "show the QR to scan, or with --number a code to type, until it is linked",
	  "On the phone: WhatsApp, Linked devices, Link a device. The QR is replaced in place\n"
	  "when WhatsApp gives a new one; the code for --number is typed under \"Link with phone\n"
	  "number instead\". Ends with 0 when the instance is connected, with 1 when the codes "
	  "ran\n"
	  "out or the attempt failed. With --json each event of the attempt is one line:\n"
	  "{\"event\":\"qr\",\"data\":{...}}. With --share it only prints the address of a page "
	  "where\n"
	  "whoever has it can link this instance, once; no token is needed for that.\n",
	  "wardenctl link shop\nwardenctl link shop --number +5511999999999 --history 30\n"
	  "wardenctl link shop --share --expires 86400",
	  ctl_link },
	{ "reconnect", NULL, "NAME", true, true, 0, TOKEN, true,
	  "try at once to bring a linked instance online",
	  "Does not wait for the outcome: \"wardenctl status NAME\" shows it.\n",
	  "wardenctl reconnect shop", ctl_reconnect },
	{ "status", NULL, "[NAME]", false, true, 0, TOKEN | CTL_OPT_BIT(CTL_OPT_WATCH), true,
	  "show each instance's state, since when, its last error and its next try",
	  "With --watch it stays until Ctrl-C: on a terminal the table is redrawn every 2 "
	  "seconds,\n"
	  "elsewhere each change is one line, with --json an object. It waits for a gateway that "
	  "is\n"
	  "being restarted.\n",
	  "wardenctl status\nwardenctl status shop --watch", ctl_status },
	{ "events", NULL, "NAME", true, true, 0,
	  TOKEN | CTL_OPT_BIT(CTL_OPT_FROM) | CTL_OPT_BIT(CTL_OPT_EVENTS) |
	      CTL_OPT_BIT(CTL_OPT_WITH_HISTORY),
	  true, "follow an instance's events, one line each, until Ctrl-C",
	  "A stream that breaks off is taken up again where it ended.\n",
	  "wardenctl events shop --json\n"
	  "wardenctl events shop --from 1 --events message.exchange",
	  ctl_events },
	{ "worker", "list", "", false, false, 0, 0, false,
	  "list the worker processes: pid, memory, state, uptime", NULL, "wardenctl worker list",
	  ctl_worker_list },
	{ "worker", "log", "NAME", true, true, 0, CTL_OPT_BIT(CTL_OPT_ACCOUNT), false,
	  "show the last log lines of an instance's worker that crashed", NULL,
	  "wardenctl worker log shop --account sales", ctl_worker_log },
	{ "worker", "upgrade", "", false, false, 0, CTL_OPT_BIT(CTL_OPT_PER_MINUTE), false,
	  "replace the workers that run an older program than the one on disk",
	  "One after the other, so that only a few sessions at a time reconnect. Does not wait "
	  "for\n"
	  "the end.\n",
	  "wardenctl worker upgrade --per-minute 60", ctl_worker_upgrade },
	{ "doctor", NULL, "[NAME]", false, true, 0, CTL_OPT_BIT(CTL_OPT_ACCOUNT), false,
	  "look whether the gateway and its host are well",
	  "Each check is ok, a warning or failed, with what to do. They run in the gateway, as "
	  "its\n"
	  "user, and take at most 30 seconds. WhatsApp is reached through the proxy of the\n"
	  "instance NAME, or directly. Ends with 1 when a check has failed.\n",
	  "wardenctl doctor\nwardenctl doctor shop --account sales", ctl_doctor },
};
const size_t ctl_commands_n = ARRAY_LEN(ctl_commands);

/* ---- help ------------------------------------------------------------------------------------ */

static void print_usage_line(FILE *out, const struct ctl_command *c)
{
	fprintf(out, "wardenctl %s%s%s%s%s", c->noun, c->verb != NULL ? " " : "",
	        c->verb != NULL ? c->verb : "", c->args[0] != '\0' ? " " : "", c->args);
}

static unsigned opts_of(const struct ctl_command *c)
{
	return c->opts | CTL_OPT_BIT(CTL_OPT_JSON) | CTL_OPT_BIT(CTL_OPT_HELP) |
	       CTL_OPT_BIT(CTL_OPT_VERSION);
}

static void print_options(unsigned opts)
{
	for (int i = 0; i < CTL_OPT_N; i++) {
		const struct ctl_option *o = &ctl_options[i];
		char left[32];

		if (!(opts & CTL_OPT_BIT(i)))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg != NULL ? " " : "",
		         o->arg != NULL ? o->arg : "");
		printf("  %-22s %s\n", left, o->help);
	}
}

static void print_where(bool by_token)
{
	puts(
	    by_token
	        ? "Goes to WARDEN_URL (default http://127.0.0.1:8080) with the token of "
	          "WARDEN_TOKEN."
	        : "Goes to the admin socket in WARDEN_RUN_DIR (default /run/warden), as root or as "
	          "the\nuser that wardend runs as.");
}

static void print_help(void)
{
	puts("usage: wardenctl COMMAND [NAME] [OPTIONS]\n"
	     "\nManages a Warden gateway.\n\nCommands:");
	for (size_t i = 0; i < ctl_commands_n; i++) {
		const struct ctl_command *c = &ctl_commands[i];
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s%s%s", c->noun, c->verb != NULL ? " " : "",
		         c->verb != NULL ? c->verb : "", c->args[0] != '\0' ? " " : "", c->args);
		if (strlen(left) > HELP_LEFT)
			printf("  %s\n  %*s %s\n", left, HELP_LEFT, "", c->summary);
		else
			printf("  %-*s %s\n", HELP_LEFT, left, c->summary);
	}
	puts("\nOptions:");
	print_options(CTL_OPT_BIT(CTL_OPT_N) - 1);
	puts("\n\"wardenctl COMMAND --help\" says which options a command takes. Options may stand "
	     "anywhere.\n\n"
	     "account, worker and doctor go to the admin socket in WARDEN_RUN_DIR (default "
	     "/run/warden),\n"
	     "the others to WARDEN_URL (default http://127.0.0.1:8080) with the token of "
	     "WARDEN_TOKEN.\n\n"
	     "Exit status: 0 done, 1 failed, 2 wrong usage, 3 can't reach the gateway.");
}

static void print_example(const char *text)
{
	puts(strchr(text, '\n') != NULL ? "\nExamples:" : "\nExample:");
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		printf("  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_command_help(const struct ctl_command *c)
{
	printf("usage: ");
	print_usage_line(stdout, c);
	printf(" [OPTIONS]\n\n%c%s.\n", c->summary[0] - 'a' + 'A', c->summary + 1);
	if (c->more != NULL)
		fputs(c->more, stdout);
	print_example(c->example);
	puts("\nOptions:");
	print_options(opts_of(c));
	putchar('\n');
	print_where(c->by_token);
}

/* ---- find and check -------------------------------------------------------------------------- */

static bool matches(const struct ctl_command *c, const struct ctl_args *a)
{
	if (a->words_n == 0 || strcmp(a->word[0], c->noun) != 0)
		return false;
	return c->verb == NULL || (a->words_n > 1 && strcmp(a->word[1], c->verb) == 0);
}

static const struct ctl_command *find_command(const struct ctl_args *a)
{
	for (size_t i = 0; i < ctl_commands_n; i++)
		if (matches(&ctl_commands[i], a))
			return &ctl_commands[i];
	return NULL;
}

/* The commands that begin with noun, after one line that says what they are. False: there are none.
 */
static bool print_noun(FILE *out, const char *noun, const char *intro)
{
	bool known = false;

	for (size_t i = 0; i < ctl_commands_n; i++) {
		if (strcmp(ctl_commands[i].noun, noun) != 0)
			continue;
		if (!known)
			fputs(intro, out);
		known = true;
		fputs("  ", out);
		print_usage_line(out, &ctl_commands[i]);
		fprintf(out, "\n      %s\n", ctl_commands[i].summary);
	}
	return known;
}

/* No command matches: show those that begin with the same word, or say where all are. */
static enum ctl_exit refuse_command(const struct ctl_args *a)
{
	char intro[128];

	if (a->words_n == 1 && a->opt[CTL_OPT_HELP] != NULL &&
	    print_noun(stdout, a->word[0], "Commands (each has a --help of its own):\n"))
		return CTL_EXIT_OK;
	snprintf(intro, sizeof(intro), "wardenctl: %.60s needs to be told what to do:\n",
	         a->word[0]);
	if (!print_noun(stderr, a->word[0], intro))
		fprintf(stderr,
		        "wardenctl: there is no command %.60s; \"wardenctl --help\" lists those "
		        "there are\n",
		        a->word[0]);
	return CTL_EXIT_USAGE;
}

static enum ctl_exit refuse_usage(const struct ctl_command *c, const char *why)
{
	fprintf(stderr, "wardenctl: %s\nusage: ", why);
	print_usage_line(stderr, c);
	fputs(" [OPTIONS]; more with --help\n", stderr);
	return CTL_EXIT_USAGE;
}

static enum ctl_exit check_call(const struct ctl_command *c, struct ctl_call *call)
{
	const struct ctl_args *a = call->args;
	size_t first = c->verb != NULL ? 2 : 1;
	char why[CTL_ARGS_WHY_CAP];

	for (int i = 0; i < CTL_OPT_N; i++) {
		if (a->opt[i] == NULL || (opts_of(c) & CTL_OPT_BIT(i)))
			continue;
		snprintf(why, sizeof(why), "--%s means nothing to this command",
		         ctl_options[i].name);
		return refuse_usage(c, why);
	}
	if (a->words_n > first + (c->name_allowed ? 1 : 0) + c->rest_max)
		return refuse_usage(c, "too many arguments");
	call->name = a->words_n > first ? a->word[first] : NULL;
	call->rest = &a->word[first + 1];
	call->rest_n = a->words_n > first + 1 ? a->words_n - first - 1 : 0;
	if (call->name == NULL && c->name_needed)
		return refuse_usage(c, "NAME is missing");
	if (call->name != NULL && !ctl_args_name_valid(call->name))
		return refuse_usage(c, "a name has 1 to 100 characters: letters, digits, _ and -");
	return CTL_EXIT_OK;
}

enum ctl_exit ctl_command_main(int argc, char *const *argv)
{
	struct ctl_args args;
	struct ctl_call call = { .args = &args };
	const struct ctl_command *c;
	char why[CTL_ARGS_WHY_CAP];
	enum ctl_exit rc;

	if (ctl_args_parse(argc, argv, &args, why) < 0) {
		fprintf(stderr, "wardenctl: %s\n\"wardenctl --help\" lists commands and options.\n",
		        why);
		return CTL_EXIT_USAGE;
	}
	if (args.opt[CTL_OPT_VERSION] != NULL) {
		puts("wardenctl " WARDEN_VERSION);
		return CTL_EXIT_OK;
	}
	c = find_command(&args);
	if (args.opt[CTL_OPT_HELP] != NULL && (c != NULL || args.words_n == 0)) {
		if (c != NULL)
			print_command_help(c);
		else
			print_help();
		return CTL_EXIT_OK;
	}
	if (args.words_n == 0) {
		fputs("wardenctl: which command? \"wardenctl --help\" lists them.\n", stderr);
		return CTL_EXIT_USAGE;
	}
	if (c == NULL)
		return refuse_command(&args);
	rc = check_call(c, &call);
	return rc == CTL_EXIT_OK ? c->run(&call) : rc;
}

/* ---- output ---------------------------------------------------------------------------------- */

bool ctl_wants_json(const struct ctl_call *call)
{
	return call->args->opt[CTL_OPT_JSON] != NULL;
}

bool ctl_confirmed(const struct ctl_call *call, const char *what)
{
	char question[256];

	if (call->args->opt[CTL_OPT_YES] != NULL)
		return true;
	snprintf(question, sizeof(question), "%s %s?", what, call->name);
	if (ctl_term_confirm(question))
		return true;
	fputs("Nothing was changed.\n", stderr);
	return false;
}

bool ctl_is_secret(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p < '!' || *p > '~')
			return false;
	return text[0] != '\0';
}

enum ctl_exit ctl_print_secret(const char *secret)
{
	enum ctl_exit rc = ctl_print(secret, strlen(secret));

	return rc == CTL_EXIT_OK ? ctl_print("\n", 1) : rc;
}

enum ctl_exit ctl_print_table(struct ctl_table *t)
{
	struct buf text = { 0 };
	enum ctl_exit rc;

	if (ctl_table_draw(t, &text) < 0)
		rc = ctl_no_memory();
	else
		rc = ctl_print((const char *)text.p, text.len);
	buf_free(&text);
	ctl_table_clear(t);
	return rc;
}
