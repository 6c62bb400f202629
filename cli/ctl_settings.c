/* cli/ctl_settings.c - wardenctl instance settings: shown, or changed by NAME=VALUE words */
#include <stdio.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_text.h"
#include "common/attr.h"

static const struct {
	const char *name;
	bool is_text;
} settings[] = {
	{ "autoRejectCalls", false },     { "callRejectMessage", true },
	{ "ignoreGroupMessages", false }, { "keepOnlineStatus", false },
	{ "autoReadMessages", false },    { "disableHistorySync", false },
	{ "ignoreStatus", false },
};

static json_t *truth(const char *text)
{
	bool value;

	return ctl_args_truth(text, &value) == 0 ? json_boolean(value) : NULL;
}

static enum ctl_exit refuse_word(const char *word, const char *why)
{
	fprintf(stderr, "wardenctl: %.60s: %s\nSettings:", word, why);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		fprintf(stderr, " %s=%s", settings[i].name,
		        settings[i].is_text ? "TEXT" : "true|false");
	fputc('\n', stderr);
	return CTL_EXIT_USAGE;
}

/* "ignoreStatus=true" into body. */
static enum ctl_exit take_word(const char *word, json_t *body)
{
	size_t len = strcspn(word, "="), i = 0;
	const char *text = word + len + 1;
	json_t *value;

	if (word[len] == '\0')
		return refuse_word(word, "a change is written SETTING=VALUE");
	while (i < ARRAY_LEN(settings) &&
	       (strlen(settings[i].name) != len || strncmp(settings[i].name, word, len) != 0))
		i++;
	if (i == ARRAY_LEN(settings))
		return refuse_word(word, "there is no such setting");
	value = settings[i].is_text ? json_string(text) : truth(text);
	if (value == NULL)
		return refuse_word(word, settings[i].is_text ? "the text has to be UTF-8"
		                                             : "its value is true or false");
	return json_object_set_new(body, settings[i].name, value) == 0 ? CTL_EXIT_OK
	                                                               : ctl_no_memory();
}

static enum ctl_exit print_settings(const json_t *values)
{
	struct ctl_table t = { .cols_n = 2 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(settings); i++) {
		const json_t *v = json_object_get(values, settings[i].name);
		const char *const row[] = { settings[i].name,
			                    settings[i].is_text
			                        ? ctl_json_str(values, settings[i].name)
			                    : json_is_true(v) ? "true"
			                                      : "false" };

		rc = ctl_table_row(&t, row);
	}
	if (rc == 0)
		return ctl_print_table(&t);
	ctl_table_clear(&t);
	return ctl_no_memory();
}

enum ctl_exit ctl_instance_settings(const struct ctl_call *call)
{
	json_t *answer = NULL, *body = call->rest_n > 0 ? json_object() : NULL;
	enum ctl_exit rc = CTL_EXIT_OK;

	for (size_t i = 0; rc == CTL_EXIT_OK && i < call->rest_n; i++)
		rc = take_word(call->rest[i], body);
	if (rc != CTL_EXIT_OK) {
		json_decref(body);
		return rc;
	}
	rc = ctl_instance_call(call, body != NULL ? "POST" : "GET",
	                       body != NULL ? "settings" : "getSettings", body, &answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	rc = ctl_instance_show(call, answer, "settings", print_settings);
	json_decref(answer);
	return rc;
}
