/* cli/ctl_account.c - wardenctl account create, list, rotate, quota, delete: over the admin socket
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_term.h"
#include "cli/ctl_text.h"

#define PATH_CAP 160
#define QUOTA_MAX 1000000

/* The token of a new or rotated account: the only time that it is shown. */
static enum ctl_exit print_token(const struct ctl_call *call, const json_t *answer,
                                 const char *what)
{
	const char *token = ctl_json_str(answer, "token");
	json_t *quota = json_object_get(json_object_get(answer, "account"), "quota");

	if (!ctl_is_secret(token)) {
		fputs("wardenctl: the gateway's answer holds no token\n", stderr);
		return CTL_EXIT_FAILED;
	}
	if (ctl_wants_json(call))
		return ctl_json_print(json_pack("{s:s, s:s, s:O}", "name", call->name, "token",
		                                token, "quota",
		                                quota != NULL ? quota : json_null()));
	fprintf(stderr, "%s %s. Its token is shown now and never again:\n", what, call->name);
	return ctl_print_secret(token);
}

enum ctl_exit ctl_account_create(const struct ctl_call *call)
{
	const char *quota = call->args->opt[CTL_OPT_QUOTA];
	json_t *body, *answer = NULL;
	int64_t quota_n = 0;
	enum ctl_exit rc;

	if (quota != NULL && ctl_args_number(quota, 0, QUOTA_MAX, &quota_n) < 0) {
		fprintf(stderr, "wardenctl: --quota has to be a whole number from 0 to %d\n",
		        QUOTA_MAX);
		return CTL_EXIT_USAGE;
	}
	body = json_pack("{s:s}", "name", call->name);
	if (body == NULL ||
	    (quota != NULL && json_object_set_new(body, "quota", json_integer(quota_n)) < 0)) {
		json_decref(body);
		return ctl_no_memory();
	}
	rc = ctl_api_admin("POST", "/admin/accounts", body, &answer);
	if (rc == CTL_EXIT_OK)
		rc = print_token(call, answer, "Made the account");
	json_decref(answer);
	return rc;
}

static enum ctl_exit print_accounts(json_t *accounts)
{
	struct ctl_table t = { .cols_n = 4 };
	const char *const head[] = { "NAME", "INSTANCES", "QUOTA", "CREATED" };
	size_t i;
	json_t *a;
	int rc = ctl_table_row(&t, head);

	json_array_foreach(accounts, i, a)
	{
		json_t *quota = json_object_get(a, "quota");
		char instances[24], limit[24] = "none";

		snprintf(instances, sizeof(instances), "%" JSON_INTEGER_FORMAT,
		         json_integer_value(json_object_get(a, "instances")));
		if (json_is_integer(quota))
			snprintf(limit, sizeof(limit), "%" JSON_INTEGER_FORMAT,
			         json_integer_value(quota));
		if (rc == 0)
			rc = ctl_table_row(
			    &t, (const char *const[]){ ctl_json_str(a, "name"), instances, limit,
			                               ctl_json_str(a, "createdAt") });
	}
	if (json_array_size(accounts) == 0)
		fputs("No accounts yet: \"wardenctl account create NAME\" makes one.\n", stderr);
	else if (rc == 0)
		return ctl_print_table(&t);
	ctl_table_clear(&t);
	return rc < 0 ? ctl_no_memory() : CTL_EXIT_OK;
}

enum ctl_exit ctl_account_list(const struct ctl_call *call)
{
	json_t *answer = NULL, *accounts = NULL;
	enum ctl_exit rc = ctl_api_admin("GET", "/admin/accounts", NULL, &answer);

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_array(answer, "accounts", &accounts);
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_json_print(json_incref(accounts));
	else if (rc == CTL_EXIT_OK)
		rc = print_accounts(accounts);
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_account_rotate(const struct ctl_call *call)
{
	char path[PATH_CAP];
	json_t *answer = NULL;
	enum ctl_exit rc;

	snprintf(path, sizeof(path), "/admin/accounts/%s/rotate", call->name);
	rc = ctl_api_admin("POST", path, NULL, &answer);
	if (rc == CTL_EXIT_OK)
		rc = print_token(call, answer, "New token for the account");
	json_decref(answer);
	return rc;
}

/* "none", or a number. */
static enum ctl_exit quota_body(const char *word, json_t **body_out)
{
	int64_t quota = 0;
	bool none = strcmp(word, "none") == 0;

	if (!none && ctl_args_number(word, 0, QUOTA_MAX, &quota) < 0) {
		fprintf(stderr,
		        "wardenctl: a quota is a whole number from 0 to %d, or none for no limit\n",
		        QUOTA_MAX);
		return CTL_EXIT_USAGE;
	}
	*body_out = json_pack("{s:o}", "quota", none ? json_null() : json_integer(quota));
	return *body_out == NULL ? ctl_no_memory() : CTL_EXIT_OK;
}

enum ctl_exit ctl_account_quota(const struct ctl_call *call)
{
	char path[PATH_CAP];
	json_t *body = NULL, *answer = NULL;
	enum ctl_exit rc;

	if (call->rest_n == 0) {
		fputs("wardenctl: which quota? \"wardenctl account quota NAME N\", or none for no "
		      "limit\n",
		      stderr);
		return CTL_EXIT_USAGE;
	}
	rc = quota_body(call->rest[0], &body);
	if (rc != CTL_EXIT_OK)
		return rc;
	snprintf(path, sizeof(path), "/admin/accounts/%s/quota", call->name);
	rc = ctl_api_admin("POST", path, body, &answer);
	if (rc == CTL_EXIT_OK && ctl_wants_json(call))
		rc = ctl_instance_show(call, answer, "account", NULL);
	else if (rc == CTL_EXIT_OK && strcmp(call->rest[0], "none") == 0)
		fprintf(stderr, "The account %s may have any number of instances.\n", call->name);
	else if (rc == CTL_EXIT_OK)
		fprintf(stderr, "The account %s may have %s instance%s.\n", call->name,
		        call->rest[0], strcmp(call->rest[0], "1") == 0 ? "" : "s");
	json_decref(answer);
	return rc;
}

enum ctl_exit ctl_account_delete(const struct ctl_call *call)
{
	char path[PATH_CAP];
	json_t *answer = NULL;
	enum ctl_exit rc;

	if (!ctl_confirmed(call, "Delete the account"))
		return CTL_EXIT_FAILED;
	snprintf(path, sizeof(path), "/admin/accounts/%s", call->name);
	rc = ctl_api_admin("DELETE", path, NULL, &answer);
	json_decref(answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	if (ctl_wants_json(call))
		return ctl_json_print(
		    json_pack("{s:s, s:s}", "name", call->name, "status", "deleted"));
	fprintf(stderr, "Deleted the account %s.\n", call->name);
	return CTL_EXIT_OK;
}
