/*
 * cli/ctl_instance.c - wardenctl instance create, list, delete, logout, token; reconnect: over HTTP
 * with a token
 */
#include <stdio.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_text.h"

#define PATH_CAP CTL_INSTANCE_PATH_CAP

enum ctl_exit ctl_instance_call_path(const struct ctl_call *call, const char *method,
                                     const char *path, json_t *body, json_t **answer_out)
{
	return ctl_api_once(call->args->opt[CTL_OPT_TOKEN_FILE], method, path, body, answer_out);
}

enum ctl_exit ctl_instance_call(const struct ctl_call *call, const char *method, const char *route,
                                json_t *body, json_t **answer_out)
{
	char path[PATH_CAP];

	snprintf(path, sizeof(path), "/api/instance/%s/%s", route, call->name);
	return ctl_instance_call_path(call, method, path, body, answer_out);
}

enum ctl_exit ctl_instance_show(const struct ctl_call *call, const json_t *answer, const char *key,
                                enum ctl_exit (*print)(const json_t *object))
{
	json_t *object = json_object_get(answer, key);

	if (!json_is_object(object)) {
		fprintf(stderr, "wardenctl: the gateway's answer holds no %s\n", key);
		return CTL_EXIT_FAILED;
	}
	return ctl_wants_json(call) ? ctl_json_print(json_incref(object)) : print(object);
}

/* The token in an answer: the only time that it is shown. */
static enum ctl_exit print_token(const struct ctl_call *call, const json_t *answer,
                                 const char *what)
{
	const json_t *instance = json_object_get(answer, "instance");
	const char *token = ctl_json_str(instance, "token");

	if (!ctl_is_secret(token)) {
		fputs("wardenctl: the gateway's answer holds no token\n", stderr);
		return CTL_EXIT_FAILED;
	}
	if (ctl_wants_json(call))
		return ctl_json_print(json_pack("{s:s, s:s, s:s}", "name", call->name, "id",
		                                ctl_json_str(instance, "id"), "token", token));
	fprintf(stderr, "%s %s. Its token is shown now and never again:\n", what, call->name);
	return ctl_print_secret(token);
}

enum ctl_exit ctl_instance_create(const struct ctl_call *call)
{
	json_t *answer = NULL, *body = json_pack("{s:s}", "name", call->name);
	enum ctl_exit rc;

	if (body == NULL)
		return ctl_no_memory();
	rc = ctl_instance_call_path(call, "POST", "/api/instance/new", body, &answer);
	if (rc == CTL_EXIT_OK)
		rc = print_token(call, answer, "Made the instance");
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_instance_token(const struct ctl_call *call)
{
	json_t *answer = NULL;
	enum ctl_exit rc = ctl_instance_call(call, "POST", "token", NULL, &answer);

	if (rc == CTL_EXIT_OK)
		rc = print_token(call, answer, "New token for the instance");
	json_decref(answer);
	return rc;
}

void ctl_instance_list_path(const char *name, char *out)
{
	snprintf(out, CTL_INSTANCE_PATH_CAP, "/api/instance/list%s%s",
	         name != NULL ? "?instanceName=" : "", name != NULL ? name : "");
}

static enum ctl_exit fetch(const struct ctl_api *api, const char *name, json_t **instances_out)
{
	char path[PATH_CAP];
	json_t *answer = NULL, *instances;
	enum ctl_exit rc;

	ctl_instance_list_path(name, path);
	rc = ctl_api_call(api, "GET", path, NULL, &answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	rc = ctl_api_array(answer, "instances", &instances);
	if (rc == CTL_EXIT_OK)
		*instances_out = json_incref(instances);
	json_decref(answer);
	return rc;
}

static enum ctl_exit print_instances(json_t *instances)
{
	struct ctl_table t = { .cols_n = 5 };
	const char *const head[] = { "NAME", "STATE", "LINKED AS", "ID", "CREATED" };
	size_t i;
	json_t *inst;
	int rc = ctl_table_row(&t, head);

	json_array_foreach(instances, i, inst)
	{
		const char *jid = ctl_json_str(inst, "numberJid");
		const char *const row[] = { ctl_json_str(inst, "name"),
			                    ctl_json_str(inst, "status"),
			                    jid[0] != '\0' ? jid : "-", ctl_json_str(inst, "id"),
			                    ctl_json_str(inst, "createdAt") };

		if (rc == 0)
			rc = ctl_table_row(&t, row);
	}
	if (rc == 0)
		return ctl_print_table(&t);
	ctl_table_clear(&t);
	return ctl_no_memory();
}

enum ctl_exit ctl_instance_each(const struct ctl_call *call,
                                enum ctl_exit (*print)(json_t *instances))
{
	struct ctl_api api;
	json_t *instances = NULL;
	enum ctl_exit rc = ctl_api_open(&api, call->args->opt[CTL_OPT_TOKEN_FILE]);

	if (rc == CTL_EXIT_OK)
		rc = fetch(&api, call->name, &instances);
	ctl_api_clear(&api);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (ctl_wants_json(call))
		rc = ctl_json_print(json_incref(instances));
	else if (json_array_size(instances) == 0)
		fputs("No instances yet: \"wardenctl instance create NAME\" makes one.\n", stderr);
	else
		rc = print(instances);
	json_decref(instances);
	return rc;
}

enum ctl_exit ctl_instance_list(const struct ctl_call *call)
{
	return ctl_instance_each(call, print_instances);
}

/* A change without data in its answer: status as JSON, or a line that says what was done. */
static enum ctl_exit change(const struct ctl_call *call, const char *method, const char *route,
                            const char *status, const char *done)
{
	json_t *answer = NULL;
	enum ctl_exit rc = ctl_instance_call(call, method, route, NULL, &answer);

	json_decref(answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (ctl_wants_json(call))
		return ctl_json_print(
		    json_pack("{s:s, s:s}", "name", call->name, "status", status));
	fprintf(stderr, "%s the instance %s.\n", done, call->name);
	return CTL_EXIT_OK;
}

enum ctl_exit ctl_instance_delete(const struct ctl_call *call)
{
	if (!ctl_confirmed(call, "Unlink the instance and delete everything stored for it:"))
		return CTL_EXIT_FAILED;
	return change(call, "DELETE", "delete", "deleted", "Deleted");
}

enum ctl_exit ctl_instance_logout(const struct ctl_call *call)
{
	if (!ctl_confirmed(call, "Unlink the instance"))
		return CTL_EXIT_FAILED;
	return change(call, "DELETE", "logout", "loggedout", "Unlinked");
}

enum ctl_exit ctl_reconnect(const struct ctl_call *call)
{
	json_t *answer = NULL;
	enum ctl_exit rc = ctl_instance_call(call, "POST", "reconnect", NULL, &answer);
	const char *status = ctl_json_str(answer, "status");

	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_pack("{s:s, s:s}", "name", call->name, "status", status));
	else if (rc == CTL_EXIT_OK && strcmp(status, "connected") == 0)
		fprintf(stderr, "%s is connected already.\n", call->name);
	else if (rc == CTL_EXIT_OK)
		fprintf(stderr, "Connecting %s; \"wardenctl status %s\" shows what comes of it.\n",
		        call->name, call->name);
	json_decref(answer);
	return rc;
}
