/* cli/ctl_status.c - wardenctl status: a table of the instances' states */
#include "cli/ctl_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_text.h"
#include "common/clock.h"

#define ERROR_CAP 384
#define NEXT_CAP (CTL_AGE_CAP + 3)

/* How long ago, or "-" for a time that is missing. */
static void age_of(const char *rfc3339, int64_t now_s, char *out)
{
	int64_t at_s;

	if (ctl_text_rfc3339(rfc3339, &at_s) < 0)
		snprintf(out, CTL_AGE_CAP, "-");
	else
		ctl_text_age(now_s - at_s, out);
}

/* "timeout: no answer to the hello (3 min ago)" */
static void last_error(const json_t *connection, int64_t now_s, char *out)
{
	const json_t *error = json_object_get(connection, "lastError");
	char code[64], detail[256], age[CTL_AGE_CAP];
	int64_t at_s;

	if (!json_is_object(error)) {
		snprintf(out, ERROR_CAP, "-");
		return;
	}
	ctl_text_copy(code, sizeof(code), ctl_json_str(error, "code"));
	ctl_text_copy(detail, sizeof(detail), ctl_json_str(error, "detail"));
	age[0] = '\0';
	if (ctl_text_rfc3339(ctl_json_str(error, "at"), &at_s) == 0)
		ctl_text_age(now_s - at_s, age);
	snprintf(out, ERROR_CAP, "%s%s%s%s%s%s", code, detail[0] != '\0' ? ": " : "", detail,
	         age[0] != '\0' ? " (" : "", age,
	         age[0] == '\0'            ? ""
	         : strcmp(age, "now") == 0 ? ")"
	                                   : " ago)");
}

/* When the next try is: "in 12 s", "now", or "-" when none is planned. */
static void next_try(const json_t *connection, int64_t now_s, char *out)
{
	int64_t at_s;

	if (ctl_text_rfc3339(ctl_json_str(connection, "nextRetryAt"), &at_s) < 0) {
		snprintf(out, NEXT_CAP, "-");
		return;
	}
	memcpy(out, "in ", 3);
	ctl_text_age(at_s - now_s, out + 3);
	if (strcmp(out + 3, "now") == 0)
		memmove(out, out + 3, sizeof("now"));
}

int ctl_status_draw(json_t *instances, int64_t now_s, struct buf *out)
{
	struct ctl_table t = { .cols_n = 5 };
	const char *const head[] = { "NAME", "STATE", "SINCE", "NEXT TRY", "LAST ERROR" };
	size_t i;
	json_t *inst;
	int rc = ctl_table_row(&t, head);

	json_array_foreach(instances, i, inst)
	{
		const json_t *connection = json_object_get(inst, "connection");
		char since[CTL_AGE_CAP], next[NEXT_CAP], error[ERROR_CAP];
		const char *const row[] = { ctl_json_str(inst, "name"),
			                    ctl_json_str(connection, "state"), since, next, error };

		age_of(ctl_json_str(connection, "since"), now_s, since);
		next_try(connection, now_s, next);
		last_error(connection, now_s, error);
		if (rc == 0)
			rc = ctl_table_row(&t, row);
	}
	if (rc == 0)
		rc = ctl_table_draw(&t, out);
	ctl_table_clear(&t);
	return rc;
}

static enum ctl_exit draw(json_t *instances)
{
	struct buf text = { 0 };
	enum ctl_exit rc;

	if (ctl_status_draw(instances, clock_unix_s(), &text) < 0)
		rc = ctl_no_memory();
	else
		rc = ctl_print((const char *)text.p, text.len);
	buf_free(&text);
	return rc;
}

enum ctl_exit ctl_status(const struct ctl_call *call)
{
	return call->args->opt[CTL_OPT_WATCH] != NULL ? ctl_status_watch(call)
	                                              : ctl_instance_each(call, draw);
}
