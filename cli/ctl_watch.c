/*
 * cli/ctl_watch.c - wardenctl status --watch
 *
 * Asks every 2 seconds. On a terminal the table is redrawn in place; elsewhere there is one line
 * for each instance, and then one for each change. A gateway that stops answering is told and
 * waited for: whoever watches wants to see it come back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_status.h"
#include "cli/ctl_term.h"
#include "cli/ctl_text.h"
#include "common/clock.h"

#define WATCH_S 2
#define WAIT_MAX_S 60 /* however long the gateway says */
#define NOTE_CAP 1024

struct watch {
	const struct ctl_call *call;
	struct ctl_api api;
	struct ctl_screen screen;
	bool in_place; /* a table on a terminal; else a line per change */
	bool begun;    /* there has been an answer */
	bool lost;     /* and now there is none */
	json_t *seen;  /* what the last answer held, by name */
};

/* ---- what is a change ------------------------------------------------------------------------ */

static bool same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

	return (x == NULL && y == NULL) || json_equal(x, y);
}

static bool changed(const json_t *was, const json_t *is)
{
	const json_t *a = json_object_get(was, "connection"),
	             *b = json_object_get(is, "connection");

	/* connected since another time: it was away between two looks */
	return !same(was, is, "id") || !same(a, b, "state") || !same(a, b, "lastError") ||
	       !same(a, b, "attempt") ||
	       (strcmp(ctl_json_str(b, "state"), "connected") == 0 && !same(a, b, "since"));
}

int ctl_watch_change(const json_t *was, const json_t *is, const char *at, json_t **change_out)
{
	const json_t *now = json_object_get(is, "connection");
	const json_t *before = json_object_get(was, "connection");
	json_t *change;

	if (was != NULL && is != NULL && !changed(was, is))
		return 0;
	change =
	    json_pack("{s:s, s:s, s:s, s:s?, s:O?, s:O?, s:O?, s:O?}", "at", at, "name",
	              ctl_json_str(is != NULL ? is : was, "name"), "state",
	              is != NULL ? ctl_json_str(now, "state") : "deleted", "was",
	              was != NULL ? ctl_json_str(before, "state") : NULL, "numberJid",
	              json_object_get(now, "numberJid"), "lastError",
	              json_object_get(now, "lastError"), "attempt", json_object_get(now, "attempt"),
	              "nextRetryAt", json_object_get(now, "nextRetryAt"));
	if (change == NULL)
		return -ENOMEM;
	*change_out = change;
	return 1;
}

/* "2026-11-29T18:20:15Z shop connecting (was connected) network: Connection refused" */
int ctl_watch_line(const json_t *change, struct buf *out)
{
	const char *state = ctl_json_str(change, "state"), *was = ctl_json_str(change, "was");
	const json_t *error = json_object_get(change, "lastError");
	const char *code = ctl_json_str(error, "code"), *detail = ctl_json_str(error, "detail");
	int rc = buf_appendf(out, "%.19sZ ", ctl_json_str(change, "at"));

	if (rc == 0)
		rc = ctl_text_clean(out, ctl_json_str(change, "name"));
	if (rc == 0)
		rc = buf_append_u8(out, ' ');
	if (rc == 0)
		rc = ctl_text_clean(out, state);
	if (rc == 0 && was[0] != '\0' && strcmp(was, state) != 0) {
		rc = buf_append_str(out, " (was ");
		if (rc == 0)
			rc = ctl_text_clean(out, was);
		if (rc == 0)
			rc = buf_append_u8(out, ')');
	}
	/* what went wrong before is history once it is connected */
	if (rc == 0 && code[0] != '\0' && strcmp(state, "connected") != 0) {
		rc = buf_append_u8(out, ' ');
		if (rc == 0)
			rc = ctl_text_clean(out, code);
		if (rc == 0 && detail[0] != '\0')
			rc = buf_append_str(out, ": ");
		if (rc == 0)
			rc = ctl_text_clean(out, detail);
	}
	return rc == 0 ? buf_append_u8(out, '\n') : rc;
}

/* ---- a line per change ----------------------------------------------------------------------- */

static enum ctl_exit print_change(const struct watch *w, const json_t *was, const json_t *is)
{
	struct buf line = { 0 };
	char at[RFC3339_CAP];
	json_t *change = NULL;
	enum ctl_exit rc = CTL_EXIT_OK;
	int n;

	clock_rfc3339(clock_unix_ms(), at);
	n = ctl_watch_change(was, is, at, &change);
	if (n == 0)
		return CTL_EXIT_OK;
	if (n > 0 && ctl_wants_json(w->call))
		rc = ctl_json_print(json_incref(change));
	else if (n > 0 && ctl_watch_line(change, &line) == 0)
		rc = ctl_print((const char *)line.p, line.len);
	else
		rc = ctl_no_memory();
	buf_free(&line);
	json_decref(change);
	return rc;
}

/* seen becomes what there is now. */
static enum ctl_exit print_changes(struct watch *w, json_t *instances)
{
	json_t *now = json_object(), *inst;
	enum ctl_exit rc = now == NULL ? ctl_no_memory() : CTL_EXIT_OK;
	const char *name;
	size_t i;

	json_array_foreach(instances, i, inst)
	{
		name = ctl_json_str(inst, "name");
		if (rc == CTL_EXIT_OK && json_object_set(now, name, inst) < 0)
			rc = ctl_no_memory();
		if (rc == CTL_EXIT_OK)
			rc = print_change(w, json_object_get(w->seen, name), inst);
	}
	json_object_foreach(w->seen, name, inst)
	{
		if (rc == CTL_EXIT_OK && json_object_get(now, name) == NULL)
			rc = print_change(w, inst, NULL);
	}
	json_decref(w->seen);
	w->seen = now;
	return rc;
}

/* ---- a table in place ------------------------------------------------------------------------ */

static enum ctl_exit redraw(struct watch *w, json_t *instances)
{
	struct buf all = { 0 }, text = { 0 };
	size_t cols, rows;
	int rc = ctl_status_draw(instances, clock_unix_s(), &all);

	ctl_screen_size(&cols, &rows);
	if (rc == 0)
		rc = buf_append_u8(&all, '\0');
	/* a line stays free for the cursor, and one for what is said below */
	if (rc == 0)
		rc = ctl_text_fit(&text, (const char *)all.p, cols > 1 ? cols - 1 : 1,
		                  rows > 3 ? rows - 2 : 1);
	if (rc == 0)
		rc = buf_append_u8(&text, '\0');
	if (rc == 0)
		ctl_screen_block(&w->screen, (const char *)text.p, 0);
	buf_free(&all);
	buf_free(&text);
	if (rc < 0)
		return ctl_no_memory();
	if (json_array_size(instances) == 0)
		ctl_screen_status(&w->screen, "No instances yet.");
	return ferror(stdout) ? CTL_EXIT_FAILED : CTL_EXIT_OK;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void note(struct watch *w, const char *text)
{
	if (w->in_place)
		ctl_screen_status(&w->screen, text);
	else
		fprintf(stderr, "wardenctl: %s\n", text);
}

static enum ctl_exit on_answer(struct watch *w, json_t *instances)
{
	if (w->lost)
		note(w, "the gateway answers again");
	w->lost = false;
	w->begun = true;
	return w->in_place ? redraw(w, instances) : print_changes(w, instances);
}

/* It was there and is not any more: the only thing that was to be watched has gone. */
static enum ctl_exit on_deleted(struct watch *w)
{
	json_t *nothing = json_array();
	enum ctl_exit rc = CTL_EXIT_OK;

	if (!w->in_place)
		rc = nothing == NULL ? ctl_no_memory() : print_changes(w, nothing);
	json_decref(nothing);
	ctl_screen_end(&w->screen);
	fprintf(stderr, "wardenctl: the instance %s was deleted\n", w->call->name);
	return rc == CTL_EXIT_OK ? CTL_EXIT_FAILED : rc;
}

/* Go on (OK, after *wait_s), or end. */
static enum ctl_exit on_fail(struct watch *w, const struct ctl_fail *fail, unsigned *wait_s)
{
	char text[NOTE_CAP], message[120];

	if (w->begun && fail->status == 404 && w->call->name != NULL)
		return on_deleted(w);
	if (!w->begun || !ctl_fail_may_pass(fail)) {
		ctl_screen_end(&w->screen);
		return ctl_api_tell(&w->api, fail);
	}
	if (fail->retry_after_s > WATCH_S)
		*wait_s = fail->retry_after_s < WAIT_MAX_S ? fail->retry_after_s : WAIT_MAX_S;
	ctl_text_copy(message, sizeof(message),
	              ctl_json_str(json_object_get(fail->answer, "error"), "message"));
	if (fail->rc < 0)
		snprintf(text, sizeof(text), "the gateway at %s does not answer (%s), trying again",
		         w->api.target.shown, fail->why);
	else
		snprintf(text, sizeof(text), "the gateway says: %s; trying again in %u s", message,
		         *wait_s);
	if (!w->lost || w->in_place)
		note(w, text);
	w->lost = true;
	return CTL_EXIT_OK;
}

static enum ctl_exit ask(struct watch *w, const char *path, unsigned *wait_s)
{
	struct ctl_fail fail;
	json_t *answer = NULL, *instances;
	enum ctl_exit rc;

	if (!ctl_api_try(&w->api, "GET", path, NULL, &answer, &fail)) {
		rc = on_fail(w, &fail, wait_s);
		ctl_fail_clear(&fail);
		return rc;
	}
	rc = ctl_api_array(answer, "instances", &instances);
	if (rc == CTL_EXIT_OK)
		rc = on_answer(w, instances);
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_status_watch(const struct ctl_call *call)
{
	struct watch w = { .call = call, .seen = NULL };
	char path[CTL_INSTANCE_PATH_CAP];
	enum ctl_exit rc = ctl_api_open(&w.api, call->args->opt[CTL_OPT_TOKEN_FILE]);

	ctl_screen_init(&w.screen);
	w.in_place = w.screen.terminal && !ctl_wants_json(call);
	ctl_instance_list_path(call->name, path);
	while (rc == CTL_EXIT_OK) {
		unsigned wait_s = WATCH_S;

		rc = ask(&w, path, &wait_s);
		if (rc == CTL_EXIT_OK)
			sleep(wait_s);
	}
	ctl_screen_end(&w.screen);
	json_decref(w.seen);
	ctl_api_clear(&w.api);
	return rc;
}
