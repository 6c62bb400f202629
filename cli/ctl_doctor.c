/* cli/ctl_doctor.c - wardenctl doctor: what the gateway finds out about itself and its host */
#include <stdio.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_text.h"

#define WORD_CAP 32

static const char *status_of(const json_t *check)
{
	return ctl_json_str(check, "status");
}

static size_t count(json_t *checks, const char *status)
{
	size_t i, n = 0;
	json_t *c;

	json_array_foreach(checks, i, c) n += strcmp(status_of(c), status) == 0;
	return n;
}

/* A word, and spaces up to the next column. */
static int add_word(struct buf *out, const char *word, int width)
{
	char text[WORD_CAP];

	ctl_text_copy(text, sizeof(text), word);
	return buf_appendf(out, "%-*s ", width, text);
}

/* "warning  clock        this clock is 90 s ahead of ..." and below it what to do. */
static int draw(json_t *checks, struct buf *out)
{
	size_t i;
	json_t *c;
	int rc = 0;

	json_array_foreach(checks, i, c)
	{
		const char *advice = ctl_json_str(c, "advice");

		if (rc == 0)
			rc = add_word(out, status_of(c), 8);
		if (rc == 0)
			rc = add_word(out, ctl_json_str(c, "check"), 12);
		if (rc == 0)
			rc = ctl_text_clean(out, ctl_json_str(c, "detail"));
		if (rc == 0 && advice[0] != '\0')
			rc = buf_appendf(out, "\n%23s", "-> ");
		if (rc == 0)
			rc = ctl_text_clean(out, advice);
		if (rc == 0)
			rc = buf_append_u8(out, '\n');
	}
	return rc;
}

static enum ctl_exit show(json_t *checks)
{
	size_t failed = count(checks, "failed"), warnings = count(checks, "warning");
	struct buf text = { 0 };
	enum ctl_exit rc;

	if (draw(checks, &text) < 0)
		rc = ctl_no_memory();
	else
		rc = ctl_print((const char *)text.p, text.len);
	buf_free(&text);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (failed == 0 && warnings == 0)
		fputs("All is well.\n", stderr);
	else
		fprintf(stderr, "%zu failed, %zu warning%s.\n", failed, warnings,
		        warnings == 1 ? "" : "s");
	return CTL_EXIT_OK;
}

static json_t *make_body(const struct ctl_call *call)
{
	return json_pack("{s:s?, s:s?}", "instance", call->name, "account",
	                 call->args->opt[CTL_OPT_ACCOUNT]);
}

enum ctl_exit ctl_doctor(const struct ctl_call *call)
{
	json_t *answer = NULL, *checks = NULL, *body;
	enum ctl_exit rc;

	if (call->name == NULL && call->args->opt[CTL_OPT_ACCOUNT] != NULL) {
		fputs("wardenctl: --account says whose instance is meant: name that, too\n",
		      stderr);
		return CTL_EXIT_USAGE;
	}
	body = make_body(call);
	rc = body == NULL ? ctl_no_memory() : ctl_api_admin("POST", "/admin/doctor", body, &answer);
	if (rc == CTL_EXIT_OK)
		rc = ctl_api_array(answer, "checks", &checks);
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_incref(checks));
	else if (rc == CTL_EXIT_OK)
		rc = show(checks);
	if (rc == CTL_EXIT_OK && count(checks, "failed") > 0)
		rc = CTL_EXIT_FAILED;
	json_decref(answer);
	return rc;
}
