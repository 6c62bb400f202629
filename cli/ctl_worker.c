/* cli/ctl_worker.c - wardenctl worker list: over the admin socket */
#include <stdio.h>

#include "cli/ctl_command.h"
#include "cli/ctl_text.h"

#define CELL_CAP 32

/* Seconds as an age; a gateway may also send them as text. */
static void uptime_of(const json_t *worker, char *out)
{
	const json_t *uptime = json_object_get(worker, "uptime");

	if (json_is_number(uptime))
		ctl_text_age((int64_t)json_number_value(uptime), out);
	else
		snprintf(out, CTL_AGE_CAP, "%s", ctl_json_str(worker, "uptime"));
}

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
		uptime_of(w, uptime);
		if (rc == 0)
			rc = ctl_table_row(&t, row);
	}
	if (rc == 0)
		return ctl_print_table(&t);
	ctl_table_clear(&t);
	return ctl_no_memory();
}

enum ctl_exit ctl_worker_list(const struct ctl_call *call)
{
	struct ctl_api api;
	json_t *answer = NULL, *workers = NULL;
	enum ctl_exit rc = ctl_api_open_admin(&api);

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_call(&api, "GET", "/admin/workers", NULL, &answer);
	ctl_api_clear(&api);
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
