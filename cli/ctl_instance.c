/* cli/ctl_instance.c - wardenctl instance create, list, delete: over HTTP with a token */
#include <stdio.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_text.h"

#define PATH_CAP 192

static enum ctl_exit call_api(const struct ctl_call *call, const char *method, const char *path,
                              json_t *body, json_t **answer_out)
{
	struct ctl_api api;
	enum ctl_exit rc = ctl_api_open(&api, call->args->opt[CTL_OPT_TOKEN_FILE]);

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_call(&api, method, path, body, answer_out);
	else
		json_decref(body);
	ctl_api_clear(&api);
	return rc;
}

enum ctl_exit ctl_instance_create(const struct ctl_call *call)
{
	json_t *answer = NULL, *instance, *body = json_pack("{s:s}", "name", call->name);
	const char *token;
	enum ctl_exit rc;

	if (body == NULL)
		return ctl_no_memory();
	rc = call_api(call, "POST", "/api/instance/new", body, &answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	instance = json_object_get(answer, "instance");
	token = ctl_json_str(instance, "token");
	if (token[0] == '\0') {
		fputs("wardenctl: the gateway's answer holds no token\n", stderr);
		rc = CTL_EXIT_FAILED;
	} else if (ctl_wants_json(call)) {
		rc = ctl_json_print(json_pack("{s:s, s:s, s:s}", "name", call->name, "id",
		                              ctl_json_str(instance, "id"), "token", token));
	} else {
		fprintf(stderr, "Made the instance %s. Its token is shown now and never again:\n",
		        call->name);
		rc = ctl_print_secret(token);
	}
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_instance_fetch(const struct ctl_api *api, const char *name,
                                 json_t **instances_out)
{
	char path[PATH_CAP];
	json_t *answer = NULL, *instances;
	enum ctl_exit rc;

	snprintf(path, sizeof(path), "/api/instance/list%s%s", name != NULL ? "?instanceName=" : "",
	         name != NULL ? name : "");
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

enum ctl_exit ctl_instance_list(const struct ctl_call *call)
{
	struct ctl_api api;
	json_t *instances = NULL;
	enum ctl_exit rc = ctl_api_open(&api, call->args->opt[CTL_OPT_TOKEN_FILE]);

	if (rc == CTL_EXIT_OK)
		rc = ctl_instance_fetch(&api, call->name, &instances);
	ctl_api_clear(&api);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (ctl_wants_json(call))
		rc = ctl_json_print(json_incref(instances));
	else if (json_array_size(instances) == 0)
		fputs("No instances yet: \"wardenctl instance create NAME\" makes one.\n", stderr);
	else
		rc = print_instances(instances);
	json_decref(instances);
	return rc;
}

enum ctl_exit ctl_instance_delete(const struct ctl_call *call)
{
	char path[PATH_CAP];
	json_t *answer = NULL;
	enum ctl_exit rc;

	if (!ctl_confirmed(call, "Delete the instance and everything stored for it:"))
		return CTL_EXIT_FAILED;
	snprintf(path, sizeof(path), "/api/instance/delete/%s", call->name);
	rc = call_api(call, "DELETE", path, NULL, &answer);
	json_decref(answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (ctl_wants_json(call))
		return ctl_json_print(
		    json_pack("{s:s, s:s}", "name", call->name, "status", "deleted"));
	fprintf(stderr, "Deleted the instance %s.\n", call->name);
	return CTL_EXIT_OK;
}
