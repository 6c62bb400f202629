/*
 * cli/ctl_command.h - the commands: one table from which dispatch, help and usage errors follow
 *
 * A command gets its checked command line and returns the program's exit code. It has told the
 * person what went wrong before it returns anything but CTL_EXIT_OK.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/ctl_api.h"
#include "cli/ctl_args.h"

struct ctl_call {
	const struct ctl_args *args;
	const char *name;        /* the NAME argument, checked; NULL when not given */
	const char *const *rest; /* the words after it, rest_n of them */
	size_t rest_n;
};

struct ctl_command {
	const char *noun;
	const char *verb; /* NULL: the noun alone is the command */
	const char *args; /* for the usage line: "NAME", "[NAME]", "" */
	bool name_needed;
	bool name_allowed;
	size_t rest_max;     /* words after NAME */
	unsigned opts;       /* CTL_OPT_BIT of those it takes; --help and --json need not be here */
	bool by_token;       /* over HTTP with a token; else over the admin socket */
	const char *summary; /* one line */
	const char *more;    /* paragraphs for its own --help; NULL: none */
	const char *example; /* for its own --help: lines that can be typed as they are */
	enum ctl_exit (*run)(const struct ctl_call *call);
};
#define CTL_OPT_BIT(opt) (1u << (opt))

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_commands_n;

/* Find, check, run: the whole program but for process-wide set-up. */
enum ctl_exit ctl_command_main(int argc, char *const *argv);

/* ctl_account.c */
enum ctl_exit ctl_account_create(const struct ctl_call *call);
enum ctl_exit ctl_account_list(const struct ctl_call *call);
enum ctl_exit ctl_account_rotate(const struct ctl_call *call);
enum ctl_exit ctl_account_quota(const struct ctl_call *call);
enum ctl_exit ctl_account_delete(const struct ctl_call *call);
/* ctl_instance.c */
enum ctl_exit ctl_instance_create(const struct ctl_call *call);
enum ctl_exit ctl_instance_list(const struct ctl_call *call);
enum ctl_exit ctl_instance_delete(const struct ctl_call *call);
enum ctl_exit ctl_instance_logout(const struct ctl_call *call);
enum ctl_exit ctl_instance_token(const struct ctl_call *call);
enum ctl_exit ctl_reconnect(const struct ctl_call *call);
/* ctl_settings.c */
enum ctl_exit ctl_instance_settings(const struct ctl_call *call);
/* ctl_proxy.c */
enum ctl_exit ctl_instance_proxy(const struct ctl_call *call);
/* ctl_webhook.c */
enum ctl_exit ctl_webhook_list(const struct ctl_call *call);
enum ctl_exit ctl_webhook_set(const struct ctl_call *call);
enum ctl_exit ctl_webhook_delete(const struct ctl_call *call);
enum ctl_exit ctl_webhook_dead(const struct ctl_call *call);
enum ctl_exit ctl_webhook_replay(const struct ctl_call *call);
/* ctl_link.c */
enum ctl_exit ctl_link(const struct ctl_call *call);
/* ctl_status.c */
enum ctl_exit ctl_status(const struct ctl_call *call);
/* ctl_doctor.c */
enum ctl_exit ctl_doctor(const struct ctl_call *call);
/* ctl_events.c */
enum ctl_exit ctl_events(const struct ctl_call *call);
/* ctl_worker.c */
enum ctl_exit ctl_worker_list(const struct ctl_call *call);
enum ctl_exit ctl_worker_log(const struct ctl_call *call);
enum ctl_exit ctl_worker_upgrade(const struct ctl_call *call);

/* --json was given */
bool ctl_wants_json(const struct ctl_call *call);
/* What and the name as a question, unless --yes; false: the person said no, and was answered. */
bool ctl_confirmed(const struct ctl_call *call, const char *what);
/* Can it be a token, a webhook's secret, a link? Not "", and nothing but visible ASCII. */
bool ctl_is_secret(const char *text);
/* Such a one alone on stdout, so that it can be captured. */
enum ctl_exit ctl_print_secret(const char *secret);
/* Draw a table on stdout and clear it. */
struct ctl_table;
enum ctl_exit ctl_print_table(struct ctl_table *t);

#endif
