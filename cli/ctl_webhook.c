/* cli/ctl_webhook.c - wardenctl webhook list, set, delete, dead, replay: over HTTP with a token */
#include <stdio.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_text.h"
#include "common/attr.h"

#define LABEL_MAX 64
#define PATH_CAP (CTL_INSTANCE_PATH_CAP + LABEL_MAX)
#define NUMBER_CAP 24

/* label: NULL for none; it becomes part of a path as it is. */
static enum ctl_exit events_call(const struct ctl_call *call, const char *method, const char *route,
                                 const char *label, json_t *body, json_t **answer_out)
{
	char path[PATH_CAP];

	if (label != NULL && (strlen(label) > LABEL_MAX || !ctl_args_name_valid(label))) {
		fputs("wardenctl: a label has 1 to 64 characters of A-Z a-z 0-9 _ -\n", stderr);
		json_decref(body);
		return CTL_EXIT_USAGE;
	}
	snprintf(path, sizeof(path), "/api/events/%s/%s%s%s", route, call->name,
	         label != NULL ? "?label=" : "", label != NULL ? label : "");
	return ctl_instance_call_path(call, method, path, body, answer_out);
}

/* ---- shown ----------------------------------------------------------------------------------- */

static const char *number(json_t *v, char out[NUMBER_CAP])
{
	snprintf(out, NUMBER_CAP, "%lld", (long long)json_integer_value(v));
	return json_is_integer(v) ? out : "";
}

/* "404", "timeout" or "". */
static const char *trouble(const json_t *webhook, char out[NUMBER_CAP])
{
	json_t *failure = json_object_get(json_object_get(webhook, "delivery"), "lastFailure");
	const char *by = ctl_json_str(json_object_get(webhook, "disabledBy"), "code");

	if (by[0] != '\0')
		return by;
	if (json_is_integer(json_object_get(failure, "status")))
		return number(json_object_get(failure, "status"), out);
	return ctl_json_str(failure, "reason");
}

static int add_row(struct ctl_table *t, const json_t *webhook)
{
	json_t *delivery = json_object_get(webhook, "delivery");
	char behind[NUMBER_CAP], failed[NUMBER_CAP];
	const char *const row[] = {
		ctl_json_str(webhook, "label"),
		json_is_true(json_object_get(webhook, "enabled")) ? "on" : "off",
		number(json_object_get(delivery, "behind"), behind),
		ctl_json_str(delivery, "nextTryAt"),
		trouble(webhook, failed),
		ctl_json_str(webhook, "url"),
	};

	return ctl_table_row(t, row);
}

static enum ctl_exit print_webhooks(json_t *webhooks)
{
	static const char *const head[] = {
		"LABEL", "", "BEHIND", "NEXT TRY", "LAST FAILED", "URL"
	};
	struct ctl_table t = { .cols_n = ARRAY_LEN(head) };
	int rc = ctl_table_row(&t, head);
	const json_t *w;
	size_t i;

	json_array_foreach(webhooks, i, w)
	{
		if (rc == 0)
			rc = add_row(&t, w);
	}
	if (rc == 0)
		return ctl_print_table(&t);
	ctl_table_clear(&t);
	return ctl_no_memory();
}

enum ctl_exit ctl_webhook_list(const struct ctl_call *call)
{
	json_t *answer = NULL, *webhooks;
	enum ctl_exit rc = events_call(call, "GET", "getWebhook", NULL, NULL, &answer);

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_array(answer, "webhooks", &webhooks);
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_incref(webhooks));
	else if (rc == CTL_EXIT_OK && json_array_size(webhooks) == 0)
		fprintf(stderr, "No webhooks yet: \"wardenctl webhook set %s URL\" makes one.\n",
		        call->name);
	else if (rc == CTL_EXIT_OK)
		rc = print_webhooks(webhooks);
	json_decref(answer);
	return rc;
}

/* ---- changed --------------------------------------------------------------------------------- */

enum word_type { TRUTH, TEXT, LIST };
static const struct {
	const char *name;
	enum word_type type;
} words[] = {
	{ "label", TEXT },         { "enabled", TRUTH },     { "events", LIST },
	{ "byEvents", TRUTH },     { "mediaBase64", TRUTH }, { "fromHistory", TRUTH },
	{ "rotateSecret", TRUTH },
};

static json_t *list_of(const char *text)
{
	json_t *a = json_array();

	while (a != NULL && *text != '\0') {
		size_t n = strcspn(text, ",");

		if (n > 0 && json_array_append_new(a, json_stringn(text, n)) < 0) {
			json_decref(a);
			return NULL;
		}
		text += n + (text[n] == ',');
	}
	return a;
}

static json_t *value_of(enum word_type type, const char *text)
{
	bool truth;

	if (type == TEXT)
		return json_string(text);
	if (type == LIST)
		return list_of(text);
	return ctl_args_truth(text, &truth) == 0 ? json_boolean(truth) : NULL;
}

/* A URL, or KEY=VALUE, into body. */
static enum ctl_exit take_word(const char *word, json_t *body)
{
	size_t len = strcspn(word, "="), i = 0;
	json_t *value;

	if (strstr(word, "://") != NULL && (word[len] == '\0' || strstr(word, "://") < word + len))
		return json_object_set_new(body, "url", json_string(word)) == 0 ? CTL_EXIT_OK
		                                                                : ctl_no_memory();
	while (word[len] != '\0' && i < ARRAY_LEN(words) &&
	       (strlen(words[i].name) != len || strncmp(words[i].name, word, len) != 0))
		i++;
	if (word[len] == '\0' || i == ARRAY_LEN(words)) {
		fprintf(stderr,
		        "wardenctl: %.60s is neither a URL nor one of label= enabled= events= "
		        "byEvents= mediaBase64= fromHistory= rotateSecret=\n",
		        word);
		return CTL_EXIT_USAGE;
	}
	value = value_of(words[i].type, word + len + 1);
	if (value == NULL || json_object_set_new(body, words[i].name, value) < 0) {
		fprintf(stderr, "wardenctl: %.60s: %s\n", word,
		        words[i].type == TRUTH ? "its value is true or false"
		                               : "its value has to be UTF-8");
		return CTL_EXIT_USAGE;
	}
	return CTL_EXIT_OK;
}

/* The secret, if one was made, alone on stdout; else how it is now. */
static enum ctl_exit print_set(const json_t *webhook)
{
	const char *secret = ctl_json_str(webhook, "secret");

	if (!ctl_is_secret(secret)) {
		json_t *all = json_pack("[O]", webhook);
		enum ctl_exit rc = all == NULL ? ctl_no_memory() : print_webhooks(all);

		json_decref(all);
		return rc;
	}
	fprintf(stderr, "The secret that signs what is sent to the webhook is shown now and never "
	                "again:\n");
	return ctl_print_secret(secret);
}

enum ctl_exit ctl_webhook_set(const struct ctl_call *call)
{
	json_t *answer = NULL, *body = json_object();
	enum ctl_exit rc = body == NULL ? ctl_no_memory() : CTL_EXIT_OK;

	for (size_t i = 0; rc == CTL_EXIT_OK && i < call->rest_n; i++)
		rc = take_word(call->rest[i], body);
	if (rc != CTL_EXIT_OK) {
		json_decref(body);
		return rc;
	}
	rc = events_call(call, "POST", "webhook", NULL, body, &answer);
	if (rc == CTL_EXIT_OK)
		rc = ctl_instance_show(call, answer, "webhook", print_set);
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_webhook_delete(const struct ctl_call *call)
{
	const char *label = call->rest_n > 0 ? call->rest[0] : "default";
	json_t *answer = NULL;
	char what[160];
	enum ctl_exit rc;

	snprintf(what, sizeof(what), "Delete the webhook %.*s, with what waits for it, of",
	         LABEL_MAX, label);
	if (!ctl_confirmed(call, what))
		return CTL_EXIT_FAILED;
	rc = events_call(call, "DELETE", "webhook", label, NULL, &answer);
	json_decref(answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (ctl_wants_json(call))
		return ctl_json_print(json_pack("{s:s, s:s, s:s}", "name", call->name, "label",
		                                label, "status", "deleted"));
	fprintf(stderr, "Deleted the webhook %s of %s.\n", label, call->name);
	return CTL_EXIT_OK;
}

/* ---- dead letters ---------------------------------------------------------------------------- */

static enum ctl_exit print_dead(json_t *letters)
{
	static const char *const head[] = { "SEQUENCE", "LABEL",  "EVENT", "TRIES",
		                            "REASON",   "QUEUED", "AT" };
	struct ctl_table t = { .cols_n = ARRAY_LEN(head) };
	int rc = ctl_table_row(&t, head);
	json_t *d;
	size_t i;

	json_array_foreach(letters, i, d)
	{
		char sequence[NUMBER_CAP], tries[NUMBER_CAP], status[NUMBER_CAP];
		json_t *answered = json_object_get(d, "status");
		const char *const row[] = {
			number(json_object_get(d, "sequence"), sequence),
			ctl_json_str(d, "label"),
			ctl_json_str(d, "event"),
			number(json_object_get(d, "tries"), tries),
			json_is_integer(answered) ? number(answered, status)
			                          : ctl_json_str(d, "reason"),
			json_is_true(json_object_get(d, "queued")) ? "yes" : "",
			ctl_json_str(d, "at"),
		};

		if (rc == 0)
			rc = ctl_table_row(&t, row);
	}
	if (rc == 0)
		return ctl_print_table(&t);
	ctl_table_clear(&t);
	return ctl_no_memory();
}

enum ctl_exit ctl_webhook_dead(const struct ctl_call *call)
{
	json_t *answer = NULL, *letters;
	enum ctl_exit rc = events_call(call, "GET", "dead", call->rest_n > 0 ? call->rest[0] : NULL,
	                               NULL, &answer);

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_array(answer, "deadLetters", &letters);
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_incref(letters));
	else if (rc == CTL_EXIT_OK && json_array_size(letters) == 0)
		fputs("No dead letters: whatever was to be delivered was taken, or still waits.\n",
		      stderr);
	else if (rc == CTL_EXIT_OK)
		rc = print_dead(letters);
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_webhook_replay(const struct ctl_call *call)
{
	const char *what = call->rest_n > 0 ? call->rest[0] : "";
	json_t *answer = NULL, *body = NULL;
	char message[160];
	int64_t from = 0;
	enum ctl_exit rc;

	if (strcmp(what, "dead") == 0)
		body = json_pack("{s:b}", "dead", 1);
	else if (ctl_args_number(what, 1, INT64_MAX, &from) == 0)
		body = json_pack("{s:I}", "from", (json_int_t)from);
	else {
		fputs("wardenctl: what is to be sent again: dead, or the sequence to begin with\n",
		      stderr);
		return CTL_EXIT_USAGE;
	}
	if (body == NULL || (call->rest_n > 1 &&
	                     json_object_set_new(body, "label", json_string(call->rest[1])) < 0)) {
		json_decref(body);
		return ctl_no_memory();
	}
	rc = events_call(call, "POST", "replay", NULL, body, &answer);
	ctl_text_copy(message, sizeof(message), ctl_json_str(answer, "message"));
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_incref(answer));
	else if (rc == CTL_EXIT_OK)
		fprintf(stderr, "%s.\n", message);
	json_decref(answer);
	return rc;
}
