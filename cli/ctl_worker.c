/* cli/ctl_worker.c - wardenctl worker list, log, upgrade: over the admin socket */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_text.h"

#define CELL_CAP 32
#define PATH_CAP 288
#define PER_MINUTE_MAX 3000

/* The worker's share (PSS) where the gateway may know it, else all that is resident. */
static void memory_of(const json_t *worker, char *out)
{
	const json_t *kib = json_object_get(worker, "pssKiB");
	const char *what = "";

	if (!json_is_integer(kib)) {
		kib = json_object_get(worker, "rssKiB");
		what = " resident";
	}
	if (json_is_integer(kib))
		snprintf(out, CELL_CAP, "%" JSON_INTEGER_FORMAT " KiB%s", json_integer_value(kib),
		         what);
	else
		snprintf(out, CELL_CAP, "-");
}

static enum ctl_exit print_workers(json_t *workers)
{
	struct ctl_table t = { .cols_n = 6 };
	const char *const head[] = { "PID", "MEMORY", "STATE", "UPTIME", "ACCOUNT", "INSTANCE" };
	size_t outdated = 0;
	size_t i;
	json_t *w;
	int rc = ctl_table_row(&t, head);

	json_array_foreach(workers, i, w)
	{
		char pid[CELL_CAP], memory[CELL_CAP], uptime[CTL_AGE_CAP];
		const char *const row[] = { pid,
			                    memory,
			                    ctl_json_str(w, "state"),
			                    uptime,
			                    ctl_json_str(w, "account"),
			                    ctl_json_str(w, "instance") };

		snprintf(pid, sizeof(pid), "%" JSON_INTEGER_FORMAT,
		         json_integer_value(json_object_get(w, "pid")));
		memory_of(w, memory);
		ctl_text_age(json_integer_value(json_object_get(w, "uptime")), uptime);
		outdated += json_is_true(json_object_get(w, "outdated"));
		if (rc == 0)
			rc = ctl_table_row(&t, row);
	}
	if (rc == 0) {
		enum ctl_exit shown = ctl_print_table(&t);

		if (outdated > 0)
			fprintf(stderr,
			        "%zu of them run%s an older program than the one on disk: "
			        "\"wardenctl worker upgrade\" replaces it.\n",
			        outdated, outdated == 1 ? "s" : "");
		return shown;
	}
	ctl_table_clear(&t);
	return ctl_no_memory();
}

/* Lines as they are, but for what would move the cursor. */
static enum ctl_exit print_log(const char *log)
{
	struct buf text = { 0 };
	enum ctl_exit rc = CTL_EXIT_OK;
	int err = 0;

	while (err == 0 && *log != '\0') {
		size_t len = strcspn(log, "\n");
		char *line = strndup(log, len);

		err = line == NULL ? -ENOMEM : ctl_text_clean(&text, line);
		if (err == 0)
			err = buf_append_u8(&text, '\n');
		free(line);
		log += len + (log[len] == '\n');
	}
	rc = err < 0 ? ctl_no_memory() : ctl_print((const char *)text.p, text.len);
	buf_free(&text);
	return rc;
}

enum ctl_exit ctl_worker_log(const struct ctl_call *call)
{
	const char *account = call->args->opt[CTL_OPT_ACCOUNT], *log;
	json_t *answer = NULL;
	char path[PATH_CAP];
	enum ctl_exit rc;

	if (account != NULL && !ctl_args_name_valid(account)) {
		fputs("wardenctl: --account has to be an account's name\n", stderr);
		return CTL_EXIT_USAGE;
	}
	snprintf(path, sizeof(path), "/admin/workers/log?instance=%s%s%s", call->name,
	         account != NULL ? "&account=" : "", account != NULL ? account : "");
	rc = ctl_api_admin("GET", path, NULL, &answer);
	log = ctl_json_str(answer, "log");
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_pack("{s:s, s:O?}", "instance", call->name, "log",
		                              json_object_get(answer, "log")));
	else if (rc == CTL_EXIT_OK && log[0] == '\0')
		fprintf(
		    stderr,
		    "No worker of %s has crashed since the gateway started; what it says while it "
		    "runs is in the gateway's log.\n",
		    call->name);
	else if (rc == CTL_EXIT_OK)
		rc = print_log(log);
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_worker_upgrade(const struct ctl_call *call)
{
	const char *pace = call->args->opt[CTL_OPT_PER_MINUTE];
	json_t *answer = NULL;
	char path[PATH_CAP];
	json_int_t outdated, per_minute;
	enum ctl_exit rc;
	int64_t n = 0;

	if (pace != NULL && ctl_args_number(pace, 1, PER_MINUTE_MAX, &n) < 0) {
		fprintf(stderr, "wardenctl: --per-minute has to be a whole number from 1 to %d\n",
		        PER_MINUTE_MAX);
		return CTL_EXIT_USAGE;
	}
	snprintf(path, sizeof(path), "/admin/workers/upgrade%s%s",
	         pace != NULL ? "?perMinute=" : "", pace != NULL ? pace : "");
	rc = ctl_api_admin("POST", path, NULL, &answer);
	outdated = json_integer_value(json_object_get(answer, "outdated"));
	per_minute = json_integer_value(json_object_get(answer, "perMinute"));
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(
		    json_pack("{s:I, s:I}", "outdated", outdated, "perMinute", per_minute));
	else if (rc == CTL_EXIT_OK && outdated == 0)
		fputs("Every worker runs the program on disk already.\n", stderr);
	else if (rc == CTL_EXIT_OK)
		fprintf(stderr,
		        "Replacing %" JSON_INTEGER_FORMAT " worker%s, %" JSON_INTEGER_FORMAT
		        " a minute; each session is back within seconds. \"wardenctl worker list\" "
		        "shows how far it is.\n",
		        outdated, outdated == 1 ? "" : "s", per_minute);
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_worker_list(const struct ctl_call *call)
{
	json_t *answer = NULL, *workers = NULL;
	enum ctl_exit rc = ctl_api_admin("GET", "/admin/workers", NULL, &answer);

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_array(answer, "workers", &workers);
	if (rc != CTL_EXIT_OK)
		goto out;
	if (ctl_wants_json(call))
		rc = ctl_json_print(json_incref(workers));
	else if (json_array_size(workers) == 0)
		fputs("No worker is running: one starts when an instance connects.\n", stderr);
	else
		rc = print_workers(workers);
out:
	json_decref(answer);
	return rc;
}
